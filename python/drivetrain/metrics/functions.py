"""Metrics as functions over whole arrays, with scikit-learn's names, arguments and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import Array, as_array, as_weights, check_labels, check_same_length, has_nan, top_k_hits


def accuracy_score(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """Return the share of predictions that are right.

    Args:
        y_true, y_pred (arrays or Tensors of labels of shape (n,), or of 0 and 1 of shape (n, labels)): With
            two axes a sample counts as right when all of its labels are.
        normalize (bool, default True): False returns the number (or the weight) of right predictions instead
            of the share.
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For different shapes, NaN, no samples, or weights of another length.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import accuracy_score
        >>> accuracy_score([0, 1, 2, 3], [0, 2, 1, 3])
        0.5
    """
    where = "accuracy_score"
    truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    if truth.shape != guess.shape or truth.ndim > 2:
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected equal shapes"
        )
    check_labels(where, "y_true", truth)
    check_labels(where, "y_pred", guess)
    right = truth == guess
    return weighed(where, right.all(axis=1) if right.ndim == 2 else right, normalize, sample_weight)


def top_k_accuracy_score(
    y_true: Any,
    y_score: Any,
    *,
    k: int = 2,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
) -> float:
    """Return the share of samples whose true class is among the k with the highest scores.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        y_score (array or Tensor of shape (n, classes), or (n,) for two classes): Scores of the classes, in
            the order of ``labels``. Of equal scores the later class wins.
        k: Int, default 2.
        normalize (bool, default True): False returns the number (or the weight) of hits instead of the share.
        sample_weight: Array of shape (n,), optional.
        labels (array of shape (classes,), optional): The classes in ascending order. Default: the labels that
            occur in ``y_true``.

    Raises:
        ValueError: For shapes that do not fit, NaN, no samples, a label that is not in ``labels``, or k below
            1.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import top_k_accuracy_score
        >>> top_k_accuracy_score([0, 1, 2], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], k=2)
        0.6666666666666666
    """
    where = "top_k_accuracy_score"
    truth, scores = as_array(where, "y_true", y_true), as_array(where, "y_score", y_score)
    check_same_length(where, truth, scores)
    check_labels(where, "y_true", truth)
    if truth.ndim != 1 or scores.ndim not in (1, 2):
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_score {scores.shape}, expected (n,) and (n, classes)"
        )
    if has_nan(scores).any():
        raise ValueError(f"{where}: y_score holds NaN")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"{where}: k is {k!r}, expected a whole number of at least 1")
    classes = np.unique(truth) if labels is None else ordered_labels(where, as_array(where, "labels", labels))
    if scores.ndim == 1:
        # One score is the score of the second class: above 0.5 it is predicted.
        scores = np.stack([np.zeros(len(scores)), np.where(scores > 0.5, 1.0, -1.0)], axis=1)
    if scores.shape[1] != len(classes):
        raise ValueError(
            f"{where}: y_score has {scores.shape[1]} classes, expected {len(classes)} (pass labels=)"
        )
    place = np.searchsorted(classes, truth)
    if np.any(place == len(classes)) or np.any(classes[np.minimum(place, len(classes) - 1)] != truth):
        raise ValueError(f"{where}: y_true holds a label that is not in labels")
    return weighed(where, top_k_hits(scores, place.astype(np.int64), int(k)), normalize, sample_weight)


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, normalize: str | None = None
) -> NDArray[Any]:
    """Count how often class i (row) was predicted as class j (column).

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,).
        labels (array of shape (classes,), optional): Classes and their order; samples of other classes are
            left out. Default: all that occur, ascending.
        sample_weight: Array of shape (n,), optional.
        normalize (None, "true", "pred" or "all"): Divide by the sum of each row, of each column, or of
            everything.

    Returns:
        array of shape (classes, classes): int64 counts; float64 with weights of floats or with ``normalize``.

    Raises:
        ValueError: For different shapes, NaN, weights of another length, or none of ``labels`` in ``y_true``.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import confusion_matrix
        >>> confusion_matrix([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
        array([[2, 0, 0],
               [0, 0, 1],
               [1, 0, 2]])
    """
    where = "confusion_matrix"
    if normalize not in (None, "true", "pred", "all"):
        raise ValueError(f"{where}: normalize is {normalize!r}, expected None, 'true', 'pred' or 'all'")
    truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    if truth.ndim != 1 or guess.ndim != 1:
        raise ValueError(f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected (n,)")
    check_labels(where, "y_true", truth)
    check_labels(where, "y_pred", guess)
    weights = as_weights(where, sample_weight, len(truth))
    if labels is None:
        classes = np.unique(np.concatenate([truth, guess]))
    else:
        classes = as_array(where, "labels", labels)
        if classes.ndim != 1 or not len(classes) or (len(truth) and not np.isin(classes, truth).any()):
            raise ValueError(
                f"{where}: labels is {classes.tolist()}, expected classes of which y_true has one"
            )
    matrix = count_pairs(truth, guess, classes, weights)
    if sample_weight is None or as_array(where, "sample_weight", sample_weight).dtype.kind in "bui":
        matrix = np.rint(matrix).astype(np.int64)
    return normalized(matrix, normalize)


def count_pairs(
    truth: Array, guess: Array, classes: Array, weights: NDArray[np.float64] | None
) -> NDArray[Any]:
    size = len(classes)
    order = np.argsort(classes, kind="stable")

    def place(values: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        found = np.searchsorted(classes[order], values)
        found = order[np.minimum(found, size - 1)] if size else found
        return found, (classes[found] == values) if size else np.zeros(len(values), np.bool_)

    (rows, rows_known), (columns, columns_known) = place(truth), place(guess)
    known = rows_known & columns_known
    pairs = rows[known] * size + columns[known]
    counts = np.bincount(pairs, None if weights is None else weights[known], minlength=size * size)
    return counts.astype(np.float64).reshape(size, size)


def normalized(matrix: NDArray[Any], normalize: str | None) -> NDArray[Any]:
    if normalize is None:
        return matrix
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    with np.errstate(all="ignore"):
        shares: NDArray[Any] = np.nan_to_num(matrix / matrix.sum(axis=axis, keepdims=True))
    return shares


def ordered_labels(where: str, labels: Array) -> Array:
    if labels.ndim != 1 or len(labels) < 2 or not np.all(labels[1:] > labels[:-1]):
        raise ValueError(
            f"{where}: labels is {labels.tolist()}, expected at least two classes in ascending order"
        )
    return labels


def weighed(where: str, hits: NDArray[np.bool_], normalize: bool, sample_weight: Any) -> float:
    if not len(hits):
        raise ValueError(f"{where}: got no samples, expected at least one")
    weights = as_weights(where, sample_weight, len(hits))
    if weights is None:
        return float(hits.mean() if normalize else hits.sum())
    if not normalize:
        return float(np.dot(hits, weights))
    if weights.sum() == 0:
        raise ValueError(f"{where}: sample_weight sums to 0")
    return float(np.average(hits, weights=weights))
