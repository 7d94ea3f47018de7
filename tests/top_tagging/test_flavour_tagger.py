"""The flavour tagger: invariances, losses against closed forms, vertices against scipy, discriminants, a training."""

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import connected_components
from scipy.stats import norm
from sklearn.metrics import log_loss

from hepml_labs.datasets import load
from hepml_labs.datasets.heavy_flavor import COLUMNS
from hepml_labs.physics.tracking import Perigee, lifetime_sign
from hepml_labs.top_tagging.exercises import flavour as exercises
from hepml_labs.top_tagging.flavour_results import (
    connected_tracks,
    discriminant,
    heavy_vertices,
    match_vertices,
    true_heavy_vertices,
)
from hepml_labs.top_tagging.flavour_tagger import (
    FlavourTagger,
    Tasks,
    flavour_loss,
    jet_tensors,
    same_vertex,
    task_losses,
)
from hepml_labs.top_tagging.impact_parameters import ImpactParameterLikelihood, displaced_features
from hepml_labs.top_tagging.recurrent_tagger import RecurrentTagger
from hepml_labs.training import fit, predict


@pytest.fixture(scope="module")
def jets():
    jets = load("heavy_flavor", split="train", n=1500)
    return {name: jets[name] for name in COLUMNS}


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = FlavourTagger(width=16, heads=2, layers=2).double().eval()
    network(torch.randn(50, 6, 14).double(), torch.ones(50, 6, dtype=torch.bool))
    return network


def random_jets(n=5, tracks=9, seed=1):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(tracks) < torch.randint(1, tracks + 1, (n, 1), generator=generator)
    return torch.randn(n, tracks, 14, generator=generator).double(), mask


def test_jets_do_not_depend_on_order_and_tracks_move_along(network):
    tracks, mask = random_jets()
    order = torch.arange(9).roll(4)  # every track moves
    before, after = network(tracks, mask), network(tracks[:, order], mask[:, order])
    torch.testing.assert_close(after.flavour, before.flavour)
    torch.testing.assert_close(after.origin, before.origin[:, order])
    torch.testing.assert_close(after.vertex, before.vertex[:, order][:, :, order])
    torch.testing.assert_close(before.vertex, before.vertex.mT)


def test_padding_and_other_jets_do_not_matter(network):
    tracks, mask = random_jets()
    together = network(tracks, mask)
    spoiled = network(tracks.masked_fill(~mask[..., None], torch.nan), mask)
    for kind, other in zip(together, spoiled, strict=True):
        torch.testing.assert_close(kind, other)
    for k, count in enumerate(mask.sum(1)):
        alone = network(tracks[k : k + 1, :count], mask[k : k + 1, :count])
        torch.testing.assert_close(alone.flavour[0], together.flavour[k])
        torch.testing.assert_close(alone.vertex[0], together.vertex[k, :count, :count])


def test_a_jet_without_tracks_is_refused(network):
    with pytest.raises(ValueError, match="mask: found a set with all elements masked"):
        network(torch.zeros(1, 3, 14).double(), torch.zeros(1, 3, dtype=torch.bool))


def test_every_parameter_learns_from_its_task(network):
    tracks, mask = random_jets()
    targets = torch.randint(0, 3, (5,)), torch.randint(0, 7, (5, 9)), torch.randint(-1, 3, (5, 9))
    for k, head in enumerate(("flavour", "origin", "vertex")):
        network.zero_grad()
        task_losses(network(tracks, mask), mask, *targets)[k].backward()
        for name, parameter in network.named_parameters():
            other_head = name.split(".")[0] in {"flavour", "origin", "vertex"} - {head}
            reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
            # a constant added to all weights of the pooling changes nothing
            assert reached != (other_head or name == "importance.bias") or name == "importance.bias", name


