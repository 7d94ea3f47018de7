"""The command `hepml`."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

from hepml_labs import __version__

DESCRIPTION = "HEPML Labs: lectures, labs and reference implementations of machine learning for particle physics."


def build_parser():
    """Return the parser of the command line (argparse.ArgumentParser)."""
    parser = argparse.ArgumentParser(prog="hepml", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"hepml {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name, function, summary, **options):
        command = commands.add_parser(name, help=summary, description=summary, **options)
        command.set_defaults(run=function)
        return command

    add("doctor", _doctor, "Check this computer and the installation; the exit code is 1 when there is a problem.")

    lab = add("lab", _lab, "Copy the labs that you do not have yet, and open JupyterLab on your copies.")
    lab.add_argument("--solutions", action="store_true", help="the full versions, with solutions")
    lab.add_argument("--directory", type=Path, default=Path("my_labs"), help="your folder (default: my_labs)")
    lab.add_argument("--no-browser", action="store_true", help="do not open a browser")
    lab.add_argument("--copy-only", action="store_true", help="copy and do not start JupyterLab")

    book = add("book", _book, "Build the book; `hepml book --help` lists the options.", add_help=False)
    book.set_defaults(pass_on=True)

    student = add("student", _student, "Write the student versions of notebooks: solutions cut, blanks left.")
    student.add_argument("notebooks", nargs="*", type=Path, help="notebooks or folders (default: all labs)")
    student.add_argument("--output", type=Path, default=Path("student"), help="folder to write to (default: student)")
    student.add_argument("--force", action="store_true", help="overwrite files in that folder that differ")

    add("points", _points, "Show the points earned on this computer.")

    grade = add("grade", _grade, "Run submitted notebooks and print their points as CSV. This executes their code!")
    grade.add_argument("notebooks", nargs="+", type=Path, help="submitted notebooks or folders of them")

    data = add("data", _data, "List, verify, describe and generate data sets.", add_help=False)
    data.set_defaults(pass_on=True)

    train = add("train", _train, "Train the models of a chapter, as long as it takes.", add_help=False)
    train.set_defaults(pass_on=True)
    return parser


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        What stands after `hepml`; the arguments of the process by default.

    Returns
    -------
    int
        Exit code: 0 when all went well.

    Examples
    --------
    >>> main(["points", "--help"])
    Traceback (most recent call last):
    ...
    SystemExit: 0
    """
    parser = build_parser()
    chosen, rest = parser.parse_known_args(arguments)
    if rest and not getattr(chosen, "pass_on", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    chosen.rest = rest
    try:
        return chosen.run(chosen) or 0
    except ModuleNotFoundError as error:
        extras = "lab,book,generate,public"
        print(f"hepml: {error}. `pip install 'hepml-labs[{extras}]'` brings what is missing.", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"hepml: {error}", file=sys.stderr)
    return 1


def _doctor(chosen):
    from hepml_labs import doctor

    return doctor.main()


def _lab(chosen):
    from hepml_labs import paths
    from hepml_labs.teaching.copies import copy_labs

    copies = copy_labs(paths.notebooks(), chosen.directory, solutions=chosen.solutions)
    print(f"{len(copies.new)} new labs in {copies.folder}, {len(copies.kept)} there already and left as they are.")
    for name in copies.newer:
        print(f"  {name}: there is a newer version; rename or move your copy and run this again to get it.")
    if chosen.copy_only:
        return 0
    options = ["--no-browser"] if chosen.no_browser else []
    try:
        return subprocess.run([sys.executable, "-m", "jupyterlab", *options, str(copies.folder)]).returncode
    except KeyboardInterrupt:  # the usual way to stop JupyterLab
        return 0


def _book(chosen):
    from hepml_labs import book_build

    return book_build.main(chosen.rest)


def _student(chosen):
    from hepml_labs import paths
    from hepml_labs.teaching.student import write_student_versions

    written = write_student_versions(chosen.notebooks or [paths.notebooks()], chosen.output, force=chosen.force)
    print(f"{len(written)} student versions in {chosen.output}")


def _points(chosen):
    from hepml_labs.teaching.check import score

    score()


def _grade(chosen):
    from hepml_labs.teaching.grade import grade, write_grades
    from hepml_labs.teaching.student import find_notebooks

    submitted = [file for file, _ in find_notebooks(chosen.notebooks)]
    grades = []
    for number, file in enumerate(submitted, start=1):
        print(f"{number} of {len(submitted)}: {file}", file=sys.stderr)
        grades.append(grade(file))
    write_grades(grades, sys.stdout)


def _data(chosen):
    from hepml_labs.datasets import cli

    return cli.main(chosen.rest)


def _train(chosen):
    """Hand over to `hepml_labs/<chapter>/train.py`, which has ``add_arguments(parser)`` and ``run(chosen)``."""
    chapters = sorted(path.parent.name for path in Path(__file__).parent.glob("*/train.py"))
    parser = argparse.ArgumentParser(prog="hepml train", description="Train the models of a chapter.")
    parser.add_argument("chapter", choices=chapters, help="`hepml train CHAPTER --help` lists the options")
    name = parser.parse_args(chosen.rest[:1]).chapter
    trainer = importlib.import_module(f"hepml_labs.{name}.train")
    options = argparse.ArgumentParser(prog=f"hepml train {name}", description=trainer.__doc__.splitlines()[0])
    trainer.add_arguments(options)
    return trainer.run(options.parse_args(chosen.rest[1:]))


if __name__ == "__main__":
    sys.exit(main())
