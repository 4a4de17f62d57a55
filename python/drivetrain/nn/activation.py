"""Activations as modules."""

from __future__ import annotations

from typing import Any

from .. import _core
from .checks import choice, integer, no_more, real
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter


def _number(layer: str, name: str, value: float) -> float:
    return real(layer, name, value, "a finite number", lambda v: abs(v) < float("inf"))


class _Activation(Module):
    """`inplace` is taken for the sake of PyTorch code; the result is always a new tensor."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


class ReLU(_Activation):
    """max(0, x)

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.ReLU()(dt.tensor([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.relu(input)


class ReLU6(_Activation):
    """min(max(0, x), 6) (Krizhevsky, 2010).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.ReLU6()(dt.tensor([-1.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.relu6(input)


class LeakyReLU(Module):
    """x where it is positive, negative_slope * x elsewhere (Maas et al., 2013).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.LeakyReLU(0.5)(dt.tensor([-1.0, 2.0])).tolist()
        [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = _number("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """Leaky ReLU with slopes that are trained (He et al., 2015).

    Args:
        num_parameters: One slope for all channels (1), or one for each channel of the last axis.
        init: The slopes' initial value.
        dtype: Floating-point dtype of the slopes.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.PReLU()(dt.tensor([-1.0, 2.0])).tolist()
        [-0.25, 2.0]
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: Any = "float32") -> None:
        super().__init__()
        self.num_parameters = integer("PReLU", "num_parameters", num_parameters)
        self.init = _number("PReLU", "init", init)
        dtype = floating_dtype("PReLU", dtype)
        self.weight = Parameter(_core.full((self.num_parameters,), self.init, dtype=dtype))

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class ELU(Module):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al., 2015).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.ELU()(dt.tensor([0.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = _number("ELU", "alpha", alpha)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(_Activation):
    """ELU scaled so that signals keep mean 0 and variance 1 (Klambauer et al., 2017).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.SELU()(dt.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.selu(input)


class GELU(Module):
    """x * Phi(x), Phi being the normal distribution (Hendrycks and Gimpel, 2016).

    Args:
        approximate: "none", or "tanh" for the approximation by tanh.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GELU()(dt.tensor([0.0])).tolist()
        [0.0]
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = choice("GELU", "approximate", approximate, ("none", "tanh"))

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(_Activation):
    """x * sigmoid(x), also known as swish.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.SiLU()(dt.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.silu(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Sigmoid()(dt.tensor([0.0])).tolist()
        [0.5]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.sigmoid(input)


class Tanh(Module):
    """tanh(x)

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Tanh()(dt.tensor([0.0])).tolist()
        [0.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.tanh(input)


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above the threshold.

    Example:
        >>> import drivetrain as dt
        >>> round(dt.nn.Softplus()(dt.tensor([0.0])).item(), 4)
        0.6931
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = real("Softplus", "beta", beta, "a positive number", lambda v: 0 < v < float("inf"))
        self.threshold = _number("Softplus", "threshold", threshold)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardswish(_Activation):
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al., 2019).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Hardswish()(dt.tensor([0.0, 3.0])).tolist()
        [0.0, 3.0]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.hardswish(input)


class _OverAxis(Module):
    def __init__(self, axis: int = -1, **unknown: Any) -> None:
        super().__init__()
        no_more(type(self).__name__, unknown)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise TypeError(f"{type(self).__name__}: axis must be an integer, got {axis!r}")
        self.axis = axis

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


class Softmax(_OverAxis):
    """exp(x) / sum(exp(x)) along an axis, by default the last, where the classes are.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Softmax()(dt.zeros((1, 4))).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.softmax(input, self.axis)


class LogSoftmax(_OverAxis):
    """The logarithm of the softmax along an axis, by default the last.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.LogSoftmax()(dt.zeros((1, 1))).tolist()
        [[0.0]]
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.log_softmax(input, self.axis)
