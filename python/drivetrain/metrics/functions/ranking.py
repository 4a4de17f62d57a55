"""How well scores rank: areas below curves for two classes, several classes and several labels; top k."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from ..._checks import choice, integer, real
from ..checks import (
    Array,
    Floats,
    as_array,
    as_column,
    as_floats,
    as_weights,
    check_labels,
    check_same_length,
    check_some,
    mean_in_blocks,
    row_size,
    top_k_hits,
    warn_undefined,
)
from ..labels import Coder, classes_of, indicators, places_of
from .curves import NO_POSITIVES, areas, rank, roc_points

Score = Callable[[Array, Array, "Floats | None"], float]


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    sample_weight: Any = None,
    max_fpr: float | None = None,
    multi_class: str = "raise",
    labels: Any = None,
) -> Any:
    """Return the area below the ROC curve: how probably a positive sample scores higher than a negative one.

    Args:
        y_true: Array or Tensor of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        y_score (array or Tensor): For two classes scores of the greater one, of shape (n,); for more
            probabilities of shape (n, classes); for several labels scores of shape (n, labels).
        average (None, "micro", "macro", "weighted" or "samples"): Over classes or labels; None for each by
            itself. More than two classes know no "samples".
        sample_weight: Array of shape (n,), optional.
        max_fpr (float, optional): For two classes: the area up to this false positive rate alone,
            standardised so that chance is 0.5 (McClish 1989).
        multi_class ("raise", "ovr" or "ovo"): For more than two classes, each against the rest, or each
            against each (Hand and Till 2001; without weights).
        labels (array of shape (classes,), optional): The classes of ``y_score``, ascending. Default: those
            that occur.

    Returns:
        float, or array of float64 for ``average=None``: NaN with a warning where one class is all there is.

    Raises:
        ValueError: For shapes that do not fit, NaN, no samples, and rows that do not sum to 1 for more than
            two classes.

    Source: scikit-learn's function of this name. Time: one sort of the scores for each class.

    Example:
        >>> from drivetrain.metrics import roc_auc_score
        >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75
    """
    where = "roc_auc_score"
    choice(where, "multi_class", multi_class, ("raise", "ovr", "ovo"))
    truth, scores = check_scores(where, y_true, y_score)
    weights = as_weights(where, sample_weight, len(truth))
    if max_fpr is not None:
        real(where, "max_fpr", max_fpr, "a number above 0, at most 1", lambda found: 0 < found <= 1)

    def area(positive: Array, values: Array, weights: Floats | None) -> float:
        return roc_area(where, positive, values, weights, max_fpr)

    if truth.ndim == 2:
        return average_columns(where, area, indicators(where, "y_true", truth), scores, average, weights)
    classes = classes_of(truth)
    if len(classes) <= 2 and (scores.ndim == 1 or scores.shape[1] == 1):
        choice(where, "average", average, (None, "micro", "macro", "weighted", "samples"))
        return area(truth == classes[-1] if len(classes) == 2 else truth != truth, scores.ravel(), weights)
    if max_fpr not in (None, 1):
        raise ValueError(f"{where}: max_fpr is {max_fpr}, expected None for more than two classes")
    if multi_class == "raise":
        raise ValueError(
            f"{where}: multi_class is 'raise' and there are more than two classes, expected 'ovr' or 'ovo'"
        )
    averages = ("macro", "weighted", None, "micro") if multi_class == "ovr" else ("macro", "weighted")
    choice(where, "average", average, averages)
    check_probability_rows(where, scores)
    classes = score_classes(where, classes, labels, scores)
    codes = Coder(classes)(truth)
    if multi_class == "ovr":
        return average_columns(
            where, area, codes[:, None] == np.arange(len(classes)), scores, average, weights
        )
    if weights is not None:
        raise ValueError(f"{where}: multi_class is 'ovo', which knows no sample_weight")
    return average_pairs(area, codes, scores, average)


def roc_area(
    where: str, positive: Array, scores: Array, weights: Floats | None, max_fpr: float | None = None
) -> float:
    if not positive.any() or positive.all():
        warn_undefined("Only one class is present in y_true. ROC AUC score is not defined in that case.")
        return math.nan
    if max_fpr in (None, 1):
        return areas(positive, scores, weights).roc
    limit = float(max_fpr or 1)
    across, height, _ = roc_points(rank(positive, scores, weights, skips_straight=True))
    stop = int(np.searchsorted(across, limit, "right"))
    height = np.append(
        height[:stop], np.interp(limit, across[stop - 1 : stop + 1], height[stop - 1 : stop + 1])
    )
    across = np.append(across[:stop], limit)
    area = float((np.diff(across) * (height[1:] + height[:-1])).sum() / 2)
    least = limit * limit / 2
    return 0.5 * (1 + (area - least) / (limit - least))


def check_scores(where: str, y_true: Any, y_score: Any) -> tuple[Array, Array]:
    """Return labels of shape (n,) or (n, labels), and finite scores of shape (n,) or (n, m)."""
    truth, scores = as_array(where, "y_true", y_true), as_floats(where, "y_score", y_score)
    check_same_length(where, truth, scores)
    check_some(where, truth)
    if truth.ndim == 2 and truth.shape[1] == 1:
        truth = truth[:, 0]
    if truth.ndim > 2 or scores.ndim > 2 or (truth.ndim == 2 and truth.shape != scores.shape):
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_score {scores.shape}, expected (n,) with (n,) or "
            "(n, classes), or both (n, labels)"
        )
    check_labels(where, "y_true", truth)
    return truth, scores


def check_probability_rows(where: str, scores: Array) -> None:
    if scores.ndim != 2:
        raise ValueError(f"{where}: y_score has shape {scores.shape}, expected (n, classes)")
    if not np.allclose(1, scores.sum(axis=1)):
        raise ValueError(f"{where}: y_score has rows that do not sum to 1, expected probabilities")


def score_classes(where: str, present: Array, labels: Any, scores: Array) -> Array:
    """Return the classes of the columns of scores."""
    classes = present if labels is None else ordered_labels(where, as_column(where, "labels", labels))
    if scores.shape[1] != len(classes):
        raise ValueError(
            f"{where}: y_score has {scores.shape[1]} classes, expected {len(classes)} (pass labels=)"
        )
    if labels is not None and (places_of(where, present, classes) == len(classes)).any():
        raise ValueError(f"{where}: y_true holds a label that is not in labels")
    return classes


def ordered_labels(where: str, labels: Array) -> Array:
    if labels.ndim != 1 or len(labels) < 2 or not np.all(labels[1:] > labels[:-1]):
        raise ValueError(
            f"{where}: labels is {labels.tolist()}, expected at least two classes in ascending order"
        )
    return labels


def average_columns(
    where: str, score: Score, truth: Array, scores: Array, average: str | None, weights: Floats | None
) -> Any:
    """Score every column of (n, labels), or every row, and average."""
    choice(where, "average", average, (None, "micro", "macro", "weighted", "samples"))
    if average == "micro":
        each = None if weights is None else np.repeat(weights, truth.shape[1])
        return score(truth.ravel(), scores.ravel(), each)
    average_weights: Any = None
    if average == "weighted":
        average_weights = truth.sum(axis=0) if weights is None else (truth * weights[:, None]).sum(axis=0)
        if np.isclose(average_weights.sum(), 0):
            return 0.0
    if average == "samples":
        average_weights, weights, truth, scores = weights, None, truth.T, scores.T
    found = np.asarray(
        [
            score(truth[:, place], np.ascontiguousarray(scores[:, place]), weights)
            for place in range(truth.shape[1])
        ]
    )
    if average is None:
        return found
    if average_weights is None:
        return float(found.mean())
    found[average_weights == 0] = 0
    return float((found * average_weights).sum() / average_weights.sum())


def average_pairs(score: Score, codes: Array, scores: Array, average: str | None) -> float:
    found, shares = [], []
    for a, b in combinations(range(scores.shape[1]), 2):
        both = (codes == a) | (codes == b)
        if not both.any():
            continue
        one, values = codes[both] == a, scores[both]
        found.append((score(one, values[:, a].copy(), None) + score(~one, values[:, b].copy(), None)) / 2)
        shares.append(float(both.mean()))
    return float(np.average(found, weights=shares if average == "weighted" else None))


def average_precision_score(
    y_true: Any,
    y_score: Any,
    *,
    average: str | None = "macro",
    pos_label: Any = 1,
    sample_weight: Any = None,
) -> Any:
    """Return the mean of the precisions at all thresholds, weighted by the recall that each adds.

    Args:
        y_true: Array or Tensor of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        y_score (array or Tensor): For two classes scores of ``pos_label``, of shape (n,); else of shape (n,
            classes) or (n, labels).
        average (None, "micro", "macro", "weighted" or "samples"): Over classes or labels; None for each by
            itself.
        pos_label (default 1): For two classes: the positive one.
        sample_weight: Array of shape (n,), optional.

    Returns:
        float, or array of float64 for ``average=None``: 0 with a warning where there are no positive samples.

    Raises:
        ValueError: For shapes that do not fit, NaN, and no samples.

    Source: scikit-learn's function of this name. Time: one sort of the scores for each class.

    Example:
        >>> from drivetrain.metrics import average_precision_score
        >>> round(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
        0.8333
    """
    where = "average_precision_score"
    truth, scores = check_scores(where, y_true, y_score)
    weights = as_weights(where, sample_weight, len(truth))
    if truth.ndim == 1:
        classes = classes_of(truth)
        if len(classes) <= 2:
            if len(classes) == 2 and pos_label not in classes.tolist():
                raise ValueError(f"{where}: pos_label is {pos_label!r}, expected one of {classes.tolist()}")
            choice(where, "average", average, (None, "micro", "macro", "weighted", "samples"))
            return precision_area(truth == pos_label, as_column(where, "y_score", scores), weights)
        if scores.ndim != 2 or scores.shape[1] != len(classes):
            raise ValueError(f"{where}: y_score has shape {scores.shape}, expected (n, {len(classes)})")
        truth = Coder(classes)(truth)[:, None] == np.arange(len(classes))
    else:
        truth = indicators(where, "y_true", truth)
    if pos_label != 1:
        raise ValueError(f"{where}: pos_label is {pos_label!r}, expected 1 for more than one column")
    return average_columns(where, precision_area, truth, scores, average, weights)


def precision_area(positive: Array, scores: Array, weights: Floats | None) -> float:
    if not positive.any():
        warn_undefined(NO_POSITIVES, UserWarning)
        return 0.0
    return max(0.0, areas(positive, scores, weights).precision)


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
            the order of ``labels``. Of equal scores the later class wins. One score means the greater class
            above 0.5 where all lie in 0 to 1, and above 0 elsewhere.
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
    k = integer(where, "k", k)
    truth, scores = as_column(where, "y_true", y_true), as_floats(where, "y_score", y_score)
    check_same_length(where, truth, scores)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    if scores.ndim not in (1, 2):
        raise ValueError(f"{where}: y_score has shape {scores.shape}, expected (n, classes) or (n,)")
    if scores.ndim == 1 or scores.shape[1] == 1:
        column = scores.ravel()
        threshold = 0.5 if column.min() >= 0 and column.max() <= 1 else 0.0
        scores = np.stack([np.zeros(len(column)), np.where(column > threshold, 1.0, -1.0)], axis=1)
    classes = score_classes(where, classes_of(truth), labels, scores)
    if k >= len(classes):
        warn_undefined(
            f"'k' ({k}) greater than or equal to 'n_classes' ({len(classes)}) will result in a perfect score "
            "and is therefore meaningless."
        )
    weights = as_weights(where, sample_weight, len(truth))
    coder = Coder(classes)

    def hits(part: slice) -> Array:
        return top_k_hits(scores[part], coder(truth[part]), k)

    return float(
        mean_in_blocks(where, len(truth), hits, weights, normalize, max(1, (1 << 18) // row_size(scores)))
    )
