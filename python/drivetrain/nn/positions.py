"""Where in a sequence something stands, told to attention, which cannot see it by itself."""

from __future__ import annotations

import math
from typing import Any

from .. import _core
from .._core import Tensor
from . import init
from .checks import flag, integer, real, tensor
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter


def _check(layer: Module, input: Tensor, start: int, size: int, rank: int, axes: str) -> None:
    name = type(layer).__name__
    integer(name, "start", start, 0)
    if not tensor(name, "input", input).dtype.is_floating_point:
        raise TypeError(f"{name}: input is {input.dtype.name}, expected a floating-point dtype")
    if input.ndim != rank or input.shape[-1] != size:
        raise ValueError(
            f"{name}: input has shape {tuple(input.shape)}, expected {axes} with {size} for the last"
        )


class _Angles(Module):
    """Sines and cosines of position * base ** (-2 i / size), computed as far as positions have come."""

    _table: tuple[Any, Tensor, Tensor] | None = None

    def __init__(self, size: int, base: float) -> None:
        super().__init__()
        name = type(self).__name__
        self._size = size
        self.base = real(name, "base", base, "a number above 1", lambda value: 1 < value < float("inf"))

    def _angles(self, start: int, stop: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Sines and cosines of these positions, (stop - start, size / 2); float32 for a half format."""
        table = self._table
        dtype = like.dtype if like.dtype.itemsize == 8 else _core.float32
        if table is None or table[0] != dtype or table[1].shape[0] < stop:
            rows = 1 << max(stop - 1, 63).bit_length()
            positions = _core.arange(rows, dtype="float64").reshape(rows, 1)
            steps = _core.arange(0, self._size, 2, dtype="float64") * (-math.log(self.base) / self._size)
            angles = positions * steps.exp()
            table = (dtype, angles.sin().astype(dtype), angles.cos().astype(dtype))
            self.__dict__["_table"] = table
        return table[1][start:stop], table[2][start:stop]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in super().__getstate__().items() if k != "_table"}


class SinusoidalPositions(_Angles):
    """Adds sines and cosines of the position, of wavelengths from 2 pi to 2 pi * base; nothing is trained.

    Args:
        features: Size of the last axis, an even number: sine and cosine alternate.
        base: Ratio of the longest wavelength to the shortest.

    Shapes: input and output (batch, time, features), of any length.

    ``forward(input, start=0)``: `start` is the position of the first of the input, where earlier ones have
    been seen already.

    Source: Vaswani et al., Attention is all you need, 2017.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.SinusoidalPositions(4)(dt.zeros((1, 2, 4)))[0, 0].tolist()
        [0.0, 1.0, 0.0, 1.0]
    """

    def __init__(self, features: int, base: float = 10000.0) -> None:
        self.features = integer("SinusoidalPositions", "features", features, 2)
        if self.features % 2:
            raise ValueError(f"SinusoidalPositions: features must be even, got {self.features}")
        super().__init__(self.features, base)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        _check(self, input, start, self.features, 3, "(batch, time, features)")
        sines, cosines = self._angles(start, start + input.shape[1], input)
        added = _core.stack([sines, cosines], axis=-1).reshape(input.shape[1], self.features)
        return (input + added).astype(input.dtype, copy=False)

    def extra_repr(self) -> str:
        return f"{self.features}"


class LearnedPositions(Module):
    """Adds a vector per position, which is trained.

    Args:
        max_length: Number of positions.
        features: Size of the last axis.
        dtype: Floating-point dtype of the vectors.

    Shapes: input and output (batch, time, features), weight (max_length, features), drawn from the normal
    distribution with deviation 0.02.

    ``forward(input, start=0)``: `start` is the position of the first of the input. Positions from max_length
    on raise ValueError.

    Source: Gehring et al., 2017; Radford et al., 2018.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.LearnedPositions(16, 4)(dt.zeros((1, 2, 4))).shape
        (1, 2, 4)
    """

    def __init__(self, max_length: int, features: int, dtype: Any = "float32") -> None:
        super().__init__()
        self.max_length = integer("LearnedPositions", "max_length", max_length)
        self.features = integer("LearnedPositions", "features", features)
        dtype = floating_dtype("LearnedPositions", dtype)
        self.weight = Parameter(_core.empty((self.max_length, self.features), dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws the vectors anew."""
        init.normal_(self.weight, 0.0, 0.02)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        _check(self, input, start, self.features, 3, "(batch, time, features)")
        stop = start + input.shape[1]
        if stop > self.max_length:
            raise ValueError(
                f"LearnedPositions: input has positions up to {stop} (shape {tuple(input.shape)}), but "
                f"max_length is {self.max_length}"
            )
        return input + self.weight[start:stop]

    def extra_repr(self) -> str:
        return f"{self.max_length}, {self.features}"


class RotaryPositions(_Angles):
    """Turns pairs of features of queries and keys by angles that grow with the position.

    The product of a query and a key then depends on how far apart they stand. Nothing is trained. Give it to
    an attention layer as `positions`.

    Args:
        head_dim: Features of a head, an even number.
        base: Ratio of the slowest turn to the fastest, roughly.
        interleaved: Whether a pair is two neighbours (as in the paper), or one feature of the first half and
            one of the second (as in Llama and GPT-NeoX as Hugging Face stores them).

    Shapes: input and output (batch, heads, time, head_dim).

    ``forward(input, start=0)``: `start` is the position of the first of the input.

    Source: Su et al., RoFormer, 2021.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.RotaryPositions(4)(dt.ones((1, 1, 2, 4)))[0, 0, 0].tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    def __init__(self, head_dim: int, base: float = 10000.0, interleaved: bool = False) -> None:
        self.head_dim = integer("RotaryPositions", "head_dim", head_dim, 2)
        if self.head_dim % 2:
            raise ValueError(f"RotaryPositions: head_dim must be even, got {self.head_dim}")
        super().__init__(self.head_dim, base)
        self.interleaved = flag("RotaryPositions", "interleaved", interleaved)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        _check(self, input, start, self.head_dim, 4, "(batch, heads, time, head_dim)")
        sines, cosines = self._angles(start, start + input.shape[2], input)
        if self.interleaved:
            first, second = input[..., 0::2], input[..., 1::2]
        else:
            first, second = input.split(2, axis=-1)
        turned = [first * cosines - second * sines, second * cosines + first * sines]
        if self.interleaved:
            output = _core.stack(turned, axis=-1).reshape(*input.shape)
        else:
            output = _core.concat(turned, axis=-1)
        return output.astype(input.dtype, copy=False)

    def extra_repr(self) -> str:
        return f"{self.head_dim}, base={self.base:g}, interleaved={self.interleaved}"
