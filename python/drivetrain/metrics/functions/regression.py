"""How close predicted numbers come to the true ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import (
    BLOCK,
    Array,
    Floats,
    as_array,
    as_floats,
    as_weights,
    blocks,
    check_same_length,
    check_some,
    mean_in_blocks,
    row_size,
    warn_undefined,
    weight_sum,
)

EPSILON = float(np.finfo(np.float64).eps)


def mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the mean of the squared differences.

    Args:
        y_true, y_pred: Arrays or Tensors of numbers of shape (n,) or (n, outputs).
        sample_weight: Array of shape (n,), optional.
        multioutput ("raw_values", "uniform_average" or array of shape (outputs,)): One value per output,
            their mean, or their mean with these weights.

    Returns:
        float, or array of float64 of shape (outputs,) with "raw_values"

    Raises:
        ValueError: For different shapes, NaN, infinities, no samples, or weights of another length.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import mean_squared_error
        >>> mean_squared_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
        0.375
    """
    where = "mean_squared_error"
    return average_outputs(where, mean_error(where, y_true, y_pred, sample_weight, squares), multioutput)


def root_mean_squared_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the root of the mean of the squared differences, of each output by itself.

    The arguments and errors are those of `mean_squared_error`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import root_mean_squared_error
        >>> round(root_mean_squared_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]), 4)
        0.6124
    """
    where = "root_mean_squared_error"
    errors = np.sqrt(mean_error(where, y_true, y_pred, sample_weight, squares))
    return average_outputs(where, errors, multioutput)


def mean_absolute_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the mean of the absolute differences.

    The arguments and errors are those of `mean_squared_error`.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import mean_absolute_error
        >>> mean_absolute_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
        0.5
    """
    where = "mean_absolute_error"
    return average_outputs(where, mean_error(where, y_true, y_pred, sample_weight, distances), multioutput)


def mean_absolute_percentage_error(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, multioutput: Any = "uniform_average"
) -> Any:
    """Return the mean of the absolute differences relative to the truth: 0.1 for ten percent.

    The arguments and errors are those of `mean_squared_error`. Truths of 0 count as 2.2e-16.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import mean_absolute_percentage_error
        >>> mean_absolute_percentage_error([1.0, 2.0, 4.0, 4.0], [1.5, 2.0, 4.0, 6.0])
        0.25
    """
    where = "mean_absolute_percentage_error"
    return average_outputs(where, mean_error(where, y_true, y_pred, sample_weight, shares), multioutput)


def squares(truth: Floats, guess: Floats) -> Floats:
    difference = truth - guess
    difference *= difference
    return difference


def distances(truth: Floats, guess: Floats) -> Floats:
    difference = truth - guess
    return np.abs(difference, out=difference)


def shares(truth: Floats, guess: Floats) -> Floats:
    return distances(truth, guess) / np.maximum(np.abs(truth), EPSILON)


