"""Penalties, decay, constraints, kinds of dropout, smoothing of binary labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.optim.regularization import L1, L1L2, L2, DecoupledDecay, MaxNorm, Penalties, constrain
from drivetrain.train import Trainer
from op_table.tools import on_threads

Arrays = list[np.ndarray[Any, Any]]
SHAPES = ((3, 5), (4,), (2, 3, 2), (0, 3), (200, 301))
BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])


def weights(dtype: str = "float32", seed: int = 0) -> tuple[Arrays, list[dt.Tensor]]:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    arrays[0][0, 0] = 0
    return arrays, [dt.tensor(array, requires_grad=True) for array in arrays]


# Penalties


@BOTH
@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.7), (0.3, 0.7)])
def test_penalty_and_its_gradient(dtype: str, l1: float, l2: float, level: str) -> None:
    arrays, tensors = weights(dtype)
    penalty = L1L2(l1, l2, biases=True)(tensors)
    assert (penalty.shape, penalty.dtype.name) == ((), dtype)
    expected = sum(l1 * np.abs(a.astype(float)).sum() + l2 * (a.astype(float) ** 2).sum() for a in arrays)
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    assert penalty.item() == pytest.approx(expected, rel=tolerance)
    (2.0 * penalty).backward()
    for array, tensor in zip(arrays, tensors, strict=True):
        wanted = 2 * (l1 * np.sign(array) + 2 * l2 * array)
        np.testing.assert_allclose(tensor.grad.numpy(), wanted, rtol=tolerance, atol=tolerance)


def test_penalty_has_the_same_bits_on_any_number_of_threads() -> None:
    def run() -> list[dt.Tensor]:
        _, tensors = weights()
        penalty = L1L2(0.3, 0.7)(tensors)
        penalty.backward()
        optimizer = optim.SGD(tensors, lr=0.1)
        DecoupledDecay(optimizer, 0.3, 0.7)
        optimizer.step()
        return [t.detach() for t in (penalty, *tensors)]

    on_threads(run)


def test_penalty_is_that_of_plain_operations() -> None:
    """Gradients through several layers, together with those of the loss."""
    found = []
    for fused in (True, False):
        dt.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        loss = model(dt.ones((3, 4))).square().mean()
        if fused:
            penalty = L1L2(0.1, 0.2)(model)
        else:
            penalty = sum(
                0.1 * m.weight.abs().sum() + 0.2 * m.weight.square().sum() for m in (model[0], model[2])
            )
        (loss + penalty).backward()
        found.append([p.grad.numpy() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_biases_are_left_out_and_frozen_weights_too() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    model[2].weight.requires_grad = False
    expected = np.abs(model[0].weight.detach().numpy()).sum()
    assert L1(1.0)(model).item() == pytest.approx(expected, rel=1e-6)
    everything = sum(np.abs(p.detach().numpy()).sum() for p in model.parameters() if p.requires_grad)
    assert L1(1.0, biases=True)(model).item() == pytest.approx(everything, rel=1e-6)
    assert L2(1.0)([]).item() == 0


def test_penalties_of_groups() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    penalties = Penalties(
        [{"params": [model[0].weight], "l1": 0.5}, {"params": model[1].parameters(), "l1": 0.1, "l2": 2.0}]
    )
    a, b, c = (p.detach().numpy() for p in (model[0].weight, model[1].weight, model[1].bias))
    expected = (
        0.5 * np.abs(a).sum() + 0.1 * (np.abs(b).sum() + np.abs(c).sum()) + 2 * ((b**2).sum() + (c**2).sum())
    )
    assert penalties(model).item() == pytest.approx(expected, rel=1e-6)
    penalties().backward()
    assert model[0].bias.grad is None
    np.testing.assert_allclose(model[0].weight.grad.numpy(), 0.5 * np.sign(a))


def test_a_weight_changed_since_raises() -> None:
    _, tensors = weights()
    penalty = L1(0.1)(tensors)
    with dt.no_grad():
        tensors[0] += 1
    with pytest.raises(RuntimeError, match="modified in place"):
        penalty.backward()


def test_coupled_weight_decay_is_half_the_penalty() -> None:
    found = []
    for decay in (0.3, 0.0):
        _, (w, *_) = weights()
        optimizer = optim.SGD([w], lr=0.1, weight_decay=decay)
        for _ in range(3):
            optimizer.zero_grad()
            loss = (w * 0.5).sum()
            (loss if decay else loss + L2(0.15)([w])).backward()
            optimizer.step()
        found.append(w.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


# Decay beside the loss


@BOTH
def test_decay_shrinks_after_the_step(dtype: str, level: str) -> None:
    arrays, tensors = weights(dtype)
    groups = [{"params": tensors[:2], "lr": 0.5}, {"params": tensors[2:], "lr": 0.25}]
    optimizer = optim.SGD(groups, lr=0.1)
    decay = DecoupledDecay(optimizer, l1=[0.4, 0.0], l2=[0.0, 1.2], biases=True)
    for tensor in tensors:
        tensor.grad = dt.zeros(tensor.shape, dtype=dtype)
    tensors[1].grad = None
    optimizer.step()
    expected = [np.sign(arrays[0]) * np.maximum(np.abs(arrays[0]) - 0.2, 0), arrays[1]]
    expected += [array * 0.7 for array in arrays[2:]]
    for tensor, wanted in zip(tensors, expected, strict=True):
        np.testing.assert_allclose(tensor.detach().numpy(), wanted, rtol=1e-6, atol=1e-7)
    assert (tensors[0].detach().numpy() == 0).sum() > 1
    decay.handle.remove()
    before = tensors[0].detach().numpy().copy()
    optimizer.step()
    assert (tensors[0].detach().numpy() == before).all()


def test_decay_is_that_of_adamw() -> None:
    found = []
    for own in (True, False):
        _, (w, *_) = weights("float64")
        optimizer: Any = optim.AdamW([w], lr=0.1, weight_decay=0.0 if own else 0.3)
        if own:
            DecoupledDecay(optimizer, l2=0.3)
        w.grad = dt.ones(w.shape, dtype="float64")
        before = w.detach().numpy().copy()
        optimizer.step()
        found.append(w.detach().numpy())
    # AdamW decays before its step of 0.1, the hook behind it.
    np.testing.assert_allclose(found[0], found[1] + 0.1 * 0.1 * 0.3, rtol=1e-6)
    assert not np.allclose(found[0], before)


def test_proximal_steps_reach_the_lasso() -> None:
    """scikit-learn's optimum, with its exact zeros; a penalty in the loss finds none."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12))
    y = x[:, :3] @ np.array([2.0, -1.0, 0.5]) + 0.1 * rng.normal(size=200)
    alpha = 0.2
    reference = linear_model.Lasso(alpha=alpha, fit_intercept=False, tol=1e-12).fit(x, y).coef_
    inputs, targets = dt.tensor(x), dt.tensor(y[:, None])
    found = {}
    for kind in ("proximal", "penalty"):
        w = dt.zeros((1, 12), dtype="float64", requires_grad=True)
        optimizer = optim.SGD([w], lr=0.3)
        if kind == "proximal":
            DecoupledDecay(optimizer, l1=alpha)
        for _ in range(300):
            optimizer.zero_grad()
            loss = (nn.functional.linear(inputs, w) - targets).square().mean() / 2
            (loss if kind == "proximal" else loss + L1(alpha)([w])).backward()
            optimizer.step()
        found[kind] = w.detach().numpy()[0]
    np.testing.assert_allclose(found["proximal"], reference, atol=1e-9)
    assert ((found["proximal"] == 0) == (reference == 0)).all()
    assert (reference == 0).any()
    assert not (found["penalty"] == 0).any()


