"""Exercises of the lab "Calorimeter showers on demand"."""

import numpy as np

from hepml_labs.diffusion.shower_maps import from_stick_fractions, scale_to_layers
from hepml_labs.teaching import Exercise, Mistake


def layers_from_sticks(total, fractions):
    """Energies of the layers from their sum and the stick fractions.

    Parameters
    ----------
    total : array, (n,)
        Sum of the energies.
    fractions : array, (n, layers - 1)
        Fraction of each layer in what the layers before it have left over.

    Returns
    -------
    array, (n, layers)
        They sum to `total`.

    Examples
    --------
    >>> layers_from_sticks(np.array([10.0]), np.array([[0.5, 0.8]])).round(6)
    array([[5., 4., 1.]])
    """
    return from_stick_fractions(total, fractions)


def fill_zeros(energies, threshold, uniform):
    """Put uniform noise where an energy is below the threshold.

    Parameters
    ----------
    energies, uniform : array
        Energies of at least zero, and random numbers between zero and one, of one shape.
    threshold : float
        Above zero.

    Returns
    -------
    array
        Like `energies`.

    Examples
    --------
    >>> fill_zeros(np.array([0.0, 3.0]), 0.5, np.array([0.4, 0.9]))
    array([0.2, 3. ])
    """
    return np.where(energies < threshold, threshold * uniform, energies)


def scale_and_cut(cells, energy, threshold):
    """Scale the cells of one layer to its energy, keeping as many as stay above the threshold.

    Parameters
    ----------
    cells : array, (cells,)
        Above zero.
    energy, threshold : float
        Energy of the layer, and of the smallest cell that is allowed.

    Returns
    -------
    array, (cells,)
        In the order of `cells`; zero or at least the threshold; sum `energy`.

    Examples
    --------
    >>> scale_and_cut(np.array([6.0, 3.0, 1.0]), 9.0, 1.0)
    array([6., 3., 0.])
    """
    return scale_to_layers(cells[None, None], np.array([[energy]]), threshold)[0, 0]


def _stick_inputs(rng):
    return rng.uniform(5, 50, size=7), rng.uniform(0.1, 0.9, size=(7, int(rng.integers(3, 6))))


def _fill_inputs(rng):
    energies = rng.exponential(1.0, size=(6, 9))
    threshold = float(rng.uniform(0.3, 0.8))
    return np.where(energies < threshold, 0.0, energies), threshold, rng.random((6, 9))


def _cut_inputs(rng):
    # six cells lie above the threshold, five can be kept, four survive one scaling and one cut
    threshold = float(rng.uniform(0.5, 2.0))
    cells = threshold * rng.permutation(np.array([8.0, 4.0, 2.0, 1.3, 1.15, 1.02, 0.5, 0.4]))
    return cells, float(cells.sum() * rng.uniform(0.79, 0.81)), threshold


def _cut_then_scale(cells, energy, threshold):
    kept = np.where(cells >= threshold, cells, 0.0)
    return kept * energy / kept.sum()


def _scale_then_cut(cells, energy, threshold):
    scaled = cells * energy / cells.sum()
    return np.where(scaled >= threshold, scaled, 0.0)


def _scale_cut_scale(cells, energy, threshold):
    kept = _scale_then_cut(cells, energy, threshold)
    return kept * energy / kept.sum()


EXERCISES = [
    Exercise(
        name="diffusion.layers_from_sticks",
        reference=layers_from_sticks,
        inputs=_stick_inputs,
        mistakes=(
            Mistake(
                "Each fraction is of what is left, not of the total. Yours can sum to more than there is.",
                lambda total, u: total[:, None] * np.column_stack([u, 1 - u.sum(1)]),
            ),
            Mistake(
                "The last layer is missing: it gets what all others leave over.",
                lambda total, u: from_stick_fractions(total, u)[:, :-1],
            ),
            Mistake(
                "The fraction and what is left are exchanged: u is what the layer takes.",
                lambda total, u: from_stick_fractions(total, 1 - u),
            ),
            Mistake(
                "The order is turned round: the first fraction belongs to the first layer.",
                lambda total, u: from_stick_fractions(total, u[:, ::-1]),
            ),
            Mistake(
                "These are the fractions of the layers. Multiply by the total.",
                lambda total, u: from_stick_fractions(np.ones_like(total), u),
            ),
        ),
        hints=(
            "Walk through the layers, and keep the energy that is left.",
            "Each layer takes fraction times what is left; then what is left gets smaller by that much.",
            "left = total; for each column u: layer = u * left, left = left - layer; at the end, left is the last.",
        ),
    ),
    Exercise(
        name="diffusion.fill_zeros",
        reference=fill_zeros,
        inputs=_fill_inputs,
        mistakes=(
            Mistake(
                "Your noise reaches up to one, far above the threshold: it could not be told from a signal.",
                lambda energies, threshold, uniform: np.where(energies < threshold, uniform, energies),
            ),
            Mistake(
                "You add noise to all cells: what was measured must stay as it is.",
                lambda energies, threshold, uniform: energies + threshold * uniform,
            ),
            Mistake(
                "All empty cells get the same value: a spike again, at another place.",
                lambda energies, threshold, uniform: np.where(energies < threshold, threshold / 2, energies),
            ),
            Mistake(
                "The two cases are exchanged: the measured cells are overwritten.",
                lambda energies, threshold, uniform: np.where(energies < threshold, energies, threshold * uniform),
            ),
        ),
        hints=(
            "Two cases: below the threshold, and not.",
            "Uniform between 0 and the threshold is the threshold times uniform between 0 and 1.",
            "np.where(energies < threshold, threshold * uniform, energies)",
        ),
    ),
    Exercise(
        name="diffusion.scale_and_cut",
        reference=scale_and_cut,
        inputs=_cut_inputs,
        mistakes=(
            Mistake(
                "You cut first and scale afterwards: scaling down can push cells below the threshold.", _cut_then_scale
            ),
            Mistake(
                "You scale first and cut afterwards: the sum is no longer the energy of the layer.", _scale_then_cut
            ),
            Mistake(
                "Scale, cut, scale: after the last scaling more cells might have stayed above the threshold.",
                _scale_cut_scale,
            ),
            Mistake(
                "The sum is right, but cells below the threshold are left over.",
                lambda cells, energy, threshold: cells * energy / cells.sum(),
            ),
            Mistake(
                "You return the cells sorted. Each has to stay in its place.",
                lambda cells, energy, threshold: np.sort(scale_and_cut(cells, energy, threshold))[::-1],
            ),
        ),
        hints=(
            "Sort the cells in falling order. How much does the smallest of the m largest get, if only these are kept?",
            "Keep r_m where energy * r_m >= threshold * (r_1 + ... + r_m): a cumulative sum of the sorted cells.",
            "Find the smallest cell that is kept, set all smaller ones to zero, and scale the others by energy / sum.",
        ),
    ),
]
