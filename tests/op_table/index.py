"""Rows of picking and placing by positions, and of sorting. Indexing with brackets is in test_index.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, Error, Op, Sample

Rng = np.random.Generator
X = dt.tensor(np.zeros((3, 4, 5)), dtype="float32")


def distinct(rng: Rng, *shape: int) -> np.ndarray:
    """Values well apart from each other, so that their order survives a small step."""
    n = int(np.prod(shape))
    return (rng.permutation(n) - n / 2 + 0.25).reshape(shape) * (4.0 / max(n, 1))


def takes(rng: Rng) -> Iterator[Sample]:
    yield Sample((rng.normal(0, 1, 6), np.array([5, 0, 0, -1])))
    for axis in (0, 1, -1):
        yield Sample((rng.normal(0, 1, (3, 4, 5)), np.array([2, 0, -1, 2]), axis))
        yield Sample((rng.normal(0, 1, (3, 4, 5)), np.array([[2, 0], [1, 1]]), axis))


def gathers(rng: Rng) -> Iterator[Sample]:
    yield Sample((rng.normal(0, 1, (3, 4)), rng.integers(-3, 3, (7, 4)), 0))
    yield Sample((rng.normal(0, 1, (3, 4)), rng.integers(0, 4, (3, 2)), 1))
    yield Sample((rng.normal(0, 1, (2, 3, 4)), rng.integers(0, 3, (2, 5, 4)), 1))


def scatters(rng: Rng) -> Iterator[Sample]:
    for x, *rest in (s.args for s in gathers(rng)):
        indices, axis = rest
        yield Sample((x, indices, rng.normal(0, 1, indices.shape), axis))


def scatter_add(x: Any, indices: Any, source: Any, axis: int) -> Any:
    out = np.array(x)
    where = list(np.indices(indices.shape))
    where[axis] = indices
    np.add.at(out, tuple(where), source)
    return out


def sorts(rng: Rng) -> Iterator[Sample]:
    yield Sample((distinct(rng, 33),))
    for axis in (0, 1, -1):
        for descending in (False, True):
            yield Sample((distinct(rng, 3, 4, 5), axis, descending))
    yield Sample(
        (np.array([2.0, np.nan, -np.inf, 1.0, np.nan, 0.0]),), gradient=False, dtypes=("float32", "float64")
    )
    yield Sample((np.array([1.0, 0.0, 1.0, 0.0]),), gradient=False)


def ordered(x: Any, axis: int = -1, descending: bool = False) -> Any:
    key = x if not descending else -x.astype(np.float64)
    return np.argsort(key, axis=axis, kind="stable")


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> Any:
    order = np.take(ordered(x, axis, largest), np.arange(k), axis)
    return np.take_along_axis(x, order, axis), order


def tops(rng: Rng) -> Iterator[Sample]:
    for args in ((2,), (3, 0), (1, 1, False), (0,)):
        yield Sample((distinct(rng, 3, 4, 5), *args))


def one_hot(indices: Any, num_classes: int | None = None) -> Any:
    n = int(indices.max()) + 1 if num_classes is None else num_classes
    return np.eye(n)[indices]


def empty_rows(*args: Any) -> Any:
    return lambda rng: iter([Sample((np.zeros((0, 3)), *args))])


ROWS = [
    Op(
        name="take",
        reference=lambda x, indices, axis=0: np.take(x, indices, axis),
        samples=takes,
        empty_samples=empty_rows(np.array([1, 1]), 1),
        large_samples=lambda rng: iter(
            [Sample((rng.normal(0, 1, (500, 65)), rng.integers(0, 500, 3000), 0))]
        ),
        dtypes=ALL,
        exact=True,
        errors=[
            Error(
                lambda: dt.take(X, dt.tensor([9]), 1),
                IndexError,
                r"take: index 9 is out of range for axis 1 of size 4 \(shape",
            ),
            Error(
                lambda: dt.take(X, dt.tensor([0])),
                ValueError,
                "take: axis must be given for x with 3 dimensions",
            ),
            Error(
                lambda: dt.take(X, dt.tensor([0.5]), 0),
                IndexError,
                "take: indices must be integers, got float32",
            ),
        ],
    ),
    Op(
        name="gather",
        covers=("take_along_axis",),  # NumPy's name
        reference=lambda x, i, axis: np.take_along_axis(x[:, : i.shape[1]] if axis != 1 else x, i, axis),
        samples=gathers,
        empty_samples=empty_rows(np.zeros((0, 2), int), 1),
        dtypes=ALL,
        exact=True,
        errors=[
            Error(
                lambda: dt.gather(X, dt.tensor([0]), 0),
                ValueError,
                r"gather: indices have shape \(1,\), expected as many dimensions",
            ),
            Error(
                lambda: dt.gather(X, dt.full((1, 4, 5), 3), 0),
                IndexError,
                "gather: index 3 is out of range for axis 0 of size 3",
            ),
        ],
    ),
    Op(
        name="scatter_add",
        reference=scatter_add,
        samples=scatters,
        empty_samples=empty_rows(np.zeros((0, 2), int), np.zeros((0, 2)), 1),
        dtypes=ALL,
        differentiable=(0, 2),
        tolerance={"float16": (2e-2, 6e-3), "bfloat16": (0.1, 5e-2)},
        errors=[
            Error(
                lambda: dt.scatter_add(X, dt.full((1, 4, 5), 0), X, 0),
                ValueError,
                "scatter_add: source has shape .*, but indices have shape",
            ),
            Error(
                lambda: dt.scatter_add(X, dt.full((3, 4, 5), 0), dt.tensor(np.zeros((3, 4, 5))), 0),
                TypeError,
                "scatter_add: x has dtype float32, but source",
            ),
        ],
    ),
    Op(
        name="argsort",
        reference=ordered,
        samples=sorts,
        empty_samples=empty_rows(),
        large_samples=lambda rng: iter([Sample((distinct(rng, 7, 3001),))]),
        dtypes=ALL,
        differentiable=(),
        errors=[
            Error(
                lambda: dt.argsort(dt.tensor(1.0)), ValueError, "argsort: x must have at least one dimension"
            )
        ],
    ),
    Op(
        name="sort",
        reference=lambda x, axis=-1, descending=False: np.take_along_axis(
            x, ordered(x, axis, descending), axis
        ),
        samples=sorts,
        empty_samples=empty_rows(),
        dtypes=ALL,
        exact=True,
        errors=[
            Error(lambda: dt.sort(dt.tensor(1.0)), ValueError, "sort: x must have at least one dimension"),
            Error(lambda: dt.sort(X, 3), IndexError, "sort: axis 3 is out of range"),
        ],
    ),
    Op(
        name="topk",
        reference=topk,
        samples=tops,
        empty_samples=empty_rows(2),
        dtypes=ALL,
        exact=True,
        errors=[
            Error(lambda: dt.topk(X, 9), ValueError, "topk: k is 9, expected 0 to 5, the size of axis -1")
        ],
    ),
    Op(
        name="one_hot",
        reference=one_hot,
        samples=lambda rng: iter([Sample((np.array([[0, 2], [1, 1]]), 4)), Sample((np.array([0, 2]),))]),
        empty_samples=lambda rng: iter([Sample((np.zeros((0, 2), int), 3))]),
        dtypes=ALL,
        differentiable=(),
        errors=[
            Error(
                lambda: dt.one_hot(dt.tensor([5]), 3),
                ValueError,
                "one_hot: index 5 is out of range for num_classes 3",
            ),
            Error(
                lambda: dt.one_hot(dt.tensor([-1]), 3),
                ValueError,
                "one_hot: indices must not be negative, got -1",
            ),
            Error(
                lambda: dt.one_hot(dt.tensor([0.5])),
                IndexError,
                "one_hot: indices must be integers, got float32",
            ),
        ],
    ),
    Op(
        name="nonzero",
        reference=np.nonzero,
        samples=lambda rng: iter(
            [Sample((rng.integers(-1, 2, (3, 4)).astype(np.float64),)), Sample((np.array([0.0, 1.0]),))]
        ),
        empty_samples=empty_rows(),
        dtypes=ALL,
        differentiable=(),
        errors=[
            Error(
                lambda: dt.nonzero(dt.tensor(1.0)), ValueError, "nonzero: x must have at least one dimension"
            )
        ],
    ),
]
