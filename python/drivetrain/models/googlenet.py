"""Inception v1, also called GoogLeNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flags
from .build import check_sizes, draw_linear, norm_relu
from .classifiers import Rescale
from .heads import Headed

# Means and deviations by which torchvision's weights want to see images that are normalised otherwise.
TRANSFORM = ((0.229 / 0.5, 0.224 / 0.5, 0.225 / 0.5), (-0.03, -0.088, -0.188))


class Convolution(nn.Module):
    """A convolution without bias, batch norm and a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn = norm_relu(outputs, eps=0.001)

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        return self.bn(self.conv(input))  # type: ignore[no-any-return]


class Inception(nn.Module):
    """Four branches side by side: 1 x 1, 3 x 3 and 5 x 5 convolutions and a pool, joined by channels.

    Args:
        inputs: Channels of the input.
        channels (six ints): Of the 1 x 1 branch; of the 3 x 3 branch before it and of itself; the same of the
            5 x 5 branch; of the branch with the pool.

    Shapes: input (n, height, width, inputs), output (n, height, width, sum of the branches).

    The "5 x 5" branch is 3 x 3, as in torchvision, whose weights have that size.

    Source: C. Szegedy and others, Going deeper with convolutions, 2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import Inception
        >>> Inception(8, (4, 4, 8, 2, 4, 4))(dt.zeros((1, 8, 8, 8))).shape
        (1, 8, 8, 20)
    """

    def __init__(self, inputs: int, channels: Sequence[int]) -> None:
        super().__init__()
        if len(channels) != 6:
            raise ValueError(f"Inception: channels is {tuple(channels)}, expected six numbers")
        one, before_three, three, before_five, five, pool = channels
        self.branch1 = Convolution(inputs, one, 1)
        self.branch2 = nn.Sequential(
            Convolution(inputs, before_three, 1), Convolution(before_three, three, 3)
        )
        self.branch3 = nn.Sequential(Convolution(inputs, before_five, 1), Convolution(before_five, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), Convolution(inputs, pool, 1))

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return _core.concat([branch(input) for branch in branches], axis=3)


