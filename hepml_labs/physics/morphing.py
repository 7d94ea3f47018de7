r"""Morphing: a squared amplitude is a polynomial in its parameters, so a few benchmarks give it everywhere.

For p parameters that enter the amplitude linearly, :math:`d\sigma(\theta) = \sum_k c_k\,m_k(\theta)` with the
K = (p + 1)(p + 2) / 2 monomials :math:`m = (1, \theta_1, \ldots, \theta_p, \theta_1^2, \theta_1\theta_2, \ldots)`.
Values at B >= K benchmarks fix the coefficients: :math:`d\sigma(\theta) = \sum_b w_b(\theta)\,d\sigma(\theta_b)`, with
the same weights w for every event and for the cross-section. Brehmer, Cranmer, Louppe and Pavez, arXiv:1805.00020;
Brehmer, Kling, Espejo and Cranmer, arXiv:1907.10621.
"""

import numpy as np

from hepml_labs.validation import check_array, check_count


def _exponents(parameters):
    """Pairs of the upper triangle of (1, t) x (1, t): row 0 gives the constant and the linear monomials."""
    return np.triu_indices(parameters + 1)


def _points(name, theta):
    theta = np.asarray(theta, dtype=np.float64)
    check_array(name, theta, ("m", "p"))
    return theta


def parameters_of(size):
    """Number of parameters p that has (p + 1)(p + 2)/2 monomials up to second order.

    Parameters
    ----------
    size : int
        Number of coefficients of each event; a ValueError if no p fits.

    Returns
    -------
    int

    Examples
    --------
    >>> parameters_of(6)
    2
    """
    p = round(((1 + 8 * size) ** 0.5 - 3) / 2)
    if p < 1 or (p + 1) * (p + 2) // 2 != size:
        raise ValueError(f"coefficients: found {size} columns, expected (p + 1)(p + 2)/2: 3, 6, 10, ...")
    return p


def quadratic_form(coefficients):
    """Symmetric matrices C of quadratic polynomials, (1, t) C (1, t).

    Parameters
    ----------
    coefficients : array, shape (n, K)
        In the order of `monomials`.

    Returns
    -------
    array, shape (n, p + 1, p + 1)
        In the type of the coefficients.

    Raises
    ------
    ValueError
        If K belongs to no number of parameters.

    Examples
    --------
    >>> quadratic_form(np.array([[1.0, 4.0, 3.0]]))  # 1 + 4 t + 3 t^2
    array([[[1., 2.],
            [2., 3.]]])
    """
    parameters = parameters_of(coefficients.shape[1])
    first, second = _exponents(parameters)
    matrix = np.zeros((len(coefficients), parameters + 1, parameters + 1), dtype=coefficients.dtype)
    matrix[:, first, second] += coefficients / 2
    matrix[:, second, first] += coefficients / 2
    return matrix


def monomials(theta):
    """Monomials up to second order.

    Parameters
    ----------
    theta : array, shape (m, p)

    Returns
    -------
    array, shape (m, K)
        (1, t1, ..., tp, t1^2, t1 t2, ..., tp^2) with K = (p + 1)(p + 2) / 2.

    Raises
    ------
    ValueError
        If `theta` is not a non-empty array of two dimensions with finite entries.

    Examples
    --------
    >>> monomials([[2.0, 3.0]])
    array([[1., 2., 3., 4., 6., 9.]])
    """
    theta = _points("theta", theta)
    extended = np.concatenate([np.ones((len(theta), 1)), theta], axis=1)
    first, second = _exponents(theta.shape[1])
    return extended[:, first] * extended[:, second]


def monomial_gradients(theta):
    """Derivatives of the monomials with respect to each parameter.

    Parameters
    ----------
    theta : array, shape (m, p)

    Returns
    -------
    array, shape (m, K, p)

    Raises
    ------
    ValueError
        As `monomials`.

    Examples
    --------
    >>> monomial_gradients([[2.0, 3.0]])[0].T
    array([[0., 1., 0., 4., 3., 0.],
           [0., 0., 1., 0., 2., 6.]])
    """
    theta = _points("theta", theta)
    count, parameters = theta.shape
    extended = np.concatenate([np.ones((count, 1)), theta], axis=1)
    unit = np.concatenate([np.zeros((1, parameters)), np.eye(parameters)])  # derivative of (1, t)
    first, second = _exponents(parameters)
    return extended[:, first, None] * unit[second] + extended[:, second, None] * unit[first]


