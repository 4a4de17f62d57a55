"""Curves and the areas below them: exact from all scores, or from bins of bounded memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..._checks import choice, flag, integer
from ..checks import (
    Array,
    Floats,
    as_array,
    as_floats,
    as_weights,
    check_labels,
    check_range,
    check_same_length,
)
from ..functions.curves import Ranking, areas_of, precision_recall_points, rank, roc_points, without_straight
from ..functions.ranking import average_columns, average_pairs, precision_area, roc_area
from ..labels import indicators
from .accuracy import from_one_hot, is_one_hot
from .base import Metric, Rows, is_equal


def softmax(scores: Array) -> Array:
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return found


class ScoreMetric(Metric):
    """Keeps labels and scores, or counts scores in bins between ``thresholds``.

    Labels are kept as given: (n,) of classes, or (n, labels) of 0 and 1. Bins are counted for every column of
    scores, positive and negative samples apart: (2, columns, thresholds + 1).
    """

    per_batch = False

    def __init__(self, name: str, thresholds: Any, from_logits: bool, multilabel: bool) -> None:
        self.name, self.from_logits, self.multilabel = (
            name,
            flag(type(self).__name__, "from_logits", from_logits),
            flag(type(self).__name__, "multilabel", multilabel),
        )
        self.thresholds = as_thresholds(type(self).__name__, thresholds)
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._truth, self._scores, self._weights = Rows(), Rows(), Rows()
        self._bins: Array = np.zeros((2, 0, 0), np.int64)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth, scores = as_array(where, "y_true", y_true), as_floats(where, "y_pred", y_pred)
        check_same_length(where, truth, scores)
        check_labels(where, "y_true", truth)
        truth, scores = self._shaped(where, truth, scores)
        weights = as_weights(where, sample_weight, len(truth))
        known = self._scores.memory if self.thresholds is None else self._bins[0]
        columns = scores.shape[1] if scores.ndim == 2 else 1
        had = (
            0
            if known is None
            else (1 if known.ndim == 1 else known.shape[-1 if self.thresholds is None else 0])
        )
        if had not in (0, columns):
            raise ValueError(f"{where}: y_pred has {columns} columns, expected {had} as before")
        if self.thresholds is None:
            self._keep(truth, scores, weights)
        else:
            self._count(where, truth, scores, weights)

    def _shaped(self, where: str, truth: Array, scores: Array) -> tuple[Array, Array]:
        """Return labels of (n,) or (n, labels), and scores of (n,) or (n, columns)."""
        if scores.ndim == 2 and scores.shape[1] == 1:
            scores = scores[:, 0]
        if truth.ndim == 2 and truth.shape[1] == 1:
            truth = truth[:, 0]
        if self.multilabel:
            if truth.ndim != 2 or truth.shape != scores.shape:
                raise ValueError(
                    f"{where}: y_true has shape {truth.shape}, y_pred {scores.shape}, expected both (n, "
                    "labels)"
                )
            return indicators(where, "y_true", truth), scores
        if is_one_hot(truth, scores):
            truth = from_one_hot(where, truth)
        if truth.ndim != 1 or scores.ndim not in (1, 2):
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {scores.shape}, expected (n,) with (n,) or "
                "(n, classes)"
            )
        if scores.ndim == 1:
            return two_classes(where, truth), scores
        truth = check_range(where, "y_true", truth, scores.shape[1])
        scores = softmax(scores) if self.from_logits else scores
        return (truth.astype(np.bool_), scores[:, 1]) if scores.shape[1] == 2 else (truth, scores)

    def _keep(self, truth: Array, scores: Array, weights: Floats | None) -> None:
        if weights is not None and not self._weights.size and self._scores.size:
            self._weights.append(np.ones(self._scores.size))
        if weights is None and self._weights.size:
            weights = np.ones(len(truth))
        self._truth.append(truth)
        self._scores.append(scores)
        if weights is not None:
            self._weights.append(weights)

    def _count(self, where: str, truth: Array, scores: Array, weights: Floats | None) -> None:
        assert self.thresholds is not None
        columns = scores[:, None] if scores.ndim == 1 else scores
        positive = truth if truth.ndim == 2 else truth[:, None] == np.arange(columns.shape[1])
        if scores.ndim == 1:
            positive = truth[:, None]
        size, count = len(self.thresholds) + 1, columns.shape[1]
        places = np.searchsorted(self.thresholds, columns, side="right")
        places += size * (np.arange(count) + count * ~positive)
        each = None if weights is None else np.repeat(weights, count)
        found = np.bincount(places.ravel(), each, minlength=2 * count * size).reshape(2, count, size)
        self._bins = found if not self._bins.size else self._bins + found

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        self._check_mergeable(other)
        if self.thresholds is not None:
            if self._bins.size and other._bins.size and self._bins.shape != other._bins.shape:
                raise ValueError(
                    f"{type(self).__name__}.merge: other has scores of another number of classes"
                )
            if other._bins.size:
                self._bins = self._bins + other._bins if self._bins.size else other._bins.copy()
        elif other._scores.size:
            weights = other._weights.get() if other._weights.size else None
            self._keep(other._truth.get(), other._scores.get(), weights)

    def _check_mergeable(self, other: Metric) -> None:
        if type(other) is not type(self):
            super()._check_mergeable(other)
        for key in vars(self):
            same = key in ("name", "_truth", "_scores", "_weights", "_bins")
            if not same and not is_equal(getattr(self, key), getattr(other, key)):
                raise ValueError(
                    f"{type(self).__name__}.merge: other has {key} {getattr(other, key)!r}, expected "
                    f"{getattr(self, key)!r}"
                )

    def state_dict(self) -> dict[str, Any]:
        """Return copies of what updates have changed."""
        if self.thresholds is not None:
            return {"bins": self._bins.copy()}
        return {
            name: rows.get().copy() if rows.size else None
            for name, rows in (("y_true", self._truth), ("y_score", self._scores), ("weights", self._weights))
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of an equal metric returned."""
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping) or set(state) != set(self.state_dict()):
            found = sorted(state) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(f"{where}: state has {found}, expected {sorted(self.state_dict())}")
        arrays = {
            key: None if value is None else np.array(as_array(where, key, value))
            for key, value in state.items()
        }
        if self.thresholds is not None:
            bins = arrays["bins"]
            size = len(self.thresholds) + 1
            fits = bins is not None and bins.dtype in (np.int64, np.float64) and bins.ndim == 3
            if bins is None or not fits or len(bins) != 2 or (bins.size and bins.shape[2] != size):
                raise ValueError(f"{where}: bins do not have shape (2, columns, {size})")
            self._bins = bins
            return
        check_kept(where, arrays["y_true"], arrays["y_score"], arrays["weights"])
        self.reset()
        for key, rows in (("y_true", self._truth), ("y_score", self._scores), ("weights", self._weights)):
            values = arrays[key]
            if values is not None:
                rows.append(values)

    def _kept(self) -> tuple[Array, Array, Floats | None]:
        return self._truth.get(), self._scores.get(), self._weights.get() if self._weights.size else None

    def _is_empty(self) -> bool:
        return not self._scores.size and not self._bins.any()

    def _rankings(self) -> list[Ranking]:
        """Return the curve of each column; bins without samples are left out."""
        if self.thresholds is None:
            truth, scores, weights = self._kept()
            if scores.ndim == 1:
                return [rank(truth, scores, weights)]
            hot = truth if truth.ndim == 2 else truth[:, None] == np.arange(scores.shape[1])
            return [rank(hot[:, c], scores[:, c].copy(), weights) for c in range(scores.shape[1])]
        lowest = np.append(-np.inf, self.thresholds)[::-1]
        found = []
        for column in range(self._bins.shape[1]):
            yes, no = self._bins[:, column, ::-1].astype(np.float64)
            filled = (yes + no) > 0
            found.append(Ranking(lowest[filled], np.cumsum(yes)[filled], np.cumsum(no)[filled]))
        return found


