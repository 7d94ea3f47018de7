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


def main(rounds=5, epochs=1):
    torch.set_num_threads(1)
    x = torch.randn(N, FEATURES)
    y = x[:, :1].sin()
    times = {"hepml_labs.training.fit": [], "DataLoader + TensorDataset": []}
    ours(x[:1024], y[:1024], 1)  # the first call loads libraries
    for _ in range(rounds):  # alternate, so that other load on the machine hits both alike
        for name, train in (
            ("hepml_labs.training.fit", ours),
            ("DataLoader + TensorDataset", with_data_loader),
        ):
            start = time.process_time()
            train(x, y, epochs)
            times[name].append((time.process_time() - start) / (epochs * N // BATCH))
    best = {name: min(values) for name, values in times.items()}
    for name, value in best.items():
        print(f"{name:30s} {1e6 * value:8.0f} us per step (best of {rounds}, CPU time)")
    print(f"ratio {best['DataLoader + TensorDataset'] / best['hepml_labs.training.fit']:.1f}")


if __name__ == "__main__":
    main()
