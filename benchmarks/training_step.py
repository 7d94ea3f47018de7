"""Time an optimisation step of a small network: our loop on in-memory tensors beside a DataLoader, in one run.

Run with ``python benchmarks/training_step.py``. The network is a 3 x 64 MLP at batch size 256, one thread.
"""

import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from hepml_labs.nn import MLP
from hepml_labs.training import fit

N, FEATURES, BATCH = 51_200, 8, 256


def mse(model, x, y):
    return ((model(x) - y) ** 2).mean()


def ours(x, y, epochs):
    fit(MLP(FEATURES, 1, (64, 64, 64)), mse, (x, y), epochs=epochs, batch_size=BATCH, progress=False)


def with_data_loader(x, y, epochs):
    model = MLP(FEATURES, 1, (64, 64, 64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            mse(model, *batch).backward()
            optimizer.step()


def bare_step(x, y, epochs):
    """The arithmetic alone: the same batch again and again."""
    model = MLP(FEATURES, 1, (64, 64, 64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    batch = x[:BATCH], y[:BATCH]
    for _ in range(epochs * N // BATCH):
        optimizer.zero_grad()
        mse(model, *batch).backward()
        optimizer.step()


def main(rounds=5, epochs=1):
    torch.set_num_threads(1)
    x = torch.randn(N, FEATURES)
    y = x[:, :1].sin()
    ways = {
        "hepml_labs.training.fit": ours,
        "DataLoader + TensorDataset": with_data_loader,
        "bare step, no data handling": bare_step,
    }
    times = {name: [] for name in ways}
    ours(x[:1024], y[:1024], 1)  # the first call loads libraries
    for _ in range(rounds):  # alternate, so that other load on the machine hits all alike
        for name, train in ways.items():
            start = time.process_time()
            train(x, y, epochs)
            times[name].append((time.process_time() - start) / (epochs * N // BATCH))
    best = {name: min(values) for name, values in times.items()}
    for name, value in best.items():
        print(f"{name:30s} {1e6 * value:8.0f} us per step (best of {rounds}, CPU time)")
    loop, loader, bare = best.values()
    print(f"whole step: ratio {loader / loop:.1f}")
    print(f"beyond the bare step: {1e6 * (loop - bare):.0f} us against {1e6 * (loader - bare):.0f} us")


if __name__ == "__main__":
    main()
