"""What the colour kernels take for each sample: steps, tables and taps, made of NumPy arrays of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._core import Tensor

Floats32 = NDArray[np.float32]
Tables = NDArray[np.uint8]

GREY = np.array([0.299, 0.587, 0.114])  # ITU-R 601-2, as Pillow's "L"
STEP = 13
_MATRIX, _CONTRAST, _HUE = 1, 2, 3


def share(array: NDArray[Any]) -> Tensor:
    """A tensor of an array that nobody else writes to."""
    return _core.from_numpy(np.ascontiguousarray(array))


# Steps: (n, 13), the kind and its numbers


def matrix_steps(matrices: NDArray[np.float64]) -> Floats32:
    """Of matrices (n, 3, 4) of the new red, green and blue from red, green, blue and 1."""
    steps = np.zeros((len(matrices), STEP), np.float32)
    steps[:, 0] = _MATRIX
    steps[:, 1:] = matrices.reshape(-1, 12)
    return steps


def brightness_steps(factors: NDArray[np.float64]) -> Floats32:
    return matrix_steps(factors[:, None, None] * np.eye(3, 4))


def saturation_steps(factors: NDArray[np.float64]) -> Floats32:
    """Between the grey picture, 0, and the picture itself, 1. Grey pictures have a matrix that changes
    nothing: its first number is theirs."""
    matrices = np.zeros((len(factors), 3, 4))
    matrices[:, :, :3] = factors[:, None, None] * np.eye(3) + (1 - factors[:, None, None]) * GREY
    return matrix_steps(matrices)


def contrast_steps(factors: NDArray[np.float64]) -> Floats32:
    steps = np.zeros((len(factors), STEP), np.float32)
    steps[:, 0] = _CONTRAST
    steps[:, 1] = factors
    return steps


def hue_steps(turns: NDArray[np.float64]) -> Floats32:
    steps = np.zeros((len(turns), STEP), np.float32)
    steps[:, 0] = _HUE
    steps[:, 1] = turns % 1
    steps[steps[:, 1] >= 1, 1] = 0  # a rounded turn
    return steps


# Tables: (n, 1 or channels, 256)

LEVELS = np.arange(256)
SAME = LEVELS.astype(np.uint8)


def posterize_tables(bits: NDArray[np.int64]) -> Tables:
    """The upper bits of each level."""
    kept = 255 & ~((1 << (8 - bits)) - 1)
    return (LEVELS & kept[:, None, None]).astype(np.uint8)


def solarize_tables(thresholds: NDArray[np.float64]) -> Tables:
    """Levels from the threshold on are inverted."""
    return np.where(thresholds[:, None, None] > LEVELS, LEVELS, 255 - LEVELS).astype(np.uint8)


def autocontrast_tables(histograms: NDArray[np.int64]) -> Tables:
    """From histograms (n, channels, 256): the darkest level becomes 0, the lightest 255, rounded as by
    Pillow."""
    found = histograms > 0
    low = found.argmax(axis=2)[..., None]
    high = 255 - found[:, :, ::-1].argmax(axis=2)[..., None]
    scale = 255.0 / np.maximum(high - low, 1)
    stretched = np.clip((LEVELS * scale - low * scale).astype(np.int64), 0, 255)
    return np.where(high > low, stretched, LEVELS).astype(np.uint8)


def equalize_tables(histograms: NDArray[np.int64]) -> Tables:
    """From histograms (n, channels, 256): levels such that each comes about as often,
    rounded as by Pillow."""
    lightest = 255 - (histograms > 0)[:, :, ::-1].argmax(axis=2)[..., None]
    total = histograms.sum(axis=2, keepdims=True)
    step = (total - np.take_along_axis(histograms, lightest, axis=2)) // 255
    before = np.cumsum(histograms, axis=2) - histograms
    spread = np.clip((step // 2 + before) // np.maximum(step, 1), 0, 255)
    several = (histograms > 0).sum(axis=2, keepdims=True) > 1
    return np.where((step > 0) & several, spread, LEVELS).astype(np.uint8)


def gamma_tables(gammas: NDArray[np.float64]) -> Tables:
    return np.rint(255 * (LEVELS / 255) ** gammas[:, None, None]).astype(np.uint8)


def looked_up(images: Tensor, tables: Tables, max_value: float) -> Tensor:
    """The images through tables; a fourth channel is opacity and stays."""
    if images.shape[3] == 4:
        tables = np.broadcast_to(tables, (len(tables), 4, 256)).copy()
        tables[:, 3] = SAME
    return _core.lookup_images(images, share(tables), max_value)


def with_alpha(changed: Tensor, images: Tensor) -> Tensor:
    """The fourth channel, opacity, as it was."""
    if images.shape[3] != 4:
        return changed
    return _core.concat([changed[..., :3], images[..., 3:]], axis=3)


# Taps: (n, odd)


def gaussian_taps(size: int, sigmas: NDArray[np.float64]) -> Floats32:
    places = np.arange(size) - (size - 1) / 2
    taps = np.exp(-0.5 * (places / sigmas[:, None]) ** 2)
    whole: Floats32 = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return whole


def box_taps(sizes: NDArray[np.int64]) -> Floats32:
    """Means over odd sizes, as many taps as the largest needs."""
    half = int(sizes.max(initial=1)) // 2
    inside = np.abs(np.arange(-half, half + 1)) <= sizes[:, None] // 2
    taps: Floats32 = (inside / sizes[:, None]).astype(np.float32)
    return taps


def sharpened(images: Tensor, factors: NDArray[np.float64], max_value: float) -> Tensor:
    """Between Pillow's SMOOTH, (1 1 1; 1 5 1; 1 1 1) / 13, at 0, and the picture itself at 1, and beyond. A
    fourth channel stays."""
    blur = (1 - factors) / 13
    down = np.repeat(blur[:, None], 3, axis=1).astype(np.float32)
    centre = (factors + 4 * blur).astype(np.float32)
    made = _core.filter_images(
        images,
        share(down),
        share(np.ones_like(down)),
        centre=share(centre),
        keep_border=True,
        max_value=max_value,
    )
    return with_alpha(made, images)
