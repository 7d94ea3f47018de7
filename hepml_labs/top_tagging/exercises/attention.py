"""Exercises of the lab "Attention and Lorentz symmetry"."""

import numpy as np
import torch

from hepml_labs.teaching import Exercise, Mistake
from hepml_labs.top_tagging.equivariance import boost_matrix
from hepml_labs.top_tagging.particle_transformer import pair_features

METRIC = torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64)


def masked_attention(query, key, value, mask):
    """Mean of the values, weighted by how well their keys fit each query; the padding gets no weight.

    Parameters
    ----------
    query : tensor, (rows, d)
    key, value : tensor, (particles, d)
    mask : tensor, (particles,)
        bool, True for real particles.

    Returns
    -------
    tensor, (rows, d)
        softmax(query key^T / sqrt(d)) value, over the real particles only.

    Examples
    --------
    >>> value = torch.tensor([[1.0], [3.0], [100.0]])
    >>> masked_attention(torch.zeros(1, 1), torch.zeros(3, 1), value, torch.tensor([True, True, False]))
    tensor([[2.]])
    """
    score = query @ key.T / query.shape[1] ** 0.5
    return score.masked_fill(~mask, -torch.inf).softmax(dim=1) @ value


def log_kt_and_mass(a, b):
    """Logarithms of the relative transverse momentum and of the squared mass of pairs of particles.

    Parameters
    ----------
    a, b : tensor, (pairs, 4)
        Massless four-vectors (E, px, py, pz) in GeV.

    Returns
    -------
    tensor, (pairs, 2)
        ln kT with kT = min(pT_a, pT_b) delta R, and ln m^2 with m^2 = (a + b)^2.

    Examples
    --------
    >>> a, b = torch.tensor([[5.0, 3.0, 4.0, 0.0]]), torch.tensor([[5.0, -3.0, -4.0, 0.0]])
    >>> log_kt_and_mass(a, b).exp()
    tensor([[ 15.7080, 100.0000]])
    """
    return pair_features(a, b)[..., [0, 3]]


def edge_invariants(momenta):
    """Two Lorentz invariants of all pairs of particles, compressed.

    Parameters
    ----------
    momenta : tensor, (particles, 4)
        (E, px, py, pz).

    Returns
    -------
    tensor, (particles, particles, 2)
        psi(|p_i - p_j|^2) and psi(p_i . p_j), Minkowski products, with psi(x) = sign(x) ln(|x| + 1).

    Examples
    --------
    >>> edge_invariants(torch.tensor([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, -1.0]]))[0, 1]
    tensor([-1.6094,  1.0986])
    """
    difference = momenta[:, None] - momenta[None, :]
    metric = METRIC.to(momenta)
    x = torch.stack([(difference**2 * metric).sum(-1), (momenta * metric) @ momenta.T], dim=-1)
    return x.sign() * (x.abs() + 1).log()


def lorentz_boost(direction, gamma):
    """Matrix of a boost: a particle at rest leaves along `direction` with Lorentz factor `gamma`.

    Parameters
    ----------
    direction : tensor, (3,)
        A unit vector.
    gamma : float
        Lorentz factor, above 1.

    Returns
    -------
    tensor, (4, 4)
        Acts on columns (E, px, py, pz).

    Examples
    --------
    >>> lorentz_boost(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), 1.25)[:, 0]
    tensor([1.2500, 0.0000, 0.0000, 0.7500], dtype=torch.float64)
    """
    return boost_matrix(direction, torch.tensor(gamma, dtype=direction.dtype).acosh())


def _attention_with(score=None, weigh=lambda score, mask: score.masked_fill(~mask, -torch.inf).softmax(dim=1)):
    scaled = score or (lambda query, key: query @ key.T / query.shape[1] ** 0.5)
    return lambda query, key, value, mask: weigh(scaled(query, key), mask) @ value


def _rows(rng):
    rows, particles, d = (int(rng.integers(low, low + 3)) for low in (2, 6, 9))
    mask = torch.ones(particles, dtype=torch.bool)
    mask[torch.as_tensor(rng.choice(particles, size=2, replace=False))] = False
    return *(torch.as_tensor(rng.normal(size=(n, d)) * 1.5) for n in (rows, particles, particles)), mask


