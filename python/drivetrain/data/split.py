"""Division of data into parts, at random or with every class in proportion."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import flag
from .dataset import Dataset, Subset
from .shuffle import check_seed, permutation

Indices = NDArray[np.int64]


def train_test_split(
    *arrays: Any,
    test_size: float | int = 0.25,
    seed: int = 0,
    shuffle: bool = True,
    stratify: ArrayLike | None = None,
) -> list[Any]:
    """Divide arrays of equal length into a training and a test part.

    Args:
        *arrays (arrays or Tensors): Divided along their first axis, all in the same way.
        test_size (float or int, default 0.25): Share (between 0 and 1, rounded up) or number of the samples
            in the test part.
        seed (int, default 0): The same seed always gives the same parts.
        shuffle (bool, default True): Without it the test part is the end of the arrays.
        stratify (array of labels of shape (n,), optional): Every class gets its share of both parts, to
            within one sample.

    Returns:
        list: ``[first_train, first_test, second_train, second_test, ...]``

    Raises:
        ValueError: For no arrays, unequal lengths, an empty part, or a class with fewer than 2 samples.

    Source: scikit-learn's function of this name (its ``random_state`` is ``seed`` here).

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import train_test_split
        >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> train, test = train_test_split(labels, test_size=0.5, stratify=labels)
        >>> sorted(test.tolist())
        [0, 0, 1, 1]
    """
    flag("train_test_split", "shuffle", shuffle)
    if not arrays:
        raise ValueError("train_test_split: got no arrays, expected at least one")
    n = len(arrays[0])
    for i, array in enumerate(arrays):
        if len(array) != n:
            raise ValueError(
                f"train_test_split: array {i} has length {len(array)}, expected {n} as the first has"
            )
    train, test = split_indices(
        n, test_size=test_size, seed=seed, shuffle=shuffle, stratify=stratify, where="train_test_split"
    )
    return [rows(array, part) for array in arrays for part in (train, test)]


def rows(array: Any, indices: Indices) -> Any:
    """Take rows of an array or Tensor; of a list, a list."""
    if hasattr(array, "shape"):
        return array[indices]
    return [array[i] for i in indices]


def split_indices(
    n: int,
    *,
    test_size: float | int,
    seed: int = 0,
    shuffle: bool = True,
    stratify: ArrayLike | None = None,
    where: str = "split_indices",
) -> tuple[Indices, Indices]:
    """Return the indices of the training and of the test part."""
    seed = check_seed(where, seed)
    n_test = count_of_test(where, n, test_size)
    if stratify is not None:
        if not shuffle:
            raise ValueError(f"{where}: stratify needs shuffle=True")
        return stratified_indices(where, n, n_test, np.asarray(stratify), seed)
    order = permutation(n, seed) if shuffle else np.arange(n, dtype=np.int64)
    return order[: n - n_test], order[n - n_test :]


def count_of_test(where: str, n: int, test_size: float | int) -> int:
    """Turn ``test_size`` into a number of samples, as scikit-learn does (a share is rounded up)."""
    if isinstance(test_size, bool) or not isinstance(test_size, (int, float, np.integer, np.floating)):
        raise TypeError(f"{where}: test_size is {test_size!r}, expected a number")
    if isinstance(test_size, (int, np.integer)):
        n_test = int(test_size)
    else:
        if not 0 < test_size < 1:
            raise ValueError(
                f"{where}: test_size is {test_size}, expected a share between 0 and 1 or a whole number"
            )
        n_test = math.ceil(n * float(test_size))
    if not 0 < n_test < n:
        raise ValueError(
            f"{where}: test_size {test_size} of {n} samples leaves {n - n_test} and {n_test}, expected "
            "both > 0"
        )
    return n_test


def stratified_indices(
    where: str, n: int, n_test: int, labels: NDArray[Any], seed: int
) -> tuple[Indices, Indices]:
    if labels.dtype.hasobject:
        raise TypeError(f"{where}: stratify holds Python objects, expected labels")
    if labels.shape != (n,):
        raise ValueError(f"{where}: stratify has shape {labels.shape}, expected ({n},)")
    classes, class_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        raise ValueError(
            f"{where}: class {classes[counts.argmin()]} has 1 sample, expected at least 2 to be in both parts"
        )
    if min(n_test, n - n_test) < len(classes):
        raise ValueError(
            f"{where}: parts of {n - n_test} and {n_test} samples cannot hold all {len(classes)} classes"
        )
    order = permutation(n, seed)
    # Within a class the shuffled order decides; a stable sort by class keeps it.
    by_class = order[np.argsort(class_of[order], kind="stable")]
    starts = np.cumsum(counts) - counts
    rank_in_class = np.empty(n, np.int64)
    rank_in_class[by_class] = np.arange(n) - np.repeat(starts, counts)
    is_test = rank_in_class < share_out(n_test, counts)[class_of]
    return order[~is_test[order]], order[is_test[order]]


def share_out(total: int, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share ``total`` in proportion to ``counts``: rounded down, then by the largest remainder."""
    exact = counts * total
    shares: NDArray[np.int64] = exact // counts.sum()
    remainders = exact % counts.sum()
    left = total - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:left]] += 1
    return shares


def random_split(dataset: Dataset, lengths: Sequence[int | float], *, seed: int = 0) -> list[Subset]:
    """Divide a data set into parts at random; the parts do not overlap.

    Args:
        dataset (Dataset): Anything with a length and an index.
        lengths (sequence of int, or of float): Lengths that sum to ``len(dataset)``, or shares that sum to 1
            (rounded down, the rest spread from the first on).
        seed (int, default 0): The same seed always gives the same parts.

    Returns:
        list of Subset

    Raises:
        ValueError: When lengths are negative or do not sum up.

    Source: PyTorch's ``torch.utils.data.random_split``.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import ArrayDataset, random_split
        >>> [len(part) for part in random_split(ArrayDataset(np.arange(10)), [0.7, 0.3])]
        [7, 3]
    """
    n = len(dataset)
    sizes = part_sizes(n, lengths)
    order = permutation(n, check_seed("random_split", seed))
    ends = np.cumsum(sizes)
    return [Subset(dataset, order[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


def part_sizes(n: int, lengths: Sequence[int | float]) -> list[int]:
    if isinstance(lengths, str) or not isinstance(lengths, Iterable):
        raise TypeError(f"random_split: lengths is {lengths!r}, expected a sequence of numbers")
    lengths = list(lengths)
    for length in lengths:
        if isinstance(length, bool) or not isinstance(length, Real):
            raise TypeError(f"random_split: a length is {length!r}, expected a number")
    if not len(lengths):
        raise ValueError("random_split: lengths is empty, expected at least one part")
    if any(isinstance(length, float) for length in lengths):
        if any(not length >= 0 for length in lengths) or not math.isclose(sum(lengths), 1.0, abs_tol=1e-6):
            raise ValueError(f"random_split: shares are {list(lengths)}, expected numbers >= 0 that sum to 1")
        # The small addend keeps 0.3 * 10, which is 2.9999..., from losing a sample.
        sizes = [math.floor(n * share + 1e-9) for share in lengths]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
        return sizes
    sizes = [operator.index(cast(int, length)) for length in lengths]
    if min(sizes) < 0 or sum(sizes) != n:
        raise ValueError(f"random_split: lengths are {sizes}, expected numbers >= 0 that sum to {n}")
    return sizes
