"""Gradients written in Python, gradcheck and checkpointing."""

import gc
import weakref

import numpy as np
import pytest

import drivetrain as dt
from autograd_tools import Square, leaf, ones
from drivetrain.autograd import Function, gradcheck


class TestFunction:
    def test_square(self):
        x = leaf(3.0, -1.0)
        y = Square.apply(x)
        assert y.grad_fn.name() == "Square"
        y.backward(ones(y))
        assert x.grad.tolist() == [6, -2]
        assert gradcheck(Square.apply, leaf(0.5, 2.0))

    def test_several_inputs_and_outputs(self):
        class Mixed(Function):
            @staticmethod
            def forward(ctx, x, factor, w):
                ctx.factor = factor
                assert not dt.is_grad_enabled()
                return x * factor, w + 0, dt.tensor([1, 2])

            @staticmethod
            def backward(ctx, gx, gw, gi):
                assert ctx.needs_input_grad == (True, False, True)
                assert gi.tolist() == [0, 0]
                return gx * ctx.factor, None, gw

        x, w = leaf(3.0), leaf(4.0)
        a, b, c = Mixed.apply(x, 7.0, w)
        assert not c.requires_grad
        (a + b * 2).sum().backward()
        assert (x.grad.tolist(), w.grad.tolist()) == ([7], [2])

    def test_outputs_that_nothing_reached(self):
        class Two(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(ctx_flag)
                return x * 1, x * 2

            @staticmethod
            def backward(ctx, a, b):
                seen.append(b if b is None else b.tolist())
                return a

        seen = []
        for ctx_flag in (True, False):  # noqa: B007
            Two.apply(leaf(1.0))[0].backward()
        assert seen == [[0], None]

    def test_non_differentiable(self):
        class Split(Function):
            @staticmethod
            def forward(ctx, x):
                a, b = x * 2, x * 3
                ctx.mark_non_differentiable(b)
                return a, b

            @staticmethod
            def backward(ctx, a, b):
                return a * 2

        a, b = Split.apply(leaf(1.0))
        assert a.requires_grad
        assert not b.requires_grad

    def test_dirty(self):
        class AddOne(Function):
            @staticmethod
            def forward(ctx, x):
                x += 1
                ctx.mark_dirty(x)
                return x

            @staticmethod
            def backward(ctx, grad):
                return grad * 10

        x = leaf(1.0)
        y = x * 2
        z = AddOne.apply(y)
        assert z is y
        z.sum().backward()
        assert x.grad.tolist() == [20]
        with pytest.raises(RuntimeError, match="leaf"):
            AddOne.apply(leaf(1.0))

    def test_an_input_returned_as_it_is(self):
        class Same(Function):
            @staticmethod
            def forward(ctx, x):
                return x

            @staticmethod
            def backward(ctx, grad):
                return grad * 3

        x = leaf(1.0)
        y = Same.apply(x)
        assert x.is_leaf
        y.sum().backward()
        assert x.grad.tolist() == [3]

    @pytest.mark.parametrize(
        ("result", "error", "message"),
        [
            (
                lambda g: (g, g),
                ValueError,
                r"Wrong\.backward: returned 2 gradients, but forward has 1 arguments",
            ),
            (lambda g: (), ValueError, "returned 0 gradients"),
            (lambda g: dt.tensor([1.0, 2.0], dtype="float64"), ValueError, r"argument 0 has shape \(2,\)"),
            (lambda g: g.float(), TypeError, "has dtype float32, but the argument has dtype float64"),
            (lambda g: 3, TypeError, r"Wrong\.backward: the gradient of argument 0 must be a Tensor or None"),
        ],
    )
    def test_wrong_gradients(self, result, error, message):
        class Wrong(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, grad):
                return result(grad)

        y = Wrong.apply(leaf(1.0))
        with pytest.raises(error, match=message):
            y.backward()

    def test_errors_pass_through_and_leave_the_tape_clean(self):
        class Boom(Exception):
            pass

        class Fails(Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, grad):
                raise error

        error = Boom("here")
        x = leaf(1.0)
        a = x * 2
        with pytest.raises(Boom) as caught:
            (Fails.apply(a) + a).sum().backward()
        assert caught.value is error
        assert dt.is_grad_enabled()
        assert x.grad is None
        (x * 3).sum().backward()
        assert x.grad.tolist() == [3]

    def test_saved_tensors_notice_changes(self):
        x = leaf(1.0)
        y = x * 2
        z = Square.apply(y)
        y += 1
        with pytest.raises(
            RuntimeError, match="modified in place after it was saved for the backward of Square"
        ):
            z.sum().backward()

    def test_the_context_goes_with_the_graph(self):
        class Kept:
            pass

        class Holds(Function):
            @staticmethod
            def forward(ctx, x):
                ctx.kept = Kept()
                watches.append(weakref.ref(ctx.kept))
                return x * 1

            @staticmethod
            def backward(ctx, grad):
                return grad

        watches = []
        y = Holds.apply(leaf(1.0))
        assert watches[0]() is not None
        y.backward()
        gc.collect()
        assert watches[0]() is None
        y = Holds.apply(leaf(1.0))
        del y
        gc.collect()
        assert watches[1]() is None

    def test_without_gradients_nothing_is_recorded(self):
        assert not Square.apply(dt.tensor([1.0])).requires_grad
        with dt.no_grad():
            assert not Square.apply(leaf(1.0)).requires_grad


class TestGradcheck:
    def test_catches_a_wrong_gradient(self):
        class Wrong(Square):
            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                return grad * x * 2.01

        x = leaf(1.0, 2.0)
        with pytest.raises(RuntimeError, match="gradient of output 0 by input 0 is wrong"):
            gradcheck(Wrong.apply, x)
        assert not gradcheck(Wrong.apply, x, raise_exception=False)

    def test_wrong_use(self):
        with pytest.raises(TypeError, match="must be float64"):
            gradcheck(Square.apply, leaf(1.0, dtype="float32"))
        with pytest.raises(ValueError, match="none of the inputs"):
            gradcheck(Square.apply, dt.tensor([1.0]))


class TestCheckpoint:
    def test_same_gradients(self):
        def gradients(wrap):
            x, w = leaf(1.5, -2.0), leaf(0.5, 3.0)
            calls = []

            def block(t, scale=1.0):
                calls.append(1)
                return dt.exp(t * w) * scale + t

            y = wrap(block, x, scale=2.0)
            z = wrap(block, y)
            (z * y).sum().backward()
            return x.grad.tolist(), w.grad.tolist(), len(calls)

        plain = gradients(lambda f, *a, **k: f(*a, **k))
        checked = gradients(dt.checkpoint)
        for a, b in zip(plain[:2], checked[:2], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)  # the sums may be in another order
        assert (plain[2], checked[2]) == (2, 4)

    def test_nested(self):
        x, w = leaf(3.0), leaf(2.0)

        def inner(t):
            return dt.checkpoint(lambda u: u * u * w, t)

        dt.checkpoint(lambda t: inner(t) * t * w, x).sum().backward()
        assert (x.grad.tolist(), w.grad.tolist()) == ([108], [108])

    def test_closures_over_tensors_with_history(self):
        w = leaf(2.0)
        h = w * 3
        x = leaf(5.0)
        (dt.checkpoint(lambda t: t * h * w, x) + h).sum().backward()
        # x h w + h = 3 x w^2 + 3 w
        assert (x.grad.tolist(), w.grad.tolist()) == ([12], [6 * 5 * 2 + 3])

    def test_only_parameters_require_gradients(self):
        w = leaf(2.0)
        dt.checkpoint(lambda t: t * w, dt.tensor([5.0], dtype="float64")).backward()
        assert w.grad.tolist() == [5]

    def test_with_grad_and_hooks(self):
        x, w, seen = leaf(3.0), leaf(2.0), []
        w.register_hook(lambda g: seen.append(g.tolist()))
        y = dt.checkpoint(lambda t: t * t * w, x) * w
        (dx, dw) = dt.autograd.grad(y, [x, w])
        assert (dx.tolist(), dw.tolist()) == ([24], [36])
        assert seen == [[36]]

    def test_dropout_drops_the_same(self):
        x = dt.tensor(np.ones(1000), requires_grad=True)
        dt.manual_seed(5)
        y = dt.checkpoint(lambda t: dt.dropout(t, 0.5), x)
        state = dt.default_generator.get_state()
        y.backward(ones(y))
        assert x.grad.tolist() == y.tolist()
        assert dt.default_generator.get_state() == state

    def test_several_outputs(self):
        x = leaf(3.0)
        _, b, c = dt.checkpoint(lambda t: (t * 2, "kept", t * t), x)
        assert b == "kept"
        c.sum().backward()
        assert x.grad.tolist() == [6]
        assert isinstance(dt.checkpoint(lambda t: [t * 2], x), list)

    def test_nothing_is_kept(self):
        class Watched(Square):
            @staticmethod
            def forward(ctx, x):
                ctx.kept = type("Kept", (), {})()
                watches.append(weakref.ref(ctx.kept))
                return Square.forward(ctx, x)

        watches = []
        y = dt.checkpoint(Watched.apply, leaf(3.0))
        gc.collect()
        assert watches[0]() is None
        y.backward()
        assert len(watches) == 2

    def test_arguments_must_not_change(self):
        x = leaf(3.0)
        h = x * 2
        y = dt.checkpoint(lambda t: t * t, h)
        h += 1
        with pytest.raises(RuntimeError, match="modified in place"):
            y.sum().backward()

    def test_errors_pass_through(self):
        calls = []

        def function(t):
            calls.append(1)
            if len(calls) > 1:
                raise KeyError("second")
            return t * 2

        x = leaf(3.0)
        y = dt.checkpoint(function, x)
        state = dt.default_generator.get_state()
        with pytest.raises(KeyError, match="second"):
            y.backward()
        assert dt.default_generator.get_state() == state
        (x * 2).backward()
        assert x.grad.tolist() == [2]

    def test_without_recording(self):
        with dt.no_grad():
            assert not dt.checkpoint(lambda t: t * 2, leaf(1.0)).requires_grad
        assert not dt.checkpoint(lambda t: t * 2, dt.tensor([1.0])).requires_grad
