"""HEPML Labs: tested reference implementations of machine learning for particle physics.

The package is organised by chapter (`hepml_labs.regression`, ...) around shared rooms: `datasets`, `physics`,
`nn`, `training`, `evaluation`, `plotting` and `teaching`. Importing `hepml_labs` alone is light; heavy packages
come with the module that needs them.
"""

__version__ = "0.1.0"
