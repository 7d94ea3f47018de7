"""Classifiers that do not know a protected variable: an adversary, planing, and the rank in a slice.

The aim is conditional independence: among background events, the score says nothing about the protected variable
(a mass, mostly), p_B(score, mass) = p_B(score) p_B(mass). Then every cut keeps the shape of the background.
Derivations, and what it costs: the lecture page "Decorrelation". The penalty on the distance correlation is in
:mod:`hepml_labs.classification.distance_correlation`, the measure of a failure in
:mod:`hepml_labs.classification.sculpting`.
"""

import numpy as np
import torch
from torch import nn

from hepml_labs.classification.losses import binary_cross_entropy
from hepml_labs.nn import MLP
from hepml_labs.validation import check_between, check_count, check_same_shape, to_numpy

__all__ = [
    "AdversarialClassifier",
    "ConditionalRank",
    "adversary_loss",
    "planing_weights",
    "reverse_gradient",
]

BLOCK = 2048  # events at a time where each is compared with all its neighbours


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context, x, strength):
        context.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        return -context.strength * gradient, None


def reverse_gradient(x, strength=1.0):
    """Return x unchanged; on the way back its gradient is multiplied by minus `strength`.

    What comes after learns to lower the loss, what comes before learns to raise it: a game of two players in one
    backward pass (Ganin and Lempitsky, arXiv:1409.7495).

    Parameters
    ----------
    x : tensor
        Any shape.
    strength : float
        Factor on the reversed gradient.

    Returns
    -------
    tensor
        Equal to x.

    Examples
    --------
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (reverse_gradient(x, 0.5) ** 2).sum().backward()
    >>> x.grad  # 2 x, turned and halved
    tensor([-1., -2.])
    """
    return _Reversal.apply(x, strength)


class AdversarialClassifier(nn.Module):
    """A classifier with an adversary that reads its score and guesses the slice of the protected variable.

    Parameters
    ----------
    classifier : torch.nn.Module
        Maps ``(n, inputs)`` to log-odds ``(n, 1)``.
    slices : int
        Number of slices of the protected variable; with slices of equal background, blind guessing costs the
        adversary log(slices).
    strength : float
        How much the classifier cares for the adversary's failure.
    hidden : tuple of int
        Hidden widths of the adversary.

    Raises
    ------
    ValueError
        If there are fewer than two slices or `strength` is negative.

    Notes
    -----
    Shapes: ``(n, inputs)`` to ``(n, 1)``, as for the classifier alone. Louppe, Kagan and Cranmer, arXiv:1611.01046;
    their adversary is a mixture density of a continuous variable, ours a histogram of it.

    Examples
    --------
    >>> network = AdversarialClassifier(MLP(3, 1), slices=5)
    >>> score = network(torch.zeros(4, 3))
    >>> score.shape, network.guess(score).shape
    (torch.Size([4, 1]), torch.Size([4, 5]))
    """

    def __init__(self, classifier, slices=10, strength=1.0, hidden=(32, 32)):
        super().__init__()
        check_count("slices", slices, minimum=2)
        check_between("strength", strength, 0, np.inf, include_low=True)
        self.classifier, self.strength = classifier, strength
        self.adversary = MLP(1, slices, hidden)

    def forward(self, x):
        """Give the log-odds of the classifier, ``(n, 1)``."""
        return self.classifier(x)

    def guess(self, log_odds):
        """Give the adversary's logits ``(n, slices)`` for log-odds ``(n, 1)``, with the gradient reversed."""
        return self.adversary(reverse_gradient(4 * torch.sigmoid(log_odds) - 2, self.strength))

    def parameter_groups(self, learning_rate, lead=10.0):
        """Give the optimizer's groups: the adversary learns `lead` times as fast as the classifier, or it lags behind.

        Its gradient points the right way only while it knows the score that the classifier has *now*.
        """
        return [
            {"params": self.classifier.parameters(), "lr": learning_rate},
            {"params": self.adversary.parameters(), "lr": lead * learning_rate},
        ]


def adversary_loss(model, x, label, slice_index):
    """Cross-entropy of the classifier plus that of its adversary on background events.

    Parameters
    ----------
    model : AdversarialClassifier
        Its gradient reversal makes this one sum a saddle point: the adversary goes down, the classifier up.
    x : tensor, (n, inputs)
    label : tensor, (n,)
        1 for signal, 0 for background.
    slice_index : int64 tensor, (n,)
        The slice of the protected variable that each event lies in.

    Returns
    -------
    tensor
        Scalar. Neither its fall nor its rise means success: train for a fixed number of epochs, without a validation
        set to choose the best one by this value.

    Examples
    --------
    >>> x, label, index = torch.randn(8, 3), torch.arange(8) % 2, torch.arange(8) % 5
    >>> adversary_loss(AdversarialClassifier(MLP(3, 1), slices=5), x, label.float(), index).shape
    torch.Size([])
    """
    log_odds = model(x)
    background = label == 0
    guess = model.guess(log_odds[background])
    penalty = nn.functional.cross_entropy(guess, slice_index[background])
    return binary_cross_entropy(log_odds.squeeze(-1), label) + penalty


