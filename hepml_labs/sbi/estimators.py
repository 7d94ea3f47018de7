"""Estimators of the likelihood ratio, the score and the likelihood: train on arrays, ask for arrays.

All of them standardise observables, parameters and scores inside; x is (n, d), theta (m, p), results are (m, n).
"""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hepml_labs.nn import MLP, Standardizer
from hepml_labs.sbi.base import Conditional, Trained, to_tensor
from hepml_labs.sbi.density import DensityEstimator
from hepml_labs.sbi.losses import LOSSES, SCORE_TERM, sally
from hepml_labs.sbi.networks import RatioNetwork
from hepml_labs.sbi.quadratic import QuadraticRatioNetwork
from hepml_labs.training import predict
from hepml_labs.validation import check_between

__all__ = ["DensityEstimator", "RatioEstimator", "ScoreEstimator"]


class RatioEstimator(Conditional):
    """Likelihood ratio r(x|theta) = p(x|theta)/p(x|reference), with theta as an input of the network.

    Parameters
    ----------
    method : {"carl", "rolr", "alice", "cascal", "rascal", "alices"}
        The loss, see :mod:`hepml_labs.sbi.losses`. The last three learn from the joint score as well.
    hidden : tuple of int
        Widths of the hidden layers.
    epochs, batch_size, learning_rate
        Passed to :func:`hepml_labs.training.fit`.
    alpha : float
        Weight of the score term, in units of standardised parameters.
    activation : {"silu", "tanh"}
        Of :class:`hepml_labs.sbi.networks.RatioNetwork`.
    total : array (K,), optional
        Coefficients of the cross-section, for weights that are quadratic in theta: then the network has that
        dependence built in, see :class:`hepml_labs.sbi.quadratic.QuadraticRatioNetwork`.
    reference : array (p,), optional
        Parameters of the denominator, needed with `total` only; by default zero.
    validation_fraction : float
        Share of the events that chooses the best epoch and is not trained on; 0 for the last epoch.
    seed : int
        Of start, batches and validation sample.
    progress : bool
        Show a progress bar and a line at the end.

    Attributes
    ----------
    history_ : hepml_labs.training.History
        Of the training.
    network_ : RatioNetwork
        Of standardised inputs.

    Examples
    --------
    >>> from hepml_labs.sbi.toy import ToySimulator
    >>> sample = ToySimulator().training_sample(4000, seed=1)
    >>> ratio = RatioEstimator("alices", hidden=(20,), epochs=15).fit(sample)
    >>> x, theta = np.array([[0.0], [2.0]]), np.array([[1.0]])  # (theta x - theta^2 / 2) / 5
    >>> bool(np.abs(ratio.log_ratio(x, theta) - [[-0.1, 0.3]]).max() < 0.2)
    True
    """

    def __init__(
        self,
        method="alices",
        hidden=(64, 64),
        epochs=20,
        batch_size=256,
        learning_rate=3e-3,
        alpha=1.0,
        activation="silu",
        total=None,
        reference=None,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.method = method
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.activation = activation
        self.total = total
        self.reference = reference
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, sample):
        """Train on a :class:`hepml_labs.sbi.gold.TrainingSample` with one reference.

        Raises
        ------
        ValueError
            If shapes do not fit, an entry is not finite, or an option is out of range.
        """
        if self.method not in LOSSES:
            raise ValueError(f"method: found {self.method!r}, expected one of {list(LOSSES)}")
        check_between("alpha", self.alpha, 0, np.inf, include_low=True)
        reference = None
        if self.total is not None:
            reference = np.zeros(np.shape(sample.theta)[-1]) if self.reference is None else self.reference
            reference = np.asarray(reference, dtype=np.float64)
        tensors = self._scale_sample(sample, reference)
        loss_function, needs_score = LOSSES[self.method], self.method in SCORE_TERM

        def loss(network, x, theta, label, joint_log_ratio, joint_score):
            log_ratio, score = network.with_score(x, theta) if needs_score else (network(x, theta), None)
            return loss_function(log_ratio, label, joint_log_ratio, score, joint_score, self.alpha)

        network = self._build(lambda: self._network(tensors[0].shape[1], tensors[1].shape[1]))
        return self._train(network, loss, tensors, self.method.upper())

    def _network(self, observables, parameters):
        if self.total is None:
            return RatioNetwork(observables, parameters, self.hidden, self.activation)
        scale = self.scale_theta_  # its mean is the reference
        return QuadraticRatioNetwork(observables, self.total, scale.mean, scale.scale, self.hidden)

    def log_ratio(self, x, theta):
        """Log of p(x|theta)/p(x|reference).

        Parameters
        ----------
        x : array (n, d)
            Observables.
        theta : array (m, p)
            Parameters of the numerator.

        Returns
        -------
        array (m, n)
            At all pairs, in the type of `x`.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        return self._on_grid(x, theta)


class ScoreEstimator(Trained):
    """SALLY: the score t(x) at one reference point, the optimal observables near it.

    SALLINO is one number of it, t(x) . (theta - reference), and its histogram at every theta.

    Parameters
    ----------
    hidden, epochs, batch_size, learning_rate, validation_fraction, seed, progress
        As for `RatioEstimator`.

    Attributes
    ----------
    history_ : hepml_labs.training.History
        Of the training, on scores in units of their width.
    network_ : hepml_labs.nn.MLP
        Of standardised inputs.

    Examples
    --------
    >>> from hepml_labs.sbi.toy import ToySimulator
    >>> toy = ToySimulator()
    >>> x, z = toy.sample(0.0, 4000, seed=1)
    >>> sally = ScoreEstimator(hidden=(20,), epochs=15).fit(x, toy.joint_score(z, 0.0))
    >>> bool(np.abs(sally.score(np.array([[-2.0], [2.0]])) - [[-0.4], [0.4]]).max() < 0.1)  # x / 5
    True
    """

    def __init__(
        self,
        hidden=(64, 64),
        epochs=20,
        batch_size=256,
        learning_rate=3e-3,
        validation_fraction=0.1,
        seed=0,
        progress=False,
    ):
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.seed = seed
        self.progress = progress

    def fit(self, x, joint_score):
        """Train on events x (n, d) drawn at the reference point and their joint scores (n, p) there.

        Raises
        ------
        ValueError
            If shapes do not fit, an entry is not finite, or an option is out of range.
        """
        x = to_tensor("x", x, ("n", "d"))
        joint_score = to_tensor("joint_score", joint_score, (len(x), "p"))
        self.scale_x_, self.scale_score_ = Standardizer.fit(x), Standardizer.fit(joint_score)
        network = self._build(lambda: MLP(x.shape[1], joint_score.shape[1], self.hidden))

        def loss(network, x, joint_score):
            return sally(network(x), joint_score)

        return self._train(network, loss, (self.scale_x_(x), self.scale_score_(joint_score)), "SALLY")

    def score(self, x):
        """Estimated score at the reference point.

        Parameters
        ----------
        x : array (n, d)
            Observables.

        Returns
        -------
        array (n, p)
            In the type of `x`.

        Raises
        ------
        ValueError
            If shapes do not fit.
        """
        check_is_fitted(self)
        scaled = predict(self.network_, self.scale_x_(to_tensor("x", x, ("n", len(self.scale_x_.mean)))))
        return self.scale_score_.inverse(scaled).numpy().astype(x.dtype)
