"""VGG: plain stacks of 3 x 3 convolutions."""

from __future__ import annotations

from .. import nn
from .._arguments import checks_names
from .build import assemble, check_sizes, draw_convolutions, draw_linear

# Convolutions of the five stages between which pools halve the image.
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


def _vgg(
    name: str,
    depth: int,
    classes: int,
    in_channels: int,
    dropout: float,
    small_images: bool,
    scale: float | None,
    normalised: bool,
) -> nn.Sequential:
    check_sizes(name, scale=scale, classes=classes, in_channels=in_channels)
    features: list[nn.Module] = []
    channels = in_channels
    for repeats, width in zip(DEPTHS[depth], WIDTHS, strict=True):
        for _ in range(repeats):
            features.append(nn.Conv2d(channels, width, 3, padding=1))
            features += [nn.BatchNorm2d(width), nn.ReLU()] if normalised else [nn.ReLU()]
            channels = width
        features.append(nn.MaxPool2d(2))
    layers = {
        "features": nn.Sequential(*features),
        "avgpool": nn.AdaptiveAvgPool2d(1 if small_images else 7),
        "flatten": nn.Flatten(),
        "classifier": nn.Linear(512, classes) if small_images else _classifier(classes, dropout),
    }
    model = assemble(layers, scale)
    draw_convolutions(model)
    draw_linear(model)
    return model


def _classifier(classes: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(4096, classes),
    )


@checks_names
def vgg11(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 11 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 132,863,336 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg11
        >>> vgg11(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg11", 11, classes, in_channels, dropout, small_images, scale, False)


@checks_names
def vgg11_bn(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 11 layers that have weights and batch norm behind every convolution.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 132,868,840 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014; with the batch norm of Ioffe and Szegedy, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg11_bn
        >>> vgg11_bn(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg11_bn", 11, classes, in_channels, dropout, small_images, scale, True)


@checks_names
def vgg13(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 13 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 133,047,848 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg13
        >>> vgg13(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg13", 13, classes, in_channels, dropout, small_images, scale, False)


@checks_names
def vgg13_bn(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 13 layers that have weights and batch norm behind every convolution.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 133,053,736 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014; with the batch norm of Ioffe and Szegedy, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg13_bn
        >>> vgg13_bn(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg13_bn", 13, classes, in_channels, dropout, small_images, scale, True)


@checks_names
def vgg16(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 16 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 138,357,544 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg16
        >>> vgg16(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg16", 16, classes, in_channels, dropout, small_images, scale, False)


@checks_names
def vgg16_bn(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 16 layers that have weights and batch norm behind every convolution.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 138,365,992 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014; with the batch norm of Ioffe and Szegedy, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg16_bn
        >>> vgg16_bn(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg16_bn", 16, classes, in_channels, dropout, small_images, scale, True)


@checks_names
def vgg19(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 19 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 143,667,240 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg19
        >>> vgg19(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg19", 19, classes, in_channels, dropout, small_images, scale, False)


@checks_names
def vgg19_bn(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    dropout: float = 0.5,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """VGG with 19 layers that have weights and batch norm behind every convolution.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        dropout (float, default 0.5): Share of the features that the linear layers miss in training.
        small_images (bool, default False): For images of about 32 x 32: one linear layer behind the mean
            over the image, in place of three with 124 million weights.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), at least 32 x 32; output (n, classes), which are logits.
    The names of the layers are torchvision's; 143,678,248 parameters.

    Source: K. Simonyan and A. Zisserman, Very deep convolutional networks for large-scale image recognition,
    2014; with the batch norm of Ioffe and Szegedy, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import vgg19_bn
        >>> vgg19_bn(10, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    return _vgg("vgg19_bn", 19, classes, in_channels, dropout, small_images, scale, True)
