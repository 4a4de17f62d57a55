"""The random parameters of ImageDataGenerator: as Keras draws them, and for whole batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .draws import Draws

PARAMETERS = (
    "theta",
    "tx",
    "ty",
    "shear",
    "zx",
    "zy",
    "flip_horizontal",
    "flip_vertical",
    "channel_shift_intensity",
    "brightness",
)


def drawn_as_keras_does(
    generator: Any, random: np.random.RandomState, height: int, width: int
) -> dict[str, Any]:
    """The same calls in the same order as Keras's."""

    def both_sides(largest: float) -> float:
        return random.uniform(-largest, largest) if largest else 0

    def shift(by: Any, size: int) -> float:
        if not isinstance(by, np.ndarray) and not by:
            return 0
        if isinstance(by, float):
            drawn = random.uniform(-by, by)
        else:
            drawn = random.choice(by) * random.choice([-1, 1])
        return drawn * size if np.max(by) < 1 else drawn

    found: dict[str, Any] = {"theta": both_sides(generator.rotation_range)}
    found["tx"] = shift(generator.height_shift_range, height)
    found["ty"] = shift(generator.width_shift_range, width)
    found["shear"] = both_sides(generator.shear_range)
    low, high = generator.zoom_range
    found["zx"], found["zy"] = (1, 1) if (low, high) == (1, 1) else random.uniform(low, high, 2)
    found["flip_horizontal"] = (random.random_sample() < 0.5) * generator.horizontal_flip
    found["flip_vertical"] = (random.random_sample() < 0.5) * generator.vertical_flip
    found["channel_shift_intensity"] = both_sides(generator.channel_shift_range) or None
    found["brightness"] = (
        None if generator.brightness_range is None else random.uniform(*generator.brightness_range)
    )
    return found


def drawn(generator: Any, draws: Draws, size: tuple[int, int]) -> dict[str, Any]:
    """The parameters of a batch: those of `get_random_transform`, as arrays (n,)."""

    def shift(stage: int, by: Any, length: int) -> NDArray[np.float64]:
        mine = draws.stage(stage)
        if isinstance(by, float):
            moved = mine.uniform(-by, by)
        else:
            known = np.arange(by) if isinstance(by, int) else by
            moved = known[mine.choice(len(known))] * (2.0 * mine.integers(0, 2) - 1)
        return moved * length if np.max(by) < 1 else moved

    found: dict[str, Any] = {}
    if generator.rotation_range:
        found["theta"] = draws.stage(0).uniform(-generator.rotation_range, generator.rotation_range)
    if np.any(generator.height_shift_range):
        found["tx"] = shift(1, generator.height_shift_range, size[0])
    if np.any(generator.width_shift_range):
        found["ty"] = shift(2, generator.width_shift_range, size[1])
    if generator.shear_range:
        found["shear"] = draws.stage(3).uniform(-generator.shear_range, generator.shear_range)
    low, high = generator.zoom_range
    if (low, high) != (1, 1):
        found["zx"], found["zy"] = draws.stage(4).uniform(low, high, 2).T
    if generator.horizontal_flip:
        found["flip_horizontal"] = draws.stage(5).chance(0.5)
    if generator.vertical_flip:
        found["flip_vertical"] = draws.stage(6).chance(0.5)
    if generator.channel_shift_range:
        found["channel_shift_intensity"] = draws.stage(7).uniform(
            -generator.channel_shift_range, generator.channel_shift_range
        )
    if generator.brightness_range is not None:
        found["brightness"] = draws.stage(8).uniform(*generator.brightness_range)
    return found
