import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Peer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hepml_labs.classification.network import NetworkClassifier
from hepml_labs.classification.resonance import Resonance
from hepml_labs.classification.two_densities import Gaussians

DIFFERENT = {
    "check_sample_weight_equivalence_on_dense_data": "a weight of two and an event twice make the same loss, but "
    "different batches and another validation set",
}
SMALL = dict(hidden=(8,), epochs=30, batch_size=64, learning_rate=3e-2)


@parametrize_with_checks([NetworkClassifier(**SMALL)], expected_failed_checks=lambda _: DIFFERENT)
def test_estimator_checks(estimator, check):
    check(estimator)


def plain_torch(X, y, seed, epochs=20, batch_size=512, learning_rate=1e-2):
    """Train the same network, written out by hand, with nothing of this package."""
    torch.manual_seed(seed)
    x, t = torch.tensor(X), torch.tensor(y, dtype=torch.float64)
    mean, std = x.mean(0), x.std(0)
    shuffled = torch.randperm(len(x))
    held, kept = shuffled[: len(x) // 10], shuffled[len(x) // 10 :]
    x = (x - mean) / std
    linear, silu = torch.nn.Linear, torch.nn.SiLU
    network = torch.nn.Sequential(linear(x.shape[1], 64), silu(), linear(64, 64), silu(), linear(64, 1)).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    batches = len(kept) // batch_size
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    loss, best = torch.nn.BCEWithLogitsLoss(), (np.inf, None)
    for _ in range(epochs):
        order = kept[torch.randperm(len(kept))]
        for batch in order[: batches * batch_size].split(batch_size):
            optimizer.zero_grad()
            loss(network(x[batch])[:, 0], t[batch]).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            value = loss(network(x[held])[:, 0], t[held]).item()
        if value < best[0]:
            best = value, {name: weight.clone() for name, weight in network.state_dict().items()}
    network.load_state_dict(best[1])
    with torch.no_grad():
        return lambda points: network((torch.tensor(points) - mean) / std)[:, 0].detach().numpy()


def scikit_learn(X, y, seed, learning_rate=3e-3):
    """Train a network of the same size for as many steps, at the best of its rates 1e-3, 3e-3, 1e-2 and 2e-2."""
    options = dict(max_iter=20, batch_size=512, early_stopping=True, n_iter_no_change=20, random_state=seed)
    peer = make_pipeline(StandardScaler(), MLPClassifier((64, 64), learning_rate_init=learning_rate, **options))
    peer.fit(X, y)
    return lambda points: np.diff(np.log(peer.predict_proba(points)), axis=1)[:, 0]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_the_ratio_is_as_good_as_that_of_peers():
    """Mean squared error of log r on the resonance, each at its best learning rate, over the same three samples."""
    problem = Resonance(3)
    X_test, _ = problem.sample(30_000, seed=999)
    truth = problem.log_ratio(X_test)
    errors = []
    for seed in range(3):
        X, y = problem.sample(20_000, seed)
        ours = NetworkClassifier(learning_rate=1e-2, seed=seed).fit(X, y).decision_function
        functions = ours, plain_torch(X, y, seed), scikit_learn(X, y, seed)
        errors.append([np.mean((function(X_test) - truth) ** 2) for function in functions])
    ours, by_hand, peer = np.mean(errors, axis=0)
    spread = np.std(errors, axis=0, ddof=1) / np.sqrt(3)
    print(f"mean squared error of log r: ours {ours:.4f}, torch {by_hand:.4f}, scikit-learn {peer:.4f}, +- {spread}")
    assert ours < 0.045
    assert ours < 1.1 * min(by_hand, peer) + 2 * np.hypot(spread[0], spread[1])


def test_linear_network_is_logistic_regression():
    X, y = Gaussians.correlated(3, distance=1.5).sample(5000, seed=1)
    options = dict(hidden=(), epochs=60, batch_size=500, learning_rate=0.05, validation_fraction=0.0)
    ours = NetworkClassifier(**options).fit(X, y).decision_function(X)
    np.testing.assert_allclose(ours, Peer(C=np.inf).fit(X, y).decision_function(X), atol=0.02)


def test_many_classes_give_the_ratio_of_any_two():
    means = np.array([[0.0, 0.0], [1.2, 0.0], [0.0, 1.2]])
    problem = Gaussians(means, np.eye(2))
    X, y = problem.sample(12_000, seed=1)
    network = NetworkClassifier(hidden=(16,), epochs=12, batch_size=256, learning_rate=1e-2).fit(X, y)
    points, _ = problem.sample(5000, seed=2)
    logits = network.decision_function(points)
    for a, b in ((1, 0), (2, 0), (2, 1)):
        exact = problem.log_ratio(points, a, b)
        assert np.mean((logits[:, a] - logits[:, b] - exact) ** 2) < 0.03 * exact.var()
    assert (network.predict(points) == network.predict_proba(points).argmax(1)).all()


def test_weights_change_the_class_shares_and_their_unit_does_not_matter():
    X, y = Gaussians.correlated(2, distance=1.0).sample(6000, seed=1)
    network = NetworkClassifier(hidden=(16,), epochs=10, batch_size=256, learning_rate=1e-2)
    weight = np.where(y == 1, 5.0, 1.0)
    weighted = network.fit(X, y, weight).decision_function(X)
    again = network.fit(X, y, 1e-6 * weight).decision_function(X)
    np.testing.assert_allclose(again, weighted, atol=1e-6)
    shift = (weighted - network.fit(X, y).decision_function(X)).mean()
    assert shift == pytest.approx(np.log(5), abs=0.1)


def test_negative_weights_subtract_events():
    """Signal at +1 and -1, where the second is subtracted again by events of negative weight."""
    random = np.random.default_rng(0)
    centers = np.repeat([0.0, 1.0, -1.0, -1.0], 5000)  # background, signal, signal, subtracted
    X, y = (centers + 0.5 * random.normal(size=20_000))[:, None], (np.arange(20_000) >= 5000).astype(int)
    weight = np.repeat([1.0, 1.0, 0.5, -0.5], 5000)
    network = NetworkClassifier(hidden=(16,), epochs=10, batch_size=512, learning_rate=1e-2).fit(X, y, weight)
    points = np.linspace(0, 1.5, 7)[:, None]
    exact = ((points[:, 0]) ** 2 - (points[:, 0] - 1) ** 2) / (2 * 0.25)
    np.testing.assert_allclose(network.decision_function(points), exact, atol=0.6)


def test_types_seeds_and_global_state():
    X, y = Gaussians.correlated(2).sample(500, seed=1)
    state = torch.get_rng_state()
    first = NetworkClassifier(**SMALL).fit(X, y).decision_function(X)
    assert (torch.get_rng_state() == state).all()
    assert (first == NetworkClassifier(**SMALL).fit(X, y).decision_function(X)).all()
    assert (first != NetworkClassifier(**SMALL, seed=1).fit(X, y).decision_function(X)).any()
    for kind in (np.float32, np.float64):
        network = NetworkClassifier(**SMALL).fit(X.astype(kind), y)
        assert network.decision_function(X.astype(kind)).dtype == network.predict_proba(X.astype(kind)).dtype == kind
        assert next(network.network_.parameters()).dtype == torch.from_numpy(X.astype(kind)).dtype


@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array(["b", "c", "light"])])
def test_saving(tmp_path, labels):
    X = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    y = labels[np.arange(300) % len(labels)]
    network = NetworkClassifier(**SMALL, seed=3).fit(X, y)
    network.save(tmp_path / "network.safetensors")
    loaded = NetworkClassifier.load(tmp_path / "network.safetensors")
    assert loaded.get_params() == network.get_params()
    assert (loaded.decision_function(X) == network.decision_function(X)).all()
    assert (loaded.predict(X) == network.predict(X)).all()
    with pytest.raises(ValueError, match="3 features"):
        loaded.predict(np.zeros((1, 3), dtype=np.float32))


def test_smoke_scale(monkeypatch):
    monkeypatch.setenv("HEPML_SCALE", "smoke")
    X, y = Gaussians.correlated(2).sample(5000, seed=1)
    network = NetworkClassifier().fit(X, y)
    assert network.history_.steps == 3 and np.isfinite(network.predict_proba(X)).all()


def test_bad_input():
    X, y = Gaussians.correlated(2).sample(100, seed=1)
    for broken, argument in (
        (lambda: NetworkClassifier(validation_fraction=1.0).fit(X, y), "validation_fraction"),
        (lambda: NetworkClassifier(epochs=0).fit(X, y), "epochs"),
        (lambda: NetworkClassifier(hidden=(0,)).fit(X, y), "hidden"),
        (lambda: NetworkClassifier(seed=-1).fit(X, y), "seed"),
        (lambda: NetworkClassifier().fit(X, np.zeros(100)), "y"),
        (lambda: NetworkClassifier().fit(X, y, np.where(y == 1, -1.0, 1.0)), "sample_weight"),
    ):
        with pytest.raises(ValueError, match=rf"^{argument}: "):
            broken()
