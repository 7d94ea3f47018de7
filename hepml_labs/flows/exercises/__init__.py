"""Exercises of the labs on normalising flows, a module for each."""
