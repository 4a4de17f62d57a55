"""The rows of dropout. Every call is seeded alike: NumPy's Philox must drop the very same elements."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import drivetrain as dt
from reference import random

from .random import SEED, STREAM
from .row import ALL_FLOATS, Error, Op, Sample

Rng = np.random.Generator


def reference(x: np.ndarray, p: float = 0.5, training: bool = True) -> np.ndarray:
    if not training or p == 0:
        return x
    if p == 1:
        return np.zeros(x.shape)
    kept = random.dropout_numbers(SEED, STREAM, x.size) >= math.floor(p * 2**32)
    return np.asarray(np.where(kept.reshape(x.shape), x / (1 - p), 0.0))


def samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((7,), (3, 5), (), (63,), (65,), (2, 3, 40)):
        for p in (0.5, 0.1, 0.0, 1.0):
            yield Sample((rng.standard_normal(shape), p))
    yield Sample((rng.standard_normal((3, 5)),))
    yield Sample((rng.standard_normal((3, 5)), 0.5, False))
    yield Sample((np.full((3, 5), np.inf), 1.0), gradient=False)


def kept(p: float, shared: tuple[int, ...]) -> np.ndarray:
    numbers = random.dropout_numbers(SEED, STREAM, math.prod(shared))
    return np.asarray(numbers >= math.floor(p * 2**32)).reshape(shared)


def shared_reference(x: np.ndarray, p: float, shared: tuple[int, ...], training: bool = True) -> np.ndarray:
    if not training or p == 0:
        return x
    return x * 0.0 if p == 1 else np.asarray(x * kept(p, shared) / (1 - p))


def alpha_reference(x: np.ndarray, p: float, shared: tuple[int, ...], training: bool = True) -> np.ndarray:
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0.0
    least = -1.7580993408473766  # selu(-inf)
    scale = ((1 - p) * (1 + p * least**2)) ** -0.5
    return np.asarray(scale * (np.where(kept(p, shared), x, least) - p * least))


def shared_samples(rng: Rng) -> Iterator[Sample]:
    shapes = [((7,), (7,)), ((3, 5), (3, 1)), ((3, 5), (1, 1)), ((2, 3, 40), (2, 1, 40)), ((), ())]
    for shape, shared in shapes:
        for p in (0.5, 0.1, 0.0, 1.0):
            yield Sample((rng.standard_normal(shape), p, shared))
    yield Sample((rng.standard_normal((3, 5)), 0.5, (3, 5), False))


def shared_empty(rng: Rng) -> list[Sample]:
    return [Sample((np.zeros((0, 3)), 0.5, (0, 1))), Sample((np.zeros((2, 0, 3)), 0.1, (2, 1, 3)))]


def shared_large(rng: Rng) -> list[Sample]:
    sizes = (2047, 2048, 2049, 70001)
    elements = [Sample((rng.standard_normal(n), 0.3, (n,))) for n in sizes]
    return [*elements, Sample((rng.standard_normal((9, 90, 130)), 0.3, (9, 1, 130)))]


X = dt.tensor(np.ones(3), dtype="float32")
ROWS = [
    Op(
        name="dropout",
        dtypes=ALL_FLOATS,
        reference=reference,
        samples=samples,
        empty_samples=lambda rng: [Sample((np.zeros((0, 3)),)), Sample((np.zeros((2, 0)), 0.1))],
        large_samples=lambda rng: [Sample((rng.standard_normal(n), 0.3)) for n in (2047, 2048, 2049, 70001)],
        errors=[
            Error(lambda: dt.dropout(X, 1.5), ValueError, "dropout: p is 1.5, expected a number from 0 to 1"),
            Error(lambda: dt.dropout(X, math.nan), ValueError, "dropout: p is nan"),
            Error(lambda: dt.dropout(X, training=1), TypeError, "dropout: training must be a bool, got int"),
            Error(lambda: dt.dropout(X, generator="x"), TypeError, "generator must be a Generator or None"),
        ],
    ),
    *(
        Op(
            name=name,
            dtypes=ALL_FLOATS,
            reference=function,
            samples=shared_samples,
            empty_samples=shared_empty,
            large_samples=shared_large,
            errors=[
                Error(lambda op=op: op(X, 1.5, (3,)), ValueError, f"{name}: p is 1.5, expected a number fro"),
                Error(lambda op=op: op(X, 0.5, (2,)), ValueError, rf"{name}: shared is \(2,\), expected 1"),
                Error(lambda op=op: op(X, 0.5, (1, 3)), ValueError, rf"{name}: .* \(shape \(3,\)\)"),
            ],
        )
        for name, op, function in (
            ("shared_dropout", dt.shared_dropout, shared_reference),
            ("alpha_dropout", dt.alpha_dropout, alpha_reference),
        )
    ),
]
