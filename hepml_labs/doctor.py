"""`hepml doctor`: is everything here that the labs need?"""

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile

from packaging.requirements import Requirement

from hepml_labs import paths, settings

DISTRIBUTION = "hepml-labs"
FREE_DISK = 2e9  # bytes: a book build with executed labs and a cache of generated data


def diagnose():
    """Examine the installation and this computer.

    Returns
    -------
    list of (str, str, str)
        Verdict (`"good"`, `"note"` or `"PROBLEM"`), what was examined, and what was found and can be done.

    Examples
    --------
    >>> {verdict for verdict, _, _ in diagnose()} <= {"good", "note", "PROBLEM"}
    True
    """
    findings = [_python(), *_packages(), *_devices(), _threads(), _data(), *_folders()]
    return [finding for finding in findings if finding]


def main():
    """Print the findings and return the exit code: 1 when there is a problem, else 0."""
    findings = diagnose()
    for verdict, subject, detail in findings:
        print(f"{verdict:7s}  {subject}: {detail}")
    problems = sum(verdict == "PROBLEM" for verdict, _, _ in findings)
    print(f"\n{problems} problem{'s' * (problems != 1)} found." if problems else "\nAll is well.")
    return 1 if problems else 0


def _python():
    wanted = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    found = platform.python_version()
    good = Requirement(f"python{wanted}").specifier.contains(found, prereleases=True)
    where = f"{found} on {platform.system()} {platform.machine()} ({sys.executable})"
    return ("good", "python", where) if good else ("PROBLEM", "python", f"{where}, expected {wanted}")


def check_requirement(requirement):
    """Compare an installed package with a requirement.

    Parameters
    ----------
    requirement : packaging.requirements.Requirement
        Name and range of versions.

    Returns
    -------
    tuple of (str, str)
        `"good"`, `"missing"` or `"version"`, and the version found (empty when missing).

    Examples
    --------
    >>> check_requirement(Requirement("no-such-package-at-all>=1"))
    ('missing', '')
    """
    try:
        found = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        if requirement.name == "xgboost":  # the same module without the CUDA library
            return check_requirement(Requirement(f"xgboost-cpu{requirement.specifier}"))
        return "missing", ""
    return ("good" if requirement.specifier.contains(found, prereleases=True) else "version"), found


def _packages():
    """Examine the required packages one by one, and each extra as a whole."""
    extras = {}
    for requirement in map(Requirement, importlib.metadata.requires(DISTRIBUTION) or ()):
        marker = str(requirement.marker or "")
        if "extra" in marker:
            name = marker.rpartition("extra ==")[2].strip(" \"'")
            if requirement.marker.evaluate({"extra": name}):
                extras.setdefault(name, []).append(requirement)
        elif not marker or requirement.marker.evaluate():
            state, found = check_requirement(requirement)
            verdict = "good" if state == "good" else "PROBLEM"
            detail = found if state == "good" else f"found {found or 'none'}, expected {requirement.specifier}"
            yield verdict, requirement.name, detail
    for name, requirements in extras.items():
        states = {requirement: check_requirement(requirement) for requirement in requirements}
        wrong = [
            f"{requirement.name} {found or 'missing'} (expected {requirement.specifier})"
            for requirement, (state, found) in states.items()
            if state != "good"
        ]
        advice = f"; `pip install '{DISTRIBUTION}[{name}]'` brings it" if wrong else ""
        yield "note" if wrong else "good", f"extra '{name}'", (", ".join(wrong) or "complete") + advice


def _devices():
    try:
        import torch
    except ImportError:
        return  # said already: torch is a required package
    for number in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(number).total_memory / 2**30
        yield "good", f"torch device cuda:{number}", f"{torch.cuda.get_device_name(number)}, {memory:.0f} GiB"
    if torch.backends.mps.is_available():
        yield "good", "torch device mps", "Apple GPU (the labs use the CPU there)"
    yield "good", "torch device cpu", f"{os.cpu_count()} cores"


def _threads():
    try:
        return "good", "threads", f"{settings.set_threads()} (environment variable HEPML_THREADS)"
    except (ImportError, ValueError) as error:
        return "PROBLEM", "threads", f"HEPML_THREADS must be a whole number: {error}"


def _data():
    try:
        from hepml_labs.datasets.cli import damaged

        bad = damaged()
    except (ImportError, OSError, ValueError) as error:
        return "PROBLEM", "bundled data", f"cannot be checked: {error}"
    if bad:
        return "PROBLEM", "bundled data", f"missing or damaged: {', '.join(bad)}; `git checkout data/` or install again"
    return "good", "bundled data", "all checksums are right"


def _folders():
    home = paths.home()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        yield "PROBLEM", "home", f"{home} cannot be written ({error}); set HEPML_HOME to a folder that can"
        return
    yield "good", "home", f"{home} (environment variable HEPML_HOME)"
    free = shutil.disk_usage(home).free
    enough = free > FREE_DISK
    yield "good" if enough else "PROBLEM", "disk", f"{free / 1e9:.1f} GB free" + ("" if enough else ", 2 GB are needed")