class AuxiliaryHead(nn.Module):
    """A small classifier in the middle of the network, which brings gradients to the layers before it."""

    def __init__(self, inputs: int, classes: int, dropout: float = 0.7) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.conv = Convolution(inputs, 128, 1)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(2048, 1024)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, input: _core.Tensor) -> Any:
        hidden = self.flatten(self.conv(self.pool(input)))
        return self.fc2(self.dropout(_core.relu(self.fc1(hidden))))


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet with auxiliary heads gives in training.

    Example:
        >>> from drivetrain.models import GoogLeNetOutputs
        >>> GoogLeNetOutputs(1, 2, 3).logits
        1
    """

    logits: Any
    aux_logits2: Any
    aux_logits1: Any


class GoogLeNet(Headed, nn.Module):
    """Inception v1; `googlenet` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import GoogLeNet
        >>> GoogLeNet(10).eval()(dt.zeros((1, 64, 64, 3))).shape
        (1, 10)
    """

    heads = ("fc", "aux1.fc2", "aux2.fc2")

    @checks_names
    def __init__(
        self,
        classes: int = 1000,
        in_channels: int = 3,
        auxiliary: bool = False,
        transform_input: bool = False,
        dropout: float = 0.2,
        auxiliary_dropout: float = 0.7,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        check_sizes("googlenet", scale=scale, classes=classes, in_channels=in_channels)
        flags("googlenet", auxiliary=auxiliary, transform_input=transform_input)
        if transform_input and in_channels != 3:
            raise ValueError(f"googlenet: transform_input is for 3 channels, in_channels is {in_channels}")
        self.transform_input = transform_input
        if scale is not None:
            self.rescale = Rescale(scale)
        self.conv1 = Convolution(in_channels, 64, 7, stride=2)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = Convolution(64, 64, 1)
        self.conv3 = Convolution(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, (64, 96, 128, 16, 32, 32))
        self.inception3b = Inception(256, (128, 128, 192, 32, 96, 64))
        self.maxpool3 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, (192, 96, 208, 16, 48, 64))
        self.inception4b = Inception(512, (160, 112, 224, 24, 64, 64))
        self.inception4c = Inception(512, (128, 128, 256, 24, 64, 64))
        self.inception4d = Inception(512, (112, 144, 288, 32, 64, 64))
        self.inception4e = Inception(528, (256, 160, 320, 32, 128, 128))
        self.maxpool4 = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, (256, 160, 320, 32, 128, 128))
        self.inception5b = Inception(832, (384, 192, 384, 48, 128, 128))
        self.auxiliary = auxiliary
        if auxiliary:
            self.aux1 = AuxiliaryHead(512, classes, auxiliary_dropout)
            self.aux2 = AuxiliaryHead(528, classes, auxiliary_dropout)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, 0.0, 0.01, -2.0, 2.0)
        draw_linear(self)

    def forward(self, input: _core.Tensor) -> Any:
        hidden = self._stem(input)
        hidden = self.maxpool3(self.inception3b(self.inception3a(hidden)))
        first = self.inception4a(hidden)
        second = self.inception4d(self.inception4c(self.inception4b(first)))
        hidden = self.maxpool4(self.inception4e(second))
        hidden = self.avgpool(self.inception5b(self.inception5a(hidden)))
        logits = self.fc(self.dropout(self.flatten(hidden)))
        if not (self.auxiliary and self.training):
            return logits
        return GoogLeNetOutputs(logits, self.aux2(second), self.aux1(first))

    def _stem(self, input: _core.Tensor) -> _core.Tensor:
        if "rescale" in self.__dict__:
            input = self.rescale(input)
        if self.transform_input:
            factors, shifts = (_core.tensor(row).astype(input.dtype) for row in TRANSFORM)
            input = input * factors + shifts
        hidden = self.conv3(self.conv2(self.maxpool1(self.conv1(input))))
        return self.maxpool2(hidden)  # type: ignore[no-any-return]


class AuxiliaryLoss(nn.Module):
    """The loss of a network with auxiliary heads: that of its output plus a share of those of the heads.

    Args:
        loss (module, optional): Of an output and a target. Default: `nn.CrossEntropyLoss()`.
        weight (float, default 0.3): Of every auxiliary output.

    A network that gives one output alone, as GoogLeNet does in evaluation, has the loss of that.

    Source: C. Szegedy and others, Going deeper with convolutions, 2014, section 5.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import AuxiliaryLoss
        >>> logits, target = dt.zeros((2, 4)), dt.tensor([0, 3])
        >>> round(AuxiliaryLoss()((logits, logits, logits), target).item(), 4)  # 1.6 log 4
        2.2181
    """

    def __init__(self, loss: nn.Module | None = None, weight: float = 0.3) -> None:
        super().__init__()
        self.loss = nn.CrossEntropyLoss() if loss is None else loss
        self.weight = float(weight)

    def forward(self, output: Any, target: Any) -> Any:
        if not isinstance(output, tuple):
            return self.loss(output, target)
        main, *others = output
        total = self.loss(main, target)
        for other in others:
            total = total + self.weight * self.loss(other, target)
        return total


@checks_names
def googlenet(
    classes: int = 1000,
    *,
    in_channels: int = 3,
    auxiliary: bool = False,
    transform_input: bool = False,
    dropout: float = 0.2,
    auxiliary_dropout: float = 0.7,
    scale: float | None = None,
) -> GoogLeNet:
    """Inception v1, with batch norm as in torchvision.

    Args:
        classes (int, default 1000): Outputs.
        in_channels (int, default 3): Channels of the images.
        auxiliary (bool, default False): Whether there are two auxiliary heads. The network then gives
            (logits, logits of the second head, logits of the first) in training, and logits alone in
            evaluation; train it with `AuxiliaryLoss`.
        transform_input (bool, default False): Takes images normalised by ImageNet's means and deviations to
            what torchvision's weights were trained with.
        dropout (float, default 0.2): Share of the features that the last layer misses in training.
        auxiliary_dropout (float, default 0.7): The same in the auxiliary heads.
        scale (float, optional): What the input is multiplied with first; 1 / 255 for bytes.

    Shapes: input (n, height, width, in_channels), output (n, classes), which are logits. The names of the
    layers are torchvision's; 6,624,904 parameters, with the auxiliary heads 13,004,888.

    Source: C. Szegedy and others, Going deeper with convolutions, 2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import googlenet
        >>> [part.shape for part in googlenet(10, auxiliary=True)(dt.zeros((1, 64, 64, 3)))]
        [(1, 10), (1, 10), (1, 10)]
    """
    return GoogLeNet(classes, in_channels, auxiliary, transform_input, dropout, auxiliary_dropout, scale)
