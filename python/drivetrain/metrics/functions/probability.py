"""How good predicted probabilities and margins are: losses and calibration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..._checks import choice, integer
from ..checks import (
    BLOCK,
    Array,
    Floats,
    as_array,
    as_column,
    as_floats,
    as_weights,
    blocks,
    check_labels,
    check_same_length,
    check_some,
    mean_in_blocks,
    warn_undefined,
    weight_sum,
)
from ..labels import Coder, classes_of, places_of
from .curves import positive_label

ROWS = BLOCK // 4  # rows of (n, classes) in a piece


def log_loss(
    y_true: Any, y_proba: Any, *, normalize: bool = True, sample_weight: Any = None, labels: Any = None
) -> float:
    """Return the mean of minus the logarithm of the probability of the true class: the cross entropy.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        y_proba (array or Tensor of shape (n, classes), or (n,) for two classes): Probabilities of the
            classes, ascending, or of the greater one. They are kept eps of their dtype away from 0 and 1.
        normalize (bool, default True): False returns the sum.
        sample_weight: Array of shape (n,), optional.
        labels (array of shape (classes,), optional): The classes. Default: those that occur.

    Raises:
        ValueError: For shapes that do not fit, NaN, no samples, probabilities outside of 0 to 1, a single
            class without ``labels``.

    Rows that do not sum to 1 are warned about, and taken as they are.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import log_loss
        >>> round(log_loss(["spam", "ham", "ham"], [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2]]), 4)
        0.1446
    """
    where = "log_loss"
    truth, chances, classes = check_probabilities(where, y_true, y_proba, labels)
    weights = as_weights(where, sample_weight, len(truth))
    coder, eps = Coder(classes), float(np.finfo(chances.dtype).eps)

    def losses(part: slice) -> Array:
        own = own_chances(coder(truth[part]), chances[part])
        return np.asarray(-np.log(np.clip(own, eps, 1 - eps)))

    return float(mean_in_blocks(where, len(truth), losses, weights, normalize, ROWS))


def own_chances(codes: Array, chances: Array) -> Array:
    """Return the probability of each sample's class."""
    if chances.ndim == 2:
        own: Array = np.take_along_axis(chances, codes[:, None], axis=1)[:, 0]
        return own
    return np.asarray(np.where(codes != 0, chances, 1 - chances))


def check_probabilities(where: str, y_true: Any, y_proba: Any, labels: Any) -> tuple[Array, Array, Array]:
    """Return labels of shape (n,), probabilities of shape (n,) or (n, classes), and the classes."""
    truth, chances = as_column(where, "y_true", y_true), as_floats(where, "y_proba", y_proba)
    check_same_length(where, truth, chances)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    if chances.ndim == 2 and chances.shape[1] == 1:
        chances = chances[:, 0]
    if chances.ndim not in (1, 2):
        raise ValueError(f"{where}: y_proba has shape {chances.shape}, expected (n,) or (n, classes)")
    check_unit_range(where, "y_proba", chances)
    present = classes_of(truth)
    classes = present if labels is None else np.unique(as_column(where, "labels", labels))
    if len(classes) < 2:
        raise ValueError(
            f"{where}: y_true holds a single class, {present.tolist()}, expected two, or labels= with all"
        )
    if labels is not None:
        if (places_of(where, present, classes) == len(classes)).any():
            raise ValueError(f"{where}: y_true holds a label that is not in labels")
        if not np.array_equal(classes, as_array(where, "labels", labels)):
            warn_undefined(
                f"{where}: labels are not ascending; y_proba is taken in the order {classes.tolist()}",
                UserWarning,
            )
    columns = chances.shape[1] if chances.ndim == 2 else 2
    if columns != len(classes):
        raise ValueError(
            f"{where}: y_proba has {columns} classes, expected {len(classes)}: {classes.tolist()} (pass "
            "labels=)"
        )
    if chances.ndim == 2:
        warn_unless_sums_are_one(chances)
    return truth, chances, classes


