"""Transforms made of transforms: all in a row, one of several, some of several."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments import checks_names
from .._checks import flag
from .draws import Draws
from .targets import Group, merged
from .transform import PARTS, Transform


class _Several(Transform):
    """Transforms, each with draws of its own: those of the stage that it is."""

    transforms: list[Transform]

    def _check(self, transforms: Any) -> list[Transform]:
        where = type(self).__name__
        if not isinstance(transforms, (list, tuple)) or not transforms:
            raise ValueError(f"{where}: transforms must be a list of transforms, got {transforms!r:.80}")
        for place, transform in enumerate(transforms):
            if not isinstance(transform, Transform):
                raise TypeError(f"{where}: transforms[{place}] is no transform, but {transform!r:.80}")
        return list(transforms)

    def __len__(self) -> int:
        return len(self.transforms)

    def __getitem__(self, place: int) -> Transform:
        return self.transforms[place]

    def run(self, groups: list[Group], draws: Draws) -> list[Group]:
        if self.p == 1:
            return self.run_all(groups, draws)
        chosen = draws.chance(self.p)
        taken, left = _taken(groups, chosen), _taken(groups, ~chosen)
        return merged([*self.run_all(taken, draws), *left]) if taken else left

    def run_all(self, groups: list[Group], draws: Draws) -> list[Group]:
        raise NotImplementedError


class Compose(_Several):
    """One transform after the other.

    Args:
        transforms: At least one.
        p: The share of samples that go through.
        seed: Of all draws; that of the transforms themselves plays no part here.
        fuse: Rotations, shifts, shears, zooms, flips, perspectives and the crop after them that follow each
            other are computed in one pass, from the original pixels. That is faster and sharper than one
            after the other; what a first transform moves beyond the border a second one brings back.
        parts: What the parts of a batch from a `DataLoader` are: "images", and of "masks", "boxes",
            "keypoints" what moves along; every other name stays as it is.

    Source: torchvision.transforms.v2.Compose.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Compose, RandomHorizontalFlip, RandomRotation
        >>> augment = Compose([RandomRotation(15), RandomHorizontalFlip()], seed=1)
        >>> augment(np.zeros((8, 32, 32, 3), np.uint8)).shape
        (8, 32, 32, 3)
        >>> image, mask = augment(np.zeros((32, 32, 3), np.uint8), np.ones((32, 32), np.int64))
        >>> mask.shape, mask.dtype.name
        ((32, 32), 'int64')
    """

    @checks_names
    def __init__(
        self,
        transforms: Sequence[Transform],
        p: float = 1.0,
        *,
        seed: int | None = 0,
        fuse: bool = True,
        parts: Sequence[str] = ("images",),
    ) -> None:
        super().__init__(p, seed=seed)
        self.transforms = self._check(transforms)
        self.fuse = flag("Compose", "fuse", fuse)
        if not isinstance(parts, (tuple, list)) or not all(isinstance(part, str) for part in parts):
            raise TypeError(f"Compose: parts is {parts!r}, expected names, as ('images', 'masks')")
        if "images" not in parts or len(set(parts)) < len(parts):
            raise ValueError(
                f"Compose: parts is {parts!r}, expected 'images' and other names of {PARTS}, each once"
            )
        self.parts = tuple(parts)

    def run_all(self, groups: list[Group], draws: Draws) -> list[Group]:
        place = 0
        while place < len(self.transforms):
            end = self.transforms[place].fusible(self.transforms[place:]) if self.fuse else 1
            stages = [draws.stage(place + step) for step in range(end)]
            if end == 1:
                groups = self.transforms[place].run(groups, stages[0])
            else:
                groups = self.transforms[place].run_fused(
                    self.transforms[place : place + end], groups, stages
                )
            place += end
        return groups

    def __repr__(self) -> str:
        inside = "".join(f"    {each!r},\n" for each in self.transforms)
        return f"Compose([\n{inside}])"


class OneOf(_Several):
    """For each sample one of several transforms.

    Args:
        transforms: At least one.
        weights: How often each is taken, relative to the others; by default all alike.
        p: The share of samples that are transformed at all.
        seed: Of all draws.

    Source: torchvision.transforms.v2.RandomChoice; albumentations.OneOf.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import OneOf, RandomHorizontalFlip, RandomVerticalFlip
        >>> flips = OneOf([RandomHorizontalFlip(p=1), RandomVerticalFlip(p=1)], seed=2)
        >>> flips(np.zeros((4, 8, 8, 3), np.uint8)).shape
        (4, 8, 8, 3)
    """

    @checks_names
    def __init__(
        self,
        transforms: Sequence[Transform],
        weights: Sequence[float] | None = None,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.transforms = self._check(transforms)
        self.weights = None if weights is None else check_weights("OneOf", weights, len(self.transforms))

    def run_all(self, groups: list[Group], draws: Draws) -> list[Group]:
        choice = draws.choice(len(self.transforms), self.weights)
        made: list[Group] = []
        for place, transform in enumerate(self.transforms):
            taken = _taken(groups, choice == place)
            made += transform.run(taken, draws.stage(place)) if taken else []
        return merged(made)


class SomeOf(_Several):
    """For each sample some of several transforms, drawn without repetition, in the order of the list.

    Args:
        transforms: At least one.
        count: How many; a pair is the range (both included) from which a number is drawn for each sample.
        p: The share of samples that are transformed at all.
        seed: Of all draws.

    Source: albumentations.SomeOf.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomHorizontalFlip, RandomRotation, RandomVerticalFlip, SomeOf
        >>> some = SomeOf([RandomHorizontalFlip(p=1), RandomVerticalFlip(p=1), RandomRotation(10)], (1, 2))
        >>> some(np.zeros((4, 8, 8, 3), np.uint8)).shape
        (4, 8, 8, 3)
    """

    @checks_names
    def __init__(
        self,
        transforms: Sequence[Transform],
        count: int | tuple[int, int] = 1,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.transforms = self._check(transforms)
        pair = count if isinstance(count, (tuple, list)) else (count, count)
        try:
            low, high = (operator.index(each) for each in pair)
        except (TypeError, ValueError):
            raise TypeError(f"SomeOf: count is {count!r}, expected an integer or a pair of them") from None
        if not 0 <= low <= high <= len(self.transforms):
            raise ValueError(f"SomeOf: count is {count!r}, expected numbers from 0 to {len(self.transforms)}")
        self.count = (low, high)

    def run_all(self, groups: list[Group], draws: Draws) -> list[Group]:
        low, high = self.count
        order = draws.permutation(len(self.transforms))
        counts = draws.integers(low, high + 1) if high > low else np.full(len(draws), low)
        for place, transform in enumerate(self.transforms):
            mine = np.argmax(order == place, axis=1) < counts
            taken, left = _taken(groups, mine), _taken(groups, ~mine)
            if taken:
                groups = merged([*transform.run(taken, draws.stage(place)), *left])
        return groups


def _taken(groups: list[Group], chosen: Any) -> list[Group]:
    """The samples of groups for which ``chosen`` (by sample of the call) is true."""
    taken = []
    for group in groups:
        mine = np.flatnonzero(chosen[group.index])
        if len(mine) == len(group.index):
            taken.append(group)
        elif len(mine):
            taken.append(group.take(mine))
    return taken


def check_weights(where: str, weights: Any, count: int) -> list[float]:
    try:
        found = [float(weight) for weight in weights]
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{where}: weights is {weights!r:.80}, expected {count} numbers") from None
    if len(found) != count or not all(0 <= weight < float("inf") for weight in found) or sum(found) <= 0:
        raise ValueError(
            f"{where}: weights is {weights!r:.80}, expected {count} numbers, at least one above 0"
        )
    return found
