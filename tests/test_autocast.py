"""Regions of autocast: which ops they reach, what goes over the tape, the cache of weights."""

import threading

import numpy as np
import pytest

import drivetrain as dt
from autograd_tools import Square
from drivetrain import _core, nn
from drivetrain.nn import functional

HALVES = ("bfloat16", "float16")
rng = np.random.default_rng(3)


def floats(*shape, requires_grad=False):
    return dt.tensor(rng.standard_normal(shape), dtype="float32", requires_grad=requires_grad)


def parameter(*shape):
    return floats(*shape, requires_grad=True)


PRODUCTS = {
    "matmul": (lambda x, w, b: x @ w, (5, 7), (7, 6), None),
    "linear": (functional.linear, (5, 7), (6, 7), (6,)),
    "linear_relu": (_core._linear_relu, (5, 7), (6, 7), (6,)),
    "conv1d": (functional.conv1d, (2, 9, 4), (5, 3, 4), (5,)),
    "conv2d": (functional.conv2d, (2, 9, 8, 4), (5, 3, 3, 4), (5,)),
    "conv_transpose1d": (functional.conv_transpose1d, (2, 9, 4), (4, 3, 5), (5,)),
    "conv_transpose2d": (functional.conv_transpose2d, (2, 5, 4, 4), (4, 3, 3, 5), (5,)),
}


@pytest.fixture(params=PRODUCTS)
def product(request):
    function, *shapes = PRODUCTS[request.param]
    return function, [None if s is None else parameter(*s) for s in shapes]


class TestRegions:
    def test_state(self):
        assert not dt.is_autocast_enabled()
        assert dt.get_autocast_dtype() is None
        with dt.autocast("float16"):
            assert dt.is_autocast_enabled()
            assert dt.get_autocast_dtype() == dt.float16
            with dt.autocast(dt.bfloat16):
                assert dt.get_autocast_dtype() == dt.bfloat16
                with dt.autocast(enabled=False):
                    assert not dt.is_autocast_enabled()
                assert dt.get_autocast_dtype() == dt.bfloat16
            assert dt.get_autocast_dtype() == dt.float16
        assert dt.get_autocast_dtype() is None

    @pytest.mark.parametrize(("alias", "dtype"), [("bf16", dt.bfloat16), ("fp16", dt.float16)])
    def test_the_short_names_of_the_trainer(self, alias, dtype):
        with dt.autocast(alias):
            assert dt.get_autocast_dtype() == dtype

    def test_errors_restore_it(self):
        with pytest.raises(KeyError), dt.autocast():
            raise KeyError
        assert not dt.is_autocast_enabled()

    def test_one_object_entered_twice(self):
        region = dt.autocast()
        with region:
            with region:
                pass
            assert dt.is_autocast_enabled()
        assert not dt.is_autocast_enabled()

    def test_decorators(self):
        @dt.autocast("float16")
        def plain():
            return dt.get_autocast_dtype()

        @dt.autocast("float16")
        def generator():
            yield dt.get_autocast_dtype()
            yield dt.get_autocast_dtype()

        assert plain() == dt.float16
        for dtype in generator():
            assert dtype == dt.float16
            assert not dt.is_autocast_enabled()

    def test_generators_that_end_in_another_order(self):
        def generator():
            with dt.autocast():
                yield

        first, second = generator(), generator()
        next(first)
        next(second)
        first.close()
        second.close()
        assert not dt.is_autocast_enabled()

    def test_threads_have_their_own(self):
        seen = []
        with dt.autocast():
            thread = threading.Thread(target=lambda: seen.append(dt.is_autocast_enabled()))
            thread.start()
            thread.join()
        assert seen == [False]

    @pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "cpu", None, 3])
    def test_wrong_dtypes(self, dtype):
        with pytest.raises(TypeError, match="autocast: dtype must be bfloat16 or float16"):
            dt.autocast(dtype)
        assert not dt.is_autocast_enabled()

    def test_wrong_switch(self):
        with pytest.raises(TypeError, match="enabled"):
            dt.autocast(enabled=1)

    def test_what_cannot_be_decorated(self):
        async def coroutine():
            pass

        for mode in (dt.autocast(), dt.no_grad()):
            with pytest.raises(TypeError, match=r"cannot decorate the async function .*coroutine"):
                mode(coroutine)
            with pytest.raises(TypeError, match="expected a function to decorate, got 3"):
                mode(3)


