"""Matrices (n, 3, 3) from the pixels (x, y, 1) of new images to those of the old."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def rotations(angle: Floats) -> Floats:
    """From the pixels of an image that is rotated counter-clockwise to those of the image before."""
    cos, sin = np.cos(angle), np.sin(angle)
    return stacked([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], len(angle))


def shifts(x: Floats, y: Floats) -> Floats:
    return stacked([[1, 0, x], [0, 1, y], [0, 0, 1]], len(x))


def stacked(rows: Sequence[Sequence[Any]], count: int) -> Floats:
    """(n, 3, 3) of entries that are numbers or arrays (n,)."""
    matrices = np.empty((count, 3, 3))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            matrices[:, i, j] = entry
    return matrices


def centred(matrices: Floats, shape: tuple[int, ...]) -> Floats:
    """The same around the centre of the image."""
    x, y = (shape[2] - 1) / 2, (shape[1] - 1) / 2
    made = matrices.copy()
    made[:, 0, 2] += x - made[:, 0, 0] * x - made[:, 0, 1] * y
    made[:, 1, 2] += y - made[:, 1, 0] * x - made[:, 1, 1] * y
    return made


def homographies(source: Floats, target: Floats) -> Floats:
    """The matrices (n, 3, 3) that move four points (n, 4, 2) to four others."""
    count = len(source)
    x, y = source[..., 0], source[..., 1]
    equations = np.zeros((count, 8, 8))
    for half, (goal, at) in enumerate(((target[..., 0], 0), (target[..., 1], 3))):
        rows = equations[:, 4 * half : 4 * half + 4]
        rows[..., at], rows[..., at + 1], rows[..., at + 2] = x, y, 1
        rows[..., 6], rows[..., 7] = -x * goal, -y * goal
    goals = np.concatenate([target[..., 0], target[..., 1]], axis=1)
    solved = np.linalg.solve(equations, goals[..., None])[..., 0]
    return np.concatenate([solved, np.ones((count, 1))], axis=1).reshape(count, 3, 3)


def projected(matrices: Floats, points: Floats) -> Floats:
    """Points (k, 2), each moved by its own matrix (k, 3, 3)."""
    ones = np.ones((len(points), 1))
    moved = (matrices @ np.concatenate([points, ones], axis=1)[..., None])[..., 0]
    return np.asarray(moved[:, :2] / moved[:, 2:])


def window_matrices(corners: Integers, mirrored: Booleans, size: tuple[int, int]) -> Floats:
    """Of windows, see `WindowTransform`."""
    signs = np.where(mirrored, -1, 1)
    first = np.where(mirrored, corners + np.array([size[1] - 1, size[0] - 1]), corners)
    return stacked([[signs[:, 0], 0, first[:, 0]], [0, signs[:, 1], first[:, 1]], [0, 0, 1]], len(corners))


def windows_of_windows(
    corners: Integers,
    mirrored: Booleans,
    size: tuple[int, int],
    inner: tuple[Integers, Booleans],
    inner_size: tuple[int, int],
) -> tuple[Integers, Booleans]:
    """Windows of the size ``inner_size`` in windows of a size, as windows of the images."""
    if inner_size == size and not inner[0].any():
        return corners, mirrored ^ inner[1]
    beyond = np.array([size[1] - inner_size[1], size[0] - inner_size[0]])
    return corners + np.where(mirrored, beyond - inner[0], inner[0]), mirrored ^ inner[1]
