"""Policies: for each sample transforms drawn from a list, with the magnitudes published for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import choice, flag, integer
from .._core import Tensor
from . import pixels
from .checks import number
from .color import ColorTransform, equalized, solarized, stretched
from .draws import Draws
from .matrices import centred, rotations, shifts, stacked
from .matrix_transform import INTERPOLATIONS, MatrixTransform
from .targets import Group, merged
from .transform import Parameters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# By name: the magnitudes, or None where there are none, and whether half of the samples get them negative.
Space = dict[str, tuple[Floats | None, bool]]

GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
STEPS = ("Brightness", "Color", "Contrast")


def _matrices(name: str, amount: Floats, shape: tuple[int, ...]) -> Floats:
    """From the pixels of the new image to those of the old, as Pillow's `Image.transform` has them."""
    count = len(amount)
    if name == "ShearX":
        return stacked([[1, amount, amount / 2], [0, 1, 0], [0, 0, 1]], count)
    if name == "ShearY":
        return stacked([[1, 0, 0], [amount, 1, amount / 2], [0, 0, 1]], count)
    if name == "Rotate":
        return centred(rotations(np.radians(amount)), shape)
    whole, none = np.trunc(amount), np.zeros(count)
    return shifts(-whole, none) if name == "TranslateX" else shifts(none, -whole)


_STEPS: dict[str, Callable[[Floats], NDArray[np.float32]]] = {
    "Brightness": pixels.brightness_steps,
    "Color": pixels.saturation_steps,
    "Contrast": pixels.contrast_steps,
}


class _Policy(ColorTransform):
    """Base: rounds in which each sample goes through one transform of the space."""

    geometric = True

    def __init__(
        self,
        interpolation: str,
        fill_value: float,
        p: float,
        max_value: float,
        seed: int | None,
    ) -> None:
        super().__init__(p, max_value=max_value, seed=seed)
        self.interpolation = choice(type(self).__name__, "interpolation", interpolation, INTERPOLATIONS)
        self.fill_value = number(type(self).__name__, "fill_value", fill_value)
        self._warp = MatrixTransform(interpolation=interpolation, fill_value=fill_value)

    def run_group(self, group: Group, draws: Draws) -> list[Group]:
        chosen = draws.chance(self.p) if self.p < 1 else np.ones(len(draws), bool)
        those, others = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        if not len(others):
            return [self.augmented(group, draws)]
        if not len(those):
            return [group]
        return [self.augmented(group.take(those), draws.take(those)), group.take(others)]

    def augmented(self, group: Group, draws: Draws) -> Group:
        """All samples of a group, each by what its draws say."""
        raise NotImplementedError

    def one_round(self, group: Group, space: Space, choice: Integers, bins: Integers, negative: Any) -> Group:
        """Each sample through the transform of its ``choice``, by the magnitude of its bin; -1 is none."""
        names = list(space)
        amount = np.zeros(len(choice))
        for place, (magnitudes, signed) in enumerate(space.values()):
            mine = choice == place
            if magnitudes is not None:
                amount[mine] = magnitudes[bins[mine]] * np.where(signed & negative[mine], -1, 1)
        made, left = [], np.ones(len(choice), bool)
        kinds = [names[place] if place >= 0 else "Identity" for place in choice]
        for apply, family in ((self._warped, GEOMETRIC), (self._stepped, STEPS), *self._others(kinds)):
            mine = np.array([kind in family for kind in kinds], bool)
            rows = np.flatnonzero(mine)
            if len(rows):
                part = group if len(rows) == len(kinds) else group.take(rows)
                made.append(apply(part, [kinds[row] for row in rows], amount[rows]))
                left &= ~mine
        if not made:
            return group
        if left.any():
            made.append(group.take(np.flatnonzero(left)))
        (whole,) = merged(made)
        return whole

    def _warped(self, group: Group, kinds: list[str], amount: Floats) -> Group:
        shape = group.shape
        matrices = np.empty((len(kinds), 3, 3))
        for name in set(kinds):
            mine = np.array([kind == name for kind in kinds])
            matrices[mine] = _matrices(name, amount[mine], shape)
        return self._warp.changed(group, {"matrices": matrices})

    def _stepped(self, group: Group, kinds: list[str], amount: Floats) -> Group:
        steps = np.empty((len(kinds), 1, pixels.STEP), np.float32)
        for name in set(kinds):
            mine = np.array([kind == name for kind in kinds])
            steps[mine, 0] = _STEPS[name](1 + amount[mine])
        if group.shape[3] not in (3, 4):
            steps[np.array([kind == "Color" for kind in kinds])] = 0
        return self._recolored(
            group, _core.transform_colors(group.images, pixels.share(steps), self.max_value)
        )

    def _others(
        self, kinds: list[str]
    ) -> list[tuple[Callable[[Group, list[str], Floats], Group], tuple[str]]]:
        """The transforms that take samples of their own kind alone."""

        def on(change: Callable[[Tensor, Floats], Tensor]) -> Callable[[Group, list[str], Floats], Group]:
            return lambda group, _, amount: self._recolored(group, change(group.images, amount))

        changes: dict[str, Callable[[Tensor, Floats], Tensor]] = {
            "Sharpness": lambda x, amount: pixels.sharpened(x, 1 + amount, self.max_value),
            "Posterize": lambda x, amount: pixels.looked_up(
                x, pixels.posterize_tables(amount.astype(np.int64)), self.max_value
            ),
            "Solarize": lambda x, amount: solarized(x, amount * self.white(x), self.max_value),
            "AutoContrast": lambda x, amount: stretched(x, self.max_value),
            "Equalize": lambda x, amount: equalized(x, self.max_value),
        }
        return [(on(changes[name]), (name,)) for name in changes if name in kinds]

    def _recolored(self, group: Group, images: Tensor) -> Group:
        return Group(group.index, images, group.masks, group.boxes, group.keypoints)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        raise NotImplementedError("a policy works on groups")


