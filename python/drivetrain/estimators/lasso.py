"""Least squares with an L1 penalty, which makes most coefficients exactly zero."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .. import _core
from .arguments import Arguments, take_over
from .linear import LinearModel
from .moments import Moments, gram_of

Array = NDArray[Any]
FIRST_FEATURES = 64  # that the search begins with; twice as many each time it needs more
SMALL = 1 << 16  # elements of a table whose Gram matrix costs too little to be made in float32
MOST_OF = 0.8  # share of the features that makes the search take all of them at once
GAIN = 1e-8  # how much smaller the miss is to be after a round; float32 makes it some 1e-6
QUICK_SWEEPS = 20  # after which the signs found so far may be right and the rest a matter of linear algebra
MOST_SWEEPS = 200  # before the gradient is computed anew


class ElasticNet(LinearModel):
    """Least squares with an L1 and an L2 penalty.

    Minimises |y - X w|^2 / (2 n) + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio) |w|^2 / 2. The features that
    may not be zero are found by their correlation with what is left of y, and only their Gram matrix is
    computed; coordinate descent on it is native. What is found is exact: no smaller tol is needed for more
    digits.

    Args:
        alpha: The penalty.
        l1_ratio: Share of the L1 penalty: 1 is the Lasso, 0 a ridge regression.
        fit_intercept: Whether there is an intercept, which is not penalised.
        max_iter: The most sweeps over the coordinates.
        tol: How far, as a share of the largest correlation of a feature with y, the conditions of the minimum
            may be missed. scikit-learn's tol bounds the duality gap, which is far less strict.
        warm_start: Whether fit begins with the coefficients it has.
        positive: Whether coefficients must not be negative.
        random_state: int, RandomState or None, for selection="random".
        selection: "cyclic", or "random" for a random order of the coordinates.

    Attributes:
        coef_ (features,) or (targets, features), intercept_, n_iter_, dual_gap_, sparse_coef_,
        n_features_in_, feature_names_in_.

    Source: H. Zou and T. Hastie, 2005; J. Friedman, T. Hastie and R. Tibshirani, 2010; the interface is that
    of ``sklearn.linear_model.ElasticNet``.

    Example:
        >>> import numpy as np
        >>> from drivetrain.estimators import ElasticNet
        >>> x = np.random.default_rng(0).normal(size=(100, 4))
        >>> ElasticNet(alpha=0.1).fit(x, 3 * x[:, 2]).coef_.round(1).tolist()
        [0.0, 0.0, 2.8, 0.0]
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-11,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        take_over(self, locals())

    def _shares(self, read: Arguments) -> tuple[float, float]:
        """Return the penalties of |w|_1 and of |w|^2 / 2."""
        alpha, ratio = read.at_least_zero("alpha"), read.share("l1_ratio", "1")
        return alpha * ratio, alpha * (1 - ratio)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Find the coefficients for X (n, features) and y (n,) or (n, targets)."""
        read = Arguments(self)
        l1, l2 = self._shares(read)
        for name in ("fit_intercept", "warm_start", "positive"):
            read.flag(name)
        read.integer("max_iter")
        read.at_least_zero("tol")
        moments, flat = self._moments(X, y, sample_weight)
        order = None
        if read.choice("selection", "cyclic", "random") == "random":
            order = check_random_state(self.random_state).permutation(moments.columns)
        search = Search(moments, l1, l2, self.positive, self.tol, self.max_iter, order)
        coef = np.zeros((moments.columns, moments.y.shape[1]))
        if self.warm_start and hasattr(self, "coef_"):
            coef[:] = self.coef_.reshape(-1, moments.columns).T
        found = [search.minimise(target, coef[:, target]) for target in range(coef.shape[1])]
        self.n_iter_ = found[0].sweeps if flat else [one.sweeps for one in found]
        self.dual_gap_ = found[0].gap if flat else np.array([one.gap for one in found])
        if not all(one.converged for one in found):
            warnings.warn(
                f"{read.name}: max_iter={self.max_iter} sweeps were not enough for tol={self.tol}; raise "
                "max_iter, or scale the columns of X",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._keep(moments, coef, flat)
        return self

    @property
    def sparse_coef_(self) -> Any:
        """The coefficients as a sparse matrix (targets, features)."""
        from scipy import sparse

        return sparse.csr_matrix(self.coef_)


class Lasso(ElasticNet):
    """Least squares with an L1 penalty, which makes coefficients exactly zero.

    Minimises |y - X w|^2 / (2 n) + alpha |w|_1.

    Args:
        alpha: The penalty.
        fit_intercept, max_iter, tol, warm_start, positive, random_state, selection: As of `ElasticNet`.

    Attributes: Those of `ElasticNet`.

    Source: R. Tibshirani, 1996; the interface is that of ``sklearn.linear_model.Lasso``.

    Example:
        >>> import numpy as np
        >>> from drivetrain.estimators import Lasso
        >>> x = np.random.default_rng(0).normal(size=(100, 4))
        >>> Lasso(alpha=0.1).fit(x, 3 * x[:, 2]).coef_.round(1).tolist()
        [0.0, 0.0, 2.9, 0.0]
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-11,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
    ) -> None:
        take_over(self, locals())

    def _shares(self, read: Arguments) -> tuple[float, float]:
        return read.at_least_zero("alpha"), 0.0


