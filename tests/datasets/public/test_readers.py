"""Readers of published data sets, on small files in each published layout; pickles are refused; splits; the cache."""

import dataclasses
import hashlib
import importlib
import json
import os
import pickle
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from hepml_labs import paths
from hepml_labs.datasets import CATALOGUE, DamagedFile
from hepml_labs.datasets.entry import SPLITS
from hepml_labs.datasets.public import (
    PUBLIC,
    calochallenge,
    energyflow,
    fetch,
    fetching,
    jetclass,
    jetnet,
    landscape,
    lhco,
    load_public,
    refuse_pickle,
)
from hepml_labs.datasets.public.rows import rows_of, windows
from hepml_labs.physics.kinematics import eta, mass, phi, pt

sys.path.insert(0, str(Path(__file__).parent))
from bad_server import BadServer

hdf5plugin = pytest.importorskip("hdf5plugin")


def massless(random, shape):
    """Four-momenta (E, px, py, pz)."""
    momenta = random.normal(size=(*shape, 3)) * 20
    return np.concatenate([np.linalg.norm(momenta, axis=-1, keepdims=True), momenta], axis=-1)


# The Landscape: DataFrame.to_hdf(path, key="table", format="table", complib="blosc")


@pytest.fixture
def top_jets(tmp_path):
    random = np.random.default_rng(1)
    n, published = 60, 200
    momenta = massless(random, (n, published))
    number = random.integers(5, 150, n)
    momenta[np.arange(published) >= number[:, None]] = 0
    order = np.argsort(-pt(momenta), axis=1)
    momenta = np.take_along_axis(momenta, order[..., None], axis=1).astype(np.float32)
    top, label = massless(random, (n,)).astype(np.float32), np.repeat([0, 1], n // 2)
    columns = [("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))]
    table = np.zeros(n, dtype=columns)
    table["values_block_0"] = np.concatenate([momenta.reshape(n, -1), top], axis=1)
    table["values_block_1"] = np.stack([np.full(n, 2), label], axis=1)
    path = tmp_path / "val.h5"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("table/table", data=table, chunks=(7,), **hdf5plugin.Blosc(cname="blosclz"))
        dataset.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(["E_0", "PX_0"]))  # as pandas does: not opened
    return path, momenta, number, top, label


def test_landscape(top_jets):
    path, momenta, number, top, label = top_jets
    found = landscape.read([path])
    assert list(found) == list(landscape.COLUMNS)
    assert found["constituents"].shape == (60, 100, 4) and found["constituents"].dtype == np.float32
    assert np.array_equal(found["constituents"], momenta[:, :100])
    assert np.array_equal(found["number"], number) and found["number"].max() > 100
    np.testing.assert_allclose(found["jet"], momenta.sum(axis=1, dtype=float), rtol=1e-5, atol=1e-3)
    assert np.array_equal(found["is_top"], label) and found["is_top"].dtype == np.int8
    assert np.array_equal(found["truth_top"], top * label[:, None])


def test_landscape_reads_only_what_is_wanted(top_jets, monkeypatch):
    path, momenta, *_ = top_jets
    read = []
    whole = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, key: read.append(key) or whole(self, key))
    found = landscape.read([path], n=4, lanes=(0, 1), constituents=30)
    assert max(window.stop for window in read) == 41  # of rows 0, 1, 20, 21, 40, 41
    assert np.array_equal(found["constituents"], momenta[[0, 1, 21, 40], :30])
    assert found["is_top"].tolist() == [0, 0, 0, 1]  # both classes of a sorted file
    with pytest.raises(ValueError, match=r"n: found 7, but the published split has 6 rows"):
        landscape.read([path], n=7, lanes=(0, 1))


def test_landscape_in_another_order_is_not_believed(top_jets):
    path, momenta, *_ = top_jets
    with h5py.File(path, "r+") as file:
        table = file["table/table"][()]
        table["values_block_0"][:, :800] = np.roll(momenta, -1, axis=-1).reshape(60, -1)  # px, py, pz, E
        file["table/table"][...] = table
    with pytest.raises(DamagedFile, match=r"val.h5 is not the published file \(its columns are not \(E, px, py, pz\)"):
        landscape.read([path])


def test_the_layout_is_that_of_pandas(tmp_path):
    """The hand-made file above against one that pandas and PyTables wrote, where they are installed."""
    pytest.importorskip("tables")
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(2)
    momenta = massless(random, (25, 200)).astype(np.float32)
    names = [f"{component}_{k}" for k in range(200) for component in ("E", "PX", "PY", "PZ")]
    frame = pandas.DataFrame(momenta.reshape(25, -1), columns=names)
    truth = pandas.DataFrame(
        massless(random, (25,)).astype(np.float32), columns=["truthE", "truthPX", "truthPY", "truthPZ"]
    )
    labels = pandas.DataFrame({"ttv": 1, "is_signal_new": np.arange(25) % 2})
    frame = pandas.concat([frame, truth, labels], axis=1)
    frame.to_hdf(tmp_path / "test.h5", key="table", format="table", complib="blosc", complevel=5)
    found = landscape.read([tmp_path / "test.h5"], constituents=200)
    assert np.array_equal(found["constituents"], momenta) and found["is_top"].tolist() == labels.is_signal_new.tolist()
    frame = pandas.DataFrame(random.normal(size=(25, 15)), columns=[*"abcdefghijklmn", "label"])
    frame["label"] = 1.0
    frame.to_hdf(tmp_path / "features.h5", key="df", complib="blosc", complevel=9)
    found = lhco.read([tmp_path / "features.h5"])
    np.testing.assert_allclose(found["jets"][:, 1, 1:], frame[["h", "i", "j"]], rtol=1e-6)
    frame["name"] = [["a list"]] * 25
    frame.to_hdf(tmp_path / "objects.h5", key="df")
    with pytest.raises(ValueError, match="holds pickled Python objects in its column 'df/block"):
        lhco.read([tmp_path / "objects.h5"])


def test_landscape_with_one_label_is_not_believed(tmp_path):
    """Were the label not the last column, it would be the number of the split, the same in each row."""
    table = np.zeros(200, dtype=[("index", "<i8"), ("values_block_0", "<f4", (804,)), ("values_block_1", "<i8", (2,))])
    table["values_block_1"][:, 0] = np.arange(200) % 2
    with h5py.File(tmp_path / "val.h5", "w") as file:
        file["table/table"] = table
    with pytest.raises(DamagedFile, match="all jets have one label"):
        landscape.read([tmp_path / "val.h5"])


# EnergyFlow: np.savez_compressed(path, X=(n, m, 4), y=(n,))


def quark_gluon_file(path, n, m, seed):
    random = np.random.default_rng(seed)
    particles = np.zeros((n, m, 4))
    particles[..., 0] = random.exponential(20, (n, m)) + 0.1
    particles[..., 1] = random.normal(size=(n, m))
    particles[..., 2] = random.uniform(0, 2 * np.pi, (n, m))
    particles[..., 3] = random.choice(
        [22, 211, -211, 321, -321, 130, 2212, -2212, 2112, -2112, 11, -11, 13, -13], (n, m)
    )
    particles[np.arange(m) >= random.integers(3, m + 1, n)[:, None]] = 0
    labels = random.integers(0, 2, n).astype(float)
    np.savez_compressed(path, X=particles, y=labels)
    return particles, labels


def test_energyflow(tmp_path):
    """Files differ in the longest jet; momenta have the mass of their kind, whatever the rapidity."""
    first, first_labels = quark_gluon_file(tmp_path / "QG_jets.npz", 12, 139, 1)
    second, second_labels = quark_gluon_file(tmp_path / "QG_jets_1.npz", 10, 60, 2)
    files = [tmp_path / "QG_jets.npz", tmp_path / "QG_jets_1.npz"]
    found = energyflow.read(files)
    assert list(found) == list(energyflow.COLUMNS)
    momenta, pid = found["constituents"], found["pid"]
    assert momenta.shape == (22, 100, 4) and pid.shape == (22, 100) and pid.dtype == np.int16
    assert np.array_equal(found["is_quark"], np.concatenate([first_labels, second_labels]))
    assert np.array_equal(momenta[..., 0] > 0, pid != 0)
    assert (np.diff(pt(momenta), axis=1) <= 1e-4).all()
    hardest = first[0][np.argmax(first[0, :, 0])]
    exact = momenta[0, 0].astype(float)
    np.testing.assert_allclose(pt(exact), hardest[0], rtol=1e-6)
    np.testing.assert_allclose(np.arctanh(exact[3] / exact[0]), hardest[1], atol=1e-6)
    np.testing.assert_allclose(phi(exact) % (2 * np.pi), hardest[2], rtol=1e-5)
    assert pid[0, 0] == hardest[3]
    protons = np.abs(pid) == 2212
    m2 = momenta.astype(float)[protons] ** 2 @ [1, -1, -1, -1]
    slow = momenta[protons][:, 0] < 5  # where single precision leaves something of the mass
    np.testing.assert_allclose(m2[slow], 0.93827**2, rtol=1e-3)
    np.testing.assert_allclose(
        pt(found["jet"][12:]),
        np.hypot(
            *np.moveaxis(
                second[..., 0, None] * np.stack([np.cos(second[..., 2]), np.sin(second[..., 2])], -1), -1, 0
            ).sum(-1)
        ),
        rtol=1e-5,
    )
    fewer = energyflow.read(files, n=15)
    assert len(fewer["jet"]) == 15 and np.array_equal(fewer["jet"][:12], found["jet"][:12])
    with pytest.raises(ValueError, match="n: found 13"):
        energyflow.read(files, n=25)


def test_energyflow_refuses_unknown_particles_and_objects(tmp_path):
    particles, labels = quark_gluon_file(tmp_path / "good.npz", 5, 20, 1)
    particles[0, 0, 3] = 1000022
    np.savez(tmp_path / "odd.npz", X=particles, y=labels)
    with pytest.raises(ValueError, match=r"pid: found \["):
        energyflow.read([tmp_path / "odd.npz"])
    np.savez(tmp_path / "objects.npz", X=np.array([{"pt": 1}]), y=labels)
    with pytest.raises(
        ValueError, match=r"objects.npz holds Python objects in its array 'X.npy': opening it could run"
    ):
        energyflow.read([tmp_path / "objects.npz"])
    content = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedFile, match="half.npz is not the published file .*hepml data fetch"):
        energyflow.read([tmp_path / "half.npz"])


