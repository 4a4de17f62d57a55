"""warp_images and displace_images against float64 NumPy and scipy, on every ISA level and thread count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import isa, on_threads

FILLS = ("constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap", "grid-constant")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def turned(seed: int, n: int, reach: float = 40) -> np.ndarray:
    """Rotations with zoom and shift."""
    rng = np.random.default_rng(seed)
    angle, zoom = rng.uniform(0, 7, n), rng.uniform(0.4, 2, n)
    m = np.zeros((n, 3, 3))
    m[:, 0, 0] = m[:, 1, 1] = zoom * np.cos(angle)
    m[:, 1, 0] = zoom * np.sin(angle)
    m[:, 0, 1] = -m[:, 1, 0]
    m[:, :2, 2] = rng.uniform(-reach, reach, (n, 2))
    m[:, 2, 2] = 1
    return m


def warp(images: np.ndarray, matrices: np.ndarray, size: Any, *args: Any) -> np.ndarray:
    return dt.warp_images(dt.tensor(images), dt.tensor(matrices), size, *args).numpy()


def cubic(d: np.ndarray) -> np.ndarray:
    d = np.abs(d)
    return np.where(
        d < 1, 1.5 * d**3 - 2.5 * d**2 + 1, np.where(d < 2, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2, 0)
    )


KERNELS = {
    "bilinear": lambda d: np.maximum(0, 1 - np.abs(d)),
    "bicubic": cubic,
}


def reference(image: np.ndarray, x: np.ndarray, y: np.ndarray, interpolation: str) -> np.ndarray:
    """Edges repeat (fill mode 'nearest'); image (h, w, channels), x and y (h', w')."""
    h, w, _ = image.shape
    if interpolation == "nearest":
        col, row = np.floor(x + 0.5).astype(int), np.floor(y + 0.5).astype(int)
        return image[np.clip(row, 0, h - 1), np.clip(col, 0, w - 1)]
    out = np.zeros((*x.shape, image.shape[2]))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for q in range(-1, 3):
        for r in range(-1, 3):
            weight = KERNELS[interpolation](left + q - x) * KERNELS[interpolation](top + r - y)
            taken = image[np.clip(top + r, 0, h - 1), np.clip(left + q, 0, w - 1)]
            out += weight[..., None] * taken
    return out


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_against_numpy(level: str, interpolation: str, channels: int) -> None:
    """Rotations, and perspectives, whose places lie everywhere in and around the images."""
    images, matrices = pictures(4, 37, 52, channels), turned(1, 4)
    matrices[2:, 2] = [[0.004, 0.002, 1], [-0.001, 0.003, 0.8]]
    row, col = np.mgrid[:41, :45]
    for dtype, allowed in (("uint8", 0.53), ("float32", 2e-3)):
        got = warp(images.astype(dtype), matrices, (41, 45), interpolation, "nearest")
        assert got.dtype == dtype
        assert got.shape == (4, 41, 45, channels)
        for i in range(4):
            x, y, s = np.einsum("ij,jhw->ihw", matrices[i], np.stack([col, row, np.ones_like(row)]))
            want = reference(images[i].astype(float), x / s, y / s, interpolation)
            if dtype == "uint8":
                want = np.clip(want, 0, 255)
            assert np.abs(got[i] - want).max() <= allowed


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(("order", "interpolation"), [(0, "nearest"), (1, "bilinear")])
def test_against_scipy(level: str, order: int, interpolation: str, fill: str) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    for seed, channels in enumerate((1, 3, 4, 6)):
        images, matrices = pictures(2, 40, 50, channels), turned(seed, 2)
        got = warp(images, matrices, (37, 45), interpolation, fill, 9)
        floats = warp(images.astype(np.float32), matrices, (37, 45), interpolation, fill, 9)
        for i, c in np.ndindex(2, channels):
            m = matrices[i, :2, :2][::-1, ::-1]
            want = ndimage.affine_transform(
                images[i, ..., c].astype(float),
                m,
                matrices[i, 1::-1, 2],
                output_shape=(37, 45),
                order=order,
                mode=fill,
                cval=9,
            )
            assert np.abs(got[i, ..., c] - want).max() <= 0.53
            assert np.abs(floats[i, ..., c] - want).max() <= 2e-3


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("channels", [1, 3, 4, 7])
def test_same_bits_on_levels_and_threads(interpolation: str, channels: int) -> None:
    images, matrices = pictures(5, 60, 70, channels), turned(3, 5)
    matrices[4, 2] = [0.003, 0.001, 1]
    field = np.random.default_rng(4).normal(0, 5, (5, 50, 60, 2)).astype(np.float32)
    for dtype in (np.uint8, np.float32):
        for fill in ("constant", "reflect"):
            x, m, f = dt.tensor(images.astype(dtype)), dt.tensor(matrices), dt.tensor(field)
            results = []
            for name in dt.isa_levels():
                with isa(name):
                    results += on_threads(lambda: [dt.warp_images(x, m, 64, interpolation, fill).numpy()])  # noqa: B023
            assert all(np.array_equal(r, results[0]) for r in results)
            results = []
            for name in dt.isa_levels():
                with isa(name):
                    results += on_threads(lambda: [dt.displace_images(x, f, interpolation, fill).numpy()])  # noqa: B023
            assert all(np.array_equal(r, results[0]) for r in results)


def test_identity_shift_flip_and_quarter_turn_move_pixels(level: str) -> None:
    for channels in (1, 3, 4, 5):
        images = pictures(2, 9, 9, channels)
        moves = {
            "identity": ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], images),
            "flip": ([[-1, 0, 8], [0, 1, 0], [0, 0, 1]], images[:, :, ::-1]),
            "turn": ([[0, -1, 8], [1, 0, 0], [0, 0, 1]], np.rot90(images, 1, (1, 2))),
            "shift": (
                [[1, 0, 2], [0, 1, 3], [0, 0, 1]],
                np.pad(images[:, 3:, 2:], ((0, 0), (0, 3), (0, 2), (0, 0))),
            ),
        }
        for m, want in moves.values():
            for interpolation in INTERPOLATIONS:
                for dtype in (np.uint8, np.float32):
                    got = warp(images.astype(dtype), np.array([m] * 2, float), 9, interpolation)
                    if m[0][1] == -1:
                        assert np.array_equal(got, want) or np.array_equal(got, np.rot90(images, -1, (1, 2)))
                    else:
                        assert np.array_equal(got, want)


def test_displacement(level: str) -> None:
    rng = np.random.default_rng(5)
    images = pictures(3, 30, 33, 3)
    field = rng.normal(0, 6, (3, 31, 29, 2)).astype(np.float32)
    row, col = np.mgrid[:31, :29]
    got = dt.displace_images(dt.tensor(images), dt.tensor(field), "bilinear", "nearest").numpy()
    for i in range(3):
        want = reference(images[i].astype(float), col + field[i, ..., 0], row + field[i, ..., 1], "bilinear")
        assert np.abs(got[i] - want).max() <= 0.53


HOSTILE = (1e300, -1e300, 1e18, 2.0**31, -(2.0**30), 1e-300, 5e-324, 4294967295.5)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_hostile_numbers_stay_inside(level: str, interpolation: str, fill: str) -> None:
    """Any finite matrix and any field give pixels of the image or the fill value."""
    rng = np.random.default_rng(6)
    for h, w, channels in ((1, 1, 3), (1, 7, 1), (2, 2, 4), (20, 30, 3), (3, 1, 5)):
        images = np.full((8, h, w, channels), 200, np.uint8)
        m = rng.choice([*HOSTILE, 0, 1, -1, 0.5], (8, 3, 3))
        m[0], m[1, 2], m[2, :2] = 0, 0, [[0, 0, -0.0], [0, 0, -0.3]]
        with np.errstate(over="ignore"):
            field = rng.choice([*HOSTILE, 0, np.nan, np.inf, -np.inf], (8, 5, 6, 2)).astype(np.float32)
        for dtype in (np.uint8, np.float32):
            x = dt.tensor(images.astype(dtype))
            results = [
                dt.warp_images(x, dt.tensor(m), (5, 300), interpolation, fill, 100).numpy(),
                dt.displace_images(x, dt.tensor(field), interpolation, fill, 100).numpy(),
            ]
            for got in results:
                low = 85 if interpolation == "bicubic" else 99.99  # overshoots between image and value
                assert low <= got.min() <= got.max() <= 215


def test_places_that_are_no_numbers_are_outside(level: str) -> None:
    field = np.full((1, 2, 2, 2), np.nan, np.float32)
    got = dt.displace_images(dt.tensor(pictures(1, 4, 4, 3)), dt.tensor(field), fill_value=7).numpy()
    assert (got == 7).all()


def test_fill_values(level: str) -> None:
    away = np.array([[[1, 0, 50], [0, 1, 0], [0, 0, 1]]], float)
    for value, want in ((-5, 0), (0, 0), (77.4, 77), (300, 255)):
        assert (warp(pictures(1, 4, 4, 3), away, 4, "bilinear", "constant", value) == want).all()
        assert (
            warp(pictures(1, 4, 4, 3).astype(np.float32), away, 4, "bilinear", "constant", value)
            == np.float32(value)
        ).all()


def test_empty_and_single() -> None:
    eye = np.eye(3)[None]
    assert warp(pictures(0, 5, 5, 3), np.zeros((0, 3, 3)), (4, 6)).shape == (0, 4, 6, 3)
    assert warp(pictures(1, 5, 5, 0), eye, (4, 6)).shape == (1, 4, 6, 0)
    one = pictures(1, 1, 1, 3)
    assert (warp(one, eye, 3, "bilinear", "reflect") == one).all()
    assert warp(one, eye.astype(np.float32), 3, "bicubic", "constant", 9)[0, 2, 2].tolist() == [9, 9, 9]


def test_strided_images() -> None:
    images, m = pictures(3, 20, 24, 4), turned(2, 3, 10)
    whole = warp(images, m, (20, 24))
    part = dt.warp_images(dt.tensor(images)[:, :, :, :3], dt.tensor(m), (20, 24)).numpy()
    assert np.array_equal(part, whole[..., :3])
    back = dt.warp_images(dt.tensor(images)[:, ::-1], dt.tensor(m), (20, 24)).numpy()
    assert np.array_equal(back, warp(images[:, ::-1].copy(), m, (20, 24)))


def test_errors() -> None:
    x, eye = dt.tensor(pictures(2, 5, 6, 3)), dt.tensor(np.stack([np.eye(3)] * 2))
    cases: list[tuple[Any, type[Exception], str]] = [
        (
            lambda: dt.warp_images(x, eye, 4, "linear"),
            ValueError,
            "unknown interpolation 'linear', expected one of 'nearest', ",
        ),
        (
            lambda: dt.warp_images(x, eye, 4, fill_mode="edge"),
            ValueError,
            "unknown fill_mode 'edge', expected",
        ),
        (lambda: dt.warp_images(x[0], eye, 4), ValueError, r"images must have 4 dimensions"),
        (
            lambda: dt.warp_images(x, eye[:1], 4),
            ValueError,
            r"matrices has shape \(1, 3, 3\)|matrices must have shape",
        ),
        (
            lambda: dt.warp_images(x, eye * float("nan"), 4),
            ValueError,
            "matrices contains nan for sample 0, expected finite",
        ),
        (lambda: dt.warp_images(x, eye, 0), ValueError, "size must be at least 1, got 0"),
        (lambda: dt.warp_images(x, eye, (2**31, 4)), ValueError, "size must be at most 1073741824"),
        (lambda: dt.warp_images(x, eye, (2**30, 2**30)), MemoryError, "out of memory"),
        (
            lambda: dt.warp_images(dt.tensor(np.zeros((1, 5, 5, 1))), eye, 4),
            TypeError,
            "images has dtype float64",
        ),
        (
            lambda: dt.warp_images(x[:, :0], eye, 4),
            ValueError,
            r"images have shape \(2, 0, 6, 3\), expected 1 to",
        ),
        (lambda: dt.displace_images(x, eye), TypeError, "field has dtype float64, expected float32"),
        (lambda: dt.displace_images(x, dt.zeros((2, 4, 4, 3))), ValueError, "field"),
        (lambda: dt.displace_images(x, dt.zeros((2, 0, 4, 2))), ValueError, "size must be at least 1"),
    ]
    for call, kind, match in cases:
        with pytest.raises(kind, match=match):
            call()
    with pytest.raises(RuntimeError, match="images"):
        dt.warp_images(dt.zeros((2, 5, 5, 1)).requires_grad_(), eye, 4)
