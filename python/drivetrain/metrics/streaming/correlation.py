"""Correlation of predicted with true numbers, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from ..checks import Array, Floats, as_array, as_weights
from ..functions.regression import correlation, correlation_of, ranks
from .base import Metric, Rows
from .regression import OutputMetric, number_rows


class Pearson(OutputMetric):
    """Pearson's correlation coefficient of truth and predictions.

    Args:
        name: Str, default "pearson".

    ``update`` takes numbers of shape (n,) or (n, 1). A large offset of the numbers costs no digits. NaN, with
    a warning, where either is constant.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Pearson
        >>> correlation = Pearson()
        >>> correlation.update(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
        >>> correlation.update(np.array([3.0, 4.0]), np.array([4.0, 3.0]))
        >>> round(correlation.result(), 4)
        0.6
    """

    per_batch = False
    # Of truth and prediction: the first, from which the means are counted, the means, sums of squares around
    # them, and the sum of products twice.
    _arrays = ("origin", "mean", "spread", "product")
    origin: Floats
    mean: Floats
    spread: Floats
    product: Floats

    def __init__(self, name: str = "pearson") -> None:
        super().__init__(name, None)

    def _take(self, where: str, outputs: int) -> None:
        if outputs != 1 and where.endswith("update"):
            raise ValueError(f"{where}: there are {outputs} outputs, expected one")
        super()._take(where, 2)

    def _add(self, truth: Floats, guess: Floats, weights: Floats | None) -> None:
        # Rows are faster to sum than columns.
        both = np.stack([truth[:, 0], guess[:, 0]])
        origin = both[:, 0].copy()
        both -= origin[:, None]
        each = np.ones(1) if weights is None else weights[:, 0]
        weight = float(len(truth) if weights is None else each.sum())
        mean = (both * each).sum(axis=1) / (weight or 1.0)
        both -= mean[:, None]
        spread = np.asarray([(row * row * each).sum() for row in both])
        product = float((both[0] * both[1] * each).sum())
        self._join(weight, origin, mean, spread, np.full(2, product))

    def _join(self, weight: float, *arrays: Floats) -> None:
        origin, mean, spread, product = arrays
        both = self.weight + weight
        if not weight or not both:
            return
        if not self.weight:
            self.origin = origin.copy()
        mean = mean + (origin - self.origin)
        shift, share = mean - self.mean, weight / both
        self.spread = self.spread + spread + shift * shift * (self.weight * share)
        self.product = self.product + product + shift[0] * shift[1] * (self.weight * share)
        self.mean = self.mean + shift * share
        self.weight = both

    def result(self) -> float:
        """Return the correlation, NaN before the first sample."""
        if not self._outputs():
            return math.nan
        return correlation_of("Pearson", float(self.spread[0]), float(self.spread[1]), float(self.product[0]))


class Spearman(Metric):
    """Spearman's rank correlation of truth and predictions. It keeps all numbers: 16 bytes a sample.

    Args:
        name: Str, default "spearman".

    ``update`` takes numbers of shape (n,) or (n, 1). NaN where there is a NaN, and, with a warning, where
    either is constant.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Spearman
        >>> correlation = Spearman()
        >>> correlation.update(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 4.0, 9.0, 16.0]))
        >>> correlation.result()
        1.0
    """

    per_batch = False

    def __init__(self, name: str = "spearman") -> None:
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._rows = Rows()

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "Spearman.update"
        truth, guess = number_rows(where, y_true, y_pred)
        if truth.shape[1] != 1 and truth.size:
            raise ValueError(f"{where}: there are {truth.shape[1]} outputs, expected one")
        weights = as_weights(where, sample_weight, len(truth))
        if weights is None:
            weights = np.ones(len(truth))
        if len(truth):
            self._rows.append(np.stack([truth[:, 0], guess[:, 0], weights], axis=1))

    def result(self) -> float:
        """Return the correlation, NaN before the first sample."""
        rows = self._rows.get()
        if not len(rows) or np.isnan(rows).any():
            return math.nan
        weights: Array | None = None if (rows[:, 2] == 1).all() else rows[:, 2].copy()
        truth, guess = (ranks(rows[:, place].copy(), weights) for place in (0, 1))
        return correlation("Spearman", truth, guess, weights)

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        if type(other) is not type(self):
            self._check_mergeable(other)
        if other._rows.size:
            self._rows.append(other._rows.get())

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of what was taken in."""
        return {"rows": self._rows.get().reshape(-1, 3).copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        where = "Spearman.load_state_dict"
        if not isinstance(state, Mapping) or set(state) != {"rows"}:
            raise ValueError(f"{where}: state has other keys than ['rows']")
        rows = np.array(as_array(where, "rows", state["rows"]))
        if rows.ndim != 2 or rows.shape[1] != 3 or rows.dtype != np.float64:
            raise ValueError(
                f"{where}: rows is {rows.dtype} of shape {rows.shape}, expected float64 of (n, 3)"
            )
        self.reset()
        if len(rows):
            self._rows.append(rows)
