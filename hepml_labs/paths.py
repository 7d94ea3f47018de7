"""Where the project's files are: in a checkout of the repository, or inside the installed wheel.

In a checkout (an editable installation) the notebooks, the data and the book lie beside the package. The wheel
carries the notebooks and the data in `hepml_labs/_bundle`; the book is built from a checkout only.
"""

import os
from pathlib import Path

import pooch

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent
_BUNDLE = _PACKAGE / "_bundle"


def in_checkout():
    """Whether the package is used from a checkout of the repository.

    Returns
    -------
    bool
    """
    return (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "notebooks").is_dir()


def root():
    """Return the folder that holds `notebooks/` and `data/`.

    Returns
    -------
    pathlib.Path
        The top of the checkout, or `_bundle` inside the installed package.

    Raises
    ------
    FileNotFoundError
        When there is neither, which means that the installation is incomplete.

    Examples
    --------
    >>> (root() / "notebooks").is_dir()
    True
    """
    if in_checkout():
        return _CHECKOUT
    if _BUNDLE.is_dir():
        return _BUNDLE
    raise FileNotFoundError(
        f"found neither a checkout of HEPML Labs around {_PACKAGE} nor the files that come with the package in "
        f"{_BUNDLE}: install the package again, or run it from a clone of the repository"
    )


def data():
    """Return the folder of the bundled samples.

    Returns
    -------
    pathlib.Path
    """
    return root() / "data"


def notebooks():
    """Return the folder of the labs.

    Returns
    -------
    pathlib.Path
    """
    return root() / "notebooks"


def book():
    """Return the folder of the lecture pages.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileNotFoundError
        When the package was installed from a wheel: the book's pages come with the repository only.
    """
    if not in_checkout():
        raise FileNotFoundError(
            "the pages of the book come with a clone of the repository, not with the installed package"
        )
    return _CHECKOUT / "book"


def home():
    """Return the folder for what the project keeps on this computer: caches and the record of points.

    Returns
    -------
    pathlib.Path
        The environment variable HEPML_HOME where it is set, else the cache folder that the operating system
        foresees (on Linux `~/.cache/hepml_labs`). The folder may not exist yet.

    Examples
    --------
    >>> import os
    >>> os.environ["HEPML_HOME"] = "somewhere"
    >>> home().name
    'somewhere'
    >>> del os.environ["HEPML_HOME"]
    """
    chosen = os.environ.get("HEPML_HOME")
    return Path(chosen).expanduser() if chosen else Path(pooch.os_cache("hepml_labs"))
