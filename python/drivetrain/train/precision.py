"""Which format a training or prediction computes in."""

from __future__ import annotations

import contextlib
from typing import Any

from .._core import Tensor, dtype, float32, float64
from ..autograd import autocast
from ..autograd._autocast import HALF_FORMATS

PRECISIONS = {"float32": "float32", "fp32": "float32", **HALF_FORMATS}


def find_precision(where: str, precision: Any) -> str:
    """Return the dtype's name for a name, an alias or a dtype."""
    if isinstance(precision, dtype):
        precision = precision.name
    if not isinstance(precision, str) or precision not in PRECISIONS:
        raise ValueError(f"{where}: precision is {precision!r}, expected one of {', '.join(PRECISIONS)}")
    return PRECISIONS[precision]


def region(precision: str) -> contextlib.AbstractContextManager[None]:
    """The region of autocast for a precision."""
    return contextlib.nullcontext() if precision == "float32" else autocast(precision)


def is_half(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype.is_floating_point and value.dtype.itemsize == 2


def in_float32(output: Any) -> Any:
    """What a model gives, with float32 in place of half formats: for NumPy, metrics and users."""
    if is_half(output):
        return output.float()
    if type(output) in (tuple, list):
        return type(output)(in_float32(part) for part in output)
    return output


def half_of(model: Any) -> Any:
    """The half format that a model was converted to (`model.half()`), None for one of float32."""
    for parameter in model.parameters():
        if parameter.dtype.is_floating_point:
            return parameter.dtype if is_half(parameter) else None
    return None


def floats_of(model: Any) -> Any:
    """The dtype of the data for a model: float64 for one of float64 (`model.double()`), float32 for others.

    A model in a half format is given float32, which `as_model_wants` rounds.
    """
    for parameter in model.parameters():
        if parameter.dtype.is_floating_point:
            return float64 if parameter.dtype is float64 else float32
    return float32


def as_model_wants(inputs: tuple[Any, ...], half: Any) -> tuple[Any, ...]:
    """Inputs of floats in the model's half format, where it has one."""
    if half is None:
        return inputs
    return tuple(
        item.astype(half) if isinstance(item, Tensor) and item.dtype.is_floating_point else item
        for item in inputs
    )
