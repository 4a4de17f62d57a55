"""Transforms that change the size of images: crops, padding, resize."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import choice, flag, integer
from .._core import Tensor
from .checks import LONGEST, MOST, interval
from .draws import Draws
from .geometry import RandomHorizontalFlip
from .matrices import Booleans, Floats, Integers
from .matrix_transform import WindowTransform
from .targets import Group, merged
from .transform import Parameters, Shape, Transform

FILTERS = ("nearest", "box", "bilinear", "bicubic", "lanczos")


class _Window(WindowTransform):
    """A window of the image, of a size of its own."""

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters | None:
        return None  # images that are left as they are have another size

    def corners(self, draws: Draws, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Column and row of the first pixel of each window."""
        raise NotImplementedError

    def windows(self, draws: Draws, shape: Shape) -> tuple[Integers, Booleans]:
        corners = np.stack(self.corners(draws, (shape[1], shape[2])), axis=1)
        return corners, np.zeros(corners.shape, bool)

    def _may_follow(self, is_first: bool) -> bool:
        return self.p == 1 and (is_first or self._is_inside())

    def _is_inside(self) -> bool:
        return False

    def _ends(self) -> bool:
        return True


class RandomCrop(_Window):
    """A window of the image, from a place drawn by chance.

    Args:
        size: Height and width of the window, or one number for both.
        padding: Pixels added around the image first: one number, two (left and right, above and below) or
            four (left, above, right, below).
        pad_if_needed: Add as many as are missing where an image is smaller than the window.
        p: The share of samples that are cut.
        fill_mode, fill_value, mask_fill, seed: What is added, and the draws, see `MatrixTransform`.

    Raises:
        ValueError: When called with images smaller than the window.

    Source: torchvision.transforms.v2.RandomCrop; its padding modes edge and symmetric are "nearest" and
    "reflect" here.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomCrop
        >>> RandomCrop(32, padding=4)(np.zeros((2, 32, 32, 3), np.uint8)).shape
        (2, 32, 32, 3)
    """

    @checks_names
    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        p: float = 1.0,
        *,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, fill_mode=fill_mode, fill_value=fill_value, mask_fill=mask_fill, seed=seed)
        self.size = check_size("RandomCrop", size)
        self.padding = (0, 0, 0, 0) if padding is None else check_padding("RandomCrop", padding)
        self.pad_if_needed = flag("RandomCrop", "pad_if_needed", pad_if_needed)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.size

    def _is_inside(self) -> bool:
        return not any(self.padding) and not self.pad_if_needed

    def corners(self, draws: Draws, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        left, above, right, below = self.padding
        across = self._range(size[1], left, right, self.size[1], size)
        down = self._range(size[0], above, below, self.size[0], size)
        return draws.integers(across[0], across[1] + 1), draws.integers(down[0], down[1] + 1)

    def _range(
        self, length: int, before: int, behind: int, wanted: int, size: tuple[int, int]
    ) -> tuple[int, int]:
        """First and last place at which the window may begin."""
        missing = wanted - (length + before + behind)
        if missing > 0:
            if not self.pad_if_needed:
                raise ValueError(
                    f"RandomCrop: images have size {size}, expected at least {self.size}; "
                    "pass padding or pad_if_needed=True"
                )
            before, behind = before + missing, behind + missing
        return -before, length + behind - wanted


class CenterCrop(_Window):
    """The middle of the image; what is missing where it is smaller is filled.

    Args:
        size: Height and width of the window, or one number for both.
        p: The share of samples that are cut.
        fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: torchvision.transforms.v2.CenterCrop.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import CenterCrop
        >>> CenterCrop(2)(np.arange(16, dtype=np.uint8).reshape(4, 4))
        array([[ 5,  6],
               [ 9, 10]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        size: int | Sequence[int],
        p: float = 1.0,
        *,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, fill_mode=fill_mode, fill_value=fill_value, mask_fill=mask_fill, seed=seed)
        self.size = check_size("CenterCrop", size)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.size

    def corners(self, draws: Draws, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        down, across = (round((have - want) / 2) for have, want in zip(size, self.size, strict=True))
        return np.full(len(draws), across), np.full(len(draws), down)


class Pad(_Window):
    """Pixels around the image.

    Args:
        padding: How many: one number, two (left and right, above and below) or four (left, above, right,
            below).
        p: The share of samples that are padded.
        fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: torchvision.transforms.v2.Pad.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Pad
        >>> Pad((1, 0, 2, 0), fill_mode="nearest")(np.array([[1, 2], [3, 4]], np.uint8))
        array([[1, 1, 2, 2, 2],
               [3, 3, 4, 4, 4]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        padding: int | Sequence[int],
        p: float = 1.0,
        *,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, fill_mode=fill_mode, fill_value=fill_value, mask_fill=mask_fill, seed=seed)
        self.padding = check_padding("Pad", padding)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        left, above, right, below = self.padding
        return size[0] + above + below, size[1] + left + right

    def corners(self, draws: Draws, size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.full(len(draws), -self.padding[0]), np.full(len(draws), -self.padding[1])


class _Scaled(Transform):
    """A box of each image, scaled to a size: ``boxes`` (n, 4) of x0, y0, x1, y1."""

    geometric = True
    interpolation: str
    antialias: bool

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        return self._resized(images, parameters, self.interpolation, self.antialias)

    def apply_masks(self, masks: Tensor, parameters: Parameters) -> Tensor:
        return self._resized(masks, parameters, "nearest", False)

    def _resized(self, images: Tensor, parameters: Parameters, interpolation: str, antialias: bool) -> Tensor:
        boxes, flips = parameters.get("boxes"), parameters.get("flips")
        made: Tensor = _core.resize_images(
            images,
            size=parameters["size"],
            interpolation=interpolation,
            antialias=antialias,
            boxes=None if boxes is None else _core.from_numpy(boxes),
            flips=None if flips is None else _core.from_numpy(flips),
        )
        return made

    def apply_keypoints(
        self, points: Floats, owner: NDArray[np.int64], parameters: Parameters, shape: Shape
    ) -> Floats:
        height, width = parameters["size"]
        boxes = parameters.get("boxes")
        if boxes is None:
            boxes = np.broadcast_to(np.array([0.0, 0.0, shape[2], shape[1]]), (shape[0], 4))
        mine = boxes[owner]
        scale = np.array([width, height]) / (mine[:, 2:] - mine[:, :2])
        moved = (points + 0.5 - mine[:, :2]) * scale - 0.5
        flips = parameters.get("flips")
        if flips is not None:
            moved[:, 0] = np.where(flips[owner], width - 1 - moved[:, 0], moved[:, 0])
        return np.asarray(moved)


class Resize(_Scaled):
    """Another size.

    Args:
        size: Height and width; one number is the new length of the shorter side, and keeps proportions.
        interpolation: "nearest", "box", "bilinear", "bicubic" or "lanczos".
        antialias: Look at every pixel where images become smaller, as Pillow does.
        max_size: With one number as size, the longest that the longer side may become.
        p: The share of samples that change.
        seed: Of the draws, see `Transform`.

    Pixels of uint8 are those of Pillow's ``Image.resize``, within 1. Masks take the nearest value.

    Source: torchvision.transforms.v2.Resize.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Resize
        >>> Resize(16)(np.zeros((32, 48, 3), np.uint8)).shape
        (16, 24, 3)
    """

    @checks_names
    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: str = "bilinear",
        antialias: bool = True,
        max_size: int | None = None,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.shorter = None if isinstance(size, (tuple, list)) and len(size) == 2 else size
        self.size = check_size("Resize", size)
        self.interpolation = choice("Resize", "interpolation", interpolation, FILTERS)
        self.antialias = flag("Resize", "antialias", antialias)
        self.max_size = None if max_size is None else integer("Resize", "max_size", max_size, 1, LONGEST)
        if self.max_size is not None and (self.shorter is None or self.max_size < self.size[0]):
            raise ValueError(
                f"Resize: max_size is {max_size}, expected at least the size, a single number, got {size}"
            )

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the new images."""
        if self.shorter is None:
            return self.size
        short, long = sorted(size)
        new_short, new_long = self.size[0], int(self.size[0] * long / short)
        if self.max_size is not None and new_long > self.max_size:
            new_short, new_long = max(int(self.max_size * short / long), 1), self.max_size
        return (new_short, new_long) if size[0] <= size[1] else (new_long, new_short)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"size": self.output_size((shape[1], shape[2]))}


class RandomResizedCrop(_Scaled):
    """A part of the image of random area and proportions, scaled to a size; one pass over the pixels.

    Args:
        size: Height and width, or one number for both.
        scale: Range of the part's area, as a share of the image's.
        ratio: Range of width over height.
        interpolation: "nearest", "box", "bilinear", "bicubic" or "lanczos".
        antialias: Look at every pixel where the part becomes smaller, as Pillow does.
        p: The share of samples that change.
        seed: Of the draws, see `Transform`.

    In a `Compose` a `RandomHorizontalFlip` that follows is part of the same pass.

    Source: Szegedy et al., 2015; torchvision.transforms.v2.RandomResizedCrop.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Compose, RandomHorizontalFlip, RandomResizedCrop
        >>> augment = Compose([RandomResizedCrop(128), RandomHorizontalFlip()], seed=0)
        >>> augment([np.zeros((200, 300, 3), np.uint8), np.zeros((240, 180, 3), np.uint8)]).shape
        (2, 128, 128, 3)
    """

    @checks_names
    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        antialias: bool = True,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.size = check_size("RandomResizedCrop", size)
        self.scale = interval("RandomResizedCrop", "scale", scale, around=None, low=0, high=1)
        self.ratio = interval("RandomResizedCrop", "ratio", ratio, around=None, low=1 / MOST)
        if self.scale[0] <= 0:
            raise ValueError(f"RandomResizedCrop: scale is {scale}, expected numbers above 0")
        self.interpolation = choice("RandomResizedCrop", "interpolation", interpolation, FILTERS)
        self.antialias = flag("RandomResizedCrop", "antialias", antialias)

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        return {"size": self.size, "boxes": self.boxes(draws, (shape[1], shape[2]))}

    def boxes(self, draws: Draws, size: tuple[int, int]) -> Floats:
        """The parts, in whole pixels: the first of ten tries that fits, or the largest in the middle."""
        areas = draws.uniform(*self.scale, 10)
        ratios = draws.uniform(math.log(self.ratio[0]), math.log(self.ratio[1]), 10)
        at = draws.uniform(size=2)
        sides = np.empty((len(areas), 2))
        left = np.arange(len(areas))
        for area, ratio in zip(areas.T, ratios.T, strict=True):
            tried = self._sides(area[left], np.exp(ratio[left]), size)
            fits = ((tried >= 1) & (tried <= (size[1], size[0]))).all(axis=1)
            sides[left] = tried
            left = left[~fits]
            if not len(left):
                break
        whole = np.array([size[1], size[0]])
        corners = np.floor(at * (whole - sides + 1))
        if len(left):  # nothing fits: the whole height or width, within the range of proportions
            wide, high = round(size[0] * self.ratio[1]), round(size[1] / self.ratio[0])
            sides[left] = np.minimum(whole, np.maximum((wide, high), 1))
            corners[left] = (whole - sides[left]) // 2
        return np.concatenate([corners, corners + sides], axis=1)

    @staticmethod
    def _sides(area: Floats, ratio: Floats, size: tuple[int, int]) -> Floats:
        """(n, 2): widths and heights in whole pixels, of areas that are shares of the image's."""
        area = size[0] * size[1] * area
        return np.rint(np.sqrt(np.stack([area * ratio, area / ratio], axis=1)))

    # A flip that follows

    def fusible(self, transforms: Sequence[Transform]) -> int:
        return 2 if self.p == 1 and len(transforms) > 1 and type(transforms[1]) is RandomHorizontalFlip else 1

    def run_fused(
        self, transforms: Sequence[Transform], groups: list[Group], draws: Sequence[Draws]
    ) -> list[Group]:
        made = []
        for group in groups:
            parameters = self.parameters(draws[0].take(group.index), group.shape)
            parameters["flips"] = draws[1].take(group.index).chance(transforms[1].p)
            made.append(self.changed(group, parameters))
        return merged(made)


def check_size(where: str, size: Any) -> tuple[int, int]:
    pair = size if isinstance(size, (tuple, list)) and len(size) == 2 else (size, size)
    if isinstance(size, (tuple, list)) and len(size) != 2:
        raise ValueError(f"{where}: size is {size!r:.80}, expected a number or (height, width)")
    height, width = (integer(where, "size", each, 1, LONGEST) for each in pair)
    return height, width


def check_padding(where: str, padding: Any) -> tuple[int, int, int, int]:
    """Left, above, right, below."""
    numbers_ = (padding,) if isinstance(padding, numbers.Integral) else padding
    if not isinstance(numbers_, (tuple, list)):
        raise TypeError(f"{where}: padding is {padding!r:.80}, expected one, two or four integers")
    if len(numbers_) not in (1, 2, 4):
        raise ValueError(f"{where}: padding is {padding!r:.80}, expected one, two or four integers")
    found = [integer(where, "padding", each, 0, LONGEST) for each in numbers_]
    left, above, right, below = (found * 4)[:4] if len(found) < 4 else found
    return left, above, right, below
