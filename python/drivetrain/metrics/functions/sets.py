"""Precision, recall and their like: how the predicted set of a class overlaps the true one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._checks import choice, real
from ..checks import Array, Floats, warn_undefined
from ..labels import Counts, Targets, check_targets, sample_counts
from .agreement import chosen_class_counts, chosen_labels

AVERAGES = (None, "binary", "micro", "macro", "weighted", "samples")
ALL = ("precision", "recall", "f-score")


def check_zero_division(where: str, value: Any, allow_nan: bool = True) -> None:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if value == "warn" or (is_number and (value in (0, 1) or (allow_nan and math.isnan(value)))):
        return
    expected = "'warn', 0, 1 or nan" if allow_nan else "'warn', 0 or 1"
    raise ValueError(f"{where}: zero_division is {value!r}, expected {expected}")


def divide(
    numerator: Array, denominator: Array, zero_division: Any, warning: tuple[str, str, str | None] | None
) -> Floats:
    """Divide; what is 0 / 0 becomes ``zero_division``, with a warning that says ``warning``'s words."""
    undefined = denominator == 0
    result: Floats = np.asarray(numerator, np.float64) / np.where(undefined, 1, denominator)
    if not undefined.any():
        return result
    result[undefined] = 0.0 if zero_division == "warn" else float(zero_division)
    if zero_division == "warn" and warning is not None:
        metric, modifier, average = warning
        of, in_each = ("label", "sample") if average == "samples" else ("sample", "label")
        place = "due to" if len(result) == 1 else f"in {in_each}s with"
        warn_undefined(
            f"{metric.capitalize()} is ill-defined and being set to 0.0 {place} no {modifier} {of}s. Use "
            "`zero_division` parameter to control this behavior."
        )
    return result


def mean_without_nan(values: Floats, weights: Array | None) -> float:
    known = ~np.isnan(values)
    if not known.any():
        return math.nan
    if weights is None or not weights[known].sum():
        return float(values[known].mean())
    return float((values[known] * weights[known]).sum() / weights[known].sum())


def averaged_counts(counts: Counts, average: str | None) -> Counts:
    if average != "micro":
        return counts
    hits, predicted, true = (np.asarray([part.sum()]) for part in counts[:3])
    return Counts(hits, predicted, true, counts.total * len(counts.hits))


def overlap_scores(
    counts: Counts,
    beta: float,
    average: str | None,
    warn_for: Sequence[str],
    zero_division: Any,
    sample_weights: Floats | None = None,
) -> tuple[Any, Any, Any, Any]:
    """Return precision, recall, F-score and support of counts, averaged."""
    counts = averaged_counts(counts, average)

    def share(metric: str, modifier: str, numerator: Array, denominator: Array) -> Floats:
        words = (metric, modifier, average) if metric in warn_for else None
        return divide(numerator, denominator, zero_division, words)

    precision = share("precision", "predicted", counts.hits, counts.predicted)
    recall = share("recall", "true", counts.hits, counts.true)
    if math.isinf(beta):
        f_score = recall
    elif beta == 0:
        f_score = precision
    else:
        square = beta * beta
        f_score = share(
            "f-score",
            "true nor predicted",
            (1 + square) * counts.hits,
            square * counts.true + counts.predicted,
        )
    if average is None:
        return precision, recall, f_score, counts.true
    weights = {"weighted": counts.true, "samples": sample_weights}.get(average)
    means = [mean_without_nan(values, weights) for values in (precision, recall, f_score)]
    return means[0], means[1], means[2], None