def _spread(high: float, bins: int) -> Floats:
    return np.linspace(0.0, high, bins)


def _bits(kept: int, lost: float, bins: int) -> Floats:
    """From 8 (or fewer) bits down, by as many."""
    return np.asarray(kept - np.round(np.arange(bins) / ((bins - 1) / lost)))


class RandAugment(_Policy):
    """For each sample some of 14 transforms one after the other, all of one magnitude.

    They are: none, shear and shift along x and y, rotation, brightness, colour, contrast, sharpness,
    posterize, solarize, autocontrast and equalize; the first nine that have a magnitude go either way.

    Args:
        num_ops: How many.
        magnitude: Their strength, from 0 to num_magnitude_bins - 1. At most it is 0.3 of shear, 45% of the
            width of shift, 30 degrees, 90% of the enhancements, 4 bits, everything solarized.
        num_magnitude_bins: How many strengths there are.
        interpolation: "nearest", "bilinear" or "bicubic", of what moves pixels.
        fill_value: What comes in from outside of the image.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Masks, boxes and keypoints move along.

    Source: Cubuk et al., 2020; torchvision.transforms.v2.RandAugment, whose ranges these are.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandAugment
        >>> RandAugment(seed=0)(np.zeros((4, 32, 32, 3), np.uint8)).shape
        (4, 32, 32, 3)
    """

    @checks_names
    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: str = "nearest",
        fill_value: float = 0.0,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(interpolation, fill_value, p, max_value, seed)
        self.num_ops = integer("RandAugment", "num_ops", num_ops, 0, 1000)
        self.num_magnitude_bins = integer("RandAugment", "num_magnitude_bins", num_magnitude_bins, 2, 10_000)
        self.magnitude = integer("RandAugment", "magnitude", magnitude, 0)
        if self.magnitude >= self.num_magnitude_bins:
            raise ValueError(
                f"RandAugment: magnitude is {magnitude!r}, expected less than num_magnitude_bins, "
                f"{num_magnitude_bins}"
            )

    def space(self, height: int, width: int) -> Space:
        """The magnitudes by name, and which are signed, for images of a size."""
        n = self.num_magnitude_bins
        return {
            "Identity": (None, False),
            "ShearX": (_spread(0.3, n), True),
            "ShearY": (_spread(0.3, n), True),
            "TranslateX": (_spread(150 / 331 * width, n), True),
            "TranslateY": (_spread(150 / 331 * height, n), True),
            "Rotate": (_spread(30.0, n), True),
            **_enhancements(0.9, n),
            "Posterize": (_bits(8, 4, n), False),
            "Solarize": (np.linspace(1.0, 0.0, n), False),
            "AutoContrast": (None, False),
            "Equalize": (None, False),
        }

    def augmented(self, group: Group, draws: Draws) -> Group:
        for turn in range(self.num_ops):
            stage, space = draws.stage(turn), self.space(*group.size)
            choice = stage.choice(len(space))
            bins = np.full(len(choice), self.magnitude)
            group = self.one_round(group, space, choice, bins, stage.chance(0.5))
        return group


def _enhancements(high: float, bins: int) -> Space:
    return {name: (_spread(high, bins), True) for name in (*STEPS, "Sharpness")}


