"""Rows of the colour ops: NumPy in float64, one sample and one step after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt
from reference import random as reference

from .row import Error, Op, Sample

Rng = np.random.Generator
Array = np.ndarray[Any, Any]
SHAPES = (
    (2, 5, 7, 3),
    (1, 1, 1, 1),
    (3, 4, 6, 4),
    (1, 1, 9, 2),
    (2, 17, 19, 3),
    (1, 3, 2, 8),
    (4, 16, 16, 1),
)
NONE, MATRIX, CONTRAST, HUE = range(4)
DTYPES = ("uint8", "float32")
GREY = np.array([0.299, 0.587, 0.114])


def images(rng: Rng, shape: tuple[int, ...]) -> Array:
    """From 0 to 255 once the table has made them uint8."""
    return rng.uniform(0, 85, shape)


def like(x: Array, y: Array) -> Array:
    return np.rint(y).astype(np.uint8) if x.dtype == np.uint8 else y


def white(x: Array, max_value: float | None) -> float:
    return 255.0 if x.dtype == np.uint8 else np.inf if max_value is None else max_value


# transform_colors


def moved_hue(x: Array, turns: float) -> Array:
    """Through HSV by its six cases."""
    value, chroma = x[..., :3].max(axis=-1), np.ptp(x[..., :3], axis=-1)
    r, g, b = (x[..., k] for k in range(3))
    by = np.where(chroma > 0, chroma, 1.0)
    hue = np.where(value == r, (g - b) / by, np.where(value == g, (b - r) / by + 2, (r - g) / by + 4))
    hue = (hue + 6 * turns) % 6
    middle, none = chroma * (1 - np.abs(hue % 2 - 1)), np.zeros_like(chroma)
    cases = [(chroma, middle, none), (middle, chroma, none), (none, chroma, middle)]
    cases += [(none, middle, chroma), (middle, none, chroma), (chroma, none, middle)]
    moved = np.choose((hue.astype(int) % 6)[..., None], [np.stack(case, axis=-1) for case in cases])
    return np.concatenate([moved + (value - chroma)[..., None], x[..., 3:]], axis=-1)


def transform(x: Array, steps: Array, max_value: float = 255.0) -> Array:
    top, out = white(x, max_value), x.astype(np.float64)
    colored = x.shape[3] in (3, 4)
    for image, mine in zip(out, steps.astype(np.float64), strict=True):
        color = image[..., :3] if colored else image
        for kind, *numbers in mine:
            if kind == MATRIX and colored:
                m = np.array(numbers).reshape(3, 4)
                color[...] = color @ m[:, :3].T + m[:, 3]
            elif kind == MATRIX:
                color[...] = color * numbers[0] + numbers[3]
            elif kind == CONTRAST:
                mean = (color @ GREY if colored else color).mean()
                color[...] = mean + numbers[0] * (color - mean)
            elif kind == HUE and colored:
                color[...] = moved_hue(color, numbers[0])
            if kind != NONE:
                np.clip(color, 0, top, out=color)
    return like(x, out)


def step(kind: int, *numbers: float) -> Array:
    return np.array([kind, *numbers, *[0.0] * (12 - len(numbers))], np.float32)


def steps_for(rng: Rng, n: int, count: int) -> Array:
    rows = []
    for _ in range(n):
        kinds = rng.permutation([MATRIX, CONTRAST, HUE, NONE, MATRIX, HUE])[:count]
        one = {
            NONE: lambda: step(NONE),
            MATRIX: lambda: step(MATRIX, *(rng.uniform(-0.3, 0.7, 12) + np.eye(3, 4).ravel() / 2)),
            CONTRAST: lambda: step(CONTRAST, rng.uniform(0, 2)),
            HUE: lambda: step(HUE, rng.uniform(0, 1)),
        }
        rows.append([one[kind]() for kind in kinds])
    return np.array(rows, np.float32).reshape(n, count, 13)


def clear_of_halves(rng: Rng, shape: tuple[int, ...], count: int) -> tuple[Array, Array]:
    """Images whose results as uint8 do not hang on the last bits of float32."""
    while True:
        x, steps = images(rng, shape), steps_for(rng, shape[0], count)
        exact = transform(np.rint(3 * x), steps)
        if np.abs(exact % 1 - 0.5).min() > 2e-4:
            return x, steps


def transform_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        for count in (0, 1, 3, 6):
            yield Sample(clear_of_halves(rng, shape, count))
    yield Sample(
        (images(rng, (1, 3, 3, 3)) / 255, steps_for(rng, 1, 4)), {"max_value": 0.4}, dtypes=("float32",)
    )


def transform_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((40, 20, 26, 3), (2, 600, 500, 1), (1, 750, 701, 1)):
        yield Sample((images(rng, shape), steps_for(rng, shape[0], 4)))


# image_histograms and lookup_images


def levels(x: Array, max_value: float) -> Array:
    top = white(x, max_value)
    return np.rint(np.clip(x.astype(np.float64) / top, 0, 1) * 255).astype(np.int64)


def histograms(x: Array, max_value: float = 255.0) -> Array:
    found = levels(x, max_value)
    n, channels = x.shape[0], x.shape[3]
    return np.array(
        [[np.bincount(found[i, ..., c].ravel(), minlength=256) for c in range(channels)] for i in range(n)],
        np.int64,
    ).reshape(n, channels, 256)


def lookup(x: Array, tables: Array, max_value: float = 255.0) -> Array:
    found = levels(x, max_value)
    tables = np.broadcast_to(tables, (x.shape[0], x.shape[3], 256))
    out = tables[np.arange(x.shape[0])[:, None, None, None], np.arange(x.shape[3]), found]
    return out.astype(np.uint8) if x.dtype == np.uint8 else out * (white(x, max_value) / 255)


def image_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample((images(rng, shape),))
    yield Sample(
        (np.array([-1.0, 0.2, 0.6, 2.0, 1.0]).reshape(1, 1, 5, 1),), {"max_value": 1.0}, dtypes=("float32",)
    )


def lookup_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        for each in {1, shape[3]}:
            yield Sample((images(rng, shape), rng.integers(0, 256, (shape[0], each, 256), dtype=np.uint8)))
    table = rng.integers(0, 256, (1, 1, 256), dtype=np.uint8)
    ends = np.array([-1.0, 0.2, 0.6, 2.0, 1.0]).reshape(1, 1, 5, 1)
    yield Sample((ends, table), {"max_value": 1.0}, dtypes=("float32",))


def large_image(rng: Rng) -> Array:
    return images(rng, (2, 190, 180, 3))


# noise_images


def noise(x: Array, kind: str, keys: Array, amounts: Array, max_value: float | None = 255.0) -> Array:
    top, out = white(x, max_value), x.astype(np.float64)
    low = -np.inf if np.isinf(top) else 0.0
    for image, key, (a, b) in zip(out, keys.tolist(), amounts.astype(np.float64), strict=True):
        if image.size == 0:
            continue
        if kind == "salt_and_pepper":
            drawn = reference.uniform(key, 0, image[..., 0].size).reshape(image.shape[:2])
            image[drawn < a] = 0
            image[drawn < np.float32(a) * np.float32(b)] = top
        else:
            drawn = a + b * reference.normal(key, 0, image.size).reshape(image.shape)
            image += drawn * (image if kind == "speckle" else 1)
        np.clip(image, low, top, out=image)
    return like(x, out)


def noise_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        keys = rng.integers(0, 2**53, shape[0])
        spread = np.stack([rng.uniform(-1, 1, shape[0]), rng.uniform(0, 30, shape[0])], 1).astype(np.float32)
        shares = rng.uniform(0, 1, (shape[0], 2)).astype(np.float32)
        yield Sample((images(rng, shape), "gaussian", keys, spread))
        yield Sample((images(rng, shape), "speckle", keys, spread / 30))
        yield Sample((images(rng, shape), "salt_and_pepper", keys, shares))
    yield Sample((images(rng, shape), "gaussian", keys, spread), {"max_value": None}, dtypes=("float32",))


# filter_images


def filtered(
    x: Array,
    down: Array,
    across: Array,
    centre: Array | None = None,
    keep_border: bool = False,
    max_value: float | None = None,
) -> Array:
    top, out = white(x, max_value), x.astype(np.float64)
    low = -np.inf if np.isinf(top) else 0.0
    for i, image in enumerate(x.astype(np.float64)):
        if image.size == 0:
            continue
        h, w = down.shape[1] // 2, across.shape[1] // 2
        # np.pad repeats a single pixel as it should, and mirrors as often as it takes.
        wide = np.pad(image, ((h, h), (w, w), (0, 0)), mode="reflect")
        sums = sum(t * wide[k : k + len(image)] for k, t in enumerate(down[i].astype(np.float64)))
        total = sum(t * sums[:, k : k + image.shape[1]] for k, t in enumerate(across[i].astype(np.float64)))
        out[i] = np.clip(total + (0 if centre is None else float(centre[i]) * image), low, top)
        if keep_border:
            for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
                out[i][edge] = image[edge]
    return like(x, out)


def filter_samples(rng: Rng) -> Iterator[Sample]:
    for shape in (*SHAPES, (1, 2, 40, 3), (1, 40, 2, 2)):
        for rows, columns in ((1, 1), (3, 3), (1, 5), (13, 7)):
            down = rng.uniform(-0.1, 2 / rows, (shape[0], rows)).astype(np.float32)
            across = rng.uniform(-0.1, 2 / columns, (shape[0], columns)).astype(np.float32)
            yield Sample((images(rng, shape), down, across))
        centre = rng.uniform(-1, 1, shape[0]).astype(np.float32)
        yield Sample((images(rng, shape), down, across, centre, True), {"max_value": 255.0})


def filter_large(rng: Rng) -> Iterator[Sample]:
    taps = np.full((2, 5), 0.2, np.float32)
    yield Sample((large_image(rng), taps, taps))


# erase_images and normalize_images


def erased(
    x: Array, boxes: Array, values: Array | None = None, keys: Array | None = None, max_value: float = 255.0
) -> Array:
    out = x.astype(np.float64)
    top = white(x, max_value)
    for i, image in enumerate(out):
        for x0, y0, x1, y1 in boxes[i].tolist():
            if values is not None:
                image[y0:y1, x0:x1] = np.clip(values, 0, 255) if x.dtype == np.uint8 else values
            elif keys is not None:
                drawn = reference.uniform(int(keys[i]), 0, image.size).reshape(image.shape) * top
                image[y0:y1, x0:x1] = drawn[y0:y1, x0:x1]
    return like(x, out)


def erase_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        n, height, width, channels = shape
        for count in (0, 1, 3):
            rows = np.sort(rng.integers(0, height + 1, (n, count, 2)), axis=-1)
            columns = np.sort(rng.integers(0, width + 1, (n, count, 2)), axis=-1)
            boxes = np.stack([columns[..., 0], rows[..., 0], columns[..., 1], rows[..., 1]], axis=-1)
            colour = rng.uniform(-20, 300, channels).astype(np.float32)
            yield Sample((images(rng, shape), boxes, colour))
            yield Sample((images(rng, shape), boxes), {"keys": rng.integers(0, 2**53, n)})
    wide = np.array([[[0, 0, 5000, 2]]])
    yield Sample((images(rng, (1, 2, 5000, 1)), wide), {"keys": np.array([3])})


def normalize(x: Array, scale: Array, shift: Array) -> Array:
    if scale.ndim == 2:
        scale, shift = scale[:, None, None], shift[:, None, None]
    return x.astype(np.float64) * scale + shift


def normalize_samples(rng: Rng) -> Iterator[Sample]:
    for shape in (*SHAPES, (1, 2, 2, 33), (2, 3, 2, 100)):
        for size in ((shape[3],), (shape[0], shape[3])):
            scale, shift = rng.standard_normal((2, *size)).astype(np.float32)
            yield Sample((images(rng, shape), scale, shift))


def normalize_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((1, 512, 4100, 3), (3, 100, 55, 1)):
        yield Sample((images(rng, shape), *rng.standard_normal((2, shape[3])).astype(np.float32)))


# What all of them refuse


def bytes_of(*shape: int) -> Any:
    return dt.zeros(shape, dtype="uint8")


def errors(name: str, *rest: Any, **kwargs: Any) -> list[Error]:
    f: Callable[..., Any] = getattr(dt, name)
    found = [
        Error(
            lambda: f(bytes_of(4, 4, 3), *rest, **kwargs),
            ValueError,
            rf"{name}: images must have 4 dimensions \(n, height, width, channels\)",
        ),
        Error(
            lambda: f(dt.zeros((1, 2, 2, 3), requires_grad=True), *rest, **kwargs),
            RuntimeError,
            f"{name}: images requires a gradient, which this op does not give",
        ),
    ]
    if name != "normalize_images":
        found.append(
            Error(
                lambda: f(dt.zeros((1, 2, 2, 3)), *rest, **{**kwargs, "max_value": 0.0}),
                ValueError,
                f"{name}: max_value is 0, expected a positive number",
            )
        )
    return found


def error(call: Callable[[], Any], message: str, kind: type[Exception] = ValueError) -> Error:
    return Error(call, kind, message)


def empty(*rest: Any, **kwargs: Any) -> Callable[[Rng], list[Sample]]:
    """`rest` for no images, and for one of no pixels; an int stands for that many samples."""

    def samples(rng: Rng) -> list[Sample]:
        def made(x: Any, n: int) -> Any:
            return x[:n] if isinstance(x, np.ndarray) and x.ndim and x.shape[0] == 1 else x

        shapes = ((0, 4, 5, 3), (1, 0, 5, 3), (1, 4, 0, 3))
        return [Sample((np.zeros(s), *(made(x, s[0]) for x in rest)), kwargs) for s in shapes]

    return samples


ONE = bytes_of(1, 2, 2, 3)
STEPS = np.zeros((1, 2, 13), np.float32)
TAPS = np.ones((1, 3), np.float32)
TABLE = np.zeros((1, 1, 256), np.uint8)
AMOUNTS = np.ones((1, 2), np.float32)
KEY = np.zeros(1, np.int64)
BOX = np.zeros((1, 1, 4), np.int64)
COLOUR = np.zeros(3, np.float32)


def steps(*rows: Array) -> Any:
    return dt.tensor(np.array([rows]))


ROWS = [
    Op(
        name="transform_colors",
        reference=transform,
        samples=transform_samples,
        empty_samples=empty(STEPS),
        large_samples=transform_large,
        dtypes=DTYPES,
        differentiable=(),
        tolerance={"float32": (1e-5, 4e-6)},
        errors=[
            *errors("transform_colors", dt.tensor(STEPS)),
            error(
                lambda: dt.transform_colors(ONE, dt.zeros((1, 2, 12))),
                r"shape \(1, 2, 12\), expected \(1, 2, 13\)",
            ),
            error(lambda: dt.transform_colors(ONE, dt.zeros((2, 2, 13))), r"expected \(1, 2, 13\)"),
            error(lambda: dt.transform_colors(ONE, steps(step(4))), "steps has the kind 4, expected 0 to 3"),
            error(lambda: dt.transform_colors(ONE, steps(step(0.5))), "steps has the kind 0.5"),
            error(
                lambda: dt.transform_colors(ONE, steps(step(HUE, 1.0))),
                r"turns the hue by 1, expected a number in \[0",
            ),
            error(lambda: dt.transform_colors(ONE, steps(step(MATRIX, np.nan))), "steps contains nan"),
            error(
                lambda: dt.transform_colors(ONE, steps(step(CONTRAST, 1), step(CONTRAST, 1))),
                "steps has 2 steps of contrast for sample 0, expected one",
            ),
            error(
                lambda: dt.transform_colors(ONE, dt.zeros((1, 2, 13), dtype="float64")),
                "transform_colors: steps must be float32, got float64",
                TypeError,
            ),
        ],
    ),
    Op(
        name="image_histograms",
        reference=histograms,
        samples=image_samples,
        empty_samples=empty(),
        large_samples=lambda rng: [Sample((large_image(rng),)), Sample((images(rng, (1, 300, 301, 5)),))],
        dtypes=DTYPES,
        differentiable=(),
        errors=errors("image_histograms"),
    ),
    Op(
        name="lookup_images",
        reference=lookup,
        samples=lookup_samples,
        empty_samples=empty(TABLE),
        large_samples=lambda rng: [
            Sample((large_image(rng), rng.integers(0, 256, (2, c, 256), dtype=np.uint8))) for c in (1, 3)
        ],
        dtypes=DTYPES,
        differentiable=(),
        errors=[
            *errors("lookup_images", dt.tensor(TABLE)),
            error(
                lambda: dt.lookup_images(ONE, bytes_of(1, 2, 256)),
                r"tables has shape \(1, 2, 256\), expected \(1, 3, 256\)",
            ),
            error(lambda: dt.lookup_images(ONE, bytes_of(1, 1, 255)), r"expected \(1, 1, 256\)"),
            error(
                lambda: dt.lookup_images(ONE, dt.zeros((1, 1, 256))),
                "tables must be uint8, got float32",
                TypeError,
            ),
        ],
    ),
    Op(
        name="noise_images",
        reference=noise,
        samples=noise_samples,
        empty_samples=empty("gaussian", KEY, AMOUNTS),
        large_samples=lambda rng: [
            Sample((large_image(rng), kind, np.arange(2), np.full((2, 2), 0.3, np.float32)))
            for kind in ("gaussian", "speckle", "salt_and_pepper")
        ],
        dtypes=DTYPES,
        differentiable=(),
        errors=[
            *errors("noise_images", "gaussian", dt.tensor(KEY), dt.tensor(AMOUNTS)),
            error(
                lambda: dt.noise_images(ONE, "salt", dt.tensor(KEY), dt.tensor(AMOUNTS)),
                "kind is 'salt', expected 'gaussian'",
            ),
            error(
                lambda: dt.noise_images(ONE, "speckle", dt.tensor(KEY), -dt.tensor(AMOUNTS)),
                "the standard deviation -1",
            ),
            error(
                lambda: dt.noise_images(ONE, "salt_and_pepper", dt.tensor(KEY), 2 * dt.tensor(AMOUNTS)),
                "amounts has the shares 2 and 2, expected 0 to 1",
            ),
            error(
                lambda: dt.noise_images(ONE, "salt_and_pepper", dt.tensor(KEY), dt.tensor(AMOUNTS), None),
                "max_value is None, but salt has to know what white is",
            ),
            error(
                lambda: dt.noise_images(ONE, "speckle", dt.zeros(2, dtype="int64"), dt.tensor(AMOUNTS)),
                "keys has shape",
            ),
        ],
    ),
    Op(
        name="filter_images",
        reference=filtered,
        samples=filter_samples,
        empty_samples=empty(TAPS, TAPS),
        large_samples=filter_large,
        dtypes=DTYPES,
        differentiable=(),
        errors=[
            *errors("filter_images", dt.tensor(TAPS), dt.tensor(TAPS)),
            error(
                lambda: dt.filter_images(ONE, dt.ones((1, 2)), dt.ones((1, 3))),
                "down has 2 taps, expected an odd number up to 255",
            ),
            error(lambda: dt.filter_images(ONE, dt.ones((1, 3)), dt.ones((1, 257))), "across has 257 taps"),
            error(
                lambda: dt.filter_images(ONE, dt.ones((2, 3)), dt.ones((1, 3))),
                r"down has shape \(2, 3\), expected \(1, 3\)",
            ),
        ],
    ),
    Op(
        name="erase_images",
        reference=erased,
        samples=erase_samples,
        empty_samples=empty(BOX, values=COLOUR),
        large_samples=lambda rng: [
            Sample((large_image(rng), np.array([[[3, 4, 150, 160]]] * 2), COLOUR)),
            Sample((large_image(rng), np.array([[[3, 4, 150, 160]]] * 2)), {"keys": np.arange(2)}),
        ],
        dtypes=DTYPES,
        differentiable=(),
        errors=[
            *errors("erase_images", dt.tensor(BOX), dt.tensor(COLOUR)),
            error(
                lambda: dt.erase_images(ONE, dt.tensor([[[0, 0, 3, 1]]]), dt.tensor(COLOUR)),
                r"erase_images: boxes contains \(0, 0, 3, 1\), expected x0 <= x1 and y0 <= y1 within images",
            ),
            error(
                lambda: dt.erase_images(ONE, dt.tensor([[[1, 0, 0, 1]]]), dt.tensor(COLOUR)),
                r"boxes contains \(1, 0, 0, 1\)",
            ),
            error(
                lambda: dt.erase_images(ONE, dt.tensor([[[0, -1, 0, 1]]]), dt.tensor(COLOUR)),
                "boxes contains",
            ),
            error(lambda: dt.erase_images(ONE, dt.tensor(BOX)), "give either values or keys"),
            error(
                lambda: dt.erase_images(ONE, dt.tensor(BOX), dt.zeros(2)),
                r"values has shape \(2,\), expected \(3,\)",
            ),
        ],
    ),
    Op(
        name="normalize_images",
        reference=normalize,
        samples=normalize_samples,
        empty_samples=empty(COLOUR, COLOUR),
        large_samples=normalize_large,
        dtypes=DTYPES,
        differentiable=(),
        errors=[
            *errors("normalize_images", dt.tensor(COLOUR), dt.tensor(COLOUR)),
            error(
                lambda: dt.normalize_images(ONE, dt.ones(2), dt.ones(2)),
                r"scale has shape \(2,\), expected \(3,\)",
            ),
            error(
                lambda: dt.normalize_images(ONE, dt.ones((1, 3)), dt.ones(3)),
                r"shift has shape \(3,\), expected \(1, 3\)",
            ),
        ],
    ),
]
