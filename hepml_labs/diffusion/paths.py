"""Probability paths from noise to data, and what velocity, score and noise have to do with each other.

Time runs from noise, t = 0, to data, t = 1. The literature on diffusion counts steps the other way:
t_ddpm = T (1 - t).
"""

import math

import torch
from scipy.optimize import linear_sum_assignment

from hepml_labs.validation import check_alike, check_array, check_between

__all__ = ["GaussianMixture", "Linear", "Path", "VariancePreserving", "pair_optimally"]


class Path:
    """Gaussian path x_t = alpha(t) x_1 + sigma(t) eps between noise eps ~ N(0, 1) and data x_1.

    A subclass writes the four functions of time `alpha`, `sigma`, `alpha_rate`, `sigma_rate`; all else follows.

    Notes
    -----
    Shapes: x, x1, eps, velocity, score ``(n, d)``, t ``(n,)``.

    Given x_t, the expected velocity v, noise e and data are related by two linear equations, x = alpha x_1 + sigma e
    and v = alpha' x_1 + sigma' e, with the determinant D = alpha' sigma - alpha sigma' > 0. Their solution is exact for
    any data: e = (alpha' x - alpha v) / D, and the score of the marginal density is -e / sigma
    (Albergo, Boffi and Vanden-Eijnden, arXiv:2303.08797, section 2; Lipman et al., arXiv:2210.02747, theorem 3).
    """

    def alpha(self, t):
        """Weight of the data: 0 at t = 0, 1 at t = 1."""
        raise NotImplementedError

    def sigma(self, t):
        """Weight of the noise: 1 at t = 0, 0 at t = 1."""
        raise NotImplementedError

    def alpha_rate(self, t):
        """Time derivative of `alpha`."""
        raise NotImplementedError

    def sigma_rate(self, t):
        """Time derivative of `sigma`."""
        raise NotImplementedError

    def _columns(self, t, like):
        """Return alpha, sigma and their derivatives as columns ``(n, 1)``, for a vector field like ``(n, d)``."""
        check_array("t", t, (len(like),), finite=False)
        functions = (self.alpha, self.sigma, self.alpha_rate, self.sigma_rate)
        return [function(t)[:, None] for function in functions]

    def point(self, x1, eps, t):
        """Where the particle of data x1 and noise eps is at time t: alpha x1 + sigma eps."""
        check_alike(("n", "d"), x1=x1, eps=eps, finite=False)
        alpha, sigma, _, _ = self._columns(t, x1)
        return alpha * x1 + sigma * eps

    def velocity(self, x1, eps, t):
        """How fast it moves there, the target of flow matching: alpha' x1 + sigma' eps."""
        check_alike(("n", "d"), x1=x1, eps=eps, finite=False)
        _, _, alpha_rate, sigma_rate = self._columns(t, x1)
        return alpha_rate * x1 + sigma_rate * eps

    def noise_from_velocity(self, velocity, x, t):
        """Expected noise E[eps | x_t = x] from the expected velocity; finite at all times."""
        check_alike(("n", "d"), velocity=velocity, x=x, finite=False)
        alpha, sigma, alpha_rate, sigma_rate = self._columns(t, x)
        return (alpha_rate * x - alpha * velocity) / (alpha_rate * sigma - alpha * sigma_rate)

    def data_from_velocity(self, velocity, x, t):
        """Expected data E[x_1 | x_t = x] from the expected velocity; finite at all times."""
        check_alike(("n", "d"), velocity=velocity, x=x, finite=False)
        alpha, sigma, alpha_rate, sigma_rate = self._columns(t, x)
        return (sigma * velocity - sigma_rate * x) / (alpha_rate * sigma - alpha * sigma_rate)

    def velocity_from_noise(self, noise, x, t):
        """Expected velocity from the expected noise; not at t = 0, where noise alone does not tell the data."""
        check_alike(("n", "d"), noise=noise, x=x, finite=False)
        alpha, sigma, alpha_rate, sigma_rate = self._columns(t, x)
        return (alpha_rate * x - (alpha_rate * sigma - alpha * sigma_rate) * noise) / alpha

    def score_from_velocity(self, velocity, x, t):
        """Score, the gradient of log p_t(x), from the expected velocity; not where sigma = 0, at t = 1."""
        return -self.noise_from_velocity(velocity, x, t) / self.sigma(t)[:, None]

    def velocity_from_score(self, score, x, t):
        """Expected velocity from the score; not at t = 0."""
        check_alike(("n", "d"), score=score, x=x, finite=False)
        return self.velocity_from_noise(-score * self.sigma(t)[:, None], x, t)


