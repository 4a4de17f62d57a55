"""Small networks that classify images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import nn
from .._checks import integer, integers, number


class Rescale(nn.Module):
    """Multiplies its input by a number: 1 / 255 makes 0 to 1 of the bytes of an image.

    As the first layer it lets a network, and the file that it is saved in, take images as they come.

    Source: Keras's ``keras.layers.Rescaling``.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import Rescale
        >>> Rescale(0.5)(dt.tensor([2.0, 4.0])).numpy()
        array([1., 2.], dtype=float32)
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = number("Rescale", "scale", scale)

    def forward(self, input: Any) -> Any:
        return input * self.scale

    def extra_repr(self) -> str:
        return f"scale={self.scale:.6g}"


def block(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3 x 3 convolution that keeps the size, normalised; the norm's shift makes a bias needless."""
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def small_cnn(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    *,
    channels: Sequence[int] = (16, 32, 64),
    dropout: float = 0.3,
    scale: float = 1 / 255,
) -> nn.Sequential:
    """Three convolutions with batch norm, pools between them, dropout and a linear layer.

    Args:
        input_shape: (height, width, channels), at least 8 x 8.
        classes: Int, default 10.
        channels (three ints, default (16, 32, 64)): Channels of the convolutions.
        dropout (float, default 0.3): Share of the features that the last layer misses in training.
        scale (float, default 1 / 255): What the input is multiplied with first.

    Shapes: input (n, height, width, channels), output (n, classes), which are logits.

    Images smaller than 16 pixels keep their size behind the first convolution.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import small_cnn
        >>> small_cnn((8, 8, 1))(dt.zeros((2, 8, 8, 1))).shape
        (2, 10)
    """
    height, width, depth = image_shape("small_cnn", input_shape, least=8)
    check_numbers("small_cnn", classes, scale, dropout)
    layers: list[nn.Module] = [Rescale(scale)]
    for position, outputs in enumerate(integers("small_cnn", "channels", channels, 3)):
        layers += block(depth, outputs)
        depth = outputs
        if position > 0 or min(height, width) >= 16:
            layers.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
    layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(height * width * depth, classes)]
    return nn.Sequential(*layers)


def mlp(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    *,
    hidden: Sequence[int] = (256, 128),
    dropout: float = 0.2,
    scale: float = 1 / 255,
) -> nn.Sequential:
    """A multi-layer perceptron: linear layers with relu and dropout between them.

    Shapes: input (n, height, width, channels), output (n, classes), which are logits.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import mlp
        >>> mlp((8, 8, 1), hidden=(32,))(dt.zeros((2, 8, 8, 1))).shape
        (2, 10)
    """
    height, width, depth = image_shape("mlp", input_shape, least=1)
    check_numbers("mlp", classes, scale, dropout)
    layers: list[nn.Module] = [Rescale(scale), nn.Flatten()]
    features = height * width * depth
    for size in hidden:
        layers += [nn.Linear(features, integer("mlp", "hidden", size)), nn.ReLU(), nn.Dropout(dropout)]
        features = size
    layers.append(nn.Linear(features, classes))
    return nn.Sequential(*layers)


def lenet(
    input_shape: Sequence[int] = (28, 28, 1), classes: int = 10, *, scale: float = 1 / 255
) -> nn.Sequential:
    """LeNet-5, with relu and max pools.

    Shapes: input (n, height, width, channels), output (n, classes), which are logits.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document
    recognition, 1998.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import lenet
        >>> lenet()(dt.zeros((2, 28, 28, 1))).shape
        (2, 10)
    """
    height, width, depth = image_shape("lenet", input_shape, least=12)
    check_numbers("lenet", classes, scale)
    after = tuple((size // 2 - 4) // 2 for size in (height, width))
    return nn.Sequential(
        Rescale(scale),
        nn.Conv2d(depth, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * after[0] * after[1], 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, classes),
    )


def check_numbers(where: str, classes: Any, scale: Any, dropout: Any = 0.0) -> None:
    integer(where, "classes", classes)
    number(where, "scale", scale)
    number(where, "dropout", dropout, 0, 1)


def image_shape(where: str, shape: Sequence[int], *, least: int) -> tuple[int, int, int]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else shape
    if (
        not isinstance(sizes, tuple)
        or len(sizes) != 3
        or any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes)
    ):
        raise ValueError(f"{where}: input_shape is {shape!r:.80}, expected (height, width, channels)")
    if min(sizes[:2]) < least:
        raise ValueError(f"{where}: input_shape is {sizes}, expected at least {least} x {least} pixels")
    return sizes[0], sizes[1], sizes[2]
