"""Tensors as plain arrays, for files and copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_array(value: Any) -> NDArray[Any]:
    """Return an array that shares the memory of a Tensor or array."""
    return np.asarray(value.detach() if hasattr(value, "detach") else value)


def copy_of(value: Any) -> Any:
    """Return a copy of a Tensor or array as the same kind of thing."""
    array = to_array(value).copy()
    if hasattr(value, "detach"):
        from .. import from_numpy

        return from_numpy(array)
    return array
