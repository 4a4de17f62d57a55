"""How far predicted classes agree with the true ones: accuracy, the confusion matrix and what follows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..._checks import choice
from ..checks import BLOCK as BLOCK
from ..checks import (
    Array,
    as_array,
    as_weights,
    check_labels,
    check_same_length,
    check_some,
    mean_in_blocks,
    row_size,
    warn_undefined,
)
from ..labels import (
    check_targets,
    chosen_matrix,
    class_counts,
    count_pairs,
    label_counts,
    refuse_multilabel,
    sample_counts,
)


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
    return share_right("accuracy_score", y_true, y_pred, normalize, sample_weight)


def share_right(where: str, y_true: Any, y_pred: Any, normalize: bool, sample_weight: Any) -> float:
    truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    if truth.shape != guess.shape or truth.ndim > 2:
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected equal shapes"
        )
    check_some(where, truth)
    check_labels(where, "y_true", truth)
    check_labels(where, "y_pred", guess)

    def right(part: slice) -> Array:
        same: Array = truth[part] == guess[part]
        return np.asarray(same.all(axis=1)) if same.ndim == 2 else same

    weights = as_weights(where, sample_weight, len(truth))
    block = max(1, BLOCK // max(1, row_size(truth)))
    return float(mean_in_blocks(where, len(truth), right, weights, normalize, block))


def zero_one_loss(y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None) -> float:
    """Return the share of predictions that are wrong: what `accuracy_score` leaves of 1.

    Source: scikit-learn's function of this name, with its arguments.

    Example:
        >>> from drivetrain.metrics import zero_one_loss
        >>> zero_one_loss([0, 1, 2, 3], [0, 2, 1, 3], normalize=False)
        2.0
    """
    where = "zero_one_loss"
    right = share_right(where, y_true, y_pred, normalize, sample_weight)
    if normalize:
        return 1.0 - right
    weights = as_weights(where, sample_weight, len(y_true))
    return float(len(y_true) if weights is None else weights.sum()) - right


def confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, sample_weight: Any = None, normalize: str | None = None
) -> Array:
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
        ValueError: For different shapes, NaN, weights of another length, no samples, or none of ``labels`` in
            ``y_true``.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import confusion_matrix
        >>> confusion_matrix([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
        array([[2, 0, 0],
               [0, 0, 1],
               [1, 0, 2]])
    """
    where = "confusion_matrix"
    return matrix_of(where, y_true, y_pred, labels, sample_weight, normalize)


def matrix_of(
    where: str,
    y_true: Any,
    y_pred: Any,
    labels: Any,
    sample_weight: Any,
    normalize: str | None = None,
    names: tuple[str, str] = ("y_true", "y_pred"),
) -> Array:
    choice(where, "normalize", normalize, (None, "true", "pred", "all"))
    targets = refuse_multilabel(where, check_targets(where, y_true, y_pred, sample_weight, names))
    matrix = count_pairs(targets)
    if sample_weight is not None and as_array(where, "sample_weight", sample_weight).dtype.kind in "bui":
        matrix = np.rint(matrix).astype(np.int64)
    if labels is not None:
        chosen = as_array(where, "labels", labels)
        if chosen.ndim != 1 or not len(chosen) or not np.isin(chosen, targets.truth).any():
            raise ValueError(
                f"{where}: labels is {chosen.tolist()}, expected classes of which {names[0]} has one"
            )
        matrix = chosen_matrix(where, matrix, targets.classes, chosen)
    if matrix.shape == (1, 1):
        warn_undefined(f"{where}: there is a single class; labels= names all that count", UserWarning)
    return normalized(matrix, normalize)


def normalized(matrix: Array, normalize: str | None) -> Array:
    if normalize is None:
        return matrix
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    with np.errstate(all="ignore"):
        shares: Array = np.nan_to_num(matrix / matrix.sum(axis=axis, keepdims=True))
    return shares


