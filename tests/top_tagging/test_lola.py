"""LoLa against its formulae by hand, and the symmetries that it has and has not."""

import numpy as np
import pytest
import torch

from hepml_labs.physics.kinematics import boost
from hepml_labs.top_tagging.lola import UNIT, LoLa


def jets(n=5, particles=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    momenta = torch.randn(n, particles, 4, generator=generator, dtype=torch.float64) * 40
    momenta[..., 0] = momenta[..., 1:].norm(dim=-1)
    mask = torch.arange(particles)[None, :] < particles - torch.arange(n)[:, None] % 5
    return momenta * mask[..., None], mask


def network(**sizes):
    torch.manual_seed(1)
    made = LoLa(**{"particles": 12, "combinations": 3, **sizes}).double()
    momenta, mask = jets(n=64, particles=12, seed=7)
    made.train()(momenta, mask)  # gives the normalisation something to know
    return made.eval()


def test_layers_by_hand():
    tagger = LoLa(particles=3, combinations=2).double()
    momenta, mask = jets(n=2, particles=3)
    mask[0, 1] = False
    combined, present = tagger.combination_layer(momenta, mask)
    features = tagger.lorentz_layer(combined, present).detach().numpy()
    metric = np.diag([1.0, -1.0, -1.0, -1.0])
    weights = {name: value.detach().numpy() for name, value in tagger.named_parameters()}
    for jet in range(2):
        real = [k for k, there in zip(momenta[jet].numpy(), mask[jet], strict=True) if there]
        real.sort(key=lambda k: -np.hypot(k[1], k[2]))
        hardest = np.array(real + [np.zeros(4)] * (3 - len(real)))
        k = np.concatenate([hardest.sum(0, keepdims=True), hardest, weights["combine"].T @ hardest])
        there = [True, *[i < len(real) for i in range(3)], True, True]
        np.testing.assert_allclose(combined[jet].detach(), k, atol=1e-12)
        assert present[jet].tolist() == there
        for j in range(6):
            distance = np.array(
                [(k[j] - k[m]) @ metric @ (k[j] - k[m]) if there[j] and there[m] else 0.0 for m in range(6)]
            )
            wanted = [k[j] @ metric @ k[j], np.hypot(k[j, 1], k[j, 2]), weights["energy"][j] @ k[:, 0]]
            wanted += [weights["summed_distance"][copy, j] @ distance for copy in range(2)]
            wanted += [(weights["smallest_distance"][copy, j] * distance).min() for copy in range(2)]
            np.testing.assert_allclose(features[jet, :, j], wanted, rtol=1e-9, atol=1e-9)


def test_order_and_padding_do_not_matter():
    tagger, (momenta, mask) = network(), jets()
    wanted = tagger(momenta, mask)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(tagger(momenta[:, order], mask[:, order]), wanted, rtol=0, atol=0)
    dirty = torch.where(mask[..., None], momenta, torch.nan)
    torch.testing.assert_close(tagger(dirty, mask), wanted, rtol=0, atol=0)
    wide, wide_mask = (torch.nn.functional.pad(t, p) for t, p in ((dirty, (0, 0, 4, 30)), (mask, (4, 30))))
    torch.testing.assert_close(tagger(wide, wide_mask), wanted, rtol=0, atol=0)
    # batches do not mix
    torch.testing.assert_close(tagger(momenta[2:3], mask[2:3]), wanted[2:3])


def test_only_the_hardest_count():
    tagger, (momenta, mask) = network(particles=4), jets()
    soft = torch.cat([momenta, momenta[:, :1] * 1e-3], dim=1), torch.nn.functional.pad(mask, (0, 1), value=True)
    torch.testing.assert_close(tagger(*soft), tagger(momenta, mask), rtol=0, atol=0)
    hardest = momenta[0, :, 1:3].norm(dim=-1).argmax()
    momenta[0, hardest] *= 1.5
    assert not torch.allclose(tagger(momenta, mask)[0], tagger(*soft)[0])


def test_masses_and_distances_are_lorentz_invariant_and_the_rest_is_not():
    tagger, (momenta, mask) = network(), jets()
    combined, present = tagger.combination_layer(momenta / UNIT, mask)
    before = tagger.lorentz_layer(combined, present)
    sideways = boost(combined.detach(), torch.tensor([0.3, 0.6, -0.2], dtype=torch.float64))
    after = tagger.lorentz_layer(sideways, present)
    for entry in (0, 3, 4, 5, 6):
        torch.testing.assert_close(after[:, entry], before[:, entry])
    assert not torch.allclose(after[:, 1], before[:, 1]) and not torch.allclose(after[:, 2], before[:, 2])
    along = tagger.lorentz_layer(boost(combined.detach(), torch.tensor([0, 0, 0.6], dtype=torch.float64)), present)
    torch.testing.assert_close(along[:, 1], before[:, 1])
    # a turn around the beam changes nothing at all
    turn = torch.eye(4, dtype=torch.float64)
    turn[1, 1] = turn[2, 2] = 0.6
    turn[1, 2], turn[2, 1] = -0.8, 0.8
    torch.testing.assert_close(tagger(momenta @ turn, mask), tagger(momenta, mask))


def test_gradients_types_and_devices():
    tagger, (momenta, mask) = network(outputs=2).train(), jets()
    momenta = torch.where(mask[..., None], momenta, torch.nan).requires_grad_()
    (tagger(momenta, mask) ** 2).sum().backward()
    assert all(parameter.grad.isfinite().all() and parameter.grad.any() for parameter in tagger.parameters())
    assert momenta.grad.isfinite().all() and not momenta.grad[~mask].any()
    single = LoLa().eval()(momenta.detach().float(), mask)
    assert single.dtype == torch.float32 and single.shape == (5, 1)
    with torch.device("meta"):
        assert LoLa().eval()(torch.empty(2, 70, 4), torch.empty(2, 70, dtype=torch.bool)).shape == (2, 1)


def test_bad_input_is_named():
    tagger, (momenta, mask) = network(), jets()
    with pytest.raises(ValueError, match="particles: found 0"):
        LoLa(particles=0)
    with pytest.raises(ValueError, match="momenta: found shape"):
        tagger(momenta[..., :3], mask)
    with pytest.raises(ValueError, match="mask: found"):
        tagger(momenta, mask[:, :4])
