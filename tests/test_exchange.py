"""Memory shared with NumPy, PyTorch and the buffer protocol: values, flags, lifetimes, hostile producers."""

import array
import contextlib
import copy
import ctypes
import gc
import io
import pickle
import sys
import threading
import weakref

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.nn import functional

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
NUMPY_DTYPES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]
DTYPES = [*NUMPY_DTYPES, "bfloat16"]


def sample(dtype):
    return (np.arange(6).reshape(2, 3) % 2 if dtype == "bool" else np.arange(6).reshape(2, 3)).astype(dtype)


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

    def test_memory_returns_when_the_array_is_gone(self):
        gc.collect()
        before = dt.memory_stats()["in_use"]
        a = dt.tensor(np.zeros(100_000)).numpy()
        assert dt.memory_stats()["in_use"] >= before + 800_000
        del a
        gc.collect()
        assert dt.memory_stats()["in_use"] == before

    def test_bfloat16_is_refused(self):
        with pytest.raises(TypeError, match="NumPy has no bfloat16"):
            dt.tensor([1.0], dtype="bfloat16").numpy()
        with pytest.raises(TypeError, match="NumPy has no bfloat16"):
            np.asarray(dt.tensor([1.0], dtype="bfloat16"))

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


class TestDlpack:
    @pytest.mark.parametrize("dtype", NUMPY_DTYPES)
    def test_numpy_both_ways(self, dtype):
        a = sample(dtype)
        t = dt.from_dlpack(a)
        assert t.data_ptr() == a.ctypes.data
        np.testing.assert_array_equal(np.from_dlpack(t), a)
        np.testing.assert_array_equal(dt.from_dlpack(a.T).numpy(), a.T)

    @needs_torch
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_torch_both_ways(self, dtype):
        source = torch.arange(6).reshape(2, 3).to(getattr(torch, dtype)).T
        t = dt.from_dlpack(source)
        assert (t.dtype.name, t.shape, t.strides) == (dtype, (3, 2), (1, 3))
        assert t.data_ptr() == source.data_ptr()
        back = torch.from_dlpack(t)
        assert back.data_ptr() == source.data_ptr()
        assert torch.equal(back, source)

    @needs_torch
    @pytest.mark.parametrize("first", ["tensor", "torch"])
    def test_lifetimes(self, first):
        t = dt.tensor(np.arange(1000.0))
        other = torch.from_dlpack(t)
        back = dt.from_dlpack(other)
        if first == "tensor":
            del t
        else:
            del other
        gc.collect()
        assert back.tolist() == list(range(1000))

    @pytest.mark.parametrize("arguments", [{}, {"max_version": (1, 0)}, {"copy": True}])
    def test_a_capsule_nobody_takes_gives_the_memory_back(self, arguments):
        gc.collect()
        before = dt.memory_stats()["in_use"]
        t = dt.tensor(np.zeros(100_000))
        capsule = t.__dlpack__(**arguments)
        del t
        assert dt.memory_stats()["in_use"] >= before + 800_000
        del capsule
        assert dt.memory_stats()["in_use"] == before

    def test_a_taken_capsule_gives_the_memory_back_once(self):
        gc.collect()
        before = dt.memory_stats()["in_use"]
        t = dt.tensor(np.zeros(100_000))
        capsule = t.__dlpack__(max_version=(1, 0))
        assert "dltensor_versioned" in repr(capsule)
        taken = dt.from_dlpack(capsule)
        assert "used_dltensor_versioned" in repr(capsule)
        with pytest.raises(ValueError, match="consumed already"):
            dt.from_dlpack(capsule)
        del t, capsule
        assert taken.tolist()[:2] == [0, 0]
        del taken
        assert dt.memory_stats()["in_use"] == before

    def test_versions(self):
        t = dt.tensor([1.0])
        assert '"dltensor"' in repr(t.__dlpack__())
        assert '"dltensor"' in repr(t.__dlpack__(max_version=(0, 8)))
        assert '"dltensor_versioned"' in repr(t.__dlpack__(max_version=(2, 0)))

    def test_read_only(self):
        a = np.zeros(3)
        a.flags.writeable = False
        t = dt.from_numpy(a)
        with pytest.raises(BufferError, match="read-only"):
            t.__dlpack__()
        taken = dt.from_dlpack(t.__dlpack__(max_version=(1, 0)))
        with pytest.raises(ValueError, match="read-only"):
            taken.uniform_()
        copied = dt.from_dlpack(t.__dlpack__(copy=True))
        assert copied.numpy().flags.writeable

    def test_copy(self):
        a = np.zeros(3)
        assert dt.from_dlpack(a, copy=True).data_ptr() != a.ctypes.data
        assert dt.from_dlpack(a, copy=False).data_ptr() == a.ctypes.data
        t = dt.tensor([1.0])
        assert dt.from_dlpack(t).data_ptr() == t.data_ptr()
        assert dt.from_dlpack(t, copy=True).data_ptr() != t.data_ptr()

    def test_what_cannot_be_given(self):
        t = dt.tensor([1.0], requires_grad=True)
        with pytest.raises(BufferError, match="requires a gradient"):
            t.__dlpack__()
        t = t.detach()
        with pytest.raises(BufferError, match="on the CPU"):
            t.__dlpack__(dl_device=(2, 0))
        with pytest.raises(ValueError, match="stream"):
            t.__dlpack__(stream=1)
        with pytest.raises(TypeError, match="max_version"):
            t.__dlpack__(max_version=1)
        assert t.__dlpack_device__() == (1, 0)
        t.__dlpack__(dl_device=(1, 0))

    def test_producers_that_know_no_arguments(self):
        class Old:
            def __dlpack__(self, stream=None):
                return np.arange(3.0).__dlpack__()

            def __dlpack_device__(self):
                return (1, 0)

        assert dt.from_dlpack(Old()).tolist() == [0, 1, 2]

    @pytest.mark.parametrize("thing", [None, 3, [1.0], "x", object()])
    def test_other_kinds_are_refused(self, thing):
        with pytest.raises(TypeError, match="from_dlpack: x must have __dlpack__"):
            dt.from_dlpack(thing)

    def test_other_devices_are_refused(self):
        class Elsewhere:
            def __dlpack_device__(self):
                return (2, 1)

            def __dlpack__(self, **arguments):
                raise AssertionError("must not be called")

        with pytest.raises(BufferError, match=r"device \(2, 1\)"):
            dt.from_dlpack(Elsewhere())
        with pytest.raises(ValueError, match="device must be 'cpu'"):
            dt.from_dlpack(np.zeros(2), device="gpu")


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class DLManagedTensor(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class DLManagedTensorVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    ]


