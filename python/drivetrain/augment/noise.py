"""Noise: each sample's numbers come from a random stream of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._arguments import checks_names
from .._checks import flag
from .._core import Tensor
from .checks import interval, number
from .color import ColorTransform
from .draws import Draws
from .pixels import share
from .transform import Parameters, Shape


class _Noise(ColorTransform):
    kind = ""
    in_white = False  # amounts are in units of white
    clip = True

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        amounts = parameters["amounts"]
        if self.in_white:
            amounts = amounts * self.white(images)
        return _core.noise_images(
            images,
            self.kind,
            share(parameters["keys"]),
            share(amounts.astype(np.float32)),
            self.max_value if self.clip else None,
        )


def _sigma(where: str, sigma: Any) -> tuple[float, float]:
    pair = sigma if isinstance(sigma, (tuple, list, np.ndarray)) else (sigma, sigma)
    return interval(where, "sigma", pair, low=0)


class GaussianNoise(_Noise):
    """Adds normal numbers.

    Args:
        mean: Their mean, in units of white: 0.1 is 25.5 of uint8.
        sigma: Their standard deviation in the same units; of a pair, drawn for each sample.
        clip: Whether float32 images are cut to [0, max_value] afterwards; uint8 always is.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.GaussianNoise.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import GaussianNoise
        >>> grey = np.full((100, 100), 128, np.uint8)
        >>> round(float(GaussianNoise(sigma=0.1, seed=0)(grey).std()))
        26
    """

    kind, in_white = "gaussian", True

    @checks_names
    def __init__(
        self,
        mean: float = 0.0,
        sigma: float | tuple[float, float] = 0.1,
        clip: bool = True,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        where = type(self).__name__
        self.mean = number(where, "mean", mean)
        self.sigma = _sigma(where, sigma)
        flag(where, "clip", clip)
        self.clip = clip

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        sigma = draws.uniform(*self.sigma)
        return {"keys": draws.keys(), "amounts": np.stack([np.full_like(sigma, self.mean), sigma], axis=1)}


class SpeckleNoise(GaussianNoise):
    """Adds to each value a normal number times the value.

    Args:
        mean: Mean of the numbers.
        sigma: Their standard deviation; of a pair, drawn for each sample.
        clip: Whether float32 images are cut to [0, max_value] afterwards; uint8 always is.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: skimage.util.random_noise(mode="speckle").

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import SpeckleNoise
        >>> int(SpeckleNoise(sigma=0.3)(np.zeros((8, 8), np.uint8)).max())
        0
    """

    kind, in_white = "speckle", False


class SaltAndPepper(_Noise):
    """Makes some pixels white and some black.

    Args:
        amount: The share of pixels; of a pair, drawn for each sample.
        salt_vs_pepper: The share of white among them; of a pair, drawn for each sample.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: albumentations.SaltAndPepper.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import SaltAndPepper
        >>> grey = np.full((100, 100), 128, np.uint8)
        >>> round(float((SaltAndPepper(0.2, seed=0)(grey) != 128).mean()), 1)
        0.2
    """

    kind = "salt_and_pepper"

    @checks_names
    def __init__(
        self,
        amount: float | tuple[float, float] = (0.01, 0.06),
        salt_vs_pepper: float | tuple[float, float] = 0.5,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.amount = _share("amount", amount)
        self.salt_vs_pepper = _share("salt_vs_pepper", salt_vs_pepper)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        amounts = np.stack([draws.uniform(*self.amount), draws.uniform(*self.salt_vs_pepper)], axis=1)
        return {"keys": draws.keys(), "amounts": amounts}


def _share(name: str, value: Any) -> tuple[float, float]:
    pair = value if isinstance(value, (tuple, list, np.ndarray)) else (value, value)
    return interval("SaltAndPepper", name, pair, low=0, high=1)
