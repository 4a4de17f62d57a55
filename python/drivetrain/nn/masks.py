"""Masks of sequences of different lengths, and means that leave padding out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._checks import integer
from .._core import Tensor


def sequence_mask(lengths: Any, maximum: int | None = None) -> Tensor:
    """Says of every place of padded sequences whether it belongs to the sequence.

    Args:
        lengths: Integers of any shape (...), 0 or more: a tensor, an array or a list.
        maximum: The length that the sequences are padded to. Default: the largest of the lengths.

    Returns:
        Tensor (..., maximum) of bool, True in the first `lengths` places.

    Raises:
        ValueError: A length is negative or beyond `maximum`.
        TypeError: The lengths are no integers.

    Source: TensorFlow's function of this name.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.functional.sequence_mask([1, 3]).tolist()
        [[True, False, False], [True, True, True]]
    """
    array = np.asarray(lengths.detach() if isinstance(lengths, Tensor) else lengths)
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"sequence_mask: lengths have dtype {array.dtype}, expected integers")
    largest = max(0, int(array.max())) if array.size else 0
    if maximum is None:
        maximum = largest
    if integer("sequence_mask", "maximum", maximum, 0) < largest or (array.size and array.min() < 0):
        raise ValueError(
            f"sequence_mask: lengths reach from {array.min()} to {largest}, expected 0 to {maximum}"
        )
    return _core.from_numpy(np.arange(maximum) < array[..., None])


def masked_mean(input: Tensor, mask: Any, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """The mean of the elements that a mask chooses; 0 where it chooses none.

    Args:
        input: Tensor of floats.
        mask: bool, of the shape of `input` or of its leading axes: (batch, time) for (batch, time, features).
        axis: The axis or axes to take the mean over. Default: all.

    Returns:
        Tensor of the shape of `input` without these axes.

    Raises:
        ValueError: The mask has another shape.
        TypeError: The mask is not of bool.

    Example:
        >>> import drivetrain as dt
        >>> x = dt.tensor([[1.0, 9.0], [2.0, 4.0]])
        >>> mask = dt.nn.functional.sequence_mask([1, 2])
        >>> dt.nn.functional.masked_mean(x, mask, axis=1).tolist()
        [1.0, 3.0]
    """
    chosen = mask if isinstance(mask, Tensor) else _core.tensor(mask)
    if chosen.dtype is not _core.bool:
        raise TypeError(f"masked_mean: mask is {chosen.dtype.name}, expected bool")
    if tuple(chosen.shape) != tuple(input.shape[: chosen.ndim]):
        raise ValueError(
            f"masked_mean: mask has shape {tuple(chosen.shape)}, expected {tuple(input.shape)}, that of "
            "input, or its leading axes"
        )
    wide = chosen.reshape((*chosen.shape, *[1] * (input.ndim - chosen.ndim))).expand(input.shape)
    count = _core.sum(wide.astype(input.dtype), axis=axis)
    # where() and no product: what the mask leaves out may be infinite.
    return _core.where(wide, input, 0.0).sum(axis=axis) / _core.maximum(count, _core.ones_like(count))
