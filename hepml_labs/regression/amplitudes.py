"""Amplitude regression: preprocessing, invariants, and networks that respect the symmetries of a gluon amplitude."""

import torch
from torch import nn

from hepml_labs.physics.kinematics import invariants, minkowski_product
from hepml_labs.validation import check_array, check_between, check_count

__all__ = [
    "InvariantSets",
    "canonical_order",
    "log_invariants",
    "log_standardize",
    "pairwise_invariants",
    "sum_over_partners",
    "undo_log_standardize",
]


def log_standardize(amplitude, mean, width):
    """Standardised logarithm of positive amplitudes, z = (ln A - mean) / width.

    Parameters
    ----------
    amplitude : tensor
        Squared amplitudes A > 0, any shape and unit.
    mean, width : float
        Mean and standard deviation of ln A over the training set.

    Returns
    -------
    tensor
        Same shape, dimensionless.

    Raises
    ------
    ValueError
        If an amplitude is not positive and finite, or `width` is not positive.

    Examples
    --------
    >>> log_standardize(torch.tensor([1.0, 5.0]).exp(), mean=1.0, width=2.0).round(decimals=3).abs()
    tensor([0., 2.])
    """
    check_array("amplitude", amplitude, positive=True)
    check_between("width", float(width), 0, float("inf"))
    return (amplitude.log() - mean) / width


def undo_log_standardize(z, mean, width):
    """Amplitudes from their standardised logarithms, A = exp(mean + width z).

    Parameters
    ----------
    z : tensor
        Standardised logarithms, any shape.
    mean, width : float
        As in `log_standardize`.

    Returns
    -------
    tensor
        Same shape, in the unit of the amplitudes. Of an uncertain z it gives the median of A, not the mean.

    Raises
    ------
    ValueError
        If `z` is not finite or `width` not positive.

    Examples
    --------
    >>> undo_log_standardize(torch.tensor([0.0, 2.0]), mean=1.0, width=2.0).log().round(decimals=4)
    tensor([1., 5.])
    """
    check_array("z", z)
    check_between("width", float(width), 0, float("inf"))
    return (mean + width * z).exp()


def pairwise_invariants(momenta):
    r"""Invariants :math:`s_{ij} = \pm 2 p_i\cdot p_j` of all pairs, incoming particles crossed.

    With all particles counted as outgoing, an incoming one has momentum -p: the product of an incoming with an
    outgoing particle is negative, that of two of a kind positive.

    Parameters
    ----------
    momenta : array or tensor, shape (n, particles, 4)
        (E, px, py, pz) in GeV; the first two incoming, with positive energies.

    Returns
    -------
    array or tensor, shape (n, particles (particles - 1) / 2)
        In GeV^2, pairs in the order (0, 1), (0, 2), ..., (1, 2), ...

    Raises
    ------
    ValueError
        For another shape, no events or entries that are not finite.

    Examples
    --------
    >>> p = torch.tensor([[[5.0, 0, 0, 5], [5, 0, 0, -5], [5, 3, 0, 4], [5, -3, 0, -4]]])
    >>> pairwise_invariants(p)
    tensor([[100., -10., -90., -90., -10., 100.]])
    """
    check_array("momenta", momenta, ("n", "particles", 4))
    first, second = torch.triu_indices(momenta.shape[1], momenta.shape[1], offset=1).tolist()
    signs = [-1.0 if i < 2 <= j else 1.0 for i, j in zip(first, second, strict=True)]
    signs = torch.tensor(signs, dtype=torch.float64)
    signs = signs.to(momenta) if isinstance(momenta, torch.Tensor) else signs.numpy().astype(momenta.dtype)
    return invariants(momenta)[:, first, second] * signs


def log_invariants(momenta):
    r"""Features :math:`\ln(|s_{ij}| / s_{12})` of all pairs: zero for the incoming pair, negative for the others.

    An amplitude is a sum of products of propagators :math:`1/s_{ij}\ldots`; its logarithm is close to linear in these
    features. They are dimensionless and do not change under boosts and rotations.

    Parameters
    ----------
    momenta : tensor, shape (n, particles, 4)
        As in `pairwise_invariants`; use float64, a small invariant is a difference of large numbers.

    Returns
    -------
    tensor, shape (n, particles (particles - 1) / 2)

    Raises
    ------
    ValueError
        As `pairwise_invariants`.

    Examples
    --------
    >>> p = torch.tensor([[[5.0, 0, 0, 5], [5, 0, 0, -5], [5, 3, 0, 4], [5, -3, 0, -4]]])
    >>> log_invariants(p).exp()
    tensor([[1.0000, 0.1000, 0.9000, 0.9000, 0.1000, 1.0000]])
    """
    size = pairwise_invariants(momenta).abs()
    return (size / size[:, :1]).log()


