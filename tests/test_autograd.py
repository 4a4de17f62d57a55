"""The tape: leaves, hooks, errors, gradients written in Python, checkpointing, threads."""

import gc
import threading
import weakref

import numpy as np
import pytest

import drivetrain as dt
from autograd_tools import Square, leaf, ones

LABELS = dt.tensor([0, 1, 2])


def put(x, indices, value):
    x[indices] = value
    return x


class TestLeaves:
    def test_flags(self):
        x = leaf(1.0)
        y = x * 2
        assert (x.is_leaf, x.requires_grad, x.grad_fn, x.grad) == (True, True, None, None)
        assert (y.is_leaf, y.requires_grad, y.grad_fn.name()) == (False, True, "multiply")
        assert y.detach().is_leaf
        assert not y.detach().requires_grad

    def test_only_floats_require_gradients(self):
        for dtype in ("int64", "bool", "uint8"):
            with pytest.raises(TypeError, match="only floating-point"):
                dt.tensor([1], dtype=dtype).requires_grad_()

    def test_gradients_add_up(self):
        x = leaf(1.0, 2.0)
        for _ in range(3):
            (x * x).sum().backward()
        assert x.grad.tolist() == [6, 12]
        x.grad = None
        assert x.grad is None

    def test_the_gradient_is_checked_when_set(self):
        x = leaf(1.0)
        with pytest.raises(ValueError, match=r"grad: shape \(2,\)"):
            x.grad = dt.tensor([1.0, 2.0], dtype="float64")
        with pytest.raises(TypeError, match="grad: dtype float32"):
            x.grad = dt.tensor([1.0])
        with pytest.raises(TypeError, match="grad: value must be a Tensor"):
            x.grad = 3

    def test_a_gradient_never_shares_the_user_s_memory(self):
        x, seed = leaf(1.0, 2.0), dt.tensor([1.0, 1.0], dtype="float64")
        (x + 0).backward(seed)
        seed.numpy()[:] = 9
        assert x.grad.tolist() == [1, 1]

    def test_a_gradient_never_shares_what_a_hook_returned(self):
        x, memory = leaf(1.0, 2.0), np.ones(2)
        y = x + 0
        y.register_hook(lambda g: dt.from_numpy(memory))
        y.backward(ones(y))
        memory[:] = 9
        assert x.grad.tolist() == [1, 1]

    def test_two_leaves_never_share_one_gradient(self):
        x, y = leaf(1.0), leaf(2.0)
        (x + y).backward()
        x.grad.numpy()[:] = 9
        assert y.grad.tolist() == [1]

    def test_a_gradient_kept_by_the_user_does_not_change(self):
        x, kept = leaf(1.0), []
        y = x * 2
        y.register_hook(kept.append)
        (y + y).backward()
        assert kept[0].tolist() == [2]
        (y * 3 if False else x * 2).backward()
        assert kept[0].tolist() == [2]

    def test_read_only_gradients_of_the_user_are_not_written_to(self):
        x, memory = leaf(1.0, 2.0), np.ones(2)
        memory.flags.writeable = False
        x.grad = dt.from_numpy(memory)
        (x * 2).sum().backward()
        assert memory.tolist() == [1, 1]
        assert x.grad.tolist() == [3, 3]


