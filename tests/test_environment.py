"""The files that describe the environment agree with pyproject.toml."""

import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Where conda-forge has another name than the Python package index.
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
#: Tools that conda provides and Python does not know about.
CONDA_ONLY = {"pip", "make"}


def requirements(*extras):
    lines = PROJECT["dependencies"] + [line for extra in extras for line in EXTRAS[extra]]
    return [Requirement(line) for line in lines]


def pinned():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups()
            assert canonicalize_name(name) not in pins, f"{name} is pinned twice"
            pins[canonicalize_name(name)] = version
    return pins


def test_every_requirement_is_pinned_within_its_range():
    pins = pinned()
    for requirement in requirements(*EXTRAS):
        version = pins.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in constraints.txt"
        assert requirement.specifier.contains(version), f"{requirement} excludes the pinned {version}"


def test_pins_of_this_environment_are_installed():
    """What runs here is what constraints.txt says, for the packages that the project names."""
    pins = pinned()
    if metadata.version("numpy") != pins["numpy"]:
        pytest.skip("this environment was not installed under constraints.txt")
    for requirement in requirements("lab", "book", "generate", "dev"):
        if requirement.marker is None or requirement.marker.evaluate():
            found = metadata.version(requirement.name).partition("+")[0]
            assert found == pins[canonicalize_name(requirement.name)], requirement.name


def test_conda_asks_for_the_same_ranges():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    assert pip == ["--editable .[lab,book,generate,dev]"]
    ranges = {requirement.name: requirement.specifier for requirement in requirements("lab", "book", "generate", "dev")}
    ranges["python"] = SpecifierSet(PROJECT["requires-python"])
    for entry in dependencies:
        if isinstance(entry, str) and entry not in CONDA_ONLY:
            name, _, lowest = entry.partition(">=")
            assert ranges[CONDA_NAMES.get(name, name)] == SpecifierSet(f">={lowest}"), entry


def test_binder_installs_the_project_under_the_constraints():
    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    assert "--constraint ../constraints.txt" in lines and "--editable .[lab,generate]" in lines
    lowest = PROJECT["requires-python"].removeprefix(">=")
    assert (ROOT / "binder" / "runtime.txt").read_text().strip() == f"python-{lowest}"


def test_the_makefile_installs_what_the_tests_need():
    recipe = (ROOT / "Makefile").read_text()
    assert "--constraint constraints.txt --editable '.[lab,book,generate,dev]'" in recipe
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_this_python_is_in_the_range():
    assert SpecifierSet(PROJECT["requires-python"]).contains(".".join(map(str, sys.version_info[:3])))


def test_citation_names_the_version_and_the_licences():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = re.search(r'__version__ = "(.+)"', (ROOT / "hepml_labs" / "__init__.py").read_text()).group(1)
    assert str(citation["version"]) == version
    assert " AND ".join(citation["license"]) == PROJECT["license"]
