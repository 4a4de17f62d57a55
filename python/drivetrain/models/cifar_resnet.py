"""The residual networks for images of 32 x 32: ResNet-20 to 110."""

from __future__ import annotations

from .. import nn
from .._arguments import checks_names
from ..nn.checks import choice
from .build import assemble, check_sizes, draw_convolutions
from .resnet import BasicBlock, stage


def _cifar_resnet(
    name: str,
    count: int,
    classes: int,
    in_channels: int,
    base_width: int,
    shortcut: str,
    scale: float | None,
) -> nn.Sequential:
    check_sizes(name, scale=scale, classes=classes, in_channels=in_channels, base_width=base_width)
    choice(name, "shortcut", shortcut, ("pad", "conv"))
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(in_channels, base_width, 3, padding=1, bias=False),
        "bn1": nn.BatchNorm2d(base_width),
        "relu": nn.ReLU(),
    }
    channels = base_width
    for i in range(3):
        width = base_width * 2**i
        step = 1 if i == 0 else 2
        layers[f"layer{i + 1}"] = stage(BasicBlock, channels, width, count, step, shortcut=shortcut)
        channels = width
    layers |= {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(channels, classes),
    }
    model = assemble(layers, scale)
    draw_convolutions(model)
    return model


@checks_names
def resnet20(
    classes: int = 10,
    *,
    in_channels: int = 3,
    base_width: int = 16,
    shortcut: str = "pad",
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 20 layers that have weights, in three stages, for images of about 32 x 32.

    Args:
        classes (int, default 10): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 16): Channels of the first stage; each of the other two has twice as many as
            the one before.
        shortcut ("pad" or "conv", default "pad"): How blocks bring their input to the size of their output:
            without weights, as in the paper, or by 1 x 1 convolutions. See `BasicBlock`.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits;
    269,722 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015, section
    4.2.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet20
        >>> resnet20(base_width=4)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _cifar_resnet("resnet20", 3, classes, in_channels, base_width, shortcut, scale)


@checks_names
def resnet32(
    classes: int = 10,
    *,
    in_channels: int = 3,
    base_width: int = 16,
    shortcut: str = "pad",
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 32 layers that have weights, in three stages, for images of about 32 x 32.

    Args:
        classes (int, default 10): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 16): Channels of the first stage; each of the other two has twice as many as
            the one before.
        shortcut ("pad" or "conv", default "pad"): How blocks bring their input to the size of their output:
            without weights, as in the paper, or by 1 x 1 convolutions. See `BasicBlock`.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits;
    464,154 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015, section
    4.2.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet32
        >>> resnet32(base_width=4)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _cifar_resnet("resnet32", 5, classes, in_channels, base_width, shortcut, scale)


@checks_names
def resnet44(
    classes: int = 10,
    *,
    in_channels: int = 3,
    base_width: int = 16,
    shortcut: str = "pad",
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 44 layers that have weights, in three stages, for images of about 32 x 32.

    Args:
        classes (int, default 10): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 16): Channels of the first stage; each of the other two has twice as many as
            the one before.
        shortcut ("pad" or "conv", default "pad"): How blocks bring their input to the size of their output:
            without weights, as in the paper, or by 1 x 1 convolutions. See `BasicBlock`.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits;
    658,586 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015, section
    4.2.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet44
        >>> resnet44(base_width=4)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _cifar_resnet("resnet44", 7, classes, in_channels, base_width, shortcut, scale)


@checks_names
def resnet56(
    classes: int = 10,
    *,
    in_channels: int = 3,
    base_width: int = 16,
    shortcut: str = "pad",
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 56 layers that have weights, in three stages, for images of about 32 x 32.

    Args:
        classes (int, default 10): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 16): Channels of the first stage; each of the other two has twice as many as
            the one before.
        shortcut ("pad" or "conv", default "pad"): How blocks bring their input to the size of their output:
            without weights, as in the paper, or by 1 x 1 convolutions. See `BasicBlock`.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits;
    853,018 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015, section
    4.2.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet56
        >>> resnet56(base_width=4)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _cifar_resnet("resnet56", 9, classes, in_channels, base_width, shortcut, scale)


@checks_names
def resnet110(
    classes: int = 10,
    *,
    in_channels: int = 3,
    base_width: int = 16,
    shortcut: str = "pad",
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 110 layers that have weights, in three stages, for images of about 32 x 32.

    Args:
        classes (int, default 10): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 16): Channels of the first stage; each of the other two has twice as many as
            the one before.
        shortcut ("pad" or "conv", default "pad"): How blocks bring their input to the size of their output:
            without weights, as in the paper, or by 1 x 1 convolutions. See `BasicBlock`.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits;
    1,727,962 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015, section
    4.2.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet110
        >>> resnet110(base_width=4)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _cifar_resnet("resnet110", 18, classes, in_channels, base_width, shortcut, scale)