class Found:
    """How a minimisation went."""

    sweeps = 0
    gap = math.inf
    converged = False


class Search:
    """The minimum for each target of a table; the Gram matrix of the features tried is kept for the next one.

    Every round computes the gradient exactly, in float64 over all rows. It says which features are missing,
    and it corrects the Gram matrix, which is summed in float32: as in iterative refinement every round gains
    some six digits. Should it gain little, the matrix is made again in float64.
    """

    def __init__(
        self,
        moments: Moments,
        l1: float,
        l2: float,
        positive: bool,
        tolerance: float,
        max_sweeps: int,
        order: Array | None,
    ) -> None:
        self.moments, self.positive, self.tolerance = moments, positive, tolerance
        self.l1, self.l2 = l1 * moments.total, l2 * moments.total
        self.max_sweeps = max_sweeps
        self.order = order
        self.basis = Basis(moments)

    def minimise(self, target: int, coef: Array) -> Found:
        """Change ``coef`` (p,) to the minimum for one target."""
        found = Found()
        y = self.moments.y[:, target]
        pull = self.moments.pull(y)
        scale = float(np.abs(pull).max(initial=0.0))
        residual, gradient = y, pull
        last, settled = math.inf, False
        if coef.any():
            residual, gradient = self._gradient(y, coef)
        while True:
            missed = self._missed(coef, gradient)
            worst = float(missed.max(initial=0.0))
            found.converged = worst <= self.tolerance * scale
            if found.converged or found.sweeps >= self.max_sweeps or not np.isfinite(worst):
                break
            added = self._choose(coef, missed, scale)
            if settled and not added and worst > last / 100 and not self.basis.sharpen():
                found.converged = worst > last / 2  # float64 itself has no more digits here
                if found.converged:
                    break
            last = worst
            made, settled = self._descend(coef, gradient, worst, self.max_sweeps - found.sweeps)
            found.sweeps += made
            residual, gradient = self._gradient(y, coef)
        found.gap = self._gap(y, residual, gradient, coef)
        return found

    def _gradient(self, y: Array, coef: Array) -> tuple[Array, Array]:
        """Return what is left of y, and how it pulls at the coefficients."""
        residual = y - self.moments.predict(coef)
        return residual, self.moments.pull(residual) - self.l2 * coef

    def _missed(self, coef: Array, gradient: Array) -> Array:
        """Return by how much each coefficient misses the condition of the minimum."""
        at_zero = (gradient if self.positive else np.abs(gradient)) - self.l1
        return np.where(coef == 0, np.maximum(at_zero, 0), np.abs(gradient - self.l1 * np.sign(coef)))

    def _choose(self, coef: Array, missed: Array, scale: float) -> int:
        """Add the features that miss the most to the basis; return how many those are."""
        basis, columns = self.basis, len(coef)
        wanted = (missed > self.tolerance * scale) | (coef != 0)
        new = np.flatnonzero(wanted & ~basis.has)
        most_of = len(new) > MOST_OF * columns and 4 * columns <= self.moments.rows
        if not len(basis.features) and (most_of or self.moments.rows * columns <= SMALL):
            basis.add_all()
            return columns
        most = max(FIRST_FEATURES, len(basis.features), int(np.count_nonzero(coef)))
        if len(new) > most:
            chosen = np.argpartition(-(missed[new] + scale * (coef[new] != 0)), most)[:most]
            new = np.sort(new[chosen])
        basis.add(new)
        return len(new)

    def _descend(self, coef: Array, gradient: Array, worst: float, sweeps: int) -> tuple[int, bool]:
        """Minimise over the features of the basis, with its Gram matrix.

        Return the sweeps made, and whether they were enough.
        """
        features, gram = self.basis.features, self.basis.gram
        if self.order is not None:
            chosen = np.argsort(self.order[features])
            features, gram = features[chosen], gram[np.ix_(chosen, chosen)]
        weights = np.ascontiguousarray(coef[features])
        target = gradient[features] + self.l2 * weights + gram @ weights
        matrix, pull = _core.from_numpy(np.ascontiguousarray(gram)), _core.from_numpy(target)
        place = _core.from_numpy(weights)
        largest = float(np.diag(gram).max(initial=0.0)) + self.l2
        limit = worst / math.sqrt(largest) if largest > 0 else 0.0

        def descend(limit: float, most: int) -> int:
            return _core._coordinate_descent(
                matrix, pull, place, self.l1, self.l2, limit, most, self.positive
            )

        most, enough = min(sweeps, MOST_SWEEPS), limit * GAIN
        quick = min(most, QUICK_SWEEPS)
        made = descend(enough, quick)
        exact = made < quick
        while made < most and not exact and limit >= enough:
            limit /= 10
            made += descend(limit, most - made)
            exact = self._solve_signs(gram, target, weights)
        coef[features] = weights
        return made, exact

    def _solve_signs(self, gram: Array, target: Array, weights: Array) -> bool:
        """Solve exactly, if the signs are right: the minimum is then that of a quadratic function."""
        used = np.flatnonzero(weights)
        signs = np.sign(weights[used])
        matrix = gram[np.ix_(used, used)] + self.l2 * np.eye(len(used))
        try:
            solved = linalg.cho_solve(
                linalg.cho_factor(matrix, overwrite_a=True), target[used] - self.l1 * signs
            )
        except linalg.LinAlgError:  # as many features as rows, or twice the same
            return False
        if not (solved * signs > 0).all():
            return False
        rest = target - gram[:, used] @ solved
        rest[used] = 0
        if ((rest if self.positive else np.abs(rest)) > self.l1 * (1 + 1e-12)).any():
            return False
        weights[used] = solved
        return True

    def _gap(self, y: Array, residual: Array, gradient: Array, coef: Array) -> float:
        """Return the duality gap, per row: a bound of how far the loss is from its minimum."""
        weight = self.moments.weight
        weighted = residual if weight is None else residual * weight
        squares = float(weighted @ residual)
        steepest = float((gradient if self.positive else np.abs(gradient)).max(initial=0.0))
        share = min(1.0, self.l1 / steepest) if steepest > 0 else 1.0
        gap = (1 + share**2) / 2 * (squares + self.l2 * float(coef @ coef))
        gap += self.l1 * float(np.abs(coef).sum()) - share * float(weighted @ y)
        return gap / self.moments.total