def _massless(rng, n):
    pt, eta, phi = rng.uniform(1, 90, n), rng.normal(0.5, 0.4, n), rng.uniform(2.8, 3.5, n)
    return torch.as_tensor(np.stack([np.cosh(eta), np.cos(phi), np.sin(phi), np.sinh(eta)], axis=-1) * pt[:, None])


def _pairs(rng):
    return _massless(rng, 12), _massless(rng, 12)


def _coordinates(momenta):
    _, px, py, pz = momenta.unbind(-1)
    return torch.hypot(px, py), torch.asinh(pz / torch.hypot(px, py)), torch.atan2(py, px)


def _pair_with(choose=torch.minimum, wrap=True, mass=None, log=torch.log):
    def wrong(a, b):
        (pt_a, eta_a, phi_a), (pt_b, eta_b, phi_b) = _coordinates(a), _coordinates(b)
        turn = phi_a - phi_b
        turn = (turn + torch.pi) % (2 * torch.pi) - torch.pi if wrap else turn
        squared = mass(a, b) if mass else ((a + b) ** 2 * METRIC).sum(-1)
        return torch.stack([log(choose(pt_a, pt_b) * torch.hypot(eta_a - eta_b, turn)), log(squared)], dim=-1)

    return wrong


def _some_momenta(rng):
    momenta = _massless(rng, int(rng.integers(4, 7))) / 30
    # with masses, or the squares of sums and of differences would differ in their sign only
    mass = torch.as_tensor(rng.uniform(1, 5, len(momenta)))
    momenta[:, 0] = (momenta[:, 0] ** 2 + mass**2).sqrt()
    return (momenta,)


def _edges_with(metric=METRIC, psi=lambda x: x.sign() * (x.abs() + 1).log(), other=-1.0):
    def wrong(momenta):
        combined = momenta[:, None] + other * momenta[None, :]
        return psi(torch.stack([(combined**2 * metric).sum(-1), (momenta * metric) @ momenta.T], dim=-1))

    return wrong


def _boost(rng):
    direction = rng.normal(size=3)
    return torch.as_tensor(direction / np.linalg.norm(direction)), float(rng.uniform(1.5, 4))


def _boost_with(momentum=lambda g: (g**2 - 1) ** 0.5, space=lambda g, n: torch.eye(3) + (g - 1) * torch.outer(n, n)):
    def wrong(direction, gamma):
        matrix = torch.empty(4, 4, dtype=torch.float64)
        matrix[0, 0] = gamma
        matrix[0, 1:] = matrix[1:, 0] = momentum(gamma) * direction
        matrix[1:, 1:] = space(gamma, direction)
        return matrix

    return wrong


