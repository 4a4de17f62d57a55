"""What Keras's ImageDataGenerator does to images, for whole batches: matrices, channel shifts, brightness."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._core import Tensor
from .matrices import rotations, shifts, stacked

Floats = NDArray[np.float64]

NEUTRAL = {"theta": 0.0, "tx": 0.0, "ty": 0.0, "shear": 0.0, "zx": 1.0, "zy": 1.0}
INTERPOLATIONS = {0: "nearest", 1: "bilinear", 3: "bicubic"}


def matrices(parameters: dict[str, Any], count: int, size: tuple[int, int]) -> Floats:
    """(n, 3, 3) from the new pixels (x, y) to the old: rotation, shift, shear and zoom around Keras's centre,
    then the flips."""
    height, width = size
    given = {name: np.broadcast_to(parameters.get(name, usual), count) for name, usual in NEUTRAL.items()}
    shear = np.deg2rad(given["shear"])
    made = rotations(np.deg2rad(given["theta"])) @ shifts(given["tx"], given["ty"])
    made = made @ stacked([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]], count)
    made = made @ stacked([[given["zx"], 0, 0], [0, given["zy"], 0], [0, 0, 1]], count)
    # Keras takes half the height for the centre's x and half the width for its y: others where they differ.
    x, y = height / 2 - 0.5, width / 2 - 0.5
    moves = (made != np.eye(3)).any(axis=(1, 2))
    made = np.where(moves[:, None, None], around(made, x, y), made)
    across = np.broadcast_to(parameters.get("flip_horizontal", False), count).astype(bool)
    down = np.broadcast_to(parameters.get("flip_vertical", False), count).astype(bool)
    flip = stacked(
        [
            [np.where(across, -1, 1), 0, np.where(across, width - 1, 0)],
            [0, np.where(down, -1, 1), np.where(down, height - 1, 0)],
            [0, 0, 1],
        ],
        count,
    )
    return np.ascontiguousarray(made @ flip)


def around(made: Floats, x: float, y: float) -> Floats:
    """The same matrices around another centre."""
    centred = made.copy()
    centred[:, 0, 2] += x - made[:, 0, 0] * x - made[:, 0, 1] * y
    centred[:, 1, 2] += y - made[:, 1, 0] * x - made[:, 1, 1] * y
    return centred


def transformed(
    images: Tensor, parameters: dict[str, Any], fill_mode: str, fill_value: float, order: int
) -> Tensor:
    """Images (n, height, width, channels), each with its own parameters; those of one image are numbers."""
    count, height, width, _ = images.shape
    found = matrices(parameters, count, (height, width))
    if (found != np.eye(3)).any():
        images = _core.warp_images(
            images,
            _core.from_numpy(found),
            size=(height, width),
            interpolation=INTERPOLATIONS[order],
            fill_mode=fill_mode,
            fill_value=fill_value,
        )
    if images.dtype.name == "uint8":
        images = images.astype("float32")
    if parameters.get("channel_shift_intensity") is not None:
        images = shifted_channels(images, parameters["channel_shift_intensity"])
    if parameters.get("brightness") is not None:
        images = brightened(images, parameters["brightness"])
    return images


def per_sample(values: Any, count: int) -> Tensor:
    column = np.broadcast_to(np.asarray(values, np.float32), count).reshape(count, 1, 1, 1)
    return _core.from_numpy(np.ascontiguousarray(column))


def shifted_channels(images: Tensor, intensity: Any) -> Tensor:
    """A number added to all values, cut at the smallest and largest value of each image."""
    axes = (1, 2, 3)
    low, high = _core.min(images, axes, True), _core.max(images, axes, True)
    added = images + per_sample(intensity, images.shape[0])
    return _core.minimum(_core.maximum(added, low), high)


def brightened(images: Tensor, brightness: Any) -> Tensor:
    """What Pillow's ImageEnhance.Brightness makes of images that are bytes for it: whole numbers, cut at 0
    and 255. Images with values beyond 0 and 255 are brought into that range, and back."""
    values = images.numpy()
    axes = (1, 2, 3)
    low, high = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    beyond = (low < 0) | (high > 255)
    factor = np.broadcast_to(np.asarray(brightness, np.float32), len(values)).reshape(-1, 1, 1, 1)
    if beyond.any():
        span = np.where(high > low, high - low, 1)
        values = np.where(beyond, (values - low) / span * np.float32(255), values)
    whole = np.trunc(values)
    bright = np.trunc(np.clip(whole * factor, 0, 255))
    if values.shape[3] == 4:
        bright[..., 3] = whole[..., 3]  # how opaque a pixel is
    if beyond.any():
        bright = np.where(beyond, bright / 255 * (high - low) + low, bright)
    return _core.from_numpy(np.ascontiguousarray(bright, np.float32))
