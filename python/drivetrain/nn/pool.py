"""Pooling, channels last."""

from __future__ import annotations

from typing import Any

from .. import _core
from .checks import integers
from .module import Module


class _Pool(Module):
    rank: int

    def __init__(self, kernel_size: Any, stride: Any, padding: Any) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = integers(name, "kernel_size", kernel_size, self.rank)
        self.stride = self.kernel_size if stride is None else integers(name, "stride", stride, self.rank)
        self.padding = integers(name, "padding", padding, self.rank, least=0)
        if any(2 * pad > size for pad, size in zip(self.padding, self.kernel_size, strict=True)):
            raise ValueError(
                f"{name}: padding must be at most half of kernel_size, got {self.padding} for "
                f"kernel_size {self.kernel_size}"
            )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.dilation = integers(type(self).__name__, "dilation", dilation, self.rank)
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, dilation={self.dilation}, ceil_mode={self.ceil_mode}"


class MaxPool1d(_MaxPool):
    """The largest value of every window of a sequence, channel by channel.

    Args:
        kernel_size: Length of the window.
        stride: Step between two windows; kernel_size if None.
        padding: Places added at both ends, which never win.
        dilation: Distance of the window's elements.
        ceil_mode: Whether a last window may reach over the end.

    Shapes:
        input (batch, time, channels), output (batch, time', channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.MaxPool1d(2)(dt.zeros((2, 10, 3))).shape
        (2, 5, 3)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class MaxPool2d(_MaxPool):
    """The largest value of every window of an image, channel by channel.

    Args:
        kernel_size: Height and width of the window, one number for both or two.
        stride: Step between two windows; kernel_size if None.
        padding: Places added on every side, which never win.
        dilation: Distance of the window's elements.
        ceil_mode: Whether a last window may reach over the edge.

    Shapes:
        input (batch, height, width, channels), output (batch, height', width', channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.MaxPool2d(2)(dt.zeros((64, 28, 28, 6))).shape
        (64, 14, 14, 6)
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        )


class _AvgPool(_Pool):
    def __init__(
        self,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] | None = None,
        padding: int | tuple[int, ...] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad


class AvgPool1d(_AvgPool):
    """The mean of every window of a sequence, channel by channel.

    Args:
        kernel_size: Length of the window.
        stride: Step between two windows; kernel_size if None.
        padding: Zeros added at both ends.
        ceil_mode: Whether a last window may reach over the end.
        count_include_pad: Whether those zeros count in the mean.

    Shapes:
        input (batch, time, channels), output (batch, time', channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AvgPool1d(2)(dt.zeros((2, 10, 3))).shape
        (2, 5, 3)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class AvgPool2d(_AvgPool):
    """The mean of every window of an image, channel by channel.

    Args:
        kernel_size: Height and width of the window, one number for both or two.
        stride: Step between two windows; kernel_size if None.
        padding: Zeros added on every side.
        ceil_mode: Whether a last window may reach over the edge.
        count_include_pad: Whether those zeros count in the mean.

    Shapes:
        input (batch, height, width, channels), output (batch, height', width', channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AvgPool2d(2)(dt.zeros((64, 28, 28, 6))).shape
        (64, 14, 14, 6)
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class _AdaptivePool(Module):
    rank: int

    def __init__(self, output_size: int | tuple[int | None, ...] | None) -> None:
        super().__init__()
        sizes = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * self.rank
        known = tuple(1 if size is None else size for size in sizes)
        checked = integers(type(self).__name__, "output_size", known, self.rank)
        self.output_size = tuple(
            None if size is None else number for size, number in zip(sizes, checked, strict=True)
        )

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePool):
    """Means over windows chosen so that the output has the given length.

    Args:
        output_size: Length of the output; None: that of the input.

    Shapes:
        input (batch, time, channels), output (batch, output_size, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AdaptiveAvgPool1d(4)(dt.zeros((1, 10, 3))).shape
        (1, 4, 3)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveMaxPool1d(_AdaptivePool):
    """Largest values of windows chosen so that the output has the given length.

    Args:
        output_size: Length of the output; None: that of the input.

    Shapes:
        input (batch, time, channels), output (batch, output_size, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AdaptiveMaxPool1d(4)(dt.zeros((1, 10, 3))).shape
        (1, 4, 3)
    """

    rank = 1

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.adaptive_max_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptivePool):
    """Means over windows chosen so that the output has the given size.

    Args:
        output_size: Height and width of the output, one number for both or two; None: those of the input.

    Shapes:
        input (batch, height, width, channels), output (batch, *output_size, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AdaptiveAvgPool2d(7)(dt.zeros((1, 10, 9, 3))).shape
        (1, 7, 7, 3)
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveMaxPool2d(_AdaptivePool):
    """Largest values of windows chosen so that the output has the given size.

    Args:
        output_size: Height and width of the output, one number for both or two; None: those of the input.

    Shapes:
        input (batch, height, width, channels), output (batch, *output_size, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.AdaptiveMaxPool2d((5, None))(dt.zeros((1, 10, 9, 3))).shape
        (1, 5, 9, 3)
    """

    rank = 2

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.adaptive_max_pool2d(input, self.output_size)


class _GlobalPool(Module):
    rank: int | None = None  # spatial axes; any number where None

    def __init__(self, keepdims: bool = False) -> None:
        super().__init__()
        self.keepdims = keepdims

    def _check_rank(self, input: _core.Tensor) -> None:
        if self.rank is not None and input.ndim != self.rank + 2:
            layout = "(batch, time, channels)" if self.rank == 1 else "(batch, height, width, channels)"
            raise ValueError(
                f"{type(self).__name__}: input must have the axes {layout}, got shape {tuple(input.shape)}"
            )

    def extra_repr(self) -> str:
        return "keepdims=True" if self.keepdims else ""


class GlobalAvgPool(_GlobalPool):
    """The mean of every channel over all places.

    Args:
        keepdims: Whether the axes between batch and channels stay, with size 1.

    Shapes:
        input (batch, ..., channels), output (batch, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalAvgPool()(dt.zeros((2, 7, 7, 32))).shape
        (2, 32)
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        self._check_rank(input)
        return _core.global_avg_pool(input, self.keepdims)


class GlobalAvgPool1d(GlobalAvgPool):
    """`GlobalAvgPool` for sequences alone: (batch, time, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalAvgPool1d()(dt.ones((2, 5, 3))).shape
        (2, 3)
    """

    rank = 1


class GlobalAvgPool2d(GlobalAvgPool):
    """`GlobalAvgPool` for images alone: (batch, height, width, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalAvgPool2d()(dt.ones((2, 5, 5, 3))).shape
        (2, 3)
    """

    rank = 2


class GlobalMaxPool(_GlobalPool):
    """The largest value of every channel over all places.

    Args:
        keepdims: Whether the axes between batch and channels stay, with size 1.

    Shapes:
        input (batch, ..., channels), output (batch, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalMaxPool()(dt.zeros((2, 7, 7, 32))).shape
        (2, 32)
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        self._check_rank(input)
        return _core.global_max_pool(input, self.keepdims)


class GlobalMaxPool1d(GlobalMaxPool):
    """`GlobalMaxPool` for sequences alone: (batch, time, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalMaxPool1d()(dt.ones((2, 5, 3))).shape
        (2, 3)
    """

    rank = 1


class GlobalMaxPool2d(GlobalMaxPool):
    """`GlobalMaxPool` for images alone: (batch, height, width, channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GlobalMaxPool2d()(dt.ones((2, 5, 5, 3))).shape
        (2, 3)
    """

    rank = 2
