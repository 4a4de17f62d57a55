"""Indexing and assignment with brackets, against NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import drivetrain as dt

RNG = np.random.default_rng(5)
X = RNG.normal(0, 1, (3, 4, 5))
I1 = np.array([2, 0, -1, 1])
I2 = np.array([[0, 1], [3, -1]])
MASK1 = np.array([True, False, True])
MASK2 = RNG.random((3, 4)) < 0.4
MASK3 = RNG.random((3, 4, 5)) < 0.4
ALL = slice(None)

BASIC: list[Any] = [
    0, -1, (1, 2), (1, 2, 3), slice(1), slice(None, None, -1), slice(2, 0, -1), (ALL, slice(1, None, 2)),
    (..., 0), (0, ...),
    (..., slice(None, None, -2)), None, (None, 0), (ALL, None, 1), (..., None), ..., (slice(5, 1),),
    (slice(-100, 100),), slice(None, None, 100), slice(None, None, -100), np.int64(1), (),
    slice(-(2**62), 2**62, 2**61),
]  # fmt: skip
ARRAYS: list[Any] = [
    I1, [0, 2], (ALL, I2), (ALL, ALL, [0, 4]), (I1, I1), (I1, ALL, I1), (0, ALL, I1), (ALL, 0, I1), (I1, 0),
    (I2[:, :1] % 3, I2[:1]), MASK3, MASK2, MASK1, (MASK1, I1[:2]), (MASK1, ALL, 0), (..., [1, 2]),
    (slice(1, None), I1, slice(None, None, 2)), (I1[None] % 2, None, ...), (I1, None, I1),
    (None, I1, None), [],
    (np.array(1),), (ALL, MASK2[0]), (MASK1, None), [True, False, True],
    (..., np.array([True, False] * 2 + [True])),
    I1.astype(np.int32), I1.astype(np.int8), np.zeros((0, 2), int), np.zeros((3, 4), bool),
]  # fmt: skip


def as_tensors(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(as_tensors(k) for k in key)
    return dt.tensor(key) if isinstance(key, np.ndarray) and key.dtype != np.int8 else key


def layouts() -> list[Any]:
    """The same values contiguous, with axes in another order, and reversed."""
    turned = dt.tensor(np.ascontiguousarray(X.transpose(2, 0, 1))).permute_dims(1, 2, 0)
    return [dt.tensor(X), turned, dt.tensor(np.ascontiguousarray(X[:, ::-1])).flip(1)]


@pytest.mark.parametrize("key", BASIC + ARRAYS, ids=lambda k: repr(k)[:40].replace("\n", ""))
def test_get_and_set(key: Any) -> None:
    expected = X[key]
    for k in (key, as_tensors(key)):
        for x in layouts():
            assert np.array_equal(x[k].numpy(), expected)
            for value in (7.0, RNG.normal(0, 1, expected.shape), RNG.normal(0, 1, expected.shape[-1:])):
                changed, target = X.copy(), x.clone()
                # NumPy leaves open which of two values for one place wins; here the last one does.
                if np.ndim(value) and repeats(key):
                    continue
                changed[key] = value
                target[k] = dt.tensor(value)
                assert np.array_equal(target.numpy(), changed)


def repeats(key: Any) -> bool:
    count = np.zeros(X.shape, int)
    np.add.at(count, key, 1)
    return bool(count.max(initial=0) > 1)


@pytest.mark.parametrize("key", BASIC + ARRAYS, ids=lambda k: repr(k)[:40].replace("\n", ""))
def test_gradients(key: Any) -> None:
    w = RNG.normal(0, 1, X[key].shape)
    x = dt.tensor(X, requires_grad=True)
    (x[key] * dt.tensor(w)).sum().backward()
    expected = np.zeros_like(X)
    np.add.at(expected, key, w)
    np.testing.assert_allclose(x.grad.numpy(), expected, atol=1e-12)

    if repeats(key):
        return
    w = RNG.normal(0, 1, X.shape)
    x, value = dt.tensor(X, requires_grad=True), dt.tensor(np.asarray(1.5), requires_grad=True)
    changed = x * 1
    changed[key] = value * 2
    (changed * dt.tensor(w)).sum().backward()
    rest = w.copy()
    rest[key] = 0
    np.testing.assert_allclose(x.grad.numpy(), rest, atol=1e-12)
    np.testing.assert_allclose(value.grad.numpy(), 2 * w[key].sum(), atol=1e-12)


def test_views_share_memory() -> None:
    x = dt.zeros((3, 4))
    x[1][2] = 5
    row = x[0]
    row += 1
    x[:, ::-1][2, 0] = 7
    assert np.array_equal(x.numpy(), [[1, 1, 1, 1], [0, 0, 5, 0], [0, 0, 0, 7]])


def test_overlapping_assignment() -> None:
    x = dt.arange(6.0)
    x[1:] = x[:-1]
    assert np.array_equal(x.numpy(), [0, 0, 1, 2, 3, 4])
    x[:] = x[::-1]
    assert np.array_equal(x.numpy(), [4, 3, 2, 1, 0, 0])
    x[1:] += x[:-1]
    assert np.array_equal(x.numpy(), [4, 7, 5, 3, 1, 0])


def test_augmented_assignment_with_gradient() -> None:
    x = dt.tensor(X, requires_grad=True)
    y = x * 1
    y[0] += 2
    y[:, 1] *= 3
    y[MASK1] = y[MASK1] * 2
    y.sum().backward()
    expected = np.ones_like(X)
    expected[:, 1] *= 3
    expected[MASK1] *= 2
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_iteration() -> None:
    x = dt.tensor(X)
    assert np.array_equal(np.stack([row.numpy() for row in x]), X)
    assert 2 in dt.tensor([1, 2])
    assert 3 not in dt.tensor([1, 2])
    with pytest.raises(TypeError, match="iteration over a tensor without dimensions"):
        iter(dt.tensor(1.0))


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (3, IndexError, r"index: index 3 is out of range for axis 0 of size 3 \(shape \(3, 4, 5\)\)"),
        (-4, IndexError, "index: index -4 is out of range for axis 0"),
        ((0, 0, 0, 0), IndexError, "index: 4 indices for a tensor of 3 dimensions"),
        ((..., ...), IndexError, "only one ellipsis"),
        (MASK2.T, IndexError, r"index: a mask of shape \(4, 3\) does not fit axis 0 of size 3"),
        ([0, 7], IndexError, "index: index 7 is out of range for axis 0 of size 3"),
        ([0.5], IndexError, "index: arrays must hold integers or bool, got float64"),
        (1.5, IndexError, "index: expected integers, slices, None, .* got float"),
        ("a", IndexError, "index: expected integers, slices, None, .* got str"),
        (([0, 1], [0, 1, 2]), ValueError, r"index \(arrays\): shapes \(2,\) and \(3,\) do not broadcast"),
        (slice(None, None, 0), ValueError, "step"),
        ((None,) * 6, IndexError, "more than 8 dimensions"),
    ],
)
def test_errors(key: Any, error: type[Exception], message: str) -> None:
    x = dt.tensor(X)
    with pytest.raises(error, match=message):
        x[key]
    with pytest.raises(error, match=message):
        x[key] = 1.0
    assert np.array_equal(x.numpy(), X)


def test_wrong_values() -> None:
    x = dt.tensor(X)
    with pytest.raises(ValueError, match="does not broadcast"):
        x[0] = dt.zeros(3)
    with pytest.raises(ValueError, match="does not broadcast"):
        x[[0, 1]] = dt.zeros(3)
    with pytest.raises(ValueError, match="the integer 300 is out of range for uint8"):
        dt.tensor([1], dtype="uint8")[0] = 300
    with pytest.raises(RuntimeError, match="a leaf that requires a gradient cannot be changed in place"):
        dt.tensor([1.0], requires_grad=True)[0] = 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("n", [255, 256, 257, 4099, 70_000])
def test_long_sorts_are_stable(n: int, dtype: str) -> None:
    """Many equals, both zeros, infinities, and NaN, which goes last whichever the direction."""
    rng = np.random.default_rng(n)
    x = rng.integers(0 if dtype in ("uint8", "bool") else -50, 60, (3, n)).astype(dtype)
    x[1] = rng.standard_normal(n).astype(dtype) if dtype != "uint8" else rng.integers(0, 256, n)
    if dtype.startswith("float"):
        x[0, ::7], x[0, 1::9] = -0.0, 0.0
        x[2, 3], x[2, 50], x[2, 17], x[2, 90:95], x[0, -1] = np.inf, -np.inf, np.nan, -np.nan, np.nan
    wide = x.astype("float64")
    before = dt.get_isa()
    for level in dt.isa_levels():
        dt.set_isa(level)
        for descending, key in ((False, wide), (True, -wide)):
            want = np.argsort(key, axis=1, kind="stable")
            np.testing.assert_array_equal(dt.argsort(dt.tensor(x), descending=descending).numpy(), want)
    dt.set_isa(before)
    np.testing.assert_array_equal(dt.sort(dt.tensor(x)).numpy(), np.sort(x, axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_sorts_of_many_equals_by_threads(dtype: str) -> None:
    """Pieces sorted side by side share no spare memory, even where all keys lie on one side of a pivot."""
    rng = np.random.default_rng(3)
    isa, threads = dt.get_isa(), dt.get_num_threads()
    dt.set_num_threads(7)
    for level in dt.isa_levels():
        dt.set_isa(level)
        for kinds in (6, 8, 12, 20, 30, 40) * 6:
            x = rng.integers(0, kinds, 200_000).astype(dtype)
            x[rng.integers(0, len(x), kinds % 3)] = 99  # a value that no sample shows
            np.testing.assert_array_equal(dt.sort(dt.tensor(x)).numpy(), np.sort(x))
    dt.set_isa(isa)
    dt.set_num_threads(threads)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_long_sorts_of_halves(dtype: str) -> None:
    x = dt.randn((5000,), generator=dt.Generator(1)).astype(dtype)
    want = np.argsort(x.astype("float64").numpy(), kind="stable")
    np.testing.assert_array_equal(dt.argsort(x).numpy(), want)


def test_argmax_of_long_rows() -> None:
    """The first of equals, across blocks; the first NaN beats everything."""
    x = np.random.default_rng(2).integers(-9, 10, (4, 9000)).astype(np.float32)
    x[1, 5000], x[1, 7000] = 99, 99
    x[2, 8999], x[3, 6001], x[3, 6500] = 99, np.nan, np.nan
    for function, want in ((dt.argmax, np.argmax), (dt.argmin, np.argmin)):
        np.testing.assert_array_equal(function(dt.tensor(x), axis=1).numpy(), want(x, axis=1))


def test_scatter_add_in_place_reads_its_own_memory_first() -> None:
    x = dt.arange(4, dtype=dt.float32)
    x.scatter_add_(dt.tensor([1, 2, 3, 0]), x, 0)
    np.testing.assert_array_equal(x.numpy(), [3, 1, 3, 5])
    positions = dt.tensor([1, 1, 0, 2])
    positions.scatter_add_(positions, dt.tensor([10, 10, 10, 10]), 0)
    np.testing.assert_array_equal(positions.numpy(), [11, 21, 10, 2])
    before = dt.tensor([1.0, 2.0])
    with pytest.raises(IndexError, match="out of range"):
        before.scatter_add_(dt.tensor([0, 2]), dt.ones(2), 0)
    np.testing.assert_array_equal(before.numpy(), [1, 2])  # nothing is written before all indices are checked


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8"])
def test_topk_is_the_start_of_a_stable_sort(dtype: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.integers(0, 60, (3, 5000)).astype(dtype)
    if dtype.startswith("float"):
        x[:, ::7] = np.nan
    if dtype == "int64":
        x[:, ::3], x[:, ::5] = 2**63 - 1, -(2**63)
    t = dt.tensor(x)
    for largest in (True, False):
        order = dt.argsort(t, descending=largest).numpy()
        for k in (0, 1, 3, 40, 700, 4000, 5000):
            values, positions = dt.topk(t, k, largest=largest)
            np.testing.assert_array_equal(positions.numpy(), order[:, :k])
            np.testing.assert_array_equal(values.numpy(), np.take_along_axis(x, order[:, :k], 1))
    plain = np.where(x == x, x, 1).astype(dtype)
    for axis, largest in ((0, True), (1, False)):
        values, positions = dt.topk(dt.tensor(plain), 1, axis=axis, largest=largest)
        first = (plain.argmax if largest else plain.argmin)(axis, keepdims=True)
        np.testing.assert_array_equal(positions.numpy(), first)
        np.testing.assert_array_equal(values.numpy(), np.take_along_axis(plain, first, axis))
    values, positions = dt.topk(dt.tensor(x.T.copy()), 3, axis=0)
    np.testing.assert_array_equal(positions.numpy(), dt.argsort(t, descending=True).numpy()[:, :3].T)


def test_indices_and_masks_within_what_is_written_are_read_first() -> None:
    n = 5000
    for value in (dt.arange(n - 1) + 10**9, -3):
        x = dt.arange(n)
        x[1:][x[:-1]] = value
        np.testing.assert_array_equal(x[1:].numpy(), -3 if isinstance(value, int) else value.numpy())
    shared = np.arange(n)
    dt.from_numpy(shared[1:])[dt.from_numpy(shared[:-1])] = -1  # two views that do not know of each other
    np.testing.assert_array_equal(shared[1:], -1)
    mask = np.random.default_rng(0).random(n) > 0.3
    want, t = mask.copy(), dt.tensor(mask)
    t[1:][t[:-1]] = False
    want[1:][mask[:-1]] = False
    np.testing.assert_array_equal(t.numpy(), want)


def test_writes_to_memory_that_numpy_gave_twice() -> None:
    a = np.arange(5000.0)
    to = dt.from_numpy(a[1:])
    to += dt.from_numpy(a[:-1])
    np.testing.assert_array_equal(a[1:], 2 * np.arange(1.0, 5000) - 1)
    b = np.arange(5000.0)
    dt.from_numpy(b[1:])[:] = dt.from_numpy(b[:-1])
    np.testing.assert_array_equal(b[1:], np.arange(4999.0))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bfloat16"])
def test_many_writes_to_one_axis_keep_their_order(dtype: str) -> None:
    """Where a place is written twice the last one stays, whichever thread writes; sums add up in order."""
    rng = np.random.default_rng(5)
    size, count = 300_001, 400_003
    places = rng.integers(-size, size, count)
    values = rng.integers(0, 200, count).astype("uint8")
    want, total = np.zeros(size, "uint8"), np.zeros(size)
    want[places] = values
    np.add.at(total, places, values / 64.0)
    isa, threads = dt.get_isa(), dt.get_num_threads()
    for level, number in itertools.product(dt.isa_levels(), (1, 3)):
        dt.set_isa(level)
        dt.set_num_threads(number)
        x = dt.zeros(size, dtype=dtype)
        x[dt.tensor(places)] = dt.tensor(values).astype(dtype)
        np.testing.assert_array_equal(x.astype("uint8").numpy(), want)
        x = dt.zeros(size)
        x.scatter_add_(dt.tensor(places % size), dt.tensor(values / 64.0).float(), 0)
        np.testing.assert_array_equal(x.numpy(), total)
    dt.set_isa(isa)
    dt.set_num_threads(threads)
