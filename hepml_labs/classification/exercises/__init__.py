"""Exercises of the classification labs, a module for each."""
