"""The published files: where they are, how large, and their checksums.

Checksums are those that the authors or users of a set have published; None where none was found. For such a file the
MD5 sum that Zenodo publishes in the record's JSON is read when it is fetched (`hepml_labs.datasets.public.fetching`).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublicFile:
    """A published file.

    Attributes
    ----------
    name : str
    url : str
    size : int, optional
        Bytes.
    md5, sha256 : str, optional
        Published checksums.
    record : int, optional
        Zenodo's record, which knows size and MD5 where they are not given here.
    rows : int, optional
        Rows in the file, about, to tell how many files a number of rows takes; None where every file is needed.
    """

    name: str
    url: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None
    record: int | None = None
    rows: int | None = None


def _zenodo(record, name, **facts):
    return PublicFile(name, f"https://zenodo.org/records/{record}/files/{name}", record=record, **facts)


# MD5 and size: two independent download scripts that agree
LANDSCAPE = {
    "train": (_zenodo(2603256, "train.h5", size=1038496555, md5="45663819f47c13724f67eb0fd80bfa5c", rows=1211000),),
    "validation": (_zenodo(2603256, "val.h5", size=347378076, md5="dca4b7248027618f041f9baa86d360fc", rows=403000),),
    "test": (_zenodo(2603256, "test.h5", size=347849376, md5="13163479dee30a5fe546e4536cc3d04d", rows=404000),),
}

# SHA-256: the EnergyFlow package, src/energyflow/datasets/qg_jets.py
QUARK_GLUON = tuple(
    _zenodo(3164691, f"QG_jets_{k}.npz" if k else "QG_jets.npz", sha256=sha256, rows=100_000)
    for k, sha256 in enumerate(
        """
        3f27a02eab06e8b83ccc9d25638021e6e24c9361341730961f9d560dee12c257
        648e49cd59b5353e0064e7b1a3388d9c2f4a454d3ca67afaa8d0344c836ecb35
        09f7b16fa7edb312c0f652bb8504de45f082c4193df65204d693155017272fe9
        7dc9a50bb38e9f6fc1f11db18f9bd04f72823c944851746b848dee0bba808537
        3e6217aad8e0502f5ce3b6371c61396dfc48a6cf4f26ee377cc7b991b1d2b543
        b5b7d742b2599bcbe1d7a639895bca64c28da513dc3620b0e5bbb5801f8c88fd
        7d31bc48c15983401e0dbe8fd5ee938c3809d9ee3c909f4adab6daf8b73c14f1
        cec0d7b2afa9d955543c597f9b7f3b3767812a68b2401ec870caf3a2ceb98401
        e984620f57abe06fc5d0b063f9f84ba54bd3e8c295d2b2419a7b1c6175079ed4
        6e3b69196995d6eb3b8e7af874e2b9f93d904624f7a7a73b8ff39f151e3bd189
        fa3d386f230b806058ff17e5bd77326ff4bf01d72aa5eb3325c1df2a8825927c
        acd49ab7bea8f72ecf699a9a898bccacc8730474259d68406656a5a43d407fb0
        2edd55b8bc30c686a0637855e1ba068586eb97041e8114d5540d96db2a7a2e17
        7276a8a0e573f9795a47f9d5addc10d2af903c2a0ffa5c848a720ccae93daa90
        2068ecfa912e94cd3ce7273b7c77af0bbd5ec57940997e7483b56f03434a6869
        41a732ce6321dd593214225b03fb87329607ccae768c705e3896ffecc28bfcca
        9d68caeb18f3ccf127b9032f52e63ee011c4381293a3a503f894e5c0741ae215
        086053ca611bb04d97fa0b6509b4ffb6955421b067c7b277498f0e5188879331
        cdc595f5fedef7db9411a9f93f2786f110073b4d17a523700f625846588b1e44
        d07781139320ae134ce4824bc0cefa43fd5003cd97cdf3aed90d4fb12fad8a1d
        """.split()
    )
)

# MD5 and SHA-256: several users' loaders that agree; of the particles none (one user's SHA-256 is not held against it)
LHCO_FEATURES = _zenodo(
    6466204,
    "events_anomalydetection_v2.features.h5",
    md5="271cf5e71fc756b2a8d2b32730689bdb",
    sha256="933b1f11d7b66e6dae0ee2878723f8f5d7ab0f38399806f2d067c5cfd9a502b1",
    rows=1_100_000,
)
LHCO_BACKGROUND = _zenodo(8370758, "events_anomalydetection_qcd_extra_inneronly_features.h5", rows=612_858)
LHCO_PARTICLES = _zenodo(6466204, "events_anomalydetection_v2.h5", rows=1_100_000)

# MD5: the authors' get_datasets.py
JETCLASS = {
    "train": tuple(
        _zenodo(6619768, f"JetClass_Pythia_train_100M_part{k}.tar", md5=md5, rows=10_000_000)
        for k, md5 in enumerate(
            """
            de4fd2dca2e68ab3c85d5cfd3bcc65c3 9722a359c5ef697bea0fbf79bf50f003 1e9f66cd1f915f9d10e90ae1d7761720
            47348fc8985319fa4806da87500482fa 6b0ce16bd93b442a8d51914466990279 416e347512e716de51d392bee327b8e9
            e9b9c1557b1b39bf0a16e4ab631ae451 5bfc6cb285ccb7680cefa9ac82ad1a2e 540c1a0d66dfad78d2b363c5740ccf86
            668f40b3275167ff7104c48317c0ae2a
            """.split()
        )
    ),
    "validation": (
        _zenodo(6619768, "JetClass_Pythia_val_5M.tar", md5="7235ccb577ed85023ea3ab4d5e6160cf", rows=5_000_000),
    ),
    "test": (
        _zenodo(6619768, "JetClass_Pythia_test_20M.tar", md5="64e5156d26d101adeb43b8388207d767", rows=20_000_000),
    ),
}

# MD5: one user's record of the downloads; of the files with 150 particles none. No rows: each file is a kind of jet
JETNET_30 = tuple(
    _zenodo(6975118, f"{kind}.hdf5", md5=md5)
    for kind, md5 in (
        ("g", "4f537329da897a22a59762c9fd8b74da"),
        ("q", "0ede789774bb74d4795c5d19d7ef66c6"),
        ("t", "6c9d0663b352c85f74fcd2553e6872bf"),
        ("w", "16cc265cb039f76bba43bab408916e3e"),
        ("z", "90ffacd034dc87c802bc43385af9fea3"),
    )
)
JETNET_150 = tuple(_zenodo(6975117, f"{kind}150.hdf5") for kind in "gqtwz")


def _calochallenge(record, train, test, rows):
    """Published are training and evaluation files."""
    train = tuple(_zenodo(record, name, md5=md5, rows=rows) for name, md5 in train.items())
    test = tuple(_zenodo(record, name, md5=md5, rows=rows) for name, md5 in test.items())
    return {"train": train, "validation": train, "test": test}


# MD5: users' download scripts; of data sets 1 and 2 several that agree, of data set 3 one
CALOCHALLENGE = {
    "1_photons": _calochallenge(
        8099322,
        {"dataset_1_photons_1.hdf5": "005d2adeda7db034b388112661265656"},
        {"dataset_1_photons_2.hdf5": "4767715ed56e99565fd9c67340661e70"},
        121_000,
    ),
    "1_pions": _calochallenge(
        8099322,
        {"dataset_1_pions_1.hdf5": "6a5f52722064a1bcd8a0bc002f16515d"},
        {"dataset_1_pions_2.hdf5": "fee7457b40127bc23c8ab909e2638ca0"},
        120_800,
    ),
    "2": _calochallenge(
        6366271,
        {"dataset_2_1.hdf5": "e590333e9a2da51b258288d74bd8357a"},
        {"dataset_2_2.hdf5": "7a56fd68aa53ded37c2ac445694d9736"},
        100_000,
    ),
    "3": _calochallenge(
        6366324,
        {
            "dataset_3_1.hdf5": "d33f03418aa311b0965452fcbef1ff87",
            "dataset_3_2.hdf5": "911dec2c40aafa64a07b7450b80881bf",
        },
        {
            "dataset_3_3.hdf5": "5ea62f6831a1821bb5035fafc9f030e8",
            "dataset_3_4.hdf5": "5e8d82e6a6c28c6914a3b602a1cfa299",
        },
        50_000,
    ),
}
