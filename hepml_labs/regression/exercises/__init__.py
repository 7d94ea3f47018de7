"""Exercises of the regression labs, a module for each."""