# Constraints


def test_max_norm() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(6, 3, 3, 4)).astype(np.float32)
    w[0] *= 0.01
    norms = np.sqrt((w**2).sum(axis=(1, 2, 3), keepdims=True))
    wanted = w * np.minimum(1, 1.5 / norms)
    np.testing.assert_allclose(MaxNorm(1.5)(dt.tensor(w)).numpy(), wanted, rtol=1e-6)
    # Keras's: w * clip(norm, 0, max) / (eps + norm).
    flat = rng.normal(size=(5, 4)).astype(np.float32)
    norms = np.sqrt((flat**2).sum(axis=0, keepdims=True))
    wanted = flat * np.clip(norms, 0, 2) / norms
    np.testing.assert_allclose(MaxNorm(2.0, axis=0)(dt.tensor(flat)).numpy(), wanted, rtol=1e-6)
    assert (MaxNorm(100.0)(dt.tensor(flat)).numpy() == flat).all()
    assert (MaxNorm(0.0)(dt.tensor(flat)).numpy() == 0).all()
    assert (MaxNorm(1.0)(dt.zeros((2, 2))).numpy() == 0).all()


def test_constraints_after_every_step() -> None:
    model = nn.Linear(4, 3)
    optimizer = optim.SGD(model.parameters(), lr=5.0)
    handle = constrain(optimizer, MaxNorm(0.5))
    loss = (model(dt.ones((2, 4))) - 3).square().mean()
    loss.backward()
    bias = (model.bias - 5.0 * model.bias.grad).detach().numpy()
    optimizer.step()
    norms = np.linalg.norm(model.weight.detach().numpy(), axis=1)
    np.testing.assert_allclose(norms, 0.5, rtol=1e-6)
    np.testing.assert_allclose(model.bias.detach().numpy(), bias, rtol=1e-6)
    handle.remove()
    constrain(optimizer, lambda w: dt.maximum(w, 0.0), [model.weight])
    optimizer.step()
    assert (model.weight.detach().numpy() >= 0).all()


