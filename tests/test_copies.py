"""The buffer protocol, pickles, copies and conversions."""

import copy
import gc
import io
import pickle
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from exchange_tools import DTYPES, NUMPY_DTYPES, sample


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


@pytest.mark.parametrize("mode", ["edge", "reflect"])
@pytest.mark.parametrize("shape", [(5,), (4, 6), (2, 3, 4), (1, 5)])
def test_pad_from_within(mode: Any, shape: tuple[int, ...]) -> None:
    """Wider than the array, too; recorded and not."""
    rng = np.random.default_rng(len(shape))
    x = rng.standard_normal(shape).astype(np.float32)
    widths = [(int(rng.integers(0, 12)), int(rng.integers(0, 12))) for _ in shape]
    expected = np.pad(x, widths, mode=mode)
    np.testing.assert_array_equal(dt.pad(dt.tensor(x), widths, mode=mode).numpy(), expected)
    recorded = dt.pad(dt.tensor(x, requires_grad=True), widths, mode=mode)
    np.testing.assert_array_equal(recorded.detach().numpy(), expected)
    np.testing.assert_array_equal(
        dt.pad(dt.flip(dt.tensor(x), 0), widths, mode=mode).numpy(), np.pad(x[::-1], widths, mode=mode)
    )


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "int64"])
def test_triangles(dtype: str) -> None:
    x = (np.random.default_rng(3).standard_normal((3, 200, 170)) * 3).astype(dtype)
    for given, t in ((x, dt.tensor(x)), (x[:, ::2].swapaxes(1, 2), dt.tensor(x)[:, ::2].swapaxes(1, 2))):
        for k in (0, 3, -150, 10**9, -(10**9)):
            np.testing.assert_array_equal(dt.tril(t, k).numpy(), np.tril(given, k))
            np.testing.assert_array_equal(dt.triu(t, k).numpy(), np.triu(given, k))


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "int64"])
def test_repeated_rows_and_values(dtype: str) -> None:
    x = (np.random.default_rng(3).standard_normal((6, 16, 5)) * 3).astype(dtype)
    t = dt.tensor(x)
    for axis in range(3):
        for repeats in (1, 2, 3, 4, 5, 7, 9, 17, 33, 40, 70, 300):
            np.testing.assert_array_equal(
                dt.repeat(t, repeats, axis=axis).numpy(), np.repeat(x, repeats, axis=axis)
            )
    for view, shape in (
        (np.s_[:, None], (6, 3, 16, 5)),
        (np.s_[:, :1], (6, 16, 5)),
        (np.s_[..., None], (6, 16, 5, 100)),
    ):
        copied = dt.broadcast_to(t[view], shape).contiguous().numpy()
        np.testing.assert_array_equal(copied, np.broadcast_to(x[view], shape))
