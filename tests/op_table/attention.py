"""The row of scaled_dot_product_attention. Dropout is seeded alike: the reference drops the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt
from reference.attention import attention

from .random import SEED, STREAM
from .row import ALL_FLOATS, Error, Op, Sample

Rng = np.random.Generator


def reference(*args: Any, **kwargs: Any) -> np.ndarray:
    return attention(*args, **kwargs, seed=SEED, stream=STREAM)


def inputs(
    rng: Rng, lead: tuple[int, ...], queries: int, keys: int, size: int, value_size: int, shared: int = 1
) -> tuple[np.ndarray, ...]:
    fewer = (*lead[:-1], lead[-1] // shared) if lead else ()
    return (
        rng.standard_normal((*lead, queries, size)),
        rng.standard_normal((*fewer, keys, size)),
        rng.standard_normal((*fewer, keys, value_size)),
    )


def samples(rng: Rng) -> Iterator[Sample]:
    yield Sample(inputs(rng, (), 3, 4, 2, 5))
    yield Sample(inputs(rng, (2,), 1, 7, 4, 4))
    yield Sample(inputs(rng, (2, 3), 5, 6, 8, 3))
    yield Sample(inputs(rng, (1, 2), 9, 9, 5, 5), {"is_causal": True})
    yield Sample(inputs(rng, (1, 2), 3, 7, 5, 5), {"is_causal": True, "scale": 0.7})
    yield Sample(inputs(rng, (1, 1), 7, 3, 4, 4), {"is_causal": True})  # the first four see nothing
    yield Sample(inputs(rng, (2, 4), 3, 5, 4, 6, shared=2), {"enable_gqa": True, "is_causal": True})
    yield Sample(inputs(rng, (1, 3), 4, 5, 4, 4, shared=3), {"enable_gqa": True})
    some = rng.random((2, 3, 5, 6)) < 0.6
    some[0, 1, 2] = False  # attends to nothing
    yield Sample((*inputs(rng, (2, 3), 5, 6, 4, 4), some))
    yield Sample((*inputs(rng, (2, 3), 5, 6, 4, 4), rng.random((2, 1, 1, 6)) < 0.7))  # padding
    yield Sample((*inputs(rng, (2, 3), 5, 6, 4, 4), rng.standard_normal((5, 6))), {"is_causal": True})
    yield Sample((*inputs(rng, (2, 3), 5, 6, 4, 4), rng.standard_normal((3, 5, 1))))
    yield Sample(inputs(rng, (2, 2), 5, 11, 4, 4), {"dropout_p": 0.3})
    yield Sample(inputs(rng, (2,), 35, 9, 4, 4), {"dropout_p": 0.5, "is_causal": True})
    yield Sample(inputs(rng, (), 3, 4, 2, 2), {"dropout_p": 1.0})


def empty(rng: Rng) -> Iterator[Sample]:
    yield Sample(inputs(rng, (2, 3), 0, 4, 5, 5))
    yield Sample(inputs(rng, (2, 3), 4, 0, 5, 5))  # zeros
    yield Sample(inputs(rng, (0, 3), 4, 4, 5, 5))
    yield Sample(inputs(rng, (2, 3), 4, 4, 5, 0))


def large(rng: Rng) -> Iterator[Sample]:
    for n in (127, 128, 129):  # blocks of the forward; twice those of the backward
        yield Sample(inputs(rng, (1, 2), n, n, 16, 16), {"is_causal": True})
        yield Sample((*inputs(rng, (1, 2), n, n + 1, 8, 33), rng.standard_normal((n, n + 1))))
    yield Sample(inputs(rng, (2, 4), 300, 300, 64, 64), {"is_causal": True})
    yield Sample(inputs(rng, (1, 1), 200, 700, 32, 32))  # keys in parts
    yield Sample(inputs(rng, (1, 2), 600, 600, 8, 8, shared=2), {"enable_gqa": True, "is_causal": True})
    yield Sample(inputs(rng, (1, 2), 300, 290, 17, 9), {"dropout_p": 0.2, "is_causal": True})


def zeros(*shape: int, dtype: str = "float32") -> Any:
    return dt.tensor(np.zeros(shape), dtype=dtype)


F = dt.scaled_dot_product_attention
NAME = "scaled_dot_product_attention"
Q = zeros(2, 4, 3, 8)
ROWS = [
    Op(
        name=NAME,
        dtypes=ALL_FLOATS,
        reference=reference,
        samples=samples,
        empty_samples=empty,
        large_samples=large,
        differentiable=(0, 1, 2),
        errors=[
            Error(lambda: F(zeros(3), Q, Q), ValueError, rf"{NAME}: query must have 2 to 4 dimens"),
            Error(lambda: F(Q, zeros(3, 8), Q), ValueError, r"key has shape \(3, 8\), expected as many dim"),
            Error(lambda: F(Q, zeros(1, 4, 3, 8), Q), ValueError, r"expected the batch of query \(shape "),
            Error(lambda: F(Q, zeros(2, 4, 3, 7), Q), ValueError, r"expected the features \(last axis"),
            Error(lambda: F(Q, Q, zeros(2, 4, 5, 8)), ValueError, r"value has shape .* expected but for"),
            Error(lambda: F(Q, zeros(2, 2, 3, 8), zeros(2, 2, 3, 8)), ValueError, "enable_gqa=True lets"),
            Error(
                lambda: F(Q, zeros(2, 3, 3, 8), zeros(2, 3, 3, 8), enable_gqa=True),
                ValueError,
                r"expected a number of heads \(axis 1\) that divides those of query",
            ),
            Error(
                lambda: F(Q, Q, Q, zeros(2, 3)),
                ValueError,
                r"attn_mask has shape \(2, 3\), expected one that broadcasts to \(2, 4, 3, 3\)",
            ),
            Error(
                lambda: F(Q, Q, Q, zeros(3, 3, dtype="int64")),
                TypeError,
                "attn_mask must have dtype bool",
            ),
            Error(lambda: F(Q, Q, Q, zeros(3, 3, dtype="float64")), TypeError, "attn_mask has dtype float64"),
            Error(lambda: F(Q, Q, Q, dropout_p=1.5), ValueError, "dropout_p is 1.5, expected a number"),
            Error(
                lambda: F(Q, zeros(2, 4, 3, 8, dtype="float64"), Q),
                TypeError,
                "query has dtype float32, but key has dtype float64",
            ),
            Error(lambda: F([1.0], Q, Q), TypeError, f"{NAME}: query must be a Tensor, got list"),
            Error(
                lambda: F(zeros(3, 0), zeros(3, 0), zeros(3, 2)), ValueError, "expected at least one feature"
            ),
            Error(
                lambda: F(Q, Q, Q, dt.zeros((3, 3), requires_grad=True)),
                RuntimeError,
                "attn_mask",
            ),
        ],
    ),
]
