"""Curves over all thresholds of a score, and the areas below them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .._merge import merge_areas, merge_curve
from ..checks import (
    Array,
    Floats,
    as_column,
    as_floats,
    as_weights,
    blocks,
    check_labels,
    check_same_length,
    check_some,
    warn_undefined,
)
from ..labels import classes_of

NO_POSITIVES = "No positive class found in y_true, recall is set to one for all thresholds."


class Ranking(NamedTuple):
    """Weights of the positive and of the negative samples that reach each distinct score, descending."""

    thresholds: Array
    hits: Floats
    alarms: Floats


class Areas(NamedTuple):
    """Areas below the ROC and the precision-recall curve; NaN where one has no meaning."""

    roc: float
    precision: float


def rank(positive: Array, scores: Array, weights: Floats | None, *, skips_straight: bool = False) -> Ranking:
    """Rank scores of shape (n,), all finite; ``positive`` is bool.

    ``skips_straight`` leaves out what lies on straight lines of the ROC curve.
    """
    if weights is None and scores.dtype.kind == "f":
        yes, no = np.sort(scores[positive]), np.sort(scores[~positive])
        thresholds, hits, alarms = np.empty_like(scores), np.empty(len(scores)), np.empty(len(scores))
        count = merge_curve(yes, no, thresholds, hits, alarms, skips_straight)
        return Ranking(thresholds[:count], hits[:count], alarms[:count])
    if weights is not None and not weights.all():
        kept = weights != 0
        if not kept.any():
            raise ValueError("sample_weight is 0 for every sample: there is nothing to rank")
        positive, scores, weights = positive[kept], scores[kept], weights[kept]
    order = np.argsort(scores)[::-1]
    scores, positive = scores[order], positive[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    if weights is None:
        hits = np.cumsum(positive, dtype=np.float64)[last]
        alarms = 1.0 + last - hits
    else:
        weights = weights[order]
        hits, alarms = (np.cumsum(np.where(chosen, weights, 0.0))[last] for chosen in (positive, ~positive))
    ranking = Ranking(scores[last], hits, alarms)
    return without_straight(ranking) if skips_straight else ranking


def without_straight(ranking: Ranking) -> Ranking:
    """Leave out points whose steps from the one before and to the next are the same."""
    if len(ranking.hits) < 3:
        return ranking
    bends = (np.diff(ranking.hits, 2) != 0) | (np.diff(ranking.alarms, 2) != 0)
    kept = np.concatenate([[True], bends, [True]])
    return Ranking(*(values[kept] for values in ranking))


def areas(positive: Array, scores: Array, weights: Floats | None) -> Areas:
    """Return both areas; without weights no curve is made, only the scores are sorted."""
    if weights is not None or scores.dtype.kind != "f":
        return areas_of(rank(positive, scores, weights))
    yes, no = np.sort(scores[positive]), np.sort(scores[~positive])
    double_area, precisions = merge_areas(yes, no)
    roc = double_area / (2 * len(yes) * len(no)) if len(yes) and len(no) else math.nan
    return Areas(roc, precisions / len(yes) if len(yes) else math.nan)


def areas_of(ranking: Ranking) -> Areas:
    hits, alarms = (np.append(0.0, values) for values in (ranking.hits, ranking.alarms))
    steps, roc, precision = np.diff(hits), math.nan, math.nan
    if hits[-1] > 0 and alarms[-1] > 0:
        roc = float((np.diff(alarms) * (hits[1:] - steps / 2)).sum() / hits[-1] / alarms[-1])
    if hits[-1] > 0:
        reached = hits[1:] + alarms[1:]
        precision = float((steps * hits[1:] / np.where(reached > 0, reached, 1.0)).sum() / hits[-1])
    return Areas(roc, precision)


def check_curve(
    where: str, y_true: Any, y_score: Any, pos_label: Any, sample_weight: Any
) -> tuple[Array, Array, Floats | None]:
    """Return which samples are positive, the scores and the weights."""
    truth, scores = as_column(where, "y_true", y_true), as_column(where, "y_score", y_score)
    check_same_length(where, truth, scores)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    scores = as_floats(where, "y_score", scores)
    weights = as_weights(where, sample_weight, len(truth))
    return truth == positive_label(where, classes_of(truth), pos_label), scores, weights


def positive_label(where: str, classes: Array, pos_label: Any) -> Any:
    """Return the positive class: 1 of {0, 1} and of {-1, 1}; of others it has to be said."""
    if pos_label is not None:
        return pos_label
    if classes.dtype.kind in "US" or classes.tolist() not in ([0, 1], [-1, 1], [0], [-1], [1]):
        raise ValueError(
            f"{where}: y_true holds {classes.tolist()[:5]} and pos_label is None, expected 0 and 1, -1 and "
            "1, or a pos_label"
        )
    return 1


def roc_curve(
    y_true: Any,
    y_score: Any,
    *,
    pos_label: Any = None,
    sample_weight: Any = None,
    drop_intermediate: bool = True,
) -> tuple[Floats, Floats, Floats]:
    """Return the receiver operating characteristic: the share of hits over that of false alarms.

    Args:
        y_true: Array or Tensor of labels of two classes, of shape (n,).
        y_score: Array or Tensor of scores of the positive class, of shape (n,); any monotone scale.
        pos_label (optional): The positive class. Default: 1 of {0, 1} and of {-1, 1}.
        sample_weight: Array of shape (n,), optional.
        drop_intermediate (bool, default True): Leave out points on a straight line between others.

    Returns:
        (false positive rate, true positive rate, thresholds): Arrays of float64 of one shape; the first
            threshold is infinity, the others descend. A rate is NaN, with a warning, where y_true has no
            sample of its kind.

    Raises:
        ValueError: For shapes that differ, NaN, no samples, and labels of which none is known to be positive.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import roc_curve
        >>> false_alarms, hits, thresholds = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> false_alarms.tolist(), hits.tolist()
        ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    where = "roc_curve"
    checked = check_curve(where, y_true, y_score, pos_label, sample_weight)
    return roc_points(rank(*checked, skips_straight=drop_intermediate))


