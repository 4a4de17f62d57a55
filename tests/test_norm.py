"""What the op table cannot say about the norms: running statistics, inputs that are hard on a variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
import reference
from op_table.tools import on_threads
from reference.norm import updated_statistics

rng = np.random.default_rng(4)


@pytest.mark.parametrize("shape", [(6, 3), (40, 5, 7), (5000, 24)])
def test_batch_norm_running_statistics(shape: tuple[int, ...]) -> None:
    mean, var = rng.standard_normal(shape[-1]), rng.uniform(0.5, 2, shape[-1])
    running_mean, running_var = dt.tensor(mean), dt.tensor(var)
    for _ in range(3):
        x = rng.standard_normal(shape) + 2
        dt.batch_norm(dt.tensor(x), running_mean, running_var, training=True, momentum=0.3)
        mean, var = updated_statistics(x, mean, var, 0.3)
        np.testing.assert_allclose(running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(running_var.numpy(), var, rtol=1e-12)
    before = running_mean.numpy().copy()
    dt.batch_norm(dt.tensor(x), running_mean, running_var)
    np.testing.assert_array_equal(running_mean.numpy(), before)


def test_running_statistics_in_strided_memory() -> None:
    memory = np.zeros((3, 2), dtype=np.float32)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    running_mean = dt.from_numpy(memory[:, 0])
    dt.batch_norm(dt.tensor(x), running_mean, dt.from_numpy(memory[:, 1]), training=True, momentum=1.0)
    np.testing.assert_allclose(memory[:, 0], x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(memory[:, 1], x.var(axis=0, ddof=1), rtol=1e-5)


def test_read_only_running_statistics_are_refused() -> None:
    memory = np.zeros(3, dtype=np.float32)
    memory.flags.writeable = False
    x = dt.tensor(rng.standard_normal((5, 3)), dtype="float32")
    with pytest.raises(ValueError, match="batch_norm: the tensor shares read-only memory"):
        dt.batch_norm(x, dt.from_numpy(memory), None, training=True)


def test_instance_norm_running_statistics_are_the_mean_over_the_batch() -> None:
    x = rng.standard_normal((4, 9, 3))
    mean, var = dt.tensor(np.zeros(3)), dt.tensor(np.zeros(3))
    dt.instance_norm(dt.tensor(x), mean, var, momentum=1.0)
    np.testing.assert_allclose(mean.numpy(), x.mean(axis=1).mean(axis=0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(var.numpy(), x.var(axis=1, ddof=1).mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("rows", [200, 20000])
def test_variance_far_from_zero_mean(rows: int) -> None:
    """Sums of squares lose every digit here, and so do sums shifted by the first row."""
    x = (rng.standard_normal((rows, 8)) + 3000).astype(np.float32)
    x[0] = 0
    expected = reference.batch_norm(x.astype(np.float64), training=True)
    actual = dt.batch_norm(dt.tensor(x), training=True).numpy()
    np.testing.assert_allclose(actual, expected, atol=2e-3, rtol=1e-4)


def test_gradient_against_saved_statistics() -> None:
    """Later changes of the running statistics do not reach the backward pass of an earlier call."""
    x = dt.tensor(rng.standard_normal((5, 3)))
    x.requires_grad = True
    mean, var = dt.tensor(np.zeros(3)), dt.tensor(np.ones(3))
    y = dt.batch_norm(x, mean, var, eps=0.0)
    dt.batch_norm(x.detach(), mean, var, training=True)
    y.backward(dt.tensor(np.ones((5, 3))))
    np.testing.assert_array_equal(x.grad.numpy(), np.ones((5, 3)))


# The last one is long enough for stores past the caches.
SHAPES = [(5, 3), (2, 9, 7, 5), (70, 64), (33, 16, 16, 63), (9, 257), (4, 40, 41, 65), (100, 32, 32, 64)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fused_residual_and_activation(
    level: str, shape: tuple[int, ...], activation: str | None, training: bool, dtype: str
) -> None:
    """The same as three ops one after the other: values and gradients of all four inputs."""
    if np.prod(shape) > 10**6 and (dtype == "float64" or not training):
        pytest.skip("large sizes once")
    c = shape[-1]
    arrays = [
        rng.normal(0.5, 2, shape),
        rng.normal(1, 0.3, c),
        rng.standard_normal(c),
        rng.standard_normal(shape),
    ]
    arrays = [a.astype(dtype) for a in arrays]
    g = dt.tensor(rng.standard_normal(shape).astype(dtype))
    mean, var = (dt.tensor(a.astype(dtype)) for a in (rng.standard_normal(c), rng.uniform(0.5, 2, c)))

    def run(fused: bool) -> list[np.ndarray]:
        x, w, b, r = tensors = [dt.tensor(a) for a in arrays]
        for tensor in tensors:
            tensor.requires_grad = True
        statistics = [dt.tensor(mean), dt.tensor(var)]
        if fused:
            y = dt.batch_norm(x, *statistics, w, b, training, residual=r, activation=activation)
        else:
            y = dt.batch_norm(x, *statistics, w, b, training) + r
            y = y.relu() if activation else y
        y.backward(g)
        return [t.detach().numpy() for t in (y, *statistics, *(tensor.grad for tensor in tensors))]

    for got, want in zip(on_threads(lambda: run(True)), run(False), strict=True):
        # The sum may be rounded once less: ReLU may then cut elsewhere, where its output is next to 0.
        small = 1e-5 if dtype == "float32" else 1e-12
        differ = np.abs(got - want) > small * (1 + np.abs(want)) * max(1, shape[0])
        assert np.mean(differ) < 1e-5


def test_levels_read_each_others_bits() -> None:
    """What ReLU let pass has one format: the level may change between forward and backward."""
    levels, before = dt.isa_levels(), dt.get_isa()
    try:
        for dtype in ("float32", "float64"):
            for shape in SHAPES[:-1]:
                grads = []
                for wrote, reads in [(a, b) for a in levels for b in levels]:
                    x = dt.tensor(np.cos(np.arange(np.prod(shape))).reshape(shape), dtype=dtype)
                    x.requires_grad = True
                    dt.set_isa(wrote)
                    zeros, ones = dt.zeros(shape[-1:], dtype=dtype), dt.ones(shape[-1:], dtype=dtype)
                    y = dt.batch_norm(x, zeros, ones, activation="relu")
                    dt.set_isa(reads)
                    y.backward(dt.ones(shape, dtype=dtype))
                    grads.append(x.grad.numpy() > 0)
                for got in grads:
                    np.testing.assert_array_equal(got, x.detach().numpy() > 0)
    finally:
        dt.set_isa(before)


@pytest.mark.parametrize(
    "shape", [(4, 6, 6, 5), (40, 20, 20, 64), (9, 257), (300, 5, 261), (100, 32, 32, 64)]
)
def test_relu_cuts_gradient_where_it_cut_the_output(level: str, shape: tuple[int, ...]) -> None:
    """The forward keeps a bit for each element: it must be that of the output."""
    x = dt.tensor(rng.standard_normal(shape).astype(np.float32))
    b = dt.tensor(rng.standard_normal(shape[-1]).astype(np.float32))
    x.requires_grad = b.requires_grad = True
    zeros, ones = dt.zeros(shape[-1:]), dt.ones(shape[-1:])
    y = dt.batch_norm(x, zeros, ones, None, b, activation="relu")  # running statistics: no sums in between
    y.backward(dt.ones(shape))
    np.testing.assert_array_equal(x.grad.numpy() > 0, y.detach().numpy() > 0)


def test_residual_without_gradient_and_alone() -> None:
    x, r = (dt.tensor(rng.standard_normal((6, 4))) for _ in range(2))
    r.requires_grad = True
    y = dt.batch_norm(x, training=True, residual=r, activation="relu")
    y.backward(dt.ones((6, 4), dtype="float64"))
    np.testing.assert_array_equal(r.grad.numpy(), y.detach().numpy() > 0)
    x.requires_grad, r.requires_grad, r.grad = True, False, None
    dt.batch_norm(x, training=True, residual=r).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-12)
    assert r.grad is None


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (70, 20, 20, 256)])  # the larger one is written past the caches
def test_backward_takes_the_place_of_a_gradient_that_nobody_sees(
    shape: tuple[int, ...], residual: bool, activation: str | None
) -> None:
    x, other, g = (rng.standard_normal(shape).astype("float32") for _ in range(3))

    def grads(seen: bool) -> list[np.ndarray]:
        leaves = [dt.tensor(v, requires_grad=True) for v in (x, other)]
        add = leaves[1] if residual else None
        y = dt.batch_norm(leaves[0], None, None, training=True, residual=add, activation=activation)
        out, given, kept = y * 2.0, dt.tensor(g), []
        if seen:
            y.register_hook(kept.append)
        (y if seen else out).backward(dt.tensor(2 * g) if seen else given)
        np.testing.assert_array_equal(given.numpy(), g)
        if seen:
            np.testing.assert_array_equal(kept[0].numpy(), 2 * g)
        return [leaf.grad.numpy() for leaf in leaves[: 1 + residual]]

    for a, b in zip(grads(seen=True), grads(seen=False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layer_with_activation_and_residual() -> None:
    layer = dt.nn.BatchNorm2d(3, activation="relu")
    x, r = dt.tensor(rng.standard_normal((2, 4, 4, 3)), dtype="float32"), dt.ones((2, 4, 4, 3))
    plain = dt.nn.BatchNorm2d(3)
    with dt.no_grad():
        np.testing.assert_allclose(layer(x, residual=r).numpy(), (plain(x) + r).relu().numpy(), atol=1e-6)
        layer.eval()
        plain.eval()
        np.testing.assert_allclose(layer(x).numpy(), plain(x).relu().numpy(), atol=1e-6)
    assert "activation='relu'" in repr(layer)
    with pytest.raises(ValueError, match="BatchNorm2d: activation must be None or 'relu', got 'gelu'"):
        dt.nn.BatchNorm2d(3, activation="gelu")


def test_large_rows_of_layer_norm(level: str) -> None:
    """Long enough for stores past the caches; an odd size, whose rows are not aligned; and one row."""
    for shape in ((8200, 768), (6000, 1025), (1, 100_000)):
        arrays = [rng.standard_normal(s).astype(np.float32) for s in (shape, shape[1:], shape[1:], shape)]
        x, w, b, g = (dt.tensor(a) for a in arrays)
        x.requires_grad = w.requires_grad = b.requires_grad = True

        def run(x: Any = x, w: Any = w, b: Any = b, g: Any = g, size: int = shape[1]) -> list[np.ndarray]:
            x.grad = w.grad = b.grad = None
            y = dt.layer_norm(x, size, w, b)
            y.backward(g)
            return [t.detach().numpy() for t in (y, x.grad, w.grad, b.grad)]

        y, dx, dw, db = on_threads(run)
        a = arrays[0].astype(np.float64)
        inverse = 1 / np.sqrt(a.var(axis=1, keepdims=True) + 1e-5)
        hat = (a - a.mean(axis=1, keepdims=True)) * inverse
        np.testing.assert_allclose(y, hat * arrays[1] + arrays[2], atol=2e-5, rtol=1e-5)
        d = arrays[3].astype(np.float64) * arrays[1]
        want = inverse * (d - d.mean(axis=1, keepdims=True) - hat * (d * hat).mean(axis=1, keepdims=True))
        np.testing.assert_allclose(dx, want, atol=2e-5, rtol=1e-4)
        np.testing.assert_allclose(dw, (arrays[3] * hat).sum(axis=0), atol=2e-3, rtol=1e-4)
        np.testing.assert_allclose(db, arrays[3].sum(axis=0, dtype=np.float64), atol=2e-3, rtol=1e-4)
