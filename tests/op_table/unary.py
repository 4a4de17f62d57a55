"""Rows of the elementwise functions of one operand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL, INTEGERS, NUMBERS, Error, Op, Sample, Samples

Array = np.ndarray[Any, Any]
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-30])
EXTREME = np.array([88.0, -88.0, 100.0, -100.0, 700.0, -700.0, 800.0, -800.0])


def samples(low: float, high: float, special: bool) -> Samples:
    def make(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.uniform(low, high, (4, 9)),))
        yield Sample((rng.uniform(low, high, ()),))
        yield Sample((rng.uniform(low, high, (2, 3, 4)),))
        if special:
            yield Sample((SPECIAL,), gradient=False, dtypes=("float32", "float64"))
            for x in EXTREME:  # one by one: the tolerance is relative to the largest value
                yield Sample((x * np.ones(1),), gradient=False, dtypes=("float32", "float64"))

    return make


def large(low: float, high: float) -> Samples:
    def make(rng: np.random.Generator) -> Iterator[Sample]:
        for n in (511, 512, 513, 1 << 16):
            yield Sample((rng.uniform(low, high, n),))
        yield Sample((rng.uniform(low, high, (257, 129)).T,))

    return make


def errors(name: str, *more: Error) -> list[Error]:
    function = getattr(dt, name)
    return [
        Error(lambda: function("x"), TypeError, rf"{name}: x must be a Tensor, got str"),
        Error(lambda: function(), TypeError, rf"{name}: missing argument 'x'"),
        Error(lambda: function(dt.tensor([1.0]), dim=0), TypeError, rf"{name}: unknown argument 'dim'"),
        *more,
    ]


def unary(
    name: str,
    function: Callable[[Array], Any],
    low: float = -3.0,
    high: float = 3.0,
    dtypes: tuple[str, ...] = ALL,
    special: bool = True,
    differentiable: bool = True,
    more_errors: tuple[Error, ...] = (),
    **options: Any,
) -> Op:
    """Functions of floats: integers and bool count as float32."""
    return Op(
        name=name,
        reference=lambda x: function(np.asarray(x, np.float64)),
        samples=samples(low, high, special),
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),)), Sample((np.zeros((2, 0, 3)),))],
        large_samples=large(low, high),
        errors=errors(name, *more_errors),
        dtypes=dtypes,
        differentiable=(0,) if differentiable else (),
        **options,
    )


def number(name: str, function: Callable[[Array], Any], differentiable: bool = True) -> Op:
    """Functions that keep the dtype, and are not defined for bool."""
    op = unary(
        name,
        function,
        dtypes=NUMBERS,
        differentiable=differentiable,
        more_errors=(
            Error(lambda: getattr(dt, name)(dt.tensor([True])), TypeError, rf"{name}: not defined for bool"),
        ),
    )
    return Op(**{**vars(op), "reference": function})


ROWS = [
    number("negative", np.negative),
    number("abs", np.abs),
    number("square", np.square),
    number("sign", np.sign),
    number("floor", np.floor),
    number("ceil", np.ceil),
    number("round", np.round),
    number("trunc", np.trunc),
    unary("reciprocal", np.reciprocal, 0.4, 3.0),
    unary("sqrt", np.sqrt, 0.3, 4.0),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.3, 4.0),
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("expm1", np.expm1),
    unary("log", np.log, 0.3, 4.0),
    unary("log1p", np.log1p, -0.6, 3.0),
    unary("log2", np.log2, 0.3, 4.0),
    unary("log10", np.log10, 0.3, 4.0),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, -1.2, 1.2),
    unary("asin", np.arcsin, -0.8, 0.8),
    unary("acos", np.arccos, -0.8, 0.8),
    unary("atan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("tanh", np.tanh),
    unary("asinh", np.arcsinh),
    unary("acosh", np.arccosh, 1.3, 4.0),
    unary("atanh", np.arctanh, -0.8, 0.8),
    unary("erf", reference.erf),
    unary("isnan", np.isnan, differentiable=False),
    unary("isfinite", np.isfinite, differentiable=False),
    unary("isinf", np.isinf, differentiable=False),
    unary("logical_not", np.logical_not, differentiable=False),
    Op(
        name="bitwise_invert",
        reference=np.invert,
        samples=samples(-3, 3, False),
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),))],
        large_samples=large(-3, 3),
        dtypes=("bool", *INTEGERS),
        differentiable=(),
        errors=errors(
            "bitwise_invert",
            Error(
                lambda: dt.bitwise_invert(dt.tensor([1.0])), TypeError, "bool and integers only, got float32"
            ),
        ),
    ),
]
