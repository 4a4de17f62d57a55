"""What stands behind attention in a transformer: activations, norms by name, gated layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import choice, integer
from .linear import Linear
from .module import Module
from .norm import LayerNorm, RMSNorm

Activation = str | Callable[[Tensor], Tensor]


def swiglu(input: Tensor) -> Tensor:
    """silu(first half of the last axis) * second half."""
    gate, value = input.split(2, axis=-1)
    return _core.silu(gate) * value


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": _core.relu,
    "gelu": _core.gelu,
    "gelu_tanh": lambda input: _core.gelu(input, "tanh"),
    "silu": _core.silu,
    "swiglu": swiglu,
}


def norm_of(owner: str, kind: str, features: int, eps: float, bias: bool, dtype: Any) -> Module:
    """The norm that a name stands for."""
    if choice(owner, "norm", kind, ("layer", "rms")) == "rms":
        return RMSNorm(features, eps, dtype=dtype)
    return LayerNorm(features, eps, bias=bias, dtype=dtype)


class SwiGLU(Module):
    """silu(input @ w + b) * (input @ v + c), and a linear layer behind: the gated feed-forward of Llama.

    Args:
        in_features: Size of the input's last axis.
        hidden_features: Size in between; two thirds of what a plain layer has give as many parameters.
        out_features: Size of the output's last axis. Default: in_features.
        bias: Whether the layers have one.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (..., in_features), output (..., out_features), w12.weight (2 hidden_features, in_features), of
        which the first half is the gate's (``w1`` or ``gate_proj`` elsewhere), w3.weight (out_features,
        hidden_features).

    Source: Shazeer, GLU variants improve transformer, 2020.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.SwiGLU(8, 16)(dt.zeros((2, 3, 8))).shape
        (2, 3, 8)
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        out_features: int | None = None,
        bias: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__()
        hidden = integer("SwiGLU", "hidden_features", hidden_features)
        self.w12 = Linear(in_features, 2 * hidden, bias, dtype)
        self.w3 = Linear(hidden, in_features if out_features is None else out_features, bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return self.w3(swiglu(self.w12(input)))  # type: ignore[no-any-return]