def check_unit_range(where: str, name: str, chances: Array) -> None:
    low, high = chances.min(), chances.max()
    if low < 0 or high > 1:
        raise ValueError(f"{where}: {name} reaches from {low:g} to {high:g}, expected probabilities, 0 to 1")


def warn_unless_sums_are_one(chances: Array) -> None:
    tolerance = math.sqrt(np.finfo(chances.dtype).eps)
    for part in blocks(len(chances), ROWS):
        if not np.isclose(chances[part].sum(axis=1), 1, rtol=tolerance).all():
            warn_undefined(
                "The y_proba values do not sum to one. Make sure to pass probabilities.", UserWarning
            )
            return


def brier_score_loss(
    y_true: Any,
    y_proba: Any,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    labels: Any = None,
    scale_by_half: Any = "auto",
) -> float:
    """Return the mean squared difference of predicted probabilities and what came true.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        y_proba (array or Tensor of shape (n,) for two classes, or (n, classes)): Probabilities of
            ``pos_label``, or of the classes, ascending.
        sample_weight: Array of shape (n,), optional.
        pos_label (optional): The positive class of two. Default: 1, or the greater one.
        labels (array of shape (classes,), optional): The classes. Default: those that occur.
        scale_by_half (bool or "auto"): Halve the sum over the classes, so that it lies in 0 to 1; "auto" for
            two classes alone.

    Raises:
        ValueError: For shapes that do not fit, NaN, no samples, and probabilities outside of 0 to 1.

    Source: scikit-learn's function of this name; Brier 1950.

    Example:
        >>> from drivetrain.metrics import brier_score_loss
        >>> round(brier_score_loss([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.3]), 4)
        0.0375
    """
    where = "brier_score_loss"
    if scale_by_half != "auto" and not isinstance(scale_by_half, (bool, np.bool_)):
        raise ValueError(f"{where}: scale_by_half is {scale_by_half!r}, expected 'auto', True or False")
    chances = as_floats(where, "y_proba", y_proba)
    if chances.ndim == 2 and chances.shape[1] > 1:
        truth, chances, classes = check_probabilities(where, y_true, chances, labels)
        codes: Any = Coder(classes)
        half = len(classes) < 3 if scale_by_half == "auto" else scale_by_half
    else:
        truth, chances = as_column(where, "y_true", y_true), as_column(where, "y_proba", chances)
        check_same_length(where, truth, chances)
        check_some(where, truth)
        check_labels(where, "y_true", truth)
        check_unit_range(where, "y_proba", chances)
        classes = classes_of(truth)
        if len(classes) > 2:
            raise ValueError(f"{where}: y_true holds {len(classes)} classes, expected y_proba (n, classes)")
        positive = brier_positive(where, classes, pos_label)
        codes, half = (lambda labels: labels == positive), scale_by_half in ("auto", True)

    def errors(part: slice) -> Array:
        found = squared_errors(codes(truth[part]), chances[part])
        return found / 2 if half else found

    return float(
        mean_in_blocks(where, len(truth), errors, as_weights(where, sample_weight, len(truth)), block=ROWS)
    )


def brier_positive(where: str, classes: Array, pos_label: Any) -> Any:
    try:
        return positive_label(where, classes, pos_label)
    except ValueError:
        if classes.dtype.kind in "US":
            raise
        return classes[-1]


def squared_errors(codes: Array, chances: Array) -> Array:
    """Return the squared distance of the probabilities from the truth, summed over the classes."""
    if chances.ndim == 1:
        return 2 * (codes - chances) ** 2
    missing = chances.copy()
    missing[np.arange(len(codes)), codes] -= 1
    missing *= missing
    total: Array = missing.sum(axis=1)
    return total


