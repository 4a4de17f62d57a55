"""Errors of the vector functions in units in the last place, on every ISA level, and special values.

The bounds are those of the worst level, seen over millions of values, and a little room.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt

Array = np.ndarray[Any, Any]
Reference = Callable[..., Any]

# NumPy's name, and the bounds for float32 and float64
UNARY: dict[str, tuple[Reference, float, float]] = {
    "exp": (np.exp, 1.1, 1.1),
    "exp2": (np.exp2, 1.1, 1.2),
    "expm1": (np.expm1, 1.6, 2.2),
    "log": (np.log, 1.0, 1.0),
    "log1p": (np.log1p, 1.4, 1.4),
    "log2": (np.log2, 1.5, 1.5),
    "log10": (np.log10, 1.8, 1.8),
    "sin": (np.sin, 2.2, 2.4),
    "cos": (np.cos, 2.2, 2.5),
    "tan": (np.tan, 3.2, 3.8),
    "asin": (np.arcsin, 2.6, 2.6),
    "acos": (np.arccos, 1.6, 1.6),
    "atan": (np.arctan, 1.8, 1.8),
    "sinh": (np.sinh, 3.9, 4.2),
    "cosh": (np.cosh, 3.5, 3.3),
    "tanh": (np.tanh, 6.0, 5.2),
    "asinh": (np.arcsinh, 3.6, 2.5),
    "acosh": (np.arccosh, 3.6, 2.5),
    "atanh": (np.arctanh, 2.5, 2.5),
}
BINARY: dict[str, tuple[Reference, float, float]] = {
    "pow": (np.power, 1.2, 3.5),
    "atan2": (np.arctan2, 1.8, 1.8),
}
# numbers beyond which sin, cos and tan ask the C library, zeros, denormals, the largest, infinities, NaN
EDGES = [0.0, 1.0, 0.5, 2.0, 3.0, 6e3, 1e5, 1.1e5, 1e6, 1.1e9, 1e22, 1e30, 3.4e38, 1e-30, 1.2e-38, 1e-45]
SPECIAL = [*EDGES, *(-x for x in EDGES), np.inf, -np.inf, np.nan]


def spread(rng: np.random.Generator, dtype: str) -> Array:
    """Every bit pattern, and many numbers of the sizes that people use."""
    bits = rng.integers(0, 2**63, 40_000, dtype=np.uint64) << np.uint64(1)
    patterns = bits.view(np.float64) if dtype == "float64" else (bits >> np.uint64(32)).astype(np.uint32)
    parts = [patterns.view(dtype), np.array(SPECIAL)]
    for low, high in ((0, 1), (0.4, 2.5), (0.9, 1.1), (0, 20), (0, 800), (0, 1e4), (1e4, 1e6)):
        parts.append(rng.uniform(low, high, 12_000))
        parts.append(-rng.uniform(low, high, 12_000))
    with np.errstate(over="ignore"):
        return np.concatenate([part.astype(dtype) for part in parts])


def wider(x: Array) -> Array:
    return x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)


def check(actual: Array, exact: Array, bound: float, *inputs: Array) -> None:
    """`exact` in a wider type. Zeros must have the sign of the exact ones."""
    with np.errstate(all="ignore"):
        expected = exact.astype(actual.dtype)
        unit = np.spacing(np.maximum(np.abs(expected), np.finfo(actual.dtype).smallest_normal))
        error = np.abs(actual.astype(exact.dtype) - exact) / unit
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    error = np.where(same & ~np.isfinite(expected), 0, np.where(np.isnan(error), np.inf, error))
    worst = int(np.argmax(error))
    assert error[worst] <= bound, (
        f"{error[worst]:.2f} at {[x[worst] for x in inputs]}: {actual[worst]}, expected {exact[worst]}"
    )
    zero = exact == 0
    assert (np.signbit(actual) == np.signbit(expected))[zero].all()


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_unary(name: str, dtype: str, level: str) -> None:
    function, *bounds = UNARY[name]
    x = spread(np.random.default_rng(3), dtype)
    with np.errstate(all="ignore"):
        exact = function(wider(x))
    check(getattr(dt, name)(dt.tensor(x)).numpy(), exact, bounds[dtype == "float64"], x)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binary(name: str, dtype: str, level: str) -> None:
    function, *bounds = BINARY[name]
    rng = np.random.default_rng(4)
    a, b = spread(rng, dtype), spread(rng, dtype)
    a, b = rng.permutation(a), rng.permutation(b)
    base, most = rng.uniform(0.5, 2, 30_000).astype(dtype), 80 if dtype == "float32" else 650
    exponent = rng.uniform(-most, most, base.size) / np.log(wider(base))
    grid = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
    x = np.concatenate([a, base, -base, grid[0].astype(dtype)])
    y = np.concatenate([b, exponent.astype(dtype), np.round(exponent).astype(dtype), grid[1].astype(dtype)])
    with np.errstate(all="ignore"):
        exact = function(wider(x), wider(y))
    actual = getattr(dt, name)(dt.tensor(x), dt.tensor(y)).numpy()
    check(actual, exact, bounds[dtype == "float64"], x, y)


def test_exact_results(level: str) -> None:
    """Results that are whole come out whole."""
    bases = np.arange(1.0, 17.0)
    for dtype in ("float32", "float64"):
        for k in range(1, 6):
            powers = dt.pow(dt.tensor(bases, dtype=dtype), dt.tensor(np.full(16, k), dtype=dtype))
            np.testing.assert_array_equal(powers.numpy(), bases**k)
        twos = dt.tensor(np.arange(-100.0, 100.0), dtype=dtype)
        np.testing.assert_array_equal(dt.log2(dt.exp2(twos)).numpy(), twos.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_roots_are_powers(dtype: str, level: str) -> None:
    """Which sqrt is not at -0 and minus infinity."""
    x = dt.tensor([-np.inf, -0.0, 0.0, 4.0, np.inf, -4.0, np.nan], dtype=dtype)
    root, inverse = (x**0.5).numpy(), (x**-0.5).numpy()
    np.testing.assert_array_equal(root, [np.inf, 0, 0, 2, np.inf, np.nan, np.nan])
    np.testing.assert_array_equal(inverse, [0, np.inf, np.inf, 0.5, 0, np.nan, np.nan])
    assert not np.signbit([root[1], inverse[0]]).any()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integer_powers(dtype: str, level: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0 if dtype == "uint8" else -9, 10, 333).astype(dtype)
    y = rng.integers(0, 40, 333).astype(dtype)  # most results wrap around
    np.testing.assert_array_equal(dt.pow(dt.tensor(x), dt.tensor(y)).numpy(), x**y)
    for exponent in range(6):
        np.testing.assert_array_equal((dt.tensor(x) ** exponent).numpy(), x**exponent)


def test_a_value_does_not_depend_on_its_place(level: str) -> None:
    """Also beside numbers that another way is taken for."""
    x = np.linspace(-3, 3, 101, dtype=np.float32)
    for name in ("sin", "pow", "tanh", "log"):
        function = (lambda t: dt.pow(t, 2.3)) if name == "pow" else getattr(dt, name)
        alone = np.concatenate([function(dt.tensor(x[i : i + 1])).numpy() for i in range(x.size)])
        huge = np.stack([x, np.full_like(x, 1e30)], 1).ravel()
        np.testing.assert_array_equal(function(dt.tensor(x)).numpy(), alone)
        np.testing.assert_array_equal(function(dt.tensor(huge)).numpy()[::2], alone)


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 9, 17, 1000])
def test_casts_to_integers(n: int, level: str) -> None:
    """Of any length: NaN gives 0, what is out of range the nearest limit."""
    limits = [
        np.nan,
        np.inf,
        -np.inf,
        -0.0,
        255.5,
        256.0,
        -0.5,
        2.0**31,
        2.0**31 - 0.5,
        -(2.0**31) - 1,
        1e300,
    ]
    x = np.random.default_rng(n).uniform(-10, 300, n)
    x[::2] = np.resize(limits, x[::2].size)
    x = np.roll(x, n // 3)
    for dtype, low, high in (("int32", -(2.0**31), 2.0**31 - 1), ("uint8", 0.0, 255.0)):
        expected = np.trunc(np.clip(np.nan_to_num(x, posinf=high, neginf=low), low, high)).astype(dtype)
        np.testing.assert_array_equal(dt.tensor(x).astype(dtype).numpy(), expected)
