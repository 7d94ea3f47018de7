"""Remember the points and tries of each exercise in a small file in the user's home."""

import json
import os
import tempfile
import time
import warnings
from contextlib import contextmanager

from hepml_labs import paths


def path():
    """Return the path of the record, `progress.json` in the folder that `paths.home` names (pathlib.Path)."""
    return paths.home() / "progress.json"


def load():
    """Read the record.

    Returns
    -------
    dict
        From the name of each exercise to a dict with `"points"` (earned), `"possible"` and `"tries"`. Empty when there
        is no record yet. A damaged record is put aside with a warning that says where.
    """
    try:
        record = json.loads(path().read_text(encoding="utf-8"))
        for entry in record.values():
            entry["points"] + entry["possible"] + entry["tries"]
    except FileNotFoundError:
        return {}
    except OSError as error:
        warnings.warn(f"the record of points cannot be read: {error}", stacklevel=2)
        return {}
    except (ValueError, AttributeError, KeyError, TypeError):
        aside = path().with_suffix(".damaged.json")
        warnings.warn(f"the record of points was damaged; it is now {aside}, and a new one begins", stacklevel=2)
        try:
            os.replace(path(), aside)
        except OSError:
            pass  # the next save says that the folder cannot be written
        return {}
    return record


def save(name, points, possible, tries):
    """Add a try to the record; points once earned are kept.

    Parameters
    ----------
    name : str
        Name of the exercise.
    points, possible : int
        Points earned by this try, and points that the exercise counts.
    tries : int
        Number of tries to add.

    Returns
    -------
    bool
        Whether the record was written. A lab goes on when it cannot be: there is a warning instead.
    """
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        with _locked():
            record = load()
            before = record.get(name, {"points": 0, "tries": 0})
            record[name] = {
                "points": max(points, before["points"]),
                "possible": possible,
                "tries": before["tries"] + tries,
            }
            _write(json.dumps(record, indent=1, sort_keys=True))
    except OSError as error:
        warnings.warn(f"the points could not be recorded: {error}", stacklevel=2)
        return False
    return True


def _write(text):
    """Replace the record in one step, so that a crash leaves the old one or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path().parent, prefix="progress.", suffix=".tmp")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path())
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _locked(patience=2.0):
    """Keep two notebooks from writing at once; a lock left behind by a crash is ignored after `patience` seconds."""
    lock = path().with_suffix(".lock")
    give_up = time.monotonic() + patience
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            if time.monotonic() > give_up:
                break
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
