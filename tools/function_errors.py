#!/usr/bin/env python3
"""The largest errors of the vector functions in units in the last place, for docs/reproducibility.md.

    python tools/function_errors.py [level ...]     # the best level without any; needs the package mpmath

Each function is measured on about two million numbers of its domain (bit patterns, and the ranges that
people use) against float64 for float32 and against long double for float64, and on arguments that are hard
to reduce against mpmath: for sin, cos and tan the numbers nearest to multiples of pi / 2 (the convergents of
its continued fraction, for every exponent) up to 1e9, for the others the neighbours of 0, 1, powers of two
and halves of ln 2. Beyond 1e9 (float32: 1e5) the C library is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

import drivetrain as dt

Array = np.ndarray[Any, Any]
# Ours, NumPy's name, mpmath's name, and the domain that bit patterns are kept to
FUNCTIONS: dict[str, tuple[str, str, float, float]] = {
    "exp": ("exp", "exp", -800, 800),
    "exp2": ("exp2", "", -1100, 1100),
    "expm1": ("expm1", "expm1", -800, 800),
    "log": ("log", "log", 0, np.inf),
    "log1p": ("log1p", "log1p", -1, np.inf),
    "log2": ("log2", "", 0, np.inf),
    "log10": ("log10", "log10", 0, np.inf),
    "sin": ("sin", "sin", -1e9, 1e9),
    "cos": ("cos", "cos", -1e9, 1e9),
    "tan": ("tan", "tan", -1e9, 1e9),
    "asin": ("arcsin", "asin", -1, 1),
    "acos": ("arccos", "acos", -1, 1),
    "atan": ("arctan", "atan", -np.inf, np.inf),
    "sinh": ("sinh", "sinh", -800, 800),
    "cosh": ("cosh", "cosh", -800, 800),
    "tanh": ("tanh", "tanh", -30, 30),
    "asinh": ("arcsinh", "asinh", -np.inf, np.inf),
    "acosh": ("arccosh", "acosh", 1, np.inf),
    "atanh": ("arctanh", "atanh", -1, 1),
}
RANGES = ((0, 1), (0.4, 2.5), (0.9, 1.1), (0, 20), (0, 800), (0, 1e5))


def near_half_pi(dtype: str) -> Array:
    """The numbers of each exponent that come nearest to a multiple of pi / 2."""
    bits, low, high, most = (24, -24, 1, 1e5) if dtype == "float32" else (53, -53, 1, 1e9)
    with mpmath.workprec(400):
        two_over_pi = Fraction(int(mpmath.floor(mpmath.ldexp(2 / mpmath.pi, 300)))) / 2**300
    found = []
    for exponent in range(low, high):
        x = two_over_pi * Fraction(2) ** exponent
        before, q = 0, 1
        for _ in range(80):
            part = x - (x.numerator // x.denominator)
            if part == 0 or q >= 2**bits or q * 2.0**exponent > most:
                break
            found += [
                float(Fraction(q * k) * Fraction(2) ** exponent) for k in (1, 2, 3, 5, 7) if q * k < 2**bits
            ]
            x = 1 / part
            before, q = q, (x.numerator // x.denominator) * q + before
    x = np.unique(found).astype(dtype)
    return x[x <= most]


def edges(dtype: str) -> Array:
    """Neighbours of 0, 1 and of a few numbers between 0.5 and 2, and of the halves of ln 2; powers of two."""
    info = np.finfo(dtype)
    centres = [
        1.0,
        0.5,
        2.0,
        0.75,
        1.5,
        np.sqrt(0.5),
        np.sqrt(2.0),
        0.0,
        *(np.log(2) * (k + 0.5) for k in range(40)),
    ]
    x = np.array([c + s * k * info.eps for c in centres for k in range(40) for s in (-1, 1)])
    return np.concatenate([x, 2.0 ** np.arange(-60, 60), -x]).astype(dtype)


def arguments(name: str, dtype: str, count: int) -> Array:
    rng = np.random.default_rng(1)
    low, high = FUNCTIONS[name][2:]
    raw = rng.integers(0, 2**64, count, dtype=np.uint64)
    patterns = (
        raw.view(np.float64)
        if dtype == "float64"
        else (raw >> np.uint64(32)).astype(np.uint32).view(np.float32)
    )
    parts = [patterns]
    for a, b in RANGES:
        values = rng.uniform(a, b, count // len(RANGES)).astype(dtype)
        parts += [values, -values]
    x = np.concatenate(parts)
    return x[np.isfinite(x) & (x >= low) & (x <= high)]


def errors(actual: Array, exact: Array) -> Array:
    """`exact` is wider than `actual`."""
    rounded = exact.astype(actual.dtype)
    unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(actual.dtype).smallest_normal))
    kept = np.isfinite(rounded) & np.isfinite(actual)
    return np.asarray(np.where(kept, np.abs(actual.astype(exact.dtype) - exact) / unit, 0))


def by_mpmath(name: str, x: Array) -> Array:
    functions: dict[str, Callable[[Any], Any]] = {
        "exp2": lambda v: mpmath.power(2, v),
        "log2": lambda v: mpmath.log(v, 2),
    }
    function = functions.get(name) or getattr(mpmath, FUNCTIONS[name][1])
    with mpmath.workprec(300):
        values = [function(mpmath.mpf(float(v))) for v in x]
        wide = np.longdouble if x.dtype == np.float64 else np.float64
        high = [float(v) for v in values]
        return np.array(high, wide) + np.array(
            [float(v - h) for v, h in zip(values, high, strict=True)], wide
        )


def worst(name: str, dtype: str, count: int = 1_000_000) -> tuple[float, float]:
    """The largest error, and where."""
    x = arguments(name, dtype, count)
    low, high = FUNCTIONS[name][2:]
    hard = np.concatenate(
        [edges(dtype), near_half_pi(dtype)] if name in ("sin", "cos", "tan") else [edges(dtype)]
    )
    inside = (hard > low) & (hard < high)
    hard = np.unique(hard[inside])
    wide = x.astype(np.longdouble if dtype == "float64" else np.float64)
    with np.errstate(all="ignore"):
        exact = np.concatenate([getattr(np, FUNCTIONS[name][0])(wide), by_mpmath(name, hard)])
        x = np.concatenate([x, hard])
        e = errors(getattr(dt, name)(dt.tensor(x)).numpy(), exact)
    return float(e.max()), float(x[e.argmax()])


def main() -> None:
    for level in sys.argv[1:] or [dt.get_isa()]:
        dt.set_isa(level)
        print(f"| {level} | float32 | float64 |\n| --- | --- | --- |")
        for name in FUNCTIONS:
            found = [worst(name, dtype) for dtype in ("float32", "float64")]
            print(f"| `{name}` | " + " | ".join(f"{e:.2f} at {x:.9g}" for e, x in found) + " |", flush=True)


if __name__ == "__main__":
    main()
