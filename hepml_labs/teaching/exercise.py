"""What an exercise is, and where the chapters keep theirs."""

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import hepml_labs


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer to an exercise, and what to say to the student who gives it.

    Parameters
    ----------
    message : str
        Names what went wrong, in a sentence or two, without giving the solution away.
    answer : callable or object
        The wrong answer itself, with the signature of the reference. A student whose function agrees with it on
        every trial is shown the message; the tests require that it is rejected with that message.
    """

    message: str
    answer: Any


@dataclass(frozen=True)
class Exercise:
    """An exercise: the right answer, random inputs to try it on, and help for those who are not there yet.

    Parameters
    ----------
    name : str
        `"chapter.short_name"`, as in `lab.check("regression.gaussian_nll", ...)`.
    reference : callable or object
        The tested answer of the package; or, when the answer is not a function, its value. A function may return
        a number, an array, a tensor, or tuples, lists and dicts of them. One that returns None is compared by what it
        does to its arguments. Where its result carries a gradient (because an input requires one), so must the
        student's.
    inputs : callable
        `inputs(rng)` draws the positional arguments, a tuple, from a NumPy generator. Vary them enough that no
        wrong answer can pass: sizes larger than one and different from each other, both signs, correlated columns.
    mistakes : tuple of Mistake
        Three or more typical wrong answers.
    hints : tuple of str
        From a gentle hint to nearly the answer; each wrong try shows the next.
    points : int
        What the exercise counts.
    trials : int
        How many random inputs an answer has to pass.
    rtol : float
        Relative tolerance of each element.
    atol : float
        Absolute tolerance of each element in units of the largest element that is expected (so that small physical
        units are not accepted by accident).
    time_limit : float
        Seconds after which all trials together are interrupted.
    prepare : callable, optional
        Turns the result (a network, say) into arrays that can be compared.

    Examples
    --------
    >>> double = Exercise(
    ...     name="toy.double",
    ...     reference=lambda x: 2 * x,
    ...     inputs=lambda rng: (rng.normal(size=5),),
    ...     mistakes=(Mistake("That is the square.", lambda x: x**2),),
    ...     hints=("Add x to itself.",),
    ... )
    >>> double.chapter
    'toy'
    """

    name: str
    reference: Any
    inputs: Callable = lambda rng: ()
    mistakes: tuple = ()
    hints: tuple = ()
    points: int = 1
    trials: int = 3
    rtol: float = 1e-4
    atol: float = 1e-6
    time_limit: float = 20.0
    prepare: Callable | None = None

    @property
    def chapter(self):
        """The chapter that the exercise belongs to (str)."""
        return self.name.partition(".")[0]


def chapters():
    """List the chapters that have exercises.

    Returns
    -------
    list of str
        Names of the folders of the package with a package `exercises`.
    """
    names = [module.name for module in pkgutil.iter_modules(hepml_labs.__path__) if module.ispkg]
    return [name for name in names if name != "teaching" and importlib.util.find_spec(f"hepml_labs.{name}.exercises")]


def exercises(chapter):
    """Return the exercises of a chapter: the lists `EXERCISES` of the modules in its package `exercises`, one per lab.

    Parameters
    ----------
    chapter : str
        Name of the chapter, such as `"regression"`.

    Returns
    -------
    dict
        From the name of each exercise to the `Exercise`, in the order of the modules' names.

    Raises
    ------
    ValueError
        When there is no such chapter, or when it registers a name twice or under another chapter's name.
    """
    known = chapters()
    if chapter not in known:
        raise ValueError(f"name: there is no chapter '{chapter}' with exercises, the chapters are {', '.join(known)}")
    registered = {}
    package = importlib.import_module(f"hepml_labs.{chapter}.exercises")
    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    for module in modules:
        for exercise in importlib.import_module(f"{package.__name__}.{module}").EXERCISES:
            if exercise.chapter != chapter or exercise.name in registered:
                raise ValueError(
                    f"EXERCISES of {chapter}: '{exercise.name}' is registered twice or belongs to another chapter"
                )
            registered[exercise.name] = exercise
    return registered


def find(name):
    """Return the exercise of that name.

    Parameters
    ----------
    name : str
        `"chapter.short_name"`.

    Returns
    -------
    Exercise

    Raises
    ------
    ValueError
        When there is none, with the names that come close.
    """
    if not isinstance(name, str) or "." not in name:
        raise ValueError(f"name: found {name!r}, expected the name of an exercise such as 'regression.gaussian_nll'")
    registered = exercises(name.partition(".")[0])
    if name in registered:
        return registered[name]
    close = difflib.get_close_matches(name, registered, n=3, cutoff=0.5)
    meant = (
        f"did you mean {' or '.join(repr(other) for other in close)}?" if close else f"it has {', '.join(registered)}"
    )
    raise ValueError(f"name: there is no exercise '{name}' in its chapter; {meant}")
