"""Dropout: of elements, of channels, of whole residual branches."""

from __future__ import annotations

from .. import _core
from .checks import choice, real
from .module import Module


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        self.p = real(type(self).__name__, "p", p, "a number from 0 to 1", lambda value: 0 <= value <= 1)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
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

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.dropout(input, self.p, self.training)


class _ChannelDropout(_Dropout):
    axes = 0

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if input.ndim != self.axes + 2:
            sizes = ("length", "height, width", "depth, height, width")[self.axes - 1]
            raise ValueError(
                f"{type(self).__name__}: input has shape {tuple(input.shape)}, expected (batch, "
                f"{sizes}, channels)"
            )
        return _core.shared_dropout(input, self.p, channel_shape(input), self.training)


class Dropout1d(_ChannelDropout):
    """Sets whole channels of sequences to 0 with probability p and scales the others; only in training.

    Neighbouring positions of a channel tell nearly the same, so dropping single ones hides nothing.

    Args:
        p: Probability of a channel of a sample being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Shape: (batch, length, channels).

    Source: Tompson et al., 2015; Keras's SpatialDropout1D.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Dropout1d(0.3)(dt.ones((2, 10, 3))).shape
        (2, 10, 3)
    """

    axes = 1


class Dropout2d(_ChannelDropout):
    """Sets whole channels of images to 0 with probability p and scales the others; only in training.

    Args:
        p: Probability of a channel of a sample being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Shape: (batch, height, width, channels).

    Source: Tompson et al., 2015; Keras's SpatialDropout2D.

    Example:
        >>> import drivetrain as dt
        >>> dt.manual_seed(0)
        >>> x = dt.nn.Dropout2d(0.5)(dt.ones((1, 8, 8, 100)))
        >>> sorted(set(x.sum(axis=(0, 1, 2)).tolist()))
        [0.0, 128.0]
    """

    axes = 2


class Dropout3d(_ChannelDropout):
    """Sets whole channels of volumes to 0 with probability p and scales the others; only in training.

    Args:
        p: Probability of a channel of a sample being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Shape: (batch, depth, height, width, channels).

    Source: Tompson et al., 2015; Keras's SpatialDropout3D.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Dropout3d(0.3)(dt.ones((2, 4, 4, 4, 3))).shape
        (2, 4, 4, 4, 3)
    """

    axes = 3


class AlphaDropout(_Dropout):
    """Sets elements to the least value of SELU with probability p, then scales and shifts everything so that
    mean 0 and variance 1 stay; only in training. For networks of `SELU`.

    Args:
        p: Probability of being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Source: Klambauer et al., 2017.

    Example:
        >>> import drivetrain as dt
        >>> dt.manual_seed(0)
        >>> x = dt.nn.AlphaDropout(0.2)(dt.randn((100_000,)))
        >>> abs(x.mean().item()) < 0.02, abs(x.std().item() - 1) < 0.02
        (True, True)
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return _core.alpha_dropout(input, self.p, input.shape, self.training)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels, the last axis.

    Args:
        p: Probability of a channel of a sample being dropped.
        inplace: Taken for the sake of PyTorch code; the result is always a new tensor.

    Shape: (batch, ..., channels).

    Source: Klambauer et al., 2017, with the channels of Tompson et al., 2015.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.FeatureAlphaDropout(0.2)(dt.randn((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if input.ndim < 2:
            raise ValueError(
                f"FeatureAlphaDropout: input has shape {tuple(input.shape)}, expected (batch, ..., channels)"
            )
        return _core.alpha_dropout(input, self.p, channel_shape(input), self.training)


class StochasticDepth(Module):
    """Sets whole samples to 0 with probability p and scales the others by 1 / (1 - p); only in training.

    At the end of a residual branch, before it is added: the layers of the branch are then left out.

    Args:
        p: Probability of being dropped.
        mode: "row" decides for each sample, "batch" for all of them together.

    Source: Huang et al., 2016; torchvision.ops.StochasticDepth.

    Example:
        >>> import drivetrain as dt
        >>> branch = dt.nn.StochasticDepth(0.5, mode="row")
        >>> y = branch(dt.ones((100, 2)))
        >>> sorted(set(y.reshape((-1,)).tolist())), (y[:, 0] == y[:, 1]).all().item()
        ([0.0, 2.0], True)
    """

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        name = type(self).__name__
        self.p = real(name, "p", p, "a number from 0 to 1", lambda value: 0 <= value <= 1)
        self.mode = choice(name, "mode", mode, ("row", "batch"))

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if input.ndim == 0:
            raise ValueError(f"{type(self).__name__}: input has shape (), expected (batch, ...)")
        rows = input.shape[0] if self.mode == "row" else 1
        return _core.shared_dropout(input, self.p, (rows, *(1,) * (input.ndim - 1)), self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode!r}"


class DropPath(StochasticDepth):
    """`StochasticDepth` of single samples, by the name that timm and many transformers give it.

    Args:
        drop_prob: Probability of a sample being dropped.

    Source: Huang et al., 2016; timm.layers.DropPath.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.DropPath(0.1)
        DropPath(p=0.1, mode='row')
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__(drop_prob, "row")


def channel_shape(input: _core.Tensor) -> tuple[int, ...]:
    """One number for each sample and channel."""
    return (input.shape[0], *(1,) * (input.ndim - 2), input.shape[-1])
