"""The training loop: against a loop written by hand, through a kill, over two processes, and on bad input."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from hepml_labs.training import fit, predict

torch.set_num_threads(1)


def mse(model, x, y):
    return ((model(x) - y) ** 2).mean()


def make_data(n=512, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    return x, torch.sin(x.sum(1, keepdim=True))


def make_net(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 16), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(16, 1)
    )


def test_same_as_a_loop_written_by_hand():
    x, y = make_data()
    net, twin = make_net(), make_net()
    fit(net, mse, (x, y), epochs=2, batch_size=128, schedule=None, progress=False, seed=3)

    optimizer = torch.optim.AdamW(twin.parameters(), lr=1e-3, weight_decay=0.0)
    for epoch in range(2):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(1_000_003 * 3 + epoch))
        for index in order.split(128):
            optimizer.zero_grad()
            mse(twin, x[index], y[index]).backward()
            optimizer.step()
    for ours, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_two_runs_agree_and_leave_the_random_state_alone():
    before = torch.get_rng_state()
    losses = []
    for _ in range(2):
        torch.set_rng_state(before)
        net = make_net(dropout=0.2)
        state = torch.get_rng_state()
        losses.append(fit(net, mse, make_data(), epochs=3, progress=False).train_loss)
        assert torch.equal(state, torch.get_rng_state())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", None])
def test_schedule(schedule):
    history = fit(make_net(), mse, make_data(), epochs=10, schedule=schedule, learning_rate=0.01, progress=False)
    last = {"cosine": 0.01 * 0.5, "one-cycle": 0.01 * 0.5, None: 0.01}[schedule]
    assert history.learning_rate[-1] <= last
    assert max(history.learning_rate) <= 0.01
    assert history.steps == 20


def test_best_weights_are_restored_and_training_stops_early():
    x, y = make_data(64)
    noise = torch.randn(64, 1, generator=torch.Generator().manual_seed(5))
    train, validation = (x[:32], y[:32] + 3 * noise[:32]), (x[32:], y[32:])
    net = make_net()
    options = {"epochs": 400, "batch_size": 32, "learning_rate": 0.05, "patience": 20, "progress": False}
    history = fit(net, mse, train, validation, **options)
    assert len(history.train_loss) < 400
    assert len(history.validation_loss) == history.best_epoch + 1 + 20
    restored = mse(net, *validation).item()
    assert restored == pytest.approx(min(history.validation_loss), rel=1e-6)


def test_mean_over_validation_batches_is_the_mean_over_samples():
    x, y = make_data(9000)
    history = fit(make_net(), mse, (x[:100], y[:100]), (x, y), epochs=1, batch_size=50, progress=False)
    net = make_net()
    fit(net, mse, (x[:100], y[:100]), epochs=1, batch_size=50, progress=False)
    assert history.validation_loss[0] == pytest.approx(mse(net, x, y).item(), rel=1e-5)


def test_gradient_clip_limits_the_step():
    x, y = make_data()
    net, start = make_net(), make_net()
    sgd = lambda parameters: torch.optim.SGD(parameters, lr=1.0)  # noqa: E731
    options = {"optimizer": sgd, "schedule": None, "batch_size": 512, "progress": False}
    fit(net, mse, (x, 1e4 * y), epochs=1, gradient_clip=0.1, **options)
    moved = sum(((a - b) ** 2).sum() for a, b in zip(net.parameters(), start.parameters(), strict=True)) ** 0.5
    assert moved.item() == pytest.approx(0.1, rel=1e-3)


def test_smoke_scale_stops_after_three_steps(monkeypatch):
    monkeypatch.setenv("HEPML_SCALE", "smoke")
    history = fit(make_net(), mse, make_data(), make_data(64, 1), epochs=50, batch_size=8, progress=False)
    assert history.steps == 3


RESUMABLE = """
import sys, time, torch
sys.path.insert(0, {folder!r})
from test_training import fit, make_data, make_net, mse
def slow(model, x, y):
    time.sleep({pause})
    return mse(model, x, y)
history = fit(make_net(dropout=0.1), slow, make_data(), make_data(64, 1), epochs=12, batch_size=128,
              checkpoint={path!r}, progress=False)