def hostile(kind=DLManagedTensor, name=b"dltensor", **fields):
    """A capsule whose structure is filled in by hand."""
    memory = np.arange(8, dtype="f4")
    managed = kind()
    t = managed.tensor
    t.data, t.device_type, t.code, t.bits, t.lanes = memory.ctypes.data, 1, 2, 32, 1
    shape, strides = fields.pop("shape", (2, 4)), fields.pop("strides", None)
    t.ndim = len(shape)
    t.shape = (ctypes.c_int64 * 16)(*shape)
    if strides is not None:
        t.strides = (ctypes.c_int64 * 16)(*strides)
    for key, value in fields.items():
        setattr(managed if key in ("major", "minor", "flags") else t, key, value)
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    capsule = new(ctypes.addressof(managed), name, None)
    hostile.keep = (memory, managed, name)
    return capsule


class TestHostileCapsules:
    def test_a_good_one(self):
        assert dt.from_dlpack(hostile()).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert dt.from_dlpack(hostile(shape=(3,), strides=(-2,), byte_offset=20)).tolist() == [5, 3, 1]

    @pytest.mark.parametrize(
        ("fields", "error", "message"),
        [
            ({"ndim": -1}, ValueError, "-1 dimensions"),
            ({"ndim": 9}, ValueError, "9 dimensions"),
            ({"ndim": 2**31 - 1}, ValueError, "dimensions"),
            ({"shape": (2, -4)}, ValueError, "negative"),
            ({"shape": (2**40, 2**40)}, ValueError, "more elements than memory"),
            ({"shape": (0, 2**62, 2**62)}, ValueError, "more elements than memory"),
            ({"shape": (2, 4), "strides": (2**62, 1)}, ValueError, "reach beyond"),
            ({"shape": (5, 4), "strides": (2**62, 1)}, ValueError, "reach beyond"),
            ({"shape": (3,), "strides": (-(2**63),)}, ValueError, "reach beyond"),
            ({"data": None}, ValueError, "no memory"),
            ({"lanes": 2}, TypeError, "2 lanes"),
            ({"lanes": 0}, TypeError, "0 lanes"),
            ({"code": 5}, TypeError, "code 5"),
            ({"code": 1}, TypeError, "not supported"),
            ({"bits": 31}, TypeError, "31 bits"),
            ({"device_type": 2}, BufferError, "not on the CPU"),
            ({"byte_offset": 2}, ValueError, "not aligned"),
        ],
    )
    def test_bad_ones(self, fields, error, message):
        with pytest.raises(error, match=message):
            dt.from_dlpack(hostile(**fields))

    def test_a_missing_shape(self):
        capsule = hostile()
        hostile.keep[1].tensor.shape = None
        with pytest.raises(ValueError, match="no shape"):
            dt.from_dlpack(capsule)

    def test_zero_sizes_need_no_memory(self):
        assert dt.from_dlpack(hostile(shape=(0, 3), data=None)).shape == (0, 3)

    def test_a_version_of_the_future(self):
        with pytest.raises(BufferError, match=r"DLPack 2\.0"):
            dt.from_dlpack(hostile(DLManagedTensorVersioned, b"dltensor_versioned", major=2))
        t = dt.from_dlpack(
            hostile(DLManagedTensorVersioned, b"dltensor_versioned", major=1, minor=7, flags=1)
        )
        assert not t.numpy().flags.writeable

    @pytest.mark.parametrize("name", [b"", b"tensor", None, b"dltensor2"])
    def test_other_names(self, name):
        with pytest.raises(ValueError, match="not one of DLPack"):
            dt.from_dlpack(hostile(name=name))


