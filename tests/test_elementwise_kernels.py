"""Elementwise loops on every ISA level: one divisor, small quotients, comparisons as bits, long rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads

pytestmark = pytest.mark.usefixtures("level")


def same(actual: dt.Tensor, expected: Any) -> None:
    found = actual.numpy()
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")


def test_every_byte_by_every_byte() -> None:
    x = np.arange(256, dtype=np.uint8)
    with np.errstate(divide="ignore"):
        for divisor in range(256):
            for name in ("floor_divide", "remainder"):
                same(getattr(dt, name)(dt.tensor(x), divisor), getattr(np, name)(x, np.uint8(divisor)))


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_by_one_divisor(dtype: str) -> None:
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(0)
    edges = [limits.min, limits.min + 1, -7, -1, 0, 1, 6, 7, limits.max - 1, limits.max]
    edges += [s * (2**51 + k) for s in (-1, 1) for k in (-1, 0, 1)] if dtype == "int64" else []
    divisors = [*edges, 2, 3, 10, 641, -641, 65536, limits.max // 2 + 1, 46341]
    for divisor in divisors:
        multiples = divisor * rng.integers(-50, 50, 60).astype(object) + rng.integers(-1, 2, 60).astype(
            object
        )
        x = np.array([v for v in [*edges, *multiples] if limits.min <= v <= limits.max], dtype)
        x = np.concatenate([x, rng.integers(limits.min, limits.max, 200, dtype)])
        with np.errstate(all="ignore"):
            for name in ("floor_divide", "remainder"):
                expected = getattr(np, name)(x, np.array(divisor, dtype))
                same(getattr(dt, name)(dt.tensor(x), divisor), expected)
                spread = np.full(x.shape, divisor, dtype)
                same(getattr(dt, name)(dt.tensor(x), dt.tensor(spread)), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_of_floats_are_exact(dtype: str) -> None:
    rng = np.random.default_rng(0)
    b = rng.uniform(0.1, 3, 4000).astype(dtype) * rng.choice([-1, 1], 4000).astype(dtype)
    a = (b.astype("f8") * rng.integers(-(2**20), 2**20, 4000)).astype(dtype)
    a[::2] = np.nextafter(a[::2], np.array(-9, dtype))  # just beside a whole quotient
    a[100:200] *= np.array(1e12, dtype)  # quotients so large that vectors go value by value
    a[200:210] = [0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 5, 1e-30, -1e-30]
    b[200:210] = [2, -2, 3, 3, 1, np.inf, np.inf, 0, 1, 1]
    with np.errstate(all="ignore"):
        expected = np.fmod(a, b)
        same(dt.fmod(dt.tensor(a), dt.tensor(b)), expected)
        same(dt.remainder(dt.tensor(a), dt.tensor(b)), np.remainder(a, b))
        found = dt.floor_divide(dt.tensor(a), dt.tensor(b)).numpy()
        same(dt.tensor(found), np.floor_divide(a, b))
    small = [i for i in range(4000) if not 100 <= i < 210]
    wanted = [math.floor(Fraction(float(a[i])) / Fraction(float(b[i]))) for i in small]
    assert np.array_equal(found[small], np.array(wanted, dtype))


@pytest.mark.parametrize("n", [1, 15, 63, 64, 65, 130, 1025])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "uint8", "int32", "int64"])
def test_comparisons(dtype: str, n: int) -> None:
    rng = np.random.default_rng(n)
    given = rng.integers(0, 3, (2, n)).astype("f4")
    if "float" in dtype:
        given[rng.random((2, n)) < 0.2] = np.nan
        given[rng.random((2, n)) < 0.2] = -np.inf
        given[rng.random((2, n)) < 0.1] = -0.0
    a, b = given
    x, y = (dt.tensor(v).astype(dtype) for v in given)
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        same(getattr(dt, name)(x, y), getattr(np, name)(a, b))
        same(getattr(dt, name)(x, 1), getattr(np, name)(a, 1))
        same(getattr(dt, name)(1, x), getattr(np, name)(1, a))
    for name in ("logical_and", "logical_or", "logical_xor"):
        same(getattr(dt, name)(x, y), getattr(np, name)(a, b))
        same(getattr(dt, name)(x, y[:1]), getattr(np, name)(a, b[:1]))
    same(dt.logical_not(x), np.logical_not(a))
    for name in ("isnan", "isinf", "isfinite"):
        same(getattr(dt, name)(x), getattr(np, name)(a))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32"])
def test_long_rows(dtype: str) -> None:
    """Rows of several chunks: operands that are one value, one for each row, the same row, or strided."""
    rng = np.random.default_rng(0)
    whole = rng.integers(0, 9, (3, 5, 2600)).astype("f4")
    x = dt.tensor(whole).astype(dtype)
    others = [
        whole[:1, :1, :1],
        whole[:, :, :1],
        whole[:1, :, :1],
        whole[:1, :1],
        whole[:, :1],
        whole[:, ::-1, ::-1],
    ]
    for other in others:
        y = dt.tensor(np.ascontiguousarray(other)).astype(dtype)
        if other.strides[-1] < 0:
            y = x[:, ::-1, ::-1]
        (total,) = on_threads(lambda y=y: [(x + y).float().numpy()])
        assert np.array_equal(total, whole + other)
        same(x[:, :, ::2] > y[:, :, ::2], whole[:, :, ::2] > other[:, :, ::2])
        z = x.clone()
        z[:, :, 1::2] += y[:, :, 1::2] if y.shape[-1] > 1 else y
        expected = whole.copy()
        expected[:, :, 1::2] += other[:, :, 1::2] if other.shape[-1] > 1 else other
        assert np.array_equal(z.float().numpy(), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("n", [1, 7, 31, 32, 33, 100])
def test_halves_keep_nan_and_round_beside_it(dtype: str, n: int) -> None:
    values = np.random.default_rng(n).standard_normal(n).astype("f4")
    values[n // 2] = np.nan
    x = dt.tensor(values).astype(dtype)
    exact = x.float()
    for name in ("exp", "square", "negative", "abs", "floor", "round"):
        f = getattr(dt, name)
        same(f(x).float(), f(exact).astype(dtype).float().numpy())
    same((x + x[:1]).float(), (exact + exact[:1]).astype(dtype).float().numpy())
    same(dt.nn.functional.relu(x).float(), dt.nn.functional.relu(exact).numpy())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_padding_does_not_meet_an_infinite_weight(dtype: str) -> None:
    """A depthwise convolution leaves taps outside the image out, in half formats too."""
    results = {}
    for kind in ("float32", dtype):
        x = dt.ones((1, 6, 6, 24), dtype=kind, requires_grad=True)
        weight = dt.ones((24, 3, 3, 1), dtype=kind)
        weight[:, 0, 0] = math.inf
        weight.requires_grad = True
        y = dt.nn.functional.conv2d(x, weight, padding=1, groups=24)
        g = dt.ones(y.shape, dtype=kind)
        g[:, 0, 0] = math.inf
        y.backward(g)
        results[kind] = [y.detach().float().numpy(), weight.grad.float().numpy()]
    for half, single in zip(results[dtype], results["float32"], strict=True):
        assert np.array_equal(half, single, equal_nan=True)
    assert np.isfinite(results[dtype][0][:, 0]).all()
    assert np.isfinite(results[dtype][1][:, 0]).all()


@pytest.mark.parametrize(("dtype", "beyond"), [("float16", 7e4), ("bfloat16", 3.4e38)])
def test_numbers_beyond_a_half_format(dtype: str, beyond: float) -> None:
    x = dt.zeros(4, dtype=dtype)
    mask = dt.tensor([True, False, True, False])

    def set_item(index: Any) -> None:
        x[index] = -beyond

    calls = {
        "full: fill_value": lambda: dt.full(3, beyond, dtype=dtype),
        "full_like: fill_value": lambda: dt.full_like(x, beyond),
        "fill_: the value": lambda: x.fill_(-beyond),
        "masked_fill: value": lambda: x.masked_fill(mask, beyond),
    }
    for message, call in calls.items():
        with pytest.raises(ValueError, match=rf"{message} is .*, beyond the range of .*{dtype}"):
            call()
    for index in (slice(None), mask, dt.tensor([1, 2])):
        with pytest.raises(ValueError, match=r"index: the value is -.*, beyond the range"):
            set_item(index)
    assert not x.float().numpy().any()
    assert np.isinf(x.masked_fill(mask, math.inf).float().numpy()[[0, 2]]).all()
