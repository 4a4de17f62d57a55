"""A network for small images that is trained in minutes on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _core, nn
from .._arguments import checks_names
from .build import norm_relu
from .classifiers import Rescale, image_shape


class ResidualPair(nn.Module):
    """Two 3 x 3 convolutions with batch norm and ReLU that keep the size, added to what came in.

    Args:
        channels: Channels of input and output.

    Shapes: input and output (n, height, width, channels).

    Source: the residual blocks of D. Page's ResNet-9, How to train your ResNet, 2018: the sum follows the
    second ReLU.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import ResidualPair
        >>> ResidualPair(8)(dt.zeros((1, 7, 7, 8))).shape
        (1, 7, 7, 8)
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = norm_relu(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = norm_relu(channels)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        hidden = self.bn1(self.conv1(input))
        return self.bn2(self.conv2(hidden)) + input  # type: ignore[no-any-return]


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    """A convolution whose output is pooled before it is normalised, which is a quarter of the work."""
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return [convolution, nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.ReLU()]


@checks_names
def fast_cnn(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    *,
    channels: Sequence[int] = (32, 64, 128, 256),
    dropout: float = 0.1,
    scale: float = 1 / 255,
) -> nn.Sequential:
    """A small residual network for images of about 28 x 28 to 32 x 32, made to be trained fast.

    Four convolutions, three of them with pools right behind them, two residual pairs in between, and the
    largest value of every channel over the image for one linear layer.

    Args:
        input_shape: (height, width, channels), at least 16 x 16.
        classes (int, default 10): Outputs.
        channels (four ints, default (32, 64, 128, 256)): Channels of the four convolutions.
        dropout (float, default 0.1): Share of the features that the last layer misses in training.
        scale (float, default 1 / 255): What the input is multiplied with first.

    Shapes: input (n, height, width, channels), output (n, classes), which are logits; 760,298 parameters for
    images of one channel and 10 classes.

    Source: after D. Page's ResNet-9, How to train your ResNet, 2018, with pools further in front.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import fast_cnn
        >>> fast_cnn((32, 32, 3), 5)(dt.zeros((2, 32, 32, 3))).shape
        (2, 5)
    """
    _, _, depth = image_shape("fast_cnn", input_shape, least=16)
    if len(channels) != 4:
        raise ValueError(f"fast_cnn: channels is {tuple(channels)}, expected four numbers")
    first, second, third, last = channels
    return nn.Sequential(
        Rescale(scale),
        *_stage(depth, first),
        *_stage(first, second),
        ResidualPair(second),
        *_stage(second, third),
        ResidualPair(third),
        nn.Conv2d(third, last, 3, padding=1, bias=False),
        nn.BatchNorm2d(last),
        nn.ReLU(),
        nn.GlobalMaxPool2d(),
        nn.Dropout(dropout),
        nn.Linear(last, classes),
    )
