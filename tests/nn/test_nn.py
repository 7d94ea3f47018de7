import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from torch import nn

from hepml_labs.nn import MLP, DeepSets, Standardizer

MODELS = {
    "mlp": (lambda: MLP(4, 2), [(8, 4)], (8, 2)),
    "mlp, leading dimensions": (lambda: MLP(4, 2, dropout=0.1), [(8, 3, 4)], (8, 3, 2)),
    "linear": (lambda: MLP(4, 2, hidden=()), [(8, 4)], (8, 2)),
    "standardizer": (lambda: Standardizer(torch.zeros(4), torch.ones(4)), [(8, 4)], (8, 4)),
    "deep sets": (lambda: DeepSets(4, 1), [(8, 5, 4)], (8, 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_meta_device(name):
    make, shapes, expected = MODELS[name]
    with torch.device("meta"):
        assert make()(*(torch.zeros(shape) for shape in shapes)).shape == expected


def test_meta_device_of_deep_sets_with_mask_and_context():
    with torch.device("meta"):
        model = DeepSets(4, 1, context=3)
        output = model(torch.zeros(8, 5, 4), torch.ones(8, 5, dtype=torch.bool), torch.zeros(8, 3))
    assert output.shape == (8, 1)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "standardizer"])
def test_gradients_flow_to_every_parameter(name):
    torch.manual_seed(0)
    make, shapes, _ = MODELS[name]
    model = make()
    model(*(torch.randn(shape) for shape in shapes)).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


def test_mlp_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 2))
    peer = MLPRegressor(hidden_layer_sizes=(7, 5), activation="tanh", max_iter=2, random_state=0)
    with pytest.warns(UserWarning):  # two iterations do not converge, and need not
        peer.fit(x, y)
    model = MLP(3, 2, hidden=(7, 5), activation=nn.Tanh).double()
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for layer, weight, bias in zip(linear, peer.coefs_, peer.intercepts_, strict=True):
            layer.weight.copy_(torch.from_numpy(weight.T))
            layer.bias.copy_(torch.from_numpy(bias))
    np.testing.assert_allclose(model(torch.from_numpy(x)).detach().numpy(), peer.predict(x), rtol=1e-12)


def test_dropout_only_in_training():
    torch.manual_seed(0)
    model, x = MLP(4, 2, dropout=0.5), torch.randn(8, 4)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_standardizer_agrees_with_scikit_learn(dtype):
    x = torch.from_numpy(np.random.default_rng(0).gamma(2.0, 50.0, size=(1000, 3))).to(dtype)
    x[:, 1] = 6500.0  # the energy of a beam
    scaler, peer = Standardizer.fit(x), StandardScaler().fit(x.numpy())
    assert scaler(x).dtype == dtype
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    np.testing.assert_allclose(scaler(x).numpy(), peer.transform(x.numpy()), rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(scaler.inverse(scaler(x)), x)


def test_standardizer_of_momenta_that_barely_vary():
    x = torch.full((100_000, 3), 6500.1)  # not exact in float32: rounding must not become a width
    x[::2, 1] = torch.nextafter(x[0, 1], torch.tensor(torch.inf))
    x[::2, 2] += 0.1
    scale = Standardizer.fit(x).scale
    assert scale[:2].tolist() == [1.0, 1.0]
    assert scale[2].item() == pytest.approx(0.05, rel=0.01)


def test_standardizer_log_abs_det_against_autograd():
    x = torch.randn(100, 3, dtype=torch.float64) * torch.tensor([0.1, 5.0, 300.0])
    scaler = Standardizer.fit(x)
    jacobian = torch.autograd.functional.jacobian(scaler, x[0])
    torch.testing.assert_close(scaler.log_abs_det(), torch.linalg.slogdet(jacobian).logabsdet)


def test_standardizer_is_saved_with_the_weights_and_not_trained():
    scaler = Standardizer.fit(torch.randn(10, 2))
    assert list(scaler.parameters()) == [] and set(scaler.state_dict()) == {"mean", "scale"}


def test_deep_sets_ignores_order_and_padding():
    torch.manual_seed(0)
    model, particles, context = DeepSets(4, 2, context=1).double(), torch.randn(3, 6, 4).double(), torch.ones(3, 1)
    context = context.double()
    expected = model(particles, context=context)
    torch.testing.assert_close(model(particles[:, torch.randperm(6)], context=context), expected)
    padded = torch.cat([particles, torch.full((3, 2, 4), torch.nan).double()], dim=1)
    mask = torch.arange(8).expand(3, 8) < 6
    output = model(padded, mask, context)
    torch.testing.assert_close(output, expected)
    output.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
    assert not torch.allclose(model(padded.nan_to_num(), context=context), expected)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: MLP(0, 1), "inputs"),
        (lambda: MLP(3, 1.5), "outputs"),
        (lambda: MLP(3, 1, hidden=(8, 0)), "hidden"),
        (lambda: MLP(3, 1, dropout=1.0), "dropout"),
        (lambda: MLP(3, 1)(torch.zeros(5, 4)), "x"),
        (lambda: MLP(3, 1)(torch.zeros(0, 3)), "x"),
        (lambda: MLP(3, 1)(torch.zeros(5, 3, dtype=torch.int64)), "x"),
        (lambda: MLP(3, 1)([1.0, 2.0, 3.0]), "x"),
        (lambda: Standardizer.fit(torch.tensor([[1.0], [torch.nan]])), "x"),
        (lambda: Standardizer.fit(torch.zeros(0, 3)), "x"),
        (lambda: Standardizer.fit(torch.ones(3, dtype=torch.int64)), "x"),
        (lambda: Standardizer.fit(np.ones((3, 2))), "x"),
        (lambda: Standardizer.fit(torch.tensor(1.0)), "x"),
        (lambda: Standardizer(torch.zeros(2), torch.zeros(2)), "scale"),
        (lambda: Standardizer(torch.zeros(2), torch.ones(3)), "scale"),
        (lambda: Standardizer(torch.tensor([torch.nan]), torch.ones(1)), "mean"),
        (lambda: Standardizer(torch.zeros(2), torch.ones(2))(torch.zeros(5, 3)), "x"),
        (lambda: Standardizer(torch.zeros(2), torch.ones(2)).inverse(torch.zeros(5, 3)), "z"),
        (lambda: DeepSets(4, 1, latent=0), "latent"),
        (lambda: DeepSets(4, 1, context=-1), "context"),
        (lambda: DeepSets(4, 1)(torch.zeros(5, 4)), "particles"),
        (lambda: DeepSets(4, 1)(torch.zeros(5, 3, 4), torch.ones(5, 2, dtype=torch.bool)), "mask"),
        (lambda: DeepSets(4, 1)(torch.zeros(5, 3, 4), torch.ones(5, 3)), "mask"),
        (lambda: DeepSets(4, 1)(torch.zeros(5, 3, 4), torch.zeros(5, 3, dtype=torch.bool)), "mask"),
        (lambda: DeepSets(4, 1)(torch.zeros(5, 3, 4), context=torch.zeros(5, 1)), "context"),
        (lambda: DeepSets(4, 1, context=2)(torch.zeros(5, 3, 4)), "context"),
        (lambda: DeepSets(4, 1, context=2)(torch.zeros(5, 3, 4), context=torch.zeros(4, 2)), "context"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}: "):
        call()