def canonical_order(momenta):
    """Put the gluons of each event into a standard order, chosen by invariants.

    The outgoing gluons are sorted by falling energy in the centre-of-mass frame, that is by p_i.(p_1 + p_2); the
    incoming ones are exchanged if needed so that the first outgoing gluon is closer to the first incoming
    one. Events that differ only by a permutation of identical gluons come out equal, in any frame.

    Parameters
    ----------
    momenta : tensor, shape (n, particles, 4)
        The first two incoming, with positive energies.

    Returns
    -------
    tensor, shape (n, particles, 4)

    Raises
    ------
    ValueError
        For another shape, no events or entries that are not finite.

    Examples
    --------
    >>> p = torch.tensor([[[5.0, 0, 0, 5], [5, 0, 0, -5], [3, 3, 0, 0], [7, -3, 0, 0]]])
    >>> canonical_order(p)[0, 2:, 0]
    tensor([7., 3.])
    """
    check_array("momenta", momenta, ("n", "particles", 4))
    incoming, outgoing = momenta[:, :2], momenta[:, 2:]
    energy = minkowski_product(outgoing, incoming.sum(1, keepdim=True))
    order = energy.argsort(dim=1, descending=True)
    outgoing = outgoing.gather(1, order[..., None].expand_as(outgoing))
    distance = minkowski_product(incoming, outgoing[:, :1])
    exchange = (distance[:, 0] > distance[:, 1])[:, None, None]
    return torch.cat([torch.where(exchange, incoming.flip(1), incoming), outgoing], dim=1)


def sum_over_partners(pairs, particles):
    """Sum the features of pairs for each particle: out_i is the sum over j of pairs_ij.

    Parameters
    ----------
    pairs : tensor, shape (n, particles (particles - 1) / 2, features)
        One row per unordered pair, in the order (0, 1), (0, 2), ..., (1, 2), ...
    particles : int
        Number of particles.

    Returns
    -------
    tensor, shape (n, particles, features)

    Raises
    ------
    ValueError
        If the number of pairs does not belong to the number of particles.

    Examples
    --------
    >>> sum_over_partners(torch.tensor([[[1.0], [10.0], [100.0]]]), particles=3).flatten()
    tensor([ 11., 101., 110.])
    """
    check_count("particles", particles, minimum=2)
    check_array("pairs", pairs, ("n", particles * (particles - 1) // 2, "features"), finite=False)
    return _incidence(particles).to(pairs) @ pairs


def _incidence(particles):
    """Matrix (particles, pairs) with a one where the particle belongs to the pair."""
    first, second = torch.triu_indices(particles, particles, offset=1)
    index = torch.arange(particles)[:, None]
    return ((index == first) | (index == second)).float()


class InvariantSets(nn.Module):
    r"""Deep sets on invariants: the same value in every Lorentz frame and for every order of the gluons.

    From the invariants :math:`x_{ij}` of the pairs, and the sign :math:`c_{ij} = \pm 1` that crossing gives them,

    .. math::
        e_{ij} = \phi(x_{ij}, c_{ij}), \qquad v_i = \sum_{j \neq i} e_{ij}, \qquad
        e'_{ij} = e_{ij} + \chi(e_{ij} + \psi(v_i) + \psi(v_j)), \\
        f = F\Big(\sum_i \rho\Big(\sum_{j \neq i} e'_{ij}\Big)\Big) .

    Sums over sets (Zaheer et al., arXiv:1703.06114), of partners and of gluons, make each step independent of the
    order. The middle step tells a pair what its two gluons do elsewhere: propagators come in chains,
    1/(s_12 s_23 ...). All gluons, incoming and outgoing, share the networks.

    Parameters
    ----------
    particles : int
        Gluons, incoming and outgoing; the first two are incoming.
    hidden : int
        Width of the layers.

    Raises
    ------
    ValueError
        If a size is no positive whole number, or the number of features is not that of the pairs.

    Notes
    -----
    Shapes: standardised log-invariants ``(n, particles (particles - 1) / 2)`` to ``(n, 1)``. Standardise all
    pairs alike: a shift for each pair would break the symmetry.

    Examples
    --------
    >>> InvariantSets(6)(torch.zeros(5, 15)).shape
    torch.Size([5, 1])
    """

    def __init__(self, particles, hidden=16):
        super().__init__()
        check_count("particles", particles, minimum=3)
        check_count("hidden", hidden)
        self.particles = particles
        first, second = torch.triu_indices(particles, particles, offset=1)
        crossing = torch.where((first < 2) & (second >= 2), -1.0, 1.0)
        self.register_buffer("crossing", crossing[:, None])
        # Sums over the root of their length: the same functions as plain sums, better scaled for the optimiser.
        self.register_buffer("incidence", _incidence(particles) / (particles - 1) ** 0.5)
        self.phi = nn.Sequential(nn.Linear(2, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.psi = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden))
        self.chi = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden))
        self.rho = nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.f = nn.Sequential(nn.SiLU(), nn.Linear(hidden, 2 * hidden), nn.SiLU(), nn.Linear(2 * hidden, 1))
        for layer in (module for module in self.modules() if isinstance(module, nn.Linear)):
            # PyTorch's default shrinks the signal at each layer: after nine of them all events would look alike.
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        """Map features of pairs ``(n, pairs)`` to ``(n, 1)``."""
        check_array("x", x, ("n", len(self.crossing)), finite=False)
        # Pairs first and events second: a sum over partners is then one matrix product.
        pairs = self.phi(torch.stack([x.T, self.crossing.expand_as(x.T)], dim=-1))
        gluons = self.psi(_mix(self.incidence, pairs))
        pairs = pairs + self.chi(pairs + _mix(self.incidence.T, gluons))
        event = self.rho(_mix(self.incidence, pairs)).sum(0) / self.particles**0.5
        return self.f(event)


def _mix(matrix, features):
    """Multiply a matrix (a, b) into features (b, events, f)."""
    return (matrix @ features.flatten(1)).reshape(len(matrix), *features.shape[1:])
