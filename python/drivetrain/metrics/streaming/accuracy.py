"""Shares of right predictions, batch by batch, and what batches of classes look like."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._checks import integer
from ..checks import (
    Array,
    Floats,
    as_array,
    as_weights,
    check_labels,
    check_range,
    check_same_length,
    has_nan,
    top_k_hits,
)
from .base import WeightedMean


def truth_and_guess(where: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return labels, and labels or scores, of as many samples."""
    truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    if guess.dtype.kind == "c":
        raise TypeError(f"{where}: y_pred has dtype {guess.dtype}, expected labels or scores")
    return truth, guess


def without_last_axis(truth: Array, guess: Array) -> tuple[Array, Array]:
    """Drop a last axis of 1 that only one of two arrays has."""
    if guess.shape == (*truth.shape, 1):
        return truth, guess[..., 0]
    if truth.shape == (*guess.shape, 1):
        return truth[..., 0], guess
    return truth, guess


def has_class_scores(truth: Array, guess: Array) -> bool:
    return guess.ndim == truth.ndim + 1 and guess.shape[:-1] == truth.shape and guess.shape[-1] > 1


def is_one_hot(truth: Array, guess: Array) -> bool:
    return guess.shape == truth.shape and guess.ndim > 1 and guess.shape[-1] > 1 and guess.dtype.kind == "f"


def from_one_hot(where: str, truth: Array) -> Array:
    """Return the classes of one-hot rows."""
    check_labels(where, "y_true", truth)
    if not (np.count_nonzero(truth, axis=-1) == 1).all():
        raise ValueError(
            f"{where}: y_true has shape {truth.shape} and rows that do not hold a single 1, expected one-hot "
            "rows (multilabel=True, where a metric has it, is for several labels)"
        )
    found: Array = truth.argmax(axis=-1)
    return found


def refuse_shapes(where: str, truth: Array, guess: Array) -> None:
    if guess.shape != truth.shape:
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected labels of "
            "one shape, or y_pred with one axis of classes more"
        )


def sample_means(values: Array) -> Array:
    """Return one number per sample of (n, ...)."""
    return values.reshape(len(values), -1).mean(axis=1) if values.size else values.reshape(-1)[:0]


