"""Checks of the exercises of the chapter."""