class TestBuffer:
    @pytest.mark.parametrize("dtype", NUMPY_DTYPES)
    def test_memoryview(self, dtype):
        a = sample(dtype)
        t = dt.tensor(a)
        view = memoryview(t)
        assert (view.shape, view.format, view.readonly) == (
            (2, 3),
            memoryview(a).format.replace("l", "q"),
            False,
        )
        assert view.tobytes() == a.tobytes() == bytes(t) == t.tobytes()
        np.testing.assert_array_equal(np.asarray(view), a)

    def test_writes_show(self):
        t = dt.tensor([1.0, 2.0])
        memoryview(t)[0] = 5
        assert t.tolist() == [5, 2]

    def test_keeps_the_memory_alive(self):
        view = memoryview(dt.tensor([1.0, 2.0]))
        gc.collect()
        assert view.tolist() == [1, 2]

    def test_refusals(self):
        with pytest.raises(BufferError, match="bfloat16"):
            memoryview(dt.tensor([1.0], dtype="bfloat16"))
        with pytest.raises(BufferError, match="gradient"):
            memoryview(dt.tensor([1.0], requires_grad=True))
        a = np.zeros((2, 3))
        with pytest.raises(BufferError, match="order of the axes"):
            io.BytesIO().write(dt.from_numpy(a.T))
        a.flags.writeable = False
        assert memoryview(dt.from_numpy(a)).readonly

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_frombuffer(self, dtype):
        t = dt.tensor([0.0, 1.0, 2.0, 3.0]).astype(dtype)
        back = dt.frombuffer(t.tobytes(), dtype, (2, 2))
        assert (back.dtype, back.shape) == (t.dtype, (2, 2))
        assert back.clone().tolist() == [t.tolist()[:2], t.tolist()[2:]]

    def test_frombuffer_shares(self):
        memory = bytearray(8)
        t = dt.frombuffer(memory, "float32")
        t.numpy()[:] = 1
        assert np.frombuffer(memory, "f4").tolist() == [1, 1]
        with pytest.raises(BufferError):
            memory.extend(b"1234")  # held
        del t
        gc.collect()
        memory.extend(b"1234")
        with pytest.raises(ValueError, match="read-only"):
            dt.frombuffer(bytes(8), "float32").uniform_()

    @pytest.mark.parametrize(
        "arguments", [(b"123", "float32"), (b"1234", "float32", (2,)), (b"1234", "uint8", (-4,))]
    )
    def test_frombuffer_checks_sizes(self, arguments):
        with pytest.raises(ValueError, match="frombuffer"):
            dt.frombuffer(*arguments)

    def test_frombuffer_of_other_kinds(self):
        with pytest.raises(TypeError):
            dt.frombuffer([1, 2], "float32")