def test_losses_agree_with_scikit_learn():
    random = np.random.default_rng(3)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    logits = Tasks(*(torch.as_tensor(random.normal(size=shape)) for shape in ((2, 3), (2, 4, 7), (2, 4, 4))))
    flavour, origin = torch.tensor([2, 0]), torch.tensor([[2, 3, 3, 0], [1, 5, -1, -1]])
    vertex = torch.tensor([[0, 1, 1, -1], [-1, -1, -1, -1]])
    found = task_losses(logits, mask, flavour, origin, vertex)
    assert found.flavour.item() == pytest.approx(log_loss(flavour, logits.flavour.softmax(1), labels=range(3)))
    tracks = logits.origin[mask].softmax(1)
    assert found.origin.item() == pytest.approx(log_loss(origin[mask], tracks, labels=range(7)))
    pairs = [(0, i, j) for i in range(4) for j in range(i)] + [(1, 1, 0)]
    label = [int(jet == 0 and {i, j} == {1, 2}) for jet, i, j in pairs]
    probability = [logits.vertex[jet, j, i].sigmoid().item() for jet, i, j in pairs]
    assert found.vertex.item() == pytest.approx(log_loss(label, probability))


def test_a_batch_of_single_tracks_has_no_pairs():
    one = torch.zeros(2, 1, dtype=torch.int64)
    losses = task_losses(
        Tasks(torch.zeros(2, 3), torch.zeros(2, 1, 7), torch.zeros(2, 1, 1)), one == 0, one[:, 0], one, one
    )
    assert losses.vertex.item() == 0


def test_tracks_without_a_vertex_share_none():
    assert same_vertex(torch.tensor([[-1, -1, 0, 2, 2]])).nonzero().tolist() == [
        [0, 2, 2],
        [0, 3, 3],
        [0, 3, 4],
        [0, 4, 3],
        [0, 4, 4],
    ]


def test_groups_are_the_connected_components():
    random = np.random.default_rng(4)
    mask = np.arange(12) < random.integers(1, 13, (60, 1))
    compatible = random.uniform(size=(60, 12, 12)) < 0.08
    found = connected_tracks(compatible, mask)
    assert (found[~mask] == -1).all()
    for jet, count in enumerate(mask.sum(1)):
        _, expected = connected_components(compatible[jet, :count, :count], directed=False)
        assert found[jet, :count].tolist() == expected.tolist()
        linked = compatible[jet, :count, :count] | compatible[jet, :count, :count].T
        assert exercises.group_tracks(linked).tolist() == expected.tolist()


def test_discriminant_is_the_likelihood_ratio():
    """Three Gaussians: D_b of their densities is the optimal test, so no other number rejects more."""
    random, means, share = np.random.default_rng(5), np.array([0.0, 1.0, 2.5]), 0.2
    x = np.concatenate(
        [random.normal(means[2], 1, 40_000), random.normal(means[1], 1, 8_000), random.normal(0, 1, 32_000)]
    )
    log_density = norm.logpdf(x[:, None], means)
    score = discriminant(log_density, "b", share)
    mixture = share * norm.pdf(x, means[1]) + (1 - share) * norm.pdf(x)
    np.testing.assert_allclose(score, np.log(norm.pdf(x, means[2]) / mixture))
    np.testing.assert_allclose(score, discriminant(log_density + 7.0, "b", share))  # a constant drops out
    # D_b rises with x, so that the cut of 70 % efficiency is one on x, with a known background
    cut = np.quantile(score[:40_000], 0.3)
    background = share * norm.sf(means[2] + norm.ppf(0.3), means[1]) + (1 - share) * norm.sf(means[2] + norm.ppf(0.3))
    assert (score[40_000:] > cut).mean() == pytest.approx(background, rel=0.08)
    np.testing.assert_allclose(discriminant(log_density, "c", 1.0), log_density[:, 1] - log_density[:, 2])


def test_vertices_from_perfect_answers_are_all_found(jets):
    *_, mask, _, origin, vertex = jet_tensors(jets)
    pairs = torch.where(same_vertex(vertex) & (vertex > 0)[:, None], 9.0, -9.0).numpy()
    origins = 9.0 * np.eye(7)[origin.numpy()]
    found = heavy_vertices(pairs, origins, mask.numpy())
    true = true_heavy_vertices(vertex.numpy(), origin.numpy())
    count = match_vertices(found, true)
    assert count.efficiency > 0.99 and count.purity > 0.99 and count.true > 500
    # shuffled among jets, next to nothing fits
    assert match_vertices(np.roll(found, 1, axis=0), true).efficiency < 0.3


