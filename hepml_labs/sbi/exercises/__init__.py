"""Exercises of the labs on simulation-based inference, a module for each."""
