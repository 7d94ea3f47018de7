"""Exercises of the chapter, one module per lab, collected in the order of the modules' names."""

from importlib import import_module
from pkgutil import iter_modules

EXERCISES = [
    exercise
    for module in sorted(iter_modules(__path__), key=lambda module: module.name)
    for exercise in import_module(f"{__name__}.{module.name}").EXERCISES
]
