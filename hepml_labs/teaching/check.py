"""Check a student's answer, say what is wrong with it, and keep the lab going."""

from hepml_labs.teaching import progress
from hepml_labs.teaching.display import inline_html, show_box, show_html
from hepml_labs.teaching.exercise import find
from hepml_labs.teaching.judge import judge

_wrong_tries = {}  # name of the exercise -> wrong tries in this session; chooses the hint


def check(name, answer):
    """Check an answer against the package's reference on fresh random inputs.

    Parameters
    ----------
    name : str
        Name of the exercise, such as `"regression.gaussian_nll"`.
    answer : callable or object
        The student's function (not called), class or value.

    Returns
    -------
    callable or object
        The answer itself when it is right, else the reference, so that the lab goes on.

    Raises
    ------
    ValueError
        When there is no exercise of that name.

    Examples
    --------
    >>> check("regression.no_such_exercise", None)
    Traceback (most recent call last):
    ...
    ValueError: name: there is no exercise 'regression.no_such_exercise' in its chapter; ...
    """
    exercise = find(name)
    verdict = judge(exercise, answer)
    points = f"{exercise.points} point" + "s" * (exercise.points != 1)
    if verdict.kind == "correct":
        show_box("right", f"{name}: correct", [f"{points}. The lab goes on with your answer."])
        progress.save(name, exercise.points, exercise.points, tries=1)
        return answer
    lines = list(verdict.lines)
    if verdict.kind == "missing":
        lines.append("The lab goes on with the reference, so you can read ahead and come back.")
        show_box("neutral", f"{name}: to do ({points})", lines)
        progress.save(name, 0, exercise.points, tries=0)
        return exercise.reference
    tries = _wrong_tries[name] = _wrong_tries.get(name, 0) + 1
    if exercise.hints:
        hint = min(tries, len(exercise.hints))
        lines.append(f"Hint {hint} of {len(exercise.hints)}: {exercise.hints[hint - 1]}")
    lines.append("Until it is right the lab goes on with the reference.")
    show_box("wrong", f"{name}: not yet right", lines)
    progress.save(name, 0, exercise.points, tries=1)
    return exercise.reference


def score():
    """Show the points earned so far, on this computer, in all chapters.

    Examples
    --------
    >>> import os, tempfile
    >>> os.environ["HEPML_HOME"] = tempfile.mkdtemp()
    >>> score()
    No points yet: they come with the first exercise that is checked.
    >>> del os.environ["HEPML_HOME"]
    """
    record = progress.load()
    if not record:
        return show_html(*2 * ("No points yet: they come with the first exercise that is checked.",)) and None
    rows = [(name, entry["points"], entry["possible"], entry["tries"]) for name, entry in sorted(record.items())]
    rows.append(("sum", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    cells = "".join(
        f'<tr><th scope="row" style="text-align:left">{inline_html(name)}</th>'
        f"<td>{earned} of {possible}</td><td>{tries}</td></tr>"
        for name, earned, possible, tries in rows
    )
    width = max(len(name) for name, *_ in rows)
    text = [f"{'exercise':<{width}}  points   tries"]
    text += [f"{name:<{width}}  {earned} of {possible:<4}  {tries}" for name, earned, possible, tries in rows]
    header = '<tr><th scope="col">exercise</th><th scope="col">points</th><th scope="col">tries</th></tr>'
    show_html(f"<table>{header}{cells}</table>", "\n".join(text))
