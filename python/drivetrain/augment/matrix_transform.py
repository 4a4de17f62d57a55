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
from ..data.rows import Rows
from .checks import number
from .draws import Draws
from .matrices import Booleans, Floats, Integers, projected, window_matrices, windows_of_windows
from .targets import Group, merged
from .transform import Parameters, Shape, Transform

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
        fill_mode = FILL_MODES[self.fill_mode]
        numbers = _core.from_numpy(np.ascontiguousarray(parameters["matrices"]))
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
            if not isinstance(transform, MatrixTransform) or not transform._may_follow(count == 0):
                return max(count, 1)
            mine = None if isinstance(transform, WindowTransform) else transform._how()
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

    def _may_follow(self, is_first: bool) -> bool:
        """Whether what this one does needs no more than the pixels of the image before; the first of a chain
        may need what lies beside them."""
        return True

    def _ends(self) -> bool:
        """Whether a transform after this one must not see what lies outside of its image."""
        return False

    def run_fused(
        self, transforms: Sequence[Transform], groups: list[Group], draws: Sequence[Draws]
    ) -> list[Group]:
        chain = [each for each in transforms if isinstance(each, MatrixTransform)]
        leader = next((each for each in chain if not isinstance(each, WindowTransform)), chain[0])
        made = []
        for group in groups:
            whole = len(group.index) == len(draws[0])
            mine = draws if whole else [stage.take(group.index) for stage in draws]
            parameters = leader.joined(chain, mine, group)
            made.append(leader.changed(group, parameters))
        return merged(made)

    def joined(self, chain: Sequence[MatrixTransform], draws: Sequence[Draws], group: Group) -> Parameters:
        """The parameters of all of a chain in one."""
        size, channels, count = group.size, group.shape[3], len(group.index)
        total = np.broadcast_to(np.eye(3), (count, 3, 3))
        for transform, mine in zip(chain, draws, strict=True):
            chosen = mine.chance(transform.p) if transform.p < 1 else None
            matrices = transform.matrices(mine, (count, *size, channels))
            if chosen is not None:
                matrices[~chosen] = np.eye(3)
            total = total @ matrices
            size = transform.output_size(size)
        return {"matrices": total, "size": size}


class WindowTransform(MatrixTransform):
    """Base of those that show a window of the image, mirrored or not: whole pixels move, nothing is mixed.

    A window is told by ``corners`` (n, 2), the column and row of the image at which it begins, which may lie
    beside it, and ``mirrored`` (n, 2), whether it is seen the other way round across and down.
    """

    def windows(self, draws: Draws, shape: Shape) -> tuple[Integers, Booleans]:
        """Corners and whether they are mirrored, for images of a shape."""
        raise NotImplementedError

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        return window_matrices(*self.windows(draws, shape), self.output_size((shape[1], shape[2])))

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        corners, mirrored = self.windows(draws, shape)
        return {"corners": corners, "mirrored": mirrored}

    def applied(self, group: Group, parameters: Parameters) -> Tensor:
        rows = group.pixels
        if isinstance(rows, Rows) and type(self).apply is MatrixTransform.apply:
            return self._cut(rows.source, parameters, self.fill_value, rows.numbers())
        return super().applied(group, parameters)

    def _warped(self, images: Tensor, parameters: Parameters, interpolation: str, fill: float) -> Tensor:
        return self._cut(images, parameters, fill)

    def _cut(self, images: Tensor, parameters: Parameters, fill: float, rows: Tensor | None = None) -> Tensor:
        size = parameters.get("size") or self.output_size((images.shape[1], images.shape[2]))
        corners, flips = parameters["corners"], parameters["mirrored"] @ np.array([1, 2], np.uint8)
        fill_mode = "constant" if self.fill_mode == "constant" else FILL_MODES[self.fill_mode]
        places, turned = _core.from_numpy(corners), _core.from_numpy(flips)
        return _core.cut_images(images, places, size, turned, fill_mode, fill, rows)

    def apply_keypoints(
        self, points: Floats, owner: NDArray[np.int64], parameters: Parameters, shape: Shape
    ) -> Floats:
        size = parameters.get("size") or self.output_size((shape[1], shape[2]))
        moved = points - parameters["corners"][owner]
        last = np.array([size[1] - 1, size[0] - 1])
        return np.asarray(np.where(parameters["mirrored"][owner], last - moved, moved))

    def joined(self, chain: Sequence[MatrixTransform], draws: Sequence[Draws], group: Group) -> Parameters:
        size, channels, count = group.size, group.shape[3], len(group.index)
        total: tuple[Integers, Booleans] | None = None
        for transform, mine in zip(chain, draws, strict=True):
            assert isinstance(transform, WindowTransform)
            chosen = mine.chance(transform.p) if transform.p < 1 else None
            inner = transform.windows(mine, (count, *size, channels))
            if chosen is not None:  # flips: every other window has p = 1 here
                inner = inner[0], inner[1] & chosen[:, None]
            inner_size = transform.output_size(size)
            total = inner if total is None else windows_of_windows(*total, size, inner, inner_size)
            size = inner_size
        assert total is not None
        return {"corners": total[0], "mirrored": total[1], "size": size}
