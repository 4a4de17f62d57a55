"""What the constructors of the networks share: checks, first weights, the layer that scales bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import nn
from .._checks import number
from ..nn import init
from ..nn.checks import integer
from .classifiers import Rescale


def check_sizes(where: str, *, scale: float | None = None, **sizes: Any) -> None:
    """Raises for sizes that are no positive integers, and a scale that is neither a number nor None."""
    for name, size in sizes.items():
        integer(where, name, size)
    if scale is not None:
        number(where, "scale", scale)


def assemble(layers: Mapping[str, nn.Module], scale: float | None) -> nn.Sequential:
    """A network of named layers; with a scale it begins by multiplying its input."""
    first = {} if scale is None else {"rescale": Rescale(scale)}
    return nn.Sequential({**first, **layers})


def draw_convolutions(model: nn.Module) -> None:
    """He's normal weights by the number of outputs for every convolution, no bias."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)


def draw_linear(model: nn.Module) -> None:
    """Small normal weights for every linear layer, no bias."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, 0.0, 0.01)
            if module.bias is not None:
                init.zeros_(module.bias)


def norm_relu(channels: int, eps: float = 1e-5) -> nn.BatchNorm2d:
    """Batch norm and a ReLU, in one pass over memory."""
    return nn.BatchNorm2d(channels, eps=eps, activation="relu")
