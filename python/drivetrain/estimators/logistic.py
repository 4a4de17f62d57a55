"""Logistic regression with an L2 penalty."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .. import _core
from .arguments import Arguments, TakesSparse, row_weights, take_over
from .lbfgs import minimise
from .moments import product
from .network import Network

Array = NDArray[Any]
SMALL = 600  # coefficients up to which Newton's method, with its matrix of their products, is the faster one


class LogisticRegression(ClassifierMixin, TakesSparse):
    """Logistic regression with an L2 penalty: for two classes, or the softmax for more.

    Minimises C times the sum of the rows' losses plus |coef|^2 / 2, in float64.

    Args:
        C: Inverse of the penalty's size; ``numpy.inf`` for no penalty.
        fit_intercept: Whether there are intercepts, which are not penalised.
        class_weight: "balanced", a dict of label to weight, or None.
        solver: "newton-cholesky", "lbfgs", or "auto": the first where there are few coefficients.
        tol: The largest slope, of the mean loss of a row, that ends the work.
        max_iter: The most iterations.
        warm_start: Whether fit begins with the coefficients it has.

    Attributes:
        classes_, coef_ (1, features) or (classes, features), intercept_, n_iter_, n_features_in_,
        feature_names_in_.

    Source: the interface is that of ``sklearn.linear_model.LogisticRegression``.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from drivetrain.estimators import LogisticRegression
        >>> x, y = load_iris(return_X_y=True)
        >>> LogisticRegression().fit(x, y).score(x, y) > 0.95
        True
    """

    coef_: Array
    intercept_: Array

    def __init__(
        self,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Any = None,
        solver: str = "auto",
        tol: float = 1e-8,
        max_iter: int = 100,
        warm_start: bool = False,
    ) -> None:
        take_over(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Find the coefficients for X (n, features) and labels y (n,)."""
        read = Arguments(self)
        read.positive("C")
        read.at_least_zero("tol")
        read.integer("max_iter")
        for name in ("fit_intercept", "warm_start"):
            read.flag(name)
        solver = read.choice("solver", "auto", "newton-cholesky", "lbfgs")
        warm = self.warm_start and hasattr(self, "coef_")
        x, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64, order="C")
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"LogisticRegression.fit: y has only one class, {self.classes_[0]}, expected two classes or "
                "more"
            )
        weight = row_weights(self, x, sample_weight, y, self.class_weight)
        outputs = 1 if len(self.classes_) == 2 else len(self.classes_)
        shape = (outputs, x.shape[1])
        if not warm or self.coef_.shape != shape:
            self.coef_, self.intercept_ = np.zeros(shape), np.zeros(outputs)
        if solver == "auto":
            solver = "newton-cholesky" if outputs * (shape[1] + 1) <= SMALL else "lbfgs"
        search = self._newton if solver == "newton-cholesky" else self._lbfgs
        if not search(x, labels, weight):
            warnings.warn(
                f"LogisticRegression: max_iter={self.max_iter} iterations were not enough; raise "
                "max_iter, or scale the columns of X",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _newton(self, x: Any, labels: Array, weight: Array | None) -> bool:
        problem = Problem(x, labels, weight, len(self.classes_), 1 / self.C, self.fit_intercept)
        coef = np.column_stack([self.coef_, self.intercept_])
        value, slope, shares = problem.loss(coef)
        converged, self.n_iter_ = False, 0
        while not converged and self.n_iter_ < self.max_iter:
            self.n_iter_ += 1
            step = problem.newton_step(slope, shares)
            if np.abs(slope).max() <= self.tol * problem.total:  # a whole step doubles the digits
                coef, converged = coef - step, True
                break
            promised, size = float(np.vdot(step, slope)), 1.0
            new_value, new_slope, new_shares = problem.loss(coef - step)
            while new_value > value - 1e-4 * size * promised and size > 1e-10:
                size /= 2
                new_value, new_slope, new_shares = problem.loss(coef - size * step)
            if not new_value <= value:  # float64 has no more digits here
                converged = promised <= 1e-12 * abs(value)
                break
            coef, value, slope, shares = coef - size * step, new_value, new_slope, new_shares
        self.coef_, self.intercept_ = coef[:, :-1].copy(), coef[:, -1].copy()
        return converged

    def _lbfgs(self, x: Any, labels: Array, weight: Array | None) -> bool:
        two = len(self.classes_) == 2
        network = Network([self.coef_.T], [self.intercept_], "identity", "logistic" if two else "softmax")
        if not self.fit_intercept:
            network.biases[0] = _core.zeros(network.biases[0].shape, dtype="float64")
            network.trained = list(network.weights)
        target = labels.astype(np.float64).reshape(-1, 1) if two else labels.astype(np.int64)
        options = {"maxiter": self.max_iter, "gtol": self.tol, "ftol": 64 * np.finfo(float).eps}
        found = minimise(network, x, target, weight, 1 / self.C, options)
        (coef,), (intercept,) = network.arrays()
        self.coef_, self.intercept_ = np.ascontiguousarray(coef.T), intercept.copy()
        self.n_iter_ = min(found.nit, self.max_iter)
        return bool(found.status == 0)

    def decision_function(self, X: Any) -> Array:
        """The scores (n,) of the second of two classes, or (n, classes)."""
        check_is_fitted(self)
        x = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        scores: Array = x @ self.coef_.T if sparse.issparse(x) else product(x, self.coef_.T)
        scores = scores + self.intercept_
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> Array:
        """The labels (n,)."""
        scores = self.decision_function(X)
        chosen = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, X: Any) -> Array:
        """The probabilities (n, classes)."""
        scores = self.decision_function(X)
        if scores.ndim == 1:
            share = _core.sigmoid(_core.from_numpy(scores)).numpy()
            return np.column_stack([1 - share, share])
        return np.asarray(_core.softmax(_core.from_numpy(scores), axis=-1).numpy())

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities (n, classes)."""
        scores = self.decision_function(X)
        scores = np.column_stack([np.zeros(len(scores)), scores]) if scores.ndim == 1 else scores
        return np.asarray(_core.log_softmax(_core.from_numpy(scores), axis=-1).numpy())


class Problem:
    """The loss of coefficients (outputs, features + 1), with its slope and its curvature."""

    def __init__(
        self, x: Any, labels: Array, weight: Array | None, classes: int, penalty: float, intercept: bool
    ) -> None:
        self.x, self.labels, self.penalty, self.intercept = x, labels, penalty, intercept
        self.weight = np.ones(x.shape[0]) if weight is None else weight
        self.total = float(self.weight.sum())
        self.outputs = 1 if classes == 2 else classes

    def loss(self, coef: Array) -> tuple[float, Array, Array]:
        """Return the loss, its slope and the probabilities (n, outputs)."""
        scores = (
            self.x @ coef[:, :-1].T if sparse.issparse(self.x) else product(self.x, coef[:, :-1].T)
        ) + coef[:, -1]
        rows = np.arange(len(scores))
        if self.outputs == 1:
            scores = scores[:, 0]
            losses = np.logaddexp(0, scores) - self.labels * scores
            shares = _core.sigmoid(_core.from_numpy(np.ascontiguousarray(scores))).numpy()[:, None]
            missed = shares - self.labels[:, None]
        else:
            logs = _core.log_softmax(_core.from_numpy(np.ascontiguousarray(scores)), axis=-1).numpy()
            losses, shares = -logs[rows, self.labels], np.exp(logs)
            missed = shares.copy()
            missed[rows, self.labels] -= 1
        missed *= self.weight[:, None]
        slope = np.empty_like(coef)
        slope[:, :-1] = self._pull(missed).T + self.penalty * coef[:, :-1]
        slope[:, -1] = missed.sum(axis=0) if self.intercept else 0.0
        value = float(self.weight @ losses + 0.5 * self.penalty * np.vdot(coef[:, :-1], coef[:, :-1]))
        return value, slope, shares

    def _pull(self, rows: Array) -> Array:
        return np.asarray(self.x.T @ rows) if sparse.issparse(self.x) else product(self.x.T, rows)

    def newton_step(self, slope: Array, shares: Array) -> Array:
        """Return the step that would lead to the minimum, were the loss quadratic."""
        outputs, width = slope.shape
        matrix = np.empty((outputs, width, outputs, width))
        for i in range(outputs):
            for j in range(i, outputs):
                bend = self.weight * shares[:, i] * ((1.0 if i == j else 0.0) - shares[:, j])
                matrix[i, :, j, :] = matrix[j, :, i, :] = self._bent(bend)
            matrix[i, np.arange(width - 1), i, np.arange(width - 1)] += self.penalty
        if outputs > 1:
            # All classes may be moved alike at no cost: the step is not to, for which a bend there serves.
            size = np.trace(matrix.reshape(outputs * width, -1)) / (outputs * width)
            for k in range(width):
                matrix[:, k, :, k] += size / outputs
        bends, pull = matrix.reshape(outputs * width, -1), slope.reshape(-1)
        try:
            step = linalg.cho_solve(linalg.cho_factor(bends), pull)
        except linalg.LinAlgError:
            step = linalg.lstsq(bends, pull)[0]
        return np.asarray(step).reshape(outputs, width)

    def _bent(self, bend: Array) -> Array:
        """Return [X 1]' diag(bend) [X 1]; without intercept a 1 stands alone in the corner."""
        width = self.x.shape[1] + 1
        out = np.zeros((width, width))
        if sparse.issparse(self.x):
            bent = sparse.diags(bend) @ self.x
            out[:-1, :-1] = (self.x.T @ bent).toarray()
        else:
            bent = self.x * bend[:, None]
            out[:-1, :-1] = product(self.x.T, bent)
        if self.intercept:
            out[-1, :-1] = out[:-1, -1] = np.asarray(bent.sum(axis=0)).reshape(-1)
            out[-1, -1] = bend.sum()
        else:
            out[-1, -1] = 1.0
        return out
