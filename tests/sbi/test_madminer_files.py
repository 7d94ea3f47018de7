"""Files for MadMiner: what it reads back, morphs, draws and integrates is what our own functions compute."""

import logging
import subprocess
import sys

import numpy as np
import pytest

bridge = pytest.importorskip("hepml_labs.sbi.madminer", exc_type=ImportError)

from madminer.core import MadMiner  # noqa: E402
from madminer.fisherinformation import FisherInformation  # noqa: E402
from madminer.lhe import LHEReader  # noqa: E402
from madminer.limits import AsymptoticLimits  # noqa: E402
from madminer.sampling import SampleAugmenter, benchmark, morphing_points  # noqa: E402
from madminer.utils.histo import Histo  # noqa: E402

from hepml_labs.physics.morphing import Morphing, monomials  # noqa: E402
from hepml_labs.sbi import fisher, gold  # noqa: E402

N = 2000
BENCHMARKS = {"sm": (0, 0), "a": (1, 0), "b": (-1, 0), "c": (0, 1), "d": (0, -1), "e": (0.7, 0.7)}
POINT = np.array([0.3, -0.4])
LUMINOSITY = 5000.0  # 1/pb


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    logging.getLogger("madminer").setLevel(logging.ERROR)
    folder = tmp_path_factory.mktemp("madminer")
    setup = MadMiner()
    for name in ("t1", "t2"):
        setup.add_parameter("dim6", len(setup.parameters), name, morphing_max_power=2, parameter_range=(-1.0, 1.0))
    for name, (t1, t2) in BENCHMARKS.items():
        setup.add_benchmark({"t1": float(t1), "t2": float(t2)}, name)
    setup.set_morphing(max_overall_power=2, include_existing_benchmarks=True, n_trials=1, n_test_thetas=2)
    setup.save(str(folder / "setup.h5"))
    return folder


@pytest.fixture(scope="module")
def events():
    """Squares of random amplitudes A0 + t1 A1 + t2 A2, with an observable that knows something of them."""
    random = np.random.default_rng(1)
    amplitudes = random.normal(size=(N, 2, 3)) * [1.0, 0.4, 0.3] + [1.0, 0.1, 0.2]
    first, second = np.triu_indices(3)
    products = amplitudes[:, :, first] * amplitudes[:, :, second] * np.where(first == second, 1, 2)
    return {"x": amplitudes[:, 0, 1] + random.normal(size=N), "number": np.arange(N) * 1.0}, products.sum(1) / N


@pytest.fixture(scope="module")
def file(folder, events):
    bridge.write_events(folder / "setup.h5", folder / "events.h5", *events)
    return str(folder / "events.h5")


def test_benchmarks_and_weights(folder, file, events):
    """The columns are at the right benchmarks, and our morphing inverts them."""
    assert list(bridge.benchmarks(folder / "setup.h5")) == list(BENCHMARKS)
    x, stored = SampleAugmenter(file).weighted_events()
    np.testing.assert_array_equal(x, np.column_stack(list(events[0].values())))
    points = np.array(list(BENCHMARKS.values()), dtype=float)
    np.testing.assert_allclose(stored, events[1] @ monomials(points).T, rtol=1e-12)
    np.testing.assert_allclose(Morphing(points).coefficients(stored), events[1], atol=1e-12)


def test_morphing_cross_section_and_rate(file, events):
    augmenter = SampleAugmenter(file)
    points = np.array(list(BENCHMARKS.values()), dtype=float)
    weights = augmenter.morpher.calculate_morphing_weights(POINT)
    np.testing.assert_allclose(weights, Morphing(points).weights(POINT[None])[0], atol=1e-10)
    found, _ = augmenter.xsecs([POINT])
    np.testing.assert_allclose(found, gold.cross_section(events[1], POINT[None]), rtol=1e-10)
    engine = FisherInformation(file)
    rate = fisher.rate_information(events[1].sum(axis=0), POINT, LUMINOSITY)
    np.testing.assert_allclose(engine.rate_information(POINT, LUMINOSITY)[0], rate, rtol=1e-10)
    shape = fisher.information(gold.joint_score(events[1], POINT), events[1] @ monomials(POINT[None])[0]).matrix
    both = fisher.extended_information(shape, events[1].sum(axis=0), POINT, LUMINOSITY)
    np.testing.assert_allclose(engine.truth_information(POINT, LUMINOSITY)[0], both, rtol=1e-8)


