"""Metrics that count which class was predicted for which: their memory is that of the confusion matrix."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..._checks import choice, flag, integer
from ..checks import Array, as_array, as_weights, check_same_length
from ..functions.agreement import balanced_accuracy_of, kappa_of, matthews_of
from ..functions.sets import check_zero_division
from ..labels import Counts, indicators, label_counts, matrix_counts
from .accuracy import class_codes, has_class_scores
from .base import SumMetric


class CountMetric(SumMetric):
    """Counts in a matrix how often class i (row) was predicted as class j (column), and which classes occur.

    Without ``num_classes`` the matrix grows with the labels.
    """

    _state = ("counts", "seen")
    per_batch = False

    def __init__(self, name: str, num_classes: int | None, threshold: float) -> None:
        kind = type(self).__name__
        self.num_classes = None if num_classes is None else integer(kind, "num_classes", num_classes)
        if num_classes is not None and num_classes > 2**24:
            raise ValueError(f"{kind}: a matrix for {num_classes} classes fits into no memory")
        self.name = name
        self.threshold = float(threshold)
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        size = self.num_classes or 0
        self.counts: Array = np.zeros((size, size), np.int64)
        self.seen: Array = np.zeros(size, np.bool_)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth, guess, weights, size = class_codes(
            where, y_true, y_pred, sample_weight, self.threshold, self.num_classes
        )
        self._grow(size, np.int64 if weights is None else np.float64)
        size = len(self.counts)
        if size * size > 8 * len(truth):  # few samples for a large matrix
            np.add.at(self.counts, (truth, guess), 1 if weights is None else weights)
        else:
            found = np.bincount(truth * size + guess, weights, minlength=size * size)
            self.counts += found.reshape(size, size)
        self.seen[truth] = self.seen[guess] = True

    def _grow(self, size: int, kind: Any) -> None:
        kind, more = np.result_type(self.counts, kind), max(0, size - len(self.counts))
        if more or kind != self.counts.dtype:
            self.counts = np.pad(self.counts.astype(kind), ((0, more), (0, more)))
            self.seen = np.pad(self.seen, (0, more))

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        self._check_mergeable(other)
        size = len(other.counts)
        self._grow(size, other.counts.dtype)
        self.counts[:size, :size] += other.counts
        self.seen[:size] |= other.seen

    def _checked_state(self, where: str, state: Mapping[str, Any]) -> dict[str, Any]:
        counts = np.array(as_array(where, "counts", state["counts"]))
        seen = np.array(as_array(where, "seen", state["seen"]))
        size = self.num_classes or len(seen)
        if counts.dtype not in (np.int64, np.float64) or counts.shape != (size, size):
            raise ValueError(
                f"{where}: counts is {counts.dtype} of shape {counts.shape}, expected int64 or float64 of "
                f"{(size, size)}"
            )
        if seen.dtype != np.bool_ or seen.shape != (size,):
            raise ValueError(
                f"{where}: seen is {seen.dtype} of shape {seen.shape}, expected bool of ({size},)"
            )
        return {"counts": counts, "seen": seen}

    def _matrix(self) -> Array:
        """Return the matrix of the classes that occur."""
        matrix: Array = self.counts[np.ix_(self.seen, self.seen)]
        return matrix


class ConfusionMatrix(CountMetric):
    """How often class i (row) was predicted as class j (column).

    Args:
        num_classes: Int.
        name: Str, default "confusion_matrix".
        threshold (float, default 0.5): For two classes: above it a single float score means class 1.

    ``update`` takes labels of shape (n, ...) and either labels of that shape or scores with one axis of
    classes more. ``result`` is an array of shape (classes, classes): int64 counts, or float64 once weights
    came in.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import ConfusionMatrix
        >>> matrix = ConfusionMatrix(num_classes=2)
        >>> matrix.update(np.array([0, 1, 1]), np.array([0, 0, 1]))
        >>> matrix.result()
        array([[1, 0],
               [1, 1]])
    """

    def __init__(self, num_classes: int, name: str = "confusion_matrix", *, threshold: float = 0.5) -> None:
        integer("ConfusionMatrix", "num_classes", num_classes)
        super().__init__(name, num_classes, threshold)

    def result(self) -> Array:
        """Return a copy of the matrix."""
        return self.counts.copy()

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        class_names: Sequence[str] | None = None,
        normalize: str | None = None,
    ) -> Any:
        """Draw the matrix; see ``drivetrain.metrics.plots.plot_confusion_matrix``."""
        from ..plots import draw_matrix

        names = class_names if class_names is not None else [str(place) for place in range(len(self.counts))]
        return draw_matrix(self.counts, names, normalize, path)


class BalancedAccuracy(CountMetric):
    """The mean of the classes' recalls.

    Args:
        name: Str, default "balanced_accuracy".
        adjusted (bool, default False): Shift and scale it so that chance gives 0.
        num_classes (int, optional): Default: as many as labels and scores show.
        threshold (float, default 0.5): Above it a single float score means class 1; 0 for logits.

    ``update`` takes what `Accuracy` takes, for labels 0, 1, ....

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import BalancedAccuracy
        >>> balanced = BalancedAccuracy()
        >>> balanced.update(np.array([0, 1, 0, 0, 1, 0]), np.array([0, 1, 0, 0, 0, 1]))
        >>> balanced.result()
        0.625
    """

    def __init__(
        self,
        name: str = "balanced_accuracy",
        *,
        adjusted: bool = False,
        num_classes: int | None = None,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(name, num_classes, threshold)
        self.adjusted = flag(type(self).__name__, "adjusted", adjusted)

    def result(self) -> float:
        """Return the mean recall, NaN before the first sample."""
        return balanced_accuracy_of(self._matrix(), self.adjusted) if self.seen.any() else math.nan


class MatthewsCorrCoef(CountMetric):
    """Matthews' correlation of predicted and true classes.

    Args:
        name: Str, default "matthews_corrcoef".
        num_classes (int, optional): Default: as many as labels and scores show.
        threshold (float, default 0.5): Above it a single float score means class 1; 0 for logits.

    ``update`` takes what `Accuracy` takes, for labels 0, 1, ....

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import MatthewsCorrCoef
        >>> correlation = MatthewsCorrCoef()
        >>> correlation.update(np.array([1, 1, 1, 0]), np.array([1, 0, 1, 1]))
        >>> round(correlation.result(), 4)
        -0.3333
    """

    def __init__(
        self, name: str = "matthews_corrcoef", *, num_classes: int | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name, num_classes, threshold)

    def result(self) -> float:
        """Return the correlation, NaN before the first sample."""
        return matthews_of(self.counts) if self.seen.any() else math.nan


class CohenKappa(CountMetric):
    """Cohen's kappa of predicted and true classes.

    Args:
        name: Str, default "cohen_kappa".
        weights (None, "linear" or "quadratic"): How much worse a larger distance of two classes is.
        num_classes (int, optional): Default: as many as labels and scores show.
        threshold (float, default 0.5): Above it a single float score means class 1; 0 for logits.

    ``update`` takes what `Accuracy` takes, for labels 0, 1, ....

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import CohenKappa
        >>> kappa = CohenKappa()
        >>> kappa.update(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
        >>> kappa.result()
        0.5
    """

    def __init__(
        self,
        name: str = "cohen_kappa",
        *,
        weights: str | None = None,
        num_classes: int | None = None,
        threshold: float = 0.5,
    ) -> None:
        choice("CohenKappa", "weights", weights, (None, "linear", "quadratic"))
        super().__init__(name, num_classes, threshold)
        self.weights = weights

    def result(self) -> float:
        """Return kappa, NaN before the first sample."""
        return kappa_of("CohenKappa", self._matrix(), self.weights, math.nan) if self.seen.any() else math.nan


class OverlapMetric(CountMetric):
    """Precision and its like: of one class, of each class, of each of several labels, or averaged.

    Several labels are counted in three rows: right, predicted and true; ``seen`` says whether there was any.
    """

    def __init__(
        self,
        name: str,
        average: str | None,
        pos_label: int,
        num_classes: int | None,
        threshold: float,
        zero_division: Any,
        multilabel: bool,
    ) -> None:
        kind = type(self).__name__
        choice(kind, "average", average, (None, "binary", "micro", "macro", "weighted"))
        check_zero_division(kind, zero_division)
        self.average, self.multilabel, self.zero_division = (
            average,
            flag(type(self).__name__, "multilabel", multilabel),
            zero_division,
        )
        if average == "binary":
            if multilabel:
                raise ValueError(
                    f"{kind}: average is 'binary', expected None, 'micro', 'macro' or 'weighted'"
                )
            if pos_label not in (0, 1):
                raise ValueError(f"{kind}: pos_label is {pos_label!r}, expected 0 or 1")
            num_classes = check_pair(kind, num_classes)
        self.pos_label = pos_label
        super().__init__(name, num_classes, threshold)

    def reset(self) -> None:
        """Forget everything taken in."""
        super().reset()
        if self.multilabel:
            self.counts = np.zeros((4, self.num_classes or 0), np.int64)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        if self.multilabel:
            self._update_labels(where, y_true, y_pred, sample_weight)
            return
        if self.average == "binary":
            refuse_more_classes(where, as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred))
        super().update(y_true, y_pred, sample_weight)

    def _update_labels(self, where: str, y_true: Any, y_pred: Any, sample_weight: Any) -> None:
        truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
        check_same_length(where, truth, guess)
        labels = self.counts.shape[1] or guess.shape[-1]
        if truth.shape != guess.shape or truth.ndim != 2 or guess.shape[1] != labels:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected both (n, {labels})"
            )
        if guess.dtype.kind == "f":
            if np.isnan(guess).any():
                raise ValueError(f"{where}: y_pred holds NaN")
            guess = guess > self.threshold
        truth, guess = indicators(where, "y_true", truth), indicators(where, "y_pred", guess)
        weights = as_weights(where, sample_weight, len(truth))
        total = len(truth) if weights is None else weights.sum()
        found = np.stack([*label_counts(truth, guess, weights), np.full(labels, total)])
        self.counts = (self.counts if self.counts.size else np.zeros((4, labels), np.int64)) + found
        self.seen = np.full(labels, bool(len(truth)) or bool(self.seen.any()))

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        if not self.multilabel:
            super().merge(other)
            return
        self._check_mergeable(other)
        if not self.counts.size or not other.counts.size:
            other = self if self.counts.size else other
            self.counts, self.seen = other.counts.copy(), other.seen.copy()
            return
        if self.counts.shape != other.counts.shape:
            raise ValueError(
                f"{type(self).__name__}.merge: other has {other.counts.shape[1]} labels, expected "
                f"{self.counts.shape[1]}"
            )
        self.counts, self.seen = self.counts + other.counts, self.seen | other.seen

    def _checked_state(self, where: str, state: Mapping[str, Any]) -> dict[str, Any]:
        if not self.multilabel:
            return super()._checked_state(where, state)
        counts = np.array(as_array(where, "counts", state["counts"]))
        seen = np.array(as_array(where, "seen", state["seen"]))
        labels = self.num_classes or len(seen)
        if counts.dtype not in (np.int64, np.float64) or counts.shape != (4, labels):
            raise ValueError(
                f"{where}: counts is {counts.dtype} of shape {counts.shape}, expected shape {(4, labels)}"
            )
        if seen.dtype != np.bool_ or seen.shape != (labels,):
            raise ValueError(f"{where}: seen is {seen.dtype} of {seen.shape}, expected bool of ({labels},)")
        return {"counts": counts, "seen": seen}

    def result(self) -> Any:
        """Return the value, or an array of one per class or label where ``average`` is None; NaN before the
        first sample."""
        if not self.seen.any():
            return math.nan
        if self.multilabel:
            counts = Counts(*self.counts)
            return self._of(counts._replace(total=self.counts[3, 0]))
        if self.average != "binary":
            return self._of(matrix_counts(self._matrix()))
        counts, place = matrix_counts(self.counts), slice(self.pos_label, self.pos_label + 1)
        chosen = Counts(counts.hits[place], counts.predicted[place], counts.true[place], counts.total)
        return self._of(chosen)

    def _of(self, counts: Counts) -> Any:
        raise NotImplementedError


def check_pair(kind: str, num_classes: Any) -> int:
    if num_classes not in (None, 2):
        raise ValueError(
            f"{kind}: num_classes is {num_classes!r} with average='binary', expected 2, or another average"
        )
    return 2


def refuse_more_classes(where: str, truth: Array, guess: Array) -> None:
    largest = truth.max() if truth.size and truth.dtype.kind in "buif" else 0
    classes = guess.shape[-1] if has_class_scores(truth, guess) else int(largest if largest > 1 else 1) + 1
    if classes > 2:
        raise ValueError(
            f"{where}: average is 'binary', but there are {classes} classes, expected average=None, 'micro', "
            "'macro' or 'weighted'"
        )
