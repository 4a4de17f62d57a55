"""Rows of the losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL_FLOATS, Error, Op, Sample, Samples

Rng = np.random.Generator
Draw = Callable[[Rng, tuple[int, ...]], np.ndarray]
SHAPES = ((7,), (5, 3), (2, 3, 4), ())
REDUCTIONS = ("mean", "sum", "none")
# Around the vectors, and around the blocks that sums are cut into.
LARGE = ((63,), (64,), (65,), (4095,), (4096,), (4097,), (3, 5461), (700, 33))


def plain(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def probability(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.05, 0.95, shape)


def sign(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.where(rng.random(shape) < 0.5, -1.0, 1.0))


def weights(rng: Rng, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.5, 2, shape)


def pair_samples(x: Draw, t: Draw, extra: Sequence[Mapping[str, Any]]) -> Samples:
    def samples(rng: Rng) -> Iterator[Sample]:
        for shape in SHAPES:
            for reduction in REDUCTIONS:
                for more in extra:
                    yield Sample((x(rng, shape), t(rng, shape)), {"reduction": reduction, **more})
                leading = {shape[:k] for k in range(len(shape) + 1)}
                for part in sorted(leading):
                    given = {"reduction": reduction, "sample_weight": weights(rng, part), **extra[-1]}
                    yield Sample((x(rng, shape), t(rng, shape)), given)

    return samples


def pair_empty(rng: Rng) -> Iterator[Sample]:
    yield Sample((np.zeros((0, 3)), np.zeros((0, 3))), {"reduction": "sum"})
    yield Sample((np.zeros((2, 0)), np.zeros((2, 0))), {"reduction": "none"})
    yield Sample((np.zeros(0), np.zeros(0)), gradient=False)


def pair_large(x: Draw, t: Draw) -> Samples:
    def samples(rng: Rng) -> Iterator[Sample]:
        for shape in LARGE:
            yield Sample((x(rng, shape), t(rng, shape)))
            yield Sample((x(rng, shape), t(rng, shape)), {"reduction": "none"})
        for shape in ((700, 33), (4097,)):
            yield Sample((x(rng, shape), t(rng, shape)), {"sample_weight": weights(rng, shape[:1])})

    return samples


def zeros(*shape: int, dtype: str = "float32") -> Any:
    return dt.tensor(np.zeros(shape), dtype=dtype)


def labels(*values: int) -> Any:
    return dt.tensor(np.array(values, dtype=np.int64))


def common_errors(name: str) -> list[Error]:
    f = getattr(dt, name)
    x, t = zeros(4, 3), labels(0, 1, 2, 0) if name in LABELLED else zeros(4, 3)
    return [
        Error(
            lambda: f(x, t, reduction="avg"),
            ValueError,
            rf"{name}: reduction is 'avg', expected 'none', 'mean'",
        ),
        Error(
            lambda: f(x, t, sample_weight=zeros(3)),
            ValueError,
            rf"{name}: sample_weight has shape \(3,\), expected that of the losses or of their leading axes",
        ),
        Error(
            lambda: f(x, t, sample_weight=zeros(4, dtype="float64")),
            TypeError,
            rf"{name}: sample_weight has dtype float64, but input has dtype float32",
        ),
        Error(lambda: f(x, [0, 1, 2]), TypeError, rf"{name}: target must be a Tensor, got list"),
    ]


def pair_errors(name: str) -> list[Error]:
    f = getattr(dt, name)
    return [
        *common_errors(name),
        Error(
            lambda: f(zeros(4, 1), zeros(4)),
            ValueError,
            rf"{name}: input has shape \(4, 1\), but target has shape \(4,\)",
        ),
        Error(
            lambda: f(zeros(4), zeros(4, dtype="float64")),
            TypeError,
            rf"{name}: input has dtype float32, but target has dtype float64",
        ),
    ]


def pair_row(
    name: str, x: Draw, t: Draw, extra: Sequence[Mapping[str, Any]] = ({},), errors: Sequence[Error] = ()
) -> Op:
    return Op(
        name=name,
        dtypes=ALL_FLOATS,
        reference=getattr(reference, name),
        samples=pair_samples(x, t, extra),
        empty_samples=pair_empty,
        large_samples=pair_large(x, t),
        differentiable=(0, 1),
        tolerance={"float32": (2e-5, 5e-6)},
        errors=[*pair_errors(name), *errors],
    )


def logits_samples(rng: Rng) -> Iterator[Sample]:
    yield from pair_samples(plain, probability, [{}])(rng)
    for reduction in REDUCTIONS:
        for shape, size in (((5, 3), 3), ((2, 3, 4), 4), ((5, 3), 1), ((7,), 7)):
            given = {"pos_weight": weights(rng, (size,)), "reduction": reduction}
            yield Sample((plain(rng, shape), probability(rng, shape)), given)
            given = {**given, "sample_weight": weights(rng, shape[:1])}
            yield Sample((plain(rng, shape), probability(rng, shape)), given)
    yield Sample((np.array([800.0, -800.0, 800.0]), np.array([0.0, 1.0, 1.0])))


def divergence_samples(rng: Rng) -> Iterator[Sample]:
    yield from pair_samples(plain, probability, ({}, {"log_target": True}))(rng)
    for shape in ((7,), (5, 3), (2, 3, 4)):
        given: dict[str, Any] = {"reduction": "batchmean"}
        yield Sample((plain(rng, shape), probability(rng, shape)), given)
        yield Sample((plain(rng, shape), plain(rng, shape)), {**given, "log_target": True})
        given["sample_weight"] = weights(rng, shape[:1])
        yield Sample((plain(rng, shape), probability(rng, shape)), given)
    yield Sample((plain(rng, (2, 2)), np.array([[0.0, 1.0], [0.5, 0.0]])), gradient=False)


def random_labels(rng: Rng, shape: tuple[int, ...], classes: int, ignored: int | None = None) -> np.ndarray:
    y = np.asarray(rng.integers(0, classes, shape))
    if ignored is not None and y.size:
        y.flat[y.size // 2] = ignored
    return y


def class_samples(rng: Rng, smoothing: bool) -> Iterator[Sample]:
    for shape in ((5, 4), (2, 3, 6), (3,), (6, 20), (1, 1)):
        rows, classes = shape[:-1], shape[-1]
        for reduction in REDUCTIONS:
            more: dict[str, Any] = {"reduction": reduction}
            yield Sample((plain(rng, shape), random_labels(rng, rows, classes)), more)
            more = {**more, "weight": weights(rng, (classes,)), "sample_weight": weights(rng, rows)}
            yield Sample((plain(rng, shape), random_labels(rng, rows, classes)), more)
            if rows and rows != (1,):  # a mean over nothing is NaN
                more = {
                    **more,
                    "ignore_index": 2 if classes > 2 else -1,
                    "sample_weight": weights(rng, rows[:1]),
                }
                ignored = more["ignore_index"]
                yield Sample((plain(rng, shape), random_labels(rng, rows, classes, ignored)), more)
            if smoothing:
                more = {**more, "label_smoothing": 0.1}
                yield Sample((plain(rng, shape), random_labels(rng, rows, classes)), more)
    yield Sample((plain(rng, (4, 3)), random_labels(rng, (4,), 3).astype(np.int32)))
    yield Sample((plain(rng, (4, 3)), random_labels(rng, (4,), 3).astype(np.uint8)))


def cross_entropy_samples(rng: Rng) -> Iterator[Sample]:
    yield from class_samples(rng, smoothing=True)
    for shape in ((5, 4), (2, 3, 6), (3,)):
        for reduction in REDUCTIONS:
            for more in (
                {"reduction": reduction},
                {"reduction": reduction, "weight": weights(rng, shape[-1:]), "label_smoothing": 0.2},
                {"reduction": reduction, "sample_weight": weights(rng, shape[:-1])},
            ):
                target = np.asarray(rng.dirichlet(np.ones(shape[-1]), shape[:-1]))
                yield Sample((plain(rng, shape), target), more)
    yield Sample((np.array([[1000.0, -1000.0], [-1000.0, 1000.0]]), np.array([0, 0])))


def cross_entropy_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((4095, 10), (4097, 3), (33, 1000), (17, 15), (17, 16), (17, 17), (5, 9000)):
        yield Sample((3 * plain(rng, shape), random_labels(rng, shape[:-1], shape[-1], -100)))
        target = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
        yield Sample((3 * plain(rng, shape), target), {"label_smoothing": 0.1, "reduction": "none"})


def nll_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((4095, 10), (4097, 3), (33, 1000), (5, 9000)):
        yield Sample((plain(rng, shape), random_labels(rng, shape[:-1], shape[-1], -100)))


def margin_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((5, 4), (2, 3, 6), (3,), (6, 20), (1, 1)):
        rows, classes = shape[:-1], shape[-1]
        for reduction in REDUCTIONS:
            for options in ({}, {"p": 2, "margin": 0.5}):
                given = {"reduction": reduction, **options}
                yield Sample((plain(rng, shape), random_labels(rng, rows, classes)), given)
                given = {**given, "weight": weights(rng, (classes,)), "sample_weight": weights(rng, rows[:1])}
                yield Sample((plain(rng, shape), random_labels(rng, rows, classes)), given)


def margin_large(rng: Rng) -> Iterator[Sample]:
    for shape in ((4095, 10), (33, 1000), (17, 15), (17, 16), (17, 17)):
        # Two decimals: no score lies within rounding of the margin.
        scores = np.round(plain(rng, shape), 2) + 0.003 * np.arange(shape[-1])
        yield Sample((scores, random_labels(rng, shape[:-1], shape[-1])), {"p": 2})


def cosine(x1: np.ndarray, x2: np.ndarray, axis: int = -1, eps: float = 1e-8) -> np.ndarray:
    lengths = [np.maximum(np.sqrt((x**2).sum(axis=axis)), eps) for x in (x1, x2)]
    return np.asarray((x1 * x2).sum(axis=axis) / (lengths[0] * lengths[1]))


def similarity_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((5, 4), (3,), (2, 3, 4)):
        yield Sample((plain(rng, shape), plain(rng, shape)))
        yield Sample((plain(rng, shape), plain(rng, shape)), {"axis": 0})
    yield Sample((plain(rng, (4, 1, 3)), plain(rng, (2, 3))))
    yield Sample((plain(rng, (4, 3)), plain(rng, (3,))))
    yield Sample((np.zeros((2, 3)), plain(rng, (2, 3))), gradient=False)


def embedding_samples(rng: Rng) -> Iterator[Sample]:
    for shape in ((5, 4), (3,), (2, 3, 4)):
        for reduction in REDUCTIONS:
            for margin in (0.0, 0.3):
                given = {"reduction": reduction, "margin": margin}
                yield Sample((plain(rng, shape), plain(rng, shape), sign(rng, shape[:-1])), given)
                given = {**given, "sample_weight": weights(rng, shape[:-1][:1])}
                target = sign(rng, shape[:-1]).astype(np.int64)
                yield Sample((plain(rng, shape), plain(rng, shape), target), given)


def class_empty(rng: Rng) -> Iterator[Sample]:
    nothing = np.zeros(0, dtype=np.int64)
    yield Sample((np.zeros((0, 3)), nothing), {"reduction": "sum"})
    yield Sample((np.zeros((0, 3)), nothing), {"reduction": "none"})
    yield Sample((np.zeros((0, 3)), nothing), gradient=False)


def label_errors(name: str) -> list[Error]:
    f = getattr(dt, name)
    return [
        *common_errors(name),
        Error(
            lambda: f(zeros(2, 10), labels(3, 12)),
            ValueError,
            rf"{name}: target contains class 12, but input has 10 classes \(shape \(2, 10\)\)",
        ),
        Error(lambda: f(zeros(2, 10), labels(3, -1)), ValueError, rf"{name}: target contains class -1"),
        Error(
            lambda: f(zeros(2, 10), labels(1, 2, 3)),
            ValueError,
            rf"{name}: target has shape \(3,\), expected \(2,\) for input of shape \(2, 10\)",
        ),
        Error(
            lambda: f(zeros(2, 10, 4, 4), dt.tensor(np.zeros((2, 4, 4), dtype=np.int64))),
            ValueError,
            rf"{name}: .*the classes look to be the second axis of input",
        ),
        Error(
            lambda: f(zeros(2, 3), labels(1, 2), weight=zeros(2)),
            ValueError,
            rf"{name}: weight has shape \(2,\), expected \(3,\) \(one value per class\)",
        ),
        Error(
            lambda: f(zeros(), labels(1)),
            ValueError,
            rf"{name}: input must have the classes on its last",
        ),
        Error(lambda: f(zeros(2, 0), labels(0, 0)), ValueError, rf"{name}: input has 0 classes"),
    ]


LABELLED = ("cross_entropy", "nll_loss", "multi_margin_loss")
ROWS = [
    Op(
        name="multi_margin_loss",
        dtypes=ALL_FLOATS,
        reference=reference.multi_margin_loss,
        samples=margin_samples,
        empty_samples=class_empty,
        large_samples=margin_large,
        errors=[
            *label_errors("multi_margin_loss"),
            Error(
                lambda: dt.multi_margin_loss(zeros(2, 3), labels(1, 2), p=3),
                ValueError,
                "multi_margin_loss: p is 3, expected 1 or 2",
            ),
            Error(
                lambda: dt.multi_margin_loss(zeros(2, 3), zeros(2)),
                TypeError,
                "multi_margin_loss: target must have an integer dtype, got float32",
            ),
        ],
    ),
    Op(
        name="cosine_similarity",
        dtypes=ALL_FLOATS,
        reference=cosine,
        samples=similarity_samples,
        empty_samples=lambda rng: [Sample((np.zeros((0, 3)), np.zeros((0, 3))))],
        large_samples=lambda rng: [Sample((plain(rng, s), plain(rng, s))) for s in ((700, 33), (3, 9000))],
        differentiable=(0, 1),
        errors=[
            Error(
                lambda: dt.cosine_similarity(zeros(2, 3), zeros(2, 4)),
                ValueError,
                r"cosine_similarity: shapes \(2, 3\) and \(2, 4\) do not broadcast",
            ),
            Error(
                lambda: dt.cosine_similarity(zeros(2, 3), zeros(2, 1)),
                ValueError,
                "their sizes must be equal along axis -1",
            ),
            Error(lambda: dt.cosine_similarity(zeros(2), zeros(2), 1), IndexError, "axis 1 is out of range"),
        ],
    ),
    Op(
        name="cosine_embedding_loss",
        dtypes=ALL_FLOATS,
        reference=reference.cosine_embedding_loss,
        samples=embedding_samples,
        empty_samples=lambda rng: [
            Sample((np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)), {"reduction": "sum"})
        ],
        large_samples=lambda rng: [Sample((plain(rng, (700, 33)), plain(rng, (700, 33)), sign(rng, (700,))))],
        differentiable=(0, 1),
        errors=[
            Error(
                lambda: dt.cosine_embedding_loss(zeros(2, 3), zeros(2, 4), zeros(2)),
                ValueError,
                r"input1 has shape \(2, 3\), but input2 has shape \(2, 4\)",
            ),
            Error(
                lambda: dt.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), zeros(3)),
                ValueError,
                r"target has shape \(3,\), expected \(2,\) \(one value, 1 or -1, per pair\)",
            ),
            Error(
                lambda: dt.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), zeros(2), margin=2.0),
                ValueError,
                "margin is 2, expected a number from -1 to 1",
            ),
            Error(
                lambda: dt.cosine_embedding_loss(zeros(2, 3), zeros(2, 3), zeros(2), reduction="avg"),
                ValueError,
                "cosine_embedding_loss: reduction is 'avg'",
            ),
        ],
    ),
    pair_row("mse_loss", plain, plain),
    pair_row("l1_loss", plain, plain),
    pair_row(
        "huber_loss",
        plain,
        plain,
        ({}, {"delta": 0.3}),
        [Error(lambda: dt.huber_loss(zeros(2), zeros(2), delta=0.0), ValueError, "huber_loss: delta is 0")],
    ),
    pair_row(
        "smooth_l1_loss",
        plain,
        plain,
        ({}, {"beta": 0.0}, {"beta": 0.4}),
        [
            Error(
                lambda: dt.smooth_l1_loss(zeros(2), zeros(2), beta=-1.0),
                ValueError,
                "smooth_l1_loss: beta is -1, expected 0 or more",
            )
        ],
    ),
    pair_row("binary_cross_entropy", probability, probability),
    Op(
        name="binary_cross_entropy_with_logits",
        dtypes=ALL_FLOATS,
        reference=reference.binary_cross_entropy_with_logits,
        samples=logits_samples,
        empty_samples=pair_empty,
        large_samples=pair_large(plain, probability),
        differentiable=(0, 1),
        tolerance={"float32": (2e-5, 5e-6)},
        errors=[
            *pair_errors("binary_cross_entropy_with_logits"),
            Error(
                lambda: dt.binary_cross_entropy_with_logits(zeros(4, 3), zeros(4, 3), pos_weight=zeros(4)),
                ValueError,
                r"pos_weight has shape \(4,\), expected one value, or one for each index of the last axis",
            ),
        ],
    ),
    pair_row("hinge_loss", plain, sign, ({}, {"margin": 0.5})),
    Op(
        name="kl_div",
        dtypes=ALL_FLOATS,
        reference=reference.kl_div,
        samples=divergence_samples,
        empty_samples=pair_empty,
        large_samples=pair_large(plain, probability),
        differentiable=(0, 1),
        tolerance={"float32": (2e-5, 5e-6)},
        errors=pair_errors("kl_div"),
    ),
    Op(
        name="cross_entropy",
        dtypes=ALL_FLOATS,
        reference=reference.cross_entropy,
        samples=cross_entropy_samples,
        empty_samples=class_empty,
        large_samples=cross_entropy_large,
        errors=[
            *label_errors("cross_entropy"),
            Error(
                lambda: dt.cross_entropy(zeros(4, 3), zeros(4)),
                ValueError,
                r"target has dtype float32 and shape \(4,\); labels must have an integer dtype",
            ),
            Error(
                lambda: dt.cross_entropy(zeros(2, 3), labels(1, 2), label_smoothing=1.5),
                ValueError,
                "label_smoothing is 1.5, expected a number from 0 to 1",
            ),
        ],
    ),
    Op(
        name="nll_loss",
        dtypes=ALL_FLOATS,
        reference=reference.nll_loss,
        samples=lambda rng: class_samples(rng, smoothing=False),
        empty_samples=class_empty,
        large_samples=nll_large,
        errors=[
            *label_errors("nll_loss"),
            Error(
                lambda: dt.nll_loss(zeros(2, 3), zeros(2)),
                TypeError,
                "nll_loss: target must have an integer dtype, got float32",
            ),
        ],
    ),
]