# LHC Olympics: DataFrame.to_hdf(path, key="df", complib="blosc"), fixed format


def frame(path, values):
    with h5py.File(path, "w") as file:
        group = file.create_group("df")
        group["axis0"] = np.array([b"c%d" % k for k in range(values.shape[1])])
        group["axis1"] = np.arange(len(values))
        group["block0_items"] = group["axis0"][()]
        group.create_dataset(
            "block0_values", data=values, chunks=(4, values.shape[1]), **hdf5plugin.Blosc(cname="blosclz")
        )


def test_lhco_features(tmp_path):
    random = np.random.default_rng(1)
    n = 40
    momenta, masses, tau = (
        random.normal(size=(n, 2, 3)) * 1000,
        random.uniform(50, 500, (n, 2)),
        random.random((n, 2, 3)),
    )
    label = random.integers(0, 2, n).astype(float)
    events = np.concatenate([momenta, masses[..., None], tau], axis=-1).reshape(n, 14)
    frame(tmp_path / "features.h5", np.column_stack([events, label]))
    found = lhco.read([tmp_path / "features.h5"])
    assert list(found) == ["jets", "tau", "mjj", "signal"]
    np.testing.assert_allclose(mass(found["jets"].astype(float)), masses, rtol=1e-2)
    np.testing.assert_allclose(found["jets"][..., 1:], momenta, rtol=1e-6)
    np.testing.assert_allclose(found["tau"], tau, rtol=1e-6)
    energy = np.sqrt((momenta**2).sum(-1) + masses**2)
    mjj = np.sqrt(energy.sum(1) ** 2 - (momenta.sum(1) ** 2).sum(-1))
    np.testing.assert_allclose(found["mjj"], mjj, rtol=1e-6)
    assert np.array_equal(found["signal"], label) and found["signal"].dtype == np.int8
    with pytest.raises(DamagedFile, match=r"found \(15,\) columns, expected 2101"):
        lhco.read([tmp_path / "features.h5"], constituents=10)


