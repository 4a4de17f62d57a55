"""Transforms that cut pieces out of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import integer
from .._core import Tensor
from .checks import LONGEST, MOST, interval, number
from .color import ColorTransform
from .draws import Draws
from .pixels import share
from .transform import Parameters, Shape

Value = float | Sequence[float] | str


class _Erasing(ColorTransform):
    """Base: boxes (n, count, 4) become ``value``: a number, one for each channel, or "random"."""

    def __init__(self, value: Value, p: float, max_value: float, seed: int | None) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        where = type(self).__name__
        if isinstance(value, str):
            if value != "random":
                raise ValueError(f"{where}: value is {value!r}, expected a number, numbers or 'random'")
            self.value: float | str | tuple[float, ...] = value
        elif isinstance(value, (tuple, list, np.ndarray)):
            self.value = tuple(number(where, "value", each) for each in value)
        else:
            self.value = number(where, "value", value)

    def boxes(self, draws: Draws, shape: Shape) -> NDArray[np.int64]:
        raise NotImplementedError

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        if isinstance(self.value, tuple) and len(self.value) != shape[3]:
            raise ValueError(
                f"{type(self).__name__}: value has {len(self.value)} numbers, but the images have "
                f"{shape[3]} channels (shape {shape})"
            )
        return {"boxes": self.boxes(draws, shape), "keys": draws.keys()}

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters:
        boxes = parameters["boxes"].copy()
        boxes[left] = 0
        return {**parameters, "boxes": boxes}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        boxes = share(parameters["boxes"])
        if self.value == "random":
            keys = share(parameters["keys"])
            return _core.erase_images(images, boxes, keys=keys, max_value=self.max_value)
        values = np.broadcast_to(np.asarray(self.value, np.float32), (images.shape[3],))
        return _core.erase_images(images, boxes, share(values), max_value=self.max_value)


class RandomErasing(_Erasing):
    """Erases a rectangle.

    Args:
        p: The share of samples that are transformed.
        scale: Range of its area, as a share of the picture's.
        ratio: Range of height to width, drawn evenly by its logarithm.
        value: What it is filled with: a number, one for each channel, or "random": another for each value,
            from 0 to `max_value`.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Where none of ten rectangles fits into the picture, nothing is erased.

    Source: Zhong et al., 2020; torchvision.transforms.v2.RandomErasing.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomErasing
        >>> erased = RandomErasing(p=1, scale=(0.25, 0.25), ratio=(1, 1), seed=0)
        >>> int((erased(np.ones((8, 8), np.uint8)) == 0).sum())
        16
    """

    @checks_names
    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Value = 0.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(value, p, max_value, seed)
        self.scale = interval("RandomErasing", "scale", scale, around=None, low=0, high=1)
        self.ratio = interval("RandomErasing", "ratio", ratio, around=None, low=1 / MOST)

    def boxes(self, draws: Draws, shape: Shape) -> NDArray[np.int64]:
        tries, (n, height, width) = 10, shape[:3]
        area = height * width * draws.uniform(*self.scale, size=tries)
        ratio = np.exp(draws.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), size=tries))
        rows = np.rint(np.sqrt(area * ratio)).astype(np.int64)
        columns = np.rint(np.sqrt(area / ratio)).astype(np.int64)
        fits = (rows < height) & (columns < width)
        first = np.where(fits.any(axis=1), fits.argmax(axis=1), 0)
        each = np.arange(n)
        h = np.where(fits.any(axis=1), rows[each, first], 0)
        w = np.where(fits.any(axis=1), columns[each, first], 0)
        return placed(draws, height, width, h[:, None], w[:, None])


def placed(
    draws: Draws, height: int, width: int, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Boxes (n, count, 4) of these sizes (n, count) somewhere within the picture."""
    top = draws.integers(0, height - rows + 1, size=rows.shape[1])
    left = draws.integers(0, width - columns + 1, size=rows.shape[1])
    return np.stack([left, top, left + columns, top + rows], axis=-1)


