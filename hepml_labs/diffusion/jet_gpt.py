"""JetGPT: an autoregressive transformer that writes an event jet by jet, and decides after each whether to go on."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from hepml_labs.diffusion.mixture_chain import MixtureChain
from hepml_labs.nn import MLP
from hepml_labs.validation import check_array, check_between, check_count

__all__ = ["CausalBlock", "JetGPT", "causal_mask"]


def causal_mask(rows, device=None):
    """Say which rows each row may look at: itself and those before.

    Parameters
    ----------
    rows : int
        Their number.
    device : torch.device, optional
        Where the mask is made.

    Returns
    -------
    tensor of bool, (rows, rows)
        Entry (i, j) is True if row i may look at row j.

    Examples
    --------
    >>> causal_mask(3)
    tensor([[ True, False, False],
            [ True,  True, False],
            [ True,  True,  True]])
    """
    return torch.ones(rows, rows, dtype=torch.bool, device=device).tril()


class CausalBlock(nn.Module):
    """Self-attention among a row and the rows before it, then a feed-forward network, each added to its input.

    Parameters
    ----------
    width, heads : int
        Features, and heads that share them.

    Examples
    --------
    >>> CausalBlock(8, 2)(torch.zeros(5, 3, 8)).shape
    torch.Size([5, 3, 8])
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed_forward = MLP(width, width, hidden=(2 * width,), activation=nn.GELU)

    def forward(self, x):
        """Map x (n, rows, width) to the same shape; row i is a function of rows 0 to i only."""
        query, key, value = self.project(self.norms[0](x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])  # (n, heads, rows, rows)
        score = score.masked_fill(~causal_mask(x.shape[1], x.device), -math.inf)
        x = x + self.merge((score.softmax(-1) @ value).transpose(1, 2).flatten(2))
        return x + self.feed_forward(self.norms[1](x))


class JetGPT(nn.Module):
    """Density of events with any number of jets, p(x_1) ... p(x_n | x_<n) times the decisions to go on and to stop.

    Parameters
    ----------
    hard : int
        Particles of the hard process that open each event, as rows of coordinates of their own.
    minimum_jets : int
        Jets that each event has: nobody asks the network whether to stop before.
    log_range : float
        ln(largest pT / threshold) of jets.
    width, heads, layers, components : int
        Size of the transformer and of the mixtures.
    positions : int
        0: none, and a row knows its place only by what it sees before it. Else a learned vector for each of so many
        places, as in language models: nothing is learned about places that the training does not reach.

    Notes
    -----
    Rows of latent coordinates are (z, w, phi). For jets, Phi(z) = ln(pT_i / threshold) / ln(pT_(i-1) / threshold) with
    the normal distribution function Phi; `hepml_labs.diffusion.jet_coordinates` makes them. Padding follows the real
    rows, so the causal mask alone hides it. The factorisation is that of arXiv:2412.12074: p_kin and p_split.

    Examples
    --------
    >>> network = JetGPT()
    >>> x, mask = torch.randn(5, 3, 3), torch.tensor([[True, True, False]] * 5)
    >>> network.log_prob(x, mask).shape, network.sample(5, torch.zeros(1), seed=1)[0].shape
    (torch.Size([5]), torch.Size([5, 12, 3]))
    """

    def __init__(self, hard=0, minimum_jets=0, log_range=3.0, width=32, heads=2, layers=2, components=6, positions=0):
        super().__init__()
        for name, value in (("hard", hard), ("minimum_jets", minimum_jets), ("positions", positions)):
            check_count(name, value, minimum=0)
        check_between("log_range", log_range, 0, math.inf)
        self.hard, self.first_decision, self.log_range = hard, hard + minimum_jets, log_range
        self.start = nn.Parameter(torch.randn(width))
        self.places = nn.Parameter(0.3 * torch.randn(positions, width)) if positions else None
        self.embed_jet = MLP(5, width, hidden=(width,))
        self.kinematics = MixtureChain(width, components)
        if hard:
            self.embed_hard = MLP(4, width, hidden=(width,))
            self.hard_kinematics = MixtureChain(width, components)
        self.blocks = nn.Sequential(*[CausalBlock(width, heads) for _ in range(layers)], nn.LayerNorm(width))
        self.split = MLP(width, 1, hidden=(width,))

    def encode(self, x):
        """Map rows (n, rows, 3) to (n, rows + 1, width): entry i is all that is known after i rows."""
        z, w, phi = x.unbind(-1)
        rows = torch.stack([z, w, phi.cos(), phi.sin()], -1)
        hard, jets = rows[:, : self.hard], rows[:, self.hard :]
        tokens = [self.start.expand(len(x), 1, -1)]
        if hard.shape[1]:
            tokens.append(self.embed_hard(hard))
        if jets.shape[1]:  # with ln(pT / threshold), what is left to radiate
            left = self.log_range * torch.special.ndtr(jets[..., :1]).cumprod(1)
            tokens.append(self.embed_jet(torch.cat([jets, left], -1)))
        tokens = torch.cat(tokens, 1)
        if self.places is not None:
            tokens = tokens + self.places[: tokens.shape[1]]
        return self.blocks(tokens)

    def log_prob(self, x, mask, open_end=None):
        """Logarithm of the density of events in the latent coordinates.

        Parameters
        ----------
        x : tensor, (n, rows, 3)
            Hard particles, then jets, then padding.
        mask : tensor of bool, (n, rows)
            True for real rows.
        open_end : tensor of bool, (n,), optional
            Events that may go on beyond their last row: no factor 1 - p_split for them.

        Returns
        -------
        tensor, (n,)
        """
        check_array("x", x, ("n", "rows", 3), finite=False)
        check_array("mask", mask, tuple(x.shape[:2]), floating=False, finite=False)
        known = self.encode(x)
        total = self.kinematics.log_prob(x[:, self.hard :], known[:, self.hard : -1]) * mask[:, self.hard :]
        total = total.sum(1)
        if self.hard:
            total = total + self.hard_kinematics.log_prob(x[:, : self.hard], known[:, : self.hard]).sum(1)
        logit = self.split(known)[..., 0]
        go_on = F.pad(mask, (0, 1))
        stop = F.pad(mask, (1, 0), value=True) & ~go_on
        if open_end is not None:
            stop = stop & ~open_end[:, None]
        decision = F.logsigmoid(logit) * go_on + F.logsigmoid(-logit) * stop
        return total + decision[:, self.first_decision :].sum(1)

    @torch.no_grad()
    def sample(self, n, like, seed=0, maximum=12):
        """Draw events.

        Parameters
        ----------
        n : int
            Number of events.
        like : tensor
            Of the type and on the device of the result.
        seed : int
            Of the draws.
        maximum : int
            Most jets: who would go on has to stop there.

        Returns
        -------
        x : tensor, (n, hard + maximum, 3)
        mask : tensor of bool, (n, hard + maximum)
        """
        random = np.random.default_rng(seed)
        x = like.new_zeros(n, self.hard + maximum, 3)
        mask = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device)
        alive = torch.arange(n, device=x.device)
        for i in range(x.shape[1]):
            known = self.encode(x[alive, :i])[:, -1]
            if i >= self.first_decision:
                go_on = torch.as_tensor(random.random(len(alive)), device=x.device) < self.split(known)[:, 0].sigmoid()
                alive, known = alive[go_on], known[go_on]
            if not len(alive):
                break
            chain = self.hard_kinematics if i < self.hard else self.kinematics
            x[alive, i] = chain.sample(known, random)
            mask[alive, i] = True
        return x, mask