@pytest.mark.parametrize("columns", [14, 15])
def test_lhco_additional_background_may_lack_the_label(tmp_path, columns):
    events = np.random.default_rng(1).random((40, 15))
    events[:, -1] = 0
    frame(tmp_path / "background.h5", events[:, :columns])
    found = lhco.read([tmp_path / "background.h5"], label=False)
    np.testing.assert_allclose(found["tau"][:, 1, 2], events[:, 13], rtol=1e-6)
    assert not found["signal"].any() and found["signal"].dtype == np.int8
    events[3, -1] = 1
    frame(tmp_path / "signal.h5", events)
    with pytest.raises(DamagedFile, match="holds signal"):
        lhco.read([tmp_path / "signal.h5"], label=False)


def test_lhco_particles_are_clustered(tmp_path):
    """Two narrow bunches of known particles, and one soft particle far away that belongs to neither."""
    pytest.importorskip("fastjet")
    random = np.random.default_rng(1)
    n, m = 12, 30
    events = np.zeros((n, 700, 3))
    for jet, (axis, scale) in enumerate([((0.3, 0.5), 60.0), ((-0.4, 0.5 + np.pi), 50.0)]):
        events[:, jet * m : (jet + 1) * m, 0] = random.exponential(scale, (n, m)) + 1
        events[:, jet * m : (jet + 1) * m, 1:] = np.array(axis) + random.uniform(-0.1, 0.1, (n, m, 2))
    events[:, 2 * m] = [11.0, 0.0, 2.0]
    shuffled = random.permuted(np.arange(700)[None].repeat(n, 0), axis=1)
    labels = np.arange(n) % 2
    table = np.column_stack([np.take_along_axis(events, shuffled[..., None], axis=1).reshape(n, -1), labels])
    frame(tmp_path / "events.h5", table)
    found = lhco.read([tmp_path / "events.h5"], constituents=20)
    assert found["constituents"].shape == (n, 2, 20, 4) and found["tau"].shape == (n, 2, 3)
    assert np.array_equal(found["signal"], labels)
    bunches = events[:, : 2 * m].reshape(n, 2, m, 3)
    order = np.argsort(-pt(found["jets"]), axis=1)
    assert (order == [0, 1]).all()
    sums = bunches[..., 0].sum(-1)
    np.testing.assert_allclose(pt(found["jets"]).sum(1), sums.sum(1), rtol=0.01)
    hardest = np.sort(bunches[..., 0].reshape(n, -1), axis=1)[:, -1]
    np.testing.assert_allclose(pt(found["constituents"][:, :, 0]).max(1), hardest, rtol=1e-5)
    assert (np.diff(pt(found["constituents"]), axis=-1) <= 1e-3).all()
    assert (mass(found["jets"]) < 300).all() and (found["tau"][..., 0] < 0.15).all()
    both = found["jets"].astype(float).sum(1)
    np.testing.assert_allclose(found["mjj"], mass(both), rtol=1e-3)


