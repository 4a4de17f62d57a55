"""Rows of the optimizer steps and of gradient clipping: on copies, whose new values are the results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt

from .row import Error, Op, Sample

Rng = np.random.Generator
Arrays = list[np.ndarray]
SHAPES = ((3,), (4, 5), (), (65,), (0, 2))
NUMBER_OF_STEPS = 3  # the second and third use what the first left in the state


def copies(tensors: Any) -> list[Any]:
    return [dt.tensor(t.detach()) for t in tensors]


def stepped(step: Any) -> Any:
    """Several steps on copies of the parameters and states, each with the same gradients."""

    def function(parameters: Any, gradients: Any, *given: Any, **kwargs: Any) -> list[Any]:
        changed = [copies(parameters), *map(copies, given)]
        for number in range(1, NUMBER_OF_STEPS + 1):
            step(changed[0], gradients, *changed[1:], step=number, **kwargs)
        return [t for group in changed for t in group]

    return function


def sgd(
    parameters: Arrays,
    gradients: Arrays,
    buffers: Arrays,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    grad_scale: float = 1.0,
) -> Arrays:
    new, new_buffers = [], []
    for i, (p, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        b = buffers[i] if buffers else np.zeros(p.shape)
        for number in range(NUMBER_OF_STEPS):
            g = (-gradient if maximize else gradient) * grad_scale + weight_decay * p
            if momentum:
                b = g if number == 0 else momentum * b + (1 - dampening) * g
                g = g + momentum * b if nesterov else b
            p = p - lr * g
        new.append(p)
        new_buffers.append(b)
    return new + (new_buffers if buffers else [])


def sgd_samples(rng: Rng) -> Iterator[Sample]:
    for options in (
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "grad_scale": 0.5},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True},
    ):
        lists = [[rng.standard_normal(s) for s in SHAPES] for _ in range(3)]
        yield Sample((lists[0], lists[1], lists[2] if "momentum" in options else []), options)


def sgd_large(rng: Rng) -> Iterator[Sample]:
    lists = [[rng.standard_normal(n) for n in (16383, 2, 40000, 7)] for _ in range(3)]
    yield Sample(tuple(lists), {"lr": 0.1, "momentum": 0.9})


def adam(
    parameters: Arrays,
    gradients: Arrays,
    exp_avg: Arrays,
    exp_avg_sq: Arrays,
    max_exp_avg_sq: Arrays,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    maximize: bool = False,
    grad_scale: float = 1.0,
) -> Arrays:
    results: list[Arrays] = [[], [], [], []]
    for i, (p, gradient) in enumerate(zip(parameters, gradients, strict=True)):
        m, v = exp_avg[i], exp_avg_sq[i]
        largest = max_exp_avg_sq[i] if max_exp_avg_sq else np.zeros(p.shape)
        for number in range(1, NUMBER_OF_STEPS + 1):
            g = (-gradient if maximize else gradient) * grad_scale
            if decoupled:
                p = p * (1 - lr * weight_decay)
            else:
                g = g + weight_decay * p
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            largest = np.maximum(largest, v)
            used = largest if max_exp_avg_sq else v
            denominator = np.sqrt(used / (1 - beta2**number)) + eps
            p = p - lr * m / (1 - beta1**number) / denominator
        for result, value in zip(results, (p, m, v, largest), strict=True):
            result.append(value)
    return [value for result in results[: 4 if max_exp_avg_sq else 3] for value in result]


def adam_samples(rng: Rng) -> Iterator[Sample]:
    for options in (
        {},
        {"lr": 0.01, "weight_decay": 0.1, "grad_scale": 0.5},
        {"lr": 0.01, "weight_decay": 0.1, "decoupled": True, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3},
        {"lr": 0.01, "maximize": True, "amsgrad": True},
    ):
        lists = [[rng.standard_normal(s) for s in SHAPES] for _ in range(3)]
        squares = [[rng.random(s) for s in SHAPES] for _ in range(2)]
        largest = squares[1] if options.pop("amsgrad", False) else []
        yield Sample((*lists, squares[0], largest), options)


def adam_large(rng: Rng) -> Iterator[Sample]:
    sizes = (16383, 2, 40000, 7)
    lists = [[rng.standard_normal(n) for n in sizes] for _ in range(3)]
    yield Sample((*lists, [rng.random(n) for n in sizes], []))


def clipped(gradients: Any, *args: Any, **kwargs: Any) -> list[Any]:
    parameters = []
    for g in gradients:
        p = dt.tensor(g.detach())
        p.requires_grad = True
        p.grad = dt.tensor(g.detach())
        parameters.append(p)
    norm = dt.clip_grad_norm_(parameters, *args, **kwargs)
    return [norm, *(p.grad for p in parameters)]


def clip_reference(gradients: Arrays, max_norm: float, norm_type: float = 2.0) -> list[Any]:
    norm = np.linalg.norm(np.concatenate([g.reshape(-1) for g in gradients]), norm_type)
    return [np.asarray(norm), *(g * min(1.0, max_norm / (norm + 1e-6)) for g in gradients)]


def clip_samples(rng: Rng) -> Iterator[Sample]:
    for max_norm in (0.5, 100.0):
        for norm_type in (1.0, 2.0, np.inf):
            yield Sample(([rng.standard_normal(s) for s in SHAPES], max_norm, norm_type))


def t(*shape: int, dtype: str = "float32") -> Any:
    return dt.tensor(np.zeros(shape), dtype=dtype)


def list_errors(name: str, step: Any) -> list[Error]:
    return [
        Error(lambda: step([t(2)], []), ValueError, f"{name}: gradients holds 0 tensors, but parameters 1"),
        Error(
            lambda: step([t(2)], [t(3)]),
            ValueError,
            r"gradients\[0\] has shape \(3,\) and dtype float32, but parameters\[0\] has shape \(2,\)",
        ),
        Error(lambda: step([t(2)], [t(2)], lr=-1.0), ValueError, f"{name}: lr is -1, expected 0 or more"),
        Error(lambda: step([t(2)], [t(2)], step=0), ValueError, f"{name}: step is 0, expected 1 or more"),
        Error(
            lambda: step([[1.0]], [t(2)]), TypeError, f"{name}: parameters must hold Tensors only, got list"
        ),
        Error(lambda: step(t(2), [t(2)]), TypeError, f"{name}: parameters must be a sequence of Tensors"),
    ]


def sgd_once(p: Any, g: Any, b: Any = (), *, step: int = 1, lr: float = 0.1, **kwargs: Any) -> None:
    dt._core._sgd_step(p, g, b, step=step, lr=lr, **kwargs)


def adam_once(p: Any, g: Any, *, step: int = 1, **kwargs: Any) -> None:
    dt._core._adam_step(p, g, [t(2)], [t(2)], [], step=step, **kwargs)


def transposed() -> Any:
    return dt.from_numpy(np.zeros((3, 2), dtype=np.float32).T)


ROWS = [
    Op(
        name="sgd_step",
        reference=sgd,
        function=stepped(dt._core._sgd_step),
        samples=sgd_samples,
        no_empty="a tensor without elements is among the parameters of every sample",
        large_samples=sgd_large,
        differentiable=(),
        errors=[
            *list_errors("sgd_step", sgd_once),
            Error(
                lambda: sgd_once([t(2)], [t(2)], nesterov=True),
                ValueError,
                "sgd_step: nesterov needs a momentum above 0 and no dampening",
            ),
            Error(
                lambda: sgd_once([t(2)], [t(2)], momentum=0.9),
                ValueError,
                "sgd_step: buffers holds 0 tensors, but parameters 1",
            ),
            Error(
                lambda: sgd_once([transposed()], [t(2, 3)]),
                ValueError,
                r"sgd_step: parameters\[0\] must be contiguous",
            ),
        ],
    ),
    Op(
        name="adam_step",
        reference=adam,
        function=stepped(dt._core._adam_step),
        samples=adam_samples,
        no_empty="a tensor without elements is among the parameters of every sample",
        large_samples=adam_large,
        differentiable=(),
        errors=[
            *list_errors("adam_step", adam_once),
            Error(
                lambda: adam_once([t(2)], [t(2)], beta1=1.0), ValueError, "adam_step: beta1 is 1, expected"
            ),
            Error(lambda: adam_once([t(2)], [t(2)], eps=-1.0), ValueError, "adam_step: eps is -1"),
            Error(lambda: adam_once([t(2), t(2)], [t(2), t(2)]), ValueError, "exp_avg holds 1 tensors"),
        ],
    ),
    Op(
        name="clip_grad_norm_",
        reference=clip_reference,
        function=clipped,
        samples=clip_samples,
        no_empty="a tensor without elements is among the gradients of every sample",
        large_samples=lambda rng: [Sample(([rng.standard_normal(n) for n in (16385, 3, 50000)], 1.0))],
        differentiable=(),
        errors=[
            Error(lambda: dt.clip_grad_norm_([t(2)], -1.0), ValueError, "clip_grad_norm_: max_norm is -1"),
            Error(
                lambda: dt.clip_grad_norm_([t(2)], 1.0, 3.0),
                ValueError,
                "norm_type is 3, expected",
            ),
            Error(lambda: clipped([t(2) * np.inf], 1.0, error_if_nonfinite=True), RuntimeError, "is nan"),
        ],
    ),
]
