"""Rows of copies and conversions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, Error, Op, Sample

Array = np.ndarray[Any, Any]


def samples(rng: np.random.Generator) -> Iterator[Sample]:
    # No fractions next to integers: conversion to an integer cuts off, and 2.9999 of a half is 3.
    x = rng.integers(0, 5, (3, 4)) + 0.25
    yield Sample((x,))
    yield Sample((np.full((), 2.25),))


def row(method: str, reference: Callable[[Array], Any], differentiable: bool = True, **options: Any) -> Op:
    return Op(
        name=f"Tensor.{method}",
        function=lambda x, *args: getattr(x, method)(*args),
        reference=reference,
        samples=samples,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),))],
        large_samples=lambda rng: [Sample((rng.integers(0, 9, n) + 0.25,)) for n in (511, 513, 1 << 17)],
        dtypes=ALL,
        differentiable=(0,) if differentiable else (),
        errors=[
            Error(
                lambda: getattr(dt.tensor([1.0]), method)(None, None, None),
                TypeError,
                f"{method}: takes at most",
            )
        ],
        **options,
    )


def cast(dtype: str) -> Callable[[Array], Any]:
    return lambda x: x.astype(dtype)


def masked_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.standard_normal((3, 4)), rng.random((3, 4)) > 0.5, 2))
    yield Sample((rng.standard_normal((3, 4)), rng.random(4) > 0.5, 0))


ROWS = [
    row("clone", lambda x: x.copy(), exact=True),
    # These give the tensor itself.
    row("contiguous", lambda x: x.copy(), exact=True, differentiable=False),
    row("__pos__", lambda x: x.copy(), exact=True, differentiable=False),
    row("cpu", lambda x: x.copy(), exact=True, differentiable=False),
    row("float", cast("float32"), gradient_tolerance=(0.1, 0.1)),
    row("double", cast("float64"), differentiable=False),
    row("half", cast("float16"), gradient_tolerance=(1, 1), large_reference=False),
    row("bfloat16", lambda x: np.asarray(x, np.float64), gradient_tolerance=(1, 1), large_reference=False),
    row("int", cast("int32"), differentiable=False),
    row("long", cast("int64"), differentiable=False),
    row("bool", cast("bool"), differentiable=False),
    Op(
        name="Tensor.astype",
        function=lambda x, dtype: x.astype(dtype),
        reference=lambda x, dtype: x.astype(dtype),
        samples=lambda rng: [
            Sample((rng.integers(0, 5, (3, 4)) + 0.25, d), gradient="float" in d)
            for d in ALL
            if d not in ("bfloat16", "float16")
        ],
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), "float64"))],
        dtypes=ALL,
        gradient_tolerance=(0.1, 0.1),  # differences of values rounded to float32
        errors=[
            Error(
                lambda: dt.tensor([1.0]).astype("float8"),
                TypeError,
                "astype: dtype must be a dtype of drivetrain",
            ),
            Error(lambda: dt.tensor([1.0]).astype(), TypeError, "astype: missing argument 'dtype'"),
        ],
        covers=("Tensor.to",),
    ),
    Op(
        name="Tensor.masked_fill",
        function=lambda x, mask, value: x.masked_fill(mask, value),
        reference=lambda x, mask, value: np.where(mask, np.asarray(value, x.dtype), x),
        samples=masked_samples,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), np.zeros((0, 3), bool), 1))],
        dtypes=ALL,
        exact=True,
        errors=[
            Error(
                lambda: dt.tensor([1.0]).masked_fill(dt.tensor([1]), 0.0),
                TypeError,
                "masked_fill: mask must have dtype bool, got int64",
            ),
            Error(
                lambda: dt.tensor([1]).masked_fill(dt.tensor([True]), 0.5),
                TypeError,
                "masked_fill: a fraction does not fit into int64",
            ),
        ],
    ),
]