def test_matching_by_hand():
    found = np.array([[0, 0, 0, 1, 1, -1], [0, 0, 0, 0, 0, 0]])
    true = np.array([[4, 4, 4, 5, 5, 5], [1, 1, 2, 2, 3, 3]])
    count = match_vertices(found, true)  # of 5, 5, 5 two thirds are found; no third of the last is pure enough
    assert (count.true, count.found, count.efficiency, count.purity) == (5, 3, 2 / 5, 2 / 3)
    assert match_vertices(found, true, recall=0.7).efficiency == 1 / 5
    assert np.isnan(match_vertices(np.full((1, 3), -1), np.zeros((1, 3), dtype=int)).purity)


def test_signed_significance_is_that_of_the_tracking_module():
    random = np.random.default_rng(6)
    d0, phi, jet_phi = random.normal(0, 1, 200), random.uniform(-np.pi, np.pi, 200), random.uniform(-np.pi, np.pi, 200)
    track = Perigee(d0, np.zeros(200), phi, np.full(200, 1.0), np.ones(200))
    sign, _ = lifetime_sign(track, np.zeros(200), jet_phi)
    np.testing.assert_allclose(
        exercises.signed_significance(d0, np.full(200, 0.1), phi, jet_phi), np.abs(d0) * sign / 0.1
    )


def test_likelihood_adds_tracks_and_ignores_padding():
    random = np.random.default_rng(7)
    flavour = np.repeat([0, 1, 2], 4000)
    mask = np.arange(3) < random.integers(1, 4, (12_000, 1))
    shift = np.array([0.0, 1.0, 2.0])[flavour][:, None, None]
    significance = np.where(mask[..., None], random.normal(size=(12_000, 3, 2)) + shift, np.nan)
    tagger = ImpactParameterLikelihood(bins=60).fit(significance, mask, flavour)
    found = tagger.log_likelihood(significance, mask)
    single = [tagger.log_likelihood(significance[:, k : k + 1], mask[:, k : k + 1]) for k in range(3)]
    np.testing.assert_allclose(found, sum(single))
    exact = norm.logpdf(significance[..., None], np.array([0.0, 1.0, 2.0])).sum(2)
    exact = np.where(mask[..., None], exact, 0).sum(1)
    best = (exact.argmax(1) == flavour).mean()
    assert 0.98 * best < (found.argmax(1) == flavour).mean() <= best + 0.01


def test_hand_made_features_see_lifetime_and_mass(jets):
    features = displaced_features(jets)
    means = [features[jets["flavor"] == k].mean(0) for k in (0, 4, 5)]
    for column in (3, 5, 6):  # number and mass of displaced tracks, largest significance
        assert means[0][column] < means[1][column] < means[2][column]
    assert (features[:, 5] >= 0).all() and np.isfinite(features).all()


def test_recurrent_network_reads_real_tracks_only_and_in_order():
    torch.manual_seed(0)
    network, (tracks, mask) = RecurrentTagger(14).double(), random_jets()
    alone = network(tracks[2:3, : mask[2].sum()], mask[2:3, : mask[2].sum()])
    torch.testing.assert_close(network(tracks, mask)[2:3], alone)
    with pytest.raises(ValueError, match="behind padding"):
        network(tracks[:1], torch.tensor([[False] + [True] * 8]))


def test_training_on_all_tasks_learns_all(jets):
    data = jet_tensors(jets)
    train, test = [[tensor[part] for tensor in data] for part in (slice(1200), slice(1200, None))]
    torch.manual_seed(0)
    network = FlavourTagger(width=16, heads=2, layers=1)
    settings = {"batch_size": 50, "learning_rate": 5e-3, "schedule": "one-cycle", "progress": False}
    fit(network, flavour_loss(), tuple(train), epochs=4, **settings)
    losses = task_losses(Tasks(*predict(network, *test[:2])), *test[1:])
    assert losses.flavour < 0.95 and losses.origin < 1.0 and losses.vertex < 0.55  # guessing: 1.10, 1.4, 0.69
