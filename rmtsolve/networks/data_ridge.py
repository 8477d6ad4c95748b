"""The learning curve of ridge regression on a data set, predicted from the data set itself.

N rows of features Phi and labels y are given; n of them will be drawn without replacement for training, and the others
are the test set. The N rows are themselves a sample, and plugging their covariance into the equivalent of
`rmtsolve.networks.linear_ridge` would take its noise for structure. But the equivalent can be read backwards: with
``K = Phi Phi^T / p`` and any ridge u for all N rows,

    D = tr K (K + u)^{-1} = df1(kappa),  kappa = u / (N - D),  test_N = (u^2/N) |(K + u)^{-1} y|^2 / (1 - D/N)^2,   (1)
    df2 = D + kappa dD/dkappa,           test_n = test_N (1 - df2/N) / (1 - df2/n),                                 (2)

for the n and lam with the same kappa: ``lam = kappa (n - D)``. (1) is generalised cross-validation; the population does
not enter any more, so the prediction is for the unknown law of the rows, and N need not be larger than p. Since n <= N
there is such a u > lam for every ridge. With an intercept everything is centred, N and n count for one less, and the
error of the training mean adds ``test_n / n``.

It assumes what all of these equivalents assume, that rows act like Gaussian ones of the same covariance. On the digits
of scikit-learn the prediction is within 10 % of the measured test error at ridges no smaller than a tenth of the
best one; where n is near the rank of Phi and lam is tiny, both errors are large and the prediction only tells the size.
"""

from __future__ import annotations

import pathlib
import zipfile
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validate
from ..activations.parse import read_activation
from ..errors import DomainError, ModelError
from .linear_ridge import LinearRidge, LinearRidgeErrors, _grid

Real = NDArray[np.float64]

_BLOCK = 1 << 21  # entries of a table (points, eigenvalues)
_HALVINGS = 120  # of a bracket of log u; 60 reach rounding from the usual bracket


def load_data(path: str | pathlib.Path) -> tuple[Real, Real]:
    """Features X (N, d) and labels y (N,) or (N, k) from an ``.npz`` file with arrays named X and y.

    Raises
    ------
    ModelError
        The file is missing, not an ``.npz`` archive, needs unpickling, or its arrays are wrong.
    """
    if not isinstance(path, (str, pathlib.Path)):
        _validate.fail("path", "the path of an .npz file", path)
    file = pathlib.Path(path)
    if "\0" in str(file) or not file.is_file():
        raise ModelError(f"{str(file)!r}: no such file")
    arrays: dict[str, Any] = {}
    try:
        with np.load(file, allow_pickle=False) as archive:
            found = sorted(archive)
            arrays = {name: archive[name] for name in ("X", "y") if name in archive}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise ModelError(
            f"{file}: not an .npz file of plain numbers; write it with numpy.savez(file, X=features, y=labels)"
        ) from error
    for name in ("X", "y"):
        if name not in arrays:
            raise ModelError(
                f"{file}: the array {name!r} is missing, it has {', '.join(found) or 'none'}; "
                "write it with numpy.savez(file, X=features, y=labels)"
            )
    x, y = arrays["X"], arrays["y"]
    try:
        return check_data(x, y)
    except DomainError as error:
        raise ModelError(f"{file}: {error}") from error


def check_data(features: ArrayLike, labels: ArrayLike) -> tuple[Real, Real]:
    """Features (N, p) and labels (N, k) as float arrays, or a `DomainError`."""
    x = _validate.real_array(features, "X", ndim=2)
    y = _validate.real_array(labels, "y")
    if y.ndim not in (1, 2) or y.shape[0] != x.shape[0]:
        _validate.fail("y", f"of shape ({x.shape[0]},) or ({x.shape[0]}, k), one row a sample", f"shape {y.shape}")
    if x.shape[0] < 3:
        _validate.fail("X", "of at least 3 rows", f"shape {x.shape}")
    return x, y


