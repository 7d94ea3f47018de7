"""What the environment decides: the size at which labs run, and the number of threads."""

import os


def scale() -> str:
    """Return the size at which labs run, from the environment variable ``HEPML_SCALE``.

    Returns
    -------
    str
        ``"smoke"`` (a few steps: does it run at all?), ``"lab"`` (the default) or ``"full"``.

    Raises
    ------
    ValueError
        If the variable holds anything else.

    Examples
    --------
    >>> scale() in ("smoke", "lab", "full")
    True
    """
    value = os.environ.get("HEPML_SCALE", "lab")
    if value not in ("smoke", "lab", "full"):
        raise ValueError(f"HEPML_SCALE is {value!r}; expected 'smoke', 'lab' or 'full'")
    return value


def set_threads() -> int:
    """Set the number of CPU threads of torch from ``HEPML_THREADS`` (one by default) and return it.

    Small networks are slower on several threads than on one: handing out the work takes longer than doing it.

    Examples
    --------
    >>> set_threads() >= 1
    True
    """
    import torch

    threads = int(os.environ.get("HEPML_THREADS", "1"))
    torch.set_num_threads(threads)
    return threads
