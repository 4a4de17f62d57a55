"""Rows of the reductions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import ALL, ALL_FLOATS, Error, Op, Sample, Samples

Array = np.ndarray[Any, Any]


def samples(several_axes: bool = True, special: bool = True, low: float = -2, high: float = 2) -> Samples:
    def make(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.uniform(low, high, (3, 4)),))
        yield Sample((rng.uniform(low, high, (3, 4)),), {"axis": 0})
        yield Sample((rng.uniform(low, high, (3, 4, 5)),), {"axis": 1, "keepdims": True})
        yield Sample((rng.uniform(low, high, (3, 4, 5)),), {"axis": -1})
        yield Sample((rng.uniform(low, high, ()),))
        if several_axes:
            yield Sample((rng.uniform(low, high, (3, 4, 5)),), {"axis": (0, 2)})
            yield Sample((rng.uniform(low, high, (3, 4, 5)),), {"axis": (), "keepdims": True})
        if special:
            x = rng.uniform(low, high, (4, 3))
            x[1, 0], x[2, 1] = np.nan, np.inf
            yield Sample((x,), {"axis": 0}, gradient=False, dtypes=ALL_FLOATS)

    return make


def large(low: float = -2, high: float = 2, several_axes: bool = True) -> Samples:
    """Long rows, long columns, many of either, and neither."""

    def make(rng: np.random.Generator) -> Iterator[Sample]:
        yield Sample((rng.uniform(low, high, 200_000),))
        for shape, axis in [((300, 1000), 0), ((300, 1000), 1), ((70_000, 3), 0), ((3, 70_000), 1)]:
            yield Sample((rng.uniform(low, high, shape),), {"axis": axis})
        for n in (63, 64, 65, 511, 513):
            yield Sample((rng.uniform(low, high, (5, n)),), {"axis": 1})
            yield Sample((rng.uniform(low, high, (n, 5)),), {"axis": 0})
        if several_axes:
            yield Sample((rng.uniform(low, high, (65, 33, 17)),), {"axis": (0, 2)})

    return make


def errors(name: str, empty: bool = False, several_axes: bool = True) -> list[Error]:
    function = getattr(dt, name)
    x = dt.tensor(np.ones((2, 3), np.float32))
    found = [
        Error(
            lambda: function(x, axis=2), IndexError, rf"{name}: axis 2 is out of range for a tensor of 2 dim"
        ),
        Error(lambda: function(x, axis=-3), IndexError, rf"{name}: axis -3 is out of range"),
        Error(
            lambda: function(x, dim=0),
            TypeError,
            rf"{name}: unknown argument 'dim'; here it is called 'axis'",
        ),
        Error(lambda: function(x, axis="0"), TypeError, rf"{name}: axis must be .* got str"),
        Error(lambda: function([1.0]), TypeError, rf"{name}: x must be a Tensor, got list"),
    ]
    if several_axes:
        found.append(Error(lambda: function(x, axis=(0, -2)), ValueError, rf"{name}: axis -2 is given twice"))
    if empty:
        nothing = dt.tensor(np.ones((0, 3), np.float32))
        found.append(Error(lambda: function(nothing, axis=0), ValueError, rf"{name}: nothing to reduce"))
    return found


def no_rows(_: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)),), {"axis": 1})
    yield Sample((np.zeros((3, 0, 2)),), {"axis": (0, 2)})


def empty_too(rng: np.random.Generator) -> Iterator[Sample]:
    yield from no_rows(rng)
    yield Sample((np.zeros((0, 3)),), {"axis": 0}, gradient=False)
    yield Sample((np.zeros((0,)),), gradient=False)


def one_axis_empty(_: np.random.Generator) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)),), {"axis": 1})


def reduction(name: str, function: Callable[..., Any], dtypes: tuple[str, ...] = ALL, **options: Any) -> Op:
    given = {
        "samples": samples(),
        "empty_samples": empty_too,
        "large_samples": large(),
        "errors": errors(name),
        **options,
    }
    return Op(name=name, reference=function, dtypes=dtypes, **given)


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Array, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
        return function(np.asarray(x, np.float64), axis=axis, ddof=correction, keepdims=keepdims)

    return call


def spread_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from samples(special=False)(rng)
    yield Sample((rng.standard_normal((3, 4)),), {"axis": 0, "correction": 1.0})
    yield Sample((100 + rng.standard_normal((3, 4)),), {"axis": 1}, dtypes=("float32", "float64"))


def without_scalars(make: Samples) -> Samples:
    """The deviation of a single number is 0, where its root has no derivative."""

    def filtered(rng: np.random.Generator) -> Iterator[Sample]:
        for sample in make(rng):
            single = sample.args[0].ndim == 0 or sample.kwargs.get("axis") == ()
            yield Sample(sample.args, sample.kwargs, sample.gradient and not single, sample.dtypes)

    return filtered


def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(np.asarray(x, np.float64)), axis=axis, keepdims=keepdims))


def vector_norm(x: Array, axis: Any = None, keepdims: bool = False, ord: float = 2.0) -> Any:
    x = np.abs(np.asarray(x, np.float64))
    if ord == np.inf:
        return x.max(axis=axis, keepdims=keepdims)
    return (x**ord).sum(axis=axis, keepdims=keepdims) ** (1 / ord)


def norm_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield from samples()(rng)
    for ord in (1, 2, float("inf")):
        yield Sample((rng.standard_normal((3, 4)),), {"axis": 1, "ord": ord})


def running_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.standard_normal(7),))
    yield Sample((rng.standard_normal((3, 4)),), {"axis": 0})
    yield Sample((rng.standard_normal((3, 4, 2)),), {"axis": 1})
    yield Sample((rng.standard_normal((3, 4)),), {"axis": -1})


def running_large(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.standard_normal(100_000),))
    yield Sample((rng.standard_normal((300, 500)),), {"axis": 0})
    yield Sample((rng.standard_normal((300, 500)),), {"axis": 1})


ROWS = [
    reduction("sum", np.sum),
    reduction("mean", lambda x, **k: np.mean(np.asarray(x, np.float64), **k)),
    reduction("prod", np.prod, samples=samples(low=0.5, high=1.5), large_samples=None),
    reduction("max", np.max, empty_samples=no_rows, errors=errors("max", empty=True)),
    reduction("min", np.min, empty_samples=no_rows, errors=errors("min", empty=True)),
    reduction("any", np.any, differentiable=()),
    reduction("all", np.all, differentiable=()),
    reduction("count_nonzero", np.count_nonzero, differentiable=()),
    reduction("var", spread(np.var), samples=spread_samples, empty_samples=no_rows),
    reduction("std", spread(np.std), samples=without_scalars(spread_samples), empty_samples=no_rows),
    reduction("logsumexp", logsumexp, samples=samples(special=False), empty_samples=no_rows),
    reduction(
        "vector_norm",
        vector_norm,
        samples=norm_samples,
        empty_samples=no_rows,
        errors=[
            *errors("vector_norm"),
            Error(
                lambda: dt.vector_norm(dt.tensor([1.0]), ord=3),
                ValueError,
                "vector_norm: ord is 3, expected 1, 2 or inf",
            ),
        ],
    ),
    *(
        reduction(
            name,
            getattr(np, name),
            differentiable=(),
            samples=samples(several_axes=False),
            empty_samples=one_axis_empty,
            large_samples=large(several_axes=False),
            errors=errors(name, empty=True, several_axes=False),
        )
        for name in ("argmax", "argmin")
    ),
    Op(
        name="cumulative_sum",
        reference=np.cumsum,
        samples=running_samples,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),), {"axis": 0}), Sample((np.zeros(0),))],
        large_samples=running_large,
        dtypes=ALL,
        errors=[
            Error(
                lambda: dt.cumulative_sum(dt.tensor(np.ones((2, 3)))),
                ValueError,
                r"cumulative_sum: axis must be given for x with 2 dimensions",
            ),
            Error(
                lambda: dt.cumulative_sum(dt.tensor(1.0)),
                ValueError,
                "cumulative_sum: x must have at least one",
            ),
            Error(
                lambda: dt.cumulative_sum(dt.tensor([1.0]), 1), IndexError, "cumulative_sum: axis 1 is out of"
            ),
        ],
        covers=("cumsum",),
    ),
]