def random_features(features: ArrayLike, activation: Any, width: int, rng: np.random.Generator) -> Real:
    """``sigma(<w_i, x - mean> / size)``, i = 1 .. width, with standard normal w_i and ``size^2 = E |x - mean|^2``.

    The pre-activations have mean zero and, in the mean over neurons, variance one on the data set. Apply it again to
    its own output for a deeper map.

    Parameters
    ----------
    features : array_like, shape (N, d)
        One row a sample.
    activation : str, Activation or callable
        The function sigma.
    width : int
        Number of features p.
    rng : numpy.random.Generator
        Draws the weights.

    Returns
    -------
    ndarray, shape (N, width)
    """
    x = _validate.real_array(features, "X", ndim=2)
    sigma = read_activation(activation, "activation")
    p = _validate.integer(width, "width", low=1)
    _validate.generator(rng)
    _validate.memory(8.0 * p * (2 * x.shape[0] + x.shape[1]), "width", p)
    x -= x.mean(axis=0)
    size = float(np.sqrt((x * x).sum(axis=1).mean()))
    if size == 0.0:
        _validate.fail("X", "of rows that are not all equal", 0.0)
    out = sigma.raw(x @ rng.standard_normal((x.shape[1], p)) / size)
    if not np.isfinite(out).all():
        _validate.fail("activation", "finite on the data", sigma.name)
    return out


def empirical_moments(features: ArrayLike, labels: ArrayLike, *, intercept: bool = True) -> LinearRidge:
    """The data set itself as the population: its covariances in a `LinearRidge`.

    Right for n rows drawn *with* replacement and tested on the whole data set; for splits of a data set see
    `data_ridge_errors`. Labels (N,).
    """
    x, y = check_data(features, labels)
    if y.ndim != 1:
        _validate.fail("y", f"of shape ({x.shape[0]},)", f"shape {y.shape}")
    if intercept:
        x, y = x - x.mean(axis=0), y - y.mean()
    count = x.shape[0]
    psi = x.T @ y / count
    # what rounding leaves of psi outside the range of a singular covariance is removed by the projection
    values, vectors = np.linalg.eigh(x.T @ x / count)
    kept = values > x.shape[1] * np.finfo(float).eps * values[-1]
    vectors = vectors[:, kept]
    covariance = (vectors * values[kept]) @ vectors.T
    return LinearRidge(covariance, vectors @ (vectors.T @ psi), float(y @ y) / count, intercept=intercept)


