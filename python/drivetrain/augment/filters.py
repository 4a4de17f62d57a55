"""Blur and sharpness: sums over neighbours, mirrored at the border."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import _core
from .._arguments import checks_names
from .._core import Tensor
from . import pixels
from .checks import MOST, interval, number
from .color import ColorTransform
from .draws import Draws
from .transform import Parameters, Shape, Transform

LARGEST = 255  # taps that the kernel takes


def _odd(where: str, name: str, value: Any) -> int:
    try:
        size = operator.index(value)
    except TypeError:
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected an odd integer") from None
    if isinstance(value, bool) or not 1 <= size <= LARGEST or size % 2 == 0:
        raise ValueError(f"{where}: {name} is {value!r}, expected an odd integer from 1 to {LARGEST}")
    return size


class GaussianBlur(Transform):
    """Blurs with a bell of random width.

    Args:
        kernel_size: How many pixels count across and down: an odd number up to 255, or a pair of them.
        sigma: Standard deviation of the bell in pixels; of a pair, drawn for each sample.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    The picture is mirrored at its border, which is not repeated; one smaller than the kernel as often as it
    takes.

    Source: torchvision.transforms.v2.GaussianBlur.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import GaussianBlur
        >>> dot = np.zeros((5, 5), np.uint8)
        >>> dot[2, 2] = 255
        >>> GaussianBlur(3, sigma=1.0)(dot)[1:4, 1:4].tolist()
        [[19, 32, 19], [32, 52, 32], [19, 32, 19]]
    """

    @checks_names
    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        sigma: float | tuple[float, float] = (0.1, 2.0),
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        pair = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
        if len(pair) != 2:
            raise ValueError(f"GaussianBlur: kernel_size is {kernel_size!r}, expected a number or a pair")
        self.kernel_size = (
            _odd("GaussianBlur", "kernel_size", pair[0]),
            _odd("GaussianBlur", "kernel_size", pair[1]),
        )
        widths = sigma if isinstance(sigma, (tuple, list, np.ndarray)) else (sigma, sigma)
        self.sigma = interval("GaussianBlur", "sigma", widths, low=1 / MOST)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"sigma": draws.uniform(*self.sigma)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        across, down = (pixels.gaussian_taps(size, parameters["sigma"]) for size in self.kernel_size)
        return _core.filter_images(images, pixels.share(down), pixels.share(across))


class BoxBlur(Transform):
    """Means over squares of random size.

    Args:
        kernel_size: Sides of the squares in pixels: an odd number up to 255, or the range from which odd
            numbers are drawn.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    Source: albumentations.Blur; PIL.ImageFilter.BoxBlur, but for the border, which is mirrored.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import BoxBlur
        >>> BoxBlur(3)(np.array([[0, 0, 90, 0, 0]] * 3, np.uint8))[1].tolist()
        [0, 30, 30, 30, 0]
    """

    @checks_names
    def __init__(
        self, kernel_size: int | tuple[int, int] = (3, 7), p: float = 1.0, *, seed: int | None = None
    ) -> None:
        super().__init__(p, seed=seed)
        pair = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
        if len(pair) != 2:
            raise ValueError(f"BoxBlur: kernel_size is {kernel_size!r}, expected a number or a pair")
        low, high = (_odd("BoxBlur", "kernel_size", each) for each in pair)
        if low > high:
            raise ValueError(f"BoxBlur: kernel_size is {kernel_size!r}, expected the lower number first")
        self.kernel_size = (low, high)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        low, high = self.kernel_size
        return {"sizes": 2 * draws.integers(low // 2, high // 2 + 1) + 1}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        taps = pixels.share(pixels.box_taps(parameters["sizes"]))
        return _core.filter_images(images, taps, taps)


class RandomAdjustSharpness(ColorTransform):
    """Sharpens or smooths.

    Args:
        sharpness_factor: 0 smooths, 1 changes nothing, 2 sharpens; at least 0.
        p: The share of samples that are transformed.
        max_value: White in float32 images, which are cut to [0, max_value].
        seed: Of the draws, see `Transform`.

    Pixels at the border stay as they are.

    Source: torchvision.transforms.v2.RandomAdjustSharpness; PIL.ImageEnhance.Sharpness.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomAdjustSharpness
        >>> edge = np.array([[50, 50, 100, 100]] * 3, np.uint8)
        >>> RandomAdjustSharpness(2, p=1)(edge)[1].tolist()
        [50, 38, 112, 100]
    """

    @checks_names
    def __init__(
        self,
        sharpness_factor: float,
        p: float = 0.5,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.sharpness_factor = number("RandomAdjustSharpness", "sharpness_factor", sharpness_factor, 0, 1e6)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return pixels.sharpened(images, np.full(images.shape[0], self.sharpness_factor), self.max_value)