# JetNet


def test_jetnet(tmp_path):
    random = np.random.default_rng(1)
    files = [tmp_path / f"{kind}.hdf5" for kind in "gqtwz"]
    kept = {}
    for kind, path in enumerate(files):
        particles = random.random((40, 30, 4)) * [0.1, 0.1, 0.05, 1]
        number = random.integers(1, 31, 40)
        particles[..., 3] = np.arange(30) < number[:, None]
        jets = np.column_stack(
            [random.uniform(800, 1200, 40), random.normal(size=40), random.uniform(20, 200, 40), number]
        )
        with h5py.File(path, "w") as file:
            file["particle_features"], file["jet_features"] = particles.astype(np.float32), jets.astype(np.float32)
        kept[kind] = particles, jets
    found = jetnet.read(files)
    assert list(found) == list(jetnet.COLUMNS) and len(found["jet"]) == 200
    assert found["kind"][:7].tolist() == [0, 1, 2, 3, 4, 0, 1]
    particles, jets = kept[2]
    tops = found["kind"] == 2
    assert np.array_equal(found["mask"][tops], particles[..., 3] > 0) and found["mask"].dtype == bool
    assert np.array_equal(found["number"][tops], found["mask"][tops].sum(1))
    assert (found["constituents"][~found["mask"]] == 0).all() and (found["relative"][~found["mask"]] == 0).all()
    jet, first = found["jet"][tops].astype(float), found["constituents"][tops][:, 0].astype(float)
    np.testing.assert_allclose(pt(jet), jets[:, 0], rtol=1e-6)
    np.testing.assert_allclose(eta(jet), jets[:, 1], atol=1e-5)
    np.testing.assert_allclose(mass(jet), jets[:, 2], rtol=1e-2)
    np.testing.assert_allclose(pt(first), particles[:, 0, 2] * jets[:, 0], rtol=1e-5)
    np.testing.assert_allclose(eta(first) - eta(jet), particles[:, 0, 0], atol=1e-4)
    np.testing.assert_allclose(phi(first), particles[:, 0, 1], atol=1e-5)
    fewer = jetnet.read(files, n=3, lanes=(5,))
    assert fewer["kind"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(pt(fewer["jet"][2]), jets[5, 0], rtol=1e-6)


# CaloChallenge


def test_calochallenge_is_in_gev(tmp_path):
    random = np.random.default_rng(1)
    files = [tmp_path / "dataset_3_1.hdf5", tmp_path / "dataset_3_2.hdf5"]
    showers = random.exponential(5, (2, 60, 24))
    energies = random.uniform(1e3, 1e6, (2, 60, 1))
    for k, path in enumerate(files):
        with h5py.File(path, "w") as file:
            file.create_dataset("showers", data=showers[k], compression="gzip", chunks=(11, 24))
            file.create_dataset("incident_energies", data=energies[k], compression="gzip")
    found = calochallenge.read(files)
    assert found["showers"].shape == (120, 24) and found["incident_energies"].shape == (120,)
    np.testing.assert_allclose(found["showers"], showers.reshape(120, 24) / 1000, rtol=1e-6)
    np.testing.assert_allclose(found["incident_energies"], energies.reshape(-1) / 1000, rtol=1e-6)
    validation = calochallenge.read(files, n=4, lanes=(19,))
    np.testing.assert_allclose(validation["incident_energies"], energies[:, [19, 39], 0].reshape(-1) / 1000, rtol=1e-6)


# JetClass: tar files of ROOT files, each of one class


@pytest.fixture
def jet_classes(tmp_path):
    uproot, ak = pytest.importorskip("uproot"), pytest.importorskip("awkward")
    random = np.random.default_rng(1)
    kept = {}
    with tarfile.open(tmp_path / "part0.tar", "w") as archive:
        for name, label in (("HToBB_000", 1), ("HToBB_001", 1), ("TTBar_000", 8), ("ZJetsToNuNu_000", 0)):
            number = random.integers(1, 30, 25)
            momenta = massless(random, (int(number.sum()),))
            flag = random.integers(0, 5, len(momenta))
            flat = {f"part_{c}": momenta[:, k] for k, c in enumerate(("energy", "px", "py", "pz"))}
            flat |= {f"part_{kind}": (flag == k).astype(np.int32) for k, kind in enumerate(jetclass.KINDS)}
            flat |= {"part_charge": random.integers(-1, 2, len(momenta)).astype(np.float32)}
            flat |= {branch: random.normal(size=len(momenta)) for branch in jetclass.TRACK.values()}
            branches = {key: ak.unflatten(values.astype(np.float32), number) for key, values in flat.items()}
            jets = {f"jet_{key}": random.random(25) for key in ("phi", "eta", "sdmass", "tau1", "tau2", "tau3", "tau4")}
            jets |= {"jet_pt": random.uniform(500, 1000, 25), "jet_energy": random.uniform(2000, 3000, 25)}
            jets |= {f"label_{key}": np.full(25, k == label) for k, key in enumerate(jetclass.CLASSES)}
            with uproot.recreate(tmp_path / "jets.root") as file:
                tree = {**branches, **jets}
                types = {key: "var * float32" if key in branches else values.dtype for key, values in tree.items()}
                file.mktree("tree", types)
                file["tree"].extend(tree)
            archive.add(tmp_path / "jets.root", f"train_100M/{name}.root")
            kept[name] = branches, jets
    return tmp_path / "part0.tar", kept


def test_jetclass(jet_classes):
    path, kept = jet_classes
    found = jetclass.read([path], n=20)
    assert list(found) == list(jetclass.COLUMNS) and found["constituents"].shape == (20, 128, 4)
    assert found["label"][:6].tolist() == [1, 8, 0, 1, 8, 0] and np.bincount(found["label"])[[0, 1, 8]].tolist() == [
        6,
        7,
        7,
    ]
    branches, jets = kept["TTBar_000"]
    tops = found["label"] == 8
    momenta = found["constituents"][tops]
    for jet in range(7):
        order = np.argsort(-np.hypot(branches["part_px"][jet], branches["part_py"][jet]))
        number = len(order)
        assert np.array_equal(momenta[jet, :number, 0], branches["part_energy"][jet].to_numpy()[order])
        assert (momenta[jet, number:] == 0).all() and (found["kind"][tops][jet, number:] == 0).all()
        assert np.array_equal(found["d0_error"][tops][jet, :number], branches["part_d0err"][jet].to_numpy()[order])
        electrons = branches["part_isElectron"][jet].to_numpy()[order] > 0
        assert np.array_equal(found["kind"][tops][jet, :number] == 4, electrons)
    assert np.array_equal(found["kind"] > 0, found["constituents"][..., 0] > 0)
    assert (np.diff(pt(found["constituents"]), axis=1) <= 0).all()
    np.testing.assert_allclose(pt(found["jet"][tops]), jets["jet_pt"][:7], rtol=1e-6)
    np.testing.assert_allclose(eta(found["jet"][tops].astype(float)), jets["jet_eta"][:7], rtol=1e-5)
    np.testing.assert_allclose(found["tau"][tops][:, 2], jets["jet_tau3"][:7], rtol=1e-6)
    np.testing.assert_allclose(found["soft_drop_mass"][tops], jets["jet_sdmass"][:7], rtol=1e-6)


def test_jetclass_goes_on_in_the_next_file_and_says_when_there_is_none(jet_classes):
    path, _ = jet_classes
    found = jetclass.read([path], n=75)  # 25 of each: one file is enough
    assert np.bincount(found["label"])[[0, 1, 8]].tolist() == [25, 25, 25]
    assert len(jetclass.read([path])["label"]) == 100
    with pytest.raises(ValueError, match=r"n: found 26 for class TTBar, but the files at hand have 25"):
        jetclass.read([path], n=78)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DamagedFile, match="part0.tar"):
        jetclass.read([path])


