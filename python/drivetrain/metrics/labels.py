"""Class labels: which there are, where each stands among them, and how often which pair occurs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .checks import (
    BLOCK,
    Array,
    Floats,
    as_array,
    as_weights,
    blocks,
    check_labels,
    check_same_length,
    check_some,
    row_size,
)

# Whole numbers that span no more than this are counted in a table instead of being sorted.
TABLE = 1 << 16
LIMIT = 1 << 62  # larger ones may not fit into the integers that count
# Up to so many classes all pairs are counted, even where the sums of rows and columns suffice.
FEW = 64


class Targets(NamedTuple):
    """Labels with predictions of them, checked.

    ``kind`` is "binary" (at most two classes), "multiclass", or "multilabel": then truth and guess are bool
    of shape (n, labels). ``classes`` are those that occur, ascending.
    """

    kind: str
    truth: Array
    guess: Array
    classes: Array
    weights: Floats | None


class Counts(NamedTuple):
    """What precision, recall and their like need of each class, or of each sample."""

    hits: Array  # predicted so, and right
    predicted: Array
    true: Array
    total: Any


class Coder:
    """Turns labels, all of which are in ``classes`` (ascending), into their places there."""

    def __init__(self, classes: Array) -> None:
        self.classes, self.low, self.table = classes, 0, None
        self.counted = classes.dtype.kind in "buif" and len(classes) > 0
        if not self.counted:
            return
        low, high = int(classes[0]), int(classes[-1])
        self.low, self.counted = low, fits_table(low, high)
        if self.counted and high - low + 1 != len(classes):
            self.table = np.zeros(high - low + 1, np.intp)
            self.table[classes.astype(np.int64) - low] = np.arange(len(classes))

    def __call__(self, labels: Array) -> NDArray[np.intp]:
        if not self.counted:
            return np.searchsorted(self.classes, labels)
        codes: NDArray[np.intp] = labels.astype(np.intp)
        if self.low:
            codes -= self.low
        return codes if self.table is None else self.table[codes]


def classes_of(*arrays: Array) -> Array:
    """Return the labels that occur in any of the arrays, ascending."""
    kind = np.result_type(*arrays)
    arrays = tuple(array for array in arrays if len(array))
    if not arrays:
        return np.zeros(0, kind)
    if kind.kind in "bif" or (kind.kind == "u" and kind.itemsize < 8):
        low, high = (int(f([f(array) for array in arrays])) for f in (min_of, max_of))
        if fits_table(low, high):
            table = np.zeros(high - low + 1, np.int64)
            for array in arrays:
                for part in blocks(len(array)):
                    table += np.bincount(array[part].astype(np.intp) - low, minlength=len(table))
            return (np.flatnonzero(table) + low).astype(kind)
    return np.unique(np.concatenate([np.unique(array) for array in arrays]))


def fits_table(low: int, high: int) -> bool:
    return high - low < TABLE and low > -LIMIT and high < LIMIT


def min_of(values: Any) -> Any:
    return np.asarray(values).min()


def max_of(values: Any) -> Any:
    return np.asarray(values).max()


def check_targets(
    where: str, y_true: Any, y_pred: Any, sample_weight: Any, names: tuple[str, str] = ("y_true", "y_pred")
) -> Targets:
    """Check labels against predictions of them: shape (n,) or (n, 1), or (n, labels) of 0 and 1."""
    truth, guess = as_array(where, names[0], y_true), as_array(where, names[1], y_pred)
    check_same_length(where, truth, guess)
    check_some(where, truth)
    truth, guess = (a[:, 0] if a.ndim == 2 and a.shape[1] == 1 else a for a in (truth, guess))
    if truth.shape != guess.shape or truth.ndim > 2:
        raise ValueError(
            f"{where}: {names[0]} has shape {truth.shape}, {names[1]} {guess.shape}, expected equal shapes, "
            "(n,) or (n, labels)"
        )
    for name, array in zip(names, (truth, guess), strict=True):
        check_labels(where, name, array)
    weights = as_weights(where, sample_weight, len(truth))
    if truth.ndim == 2:
        truth, guess = (indicators(where, n, a) for n, a in zip(names, (truth, guess), strict=True))
        return Targets("multilabel", truth, guess, np.arange(truth.shape[1]), weights)
    if (truth.dtype.kind in "US") != (guess.dtype.kind in "US"):
        raise ValueError(
            f"{where}: {names[0]} has dtype {truth.dtype}, {names[1]} {guess.dtype}, expected labels of one "
            "kind"
        )
    classes = classes_of(truth, guess)
    return Targets("binary" if len(classes) <= 2 else "multiclass", truth, guess, classes, weights)


def indicators(where: str, name: str, array: Array) -> NDArray[np.bool_]:
    """Return (n, labels) of 0 and 1 as bool."""
    if array.dtype == np.bool_:
        return array
    if array.dtype.kind not in "uif" or (array.size and (array.min() < 0 or array.max() > 1)):
        raise ValueError(f"{where}: {name} has shape {array.shape}, expected 0 and 1 for several labels")
    holds: NDArray[np.bool_] = array != 0
    return holds


def refuse_multilabel(where: str, targets: Targets) -> Targets:
    if targets.kind == "multilabel":
        raise ValueError(f"{where}: y_true has shape {targets.truth.shape}, expected labels of shape (n,)")
    return targets


def count_pairs(targets: Targets) -> Array:
    """Count how often class i was predicted as class j: int64, or float64 sums of the weights."""
    size, coder = len(targets.classes), Coder(targets.classes)
    counts = np.zeros(size * size, np.int64 if targets.weights is None else np.float64)
    for part in blocks(len(targets.truth), max(BLOCK, size * size)):
        pairs = coder(targets.truth[part])
        pairs *= size
        pairs += coder(targets.guess[part])
        counts += np.bincount(
            pairs, None if targets.weights is None else targets.weights[part], minlength=size * size
        )
    return counts.reshape(size, size)


def count_labels(labels: Array, coder: Coder, weights: Floats | None) -> Array:
    size = len(coder.classes)
    counts = np.zeros(size, np.int64 if weights is None else np.float64)
    for part in blocks(len(labels), max(BLOCK, size)):
        counts += np.bincount(coder(labels[part]), None if weights is None else weights[part], minlength=size)
    return counts


def matrix_counts(matrix: Array) -> Counts:
    return Counts(np.diagonal(matrix), matrix.sum(axis=0), matrix.sum(axis=1), matrix.sum())


def class_counts(targets: Targets) -> Counts:
    """Count per class, or per label of (n, labels)."""
    truth, guess, weights = targets.truth, targets.guess, targets.weights
    total: Any = len(truth) if weights is None else weights.sum()
    if targets.kind == "multilabel":
        return Counts(*label_counts(truth, guess, weights), total)
    if len(targets.classes) <= FEW:
        return matrix_counts(count_pairs(targets))
    coder, right = Coder(targets.classes), truth == guess
    hits = count_labels(truth[right], coder, None if weights is None else weights[right])
    return Counts(hits, count_labels(guess, coder, weights), count_labels(truth, coder, weights), total)


def label_counts(truth: Array, guess: Array, weights: Floats | None) -> tuple[Array, Array, Array]:
    """Return hits, predicted and true per column of two bool arrays of shape (n, labels)."""
    sums = np.zeros((3, truth.shape[1]), np.int64 if weights is None else np.float64)
    for part in blocks(len(truth), max(1, BLOCK // max(1, row_size(truth)))):
        for place, found in enumerate((truth[part] & guess[part], guess[part], truth[part])):
            if weights is None:
                sums[place] += np.count_nonzero(found, axis=0)
            else:
                sums[place] += (found * weights[part, None]).sum(axis=0)
    return sums[0], sums[1], sums[2]


def sample_counts(targets: Targets) -> Counts:
    """Count per sample of (n, labels)."""
    truth, guess = targets.truth, targets.guess
    hits, predicted, true = (np.count_nonzero(a, axis=1) for a in (truth & guess, guess, truth))
    return Counts(hits, predicted, true, truth.shape[1])


def places_of(where: str, labels: Array, classes: Array) -> NDArray[np.intp]:
    """Return where each of ``labels`` stands in ``classes``, len(classes) for those that are not there."""
    if (labels.dtype.kind in "US") != (classes.dtype.kind in "US"):
        raise ValueError(
            f"{where}: labels has dtype {labels.dtype}, expected that of y_true, {classes.dtype}"
        )
    place = np.searchsorted(classes, labels)
    found = np.zeros(len(labels), np.bool_)
    inside = place < len(classes)
    found[inside] = classes[place[inside]] == labels[inside]
    return np.where(found, place, len(classes))


def chosen_counts(where: str, counts: Counts, classes: Array, labels: Array | None) -> Counts:
    """Return the counts of ``labels`` in their order; classes that do not occur count 0."""
    if labels is None:
        return counts
    place = places_of(where, labels, classes)
    return counts._replace(
        **{name: np.append(getattr(counts, name), 0)[place] for name in ("hits", "predicted", "true")}
    )


def chosen_matrix(where: str, matrix: Array, classes: Array, labels: Array) -> Array:
    place = places_of(where, labels, classes)
    return np.pad(matrix, ((0, 1), (0, 1)))[np.ix_(place, place)]
