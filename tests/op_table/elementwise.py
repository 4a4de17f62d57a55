"""Rows of the elementwise ops of two or three operands, and of the comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, ALL_FLOATS, INTEGERS, NUMBERS, Error, Op, Sample, Samples

Array = np.ndarray[Any, Any]


def binary_samples(low: float, high: float, special: bool = True) -> Samples:
    """Two arrays of one shape, of shapes that broadcast, of rank 0; numbers; NaN, infinities and zeros."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        def draw(*shape: int) -> Array:
            return rng.uniform(low, high, shape)

        yield Sample((draw(3, 5), draw(3, 5)))
        yield Sample((draw(4, 1, 3), draw(2, 1)))
        yield Sample((draw(), draw(7)))
        yield Sample((draw(2, 3, 2, 2), draw(2, 3, 1, 2)))
        yield Sample((draw(5), 2))
        yield Sample((2, draw(5)))
        if special:
            values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.5])
            pair = np.meshgrid(values, values)
            yield Sample((pair[0], pair[1]), gradient=False, dtypes=ALL_FLOATS)

    return samples


def binary_empty(_: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)), np.zeros((1, 3))))
    yield Sample((np.zeros((2, 0)), np.zeros(())))


def binary_large(rng: np.random.Generator) -> Iterator[Sample]:
    for n in (511, 512, 513, 1 << 17):
        yield Sample((rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n)))
    yield Sample((rng.uniform(0.5, 2, (513, 129)), rng.uniform(0.5, 2, (1, 129))))
    yield Sample((rng.uniform(0.5, 2, (129, 513)), rng.uniform(0.5, 2, (129, 1))))


def binary_errors(name: str, dtype: str = "float32") -> list[Error]:
    function = getattr(dt, name)
    return [
        Error(
            lambda: function(dt.tensor(np.ones((2, 3)), dtype), dt.tensor(np.ones((2, 4)), dtype)),
            ValueError,
            rf"{name}: shapes \(2, 3\) and \(2, 4\) do not broadcast",
        ),
        Error(lambda: function(dt.tensor([1.0]), "two"), TypeError, rf"{name}: x2 must be .* got str"),
        Error(lambda: function(dt.tensor([1.0])), TypeError, rf"{name}: missing argument 'x2'"),
        Error(lambda: function(1, 2), TypeError, rf"{name}: at least one of the operands must be a Tensor"),
    ]


def binary(
    name: str,
    reference: Callable[..., Any],
    *,
    dtypes: tuple[str, ...] = NUMBERS,
    low: float = -2.0,
    high: float = 2.0,
    special: bool = True,
    differentiable: bool = True,
    errors: tuple[Error, ...] = (),
) -> Op:
    return Op(
        name=name,
        reference=reference,
        samples=binary_samples(low, high, special),
        empty_samples=binary_empty,
        large_samples=binary_large,
        errors=[*binary_errors(name, dtypes[-1]), *errors],
        dtypes=dtypes,
        differentiable=(0, 1) if differentiable else (),
    )