class TestProducts:
    @pytest.mark.parametrize("half", HALVES)
    def test_computed_as_in_the_half_format(self, product, half):
        function, (x, w, b) = product
        with dt.autocast(half):
            y = function(x, w, b)
        expected = function(x.astype(half), w.astype(half), b)
        assert y.dtype == half
        np.testing.assert_array_equal(y.float().detach().numpy(), expected.float().detach().numpy())
        close = function(x, w, b).detach().numpy()
        assert np.abs(y.float().detach().numpy() - close).max() < 0.05 * np.abs(close).max()

    @pytest.mark.parametrize("half", HALVES)
    def test_gradients_have_the_dtype_of_what_was_given(self, product, half):
        function, operands = product
        x, w, b = operands
        with dt.autocast(half):
            y = function(x, w, b)
        grad = floats(*y.shape).astype(half)
        y.backward(grad)
        # The same in float32, from the operands as rounded.
        rounded = (x.astype(half), w.astype(half), b)
        exact = [None if t is None else t.detach().clone().float().requires_grad_() for t in rounded]
        function(*exact).backward(grad.float())
        for got, wanted in zip(operands, exact, strict=True):
            if got is None:
                continue
            assert got.grad.dtype == got.dtype == dt.float32
            error = np.abs(got.grad.numpy() - wanted.grad.numpy()).max()
            assert error < 0.02 * np.abs(wanted.grad.numpy()).max()

    def test_the_gradient_of_a_weight_is_not_rounded(self):
        # 1 + 2^-12 in the sum of a column: gone in bfloat16.
        x = dt.tensor([[1.0], [2.0**-12]], dtype="float32")
        w = parameter(1, 1)
        b = parameter(1)
        with dt.autocast():
            y = functional.linear(x, w, b)
        y.backward(dt.ones((2, 1), dtype="bfloat16"))
        assert w.grad.item() == 1 + 2.0**-12
        assert b.grad.item() == 2

    def test_half_and_mixed_operands(self):
        x, w = floats(3, 4), parameter(5, 4)
        with dt.autocast("bfloat16"):
            for given in (x.astype("float16"), x.astype("bfloat16")):
                assert functional.linear(given, w).dtype == dt.bfloat16

    def test_float64_is_left_alone(self):
        x, w = floats(3, 4).astype("float64"), floats(4, 4).astype("float64")
        with dt.autocast():
            assert (x @ w).dtype == functional.linear(x, w).dtype == dt.float64
            with pytest.raises(TypeError, match="input has dtype float32, but weight has dtype float64"):
                functional.linear(x.float(), w)

    def test_errors_name_what_is_wrong(self):
        with dt.autocast():
            with pytest.raises(ValueError, match="linear: input has 3 features"):
                functional.linear(floats(2, 3), floats(4, 5))
            with pytest.raises(TypeError, match="floating-point"):
                dt.tensor([[1]]) @ dt.tensor([[1]])
            with pytest.raises(TypeError, match="bias has dtype float64"):
                functional.linear(floats(2, 3), floats(4, 3), floats(4).astype("float64"))

    def test_results_have_no_history_under_no_grad(self):
        with dt.autocast(), dt.no_grad():
            assert not functional.linear(floats(2, 3), parameter(4, 3)).requires_grad


