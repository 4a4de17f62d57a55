"""Elastic distortion: every pixel moves by a smooth random field."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import choice
from .._core import Tensor
from .checks import number
from .draws import Draws
from .matrix_transform import FILL_MODES, INTERPOLATIONS
from .transform import Parameters, Shape, Transform

Floats = NDArray[np.float64]

STEPS = 12  # of the search for the place to which a point moves


class ElasticTransform(Transform):
    """Moves every pixel by a random amount, neighbours alike: paper that is stretched, handwriting.

    Args:
        alpha: How far: uniform noise from -1 to 1, smoothed, is multiplied by it and gives pixels. Smoothing
            makes it small: with sigma 5 and alpha 50 a pixel moves by 1.6 on average.
        sigma: Of the Gaussian that smooths, in pixels, at most 40.
        p: The share of samples that are distorted.
        interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: Simard et al., 2003; torchvision.transforms.v2.ElasticTransform moves half as far.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import ElasticTransform
        >>> images, masks = np.zeros((2, 28, 28, 1), np.uint8), np.zeros((2, 28, 28), np.int64)
        >>> images, masks = ElasticTransform(alpha=30, sigma=4)(images, masks)
        >>> images.shape, masks.shape
        ((2, 28, 28, 1), (2, 28, 28))
    """

    geometric = True

    @checks_names
    def __init__(
        self,
        alpha: float = 50.0,
        sigma: float = 5.0,
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.alpha = number("ElasticTransform", "alpha", alpha, 0, 1e6)
        self.sigma = number("ElasticTransform", "sigma", sigma, 0.1, 40)
        self.interpolation = choice("ElasticTransform", "interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = choice("ElasticTransform", "fill_mode", fill_mode, tuple(FILL_MODES))
        self.fill_value = number("ElasticTransform", "fill_value", fill_value)
        self.mask_fill = number("ElasticTransform", "mask_fill", mask_fill)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        count, height, width, _ = shape
        # As wide as uniform noise; smoothed, both are the same.
        amounts = np.broadcast_to(np.array([0, math.sqrt(1 / 3)], np.float32), (count, 2))
        noise = _core.noise_images(
            _core.zeros((count, height, width, 2)),
            "gaussian",
            _core.from_numpy(draws.keys()),
            _core.from_numpy(np.ascontiguousarray(amounts)),
            None,
        )
        smooth = _core.filter_images(noise, self._taps(height, count), self._taps(width, count))
        return {"field": (smooth * self.alpha).numpy()}

    def _taps(self, length: int, count: int) -> Tensor:
        # Not wider than the image, which is mirrored once at its border.
        radius = min(math.ceil(3 * self.sigma), 127, length - 1)
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / self.sigma) ** 2)
        row = (weights / weights.sum()).astype(np.float32)
        return _core.from_numpy(np.ascontiguousarray(np.broadcast_to(row, (count, len(row)))))

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters | None:
        field = parameters["field"].copy()
        field[left] = 0
        return {**parameters, "field": field}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return self._displaced(images, parameters, self.interpolation, self.fill_value)

    def apply_masks(self, masks: Tensor, parameters: Parameters) -> Tensor:
        return self._displaced(masks, parameters, "nearest", self.mask_fill)

    def _displaced(self, images: Tensor, parameters: Parameters, interpolation: str, fill: float) -> Tensor:
        field = _core.from_numpy(parameters["field"])
        return _core.displace_images(images, field, interpolation, FILL_MODES[self.fill_mode], fill)

    def apply_keypoints(
        self, points: Floats, owner: NDArray[np.int64], parameters: Parameters, shape: Shape
    ) -> Floats:
        """The field says where a new pixel comes from; where an old one goes is found step by step."""
        field: Any = parameters["field"]
        moved = points.copy()
        for _ in range(STEPS):
            moved = 0.5 * moved + 0.5 * (points - looked_up(field, owner, moved))
        return moved


def looked_up(field: Any, owner: NDArray[np.int64], points: Floats) -> Floats:
    """The field (n, height, width, 2) at points between its pixels, bilinear; outside as at the border."""
    height, width = field.shape[1:3]
    x, y = np.clip(points[:, 0], 0, width - 1), np.clip(points[:, 1], 0, height - 1)
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, below = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    a, b = (x - left)[:, None], (y - top)[:, None]
    upper = field[owner, top, left] * (1 - a) + field[owner, top, right] * a
    lower = field[owner, below, left] * (1 - a) + field[owner, below, right] * a
    return np.asarray(upper * (1 - b) + lower * b, np.float64)
