"""MobileNetV2: depthwise convolutions between narrow layers."""

from __future__ import annotations

from typing import Any

from .. import _core, nn
from .._arguments import checks_names
from ..nn.checks import real
from .build import assemble, check_sizes, draw_convolutions, draw_linear

# Expansion, channels, blocks and stride of the stages.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """A 1 x 1 convolution to more channels, a depthwise 3 x 3 one, and a 1 x 1 one to few; added to what came
    in where the sizes are equal.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        stride (int, default 1): Step of the depthwise convolution.
        expansion (int, default 6): How many times as many channels it has; with 1 the first convolution is
            left out.

    Shapes: input (n, height, width, inputs), output (n, height / stride, width / stride, outputs).

    Source: M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen, MobileNetV2: inverted residuals and
    linear bottlenecks, 2018.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import InvertedResidual
        >>> InvertedResidual(8, 16, stride=2)(dt.zeros((1, 8, 8, 8))).shape
        (1, 4, 4, 16)
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, expansion: int = 6) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [convolution(inputs, hidden, 1)] if expansion != 1 else []
        layers += [
            convolution(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if not self.is_residual:
            return self.conv(input)  # type: ignore[no-any-return]
        # The norm adds the input in its own pass.
        *layers, norm = self.conv
        hidden = input
        for layer in layers:
            hidden = layer(hidden)
        return norm(hidden, residual=input)  # type: ignore[no-any-return]


def convolution(inputs: int, outputs: int, kernel: int, **options: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False, **options),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of the divisor that is nearest, or the next where that would be less by 10%."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


@checks_names
def mobilenet_v2(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    width: float = 1.0,
    dropout: float = 0.2,
    small_images: bool = False,
    scale: float | None = None,
) -> nn.Sequential:
    """MobileNetV2: few multiplications and few parameters.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        width (float, default 1.0): What the numbers of channels are multiplied with, above 0 and up to 10.
        dropout (float, default 0.2): Share of the features that the last layer misses in training.
        small_images (bool, default False): For images of about 32 x 32: the first two strides are 1.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 3,504,872 parameters.

    Source: M. Sandler, A. Howard, M. Zhu, A. Zhmoginov and L.-C. Chen, MobileNetV2: inverted residuals and
    linear bottlenecks, 2018.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import mobilenet_v2
        >>> mobilenet_v2(10, width=0.25, small_images=True)(dt.zeros((1, 32, 32, 3))).shape
        (1, 10)
    """
    check_sizes("mobilenet_v2", scale=scale, classes=classes, in_channels=in_channels)
    real("mobilenet_v2", "width", width, "a number above 0 and up to 10", lambda value: 0 < value <= 10)
    channels = divisible(32 * width)
    last = divisible(1280 * max(1.0, width))
    features: list[nn.Module] = [convolution(in_channels, channels, 3, stride=1 if small_images else 2)]
    for number, (expansion, base, count, first_stride) in enumerate(STAGES):
        outputs = divisible(base * width)
        for i in range(count):
            stride = first_stride if i == 0 and not (small_images and number == 1) else 1
            features.append(InvertedResidual(channels, outputs, stride, expansion))
            channels = outputs
    features.append(convolution(channels, last, 1))
    layers = {
        "features": nn.Sequential(*features),
        "avgpool": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "classifier": nn.Sequential(nn.Dropout(dropout), nn.Linear(last, classes)),
    }
    model = assemble(layers, scale)
    draw_convolutions(model)
    draw_linear(model)
    return model
