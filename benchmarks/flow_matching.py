"""Flow matching beside torchcfm and torchdiffeq: the same network, data, batches and optimiser; then steps.

Run with ``python benchmarks/flow_matching.py`` (``pip install --no-deps torchcfm``; its optimal transport needs
``pot``). First: the loss of torchcfm at our draws, the trajectories of torchdiffeq at our steps, and ratios of CPU
time. Then the data: transverse momentum and pseudorapidity of both muons and the leading jet of z_jets. Second table:
the negative log-likelihood on test events in nats (exact trace, RK4), the AUC of a classifier between 20,000 samples
and as many test events, and the CPU time of the training. Third table (none with an empty ``--evaluations``): the same
AUC against the number of evaluations of the network, for three samplers and the three ways to train. Asserts
nothing.
"""

import argparse
import time
import warnings

import numpy as np
import torch

from hepml_labs import datasets
from hepml_labs.diffusion import flow_matching
from hepml_labs.diffusion.flow_matching import FlowMatching
from hepml_labs.diffusion.ode import integrate
from hepml_labs.diffusion.paths import Linear, VariancePreserving
from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.flows.scalers import Columns, Log
from hepml_labs.nn import TimeMLP
from hepml_labs.physics import kinematics

SCALER = Columns([Log(), Log(), Log(20.0), None, None, None])


def z_jets(split, n):
    """Transverse momentum (GeV) and pseudorapidity of both muons and of the leading jet."""
    data = datasets.load("z_jets", split=split, n=n)
    particles = np.concatenate([data["muons"], data["jets"][:, :1]], axis=1).astype(np.float64)
    return np.column_stack([kinematics.pt(particles), kinematics.eta(particles)])


def torchcfm_loss(matcher):
    """Loss of torchcfm with the signature of ours; the path and the pairing are the matcher's."""

    def loss(network, x1, context=None, weight=None, *, generator=None, **_):
        with torch.random.fork_rng(devices=[], enabled=generator is not None):
            if generator is not None:  # torchcfm draws from the global generator
                torch.manual_seed(generator.initial_seed())
            t, x, velocity = matcher.sample_location_and_conditional_flow(torch.randn_like(x1), x1)
        return (network(x, t) - velocity).square().mean()

    return loss


def cpu_ratio(theirs, ours, rounds, calls):
    """CPU time of one function over that of another, in turns, many calls at a time: the clock ticks coarsely."""
    totals = [0.0, 0.0]
    for _ in range(rounds):
        for i, function in enumerate((theirs, ours)):
            start = time.process_time()
            for _ in range(calls):
                function()
            totals[i] += time.process_time() - start
    return totals[0] / totals[1]


def compare_with_peers():
    """Loss of torchcfm at our draws, trajectories of torchdiffeq at our steps, and the ratio of CPU times."""
    import torchcfm
    from torchdiffeq import odeint

    torch.manual_seed(0)
    network, x1 = TimeMLP(6, hidden=(128, 128, 128), frequencies=4), torch.randn(256, 6)
    matcher, seen = torchcfm.ConditionalFlowMatcher(sigma=0.0), []

    def spy(x, t, context):
        seen.append(t)
        return network(x, t, context)

    ours = flow_matching.flow_matching_loss(spy, x1, generator=torch.Generator().manual_seed(1))
    eps = torch.randn(x1.shape, generator=torch.Generator().manual_seed(1))
    t, x, velocity = matcher.sample_location_and_conditional_flow(eps, x1, t=seen[0])
    theirs = (network(x, t) - velocity).square().mean()
    their_loss = torchcfm_loss(matcher)
    ratio = cpu_ratio(
        lambda: their_loss(network, x1).backward(),
        lambda: flow_matching.flow_matching_loss(network, x1).backward(),
        rounds=5,
        calls=60,
    )
    print(
        f"loss, 256 events: {ours.item():.6f}, torchcfm {theirs.item():.6f}, difference {abs(ours - theirs).item():.1e}"
        f"; CPU of loss and gradient, theirs/ours {ratio:.2f}"
    )
    start, times = torch.randn(2_000, 6), torch.linspace(0, 1, 21)

    def theirs_from(method):
        return odeint(lambda t, x: network(x, t.expand(len(x))), start, times, method=method)

    with torch.no_grad():
        for method in ("euler", "midpoint"):
            way = integrate(network, start, steps=20, method=method, trajectory=True)
            error = (way - theirs_from(method)).abs().max().item()
            ratio = cpu_ratio(
                lambda m=method: theirs_from(m),
                lambda m=method: integrate(network, start, steps=20, method=m, trajectory=True),
                rounds=4,
                calls=4,
            )
            print(
                f"trajectories, {method}, 20 steps: largest difference {error:.1e}; CPU, torchdiffeq/ours {ratio:.2f}"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--likelihoods", type=int, default=4_000, help="test events with a likelihood")
    parser.add_argument("--evaluations", type=int, nargs="*", default=[4, 8, 16, 40])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    if not arguments.no_peer:
        compare_with_peers()
    train, test = z_jets("train", arguments.events), z_jets("test", 20_000)

    cases = {
        "ours, straight": ({"path": Linear()}, None),
        "ours, variance preserving": ({"path": VariancePreserving()}, None),
        "ours, optimal pairs": ({"pairing": "optimal"}, None),
    }
    if not arguments.no_peer:
        import torchcfm

        cases |= {
            "torchcfm, straight": ({}, torchcfm.ConditionalFlowMatcher(sigma=0.0)),
            "torchcfm, variance preserving": (
                {"path": VariancePreserving()},
                torchcfm.VariancePreservingConditionalFlowMatcher(sigma=0.0),
            ),
            "torchcfm, optimal pairs": ({}, torchcfm.ExactOptimalTransportConditionalFlowMatcher(sigma=0.0)),
        }
    ours, models = flow_matching.flow_matching_loss, {}
    print(f"{'loss':30} {'NLL':>8} {'+-':>6}  {'AUC':>6} {'+-':>6}  {'CPU s':>6}")
    for name, (options, matcher) in cases.items():
        model = FlowMatching(scaler=SCALER, epochs=arguments.epochs, seed=arguments.seed, **options)
        flow_matching.flow_matching_loss = ours if matcher is None else torchcfm_loss(matcher)
        start = time.process_time()
        models[name] = model.fit(train, validation=0.1)
        seconds = time.process_time() - start
        loss = -model.score_samples(test[: arguments.likelihoods], steps=10)
        judged = classifier_two_sample_test(test, model.sample(len(test), seed=1))
        print(
            f"{name:30} {loss.mean():8.4f} {loss.std() / len(loss) ** 0.5:6.4f}  {judged.auc:6.4f} {judged.error:6.4f}"
            f"  {seconds:6.1f}",
            flush=True,
        )

    if not arguments.evaluations:
        return
    print(f"\n{'AUC at evaluations':30}", *[f"{count:>6}" for count in arguments.evaluations])
    for name, model in models.items():
        if name.startswith("torchcfm"):
            continue
        for method, cost in (("euler", 1), ("midpoint", 2), ("rk4", 4)):
            areas = []
            for count in arguments.evaluations:
                drawn = model.sample(10_000, seed=1, steps=count // cost, method=method)
                areas.append(classifier_two_sample_test(test[:10_000], drawn).auc)
            print(f"{name.removeprefix('ours, '):20} {method:9}", *[f"{area:6.3f}" for area in areas], flush=True)


if __name__ == "__main__":
    main()