def as_floats(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy computes in the dtype it is given; integers are meant as float64 here."""
    return lambda *args: function(*(np.asarray(a, np.float64) for a in args))


def where_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.random((3, 4)) > 0.5, rng.standard_normal((3, 4)), rng.standard_normal((3, 4))))
    yield Sample((rng.random((3, 1)) > 0.5, rng.standard_normal((1, 4)), rng.standard_normal(())))


def where_empty(_: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 1), bool), np.zeros((1, 3)), np.zeros(3)))


def where_large(rng: np.random.Generator) -> Iterator[Sample]:
    for n in (511, 513, 1 << 17):
        yield Sample((rng.random(n) > 0.5, rng.standard_normal(n), rng.standard_normal(n)))


def clip_samples(rng: np.random.Generator) -> Iterator[Sample]:
    x = 2 * rng.standard_normal((5, 7))
    yield Sample((x, -1, 1), dtypes=NUMBERS[1:])
    yield Sample((x,), {"min": 0})
    yield Sample((x,), {"max": 1})
    yield Sample((x, rng.uniform(-1, 0, 7), rng.uniform(0.1, 1, (5, 1))))
    yield Sample((np.array([np.nan, np.inf, -np.inf]), -1, 1), gradient=False, dtypes=ALL_FLOATS)


def reference_clip(x: Array, min: Any = None, max: Any = None) -> Any:
    return np.clip(x, min, max)


def no_bool(name: str) -> Error:
    return Error(
        lambda: getattr(dt, name)(dt.tensor([True]), dt.tensor([True])),
        TypeError,
        rf"{name}: not defined for bool",
    )


ROWS = [
    binary("add", np.add, errors=(no_bool("add"),)),
    binary("subtract", np.subtract, errors=(no_bool("subtract"),)),
    binary("multiply", np.multiply, errors=(no_bool("multiply"),)),
    binary("divide", as_floats(np.divide), dtypes=ALL),
    binary("floor_divide", np.floor_divide, special=False, differentiable=False),
    binary("remainder", np.remainder, special=False),
    binary("fmod", as_floats(np.fmod), dtypes=ALL, special=False),
    binary("pow", np.power, low=0.4, high=2.0, special=False),
    binary("maximum", np.maximum),
    binary("minimum", np.minimum),
    binary("atan2", as_floats(np.arctan2), dtypes=ALL),
    binary("hypot", as_floats(np.hypot), dtypes=ALL),
    binary("logaddexp", as_floats(np.logaddexp), dtypes=ALL),
    *(
        binary(name, getattr(np, name), dtypes=("bool", *INTEGERS), special=False, differentiable=False)
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ),
    binary(
        "bitwise_left_shift", np.left_shift, dtypes=INTEGERS, low=0.0, special=False, differentiable=False
    ),
    binary(
        "bitwise_right_shift", np.right_shift, dtypes=INTEGERS, low=0.0, special=False, differentiable=False
    ),
    *(
        binary(name, getattr(np, name), dtypes=ALL, differentiable=False)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    ),
    *(
        binary(name, getattr(np, name), dtypes=ALL, differentiable=False)
        for name in ("logical_and", "logical_or", "logical_xor")
    ),
    Op(
        name="where",
        reference=np.where,
        samples=where_samples,
        empty_samples=where_empty,
        large_samples=where_large,
        dtypes=ALL,
        differentiable=(1, 2),
        exact=True,
        errors=[
            Error(
                lambda: dt.where(dt.tensor([1, 0]), dt.tensor([1.0, 2.0]), 0.0),
                TypeError,
                "where: condition must have dtype bool, got int64",
            ),
            Error(
                lambda: dt.where(dt.tensor([True, False]), dt.tensor([1.0, 2.0, 3.0]), 0.0),
                ValueError,
                r"where: shapes .* do not broadcast",
            ),
        ],
    ),
    Op(
        name="clip",
        reference=reference_clip,
        samples=clip_samples,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)), 0, 1))],
        large_samples=lambda rng: [Sample((rng.standard_normal(n), -1.0, 0.5)) for n in (511, 513, 1 << 17)],
        dtypes=NUMBERS,
        differentiable=(0, 1, 2),
        errors=[
            Error(lambda: dt.clip(dt.tensor([1.0])), ValueError, "clip: give min, max or both"),
            Error(lambda: dt.clip(dt.tensor([1.0]), 2, 1), ValueError, "clip: min is 2, greater than max"),
            Error(lambda: dt.clip(dt.tensor([1.0]), float("nan")), ValueError, "clip: a limit is NaN"),
            Error(lambda: dt.clip(dt.tensor([True]), 0, 1), TypeError, "clip: not defined for bool"),
        ],
    ),
    Op(
        name="isclose",
        reference=lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: np.isclose(a, b, rtol, atol, equal_nan),
        samples=lambda rng: [
            Sample(
                (np.array([1.0, 1.0, np.nan, np.inf]), np.array([1.0, 1.1, np.nan, np.inf])),
                {"rtol": 0.01},
                dtypes=ALL_FLOATS,
            ),
            Sample(
                (np.array([1.0, np.nan]), np.array([1.5, np.nan])), {"equal_nan": True}, dtypes=ALL_FLOATS
            ),
            Sample((rng.standard_normal((2, 3)), rng.standard_normal(3)), {"atol": 1.0}),
        ],
        empty_samples=binary_empty,
        differentiable=(),
        dtypes=ALL,
        errors=binary_errors("isclose")[:2],
        covers=("allclose", "array_equal"),
    ),
]