def train(**options: Any) -> tuple[Trainer, list[float]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 6)).astype(np.float32)
    y = x[:, :1] + 0.1 * rng.normal(size=(128, 1)).astype(np.float32)
    dt.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    decay, bound = options.pop("decay", None), options.pop("bound", None)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    if decay is not None:
        DecoupledDecay(optimizer, **decay)
    if bound is not None:
        constrain(optimizer, MaxNorm(bound))
    trainer = Trainer(model, loss="mse", optimizer=optimizer, seed=0, **options)
    return trainer, trainer.fit(x, y, epochs=20, verbose=0).history["loss"]


def test_in_a_training() -> None:
    sizes = {}
    for name, options in {
        "plain": {},
        "penalty": {"regularizer": L1L2(1e-2, 1e-2)},
        "decay": {"decay": {"l1": 3e-2}},
        "bound": {"bound": 0.3},
        "half": {"regularizer": L2(1e-2), "decay": {"l1": 3e-2}, "precision": "bfloat16"},
    }.items():
        trainer, losses = train(**options)
        assert losses[-1] < losses[0]
        values = [p.detach().numpy() for p in trainer.model.parameters() if p.ndim > 1]
        sizes[name] = sum(np.abs(v).sum() for v in values)
        zeros = sum((v == 0).sum() for v in values)
        assert (zeros > 0) == ("decay" in options), name
        if name == "bound":
            assert all(np.linalg.norm(v, axis=1).max() < 0.3001 for v in values)
    assert all(size < 0.9 * sizes["plain"] for name, size in sizes.items() if name != "plain")


