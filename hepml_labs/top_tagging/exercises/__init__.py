"""Exercises of the top-tagging labs, a module for each."""
