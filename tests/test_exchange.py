"""Memory shared with NumPy: values, flags, lifetimes; tensors made of other data."""

import array
import contextlib
import gc
import sys
import threading
import weakref

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.nn import functional
from exchange_tools import NUMPY_DTYPES, needs_torch, sample, torch


class TestFromNumpy:
    @pytest.mark.parametrize("dtype", NUMPY_DTYPES)
    def test_shares_memory(self, dtype):
        a = sample(dtype)
        t = dt.from_numpy(a)
        assert (t.dtype.name, t.shape) == (dtype, (2, 3))
        a[1, 2] = 0
        assert t.numpy()[1, 2] == 0
        assert t.numpy().ctypes.data == a.ctypes.data

    @pytest.mark.parametrize(
        "view",
        [
            lambda a: a.T,
            lambda a: a[::-1],
            lambda a: a[:, ::-2],
            lambda a: a[1:1],
            lambda a: a[0, 0],
            lambda a: np.broadcast_to(a[0], (4, 3)),
            lambda a: a[None, :, None],
        ],
    )
    def test_any_strides(self, view):
        a = view(np.arange(12.0, dtype="f4").reshape(4, 3))
        a = np.asarray(a)
        np.testing.assert_array_equal(dt.from_numpy(a).numpy(), a)

    def test_read_only_stays_so(self):
        a = np.arange(3.0)
        a.flags.writeable = False
        t = dt.from_numpy(a)
        assert not t.numpy().flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            t.uniform_()

    @pytest.mark.parametrize("dtype", [">f4", "i1", "u2", "c8", "U3", "O", "M8[s]", "i4,f4"])
    def test_other_dtypes_are_refused(self, dtype):
        with pytest.raises(TypeError, match=r"from_numpy: dtype .* is not supported"):
            dt.from_numpy(np.zeros(3, dtype))

    def test_misaligned_memory_is_refused(self):
        a = np.frombuffer(bytes(13), "u1")[1:].view("f4")
        with pytest.raises(ValueError, match="not aligned"):
            dt.from_numpy(a)
        assert dt.tensor(a).shape == (3,)

    def test_strides_of_half_elements_are_refused(self):
        a = np.zeros(4, "f4,i2")["f0"]
        with pytest.raises(ValueError, match="from_numpy"):
            dt.from_numpy(a)
        assert dt.tensor(a).tolist() == [0] * 4

    def test_too_many_axes(self):
        with pytest.raises(ValueError, match="9 dimensions"):
            dt.from_numpy(np.zeros((1,) * 9))

    @pytest.mark.parametrize("thing", [[1.0], 3, None, "x", b"abcd"])
    def test_other_kinds_are_refused(self, thing):
        with pytest.raises(TypeError, match=r"from_numpy: array must be a numpy\.ndarray"):
            dt.from_numpy(thing)

    def test_the_array_lives_as_long_as_the_tensor(self):
        class Watched(np.ndarray):
            pass

        a = np.arange(1000.0).view(Watched)
        watch = weakref.ref(a)
        t = dt.from_numpy(a)
        del a
        gc.collect()
        assert watch() is not None
        assert t.tolist() == list(range(1000))
        del t
        gc.collect()
        assert watch() is None

    def test_the_tensor_may_die_on_another_thread(self):
        held = [dt.from_numpy(np.arange(100.0)) for _ in range(50)]
        thread = threading.Thread(target=held.clear)
        thread.start()
        thread.join()
        assert held == []


