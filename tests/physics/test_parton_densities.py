"""Parton densities: the interpolation against Pythia's, sum rules, thresholds, and bad input."""

import numpy as np
import pytest

from hepml_labs.physics.parton_densities import PartonDensities

pythia8mc = pytest.importorskip("pythia8mc")

QUARKS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 21)


@pytest.fixture(scope="module")
def densities():
    return PartonDensities.load()


def test_against_pythia(densities):
    generator = pythia8mc.Pythia("", False)
    for setting in ("Print:quiet = on", "PDF:pSet = 13", "HardQCD:all = on", "PartonLevel:all = off"):
        generator.readString(setting)
    generator.init()
    theirs = generator.getPDFPtr(2212)
    random = np.random.default_rng(1)
    x, q2 = np.exp(random.uniform(np.log(1e-6), np.log(0.95), 500)), np.exp(random.uniform(2.0, 16.0, 500))
    flavour = random.choice(QUARKS, 500)
    expected = [max(theirs.xf(int(f), float(a), float(b)), 0.0) for f, a, b in zip(flavour, x, q2, strict=True)]
    np.testing.assert_allclose(densities.xf(flavour, x, q2), expected, rtol=1e-9, atol=1e-12)


def test_one_scale_and_many_agree(densities):
    x = np.geomspace(1e-5, 0.9, 50)
    np.testing.assert_allclose(densities.all(x, 6400.0), densities.all(x, np.full(50, 6400.0)), rtol=1e-10)
    columns = densities.all(x, 6400.0, QUARKS)
    np.testing.assert_allclose(columns[:, 7], densities.xf(3, x, np.full(50, 6400.0)), rtol=1e-10)


@pytest.mark.parametrize(("quark", "number"), [(1, 1), (2, 2), (3, 0)])
def test_valence_quarks_are_counted(densities, quark, number):
    log_x = np.linspace(np.log(1e-8), 0, 4000)
    x = np.exp(log_x)
    difference = np.diff(densities.all(x, 1e4, (-quark, quark)), axis=1)[:, 0]
    assert abs(np.trapezoid(difference, log_x) - number) < 0.02


def write(path, blocks):
    """A grid whose values are a cubic polynomial in ln x and ln Q^2, another in each block."""
    x, text = np.geomspace(1e-4, 1, 12), "PdfType: central\nFormat: lhagrid1\n---\n"
    for number, q in enumerate(blocks):
        values = polynomial(x[:, None], q[None, :] ** 2, number)
        lines = [" ".join(f"{v:.15e}" for v in row) for row in (x, q)]
        rows = [f"{v:.15e} {2 * v:.15e}" for v in values.reshape(-1)]
        text += "\n".join([*lines, "2 21", *rows]) + "\n---\n"
    path.write_text(text)
    return path


def polynomial(x, q2, number):
    a, b = np.log(x), np.log(q2)
    return 20_000.0 * (number + 1) + a**3 * b + a * b**3 / 50 - a**2


def test_cubic_polynomials_and_thresholds(tmp_path):
    blocks = [np.geomspace(1.5, 4.5, 6), np.geomspace(4.5, 1000, 9)]
    densities = PartonDensities.load(write(tmp_path / "toy.dat", blocks))
    random = np.random.default_rng(2)
    x, q = np.exp(random.uniform(-9, 0, 200)), np.exp(random.uniform(np.log(1.5), np.log(1000), 200))
    expected = polynomial(x, q**2, (q >= 4.5).astype(int))
    np.testing.assert_allclose(densities.xf(2, x, q**2), expected, rtol=1e-8)
    np.testing.assert_allclose(densities.xf(21, x, q**2), 2 * expected, rtol=1e-8)
    edge = densities.all(np.array([0.1]), np.array([1e12]))
    np.testing.assert_allclose(edge, densities.all(np.array([0.1]), 1e6))


def test_bad_input(densities, tmp_path):
    with pytest.raises(ValueError, match="x: found 1.5"):
        densities.all(np.array([1.5]), 100.0)
    with pytest.raises(ValueError, match="x: .*above zero"):
        densities.all(np.array([0.0]), 100.0)
    with pytest.raises(ValueError, match=r"flavours: found \[11\]"):
        densities.xf(11, np.array([0.1]), 100.0)
    with pytest.raises(ValueError, match="name: found no_such_grid"):
        PartonDensities.load("no_such_grid")
    (tmp_path / "other.dat").write_text("something else")
    with pytest.raises(ValueError, match="expected lhagrid1"):
        PartonDensities.load(tmp_path / "other.dat")