class Linear(Path):
    """Straight lines: alpha = t, sigma = 1 - (1 - smallest) t, so the velocity of a pair, x_1 - eps, is constant.

    Parameters
    ----------
    smallest : float
        Width left at t = 1, in [0, 1): blurs the data a little and keeps the score finite.

    Notes
    -----
    The conditional optimal-transport path, Lipman et al., arXiv:2210.02747, eqs. 20 to 23; rectified flow,
    Liu, Gong and Liu, arXiv:2209.03003, eq. 1.

    Examples
    --------
    >>> path, t = Linear(), torch.tensor([0.25])
    >>> data, noise = torch.tensor([[4.0]]), torch.tensor([[0.0]])
    >>> path.point(data, noise, t).item(), path.velocity(data, noise, t).item()
    (1.0, 4.0)
    """

    def __init__(self, smallest=0.0):
        check_between("smallest", smallest, 0, 1, include_low=True)
        self.smallest = smallest

    def alpha(self, t):
        """The time itself."""
        return t

    def sigma(self, t):
        """1 - (1 - smallest) t."""
        return 1 - (1 - self.smallest) * t

    def alpha_rate(self, t):
        """One."""
        return torch.ones_like(t)

    def sigma_rate(self, t):
        """-(1 - smallest)."""
        return torch.full_like(t, self.smallest - 1)


class VariancePreserving(Path):
    """Quarter circles: alpha = sin(pi t / 2), sigma = cos(pi t / 2), so alpha^2 + sigma^2 = 1.

    Data of variance one keep it all the way, as in diffusion models.

    Notes
    -----
    The trigonometric interpolant, Albergo and Vanden-Eijnden, arXiv:2209.15571, eq. 5; the cosine noise schedule of
    Nichol and Dhariwal, arXiv:2102.09672, eq. 17, without its offset.

    Examples
    --------
    >>> path, t = VariancePreserving(), torch.tensor([0.5])
    >>> round((path.alpha(t) ** 2 + path.sigma(t) ** 2).item(), 6)
    1.0
    """

    def alpha(self, t):
        """sin(pi t / 2)."""
        return torch.sin(math.pi / 2 * t)

    def sigma(self, t):
        """cos(pi t / 2)."""
        return torch.cos(math.pi / 2 * t)

    def alpha_rate(self, t):
        """pi/2 cos(pi t / 2)."""
        return math.pi / 2 * torch.cos(math.pi / 2 * t)

    def sigma_rate(self, t):
        """-pi/2 sin(pi t / 2)."""
        return -math.pi / 2 * torch.sin(math.pi / 2 * t)


def pair_optimally(x1, eps):
    """Reorder the noise of a batch so that the sum of squared distances to the data is smallest.

    Parameters
    ----------
    x1, eps : tensor, (n, d)
        Data and noise.

    Returns
    -------
    tensor, (n, d)
        The rows of `eps` in the order of their partners in `x1`.

    Raises
    ------
    ValueError
        If shapes disagree.

    Notes
    -----
    Mini-batch optimal transport, Tong et al., arXiv:2302.00482. For equal weights the optimal plan is a
    permutation, found exactly in at most O(n^3) steps.

    Examples
    --------
    >>> pair_optimally(torch.tensor([[5.0], [-5.0]]), torch.tensor([[-1.0], [1.0]])).flatten()
    tensor([ 1., -1.])
    """
    check_alike(("n", "d"), x1=x1, eps=eps, finite=False)
    if x1.is_meta:
        return eps
    _, partner = linear_sum_assignment(torch.cdist(x1, eps).square().cpu().numpy())
    return eps[torch.as_tensor(partner, device=eps.device)]