# Pickles


class Trap:
    """Opening a pickle of this would write a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", ["jets.pkl", "jets.h5", "jets.npz"])
def test_pickles_are_refused_whatever_their_name(tmp_path, name, protocol):
    path, sprung = tmp_path / name, tmp_path / "sprung"
    path.write_bytes(pickle.dumps(Trap(sprung), protocol=protocol))
    with pytest.raises(ValueError, match=f"{name} is a pickle: opening it could run any code"):
        refuse_pickle(path)
    reader = energyflow if name.endswith("npz") else landscape
    with pytest.raises(ValueError, match="is a pickle"):
        reader.read([path])
    assert not sprung.exists()


def test_pickles_in_archives_and_old_ones_are_refused(tmp_path):
    (tmp_path / "old.pkl").write_bytes(pickle.dumps([1.0], protocol=0))
    with pytest.raises(ValueError, match="is named like a pickle"):
        refuse_pickle(tmp_path / "old.pkl")
    with zipfile.ZipFile(tmp_path / "model.bin", "w") as archive:  # what torch.save writes
        archive.writestr("model/data.pkl", pickle.dumps({"weight": 1}))
    with pytest.raises(ValueError, match=r"holds the pickle 'model/data.pkl'"):
        refuse_pickle(tmp_path / "model.bin")
    np.save(tmp_path / "objects.npy", np.array([None, 1]))
    with pytest.raises(ValueError, match="objects.npy holds Python objects"):
        refuse_pickle(tmp_path / "objects.npy")
    np.save(tmp_path / "numbers.npy", np.arange(3))
    refuse_pickle(tmp_path / "numbers.npy")


def test_object_columns_of_pandas_are_refused(tmp_path):
    """PyTables marks a variable-length array of pickles by PSEUDOATOM = "object"."""
    with h5py.File(tmp_path / "objects.h5", "w") as file:
        column = file.create_dataset("df/block1_values", (1,), dtype=h5py.vlen_dtype(np.uint8))
        column[0] = np.frombuffer(pickle.dumps(Trap(tmp_path / "sprung")), np.uint8)
        column.attrs["PSEUDOATOM"] = np.bytes_("object")
        file["df/block0_values"] = np.zeros((3, 15))
    with pytest.raises(ValueError, match="holds pickled Python objects in its column 'df/block1_values'"):
        lhco.read([tmp_path / "objects.h5"])
    assert not (tmp_path / "sprung").exists()


# The table of sources, splits, and the way through fetch and load_public


@pytest.mark.parametrize("source", PUBLIC.values(), ids=PUBLIC)
def test_sources_are_complete(source):
    assert set(source.files) == set(SPLITS) and all(source.files.values())
    reader = importlib.import_module(source.reader)
    assert reader.COLUMNS and callable(reader.read)
    bibliography = (paths.book() / "references.bib").read_text()
    assert source.citation and all(f"{{{key}," in bibliography for key in source.citation)
    json.dumps(source.card())
    for file in source.all_files():
        assert file.url == f"https://zenodo.org/records/{file.record}/files/{file.name}"
        assert file.md5 is None or len(file.md5) == 32
        assert file.sha256 is None or len(file.sha256) == 64
    sums = [file.md5 or file.sha256 for file in source.all_files() if file.md5 or file.sha256]
    assert len(set(sums)) == len(sums)


@pytest.mark.parametrize("source", PUBLIC.values(), ids=PUBLIC)
def test_no_row_is_in_two_splits(source):
    """Rows are (file, number); each row of each file is in exactly one split."""
    rows = [
        (file.name, row)
        for split in SPLITS
        for file in source.files[split]
        for row in rows_of(40, lanes=source.lanes.get(split, tuple(range(20))))
    ]
    assert len(set(rows)) == len(rows) == 40 * len(source.all_files())


@pytest.mark.parametrize("name", sorted(set(PUBLIC) & {"top_tagging", "quark_gluon", "lhco_dijets"}))
def test_columns_are_those_of_the_recipe(name):
    pytest.importorskip("pythia8mc")
    recipe = {"lhco_dijets": "lhco"}.get(name, name)
    ours = importlib.import_module(f"hepml_labs.datasets.{recipe}")
    theirs = importlib.import_module(PUBLIC[name].reader)
    assert list(theirs.COLUMNS) == list(ours.COLUMNS)
    if name == "quark_gluon":
        assert {abs(pid): value for pid, value in ours.PARTICLES.items()} | {0: 0.0} == energyflow.MASSES


def test_windows_cover_the_rows_once():
    rows = rows_of(50_000, 700, lanes=(3, 4))
    found = np.concatenate([np.arange(w.start, w.stop)[inside] for w, inside in windows(rows, block=1000)])
    assert np.array_equal(found, rows)
    assert max(w.stop - w.start for w, _ in windows(np.arange(5000), block=1000)) == 1000


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A data set of two files on a local server, of one of which only the record knows the checksum."""
    monkeypatch.setenv("HEPML_HOME", str(tmp_path / "home"))
    contents = {}
    for k in (1, 2):
        with h5py.File(tmp_path / "shower.hdf5", "w") as file:
            file["showers"], file["incident_energies"] = np.full((40, 6), 1000.0 * k), np.full((40, 1), 2e6)
        contents[f"d_{k}.hdf5"] = (tmp_path / "shower.hdf5").read_bytes()
    with BadServer(contents["d_1.hdf5"]) as server:
        server.files = {f"/{name}": content for name, content in contents.items()}
        base = server.url.removesuffix("/jets.h5")
        entries = [
            {"key": name, "size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}"}
            for name, content in contents.items()
        ]
        server.files["/records/7"] = json.dumps({"files": entries}).encode()
        source = PUBLIC["calochallenge_1_photons"]
        known = hashlib.md5(contents["d_1.hdf5"]).hexdigest()
        one, two = (
            dataclasses.replace(source.files["train"][0], name=name, url=f"{base}/{name}", md5=md5, record=7, rows=40)
            for name, md5 in (("d_1.hdf5", known), ("d_2.hdf5", None))
        )
        files = {"train": (one, two), "validation": (one,), "test": (two,)}
        monkeypatch.setitem(PUBLIC, "toy", dataclasses.replace(source, name="toy", files=files, rows=10))
        monkeypatch.setattr(fetching, "RECORDS", base + "/records/{}")
        yield server


