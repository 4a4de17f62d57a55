"""U-Net: from an image to a class, or a number, for each of its pixels."""

from __future__ import annotations

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flags
from ..nn.checks import choice
from .build import check_sizes
from .classifiers import Rescale
from .heads import Headed


class UNet(Headed, nn.Module):
    """An encoder and a decoder with shortcuts between the stages of one size; `unet` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import UNet
        >>> UNet(2, in_channels=1, base_width=4)(dt.zeros((1, 32, 32, 1))).shape
        (1, 32, 32, 2)
    """

    heads = ("conv",)

    @checks_names
    def __init__(
        self,
        classes: int = 1,
        in_channels: int = 3,
        base_width: int = 32,
        batch_norm: bool = True,
        padding: str = "same",
        scale: float | None = None,
    ) -> None:
        super().__init__()
        check_sizes("unet", scale=scale, classes=classes, in_channels=in_channels, base_width=base_width)
        flags("unet", batch_norm=batch_norm)
        self.padding = choice("unet", "padding", padding, ("same", "valid"))
        pad = 1 if padding == "same" else 0
        if scale is not None:
            self.rescale = Rescale(scale)
        channels = in_channels
        for i in range(1, 5):
            width = base_width * 2 ** (i - 1)
            setattr(self, f"encoder{i}", two_convolutions(f"enc{i}", channels, width, batch_norm, pad))
            setattr(self, f"pool{i}", nn.MaxPool2d(2))
            channels = width
        self.bottleneck = two_convolutions("bottleneck", channels, 2 * channels, batch_norm, pad)
        for i in range(4, 0, -1):
            width = base_width * 2 ** (i - 1)
            setattr(self, f"upconv{i}", nn.ConvTranspose2d(2 * width, width, 2, stride=2))
            setattr(self, f"decoder{i}", two_convolutions(f"dec{i}", 2 * width, width, batch_norm, pad))
        self.conv = nn.Conv2d(base_width, classes, 1)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        layers = self.__dict__
        hidden = layers["rescale"](input) if "rescale" in layers else input
        kept = []
        for i in range(1, 5):
            hidden = layers[f"encoder{i}"](hidden)
            kept.append(hidden)
            hidden = layers[f"pool{i}"](hidden)
        hidden = self.bottleneck(hidden)
        for i in range(4, 0, -1):
            hidden = join(layers[f"upconv{i}"](hidden), kept[i - 1])
            hidden = layers[f"decoder{i}"](hidden)
        return self.conv(hidden)  # type: ignore[no-any-return]


def join(upper: _core.Tensor, shortcut: _core.Tensor) -> _core.Tensor:
    """Both side by side: the shortcut's rim is cut off where it is larger by two pixels or more; `upper` gets
    zeros where a pool has left out the last row or column."""
    heights, widths = (
        _margins(have, want) for have, want in zip(shortcut.shape[1:3], upper.shape[1:3], strict=True)
    )
    top, left = heights[0], widths[0]
    height, width = upper.shape[1] + heights[1], upper.shape[2] + widths[1]
    if (top, left, height, width) != (0, 0, *shortcut.shape[1:3]):
        shortcut = shortcut[:, top : top + height, left : left + width, :]
    if heights[1] or widths[1]:
        upper = _core.pad(upper, ((0, 0), (0, heights[1]), (0, widths[1]), (0, 0)))
    return _core.concat([upper, shortcut], axis=3)


def _margins(have: int, want: int) -> tuple[int, int]:
    """What is cut off before the shortcut, and what the upper image lacks."""
    return ((have - want) // 2, 0) if have - want > 1 else (0, have - want)


def two_convolutions(name: str, inputs: int, outputs: int, batch_norm: bool, padding: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for i in (1, 2):
        convolution = nn.Conv2d(inputs, outputs, 3, padding=padding, bias=not batch_norm)
        layers[f"{name}conv{i}"] = convolution
        if batch_norm:
            layers[f"{name}norm{i}"] = nn.BatchNorm2d(outputs)
        layers[f"{name}relu{i}"] = nn.ReLU()
        inputs = outputs
    return nn.Sequential(layers)


@checks_names
def unet(
    classes: int = 1,
    *,
    in_channels: int = 3,
    base_width: int = 32,
    batch_norm: bool = True,
    padding: str = "same",
    scale: float | None = None,
) -> UNet:
    """U-Net for segmentation.

    Args:
        classes (int, default 1): Numbers for each pixel; 1 is a logit of belonging to the object.
        in_channels (int, default 3): Channels of the images.
        base_width (int, default 32): Channels of the first stage; each has twice as many as the one before.
        batch_norm (bool, default True): Whether every convolution is followed by one, and has no bias then.
        padding ("same" or "valid", default "same"): Whether the output has the size of the input; with
            "valid" every convolution takes a pixel off every side, as in the paper.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, height, width, classes), which are logits.
    Heights and widths need not be divisible by 16; the least is 16. With "valid" the output is smaller: 388
    for 572, and the size must be one that fits.

    With the defaults it is the network of PyTorch Hub's "mateuszbuda/brain-segmentation-pytorch", by the same
    names of layers, without its last sigmoid: 7,763,041 parameters. The paper's is
    ``unet(2, in_channels=1, base_width=64, batch_norm=False, padding="valid")``: 31,030,658.

    Source: O. Ronneberger, P. Fischer and T. Brox, U-Net: convolutional networks for biomedical image
    segmentation, 2015; M. Buda, A. Saha and M. A. Mazurowski, Association of genomic subtypes of lower-grade
    gliomas with shape features automatically extracted by a deep learning algorithm, 2019.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import unet
        >>> unet(base_width=4)(dt.zeros((1, 40, 50, 3))).shape
        (1, 40, 50, 1)
    """
    return UNet(classes, in_channels, base_width, batch_norm, padding, scale)
