"""Count the points of submitted notebooks by running them."""

import csv
import json
import os
import tempfile
from pathlib import Path

TIME_LIMIT = 600  # seconds per cell


def grade(notebook):
    """Run a submitted notebook and read the points that its checks recorded.

    This executes the student's code with your rights: do it in a container or on an account made for it, and read what
    you grade, since code can also be written to fake the record. The notebook
    runs at `HEPML_SCALE=smoke` (checks are the same at every scale) with an empty record of points of its own.

    Parameters
    ----------
    notebook : pathlib.Path
        The submitted file; it is not changed.

    Returns
    -------
    dict
        `"notebook"`, `"status"` (`"ok"`, or what went wrong), `"points"` (from exercise to points earned).
    """
    import nbformat
    from nbclient import NotebookClient

    points, environment = {}, os.environ.copy()
    with tempfile.TemporaryDirectory(prefix="hepml_grade_") as home:
        environment.update(HEPML_HOME=home, HEPML_SCALE="smoke", MPLBACKEND="agg")
        try:
            content = nbformat.read(notebook, as_version=4)
            # the notebook goes on after an error: later exercises count all the same
            client = NotebookClient(content, timeout=TIME_LIMIT, kernel_name="python3", allow_errors=True)
            client.execute(env=environment, cwd=str(Path(notebook).resolve().parent))
            failed = [
                number
                for number, cell in enumerate(content.cells)
                if cell.cell_type == "code" and any(output.output_type == "error" for output in cell.outputs)
            ]
            status = f"errors in cells {' '.join(map(str, failed))}" if failed else "ok"
        except Exception as error:  # one broken submission must not stop the rest
            status = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        record = Path(home) / "progress.json"
        if record.is_file():
            points = {name: entry["points"] for name, entry in json.loads(record.read_text()).items()}
    return {"notebook": str(notebook), "status": status, "points": points}


def write_grades(grades, stream):
    """Write grades as a table of comma-separated values, one line per notebook and one column per exercise.

    Parameters
    ----------
    grades : list of dict
        As `grade` returns them.
    stream : file
        Text file to write to.

    Examples
    --------
    >>> import sys
    >>> write_grades([{"notebook": "a.ipynb", "status": "ok", "points": {"toy.double": 1}}], sys.stdout)
    notebook,status,total,toy.double
    a.ipynb,ok,1,1
    """
    names = sorted({name for one in grades for name in one["points"]})
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["notebook", "status", "total", *names])
    for one in grades:
        points = one["points"]
        writer.writerow(
            [one["notebook"], one["status"], sum(points.values()), *(points.get(name, "") for name in names)]
        )
