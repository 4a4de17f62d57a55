"""Rows of the activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL, ALL_FLOATS, Error, Op, Sample
from .unary import errors, large, samples


def activation(
    name: str,
    function: Callable[..., Any],
    options: tuple[dict[str, Any], ...] = (),
    *more_errors: Error,
    dtypes: tuple[str, ...] = ALL_FLOATS,
) -> Op:
    def make(rng: np.random.Generator) -> Iterator[Sample]:
        yield from samples(-4, 4, True)(rng)
        for kwargs in options:
            yield Sample((rng.uniform(-4, 4, (3, 7)),), kwargs)

    return Op(
        name=name,
        reference=function,
        samples=make,
        empty_samples=lambda _: [Sample((np.zeros((0, 3)),))],
        large_samples=large(-4, 4),
        errors=errors(name, *more_errors),
        dtypes=dtypes,
    )


def prelu_samples(rng: np.random.Generator) -> Iterator[Sample]:
    yield Sample((rng.standard_normal((3, 4)), rng.uniform(0.1, 0.5, 1)))
    yield Sample((rng.standard_normal((2, 3, 4)), rng.uniform(0.1, 0.5, 4)))


def prelu_large(rng: np.random.Generator) -> Iterator[Sample]:
    for rows, channels in [(511, 1), (513, 64), (100, 513)]:
        yield Sample((rng.standard_normal((rows, channels)), rng.uniform(0.1, 0.5, channels)))


ROWS = [
    activation("relu", reference.relu),
    activation("leaky_relu", reference.leaky_relu, ({"negative_slope": 0.2},)),
    activation("elu", reference.elu, ({"alpha": 0.5},)),
    activation("selu", reference.selu),
    activation(
        "gelu",
        reference.gelu,
        ({"approximate": "tanh"},),
        Error(
            lambda: dt.gelu(dt.tensor([1.0]), approximate="erf"),
            ValueError,
            "gelu: approximate is 'erf', expected 'none' or 'tanh'",
        ),
    ),
    activation("silu", reference.silu),
    activation("sigmoid", lambda x: reference.sigmoid(np.asarray(x, np.float64)), dtypes=ALL),
    activation("log_sigmoid", lambda x: -np.logaddexp(0, -x)),
    activation(
        "softplus",
        reference.softplus,
        ({"beta": 2.0}, {"threshold": 1.0}),
        Error(lambda: dt.softplus(dt.tensor([1.0]), beta=0.0), ValueError, "softplus: beta is 0, expected"),
    ),
    activation("mish", reference.mish),
    activation("relu6", lambda x: np.clip(x, 0, 6)),
    activation("hardsigmoid", reference.hardsigmoid),
    activation("hardswish", reference.hardswish),
    activation(
        "hardtanh",
        lambda x, min=-1, max=1: np.clip(x, min, max),
        ({"min": -2.0, "max": 0.5},),
        Error(
            lambda: dt.hardtanh(dt.tensor([1.0]), 1.0, -1.0),
            ValueError,
            "hardtanh: min is 1, greater than max",
        ),
    ),
    activation("softsign", lambda x: x / (1 + np.abs(x))),
    Op(
        name="prelu",
        reference=reference.prelu,
        samples=prelu_samples,
        empty_samples=lambda _: [
            Sample((np.zeros((0, 4)), np.ones(4))),
            Sample((np.zeros((0, 4)), np.ones(1))),
        ],
        large_samples=prelu_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 1),
        errors=[
            Error(
                lambda: dt.prelu(dt.tensor(np.ones((2, 4))), dt.tensor(np.ones(3))),
                ValueError,
                r"prelu: weight has shape \(3,\), expected \(1,\) or \(4,\)",
            ),
            Error(
                lambda: dt.prelu(dt.tensor([1.0]), 0.25),
                TypeError,
                "prelu: weight must be a Tensor, got float",
            ),
        ],
    ),
]
