"""Convolutions and transposed convolutions, channels last."""

from __future__ import annotations

import math
from typing import Any

from .. import _core
from . import init
from .checks import integer, integers
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter


class _Conv(Module):
    """What convolutions of every rank share: arguments, parameters and their initial values."""

    rank: int
    bias: Parameter | None
    output_padding: tuple[int, ...] = ()

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        groups: int,
        bias: bool,
        dtype: Any,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.in_channels = integer(name, "in_channels", in_channels)
        self.out_channels = integer(name, "out_channels", out_channels)
        self.groups = integer(name, "groups", groups)
        for what, count in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if count % self.groups:
                raise ValueError(f"{name}: {what} must be divisible by groups, got {count} and {groups}")
        self.kernel_size = integers(name, "kernel_size", kernel_size, self.rank)
        self.stride = integers(name, "stride", stride, self.rank)
        self.dilation = integers(name, "dilation", dilation, self.rank)
        self.padding = self._read_padding(padding, transposed)
        dtype = floating_dtype(name, dtype)
        channels = (
            (self.in_channels, self.out_channels) if transposed else (self.out_channels, self.in_channels)
        )
        shape = (channels[0], *self.kernel_size, channels[1] // self.groups)
        self.weight = Parameter(_core.empty(shape, dtype=dtype))
        self.bias = Parameter(_core.empty((self.out_channels,), dtype=dtype)) if bias else None
        self.reset_parameters()

    def _read_padding(self, padding: Any, transposed: bool) -> Any:
        name = type(self).__name__
        if not isinstance(padding, str):
            return integers(name, "padding", padding, self.rank, least=0)
        if transposed or padding not in ("same", "valid"):
            words = "" if transposed else ", 'same' or 'valid'"
            raise ValueError(f"{name}: padding must be one integer or {self.rank}{words}, got {padding!r}")
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{name}: padding 'same' needs stride 1, got stride {self.stride}")
        return padding

    def reset_parameters(self) -> None:
        """Draws weight and bias anew, from U(-k, k) with k = 1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            init._uniform_by_fan_in(self.bias, self.weight)

    def extra_repr(self) -> str:
        ones, zeros = (1,) * self.rank, (0,) * self.rank
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}",
            f"stride={self.stride}",
        ]
        if self.padding != zeros:
            parts.append(f"padding={self.padding!r}")
        if self.dilation != ones:
            parts.append(f"dilation={self.dilation}")
        if any(self.output_padding):
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        return ", ".join(parts)


class _Convolution(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype
        )


class Conv1d(_Convolution):
    """Convolution (cross-correlation, as in every framework) over sequences.

    Args:
        in_channels: Size of the input's last axis.
        out_channels: Size of the output's last axis.
        kernel_size: Length of the kernel.
        stride: Step between two positions of the kernel.
        padding: Zeros at both ends, or "same" (as long as the input) or "valid" (none).
        dilation: Distance of the kernel's elements.
        groups: Parts into which the channels fall; each is convolved by itself.
        bias: Whether there is a bias.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, time, in), output (batch, time', out), weight (out, kernel_size, in / groups), bias
        (out,), with time' = (time + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Conv1d(3, 8, 5, padding="same")(dt.zeros((2, 30, 3))).shape
        (2, 30, 8)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.conv1d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def forward_relu(self, input: _core.Tensor) -> _core.Tensor:
        """A ReLU behind the layer, in one pass."""
        return _core._conv1d_relu(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class Conv2d(_Convolution):
    """Convolution (cross-correlation, as in every framework) over images, channels last.

    Args:
        in_channels: Channels of the input, its last axis.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, one number for both or two.
        stride: Step between two positions of the kernel.
        padding: Zeros on every side, or "same" (the output is as large as the input) or "valid" (none).
        dilation: Distance of the kernel's elements.
        groups: Parts into which the channels fall; each is convolved by itself. in_channels: depthwise.
        bias: Whether there is a bias.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, height, width, in), output (batch, height', width', out),
        weight (out, kernel height, kernel width, in / groups), bias (out,),
        with height' = (height + 2 padding - dilation (kernel - 1) - 1) // stride + 1.

    Example:
        >>> import drivetrain as dt
        >>> layer = dt.nn.Conv2d(1, 6, 5)
        >>> layer(dt.zeros((64, 28, 28, 1))).shape
        (64, 24, 24, 6)
        >>> layer
        Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.conv2d(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )

    def forward_relu(self, input: _core.Tensor) -> _core.Tensor:
        """A ReLU behind the layer, in one pass."""
        return _core._conv2d_relu(
            input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


class _Transposed(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, dtype, True
        )
        name = type(self).__name__
        self.output_padding = integers(name, "output_padding", output_padding, self.rank, least=0)
        for i, extra in enumerate(self.output_padding):
            if extra >= max(self.stride[i], self.dilation[i]):
                raise ValueError(
                    f"{name}: output_padding must be smaller than stride or dilation, got "
                    f"{self.output_padding} with stride {self.stride} and dilation {self.dilation}"
                )


class ConvTranspose1d(_Transposed):
    """Transposed convolution of sequences, which grow by the stride: what the gradient of `Conv1d` does.

    Args:
        in_channels: Channels of the input, its last axis.
        out_channels: Channels of the output.
        kernel_size: Length of the kernel.
        stride: Step between the places at which the kernel is added.
        padding: Places cut off at both ends.
        output_padding: Places added at the end.
        groups: Parts into which the channels fall; each is convolved by itself.
        bias: Whether there is a bias.
        dilation: Distance of the kernel's elements.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, time, in), output (batch, time', out), weight (in, kernel_size, out / groups), bias
        (out,), with time' = (time - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.ConvTranspose1d(8, 4, 2, stride=2)(dt.zeros((1, 7, 8))).shape
        (1, 14, 4)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.conv_transpose1d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )


class ConvTranspose2d(_Transposed):
    """Transposed convolution: what the gradient of `Conv2d` does to an image, so that it grows by the stride.

    Args:
        in_channels: Channels of the input, its last axis.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel, one number for both or two.
        stride: Step between the places at which the kernel is added.
        padding: Rows and columns cut off on every side.
        output_padding: Rows and columns added below and on the right.
        groups: Parts into which the channels fall; each is convolved by itself.
        bias: Whether there is a bias.
        dilation: Distance of the kernel's elements.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, height, width, in), output (batch, height', width', out),
        weight (in, kernel height, kernel width, out / groups), bias (out,), with
        height' = (height - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.ConvTranspose2d(8, 4, 2, stride=2)(dt.zeros((1, 7, 7, 8))).shape
        (1, 14, 14, 4)
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            self.groups,
            self.dilation,
        )
