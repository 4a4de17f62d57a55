"""Rows of the norms. Running statistics, which training changes in place, are in `test_norm.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL_FLOATS, HALVES, Error, Op, Sample, Samples

Rng = np.random.Generator
# A variance of few values is a small number squared: float32 keeps fewer of its digits.
TOLERANCE = {"float32": (2e-5, 5e-6)}


def draw(rng: Rng, *shape: int) -> np.ndarray:
    return rng.normal(0.5, 2, shape)


def draw_float32(rng: Rng, *shape: int) -> np.ndarray:
    """A parameter beside an input of a half format."""
    return draw(rng, *shape).astype(np.float32)


def zeros(*shape: int) -> Any:
    return dt.tensor(np.zeros(shape), dtype="float32")


def batch_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((6, 3), (2, 5, 7), (2, 3, 4, 5), (20, 1), (3, 70)):
        c = shape[-1]
        yield Sample((draw(rng, *shape),), {"training": True})
        yield Sample((draw(rng, *shape), None, None, draw(rng, c), draw(rng, c), True))
        yield Sample((draw(rng, *shape), draw(rng, c), rng.uniform(0.5, 2, c), draw(rng, c), draw(rng, c)))
    relu = {"training": True, "activation": "relu", "eps": 0.1}
    yield Sample((draw(rng, 9, 4), None, None, draw(rng, 4), draw(rng, 4)), relu)
    yield Sample((draw(rng, 9, 4), draw(rng, 4), rng.uniform(0.5, 2, 4)), {"activation": "relu"})
    yield Sample((draw(rng, 9, 4), None, None, draw(rng, 4)), {"training": True, "residual": draw(rng, 9, 4)})
    yield Sample((draw(rng, 1, 4), draw(rng, 4), rng.uniform(0.5, 2, 4)), {})
    weight, bias = draw_float32(rng, 5), draw_float32(rng, 5)
    yield Sample((draw(rng, 70, 5), None, None, weight, bias, True), dtypes=HALVES)


def batch_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)), draw(rng, 3), rng.uniform(0.5, 2, 3), draw(rng, 3), draw(rng, 3)))
    yield Sample((np.zeros((4, 0)),), {"training": True})


def large(*shapes: tuple[int, ...], arguments: Any) -> Samples:
    def samples(rng: Rng) -> Iterator[Sample]:
        for shape in shapes:
            c = shape[-1]
            yield Sample((draw(rng, *shape), *arguments(shape), draw(rng, c), draw(rng, c)))

    return samples


def batch_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((33000, 3), (4097, 64), (511, 65), (513, 127), (2, 33, 31, 16), (40, 2048)):
        c = shape[-1]
        yield Sample((draw(rng, *shape), None, None, draw(rng, c), draw(rng, c), True))
    yield Sample(
        (draw(rng, 5000, 24), draw(rng, 24), rng.uniform(0.5, 2, 24), draw(rng, 24), draw(rng, 24)),
        {"activation": "relu"},
        gradient=False,  # float32 and float64 may differ in the sign of a value near 0
    )


def batch_reference(
    *args: Any, residual: np.ndarray | None = None, activation: str | None = None, **kwargs: Any
) -> np.ndarray:
    y = reference.batch_norm(*args, **kwargs)
    if residual is not None:
        y = y + residual
    return np.maximum(y, 0) if activation == "relu" else y


def group_samples(rng: Rng) -> Iterator[Sample]:
    for shape, groups in (((2, 6), 2), ((3, 5, 6), 3), ((2, 3, 4, 4), 1), ((2, 7, 5), 5), ((1, 2, 80), 8)):
        c = shape[-1]
        yield Sample((draw(rng, *shape), groups))
        yield Sample((draw(rng, *shape), groups, draw(rng, c), draw(rng, c)), {"eps": 0.01})


def group_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 4)), 2, draw(rng, 4), draw(rng, 4)))
    yield Sample((np.zeros((3, 0, 4)), 2))


def instance_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((2, 6, 3), (1, 3, 4, 5), (3, 2, 1)):
        c = shape[-1]
        yield Sample((draw(rng, *shape),))
        yield Sample((draw(rng, *shape), None, None, draw(rng, c), draw(rng, c)), {"eps": 0.01})
    stats = {"use_input_stats": False}
    yield Sample(
        (draw(rng, 2, 3, 4), draw(rng, 4), rng.uniform(0.5, 2, 4), draw(rng, 4), draw(rng, 4)), stats
    )


def instance_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 5, 3)),))
    yield Sample((np.zeros((2, 5, 0)),))


def instance_reference(
    x: np.ndarray,
    mean: np.ndarray | None = None,
    var: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    use_input_stats: bool = True,
    eps: float = 1e-5,
) -> np.ndarray:
    if use_input_stats:
        return reference.instance_norm(x, weight, bias, eps)
    return reference.batch_norm(x, mean, var, weight, bias, eps=eps)


def layer_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((4, 6), (2, 3, 5), (7,), (3, 17), (2, 65)):
        c = shape[-1]
        yield Sample((draw(rng, *shape), c))
        yield Sample((draw(rng, *shape), (c,), draw(rng, c), draw(rng, c)), {"eps": 0.01})
        yield Sample((draw(rng, *shape), [c], None, draw(rng, c)))
    yield Sample((draw(rng, 2, 3, 4), (3, 4), draw(rng, 3, 4), draw(rng, 3, 4)))
    yield Sample((draw(rng, 3, 20), 20, draw_float32(rng, 20), draw_float32(rng, 20)), dtypes=HALVES)


def layer_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 4)), 4, draw(rng, 4), draw(rng, 4)))
    yield Sample((np.zeros((3, 0)), (0,)))


def layer_reference(
    x: np.ndarray,
    shape: int | tuple[int, ...] | list[int],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> np.ndarray:
    return reference.layer_norm(x, weight, bias, eps, 1 if isinstance(shape, int) else len(shape))


def rms_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((4, 6), (2, 3, 5), (7,), (3, 17), (2, 65)):
        c = shape[-1]
        yield Sample((draw(rng, *shape), c))
        yield Sample((draw(rng, *shape), (c,), draw(rng, c)), {"eps": 0.01})
    yield Sample((draw(rng, 2, 3, 4), (3, 4), draw(rng, 3, 4)))
    yield Sample((draw(rng, 3, 20), 20, draw_float32(rng, 20)), dtypes=HALVES)


def rms_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 4)), 4, draw(rng, 4)))
    yield Sample((np.zeros((3, 0)), (0,)))


def rms_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((3, 5000), (700, 63), (513, 64), (40, 1025)):
        yield Sample((draw(rng, *shape), shape[-1], draw(rng, shape[-1])))


def rms_reference(
    x: np.ndarray, shape: int | tuple[int, ...], weight: np.ndarray | None = None, eps: float = 0.0
) -> np.ndarray:
    axes = tuple(range(x.ndim - (1 if isinstance(shape, int) else len(shape)), x.ndim))
    y = x / np.sqrt((x * x).sum(axes, keepdims=True) / max(1, np.prod([x.shape[a] for a in axes])) + eps)
    return np.asarray(y if weight is None else y * weight)


def parameter_errors(name: str, *extra: Any) -> list[Error]:
    """Wrong weight, dtype and rank; `extra` stands between input and weight."""
    f = getattr(dt, name)
    return [
        Error(
            lambda: f(zeros(2, 3, 4), *extra, zeros(3), None),
            ValueError,
            rf"{name}: weight has shape \(3,\), expected \(4,\)",
        ),
        Error(
            lambda: f(zeros(2, 3, 4), *extra, None, dt.tensor(np.zeros(4))),
            TypeError,
            rf"{name}: bias has dtype float64, but input has dtype float32",
        ),
        Error(lambda: f([1.0], *extra), TypeError, rf"{name}: input must be a Tensor, got list"),
    ]


ROWS = [
    Op(
        name="batch_norm",
        reference=batch_reference,
        samples=batch_samples,
        empty_samples=batch_empty,
        large_samples=batch_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 3, 4),
        tolerance=TOLERANCE,
        errors=[
            *parameter_errors("batch_norm", zeros(4), zeros(4)),
            Error(
                lambda: dt.batch_norm(zeros(1, 3), training=True),
                ValueError,
                r"batch_norm: training needs more than one value per channel, got input of shape \(1, 3\)",
            ),
            Error(
                lambda: dt.batch_norm(zeros(2, 3)), ValueError, "running_mean and running_var must be given"
            ),
            Error(
                lambda: dt.batch_norm(zeros(2, 3, 5, 5), zeros(3), zeros(3)),
                ValueError,
                r"the shape looks like NCHW; drivetrain uses NHWC: input.permute_dims\(\(0, 2, 3, 1\)\)",
            ),
            Error(lambda: dt.batch_norm(zeros(3), training=True), ValueError, "at least 2 dimensions"),
            Error(lambda: dt.batch_norm(zeros(2, 3), training=1), TypeError, "training must be a bool"),
            Error(lambda: dt.batch_norm(zeros(2, 3), training=True, eps=-1.0), ValueError, "eps is -1"),
            Error(
                lambda: dt.batch_norm(zeros(2, 3), training=True, residual=zeros(2, 1)),
                ValueError,
                r"batch_norm: residual has shape \(2, 1\), expected that of input \(2, 3\)",
            ),
            Error(
                lambda: dt.batch_norm(zeros(2, 3), training=True, residual=dt.tensor(np.zeros((2, 3)))),
                TypeError,
                "batch_norm: residual has dtype float64, but input has dtype float32",
            ),
            Error(
                lambda: dt.batch_norm(zeros(2, 3), training=True, activation="gelu"),
                ValueError,
                "batch_norm: activation is 'gelu', expected 'relu' or None",
            ),
            Error(
                lambda: dt.batch_norm(zeros(2, 3), zeros(3), zeros(3), training=True, momentum=2.0),
                ValueError,
                "momentum is 2, expected a number from 0 to 1",
            ),
        ],
    ),
    Op(
        name="instance_norm",
        reference=instance_reference,
        samples=instance_samples,
        empty_samples=instance_empty,
        large_samples=large((3, 5000, 3), (9, 100, 65), arguments=lambda s: (None, None)),
        dtypes=ALL_FLOATS,
        differentiable=(0, 3, 4),
        tolerance=TOLERANCE,
        errors=[
            *parameter_errors("instance_norm", None, None),
            Error(lambda: dt.instance_norm(zeros(2, 1, 3)), ValueError, "more than one spatial position"),
            Error(lambda: dt.instance_norm(zeros(2, 3)), ValueError, "at least 3 dimensions"),
            Error(
                lambda: dt.instance_norm(zeros(2, 2, 3), use_input_stats=False),
                ValueError,
                "running_mean and running_var must be given",
            ),
        ],
    ),
    Op(
        name="group_norm",
        reference=reference.group_norm,
        samples=group_samples,
        empty_samples=group_empty,
        large_samples=large((2, 5000, 12), (70, 49, 33), (300, 66), arguments=lambda s: (3,)),
        dtypes=ALL_FLOATS,
        differentiable=(0, 2, 3),
        tolerance=TOLERANCE,
        errors=[
            *parameter_errors("group_norm", 2),
            Error(
                lambda: dt.group_norm(zeros(2, 3), 2),
                ValueError,
                r"group_norm: input has 3 channels \(shape \(2, 3\), channels last\), which num_groups \(2\)",
            ),
            Error(lambda: dt.group_norm(zeros(2, 3), 0), ValueError, r"num_groups \(0\)"),
        ],
    ),
    Op(
        name="layer_norm",
        reference=layer_reference,
        samples=layer_samples,
        empty_samples=layer_empty,
        large_samples=large((3, 5000), (700, 63), (513, 64), (40, 1025), arguments=lambda s: (s[-1],)),
        dtypes=ALL_FLOATS,
        differentiable=(0, 2, 3),
        tolerance=TOLERANCE,
        errors=[
            *parameter_errors("layer_norm", 4),
            Error(
                lambda: dt.layer_norm(zeros(2, 3), 4),
                ValueError,
                r"layer_norm: input has shape \(2, 3\), whose last axes must be normalized_shape \(4,\)",
            ),
            Error(lambda: dt.layer_norm(zeros(2, 3), (4, 2, 3)), ValueError, "whose last axes must be"),
            Error(lambda: dt.layer_norm(zeros(2, 3), ()), ValueError, "must name at least one axis"),
        ],
    ),
    Op(
        name="rms_norm",
        reference=rms_reference,
        samples=rms_samples,
        empty_samples=rms_empty,
        large_samples=rms_large,
        dtypes=ALL_FLOATS,
        differentiable=(0, 2),
        tolerance=TOLERANCE,
        errors=[
            Error(
                lambda: dt.rms_norm(zeros(2, 3), 4),
                ValueError,
                r"rms_norm: input has shape \(2, 3\), whose last axes must be normalized_shape \(4,\)",
            ),
            Error(lambda: dt.rms_norm(zeros(2, 3), ()), ValueError, "must name at least one axis"),
            Error(
                lambda: dt.rms_norm(zeros(2, 3), 3, zeros(4)),
                ValueError,
                r"weight has shape \(4,\), expected",
            ),
            Error(lambda: dt.rms_norm(zeros(2, 3), 3, eps=-1.0), ValueError, "rms_norm: eps is -1"),
            Error(lambda: dt.rms_norm([1.0], 3), TypeError, "rms_norm: input must be a Tensor, got list"),
        ],
    ),
]
