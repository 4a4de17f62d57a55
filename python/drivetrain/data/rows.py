"""Rows of a Tensor that are still to be copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import Tensor, take
from .convert import to_tensor


class Rows:
    """Images of a larger Tensor (.., height, width, channels), by number: a batch before it is copied.

    A transform that cuts windows copies those alone.
    """

    __slots__ = ("index", "source")

    def __init__(self, source: Tensor, index: NDArray[np.int64]) -> None:
        self.source, self.index = source, index

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.index), *self.source.shape[1:]

    @property
    def ndim(self) -> int:
        return self.source.ndim

    @property
    def dtype(self) -> Any:
        return self.source.dtype

    def __len__(self) -> int:
        return len(self.index)

    def numbers(self) -> Tensor:
        found: Tensor = to_tensor(self.index)
        return found

    def tensor(self) -> Tensor:
        """The images, copied."""
        return take(self.source, self.numbers(), 0)
