"""resize_images against float64 NumPy and Pillow, on every ISA level and thread count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import isa, on_threads

FILTERS: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "box": (0.5, lambda d: np.where((d > -0.5) & (d <= 0.5), 1.0, 0.0)),
    "bilinear": (1, lambda d: np.maximum(0, 1 - np.abs(d))),
    "bicubic": (
        2,
        lambda d: np.where(
            np.abs(d) < 1,
            1.5 * np.abs(d) ** 3 - 2.5 * d**2 + 1,
            np.where(np.abs(d) < 2, -0.5 * np.abs(d) ** 3 + 2.5 * d**2 - 4 * np.abs(d) + 2, 0),
        ),
    ),
    "lanczos": (3, lambda d: np.where(np.abs(d) < 3, np.sinc(d) * np.sinc(d / 3), 0)),
}
SIZES = [
    ((50, 70), (20, 31)),
    ((20, 31), (50, 70)),
    ((33, 40), (66, 13)),
    ((7, 9), (7, 9)),
    ((1, 1), (5, 4)),
    ((300, 5), (2, 2)),
    ((64, 64), (1, 1)),
]


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    """Noise over blobs."""
    rng = np.random.default_rng(seed)
    n, h, w, c = shape
    coarse = rng.uniform(0, 255, (n, h // 5 + 1, w // 5 + 1, c)).repeat(5, 1).repeat(5, 2)[:, :h, :w]
    return np.clip(coarse + rng.normal(0, 40, shape), 0, 255).astype(np.uint8)


def resize(images: np.ndarray, size: Any, *args: Any, boxes: Any = None, flips: Any = None) -> np.ndarray:
    boxes = None if boxes is None else dt.tensor(np.asarray(boxes, float))
    flips = None if flips is None else dt.tensor(np.asarray(flips, bool))
    options = dict(zip(("interpolation", "antialias"), args, strict=False))
    return dt.resize_images(dt.tensor(images), size, boxes=boxes, flips=flips, **options).numpy()


def weights(name: str, low: float, high: float, n: int, out: int, antialias: bool) -> np.ndarray:
    """(out, n)"""
    reach, kernel = FILTERS[name]
    scale = (high - low) / out
    wide = max(scale, 1) if antialias else 1
    centre = low + (np.arange(out) + 0.5) * scale
    d = (np.arange(n)[None] + 0.5 - centre[:, None]) / wide
    taken = (np.arange(n)[None] >= np.floor(centre - reach * wide + 0.5)[:, None]) & (
        np.arange(n)[None] < np.floor(centre + reach * wide + 0.5)[:, None]
    )
    w = kernel(d) * taken
    return w / w.sum(1, keepdims=True)


def reference(image: np.ndarray, box: Any, size: Any, name: str, antialias: bool, clip: bool) -> np.ndarray:
    h, w, _ = image.shape
    rows = weights(name, box[1], box[3], h, size[0], antialias)
    columns = weights(name, box[0], box[2], w, size[1], antialias)
    between = np.einsum("jw,hwc->hjc", columns, image.astype(float))
    if clip:
        between = np.clip(np.floor(between + 0.5), 0, 255)
    out = np.einsum("ih,hjc->ijc", rows, between)
    return np.clip(out, 0, 255) if clip else out


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("name", FILTERS)
def test_against_numpy(level: str, name: str, antialias: bool) -> None:
    for (h, w), size in SIZES:
        for channels in (1, 2, 3, 4, 5):
            images = pictures(2, h, w, channels)
            boxes = [(0, 0, w, h), (0.3 * w, 0.125 * h, 0.81 * w, 0.77 * h)]
            for dtype in (np.uint8, np.float32):
                got = resize(images.astype(dtype), size, name, antialias, boxes=boxes)
                assert got.dtype == dtype
                for i in range(2):
                    want = reference(images[i], boxes[i], size, name, antialias, dtype == np.uint8)
                    difference = np.abs(got[i] - want)
                    if dtype == np.uint8:  # where the step between was rounded otherwise
                        assert difference.max() < 2
                        assert (difference > 0.6).sum() <= max(1, 0.03 * difference.size)
                    else:
                        assert difference.max() < 2e-3


@pytest.mark.parametrize("name", ["nearest", *FILTERS])
def test_against_pillow(level: str, name: str) -> None:
    image_module = pytest.importorskip("PIL.Image")
    method = getattr(image_module.Resampling, name.upper())
    for (h, w), (out_h, out_w) in SIZES:
        for channels in (1, 3):
            image = pictures(1, h, w, channels, seed=h)[0]
            pillow = image_module.fromarray(image[..., 0] if channels == 1 else image)
            for box in ((0, 0, w, h), (w * 0.21, h * 0.37, w * 0.9, h * 0.98)):
                want = np.asarray(pillow.resize((out_w, out_h), method, box=box)).reshape(
                    out_h, out_w, channels
                )
                got = resize(image[None], (out_h, out_w), name, boxes=[box])[0]
                assert np.abs(got.astype(int) - want).max() <= (0 if name == "nearest" else 1)


@pytest.mark.parametrize("name", ["nearest", *FILTERS])
def test_same_bits_on_levels_and_threads(name: str) -> None:
    cases = [((5, 60, 70, 3), (33, 41)), ((1, 200, 30, 1), (300, 300)), ((20, 28, 28, 4), (32, 32))]
    for shape, size in [*cases, ((2, 30, 30, 6), (14, 50))]:
        images = pictures(*shape)
        rng = np.random.default_rng(1)
        boxes = rng.uniform(0, 0.4, (shape[0], 4)) * shape[1]
        boxes[:, 2:] += shape[1] / 2
        boxes[:, [0, 2]] *= shape[2] / shape[1]
        flips = rng.uniform(size=shape[0]) < 0.5
        for dtype in (np.uint8, np.float32):
            results = []
            for level_name in dt.isa_levels():
                with isa(level_name):
                    results += on_threads(
                        lambda: [resize(images.astype(dtype), size, name, boxes=boxes, flips=flips)]  # noqa: B023
                    )
            assert all(np.array_equal(r, results[0]) for r in results)


def test_flips_and_whole_boxes_copy(level: str) -> None:
    """Of the size of their boxes, pixels are those of the image, whatever the filter."""
    for channels in (1, 2, 3, 4, 5):
        images = pictures(6, 20, 25, channels)
        boxes = [(i, 2 * i, i + 13, 2 * i + 9) for i in range(6)]
        flips = np.arange(6) % 2 == 1
        for name in ("nearest", *FILTERS):
            for dtype in (np.uint8, np.float32):
                got = resize(images.astype(dtype), (9, 13), name, boxes=boxes, flips=flips)
                for i, (x0, y0, x1, y1) in enumerate(boxes):
                    want = images[i, y0:y1, x0:x1]
                    assert np.abs(got[i] - (want[:, ::-1] if flips[i] else want)).max() < 1e-4


def test_flip_is_the_mirror_image(level: str) -> None:
    images = pictures(2, 20, 25, 3)
    boxes = [(1.3, 2.4, 22.1, 19), (0, 0, 25, 20)]
    for name in ("nearest", *FILTERS):
        plain = resize(images, (9, 40), name, boxes=boxes)
        assert np.array_equal(
            resize(images, (9, 40), name, boxes=boxes, flips=[True, False])[0], plain[0, :, ::-1]
        )


def test_flat_pictures_stay_flat(level: str) -> None:
    """Weights add up to one after rounding."""
    for value in (0, 1, 128, 254, 255):
        for name in ("nearest", *FILTERS):
            for (h, w), size in [*SIZES, ((600, 500), (3, 4)), ((1500, 40), (2, 2))]:
                assert (resize(np.full((1, h, w, 3), value, np.uint8), size, name) == value).all()


def test_much_smaller(level: str) -> None:
    """More pixels in one than weights of 16 bits have room for."""
    image = pictures(1, 3000, 40, 3)
    for name in FILTERS:
        want = reference(image[0], (0, 0, 40, 3000), (2, 20), name, True, True)
        assert np.abs(resize(image, (2, 20), name)[0] - want).max() < 1.1


def test_not_finite_pixels_stay_where_they_are(level: str) -> None:
    image = np.ones((1, 30, 30, 3), np.float32)
    image[0, 10, 12, 1] = np.nan
    image[0, 25, 3, 0] = np.inf
    got = resize(image, (15, 15), "bilinear")
    assert np.isnan(got[0, 5, 6, 1])
    assert np.isfinite(got[..., 2]).all()
    assert (~np.isfinite(got)).sum() < 20


def test_empty_and_large() -> None:
    assert resize(pictures(0, 5, 5, 3), (4, 6)).shape == (0, 4, 6, 3)
    assert resize(np.zeros((1, 5, 5, 0), np.uint8), 3).shape == (1, 3, 3, 0)
    wide = np.zeros((1, 1, 20_000, 1), np.uint8)
    wide[..., 10_000:, :] = 255
    assert resize(wide, (1, 2), "box").ravel().tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
def test_the_narrowest_boxes_show_the_last_pixel(name: str, dtype: type) -> None:
    """Rounding leaves no pixel to the filter where the centre is within half a unit of the border."""
    x = dt.tensor(np.full((1, 1, 1, 1), 164, dtype))
    box = dt.tensor([[np.nextafter(1.0, 0), np.nextafter(1.0, 0), 1.0, 1.0]], dtype="float64")
    assert (dt.resize_images(x, (2, 3), name, boxes=box).numpy() == 164).all()


def test_errors() -> None:
    x = dt.tensor(pictures(2, 5, 6, 3))

    def boxed(*box: float) -> Callable[[], Any]:
        return lambda: dt.resize_images(x, 4, boxes=dt.tensor(np.array([[0, 0, 6, 5], box], float)))

    cases: list[tuple[Any, type[Exception], str]] = [
        (
            lambda: dt.resize_images(x, 4, "linear"),
            ValueError,
            "unknown interpolation 'linear', expected one of 'nearest', 'box'",
        ),
        (
            boxed(0, 0, 7, 5),
            ValueError,
            r"box 1 is \(0.*\), expected 0 <= left < right <= 6 and 0 <= top < bottom <= 5",
        ),
        (boxed(3, 0, 3, 5), ValueError, "box 1 is"),
        (boxed(4, 0, 3, 5), ValueError, "box 1 is"),
        (boxed(-1, 0, 3, 5), ValueError, "box 1 is"),
        (boxed(0, 0, float("nan"), 5), ValueError, "boxes contains nan for sample 1"),
        (boxed(0, 0, float("inf"), 5), ValueError, "boxes contains inf for sample 1"),
        (lambda: dt.resize_images(x, 4, boxes=dt.zeros((3, 4))), ValueError, "boxes"),
        (
            lambda: dt.resize_images(x, 4, flips=dt.zeros((2,))),
            TypeError,
            "flips has dtype float32, expected bool",
        ),
        (lambda: dt.resize_images(x, 4, flips=dt.tensor([True])), ValueError, "flips"),
        (lambda: dt.resize_images(x, (4, 0)), ValueError, "size must be at least 1"),
        (lambda: dt.resize_images(x, (2**30, 2**30)), MemoryError, "out of memory"),
        (
            lambda: dt.resize_images(dt.tensor(np.zeros((1, 5, 5, 1), np.int32)), 4),
            TypeError,
            "images has dtype int32, expected uint8 or float32",
        ),
        (lambda: dt.resize_images(x[:, :, :0], 4), ValueError, "images have shape"),
    ]
    for call, kind, match in cases:
        with pytest.raises(kind, match=match):
            call()
