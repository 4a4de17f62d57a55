"""The tensors that training changes."""

from __future__ import annotations

from typing import Any

from .._core import Tensor, tensor


class Parameter(Tensor):
    """A floating-point tensor that a module trains.

    Assigned to an attribute of a module it appears in `parameters()` and in the state.

    Args:
        data: A tensor, whose memory is shared, or anything `drivetrain.tensor` takes, which is copied.
        requires_grad: Whether backward computes a gradient for it.

    Raises:
        TypeError: The elements are not floating-point numbers.

    Example:
        >>> import drivetrain as dt
        >>> weight = dt.nn.Parameter([[1.0, 2.0]])
        >>> weight.shape, weight.requires_grad
        ((1, 2), True)
    """

    def __new__(cls, data: Any, requires_grad: bool = True) -> Parameter:
        shared = data if isinstance(data, Tensor) else tensor(data)
        if not shared.dtype.is_floating_point:
            raise TypeError(
                f"Parameter: data is {shared.dtype.name}, expected a floating-point dtype, "
                "because only those have gradients"
            )
        self = super().__new__(cls, shared)
        self.requires_grad = requires_grad
        return self

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        """All the work is done by __new__; this gives help() and type checkers the arguments."""
