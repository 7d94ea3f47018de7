"""Exercises of the labs on generative networks, a module for each."""