class Weight(dt.Tensor):
    pass


class TestCopies:
    @pytest.mark.parametrize("dtype", DTYPES)
    def test_pickle(self, dtype):
        t = dt.tensor(np.arange(6).reshape(2, 3)).astype(dtype)
        back = pickle.loads(pickle.dumps(t))
        assert (back.dtype, back.shape, back.tolist()) == (t.dtype, t.shape, t.tolist())

    def test_pickle_of_a_subclass(self):
        w = Weight(dt.tensor([1.0, 2.0]))
        w.requires_grad = True
        w.label = "first"
        for back in (pickle.loads(pickle.dumps(w)), copy.deepcopy(w), copy.copy(w)):
            assert type(back) is Weight
            assert (back.requires_grad, back.label, back.tolist()) == (True, "first", [1, 2])

    def test_pickle_of_views_and_of_nothing(self):
        a = np.arange(6.0).reshape(2, 3)
        assert pickle.loads(pickle.dumps(dt.from_numpy(a.T))).tolist() == a.T.tolist()
        assert pickle.loads(pickle.dumps(dt.tensor(np.zeros((0, 3))))).shape == (0, 3)
        assert pickle.loads(pickle.dumps(dt.tensor(2.5))).item() == 2.5

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_pickle_of_dtypes(self, dtype):
        d = getattr(dt, dtype)
        assert pickle.loads(pickle.dumps(d)) is d
        assert copy.deepcopy(d) == d

    def test_deepcopy(self):
        t = dt.tensor([1.0, 2.0], requires_grad=True)
        (t * t).backward(dt.tensor([1.0, 1.0]))
        both = copy.deepcopy([t, t])
        assert both[0] is both[1]
        assert both[0].grad.tolist() == [2, 4]
        assert both[0].data_ptr() != t.data_ptr()
        assert both[0].requires_grad

    def test_copy_shares_memory(self):
        t = dt.tensor([1.0])
        assert copy.copy(t).data_ptr() == t.data_ptr()

    @pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
    def test_history_cannot_be_copied(self, make):
        t = dt.tensor([1.0], requires_grad=True) * 2
        with pytest.raises(RuntimeError, match="detach"):
            make(t)

    def test_clone_and_conversions(self):
        t = dt.tensor([1.5, -2.0])
        assert t.clone().data_ptr() != t.data_ptr()
        assert t.to("cpu").data_ptr() == t.to(dt.float32).data_ptr() == t.data_ptr()
        assert t.astype("float32").data_ptr() != t.data_ptr()
        assert t.astype("float32", copy=False).data_ptr() == t.data_ptr()
        assert [x.dtype.name for x in (t.double(), t.half(), t.bfloat16(), t.int(), t.long(), t.bool())] == [
            "float64",
            "float16",
            "bfloat16",
            "int32",
            "int64",
            "bool",
        ]
        assert t.to(dt.tensor(1)).tolist() == [1, -2]
        assert t.to(dtype="float64", device="cpu").dtype == dt.float64
        with pytest.raises(ValueError, match="device 'cuda' is not available"):
            t.to("cuda")
        with pytest.raises(TypeError, match="to: target"):
            t.to(3)

    def test_gradients_flow_through_conversions(self):
        t = dt.tensor([1.5, -2.0], requires_grad=True)
        t.to(dt.float64).clone().astype("float32").backward(dt.tensor([1.0, 2.0]))
        assert t.grad.tolist() == [1, 2]
        assert t.grad.dtype == dt.float32


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
