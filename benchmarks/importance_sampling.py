"""Neural importance sampling beside VEGAS and the package madnis, at equal calls of the integrand.

Two integrands: the first example of madnis, f = prod 2 x_i in four dimensions, 100 batches of 1024; and the decay of a
Higgs boson to four equal leptons in five dimensions with four channels. Run, for three seeds (some minutes)::

    python benchmarks/importance_sampling.py ramp
    python benchmarks/importance_sampling.py leptons

The table states the relative standard deviation of a weight, times the root of the calls that give the relative error
of the integral, and the unweighting efficiency, mean over largest of 10,000 weights. CPU seconds of one thread.
"""

import argparse
import time

import numpy as np
import torch

from hepml_labs.flows.four_leptons import FourLeptons
from hepml_labs.flows.importance_sampling import summarize
from hepml_labs.flows.madnis import MadNIS
from hepml_labs.flows.vegas_baseline import vegas_channel, vegas_integral
from hepml_labs.physics.higgs_four_leptons import phase_space, propagators, squared_amplitude

BATCHES, BATCH = 100, 1024


def ramp(x):
    """Product of 2 x_i; the integral is one."""
    return (2 * x).prod(1)


def ramp_plain(seed):
    """Uniform points."""
    return MadNIS(ramp, 4, seed=seed).integrate(10_000, seed=seed + 100)


def ramp_vegas(seed):
    """VEGAS+ with the same calls for its adaptation."""
    return vegas_integral(ramp, None, 4, BATCHES * BATCH, 10_000, seed=seed)


def ramp_madnis(seed):
    """The package madnis with its default settings."""
    from madnis.integrator import Integrator

    torch.manual_seed(seed)
    integrator = Integrator(ramp, dims=4)
    integrator.train(BATCHES)
    sample = integrator.sample(10_000)
    return summarize(sample.weights.detach().double().numpy())


def ramp_ours(seed, replays=3):
    """MadNIS of this project."""
    integrator = MadNIS(ramp, 4, seed=seed).train(BATCHES, BATCH, replays=replays)
    return integrator.integrate(10_000, seed=seed + 100)


def width(x):
    """Integrand of the Higgs boson's decay to four equal leptons, keV."""
    return 1e6 * squared_amplitude(x) * phase_space(x)


def share(boson):
    """Integrand of one channel with the prior."""
    return lambda x: width(x) * propagators(x)[:, boson] / propagators(x).sum(1)


def leptons_vegas(seed):
    """VEGAS+ in the variables of one channel."""
    return vegas_integral(width, FourLeptons(0), 5, 63_000, 50_000, seed=seed)


def leptons_channels(seed):
    """VEGAS+ in each channel, with MadGraph's prior as channel weights and equal calls."""
    found = [vegas_integral(share(k), FourLeptons(k), 5, 63_000 // 4, 12_500, seed=seed) for k in range(4)]
    value, calls = sum(part.value for part in found), sum(part.calls for part in found)
    error = np.sqrt(sum(part.error**2 for part in found))
    # an event generator draws channel k like its integral: all weights then have the mean `value`
    largest = sum(part.value / part.efficiency for part in found)
    return found[0]._replace(
        value=value,
        error=error,
        relative_std=error * np.sqrt(calls) / value,
        efficiency=value / largest,
        calls=calls,
    )


def leptons_ours(seed, batches=30, learn_weights=True):
    """MadNIS on grids of VEGAS: 32,000 calls for the grids, 1024 in each batch."""
    grids = [vegas_channel(share(k), FourLeptons(k), 5, calls=1000, iterations=8, seed=seed) for k in range(4)]
    integrator = MadNIS(width, 5, grids, propagators, learn_weights, seed=seed)
    integrator.train(batches, BATCH)
    found = integrator.integrate(50_000, seed=seed + 100)
    _, weights = integrator.sample(10_000, seed=seed + 200)
    return found._replace(efficiency=summarize(weights).efficiency)


METHODS = {
    "ramp": {
        "plain Monte Carlo": ramp_plain,
        "VEGAS+": ramp_vegas,
        "madnis": ramp_madnis,
        "MadNIS": ramp_ours,
        "MadNIS, no replays": lambda seed: ramp_ours(seed, replays=0),
    },
    "leptons": {
        "VEGAS+, one channel": leptons_vegas,
        "VEGAS+ in each channel": leptons_channels,
        "MadNIS, weights fixed": lambda seed: leptons_ours(seed, learn_weights=False),
        "MadNIS": leptons_ours,
    },
}


def main():
    """Print one line per method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("integrand", choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="run only methods whose name contains this")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'method':24s} {'value':>8s} {'error':>8s}   relative std of each seed   efficiency of each seed    CPU s")
    for name, method in METHODS[options.integrand].items():
        if options.only not in name:
            continue
        start = time.process_time()
        found = [method(seed) for seed in range(options.seeds)]
        seconds = (time.process_time() - start) / options.seeds
        spreads = " ".join(f"{result.relative_std:.3f}" for result in found)
        efficiencies = " ".join(f"{result.efficiency:.3f}" for result in found)
        value = f"{found[0].value:8.4f} {found[0].error:8.4f}"
        print(f"{name:24s} {value}   {spreads:25s}   {efficiencies:25s} {seconds:6.1f}", flush=True)


if __name__ == "__main__":
    main()