def multilabel_confusion_matrix(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, labels: Any = None, samplewise: bool = False
) -> Array:
    """Count for each class against all others, or for each label: [[true no, false yes], [missed, true yes]].

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        sample_weight: Array of shape (n,), optional.
        labels: The classes, or the numbers of the labels, and their order. Default: all.
        samplewise (bool, default False): Count for each sample of shape (n, labels) instead.

    Returns:
        array of shape (classes, 2, 2), or (n, 2, 2) with ``samplewise``

    Raises:
        ValueError: As `confusion_matrix`; and for ``samplewise`` without several labels.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import multilabel_confusion_matrix
        >>> multilabel_confusion_matrix([0, 1, 2], [0, 2, 2])[2]
        array([[1, 1],
               [0, 1]])
    """
    where = "multilabel_confusion_matrix"
    targets = check_targets(where, y_true, y_pred, sample_weight)
    if samplewise and targets.kind != "multilabel":
        raise ValueError(f"{where}: samplewise needs several labels, y_true has shape {targets.truth.shape}")
    chosen = chosen_labels(where, labels, targets)
    if samplewise:
        if chosen is not None:
            targets = targets._replace(truth=targets.truth[:, chosen], guess=targets.guess[:, chosen])
        counts = sample_counts(targets)
        if targets.weights is not None:
            counts = type(counts)(*(values * targets.weights for values in counts))
    else:
        counts = chosen_class_counts(where, targets, chosen)
    false_yes, missed = counts.predicted - counts.hits, counts.true - counts.hits
    true_no = counts.total - counts.hits - false_yes - missed
    return np.stack([true_no, false_yes, missed, counts.hits], axis=1).reshape(-1, 2, 2)


def chosen_labels(where: str, labels: Any, targets: Any) -> Array | None:
    if labels is None:
        return None
    chosen = as_array(where, "labels", labels)
    if chosen.ndim != 1 or not len(chosen):
        raise ValueError(f"{where}: labels has shape {chosen.shape}, expected (classes,)")
    if targets.kind == "multilabel" and (chosen.min() < 0 or chosen.max() >= len(targets.classes)):
        raise ValueError(
            f"{where}: labels is {chosen.tolist()}, expected numbers from 0 to {len(targets.classes) - 1}"
        )
    return chosen


def chosen_class_counts(where: str, targets: Any, chosen: Array | None) -> Any:
    from ..labels import chosen_counts

    return chosen_counts(where, class_counts(targets), targets.classes, chosen)


def balanced_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, adjusted: bool = False
) -> float:
    """Return the mean of the classes' recalls: every class counts the same, however rare it is.

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,).
        sample_weight: Array of shape (n,), optional.
        adjusted (bool, default False): Shift and scale it so that chance gives 0.

    Raises:
        ValueError: For different shapes, NaN, no samples, or weights of another length.

    A class that is predicted but does not occur in ``y_true`` is left out, with a warning.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import balanced_accuracy_score
        >>> balanced_accuracy_score([0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1])
        0.625
    """
    matrix = matrix_of("balanced_accuracy_score", y_true, y_pred, None, sample_weight)
    return balanced_accuracy_of(matrix, adjusted)


def balanced_accuracy_of(matrix: Array, adjusted: bool) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        recalls = np.diagonal(matrix) / matrix.sum(axis=1)
    if np.isnan(recalls).any():
        warn_undefined("y_pred contains classes not in y_true", UserWarning)
        recalls = recalls[~np.isnan(recalls)]
    if not len(recalls):
        return math.nan
    score = float(recalls.mean())
    if not adjusted:
        return score
    chance = 1 / len(recalls)
    return (score - chance) / (1 - chance) if chance < 1 else math.nan


