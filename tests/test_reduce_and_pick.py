"""Reductions, picking and sorting beyond one block: on every ISA level, with any number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads

pytestmark = pytest.mark.usefixtures("level")


def for_threads(compute: Callable[[], dt.Tensor]) -> np.ndarray:
    """What 1, 2, 3 and 7 threads all compute."""
    return on_threads(lambda: [compute()])[0]


def values(shape: tuple[int, ...], dtype: str, nan: float = 0) -> np.ndarray:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 30, shape)
    if dtype == "bool":
        return x > 20
    x = np.round(x) if "int" in dtype else x
    if nan:
        x[rng.random(shape) < nan] = np.nan
    return np.abs(x).astype(dtype) if dtype == "uint8" else x.astype(dtype)


SHAPES = [
    (1, 1),
    (1, 300),
    (300, 1),
    (7, 15),
    (64, 64),
    (33, 257),
    (300, 20),
    (5000, 40),
    (1003, 9),
    (9000, 3),
    (3, 70000),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("dtype", "nan"),
    [(d, 0) for d in ("float32", "float64", "int32", "int64", "uint8", "bool")]
    + [("float32", 1e-3), ("float32", 0.3), ("float64", 1e-3)],
)
def test_positions_of_extremes(shape: tuple[int, ...], dtype: str, nan: float) -> None:
    x = values(shape, dtype, nan)
    for turned in (False, True):
        t, n = (dt.tensor(x).T, x.T) if turned else (dt.tensor(x), x)
        for axis in (0, 1, None):
            for ours, theirs in ((dt.argmax, np.argmax), (dt.argmin, np.argmin)):
                got = for_threads(lambda t=t, axis=axis, ours=ours: ours(t, axis=axis))
                np.testing.assert_array_equal(got, theirs(n, axis=axis))


def test_infinities_are_no_nan() -> None:
    x = values((40, 300), "float32")
    x[::3, 7], x[::2, 100] = np.inf, -np.inf
    for axis in (0, 1):
        np.testing.assert_array_equal(dt.argmax(dt.tensor(x), axis=axis).numpy(), x.argmax(axis))
        np.testing.assert_array_equal(dt.argmin(dt.tensor(x), axis=axis).numpy(), x.argmin(axis))


@pytest.mark.parametrize("columns", [1, 3, 10, 33, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8", "bool"])
def test_few_columns(columns: int, dtype: str) -> None:
    """Rows of few columns are read several at a time: the first of equals counts, the rest is not lost."""
    names = ["sum", "prod", "max", "min", "any", "all", "argmax", "argmin", "count_nonzero", "mean", "var"]
    for rows in (7 * (128 // columns), 8 * (128 // columns) + 1, 1500):
        x = values((rows, columns), dtype)
        x = x if dtype == "bool" else (x % 4).astype(dtype)
        x[: rows // 2, columns // 2] = 0
        for name in names[: 9 if "int" in dtype or dtype == "bool" else 11]:
            base = x.astype("float64") if name in ("sum", "mean", "var") and "float" in dtype else x
            base = np.where(x > 1, 1, 0.5).astype(dtype) if name == "prod" else base
            given = dt.tensor(base.astype(dtype))
            want = getattr(np, name)(base, axis=0)
            for ours in (given, dt.concat([given, given], axis=1)[:, :columns]):
                got = for_threads(lambda name=name, ours=ours: getattr(dt, name)(ours, axis=0))
                np.testing.assert_allclose(got, want, rtol=1e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_variance_with_a_large_mean(shape: tuple[int, ...], dtype: str) -> None:
    x = (values(shape, dtype) + (1000 if dtype == "float16" else 1e6)).astype(dtype)
    wide = x.astype("float64")
    for axis in (0, 1, (0, 1)):
        got = for_threads(lambda axis=axis: dt.var(dt.tensor(x), axis=axis))
        np.testing.assert_allclose(got, wide.var(axis), rtol=1e-3 if dtype == "float16" else 1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool"])
def test_any_all_count(shape: tuple[int, ...], dtype: str) -> None:
    for place in (None, 0, -1):
        for fill in (0, 1):
            x = np.full(shape, fill, dtype)
            if place is not None:
                x.reshape(-1)[place] = 1 - fill
            for axis in (0, 1, None):
                for name in ("any", "all", "count_nonzero"):
                    got = for_threads(
                        lambda x=x, axis=axis, name=name: getattr(dt, name)(dt.tensor(x), axis=axis)
                    )
                    np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis))


@pytest.mark.parametrize("n", [1, 2, 4, 15, 16, 17, 100, 127, 128, 129, 257, 1000, 5000, 70000])
@pytest.mark.parametrize("kind", ["any", "few values", "sorted", "equal", "saw"])
def test_sort(n: int, kind: str) -> None:
    x = values((2, n), "float64", 0.01)
    x = {"any": x, "few values": np.round(x / 20), "sorted": np.sort(x), "equal": x * 0 + 1}.get(kind, x)
    if kind == "saw":
        x = np.tile(np.arange(n) % max(1, n // 16), (2, 1)).astype("float64")
    for dtype in ("float32", "float64", "int32", "int64", "uint8"):
        y = x.astype(dtype) if "float" in dtype else np.abs(np.nan_to_num(x)).astype(dtype)
        want = np.sort(y, axis=1)
        np.testing.assert_array_equal(for_threads(lambda y=y: dt.sort(dt.tensor(y))), want)
        order = for_threads(lambda y=y: dt.argsort(dt.tensor(y)))
        np.testing.assert_array_equal(order, np.argsort(y, axis=1, kind="stable"))
        back = dt.sort(dt.tensor(y), descending=True).numpy()
        numbers = [np.sum(row == row) for row in want]
        for row, sorted_row, count in zip(back, want, numbers, strict=True):
            np.testing.assert_array_equal(row[:count], sorted_row[:count][::-1])
            assert np.all(row[count:] != row[count:])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_sort_puts_minus_zero_before_zero(dtype: str) -> None:
    for n in (6, 300, 70002):
        zeros = dt.tensor(np.tile([0.0, -0.0, -0.0], n // 3).astype(dtype))
        signs = np.signbit(for_threads(lambda x=zeros: dt.sort(x)))
        np.testing.assert_array_equal(signs, np.arange(n) < 2 * n // 3)
        back = np.signbit(for_threads(lambda x=zeros: dt.sort(x, descending=True)))
        np.testing.assert_array_equal(back, signs[::-1])


@pytest.mark.parametrize("shape", [(0, 3), (1,), (511,), (512, 3), (40000,), (300, 301), (7, 60, 50)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bool"])
def test_masks(shape: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    for share in (0, 0.02, 0.5, 1):
        mask = np.random.default_rng(4).random(shape) < share
        np.testing.assert_array_equal(for_threads(lambda m=mask: dt.tensor(x)[dt.tensor(m)]), x[mask])
        for ours, theirs in zip(dt.nonzero(dt.tensor(mask)), np.nonzero(mask), strict=True):
            np.testing.assert_array_equal(ours.numpy(), theirs)
        rows = mask.any(axis=tuple(range(1, mask.ndim)))
        np.testing.assert_array_equal(dt.tensor(x)[dt.tensor(rows)].numpy(), x[rows])


def test_gradient_of_masks() -> None:
    x = dt.tensor(values((30, 40), "float32"), requires_grad=True)
    mask = values((30, 40), "bool")
    weight = values((int(mask.sum()),), "float32")
    (x[dt.tensor(mask)] * dt.tensor(weight)).sum().backward()
    want = np.zeros((30, 40), "float32")
    want[mask] = weight
    np.testing.assert_array_equal(x.grad.numpy(), want)


@pytest.mark.parametrize("shape", [(50,), (30000,), (40, 70), (3, 200, 5), (9, 7, 33)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bool"])
def test_take(shape: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    for axis in range(len(shape)):
        n = shape[axis]
        index = np.random.default_rng(5).integers(-n, n, 20000 if len(shape) == 1 else 77)
        got = for_threads(lambda i=index, axis=axis: dt.take(dt.tensor(x), dt.tensor(i), axis=axis))
        np.testing.assert_array_equal(got, np.take(x, index, axis))
        for wrong in (n, -n - 1):
            index[len(index) // 2] = wrong
            with pytest.raises(
                IndexError, match=f"index {wrong} is out of range for axis {axis} of size {n}"
            ):
                dt.take(dt.tensor(x), dt.tensor(index), axis=axis)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bool"])
@pytest.mark.parametrize("shape", [(3, 5, 7), (70, 1, 90), (65, 130), (16, 64, 33), (2, 3, 4, 40)])
def test_copies_of_short_rows(shape: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    t = dt.tensor(x)
    for axes in ([*range(1, len(shape)), 0], [*range(len(shape))][::-1], [1, 0, *range(2, len(shape))]):
        got = for_threads(lambda axes=axes: dt.permute_dims(t, axes).contiguous())
        np.testing.assert_array_equal(got, x.transpose(axes))
    for axis in range(len(shape)):
        for times in (1, 2, 3, 5, 20, 80):
            np.testing.assert_array_equal(dt.repeat(t, times, axis=axis).numpy(), np.repeat(x, times, axis))
        np.testing.assert_array_equal(dt.roll(t, 2, axis=axis).numpy(), np.roll(x, 2, axis))
        np.testing.assert_array_equal(dt.concat([t, t], axis=axis).numpy(), np.concatenate([x, x], axis))


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (300, 4), (3, 1001), (2, 70)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_cumulative_sum(shape: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    for axis in (0, 1):
        got = for_threads(lambda axis=axis: dt.cumulative_sum(dt.tensor(x), axis=axis))
        want: Any = np.cumsum(x.astype("float64" if "float" in dtype else "int64"), axis)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-4)


def test_embedding_gradient_larger_than_the_caches() -> None:
    rng = np.random.default_rng(6)
    index = np.minimum(rng.zipf(1.3, 3000), 49999) - 1
    weight = dt.zeros((50000, 128), requires_grad=True)
    grad = rng.normal(0, 1, (3000, 128)).astype("float32")
    dt.embedding(dt.tensor(index), weight).backward(dt.tensor(grad))
    want = np.zeros((50000, 128))
    np.add.at(want, index, grad.astype("float64"))
    np.testing.assert_allclose(weight.grad.numpy(), want, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_argmax_of_short_rows(dtype: str) -> None:
    rng = np.random.default_rng(6)
    for n in range(1, 70):
        x = rng.integers(-3, 4, (6, n)).astype(dtype)  # with equal values: the first counts
        if dtype.startswith("float"):
            x[0, n // 2 :] = np.nan
            x[1], x[2] = -np.inf, np.inf
            x[3, :: max(1, n - 1)] = np.nan
        wide = np.concatenate([x, x[:, :3] + 9], axis=1)
        for t in (dt.tensor(x), dt.tensor(wide)[:, :n], dt.tensor(x[:, ::-1].copy())[:, ::-1]):
            np.testing.assert_array_equal(dt.argmax(t, axis=1).numpy(), x.argmax(1))
            np.testing.assert_array_equal(dt.argmin(t, axis=1).numpy(), x.argmin(1))
