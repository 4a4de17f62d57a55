"""Pools of many channels: every path of the backward pass, windows of every overlap, NaN and infinity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads

rng = np.random.default_rng(8)
F = dt.nn.functional
pytestmark = pytest.mark.usefixtures("level")


def windows(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> Iterator[tuple[Any, Any]]:
    """For every output: its index, and the slices of the input that its window covers."""
    _, height, width, _ = shape
    for i in range((height + 2 * padding - kernel) // stride + 1):
        for j in range((width + 2 * padding - kernel) // stride + 1):
            top, left = i * stride - padding, j * stride - padding
            rows, cols = slice(max(0, top), top + kernel), slice(max(0, left), left + kernel)
            yield (slice(None), i, j), (slice(None), rows, cols)


def pooled(function: Any, x: np.ndarray, g: np.ndarray | None = None, **options: int) -> list[np.ndarray]:
    """Output and gradient, with the same bits for any number of threads."""

    def run() -> list[dt.Tensor]:
        t = dt.tensor(x, requires_grad=True)
        y = function(t, **options)
        y.backward(dt.tensor(g) if g is not None else dt.ones(y.shape, dtype=y.dtype))
        return [y.detach(), t.grad]

    return on_threads(run)


CASES = [
    # channels, kernel, stride, padding; 1, 2, 4 and other numbers of windows hold an input
    (16, 2, 2, 0),
    (80, 3, 3, 0),  # windows side by side that leave a row and columns over
    (64, 3, 2, 1),
    (65, 3, 2, 1),
    (33, 3, 1, 1),
    (80, 5, 3, 2),
    (127, 3, 4, 0),
    (17, 9, 1, 4),
    (1030, 3, 2, 1),  # more channels than a tile of the gradient holds
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_max_pool(case: tuple[int, int, int, int], dtype: str) -> None:
    channels, kernel, stride, padding = case
    x = rng.standard_normal((3, 13, 11, channels)).round(1).astype(dtype)  # with equals: the first one wins
    want_y = dt.max_pool2d(dt.tensor(x), kernel, stride, padding).numpy()
    g = rng.standard_normal(want_y.shape).astype(dtype)
    want_dx = np.zeros_like(x, dtype="float64")
    for out, part in windows(x.shape, kernel, stride, padding):
        flat = x[part].reshape(3, -1, channels)
        first = flat.argmax(axis=1)
        np.testing.assert_array_equal(want_y[out], np.take_along_axis(flat, first[:, None], 1)[:, 0])
        share = np.zeros(flat.shape)
        np.put_along_axis(share, first[:, None], g[out][:, None], 1)
        want_dx[part] += share.reshape(x[part].shape)
    y, dx = pooled(F.max_pool2d, x, g, kernel_size=kernel, stride=stride, padding=padding)
    np.testing.assert_array_equal(y, want_y)
    np.testing.assert_allclose(dx, want_dx, atol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_average_pool(case: tuple[int, int, int, int], dtype: str) -> None:
    channels, kernel, stride, padding = case
    x = rng.standard_normal((3, 13, 11, channels)).astype(dtype)
    shape = dt.avg_pool2d(dt.tensor(x), kernel, stride, padding).shape
    g = rng.standard_normal(shape).astype(dtype)
    want_y, want_dx = np.zeros(shape), np.zeros(x.shape)
    for out, part in windows(x.shape, kernel, stride, padding):
        want_y[out] = x[part].sum(axis=(1, 2), dtype="float64") / kernel**2
        want_dx[part] += g[out][:, None, None] / kernel**2
    y, dx = pooled(F.avg_pool2d, x, g, kernel_size=kernel, stride=stride, padding=padding)
    tolerance = 2e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(y, want_y, atol=tolerance)
    np.testing.assert_allclose(dx, want_dx, atol=tolerance)


def test_nan_and_infinity_in_a_window() -> None:
    """The first NaN is the maximum; infinity is a number like others."""
    x = rng.standard_normal((1, 2, 6, 64)).astype(np.float32)
    x[0, 1, 0, 5] = x[0, 0, 1, 63] = x[0, 1, 1, 63] = np.nan
    x[0, 1, 2, 7], x[0, :, 2:4, 9], x[0, 1, 5, 64 - 1] = np.inf, -np.inf, -np.inf
    y, dx = pooled(F.max_pool2d, x, kernel_size=2)
    want = x.reshape(2, 3, 2, 64).transpose(1, 0, 2, 3).reshape(3, 4, 64)
    np.testing.assert_array_equal(y[0, 0], want.max(axis=1))
    assert np.isnan(y[0, 0, 0, 5])
    assert dx[0, 1, 0, 5] == 1
    assert dx[0, 0, 1, 63] == 1
    assert dx[0, 1, 1, 63] == 0  # the second NaN
    assert y[0, 0, 1, 7] == np.inf
    assert dx[0, 1, 2, 7] == 1
    assert dx[0, 0, 2, 9] == 1  # all are -inf: the first


def test_gradient_beyond_the_caches() -> None:
    """A gradient long enough for stores past the caches agrees with that of one image of it."""
    x = rng.standard_normal((9, 112, 112, 64)).astype(np.float32)
    for function in (F.max_pool2d, F.avg_pool2d):
        for options in (
            {"kernel_size": 3, "stride": 2, "padding": 1},
            {"kernel_size": 2, "stride": 2, "padding": 0},
        ):
            y, dx = pooled(function, x, **options)
            one_y, one_dx = pooled(function, x[4:5], **options)
            np.testing.assert_array_equal(y[4:5], one_y)
            np.testing.assert_array_equal(dx[4:5], one_dx)