Y = dt.ones((2, 2), requires_grad=True)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "L1: l1 must be positive or 0, got -1", lambda: L1(-1)),
        (ValueError, "L2: l2 must be positive or 0, got inf", lambda: L2(math.inf)),
        (TypeError, "L1L2: there is no argument 'L1'; did you mean 'l1'", lambda: L1L2(L1=0.1)),
        (TypeError, "a group must be a dict with 'params'", lambda: Penalties([Y])),
        (TypeError, "there is no argument 'l3'", lambda: Penalties([{"params": [Y], "l3": 1}])),
        (ValueError, "groups is empty", lambda: Penalties([])),
        (
            TypeError,
            r"penalty: parameters\[0\] must have dtype float32",
            lambda: L1(0.1)(dt.ones((2, 2), dtype="int64")),
        ),
        (TypeError, "optimizer is a list, expected an optimizer", lambda: DecoupledDecay([], 0.1)),
        (ValueError, "l1 has 2 values", lambda: DecoupledDecay(optim.SGD([Y]), [0.1, 0.2])),
        (TypeError, "optimizer is a Tensor", lambda: constrain(Y, MaxNorm())),
        (TypeError, "constraint is a float", lambda: constrain(optim.SGD([Y]), 2.0)),
        (ValueError, "max_value must be positive or 0", lambda: MaxNorm(-2)),
        (TypeError, "MaxNorm: axis must be an int, several ints or None, got 'x'", lambda: MaxNorm(axis="x")),
        (TypeError, "axis must be an int, several ints or None, got 1.5", lambda: MaxNorm(axis=1.5)),
        (TypeError, "axis must be an int, several ints or None, got True", lambda: MaxNorm(axis=True)),
        (ValueError, "MaxNorm: axis has one of the axes twice", lambda: MaxNorm(axis=[0, 0])),
        (
            IndexError,
            r"MaxNorm: axis 7 is out of range for a weight of shape \(2, 2\)",
            lambda: constrain(optim.SGD([Y]), MaxNorm(axis=7)),
        ),
        (IndexError, "MaxNorm: axis -3 is out of range", lambda: MaxNorm(axis=(0, -3))(Y)),
    ],
)
def test_wrong_arguments(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_decay_beyond_zero_raises() -> None:
    w = dt.ones((2, 2), requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    DecoupledDecay(optimizer, l2=1.5)
    w.grad = dt.zeros((2, 2))
    with pytest.raises(ValueError, match=r"lr \* l2 is 1\.5, expected at most 1"):
        optimizer.step()


# Dropout

KINDS: dict[str, tuple[Callable[[float], nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    "Dropout1d": (nn.Dropout1d, (60, 7, 50), (60, 1, 50)),
    "Dropout2d": (nn.Dropout2d, (60, 5, 3, 50), (60, 1, 1, 50)),
    "Dropout3d": (nn.Dropout3d, (60, 2, 3, 2, 50), (60, 1, 1, 1, 50)),
    "rows": (lambda p: nn.StochasticDepth(p, "row"), (3000, 3, 2), (3000, 1, 1)),
    "DropPath": (nn.DropPath, (3000, 5), (3000, 1)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropped_together_and_scaled(kind: str, p: float) -> None:
    make, shape, shared = KINDS[kind]
    layer = make(p)
    dt.manual_seed(7)
    x = dt.ones(shape, requires_grad=True)
    out = layer(x)
    values = out.detach().numpy()
    first = values[tuple(slice(0, size) for size in shared)]
    assert (values == first).all()
    assert set(np.unique(values)) == {0, np.float32(1 / (1 - p))}
    count = first.size
    # Five standard deviations of a mean of so many.
    assert np.mean(first == 0) == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / count))
    out.sum().backward()
    assert (x.grad.numpy() == values).all()
    dt.manual_seed(7)
    assert (layer(x).detach().numpy() == values).all()
    assert not (layer(x).detach().numpy() == values).all()
    assert (layer.eval()(x).detach().numpy() == 1).all()


def test_depth_of_a_whole_batch() -> None:
    layer = nn.StochasticDepth(0.25, mode="batch")
    dt.manual_seed(0)
    sums = [float(layer(dt.ones((4, 3))).sum().item()) for _ in range(400)]
    assert set(np.round(sums, 3)) == {0.0, 16.0}
    assert np.mean(np.array(sums) == 0) == pytest.approx(0.25, abs=5 * math.sqrt(0.1875 / 400))


ALPHA = pytest.mark.parametrize(
    ("layer", "shape"), [(nn.AlphaDropout, (400, 500)), (nn.FeatureAlphaDropout, (400, 2, 250))]
)


@ALPHA
@pytest.mark.parametrize("p", [0.1, 0.4])
def test_alpha_keeps_mean_and_variance(layer: Any, shape: tuple[int, ...], p: float) -> None:
    dt.manual_seed(3)
    x = dt.randn(shape)
    x.requires_grad = True
    out = layer(p)(x)
    values, given = out.detach().numpy(), x.detach().numpy()
    assert values.mean() == pytest.approx(0, abs=0.03)
    assert values.var() == pytest.approx(1, abs=0.06)
    least, count = np.unique(values, return_counts=True)
    dropped = values == least[count.argmax()]
    assert dropped.mean() == pytest.approx(p, abs=0.01)
    out.sum().backward()
    slope = x.grad.numpy()
    assert (slope[dropped] == 0).all()
    scale = slope[~dropped][0]
    assert (slope[~dropped] == scale).all()
    shift = values[~dropped] - scale * given[~dropped]
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)
    assert (layer(p).eval()(x).detach().numpy() == given).all()


@pytest.mark.parametrize("kind", [*KINDS, "alpha"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_dropout_of_dtypes_on_threads(kind: str, dtype: str) -> None:
    make, shape, _ = KINDS.get(kind, (nn.AlphaDropout, (30, 700), ()))
    layer = make(0.3)

    def run() -> list[dt.Tensor]:
        dt.manual_seed(5)
        x = dt.ones(shape).astype(dtype)
        x.requires_grad = True
        out = layer(x)
        assert out.dtype.name == dtype
        out.astype("float32").sum().backward()
        assert x.grad.dtype.name == dtype
        return [out.detach().astype("float64"), x.grad.astype("float64")]

    on_threads(run)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ValueError, "Dropout2d: p must be a number from 0 to 1, got 1.5", lambda: nn.Dropout2d(1.5)),
        (TypeError, "AlphaDropout: p must be a number", lambda: nn.AlphaDropout("x")),
        (
            ValueError,
            "StochasticDepth: mode must be one of 'row', 'batch'",
            lambda: nn.StochasticDepth(0.1, "all"),
        ),
        (
            ValueError,
            r"Dropout2d: input has shape \(2, 3\), expected \(batch, height, width, channels\)",
            lambda: nn.Dropout2d()(dt.ones((2, 3))),
        ),
        (ValueError, r"Dropout1d: .*\(batch, length, channels\)", lambda: nn.Dropout1d()(dt.ones((2, 3)))),
        (ValueError, r"\(batch, \.\.\., channels\)", lambda: nn.FeatureAlphaDropout()(dt.ones((2,)))),
        (ValueError, r"DropPath: input has shape \(\)", lambda: nn.DropPath(0.1)(dt.tensor(1.0))),
        (TypeError, "input", lambda: nn.Dropout2d()(dt.ones((1, 2, 2, 3), dtype="int64"))),
    ],
)
def test_wrong_dropout(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()


def test_everything_dropped_is_zero() -> None:
    for layer in (nn.Dropout2d(1.0), nn.FeatureAlphaDropout(1.0), nn.DropPath(1.0)):
        assert (layer(dt.ones((2, 3, 3, 4))).numpy() == 0).all()


def test_stochastic_depth_leaves_a_branch_out() -> None:
    """A residual network of it trains, and its kept samples only get gradients through the branch."""
    dt.manual_seed(2)
    branch, drop = nn.Linear(4, 4, bias=False), nn.StochasticDepth(0.5)
    x = dt.ones((50, 4))
    out = x + drop(branch(x))
    kept = (out.detach().numpy() != 1).any(axis=1)
    out.sum().backward()
    np.testing.assert_allclose(branch.weight.grad.numpy(), np.full((4, 4), 2.0 * kept.sum()), rtol=1e-6)


# Labels


@pytest.mark.parametrize("loss", [nn.BCELoss, nn.BCEWithLogitsLoss])
def test_binary_labels_are_smoothed(loss: Any) -> None:
    scores = dt.tensor([0.2, 0.9, 0.6])
    target = dt.tensor([0.0, 1.0, 1.0])
    smooth = dt.tensor([0.1, 0.9, 0.9])
    assert loss(label_smoothing=0.2)(scores, target).item() == pytest.approx(loss()(scores, smooth).item())
    assert loss()(scores, target).item() != pytest.approx(loss()(scores, smooth).item())
    with pytest.raises(ValueError, match=r"label_smoothing must be a number from 0 to 1, got 1.5"):
        loss(label_smoothing=1.5)


@pytest.mark.parametrize("given", [5, None, "x", [1, 2], np.ones(3)])
def test_a_penalty_of_what_is_no_module_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="expected a module or its parameters to regularize, got"):
        L1(0.1)(given)