class TestBackward:
    def test_within_and_outside_of_the_region_alike(self):
        x, w = parameter(6, 4), parameter(5, 4)
        grads = []
        for inside in (True, False):
            x.grad = w.grad = None
            with dt.autocast():
                y = functional.linear(x, w).float().sum()
                if inside:
                    y.backward()
            if not inside:
                y.backward()
            grads.append((x.grad.numpy().copy(), w.grad.numpy().copy()))
        np.testing.assert_array_equal(grads[0][0], grads[1][0])
        np.testing.assert_array_equal(grads[0][1], grads[1][1])

    def test_hooks_run_without_autocast(self):
        seen = []
        x, w = parameter(6, 4), parameter(5, 4)
        with dt.autocast():
            y = functional.linear(x, w)
            y.register_hook(lambda g: seen.append((dt.is_autocast_enabled(), g.dtype)))
            y.float().sum().backward()
            assert dt.is_autocast_enabled()
        assert seen == [(False, dt.bfloat16)]

    def test_retain_graph(self):
        x, w = parameter(6, 4), parameter(5, 4)
        with dt.autocast():
            y = functional.linear(x, w).float().sum()
        y.backward(retain_graph=True)
        once = w.grad.numpy().copy()
        y.backward()
        np.testing.assert_array_equal(w.grad.numpy(), 2 * once)

    def test_saved_results_must_not_change(self):
        x, w, b = parameter(6, 4), parameter(5, 4), parameter(5)
        with dt.autocast():
            y = _core._linear_relu(x, w, b)
            y += 1
        with pytest.raises(RuntimeError, match=r"modified in place .* saved for the backward of linear"):
            y.float().sum().backward()

    def test_views_and_writes(self):
        x, w = parameter(4, 6), parameter(4, 4)
        with dt.autocast():
            y = (x.mT @ w)[1:3]
            z = y * 1
            z[0] = 0
            z.float().sum().backward()
        low = w.detach().astype("bfloat16").float().numpy().sum(axis=1)
        expected = np.zeros((4, 6), np.float32)
        expected[:, 2] = low
        np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-2)

    @pytest.mark.parametrize("half", HALVES)
    def test_checkpoint_computes_in_the_recorded_format(self, half):
        layer, x = nn.Linear(4, 4), parameter(3, 4)
        dtypes = []

        def forward(t):
            y = layer(t)
            dtypes.append(y.dtype.name)
            return y

        grads = []
        for run in (forward, lambda t: dt.checkpoint(forward, t)):
            x.grad = layer.weight.grad = None
            with dt.autocast(half):
                y = run(x).float().sum()
            y.backward()
            grads.append([x.grad.numpy().copy(), layer.weight.grad.numpy().copy()])
        assert dtypes == [half] * 3
        assert not dt.is_autocast_enabled()
        for a, b in zip(*grads, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_functions_run_backward_as_forward(self):
        seen = []

        class Product(dt.autograd.Function):
            @staticmethod
            def forward(ctx, x, w):
                ctx.save_for_backward(x, w)
                seen.append(dt.get_autocast_dtype())
                return x @ w

            @staticmethod
            def backward(ctx, grad):
                x, w = ctx.saved_tensors
                seen.append(dt.get_autocast_dtype())
                return grad @ w.mT, x.mT @ grad

        x, w = parameter(3, 4), parameter(4, 5)
        with dt.autocast():
            y = Product.apply(x, w)
        assert y.dtype == dt.bfloat16
        y.backward(dt.ones(y.shape, dtype="bfloat16"))
        assert seen == [dt.bfloat16, dt.bfloat16]
        assert x.grad.dtype == w.grad.dtype == dt.float32

    def test_functions_of_other_ops(self):
        x = parameter(3)
        with dt.autocast():
            Square.apply(x).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy())


class TestCache:
    def test_weights_are_cast_once_and_dropped_with_the_region(self):
        layer, x = nn.Linear(4, 4), floats(3, 4)
        with dt.autocast():
            for _ in range(3):
                x = layer(x)
            assert _core._autocast_cache_size() == 1
            with dt.autocast(enabled=False):
                pass
            assert _core._autocast_cache_size() == 1
        assert _core._autocast_cache_size() == 0

    def test_a_weight_changed_within_the_region(self):
        layer, x = nn.Linear(4, 4, bias=False), floats(3, 4)
        with dt.autocast(), dt.no_grad():
            first = layer(x)
            layer.weight *= 2
            second = layer(x)
            layer.weight.detach()[...] = 0
            third = layer(x)
        np.testing.assert_array_equal(second.float().numpy(), 2 * first.float().numpy())
        assert not third.float().numpy().any()

    def test_an_optimizer_s_step_within_the_region(self):
        layer, x = nn.Linear(4, 1, bias=False), floats(3, 4)
        optimizer = dt.optim.SGD(layer.parameters(), lr=0.1)
        with dt.autocast():
            before = layer(x)
            before.float().sum().backward()
            optimizer.step()
            after = layer(x)
        expected = x.astype("bfloat16") @ layer.weight.detach().astype("bfloat16").mT
        np.testing.assert_array_equal(after.float().detach().numpy(), expected.float().numpy())
        assert (after.float() != before.float()).any()

    def test_another_format_in_an_inner_region(self):
        layer, x = nn.Linear(4, 4), floats(3, 4)
        with dt.autocast("bfloat16"):
            assert layer(x).dtype == dt.bfloat16
            with dt.autocast("float16"):
                assert layer(x).dtype == dt.float16
            assert layer(x).dtype == dt.bfloat16

    @pytest.mark.usefixtures("no_garbage")
    def test_memory_is_bounded(self):
        x = floats(1, 256)
        with dt.autocast(), dt.no_grad():
            used = []
            for _ in range(20):
                functional.linear(x, floats(256, 256))
                used.append(dt.memory_stats()["in_use"])
            assert _core._autocast_cache_size() <= 2
        assert used[-1] <= used[3]

    def test_a_new_weight_at_the_old_address_is_a_new_weight(self):
        x = dt.ones((1, 8))
        with dt.autocast(), dt.no_grad():
            for value in range(50):
                w = dt.full((8, 8), float(value))
                assert functional.linear(x, w).float().numpy().max() == 8 * value
                del w

    @pytest.mark.usefixtures("no_garbage")
    def test_the_history_is_not_kept_alive(self):
        layer = nn.Linear(64, 64)
        with dt.autocast():
            layer(floats(32, 64))
            used = dt.memory_stats()["in_use"]
            for _ in range(5):
                layer(floats(32, 64))
            assert dt.memory_stats()["in_use"] <= used