class Morphing:
    r"""Weights that turn values at benchmarks into values anywhere.

    Parameters
    ----------
    benchmarks : array, shape (B, p)
        At least K points that do not lie on one conic (p = 2) or quadric. More than K are used in a least-squares
        sense: of all weights that are exact, those with the smallest sum of squares.

    Raises
    ------
    ValueError
        If there are too few benchmarks, or they leave a combination of coefficients undetermined.

    Examples
    --------
    >>> morphing = Morphing([[0.0], [1.0], [-1.0]])
    >>> morphing.weights([[2.0]])                       # f(2) = -3 f(0) + 3 f(1) + f(-1) for any parabola
    array([[-3.,  3.,  1.]])
    """

    def __init__(self, benchmarks):
        self.benchmarks = _points("benchmarks", benchmarks)
        matrix = monomials(self.benchmarks)  # (B, K)
        count, terms = matrix.shape
        # columns of very different size (a range of 0.01, say) are no defect: scaled before the rank is judged
        largest = np.abs(matrix).max(axis=0)
        scaled = matrix / np.where(largest > 0, largest, 1.0)
        rank = np.linalg.matrix_rank(scaled, tol=1e-10)
        if rank < terms:
            raise ValueError(
                f"benchmarks: found {count} points that fix {rank} of {terms} coefficients, expected at least {terms} "
                "points, not all on one line, conic or quadric"
            )
        self._inverse = np.linalg.pinv(scaled) / largest[:, None]  # (K, B)

    def weights(self, theta):
        r"""Morphing weights w with :math:`\sigma(\theta) = \sum_b w_b(\theta)\,\sigma(\theta_b)`; they sum to 1.

        Parameters
        ----------
        theta : array, shape (m, p)

        Returns
        -------
        array, shape (m, B)

        Raises
        ------
        ValueError
            If `theta` has another number of parameters than the benchmarks.
        """
        theta = _points("theta", theta)
        if theta.shape[1] != self.benchmarks.shape[1]:
            raise ValueError(f"theta: found {theta.shape[1]} parameters, expected {self.benchmarks.shape[1]}")
        return monomials(theta) @ self._inverse

    def coefficients(self, values):
        """Coefficients of the monomials from values at the benchmarks.

        Parameters
        ----------
        values : array, shape (n, B)
            For example the weight of each event at each benchmark.

        Returns
        -------
        array, shape (n, K)

        Raises
        ------
        ValueError
            If `values` has another number of columns than there are benchmarks.
        """
        values = np.asarray(values, dtype=np.float64)
        check_array("values", values, ("n", len(self.benchmarks)))
        return values @ self._inverse.T

    def condition(self, theta):
        r"""How much morphing to theta magnifies independent relative errors, :math:`\sqrt{\sum_b w_b^2(\theta)}`.

        Parameters
        ----------
        theta : array, shape (m, p)

        Returns
        -------
        array, shape (m,)
            At least 1 / sqrt(B), and 1 at a benchmark when there are just K of them. The statistical error of a
            morphed cross-section, if each benchmark has its own events and the cross-sections are alike, is that of
            one benchmark times this number.

        Raises
        ------
        ValueError
            As `weights`.
        """
        return np.sqrt((self.weights(theta) ** 2).sum(axis=1))


def optimize_benchmarks(region, points=200, fixed=None, trials=200, seed=None):
    r"""Choose benchmarks with a small mean of :math:`\sum_b w_b^2(\theta)` over a rectangle.

    Random sets of K points, of which the best is improved by moving one point at a time. MadMiner optimises the same
    figure (arXiv:1907.10621), there for the cross-sections that belong to the benchmarks.

    Parameters
    ----------
    region : array, shape (p, 2)
        Lowest and highest value of each parameter, for the benchmarks and for the thetas of interest.
    points : int
        Thetas in the region over which the mean is taken.
    fixed : array, shape (f, p), optional
        Benchmarks that must be among them, such as the Standard Model.
    trials : int
        Random sets tried, and then moves tried.
    seed : int or numpy.random.Generator, optional

    Returns
    -------
    array, shape (K, p)
        The fixed points first.

    Raises
    ------
    ValueError
        If the region is not of that shape with rising limits, or there are more fixed points than benchmarks.

    Examples
    --------
    >>> best = optimize_benchmarks([[-1.0, 1.0]], fixed=[[0.0]], seed=1)
    >>> bool(Morphing(best).condition([[1.0]])[0] < 1.5)
    True
    """
    region = _points("region", region)
    if region.shape[1] != 2 or not (region[:, 0] < region[:, 1]).all():
        raise ValueError(f"region: found {region.tolist()}, expected (lowest, highest) for each parameter")
    check_count("points", points)
    check_count("trials", trials)
    parameters = len(region)
    count = (parameters + 1) * (parameters + 2) // 2
    fixed = np.empty((0, parameters)) if fixed is None else _points("fixed", fixed)
    free = count - len(fixed)
    if free < 0 or fixed.shape[1] != parameters:
        raise ValueError(
            f"fixed: found shape {fixed.shape}, expected at most {count} points of {parameters} parameters"
        )
    random = np.random.default_rng(seed)
    low, width = region[:, 0], region[:, 1] - region[:, 0]
    interest = monomials(low + width * random.random((points, parameters)))
    # the square mean over the points of interest needs their second moments only
    moments = interest.T @ interest / points

    def spread(chosen):
        matrix = monomials(chosen)
        if np.linalg.cond(matrix) > 1e8:
            return np.inf
        inverse = np.linalg.inv(matrix)
        return float(np.trace(inverse.T @ moments @ inverse))

    def draw():
        return np.concatenate([fixed, low + width * random.random((free, parameters))])

    best = min((draw() for _ in range(trials)), key=spread)
    if not free:
        return best
    value = spread(best)
    for trial in range(trials * 5):
        moved = best.copy()
        row = len(fixed) + trial % free
        step = width * 0.3 * random.normal(size=parameters) * 0.995 ** (trial * 200 / trials)
        moved[row] = np.clip(moved[row] + step, low, low + width)
        if (attempt := spread(moved)) < value:
            best, value = moved, attempt
    return best