class Accuracy(WeightedMean):
    """The share of samples whose class is predicted right.

    Args:
        name: Str, default "accuracy".
        threshold (float, default 0.5): Above it a single score means class 1: 0.5 for probabilities, 0 for
            logits.

    ``update(y_true, y_pred)`` takes labels of shape (n, ...) with

    - scores of the classes on a last axis more, (n, ..., classes): the largest is the prediction;
    - labels of the same shape, integer or bool;
    - floats of the same shape, or with a last axis of 1 more: class 1 above the threshold;

    or one-hot rows of shape (n, classes) with scores of that shape. A prediction with NaN is wrong.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Accuracy
        >>> accuracy = Accuracy()
        >>> accuracy.update(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        >>> accuracy.result()
        0.5
    """

    def __init__(self, name: str = "accuracy", *, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = float(threshold)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "Accuracy.update"
        truth, guess = truth_and_guess(where, y_true, y_pred)
        self._add(
            sample_means(self._right(where, truth, guess)), as_weights(where, sample_weight, len(truth))
        )

    def _right(self, where: str, truth: Array, guess: Array) -> Any:
        """Compare element by element; arrays of shape (n, ...)."""
        if has_class_scores(truth, guess):
            labels = check_range(where, "y_true", truth, guess.shape[-1])
            return (guess.argmax(axis=-1) == labels) & ~np.isnan(guess).any(axis=-1)
        if is_one_hot(truth, guess):
            check_labels(where, "y_true", truth)
            return (guess.argmax(axis=-1) == truth.argmax(axis=-1)) & ~np.isnan(guess).any(axis=-1)
        truth, guess = without_last_axis(truth, guess)
        refuse_shapes(where, truth, guess)
        check_labels(where, "y_true", truth)
        if guess.dtype.kind != "f":
            return truth == guess
        return ((guess > self.threshold) == truth) & ~np.isnan(guess)


class TopKAccuracy(WeightedMean):
    """The share of samples whose class is among the k with the highest scores.

    ``update`` takes labels of shape (n,) and scores of shape (n, classes). Of equal scores the later class
    wins, as in scikit-learn; a row with NaN is a miss.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import TopKAccuracy
        >>> top = TopKAccuracy(k=2)
        >>> top.update(np.array([1, 2]), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
        >>> top.result()
        0.5
    """

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        self.k = integer("TopKAccuracy", "k", k)
        super().__init__(f"top_{k}_accuracy" if name is None else name)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "TopKAccuracy.update"
        truth, scores = truth_and_guess(where, y_true, y_pred)
        if truth.ndim == 2 and truth.shape == scores.shape and truth.shape[1] > 1:  # one-hot
            check_labels(where, "y_true", truth)
            truth = truth.argmax(axis=1)
        if truth.ndim != 1 or scores.ndim != 2:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {scores.shape}, expected (n,) and (n, "
                "classes)"
            )
        labels = check_range(where, "y_true", truth, scores.shape[1])
        self._add(top_k_hits(scores, labels, self.k), as_weights(where, sample_weight, len(truth)))


class Hamming(WeightedMean):
    """The share of labels that are predicted wrong.

    Args:
        name: Str, default "hamming_loss".
        threshold (float, default 0.5): Above it a score means that the label holds: 0.5 for probabilities, 0
            for logits.

    ``update`` takes labels of shape (n,) or of 0 and 1 of shape (n, labels), and labels or float scores of
    that shape, or (n, classes) for labels of shape (n,). A NaN is wrong.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Hamming
        >>> hamming = Hamming()
        >>> hamming.update(np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.4], [0.9, 0.8]]))
        >>> hamming.result()
        0.25
    """

    def __init__(self, name: str = "hamming_loss", *, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = float(threshold)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "Hamming.update"
        truth, guess = truth_and_guess(where, y_true, y_pred)
        if has_class_scores(truth, guess):
            labels = check_range(where, "y_true", truth, guess.shape[-1])
            wrong = (guess.argmax(axis=-1) != labels) | np.isnan(guess).any(axis=-1)
        else:
            truth, guess = without_last_axis(truth, guess)
            refuse_shapes(where, truth, guess)
            check_labels(where, "y_true", truth)
            is_score = guess.dtype.kind == "f"
            wrong = ((guess > self.threshold) != truth) | np.isnan(guess) if is_score else guess != truth
        self._add(sample_means(wrong), as_weights(where, sample_weight, len(truth)))


def class_codes(
    where: str, y_true: Any, y_pred: Any, sample_weight: Any, threshold: float, classes: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats | None, int]:
    """Return true and predicted classes of shape (m,), their weights, and how many classes there are."""
    truth, guess = truth_and_guess(where, y_true, y_pred)
    weights = as_weights(where, sample_weight, len(truth))
    if has_class_scores(truth, guess) or is_one_hot(truth, guess):
        if classes is not None and guess.shape[-1] != classes:
            raise ValueError(f"{where}: y_pred has shape {guess.shape}, expected scores of {classes} classes")
        if has_nan(guess).any():
            raise ValueError(f"{where}: y_pred holds NaN")
        classes = guess.shape[-1]
        if truth.ndim == guess.ndim:
            truth = from_one_hot(where, truth)
        guess = guess.argmax(axis=-1)
    else:
        truth, guess = without_last_axis(truth, guess)
        refuse_shapes(where, truth, guess)
        # Floats for at most two classes are scores; else they are labels that came as floats.
        if guess.dtype.kind == "f" and classes in (None, 2):
            if np.isnan(guess).any():
                raise ValueError(f"{where}: y_pred holds NaN")
            guess = guess > threshold
    if classes is None:
        classes = 1 + max(
            (int(a.max()) for a in (truth, guess) if a.size and a.dtype.kind in "buif"), default=1
        )
        classes = max(classes, 2)
    if classes > 2**24:
        raise ValueError(f"{where}: a matrix for {classes} classes fits into no memory")
    if weights is not None and truth.ndim > 1:
        weights = np.repeat(weights, int(np.prod(truth.shape[1:])))
    codes = (check_range(where, n, a, classes).ravel() for n, a in (("y_true", truth), ("y_pred", guess)))
    return next(codes), next(codes), weights, classes
