"""What all metrics check alike."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.convert import refuse_masked

Array = NDArray[Any]
Floats = NDArray[np.float64]

# Arrays are worked through in pieces that stay in the cache: the memory on top of them stays bounded.
BLOCK = 1 << 15


class UndefinedMetricWarning(UserWarning):
    """A metric has no value for this data: no positive samples, constant targets, and so on.

    Source: scikit-learn's class of this name; the metrics here warn where scikit-learn's do.

    Example:
        >>> import warnings
        >>> from drivetrain.metrics import UndefinedMetricWarning, precision_score
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", UndefinedMetricWarning)
        ...     precision_score([0, 1], [0, 0])
        0.0
    """


def warn_undefined(message: str, category: type[Warning] = UndefinedMetricWarning) -> None:
    """Warn in the name of whoever called the metric."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("drivetrain.metrics"):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def blocks(length: int, block: int = BLOCK) -> Iterator[slice]:
    """Cut 0 to length into pieces."""
    for start in range(0, length, block):
        yield slice(start, min(start + block, length))


def as_array(where: str, name: str, value: Any) -> Array:
    """Return an array that shares the memory of an array or Tensor, with the gradient history left behind."""
    if hasattr(value, "detach"):
        value = value.detach()
    refuse_masked(where, name, value)
    array = np.asarray(value)
    if array.dtype.kind == "V":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected numbers")
    if array.dtype.hasobject:
        if array.size and all(isinstance(item, str) for item in array.flat):  # a column of a data frame
            return array.astype(str)
        raise TypeError(f"{where}: {name} holds Python objects, expected numbers")
    return array


def as_column(where: str, name: str, value: Any) -> Array:
    """Return an array of shape (n,) for one of shape (n,) or (n, 1)."""
    array = as_array(where, name, value)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected (n,)")
    return array


def as_floats(where: str, name: str, value: Any) -> Array:
    """Return an array of finite numbers: float32 and float64 as they are, all else as float64."""
    array = as_array(where, name, value)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected numbers")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    check_finite(where, name, array)
    return array


def check_finite(where: str, name: str, array: Array) -> None:
    if array.dtype.kind != "f":
        return
    array = np.atleast_1d(array)
    for part in blocks(len(array), max(1, BLOCK // max(1, row_size(array)))):
        if not np.isfinite(array[part]).all():
            raise ValueError(f"{where}: {name} holds NaN or an infinity, expected finite numbers")


def row_size(array: Array) -> int:
    return int(np.prod(array.shape[1:], dtype=np.int64))


def check_labels(where: str, name: str, array: Array) -> None:
    """Refuse labels that are no labels: NaN, infinities, fractions."""
    if array.dtype.kind == "c":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected class labels")
    if array.dtype.kind != "f" or array.ndim == 0:
        return
    for part in blocks(len(array), max(1, BLOCK // max(1, row_size(array)))):
        piece = array[part]
        with np.errstate(invalid="ignore"):
            if not (np.isfinite(piece) & (piece == np.floor(piece))).all():
                raise ValueError(f"{where}: {name} holds NaN or a fraction, expected class labels")


def check_same_length(where: str, y_true: Array, y_pred: Array) -> None:
    if y_true.ndim == 0 or y_pred.ndim == 0 or len(y_true) != len(y_pred):
        raise ValueError(
            f"{where}: y_true has shape {y_true.shape}, y_pred {y_pred.shape}, expected the same number "
            "of samples"
        )


def check_some(where: str, array: Array) -> None:
    if not len(array):
        raise ValueError(f"{where}: got no samples, expected at least one")


def as_weights(where: str, sample_weight: Any, length: int) -> Floats | None:
    """Return the weights as float64, or None: every sample counts the same."""
    if sample_weight is None:
        return None
    weights = as_array(where, "sample_weight", sample_weight)
    if weights.shape == (length, 1):
        weights = weights[:, 0]
    if weights.shape != (length,):
        raise ValueError(f"{where}: sample_weight has shape {weights.shape}, expected ({length},)")
    if weights.dtype.kind not in "buif":
        raise TypeError(f"{where}: sample_weight has dtype {weights.dtype}, expected numbers")
    weights = weights.astype(np.float64, copy=False)
    if not np.all(np.isfinite(weights)):
        raise ValueError(f"{where}: sample_weight holds NaN or an infinity")
    return weights


def mean_in_blocks(
    where: str,
    length: int,
    values: Callable[[slice], Array],
    weights: Floats | None,
    normalize: bool = True,
    block: int = BLOCK,
) -> Any:
    """Return the weighted mean or sum of ``values(part)``, of shape (m,) or (m, outputs), over all parts."""
    total: Any = 0.0
    for part in blocks(length, block):
        piece = values(part)
        if weights is not None:
            piece = piece * (weights[part] if piece.ndim == 1 else weights[part, None])
        total = total + piece.sum(axis=0, dtype=np.float64)
    return total / weight_sum(where, weights, length) if normalize else total


def weight_sum(where: str, weights: Floats | None, length: int) -> float:
    whole = float(length) if weights is None else float(weights.sum())
    if whole == 0:
        raise ValueError(f"{where}: " + ("sample_weight sums to 0" if length else "got no samples"))
    return whole


def top_k_hits(scores: Array, labels: NDArray[np.int64], k: int) -> NDArray[np.bool_]:
    """Say for each row whether the label's score is among the k largest.

    Of equal scores the later class wins, as in scikit-learn. A row with NaN is a miss.
    """
    hits = np.empty(len(scores), np.bool_)
    classes = np.arange(scores.shape[1])
    for part in blocks(len(scores), max(1, BLOCK // max(1, scores.shape[1]))):
        rows, own_label = scores[part], labels[part, None]
        own = np.take_along_axis(rows, own_label, axis=1)
        better = (rows > own) | ((rows == own) & (classes > own_label))
        hits[part] = (better.sum(axis=1) < k) & ~has_nan(rows)
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