def check_kept(where: str, truth: Array | None, scores: Array | None, weights: Array | None) -> None:
    """Check arrays of a state against each other: all None, or of one length."""
    if truth is None or scores is None:
        if not (truth is None and scores is None and weights is None):
            raise ValueError(f"{where}: y_true and y_score belong together, one of them is None")
        return
    fits = truth.dtype in (np.bool_, np.int64) and scores.dtype in (np.float32, np.float64)
    fits = (
        fits
        and bool(np.isfinite(scores).all())
        and 0 < scores.ndim < 3
        and truth.shape in (scores.shape, scores.shape[:1])
    )
    if weights is not None:
        fits = fits and weights.dtype == np.float64 and weights.shape == scores.shape[:1]
    if not fits:
        raise ValueError(
            f"{where}: y_true is {truth.dtype} of {truth.shape}, y_score {scores.dtype} of {scores.shape}, "
            "expected labels and finite scores of one length, and weights of float64"
        )


def as_thresholds(kind: str, thresholds: Any) -> Floats | None:
    """Return ascending thresholds: a number means so many from 0 to 1."""
    if thresholds is None:
        return None
    if isinstance(thresholds, (int, np.integer)) and not isinstance(thresholds, bool):
        return np.linspace(0.0, 1.0, integer(kind, "thresholds", thresholds, 2))
    values = as_floats(kind, "thresholds", thresholds).astype(np.float64)
    if values.ndim != 1 or not len(values) or (np.diff(values) <= 0).any():
        raise ValueError(f"{kind}: thresholds has shape {values.shape}, expected ascending numbers")
    return values


