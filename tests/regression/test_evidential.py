import numpy as np
import pytest
import torch
from scipy import integrate, stats

from hepml_labs.regression.evidential import EvidentialMLP, evidential_loss, evidential_split, student_t_nll


def _parameters(seed=1, n=6):
    rng = np.random.default_rng(seed)
    gamma, target = rng.normal(size=(2, n))
    nu, alpha, beta = rng.uniform(0.2, 3, n), rng.uniform(1.1, 5, n), rng.uniform(0.1, 2, n)
    return gamma, nu, alpha, beta, target


def test_nll_is_the_student_t_of_scipy():
    gamma, nu, alpha, beta, target = _parameters()
    expected = -stats.t.logpdf(target, df=2 * alpha, loc=gamma, scale=np.sqrt(beta * (1 + nu) / (nu * alpha)))
    found = student_t_nll(*(torch.from_numpy(v) for v in (gamma, nu, alpha, beta, target)))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_student_t_is_the_gaussian_with_mean_and_variance_integrated_out():
    gamma, nu, alpha, beta, target = (v[0] for v in _parameters(seed=2))

    def integrand(log_variance):  # the mean is integrated out by hand: its Gaussian adds variance / nu
        variance = np.exp(log_variance)
        given = stats.norm.pdf(target, gamma, np.sqrt(variance * (1 + 1 / nu)))
        return given * stats.invgamma.pdf(variance, alpha, scale=beta) * variance

    density, _ = integrate.quad(integrand, -15, 15, limit=200)
    found = student_t_nll(*(torch.tensor(v) for v in (gamma, nu, alpha, beta, target)))
    assert found.exp().item() == pytest.approx(1 / density, rel=1e-6)


def test_split_is_the_moments_of_drawn_gaussians():
    nu, alpha, beta = 2.0, 6.0, 3.0
    rng = np.random.default_rng(3)
    variance = stats.invgamma.rvs(alpha, scale=beta, size=400_000, random_state=rng)
    mean = rng.normal(0, np.sqrt(variance / nu))
    sigma_syst, sigma_stat = evidential_split(*(torch.tensor(v) for v in (nu, alpha, beta)))
    assert sigma_syst.item() == pytest.approx(np.sqrt(variance.mean()), rel=0.01)
    assert sigma_stat.item() == pytest.approx(mean.std(), rel=0.01)
    total = stats.t.std(df=2 * alpha, scale=np.sqrt(beta * (1 + nu) / (nu * alpha)))
    assert (sigma_syst**2 + sigma_stat**2).sqrt().item() == pytest.approx(total, rel=1e-6)


def test_the_likelihood_cannot_tell_the_split():
    """Changing nu at constant beta (1 + nu) / nu leaves every likelihood alone and moves the split (2205.10060)."""
    gamma, nu, alpha, beta, target = (torch.from_numpy(v) for v in _parameters(seed=4))
    other = 5 * nu
    other_beta = beta * (1 + nu) / nu * other / (1 + other)
    torch.testing.assert_close(
        student_t_nll(gamma, nu, alpha, beta, target), student_t_nll(gamma, other, alpha, other_beta, target)
    )
    one, two = evidential_split(nu, alpha, beta), evidential_split(other, alpha, other_beta)
    torch.testing.assert_close(one[0] ** 2 + one[1] ** 2, two[0] ** 2 + two[1] ** 2)
    assert (two[1] / two[0] < 0.5 * one[1] / one[0]).all()


def test_loss_adds_the_evidence_of_wrong_predictions():
    torch.manual_seed(5)
    model, x, target = EvidentialMLP(3, hidden=(8,)), torch.randn(9, 3), torch.randn(9)
    gamma, nu, alpha, beta = model(x).unbind(-1)
    likelihood = student_t_nll(gamma, nu, alpha, beta, target).mean()
    penalty = ((target - gamma).abs() * (2 * nu + alpha)).mean()
    torch.testing.assert_close(evidential_loss(model, x, target, strength=0.3), likelihood + 0.3 * penalty)
    torch.testing.assert_close(evidential_loss(model, x, target, strength=0.0), likelihood)


def test_outputs_are_in_range_and_prediction_is_the_split():
    torch.manual_seed(6)
    model, x = EvidentialMLP(3, hidden=(8,)), 3 * torch.randn(50, 3)
    gamma, nu, alpha, beta = model(x).unbind(-1)
    assert (nu > 0).all() and (alpha > 1).all() and (beta > 0).all()
    mean, sigma_syst, sigma_stat = model.predict_distribution(x)
    torch.testing.assert_close(mean, gamma.detach())
    expected = evidential_split(nu, alpha, beta)
    torch.testing.assert_close(sigma_syst, expected[0].detach())
    torch.testing.assert_close(sigma_stat, expected[1].detach())


def test_gradients_reach_every_parameter_and_types_are_kept():
    model = EvidentialMLP(3, hidden=(8,)).double()
    loss = evidential_loss(model, torch.randn(9, 3).double(), torch.randn(9).double())
    loss.backward()
    assert loss.dtype == torch.float64
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_runs_on_the_meta_device():
    model = EvidentialMLP(3, hidden=(8,)).to("meta")
    x, target = torch.zeros(5, 3, device="meta"), torch.zeros(5, device="meta")
    assert evidential_loss(model, x, target).device.type == "meta"
    assert model.predict_distribution(x)[1].device.type == "meta"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("nu", lambda: evidential_split(torch.tensor(0.0), torch.tensor(2.0), torch.tensor(1.0))),
        ("alpha", lambda: evidential_split(torch.tensor(1.0), torch.tensor(1.0), torch.tensor(1.0))),
        ("beta", lambda: evidential_split(torch.tensor(1.0), torch.tensor(2.0), torch.tensor(torch.nan))),
        ("strength", lambda: evidential_loss(EvidentialMLP(2), torch.zeros(4, 2), torch.zeros(4), -1.0)),
        ("target", lambda: evidential_loss(EvidentialMLP(2), torch.zeros(4, 2), torch.zeros(4, 1))),
        ("x", lambda: EvidentialMLP(2).predict_distribution(torch.zeros(4, 3))),
        ("x", lambda: EvidentialMLP(2).predict_distribution(torch.full((4, 2), torch.inf))),
        ("inputs", lambda: EvidentialMLP(0)),
    ],
)
def test_bad_input_is_named(name, call):
    with pytest.raises(ValueError, match=name):
        call()
