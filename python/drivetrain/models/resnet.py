"""Residual networks for photographs: ResNet-18 to 152."""

from __future__ import annotations

from typing import Any

from .. import _core, nn
from .._arguments import checks_names
from ..nn import init
from .build import assemble, check_sizes, draw_convolutions, norm_relu


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions, added to what came in.

    Args:
        inputs: Channels of the input.
        width: Channels of the output.
        stride (int, default 1): Step of the first convolution.
        shortcut ("conv" or "pad"): How the input is brought to the output's size where they differ: by a
            1 x 1 convolution with batch norm, or without weights, by every stride-th pixel and zeros for the
            channels that are missing, half of them on either side.

    Shapes: input (n, height, width, inputs), output (n, height / stride, width / stride, width).

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import BasicBlock
        >>> BasicBlock(8, 16, stride=2)(dt.zeros((1, 8, 8, 8))).shape
        (1, 4, 4, 16)
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1, shortcut: str = "conv") -> None:
        super().__init__()
        self.stride, self.shortcut, self.added = stride, shortcut, width - inputs
        self.conv1 = nn.Conv2d(inputs, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm_relu(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = norm_relu(width)
        differs = stride != 1 or inputs != width
        if differs and shortcut == "conv":
            self.downsample = projection(inputs, width, stride)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        hidden = self.bn1(self.conv1(input))
        return self.bn2(self.conv2(hidden), residual=self._shortcut(input))  # type: ignore[no-any-return]

    def _shortcut(self, input: _core.Tensor) -> Any:
        if "downsample" in self.__dict__:
            return self.downsample(input)
        if self.stride != 1:
            input = input[:, :: self.stride, :: self.stride, :]
        if self.added:
            before = self.added // 2
            input = _core.pad(input, ((0, 0), (0, 0), (0, 0), (before, self.added - before)))
        return input


class Bottleneck(nn.Module):
    """A 1 x 1 convolution to fewer channels, a 3 x 3 one, and a 1 x 1 one to four times as many; added to the
    input.

    Args:
        inputs: Channels of the input.
        width: Channels of the convolution in the middle.
        stride (int, default 1): Its step, as in torchvision; in the paper the first one has it.

    Shapes: input (n, height, width, inputs), output (n, height / stride, width / stride, 4 width).

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import Bottleneck
        >>> Bottleneck(16, 4)(dt.zeros((1, 8, 8, 16))).shape
        (1, 8, 8, 16)
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = norm_relu(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = norm_relu(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = norm_relu(outputs)
        if stride != 1 or inputs != outputs:
            self.downsample = projection(inputs, outputs, stride)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        hidden = self.bn2(self.conv2(self.bn1(self.conv1(input))))
        residual = self.downsample(input) if "downsample" in self.__dict__ else input
        return self.bn3(self.conv3(hidden), residual=residual)  # type: ignore[no-any-return]


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


def stage(block: Any, inputs: int, width: int, count: int, stride: int, **options: Any) -> nn.Sequential:
    """Blocks of one width, the first of which has the stride."""
    outputs = width * block.expansion
    first = block(inputs, width, stride, **options)
    return nn.Sequential(first, *(block(outputs, width, 1, **options) for _ in range(count - 1)))


def begin_as_identity(model: nn.Module) -> None:
    """Has every block begin as its shortcut alone: the scale of its last norm is 0."""
    for module in model.modules():
        if isinstance(module, (BasicBlock, Bottleneck)):
            last: Any = module.bn3 if isinstance(module, Bottleneck) else module.bn2
            init.zeros_(last.weight)


def _resnet(
    name: str,
    block: Any,
    counts: tuple[int, ...],
    classes: int,
    in_channels: int,
    base_width: int,
    small_images: bool,
    zero_init_residual: bool,
    scale: float | None,
) -> nn.Sequential:
    check_sizes(name, scale=scale, classes=classes, in_channels=in_channels, base_width=base_width)
    kernel, step = (3, 1) if small_images else (7, 2)
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(in_channels, base_width, kernel, stride=step, padding=kernel // 2, bias=False),
        "bn1": nn.BatchNorm2d(base_width),
        "relu": nn.ReLU(),
    }
    if not small_images:
        layers["maxpool"] = nn.MaxPool2d(3, stride=2, padding=1)
    channels = base_width
    for i, count in enumerate(counts):
        width = base_width * 2**i
        layers[f"layer{i + 1}"] = stage(block, channels, width, count, 1 if i == 0 else 2)
        channels = width * block.expansion
    layers |= {
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(channels, classes),
    }
    model = assemble(layers, scale)
    draw_convolutions(model)
    if zero_init_residual:
        begin_as_identity(model)
    return model


@checks_names
def resnet18(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    base_width: int = 64,
    small_images: bool = False,
    zero_init_residual: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 18 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 64): Channels of the first stage; each of the other three has twice as many
            as the one before.
        small_images (bool, default False): For images of about 32 x 32: the first convolution is 3 x 3 with
            stride 1, and no pool follows it.
        zero_init_residual (bool, default False): Whether every block begins as its shortcut alone, which
            often trains a little better.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 11,689,512 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet18
        >>> resnet18(10, base_width=8, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    counts = (2, 2, 2, 2)
    return _resnet(
        "resnet18",
        BasicBlock,
        counts,
        classes,
        in_channels,
        base_width,
        small_images,
        zero_init_residual,
        scale,
    )


@checks_names
def resnet34(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    base_width: int = 64,
    small_images: bool = False,
    zero_init_residual: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 34 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 64): Channels of the first stage; each of the other three has twice as many
            as the one before.
        small_images (bool, default False): For images of about 32 x 32: the first convolution is 3 x 3 with
            stride 1, and no pool follows it.
        zero_init_residual (bool, default False): Whether every block begins as its shortcut alone, which
            often trains a little better.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 21,797,672 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet34
        >>> resnet34(10, base_width=8, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    counts = (3, 4, 6, 3)
    return _resnet(
        "resnet34",
        BasicBlock,
        counts,
        classes,
        in_channels,
        base_width,
        small_images,
        zero_init_residual,
        scale,
    )


@checks_names
def resnet50(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    base_width: int = 64,
    small_images: bool = False,
    zero_init_residual: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 50 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 64): Channels of the first stage; each of the other three has twice as many
            as the one before.
        small_images (bool, default False): For images of about 32 x 32: the first convolution is 3 x 3 with
            stride 1, and no pool follows it.
        zero_init_residual (bool, default False): Whether every block begins as its shortcut alone, which
            often trains a little better.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 25,557,032 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet50
        >>> resnet50(10, base_width=8, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    counts = (3, 4, 6, 3)
    return _resnet(
        "resnet50",
        Bottleneck,
        counts,
        classes,
        in_channels,
        base_width,
        small_images,
        zero_init_residual,
        scale,
    )


@checks_names
def resnet101(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    base_width: int = 64,
    small_images: bool = False,
    zero_init_residual: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 101 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 64): Channels of the first stage; each of the other three has twice as many
            as the one before.
        small_images (bool, default False): For images of about 32 x 32: the first convolution is 3 x 3 with
            stride 1, and no pool follows it.
        zero_init_residual (bool, default False): Whether every block begins as its shortcut alone, which
            often trains a little better.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 44,549,160 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet101
        >>> resnet101(10, base_width=8, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    counts = (3, 4, 23, 3)
    return _resnet(
        "resnet101",
        Bottleneck,
        counts,
        classes,
        in_channels,
        base_width,
        small_images,
        zero_init_residual,
        scale,
    )


@checks_names
def resnet152(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    base_width: int = 64,
    small_images: bool = False,
    zero_init_residual: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """ResNet with 152 layers that have weights.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 64): Channels of the first stage; each of the other three has twice as many
            as the one before.
        small_images (bool, default False): For images of about 32 x 32: the first convolution is 3 x 3 with
            stride 1, and no pool follows it.
        zero_init_residual (bool, default False): Whether every block begins as its shortcut alone, which
            often trains a little better.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 60,192,808 parameters.

    Source: K. He, X. Zhang, S. Ren and J. Sun, Deep residual learning for image recognition, 2015.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import resnet152
        >>> resnet152(10, base_width=8, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    counts = (3, 8, 36, 3)
    return _resnet(
        "resnet152",
        Bottleneck,
        counts,
        classes,
        in_channels,
        base_width,
        small_images,
        zero_init_residual,
        scale,
    )