def counts_for(
    where: str,
    y_true: Any,
    y_pred: Any,
    labels: Any,
    pos_label: Any,
    average: str | None,
    sample_weight: Any,
) -> tuple[Counts, Targets]:
    """Check the arguments that these functions share, and count."""
    choice(where, "average", average, AVERAGES)
    targets = check_targets(where, y_true, y_pred, sample_weight)
    if average == "binary":
        labels = [check_binary(where, targets, pos_label)]
    elif pos_label not in (None, 1):
        warn_undefined(
            f"Note that pos_label (set to {pos_label!r}) is ignored when average != 'binary' (got "
            f"{average!r}). You may use labels=[pos_label] to specify a single positive class.",
            UserWarning,
        )
    chosen = chosen_labels(where, labels, targets)
    if average != "samples":
        return chosen_class_counts(where, targets, chosen), targets
    if targets.kind != "multilabel":
        raise ValueError(
            f"{where}: average is 'samples', but y_true has shape {targets.truth.shape}, expected (n, labels)"
        )
    if chosen is not None:
        targets = targets._replace(truth=targets.truth[:, chosen], guess=targets.guess[:, chosen])
    return sample_counts(targets), targets


def check_binary(where: str, targets: Targets, pos_label: Any) -> Any:
    if targets.kind != "binary":
        found = "several labels" if targets.kind == "multilabel" else f"{len(targets.classes)} classes"
        others = ", ".join(repr(a) for a in AVERAGES if a != "binary")
        raise ValueError(f"{where}: average is 'binary', but there are {found}, expected one of {others}")
    is_text = targets.classes.dtype.kind in "US"
    if len(targets.classes) == 2 and pos_label not in targets.classes.tolist():
        raise ValueError(f"{where}: pos_label is {pos_label!r}, expected one of {targets.classes.tolist()}")
    if is_text != isinstance(pos_label, str):
        raise ValueError(
            f"{where}: pos_label is {pos_label!r}, expected a label like {targets.classes.tolist()[0]!r}"
        )
    return pos_label


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = None,
    warn_for: Sequence[str] = ALL,
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> tuple[Any, Any, Any, Any]:
    """Return precision, recall, F-score and the number of true samples of each class, or averages.

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        beta (float, default 1): How much more recall counts than precision in the F-score.
        labels (array, optional): The classes to look at and their order. Default: all that occur.
        pos_label (default 1): The class that counts where ``average`` is "binary".
        average: None for each class by itself; "binary" for ``pos_label`` alone; "micro" counts over all
            classes; "macro" is the mean of the classes; "weighted" weighs them by their true samples;
            "samples" is the mean over samples of several labels.
        warn_for (sequence of str): Which of "precision", "recall" and "f-score" may warn.
        sample_weight: Array of shape (n,), optional.
        zero_division ("warn", 0, 1 or nan): The value of 0 / 0; "warn" is 0 with a warning. NaN is left out
            of averages.

    Returns:
        (precision, recall, F-score, support): Arrays of shape (classes,) where ``average`` is None; floats
            and None otherwise.

    Raises:
        ValueError: For different shapes, NaN, no samples, more than two classes with "binary", and arguments
            that are none of the above.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import precision_recall_fscore_support
        >>> p, r, f, n = precision_recall_fscore_support([0, 1, 1], [0, 1, 0])
        >>> p.tolist(), r.tolist(), n.tolist()
        ([0.5, 1.0], [1.0, 0.5], [1, 2])
    """
    where = "precision_recall_fscore_support"
    return scores_for(
        where, y_true, y_pred, beta, labels, pos_label, average, warn_for, sample_weight, zero_division
    )


def scores_for(
    where: str,
    y_true: Any,
    y_pred: Any,
    beta: float,
    labels: Any,
    pos_label: Any,
    average: str | None,
    warn_for: Sequence[str],
    sample_weight: Any,
    zero_division: Any,
) -> tuple[Any, Any, Any, Any]:
    check_zero_division(where, zero_division)
    check_beta(where, beta)
    counts, targets = counts_for(where, y_true, y_pred, labels, pos_label, average, sample_weight)
    return overlap_scores(counts, beta, average, warn_for, zero_division, targets.weights)


