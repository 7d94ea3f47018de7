"""Loop integrals on deformed contours: closed forms, Cauchy, the Jacobian, the sign of the i0, and the training."""

import numpy as np
import pytest
import torch

from hepml_labs.flows.contours import Contour, complex_mean, contour_loss, deform, train_contour
from hepml_labs.flows.one_loop import OneLoop, box, box_exact, bubble, bubble_exact, triangle, triangle_exact

CASES = {
    "bubble": (bubble(9.0, 1.0), bubble_exact(9.0, 1.0), 60),
    "bubble, heavier": (bubble(50.0, 2.0), bubble_exact(50.0, 2.0), 60),
    "triangle": (triangle(9.0, 1.0), triangle_exact(9.0, 1.0), 60),
    "triangle, two scales": (triangle(20.0, 1.0, 6.0), triangle_exact(20.0, 1.0, 6.0), 80),
    "triangle, one leg below threshold": (triangle(20.0, 1.0, 2.0), triangle_exact(20.0, 1.0, 2.0), 80),
    "triangle, one leg space-like": (triangle(20.0, 1.0, -6.0), triangle_exact(20.0, 1.0, -6.0), 80),
    "box": (box(9.0, -3.0, 1.0), box_exact(9.0, -3.0, 1.0), 32),
}


def quadrature(contour, nodes):
    """Gauss-Legendre in each variable: exact to many digits, as the deformed integrand is analytic."""
    node, weight = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(nodes))
    features = contour.integral.features
    grid = torch.cartesian_prod(*[(node + 1) / 2] * features).reshape(-1, features)
    weights = torch.cartesian_prod(*[weight / 2] * features).reshape(-1, features).prod(1)
    with torch.no_grad():
        value, polynomial = contour.at(grid)
    return (value * weights).sum().item(), polynomial


@pytest.mark.parametrize("name", CASES)
def test_closed_forms_on_two_contours(name):
    integral, exact, nodes = CASES[name]
    for scale in (0.25, 0.4):
        value, polynomial = quadrature(Contour(integral, scale), nodes)
        assert abs(value - exact) < (1e-5 if name == "box" else 1e-8) * abs(exact)
        assert (polynomial.imag <= 1e-9).all()


@pytest.mark.parametrize(("s", "virtuality"), [(3.0, 0.0), (-5.0, 0.0), (-5.0, 2.0)])
def test_below_threshold_nothing_needs_a_contour(s, virtuality):
    value, _ = quadrature(Contour(triangle(s, 1.0, virtuality), 1e-12), 60)
    assert value == pytest.approx(triangle_exact(s, 1.0, virtuality), rel=1e-9)
    euclidean, _ = quadrature(Contour(box(-2.0, -3.0, 1.0), 1e-12), 24)
    assert euclidean == pytest.approx(box_exact(-2.0, -3.0, 1.0), rel=1e-6)


def test_simplex_and_polynomial():
    cayley = torch.tensor([[2.0, 1.0, -3.0], [1.0, 4.0, 0.5], [-3.0, 0.5, 6.0]], dtype=torch.float64)
    integral = OneLoop(cayley)
    x = torch.rand(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    simplex, jacobian = integral.simplex(x)
    torch.testing.assert_close(simplex.sum(1), torch.ones(30, dtype=torch.float64))
    torch.testing.assert_close(jacobian, 1 - x[:, 0])
    torch.testing.assert_close(integral.polynomial(x), 0.5 * torch.einsum("ni,ij,nj->n", simplex, cayley, simplex))


def test_jacobian_of_the_contour_is_its_derivative():
    integral, _, _ = CASES["triangle, two scales"]
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scale = torch.tensor([0.2, 0.3], dtype=torch.float64)
    _, determinant = deform(integral, x, scale)
    parts = [
        torch.autograd.functional.jacobian(lambda x, p=part: getattr(deform(integral, x, scale)[0], p).sum(0), x)
        for part in ("real", "imag")
    ]
    expected = torch.linalg.det(torch.complex(*parts).movedim(1, 0))
    torch.testing.assert_close(determinant, expected)
    edges = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(deform(integral, edges, scale)[0].imag, torch.zeros_like(edges))


def test_wrong_side_is_the_complex_conjugate_and_the_loss_sees_it():
    integral, exact, nodes = CASES["triangle"]
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = torch.tensor([0.2, 0.3], dtype=torch.float64)
    (z, determinant), (right, right_determinant) = deform(integral, x, -scale), deform(integral, x, scale)
    torch.testing.assert_close(
        integral.integrand(z) * determinant, (integral.integrand(right) * right_determinant).conj()
    )
    weight = torch.ones(50, dtype=torch.complex128)
    assert contour_loss(weight, integral.polynomial(z)) > 1 > contour_loss(weight, integral.polynomial(right)) == 0
    assert quadrature(Contour(integral, 0.3), nodes)[0] == pytest.approx(exact)


def test_too_far_is_wrong_and_the_sign_says_so():
    integral, exact, _ = CASES["triangle, two scales"]
    with torch.no_grad():
        weight, polynomial = Contour(integral, 4.0)(60_000, 1)
    estimate = complex_mean(weight)
    assert (polynomial.imag > 0).double().mean() > 0.05
    assert abs((estimate.value - exact).real) > 4 * estimate.error.real


def test_training_lowers_the_variance_and_keeps_the_mean():
    integral, exact, _ = CASES["triangle, two scales"]
    contour = Contour.with_flow(integral, hidden=(16,), layers=2)
    with torch.no_grad():
        before = complex_mean(contour(10_000, 1)[0])
        torch.testing.assert_close(Contour(integral)(100, 3)[0], contour(100, 3)[0])  # the flow starts uniform
    losses = train_contour(contour, steps=60, batch_size=256, learning_rate=0.03)
    assert losses == train_contour(Contour.with_flow(integral, hidden=(16,), layers=2), 60, 256, 0.03)
    with torch.no_grad():
        weight, polynomial = contour(20_000, 1)
    after = complex_mean(weight)
    assert after.spread < 0.55 * before.spread and (polynomial.imag > 0).double().mean() < 1e-3
    pulls = (after.value - exact).real / after.error.real, (after.value - exact).imag / after.error.imag
    assert max(np.abs(pulls)) < 4.5
    # the bound of the phases: no density of points can do better
    assert after.spread * abs(exact) > 0.97 * np.sqrt(weight.abs().mean().item() ** 2 - abs(exact) ** 2)


def test_complex_mean_against_numpy_and_bad_input():
    weight = torch.randn(50, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    value, error, spread = complex_mean(weight)
    array = weight.numpy()
    assert value == pytest.approx(array.mean())
    assert error == pytest.approx(complex(array.real.std(ddof=1), array.imag.std(ddof=1)) / np.sqrt(50))
    assert spread == pytest.approx(np.sqrt(np.var(array, ddof=1)) / abs(array.mean()))
    with pytest.raises(ValueError, match="dimension: found"):
        OneLoop(torch.eye(2), dimension=4)
    with pytest.raises(ValueError, match="cayley: found"):
        OneLoop(torch.ones(2, 3))
    with pytest.raises(ValueError, match="x: found"):
        deform(box(9.0, -3.0, 1.0), torch.rand(5, 2), torch.ones(3))
    with pytest.raises(ValueError, match="steps: found"):
        train_contour(Contour(bubble(9.0, 1.0)), steps=0)
    with pytest.raises(ValueError, match="n: found"):
        Contour(bubble(9.0, 1.0))(0)