def roc_points(ranking: Ranking) -> tuple[Floats, Floats, Floats]:
    hits, alarms = (np.append(0.0, values) for values in (ranking.hits, ranking.alarms))
    thresholds = np.append(np.inf, ranking.thresholds.astype(np.float64))
    rates = []
    for values, kind, rate in ((alarms, "negative", "false"), (hits, "positive", "true")):
        if values[-1] <= 0:
            warn_undefined(f"No {kind} samples in y_true, {rate} positive value should be meaningless")
            rates.append(np.full(len(values), np.nan))
        else:
            rates.append(values / values[-1])
    return rates[0], rates[1], thresholds


def precision_recall_curve(
    y_true: Any,
    y_score: Any,
    *,
    pos_label: Any = None,
    sample_weight: Any = None,
    drop_intermediate: bool = False,
) -> tuple[Floats, Floats, Array]:
    """Return precision and recall at every threshold.

    Args:
        y_true: Array or Tensor of labels of two classes, of shape (n,).
        y_score: Array or Tensor of scores of the positive class, of shape (n,).
        pos_label (optional): The positive class. Default: 1 of {0, 1} and of {-1, 1}.
        sample_weight: Array of shape (n,), optional.
        drop_intermediate (bool, default False): Leave out points between others of the same recall.

    Returns:
        (precision, recall, thresholds): Thresholds ascend; precision and recall have one point more, (1, 0),
            at their end. Without positive samples the recall is 1, with a warning.

    Raises:
        ValueError: For shapes that differ, NaN, no samples, and labels of which none is known to be positive.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import precision_recall_curve
        >>> precision, recall, thresholds = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> recall.tolist(), thresholds.tolist()
        ([1.0, 1.0, 0.5, 0.5, 0.0], [0.1, 0.35, 0.4, 0.8])
    """
    where = "precision_recall_curve"
    return precision_recall_points(
        rank(*check_curve(where, y_true, y_score, pos_label, sample_weight)), drop_intermediate
    )


def precision_recall_points(ranking: Ranking, drop_intermediate: bool) -> tuple[Floats, Floats, Array]:
    thresholds, hits, alarms = ranking
    if drop_intermediate and len(hits) > 2:
        kept = np.concatenate([[True], (np.diff(hits[:-1]) != 0) | (np.diff(hits[1:]) != 0), [True]])
        thresholds, hits, alarms = thresholds[kept], hits[kept], alarms[kept]
    reached = hits + alarms
    precision = np.where(reached != 0, hits / np.where(reached != 0, reached, 1.0), 0.0)
    if hits[-1] == 0:
        warn_undefined(NO_POSITIVES, UserWarning)
        recall = np.ones(len(hits))
    else:
        recall = hits / hits[-1]
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), thresholds[::-1].copy()


def auc(x: Any, y: Any) -> float:
    """Return the area below a curve by the trapezoidal rule.

    Args:
        x (array of shape (n,), n at least 2): Ascending or descending.
        y: Array of shape (n,).

    Raises:
        ValueError: For shapes that differ, fewer than two points, and x that is in no order.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import auc
        >>> auc([0.0, 0.5, 1.0], [0.0, 1.0, 1.0])
        0.75
    """
    columns = [as_floats("auc", name, as_column("auc", name, value)) for name, value in (("x", x), ("y", y))]
    if len(columns[0]) != len(columns[1]) or len(columns[0]) < 2:
        raise ValueError(
            f"auc: x has shape {columns[0].shape}, y {columns[1].shape}, expected as many points, at least 2"
        )
    across, height = columns
    area, falls, rises = 0.0, False, False
    for part in blocks(len(across) - 1):
        x_part, y_part = (
            values[part.start : part.stop + 1].astype(np.float64) for values in (across, height)
        )
        steps = x_part[1:] - x_part[:-1]
        falls, rises = falls or bool((steps < 0).any()), rises or bool((steps > 0).any())
        steps *= y_part[1:] + y_part[:-1]
        area += float(steps.sum()) / 2
    if falls and rises:
        raise ValueError("auc: x is neither ascending nor descending")
    return -area if falls else area