@pytest.mark.parametrize("only_closest", [True, False])
def test_gold_and_labels(file, events, only_closest):
    """Ratio and score of each drawn event, and labels with the sign that makes the mean log ratio rise."""
    np.random.seed(0)  # noqa: NPY002 (MadMiner draws from the global generator)
    drawn = SampleAugmenter(file).sample_train_ratio(
        morphing_points([POINT, -POINT]),
        benchmark("sm"),
        N,
        double_precision=True,
        sample_only_from_closest_benchmark=only_closest,  # must not matter: the events are of no benchmark
    )
    x, theta0, _, y, r_xz, t_xz, _ = drawn
    sample = bridge.training_sample(x, theta0, y, r_xz, t_xz)
    row = x[:, 1].astype(int)
    total = events[1][: round(0.6 * N)].sum(axis=0)
    assert row.max() < 0.6 * N and len(np.unique(row)) > 300
    expected = gold.joint_log_ratio(events[1][row], sample.theta, np.zeros(2), total)
    np.testing.assert_allclose(sample.log_ratio, expected, atol=1e-10)
    np.testing.assert_allclose(sample.score, gold.joint_score(events[1][row], sample.theta, total), atol=1e-8)
    assert sample.log_ratio[sample.label == 1].mean() > 0 > sample.log_ratio[sample.label == 0].mean()
    # over events of the reference the ratio has mean one: this too fixes the label
    assert abs(np.exp(sample.log_ratio[sample.label == 0]).mean() - 1) < 0.15


def test_lhe(folder):
    """MadMiner's reader finds the momenta and the weights at all benchmarks."""
    random = np.random.default_rng(2)
    n = 20
    momenta = random.normal(size=(2, n, 3)) * 50
    jets = [np.column_stack([np.sqrt((p**2).sum(1)), p]) for p in momenta]
    coefficients = np.column_stack([np.full(n, 1.0), random.normal(size=(n, 2)) * 0.1, np.full((n, 3), 0.3)]) / n
    beam = np.outer(np.full(n, 100.0), [1.0, 0, 0, 1.0])
    particles = [(2, -1, beam), (2, -1, beam * [1, 1, 1, -1]), (np.resize([1, -2], n), 1, jets[0]), (1, 1, jets[1])]
    bridge.write_lhe(folder / "setup.h5", folder / "few.lhe", particles, coefficients, sampled_from="a")
    reader = LHEReader(str(folder / "setup.h5"))
    reader.add_sample(str(folder / "few.lhe"), sampled_from_benchmark="a")
    reader.add_observable("pt", "j[0].pt", required=True)
    reader.add_observable("m", "(j[0] + j[1]).m", required=True)
    reader.analyse_samples()
    reader.save(str(folder / "few.h5"), shuffle=False)
    x, weights = SampleAugmenter(str(folder / "few.h5")).weighted_events()
    total = jets[0] + jets[1]
    pt = np.hypot(momenta[..., 0], momenta[..., 1]).max(axis=0)
    mass = np.sqrt(total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1))
    np.testing.assert_allclose(x, np.column_stack([pt, mass]), rtol=1e-6)
    points = np.array(list(BENCHMARKS.values()), dtype=float)
    np.testing.assert_allclose(weights, coefficients @ monomials(points).T, rtol=1e-12)


def test_histograms_work(file):
    """Without the shim `histogramdd` fails on its keyword; the density integrates to one, and limits come out."""
    x = np.random.default_rng(3).uniform(size=(1000, 1))
    histogram = Histo(x, bins=5)
    assert abs((histogram.histo * np.diff(histogram.edges[0])).sum() - 1) < 1e-6
    result = AsymptoticLimits(file).expected_limits(
        "histo", [0.0, 0.0], [(-1, 1)] * 2, [3, 3], hist_vars=["x"], hist_bins=5, luminosity=LUMINOSITY
    )
    assert (result[1] <= 1).all() and np.isfinite(result[1]).all() and result[1].max() == 1


def test_bad_input(folder, events):
    observables, coefficients = events
    setup, out = folder / "setup.h5", folder / "bad.h5"
    with pytest.raises(ValueError, match="observables: found none"):
        bridge.write_events(setup, out, {}, coefficients)
    with pytest.raises(ValueError, match=r"x: found shape \(3,\)"):
        bridge.write_events(setup, out, {"x": np.zeros(3)}, coefficients)
    with pytest.raises(ValueError, match=r"coefficients: found shape \(2000, 3\)"):
        bridge.write_events(setup, out, observables, coefficients[:, :3])
    with pytest.raises(ValueError, match="coefficients: found weight .* at benchmark"):
        bridge.write_events(setup, out, observables, -coefficients)
    assert not out.exists()
    with pytest.raises(ValueError, match="sampled_from: found 'x'"):
        bridge.write_lhe(setup, out, [], coefficients, sampled_from="x")
    with pytest.raises(ValueError, match="momenta of particle 0"):
        bridge.write_lhe(setup, out, [(1, 1, np.zeros((3, 4)))], coefficients, sampled_from="sm")
    with pytest.raises(ValueError, match="status of particle 0: found 7"):
        bridge.write_lhe(setup, out, [(1, 7, np.zeros((N, 4)))], coefficients, sampled_from="sm")
    with pytest.raises(ValueError, match="y: found shape"):
        one = np.ones((4, 1))
        bridge.training_sample(one, one, np.ones(4), one, one)


def test_error_without_madminer():
    """A clear message, in a fresh interpreter that cannot import the package."""
    code = "import sys; sys.modules['madminer'] = None; import hepml_labs.sbi.madminer"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode and "pip install madminer" in done.stderr