EXERCISES = [
    Exercise(
        name="top_tagging.masked_attention",
        reference=masked_attention,
        inputs=_rows,
        mistakes=(
            Mistake(
                "The padding takes part: no row may depend on what is written there.",
                _attention_with(weigh=lambda score, mask: score.softmax(dim=1)),
            ),
            Mistake(
                "You cut the padding out behind the softmax, so the weights no longer sum to one.",
                _attention_with(weigh=lambda score, mask: score.softmax(dim=1) * mask),
            ),
            Mistake(
                "A score of zero is no small score: exp(0) = 1 still takes part in the softmax.",
                _attention_with(weigh=lambda score, mask: (score * mask).softmax(dim=1)),
            ),
            Mistake(
                "The scores are not divided by the root of d: with longer rows they grow, and the softmax saturates.",
                _attention_with(score=lambda query, key: query @ key.T),
            ),
            Mistake(
                "You divide by d. A sum of d random products grows with the root of d only.",
                _attention_with(score=lambda query, key: query @ key.T / query.shape[1]),
            ),
            Mistake(
                "The weights sum to one over the queries. For each query they must do so over the particles.",
                _attention_with(
                    weigh=lambda score, mask: score.softmax(dim=0).masked_fill(~mask, 0.0),
                ),
            ),
        ),
        hints=(
            "Three steps: scores of each query with each key, weights from a softmax, mean of the values.",
            "query @ key.T / sqrt(d) has shape (rows, particles). Padding must get the score minus infinity.",
            "score.masked_fill(~mask, -torch.inf).softmax(dim=1) @ value",
        ),
    ),
    Exercise(
        name="top_tagging.log_kt_and_mass",
        reference=log_kt_and_mass,
        inputs=_pairs,
        mistakes=(
            Mistake("kT belongs to the softer of the two: take the smaller pT.", _pair_with(choose=torch.maximum)),
            Mistake(
                "Near phi = pi the difference of two angles can be almost 2 pi. Bring it into [-pi, pi).",
                _pair_with(wrap=False),
            ),
            Mistake(
                "The second is the logarithm of the mass. The squared mass is asked for.",
                _pair_with(mass=lambda a, b: ((a + b) ** 2 * METRIC).sum(-1).sqrt()),
            ),
            Mistake(
                "For massless particles (a + b)^2 = 2 a.b: a factor 2 is missing.",
                _pair_with(mass=lambda a, b: (a * b * METRIC).sum(-1)),
            ),
            Mistake("These are logarithms to base ten.", _pair_with(log=torch.log10)),
        ),
        hints=(
            "pt, eta and phi of hepml_labs.physics.kinematics take tensors (pairs, 4); delta_r(a, b) takes two.",
            "torch.minimum compares element by element. mass(a + b) is the mass of the pair.",
            "torch.stack([(torch.minimum(pt(a), pt(b)) * delta_r(a, b)).log(), 2 * mass(a + b).log()], dim=-1)",
        ),
        rtol=1e-5,
    ),
    Exercise(
        name="top_tagging.edge_invariants",
        reference=edge_invariants,
        inputs=_some_momenta,
        mistakes=(
            Mistake(
                "This is the Euclidean product. The momenta enter with a minus sign.",
                _edges_with(metric=torch.ones(4, dtype=torch.float64)),
            ),
            Mistake("Your metric is (-, +, +, +): all signs are flipped.", _edges_with(metric=-METRIC)),
            Mistake(
                "psi keeps the sign of its argument: |p_i - p_j|^2 may be negative.",
                _edges_with(psi=lambda x: (x.abs() + 1).log()),
            ),
            Mistake("The invariants are not compressed: psi is missing.", _edges_with(psi=lambda x: x)),
            Mistake("The first is built from the difference of the momenta, not from the sum.", _edges_with(other=1.0)),
        ),
        hints=(
            "minkowski_product(a, b) broadcasts: what do momenta[:, None] and momenta[None, :] give?",
            "Stack the products of the differences with themselves, and of the momenta, in a last dimension of two.",
            "psi: x.sign() * (x.abs() + 1).log(), applied to both at the end.",
        ),
    ),
    Exercise(
        name="top_tagging.lorentz_boost",
        reference=lorentz_boost,
        inputs=_boost,
        mistakes=(
            Mistake(
                "This is the inverse: a particle at rest goes against the direction.",
                _boost_with(momentum=lambda g: -((g**2 - 1) ** 0.5)),
            ),
            Mistake(
                "The mixed entries are gamma times the velocity; you have the velocity alone.",
                _boost_with(momentum=lambda g: (1 - 1 / g**2) ** 0.5),
            ),
            Mistake(
                "What lies across the boost must stay as it is: the space part is one, and gamma only along n.",
                _boost_with(space=lambda g, n: g * torch.outer(n, n)),
            ),
            Mistake(
                "You stretch all three directions by gamma. Only the one along the boost is.",
                _boost_with(space=lambda g, n: g * torch.eye(3, dtype=torch.float64)),
            ),
            Mistake(
                "The space part has gamma - 1 along n on top of the identity: yours has gamma on top.",
                _boost_with(space=lambda g, n: torch.eye(3) + g * torch.outer(n, n)),
            ),
        ),
        hints=(
            "Along n: E' = gamma (E + beta p), p' = gamma (p + beta E). Across n nothing changes.",
            "The first row and column hold gamma and gamma beta n, with gamma beta = sqrt(gamma^2 - 1).",
            "The space part is torch.eye(3) + (gamma - 1) * torch.outer(n, n).",
        ),
    ),
]
