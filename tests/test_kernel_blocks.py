"""Matrix products and convolutions at sizes round the blocks of the kernels, which small samples miss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
import reference
from drivetrain import _core
from op_table.tools import on_threads

rng = np.random.default_rng(11)


def close(got: np.ndarray, want: np.ndarray, scale: float) -> None:
    # scale: the root of the number of terms; roundings of a long sum add up as the sum itself grows.
    tolerance = (40 * scale + 4 * scale * scale) * float(np.finfo(got.dtype).eps)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance)


SIZES = [
    (1, 33, 300),
    (300, 1, 257),
    (3, 2000, 70),
    (1, 1030, 83),  # longer than a run of one row
    (83, 3, 300),  # few columns
    (41, 9, 512),  # one vector of columns
    (7, 45, 300),  # few rows or columns: dot products where both operands have their depth adjacent
    (12, 30, 513),
    (67, 10, 256),
    (14, 32, 256),
    (15, 33, 257),
    (29, 31, 255),
    (113, 65, 130),
]
LARGE = [
    (20, 25, 9000),
    (337, 129, 513),
    (28, 600, 300),
    (30, 1100, 700),
    (1500, 20, 80),
    (256, 64, 5000),
    (5, 7, 0),
    (64, 130, 512),  # a depth block, one element less and one more
    (64, 130, 511),
    (64, 130, 513),
    (127, 255, 128),  # blocks of C that one task computes
    (128, 256, 128),
    (129, 257, 128),
    (257, 1023, 512),  # pieces of B that are packed at a time
    (257, 1024, 520),
    (150, 1025, 1030),
    (1030, 150, 300),  # the larger operand stays where it is, and C is turned
    (129, 1024, 300),  # rows that share sets of the cache
    (20, 1024, 1024),
    (45, 1056, 600),  # rows of B packed by the first of several tiles
    (600, 1030, 1100),  # a B that needs no turn, packed for many tasks, in pieces
    (1100, 500, 1030),  # blocks of rows that grow smaller
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SIZES + LARGE)
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
def test_product(shape: tuple[int, int, int], turned: tuple[bool, bool], dtype: str) -> None:
    m, n, k = shape
    a = rng.standard_normal((k, m) if turned[0] else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if turned[1] else (k, n)).astype(dtype)
    # Views: the strides reach the kernel.
    left, right = (dt.from_numpy(v.T if turn else v) for v, turn in zip((a, b), turned, strict=True))
    (got,) = on_threads(lambda: [dt.matmul(left, right)])
    want = (a.T if turned[0] else a).astype("float64") @ (b.T if turned[1] else b).astype("float64")
    close(got, want, max(1.0, k**0.5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    "shape", [(14, 16, 20), (16, 33, 20), (32, 70, 64), (64, 129, 784), (100, 30, 40), (257, 530, 1030)]
)
def test_linear(shape: tuple[int, int, int], relu: bool, dtype: str) -> None:
    m, n, k = shape
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (n, k), (n,)))
    function = _core._linear_relu if relu else dt.nn.functional.linear
    (got,) = on_threads(lambda: [function(*(dt.from_numpy(v) for v in (x, w, b)))])
    want = x.astype("float64") @ w.T.astype("float64") + b
    close(got, np.maximum(want, 0) if relu else want, k**0.5)


CONVOLUTIONS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    # The shape of x, that of the weight, options. One row per path of the kernels.
    ((3, 28, 28, 1), (6, 5, 5, 1), {"padding": 2}),  # one input channel
    ((2, 9, 32, 3), (2, 3, 3, 3), {"padding": 1}),  # few filters: lanes along a row
    ((2, 9, 61, 2), (1, 4, 5, 2), {"padding": 2, "stride": (1, 2)}),
    ((2, 33, 37, 11), (7, 3, 4, 11), {"padding": (1, 3), "stride": (2, 3), "dilation": (1, 2)}),
    ((1, 40, 67, 9), (8, 3, 3, 9), {"padding": 2}),  # a band of rows at a time, the gradient of x as well
    ((1, 31, 34, 8), (20, 3, 3, 8), {"padding": 1}),
    ((3, 14, 14, 6), (16, 5, 5, 6), {}),  # few channels: rows of the gradient of x from sums of windows
    ((2, 23, 21, 3), (40, 7, 7, 3), {"padding": 3, "stride": 2}),
    ((2, 19, 23, 2), (9, 5, 3, 2), {"padding": (4, 0), "stride": (4, 1), "dilation": (2, 3)}),
    ((2, 12, 13, 4), (18, 3, 3, 2), {"padding": 1, "stride": 2, "groups": 2}),
    ((2, 17, 16, 40), (33, 3, 3, 40), {"padding": 1}),
    ((2, 17, 16, 40), (33, 3, 3, 40), {"padding": 1, "stride": 2}),  # a correlation per remainder
    ((2, 19, 18, 20), (31, 3, 2, 20), {"padding": 2, "stride": (3, 2), "dilation": (2, 3)}),
    ((2, 13, 12, 16), (20, 3, 3, 16), {"padding": 1, "stride": 2}),  # pixels as far apart as rows of a tile
    ((2, 9, 9, 12), (16, 3, 3, 6), {"padding": 1, "groups": 2}),
    ((5, 4, 4, 50), (70, 3, 3, 50), {"padding": 1}),
    ((5, 6, 4, 50), (70, 3, 3, 50), {"padding": (1, 2), "dilation": 2}),  # narrow: patches
    ((9, 7, 1, 20), (30, 3, 1, 20), {"padding": (1, 0)}),  # and for tiles of four rows
    ((1, 6, 9, 512), (17, 3, 3, 512), {"padding": 1}),  # neighbours that share sets of the cache
    ((2, 12, 12, 48), (30, 3, 3, 16), {"padding": 1, "groups": 3}),
    ((2, 12, 13, 37), (37, 3, 3, 1), {"padding": 1, "groups": 37}),  # depthwise
    ((2, 12, 13, 37), (37, 3, 3, 1), {"stride": 2, "groups": 37}),
    ((2, 14, 11, 36), (36, 3, 3, 2), {"padding": 1, "groups": 18}),  # groups of few channels
    ((2, 12, 13, 44), (44, 3, 5, 4), {"padding": (1, 2), "stride": (1, 2), "groups": 11}),
    ((2, 12, 13, 40), (40, 3, 3, 8), {"padding": 2, "dilation": 2, "groups": 5}),
    ((9, 5, 4, 12), (20, 5, 4, 12), {}),  # a window over the whole image
    ((2, 20, 20, 24), (40, 1, 1, 24), {}),  # a plain product
    ((2, 20, 20, 24), (40, 1, 1, 24), {"stride": 2}),  # most of x has no part in it
    ((2, 5, 5, 256), (272, 3, 3, 256), {"padding": 1}),  # a weight that the threads divide
    ((3, 9, 8, 100), (150, 3, 3, 100), {"padding": 1, "stride": 2}),
    ((3, 20, 40, 900), (17, 1, 1, 900), {"stride": (1, 2)}),  # pixels gathered in several blocks
    ((2, 14, 40, 19), (19, 5, 5, 1), {"padding": 2, "groups": 19}),  # depthwise: rows of several blocks
    ((2, 14, 40, 32), (32, 3, 7, 1), {"padding": (0, 3), "stride": (1, 2), "groups": 32}),
    # Winograd: tiles that leave the image, pads of 0 to 2, channels round whole vectors.
    ((2, 16, 16, 16), (16, 3, 3, 16), {"padding": 1}),
    ((3, 13, 15, 17), (34, 3, 3, 17), {"padding": 1}),
    ((3, 14, 18, 33), (31, 3, 3, 33), {}),
    ((3, 11, 14, 32), (47, 3, 3, 32), {"padding": 2}),
    ((1, 61, 19, 20), (65, 3, 3, 20), {"padding": "same"}),
    ((2, 12, 11, 130), (140, 3, 3, 130), {"padding": 1}),  # tiles shared by all tasks
    ((5, 8, 8, 290), (260, 3, 3, 290), {"padding": 1}),  # and filters a block at a time
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CONVOLUTIONS)
def test_convolution(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: dict[str, Any], dtype: str, level: str
) -> None:
    x, w = (rng.standard_normal(s).astype(dtype) for s in (x_shape, w_shape))
    bias = rng.standard_normal(w_shape[0]).astype(dtype)
    want = reference.conv(x.astype("float64"), w.astype("float64"), bias.astype("float64"), **options)
    g = rng.standard_normal(want.shape).astype(dtype)

    def run() -> list[Any]:
        tensors = [dt.tensor(v, requires_grad=True) for v in (x, w, bias)]
        y = dt.conv2d(*tensors, **options)
        y.backward(dt.tensor(g))
        return [y.detach().numpy(), *(v.grad.numpy() for v in tensors)]

    y, dx, dw, db = on_threads(run)
    close(y, want, float(np.prod(w_shape[1:])) ** 0.5)
    close(db, g.astype("float64").sum((0, 1, 2)), g[..., 0].size ** 0.5)
    # The convolution is linear in x and in w: its gradients satisfy <dx, u> = <g, conv(u, w)> for every u.
    x64, w64, g64 = (v.astype("float64") for v in (x, w, g))
    for _ in range(4):
        u, v = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
        for gradient, direction, moved in (
            (dx, u, reference.conv(u, w64, **options)),
            (dw, v, reference.conv(x64, v, **options)),
        ):
            scale = float(np.linalg.norm(gradient.astype("float64")) * np.linalg.norm(direction))
            got = float((gradient.astype("float64") * direction).sum())
            assert abs(got - float((g64 * moved).sum())) <= 40 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
@pytest.mark.parametrize(("x_shape", "w_shape", "options"), CONVOLUTIONS)
def test_half_convolution(
    x_shape: tuple[int, ...], w_shape: tuple[int, ...], options: dict[str, Any], half: str, level: str
) -> None:
    """What is stored is rounded once; the gradient of a float32 weight is not rounded at all."""
    shapes = [
        x_shape,
        w_shape,
        w_shape[:1],
        reference.conv(np.zeros(x_shape), np.zeros(w_shape), **options).shape,
    ]
    x, w, bias, g = (
        dt.tensor(rng.standard_normal(s).astype("float32")).astype(half).astype("float32") for s in shapes
    )

    def run(dtype: str | None) -> list[Any]:
        images, weight = dt.tensor(x, requires_grad=True), dt.tensor(w, requires_grad=True)
        with dt.autocast(dtype or "bfloat16", enabled=dtype is not None):
            given = images if dtype is None else images.astype(dtype)
            y = dt.conv2d(given, weight, bias, **options)
        y.backward(g.astype(y.dtype))
        assert y.dtype == (dtype or dt.float32)
        return [y.detach().astype("float32").numpy(), images.grad.numpy(), weight.grad.numpy()]

    rounding = 2.0**-11 if half == "float16" else 2.0**-8
    terms = [float(np.prod(w_shape[1:])), float(np.prod(w_shape[:3])), float(np.prod(shapes[3][:3]))]
    found = on_threads(lambda: run(half))
    for got, want, n, stored in zip(found, run(None), terms, (rounding, rounding, 0), strict=True):
        np.testing.assert_allclose(got, want, rtol=1.01 * stored, atol=(80 * n**0.5 + 8 * n) * 2.0**-24)


# The pixels pass by once and the weight stays: shapes of x, filters, strides.
LARGE_IMAGES = [
    ((2, 170, 180, 64), 128, 1),  # results so large that they are written past the caches
    ((2, 171, 179, 112), 48, 1),
    ((2, 171, 179, 112), 48, 2),
    ((3, 101, 103, 51), 45, 1),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "filters", "stride"), LARGE_IMAGES)
def test_pointwise_on_large_images(
    shape: tuple[int, ...], filters: int, stride: int, dtype: str, level: str
) -> None:
    x, w = rng.standard_normal(shape).astype(dtype), rng.standard_normal((filters, shape[-1])).astype(dtype)
    g = rng.standard_normal((*x[:, ::stride, ::stride, 0].shape, filters)).astype(dtype)
    bias = rng.standard_normal(filters).astype(dtype)

    def run() -> list[Any]:
        images, weight = dt.tensor(x, requires_grad=True), dt.tensor(w[:, None, None], requires_grad=True)
        y = dt.conv2d(images, weight, dt.tensor(bias), stride=stride)
        y.backward(dt.tensor(g))
        return [y.detach().numpy(), images.grad.numpy(), weight.grad.numpy()]

    y, dx, dw = on_threads(run)
    x64, w64, g64 = (v.astype("float64") for v in (x[:, ::stride, ::stride], w, g))
    want = np.zeros(shape)
    want[:, ::stride, ::stride] = g64 @ w64
    close(y, x64 @ w64.T + bias, shape[-1] ** 0.5)
    close(dx, want, filters**0.5)
    terms = g64[..., 0].size
    close(dw[:, 0, 0], g64.reshape(terms, -1).T @ x64.reshape(terms, -1), terms**0.5)


def convolve(x: np.ndarray, w: np.ndarray, g: np.ndarray | None, options: dict[str, Any]) -> list[np.ndarray]:
    """The result and, for a gradient g of it, those of x and w."""
    tensors = [dt.tensor(v, requires_grad=True) for v in (x, w)]
    y = dt.conv2d(*tensors, **options)
    y.backward(dt.tensor(g) if g is not None else dt.ones_like(y))
    return [y.detach().numpy(), *(v.grad.numpy() for v in tensors)]


@pytest.mark.parametrize(
    ("shape", "weight", "options"),
    [
        ((9, 220, 216, 3), (64, 5, 5, 3), {"padding": 2, "stride": 2}),  # a large result
        ((9, 122, 118, 64), (48, 3, 3, 64), {"padding": 1, "stride": 2}),  # a large gradient, by remainders
    ],
)
def test_large_results_of_windows(
    shape: tuple[int, ...], weight: tuple[int, ...], options: dict[str, Any], level: str
) -> None:
    """Long enough for stores past the caches: the same bits as the last image by itself."""
    x, w = (rng.standard_normal(s).astype("float32") for s in (shape, weight))
    y, dx = on_threads(lambda: convolve(x, w, None, options)[:2])
    alone = convolve(x[-1:], w, None, options)
    assert max(y.nbytes, dx.nbytes) >= 24 << 20
    np.testing.assert_array_equal(y[-1:], alone[0])
    np.testing.assert_array_equal(dx[-1:], alone[1])


def winograd_matrices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A', G and B' of F(4x4, 3x3) at the points 0, +-5/8, +-3/2, infinity: polynomials and their values."""
    points = [0.0, 0.625, -0.625, 1.5, -1.5]
    others = [[q for q in points if q != p] for p in points]
    powers = np.vander(points, 5, increasing=True)
    weights = (
        powers[:, :3]
        / np.array([np.prod(p - np.array(q)) for p, q in zip(points, others, strict=True)])[:, None]
    )
    inputs = np.zeros((6, 6))
    for row, roots in enumerate([*others, points]):
        inputs[row, : len(roots) + 1] = np.polynomial.polynomial.polyfromroots(roots)
    outputs = np.zeros((4, 6))
    outputs[:, :5], outputs[3, 5] = powers[:, :4].T, 1
    return outputs, np.vstack([weights, [0, 0, 1]]), inputs