class TrivialAugmentWide(_Policy):
    """For each sample one of the 14 transforms of `RandAugment`, of a random magnitude from a wide range.

    Args:
        num_magnitude_bins: How many strengths there are; the last is 0.99 of shear, 32 pixels of shift, 135
            degrees, 99% of the enhancements, 6 bits, everything solarized.
        interpolation: "nearest", "bilinear" or "bicubic", of what moves pixels.
        fill_value: What comes in from outside of the image.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    Masks, boxes and keypoints move along.

    Source: Müller and Hutter, 2021; torchvision.transforms.v2.TrivialAugmentWide, whose ranges these are.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import TrivialAugmentWide
        >>> TrivialAugmentWide(seed=0)(np.zeros((4, 32, 32, 3), np.uint8)).shape
        (4, 32, 32, 3)
    """

    @checks_names
    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: str = "nearest",
        fill_value: float = 0.0,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(interpolation, fill_value, p, max_value, seed)
        self.num_magnitude_bins = integer(
            "TrivialAugmentWide", "num_magnitude_bins", num_magnitude_bins, 2, 10_000
        )

    def space(self) -> Space:
        """The magnitudes by name, and which are signed."""
        n = self.num_magnitude_bins
        return {
            "Identity": (None, False),
            "ShearX": (_spread(0.99, n), True),
            "ShearY": (_spread(0.99, n), True),
            "TranslateX": (_spread(32.0, n), True),
            "TranslateY": (_spread(32.0, n), True),
            "Rotate": (_spread(135.0, n), True),
            **_enhancements(0.99, n),
            "Posterize": (_bits(8, 6, n), False),
            "Solarize": (np.linspace(1.0, 0.0, n), False),
            "AutoContrast": (None, False),
            "Equalize": (None, False),
        }

    def augmented(self, group: Group, draws: Draws) -> Group:
        space = self.space()
        choice = draws.choice(len(space))
        bins = draws.integers(0, self.num_magnitude_bins)
        return self.one_round(group, space, choice, bins, draws.chance(0.5))


class AugMix(_Policy):
    """Mixes each image with several chains of transforms of itself.

    Args:
        severity: The largest strength, from 1 to 10.
        mixture_width: How many chains, at most 1000.
        chain_depth: Transforms of each chain, at most 1000; drawn from 1 to 3 where it is below 1.
        alpha: Of the Dirichlet and Beta distributions that the shares are drawn from.
        all_ops: Whether brightness, colour, contrast and sharpness take part, which some test sets of
            corrupted images have, too.
        interpolation: "nearest", "bilinear" or "bicubic", of what moves pixels.
        fill_value: What comes in from outside of the image.
        p: The share of samples that are transformed.
        max_value: White in float32 images.
        seed: Of the draws, see `Transform`.

    The image keeps a share of itself, and its masks, boxes and keypoints stay as they are.

    Source: Hendrycks et al., 2020; torchvision.transforms.v2.AugMix, whose ranges these are.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import AugMix
        >>> AugMix(seed=0)(np.zeros((4, 32, 32, 3), np.uint8)).shape
        (4, 32, 32, 3)
    """

    BINS = 10

    @checks_names
    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        p: float = 1.0,
        *,
        max_value: float = 255.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(interpolation, fill_value, p, max_value, seed)
        self.severity = integer("AugMix", "severity", severity, 1, self.BINS)
        self.mixture_width = integer("AugMix", "mixture_width", mixture_width, 1, 1000)
        self.chain_depth = integer("AugMix", "chain_depth", chain_depth, -1, 1000)
        self.alpha = number("AugMix", "alpha", alpha, 1e-6, 1e6)
        flag("AugMix", "all_ops", all_ops)
        self.all_ops = all_ops

    def space(self, height: int, width: int) -> Space:
        """The magnitudes by name, and which are signed, for images of a size."""
        n = self.BINS
        return {
            "ShearX": (_spread(0.3, n), True),
            "ShearY": (_spread(0.3, n), True),
            "TranslateX": (_spread(width / 3, n), True),
            "TranslateY": (_spread(height / 3, n), True),
            "Rotate": (_spread(30.0, n), True),
            "Posterize": (_bits(4, 4, n), False),
            "Solarize": (np.linspace(1.0, 0.0, n), False),
            "AutoContrast": (None, False),
            "Equalize": (None, False),
            **(_enhancements(0.9, n) if self.all_ops else {}),
        }

    def augmented(self, group: Group, draws: Draws) -> Group:
        own = draws.beta(self.alpha, self.alpha)
        shares = draws.dirichlet(self.alpha, self.mixture_width) * (1 - own[:, None])
        images = group.images
        mixed = images.astype("float32") * _rows(own)
        for chain in range(self.mixture_width):
            mixed = mixed + self._chain(group, draws.stage(chain)).astype("float32") * _rows(shares[:, chain])
        if images.dtype.name == "uint8":
            mixed = _core.clip(_core.round(mixed), 0.0, 255.0).astype("uint8")
        return self._recolored(group, mixed)

    def _chain(self, group: Group, draws: Draws) -> Tensor:
        depth = np.full(len(draws), self.chain_depth) if self.chain_depth > 0 else draws.integers(1, 4)
        part, space = Group(group.index, group.images), self.space(*group.size)
        for turn in range(int(depth.max(initial=0))):
            stage = draws.stage(turn)
            choice = np.where(turn < depth, stage.choice(len(space)), -1)
            part = self.one_round(part, space, choice, stage.integers(0, self.severity), stage.chance(0.5))
        return part.images


def _rows(values: Floats) -> Tensor:
    return pixels.share(values.astype(np.float32).reshape(-1, 1, 1, 1))