class Basis:
    """Features and their Gram matrix, which grows as features are added."""

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.has = np.zeros(moments.columns, bool)
        self.features = np.zeros(0, np.intp)
        self.gram = np.zeros((0, 0))
        self.dtype: Any = np.float32 if moments.rows * moments.columns > SMALL else np.float64
        self._parts: list[_core.Tensor] = []  # columns that were added together, centred

    def add(self, new: Array) -> None:
        if not len(new):
            return
        old, count = len(self.features), len(self.features) + len(new)
        self.features = np.concatenate([self.features, new])
        self.has[new] = True
        gram = np.zeros((count, count))
        gram[:old, :old] = self.gram
        part = _core.from_numpy(self.moments.centred(new, self.dtype))
        begin = 0
        for other in self._parts:
            end = begin + other.shape[1]
            gram[begin:end, old:] = _core.matmul(other.T, part).numpy()
            begin = end
        gram[old:, old:] = gram_of(part)
        gram[old:, :old] = gram[:old, old:].T
        self.gram = gram
        self._parts.append(part)
        if not np.isfinite(gram).all():  # beyond float32
            self.sharpen()

    def add_all(self) -> None:
        """Take all features at once, which needs no copy of the table."""
        self.features, self.has[:] = np.arange(self.moments.columns), True
        self.gram = self.moments.gram(self.dtype)
        if not np.isfinite(self.gram).all():
            self.sharpen()

    def sharpen(self) -> bool:
        """Make the Gram matrix again in float64; False where it is."""
        if self.dtype is np.float64:
            return False
        self.dtype, features = np.float64, self.features
        if len(features) == self.moments.columns:
            self.add_all()
            return True
        self.features, self.gram, self._parts = features[:0], self.gram[:0, :0], []
        self.add(np.sort(features))
        return True
