"""What all metrics check and compute alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.convert import refuse_masked

Array = NDArray[Any]


def as_array(where: str, name: str, value: Any) -> Array:
    """Return an array that shares the memory of an array or Tensor, with the gradient history left behind."""
    if hasattr(value, "detach"):
        value = value.detach()
    refuse_masked(where, name, value)
    array = np.asarray(value)
    if array.dtype.kind == "V":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected numbers")
    if array.dtype.hasobject:
        raise TypeError(f"{where}: {name} holds Python objects, expected numbers")
    return array


def check_labels(where: str, name: str, array: Array) -> None:
    """Refuse labels that are no labels: NaN, infinities, fractions."""
    if array.dtype.kind == "f" and not np.all(array == np.floor(array)):
        raise ValueError(f"{where}: {name} holds NaN or a fraction, expected class labels")
    if array.dtype.kind == "c":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected class labels")


def check_same_length(where: str, y_true: Array, y_pred: Array) -> None:
    if y_true.ndim == 0 or y_pred.ndim == 0 or len(y_true) != len(y_pred):
        raise ValueError(
            f"{where}: y_true has shape {y_true.shape}, y_pred {y_pred.shape}, expected the same number "
            "of samples"
        )


def as_weights(where: str, sample_weight: Any, length: int) -> NDArray[np.float64] | None:
    """Return the weights as float64, or None: every sample counts the same."""
    if sample_weight is None:
        return None
    weights = as_array(where, "sample_weight", sample_weight)
    if weights.shape != (length,):
        raise ValueError(f"{where}: sample_weight has shape {weights.shape}, expected ({length},)")
    if weights.dtype.kind not in "buif":
        raise TypeError(f"{where}: sample_weight has dtype {weights.dtype}, expected numbers")
    weights = weights.astype(np.float64)
    if not np.all(np.isfinite(weights)):
        raise ValueError(f"{where}: sample_weight holds NaN or an infinity")
    return weights


def top_k_hits(scores: Array, labels: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Say for each row whether the label's score is among the k largest.

    Of equal scores the later class wins, as in scikit-learn. A row with NaN is a miss.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    later = np.arange(scores.shape[1]) > labels[:, None]
    better = (scores > own) | ((scores == own) & later)
    hits: NDArray[np.bool_] = (better.sum(axis=1) < k) & ~has_nan(scores)
    return hits


def has_nan(scores: Array) -> NDArray[np.bool_]:
    """Say for each row of (n, ...) whether it holds a NaN."""
    if scores.dtype.kind != "f":
        return np.zeros(len(scores), np.bool_)
    found: NDArray[np.bool_] = np.asarray(np.isnan(scores).any(axis=tuple(range(1, scores.ndim))))
    return found


def check_range(where: str, name: str, labels: Array, classes: int) -> NDArray[np.int64]:
    """Return labels as int64 after checking that they lie in 0 to classes - 1."""
    check_labels(where, name, labels)
    if labels.dtype.kind not in "buif":
        raise TypeError(f"{where}: {name} has dtype {labels.dtype}, expected whole numbers")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"{where}: {name} reaches from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}"
        )
    return labels.astype(np.int64)
