"""Kernels that read and write halves without an array of float32 between, at the sizes around blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads

HALVES = ("float16", "bfloat16")
SIZES = (1, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 65)
SPECIAL = (np.inf, -np.inf, np.nan, -0.0, 1e-7, -1e-7, 6e-8, 65504.0, -65504.0)

pytestmark = pytest.mark.usefixtures("level")


def bits(x: dt.Tensor) -> np.ndarray:
    return np.frombuffer(x.tobytes(), np.uint16).reshape(x.shape)


def random(shape: tuple[int, ...], dtype: str) -> dt.Tensor:
    return dt.tensor(np.random.default_rng(5).standard_normal(shape), dtype=dtype)


OPS: dict[str, Callable[..., dt.Tensor]] = {
    "negative": dt.negative,
    "relu": dt.relu,
    "exp": dt.exp,
    "add": lambda x: x + x,
    "multiply": lambda x: x * x,
    "in place": lambda x: x.clone().add_(x),
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", OPS)
def test_elementwise_ops_round_what_float32_gives(name: str, dtype: str) -> None:
    """What is rare (infinity, NaN, subnormals) at every place of a vector and behind the last one."""
    for size in SIZES:
        plain = random((size,), dtype)
        for place, special in enumerate((0.5, *(SPECIAL * size)[: 2 * size])):
            values = plain.astype("float32").numpy()
            values[place % size] = special
            x = dt.tensor(values, dtype=dtype)
            np.testing.assert_array_equal(
                bits(OPS[name](x)), bits(OPS[name](x.astype("float32")).astype(dtype)), str((size, place))
            )


@pytest.mark.parametrize("dtype", HALVES)
def test_elementwise_ops_of_transposed_halves(dtype: str) -> None:
    for rows, columns in ((3, 5), (32, 64), (33, 65), (70, 130)):
        x, y = random((rows, columns), dtype), random((columns, rows), dtype)
        expected = x.astype("float32") + y.astype("float32").T
        np.testing.assert_array_equal(bits(x + y.T), bits(expected.astype(dtype)))
        np.testing.assert_array_equal(bits(y.T + 0.0), bits(y.T.contiguous() + 0.0))


@pytest.mark.parametrize("dtype", HALVES)
def test_halves_are_moved_bit_by_bit(dtype: str) -> None:
    for rows, columns in ((1, 7), (8, 16), (16, 32), (31, 33), (64, 64), (65, 129)):
        x = dt.frombuffer(
            np.random.default_rng(rows).integers(0, 1 << 16, rows * columns, dtype=np.uint16).tobytes(), dtype
        ).reshape(rows, columns)
        np.testing.assert_array_equal(bits(x.T.contiguous()), bits(x).T)
        for share in (0.1, 0.5, 0.95):
            mask = np.random.default_rng(columns).random((rows, columns)) < share
            np.testing.assert_array_equal(bits(x[dt.tensor(mask)]), bits(x)[mask])
        np.testing.assert_array_equal(
            bits(dt.full((rows, columns), 0.1, dtype=dtype)), bits(dt.tensor(0.1, dtype))
        )


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_integers_round_once_wherever_the_large_one_stands(kind: type, dtype: str) -> None:
    for large in (2**24, 2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31), 2049, 257, 65519, 65520):
        x: np.ndarray = np.arange(-300, 300).astype(kind)
        x[299] = large
        np.testing.assert_array_equal(
            bits(dt.tensor(x).astype(dtype)), bits(dt.tensor(x.astype(np.float64)).astype(dtype))
        )


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("axis", [0, 1])
def test_cumsum_goes_on_from_piece_to_piece(axis: int, dtype: str) -> None:
    x = random((1300, 3) if axis == 0 else (3, 1300), dtype)
    exact = np.cumsum(x.astype("float64").numpy(), axis)
    np.testing.assert_array_equal(
        bits(dt.cumsum(x, axis)), bits(dt.tensor(exact, dtype="float32").astype(dtype))
    )

    ones = dt.ones(x.shape, dtype=dtype, requires_grad=True)
    dt.cumsum(ones, axis).sum().backward()
    assert ones.grad is not None
    counts = np.arange(1300, 0, -1, dtype=np.float32).reshape(-1 if axis == 0 else 1, 1300 if axis else 1)
    np.testing.assert_array_equal(
        bits(ones.grad), bits(dt.tensor(np.broadcast_to(counts, x.shape).copy()).astype(dtype))
    )


@pytest.mark.parametrize("dtype", HALVES)
def test_rows_that_are_added_to_one_place(dtype: str) -> None:
    for width in SIZES:
        index = np.random.default_rng(width).integers(0, 4, 20)
        source = random((20, width), dtype)

        def added(
            source: dt.Tensor = source, index: np.ndarray = index, width: int = width
        ) -> list[np.ndarray]:
            zeros = dt.zeros((4, width), dtype=dtype)
            places = dt.tensor(np.repeat(index[:, None], width, 1))
            return [bits(zeros.scatter_add(places, source, 0)), bits(source.take(dt.tensor(index), 0))]

        sums, rows = on_threads(added)
        expected = dt.zeros((4, width), dtype=dtype)
        for row, at in enumerate(index):
            expected[int(at)] = expected[int(at)] + source[row]
        np.testing.assert_array_equal(sums, bits(expected))
        np.testing.assert_array_equal(rows, bits(source)[index])


REDUCTIONS: dict[str, Callable[..., dt.Tensor]] = {
    "argmax": dt.argmax,
    "argmin": dt.argmin,
    "max": dt.max,
    "min": dt.min,
    "any": dt.any,
    "all": dt.all,
    "count_nonzero": dt.count_nonzero,
    "sum": dt.sum,
    "prod": dt.prod,
    "var": dt.var,
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_give_what_float32_gives(name: str, dtype: str) -> None:
    """Rows and columns of all lengths, dense and strided, with ties, both zeros, infinity and NaN."""
    rng = np.random.default_rng(6)
    op = REDUCTIONS[name]
    for n in (*SIZES, 100, 127, 128, 129, 2050):
        values = rng.integers(-3, 4, (3, n)).astype(np.float32) * 0.25
        values[0] *= -1  # zeros of either sign
        for special in (None, np.inf, np.nan):
            if special is not None:
                values[1, n // 2] = special
            for x in (dt.tensor(values, dtype=dtype), dt.tensor(values.repeat(2, 1), dtype=dtype)[:, ::2]):
                for axis, halves in ((1, x), (0, x), (0, x.T), (0, x.T.contiguous())):
                    got, expected = op(halves, axis=axis), op(halves.astype("float32"), axis=axis)
                    np.testing.assert_array_equal(
                        got.astype("float64").numpy(), expected.astype(got.dtype).astype("float64").numpy()
                    )


@pytest.mark.parametrize("channels", [20, 32, 48, 77])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_convolutions_of_bfloat16_round_what_float32_gives(channels: int, stride: int) -> None:
    """Channels in pairs of vectors, in one vector and in part of one; bias, ReLU and borders."""
    rng = np.random.default_rng(7)
    x = dt.tensor(rng.standard_normal((2, 9, 11, channels)), dtype="bfloat16")
    weight = dt.tensor(rng.standard_normal((channels, 3, 5, 1)), dtype="bfloat16")
    bias = dt.tensor(rng.standard_normal(channels), dtype="bfloat16")
    for activation in (None, "relu"):
        results = []
        for dtype in ("bfloat16", "float32"):
            arrays = [each.astype(dtype) for each in (x, weight, bias)]
            y = dt.nn.functional.conv2d(*arrays, stride=stride, padding=(1, 2), groups=channels)
            y = dt.relu(y) if activation else y
            results.append(y.astype("float32").numpy())
        np.testing.assert_allclose(results[0], results[1], rtol=2**-8, atol=1e-5)
        assert not activation or results[0].min() == 0


def test_subnormal_numbers_are_rounded_and_not_lost() -> None:
    """By loops over pairs of vectors and over single ones, whatever the CPU's instruction makes of them."""
    small = np.ldexp(np.arange(1, 129, dtype=np.float64), -133)  # the first 127 are subnormal
    for count in (*SIZES, 128):
        for sign in (1, -1):
            x = dt.tensor(sign * small[:count], dtype="bfloat16")
            assert bits(x * dt.ones(count, dtype="bfloat16")).tolist() == bits(x).tolist()
    x = dt.tensor(np.tile(small[:120], 9).reshape(1, 3, 3, 120), dtype="bfloat16")
    for channels in (20, 120):
        part = x[..., :channels].contiguous()
        weight = dt.zeros((channels, 3, 3, 1), dtype="bfloat16")
        weight[:, 1, 1] = 1
        y = dt.nn.functional.conv2d(part, weight, padding=1, groups=channels)
        assert np.array_equal(bits(y), bits(part))


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(3, 7, 2), (16, 3, 2), (5, 5, 1), (1, 3, 1)])
def test_convolutions_of_few_channels(channels: int, kernel: int, stride: int) -> None:
    """Lines of a window that are copied as one, at the borders pixel by pixel."""
    rng = np.random.default_rng(8)
    x = dt.tensor(rng.standard_normal((3, 13, 17, channels)), dtype="bfloat16")
    weight = dt.tensor(rng.standard_normal((32, kernel, kernel, channels)), dtype="bfloat16")
    results = []
    for dtype in ("bfloat16", "float32"):
        inputs = [each.astype(dtype).requires_grad_() for each in (x, weight)]
        y = dt.nn.functional.conv2d(*inputs, stride=stride, padding=kernel // 2)
        y.backward(dt.ones(y.shape, dtype=dtype))
        results.append([each.detach().float().numpy() for each in (y, inputs[0].grad, inputs[1].grad)])
    for half, single in zip(*results, strict=True):
        np.testing.assert_allclose(half, single, rtol=2**-8, atol=2e-3)
