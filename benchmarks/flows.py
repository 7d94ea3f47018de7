"""Our coupling flow beside nflows and zuko: the same networks, masks, weights and events, one thread, one run.

Run with ``python benchmarks/flows.py`` (``pip install nflows zuko``). Prints the microseconds of CPU an event costs for
the density, for the gradient of the mean negative log-likelihood, and for a sample: the smallest of many rounds in
which the libraries take turns, with the ratio to nflows, and how far the densities of nflows are from ours with the
same weights. Asserts nothing.
"""

import argparse
import time

import torch
import zuko
from nflows.distributions import StandardNormal
from nflows.flows import Flow as NflowsFlow
from nflows.transforms import CompositeTransform, PiecewiseRationalQuadraticCouplingTransform
from torch import nn
from zuko.transforms import MonotonicRQSTransform

from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import SOFTPLUS_OF_ONE, RationalQuadraticSpline
from hepml_labs.nn import MLP


class WithContext(MLP):
    """Our network under the signature that nflows calls; `hidden_features` of one switches its rescaling off."""

    hidden_features = 1

    def forward(self, x, context=None):
        """Ignore the context, which this benchmark does not use."""
        return super().forward(x)


def ours(arguments):
    """Return our flow with random weights, large enough that all bins and derivatives differ."""
    flow = coupling_flow(
        arguments.features, layers=arguments.layers, elementwise=RationalQuadraticSpline(arguments.bins),
        hidden=tuple(arguments.hidden), seed=arguments.seed,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(arguments.seed)
    for layer in flow.transform.transforms:
        nn.init.normal_(layer.network[-1].weight, std=0.2, generator=generator)
        nn.init.normal_(layer.network[-1].bias, std=0.2, generator=generator)
    return flow


def nflows_twin(flow, arguments):
    """Return nflows' coupling flow with our weights; its derivatives are one at `SOFTPLUS_OF_ONE`, ours at zero."""
    layers = []
    for layer in flow.transform.transforms:
        mask = [int(column in layer.moved) for column in range(layer.features)]
        twin = PiecewiseRationalQuadraticCouplingTransform(
            mask, lambda inputs, outputs: WithContext(inputs, outputs, tuple(arguments.hidden)),
            num_bins=arguments.bins, tails="linear", tail_bound=layer.elementwise.bound,
        )  # fmt: skip
        twin.transform_net.load_state_dict(layer.network.state_dict())
        with torch.no_grad():
            twin.transform_net[-1].bias.view(len(layer.moved), -1)[:, 2 * arguments.bins :] += SOFTPLUS_OF_ONE
        layers.append(twin)
    return NflowsFlow(CompositeTransform(layers), StandardNormal([arguments.features]))


def zuko_sibling(flow, arguments):
    """Return zuko's coupling flow of the same size and random weights of the same spread."""
    bins = arguments.bins
    layers = [
        zuko.flows.GeneralCouplingTransform(
            layer.features, mask=torch.tensor([column in layer.kept for column in range(layer.features)]),
            univariate=lambda *knots: MonotonicRQSTransform(*knots, bound=4.0), shapes=[(bins,), (bins,), (bins - 1,)],
            hidden_features=tuple(arguments.hidden), activation=nn.SiLU,
        )
        for layer in flow.transform.transforms
    ]  # fmt: skip
    for layer in layers:
        nn.init.normal_(layer.hyper[-1].weight, std=0.2)
        nn.init.normal_(layer.hyper[-1].bias, std=0.2)
    zero, one = torch.zeros(arguments.features), torch.ones(arguments.features)
    base = zuko.lazy.UnconditionalDistribution(zuko.distributions.DiagNormal, zero, one, buffer=True)
    return zuko.flows.Flow(layers, base)


def tasks(name, flow, x):
    """Return the three timed functions of one library."""
    density = (lambda: flow().log_prob(x)) if name == "zuko" else (lambda: flow.log_prob(x))

    def gradient():
        flow.zero_grad()
        (-density().mean()).backward()

    draw = (lambda: flow().sample((len(x),))) if name == "zuko" else (lambda: flow.sample(len(x)))
    return {"log_prob": torch.no_grad()(density), "gradient": gradient, "sample": torch.no_grad()(draw)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", type=int, default=6)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--hidden", type=int, nargs="*", default=[64, 64])
    parser.add_argument("--bins", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=20, help="calls in a row: the clock of the CPU time is coarse")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    x = torch.randn(arguments.batch_size, arguments.features)
    flow = ours(arguments)
    twin = nflows_twin(flow, arguments)
    libraries = {"ours": flow, "nflows": twin, "zuko": zuko_sibling(flow, arguments)}
    best = {}
    for _ in range(arguments.rounds):
        for name, library in libraries.items():
            for task, call in tasks(name, library, x).items():
                start = time.process_time()
                for _ in range(arguments.calls):
                    call()
                seconds = (time.process_time() - start) / arguments.calls
                best[name, task] = min(seconds, best.get((name, task), seconds))
    print(f"{arguments.features} features, {arguments.layers} layers of {arguments.hidden}, {arguments.bins} bins")
    print(f"microseconds of CPU per event of {arguments.batch_size}, and how many times faster than nflows")
    print("library        log_prob        gradient          sample")
    for name in libraries:
        cells = [
            f"{1e6 * best[name, task] / len(x):7.1f} ({best['nflows', task] / best[name, task]:4.2f} x)"
            for task in ("log_prob", "gradient", "sample")
        ]
        print(f"{name:8s} " + " ".join(cells))
    torch.set_default_dtype(torch.float64)
    x, flow = x.double(), flow.double()
    difference = (flow.log_prob(x) - nflows_twin(flow, arguments).log_prob(x)).abs().max()
    print(f"log_prob of nflows with our weights, float64: at most {difference.item():.1e} from ours")


if __name__ == "__main__":
    main()