def growth(last: np.ndarray, first: np.ndarray, second: np.ndarray, terms: int) -> np.ndarray:
    """How much larger the errors of a result are than with plain sums of as many products, by its place.

    Each of the 36 products has an error in proportion to its size, which is that of its factors, the rows of
    the first two transforms; the last transform adds them up. Independent errors add as squares.
    """
    sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    line = np.sqrt(((last * sizes) ** 2).sum(axis=1))
    return np.outer(line, line) / terms**0.5


@pytest.mark.parametrize(
    ("images", "size", "channels", "filters"),
    [(4, 24, 16, 24), (2, 30, 64, 64), (8, 13, 130, 150), (64, 4, 512, 256)],
)
def test_winograd_error(images: int, size: int, channels: int, filters: int, level: str) -> None:
    x = rng.standard_normal((images, size, size, channels))
    w = rng.standard_normal((filters, 3, 3, channels))
    g = rng.standard_normal((images, size, size, filters))
    options = {"padding": 1}
    want = convolve(x, w, g, options)
    before = _core._kernel_paths()
    got = convolve(*(v.astype("float32") for v in (x, w, g)), options)
    after = _core._kernel_paths()
    ran = {name for name in after if after[name] > before[name]}
    assert ran in (
        {"conv_winograd", "conv_weight_winograd"},
        {"conv_winograd_shared", "conv_weight_winograd_shared"},
        {"conv_winograd", "conv_weight_winograd_shared"},
    )

    last, weight, inputs = winograd_matrices()
    forward = growth(last, weight, inputs, 9)
    tiles = images * (-(-size // 4)) ** 2
    # A sum of n products gathers an error of sqrt(n / 6) units in the last place, the transforms some 8 more.
    for a, b, kappa, terms in (
        (got[0], want[0], forward, channels),
        (got[1], want[1], forward, filters),
        (got[2], want[2], growth(weight.T, inputs, last.T, 16), tiles),
    ):
        unit = 2.0**-24 * (terms / 6 + 8) ** 0.5 * float(np.sqrt((b**2).mean()))
        error = np.abs(a.astype("float64") - b)
        assert np.sqrt((error**2).mean()) <= np.sqrt((kappa**2).mean()) * unit
        assert error.max() <= 8 * kappa.max() * unit  # of a million values with long tails


PRODUCTS = [
    (1, 50, 40),
    (64, 512, 200),
    (3, 4, 50),
    (20, 30, 40),
    (400, 100, 100),
    (60, 900, 100),
    (30, 40, 5000),
]


def test_every_path_runs(level: str) -> None:
    before = _core._kernel_paths()
    for m, n, k in PRODUCTS:
        a, b = dt.ones((m, k)), dt.ones((k, n))
        assert float(dt.matmul(a, b).sum().item()) == m * n * k
        dt.matmul(a, dt.ones((n, k)).permute_dims((1, 0)))
    for x_shape, w_shape, options in CONVOLUTIONS:
        convolve(np.ones(x_shape, "float32"), np.ones(w_shape, "float32"), None, options)
    shape, filters, _ = LARGE_IMAGES[0]
    convolve(np.ones(shape, "float32"), np.ones((filters, 1, 1, shape[-1]), "float32"), None, {})
    after = _core._kernel_paths()
    assert [name for name in after if after[name] == before[name]] == []


@pytest.mark.parametrize("groups", [1, 20])
def test_strides_far_beyond_the_image(groups):
    # One product per position that the stride reaches, not one per step of it.
    x = dt.ones(1, 9, 9, 20, requires_grad=True)
    weight = dt.ones(20, 3, 3, 20 // groups, requires_grad=True)
    y = dt.conv2d(x, weight, stride=2**30, padding=1, groups=groups)
    assert y.shape == (1, 1, 1, 20)
    y.sum().backward()
    want = np.zeros((1, 9, 9, 20))
    want[:, :2, :2] = 20 / groups
    np.testing.assert_array_equal(x.grad.numpy(), want)


@pytest.mark.parametrize("activation", ["relu", "none"])
def test_few_filters_with_activation(level: str, activation: str) -> None:
    x, w, b = (rng.standard_normal(s).astype("float32") for s in ((2, 9, 37, 3), (2, 3, 3, 3), (2,)))
    function = _core._conv2d_relu if activation == "relu" else _core.conv2d
    before = _core._kernel_paths()["conv_planes"]
    (got,) = on_threads(lambda: [function(*(dt.tensor(v) for v in (x, w, b)), padding=1)])
    assert _core._kernel_paths()["conv_planes"] > before
    want = reference.conv(*(v.astype("float64") for v in (x, w, b)), padding=1)
    close(got, np.maximum(want, 0) if activation == "relu" else want, 27**0.5)


@pytest.mark.parametrize(
    ("shape", "weight", "stride", "groups"),
    [
        ((2, 20, 20, 33), (40, 1, 1, 33), 1, 1),
        ((8, 40, 40, 96), (128, 1, 1, 96), 1, 1),  # so large that the pixels pass by once
        ((2, 21, 20, 33), (40, 1, 1, 33), 2, 1),
        ((2, 24, 24, 16), (32, 3, 3, 16), 1, 1),
        ((2, 15, 16, 130), (140, 3, 3, 130), 1, 1),
        ((2, 21, 22, 18), (17, 3, 3, 18), 2, 1),
        ((3, 6, 5, 40), (24, 3, 3, 40), 2, 1),
        ((2, 9, 9, 48), (40, 1, 1, 48), 3, 1),
        ((2, 9, 9, 40), (40, 3, 3, 20), 1, 2),
        ((2, 9, 37, 3), (20, 3, 3, 3), 2, 1),  # these two ways cannot add
        ((2, 9, 9, 20), (20, 3, 3, 1), 1, 20),
    ],
)
def test_gradients_that_meet(
    shape: tuple[int, ...], weight: tuple[int, ...], stride: int, groups: int, level: str
) -> None:
    """A convolution adds to the gradient that another use of its input has left."""
    x, w = (rng.standard_normal(s).astype("float32") for s in (shape, weight))
    options = {"stride": stride, "padding": weight[1] // 2, "groups": groups}
    other = rng.standard_normal(shape).astype("float32")

    def grads() -> list[dt.Tensor]:
        leaf = dt.tensor(x, requires_grad=True)
        inner = leaf * 2.0
        seen: list[dt.Tensor] = []
        inner.register_hook(lambda g: seen.append(g.clone()))
        y = dt.conv2d(inner, dt.tensor(w), **options)
        branch = inner * dt.tensor(other)  # recorded later, so its gradient comes first
        dt.autograd.backward([y, branch], [dt.ones(*y.shape), dt.ones(*shape)])
        return [leaf.grad, *seen]

    got, hooked = on_threads(grads)
    leaf = dt.tensor(x, requires_grad=True)
    dt.conv2d(leaf, dt.tensor(w), **options).sum().backward()
    want = leaf.grad.numpy() + other
    close(hooked, want, (weight[0] * weight[1] * weight[2]) ** 0.5)
    np.testing.assert_array_equal(got, hooked * 2)


@pytest.mark.parametrize("few", [5, 10, 12])
@pytest.mark.parametrize("offset", [0, 1, 16])
def test_few_items_that_lie_across_cache_lines(few: int, offset: int) -> None:
    rng = np.random.default_rng(4)
    for k in (20, 256, 257):
        rows = rng.standard_normal((64, k)).astype(np.float32)
        memory = rng.standard_normal(few * k + offset).astype(np.float32)
        items = memory[offset:].reshape(few, k)
        product = dt.tensor(rows) @ dt.from_numpy(memory)[offset:].reshape((few, k)).T
        np.testing.assert_allclose(product.numpy(), rows @ items.T, rtol=1e-4, atol=1e-4)
