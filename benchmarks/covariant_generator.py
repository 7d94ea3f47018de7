"""Flow matching on Z + 2 jets with a Lorentz-covariant transformer and with a perceptron, the same steps for both.

The Z boson and the jets are three particles in (log pT, azimuth, pseudorapidity, log m^2). Prints, after training on
some and on all events: the validation loss, a classifier's area between generated and test events, how much the
velocity changes when the event is turned about the beam, and CPU seconds.
"""

import argparse
import math
import time

import numpy as np
import torch
from torch import nn

from hepml_labs.datasets import load
from hepml_labs.diffusion.covariant import CovariantVelocity, covariant_loss, particle_coordinates, particle_momenta
from hepml_labs.diffusion.events import select
from hepml_labs.diffusion.ode import integrate
from hepml_labs.evaluation import classifier_two_sample_test
from hepml_labs.nn import TimeMLP
from hepml_labs.physics.kinematics import mass
from hepml_labs.settings import set_threads
from hepml_labs.training import fit


class Perceptron(nn.Module):
    """Velocities from all coordinates at once; azimuths as cosine and sine."""

    def __init__(self, particles, hidden=(256, 256, 256)):
        super().__init__()
        self.particles = particles
        self.network = TimeMLP(5 * particles, hidden=hidden)

    def forward(self, y, t):
        inputs = torch.cat([y[..., [0, 2, 3]], y[..., [1]].cos(), y[..., [1]].sin()], dim=-1)
        return self.network(inputs.flatten(1), t)[:, : 4 * self.particles].reshape(y.shape)


def particles(split):
    """Z boson and two jets as coordinates (n, 3, 4); jets with masses of at least 1 GeV."""
    x = select(load("z_jets", split), 2)
    x = np.concatenate([x[:, :2].sum(axis=1, keepdims=True), x[:, 2:]], axis=1)
    masses = np.maximum(mass(x), 1.0)
    x[..., 0] = np.sqrt((x[..., 1:] ** 2).sum(axis=2) + masses**2)
    return particle_coordinates(torch.tensor(x))


def observables(y):
    """What a classifier is shown: pT, pseudorapidity, mass, and azimuths relative to the Z boson."""
    relative = torch.remainder(y[:, 1:, 1] - y[:, :1, 1] + math.pi, 2 * math.pi) - math.pi
    invariant = mass(particle_momenta(y)[:, 1:].sum(1)).log()
    return torch.cat([y[..., [0, 2, 3]].flatten(1), relative, invariant[:, None]], dim=1).numpy()


def run(name, network, events, test, steps, seed):
    """Train, draw, judge and print."""
    mean, scale = events.mean(0), events.std(0)
    scale[:, 1] = 1.0

    def noise(n, generator):
        start = mean + scale * torch.randn(n, *mean.shape, generator=generator)
        start[..., 1] = (torch.rand(n, len(mean), generator=generator) * 2 - 1) * math.pi
        return start

    def loss(network, stop):
        generator = None if network.training else torch.Generator().manual_seed(seed)
        t = (torch.rand(1, generator=generator) + torch.arange(len(stop)) / len(stop)) % 1
        return covariant_loss(network, noise(len(stop), generator), stop, t, scale)

    cut = int(0.9 * len(events))
    start = time.process_time()
    epochs = max(1, round(steps * 256 / cut))
    history = fit(network, loss, (events[:cut],), (events[cut:],), epochs=epochs, learning_rate=2e-3, seed=seed,
                  batch_size=256, gradient_clip=10.0, progress=False)  # fmt: skip
    seconds = time.process_time() - start
    with torch.no_grad():
        velocity = lambda flat, t: (network(flat.reshape(-1, *mean.shape), t) * scale).flatten(1)  # noqa: E731
        drawn = noise(len(test), torch.Generator().manual_seed(seed + 1)).flatten(1)
        found = integrate(velocity, drawn, steps=20).reshape(-1, *mean.shape)
        turned = test[:1000] + torch.tensor([0.0, 1.0, 0.0, 0.0])
        t = torch.linspace(0, 1, 1000)
        change = (network(turned, t) - network(test[:1000], t)).abs().mean() / network(test[:1000], t).abs().mean()
    judged = classifier_two_sample_test(observables(test), observables(found), seed=seed)
    size = sum(parameter.numel() for parameter in network.parameters())
    report = f"{name:11s} {size:7d} parameters {cut:6d} events  loss {min(history.validation_loss):.4f}  "
    report += f"AUC {judged.auc:.3f} +- {judged.error:.3f}  change under a turn {change:.1e}  {seconds:4.0f} s"
    print(report, flush=True)


def main():
    """Both networks on two sizes of training sample."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, nargs="+", default=[2000, 100000])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    set_threads()
    train, test = particles("train").float(), particles("test").float()
    for size in chosen.events:
        for name, network in (("perceptron", Perceptron), ("covariant", CovariantVelocity)):
            torch.manual_seed(chosen.seed)
            run(name, network(3), train[:size], test, chosen.steps, chosen.seed)


if __name__ == "__main__":
    main()
