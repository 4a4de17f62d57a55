"""The row of embedding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL_FLOATS, Error, Op, Sample

Rng = np.random.Generator


def samples(rng: Rng) -> Iterator[Sample]:
    for shape, rows, width in (((5,), 4, 3), ((2, 3), 7, 17), ((), 3, 2), ((40,), 2, 5), ((4,), 1, 1)):
        yield Sample((rng.integers(0, rows, shape), rng.standard_normal((rows, width))))
    yield Sample((rng.integers(0, 5, 9).astype(np.int32), rng.standard_normal((5, 2))))
    yield Sample((rng.integers(0, 5, 9).astype(np.uint8), rng.standard_normal((5, 2))))


def empty(rng: Rng) -> Iterator[Sample]:
    nothing = np.zeros((0, 2), dtype=np.int64)
    yield Sample((nothing, rng.standard_normal((3, 4))))
    yield Sample((nothing, np.zeros((0, 4))))
    yield Sample((np.zeros(2, dtype=np.int64), np.zeros((3, 0))))


def large(rng: Rng) -> Iterator[Sample]:
    for n, rows, width in ((3000, 50, 33), (20000, 3, 8), (100, 3000, 64)):
        yield Sample((rng.integers(0, rows, n), rng.standard_normal((rows, width))))


def table(*shape: int) -> Any:
    return dt.tensor(np.zeros(shape), dtype="float32")


def indices(*values: int) -> Any:
    return dt.tensor(np.array(values, dtype=np.int64))


ROWS = [
    Op(
        name="embedding",
        dtypes=ALL_FLOATS,
        reference=lambda i, w: w[i.astype(np.int64)],
        samples=samples,
        empty_samples=empty,
        large_samples=large,
        differentiable=(1,),
        errors=[
            Error(
                lambda: dt.embedding(indices(1, 12), table(10, 3)),
                ValueError,
                r"embedding: input contains index 12, but weight has 10 rows \(shape \(10, 3\)\)",
            ),
            Error(lambda: dt.embedding(indices(-1), table(10, 3)), ValueError, "input contains index -1"),
            Error(lambda: dt.embedding(indices(0), table(0, 3)), ValueError, "but weight has 0 rows"),
            Error(
                lambda: dt.embedding(table(2), table(10, 3)), TypeError, "input must have an integer dtype"
            ),
            Error(lambda: dt.embedding(indices(1), table(10)), ValueError, "weight must have 2 dimensions"),
            Error(
                lambda: dt.embedding(indices(1), table(10, 3), 10),
                ValueError,
                "embedding: padding_idx is 10, but weight has 10 rows",
            ),
        ],
    )
]