def test_load_public_fetches_what_is_needed_and_only_once(served, capsys):
    card, columns = load_public("toy", "train", n=10, progress=True)
    assert "toy: 1 file, 0.00 GB, from" in capsys.readouterr().out
    assert columns["showers"].shape == (10, 6) and (columns["showers"] == 1).all()
    assert card["sizes"] == {"train": 10} and [file["name"] for file in card["files"]] == ["d_1.hdf5"]
    assert set(card) >= {"name", "title", "description", "columns", "generator", "licence", "citation", "splits"}
    asked = list(served.paths)
    load_public("toy", "train")
    assert served.paths == asked == ["/records/7", "/d_1.hdf5"]  # nothing of the second call
    assert [path.name for path in fetch("toy", "train", full=True, progress=False)] == ["d_1.hdf5", "d_2.hdf5"]
    assert [path.name for path in fetch("toy", files=["d_2.hdf5"], progress=False)] == ["d_2.hdf5"]
    assert (load_public("toy", "test", n=5, progress=False)[1]["showers"] == 2).all()


def test_a_checksum_that_only_the_record_has_is_held_against_the_file(served):
    served.files["/d_2.hdf5"] = served.files["/d_2.hdf5"][::-1]
    with pytest.raises(DamagedFile, match="md5 is .*, published is"):
        fetch("toy", "test", progress=False)
    served.files["/records/7"] = b"no JSON"  # then there is nothing to hold against it
    assert fetch("toy", "test", progress=False)[0].exists()