class TestNumpy:
    def test_shares_memory_and_keeps_it_alive(self):
        t = dt.tensor([1.0, 2.0, 3.0])
        a = t.numpy()
        pointer = t.data_ptr()
        del t
        gc.collect()
        dt.tensor([9.0, 9.0, 9.0])  # would take the memory, were it free
        assert a.ctypes.data == pointer
        assert a.tolist() == [1, 2, 3]

    @pytest.mark.usefixtures("no_garbage")
    def test_memory_returns_when_the_array_is_gone(self):
        before = dt.memory_stats()["in_use"]
        a = dt.tensor(np.zeros(100_000)).numpy()
        assert dt.memory_stats()["in_use"] >= before + 800_000
        del a
        gc.collect()
        assert dt.memory_stats()["in_use"] == before

    def test_bfloat16_becomes_float32_where_numpy_has_none(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)  # as if it were not installed
        t = dt.tensor([1.0, -0.1], dtype="bfloat16")
        for a in (t.numpy(), np.asarray(t)):
            assert (a.dtype, a.tolist()) == (np.float32, [1.0, -0.10009765625])

    def test_bfloat16_of_ml_dtypes_shares_memory(self):
        bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
        t = dt.tensor([[1.0, 2.0], [3.0, 4.0]], dtype="bfloat16")
        for a in (t.numpy(), np.asarray(t)):
            assert a.dtype == bfloat16
            a[0, 1] = 0.5
        assert t.T.numpy().astype(np.float32).tolist() == [[1.0, 3.0], [0.5, 4.0]]
        shared = dt.from_numpy(t.numpy()[::-1])
        assert (shared.dtype, shared.tolist()) == (dt.bfloat16, [[3.0, 4.0], [1.0, 0.5]])
        t[0, 0] = 7.0
        assert shared[1, 0].item() == 7.0
        assert dt.tensor(np.array([1.5], bfloat16)).dtype == dt.bfloat16
        assert dt.tensor(np.array([1.5], bfloat16), dtype="float32").tolist() == [1.5]

    def test_a_gradient_is_refused(self):
        t = dt.tensor([1.0], requires_grad=True)
        with pytest.raises(RuntimeError, match=r"numpy: .* detach\(\)\.numpy\(\)"):
            t.numpy()
        with pytest.raises(RuntimeError, match="detach"):
            np.asarray(t)
        assert t.detach().numpy().tolist() == [1]

    def test_asarray_shares_and_array_copies(self):
        t = dt.tensor([1.0, 2.0])
        assert np.asarray(t).ctypes.data == t.data_ptr()
        assert np.array(t).ctypes.data != t.data_ptr()
        assert np.asarray(t, dtype="f8").dtype == "f8"

    def test_array_protocol_obeys_copy(self):
        t = dt.tensor([1.0, 2.0])
        assert t.__array__().ctypes.data == t.data_ptr()
        assert t.__array__(copy=False).ctypes.data == t.data_ptr()
        assert t.__array__(copy=True).ctypes.data != t.data_ptr()
        assert t.__array__("f4", copy=False).ctypes.data == t.data_ptr()
        assert t.__array__(np.dtype("f8")).dtype == "f8"
        with pytest.raises(ValueError, match="without a copy"):
            t.__array__("f8", copy=False)

    def test_lists_of_tensors(self):
        assert np.asarray([dt.tensor([1.0]), dt.tensor([2.0])]).tolist() == [[1], [2]]


class TestTensor:
    def test_python_numbers(self):
        assert dt.tensor(1.5).dtype == dt.float32
        assert dt.tensor([1, 2]).dtype == dt.int64
        assert dt.tensor([True]).dtype == dt.bool
        assert dt.tensor([[1, 2.5]]).dtype == dt.float32
        assert dt.tensor([]).dtype == dt.float32
        assert dt.tensor([0.1], dtype=dt.float64).item() == 0.1

    def test_what_has_a_dtype_keeps_it(self):
        assert dt.tensor(np.float64(1)).dtype == dt.float64
        assert dt.tensor([np.zeros(2), np.ones(2)]).dtype == dt.float64
        assert dt.tensor(array.array("d", [1, 2])).dtype == dt.float64
        assert dt.tensor(memoryview(b"ab")).dtype == dt.uint8
        assert dt.tensor(dt.tensor([1.0], dtype="float16")).dtype == dt.float16

    def test_copies(self):
        a = np.zeros(3, "f4")
        t = dt.tensor(a)
        a += 1
        assert t.tolist() == [0, 0, 0]
        u = dt.tensor(t)
        assert u.data_ptr() != t.data_ptr()

    def test_memory_is_its_own_and_writable(self):
        a = np.zeros(3, "f4")
        a.flags.writeable = False
        assert dt.tensor(a).numpy().flags.writeable

    def test_converts_what_it_cannot_share(self):
        assert dt.tensor(np.array([1, -2], "i2"), dtype="float32").tolist() == [1, -2]
        assert dt.tensor(np.array([1, 2], ">f8"), dtype="float64").tolist() == [1, 2]
        with pytest.raises(TypeError, match="tensor: dtype int16 is not supported"):
            dt.tensor(np.array([1], "i2"))

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            ([[1], [1, 2]], ValueError),
            ("abc", TypeError),
            (None, TypeError),
            ([1j], TypeError),
            (object(), TypeError),
            ([2**70], TypeError),
            ({"a": 1}, TypeError),
            (b"abc", TypeError),
        ],
    )
    def test_other_data_are_refused(self, data, error):
        with pytest.raises(error, match="tensor: "):
            dt.tensor(data)

    @pytest.mark.parametrize(("value", "dtype"), [(300, "uint8"), (-1, "uint8"), (2**40, "int32")])
    def test_integers_out_of_range_are_refused(self, value, dtype):
        with pytest.raises(ValueError, match=f"do not fit into {dtype}"):
            dt.tensor([value], dtype=dtype)

    def test_requires_grad(self):
        assert dt.tensor([1.0], requires_grad=True).requires_grad
        with pytest.raises(TypeError, match="requires_grad"):
            dt.tensor([1], requires_grad=True)

    @needs_torch
    def test_from_torch(self):
        t = dt.tensor(torch.tensor([1.5, 2.5], dtype=torch.bfloat16))
        assert (t.dtype, t.tolist()) == (dt.bfloat16, [1.5, 2.5])


