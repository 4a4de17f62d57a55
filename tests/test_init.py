"""Initial values: distributions, determinism, layouts, wrong input."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn
from drivetrain.nn import init

# Enough values that a mean strays from its expectation by no more than 6 standard errors.
MANY = (200, 10, 10)


def values(tensor: Any) -> Any:
    return tensor.detach().numpy().astype(np.float64)


def assert_uniform(tensor: Any, low: float, high: float) -> None:
    array = values(tensor).ravel()
    assert array.min() >= low
    assert array.max() <= high
    width = high - low
    assert abs(array.mean() - (low + high) / 2) < 6 * width / math.sqrt(12 * array.size)
    assert abs(array.var() - width**2 / 12) < 6 * width**2 / math.sqrt(180 * array.size)


def assert_normal(tensor: Any, mean: float, std: float) -> None:
    array = values(tensor).ravel()
    assert abs(array.mean() - mean) < 6 * std / math.sqrt(array.size)
    assert abs(array.std() - std) < 6 * std / math.sqrt(2 * array.size)
    assert abs((np.abs(array - mean) > std).mean() - 0.3173) < 6 * math.sqrt(0.25 / array.size)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_and_normal(dtype: str) -> None:
    t = dt.zeros(MANY, dtype=dtype)
    assert init.uniform_(t, -2.0, 3.0) is t
    assert_uniform(t, -2, 3)
    assert init.normal_(t, 1.0, 0.5) is t
    assert_normal(t, 1.0, 0.5)


def test_trunc_normal() -> None:
    t = init.trunc_normal_(dt.empty(MANY), mean=0.5, std=1.0, a=-0.5, b=2.5)
    array = values(t)
    assert array.min() >= -0.5
    assert array.max() <= 2.5
    # Of N(0, 1) cut to [-1, 2]: mean (phi(1) - phi(2)) / (Phi(2) - Phi(-1))
    assert abs(array.mean() - (0.5 + 0.22964)) < 6 * 0.73 / math.sqrt(array.size)


def test_trunc_normal_refuses_tails() -> None:
    with pytest.raises(ValueError, match=r"\[4.0, 5.0\] holds less than 1% of the normal distribution"):
        init.trunc_normal_(dt.empty((3,)), a=4.0, b=5.0)
    with pytest.raises(ValueError, match="trunc_normal_: std must be positive, got 0"):
        init.trunc_normal_(dt.empty((3,)), std=0)


def test_constants() -> None:
    t = dt.empty((2, 3))
    assert init.constant_(t, 0.25).tolist() == [[0.25] * 3] * 2
    assert init.zeros_(t).tolist() == [[0.0] * 3] * 2
    assert init.ones_(t).tolist() == [[1.0] * 3] * 2
    assert init.eye_(t).tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_fans_of_our_layouts() -> None:
    """Weights are (out, k..., in): 200 outputs, 10 inputs, and 4 places of a 2 x 2 kernel."""
    w = dt.empty((200, 2, 2, 10))
    assert_uniform(init.xavier_uniform_(w, gain=2.0), *_around(2 * math.sqrt(6 / (40 + 800))))
    assert_normal(init.xavier_normal_(w), 0, math.sqrt(2 / 840))
    assert_uniform(init.kaiming_uniform_(w, nonlinearity="relu"), *_around(math.sqrt(6 / 40)))
    assert_uniform(init.kaiming_uniform_(w, a=1, mode="fan_out"), *_around(math.sqrt(3 / 800)))
    assert_normal(init.kaiming_normal_(w, nonlinearity="linear"), 0, math.sqrt(1 / 40))
    assert_normal(init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"), 0, 5 / 3 / math.sqrt(800))


def _around(bound: float) -> tuple[float, float]:
    bound = float(np.nextafter(np.float32(bound), np.float32(9)))
    return -bound, bound


def test_gains_agree_with_pytorch() -> None:
    known = {
        "linear": 1,
        "conv1d": 1,
        "conv2d": 1,
        "conv_transpose2d": 1,
        "sigmoid": 1,
        "tanh": 5 / 3,
        "relu": 2**0.5,
        "selu": 0.75,
        "leaky_relu": math.sqrt(2 / 1.0001),
    }
    for name, gain in known.items():
        assert init.calculate_gain(name) == pytest.approx(gain)
    assert init.calculate_gain("leaky_relu", 1) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(5, 5), (4, 9), (9, 4), (6, 2, 2, 3), (1, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(shape: tuple[int, ...], dtype: str) -> None:
    w = values(init.orthogonal_(dt.empty(shape, dtype=dtype), gain=2.0)).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5 if dtype == "float32" else 1e-12)


def test_sparse() -> None:
    w = values(init.sparse_(dt.empty((10, 7)), sparsity=0.25, std=2.0))
    assert ((w == 0).sum(axis=0) == 3).all()
    assert values(init.sparse_(dt.empty((200, 50)), 0.0, std=2.0)).std() == pytest.approx(2.0, rel=0.05)


def test_dirac_hands_channels_through() -> None:
    conv = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    init.dirac_(conv.weight)
    x = dt.rand((2, 4, 4, 3))
    out = conv(x).detach().numpy()
    np.testing.assert_array_equal(out[..., :3], x.numpy())
    assert (out[..., 3:] == 0).all()
    conv = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
    init.dirac_(conv.weight, groups=2)
    x = dt.rand((2, 4, 4, 4))
    np.testing.assert_array_equal(conv(x).detach().numpy(), x.numpy())


LAYERS = {
    "Linear": lambda: nn.Linear(100, 200),
    "Conv1d": lambda: nn.Conv1d(10, 200, 10),
    "Conv2d": lambda: nn.Conv2d(8, 200, (5, 5), groups=2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(200, 4, 5),
}


@pytest.mark.parametrize("name", list(LAYERS))
def test_defaults_of_layers_are_pytorchs(name: str) -> None:
    """U(-k, k) with k = 1 / sqrt(100): every layer above has that many inputs, as PyTorch counts."""
    layer = LAYERS[name]()
    assert_uniform(layer.weight, *_around(0.1))
    bias = values(layer.bias)
    assert (np.abs(bias) <= 0.1).all()
    assert np.unique(bias).size == bias.size


def test_defaults_of_other_layers() -> None:
    table = nn.Embedding(300, 100, padding_idx=3)
    assert (values(table.weight)[3] == 0).all()
    assert_normal(dt.tensor(np.delete(values(table.weight), 3, axis=0)), 0, 1)
    for layer in (nn.BatchNorm2d(3), nn.GroupNorm(1, 3), nn.LayerNorm(3), nn.InstanceNorm2d(3, affine=True)):
        assert layer.weight.tolist() == [1, 1, 1]
        assert layer.bias.tolist() == [0, 0, 0]
    assert nn.PReLU().weight.tolist() == [0.25]


def test_the_seed_determines_everything() -> None:
    def draw(seed: int) -> list[Any]:
        dt.manual_seed(seed)
        model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        t = init.orthogonal_(dt.empty((3, 3)))
        u = init.trunc_normal_(dt.empty((50,)))
        return [p.tolist() for p in model.parameters()] + [t.tolist(), u.tolist()]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


DRAWING = [
    init.uniform_,
    init.normal_,
    init.trunc_normal_,
    init.xavier_uniform_,
    init.xavier_normal_,
    init.kaiming_uniform_,
    init.kaiming_normal_,
    init.orthogonal_,
    lambda t, generator: init.sparse_(t, 0.5, generator=generator),
]


@pytest.mark.parametrize("draw", DRAWING)
def test_a_generator_of_its_own(draw: Any) -> None:
    dt.manual_seed(0)
    before = dt.default_generator.get_state()
    a = draw(dt.empty((6, 6)), generator=dt.Generator(5)).tolist()
    assert draw(dt.empty((6, 6)), generator=dt.Generator(5)).tolist() == a
    assert draw(dt.empty((6, 6)), generator=dt.Generator(6)).tolist() != a
    assert dt.default_generator.get_state() == before


def test_parameters_stay_trainable_leaves() -> None:
    layer = nn.Linear(3, 3)
    init.orthogonal_(layer.weight)
    init.constant_(layer.bias, 1)
    assert layer.weight.requires_grad
    assert layer.weight.is_leaf
    layer(dt.ones((1, 3))).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.uniform_(np.zeros(3)), TypeError, "uniform_: tensor must be a Tensor, got ndarray"),
        (lambda: init.normal_(dt.tensor([1])), TypeError, "must have a floating-point dtype, got int64"),
        (lambda: init.xavier_uniform_(dt.empty((3,))), ValueError, r"at least 2 axes, got shape \(3,\)"),
        (lambda: init.xavier_normal_(dt.empty((3, 0))), ValueError, r"must not be empty, got shape \(3, 0\)"),
        (lambda: init.kaiming_normal_(dt.empty((3, 3)), mode="in"), ValueError, "mode must be 'fan_in' or"),
        (
            lambda: init.kaiming_uniform_(dt.empty((3, 3)), nonlinearity="swish"),
            ValueError,
            "nonlinearity must be one of linear, .*, got 'swish'",
        ),
        (lambda: init.calculate_gain("leaky_relu", "x"), TypeError, "param must be a number, got 'x'"),
        (lambda: init.eye_(dt.empty((3,))), ValueError, r"eye_: tensor must have 2 axes, got shape \(3,\)"),
        (lambda: init.orthogonal_(dt.empty((3,))), ValueError, "orthogonal_: tensor must have at least 2"),
        (lambda: init.sparse_(dt.empty((3,)), 0.5), ValueError, "sparse_: tensor must have 2 axes"),
        (lambda: init.sparse_(dt.empty((3, 3)), 1.5), ValueError, "sparsity must lie between 0 and 1"),
        (lambda: init.dirac_(dt.empty((3, 3))), ValueError, "dirac_: tensor must have 3 to 5 axes"),
        (lambda: init.dirac_(dt.empty((3, 1, 3)), 2), ValueError, "3 output channels cannot be divided"),
    ],
)
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_examples_in_the_docs() -> None:
    failed, tried = doctest.testmod(init)
    assert tried > 0
    assert failed == 0
