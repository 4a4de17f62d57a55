"""Rows of the convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import drivetrain as dt
import reference

from .row import ALL_FLOATS, Error, Op, Sample, Samples

Shape = tuple[int, ...]


def zeros(*shape: int, dtype: str = "float32") -> dt.Tensor:
    return dt.tensor(np.zeros(shape), dtype=dtype)


def unbatched(reference_function: Callable[..., Any], axes: int) -> Callable[..., Any]:
    """The reference, for inputs without the batch as well."""

    def function(x: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        batched = x.ndim == axes + 2
        result = np.asarray(reference_function(x if batched else x[None], *args, **kwargs))
        return result if batched else result[0]

    return function


def relu_of(reference_function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: np.maximum(reference_function(*args, **kwargs), 0)


def samples_from(cases: list[tuple[Shape, Shape, dict[str, Any]]], transposed: bool = False) -> Samples:
    """Samples of (input shape, weight shape, keywords); every other one without a bias."""

    def samples(rng: np.random.Generator) -> Iterator[Sample]:
        for i, (x, w, kwargs) in enumerate(cases):
            outputs = w[-1] * kwargs.get("groups", 1) if transposed else w[0]
            bias = (rng.uniform(0.2, 1, outputs),) if i % 2 == 0 else ()
            yield Sample(
                (rng.uniform(-1, 1, x), rng.uniform(-1, 1, w) / np.sqrt(np.prod(w[1:])), *bias), kwargs
            )

    return samples


CONV1D = [
    ((2, 9, 3), (4, 3, 3), {}),
    ((2, 9, 3), (4, 3, 3), {"stride": 2, "padding": 1}),
    ((1, 10, 4), (6, 3, 2), {"groups": 2, "dilation": 2, "padding": "same"}),
    ((3, 7, 1), (5, 4, 1), {"padding": "same"}),
    ((2, 6, 5), (3, 1, 5), {}),
    ((8, 2), (3, 3, 2), {"padding": (2,), "stride": (3,)}),
    ((2, 8, 4), (4, 3, 1), {"groups": 4, "padding": "valid"}),
    ((2, 1, 3), (2, 1, 3), {}),
]
CONV2D = [
    ((2, 6, 7, 3), (4, 3, 3, 3), {}),
    ((2, 6, 7, 3), (4, 3, 3, 3), {"padding": 1}),
    ((1, 8, 8, 1), (6, 5, 5, 1), {"padding": 2}),
    ((2, 7, 6, 2), (5, 3, 2, 2), {"stride": (2, 1), "padding": (1, 0)}),
    ((1, 9, 8, 4), (6, 3, 3, 2), {"groups": 2, "stride": 2}),
    ((2, 5, 6, 5), (5, 3, 3, 1), {"groups": 5, "padding": "same"}),
    ((1, 5, 6, 3), (6, 3, 3, 1), {"groups": 3, "stride": 2, "padding": 1}),
    ((2, 5, 5, 6), (7, 1, 1, 6), {}),
    ((2, 5, 4, 6), (7, 1, 1, 6), {"stride": 2}),
    ((1, 9, 9, 2), (3, 3, 2, 2), {"dilation": (2, 3), "padding": (2, 1)}),
    ((1, 9, 9, 2), (3, 3, 2, 2), {"dilation": (2, 1)}),
    ((2, 5, 6, 2), (3, 2, 4, 2), {"padding": "same"}),
    ((1, 7, 9, 2), (3, 2, 3, 2), {"padding": "same", "dilation": (3, 2)}),
    ((6, 5, 3), (2, 3, 3, 3), {"padding": "valid"}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((3, 1, 1, 2), (3, 3, 3, 2), {"padding": 1}),
    ((1, 4, 4, 2), (3, 3, 3, 2), {"padding": 3, "stride": 3}),
    ((2, 5, 5, 3), (4, 5, 5, 3), {}),
    ((1, 12, 3, 17), (18, 3, 3, 17), {"padding": 1}),
    ((1, 7, 7, 2), (2, 2, 2, 2), {"stride": 3}),
]
# One less than, equal to and one more than 16, 32 and 64 channels, and images past the parallel grain.
CONV2D_LARGE = [
    ((4, 28, 28, 1), (6, 5, 5, 1), {"padding": 2}),
    ((4, 14, 14, 6), (16, 5, 5, 6), {}),
    ((3, 13, 15, 15), (17, 3, 3, 15), {"padding": 1}),
    ((3, 13, 15, 16), (16, 3, 3, 16), {"padding": 1}),
    ((2, 17, 16, 17), (31, 3, 3, 17), {"padding": 1, "stride": 2}),
    ((2, 16, 17, 32), (33, 3, 3, 32), {"padding": "same"}),
    ((2, 15, 24, 33), (32, 1, 1, 33), {}),
    ((2, 15, 25, 64), (64, 3, 3, 1), {"groups": 64, "padding": 1}),
    ((2, 14, 23, 65), (65, 3, 3, 1), {"groups": 65, "stride": 2, "padding": 1}),
    ((2, 12, 12, 48), (96, 3, 3, 24), {"groups": 2, "padding": 1}),
    ((5, 7, 7, 64), (65, 3, 3, 64), {"padding": 1}),
    ((9, 4, 3, 40), (50, 3, 3, 40), {"padding": 1}),
    ((1, 30, 31, 20), (24, 3, 3, 20), {"dilation": 2, "padding": 2}),
    ((1, 33, 32, 3), (64, 7, 7, 3), {"stride": 2, "padding": 3}),
    ((1, 56, 56, 64), (64, 3, 3, 64), {"padding": 1}),
]
CONV1D_LARGE = [
    ((2, 63, 16), (17, 3, 16), {"padding": 1}),
    ((2, 64, 17), (16, 5, 17), {"stride": 2}),
    ((2, 65, 31), (33, 3, 31), {"dilation": 4, "padding": "same"}),
    ((3, 1000, 32), (32, 3, 32), {"padding": 1}),
    ((2, 257, 64), (64, 7, 1), {"groups": 64, "padding": 3}),
]
TRANSPOSED1D = [
    ((2, 5, 3), (3, 3, 4), {}),
    ((2, 5, 3), (3, 2, 4), {"stride": 2}),
    ((1, 4, 4), (4, 3, 3), {"groups": 2, "stride": 2, "padding": 1, "output_padding": 1}),
    ((4, 3), (3, 3, 2), {"dilation": 2, "padding": 1}),
    ((2, 4, 3), (3, 1, 2), {"stride": 3, "output_padding": 2}),
]
TRANSPOSED2D = [
    ((2, 4, 5, 3), (3, 3, 3, 4), {}),
    ((2, 4, 5, 3), (3, 2, 2, 4), {"stride": 2}),
    ((1, 3, 4, 4), (4, 3, 3, 3), {"groups": 2, "stride": 2, "padding": 1, "output_padding": 1}),
    ((1, 4, 3, 3), (3, 3, 2, 2), {"stride": (1, 3), "padding": (1, 0), "output_padding": (0, 2)}),
    ((1, 5, 4, 3), (3, 3, 3, 1), {"groups": 3, "padding": 1}),
    ((4, 4, 2), (2, 3, 3, 3), {"dilation": 2, "padding": 1}),
    ((2, 3, 3, 5), (5, 1, 1, 4), {}),
    ((1, 1, 1, 2), (2, 4, 4, 3), {"stride": 1}),
    ((1, 3, 3, 2), (2, 2, 2, 3), {"stride": 3, "output_padding": 1}),
]
TRANSPOSED2D_LARGE = [
    ((4, 7, 7, 32), (32, 4, 4, 16), {"stride": 2, "padding": 1}),
    ((2, 15, 16, 17), (17, 3, 3, 33), {"padding": 1}),
    ((2, 16, 17, 16), (16, 3, 3, 15), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 13, 14, 64), (64, 3, 3, 1), {"groups": 64, "padding": 1}),
    ((1, 28, 28, 64), (64, 2, 2, 32), {"stride": 2}),
]
TRANSPOSED1D_LARGE = [
    ((2, 63, 16), (16, 4, 17), {"stride": 2, "padding": 1}),
    ((2, 500, 32), (32, 3, 33), {"padding": 1}),
]


# What the errors advise.
PERMUTE = r"the shape looks like NCHW; drivetrain uses NHWC: input\.permute_dims\(\(0, 2, 3, 1\)\)"
WEIGHT = r"weight looks like PyTorch's layout; .*: weight\.permute_dims\(\(0, 2, 3, 1\)\)"

CALL2D = ((2, 8, 8, 1), (6, 3, 3, 1))  # shapes of an input and a weight that fit

# Shapes of input, weight and perhaps bias, options, what the error says.
WRONG2D: list[tuple[tuple[tuple[int, ...], ...], dict[str, Any], str]] = [
    (
        ((32, 28, 28, 3), (8, 3, 3, 1)),
        {},
        r"input has 3 channels \(shape \(32, 28, 28, 3\), NHWC\), but weight \(8, 3, 3, 1\) expects 1$",
    ),
    (((32, 3, 28, 28), (8, 5, 5, 3)), {}, rf"input has 28 channels .* expects 3; {PERMUTE}$"),
    (((3, 28, 28), (8, 5, 5, 3)), {}, r"input has 28 .*permute_dims\(\(1, 2, 0\)\)$"),
    (((32, 28, 28, 1), (8, 1, 5, 5)), {}, rf"input has 1 channels .* expects 5; {WEIGHT}$"),
    (((32, 1, 28, 28), (8, 1, 5, 5)), {}, rf".*{PERMUTE}; {WEIGHT}$"),
    (((2, 8, 8, 3), (4, 3, 3, 3)), {"groups": 2}, r".*with groups 2 expects 6$"),
    (
        ((2, 8, 8, 8), (6, 3, 3, 2)),
        {"groups": 4},
        r"the 6 output channels of weight \(6, 3, 3, 2\) cannot be divided into 4 groups",
    ),
    (CALL2D, {"groups": 0}, r"groups must be at least 1, got 0"),
    (CALL2D, {"padding": -1}, r"padding must be at least 0, got -1"),
    (CALL2D, {"stride": (1, 0)}, r"stride must be at least 1, got \(1, 0\)"),
    (CALL2D, {"dilation": 0}, r"dilation must be at least 1"),
    (CALL2D, {"stride": (1, 1, 1)}, r"stride must be an int or a pair of ints, got \(1, 1, 1\)"),
    (
        CALL2D,
        {"padding": "same", "stride": 2},
        r'padding="same" is not supported for strided convolutions, got stride \(2, 2\)',
    ),
    (CALL2D, {"padding": "full"}, r'padding must be "same", "valid" or sizes, got "full"'),
    (
        ((2, 4, 8, 1), (6, 5, 5, 1)),
        {},
        r"the kernel reaches over \(5, 5\) elements .* padded input has only \(4, 8\) \(shape",
    ),
    (CALL2D, {"dilation": 2**30}, r"the kernel reaches over \(2147483649, 2147483649\) elements"),
    (((2, 0, 8, 1), (6, 3, 3, 1)), {"padding": 3}, r"input has no elements along a spatial"),
    (((2, 8, 8, 1), (6, 0, 3, 1)), {}, r"weight must have no axis of size 0"),
    (((2, 8, 8, 0), (6, 3, 3, 0)), {}, r"weight must have no axis of size 0"),
    (((8, 8), (6, 3, 3, 1)), {}, r"input must have 4 dimensions .* got 2 \(shape \(8, 8\)\)"),
    (((2, 8, 8, 1), (6, 3, 3)), {}, r"weight must have 4 dimensions .* got 3"),
    ((*CALL2D, (5,)), {}, r"bias has shape \(5,\), but weight \(6, 3, 3, 1\) expects \(6,\)"),
    (
        CALL2D,
        {"padding": 2**30},
        r"shape \(2, 2147483654, 2147483654, 6\) of float32 has more elements than memory can hold",
    ),
    (CALL2D, {"padding": 2**31}, r"padding must be at most"),
]


def conv2d_errors(name: str) -> list[Error]:
    conv2d, name = getattr(dt, name), "conv2d(_relu)?"  # it mostly speaks of the op that it stands for
    x, w = (zeros(*shape) for shape in CALL2D)

    def wrong(shapes: tuple[tuple[int, ...], ...], options: dict[str, Any], match: str) -> Error:
        return Error(lambda: conv2d(*(zeros(*s) for s in shapes), **options), ValueError, f"^{name}: {match}")

    def wrong_kind(call: Callable[[], Any], match: str) -> Error:
        return Error(call, TypeError, f"^{name}: {match}")

    return [
        *(wrong(*case) for case in WRONG2D),
        wrong_kind(
            lambda: conv2d(x, w, padding=0.5),
            r'padding must be an int, a sequence of ints, "same" or "valid", got float',
        ),
        wrong_kind(
            lambda: conv2d(x, w.astype("float64")), r"input has dtype float32, but weight has dtype float64"
        ),
        wrong_kind(
            lambda: conv2d(x, w, zeros(6, dtype="float64")),
            r"bias has dtype float64, but weight has dtype float32",
        ),
        wrong_kind(lambda: conv2d(x.numpy(), w), r"input must be a Tensor"),
    ]


def conv1d_errors(name: str) -> list[Error]:
    conv1d, name = getattr(dt, name), "conv1d(_relu)?"
    return [
        Error(
            lambda: conv1d(zeros(2, 3, 20), zeros(6, 5, 3)),
            ValueError,
            rf"{name}: input has 20 .* NCL; drivetrain uses NLC: input\.permute_dims\(\(0, 2, 1\)\)$",
        ),
        Error(
            lambda: conv1d(zeros(2, 4, 3), zeros(6, 5, 3)),
            ValueError,
            r"the kernel reaches over \(5,\) elements",
        ),
        Error(
            lambda: conv1d(zeros(2, 8, 3), zeros(6, 5, 3), stride=(1, 2)),
            ValueError,
            r"stride must be an int, got",
        ),
        Error(
            lambda: conv1d(zeros(2, 0, 3), zeros(6, 5, 3)), ValueError, r"no elements along a spatial axis"
        ),
        Error(lambda: conv1d(zeros(2, 8, 8, 3), zeros(6, 5, 3)), ValueError, r"input must have 3 dimensions"),
    ]


def transposed_errors() -> list[Error]:
    f = dt.conv_transpose2d
    return [
        Error(
            lambda: f(zeros(2, 3, 20, 20), zeros(3, 5, 5, 6)),
            ValueError,
            r"conv_transpose2d: input has 20 channels .*NCHW; drivetrain uses NHWC: input\.permute_dims",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), output_padding=1),
            ValueError,
            r"output_padding must be smaller than stride or dilation, got \(1,\) with stride \(1, 1\)",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), padding=5),
            ValueError,
            r"the output would have size \(-1, -1\)",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), padding="same"),
            TypeError,
            r"padding must be an int",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), stride=0),
            ValueError,
            r"stride must be at least 1",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 4), zeros(4, 5, 5, 6), groups=3),
            ValueError,
            r"the 4 input channels of weight \(4, 5, 5, 6\) cannot be divided into 3 groups",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), zeros(5)),
            ValueError,
            r"bias has shape \(5,\), but weight \(3, 5, 5, 6\) expects \(6,\)",
        ),
        Error(
            lambda: f(zeros(2, 5, 5, 3), zeros(3, 5, 5, 6), stride=2**30),
            ValueError,
            r"of float32 has more elements than memory can hold",
        ),
    ]


def transposed1d_errors() -> list[Error]:
    f = dt.conv_transpose1d
    return [
        Error(
            lambda: f(zeros(2, 3, 20), zeros(3, 5, 6)),
            ValueError,
            r"conv_transpose1d: input has 20 channels .*NCL",
        ),
        Error(lambda: f(zeros(2, 5, 3), zeros(3, 5, 6), padding=5), ValueError, r"would have size \(-1,\)"),
        Error(
            lambda: f(zeros(2, 5, 3), zeros(3, 5, 6), stride=-1),
            ValueError,
            r"stride must be at least 1, got -1",
        ),
    ]


def row(
    name: str,
    reference_function: Callable[..., Any],
    axes: int,
    cases: list[Any],
    large: list[Any],
    errors: list[Error],
    transposed: bool = False,
    function: Callable[..., Any] | None = None,
) -> Op:
    x, w, kwargs = cases[0]
    return Op(
        name=name,
        function=function,
        reference=unbatched(reference_function, axes),
        samples=samples_from(cases, transposed),
        empty_samples=samples_from([((0, *x[1:]), w, kwargs), ((0, *x[1:]), w, {"padding": 1})], transposed),
        large_samples=samples_from(large, transposed),
        errors=errors,
        dtypes=ALL_FLOATS,
        differentiable=(0, 1, 2),
    )


conv, transposed = reference.conv, reference.conv_transpose
ROWS = [
    row("conv1d", conv, 1, CONV1D, CONV1D_LARGE, conv1d_errors("conv1d")),
    row("conv2d", conv, 2, CONV2D, CONV2D_LARGE, conv2d_errors("conv2d")),
    row(
        "conv1d_relu",
        relu_of(conv),
        1,
        CONV1D,
        CONV1D_LARGE[:2],
        conv1d_errors("conv1d"),
        function=dt._core._conv1d_relu,
    ),
    row(
        "conv2d_relu",
        relu_of(conv),
        2,
        CONV2D,
        CONV2D_LARGE[:4],
        conv2d_errors("conv2d"),
        function=dt._core._conv2d_relu,
    ),
    row("conv_transpose1d", transposed, 1, TRANSPOSED1D, TRANSPOSED1D_LARGE, transposed1d_errors(), True),
    row("conv_transpose2d", transposed, 2, TRANSPOSED2D, TRANSPOSED2D_LARGE, transposed_errors(), True),
]