def test_verify_notices_a_changed_byte_of_the_same_date(served):
    (path,) = fetch("toy", "test", progress=False)
    good, times = path.read_bytes(), path.stat()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fetch("toy", "test", progress=False) == [path] and path.read_bytes() != good
    assert fetch("toy", "test", progress=False, verify=True) == [path] and path.read_bytes() == good


def test_bad_arguments_are_named(served):
    with pytest.raises(ValueError, match="name: 'top_taging' .* did you mean 'top_tagging'"):
        fetch("top_taging")
    with pytest.raises(ValueError, match="split: found 'training'"):
        fetch("toy", "training")
    with pytest.raises(ValueError, match=r"files: found \['d_9.hdf5'\], expected some of \['d_1.hdf5', 'd_2.hdf5'\]"):
        fetch("toy", files=["d_9.hdf5"])
    with pytest.raises(ValueError, match="n: found 0"):
        load_public("toy", n=0)
    with pytest.raises(ValueError, match="n: found 1,000, but the published split"):
        load_public("toy", "validation", n=1000, progress=False)


def test_without_network_the_alternative_is_named(served, monkeypatch):
    for name in ("toy", "gluons_3g"):
        source = PUBLIC["toy"]
        file = dataclasses.replace(source.files["train"][0], url="http://127.0.0.1:1/d_1.hdf5", record=None)
        monkeypatch.setitem(PUBLIC, name, dataclasses.replace(source, name=name, files=dict.fromkeys(SPLITS, (file,))))
    with pytest.raises(ConnectionError, match=r"no network: .* `hepml data list`"):
        load_public("toy")
    assert "gluons_3g" in CATALOGUE
    with pytest.raises(ConnectionError, match=r"load\('gluons_3g'\) reads the bundled sample"):
        load_public("gluons_3g")
