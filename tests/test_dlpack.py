"""Memory shared through DLPack: both ways, lifetimes, hostile producers."""

import ctypes
import gc

import numpy as np
import pytest

import drivetrain as dt
from exchange_tools import DTYPES, NUMPY_DTYPES, needs_torch, sample, torch


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

    @pytest.mark.usefixtures("no_garbage")
    @pytest.mark.parametrize("arguments", [{}, {"max_version": (1, 0)}, {"copy": True}])
    def test_a_capsule_nobody_takes_gives_the_memory_back(self, arguments):
        before = dt.memory_stats()["in_use"]
        t = dt.tensor(np.zeros(100_000))
        capsule = t.__dlpack__(**arguments)
        del t
        assert dt.memory_stats()["in_use"] >= before + 800_000
        del capsule
        assert dt.memory_stats()["in_use"] == before

    @pytest.mark.usefixtures("no_garbage")
    def test_a_taken_capsule_gives_the_memory_back_once(self):
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
