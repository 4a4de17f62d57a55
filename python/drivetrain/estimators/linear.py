"""Least squares, with and without an L2 penalty."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from .arguments import Arguments, TakesSparse, is_number, row_weights, take_over
from .moments import Moments, norm, product

Array = NDArray[Any]
# The smallest reciprocal condition number, columns scaled, with which normal equations still give nine
# digits.
WELL_CONDITIONED = 1e-7


class LinearModel(RegressorMixin, TakesSparse):
    """What the linear regressors share: data in, intercept and predictions out."""

    coef_: Array

    def _moments(self, x: Any, y: Any, sample_weight: Any) -> tuple[Moments, bool]:
        """Return the sums of the table, and whether y has one axis."""
        x, y = validate_data(
            self, x, y, accept_sparse=["csr", "csc"], multi_output=True, y_numeric=True, dtype=np.float64
        )
        weight = row_weights(self, x, sample_weight)
        y = np.asarray(y, np.float64)
        return Moments(x, y.reshape(len(y), -1), weight, self.fit_intercept), y.ndim == 1

    def _keep(self, moments: Moments, coef: Array, flat: bool) -> None:
        """Keep coefficients (p, t)."""
        self.coef_ = np.ascontiguousarray(coef[:, 0] if flat else coef.T)
        self.intercept_ = moments.intercept(self.coef_) if self.fit_intercept else 0.0

    def predict(self, X: Any) -> Array:
        """The numbers (n,) or (n, targets)."""
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=np.float64, reset=False)
        coef = self.coef_.T
        out = product(x, coef) if isinstance(x, np.ndarray) else x @ coef
        return np.asarray(out + self.intercept_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class LinearRegression(LinearModel):
    """Least squares.

    Args:
        fit_intercept: Whether there is an intercept, too.
        solver: "exact" solves the normal equations with Cholesky's method, or takes a singular value
            decomposition where they are badly conditioned; "gradient" descends with Nesterov's momentum from
            zero, each step over all rows.
        max_iter, tol: For "gradient": the most steps, and the size of the gradient, as a share of the first
            one, that ends them.

    Attributes:
        coef_ (features,) or (targets, features), intercept_, n_iter_, n_features_in_, feature_names_in_.

    Source: the interface is that of ``sklearn.linear_model.LinearRegression``; Y. Nesterov, 1983, with the
    restart of B. O'Donoghue and E. Candes, 2015.

    Example:
        >>> from drivetrain.estimators import LinearRegression
        >>> model = LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
        >>> round(float(model.coef_[0]), 6), round(float(model.intercept_), 6)
        (2.0, 1.0)
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        solver: str = "exact",
        max_iter: int = 10_000,
        tol: float = 1e-10,
    ) -> None:
        take_over(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Find the coefficients for X (n, features) and y (n,) or (n, targets)."""
        read = Arguments(self)
        read.flag("fit_intercept")
        read.integer("max_iter")
        read.at_least_zero("tol")
        moments, flat = self._moments(X, y, sample_weight)
        if read.choice("solver", "exact", "gradient") == "exact":
            coef, self.n_iter_ = solve(moments, np.zeros(moments.y.shape[1])), 1
        else:
            coef, self.n_iter_ = self._descend(moments)
        self._keep(moments, coef, flat)
        return self

    def _descend(self, moments: Moments) -> tuple[Array, int]:
        gram, pull = moments.gram(), moments.pull(moments.y)
        # Scaled columns: a step that fits all of them is long enough for each.
        scale = np.sqrt(np.where(np.diag(gram) > 0, np.diag(gram), 1.0))
        gram, pull = gram / np.outer(scale, scale), pull / scale[:, None]
        step = 1 / max(float(linalg.eigvalsh(gram)[-1]), np.finfo(float).tiny)
        coef, ahead, momentum = np.zeros_like(pull), np.zeros_like(pull), 1.0
        for count in range(1, self.max_iter + 1):
            gradient = product(gram, ahead) - pull
            if norm(gradient) <= self.tol * norm(pull):
                return ahead / scale[:, None], count
            new = ahead - step * gradient
            if np.vdot(gradient, new - coef) > 0:  # uphill: the momentum begins anew
                momentum = 1.0
            after = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = new + (momentum - 1) / after * (new - coef)
            coef, momentum = new, after
        warnings.warn(
            f"LinearRegression: max_iter={self.max_iter} is reached before tol={self.tol}; raise "
            "max_iter, or take solver='exact'",
            ConvergenceWarning,
            stacklevel=3,
        )
        return coef / scale[:, None], self.max_iter


class Ridge(LinearModel):
    """Least squares with the penalty alpha |coef|^2.

    Solved in closed form: Cholesky's method on the matrix of the features or of the rows, whichever is
    smaller.

    Args:
        alpha: The penalty, a number or one for each target.
        fit_intercept: Whether there is an intercept, which is not penalised.

    Attributes:
        coef_ (features,) or (targets, features), intercept_, n_features_in_, feature_names_in_.

    Source: A. Hoerl and R. Kennard, 1970; the interface is that of ``sklearn.linear_model.Ridge``.

    Example:
        >>> from drivetrain.estimators import Ridge
        >>> model = Ridge(alpha=2.0).fit([[-1.0], [0.0], [1.0]], [-2.0, 0.0, 2.0])
        >>> round(float(model.coef_[0]), 6)
        1.0
    """

    def __init__(self, alpha: Any = 1.0, *, fit_intercept: bool = True) -> None:
        take_over(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Find the coefficients for X (n, features) and y (n,) or (n, targets)."""
        read = Arguments(self)
        read.flag("fit_intercept")
        if is_number(self.alpha):
            read.at_least_zero("alpha")
        moments, flat = self._moments(X, y, sample_weight)
        targets = moments.y.shape[1]
        alphas = np.asarray(self.alpha, np.float64)
        if alphas.size not in (1, targets) or not (alphas >= 0).all():
            raise ValueError(
                f"Ridge: alpha is {self.alpha!r}, expected one number of at least 0, or one for each of the "
                f"{targets} targets"
            )
        self._keep(moments, solve(moments, np.broadcast_to(alphas.reshape(-1), targets)), flat)
        return self


def solve(moments: Moments, alphas: Array) -> Array:
    """Return the coefficients (p, t) of least squares with L2 penalties, one for each target."""
    wide = moments.columns > moments.rows
    if not alphas.all() and wide:
        return solve_by_svd(moments, alphas)
    if wide:
        matrix, target = moments.outer_gram(), moments.rooted(moments.y)
    else:
        matrix, target = moments.gram(), moments.pull(moments.y)
    found = np.empty_like(target)
    for alpha in np.unique(alphas):
        chosen = alphas == alpha
        part = solve_positive(matrix + alpha * np.eye(len(matrix)), target[:, chosen])
        if part is None:
            return solve_by_svd(moments, alphas)
        found[:, chosen] = part
    return moments.pull(found if moments.root is None else unrooted(moments, found)) if wide else found


def unrooted(moments: Moments, values: Array) -> Array:
    """Divide rows by the root of their weights; those without weight stay 0."""
    root = moments.root
    assert root is not None
    return np.divide(values.T, root, out=np.zeros_like(values.T), where=root > 0).T


def solve_positive(matrix: Array, target: Array) -> Array | None:
    """Solve with a positive definite matrix; None where it is too badly conditioned."""
    diagonal = np.diag(matrix)
    if not (diagonal > 0).all():
        return None
    scale = 1 / np.sqrt(diagonal)
    scaled = matrix * np.outer(scale, scale)
    try:
        factor = linalg.cho_factor(scaled, lower=True)
    except linalg.LinAlgError:
        return None
    reciprocal, _ = linalg.lapack.dpocon(factor[0], np.abs(scaled).sum(axis=0).max(), uplo="L")
    if reciprocal < WELL_CONDITIONED:
        return None
    return np.asarray(scale[:, None] * linalg.cho_solve(factor, scale[:, None] * target))


def solve_by_svd(moments: Moments, alphas: Array) -> Array:
    """Solve without squaring the condition; where many coefficients are best, those of the smallest norm."""
    left, sizes, right = linalg.svd(moments.centred(), full_matrices=False)
    kept = sizes > max(moments.rows, moments.columns) * np.finfo(float).eps * (sizes[0] if len(sizes) else 0)
    left, sizes, right = left[:, kept], sizes[kept], right[kept]
    share = sizes[:, None] / (sizes[:, None] ** 2 + alphas)
    return np.asarray(right.T @ (share * (left.T @ moments.rooted(moments.y))))
