"""Rows of the optimizer steps beyond SGD and Adam."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .optim import NUMBER_OF_STEPS, SHAPES, Rng, copies, list_errors, stepped, t
from .row import Error, Op, Sample

Options = dict[str, Any]
# A rule: from step number, parameter, gradient and what is kept to the new parameter and what is kept then.
Rule = Callable[..., tuple[Any, ...]]


def reference(rule: Rule, kept: int) -> Callable[..., list[np.ndarray]]:
    """All steps of all tensors; an empty list of kept tensors is None to the rule."""

    def function(parameters: Any, gradients: Any, *given: Any, **options: Any) -> list[np.ndarray]:
        scale, limit = options.pop("grad_scale", 1.0), options.pop("max_value", np.inf)
        maximize, decay = options.pop("maximize", False), options.pop("weight_decay", 0.0)
        decoupled = options.pop("decoupled", rule is lion)
        results: list[list[np.ndarray]] = [[] for _ in range(1 + kept)]
        for i, (p, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            state = [values[i] if values else None for values in given]
            for number in range(1, NUMBER_OF_STEPS + 1):
                g = np.clip(gradient * scale, -limit, limit) * (-1 if maximize else 1)
                if decoupled:
                    p = p * (1 - options["lr"] * decay)
                else:
                    g = g + decay * p
                p, *state = rule(number, p, g, *state, **options)
            for result, value in zip(results, (p, *state), strict=True):
                result.append(value)
        return [value for result in results for value in result if value is not None]

    return function


def adagrad(
    t: int, p: Any, g: Any, total: Any, *, lr: float, lr_decay: float = 0.0, eps: float = 1e-10
) -> Any:
    total = total + g * g
    return p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps), total


def adadelta(
    t: int, p: Any, g: Any, square: Any, change: Any, *, lr: float, rho: float = 0.9, eps: float = 1e-6
) -> Any:
    square = rho * square + (1 - rho) * g * g
    delta = np.sqrt(change + eps) / np.sqrt(square + eps) * g
    return p - lr * delta, square, rho * change + (1 - rho) * delta * delta


def rmsprop(
    t: int,
    p: Any,
    g: Any,
    square: Any,
    buffer: Any,
    mean: Any,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    momentum: float = 0.0,
) -> Any:
    square = alpha * square + (1 - alpha) * g * g
    mean = None if mean is None else alpha * mean + (1 - alpha) * g
    direction = g / (np.sqrt(square if mean is None else square - mean * mean) + eps)
    if buffer is not None:
        direction = buffer = momentum * buffer + direction
    return p - lr * direction, square, buffer, mean


def adamax(
    t: int,
    p: Any,
    g: Any,
    m: Any,
    u: Any,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    m = beta1 * m + (1 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return p - lr / (1 - beta1**t) * m / u, m, u


def nadam(
    t: int,
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> Any:
    momenta = [beta1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in range(1, t + 2)]
    product, following = math.prod(momenta[:-1]), momenta[-1]
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    direction = (1 - momenta[-2]) / (1 - product) * g + following / (1 - product * following) * m
    return p - lr * direction / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def nadam_steps(parameters: Any, gradients: Any, *given: Any, **options: Any) -> list[Any]:
    """As `stepped`, with the products of the momenta, which are float64 beside any dtype."""
    changed = [copies(parameters), *map(copies, given)]
    products = [dt.ones((), dtype="float64") for _ in parameters]
    for number in range(1, NUMBER_OF_STEPS + 1):
        dt._core._nadam_step(changed[0], gradients, *changed[1:], products, step=number, **options)
    return [t for group in changed for t in group]


def radam(
    t: int,
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    direction = m / (1 - beta1**t)
    infinite = 2 / (1 - beta2) - 1
    length = infinite - 2 * t * beta2**t / (1 - beta2**t)
    if length > 5:
        rect = (length - 4) * (length - 2) * infinite / ((infinite - 4) * (infinite - 2) * length)
        direction = direction * np.sqrt(rect) * np.sqrt(1 - beta2**t) / (np.sqrt(v) + eps)
    return p - lr * direction, m, v


def rprop(
    t: int,
    p: Any,
    g: Any,
    previous: Any,
    size: Any,
    *,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    step_size_min: float = 1e-6,
    step_size_max: float = 50.0,
) -> Any:
    product = g * previous
    factor = np.where(product > 0, eta_plus, np.where(product < 0, eta_minus, 1.0))
    size = np.clip(size * factor, step_size_min, step_size_max)
    g = np.where(product < 0, 0.0, g)
    return p - np.sign(g) * size, g, size


def lion(t: int, p: Any, g: Any, m: Any, *, lr: float, beta1: float = 0.9, beta2: float = 0.99) -> Any:
    return p - lr * np.sign(beta1 * m + (1 - beta1) * g), beta2 * m + (1 - beta2) * g


# What a list of kept tensors begins with, per tensor of a shape.
def zeros(rng: Rng, shape: Any) -> np.ndarray:
    return np.zeros(shape)


def squares(rng: Rng, shape: Any) -> np.ndarray:
    return np.asarray(0.1 + rng.random(shape))


def values(rng: Rng, shape: Any) -> np.ndarray:
    return np.asarray(rng.standard_normal(shape))


def small(rng: Rng, shape: Any) -> np.ndarray:
    return np.asarray(rng.uniform(-0.2, 0.2, shape))


def samples(kept: tuple[Any, ...], cases: list[Options]) -> Callable[[Rng], Iterator[Sample]]:
    """An option "without" is a number of lists from the end that are empty."""

    def make(rng: Rng) -> Iterator[Sample]:
        for case in cases:
            options = dict(case)
            without = options.pop("without", ())
            lists = [[np.asarray(rng.standard_normal(shape)) for shape in SHAPES] for _ in range(2)]
            lists += [
                [] if i in without else [first(rng, shape) for shape in SHAPES]
                for i, first in enumerate(kept)
            ]
            yield Sample(tuple(lists), options)

    return make


def large(kept: tuple[Any, ...], options: Options) -> Callable[[Rng], Iterator[Sample]]:
    def make(rng: Rng) -> Iterator[Sample]:
        sizes = ((16383,), (2,), (40000,), (7,))
        lists = [[rng.standard_normal(size) for size in sizes] for _ in range(2)]
        lists += [[first(rng, size) for size in sizes] for first in kept]
        yield Sample(tuple(lists), options)

    return make


def row(
    name: str, rule: Rule, kept: tuple[Any, ...], cases: list[Options], *errors: tuple[Options, str]
) -> Op:
    """`errors` are options that are refused, and why."""
    compiled = getattr(dt._core, f"_{name}")
    more = [[dt.ones((), dtype="float64")]] if rule is nadam else []

    def once(p: Any, g: Any, *, step: int = 1, **options: Any) -> None:
        given = options if rule is rprop else {"lr": 0.1, **options}
        compiled(p, g, *([t(2)] for _ in kept), *more, step=step, **given)

    shared = [error for error in list_errors(name, once) if rule is not rprop or "lr is" not in error.match]
    return Op(
        name=name,
        reference=reference(rule, len(kept)),
        function=nadam_steps if rule is nadam else stepped(compiled),
        samples=samples(kept, cases),
        no_empty="a tensor without elements is among the parameters of every sample",
        large_samples=large(kept, cases[0]),
        differentiable=(),
        errors=[
            *shared,
            *(
                Error(lambda options=options: once([t(2)], [t(2)], **options), ValueError, f"{name}: {why}")
                for options, why in errors
            ),
        ],
    )


SHARED = {"lr": 0.05, "weight_decay": 0.1, "maximize": True, "grad_scale": 0.5, "max_value": 0.4}
BETAS = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3}
ROWS = [
    row(
        "adagrad_step",
        adagrad,
        (squares,),
        [{"lr": 0.1}, {**SHARED, "lr_decay": 0.2, "eps": 1e-3}],
        ({"lr_decay": -1.0}, "lr_decay is -1, expected 0 or more"),
        ({"max_value": -1.0}, "max_value is -1, expected 0 or more"),
        ({"grad_scale": np.inf}, "grad_scale is inf, expected a finite number"),
    ),
    row(
        "adadelta_step",
        adadelta,
        (squares, squares),
        [{"lr": 1.0}, {**SHARED, "rho": 0.7, "eps": 1e-2}],
        ({"rho": 1.5}, "rho is 1.5, expected a number from 0 to 1"),
    ),
    row(
        "rmsprop_step",
        rmsprop,
        (squares, values, small),
        [
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "without": (1, 2)},
            {**SHARED, "alpha": 0.8, "without": (1,)},
            {**SHARED, "eps": 1e-2, "momentum": 0.5, "without": (2,)},
        ],
        ({"alpha": -1.0}, "alpha is -1"),
        ({"momentum": -1.0}, "momentum is -1, expected 0 or more"),
    ),
    row(
        "adamax_step",
        adamax,
        (values, squares),
        [{"lr": 0.1}, {**SHARED, **BETAS}],
        ({"beta2": 1.0}, "beta2 is 1, expected a number from 0 to below 1"),
    ),
    row(
        "nadam_step",
        nadam,
        (values, squares),
        [{"lr": 0.01}, {**SHARED, **BETAS, "momentum_decay": 0.1}, {**SHARED, "lr": 0.01, "decoupled": True}],
        ({"momentum_decay": -1.0}, "momentum_decay is -1, expected 0 or more"),
    ),
    row(
        "radam_step",
        radam,
        (values, squares),
        [{"lr": 0.01}, {**SHARED, **BETAS, "beta2": 0.75}, {**SHARED, "decoupled": True}],
        ({"eps": -1.0}, "eps is -1, expected 0 or more"),
    ),
    row(
        "rprop_step",
        rprop,
        (values, squares),
        [{}, {"eta_minus": 0.3, "eta_plus": 1.7, "step_size_max": 0.8, "maximize": True, "max_value": 0.4}],
        ({"eta_minus": 1.5}, "eta_minus is 1.5, expected a number from 0 to 1"),
        ({"eta_plus": 0.5}, "eta_plus is 0.5, expected 1 or more"),
        ({"step_size_min": 60.0}, "step_size_min is 60, expected a number from 0 to 50"),
    ),
    row(
        "lion_step",
        lion,
        (values,),
        [{"lr": 0.1}, {**SHARED, "beta1": 0.7, "beta2": 0.8}],
        ({"beta1": -0.5}, "beta1 is -0.5, expected a number from 0 to below 1"),
    ),
]
