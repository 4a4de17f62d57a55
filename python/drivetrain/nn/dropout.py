"""Dropout."""

from __future__ import annotations

from .. import _core
from .checks import real
from .module import Module


class Dropout(Module):
    """Sets elements to 0 with probability p and scales the others by 1 / (1 - p); only in training.

    Args:
        p: Probability of being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Source: Srivastava et al., 2014.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Dropout(0.3).eval()(dt.ones((2,))).tolist()
        [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = real("Dropout", "p", p, "a number from 0 to 1", lambda value: 0 <= value <= 1)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"
