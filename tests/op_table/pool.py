"""Rows of the pools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference
from reference.conv import spread

from .conv import unbatched, zeros
from .row import ALL_FLOATS, Error, Op, Sample, Samples

Shape = tuple[int, ...]
Cases = list[tuple[Shape, tuple[Any, ...], dict[str, Any]]]


def apart(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """No two values alike: every window has one maximum, and small steps do not change it."""
    size = int(np.prod(shape))
    return rng.permutation(size).reshape(shape) / 256.0 - size / 512.0


def samples_from(cases: Cases) -> Samples:
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for shape, args, kwargs in cases:
            yield Sample((apart(rng, shape), *args), kwargs)
        for shape, args, kwargs in cases[:2]:  # NaN anywhere in a window is its result
            x = apart(rng, shape)
            x.reshape(-1)[::5] = np.nan
            yield Sample((x, *args), kwargs, gradient=False)

    return samples


def max_pool(x: np.ndarray, kernel_size: Any, **kwargs: Any) -> np.ndarray:
    return reference.pool("max", x, kernel_size, **kwargs)


def avg_pool(
    x: np.ndarray, kernel_size: Any, divisor_override: int | None = None, **kwargs: Any
) -> np.ndarray:
    if divisor_override is None:
        return reference.pool("average", x, kernel_size, **kwargs)
    assert not kwargs.get("ceil_mode"), "then not every mean is over the whole kernel"
    sums = reference.pool("average", x, kernel_size, **kwargs) * np.prod(spread(kernel_size, x.ndim - 2))
    return np.asarray(sums / divisor_override)


def adaptive(kind: str) -> Callable[..., np.ndarray]:
    def function(x: np.ndarray, output_size: Any) -> np.ndarray:
        wanted = output_size if isinstance(output_size, tuple) else (output_size,) * (x.ndim - 2)
        sizes = [n if s is None else s for s, n in zip(wanted, x.shape[1:-1], strict=True)]
        return reference.adaptive_pool(kind, x, sizes)

    return function


def global_pool(kind: str) -> Callable[..., np.ndarray]:
    def function(x: np.ndarray, keepdims: bool = False) -> np.ndarray:
        axes = tuple(range(1, x.ndim - 1))
        reduce = np.max if kind == "max" else np.mean
        return np.asarray(reduce(x, axis=axes, keepdims=keepdims))

    return function


MAX1D: Cases = [
    ((2, 9, 3), (2,), {}),
    ((2, 9, 3), (3,), {"stride": 2, "padding": 1}),
    ((9, 3), (3,), {"stride": 1, "dilation": 2, "padding": (1,)}),
    ((2, 8, 5), (3,), {"stride": 2, "ceil_mode": True}),
    ((2, 1, 1), (1,), {}),
]
MAX2D: Cases = [
    ((2, 6, 8, 3), (2,), {}),
    ((2, 7, 5, 3), (3,), {"stride": 2, "padding": 1}),
    ((2, 7, 5, 2), ((3, 2),), {"stride": (1, 2), "padding": (1, 0)}),
    ((1, 7, 8, 2), (3,), {"stride": 2, "ceil_mode": True}),
    ((1, 5, 5, 2), (2,), {"stride": 3, "padding": 1, "ceil_mode": True}),
    ((1, 8, 9, 4), (2,), {"stride": 1, "dilation": (2, 3)}),
    ((6, 6, 1), (2,), {"stride": None}),
    ((2, 5, 5, 3), (1,), {"stride": 2}),
    ((1, 18, 17, 2), (17,), {"stride": 1}),  # indices of four bytes
    ((2, 4, 4, 17), (2,), {"stride": 1}),
    ((1, 2, 2, 3), (3,), {"stride": 2, "ceil_mode": True}),
]
AVERAGE1D: Cases = [
    ((2, 9, 3), (2,), {}),
    ((2, 9, 3), (3,), {"stride": 2, "padding": 1}),
    ((9, 3), (3,), {"stride": 2, "padding": 1, "count_include_pad": False}),
    ((2, 8, 5), (3,), {"stride": 2, "padding": (1,), "ceil_mode": True}),
]
AVERAGE2D: Cases = [
    ((2, 6, 8, 3), (2,), {}),
    ((2, 7, 5, 3), (3,), {"stride": 2, "padding": 1}),
    ((2, 7, 5, 3), (3,), {"stride": 2, "padding": 1, "count_include_pad": False}),
    ((1, 8, 8, 2), (3,), {"stride": 2, "padding": 1, "ceil_mode": True}),
    ((1, 8, 8, 2), (3,), {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False}),
    ((2, 7, 5, 2), ((3, 2),), {"stride": (1, 2), "padding": (1, 1)}),
    ((6, 6, 1), (2,), {"divisor_override": 3}),
    ((2, 6, 6, 2), (3,), {"padding": 1, "divisor_override": 1}),
    ((2, 4, 4, 17), (2,), {"stride": 1}),
]
ADAPTIVE1D: Cases = [
    ((2, 10, 3), (5,), {}),
    ((2, 10, 3), (4,), {}),
    ((7, 2), (9,), {}),
    ((2, 7, 2), (None,), {}),
]
ADAPTIVE2D: Cases = [
    ((2, 6, 8, 3), (2,), {}),
    ((2, 7, 10, 3), ((3, 4),), {}),
    ((2, 7, 5, 3), ((None, 3),), {}),
    ((5, 4, 2), ((7, 1),), {}),
    ((1, 3, 3, 17), (3,), {}),
    ((2, 5, 6, 2), (1,), {}),
    ((1, 40, 39, 2), (2,), {}),  # windows of more than 256 elements
]
GLOBAL: Cases = [
    ((2, 5, 4, 3), (), {}),
    ((2, 5, 3), (), {"keepdims": True}),
    ((1, 2, 3, 2, 17), (True,), {}),
    ((2, 1, 1, 1), (), {}),
    ((1, 20, 20, 2), (), {}),
]
EMPTY1D: Cases = [((0, 6, 2), (2,), {}), ((2, 6, 0), (2,), {})]
EMPTY2D: Cases = [((0, 6, 6, 2), (2,), {}), ((2, 6, 6, 0), (2,), {})]
LARGE1D: Cases = [((2, 1001, 15), (2,), {}), ((3, 1000, 33), (2,), {})]
LARGE2D: Cases = [((8, 28, 28, 6), (2,), {}), ((3, 27, 31, 15), (2,), {})]
_LARGE_CHANNELS: Cases = [((2, 33, 32, c), (3,), {"stride": 2, "padding": 1}) for c in (16, 17, 63, 64, 65)]
LARGE2D += _LARGE_CHANNELS
LARGE_ADAPTIVE: Cases = [((4, 32, 32, 32), (8,), {}), *(((2, 33, 32, c), (7,), {}) for c in (15, 16, 65))]


def window_errors(name: str, axes: int) -> list[Error]:
    pool = getattr(dt, name)
    x = (2, 8, 8, 3) if axes == 2 else (2, 8, 3)

    def error(call: Callable[[], Any], match: str, kind: type[Exception] = ValueError) -> Error:
        return Error(call, kind, f"^{name}: {match}")

    return [
        error(lambda: pool(zeros(*x), 9), r"the window reaches over \(9,.* padded input has only \(8"),
        error(lambda: pool(zeros(*x), 0), r"kernel_size must be at least 1, got 0"),
        error(lambda: pool(zeros(*x), 2, stride=0), r"stride must be at least 1, got 0"),
        error(lambda: pool(zeros(*x), 2, padding=-1), r"padding must be at least 0, got -1"),
        error(
            lambda: pool(zeros(*x), 3, padding=2), r"padding must be at most half of kernel_size, got \(2,"
        ),
        error(lambda: pool(zeros(*x), (2, 2, 2)), r"kernel_size must be an int.*, got \(2, 2, 2\)"),
        error(lambda: pool(zeros(*x), 2**40), r"kernel_size must be at most 1073741824"),
        error(lambda: pool(zeros(8, 3), 2, 2, 2, 2, 2, 2, 2, 2), r"takes at most", TypeError),
        error(lambda: pool(zeros(8), 2), r"input must have .* dimensions .* got 1 \(shape \(8,\)\)"),
        error(lambda: pool(zeros(*x[:-2], 0, 3), 2), r"input has no elements along a spatial axis"),
        error(
            lambda: pool(zeros(*x), 1.5),
            r"kernel_size must be an int or a sequence of ints, got float",
            TypeError,
        ),
    ]


def max2d_errors() -> list[Error]:
    return [
        *window_errors("max_pool2d", 2),
        Error(
            lambda: dt.max_pool2d(zeros(1, 8, 8, 1), 2, dilation=0),
            ValueError,
            r"dilation must be at least 1",
        ),
        Error(
            lambda: dt.max_pool2d(zeros(1, 1, 1, 1), 2**20, stride=2**20, padding=2**19),
            ValueError,
            r"windows have at most 2147483647 elements, got \(1048576, 1048576\)",
        ),
    ]


def average2d_errors() -> list[Error]:
    return [
        *window_errors("avg_pool2d", 2),
        Error(
            lambda: dt.avg_pool2d(zeros(1, 8, 8, 1), 2, divisor_override=0),
            ValueError,
            r"divisor_override must be at least 1 or None, got 0",
        ),
    ]


def adaptive_errors(name: str, axes: int) -> list[Error]:
    pool = getattr(dt, name)
    x = (2, 8, 8, 3) if axes == 2 else (2, 8, 3)
    return [
        Error(lambda: pool(zeros(*x), -1), ValueError, rf"{name}: output_size must not be negative, got -1"),
        Error(
            lambda: pool(zeros(*x), (1, 2, 3)), ValueError, r"output_size must be an int.*, got \(1, 2, 3\)"
        ),
        Error(lambda: pool(zeros(*x), 2.5), TypeError, r"output_size must be an int, or .*, got float"),
        Error(lambda: pool(zeros(8), 2), ValueError, r"input must have .* dimensions"),
        Error(
            lambda: pool(zeros(*x[:-2], 0, 3), 2), ValueError, r"input has no elements along a spatial axis"
        ),
        Error(lambda: pool(zeros(*x), 2**31), ValueError, r"output_size must be at most"),
    ]


def global_errors(name: str) -> list[Error]:
    pool = getattr(dt, name)
    return [
        Error(lambda: pool(zeros(2, 3)), ValueError, rf"{name}: input must have at least 3 dimensions"),
        Error(lambda: pool(zeros(2, 0, 3)), ValueError, r"input has no elements along a spatial axis"),
        Error(lambda: pool(zeros(2, 4, 3), keepdims=1), TypeError, r"keepdims must be a bool, got int"),
    ]


def row(
    name: str,
    function: Callable[..., Any],
    axes: int,
    cases: Cases,
    empty: Cases,
    large: Cases,
    errors: list[Error],
) -> Op:
    return Op(
        name=name,
        reference=unbatched(function, axes) if axes else function,
        samples=samples_from(cases),
        empty_samples=samples_from(empty),
        large_samples=samples_from(large),
        errors=errors,
        dtypes=ALL_FLOATS,
    )


EMPTY_GLOBAL: Cases = [((0, 3, 4, 2), (), {}), ((2, 3, 0), (True,), {})]
LARGE_GLOBAL: Cases = [((3, 33, 32, c), (), {}) for c in (15, 16, 17, 129)]
ROWS = [
    row("max_pool1d", max_pool, 1, MAX1D, EMPTY1D, LARGE1D, window_errors("max_pool1d", 1)),
    row("max_pool2d", max_pool, 2, MAX2D, EMPTY2D, LARGE2D, max2d_errors()),
    row("avg_pool1d", avg_pool, 1, AVERAGE1D, EMPTY1D, LARGE1D, window_errors("avg_pool1d", 1)),
    row("avg_pool2d", avg_pool, 2, AVERAGE2D, EMPTY2D, LARGE2D, average2d_errors()),
    *(
        row(
            f"adaptive_{short}_pool{axes}d",
            adaptive(kind),
            axes,
            ADAPTIVE1D if axes == 1 else ADAPTIVE2D,
            EMPTY1D if axes == 1 else EMPTY2D,
            LARGE1D if axes == 1 else LARGE_ADAPTIVE,
            adaptive_errors(f"adaptive_{short}_pool{axes}d", axes),
        )
        for short, kind in (("avg", "average"), ("max", "max"))
        for axes in (1, 2)
    ),
    *(
        row(
            f"global_{short}_pool",
            global_pool(kind),
            0,
            GLOBAL,
            EMPTY_GLOBAL,
            LARGE_GLOBAL,
            global_errors(f"global_{short}_pool"),
        )
        for short, kind in (("avg", "average"), ("max", "max"))
    ),
]
