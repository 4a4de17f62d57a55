"""Normalisation, channels last."""

from __future__ import annotations

from typing import Any

from .. import _core
from .checks import integer, integers, real
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter


def _epsilon(name: str, eps: float) -> float:
    return real(name, "eps", eps, "a positive number", lambda value: 0 < value < float("inf"))


class _RunningNorm(Module):
    """Batch and instance norm: a scale and a shift per channel, and running statistics."""

    # Training neither uses the batch's statistics nor changes the running ones: `models.freeze` sets it.
    is_frozen: bool = False
    weight: Parameter | None
    bias: Parameter | None
    running_mean: _core.Tensor | None
    running_var: _core.Tensor | None
    num_batches_tracked: _core.Tensor
    _ignored_state = ("num_batches_tracked",)
    _statistics = ("running_mean", "running_var")
    ranks: tuple[int, ...] = ()
    layout = ""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.num_features = integer(name, "num_features", num_features)
        self.eps = _epsilon(name, eps)
        self.momentum = (
            None
            if momentum is None
            else real(name, "momentum", momentum, "None or a number from 0 to 1", lambda m: 0 <= m <= 1)
        )
        self.affine = affine
        self.track_running_stats = track_running_stats
        dtype = floating_dtype(name, dtype)
        shape = (self.num_features,)
        self.weight = Parameter(_core.ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(_core.zeros(shape, dtype=dtype)) if affine else None
        self.register_buffer("running_mean", _core.zeros(shape, dtype=dtype) if track_running_stats else None)
        self.register_buffer("running_var", _core.ones(shape, dtype=dtype) if track_running_stats else None)
        if track_running_stats and momentum is None:  # only the cumulative mean needs to count
            self.register_buffer("num_batches_tracked", _core.zeros((), dtype=_core.int64))

    def reset_running_stats(self) -> None:
        """Forgets what has been seen: mean 0, variance 1."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            if self.momentum is None:
                self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Scale 1, shift 0, and no running statistics yet."""
        self.reset_running_stats()
        if self.weight is not None and self.bias is not None:
            self.weight.detach().fill_(1)
            self.bias.detach().zero_()

    def _check_rank(self, input: _core.Tensor) -> None:
        if input.ndim not in self.ranks:
            raise ValueError(
                f"{type(self).__name__}: input must have the axes {self.layout}, "
                f"got shape {tuple(input.shape)}"
            )

    def _uses_batch(self) -> bool:
        return (self.training and not self.is_frozen) or self.running_mean is None

    def _step(self) -> float:
        """The weight of this batch in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        if not self._uses_batch() or not self.track_running_stats:
            return 0.0
        self.num_batches_tracked += 1
        return 1.0 / int(self.num_batches_tracked)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = "float32",
        *,
        activation: str | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)
        if activation not in (None, "relu"):
            raise ValueError(f"{type(self).__name__}: activation must be None or 'relu', got {activation!r}")
        self.activation = activation

    def forward(self, input: _core.Tensor, residual: _core.Tensor | None = None) -> _core.Tensor:
        return self._normalised(input, residual, self.activation)

    def forward_relu(self, input: _core.Tensor) -> _core.Tensor:
        """A ReLU behind the layer, in one pass."""
        return self._normalised(input, None, "relu")

    def extra_repr(self) -> str:
        more = f", activation={self.activation!r}" if self.activation else ""
        return super().extra_repr() + more

    def _normalised(
        self, input: _core.Tensor, residual: _core.Tensor | None, activation: str | None
    ) -> _core.Tensor:
        self._check_rank(input)
        return _core.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self._uses_batch(),
            self._step(),
            self.eps,
            residual=residual,
            activation=activation,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (batch, channels) or (batch, time, channels) (Ioffe and Szegedy, 2015).

    In training every channel is normalised by mean and variance of the batch, and running statistics follow
    them: running = (1 - momentum) running + momentum new. In inference those are used.

    Args:
        num_features: Number of channels.
        eps: Added to the variance.
        momentum: Weight of a batch in the running statistics; None: they are plain means of all batches.
        affine: Whether there is a scale and a shift per channel.
        track_running_stats: Whether running statistics are kept; without, inference normalises by the batch.
        dtype: Floating-point dtype of the parameters.
        activation: None, or "relu" for a ReLU in the same pass over memory.

    A second input, `residual`, is added before the activation, in the same pass too. The end of a block
    with a shortcut is `self.norm2(self.conv2(x), residual=shortcut)`.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.BatchNorm1d(8)(dt.rand((32, 8))).shape
        (32, 8)
    """

    ranks = (2, 3)
    layout = "(batch, channels) or (batch, time, channels)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images, (batch, height, width, channels) (Ioffe and Szegedy, 2015).

    In training every channel is normalised by mean and variance of the batch, and running statistics follow
    them: running = (1 - momentum) running + momentum new. In inference those are used.

    Args:
        num_features: Number of channels.
        eps: Added to the variance.
        momentum: Weight of a batch in the running statistics; None: they are plain means of all batches.
        affine: Whether there is a scale and a shift per channel.
        track_running_stats: Whether running statistics are kept; without, inference normalises by the batch.
        dtype: Floating-point dtype of the parameters.
        activation: None, or "relu" for a ReLU in the same pass over memory.

    A second input, `residual`, is added before the activation, in the same pass too. The end of a block
    with a shortcut is `self.norm2(self.conv2(x), residual=shortcut)`.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.BatchNorm2d(8)(dt.rand((4, 5, 5, 8))).shape
        (4, 5, 5, 8)
    """

    ranks = (4,)
    layout = "(batch, height, width, channels)"


class _InstanceNorm(_RunningNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        self._check_rank(input)
        return _core.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self._uses_batch(),
            self._step(),
            self.eps,
        )


class InstanceNorm1d(_InstanceNorm):
    """Every channel of every sequence, (batch, time, channels), normalised by itself (Ulyanov et al., 2016).

    Args:
        num_features: Number of channels.
        eps: Added to the variance.
        momentum: Weight of a batch in the running statistics, where they are kept.
        affine: Whether there is a scale and a shift per channel.
        track_running_stats: Whether inference uses running statistics.
        dtype: Floating-point dtype of the parameters.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.InstanceNorm1d(8)(dt.rand((4, 5, 8))).shape
        (4, 5, 8)
    """

    ranks = (3,)
    layout = "(batch, time, channels)"


class InstanceNorm2d(_InstanceNorm):
    """Every channel of every image, (batch, height, width, channels), normalised by itself.

    Args:
        num_features: Number of channels.
        eps: Added to the variance.
        momentum: Weight of a batch in the running statistics, where they are kept.
        affine: Whether there is a scale and a shift per channel.
        track_running_stats: Whether inference uses running statistics.
        dtype: Floating-point dtype of the parameters.

    Source: Ulyanov et al., 2016.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.InstanceNorm2d(8)(dt.rand((4, 5, 5, 8))).shape
        (4, 5, 5, 8)
    """

    ranks = (4,)
    layout = "(batch, height, width, channels)"


class LayerNorm(Module):
    """Normalises over the last axes, sample by sample (Ba et al., 2016).

    Args:
        normalized_shape: Sizes of those axes, or one number for the last axis alone.
        eps: Added to the variance.
        elementwise_affine: Whether there is a weight (and a bias) of that shape.
        bias: Whether there is a bias besides the weight.
        dtype: Floating-point dtype of the parameters.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.LayerNorm(16)(dt.rand((4, 10, 16))).shape
        (4, 10, 16)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__()
        count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
        if count == 0:
            raise ValueError("LayerNorm: normalized_shape must have at least one axis, got ()")
        self.normalized_shape = integers("LayerNorm", "normalized_shape", normalized_shape, count)
        self.eps = _epsilon("LayerNorm", eps)
        self.elementwise_affine = elementwise_affine
        dtype = floating_dtype("LayerNorm", dtype)
        shape = self.normalized_shape
        self.weight = Parameter(_core.ones(shape, dtype=dtype)) if elementwise_affine else None
        self.bias = Parameter(_core.zeros(shape, dtype=dtype)) if elementwise_affine and bias else None

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class RMSNorm(Module):
    """Divides by the root mean square over the last axes, sample by sample (Zhang and Sennrich, 2019).

    Cheaper than `LayerNorm`: no mean is taken off, and there is no bias.

    Args:
        normalized_shape: Sizes of those axes, or one number for the last axis alone.
        eps: Added to the mean square; None for the epsilon of float32 (of float64 where input has that).
        elementwise_affine: Whether there is a weight of that shape.
        dtype: Floating-point dtype of the weight.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.RMSNorm(16)(dt.rand((4, 10, 16))).shape
        (4, 10, 16)
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...] | list[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__()
        count = len(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else 1
        if count == 0:
            raise ValueError("RMSNorm: normalized_shape must have at least one axis, got ()")
        self.normalized_shape = integers("RMSNorm", "normalized_shape", normalized_shape, count)
        self.eps = None if eps is None else _epsilon("RMSNorm", eps)
        self.elementwise_affine = elementwise_affine
        dtype = floating_dtype("RMSNorm", dtype)
        self.weight = (
            Parameter(_core.ones(self.normalized_shape, dtype=dtype)) if elementwise_affine else None
        )

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Module):
    """Normalises groups of neighbouring channels, sample by sample (Wu and He, 2018).

    Args:
        num_groups: Number of groups, a divisor of num_channels.
        num_channels: Size of the input's last axis.
        eps: Added to the variance.
        affine: Whether there is a scale and a shift per channel.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input and output (batch, ..., channels).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GroupNorm(2, 8)(dt.rand((4, 5, 5, 8))).shape
        (4, 5, 5, 8)
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__()
        self.num_groups = integer("GroupNorm", "num_groups", num_groups)
        self.num_channels = integer("GroupNorm", "num_channels", num_channels)
        if self.num_channels % self.num_groups:
            raise ValueError(
                "GroupNorm: num_channels must be divisible by num_groups, "
                f"got {num_channels} and {num_groups}"
            )
        self.eps = _epsilon("GroupNorm", eps)
        self.affine = affine
        dtype = floating_dtype("GroupNorm", dtype)
        shape = (self.num_channels,)
        self.weight = Parameter(_core.ones(shape, dtype=dtype)) if affine else None
        self.bias = Parameter(_core.zeros(shape, dtype=dtype)) if affine else None

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}"