def planing_weights(protected, label, edges, maximum=None):
    """Return weights that make the protected variable flat between the edges, in each class.

    Parameters
    ----------
    protected : array, (n,)
        The variable to hide.
    label : array, (n,)
        Class of each event: each is planed for itself.
    edges : array, (bins + 1,)
        Rising bin edges. Events outside get weight zero.
    maximum : float, optional
        Largest weight in units of the mean. Where a class has hardly any events, flat is bought with a few events of
        huge weight; a limit leaves a rest of the slope instead.

    Returns
    -------
    array, (n,)
        Of mean one in each class, events outside of the edges included.

    Raises
    ------
    ValueError
        If shapes differ, edges do not rise, or a class has no event between them.

    Notes
    -----
    "Planing" is the name of Chang, Cohen and Ostdiek, arXiv:1709.10106; the weights are older (de Oliveira et al.,
    arXiv:1511.05190). A classifier trained with them estimates p_S(x|m) / p_B(x|m), if it can tell m from x.

    Examples
    --------
    >>> planing_weights(np.array([0.5, 0.5, 0.5, 1.5]), np.zeros(4), np.array([0.0, 1.0, 2.0])).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    protected = to_numpy("protected", protected, ("n",), floating=False)
    label = to_numpy("label", label, ("n",), floating=False)
    edges = to_numpy("edges", edges, ("bins + 1",), floating=False)
    check_same_shape(protected=protected, label=label)
    if len(edges) < 2 or not (np.diff(edges) > 0).all():
        raise ValueError(f"edges: found {edges[:5]}, expected at least two, each larger than the one before")
    index = np.digitize(protected, edges) - 1
    inside = (index >= 0) & (index < len(edges) - 1)
    weight = np.zeros(len(protected))
    for one in np.unique(label):
        chosen = inside & (label == one)
        if not chosen.any():
            raise ValueError(f"protected: found no event of class {one} between the edges, expected at least one")
        count = np.bincount(index[chosen], minlength=len(edges) - 1)
        weight[chosen] = (np.diff(edges) / np.maximum(count, 1))[index[chosen]]
        mean = weight[label == one].mean()
        if maximum is not None:
            weight[chosen] = np.minimum(weight[chosen], maximum * mean)
            mean = weight[label == one].mean()
        weight[chosen] /= mean
    return weight


class ConditionalRank:
    """Turn a score into its rank among background events of about the same protected variable.

    The rank F(score | m), the share of background with a lower score, is flat between 0 and 1 at every m: a cut at
    0.95 keeps five per cent of the background at every mass. It is the same as a threshold that follows the mass,
    for all efficiencies at once.

    Parameters
    ----------
    neighbours : int
        Background events to compare with: half of them below in the protected variable, half above. At an efficiency e
        the threshold rests on e times this number of events.

    Attributes
    ----------
    protected_, score_ : arrays, (n,)
        The background that was learned from, in the order of rising protected variable.

    Notes
    -----
    Thresholds as functions of the mass: Dolen et al., arXiv:1603.00027 (a straight line in a scaling variable), and the
    fixed-efficiency k-nearest-neighbour regression of ATL-PHYS-PUB-2018-014. Applied to the likelihood ratio of
    all inputs *and* the protected variable, the rank is the best decorrelated score that there is.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> mass = random.uniform(0, 1, 20_000)
    >>> score = random.normal(size=20_000) + 3 * mass
    >>> rank = ConditionalRank(1000).fit(score[:10_000], mass[:10_000]).predict(score[10_000:], mass[10_000:])
    >>> heavy = mass[10_000:] > 0.8
    >>> print(f"{np.mean(score[10_000:][heavy] > 3):.2f} {np.mean(rank[heavy] > 0.9):.2f}")
    0.40 0.12
    """

    def __init__(self, neighbours=1000):
        self.neighbours = neighbours

    def fit(self, score, protected):
        """Learn from background events.

        Parameters
        ----------
        score, protected : array, (n,)
            Of background events that the classifier was not trained on, at least as many as `neighbours`.

        Returns
        -------
        ConditionalRank

        Raises
        ------
        ValueError
            If shapes differ, an entry is not finite, or there are fewer events than neighbours.
        """
        check_count("neighbours", self.neighbours, minimum=2)
        score = to_numpy("score", score, ("n",), floating=False)
        protected = to_numpy("protected", protected, ("n",), floating=False)
        check_same_shape(score=score, protected=protected)
        if len(score) < self.neighbours:
            raise ValueError(f"score: found {len(score)} events, expected at least neighbours = {self.neighbours}")
        order = np.argsort(protected, kind="stable")
        self.protected_, self.score_ = protected[order], score[order]
        return self

    def predict(self, score, protected):
        """Return the rank of each event, (n,), from 0 to 1; ties count half. Arguments and errors as for `fit`."""
        score = to_numpy("score", score, ("n",), floating=False)
        protected = to_numpy("protected", protected, ("n",), floating=False)
        check_same_shape(score=score, protected=protected)
        first = np.searchsorted(self.protected_, protected) - self.neighbours // 2
        first = np.clip(first, 0, len(self.protected_) - self.neighbours)
        windows = np.lib.stride_tricks.sliding_window_view(self.score_, self.neighbours)
        rank = np.empty(len(score))
        for start in range(0, len(score), BLOCK):
            block = slice(start, start + BLOCK)
            near, own = windows[first[block]], score[block, None]
            rank[block] = (near < own).mean(axis=1) / 2 + (near <= own).mean(axis=1) / 2
        return rank
