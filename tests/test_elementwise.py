"""What the op table does not reach: in-place forms, creation, integers at their limits, promotion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt


def same(actual: Any, expected: Any) -> None:
    expected = np.asarray(expected)
    assert np.array_equal(actual.numpy(), expected, equal_nan=expected.dtype.kind == "f")


@pytest.mark.parametrize(
    "arguments", [(5,), (2, 8), (2, 8, 3), (8, 2, -3), (0,), (5, 2), (0, 3, 0.5), (1.5,), (0, -4, -1)]
)
def test_arange(arguments: tuple[float, ...]) -> None:
    same(dt.arange(*arguments), np.arange(*arguments))
    with pytest.raises(ValueError, match="arange: step must not be 0"):
        dt.arange(0, 1, 0)


def test_creation() -> None:
    same(dt.linspace(0, 1, 9, dtype="float64"), np.linspace(0, 1, 9))
    same(dt.linspace(0, 2, 8, endpoint=False), np.linspace(0, 2, 8, endpoint=False))
    same(dt.linspace(3, 4, 1), [3.0])
    for arguments in ((3,), (3, 4), (4, 3), (3, 3, 1), (3, 4, -2), (3, 3, 9), (0,)):
        same(dt.eye(*arguments), np.eye(*arguments))
    same(dt.zeros((2, 3), dtype="int32"), np.zeros((2, 3), np.int32))
    same(dt.full((2, 2), -7), np.full((2, 2), -7))
    assert [dt.full(1, v).dtype for v in (7, 7.0, True)] == [dt.int64, dt.float32, dt.bool]
    same(dt.ones_like(dt.tensor([[1, 2]])), np.ones((1, 2), np.int64))
    assert dt.empty((0, 3)).shape == (0, 3)
    assert dt.zeros(2, requires_grad=True).requires_grad
    with pytest.raises(ValueError, match="zeros: sizes must not be negative"):
        dt.zeros((-1, 2))
    with pytest.raises(ValueError, match="more elements than memory can hold"):
        dt.zeros((2**40, 2**40))
    with pytest.raises(ValueError, match="full: the integer 256 is out of range for uint8"):
        dt.full(2, 256, dtype="uint8")


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8"])
def test_integers_at_their_limits(dtype: str) -> None:
    limits = np.iinfo(dtype)
    a = np.array([limits.min, limits.max, 5, 0], dtype)[:, None]
    b = np.array([limits.min, limits.max, 3, 0, -1 if limits.min else 7], dtype)
    with np.errstate(all="ignore"):
        for name in ("add", "subtract", "multiply", "floor_divide", "remainder"):
            same(getattr(dt, name)(dt.tensor(a), dt.tensor(b)), getattr(np, name)(a, b))
    same(-dt.tensor(a), -a)
    same(abs(dt.tensor(a)), np.abs(a))


def test_floats_to_integers_have_limits() -> None:
    x = dt.tensor([np.nan, np.inf, -np.inf, 1e30, -1.5, 300.0])
    same(x.astype("int32"), np.array([0, 2**31 - 1, -(2**31), 2**31 - 1, -1, 300], np.int32))
    same(x.astype("uint8"), np.array([0, 255, 0, 255, 0, 255], np.uint8))


def test_weak_numbers() -> None:
    assert (dt.tensor([1], dtype="uint8") + 1).dtype == dt.uint8
    assert (dt.tensor([1]) + 1.5).dtype == dt.float32
    assert (dt.tensor([True]) * 2).dtype == dt.int64
    assert (dt.tensor([1.0], dtype="float64") * np.float32(2)).dtype == dt.float64
    assert (dt.tensor([1]) / 2).dtype == dt.float32
    same(dt.tensor([200], dtype="uint8") < 300, [True])
    same(dt.tensor([2**53 + 1]) == 2**53 + 1, [True])
    same(dt.tensor([1, 2]) == 1.5, [False, False])
    assert (dt.tensor([1.0]) == None) is False  # noqa: E711
    assert dt.tensor([1.0]) != "a"


def test_in_place() -> None:
    x = dt.tensor([1.0, 2.0, 3.0])
    same_object = x
    x += 1
    x *= dt.tensor([1.0, 2.0, 3.0])
    x /= 2
    x -= 0.5
    x **= 2
    assert x is same_object
    same(x, ((np.array([2.0, 3, 4]) * [1, 2, 3] / 2) - 0.5) ** 2)
    y = dt.tensor([7, 8])
    y //= 2
    y %= 3
    y <<= 4
    y |= 1
    y &= 0b110001
    y ^= 1
    same(y, [0, 16])
    same(dt.tensor([-2.0, 2.0]).clip_(-1, 1), [-1.0, 1.0])
    same(dt.tensor([-2.0, 2.0]).relu_(), [0.0, 2.0])
    same(dt.tensor([4.0]).sqrt_(), [2.0])
    same(dt.tensor([4.0, 5.0]).fill_(2), [2.0, 2.0])
    with pytest.raises(
        TypeError,
        match="divide_: the result has dtype float32, but the tensor changed in place has dtype int64",
    ):
        dt.tensor([1]).__itruediv__(2)
    with pytest.raises(
        ValueError,
        match=r"add_: the result has shape \(2,\), but the tensor changed in place has shape \(1,\)",
    ):
        dt.tensor([1.0]).__iadd__(dt.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="it was expanded"):
        dt.broadcast_to(dt.tensor([1.0]), (3,)).__iadd__(1)


def test_in_place_gradients() -> None:
    x = dt.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    y += x
    y *= 2
    y.sum().backward()
    same(x.grad, np.array([8, 8], np.float32))
    y = dt.exp(x)
    y += 1
    with pytest.raises(
        RuntimeError, match="was modified in place after it was saved for the backward of exp"
    ):
        y.sum().backward()


def test_reductions_of_large_means() -> None:
    x = 1e6 + np.random.default_rng(0).normal(0, 1, 100_000)
    assert dt.tensor(x).var().item() == pytest.approx(np.var(x), rel=1e-8)
    same(dt.tensor(x.astype(np.float32)).sum(), np.float32(x.astype(np.float32).astype(np.float64).sum()))
    assert np.isnan(dt.tensor([1.0, np.nan]).max().item())
    assert dt.argmax(dt.tensor([1.0, np.nan, 3.0, np.nan])).item() == 1
    assert np.isnan(dt.zeros(0).mean().item())


def test_close() -> None:
    x = dt.tensor([1.0, np.nan])
    assert not dt.allclose(x, x)
    assert dt.allclose(x, x, equal_nan=True)
    assert dt.allclose(dt.tensor([1.0]), 1.0 + 1e-6)
    assert dt.array_equal(dt.tensor([1, 2]), dt.tensor([1, 2]))
    assert not dt.array_equal(dt.tensor([1, 2]), dt.tensor([1]))
