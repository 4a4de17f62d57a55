"""The base of transforms that are matrices, of which several are computed in one pass."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._checks import choice
from .._core import Tensor
from .checks import number
from .draws import Draws
from .matrices import projected, windows
from .targets import Group, merged
from .transform import Parameters, Shape, Transform

Floats = NDArray[np.float64]

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")
# In the kernels' words, which are SciPy's: its "constant" cuts off half a pixel, its "wrap" takes the first
# and the last pixel for the same.
FILL_MODES = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap"}


class MatrixTransform(Transform):
    """Base of the transforms that a 3x3 matrix describes: from pixels (x, y, 1) of the new image to those of
    the old, 0 being the centre of the first.

    Args:
        p: The share of samples that are transformed.
        interpolation: "nearest", "bilinear" or "bicubic".
        fill_mode: What lies outside the image: "constant", "nearest" (the last pixel repeated), "reflect"
            (dcba|abcd|dcba) or "wrap" (abcd|abcd|abcd).
        fill_value: With fill_mode "constant", of the images; `mask_fill` of the masks.
        seed: Of the draws, see `Transform`.
    """

    geometric = True
    exact: ClassVar[bool] = False  # whole pixels move to whole pixels: interpolation plays no part
    is_flip: ClassVar[bool] = False  # shows all pixels of the image, and no others

    def __init__(
        self,
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        where = type(self).__name__
        self.interpolation = choice(where, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_mode = choice(where, "fill_mode", fill_mode, tuple(FILL_MODES))
        self.fill_value = number(where, "fill_value", fill_value)
        self.mask_fill = number(where, "mask_fill", mask_fill)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        """(n, 3, 3), from the new pixels to the old, for images of a shape."""
        raise NotImplementedError

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the new images."""
        return size

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"matrices": self.matrices(draws, shape)}

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters | None:
        matrices = parameters["matrices"].copy()
        matrices[left] = np.eye(3)
        return {**parameters, "matrices": matrices}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return self._warped(images, parameters, self.interpolation, self.fill_value)

    def apply_masks(self, masks: Tensor, parameters: Parameters) -> Tensor:
        return self._warped(masks, parameters, "nearest", self.mask_fill)

    def _warped(self, images: Tensor, parameters: Parameters, interpolation: str, fill: float) -> Tensor:
        size = parameters.get("size") or self.output_size((images.shape[1], images.shape[2]))
        matrices, fill_mode = parameters["matrices"], FILL_MODES[self.fill_mode]
        if parameters.get("exact", self.exact):
            corners, flips = windows(matrices, size)
            fill_mode = "constant" if self.fill_mode == "constant" else fill_mode
            places, turned = _core.from_numpy(corners), _core.from_numpy(flips)
            return _core.cut_images(images, places, size, turned, fill_mode, fill)
        numbers = _core.from_numpy(np.ascontiguousarray(matrices))
        return _core.warp_images(images, numbers, size, interpolation, fill_mode, fill)

    def apply_keypoints(
        self, points: Floats, owner: NDArray[np.int64], parameters: Parameters, shape: Shape
    ) -> Floats:
        forward = np.linalg.inv(parameters["matrices"])[owner]
        return projected(forward, points)

    # One pass for several

    def fusible(self, transforms: Sequence[Transform]) -> int:
        how: tuple[Any, ...] | None = None
        for count, transform in enumerate(transforms):
            if not isinstance(transform, MatrixTransform) or not transform._may_follow():
                return max(count, 1)
            mine = None if transform.exact else transform._how()
            if how is not None and mine is not None and mine != how:
                return max(count, 1)
            how = how or mine
            if transform._ends():
                rest = transforms[count + 1 :]
                flips = itertools.takewhile(
                    lambda each: isinstance(each, MatrixTransform) and each.is_flip, rest
                )  # they show what was there
                return count + 1 + len(list(flips))
        return len(transforms)

    def _how(self) -> tuple[Any, ...]:
        return self.interpolation, self.fill_mode, self.fill_value, self.mask_fill

    def _may_follow(self) -> bool:
        """Whether what this one does needs no more than the pixels of the image before."""
        return True

    def _ends(self) -> bool:
        """Whether a transform after this one must not see what lies outside of its image."""
        return False

    def run_fused(
        self, transforms: Sequence[Transform], groups: list[Group], draws: Sequence[Draws]
    ) -> list[Group]:
        chain = [each for each in transforms if isinstance(each, MatrixTransform)]
        leader = next((each for each in chain if not each.exact), chain[0])
        made = []
        for group in groups:
            size, channels, count = group.size, group.images.shape[3], len(group.index)
            total = np.broadcast_to(np.eye(3), (count, 3, 3))
            for transform, stage in zip(chain, draws, strict=True):
                mine = stage.take(group.index)
                chosen = mine.chance(transform.p) if transform.p < 1 else None
                matrices = transform.matrices(mine, (count, *size, channels))
                if chosen is not None:
                    matrices[~chosen] = np.eye(3)
                total = total @ matrices
                size = transform.output_size(size)
            parameters = {"matrices": total, "size": size, "exact": leader.exact}
            made.append(leader.changed(group, parameters))
        return merged(made)
