r"""MadNIS: neural multi-channel importance sampling, arXiv:2212.06172 and arXiv:2311.01548.

:math:`I = \int f = \sum_i \int \alpha_i f` with :math:`\sum_i\alpha_i(x) = 1`: each channel i integrates its share of f
with its own density :math:`g_i`, an analytic map of physical variables onto the unit cube and a flow on the cube.
The flows and the shares are trained together, on the weights alone: no gradient of the integrand is needed.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from hepml_labs.flows.coupling import coupling_flow
from hepml_labs.flows.elementwise import RationalQuadraticSpline
from hepml_labs.flows.importance_sampling import summarize
from hepml_labs.flows.integration_losses import LOSSES
from hepml_labs.nn import MLP, Standardizer
from hepml_labs.settings import scale
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["MadNIS", "Points"]


class Points(NamedTuple):
    """Points with all that a later step needs, so that the integrand is never called twice.

    Attributes
    ----------
    u, x : tensor, (n, d)
        On the unit cube of their channel, and in physical variables.
    f : tensor, (n,)
        Integrand, times the Jacobian of the analytic map: a function on the cube.
    log_drawn : tensor, (n,)
        Logarithm of the flow's density on the cube at the time of drawing.
    channel : tensor of int, (n,)
    log_prior : tensor, (n, channels)
        Logarithm of the prior of the channel weights.
    """

    u: torch.Tensor
    x: torch.Tensor
    f: torch.Tensor
    log_drawn: torch.Tensor
    channel: torch.Tensor
    log_prior: torch.Tensor


class MadNIS:
    r"""Integrator with a flow per channel and learned channel weights.

    Parameters
    ----------
    integrand : callable
        Tensor (n, d) of physical variables to tensor (n,), not negative for unweighting.
    features : int
        Number d of variables.
    channels : sequence of Transform, optional
        Analytic maps from the physical variables to the unit cube (`hepml_labs.flows.channels`), one per channel.
        None for one channel on the unit cube itself.
    prior : callable, optional
        Tensor (n, d) to positive tensor (n, channels), such as the squared single diagrams of MadGraph; normalised
        here. The start of the channel weights, equal ones by default.
    learn_weights : bool
        Train the channel weights; otherwise they stay at the prior.
    layers, bins, hidden : int, int, tuple of int
        Coupling layers of a flow, bins of their splines, and widths of their networks.
    seed : int
        For the first weights.

    Notes
    -----
    It works where its flows were made: under ``with torch.device("cuda"):`` on a GPU, and the integrand gets its points
    there.

    Examples
    --------
    >>> line = MadNIS(lambda x: 2 * x[:, 0] + 0 * x[:, 1], features=2, layers=2, hidden=(16,))
    >>> found = line.train(10, batch_size=256).integrate(4096)
    >>> bool(abs(found.value - 1) < 5 * found.error)
    True
    """

    def __init__(
        self,
        integrand,
        features,
        channels=None,
        prior=None,
        learn_weights=True,
        layers=4,
        bins=6,
        hidden=(32, 32),
        seed=0,
    ):
        self.integrand, self.features, self.mappings, self.prior = integrand, features, channels, prior
        self.count = 1 if channels is None else len(channels)
        check_count("number of channels", self.count)
        spline = RationalQuadraticSpline(bins=bins, tails="box")
        self.flows = nn.ModuleList(
            coupling_flow(features, 0, layers, spline, hidden, "uniform", seed + number) for number in range(self.count)
        )
        self.network = None
        if learn_weights and self.count > 1:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.network = MLP(features, self.count, hidden)
            nn.init.zeros_(self.network[-1].weight)  # start at the prior
            nn.init.zeros_(self.network[-1].bias)
        self.scaler = None
        self.spread, self.mean = np.ones(self.count), np.ones(self.count)  # sigma_i and I_i, for the allocation
        self.calls, self.history = 0, []
        self.device = self.flows[0].zero.device
        self._generator = torch.Generator(self.device).manual_seed(seed)

    def channel_weights(self, x, log_prior=None):
        r"""Shares :math:`\alpha_i(x)`, the softmax of log prior plus network, arXiv:2212.06172.

        Parameters
        ----------
        x : tensor, (n, d)
        log_prior : tensor, (n, channels), optional
            Where it is known already.

        Returns
        -------
        tensor, (n, channels)
            Rows with the sum one.
        """
        log_prior = self._log_prior(x) if log_prior is None else log_prior
        if self.network is not None and self.scaler is not None:
            log_prior = log_prior + self.network(self.scaler(x))
        return log_prior.softmax(1)

    def _log_prior(self, x):
        if self.prior is None:
            return x.new_zeros(len(x), self.count)
        prior = self.prior(x)
        check_array("prior", prior, (len(x), self.count))
        return prior.clamp(min=torch.finfo(prior.dtype).tiny).log()

    def _share(self, points):
        """Share of the integrand in the point's own channel, on the cube, (n,)."""
        alpha = self.channel_weights(points.x, points.log_prior)
        return points.f * alpha.gather(1, points.channel[:, None])[:, 0]

    def _log_q(self, points):
        log_q = torch.empty_like(points.f)
        for number, flow in enumerate(self.flows):
            here = points.channel == number
            if here.any():
                log_q[here] = flow.log_prob(points.u[here])
        return log_q

    @torch.no_grad()
    def draw(self, counts, generator):
        """Draw points and call the integrand once for each.

        Parameters
        ----------
        counts : sequence of int
            Points in each channel.
        generator : torch.Generator

        Returns
        -------
        Points
        """
        us, xs, log_qs, log_dets = [], [], [], []
        for number, n in enumerate(counts):
            if n:
                u, log_q = self.flows[number].sample_and_log_prob(int(n), generator=generator)
                x, log_det = (u, u.new_zeros(len(u))) if self.mappings is None else self.mappings[number].inverse(u)
                us, xs, log_qs, log_dets = [*us, u], [*xs, x], [*log_qs, log_q], [*log_dets, log_det]
        x = torch.cat(xs)
        value = self.integrand(x)
        check_array("integrand", value, (len(x),))
        self.calls += len(x)
        channel = torch.arange(self.count, device=x.device).repeat_interleave(torch.as_tensor(counts, device=x.device))
        f = (value * torch.cat(log_dets).exp()).to(x.dtype)
        return Points(torch.cat(us), x, f, torch.cat(log_qs), channel, self._log_prior(x).to(x.dtype))

    def train(self, iterations, batch_size=1024, learning_rate=5e-3, loss=None, replays=3):
        """Train flows and channel weights; may be called again.

        Parameters
        ----------
        iterations : int
            Batches of new points. At ``HEPML_SCALE=smoke`` three of them.
        batch_size : int
            New points, calls of the integrand, of an iteration.
        learning_rate : float
            Of Adam; falls along half a cosine to zero.
        loss : {"variance", "kl"} or callable, optional
            By default `kl` with one channel and `variance` with several, as its authors.
        replays : int
            Steps on as many points of the buffer after each step on new ones: buffered training, arXiv:2212.06172.
            They cost no call of the integrand.

        Returns
        -------
        MadNIS
            Itself, with `history`, the loss of each new batch.

        Raises
        ------
        ValueError
            For an unknown loss, or an integrand that is not finite.
        """
        check_count("iterations", iterations)
        check_count("batch_size", batch_size, 2 * self.count)
        check_count("replays", replays, 0)
        check_between("learning_rate", learning_rate, 0, np.inf)
        loss = loss or ("kl" if self.count == 1 else "variance")
        if not callable(loss) and loss not in LOSSES:
            raise ValueError(f"loss: found {loss!r}, expected one of {list(LOSSES)} or a function")
        loss = LOSSES.get(loss, loss)
        iterations = min(iterations, 3) if scale() == "smoke" else iterations
        parameters = [*self.flows.parameters(), *(self.network.parameters() if self.network else [])]
        optimizer = torch.optim.Adam(parameters, learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations * (1 + replays))
        drawn = []
        for _ in range(iterations):
            points = self.draw(self._allocate(batch_size, self.spread, least=0.5), self._generator)
            if self.scaler is None:
                self.scaler = Standardizer.fit(points.x)
            drawn.append(points)
            self._measure(drawn[-20:])
            buffer = Points(*map(torch.cat, zip(*drawn, strict=True)))
            for step in range(1 + replays):
                if step:
                    chosen = torch.randint(len(buffer.f), (batch_size,), generator=self._generator, device=self.device)
                    points = Points(*(field[chosen] for field in buffer))
                value = loss(self._share(points), self._log_q(points), points.log_drawn, points.channel)
                if step == 0:
                    self.history.append(value.item())
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                schedule.step()
        return self

    def _allocate(self, n, size, least=0.0):
        """Calls per channel: a share `least` of them equally, the rest like `size`; two at least in each."""
        share = least / self.count + (1 - least) * size / size.sum()
        counts = np.maximum(np.floor(share * n), 2).astype(int)
        counts[np.argmax(counts)] += n - counts.sum()
        return counts

    @torch.no_grad()
    def _measure(self, batches):
        """Integral and spread of each channel, from the latest batches."""
        points = Points(*map(torch.cat, zip(*batches, strict=True)))
        weight = (self._share(points) / points.log_drawn.exp()).double()
        weights = [weight[points.channel == number].cpu().numpy() for number in range(self.count)]
        self.mean = np.array([abs(w.mean()) for w in weights]) + 1e-300
        self.spread = np.array([w.std() for w in weights]) + 1e-300

    @torch.no_grad()
    def sample(self, n, seed=0, allocation="mean"):
        r"""Draw weighted points, for histograms or for unweighting.

        Parameters
        ----------
        n : int
            Points, calls of the integrand.
        seed : int
        allocation : {"mean", "spread"}
            Calls of a channel: like its integral, so that all weights are alike (events), or like its standard
            deviation, so that the integral has the smallest error (Neyman's allocation).

        Returns
        -------
        Points, tensor (n,)
            The points, and weights whose mean is the integral: :math:`\alpha_i f/g_i` times :math:`n/n_i`.
        """
        check_count("n", n, 2 * self.count)
        counts = self._allocate(n, {"mean": self.mean, "spread": self.spread}[allocation])
        points = self.draw(counts, torch.Generator(self.device).manual_seed(seed))
        weight = self._share(points).double() / points.log_drawn.double().exp()
        return points, weight * (n / torch.as_tensor(counts, device=self.device))[points.channel]

    def integrate(self, n, seed=0):
        """Integrate with n new calls, allocated to the channels for the smallest error.

        Parameters
        ----------
        n : int
            Calls of the integrand.
        seed : int

        Returns
        -------
        Integral
            The error is that of stratified sampling: the channels' variances add up.
        """
        points, weight = self.sample(n, seed, allocation="spread")
        found = summarize(weight)
        square = 0.0
        for number in range(self.count):
            in_channel = weight[points.channel == number]
            square += len(in_channel) * in_channel.var().item() / n**2
        error = float(np.sqrt(square))
        return found._replace(error=error, relative_std=error * np.sqrt(n) / abs(found.value))