def hinge_loss(y_true: Any, pred_decision: Any, *, labels: Any = None, sample_weight: Any = None) -> float:
    """Return the mean of max(0, 1 - margin), where the margin is by how much the true class leads.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        pred_decision (array or Tensor of shape (n,) for two classes, or (n, classes)): Scores; of two classes
            positive for the greater one.
        labels (array of shape (classes,), optional): The classes. Default: those that occur.
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For shapes that do not fit, NaN, and no samples.

    Source: scikit-learn's function of this name; Crammer and Singer 2001 for more than two classes.

    Example:
        >>> from drivetrain.metrics import hinge_loss
        >>> round(hinge_loss([-1, 1, 1], [-2.2, 2.4, 0.3]), 4)
        0.2333
    """
    where = "hinge_loss"
    truth, decisions = as_column(where, "y_true", y_true), as_floats(where, "pred_decision", pred_decision)
    check_same_length(where, truth, decisions)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    present = classes_of(truth)
    classes = present if labels is None else np.unique(as_column(where, "labels", labels))
    weights = as_weights(where, sample_weight, len(truth))
    if len(classes) > 2:
        if decisions.ndim != 2 or decisions.shape[1] != len(classes):
            raise ValueError(
                f"{where}: pred_decision has shape {decisions.shape}, expected (n, {len(classes)}) (pass "
                "labels=)"
            )
        if (places_of(where, present, classes) == len(classes)).any():
            raise ValueError(f"{where}: y_true holds a label that is not in labels")
        codes: Any = Coder(classes)
    else:
        decisions = as_column(where, "pred_decision", decisions)
        # As in scikit-learn, a single class counts as the smaller one.
        greater, has_two = present[-1], len(present) == 2
        codes = lambda labels: (labels == greater) & has_two  # noqa: E731

    def losses(part: slice) -> Array:
        return hinge_losses(codes(truth[part]), decisions[part])

    return float(mean_in_blocks(where, len(truth), losses, weights, block=ROWS))


def hinge_losses(codes: Array, decisions: Array) -> Array:
    if decisions.ndim == 1:
        margins = np.where(codes, decisions, -decisions)
    else:
        rows = np.arange(len(codes))
        others = decisions.copy()
        others[rows, codes] = -np.inf
        margins = decisions[rows, codes] - others.max(axis=1)
    losses: Array = np.maximum(1 - margins, 0)
    return losses


def calibration_curve(
    y_true: Any, y_prob: Any, *, pos_label: Any = None, n_bins: int = 5, strategy: str = "uniform"
) -> tuple[Floats, Floats]:
    """Return how often the positive class came true where about so high a probability was predicted.

    Args:
        y_true: Array or Tensor of labels of two classes, of shape (n,).
        y_prob: Array or Tensor of probabilities of the positive class, of shape (n,).
        pos_label (optional): The positive class. Default: 1 of {0, 1} and of {-1, 1}.
        n_bins: Int, default 5.
        strategy ("uniform" or "quantile"): Bins of one width, or with equally many samples.

    Returns:
        (share that came true, mean prediction): Arrays of float64 with one number per bin that has samples.

    Raises:
        ValueError: For shapes that differ, NaN, no samples, more than two classes, and probabilities outside
            of 0 to 1.

    Source: scikit-learn's ``sklearn.calibration.calibration_curve``.

    Example:
        >>> from drivetrain.metrics import calibration_curve
        >>> came_true, predicted = calibration_curve([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.9], n_bins=2)
        >>> came_true.tolist(), predicted.tolist()
        ([0.0, 1.0], [0.2, 0.75])
    """
    where = "calibration_curve"
    n_bins = integer(where, "n_bins", n_bins)
    truth, chances = as_column(where, "y_true", y_true), as_floats(where, "y_prob", y_prob)
    chances = as_column(where, "y_prob", chances)
    check_same_length(where, truth, chances)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    check_unit_range(where, "y_prob", chances)
    classes = classes_of(truth)
    positive = positive_label(where, classes, pos_label)
    if len(classes) > 2:
        raise ValueError(f"{where}: y_true holds {len(classes)} classes, expected two")
    totals, right, sums = bin_sums(
        truth, lambda labels: labels == positive, chances, None, bin_edges(where, chances, n_bins, strategy)
    )
    filled = totals != 0
    return right[filled] / totals[filled], sums[filled] / totals[filled]


