"""The networks of the benchmarks, as data that every library builds in its own words.

A network is a list of layers `(name, options)`; "residual" holds two lists, whose sum goes through a ReLU.
Images are NHWC here; a library that has channels first transposes the weights.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

Layer = tuple[str, dict[str, Any]]


def conv(
    inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0, bias: bool = False
) -> Layer:
    return "conv", {
        "inputs": inputs, "outputs": outputs, "size": size,
        "stride": stride, "padding": padding, "bias": bias,
    }  # fmt: skip


def batch_norm(channels: int, scale: float = 1.0) -> Layer:
    """`scale`: its initial weights."""
    return "batch_norm", {"channels": channels, "scale": scale}


def max_pool(size: int, stride: int, padding: int = 0) -> Layer:
    return "max_pool", {"size": size, "stride": stride, "padding": padding}


def linear(inputs: int, outputs: int, image: tuple[int, int, int] | None = None) -> Layer:
    """`image` is the shape (height, width, channels) that was flattened in front of the layer."""
    return "linear", {"inputs": inputs, "outputs": outputs, "image": image}


RELU: Layer = ("relu", {})
FLATTEN: Layer = ("flatten", {})
GLOBAL_POOL: Layer = ("global_pool", {})


def mlp(sizes: list[int]) -> list[Layer]:
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [linear(inputs, outputs), RELU]
    return layers[:-1]


def lenet() -> list[Layer]:
    return [
        conv(1, 6, 5, padding=2, bias=True), RELU, max_pool(2, 2),
        conv(6, 16, 5, bias=True), RELU, max_pool(2, 2), FLATTEN,
        linear(400, 120, (5, 5, 16)), RELU, linear(120, 84), RELU, linear(84, 10),
    ]  # fmt: skip


# The scale of the norm that ends a residual block. With 1, rounding turns so many ReLUs of a ResNet-50 over
# that the float32 gradients of every library are 2 to 5% away from those in float64, and a check says little.
# The usual 0 (Goyal et al., 2017) would leave nothing to check: most gradients of the first step would be 0.
LAST_SCALE = 0.25


def residual(main: list[Layer], shortcut: list[Layer]) -> Layer:
    return "residual", {"main": main, "shortcut": shortcut}


def basic_block(inputs: int, outputs: int, stride: int) -> Layer:
    main = [
        conv(inputs, outputs, 3, stride, 1), batch_norm(outputs), RELU,
        conv(outputs, outputs, 3, 1, 1), batch_norm(outputs, LAST_SCALE),
    ]  # fmt: skip
    same = stride == 1 and inputs == outputs
    return residual(main, [] if same else [conv(inputs, outputs, 1, stride), batch_norm(outputs)])


def bottleneck(inputs: int, width: int, stride: int) -> Layer:
    outputs = 4 * width
    main = [
        conv(inputs, width, 1), batch_norm(width), RELU,
        conv(width, width, 3, stride, 1), batch_norm(width), RELU,
        conv(width, outputs, 1), batch_norm(outputs, LAST_SCALE),
    ]  # fmt: skip
    same = stride == 1 and inputs == outputs
    return residual(main, [] if same else [conv(inputs, outputs, 1, stride), batch_norm(outputs)])


def resnet18(classes: int = 10, width: int = 64, blocks: int = 2) -> list[Layer]:
    """For 32x32 images: a 3x3 convolution in front and no pool (He et al., 2015, section 4.2)."""
    layers, inputs = [conv(3, width, 3, 1, 1), batch_norm(width), RELU], width
    for stage in range(4):
        outputs = width << stage
        for i in range(blocks):
            layers.append(basic_block(inputs, outputs, 2 if stage and i == 0 else 1))
            inputs = outputs
    return [*layers, GLOBAL_POOL, linear(inputs, classes)]


def resnet50(classes: int = 1000, width: int = 64, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> list[Layer]:
    """For 224x224 images (He et al., 2015), the stride in the 3x3 convolutions, as in torchvision."""
    layers = [conv(3, width, 7, 2, 3), batch_norm(width), RELU, max_pool(3, 2, 1)]
    inputs = width
    for stage, count in enumerate(blocks):
        for i in range(count):
            layers.append(bottleneck(inputs, width << stage, 2 if stage and i == 0 else 1))
            inputs = 4 * (width << stage)
    return [*layers, GLOBAL_POOL, linear(inputs, classes)]


NETWORKS = {"mlp": mlp, "lenet": lenet, "resnet18": resnet18, "resnet50": resnet50}


def layers_of(options: dict[str, Any]) -> list[Layer]:
    return NETWORKS[options["network"]](**options.get("arguments", {}))


def weights(layers: list[Layer], rng: np.random.Generator) -> Iterator[dict[str, np.ndarray]]:
    """Initial weights of the layers that have some, in the order in which `walk` meets them.

    Those of a convolution are (outputs, height, width, inputs), those of a linear layer (outputs, inputs).
    """
    for name, o in walk(layers):
        if name == "conv":
            shape: tuple[int, ...] = (o["outputs"], o["size"], o["size"], o["inputs"])
        elif name == "linear":
            shape = (o["outputs"], o["inputs"])
        else:
            ones, zeros = np.ones(o["channels"], np.float32), np.zeros(o["channels"], np.float32)
            yield {"weight": ones * np.float32(o["scale"]), "bias": zeros}
            continue
        scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
        found = {"weight": rng.standard_normal(shape, dtype=np.float32) * scale}
        if name == "linear" or o["bias"]:
            found["bias"] = np.zeros(shape[0], np.float32)
        yield found


def walk(layers: list[Layer]) -> Iterator[Layer]:
    """The layers with weights: of a residual block first the main branch, then the shortcut."""
    for name, options in layers:
        if name == "residual":
            yield from walk(options["main"])
            yield from walk(options["shortcut"])
        elif name in ("conv", "linear", "batch_norm"):
            yield name, options