def check_beta(where: str, beta: Any) -> float:
    return real(where, "beta", beta, "a number of at least 0", lambda found: found >= 0)


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the share of what was predicted as a class that truly is of it.

    The arguments and errors are those of `precision_recall_fscore_support`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import precision_score
        >>> precision_score([0, 1, 1, 0], [1, 1, 1, 1])
        0.5
    """
    where = "precision_score"
    return scores_for(
        where, y_true, y_pred, 1.0, labels, pos_label, average, ("precision",), sample_weight, zero_division
    )[0]


def recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the share of what truly is of a class that was predicted so.

    The arguments and errors are those of `precision_recall_fscore_support`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import recall_score
        >>> recall_score([0, 1, 1, 0], [1, 1, 0, 1])
        0.5
    """
    where = "recall_score"
    return scores_for(
        where, y_true, y_pred, 1.0, labels, pos_label, average, ("recall",), sample_weight, zero_division
    )[1]


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the harmonic mean of precision and recall.

    The arguments and errors are those of `precision_recall_fscore_support`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import f1_score
        >>> f1_score([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], average="micro")
        0.3333333333333333
    """
    where = "f1_score"
    return scores_for(
        where, y_true, y_pred, 1.0, labels, pos_label, average, ("f-score",), sample_weight, zero_division
    )[2]


def fbeta_score(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the weighted harmonic mean of precision and recall, where recall counts ``beta`` times as much.

    The arguments and errors are those of `precision_recall_fscore_support`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import fbeta_score
        >>> round(fbeta_score([0, 1, 1, 1], [0, 1, 0, 1], beta=0.5), 4)
        0.9091
    """
    where = "fbeta_score"
    return scores_for(
        where, y_true, y_pred, beta, labels, pos_label, average, ("f-score",), sample_weight, zero_division
    )[2]


def jaccard_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the intersection of the predicted and the true set over their union.

    The arguments and errors are those of `precision_recall_fscore_support`.

    Source: scikit-learn's function of this name; Jaccard 1901.

    Example:
        >>> from drivetrain.metrics import jaccard_score
        >>> jaccard_score([0, 1, 1, 1], [0, 1, 0, 1])
        0.6666666666666666
    """
    where = "jaccard_score"
    check_zero_division(where, zero_division, allow_nan=False)
    counts, targets = counts_for(where, y_true, y_pred, labels, pos_label, average, sample_weight)
    return jaccard_of(counts, average, zero_division, targets.weights)


def jaccard_of(
    counts: Counts, average: str | None, zero_division: Any, sample_weights: Floats | None = None
) -> Any:
    counts = averaged_counts(counts, average)
    union = counts.predicted + counts.true - counts.hits
    scores = divide(counts.hits, union, zero_division, ("jaccard", "true or predicted", average))
    if average is None:
        return scores
    return mean_without_nan(scores, {"weighted": counts.true, "samples": sample_weights}.get(average))


def specificity_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: str | None = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
) -> Any:
    """Return the share of what truly is not of a class that was not predicted so.

    The arguments and errors are those of `precision_recall_fscore_support`. For two classes it is the recall
    of the other class.

    Source: scikit-learn has no function for it; the arguments are those of its recall_score.

    Example:
        >>> from drivetrain.metrics import specificity_score
        >>> specificity_score([0, 0, 0, 1], [0, 0, 1, 1])
        0.6666666666666666
    """
    where = "specificity_score"
    check_zero_division(where, zero_division)
    counts, targets = counts_for(where, y_true, y_pred, labels, pos_label, average, sample_weight)
    return specificity_of(counts, average, zero_division, targets.weights)


def specificity_of(
    counts: Counts, average: str | None, zero_division: Any, sample_weights: Floats | None = None
) -> Any:
    counts = averaged_counts(counts, average)
    false = counts.total - counts.true
    right = false - counts.predicted + counts.hits
    scores = divide(right, false, zero_division, ("specificity", "false", average))
    if average is None:
        return scores
    return mean_without_nan(scores, {"weighted": counts.true, "samples": sample_weights}.get(average))
