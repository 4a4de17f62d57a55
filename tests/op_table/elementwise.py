"""Rows of the elementwise ops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import drivetrain as dt

from .row import NUMBERS, Error, Op, Sample, Samples

# The gradients of the sketched add and multiply do not undo broadcasting.
BROADCAST_GRADIENTS = False
BINARY_DTYPES = NUMBERS


def binary_samples(low: float = -2.0, high: float = 2.0) -> Samples:
    """Two arrays of one shape, of shapes that broadcast, and of rank 0."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        def draw(*shape: int) -> np.ndarray:
            return rng.uniform(low, high, shape)

        yield Sample((draw(3, 5), draw(3, 5)))
        yield Sample((draw(4, 1, 3), draw(2, 1)), gradient=BROADCAST_GRADIENTS)
        yield Sample((draw(), draw(7)), gradient=BROADCAST_GRADIENTS)
        yield Sample((draw(2, 3, 2, 2), draw(2, 3, 1, 2)), gradient=BROADCAST_GRADIENTS)

    return samples


def binary_empty(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)), np.zeros((1, 3))), gradient=BROADCAST_GRADIENTS)
    yield Sample((np.zeros((2, 0)), np.zeros(())), gradient=BROADCAST_GRADIENTS)


def binary_large(rng: np.random.Generator) -> Iterator[Sample]:
    for n in (63, 64, 65, 1 << 17):
        yield Sample((rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n)))
    yield Sample(
        (rng.uniform(0.5, 2, (513, 129)), rng.uniform(0.5, 2, (1, 129))), gradient=BROADCAST_GRADIENTS
    )


def binary_errors(name: str) -> list[Error]:
    function = getattr(dt, name)
    return [
        Error(
            lambda: function(dt.tensor(np.ones((2, 3))), dt.tensor(np.ones((2, 4)))),
            ValueError,
            rf"{name}: shapes \(2, 3\) and \(2, 4\) do not broadcast",
        ),
        Error(lambda: function(dt.tensor([1.0]), "two"), TypeError, rf"{name}: x2 must be .* got str"),
        Error(lambda: function(dt.tensor([1.0])), TypeError, rf"{name}: missing argument 'x2'"),
    ]


ROWS = [
    Op(
        name="add",
        reference=np.add,
        samples=binary_samples(),
        empty_samples=binary_empty,
        large_samples=binary_large,
        errors=binary_errors("add"),
        dtypes=BINARY_DTYPES,
        differentiable=(0, 1),
    ),
    Op(
        name="multiply",
        reference=np.multiply,
        samples=binary_samples(),
        empty_samples=binary_empty,
        large_samples=binary_large,
        errors=binary_errors("multiply"),
        dtypes=BINARY_DTYPES,
        differentiable=(0, 1),
    ),
]