def matthews_corrcoef(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return Matthews' correlation of two labellings: 1 for equal ones, 0 for chance, down to -1.

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,), of two or more classes.
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For different shapes, NaN, no samples, or weights of another length.

    It is 0 where either holds one class only.

    Source: scikit-learn's function of this name; Gorodkin 2004 for more than two classes.

    Example:
        >>> from drivetrain.metrics import matthews_corrcoef
        >>> round(matthews_corrcoef([1, 1, 1, 0], [1, 0, 1, 1]), 4)
        -0.3333
    """
    return matthews_of(matrix_of("matthews_corrcoef", y_true, y_pred, None, sample_weight))


def matthews_of(matrix: Array) -> float:
    matrix = matrix.astype(np.float64)
    true, predicted, total = matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
    spread = (total**2 - (predicted * predicted).sum()) * (total**2 - (true * true).sum())
    if spread == 0:
        return 0.0
    return float((np.trace(matrix) * total - (true * predicted).sum()) / math.sqrt(spread))


def cohen_kappa_score(
    y1: Any,
    y2: Any,
    *,
    labels: Any = None,
    weights: str | None = None,
    sample_weight: Any = None,
    replace_undefined_by: float = math.nan,
) -> float:
    """Return Cohen's kappa: how far two labellings agree beyond chance.

    Args:
        y1, y2: Arrays or Tensors of labels of shape (n,).
        labels (array of shape (classes,), optional): Classes to look at. Default: all that occur.
        weights (None, "linear" or "quadratic"): How much worse a larger distance of two classes is.
        sample_weight: Array of shape (n,), optional.
        replace_undefined_by (float, default NaN): The answer where both hold the same single class.

    Raises:
        ValueError: For different shapes, NaN, no samples, or weights of another length.

    Source: scikit-learn's function of this name; Cohen 1960.

    Example:
        >>> from drivetrain.metrics import cohen_kappa_score
        >>> cohen_kappa_score([0, 1, 1, 0], [0, 1, 0, 0])
        0.5
    """
    where = "cohen_kappa_score"
    choice(where, "weights", weights, (None, "linear", "quadratic"))
    matrix = matrix_of(where, y1, y2, labels, sample_weight, None, ("y1", "y2"))
    return kappa_of(where, matrix, weights, replace_undefined_by)


def kappa_of(where: str, matrix: Array, weights: str | None, undefined: float) -> float:
    matrix = matrix.astype(np.float64)
    columns, rows, total = matrix.sum(axis=0), matrix.sum(axis=1), matrix.sum()
    places = np.arange(len(matrix), dtype=np.float64)
    distances = np.abs(places[:, None] - places)
    costs = {None: (distances != 0) * 1.0, "linear": distances, "quadratic": distances**2}[weights]
    by_chance = float((costs * np.outer(columns, rows)).sum() / total) if total else 0.0
    if by_chance == 0:
        warn_undefined(f"{where} is undefined where one class is all there is, and set to {undefined}")
        return undefined
    return float(1 - (costs * matrix).sum() / by_chance)


def hamming_loss(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return the share of labels that are wrong.

    Args:
        y_true, y_pred (arrays or Tensors of labels of shape (n,), or of 0 and 1 of shape (n, labels)): With
            two axes every label of every sample counts.
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For different shapes, NaN, no samples, or weights of another length.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import hamming_loss
        >>> hamming_loss([[0, 1], [1, 1]], [[0, 0], [1, 1]])
        0.25
    """
    where = "hamming_loss"
    targets = check_targets(where, y_true, y_pred, sample_weight)
    if targets.kind != "multilabel":
        return float(
            mean_in_blocks(
                where,
                len(targets.truth),
                lambda part: targets.truth[part] != targets.guess[part],
                targets.weights,
            )
        )
    wrong, _, _ = label_counts(targets.truth ^ targets.guess, targets.truth | True, targets.weights)
    total = len(targets.truth) if targets.weights is None else float(targets.weights.sum())
    return float(wrong.sum() / (total * targets.truth.shape[1]))
