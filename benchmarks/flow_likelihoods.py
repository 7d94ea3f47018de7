"""Our flows beside those of nflows and zuko: equal architecture, data, optimiser, batches and epochs, one run.

Run with ``python benchmarks/flow_likelihoods.py`` (``pip install nflows zuko``). For each data set and kind of flow,
prints the negative log-likelihood on test events in nats, its difference to ours with the statistical error of that
difference over paired events (the scatter of the training comes on top, see ``--seed``), and the CPU time of the
training. Asserts nothing.
"""

import argparse
import time
import warnings

import numpy as np
import torch
import zuko
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow as NFlow
from nflows.transforms import (
    CompositeTransform,
    MaskedAffineAutoregressiveTransform,
    PiecewiseRationalQuadraticCouplingTransform,
    ReversePermutation,
)
from torch import nn

from hepml_labs import datasets
from hepml_labs.flows.autoregressive import autoregressive_flow
from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import Affine, RationalQuadraticSpline
from hepml_labs.flows.scalers import Columns, Log, Standardize
from hepml_labs.flows.transforms import Chain
from hepml_labs.nn import MLP
from hepml_labs.physics import kinematics
from hepml_labs.training import fit, predict

BINS, BOUND = 8, 5.0  # zuko's bound is not an argument


def z_jets(split, n):
    """Transverse momentum (GeV) and pseudorapidity of both muons and of the leading jet."""
    data = datasets.load("z_jets", split=split, n=n)
    particles = np.concatenate([data["muons"], data["jets"][:, :1]], axis=1).astype(np.float64)
    return np.column_stack([kinematics.pt(particles), kinematics.eta(particles)])


def lhco_dijets(split, n):
    """Mass of both jets and of the pair (GeV), lighter jet first, and tau_2/tau_1 of the jets in the same order.

    Events with a jet of one or two particles (tau_2 = 0, a few in 10,000) are left out: a density has no atoms.
    """
    data = datasets.load("lhco_dijets", split=split, n=n)
    tau = data["tau"].astype(np.float64)
    good = (tau[:, :, 1] > 0).all(axis=1)
    mass, ratio = kinematics.mass(data["jets"][good].astype(np.float64)), tau[good, :, 1] / tau[good, :, 0]
    order = np.argsort(mass, axis=1)
    mass, ratio = np.take_along_axis(mass, order, axis=1), np.take_along_axis(ratio, order, axis=1)
    return np.column_stack([mass, data["mjj"][good], ratio])


SETS = {
    "z_jets": (z_jets, lambda: Columns([Log(), Log(), Log(20.0), None, None, None])),
    "lhco_dijets": (lhco_dijets, lambda: Columns([Log(), Log(), Log(), None, None])),
}


class CouplingNetwork(MLP):
    """Our perceptron, with the argument that nflows passes."""

    def forward(self, x, context=None):
        return super().forward(x)


class Zuko(nn.Module):
    """A lazy flow of zuko as a module that returns log-densities."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def forward(self, x):
        return self.flow().log_prob(x)


class Nflows(nn.Module):
    """A flow of nflows as a module that returns log-densities."""

    def __init__(self, features, transforms):
        super().__init__()
        self.flow = NFlow(CompositeTransform(transforms), StandardNormal([features]))

    def forward(self, x):
        return self.flow.log_prob(x)


def coupling(features, layers, hidden, seed):
    """Coupling flow with rational-quadratic splines, in three libraries."""
    ours = coupling_flow(features, 0, layers, RationalQuadraticSpline(BINS, BOUND), hidden, seed=seed)
    torch.manual_seed(seed)
    moved = [[column in layer.moved for column in range(features)] for layer in ours.transform.transforms]
    theirs = [
        PiecewiseRationalQuadraticCouplingTransform(
            mask, lambda n, m: CouplingNetwork(n, m, hidden), num_bins=BINS, tails="linear", tail_bound=BOUND
        )
        for mask in moved
    ]
    also = zuko.flows.NSF(
        features, bins=BINS, transforms=layers, passes=2, randperm=True, hidden_features=hidden, activation=nn.SiLU
    )
    return {"ours": ours, "nflows": Nflows(features, theirs), "zuko": Zuko(also)}


def maf(features, layers, hidden, seed):
    """Masked autoregressive flow with affine functions, in three libraries."""
    ours = autoregressive_flow(features, 0, layers, Affine(), hidden, seed=seed)
    torch.manual_seed(seed)
    theirs = []
    for layer in range(layers):
        theirs += [ReversePermutation(features)] if layer else []
        theirs.append(
            MaskedAffineAutoregressiveTransform(
                features, hidden[0], num_blocks=len(hidden) - 1, use_residual_blocks=False,
                activation=nn.functional.silu,
            )
        )  # fmt: skip
    also = zuko.flows.MAF(features, transforms=layers, hidden_features=hidden, activation=nn.SiLU)
    return {"ours": ours, "nflows": Nflows(features, theirs), "zuko": Zuko(also)}


KINDS = {"coupling": coupling, "maf": maf}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--peers", nargs="*", default=["nflows", "zuko"], choices=["nflows", "zuko"])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64, 64], help="of equal width, as nflows wants it")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Inputs to the softmax")

    print(f"{'data':12} {'flow':9} {'library':7} {'weights':>8} {'NLL':>9}  {'minus ours':>17}  {'CPU s':>6}")
    for name in arguments.sets:
        features, known = SETS[name]
        train, test = features("train", arguments.events), features("test", 20_000)
        scaler = known()
        scaler = Chain([scaler, Standardize.fit(scaler(torch.tensor(train))[0])])
        scaled = scaler(torch.tensor(train))[0].float()
        z, log_det = scaler(torch.tensor(test))
        for kind in arguments.kinds:
            flows = KINDS[kind](train.shape[1], arguments.layers, tuple(arguments.hidden), arguments.seed)
            reference = None
            for library in ("ours", *arguments.peers):
                flow = flows[library]
                start = time.process_time()
                fit(
                    flow, lambda flow, x: -flow(x).mean(), (scaled,), epochs=arguments.epochs,
                    batch_size=arguments.batch_size, learning_rate=arguments.learning_rate, gradient_clip=5.0,
                    seed=arguments.seed, progress=False,
                )  # fmt: skip
                seconds = time.process_time() - start
                loss = -(predict(flow, z.float()).double() + log_det).numpy()
                reference = loss if reference is None else reference
                difference = loss - reference
                weights = sum(parameter.numel() for parameter in flow.parameters())
                print(
                    f"{name:12} {kind:9} {library:7} {weights:8,} {loss.mean():9.4f}  "
                    f"{difference.mean():+7.4f} +- {difference.std() / np.sqrt(len(loss)):.4f}  {seconds:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
