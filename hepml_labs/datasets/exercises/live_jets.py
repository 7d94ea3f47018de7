"""Exercises of the lab "From a collision to a jet"."""

import numpy as np

from hepml_labs.physics.kinematics import delta_r, mass, phi, pt
from hepml_labs.physics.recombination import (
    cluster_by_hand,
    jet_mass,
    passes_soft_drop,
    rapidity,
    recombination_distances,
    recombine,
    separation,
    subjettiness,
)
from hepml_labs.teaching import Exercise, Mistake


def _massless(momentum, direction, azimuth):
    return np.stack(
        [
            momentum * np.cosh(direction),
            momentum * np.cos(azimuth),
            momentum * np.sin(azimuth),
            momentum * np.sinh(direction),
        ],
        axis=-1,
    )


def _sprays(rng, sprays, particles, spread):
    """Massless particles around some directions, one of them where the azimuth jumps from pi to -pi."""
    axes = np.stack([rng.uniform(-1, 1, sprays), np.pi * (1 + np.arange(sprays) / sprays)], axis=1)
    around = axes[np.arange(particles) % sprays] + rng.normal(scale=spread, size=(particles, 2))
    return _massless(np.exp(rng.uniform(0, 4, particles)), around[:, 0], around[:, 1])


def _plane(rng):
    azimuth = np.concatenate([[3.0, -3.0], rng.uniform(-3, 3, int(rng.integers(3, 7)))])
    n = len(azimuth)
    return np.exp(rng.uniform(0, 4, n)), rng.normal(size=n), azimuth, rng.uniform(0.3, 0.9)


def _antikt(pt, rapidity, phi, radius):
    return recombination_distances(pt, rapidity, phi, radius)


def _without_infinity(distances):
    """Infinite distances as -1, so that a diagnosis can subtract and divide them."""
    return tuple(np.where(np.isposinf(part), -1.0, part) for part in distances)


def _other_distances(power=-1, least=np.minimum, wrap=True, norm=True, square=2, diagonal=np.inf):
    """Return anti-kT distances with one thing wrong."""

    def wrong(pt, rapidity, phi, radius):
        weight = pt ** (2.0 * power)
        turn = phi[:, None] - phi[None, :]
        turn = (turn + np.pi) % (2 * np.pi) - np.pi if wrap else turn
        distance = np.hypot(rapidity[:, None] - rapidity[None, :], turn) / (radius if norm else 1)
        pair = least(weight[:, None], weight[None, :]) * distance**square
        np.fill_diagonal(pair, diagonal)
        return pair, weight

    return wrong


def _harder_only(momenta, radius):
    """Merging keeps the harder particle and forgets the softer one."""
    kept, made, jets = dict(enumerate(momenta)), len(momenta), []
    for first, second, _ in recombine(momenta, radius):
        if second < 0:
            jets.append(kept[first])
        else:
            kept[made] = max(kept[first], kept[second], key=pt)
            made += 1
    return np.array(sorted(jets, key=pt, reverse=True))


def _massless_jets(momenta, radius):
    jets = cluster_by_hand(momenta, radius)
    return np.concatenate([np.linalg.norm(jets[:, 1:], axis=1, keepdims=True), jets[:, 1:]], axis=1)


def _padded(rng):
    jets = np.stack([_sprays(rng, 1, 6, 0.3) for _ in range(5)])
    jets[0, 4:] = jets[3, 2:] = 0
    return (jets,)


def _jet_and_axes(rng):
    jet = _sprays(rng, 1, 12, 0.4)
    axes = np.stack([jet[k :: int(rng.integers(3, 5))].sum(0) for k in range(3)])  # massive, as subjets are
    return jet, axes, rng.uniform(0.6, 1.2)


def _other_tau(reduce=np.min, angle=separation, power=1, weight=pt, norm=True):
    """Return tau_N with one thing wrong."""

    def wrong(constituents, axes, radius):
        distance = reduce(angle(constituents[:, None], axes[None]) ** power, axis=1)
        share = weight(constituents) / weight(constituents).sum()
        return (share * distance).sum() / (radius**power if norm else 1)

    return wrong


def _no_wrap(first, second):
    return np.hypot(rapidity(first) - rapidity(second), phi(first) - phi(second))