def data_ridge_errors(
    features: ArrayLike, labels: ArrayLike, n: ArrayLike, lam: ArrayLike, *, intercept: bool = True
) -> LinearRidgeErrors:
    """Predicted errors of ridge regression trained on n rows of a data set and tested on the others.

    Parameters
    ----------
    features : array_like, shape (N, p)
        One row a sample: raw columns for linear ridge, or `random_features` of them.
    labels : array_like, shape (N,) or (N, k)
        Several columns are regressed separately, and their squared errors summed.
    n : array_like of float
        Training rows, ``1 < n <= N``, drawn without replacement.
    lam : array_like of float
        Ridge >= 0 added to ``Phi^T Phi / p``, broadcast against `n`.
    intercept : bool
        Centre features and labels by their means over the training rows.

    Returns
    -------
    LinearRidgeErrors
        ``alpha`` is ``n / p``; ``parts``: "bias and noise", which data alone do not tell apart, and "variance";
        ``norm`` is not predicted (nan).

    Raises
    ------
    DomainError
        Shapes do not fit, n exceeds N, or all features are constant.

    Notes
    -----
    See the module for the equations. The prediction is for the law behind the rows, not for the rows as a population.

    Examples
    --------
    >>> import numpy as np, rmtsolve as rmt
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((400, 30))
    >>> y = x[:, 0] + .5 * rng.standard_normal(400)
    >>> rmt.data_ridge_errors(x, y, n=[60, 200], lam=1.0).test.round(2)
    array([0.5 , 0.27])
    """
    x, y = check_data(features, labels)
    rows, p = x.shape
    if not isinstance(intercept, (bool, np.bool_)):
        _validate.fail("intercept", "True or False", intercept)
    samples, ridge, shape = _grid(n, lam, 1.0 if intercept else 0.0)
    if samples.max() > rows:
        _validate.fail("n", f"at most the {rows} rows of the data set", float(samples.max()))
    y = y.reshape(rows, -1)
    if intercept:
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    g, weights, rest = _decompose(x, y)
    total, effective = float(rows - intercept), samples - intercept
    u = _ridge_of_all(g, total, effective, ridge)

    df1, slope, fitted, flat = np.empty((4, u.size))
    for block in _blocks(u.size, g.size):
        column = u[block, None]
        share = g / (g + column)
        df1[block] = share.sum(axis=1)
        slope[block] = -(share / (g + column)).sum(axis=1)  # dD/du
        fitted[block] = (column / (g + column)) ** 2 @ weights
        flat[block] = ((column / (g + column)) ** 2).sum(axis=1) + (total - g.size)  # (N - D)^2 dkappa/du
    kappa = u / (total - df1)
    with np.errstate(divide="ignore", invalid="ignore"):
        df2 = df1 + np.where(flat > 0.0, u * slope * (total - df1) / flat, 0.0)
        energy = (fitted + rest) / total / (1.0 - df1 / total) ** 2 * (1.0 - df2 / total)
        room, below = 1.0 - df1 / effective, 1.0 - df2 / effective
        free = u == 0.0
        below = np.where(free, room, below)
        test = np.where(energy > 0.0, energy / below, 0.0) * (1.0 + intercept / samples)
        train = np.where(room > 0.0, room * (room / below) * energy, 0.0) * effective / samples
    parts = {"bias and noise": energy, "variance": np.where(np.isinf(test), np.inf, test - energy)}

    def shaped(array: Any) -> Real:
        return np.asarray(array).reshape(shape)

    return LinearRidgeErrors(
        alpha=shaped(samples / p), lam=shaped(ridge), train=shaped(train), test=shaped(test),
        degrees_of_freedom=shaped(df1 / effective), parts={key: shaped(value) for key, value in parts.items()},
        title=f"ridge on {p} features of a data set of {rows} rows" + ", with intercept" * intercept,
        n=shaped(samples), kappa=shaped(kappa), df1=shaped(df1), df2=shaped(df2), norm=shaped(np.full(u.size, np.nan)),
    )  # fmt: skip


def _decompose(x: Real, y: Real) -> tuple[Real, Real, float]:
    """Positive eigenvalues of ``Phi Phi^T / p``, squared labels along their eigenvectors, and the energy left over."""
    rows, p = x.shape
    _validate.memory(4 * 8.0 * min(rows, p) ** 2, "X", x.shape)
    wide = rows <= p
    values, vectors = np.linalg.eigh((x @ x.T if wide else x.T @ x) / p)
    kept = values > max(rows, p) * np.finfo(float).eps * max(float(values[-1]), 0.0)
    if not kept.any():
        _validate.fail("X", "of features that are not all constant", "constant columns")
    g, vectors = values[kept], vectors[:, kept]
    along = vectors.T @ (y if wide else x.T @ y) if wide else (vectors.T @ (x.T @ y)) / np.sqrt(p * g)[:, None]
    weights = (along**2).sum(axis=1)
    whole = float((y**2).sum())
    rest = whole - float(weights.sum())
    return g, weights, rest if rest > 1e-13 * whole else 0.0


def _ridge_of_all(g: Real, total: float, effective: Real, lam: Real) -> Real:
    """The u of all N rows whose kappa is that of (n, lam): ``u (n - D) / (N - D) = lam``, by bisection in log u."""
    rank = g.size
    low = np.log(np.maximum(lam, 1e-290))
    high = np.log(2.0 * np.maximum(g.sum(), lam * total) / effective)
    low = np.minimum(low, high - 1.0)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        u = np.exp(middle)
        d = np.empty(u.size)
        for block in _blocks(u.size, rank):
            d[block] = (g / (g + u[block, None])).sum(axis=1)
        above = u * (effective - d) > lam * (total - d)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
        if np.all(high - low <= 1e-15 * np.maximum(1.0, np.abs(middle))):
            break
    return np.where((lam == 0.0) & (effective >= rank), 0.0, np.exp(0.5 * (low + high)))


def _blocks(points: int, size: int) -> list[slice]:
    step = max(1, _BLOCK // size)
    return [slice(start, start + step) for start in range(0, points, step)]