print(history.train_loss[-1], history.validation_loss[-1], history.best_epoch)
"""


def test_a_killed_training_resumes_to_the_same_loss(tmp_path):
    """SIGKILL at a random moment, twice; then the end must be that of the unbroken training."""
    folder = os.path.dirname(__file__)

    def start(path, pause):
        script = RESUMABLE.format(folder=folder, path=str(tmp_path / path), pause=pause)
        return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)

    unbroken = start("unbroken.safetensors", 0).communicate()[0]
    broken = tmp_path / "broken.safetensors"
    for _ in range(2):
        size = broken.stat().st_mtime_ns if broken.exists() else None
        process = start(broken.name, 0.05)
        while not broken.exists() or broken.stat().st_mtime_ns == size:
            assert process.poll() is None, "ended before it could be killed"
            time.sleep(0.01)
        time.sleep(float(torch.rand(1)) * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.returncode == -signal.SIGKILL
    assert start(broken.name, 0).communicate()[0] == unbroken != ""
    assert not list(tmp_path.glob("*.partial"))


def test_a_foreign_checkpoint_is_named(tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"run\.safetensors is not a checkpoint"):
        fit(make_net(), mse, make_data(), epochs=1, checkpoint=path, progress=False)


TWO_PROCESSES = """
import sys
sys.path.insert(0, {folder!r})
from lightning_fabric import Fabric
from test_training import fit, make_data, make_net, mse
fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp")
fabric.launch()
history = fit(make_net(), mse, make_data(), make_data(64, 1), epochs=3, batch_size=128, fabric=fabric)
if fabric.global_rank == 0:
    print("LOSS", history.train_loss[-1], history.validation_loss[-1])
"""


def test_two_processes_give_the_loss_of_one(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES.format(folder=os.path.dirname(__file__)))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, env=environment)
    assert run.returncode == 0, run.stderr
    found = [float(word) for word in run.stdout.split("LOSS")[1].split()[:2]]
    one = fit(make_net(), mse, make_data(), make_data(64, 1), epochs=3, batch_size=128, progress=False)
    assert found == pytest.approx([one.train_loss[-1], one.validation_loss[-1]], rel=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_trains_on_the_gpu_when_there_is_one():
    net = make_net()
    fit(net, mse, make_data(), epochs=2, progress=False)
    assert next(net.parameters()).is_cuda
    assert predict(net, make_data()[0]).device.type == "cpu"


X, Y = make_data(16)
BAD = {
    "not a tuple": (X, "train: found Tensor, expected a non-empty tuple"),
    "empty tuple": ((), "train: found tuple, expected a non-empty tuple"),
    "array": ((X.numpy(), Y), r"train\[0\]: found ndarray, expected a torch.Tensor"),
    "lengths": ((X, Y[:3]), r"train: found shapes \[\(16, 3\), \(3, 1\)\]"),
    "no samples": ((X[:0], Y[:0]), "expected one equal first dimension above zero"),
    "nan": ((X, Y * float("nan")), r"train\[1\]: 16 of 16 values are NaN or infinite"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_training_sets_are_named(name):
    tensors, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        fit(make_net(), mse, tensors, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": 1, "validation_batch_size": 0}, "validation_batch_size"),
        ({"epochs": 1, "schedule": "cosin"}, "schedule: found 'cosin'"),
        ({"epochs": 1, "patience": 3}, "patience: early stopping needs a validation set"),
        ({"epochs": 1, "validation": (X[:0], Y[:0])}, "validation: found shapes"),
    ],
)
def test_bad_options_are_named(option, message):
    with pytest.raises(ValueError, match=message):
        fit(make_net(), mse, (X, Y), **option, progress=False)


def test_divergence_is_an_error():
    sgd = lambda parameters: torch.optim.SGD(parameters, lr=1e6)  # noqa: E731
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        fit(make_net(), mse, make_data(), epochs=50, optimizer=sgd, schedule=None, progress=False)


def test_predict_is_the_model_in_evaluation_mode():
    x, _ = make_data(1000)
    net = make_net(dropout=0.5).train()
    found = predict(net, x, batch_size=77)
    assert net.training
    torch.testing.assert_close(found, net.eval()(x))
    with pytest.raises(ValueError, match=r"inputs\[0\]: 3000 of 3000"):
        predict(net, x * float("inf"))
