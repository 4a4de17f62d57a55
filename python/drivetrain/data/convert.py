"""From NumPy arrays to Tensors, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import from_numpy


def refuse_masked(where: str, name: str, value: Any) -> None:
    """Raise for a masked array, whose mask NumPy would drop: beneath it lies what must not be read."""
    if isinstance(value, np.ndarray) and hasattr(value, "mask") and hasattr(value, "filled"):
        raise TypeError(f"{where}: {name} is a masked array, choose values with its filled()")


def to_tensor(array: NDArray[Any]) -> Any:
    """Return a Tensor that shares the array's memory."""
    return from_numpy(array)


def to_tensors(batch: Any) -> Any:
    """Return the batch with every array in it as a Tensor; tuples, lists and dicts keep their form."""
    if isinstance(batch, np.ndarray):
        return to_tensor(batch)
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(to_tensors, batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(map(to_tensors, batch))
    if isinstance(batch, dict):
        return {key: to_tensors(value) for key, value in batch.items()}
    return batch
