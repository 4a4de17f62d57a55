"""Data sets: things with a length and an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .convert import refuse_masked, to_tensor


class Dataset:
    """Base class of data sets with a length: subclasses give ``__len__`` and ``__getitem__``.

    Any object with these two methods works where a data set is expected; deriving from this class is a
    courtesy.

    Example:
        >>> from drivetrain.data import DataLoader, Dataset
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return index, index**2
        >>> for number, square in DataLoader(Squares(), batch_size=4):
        ...     print(square.shape)
        (4,)
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__")


class ArrayDataset(Dataset):
    """Arrays of equal length as one data set: sample i is the tuple of their rows i (one array: the row
    itself).

    Args:
        *arrays (arrays or Tensors with at least one axis): They are not copied: changes in them are seen by
            the data set.

    Raises:
        ValueError: For no arrays, an array without axes, or unequal lengths.
        TypeError: For arrays of objects.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import ArrayDataset
        >>> data = ArrayDataset(np.arange(6).reshape(3, 2), np.array([7, 8, 9]))
        >>> features, label = data[1]
        >>> len(data), features, int(label)
        (3, array([2, 3]), 8)
    """

    def __init__(self, *arrays: ArrayLike) -> None:
        name = type(self).__name__
        if not arrays:
            raise ValueError(f"{name}: got no arrays, expected at least one")
        self.arrays: tuple[NDArray[Any], ...] = tuple(
            as_array(name, i, array) for i, array in enumerate(arrays)
        )
        lengths = [len(array) for array in self.arrays]
        if len(set(lengths)) > 1:
            raise ValueError(f"{name}: arrays have lengths {lengths}, expected one length")

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: Any) -> Any:
        check_index(type(self).__name__, index)
        rows = tuple(array[index] for array in self.arrays)
        return rows if len(rows) > 1 else rows[0]

    def take(self, indices: NDArray[np.int64]) -> Any:
        """Return the rows of a whole batch: one copy per array, without a Python loop over samples."""
        rows = tuple(array.take(indices, axis=0) for array in self.arrays)
        return rows if len(rows) > 1 else rows[0]

    def __repr__(self) -> str:
        arrays = ", ".join(f"{array.dtype}{list(array.shape)}" for array in self.arrays)
        return f"{type(self).__name__}({arrays})"


class TensorDataset(ArrayDataset):
    """An ``ArrayDataset`` whose samples are Tensors.

    Source: PyTorch's ``torch.utils.data.TensorDataset``.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.data import TensorDataset
        >>> data = TensorDataset(dt.tensor([[1.0, 2.0], [3.0, 4.0]]), dt.tensor([0, 1]))
        >>> features, label = data[1]
        >>> features.shape, label.shape
        ((2,), ())
    """

    def __getitem__(self, index: Any) -> Any:
        check_index(type(self).__name__, index)
        rows = tuple(to_tensor(np.asarray(array[index])) for array in self.arrays)
        return rows if len(rows) > 1 else rows[0]


class Subset(Dataset):
    """Part of a data set: the samples at ``indices``, in this order.

    Raises:
        ValueError: For an index out of range.
        TypeError: For indices that are no whole numbers.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import ArrayDataset, Subset
        >>> int(Subset(ArrayDataset(np.array([5, 6, 7])), [2, 0])[0])
        7
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int] | NDArray[np.int64]) -> None:
        self.dataset = dataset
        self.indices = as_indices("Subset", indices, len(dataset))
        # The fast paths of data sets stay open to their parts.
        if hasattr(dataset, "take"):
            self.take = lambda positions: dataset.take(self.indices[positions])
        if hasattr(dataset, "take_at"):
            self.take_at = lambda positions, epoch, first: dataset.take_at(
                self.indices[positions], epoch, first
            )
        if hasattr(dataset, "rows_at"):
            self.rows_at = lambda positions: dataset.rows_at(self.indices[positions])
        if hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict"):
            self.state_dict, self.load_state_dict = dataset.state_dict, dataset.load_state_dict
        if hasattr(dataset, "classes") and hasattr(dataset, "targets"):
            self.classes = dataset.classes
            self.targets = [dataset.targets[index] for index in self.indices.tolist()]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.indices[index])]


def as_array(where: str, position: int, value: Any) -> NDArray[Any]:
    refuse_masked(where, f"array {position}", value)
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(f"{where}: array {position} holds Python objects, expected numbers")
    if array.ndim == 0:
        raise ValueError(f"{where}: array {position} has shape (), expected at least one axis")
    return array


def check_index(where: str, index: Any) -> None:
    if index is None or isinstance(index, (bool, str, float)):
        raise TypeError(f"{where}: index is {index!r}, expected a whole number, a slice or an array of them")


def as_indices(where: str, indices: Any, length: int) -> NDArray[np.int64]:
    array = np.asarray(indices)
    if array.size == 0:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{where}: indices have dtype {array.dtype}, expected integers")
    if array.ndim != 1:
        raise ValueError(f"{where}: indices have shape {array.shape}, expected one axis")
    if array.size and not (array.min() >= 0 and array.max() < length):
        raise ValueError(
            f"{where}: indices reach from {array.min()} to {array.max()}, expected 0 to {length - 1}"
        )
    return array.astype(np.int64)