def bin_edges(where: str, chances: Array, n_bins: int, strategy: str) -> Floats:
    choice(where, "strategy", strategy, ("uniform", "quantile"))
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = np.percentile(chances, edges * 100).astype(np.float64)
    return edges


def bin_sums(
    truth: Array, is_right: Any, chances: Array, weights: Floats | None, edges: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the weight of all samples, of the right ones, and the sum of the probabilities in each bin.

    A bin holds its upper edge and not its lower one.
    """
    bins = len(edges) - 1
    sums = np.zeros((3, bins))
    for part in blocks(len(chances)):
        values, right = chances[part].astype(np.float64), np.asarray(is_right(truth[part]), np.float64)
        place = np.searchsorted(edges[1:-1], values)
        own = None if weights is None else weights[part]
        sums[0] += np.bincount(place, own, minlength=bins)
        sums[1] += np.bincount(place, right if own is None else right * own, minlength=bins)
        sums[2] += np.bincount(place, values if own is None else values * own, minlength=bins)
    return sums[0], sums[1], sums[2]


def expected_calibration_error(
    y_true: Any,
    y_prob: Any,
    *,
    n_bins: int = 15,
    norm: str = "l1",
    strategy: str = "uniform",
    pos_label: Any = None,
    sample_weight: Any = None,
) -> float:
    """Return by how much predicted probabilities miss the shares that come true.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        y_prob (array or Tensor of shape (n,) for two classes, or (n, classes)): Probabilities of the positive
            class, or of classes 0 to classes - 1: then the largest is compared with how often it is right.
        n_bins: Int, default 15.
        norm ("l1", "l2" or "max"): Mean distance over the samples, root of the mean square, or that of the
            worst bin.
        strategy ("uniform" or "quantile"): Bins of one width, or with equally many samples.
        pos_label (optional): The positive class of two. Default: 1 of {0, 1} and of {-1, 1}.
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For shapes that do not fit, NaN, no samples, and probabilities outside of 0 to 1.

    Source: Naeini, Cooper and Hauskrecht 2015; Guo et al. 2017 for several classes. The bins are those of
    `calibration_curve`.

    Example:
        >>> from drivetrain.metrics import expected_calibration_error
        >>> round(expected_calibration_error([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.9], n_bins=2), 4)
        0.225
    """
    where = "expected_calibration_error"
    n_bins = integer(where, "n_bins", n_bins)
    choice(where, "norm", norm, ("l1", "l2", "max"))
    truth, chances = as_column(where, "y_true", y_true), as_floats(where, "y_prob", y_prob)
    check_same_length(where, truth, chances)
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    check_unit_range(where, "y_prob", chances)
    weights = as_weights(where, sample_weight, len(truth))
    if chances.ndim == 2 and chances.shape[1] > 1:
        truth, chances = chances.argmax(axis=1) == truth, chances.max(axis=1)
        positive: Any = True
    else:
        chances = as_column(where, "y_prob", chances)
        positive = positive_label(where, classes_of(truth), pos_label)
    edges = bin_edges(where, chances, n_bins, strategy)
    sums = bin_sums(truth, lambda labels: labels == positive, chances, weights, edges)
    weight_sum(where, weights, len(truth))
    return calibration_error_of(*sums, norm)


def calibration_error_of(totals: Floats, right: Floats, sums: Floats, norm: str) -> float:
    filled = totals != 0
    if not filled.any():
        return math.nan
    gaps = np.abs(right[filled] - sums[filled]) / totals[filled]
    shares = totals[filled] / totals.sum()
    if norm == "max":
        return float(gaps.max())
    return float((shares * gaps).sum()) if norm == "l1" else math.sqrt((shares * gaps * gaps).sum())
