"""Pretraining: who is hidden, what the optimum is, and the bound on the mutual information in closed form."""

import numpy as np
import pytest
import torch
from scipy.special import iv

from hepml_labs.top_tagging.self_supervised import contrastive_loss, hide_particles, masked_loss


def test_share_of_hidden_particles():
    mask = torch.arange(40) < torch.randint(1, 41, (2000, 1), generator=torch.Generator().manual_seed(1))
    hidden = hide_particles(mask, 0.3, seed=2)
    assert not (hidden & ~mask).any()
    seen = (mask & ~hidden).sum(dim=1)
    assert (seen >= 1).all() and (hidden.sum(dim=1)[mask.sum(dim=1) > 1] >= 1).all()
    large = mask.sum(dim=1) > 20
    assert abs(float(hidden[large].sum() / mask[large].sum()) - 0.3) < 0.01


def test_visible_particles_do_not_count():
    random = torch.Generator().manual_seed(1)
    prediction, target = torch.randn(2, 5, 4, 3, generator=random)
    hidden = torch.tensor([[True, False, True, False]] * 5)
    changed = torch.where(hidden[..., None], prediction, prediction + 7)
    assert masked_loss(prediction, target, hidden) == masked_loss(changed, target, hidden)
    with pytest.raises(ValueError, match="hidden: found no particle"):
        masked_loss(prediction, target, ~hidden & hidden)


def test_the_best_critic_reaches_the_mutual_information():
    """On a circle with von Mises noise the cosine is the log-likelihood ratio, and the bound is nearly attained."""
    random, kappa, n = np.random.default_rng(1), 4.0, 2000
    angle = random.uniform(0, 2 * np.pi, n)
    other = angle + random.vonmises(0, kappa, n)
    first, second = (torch.tensor(np.column_stack([np.cos(a), np.sin(a)])) for a in (angle, other))
    bound = np.log(n) - float(contrastive_loss(first, second, temperature=1 / kappa))
    # I = kappa I1/I0 - log I0
    exact = kappa * iv(1, kappa) / iv(0, kappa) - np.log(iv(0, kappa))
    assert bound == pytest.approx(exact, abs=0.06)
    wrong = [np.log(n) - float(contrastive_loss(first, second, temperature=t)) for t in (1.0, 0.05)]
    assert max(wrong) < bound


def test_pairs_matter_and_their_order_does_not():
    first, second = torch.randn(2, 16, 4, generator=torch.Generator().manual_seed(3))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(4))
    together = contrastive_loss(first[order], second[order])
    torch.testing.assert_close(together, contrastive_loss(first, second))
    assert contrastive_loss(first, first) < contrastive_loss(first, first[order])
