"""Networks for gg to 4 gluons at equal training time, L-GATr-slim of the package lgatr among them.

Run with ``python benchmarks/amplitude_regression.py --seconds 60`` (``pip install lgatr`` for L-GATr-slim).
Each network gets the same training time, CPU time of one thread, or wall-clock time on a GPU; the number of epochs
follows from the time of a step, measured first. Prints a line for each network; asserts nothing.
"""

import argparse
import time

import torch
from torch import nn

from hepml_labs.datasets import load
from hepml_labs.evaluation import mean_squared_error
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.regression.amplitudes import InvariantSets, canonical_order, log_invariants, log_standardize
from hepml_labs.training import fit, predict


class Slim(nn.Module):
    """L-GATr-slim on the six momenta: scalars out of Lorentz vectors, averaged over the gluons."""

    def __init__(self, blocks=4, vectors=8, scalars=32):
        super().__init__()
        from lgatr import LGATrSlim

        self.net = LGATrSlim(
            num_blocks=blocks, in_v_channels=1, out_v_channels=0, hidden_v_channels=vectors, in_s_channels=1,
            out_s_channels=1, hidden_s_channels=scalars, num_heads=4,
        )  # fmt: skip

    def forward(self, momenta):
        """Map momenta (n, 6, 4) in units of the beam energy to (n, 1)."""
        incoming = torch.zeros_like(momenta[..., :1])
        incoming[:, :2] = 1
        return self.net(momenta[:, :, None], incoming)[1].mean(1)


def outgoing(momenta):
    return momenta[:, 2:].flatten(1)


def scaled_momenta(momenta):
    return momenta / 500


def sorted_invariants(momenta):
    return log_invariants(canonical_order(momenta))


NETWORKS = {
    "raw momenta": (outgoing, lambda: MLP(16, 1, (128, 128, 128)), "each", 1e-2),
    "invariants": (log_invariants, lambda: MLP(15, 1), "each", 1e-2),
    "deep sets": (log_invariants, lambda: InvariantSets(6), "all", 2e-2),
    "sorted invariants": (sorted_invariants, lambda: MLP(15, 1), "each", 1e-2),
    "sorted invariants, 3 x 256": (sorted_invariants, lambda: MLP(15, 1, (256, 256, 256)), "each", 3e-3),
    "L-GATr-slim": (scaled_momenta, Slim, "none", 2e-3),
}


def squared_error(network, x, z):
    return ((network(x) - z) ** 2).mean()


def clock():
    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def train(network, data, epochs, learning_rate, batch_size):
    start = clock()
    history = fit(
        network, squared_error, data["train"], data["validation"], epochs=epochs, learning_rate=learning_rate,
        batch_size=batch_size, schedule="one-cycle", gradient_clip=1.0, progress=False,
    )  # fmt: skip
    return history, clock() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of each network")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--only", nargs="*", default=list(NETWORKS), help="names of networks")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    sets = {split: load("gluons_4g", split) for split in ("train", "validation", "test")}
    momenta = {split: torch.from_numpy(part["momenta"]) for split, part in sets.items()}
    amplitude = {split: torch.from_numpy(part["amplitude"]) for split, part in sets.items()}
    mean, width = amplitude["train"].log().mean().item(), amplitude["train"].log().std().item()
    z = {split: log_standardize(values, mean, width).float()[:, None] for split, values in amplitude.items()}

    print("network                     parameters   ms/step    steps  seconds  MSE of z               median |Delta|")
    for name in arguments.only:
        features, make, scaling, learning_rate = NETWORKS[name]
        x = {split: features(values).float() for split, values in momenta.items()}
        scaler = {
            "each": lambda x: Standardizer.fit(x),
            "all": lambda x: Standardizer.fit(x.flatten()),
            "none": lambda x: nn.Identity(),
        }[scaling](x["train"])
        data = {split: (x[split], z[split]) for split in x}
        few = {split: (x[split][: 20 * arguments.batch_size], z[split][: 20 * arguments.batch_size]) for split in x}
        few["validation"] = tuple(part[: arguments.batch_size] for part in few["validation"])
        torch.manual_seed(0)
        warm_up = nn.Sequential(scaler, make())
        train(warm_up, few, 1, learning_rate, arguments.batch_size)
        history, seconds = train(warm_up, few, 2, learning_rate, arguments.batch_size)
        per_epoch = seconds / history.steps * (len(z["train"]) // arguments.batch_size)
        network = nn.Sequential(scaler, make())
        epochs = max(1, round(arguments.seconds / per_epoch))
        history, seconds = train(network, data, epochs, learning_rate, arguments.batch_size)
        prediction = predict(network, x["test"])[:, 0]
        error, uncertainty = mean_squared_error(z["test"][:, 0].numpy(), prediction.numpy())
        delta = ((prediction - z["test"][:, 0]).double() * width).expm1().abs().median().item()
        size = sum(parameter.numel() for parameter in network.parameters())
        print(
            f"{name:27s} {size:10d} {1e3 * seconds / history.steps:9.2f} {history.steps:8d} {seconds:8.1f}  "
            f"{error:.2e} +- {uncertainty:.1e}   {delta:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
