"""From NumPy arrays to Tensors, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import from_numpy


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