def check_numbers(where: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return two arrays of finite numbers of one shape, (n,) or (n, outputs)."""
    truth, guess = as_floats(where, "y_true", y_true), as_floats(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    check_some(where, truth)
    truth, guess = (a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for a in (truth, guess))
    if truth.shape != guess.shape or truth.ndim > 2:
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected equal shapes, (n,) or "
            "(n, outputs)"
        )
    return truth, guess


def rows_of(array: Array) -> int:
    return max(1, BLOCK // max(1, row_size(array)))


def in_double(array: Array) -> Floats:
    doubles: Floats = array.astype(np.float64, copy=False)
    return doubles


def mean_error(where: str, y_true: Any, y_pred: Any, sample_weight: Any, error: Any) -> Floats:
    """Return the weighted mean of ``error`` for each output."""
    truth, guess = check_numbers(where, y_true, y_pred)
    weights = as_weights(where, sample_weight, len(truth))
    mean = mean_in_blocks(
        where,
        len(truth),
        lambda part: error(in_double(truth[part]), in_double(guess[part])),
        weights,
        block=rows_of(truth),
    )
    return np.atleast_1d(np.asarray(mean, np.float64))


def average_outputs(where: str, values: Floats, multioutput: Any, spread: Floats | None = None) -> Any:
    """Average the values of the outputs as ``multioutput`` says."""
    choices = ("raw_values", "uniform_average") + (() if spread is None else ("variance_weighted",))
    if multioutput is None or isinstance(multioutput, str):
        if multioutput is not None and multioutput not in choices:
            expected = ", ".join(map(repr, choices))
            raise ValueError(
                f"{where}: multioutput is {multioutput!r}, expected one of {expected}, or an array of weights"
            )
        if multioutput == "raw_values":
            return values
        if multioutput != "variance_weighted" or spread is None or not spread.any():
            return float(values.mean())
        return float((values * spread).sum() / spread.sum())
    weights = as_array(where, "multioutput", multioutput).astype(np.float64)
    if weights.shape != values.shape or len(values) == 1:
        raise ValueError(
            f"{where}: multioutput has shape {weights.shape}, expected ({len(values)},) for several outputs"
        )
    return float(np.average(values, weights=weights))


def r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """Return the coefficient of determination: 1 minus the squared error over that of predicting the mean.

    Args:
        y_true, y_pred: Arrays or Tensors of numbers of shape (n,) or (n, outputs).
        sample_weight: Array of shape (n,), optional.
        multioutput ("raw_values", "uniform_average", "variance_weighted" or array of shape (outputs,)): One
            value per output, their mean, their mean weighted by the variance of the truth or with these
            weights.
        force_finite (bool, default True): For a constant truth give 1 (all right) or 0 in place of NaN and
            minus infinity.

    Returns:
        float, or array of float64 of shape (outputs,) with "raw_values"; NaN with a warning for a single
            sample

    Raises:
        ValueError: For different shapes, NaN, infinities, no samples, or weights of another length.

    Source: scikit-learn's function of this name. The mean is subtracted first: a large offset of the numbers
    costs no digits.

    Example:
        >>> from drivetrain.metrics import r2_score
        >>> round(r2_score([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]), 4)
        0.9486
    """
    where = "r2_score"
    truth, guess = check_numbers(where, y_true, y_pred)
    weights = as_weights(where, sample_weight, len(truth))
    if len(truth) < 2:
        warn_undefined("R^2 score is not well-defined with less than two samples.")
        return math.nan
    error = deviation(where, truth, guess, weights, None)
    spread = deviation(where, truth, None, weights, mean_of(where, truth, None, weights))
    return explained(where, error, spread, multioutput, force_finite)


def explained_variance_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
) -> Any:
    """Return 1 minus the variance of the differences over that of the truth.

    The arguments and errors are those of `r2_score`; a constant difference costs nothing here.

    Source: scikit-learn's function of this name.

    Example:
        >>> from drivetrain.metrics import explained_variance_score
        >>> explained_variance_score([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
        1.0
    """
    where = "explained_variance_score"
    truth, guess = check_numbers(where, y_true, y_pred)
    weights = as_weights(where, sample_weight, len(truth))
    total = weight_sum(where, weights, len(truth))
    error = deviation(where, truth, guess, weights, mean_of(where, truth, guess, weights))
    spread = deviation(where, truth, None, weights, mean_of(where, truth, None, weights))
    return explained(where, error / total, spread / total, multioutput, force_finite)


def mean_of(where: str, truth: Array, guess: Array | None, weights: Floats | None) -> Any:
    """Return the mean of the truth, or of its difference from the guess."""

    def values(part: slice) -> Array:
        return in_double(truth[part]) if guess is None else in_double(truth[part]) - guess[part]

    return mean_in_blocks(where, len(truth), values, weights, block=rows_of(truth))


def deviation(where: str, truth: Array, guess: Array | None, weights: Floats | None, centre: Any) -> Floats:
    """Return the weighted sum of squares around a centre, for each output."""

    def values(part: slice) -> Array:
        found = np.array(truth[part], np.float64)
        if guess is not None:
            found -= guess[part]
        if centre is not None:
            found -= centre
        found *= found
        return found

    total = mean_in_blocks(where, len(truth), values, weights, normalize=False, block=rows_of(truth))
    return np.atleast_1d(np.asarray(total, np.float64))


def explained(where: str, error: Floats, spread: Floats, multioutput: Any, force_finite: bool) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1 - error / spread
    if force_finite:
        scores = np.where(error == 0, 1.0, np.where(spread == 0, 0.0, scores))
    return average_outputs(where, scores, multioutput, spread)


def pearson(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return Pearson's correlation coefficient: how far one is a linear function of the other, -1 to 1.

    Args:
        y_true, y_pred: Arrays or Tensors of numbers of shape (n,).
        sample_weight: Array of shape (n,), optional.

    Raises:
        ValueError: For different shapes, NaN, infinities, no samples, or weights of another length.

    It is NaN, with a warning, where either is constant.

    Source: the statistic of ``scipy.stats.pearsonr``.

    Example:
        >>> from drivetrain.metrics import pearson
        >>> round(pearson([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]), 4)
        0.6
    """
    where = "pearson"
    truth, guess = check_columns(where, y_true, y_pred)
    return correlation(where, truth, guess, as_weights(where, sample_weight, len(truth)))


def check_columns(where: str, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    truth, guess = check_numbers(where, y_true, y_pred)
    if truth.ndim != 1:
        raise ValueError(f"{where}: y_true has shape {truth.shape}, expected (n,)")
    return truth, guess


def correlation(where: str, truth: Array, guess: Array, weights: Floats | None) -> float:
    """Correlate two columns: means first, then products of what is left."""
    means = [mean_of(where, column, None, weights) for column in (truth, guess)]
    sums = np.zeros(3)
    for part in blocks(len(truth)):
        a, b = in_double(truth[part]) - means[0], in_double(guess[part]) - means[1]
        own = a if weights is None else a * weights[part]
        sums += [
            (own * a).sum(),
            (b * b if weights is None else b * b * weights[part]).sum(),
            (own * b).sum(),
        ]
    return correlation_of(where, *sums)


def correlation_of(where: str, spread: float, other_spread: float, product: float) -> float:
    if not (spread > 0 and other_spread > 0):
        if not (math.isnan(spread) or math.isnan(other_spread)):
            warn_undefined(f"{where} is not defined where y_true or y_pred is constant")
        return math.nan
    return float(min(1.0, max(-1.0, product / math.sqrt(spread) / math.sqrt(other_spread))))


def spearman(y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> float:
    """Return Spearman's rank correlation: how far one grows with the other, -1 to 1.

    Args:
        y_true, y_pred: Arrays or Tensors of numbers of shape (n,). Equal numbers share the mean of their
            ranks.
        sample_weight: Array of shape (n,), optional; a weight of 2 counts like a sample that is there twice.

    Raises:
        ValueError: For different shapes, NaN, infinities, no samples, or weights of another length.

    It is NaN, with a warning, where either is constant.

    Source: the statistic of ``scipy.stats.spearmanr``.

    Example:
        >>> from drivetrain.metrics import spearman
        >>> round(spearman([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 6.0, 7.0, 8.0, 7.0]), 4)
        0.8208
    """
    where = "spearman"
    truth, guess = check_columns(where, y_true, y_pred)
    weights = as_weights(where, sample_weight, len(truth))
    return correlation(where, ranks(truth, weights), ranks(guess, weights), weights)


def ranks(values: Array, weights: Floats | None) -> Floats:
    """Return the weight of smaller values plus half of that of equal ones."""
    order = np.argsort(values)
    ordered = values[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])
    starts = np.append(np.flatnonzero(is_first), len(values))
    below = starts.astype(np.float64)
    if weights is not None:
        below = np.append(0.0, np.cumsum(weights[order]))[starts]
    found = np.empty(len(values))
    if len(starts) == len(values) + 1:
        found[order] = (below[1:] + below[:-1]) / 2
    else:
        found[order] = ((below[1:] + below[:-1]) / 2)[np.cumsum(is_first) - 1]
    return found