class TestErrors:
    def test_non_scalar(self):
        y = leaf(1.0, 2.0) * 2
        with pytest.raises(
            ValueError, match=r"backward: a gradient must be given for a tensor of shape \(2,\)"
        ):
            y.backward()

    def test_wrong_gradients(self):
        y = leaf(1.0, 2.0) * 2
        with pytest.raises(ValueError, match=r"shape \(1,\), but the tensor has shape \(2,\)"):
            y.backward(dt.tensor([1.0], dtype="float64"))
        with pytest.raises(TypeError, match="dtype float32, but the tensor has dtype float64"):
            y.backward(dt.tensor([1.0, 1.0]))

    def test_nothing_requires_a_gradient(self):
        with pytest.raises(RuntimeError, match="does not require a gradient"):
            dt.tensor(1.0).backward()

    def test_twice(self):
        y = (leaf(1.0) * 2).sum()
        y.backward()
        with pytest.raises(RuntimeError, match="freed by an earlier backward; pass retain_graph=True"):
            y.backward()

    def test_retain_graph(self):
        x = leaf(3.0)
        y = (x * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [12]

    def test_leaves_cannot_be_written_to(self):
        x = leaf(1.0, 2.0)
        for write in (lambda: x.add_(1), lambda: x.multiply_(2), lambda: x.uniform_()):
            with pytest.raises(
                RuntimeError, match="a leaf that requires a gradient cannot be changed in place"
            ):
                write()
        with dt.no_grad():
            x += 1
        assert x.tolist() == [2, 3]

    def test_saved_tensors_must_not_change(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        z = y * y
        y += 1
        message = (
            r"a tensor of shape \(2,\) was modified in place after it was saved for the backward of multiply"
        )
        with pytest.raises(RuntimeError, match=message):
            z.sum().backward()

    @pytest.mark.parametrize(
        ("op", "other", "name"),
        [
            (lambda x, i: x[i], [1, 2], "index"),
            (lambda x, i: x[:, i], [1, 2], "index"),
            (lambda x, i: put(x * 1, i, 2.0), [1, 2], "index_put"),
            (lambda x, i: put(dt.zeros(5, 3), i, x), [3, 1, 4], "index_put"),
            (lambda x, i: dt.take(x, i, axis=1), [1, 2], "take"),
            (lambda x, i: dt.gather(x, i, axis=1), [[1], [2]], "gather"),
            (lambda x, i: dt.scatter_add(dt.zeros(3, 3), i, x[:2, :1], axis=1), [[1], [2]], "scatter_add"),
            (lambda x, mask: dt.where(mask, x, 0.0), [True, False, True], "where"),
            (lambda x, w: dt.cross_entropy(x, LABELS, weight=w), [1.0, 2.0, 3.0], "cross_entropy"),
            (lambda x, p: dt.cross_entropy(x, p), [[0.2, 0.3, 0.5]] * 3, "cross_entropy"),
            (lambda x, w: dt.cross_entropy(x, LABELS, sample_weight=w), [1.0, 2.0, 3.0], "cross_entropy"),
            (lambda x, w: dt.nll_loss(x, LABELS, sample_weight=w), [1.0, 2.0, 3.0], "nll_loss"),
            (lambda x, w: dt.mse_loss(x, dt.zeros(3, 3), sample_weight=w), [1.0, 2.0, 3.0], "mse_loss"),
            (lambda x, w: dt.multi_margin_loss(x, LABELS, weight=w), [1.0, 2.0, 3.0], "multi_margin_loss"),
            (
                lambda x, w: dt.binary_cross_entropy_with_logits(x, dt.ones(3, 3), pos_weight=w),
                [1.0, 2.0, 3.0],
                "binary_cross_entropy_with_logits",
            ),
        ],
    )
    def test_indices_and_weights_must_not_change(self, op, other, name):
        x = dt.tensor(np.arange(9.0).reshape(3, 3), dtype="float32", requires_grad=True)
        other = dt.tensor(other)
        y = op(x, other)
        y.sum().backward(retain_graph=True)
        other[0] = other[1]
        with pytest.raises(RuntimeError, match=f"modified in place after .* for the backward of {name}$"):
            y.sum().backward()

    def test_changes_of_what_was_not_saved_are_fine(self):
        x = leaf(1.0, 2.0)
        y = x + 1
        z = y * 3
        y += 1
        z.sum().backward()
        assert x.grad.tolist() == [3, 3]

    def test_a_result_that_was_saved_must_not_change(self):
        y = dt.exp(leaf(1.0))
        y += 1
        with pytest.raises(RuntimeError, match="saved for the backward of exp"):
            y.sum().backward()


class TestModes:
    def test_no_grad(self):
        x = leaf(1.0)
        with dt.no_grad():
            assert not (x * 2).requires_grad
            with dt.enable_grad():
                assert (x * 2).requires_grad
            assert not dt.is_grad_enabled()
        assert dt.is_grad_enabled()

    def test_errors_restore_it(self):
        with pytest.raises(KeyError), dt.no_grad():
            raise KeyError
        assert dt.is_grad_enabled()

    @pytest.mark.parametrize(
        "decorator",
        [
            lambda f: dt.no_grad(f),
            lambda f: dt.no_grad()(f),
            lambda f: dt.set_grad_enabled(False)(f),
            lambda f: dt.inference_mode()(f),
        ],
    )
    def test_decorators(self, decorator):
        @decorator
        def function(a, b=2):
            """Doc."""
            return dt.is_grad_enabled(), a + b

        assert function(1) == (False, 3)
        assert dt.is_grad_enabled()
        assert (function.__name__, function.__doc__) == ("function", "Doc.")

    def test_generators(self):
        @dt.no_grad()
        def generate():
            seen = []
            try:
                seen.append((yield dt.is_grad_enabled()))
                try:
                    yield dt.is_grad_enabled()
                except KeyError:
                    yield "caught"
            finally:
                seen.append(dt.is_grad_enabled())
                closed.append(seen)
            return 7

        closed = []
        g = generate()
        assert next(g) is False
        assert dt.is_grad_enabled()
        assert g.send(5) is False
        assert g.throw(KeyError()) == "caught"
        assert dt.is_grad_enabled()
        with pytest.raises(StopIteration) as stop:
            next(g)
        assert stop.value.value == 7
        assert closed == [[5, False]]
        g = generate()
        next(g)
        g.close()
        assert closed[1] == [False]

    def test_set_grad_enabled_acts_at_once(self):
        dt.set_grad_enabled(False)
        assert not dt.is_grad_enabled()
        with dt.set_grad_enabled(True):
            assert dt.is_grad_enabled()
        assert not dt.is_grad_enabled()
        dt.set_grad_enabled(True)

    def test_one_object_entered_twice(self):
        off = dt.no_grad()
        with off, dt.enable_grad(), off:
            assert not dt.is_grad_enabled()
        assert dt.is_grad_enabled()

    def test_threads_have_their_own(self):
        seen = []
        with dt.no_grad():
            thread = threading.Thread(target=lambda: seen.append(dt.is_grad_enabled()))
            thread.start()
            thread.join()
        assert seen == [True]


class TestHooks:
    def test_order_and_change(self):
        x = leaf(1.0)
        y = x * 2
        y.retain_grad()
        y.register_hook(lambda g: g * 3)
        y.register_hook(lambda g: None)
        y.register_hook(lambda g: g + 1)
        y.sum().backward()
        assert y.grad.tolist() == [4]  # retained after the hooks
        assert x.grad.tolist() == [8]

    def test_leaf_hooks_see_the_sum_once(self):
        x, seen = leaf(1.0), []
        x.register_hook(lambda g: seen.append(g.tolist()))
        (x * 2 + x * 3).backward()
        assert seen == [[5]]

    def test_remove(self):
        x, seen = leaf(1.0), []
        handle = x.register_hook(lambda g: seen.append(1))
        x.sum().backward()
        handle.remove()
        handle.remove()
        x.sum().backward()
        assert seen == [1]

    def test_a_removed_hook_is_let_go(self):
        class Watched:
            def __call__(self, grad):
                return None

        x, hook = leaf(1.0), Watched()
        watch = weakref.ref(hook)
        handle = x.register_hook(hook)
        del hook
        assert watch() is not None
        handle.remove()
        assert watch() is None

    def test_a_hook_may_remove_itself(self):
        x, seen = leaf(1.0), []

        def hook(grad):
            seen.append(1)
            handle.remove()

        handle = x.register_hook(hook)
        x.sum().backward()
        x.sum().backward()
        assert seen == [1]

    def test_wrong_results(self):
        for result, error, message in [
            (dt.tensor([1.0, 2.0], dtype="float64"), ValueError, r"returned a gradient of shape \(2,\)"),
            (dt.tensor([1.0]), TypeError, "returned a gradient of dtype float32"),
            (3, TypeError, "the hook's result must be a Tensor"),
        ]:
            x = leaf(1.0)
            x.register_hook(lambda g, result=result: result)
            with pytest.raises(error, match=message):
                x.sum().backward()

    def test_wrong_use(self):
        with pytest.raises(RuntimeError, match="register_hook: this tensor does not require a gradient"):
            dt.tensor(1.0).register_hook(lambda g: g)
        with pytest.raises(TypeError, match="register_hook: hook must be callable"):
            leaf(1.0).register_hook(3)
        with pytest.raises(RuntimeError, match="retain_grad"):
            dt.tensor(1.0).retain_grad()

    def test_retain_grad_of_a_leaf_does_nothing(self):
        x = leaf(1.0)
        x.retain_grad()
        x.sum().backward()
        assert x.grad.tolist() == [1]

    def test_backward_within_a_hook(self):
        x, y = leaf(1.0), leaf(2.0)

        def hook(grad):
            with dt.enable_grad():
                (x * 5 + y).sum().backward()

        z = x * 2 + x * 3
        z.register_hook(hook)
        (z + x).sum().backward()
        assert x.grad.tolist() == [11]
        assert y.grad.tolist() == [1]


class TestGrad:
    def test_values(self):
        x, w = leaf(3.0), leaf(4.0)
        y = x * w
        dx, dy = dt.autograd.grad((y * y).sum(), [x, y])
        assert (dx.tolist(), dy.tolist()) == ([2 * 12 * 4], [24])
        assert x.grad is None
        assert w.grad is None

    def test_several_outputs(self):
        x = leaf(3.0, 1.0)
        (g,) = dt.autograd.grad([x * 2, x * 5], x, [dt.tensor([1.0, 0.0], dtype="float64"), ones(x)])
        assert g.tolist() == [7, 5]

    def test_unused(self):
        x, w = leaf(3.0), leaf(4.0)
        with pytest.raises(
            RuntimeError, match=r"grad: the outputs do not depend on input 1 \(shape \(1,\)\)"
        ):
            dt.autograd.grad(x * 2, [x, w])
        assert dt.autograd.grad(x * 2, [x, w], allow_unused=True)[1] is None
        with pytest.raises(RuntimeError, match="does not require a gradient"):
            dt.autograd.grad(x * 2, dt.tensor([1.0]))

    def test_gradients_of_gradients(self):
        x = leaf(3.0)
        with pytest.raises(NotImplementedError, match="create_graph"):
            dt.autograd.grad(x * 2, x, create_graph=True)

    def test_wrong_count(self):
        x = leaf(3.0)
        with pytest.raises(ValueError, match="2 gradients were given for 1 tensors"):
            dt.autograd.grad(x * 2, x, [None, None])

    def test_backward_of_some_inputs(self):
        x, w = leaf(3.0), leaf(4.0)
        dt.autograd.backward([x * w, w * 2], inputs=[x])
        assert x.grad.tolist() == [4]
        assert w.grad is None


class TestScale:
    def test_long_chains(self):
        x = leaf(1.0)
        y = x
        for _ in range(100_000):
            y = y + 1
        y.backward()
        assert x.grad.tolist() == [1]
        z = x
        for _ in range(100_000):
            z = z * 1
        del y, z  # never walked

    def test_many_uses(self):
        x = leaf(1.0)
        y = x * 1
        total = y
        for _ in range(2000):
            total = total + y
        total.backward()
        assert x.grad.tolist() == [2001]

    def test_backward_in_threads(self):
        shared = leaf(1.0, 2.0)
        failures = []

        def work(k):
            try:
                for _ in range(50):
                    own = leaf(float(k), 1.0)
                    (Square.apply(own) * shared).sum().backward()
                    if own.grad.tolist() != [2 * k, 4]:
                        failures.append(own.grad.tolist())
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert shared.grad.tolist() == [50 * sum(k * k for k in range(6)), 300]

    def test_large_walks_let_go_of_the_interpreter_and_call_it_again(self):
        x = dt.randn((512, 512)).requires_grad_()
        seen = []
        y = x
        for _ in range(3):
            y = dt.linear(Square.apply(y), dt.randn((512, 512)))
            y.register_hook(lambda g: seen.append(g.shape))
        y.sum().backward()
        assert len(seen) == 3
        assert x.grad.shape == (512, 512)

    @pytest.mark.usefixtures("no_garbage")
    def test_memory_is_given_back(self):
        def step():
            x = dt.randn((100, 100)).requires_grad_()
            y = dt.checkpoint(lambda t: Square.apply(t) * t, x)
            y.register_hook(lambda g: g * 2)
            y.sum().backward()

        step()
        gc.collect()
        before = dt.memory_stats()["in_use"]
        for _ in range(20):
            step()
        gc.collect()
        assert dt.memory_stats()["in_use"] == before


def test_the_graph_can_be_looked_at():
    x = leaf(1.0)
    y = x * 2 + x
    (first, slot), (second, _) = y.grad_fn.next_functions
    assert (y.grad_fn.name(), first.name(), second.name(), slot) == ("add", "multiply", "leaf", 0)
    assert first.next_functions[0][0] == second
    assert hash(first.next_functions[0][0]) == hash(second)
    assert repr(y.grad_fn) == "<add>"


def test_clip_in_place_with_a_limit_that_needs_a_gradient():
    low = dt.tensor([0.0, 2.0], requires_grad=True)
    x = dt.tensor([1.0, 1.0])
    x.clip_(low)
    x.sum().backward()
    assert x.tolist() == [1, 2]
    assert low.grad.tolist() == [0, 1]
