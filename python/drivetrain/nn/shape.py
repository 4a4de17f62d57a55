"""Layers that only rearrange."""

from __future__ import annotations

import math
from typing import Any

from .. import _core
from .checks import no_more
from .module import Module


class Identity(Module):
    """Returns its input; takes any arguments, so that it can stand in for any layer.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Identity()(dt.zeros((2, 3))).shape
        (2, 3)
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class Flatten(Module):
    """Makes the axes from start_axis to end_axis one.

    Images are flattened in the order height, width, channels.

    Args:
        start_axis: The first axis; 1, behind the batch, by default.
        end_axis: The last axis.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Flatten()(dt.zeros((64, 4, 4, 16))).shape
        (64, 256)
    """

    def __init__(self, start_axis: int = 1, end_axis: int = -1, **unknown: Any) -> None:
        super().__init__()
        no_more("Flatten", unknown)
        for name, axis in (("start_axis", start_axis), ("end_axis", end_axis)):
            if isinstance(axis, bool) or not isinstance(axis, int):
                raise TypeError(f"Flatten: {name} must be an integer, got {axis!r}")
        self.start_axis = start_axis
        self.end_axis = end_axis

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        shape = input.shape
        rank = len(shape)
        start = self.start_axis if self.start_axis >= 0 else self.start_axis + rank
        end = self.end_axis if self.end_axis >= 0 else self.end_axis + rank
        if not 0 <= start <= end < rank:
            raise ValueError(
                f"Flatten: input has shape {tuple(shape)}, which has no axes from {self.start_axis} "
                f"to {self.end_axis}"
            )
        return input.reshape((*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))

    def extra_repr(self) -> str:
        return f"start_axis={self.start_axis}, end_axis={self.end_axis}"


class Unflatten(Module):
    """Splits one axis into several.

    Args:
        axis: The axis.
        unflattened_size: The sizes it becomes; one of them may be -1.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Unflatten(1, (4, 4, 16))(dt.zeros((64, 256))).shape
        (64, 4, 4, 16)
    """

    def __init__(
        self, axis: int = 1, unflattened_size: tuple[int, ...] | list[int] = (), **unknown: Any
    ) -> None:
        super().__init__()
        no_more("Unflatten", unknown)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"Unflatten: axis must be an integer, got {axis!r}")
        if not isinstance(unflattened_size, (tuple, list)) or not unflattened_size:
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of sizes, got {unflattened_size!r}")
        self.axis = axis
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        shape = input.shape
        axis = self.axis if self.axis >= 0 else self.axis + len(shape)
        if not 0 <= axis < len(shape):
            raise ValueError(f"Unflatten: input has shape {tuple(shape)}, which has no axis {self.axis}")
        known = math.prod(size for size in self.unflattened_size if size >= 0)
        fits = known and shape[axis] % known == 0 if -1 in self.unflattened_size else known == shape[axis]
        if not fits:
            raise ValueError(
                f"Unflatten: input has shape {tuple(shape)}, whose axis {self.axis} cannot become "
                f"{self.unflattened_size}"
            )
        return input.reshape((*shape[:axis], *self.unflattened_size, *shape[axis + 1 :]))

    def extra_repr(self) -> str:
        return f"axis={self.axis}, unflattened_size={self.unflattened_size}"
