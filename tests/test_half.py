"""float16 and bfloat16: conversions bit by bit, and what is particular to storing halves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import isa

LEVELS = list(dt.isa_levels())
HALVES = ("float16", "bfloat16")
BITS = np.arange(65536, dtype=np.uint16)


def to_half(x: np.ndarray, dtype: str) -> np.ndarray:
    """The bits that `astype` gives."""
    return np.frombuffer(dt.tensor(x).astype(dtype).tobytes(), np.uint16)


def from_half(bits: np.ndarray, dtype: str) -> np.ndarray:
    return dt.frombuffer(bits.tobytes(), dtype=dtype).astype("float32").numpy()


def widened(bits: np.ndarray, dtype: str) -> np.ndarray:
    """The values of halves, by NumPy."""
    if dtype == "float16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def nearest_bfloat16(x: np.ndarray) -> np.ndarray:
    """The nearer of the two neighbours; of two as near the one whose last bit is 0."""
    u = x.view(np.uint32)
    low = (u & 0xFFFF0000).view(np.float32).astype(np.float64)
    high_bits = (u & 0xFFFF0000) + np.uint32(0x10000)
    high = high_bits.view(np.float32).astype(np.float64)
    high = np.where(np.isinf(high), np.copysign(2.0**128, low), high)  # what infinity stands for
    exact = x.astype(np.float64)
    down, up = np.abs(exact - low), np.abs(high - exact)
    odd = (u >> 16 & 1).astype(bool)
    rounded = np.where((up < down) | ((up == down) & odd), high_bits, u & 0xFFFF0000)
    return (np.where(np.isinf(x), u, rounded) >> 16).astype(np.uint16)


def nearest(x: np.ndarray, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return x.astype(np.float16).view(np.uint16) if dtype == "float16" else nearest_bfloat16(x)


def float32_values(dtype: str) -> np.ndarray:
    """Ten million random bit patterns, every half value, the points between, and the neighbours of both."""
    random = np.random.default_rng(3).integers(0, 1 << 32, 10_000_000, dtype=np.uint32)
    halves = widened(BITS[np.isfinite(widened(BITS, dtype))], dtype).astype(np.float64)
    halves = np.unique(halves)
    limit = 65536.0 if dtype == "float16" else 2.0**128
    ends = np.concatenate([[-limit], halves, [limit]])
    with np.errstate(over="ignore"):
        points = np.concatenate([ends, (ends[1:] + ends[:-1]) / 2]).astype(np.float32)
    around = [np.nextafter(points, np.float32(to)) for to in (-np.inf, np.inf)]
    special = np.array([np.inf, -np.inf, 0.0, -0.0], np.float32)
    return np.concatenate([random.view(np.float32), points, *around, special])


@pytest.mark.parametrize("dtype", HALVES)
def test_every_half_becomes_the_same_float32(dtype: str) -> None:
    expected = widened(BITS, dtype)
    numbers = ~np.isnan(expected)
    found = {}
    for level in LEVELS:
        with isa(level):
            found[level] = from_half(BITS, dtype)
        assert np.array_equal(found[level][numbers].view(np.uint32), expected[numbers].view(np.uint32))
        assert np.isnan(found[level][~numbers]).all()
        assert np.array_equal(found[level].view(np.uint32), found[LEVELS[0]].view(np.uint32))
        with isa(level):
            back = to_half(found[level], dtype)
        assert np.array_equal(back[numbers], BITS[numbers])
        quiet = 0x0200 if dtype == "float16" else 0x0040
        assert np.array_equal(back[~numbers], BITS[~numbers] | quiet)  # NaN keeps its sign and its bits


@pytest.mark.parametrize("dtype", HALVES)
def test_float32_rounds_to_the_nearest_half(dtype: str) -> None:
    x = float32_values(dtype)
    expected = nearest(x, dtype)
    numbers = ~np.isnan(x)
    first = None
    for level in LEVELS:
        with isa(level):
            actual = to_half(x, dtype)
        wrong = np.flatnonzero(numbers & (actual != expected))
        assert not wrong.size, f"{level}: {x[wrong[:3]]} became {actual[wrong[:3]]}"
        assert np.isnan(widened(actual[~numbers], dtype)).all()
        first = actual if first is None else first
        assert np.array_equal(actual, first), level


@pytest.mark.parametrize("dtype", HALVES)
def test_large_arrays_are_converted_past_the_caches(level: str, dtype: str) -> None:
    """Arrays of more than 24 MB are written with other instructions."""
    n = (13 << 20) + 37
    x = np.random.default_rng(4).standard_normal(n, np.float32)
    half = dt.tensor(x).astype(dtype)
    bits = np.frombuffer(half.tobytes(), np.uint16)
    back = half.astype("float32").numpy()
    assert np.array_equal(bits, nearest(x, dtype))
    assert np.array_equal(back, widened(bits, dtype))


@pytest.mark.parametrize("dtype", HALVES)
def test_float64_and_integers_round_once(level: str, dtype: str) -> None:
    """A tie, and what lies beside it by less than float32 can tell."""
    bits = 11 if dtype == "float16" else 8
    one, ulp = 1.0, 2.0 ** (1 - bits)
    tie = one + ulp / 2
    x = np.array([tie, tie + 2.0**-40, tie - 2.0**-40, -tie - 2.0**-40, 3.0])
    actual = dt.tensor(x, dtype="float64").astype(dtype).astype("float64").numpy()
    assert actual.tolist() == [one, one + ulp, one, -one - ulp, 3.0]
    for integer, shift in (("int32", 30), ("int64", 62), ("int64", 40)):
        if dtype == "float16":
            continue  # integers beyond 65504 are infinite
        large = 1 << shift
        step = large >> 7
        whole = [large + step // 2 + d for d in (-1, 0, 1)]
        values = np.array([*whole, *(-w for w in whole), 7, -7], integer)
        actual = dt.tensor(values).astype(dtype).astype("float64").numpy()
        up = large + step
        assert actual.tolist() == [large, large, up, -large, -large, -up, 7, -7]


@pytest.mark.parametrize("dtype", HALVES)
def test_vector_norm_of_values_whose_squares_overflow(dtype: str) -> None:
    x: Any = dt.full((4,), 300.0, dtype=dtype)
    assert float(dt.vector_norm(x)) == 600.0


def test_fmod_gives_the_whole_part_of_the_exact_quotient() -> None:
    # 102.5 / 1.015625 is 100.92, which bfloat16 rounds to 101.
    a = dt.tensor([102.5], dtype="bfloat16")
    b = dt.tensor([1.015625], dtype="bfloat16", requires_grad=True)
    dt.fmod(a, b).backward(dt.ones((1,), dtype="bfloat16"))
    assert b.grad is not None
    assert b.grad.tolist() == [-100.0]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("layer", ["linear", "conv2d"])
def test_gradients_of_float32_weights_are_not_rounded(half: str, layer: str) -> None:
    rng = np.random.default_rng(0)
    shape, weight_shape = ((40, 24), (12, 24)) if layer == "linear" else ((2, 4, 5, 24), (12, 1, 1, 24))
    x = dt.tensor(rng.standard_normal(shape).astype(np.float32)).astype(half).astype("float32")
    grad = dt.tensor(rng.standard_normal((*shape[:-1], 12)).astype(np.float32)).astype(half)
    weight = dt.tensor(rng.standard_normal(weight_shape).astype(np.float32), requires_grad=True)
    with dt.autocast(half):
        y = getattr(dt.nn.functional, layer)(x, weight)
    assert y.dtype == grad.dtype
    y.backward(grad)
    assert weight.grad is not None
    assert weight.grad.dtype == dt.float32
    rows, sides = x.numpy().reshape(-1, 24), grad.astype("float32").numpy().reshape(-1, 12)
    want = (sides.astype(np.float64).T @ rows.astype(np.float64)).reshape(weight_shape)
    np.testing.assert_allclose(weight.grad.numpy(), want, rtol=2e-5, atol=2e-5)


LOSSES: dict[str, Any] = {
    "mse_loss": lambda x, t: dt.mse_loss(x, t),
    "huber_loss": lambda x, t: dt.huber_loss(x, t, reduction="none"),
    "binary_cross_entropy_with_logits": lambda x, t: dt.binary_cross_entropy_with_logits(x, t),
    "cross_entropy": lambda x, t: dt.cross_entropy(x, t),
    "cosine_embedding_loss": lambda x, t: dt.cosine_embedding_loss(x, x * 2, t[:, 0]),
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("target_dtype", ["float32", "the input's"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_float32_and_their_gradients_are_not(name: str, target_dtype: str, dtype: str) -> None:
    """float32 targets, as data has them, stand beside half inputs, as autocast makes them."""
    rng = np.random.default_rng(7)
    target = dt.tensor(rng.uniform(0, 1, (5, 3)).round(2), dtype=dtype)
    x = dt.tensor(rng.standard_normal((5, 3)), dtype=dtype, requires_grad=True)
    exact = x.detach().astype("float32").requires_grad_()
    given = target.astype("float32") if target_dtype == "float32" else target
    loss, expected = LOSSES[name](x, given), LOSSES[name](exact, target.astype("float32"))
    assert loss.dtype == dt.float32
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    loss.sum().backward()
    expected.sum().backward()
    assert x.grad is not None
    assert exact.grad is not None
    assert x.grad.dtype == x.dtype
    rounding = 2.0**-11 if dtype == "float16" else 2.0**-8
    np.testing.assert_allclose(
        x.grad.astype("float32").numpy(), exact.grad.numpy(), rtol=4 * rounding, atol=4 * rounding
    )


@pytest.mark.usefixtures("no_garbage")
def test_activations_of_halves_take_half_the_memory() -> None:
    def kept(dtype: str) -> int:
        x = dt.ones((8, 32, 32, 16), dtype=dtype, requires_grad=True)
        weight, bias = dt.ones((16,)), dt.zeros((16,))
        before = dt.memory_stats()["in_use"]
        y = dt.batch_norm(x, None, None, weight, bias, training=True, activation="relu")
        y = dt.gelu(dt.group_norm(y, 4, weight, bias))
        y = dt.dropout(dt.max_pool2d(y, 3, stride=1, padding=1), 0.1, True)
        y = dt.log_softmax(dt.layer_norm(dt.batch_norm(y, None, None, training=True, residual=x), 16), -1)
        loss = dt.mse_loss(y, dt.zeros(y.shape, dtype=dtype))
        used = dt.memory_stats()["in_use"] - before
        loss.backward()
        assert x.grad is not None
        assert x.grad.dtype == x.dtype
        return used

    for dtype in HALVES:
        assert kept(dtype) < 0.6 * kept("float32")


@pytest.mark.usefixtures("no_garbage")
def test_convolutions_of_halves_keep_no_float32_copies() -> None:
    f = dt.nn.functional
    shapes = [(32, 3, 3, 16), (32, 3, 3, 32), (32, 1, 1, 32), (32, 3, 3, 1), (32, 2, 2, 16)]

    def kept(dtype: str) -> int:
        x = dt.ones((8, 32, 32, 16), dtype=dtype, requires_grad=True)
        weights = [dt.ones(shape, dtype=dtype, requires_grad=True) for shape in shapes]
        before = dt.memory_stats()["in_use"]
        y = f.conv2d(x, weights[0], padding=1)  # Winograd
        y = f.conv2d(y, weights[1], padding=1, stride=2)
        y = f.conv2d(f.conv2d(y, weights[2], stride=2), weights[3], groups=32)
        y = f.conv_transpose2d(y, weights[4], stride=2)
        used = dt.memory_stats()["in_use"] - before
        y.backward(dt.ones_like(y))
        assert x.grad is not None
        assert x.grad.dtype == x.dtype
        return used

    for dtype in HALVES:
        assert kept(dtype) < 0.6 * kept("float32")


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("optimizer", [dt.optim.SGD, dt.optim.Adam])
def test_optimizers_say_how_to_train_in_half_precision(optimizer: Any, dtype: str) -> None:
    parameter = dt.nn.Parameter(dt.ones((2,), dtype=dtype))
    with pytest.raises(TypeError, match=r"got \w+16 .*keep the weights in float32 .* drivetrain.autocast"):
        optimizer([parameter], lr=0.1)


@pytest.mark.parametrize("dtype", HALVES)
def test_softmax_of_a_long_row_sums_to_one(level: str, dtype: str) -> None:
    """The exponentials of 30,000 classes would not fit float16's range as they stand."""
    x = dt.tensor(np.random.default_rng(8).standard_normal((3, 30_000)) * 4, dtype=dtype)
    for rows, axis in ((x, 1), (x.T, 0)):
        y = dt.softmax(rows, axis).astype("float64").numpy()
        exact = np.exp(rows.astype("float64").numpy())
        exact /= exact.sum(axis, keepdims=True)
        unit = 2.0**-11 if dtype == "float16" else 2.0**-8
        np.testing.assert_allclose(y, exact, rtol=unit * 1.01, atol=2.0**-25)


@pytest.mark.parametrize("dtype", HALVES)
def test_logsumexp_and_std_are_rounded_once(dtype: str) -> None:
    x = dt.tensor(np.random.default_rng(3).normal(-6, 1, (40, 400)), dtype=dtype)
    exact = x.astype("float64")
    for op in (dt.logsumexp, dt.std):
        np.testing.assert_array_equal(
            op(x, axis=1).astype("float32").numpy(), op(exact, axis=1).astype(dtype).astype("float32").numpy()
        )
