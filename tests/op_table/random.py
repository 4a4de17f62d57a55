"""Rows of the random ops. Every call is seeded alike: NumPy's Philox must draw the very same values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from reference import random as reference

from .row import Error, Op, Sample

Rng = np.random.Generator
SEED, STREAM = 1234, 0  # of the first draw after Op.call has seeded the generator
SHAPES = ((7,), (3, 5), (), (63,), (64,), (65,), (2, 3, 40))
EMPTY = "the arguments are no tensors; test_random.py draws zero sizes"


def shaped(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return values.reshape(tuple(shape))


def draw(kind: Any, shape: Sequence[int], dtype: str) -> np.ndarray:
    return shaped(kind(SEED, STREAM, math.prod(shape), dtype == "float64"), shape)


def shape_samples(*more: dict[str, Any]) -> Any:
    def samples(rng: Rng) -> Iterator[Sample]:
        for shape in SHAPES:
            for dtype in ("float32", "float64"):
                for kwargs in more:
                    yield Sample((shape,), {"dtype": dtype, **kwargs})

    return samples


def large(rng: Rng) -> Iterator[Sample]:
    for n in (2047, 2048, 2049, 30001):
        yield Sample(((n,),))


def shape_errors(name: str) -> list[Error]:
    f = getattr(dt, name)
    return [
        Error(lambda: f((2, -1)), ValueError, rf"{name}: sizes must not be negative, got shape \(2, -1\)"),
        Error(lambda: f((2**40, 2**40)), ValueError, rf"{name}: shape .* more elements than memory can hold"),
        Error(lambda: f("two"), TypeError, rf"{name}: shape must be an int or a sequence of ints"),
        Error(
            lambda: f((2,), dtype="int64"),
            TypeError,
            rf"{name}: dtype must be a floating-point one, got int64",
        ),
        Error(lambda: f((2,), generator=3), TypeError, rf"{name}: generator must be a Generator or None"),
    ]


def uniform(shape: Any, low: float = 0.0, high: float = 1.0, dtype: str = "float32") -> np.ndarray:
    return low + (high - low) * draw(reference.uniform, shape, dtype)


def normal(shape: Any, mean: float = 0.0, std: float = 1.0, dtype: str = "float32") -> np.ndarray:
    return mean + std * draw(reference.normal, shape, dtype)


def randint(low: int, high: int, shape: Any, dtype: str = "int64") -> np.ndarray:
    values = reference.integers(SEED, STREAM, math.prod(shape), low, high)
    return shaped(values, shape).astype(dtype)


def randint_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample((-5, 17, shape))
    yield Sample((0, 256, (40,)), {"dtype": "uint8"})
    yield Sample((-(2**31), 2**31, (40,)), {"dtype": "int32"})
    yield Sample((-(2**63), 2**63 - 1, (40,)))


def bernoulli(p: np.ndarray) -> np.ndarray:
    return shaped(reference.words(SEED, STREAM, p.size) < p.reshape(-1) * 2.0**32, p.shape).astype(np.float64)


def bernoulli_samples(rng: Rng) -> Iterator[Sample]:
    for shape in SHAPES:
        yield Sample((rng.random(shape),))
    yield Sample((np.array([0.0, 1.0] * 40),))


def draw_uniform(seed: int, stream: int, positions: np.ndarray, count: int) -> np.ndarray:
    rows = positions.astype(np.int64).astype(np.uint64)
    blocks = [reference.philox(seed, stream + j, rows) for j in range(-(-count // 2))]
    pairs = [half for w in blocks for half in (w[0] | w[1] << np.uint64(32), w[2] | w[3] << np.uint64(32))]
    drawn = np.stack(pairs + pairs[:1], axis=-1) if pairs else np.zeros((len(rows), 0), np.uint64)
    return (drawn[:, :count] >> np.uint64(11)) * 2.0**-53


def draw_uniform_samples(rng: Rng) -> Iterator[Sample]:
    for count in (1, 2, 5):
        yield Sample((7, 3, np.array([0, 5, 2**40, 5]), count))
    yield Sample((2**63 - 1, 2**40, np.array([[1, 2], [3, 4]])[:, 1], 3))


def row(name: str, reference: Any, samples: Any, errors: list[Error]) -> Op:
    return Op(
        name=name,
        reference=reference,
        samples=samples,
        no_empty=EMPTY,
        large_samples=large,
        dtypes=("float32",),
        differentiable=(),
        errors=errors,
    )


ROWS = [
    row(
        "rand",
        lambda shape, dtype="float32": uniform(shape, dtype=dtype),
        shape_samples({}),
        shape_errors("rand"),
    ),
    row(
        "randn",
        lambda shape, dtype="float32": normal(shape, dtype=dtype),
        shape_samples({}),
        shape_errors("randn"),
    ),
    row(
        "uniform",
        uniform,
        shape_samples({}, {"low": -3.0, "high": 5.0}, {"low": 2.0, "high": 2.0}),
        [
            *shape_errors("uniform"),
            Error(lambda: dt.uniform(2, 1.0, 0.0), ValueError, "uniform: low is 1, which is above high, 0"),
            Error(lambda: dt.uniform(2, 0.0, math.inf), ValueError, "uniform: low and high must be finite"),
        ],
    ),
    row(
        "normal",
        normal,
        shape_samples({}, {"mean": 2.0, "std": 0.1}, {"std": 0.0}),
        [
            *shape_errors("normal"),
            Error(lambda: dt.normal(2, 0.0, -1.0), ValueError, "normal: std is -1, expected 0 or more"),
            Error(lambda: dt.normal(2, math.nan), ValueError, "normal: mean and std must be finite"),
        ],
    ),
    Op(
        name="randint",
        reference=randint,
        samples=randint_samples,
        no_empty=EMPTY,
        large_samples=lambda rng: [Sample((0, 1000, (5000,)))],
        dtypes=("float32",),
        differentiable=(),
        exact=True,
        errors=[
            Error(lambda: dt.randint(3, 3, 2), ValueError, "randint: low is 3, expected less than high, 3"),
            Error(
                lambda: dt.randint(0, 300, 2, "uint8"),
                ValueError,
                "randint: the numbers from 0 to 299 do not fit into uint8",
            ),
            Error(
                lambda: dt.randint(0, 3, 2, "float32"), TypeError, "dtype must be an integer one, got float32"
            ),
            Error(lambda: dt.randint(0, 3, -2), ValueError, "randint: sizes must not be negative"),
            Error(lambda: dt.randint(0.5, 3, 2), TypeError, "randint: low must be an int, got float"),
        ],
    ),
    Op(
        name="randperm",
        reference=lambda n: reference.permutation(SEED, STREAM, n),
        samples=lambda rng: [Sample((n,)) for n in (0, 1, 2, 31, 32, 33, 200)],
        no_empty=EMPTY,
        dtypes=("float32",),
        differentiable=(),
        exact=True,
        errors=[
            Error(lambda: dt.randperm(-1), ValueError, "randperm: sizes must not be negative"),
            Error(lambda: dt.randperm(2.0), TypeError, "randperm: n must be an int, got float"),
        ],
    ),
    Op(
        name="bernoulli",
        reference=bernoulli,
        samples=bernoulli_samples,
        empty_samples=lambda rng: [Sample((np.zeros((0, 3)),)), Sample((np.zeros((2, 0)),))],
        large_samples=lambda rng: [Sample((rng.random(n),)) for n in (2047, 2048, 2049, 30001)],
        differentiable=(),
        exact=True,
        errors=[Error(lambda: dt.bernoulli(0.5), TypeError, "bernoulli: input must be a Tensor, got float")],
    ),
    Op(
        name="draw_uniform",
        reference=draw_uniform,
        samples=draw_uniform_samples,
        empty_samples=lambda rng: [Sample((1, 2, np.zeros(0, np.int64), n)) for n in (0, 3)],
        dtypes=("float32",),
        differentiable=(),
        exact=True,
        errors=[
            Error(
                lambda: dt.draw_uniform(0, 0, dt.tensor([1]), -1),
                ValueError,
                "draw_uniform: count is -1, expected 0 or more",
            ),
            Error(
                lambda: dt.draw_uniform(0, 0, dt.tensor([[1]]), 1),
                ValueError,
                "draw_uniform: positions must have 1 dimension",
            ),
            Error(
                lambda: dt.draw_uniform(0, 0, dt.tensor([1.5]), 1),
                TypeError,
                "draw_uniform: positions must have an integer dtype",
            ),
            Error(lambda: dt.draw_uniform(0.5, 0, dt.tensor([1]), 1), TypeError, "seed must be an int"),
        ],
    ),
]