class Cutout(_Erasing):
    """Erases a square around a random pixel, of which only a part lies within the picture near the border.

    Args:
        length: Its side in pixels.
        p: The share of samples that are transformed.
        value: What it is filled with: a number, one for each channel, or "random".
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: DeVries and Taylor, 2017.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Cutout
        >>> 4 <= int((Cutout(4, seed=0)(np.ones((8, 8), np.uint8)) == 0).sum()) <= 16
        True
    """

    @checks_names
    def __init__(
        self,
        length: int,
        p: float = 1.0,
        *,
        value: Value = 0.0,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(value, p, max_value, seed)
        self.length = integer("Cutout", "length", length, 1, LONGEST)

    def boxes(self, draws: Draws, shape: Shape) -> NDArray[np.int64]:
        height, width = shape[1:3]
        top = draws.integers(0, height) - self.length // 2
        left = draws.integers(0, width) - self.length // 2
        x, y = np.clip([left, left + self.length], 0, width), np.clip([top, top + self.length], 0, height)
        return np.stack([x[0], y[0], x[1], y[1]], axis=-1)[:, None]


class CoarseDropout(_Erasing):
    """Erases several rectangles.

    Args:
        num_holes_range: Range of their number.
        hole_height_range: Range of their heights: shares of the picture's; pixels where its end is above
            1.
        hole_width_range: The same of their widths.
        fill: What they are filled with: a number, one for each channel, or "random".
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Source: albumentations.CoarseDropout.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import CoarseDropout
        >>> holes = CoarseDropout((1, 1), (2, 2), (3, 3), p=1, seed=0)
        >>> int((holes(np.ones((8, 8), np.uint8)) == 0).sum())
        6
    """

    @checks_names
    def __init__(
        self,
        num_holes_range: tuple[int, int] = (1, 2),
        hole_height_range: tuple[float, float] = (0.1, 0.2),
        hole_width_range: tuple[float, float] = (0.1, 0.2),
        fill: Value = 0.0,
        p: float = 0.5,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(fill, p, max_value, seed)
        low, high = interval(
            "CoarseDropout", "num_holes_range", num_holes_range, around=None, low=1, high=1e4
        )
        if low != int(low) or high != int(high):
            raise ValueError(f"CoarseDropout: num_holes_range is {num_holes_range!r}, expected whole numbers")
        self.num_holes_range = (int(low), int(high))
        self.hole_height_range = _sides("hole_height_range", hole_height_range)
        self.hole_width_range = _sides("hole_width_range", hole_width_range)

    def boxes(self, draws: Draws, shape: Shape) -> NDArray[np.int64]:
        low, high = self.num_holes_range
        there = np.arange(high) < draws.integers(low, high + 1)[:, None]
        rows = _drawn(draws, self.hole_height_range, shape[1], high) * there
        columns = _drawn(draws, self.hole_width_range, shape[2], high) * there
        return placed(draws, shape[1], shape[2], rows, columns)


def _sides(name: str, value: Any) -> tuple[float, float]:
    low, high = interval("CoarseDropout", name, value, around=None, low=0)
    if high > 1 and (low < 1 or low != int(low) or high != int(high)):
        raise ValueError(f"CoarseDropout: {name} is {value!r}, expected shares up to 1, or pixels")
    return low, high


def _drawn(draws: Draws, sides: tuple[float, float], whole: int, count: int) -> NDArray[np.int64]:
    """Sides (n, count) in pixels of a picture that has ``whole`` of them."""
    low, high = sides
    if high > 1:
        return np.minimum(draws.integers(int(low), int(high) + 1, size=count), whole)
    found: NDArray[np.int64] = np.rint(draws.uniform(low, high, size=count) * whole).astype(np.int64)
    return np.minimum(found, whole)