class TestAsarray:
    def test_shares_where_it_can(self):
        a = np.zeros(3, "f4")
        assert dt.asarray(a).data_ptr() == a.ctypes.data
        t = dt.tensor([1.0])
        assert dt.asarray(t).data_ptr() == t.data_ptr()
        assert dt.asarray(t, dtype="float64").dtype == dt.float64

    def test_copy(self):
        a = np.zeros(3, "f4")
        assert dt.asarray(a, copy=True).data_ptr() != a.ctypes.data
        assert dt.asarray(a, copy=False).data_ptr() == a.ctypes.data
        for data, dtype in [([1.0], None), (a, "float64"), (1.5, None), (dt.tensor([1.0]), "float64")]:
            with pytest.raises(ValueError, match=r"asarray: .* without a copy"):
                dt.asarray(data, dtype, copy=False)


def test_dtypes_compare_and_hash():
    assert dt.float32 == "float32" == dt.float32.name
    assert dt.float32 == np.float32
    assert dt.float32 == np.dtype("f4")
    assert dt.float32 != dt.float64
    assert len({dt.float32, dt.tensor([1.0]).dtype}) == 1
    assert repr(dt.bool) == "drivetrain.bool"
    assert sys.getsizeof(dt.float32) > 0


class Shrinks:
    """An entry whose conversion empties the list that holds it."""

    def __init__(self, entries):
        self.entries = entries

    def __index__(self):
        self.entries.clear()
        return 1


@pytest.mark.parametrize(
    "call",
    [
        dt.zeros,
        lambda sizes: dt.zeros(4).reshape(sizes),
        lambda sizes: dt.split(dt.zeros(4), sizes),
        lambda sizes: dt.pad(dt.zeros((2, 2, 2, 2)), [[1, 1], sizes, [1, 1], [1, 1]]),
        lambda sizes: functional.adaptive_avg_pool2d(dt.zeros((1, 4, 4, 1)), sizes),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_lists_that_change_while_they_are_read(call, count):
    entries = []
    entries.extend(Shrinks(entries) for _ in range(count))
    with contextlib.suppress(ValueError, IndexError, TypeError):
        call(entries)
    assert entries == []


def test_a_list_that_holds_itself():
    entries = []
    entries.append(entries)
    with pytest.raises((ValueError, TypeError), match=r"tensor: "):
        dt.tensor(entries)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**5000], ids=["over", "under", "unprintable"])
def test_integers_past_64_bits_name_the_op(value):
    with pytest.raises(ValueError, match=r"^sum: axis: the integer .* does not fit into 64 bits"):
        dt.sum(dt.zeros(2), value)
    with pytest.raises(ValueError, match=r"^add: x2: the integer .* does not fit into 64 bits"):
        dt.add(dt.zeros(2), value)
    with pytest.raises(ValueError, match=r"^index: the integer .* does not fit into 64 bits"):
        dt.zeros(2)[value]