def two_classes(where: str, truth: Array) -> Array:
    """Return whether labels of {0, 1} or {-1, 1} are 1."""
    is_one: Array = truth == 1
    if truth.dtype.kind not in "buif" or not np.all(is_one | (truth == 0) | (truth == -1)):
        raise ValueError(
            f"{where}: y_true holds other labels than 0 and 1, or -1 and 1, expected two classes for scores "
            "of shape (n,)"
        )
    return is_one


class ROCAUC(ScoreMetric):
    """The area below the ROC curve: how probably a positive sample scores higher than a negative one.

    Args:
        name: Str, default "auc".
        average ("macro", "weighted", "micro" or None): Over classes or labels; None for each by itself.
        multi_class ("ovr" or "ovo"): For more than two classes: each against the rest, or each against each
            (exact alone, without weights).
        thresholds (int or array of ascending numbers, optional): Count the scores between these thresholds
            instead of keeping them all; a number stands for so many from 0 to 1. Scores between the same two
            count as equal.
        from_logits (bool, default False): Take the softmax of scores of shape (n, classes) first. The area of
            a single score needs none.
        multilabel (bool, default False): Take y_true of 0 and 1 of shape (n, labels).

    ``update`` takes labels of shape (n,) with scores of class 1 of shape (n,) or (n, 1), or with scores of
    shape (n, classes). Memory: all scores, or 16 bytes for each threshold and class.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import ROCAUC
        >>> area = ROCAUC()
        >>> area.update(np.array([0, 0]), np.array([0.1, 0.4]))
        >>> area.update(np.array([1, 1]), np.array([0.35, 0.8]))
        >>> area.result()
        0.75
    """

    def __init__(
        self,
        name: str = "auc",
        *,
        average: str | None = "macro",
        multi_class: str = "ovr",
        thresholds: int | Sequence[float] | None = None,
        from_logits: bool = False,
        multilabel: bool = False,
    ) -> None:
        choice("ROCAUC", "multi_class", multi_class, ("ovr", "ovo"))
        averages = ("macro", "weighted") if multi_class == "ovo" else ("macro", "weighted", "micro", None)
        choice("ROCAUC", "average", average, averages)
        if multi_class == "ovo" and (thresholds is not None or multilabel):
            raise ValueError("ROCAUC: multi_class is 'ovo', which knows no thresholds and no multilabel")
        super().__init__(name, thresholds, from_logits, multilabel)
        self.average, self.multi_class = average, multi_class

    def result(self) -> Any:
        """Return the area; NaN with a warning where one class is all there is."""
        if self._is_empty():
            return math.nan
        if self.thresholds is not None:
            return binned_average(self._bins, self.average, "roc")
        truth, scores, weights = self._kept()
        if scores.ndim == 1:
            return roc_area("ROCAUC", truth, scores, weights)

        def area(positive: Array, values: Array, weights: Floats | None) -> float:
            return roc_area("ROCAUC", positive, values, weights)

        if self.multi_class == "ovo" and truth.ndim == 1:
            if weights is not None:
                raise ValueError("ROCAUC: multi_class is 'ovo', which knows no sample_weight")
            return average_pairs(area, truth, scores, self.average)
        return average_columns("ROCAUC", area, hot_columns(truth, scores), scores, self.average, weights)


class AveragePrecision(ScoreMetric):
    """The mean of the precisions at all thresholds, weighted by the recall that each adds.

    The arguments are those of `ROCAUC`, without ``multi_class``.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import AveragePrecision
        >>> precision = AveragePrecision()
        >>> precision.update(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> round(precision.result(), 4)
        0.8333
    """

    def __init__(
        self,
        name: str = "average_precision",
        *,
        average: str | None = "macro",
        thresholds: int | Sequence[float] | None = None,
        from_logits: bool = False,
        multilabel: bool = False,
    ) -> None:
        choice("AveragePrecision", "average", average, ("macro", "weighted", "micro", None))
        super().__init__(name, thresholds, from_logits, multilabel)
        self.average = average

    def result(self) -> Any:
        """Return the average precision; 0 with a warning without positive samples."""
        if self._is_empty():
            return math.nan
        if self.thresholds is not None:
            return binned_average(self._bins, self.average, "precision")
        truth, scores, weights = self._kept()
        if scores.ndim == 1:
            return precision_area(truth, scores, weights)
        hot = hot_columns(truth, scores)
        return average_columns("AveragePrecision", precision_area, hot, scores, self.average, weights)


