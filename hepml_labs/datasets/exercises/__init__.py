"""Exercises of the data labs, a module for each."""
