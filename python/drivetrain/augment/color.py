"""Transforms of colours. Steps that follow each other are computed in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._core import Tensor
from . import pixels
from .checks import LARGEST, MOST, interval, number
from .draws import Draws
from .targets import Group
from .transform import Parameters, Shape, Transform

Floats = NDArray[np.float64]


def check_white(where: str, max_value: Any) -> float:
    return number(where, "max_value", max_value, 1 / LARGEST)


class ColorTransform(Transform):
    """Base of the transforms of colours.

    Pictures of three channels are red, green and blue; of four, the fourth is opacity and stays. Of all
    others every channel is a grey picture of its own.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images, whose values lie from 0 to this; of uint8 images it is 255.
        seed: Of the draws, see `Transform`.
    """

    def __init__(self, p: float = 1.0, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, seed=seed)
        self.max_value = check_white(type(self).__name__, max_value)

    def white(self, images: Tensor) -> float:
        return 255.0 if images.dtype.name == "uint8" else self.max_value


class StepTransform(ColorTransform):
    """Base of what each pixel goes through by itself: (n, count, 13) steps of `_core.transform_colors`."""

    _contrasts = 0  # steps of contrast, of which a pass can have one
    _fuses = True

    def steps(self, draws: Draws, shape: Shape) -> NDArray[np.float32]:
        raise NotImplementedError

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"steps": self.steps(draws, shape)}

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters:
        steps = parameters["steps"].copy()
        steps[left] = 0
        return {"steps": steps}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return _core.transform_colors(images, pixels.share(parameters["steps"]), self.max_value)

    def fusible(self, transforms: Sequence[Transform]) -> int:
        contrasts = 0
        for count, transform in enumerate(transforms):
            if not isinstance(transform, StepTransform) or not transform._fuses:
                return max(count, 1)
            if transform.max_value != self.max_value:
                return count
            contrasts += transform._contrasts
            if contrasts > 1:
                return max(count, 1)
        return len(transforms)

    def run_fused(
        self, transforms: Sequence[Transform], groups: list[Group], draws: Sequence[Draws]
    ) -> list[Group]:
        made = []
        for group in groups:
            steps = []
            for transform, stage in zip(transforms, draws, strict=True):
                mine = stage.take(group.index)
                chosen = mine.chance(transform.p) if transform.p < 1 else None
                parameters = transform.parameters(mine, group.shape)
                if chosen is not None:
                    parameters = transform.neutral(parameters, ~chosen) or parameters
                steps.append(parameters["steps"])
            made.append(self.changed(group, {"steps": np.concatenate(steps, axis=1)}))
        return made


class ColorJitter(StepTransform):
    """Changes brightness, contrast, saturation and hue, for each sample by other factors in another order.

    Args:
        brightness: A number makes factors from max(0, 1 - brightness) to 1 + brightness; a pair is their
            range. 0 is black.
        contrast: The same for the distance to the mean of the grey picture.
        saturation: The same for the distance of each pixel to its grey.
        hue: Turns of the hue by at most this much either way, up to 0.5, which is half of the circle; or a
            pair. HSV is computed exactly, not by levels.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    All four are computed in one pass without rounding between them. Grey pictures have no saturation and hue.

    Source: torchvision.transforms.v2.ColorJitter.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import ColorJitter
        >>> jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, seed=0)
        >>> jitter(np.full((4, 32, 32, 3), 100, np.uint8)).shape
        (4, 32, 32, 3)
    """

    _contrasts = 1

    @checks_names
    def __init__(
        self,
        brightness: float | tuple[float, float] = 0.0,
        contrast: float | tuple[float, float] = 0.0,
        saturation: float | tuple[float, float] = 0.0,
        hue: float | tuple[float, float] = 0.0,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.brightness = _factors("brightness", brightness)
        self.contrast = _factors("contrast", contrast)
        self.saturation = _factors("saturation", saturation)
        self.hue = interval("ColorJitter", "hue", hue, low=-0.5, high=0.5)
        self._contrasts = int(self.contrast != (1, 1))

    def steps(self, draws: Draws, shape: Shape) -> NDArray[np.float32]:
        order = draws.permutation(4)
        made = [
            pixels.brightness_steps(draws.uniform(*self.brightness)),
            pixels.contrast_steps(draws.uniform(*self.contrast)),
            pixels.saturation_steps(draws.uniform(*self.saturation)),
            pixels.hue_steps(draws.uniform(*self.hue)),
        ]
        same = (
            self.brightness == (1, 1),
            self.contrast == (1, 1),
            self.saturation == (1, 1),
            self.hue == (0, 0),
        )
        grey = shape[3] not in (3, 4)
        steps = np.stack(made, axis=1)
        steps[:, np.array(same) | np.array([False, False, grey, grey])] = 0
        ordered = np.take_along_axis(steps, order[:, :, None], axis=1)
        return ordered[:, ordered[:, :, 0].any(axis=0)]


def _factors(name: str, value: Any) -> tuple[float, float]:
    low, high = interval("ColorJitter", name, value, around=1.0)
    if isinstance(value, (int, float)):
        low = max(low, 0.0)
    if low < 0:
        raise ValueError(f"ColorJitter: {name} is {value!r}, expected factors of at least 0")
    return low, high


class RandomGrayscale(StepTransform):
    """Makes pictures grey, with as many channels as before.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomGrayscale.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomGrayscale
        >>> RandomGrayscale(p=1)(np.array([[[255, 0, 0]]], np.uint8)).tolist()
        [[[76, 76, 76]]]
    """

    @checks_names
    def __init__(self, p: float = 0.1, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)

    def steps(self, draws: Draws, shape: Shape) -> NDArray[np.float32]:
        factors = np.full(len(draws), float(shape[3] not in (3, 4)))
        return pixels.saturation_steps(factors)[:, None]


class RandomChannelShift(StepTransform):
    """Adds a number to each channel, another for each.

    Args:
        limit: A number: from -limit to limit; or a pair. In units of `max_value`: 0.1 is 25.5 of uint8.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Pictures of one channel get one number, those of other than 1, 3 or 4 channels one for all channels.

    Source: albumentations.RGBShift.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomChannelShift
        >>> RandomChannelShift((0.1, 0.1))(np.array([[[100, 0, 250]]], np.uint8)).tolist()
        [[[126, 26, 255]]]
    """

    _fuses = False  # shifts are in units of white, which the images tell

    @checks_names
    def __init__(
        self,
        limit: float | tuple[float, float] = 0.08,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.limit = interval("RandomChannelShift", "limit", limit, low=-1, high=1)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        shifts = draws.uniform(*self.limit, size=3)
        matrices = np.broadcast_to(np.eye(3, 4), (len(draws), 3, 4)).copy()
        matrices[:, :, 3] = shifts
        return {"steps": pixels.matrix_steps(matrices)[:, None]}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        steps = parameters["steps"].copy()
        steps[:, :, 4::4] *= self.white(images)
        return super().apply(images, {"steps": steps})


class RandomChannelPermutation(StepTransform):
    """Red, green and blue in another order for each sample.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Pictures of other than 3 or 4 channels stay as they are.

    Source: torchvision.transforms.v2.RandomChannelPermutation.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomChannelPermutation
        >>> sorted(RandomChannelPermutation(seed=1)(np.array([[[1, 2, 3]]], np.uint8)).ravel().tolist())
        [1, 2, 3]
    """

    @checks_names
    def __init__(self, p: float = 1.0, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)

    def steps(self, draws: Draws, shape: Shape) -> NDArray[np.float32]:
        order = draws.permutation(3)
        if shape[3] not in (3, 4):
            order = np.broadcast_to(np.arange(3), order.shape)
        return pixels.matrix_steps(np.eye(3, 4)[order])[:, None]


class RandomInvert(ColorTransform):
    """White minus the picture.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomInvert.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomInvert
        >>> RandomInvert(p=1)(np.array([[0, 200]], np.uint8)).tolist()
        [[255, 55]]
    """

    @checks_names
    def __init__(self, p: float = 0.5, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return solarized(images, np.zeros(images.shape[0]), self.max_value)


class RandomSolarize(ColorTransform):
    """Inverts values from a threshold on.

    Args:
        threshold: In [0, max_value] of float32 images, [0, 255] of uint8.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomSolarize; PIL.ImageOps.solarize.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomSolarize
        >>> RandomSolarize(128, p=1)(np.array([[100, 128, 255]], np.uint8)).tolist()
        [[100, 127, 0]]
    """

    @checks_names
    def __init__(
        self, threshold: float, p: float = 0.5, *, max_value: float = 255.0, seed: int | None = None
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.threshold = number("RandomSolarize", "threshold", threshold, 0, max(255.0, self.max_value))

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return solarized(images, np.full(images.shape[0], self.threshold), self.max_value)


def solarized(images: Tensor, thresholds: Floats, max_value: float) -> Tensor:
    """Values from the thresholds (n,) on become white minus themselves."""
    if images.dtype.name == "uint8":
        return pixels.looked_up(images, pixels.solarize_tables(thresholds), 255.0)
    from_here = pixels.share(thresholds.astype(np.float32).reshape(-1, 1, 1, 1))
    return pixels.with_alpha(_core.where(images >= from_here, max_value - images, images), images)


class RandomPosterize(ColorTransform):
    """Keeps the upper bits of each level.

    Args:
        bits: How many, from 0 to 8.
        p: The share of samples that are transformed.
        max_value: White in float32 images, which are rounded to 256 levels.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomPosterize; PIL.ImageOps.posterize.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomPosterize
        >>> RandomPosterize(2, p=1)(np.array([[63, 64, 255]], np.uint8)).tolist()
        [[0, 64, 192]]
    """

    @checks_names
    def __init__(
        self, bits: int, p: float = 0.5, *, max_value: float = 255.0, seed: int | None = None
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.bits = int(number("RandomPosterize", "bits", bits, 0, 8))
        if self.bits != bits:
            raise ValueError(f"RandomPosterize: bits is {bits!r}, expected a whole number")

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        bits = np.full(images.shape[0], self.bits)
        return pixels.looked_up(images, pixels.posterize_tables(bits), self.max_value)


class RandomEqualize(ColorTransform):
    """Changes the levels of each channel such that each comes about as often.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images, which are rounded to 256 levels.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomEqualize; PIL.ImageOps.equalize, to the bit.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomEqualize
        >>> dark = np.arange(64, dtype=np.uint8).repeat(64).reshape(64, 64)
        >>> int(dark.max()), int(RandomEqualize(p=1)(dark).max())
        (63, 255)
    """

    @checks_names
    def __init__(self, p: float = 0.5, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return equalized(images, self.max_value)


def equalized(images: Tensor, max_value: float) -> Tensor:
    histograms = _core.image_histograms(images, max_value).numpy()
    return pixels.looked_up(images, pixels.equalize_tables(histograms), max_value)


class RandomAutocontrast(ColorTransform):
    """Stretches each channel, so that its darkest value is 0 and its lightest white.

    Args:
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomAutocontrast; PIL.ImageOps.autocontrast, to the bit for uint8.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomAutocontrast
        >>> RandomAutocontrast(p=1)(np.array([[100, 110, 120]], np.uint8)).tolist()
        [[0, 127, 255]]
    """

    @checks_names
    def __init__(self, p: float = 0.5, *, max_value: float = 255.0, seed: int | None = None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return stretched(images, self.max_value)


def stretched(images: Tensor, max_value: float) -> Tensor:
    if images.dtype.name == "uint8":
        histograms = _core.image_histograms(images).numpy()
        return pixels.looked_up(images, pixels.autocontrast_tables(histograms), 255.0)
    low, high = (f(images, (1, 2)).numpy() for f in (_core.min, _core.max))
    flat = ~(high > low)
    scale = np.where(flat, 1, max_value / np.where(flat, 1, high - low)).astype(np.float32)
    shift = np.where(flat, 0, -low * scale).astype(np.float32)
    return pixels.with_alpha(_core.normalize_images(images, pixels.share(scale), pixels.share(shift)), images)


class RandomGamma(ColorTransform):
    """Values of 0 to 1 to the power of gamma: above 1 darker, below 1 lighter.

    Args:
        gamma: The range of gamma, which is drawn evenly by its logarithm.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: albumentations.RandomGamma; torchvision.transforms.v2.functional.adjust_gamma.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomGamma
        >>> RandomGamma((2.0, 2.0))(np.array([[51, 255]], np.uint8)).tolist()
        [[10, 255]]
    """

    @checks_names
    def __init__(
        self,
        gamma: tuple[float, float] = (0.8, 1.25),
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.gamma = interval("RandomGamma", "gamma", gamma, around=None, low=1 / MOST)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"gamma": np.exp(draws.uniform(math.log(self.gamma[0]), math.log(self.gamma[1])))}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        gamma = parameters["gamma"]
        if images.dtype.name == "uint8":
            return pixels.looked_up(images, pixels.gamma_tables(gamma), 255.0)
        unit = _core.clip(images * (1 / self.max_value), 0.0, 1.0)
        powers = pixels.share(gamma.astype(np.float32).reshape(-1, 1, 1, 1))
        return pixels.with_alpha(_core.pow(unit, powers) * self.max_value, images)
