"""Rows of the functions that make tensors from sizes and numbers, and of those that fill them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, Error, Op, Sample

Array = np.ndarray[Any, Any]
SHAPES: list[Any] = [(), 3, (2, 3), (0, 2), [4, 1], (1, 70_000)]


def creation(name: str, reference: Callable[..., Any], calls: list[tuple[Any, ...]], *errors: Error) -> Op:
    return Op(
        name=name,
        reference=reference,
        samples=lambda _: [Sample(args) for args in calls],
        no_empty="it takes no tensor; sizes of 0 are among the samples",
        dtypes=("float32",),
        differentiable=(),
        errors=errors,
    )


def like(name: str, reference: Callable[..., Any], *more: Any) -> Op:
    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.standard_normal((2, 3)), *more))
        yield Sample((rng.standard_normal(()), *more))

    return Op(
        name=name,
        reference=reference,
        samples=samples,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), *more))],
        dtypes=ALL,
        differentiable=(),
        exact=True,
        errors=[
            Error(lambda: getattr(dt, name)(1, *more), TypeError, f"{name}: x must be a Tensor, got int")
        ],
    )


def sizes(name: str, *more: Any) -> tuple[Error, ...]:
    function = getattr(dt, name)
    return (
        Error(lambda: function((-1,), *more), ValueError, f"{name}: sizes must not be negative, got shape"),
        Error(lambda: function((2**62, 4), *more), ValueError, f"{name}: shape .* more elements than memory"),
        Error(lambda: function("x", *more), TypeError, f"{name}: shape must be an int or a sequence of ints"),
    )


def written(method: str) -> Callable[..., Any]:
    """The method on a copy, so that gradients flow through the write."""

    def call(x: Any, *args: Any) -> Any:
        copy = x.clone()
        getattr(copy, method)(*args)
        return copy

    return call


def assign(x: Array, key: Any, value: Any) -> Array:
    copy = x.copy()
    copy[key] = value
    return copy


def keys(_: np.random.Generator) -> list[Any]:
    return [
        *(1, -2, slice(None, None, -1), slice(1, None, 2), (slice(None), 2), (None, 0), Ellipsis, (..., 1)),
        *(np.array([2, 0, 2]), (np.array([0, 2]), np.array([1, 1])), (slice(None), np.array([[3], [0]]))),
        *(np.array([True, False, True]), np.arange(12).reshape(3, 4) % 2 == 0),
    ]


def reads(rng: np.random.Generator) -> Iterator[Sample]:
    for key in keys(rng):
        yield Sample((rng.standard_normal((3, 4)), key))


def writes(rng: np.random.Generator) -> Iterator[Sample]:
    x = rng.standard_normal((3, 4))
    for key in keys(rng):
        # Where an index is given twice, its value counts twice in the gradient, as in PyTorch.
        twice = isinstance(key, np.ndarray) and key.tolist() == [2, 0, 2]
        yield Sample((x, key, np.full((), 2.0)), gradient=not twice)
    yield Sample((x, slice(1, None), rng.standard_normal((2, 4))))
    yield Sample((x, (slice(None), 1), rng.standard_normal(3)))


X = dt.tensor(np.ones((2, 3), np.float32))

ROWS = [
    creation("zeros", lambda s: np.zeros(s, np.float32), [(s,) for s in SHAPES], *sizes("zeros")),
    creation("ones", lambda s: np.ones(s, np.float32), [(s,) for s in SHAPES], *sizes("ones")),
    creation(
        "full",
        np.full,
        [(s, v) for s in SHAPES[:4] for v in (2, 2.5, True)],
        *sizes("full", 1),
        Error(lambda: dt.full((2,), "x"), TypeError, "full: fill_value must be a number, got str"),
    ),
    Op(
        name="empty",
        function=lambda shape: dt.zeros_like(dt.empty(shape)),  # its values are whatever lies in the memory
        reference=lambda s: np.zeros(s, np.float32),
        samples=lambda _: [Sample((s,)) for s in SHAPES],
        no_empty="it takes no tensor",
        dtypes=("float32",),
        differentiable=(),
        errors=sizes("empty"),
        covers=("empty_like",),
    ),
    creation(
        "eye",
        np.eye,
        [(3,), (2, 4), (3, 3, 1), (4, 2, -1), (0,)],
        Error(lambda: dt.eye(-1), ValueError, "sizes must not be negative"),
    ),
    creation(
        "arange",
        np.arange,
        [(5,), (2, 7), (1, 10, 3), (5, 0, -2), (0.0, 1.0, 0.25), (3, 3), (100_000,)],
        Error(lambda: dt.arange(0, 10, 0), ValueError, "arange: step must not be 0"),
        Error(lambda: dt.arange("x"), TypeError, "arange: start must be a number, got str"),
    ),
    creation(
        "linspace",
        np.linspace,
        [(0, 1), (0, 1, 5), (2, -2, 4, False), (0, 1, 1), (0, 1, 0)],
        Error(lambda: dt.linspace(0, 1, -1), ValueError, "linspace: num is -1, expected 0 or more"),
    ),
    like("zeros_like", np.zeros_like),
    like("ones_like", np.ones_like),
    like("full_like", np.full_like, 1),
    Op(
        name="Tensor.fill_",
        function=written("fill_"),
        reference=np.full_like,
        samples=lambda rng: [Sample((rng.standard_normal((2, 3)), 1))],
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), 1))],
        dtypes=ALL,
        differentiable=(),  # nothing is left of what was there
        errors=[Error(lambda: X.fill_("x"), TypeError, "fill_: value must be a number, got str")],
    ),
    Op(
        name="Tensor.zero_",
        function=written("zero_"),
        reference=np.zeros_like,
        samples=lambda rng: [Sample((rng.standard_normal((2, 3)),))],
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),))],
        dtypes=ALL,
        differentiable=(),
        errors=[Error(lambda: X.zero_(1), TypeError, "zero_: takes at most 0 positional arguments")],
    ),
    Op(
        name="Tensor.copy_",
        function=written("copy_"),
        reference=lambda x, y: assign(x, ..., y),
        samples=lambda rng: [
            Sample((rng.standard_normal((2, 3)), rng.standard_normal(s))) for s in ((2, 3), 3, ())
        ],
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), np.zeros(3)))],
        dtypes=ALL,
        differentiable=(1,),
        errors=[
            Error(
                lambda: X.copy_(dt.tensor([1.0, 2.0])),
                ValueError,
                r"copy_: a value of shape \(2,\) does not broadcast to shape \(2, 3\)",
            )
        ],
    ),
    Op(
        name="Tensor.__getitem__",
        function=lambda x, key: x[key],
        reference=lambda x, key: x[key],
        samples=reads,
        empty_samples=lambda _: [
            Sample((np.zeros((0, 3)), slice(None))),
            Sample((np.zeros((2, 3)), slice(0, 0))),
        ][:1],
        dtypes=ALL,
        exact=True,
        errors=[
            Error(
                lambda: X[2],
                IndexError,
                r"index: index 2 is out of range for axis 0 of size 2 \(shape \(2, 3\)\)",
            ),
            Error(lambda: X[0, 0, 0], IndexError, "index: 3 indices for a tensor of 2 dimensions"),
            Error(lambda: X["x"], IndexError, "index: expected integers, slices, .* got str"),
            Error(lambda: X[0.5], IndexError, "index: expected integers, slices, .* got float"),
        ],
        covers=("Tensor.__contains__",),
    ),
    Op(
        name="Tensor.__setitem__",
        function=written("__setitem__"),
        reference=assign,
        samples=writes,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), slice(None), np.zeros(3)))],
        dtypes=ALL,
        differentiable=(0, 2),
        errors=[
            Error(
                lambda: X.__setitem__(0, dt.tensor([1.0, 2.0])),
                ValueError,
                r"index: a value of shape \(2,\) does not broadcast to shape \(3,\)",
            ),
        ],
    ),
]
