"""Losses and calibration of predicted probabilities, batch by batch."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from ..._checks import choice, flag, integer
from ..checks import (
    Array,
    Floats,
    as_array,
    as_weights,
    check_labels,
    check_range,
    check_same_length,
)
from ..functions.probability import (
    bin_sums,
    calibration_error_of,
    check_unit_range,
    hinge_losses,
    own_chances,
    squared_errors,
)
from .accuracy import from_one_hot, is_one_hot
from .base import SumMetric, WeightedMean
from .ranking import softmax, two_classes


def classes_and_scores(where: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return labels of shape (n,), bool with scores of shape (n,) and int64 with (n, classes)."""
    truth, scores = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, scores)
    check_labels(where, "y_true", truth)
    if scores.dtype.kind not in "buif":
        raise TypeError(f"{where}: y_pred has dtype {scores.dtype}, expected numbers")
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float32 if scores.dtype == np.float16 else np.float64)
    if is_one_hot(truth, scores):
        truth = from_one_hot(where, truth)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if truth.ndim != 1 or scores.ndim not in (1, 2):
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {scores.shape}, expected (n,) with (n,) or (n, "
            "classes)"
        )
    if scores.ndim == 1:
        return two_classes(where, truth), scores
    return check_range(where, "y_true", truth, scores.shape[1]), scores


def sigmoid(scores: Array) -> Array:
    small = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1 / (1 + small), small / (1 + small))


class ProbabilityMean(WeightedMean):
    """A mean over samples of what probabilities, or the logits that stand for them, cost."""

    def __init__(self, name: str, from_logits: bool) -> None:
        super().__init__(name)
        self.from_logits = flag(type(self).__name__, "from_logits", from_logits)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth, scores = classes_and_scores(where, y_true, y_pred)
        weights = as_weights(where, sample_weight, len(truth))
        if not self.from_logits and len(scores):
            check_unit_range(where, "y_pred", scores)
        self._add(self._costs(truth, scores), weights)

    def _costs(self, truth: Array, scores: Array) -> Array:
        raise NotImplementedError


class LogLoss(ProbabilityMean):
    """The mean of minus the logarithm of the probability of the true class.

    Args:
        name: Str, default "log_loss".
        from_logits (bool, default False): y_pred are logits, of a sigmoid or of a softmax.

    ``update`` takes labels of shape (n,) with probabilities of class 1 of shape (n,) or (n, 1), or with
    probabilities of shape (n, classes); or one-hot rows.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import LogLoss
        >>> loss = LogLoss()
        >>> loss.update(np.array([1, 0, 0]), np.array([0.9, 0.1, 0.2]))
        >>> round(loss.result(), 4)
        0.1446
    """

    def __init__(self, name: str = "log_loss", *, from_logits: bool = False) -> None:
        super().__init__(name, from_logits)

    def _costs(self, truth: Array, scores: Array) -> Array:
        if not self.from_logits:
            eps = float(np.finfo(scores.dtype).eps)
            own = np.clip(own_chances(truth, scores), eps, 1 - eps)
            return np.asarray(-np.log(own))
        scores = scores.astype(np.float64)
        if scores.ndim == 1:
            return np.asarray(np.logaddexp(0, np.where(truth, -scores, scores)))
        shifted = scores - scores.max(axis=1, keepdims=True)
        own = np.take_along_axis(shifted, truth[:, None], axis=1)[:, 0]
        costs: Array = np.log(np.exp(shifted).sum(axis=1)) - own
        return costs


class BrierScore(ProbabilityMean):
    """The mean squared difference of predicted probabilities and what came true, halved for two classes.

    Args:
        name: Str, default "brier_score".
        from_logits (bool, default False): y_pred are logits, of a sigmoid or of a softmax.

    ``update`` takes what `LogLoss` takes.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import BrierScore
        >>> score = BrierScore()
        >>> score.update(np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.3]))
        >>> round(score.result(), 4)
        0.0375
    """

    def __init__(self, name: str = "brier_score", *, from_logits: bool = False) -> None:
        super().__init__(name, from_logits)

    def _costs(self, truth: Array, scores: Array) -> Array:
        scores = scores.astype(np.float64)
        if self.from_logits:
            scores = sigmoid(scores) if scores.ndim == 1 else softmax(scores)
        errors = squared_errors(truth, scores)
        return errors / 2 if scores.ndim == 1 or scores.shape[1] < 3 else errors


class Hinge(WeightedMean):
    """The mean of max(0, 1 - margin), where the margin is by how much the true class leads.

    ``update`` takes labels of 0 and 1 (or -1 and 1) of shape (n,) with scores of shape (n,) or (n, 1), or
    labels 0, 1, ... with scores of shape (n, classes).

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Hinge
        >>> hinge = Hinge()
        >>> hinge.update(np.array([-1, 1, 1]), np.array([-2.2, 2.4, 0.3]))
        >>> round(hinge.result(), 4)
        0.2333
    """

    def __init__(self, name: str = "hinge") -> None:
        super().__init__(name)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "Hinge.update"
        truth, scores = classes_and_scores(where, y_true, y_pred)
        if scores.ndim == 2 and scores.shape[1] == 2:
            truth, scores = truth == 1, scores[:, 1] - scores[:, 0]
        self._add(hinge_losses(truth, scores), as_weights(where, sample_weight, len(truth)))


class CalibrationError(SumMetric):
    """By how much predicted probabilities miss the shares that come true, from counted bins of one width.

    Args:
        name: Str, default "calibration_error".
        n_bins: Int, default 15.
        norm ("l1", "l2" or "max"): See `expected_calibration_error`.
        from_logits (bool, default False): y_pred are logits, of a sigmoid or of a softmax.

    ``update`` takes what `LogLoss` takes. Of several classes the largest probability is compared with how
    often it is right.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import CalibrationError
        >>> error = CalibrationError(n_bins=2)
        >>> error.update(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.9]))
        >>> round(error.result(), 4)
        0.225
    """

    _state = ("bins",)
    per_batch = False

    def __init__(
        self,
        name: str = "calibration_error",
        *,
        n_bins: int = 15,
        norm: str = "l1",
        from_logits: bool = False,
    ) -> None:
        self.n_bins = integer("CalibrationError", "n_bins", n_bins)
        choice("CalibrationError", "norm", norm, ("l1", "l2", "max"))
        self.name, self.norm, self.from_logits = (
            name,
            norm,
            flag(type(self).__name__, "from_logits", from_logits),
        )
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.bins: Floats = np.zeros((3, self.n_bins))

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "CalibrationError.update"
        right, chances = classes_and_scores(where, y_true, y_pred)
        weights = as_weights(where, sample_weight, len(right))
        if not len(right):
            return
        if self.from_logits:
            chances = sigmoid(chances) if chances.ndim == 1 else softmax(chances)
        if np.isnan(chances).any():
            raise ValueError(f"{where}: y_pred holds NaN")
        check_unit_range(where, "y_pred", chances)
        if chances.ndim == 2:
            right, chances = chances.argmax(axis=1) == right, chances.max(axis=1)
        edges = np.linspace(0.0, 1.0, self.n_bins + 1)
        self.bins = self.bins + bin_sums(right, lambda labels: labels, chances, weights, edges)

    def result(self) -> float:
        """Return the calibration error, NaN before the first sample."""
        return (
            calibration_error_of(self.bins[0], self.bins[1], self.bins[2], self.norm)
            if self.bins[0].any()
            else math.nan
        )

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the reliability; see ``drivetrain.metrics.plots.plot_reliability``."""
        from ..plots import draw_reliability

        return draw_reliability(self.bins, path)
