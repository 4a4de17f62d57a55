"""Cross entropy, whose forward writes the gradient, and softmax of infinities and NaN; on every ISA level."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt

F = dt.nn.functional
pytestmark = pytest.mark.usefixtures("level")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_smoothing": 0.1, "ignore_index": 2},
        {"weight": np.arange(1.0, 8.0)},
        {"sample_weight": np.arange(1.0, 7.0)},
    ],
    ids=str,
)
@pytest.mark.parametrize("probabilities", [False, True])
def test_cross_entropy_walked_twice(reduction: str, options: dict[str, Any], probabilities: bool) -> None:
    """The forward writes the gradient for loss.backward(), which takes it; what follows computes it."""
    rng = np.random.default_rng(4)
    logits = dt.tensor(rng.standard_normal((6, 7)), requires_grad=True)
    target = rng.dirichlet(np.ones(7), 6) if probabilities else rng.integers(0, 7, 6)
    more = {k: dt.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    loss = F.cross_entropy(logits, dt.tensor(target), reduction=reduction, **more)
    walks = []
    for upstream in (None, dt.tensor(1.0, dtype=dt.float64), dt.tensor(-3.0, dtype=dt.float64)):
        logits.grad = None
        loss.backward(upstream, retain_graph=True)
        walks.append(logits.grad)
    np.testing.assert_array_equal(walks[0].numpy(), walks[1].numpy())
    np.testing.assert_allclose(walks[2].numpy(), -3 * walks[0].numpy(), rtol=1e-13, atol=1e-15)
    first = F.cross_entropy(logits, dt.tensor(target), reduction=reduction, **more)
    logits.grad = None
    first.backward(dt.tensor(-3.0, dtype=dt.float64))
    np.testing.assert_array_equal(logits.grad.numpy(), walks[2].numpy())
    with dt.no_grad():
        without = F.cross_entropy(logits, dt.tensor(target), reduction=reduction, **more)
    np.testing.assert_array_equal(without.numpy(), loss.detach().numpy())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_softmax_of_rows_with_values_that_are_no_numbers(value: float) -> None:
    for size in (1, 3, 40, 3000):
        x = np.zeros((2, size), np.float32)
        x[0] = -np.inf
        x[0, size // 2] = value
        logits = dt.tensor(x, requires_grad=True)
        loss = F.cross_entropy(logits, dt.tensor([0, 0]), reduction="none")
        F.cross_entropy(logits, dt.tensor([0, 0]), reduction="sum").backward()
        for result in (F.softmax(logits), F.log_softmax(logits), logits.grad):
            assert np.isnan(result.detach().numpy()[0]).all()
        assert np.isnan(loss.detach().numpy()[0])
        np.testing.assert_allclose(loss.detach().numpy()[1], np.log(size), rtol=1e-6)
