"""Making images larger, channels last."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from .. import _core
from .checks import choice, integers
from .module import Module


class Upsample(Module):
    """Images of another height and width, by repeating pixels or by bilinear interpolation.

    Args:
        size: Height and width of the output, one number for both or two. This or `scale_factor` is given.
        scale_factor: What height and width are multiplied with, one number for both or two; what comes out is
            rounded down.
        mode: "nearest" repeats the pixel whose area the output pixel begins in, "bilinear" weighs the four
            around it.
        align_corners: Of "bilinear": whether the centres of the corner pixels of input and output are the
            same places; by default their outer corners are.

    Shapes:
        input (batch, height, width, channels), output (batch, height', width', channels).

    Raises:
        ValueError: Both or none of size and scale_factor are given, or the input is no batch of images.

    A smaller output is sampled without a filter before it.

    Source: torch.nn.Upsample, whose numbers these are.

    Example:
        >>> import drivetrain as dt
        >>> x = dt.tensor([0.0, 1.0]).reshape((1, 1, 2, 1))
        >>> dt.nn.Upsample(scale_factor=2)(x).reshape((2, 4)).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
        >>> dt.nn.Upsample(size=(1, 4), mode="bilinear")(x).reshape((4,)).tolist()
        [0.0, 0.25, 0.75, 1.0]
    """

    def __init__(
        self,
        size: int | tuple[int, int] | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool = False,
    ) -> None:
        super().__init__()
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"Upsample: one of size and scale_factor must be given, got {size!r} and {scale_factor!r}"
            )
        self.size = None if size is None else integers("Upsample", "size", size, 2)
        self.scale_factor = None if scale_factor is None else _factors(scale_factor)
        self.mode = choice("Upsample", "mode", mode, ("nearest", "bilinear"))
        if align_corners and self.mode == "nearest":
            raise ValueError("Upsample: align_corners is for mode 'bilinear', got 'nearest'")
        self.align_corners = bool(align_corners)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if input.ndim != 4 or 0 in input.shape[1:3]:
            raise ValueError(
                "Upsample: input must have the axes (batch, height, width, channels) and pixels, "
                f"got shape {tuple(input.shape)}"
            )
        for axis, wanted, factor in zip((1, 2), self._wanted(input), self._steps(), strict=True):
            if wanted < 1:
                raise ValueError(f"Upsample: of shape {tuple(input.shape)} no pixel would be left")
            input = self._along(input, axis, wanted, factor)
        return input

    def _wanted(self, input: _core.Tensor) -> tuple[int, ...]:
        if self.size is not None:
            return self.size
        factors: Any = self.scale_factor
        return tuple(math.floor(extent * f) for extent, f in zip(input.shape[1:3], factors, strict=True))

    def _steps(self) -> tuple[float | None, ...]:
        return (None, None) if self.scale_factor is None else self.scale_factor

    def _along(self, input: _core.Tensor, axis: int, wanted: int, factor: float | None) -> _core.Tensor:
        have = input.shape[axis]
        if wanted == have and factor in (None, 1.0):
            return input
        step = have / wanted if factor is None else 1 / factor
        if self.mode == "nearest":
            return _core.take(input, _nearest(have, wanted, step), axis=axis)
        matrix = _bilinear(have, wanted, step, self.align_corners).astype(input.dtype)
        batch, height, width, channels = input.shape
        if axis == 1:
            rows = input.reshape((batch, height, width * channels))
            return _core.matmul(matrix, rows).reshape((batch, wanted, width, channels))
        columns = input.reshape((batch * height, width, channels))
        return _core.matmul(matrix, columns).reshape((batch, height, wanted, channels))

    def extra_repr(self) -> str:
        what = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{what}, mode={self.mode!r}" + (", align_corners=True" if self.align_corners else "")


def _factors(given: Any) -> tuple[float, float]:
    pair = tuple(given) if isinstance(given, (tuple, list)) else (given, given)
    for factor in pair:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise TypeError(f"Upsample: scale_factor must be one number or 2, got {given!r}")
    if len(pair) != 2 or not all(0 < factor < math.inf for factor in pair):
        raise ValueError(f"Upsample: scale_factor must be positive, one number or 2, got {given!r}")
    return float(pair[0]), float(pair[1])


@functools.lru_cache(maxsize=64)
def _nearest(have: int, wanted: int, step: float) -> _core.Tensor:
    """The input pixel of every output pixel."""
    places = np.minimum(np.floor(np.arange(wanted) * step), have - 1)
    return _core.tensor(places.astype(np.int64))


@functools.lru_cache(maxsize=64)
def _bilinear(have: int, wanted: int, step: float, align_corners: bool) -> _core.Tensor:
    """The weights of the input pixels for every output pixel, a matrix with two of them in each row."""
    out = np.arange(wanted)
    if align_corners:
        places = out * ((have - 1) / (wanted - 1) if wanted > 1 else 0.0)
    else:
        places = np.maximum((out + 0.5) * step - 0.5, 0)
    left = np.minimum(places.astype(np.int64), have - 1)
    share = np.minimum(places - left, 1.0)
    matrix = np.zeros((wanted, have))
    matrix[out, left] = 1 - share
    matrix[out, np.minimum(left + 1, have - 1)] += share
    return _core.tensor(matrix)