def hot_columns(truth: Array, scores: Array) -> Array:
    return truth if truth.ndim == 2 else truth[:, None] == np.arange(scores.shape[1])


def binned_average(bins: Array, average: str | None, kind: str) -> Any:
    """Return the area of counted bins: of each column, or averaged."""
    columns = bins.sum(axis=1, keepdims=True) if average == "micro" else bins
    found = []
    for place in range(columns.shape[1]):
        yes, no = columns[:, place, ::-1].astype(np.float64)
        area = getattr(areas_of(Ranking(yes, np.cumsum(yes), np.cumsum(no))), kind)
        found.append(0.0 if kind == "precision" and math.isnan(area) else area)
    values = np.asarray(found)
    if len(values) == 1:
        return float(values[0])
    if average is None:
        return values
    if average != "weighted":
        return float(values.mean())
    share = bins[0].sum(axis=1)
    return float((np.where(share == 0, 0.0, values) * share).sum() / share.sum())


class CurveMetric(ScoreMetric):
    """A curve of two classes."""

    def __init__(self, name: str, thresholds: Any, drop_intermediate: bool) -> None:
        super().__init__(name, thresholds, False, False)
        self.drop_intermediate = flag(type(self).__name__, "drop_intermediate", drop_intermediate)

    def _ranking(self) -> Ranking:
        kind = type(self).__name__
        if self._is_empty():
            raise RuntimeError(f"{kind}.result: there are no samples yet, call update first")
        rankings = self._rankings()
        if len(rankings) != 1:
            raise ValueError(f"{kind}.result: there are {len(rankings)} classes, expected two")
        return rankings[0]


class ROCCurve(CurveMetric):
    """The ROC curve of two classes: the share of hits over that of false alarms.

    Args:
        name: Str, default "roc_curve".
        thresholds (int or array of ascending numbers, optional): Count the scores between these thresholds
            instead of keeping them all; a number stands for so many from 0 to 1.
        drop_intermediate (bool, default True): Leave out points on a straight line between others.

    ``update`` takes labels of 0 and 1 of shape (n,), with scores of shape (n,), (n, 1) or (n, 2). ``result``
    is (false positive rate, true positive rate, thresholds), see `roc_curve`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import ROCCurve
        >>> curve = ROCCurve()
        >>> curve.update(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> false_alarms, hits, thresholds = curve.result()
        >>> hits.tolist()
        [0.0, 0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self,
        name: str = "roc_curve",
        *,
        thresholds: int | Sequence[float] | None = None,
        drop_intermediate: bool = True,
    ) -> None:
        super().__init__(name, thresholds, drop_intermediate)

    def result(self) -> tuple[Floats, Floats, Floats]:
        """Return the curve.

        Raises:
            RuntimeError: Before the first sample.
        """
        ranking = self._ranking()
        return roc_points(without_straight(ranking) if self.drop_intermediate else ranking)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the curve; see ``drivetrain.metrics.plots.plot_roc_curve``."""
        from ..plots import draw_roc

        return draw_roc([("", self._ranking())], path)


class PrecisionRecallCurve(CurveMetric):
    """Precision and recall of two classes at every threshold.

    Args:
        name: Str, default "precision_recall_curve".
        thresholds (int or array of ascending numbers, optional): Count the scores between these thresholds
            instead of keeping them all; a number stands for so many from 0 to 1.
        drop_intermediate (bool, default False): Leave out points between others of the same recall.

    ``update`` takes labels of 0 and 1 of shape (n,), with scores of shape (n,), (n, 1) or (n, 2). ``result``
    is (precision, recall, thresholds), see `precision_recall_curve`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import PrecisionRecallCurve
        >>> curve = PrecisionRecallCurve()
        >>> curve.update(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
        >>> precision, recall, thresholds = curve.result()
        >>> recall.tolist()
        [1.0, 1.0, 0.5, 0.5, 0.0]
    """

    def __init__(
        self,
        name: str = "precision_recall_curve",
        *,
        thresholds: int | Sequence[float] | None = None,
        drop_intermediate: bool = False,
    ) -> None:
        super().__init__(name, thresholds, drop_intermediate)

    def result(self) -> tuple[Floats, Floats, Array]:
        """Return the curve.

        Raises:
            RuntimeError: Before the first sample.
        """
        return precision_recall_points(self._ranking(), self.drop_intermediate)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the curve; see ``drivetrain.metrics.plots.plot_precision_recall_curve``."""
        from ..plots import draw_precision

        return draw_precision([("", self._ranking())], path)
