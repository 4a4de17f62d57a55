"""Rows of softmax and log_softmax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL_FLOATS, Error, Op, Sample

Rng = np.random.Generator


def samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((3, 5), (2, 3, 4), (7,), (2, 33), (1, 1)):
        yield Sample((rng.normal(0, 3, shape),))
        for axis in range(-len(shape), len(shape)):
            yield Sample((rng.normal(0, 3, shape), axis))
    yield Sample((np.array(1.5),))
    yield Sample((rng.normal(0, 3, (2, 3, 19, 2)),), {"axis": 2})
    # Without care these overflow.
    yield Sample((np.array([[1000.0, 999.0, -1000.0], [-1000.0, -1001.0, -1002.0]]),))
    yield Sample((np.array([[0.0, -np.inf, 1.0]]),), gradient=False)
    yield Sample((np.array([[0.0, np.nan, 1.0], [1.0, 2.0, 3.0]]),), gradient=False)


def empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)),))
    yield Sample((np.zeros((2, 0)), 0))
    yield Sample((np.zeros((2, 0)), 1))


def large(rng: Rng) -> Iterator[Sample]:
    for shape in ((9, 15), (9, 16), (9, 17), (5, 63), (5, 64), (5, 65), (70, 1000), (3, 50000)):
        yield Sample((rng.normal(0, 3, shape),))
    for shape in ((4, 100, 17), (2, 10, 3001), (9000, 3, 2)):
        yield Sample((rng.normal(0, 3, shape), 1))


def errors(name: str) -> list[Error]:
    f = getattr(dt, name)
    x = dt.tensor(np.zeros((2, 3)), dtype="float32")
    return [
        Error(lambda: f(x, 2), IndexError, rf"{name}: axis 2 is out of range for a tensor of 2 dimensions"),
        Error(lambda: f(x, dim=1), TypeError, rf"{name}: unknown argument 'dim'; here it is called 'axis'"),
        Error(lambda: f(x, 1.5), TypeError, rf"{name}: axis must be an int"),
        Error(lambda: f(3.0), TypeError, rf"{name}: input must be a Tensor"),
    ]


def at_least_1d(function: Any) -> Any:
    """The reference takes an axis; a tensor without one holds a single class."""

    def apply(x: np.ndarray, axis: int = -1) -> np.ndarray:
        if x.ndim == 0 or x.size == 0:
            return np.asarray(function(x.reshape(1), -1)).reshape(()) if x.ndim == 0 else x.copy()
        return function(x, axis)

    return apply


ROWS = [
    Op(
        name="softmax",
        dtypes=ALL_FLOATS,
        reference=at_least_1d(reference.softmax),
        samples=samples,
        empty_samples=empty,
        large_samples=large,
        errors=errors("softmax"),
    ),
    Op(
        name="log_softmax",
        dtypes=ALL_FLOATS,
        reference=at_least_1d(reference.log_softmax),
        samples=samples,
        empty_samples=empty,
        large_samples=large,
        errors=errors("log_softmax"),
    ),
]