class GaussianMixture:
    """Mixture of round Gaussians whose density, velocity and score along any Gaussian path are known exactly.

    Parameters
    ----------
    weights : tensor, (k,)
        Probability of each component; above zero, divided by their sum.
    means : tensor, (k, d)
        Centres.
    widths : tensor, (k,)
        Standard deviations, the same in each direction.

    Raises
    ------
    ValueError
        If shapes disagree, or a weight or width is not above zero.

    Notes
    -----
    Noise keeps a Gaussian Gaussian: at time t component k has mean alpha m_k and variance
    alpha^2 s_k^2 + sigma^2. One component moves with
    v_k = alpha' m_k + (alpha alpha' s_k^2 + sigma sigma') / (alpha^2 s_k^2 + sigma^2) (x - alpha m_k),
    and the mixture with the average of the v_k over the components' probabilities at x.

    Examples
    --------
    >>> mixture = GaussianMixture(torch.ones(2), torch.tensor([[-2.0], [2.0]]), torch.full((2,), 0.5))
    >>> mixture.velocity(torch.tensor([[0.0]]), torch.tensor([0.5]), Linear()).item()  # undecided in the middle
    0.0
    """

    def __init__(self, weights, means, widths):
        check_array("means", means, ("k", "d"))
        check_array("weights", weights, (len(means),), positive=True)
        check_array("widths", widths, (len(means),), positive=True)
        self.weights, self.means, self.widths = weights / weights.sum(), means, widths

    def sample(self, n, generator=None):
        """Draw points ``(n, d)``; `generator` is a torch.Generator."""
        which = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn((n, self.means.shape[1]), generator=generator, dtype=self.means.dtype)
        return self.means[which] + self.widths[which, None] * noise

    def _components(self, x, t, path):
        """Offsets ``(n, k, d)``, variances ``(n, k)`` and joint log-densities ``(n, k)`` at time t."""
        check_array("x", x, ("n", self.means.shape[1]), finite=False)
        check_array("t", t, (len(x),), finite=False)
        alpha, sigma = path.alpha(t)[:, None], path.sigma(t)[:, None]
        offset = x[:, None] - alpha[:, :, None] * self.means
        variance = (alpha * self.widths) ** 2 + sigma**2
        exponent = -(offset**2).sum(-1) / (2 * variance) - x.shape[1] / 2 * (2 * math.pi * variance).log()
        return offset, variance, exponent + self.weights.log()

    def log_prob(self, x, t=None, path=None):
        """Logarithm of the density ``(n,)`` at time t of a path, by default of the data."""
        t = torch.ones_like(x[:, 0]) if t is None else t
        return self._components(x, t, path or Linear())[2].logsumexp(1)

    def score(self, x, t, path):
        """Gradient of the log-density, ``(n, d)``."""
        offset, variance, joint = self._components(x, t, path)
        return -(joint.softmax(1) / variance)[:, None].matmul(offset)[:, 0]

    def velocity(self, x, t, path):
        """Velocity E[alpha' x_1 + sigma' eps | x_t = x], ``(n, d)``: what flow matching should learn."""
        offset, variance, joint = self._components(x, t, path)
        alpha, sigma, alpha_rate, sigma_rate = path._columns(t, x)
        growth = (alpha * alpha_rate * self.widths**2 + sigma * sigma_rate) / variance
        each = alpha_rate[:, :, None] * self.means + growth[:, :, None] * offset
        return joint.softmax(1)[:, None].matmul(each)[:, 0]
