"""The cases of the suite `conv`."""

from dataclasses import replace
from typing import Any

from benchmarks.cases import NUMPY, Bar, Case
from benchmarks.kernels import in_half


def of_images(channels: tuple[int, int], pixels: int, size: int, stride: int, padding: int) -> dict[str, Any]:
    return {
        "batch": 32,
        "height": pixels,
        "width": pixels,
        "inputs": channels[0],
        "outputs": channels[1],
        "size": size,
        "stride": stride,
        "padding": padding,
    }


def conv(
    name: str,
    channels: tuple[int, int],
    pixels: int,
    size: int,
    stride: int,
    least: float,
    goal: float | None,
    numpy: float = 1.0,
    groups: int = 1,
    input_gradient: bool = True,
) -> Case:
    inputs, outputs = channels
    after = (pixels + 2 * (size // 2) - size) // stride + 1
    products = 2.0 * 32 * after * after * outputs * size * size * inputs / groups
    options = of_images(channels, pixels, size, stride, size // 2)
    options |= {"groups": groups, "input_gradient": input_gradient}
    tiny = {"batch": 2, "height": 9, "width": 9}
    tiny |= {"inputs": 4, "outputs": 4, "groups": 4} if groups > 1 else {"inputs": 3, "outputs": 5}
    return Case(
        f"{name}, 32x{pixels}x{pixels}, forward+backward",
        "conv",
        options,
        (Bar("peers", least, goal), Bar("numpy", numpy)),
        flops=products * (3 if input_gradient else 2),
        seconds=0.3,
        tiny=tiny,
        without={"torch compile tuned": "a single kernel, as in eager mode"},
        readme="Convolution 3x3, 64 channels, forward and backward" if name.startswith("conv 3x3 64") else "",
    )


def conv1d(name: str, channels: tuple[int, int], length: int, size: int) -> Case:
    """Stride 1, as long after as before."""
    inputs, outputs = channels
    options: dict[str, Any] = {"batch": 32, "length": length, "inputs": inputs, "outputs": outputs}
    return Case(
        f"{name}, 32x{length}, forward+backward",
        "conv1d",
        {**options, "size": size},
        (Bar("peers", 1.0), NUMPY),
        flops=3 * 2.0 * 32 * length * outputs * size * inputs,
        seconds=0.3,
        tiny={"batch": 2, "length": 19, "inputs": 3, "outputs": 5},
        without={
            "torch compile tuned": "a single kernel, as in eager mode",
            "torch channels_last tuned": "no images",
        },
    )


def conv_transpose(name: str, channels: tuple[int, int], pixels: int, size: int, stride: int) -> Case:
    """Padded so that the image grows by the stride."""
    inputs, outputs = channels
    options = of_images(channels, pixels, size, stride, (size - stride) // 2)
    return Case(
        f"{name}, 32x{pixels}x{pixels}, forward+backward",
        "conv_transpose",
        options,
        (Bar("peers", 1.0), NUMPY),
        flops=3 * 2.0 * 32 * pixels * pixels * inputs * outputs * size * size,
        seconds=0.3,
        tiny={"batch": 2, "height": 5, "width": 6, "inputs": 3, "outputs": 4},
        without={"torch compile tuned": "a single kernel, as in eager mode"},
    )


CONV_3X3 = conv("conv 3x3 64-64", (64, 64), 56, 3, 1, 1.6, 2.2, 4.0)
CONV = [
    CONV_3X3,
    conv("conv 3x3 stride 2 128-128", (128, 128), 28, 3, 2, 1.4, None, 4.0),
    conv("conv 1x1 256-64", (256, 64), 56, 1, 1, 1.4, None),
    conv("conv 7x7 stride 2 3-64", (3, 64), 224, 7, 2, 1.3, None, input_gradient=False),
    conv("depthwise 3x3 144", (144, 144), 56, 3, 1, 1.6, 2.5, groups=144),
    conv1d("conv1d 5 64-128", (64, 128), 2048, 5),
    conv_transpose("transposed conv 4x4 stride 2 128-64", (128, 64), 28, 4, 2),
]


def half_conv(case: Case) -> Case:
    """A convolution on bfloat16 beside the one of float32, which may be faster by a tenth at most."""
    return replace(in_half(case), bars=(Bar("torch", 1.5, 2.0), Bar("in float32", 1 / 1.1)))


HALF_CONVOLUTIONS = [half_conv(case) for case in CONV]
