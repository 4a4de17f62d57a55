"""Rows of the matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL_FLOATS, Error, Op, Sample

Array = np.ndarray[Any, Any]

# m, n, k around the register tiles (4, 6 and 14 rows; 8, 16 and 32 columns), the depth block (256) and the
# row block (48 and 112), the product by vectors (few rows), and one that several threads share.
SIZES = [
    (1, 1, 1),
    (1, 65, 300),
    (4, 33, 17),
    (5, 31, 255),
    (13, 15, 256),
    (14, 16, 257),
    (15, 17, 1),
    (49, 32, 64),
    (111, 64, 9),
    (113, 63, 40),
    (200, 300, 260),
]


def matmul_samples(rng: np.random.Generator) -> Iterator[Sample]:
    for a, b in [
        ((2, 3), (3, 4)),
        ((3,), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3,)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((4, 3), (2, 3, 5)),
        ((2, 3, 4), (4, 2)),
        ((2, 3, 4), (4,)),
        ((4,), (2, 4, 3)),
    ]:
        yield Sample((rng.standard_normal(a), rng.standard_normal(b)))


def matmul_empty(_: np.random.Generator) -> Iterator[Sample]:
    for a, b in [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((0,), (0,))]:
        yield Sample((np.zeros(a), np.zeros(b)))


def matmul_large(rng: np.random.Generator) -> Iterator[Sample]:
    for m, n, k in SIZES:
        yield Sample((rng.standard_normal((m, k)), rng.standard_normal((k, n))))
    yield Sample((rng.standard_normal((16, 33, 65)), rng.standard_normal((16, 65, 31))))
    yield Sample((rng.standard_normal((3, 1, 20, 30)), rng.standard_normal((7, 30, 40))))


def reference_linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    y = np.asarray(x @ weight.T)
    return y if bias is None else y + bias


def linear_samples(rng: np.random.Generator) -> Iterator[Sample]:
    weight, bias = rng.standard_normal((5, 4)), rng.standard_normal(5)
    yield Sample((rng.standard_normal((3, 4)), weight))
    yield Sample((rng.standard_normal((3, 4)), weight, bias))
    yield Sample((rng.standard_normal((2, 3, 4)), weight, bias))
    yield Sample((rng.standard_normal(4), weight), {"bias": bias})


def linear_empty(_: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 4)), np.ones((5, 4)), np.ones(5)))
    yield Sample((np.zeros((3, 0)), np.ones((5, 0)), np.ones(5)))
    yield Sample((np.zeros((3, 4)), np.ones((0, 4)), np.ones(0)))


def linear_large(rng: np.random.Generator) -> Iterator[Sample]:
    for m, n, k in SIZES:
        yield Sample((rng.standard_normal((m, k)), rng.standard_normal((n, k)), rng.standard_normal(n)))


def ones(*shape: int, dtype: str = "float32") -> Any:
    return dt.tensor(np.ones(shape), dtype=dtype)


def linear_errors(name: str) -> list[Error]:
    def call(*args: Any) -> Any:
        return getattr(dt._core, name)(*args)

    return [
        Error(
            lambda: call(ones(2, 3), ones(5, 4)),
            ValueError,
            r"linear: input has 3 features \(shape \(2, 3\)\), but weight \(5, 4\) expects 4",
        ),
        Error(
            lambda: call(ones(2, 4), ones(5, 4), ones(4)),
            ValueError,
            r"linear: bias has shape \(4,\), but weight \(5, 4\) expects \(5,\)",
        ),
        Error(
            lambda: call(ones(2, 4), ones(4)),
            ValueError,
            r"linear: weight must have 2 dimensions \(out, in\)",
        ),
        Error(
            lambda: call(ones(2, 4), ones(5, 4, dtype="float64")),
            TypeError,
            r"linear: input has dtype float32, but weight has dtype float64",
        ),
        Error(lambda: call(ones(2, 4), ones(5, 4), 3), TypeError, rf"{name}: bias must be .*got int"),
    ]


ROWS = [
    Op(
        name="matmul",
        reference=np.matmul,
        samples=matmul_samples,
        empty_samples=matmul_empty,
        large_samples=matmul_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 1),
        same_bits_for_strides=False,
        errors=[
            Error(
                lambda: dt.matmul(ones(2, 3), ones(4, 5)),
                ValueError,
                r"matmul: x1 has 3 columns \(shape \(2, 3\)\), but x2 has 4 rows \(shape \(4, 5\)\)",
            ),
            Error(
                lambda: dt.matmul(ones(2, 3), ones()),
                ValueError,
                "matmul: both tensors need at least one dim",
            ),
            Error(
                lambda: dt.matmul(ones(2, 3, 4), ones(3, 4, 2)),
                ValueError,
                r"matmul: shapes .* do not broadcast",
            ),
            Error(lambda: dt.matmul(ones(2, 3), ones(3, 2, dtype="int32")), TypeError, "matmul: .*int32"),
            Error(lambda: dt.matmul(ones(2, 3), [[1.0]]), TypeError, "matmul: x2 must be"),
        ],
        covers=("Tensor.__matmul__", "Tensor.__rmatmul__"),
    ),
    Op(
        name="linear",
        function=dt._core.linear,
        reference=reference_linear,
        samples=linear_samples,
        empty_samples=linear_empty,
        large_samples=linear_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 1, 2, "bias"),
        same_bits_for_strides=False,
        errors=linear_errors("linear"),
    ),
    Op(
        name="linear_relu",
        function=dt._core._linear_relu,
        reference=lambda *args, **kwargs: np.maximum(reference_linear(*args, **kwargs), 0),
        samples=linear_samples,
        empty_samples=linear_empty,
        large_samples=linear_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 1, 2, "bias"),
        same_bits_for_strides=False,
        errors=linear_errors("linear"),
    ),
]