def _splittings(rng, n=300):
    first, second = np.exp(rng.uniform(0, 5, (2, n)))
    return first, second, rng.uniform(0.01, 0.8, n), rng.uniform(0.6, 1.0), rng.uniform(0.08, 0.2), rng.uniform(0.5, 2)


EXERCISES = [
    Exercise(
        name="datasets.antikt_distances",
        reference=_antikt,
        inputs=_plane,
        points=2,
        prepare=_without_infinity,
        mistakes=(
            Mistake(
                "Those are the distances of the kT algorithm, which begins with the softest pairs. Anti-kT has the "
                "inverse square, 1 / pT^2.",
                _other_distances(power=1),
            ),
            Mistake(
                "The transverse momenta are missing: that is the Cambridge/Aachen algorithm.", _other_distances(power=0)
            ),
            Mistake("The inverse of pT comes squared: 1 / pT^2.", _other_distances(power=-0.5)),
            Mistake(
                "Of the two inverse squares the smaller one counts, that of the harder particle.",
                _other_distances(least=np.maximum),
            ),
            Mistake(
                "Azimuth is an angle: 3.0 and -3.0 are 0.28 apart, not 6. Bring the difference into [-pi, pi).",
                _other_distances(wrap=False),
            ),
            Mistake("Distances come in units of R: divide Delta R by the radius.", _other_distances(norm=False)),
            Mistake("The distance in the plane comes squared, (Delta R / R)^2.", _other_distances(square=1)),
            Mistake(
                "Each particle is at distance zero from itself, and so its own nearest neighbour. Put np.inf on the "
                "diagonal.",
                _other_distances(diagonal=0.0),
            ),
        ),
        hints=(
            "pt[:, None] and pt[None, :] broadcast to all pairs (n, n); np.minimum compares them.",
            "(difference + np.pi) % (2 * np.pi) - np.pi brings an angle into [-pi, pi). np.fill_diagonal(pair, np.inf) "
            "forbids pairs of a particle with itself.",
            "beam = 1 / pt**2, and pair = np.minimum(beam[:, None], beam[None, :]) * (dy**2 + dphi**2) / radius**2.",
        ),
    ),
    Exercise(
        name="datasets.cluster",
        reference=lambda momenta, radius: cluster_by_hand(momenta, radius),
        inputs=lambda rng: (_sprays(rng, 3, int(rng.integers(18, 25)), 0.3), rng.uniform(0.4, 0.8)),
        points=3,
        mistakes=(
            Mistake(
                "Those are kT jets: are these the distances of the exercise before?",
                lambda momenta, radius: cluster_by_hand(momenta, radius, power=1),
            ),
            Mistake("A merged pair is the sum of both four-momenta, not the harder of the two.", _harder_only),
            Mistake(
                "The momenta are right, the energies are not: add energies as well. Jets have a mass.", _massless_jets
            ),
            Mistake(
                "The right jets, from soft to hard. Return the hardest first.",
                lambda momenta, radius: cluster_by_hand(momenta, radius)[::-1],
            ),
            Mistake(
                "The hardest jet only: go on until no particle is left.",
                lambda momenta, radius: cluster_by_hand(momenta, radius)[:1],
            ),
            Mistake(
                "Nothing was merged: those are the particles, sorted. Compare the smallest pair distance with the "
                "smallest beam distance.",
                lambda momenta, radius: momenta[np.argsort(-pt(momenta))],
            ),
        ),
        hints=(
            "While there are particles: find the smallest of all distances. If it is a pair's, replace the two by "
            "their sum; if it is a beam's, move that particle to the list of jets.",
            "i, j = np.unravel_index(pair.argmin(), pair.shape) finds the closest pair, np.delete(momenta, [i, j], "
            "axis=0) takes rows out and np.concatenate([rest, total[None]]) puts one in.",
            "if beam.min() <= pair[i, j]: k = beam.argmin(); jets.append(momenta[k]), and np.delete(momenta, k, 0) "
            "is what remains.",
        ),
    ),
    Exercise(
        name="datasets.jet_mass",
        reference=jet_mass,
        inputs=_padded,
        mistakes=(
            Mistake(
                "First add the four-momenta, then take the mass. The constituents are massless, and the mass of the "
                "jet is made by the angles between them.",
                lambda constituents: mass(constituents).sum(axis=-1),
            ),
            Mistake("That is the square of the mass.", lambda constituents: jet_mass(constituents) ** 2),
            Mistake(
                "That is the transverse mass, sqrt(E^2 - pz^2): take all three components of the momentum away.",
                lambda constituents: np.hypot(jet_mass(constituents), pt(constituents.sum(axis=-2))),
            ),
            Mistake(
                "The sum runs over the jets: add along the axis of the constituents, the last but one.",
                lambda constituents: mass(constituents.sum(axis=0)),
            ),
            Mistake(
                "One mass came out for all jets together: add along the axis of the constituents only.",
                lambda constituents: mass(constituents.sum(axis=(0, 1))),
            ),
        ),
        hints=(
            "The four-momentum of a jet is the sum of its constituents'. Zeros do not disturb a sum.",
            "total = constituents.sum(axis=-2) has the shape (jets, 4); then m^2 = E^2 - px^2 - py^2 - pz^2.",
            "np.sqrt(total[..., 0] ** 2 - (total[..., 1:] ** 2).sum(axis=-1)).",
        ),
    ),
    Exercise(
        name="datasets.subjettiness",
        reference=subjettiness,
        inputs=_jet_and_axes,
        points=2,
        mistakes=(
            Mistake(
                "Each constituent counts its distance to the nearest axis, not to the furthest.", _other_tau(np.max)
            ),
            Mistake("The distances to all axes were added; only the nearest axis counts.", _other_tau(np.sum)),
            Mistake("The radius is missing in the denominator.", _other_tau(norm=False)),
            Mistake("The distances came squared (that is beta = 2); here they come as they are.", _other_tau(power=2)),
            Mistake(
                "The constituents count alike: weigh each with its transverse momentum.",
                _other_tau(weight=lambda momenta: np.ones(len(momenta))),
            ),
            Mistake(
                "Azimuth is an angle: bring the difference into [-pi, pi), or use `separation`.",
                _other_tau(angle=_no_wrap),
            ),
            Mistake(
                "The axes have a mass, so their pseudorapidity is not their rapidity. Jet algorithms use the rapidity: "
                "`separation`, not `delta_r`.",
                _other_tau(angle=delta_r),
            ),
        ),
        hints=(
            "First the distance of each constituent from each axis, (m, N); then the smallest in each row.",
            "separation(constituents[:, None], axes[None]) has the shape (m, N).",
            "(pt(constituents) * distance.min(axis=1)).sum() / (pt(constituents).sum() * radius).",
        ),
    ),
    Exercise(
        name="datasets.passes_soft_drop",
        reference=passes_soft_drop,
        inputs=_splittings,
        mistakes=(
            Mistake(
                "z is the share of the softer branch, whichever of the two that is.",
                lambda first, second, angle, radius, z_cut, beta: (
                    first / (first + second) > z_cut * (angle / radius) ** beta
                ),
            ),
            Mistake(
                "z is the softer over the sum, not over the harder.",
                lambda first, second, angle, radius, z_cut, beta: (
                    np.minimum(first, second) / np.maximum(first, second) > z_cut * (angle / radius) ** beta
                ),
            ),
            Mistake(
                "The other way round: a splitting passes when z is above the threshold.",
                lambda *splitting: ~passes_soft_drop(*splitting),
            ),
            Mistake(
                "The angle comes in units of the jet's radius.",
                lambda first, second, angle, radius, z_cut, beta: passes_soft_drop(
                    first, second, angle, 1.0, z_cut, beta
                ),
            ),
            Mistake(
                "The angle is missing: that is the condition for beta = 0.",
                lambda first, second, angle, radius, z_cut, beta: passes_soft_drop(first, second, angle, radius, z_cut),
            ),
        ),
        hints=(
            "z = (softer pT) / (sum of both): np.minimum works on arrays.",
            "The threshold is z_cut (Delta R / R)^beta.",
            "np.minimum(pt_first, pt_second) / (pt_first + pt_second) > z_cut * (delta_r / radius) ** beta.",
        ),
    ),
]
