"""What the op table cannot say about the norms: running statistics, inputs that are hard on a variance."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
import reference
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
