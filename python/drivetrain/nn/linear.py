"""Fully connected layers."""

from __future__ import annotations

import math
from typing import Any

from .. import _core
from . import init
from .checks import integer
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter


class Linear(Module):
    """input @ weight.T + bias, over the last axis.

    The weight is drawn from U(-k, k) with k = 1 / sqrt(in_features), and so is the bias, as in PyTorch.

    Args:
        in_features: Size of the input's last axis.
        out_features: Size of the output's last axis.
        bias: Whether there is a bias.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (..., in_features), output (..., out_features), weight (out_features, in_features),
        bias (out_features,).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Linear(20, 30)(dt.zeros((128, 20))).shape
        (128, 30)
    """

    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: Any = "float32"
    ) -> None:
        super().__init__()
        self.in_features = integer("Linear", "in_features", in_features)
        self.out_features = integer("Linear", "out_features", out_features)
        dtype = floating_dtype("Linear", dtype)
        self.weight = Parameter(_core.empty((self.out_features, self.in_features), dtype=dtype))
        self.bias = Parameter(_core.empty((self.out_features,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            init._uniform_by_fan_in(self.bias, self.weight)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.linear(input, self.weight, self.bias)

    def forward_relu(self, input: _core.Tensor) -> _core.Tensor:
        """A ReLU behind the layer, in one pass."""
        return _core._linear_relu(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )
