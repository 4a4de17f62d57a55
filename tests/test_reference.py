"""The references of the op table against PyTorch, where that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference

# PyTorch warns of padding="same" with even kernels (it copies), and of kl_div with "mean".
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
torch = pytest.importorskip("torch")
F = torch.nn.functional
rng = np.random.default_rng(3)


def t(x: np.ndarray) -> Any:
    return torch.from_numpy(x)


def first(x: np.ndarray) -> Any:
    """Channels first, as PyTorch wants them."""
    return t(np.ascontiguousarray(np.moveaxis(x, -1, 1)))


def last(x: Any) -> np.ndarray:
    return np.moveaxis(x.numpy(), 1, -1)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2, "padding": 2}]
)
def test_conv(axes: int, options: dict[str, int]) -> None:
    x = rng.standard_normal((2, *(9, 8)[:axes], 4))
    w = rng.standard_normal((6, *(3, 2)[:axes], 4 // options.get("groups", 1)))
    b = rng.standard_normal(6)
    theirs = (F.conv1d, F.conv2d)[axes - 1](first(x), first(w), t(b), **options)
    np.testing.assert_allclose(reference.conv(x, w, b, **options), last(theirs), atol=1e-12)


def test_conv_same() -> None:
    x, w = rng.standard_normal((2, 9, 8, 3)), rng.standard_normal((5, 3, 4, 3))
    theirs = F.conv2d(first(x), first(w), padding="same")
    np.testing.assert_allclose(reference.conv(x, w, padding="same"), last(theirs), atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"groups": 2, "dilation": 2}]
)
def test_conv_transpose(options: dict[str, int]) -> None:
    x = rng.standard_normal((2, 5, 4, 4))
    w = rng.standard_normal((4, 3, 2, 6 // options.get("groups", 1)))
    theirs = F.conv_transpose2d(first(x), first(w), **options)
    np.testing.assert_allclose(reference.conv_transpose(x, w, **options), last(theirs), atol=1e-12)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("stride", [None, 2, (1, 3)])
def test_pool(stride: Any, ceil_mode: bool) -> None:
    x = rng.standard_normal((2, 8, 9, 3))
    for include in (True, False):
        theirs = F.avg_pool2d(first(x), 3, stride, 1, ceil_mode, include)
        ours = reference.pool("average", x, 3, stride, 1, ceil_mode=ceil_mode, count_include_pad=include)
        np.testing.assert_allclose(ours, last(theirs), atol=1e-12)
    theirs = F.max_pool2d(first(x), 3, stride, 1, 2, ceil_mode)
    np.testing.assert_allclose(reference.pool("max", x, 3, stride, 1, 2, ceil_mode), last(theirs), atol=1e-12)


def test_adaptive_pool() -> None:
    x = rng.standard_normal((2, 8, 9, 3))
    np.testing.assert_allclose(
        reference.adaptive_pool("average", x, (3, 4)),
        last(F.adaptive_avg_pool2d(first(x), (3, 4))),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        reference.adaptive_pool("max", x, (3, 4)), last(F.adaptive_max_pool2d(first(x), (3, 4))), atol=1e-12
    )


def test_norm() -> None:
    x, w, b = rng.standard_normal((4, 3, 5, 6)), rng.standard_normal(6), rng.standard_normal(6)
    cases = [
        (
            reference.batch_norm(x, None, None, w, b, True),
            last(F.batch_norm(first(x), None, None, t(w), t(b), True)),
        ),
        (reference.layer_norm(x, w, b), F.layer_norm(t(x), (6,), t(w), t(b)).numpy()),
        (reference.group_norm(x, 3, w, b), last(F.group_norm(first(x), 3, t(w), t(b)))),
        (reference.instance_norm(x, w, b), last(F.instance_norm(first(x), None, None, t(w), t(b)))),
    ]
    for ours, theirs in cases:
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy(reduction: str) -> None:
    x, w = rng.standard_normal((7, 5)), rng.uniform(0.5, 2, 5)
    labels = rng.integers(0, 5, 7)
    labels[2] = -100
    probabilities = reference.softmax(rng.standard_normal((7, 5)))
    for target in (labels, probabilities):
        for smoothing in (0.0, 0.2):
            ours = reference.cross_entropy(x, target, w, label_smoothing=smoothing, reduction=reduction)
            theirs = F.cross_entropy(t(x), t(target), t(w), label_smoothing=smoothing, reduction=reduction)
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses(reduction: str) -> None:
    x, y = rng.standard_normal((6, 4)), rng.standard_normal((6, 4))
    p, q = rng.uniform(0.05, 0.95, (6, 4)), rng.uniform(0.05, 0.95, (6, 4))
    w = rng.uniform(0.5, 2, 4)
    labels, signs = rng.integers(0, 4, 6), rng.choice([-1, 1], 6)
    x2 = rng.standard_normal((6, 4))
    for name, args, options in [
        ("mse_loss", (x, y), {}),
        ("l1_loss", (x, y), {}),
        ("huber_loss", (x, y), {"delta": 0.7}),
        ("smooth_l1_loss", (x, y), {"beta": 0.7}),
        ("binary_cross_entropy", (p, q), {}),
        ("binary_cross_entropy_with_logits", (x, q), {"pos_weight": w}),
        ("kl_div", (np.log(p), q), {}),
        ("kl_div", (np.log(p), np.log(q)), {"log_target": True}),
        ("multi_margin_loss", (x, labels), {"p": 2, "weight": w}),
        ("cosine_embedding_loss", (x, x2, signs), {"margin": 0.1}),
    ]:
        theirs_options = {k: t(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        theirs = getattr(F, name)(*map(t, args), reduction=reduction, **theirs_options)
        ours = getattr(reference, name)(*args, reduction=reduction, **options)
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-10, err_msg=name)


def test_activations() -> None:
    x = 3 * rng.standard_normal((40,))
    for name, options in [
        ("relu", {}),
        ("leaky_relu", {}),
        ("elu", {"alpha": 0.7}),
        ("selu", {}),
        ("gelu", {}),
        ("gelu", {"approximate": "tanh"}),
        ("silu", {}),
        ("sigmoid", {}),
        ("softplus", {"beta": 2.0}),
        ("mish", {}),
        ("hardswish", {}),
        ("hardsigmoid", {}),
    ]:
        theirs = getattr(F, name)(t(x), **options).numpy()
        np.testing.assert_allclose(getattr(reference, name)(x, **options), theirs, atol=1e-12, err_msg=name)
    for name in ("softmax", "log_softmax"):
        theirs = getattr(F, name)(t(x.reshape(5, 8)), 0).numpy()
        np.testing.assert_allclose(getattr(reference, name)(x.reshape(5, 8), 0), theirs, atol=1e-12)
