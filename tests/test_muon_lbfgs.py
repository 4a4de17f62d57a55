"""Muon and LBFGS: what NumPy computes, agreement with PyTorch, state, wrong input."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import optim

MUON: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.05},
    "no nesterov": {"lr": 0.05, "nesterov": False, "momentum": 0.8},
    "as AdamW": {"lr": 0.02, "weight_decay": 0.3, "adjust_lr_fn": "match_rms_adamw"},
    "coefficients": {"lr": 0.02, "ns_coefficients": (2.0, -1.5, 0.5), "ns_steps": 3, "eps": 1e-3},
}
SHAPES = [(8, 8), (12, 5), (5, 12), (1, 7)]


def muon_reference(p: Any, gradients: list[Any], options: dict[str, Any]) -> Any:
    o = {"weight_decay": 0.1, "momentum": 0.95, "nesterov": True, "ns_steps": 5, "eps": 1e-7, **options}
    a, b, c = o.get("ns_coefficients", (3.4445, -4.7750, 2.0315))
    rows, columns = p.shape
    buffer = np.zeros_like(p)
    ratio = math.sqrt(max(1, rows / columns))
    if o.get("adjust_lr_fn"):
        ratio = 0.2 * math.sqrt(max(rows, columns))
    for g in gradients:
        buffer = o["momentum"] * buffer + (1 - o["momentum"]) * g
        x = (1 - o["momentum"]) * g + o["momentum"] * buffer if o["nesterov"] else buffer
        x = x / max(np.linalg.norm(x), o["eps"])
        x = x.T if rows > columns else x
        for _ in range(o["ns_steps"]):
            gram = x @ x.T
            x = a * x + (b * gram + c * gram @ gram) @ x
        x = x.T if rows > columns else x
        p = p * (1 - o["lr"] * o["weight_decay"]) - o["lr"] * ratio * x
    return p


def matrices(dtype: str) -> tuple[list[Any], list[list[Any]]]:
    """Parameters and gradients, whose sums are far from singular: there bfloat16 would tell nothing."""
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    bases = []
    for shape in SHAPES:
        u, _, v = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
        bases.append(u @ v)
    steps = [[b + 0.05 * rng.standard_normal(b.shape) for b in bases] for _ in range(10)]
    return start, [[gradient.astype(dtype) for gradient in step] for step in steps]


def train_muon(library: Any, as_tensor: Any, dtype: str, options: dict[str, Any]) -> list[Any]:
    start, steps = matrices(dtype)
    ps = [as_tensor(value.copy()) for value in start]
    for p in ps:
        p.requires_grad_(True)
    optimizer = library.Muon(ps, **options)
    for gradients in steps:
        for p, g in zip(ps, gradients, strict=True):
            p.grad = as_tensor(g)
        optimizer.step()
    return [p.detach().numpy().copy() for p in ps]


@pytest.mark.parametrize("case", list(MUON))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_muon_is_that_of_numpy(case: str, dtype: str) -> None:
    """Within bfloat16, which float32 parameters are orthogonalised in."""
    found = train_muon(optim, dt.tensor, dtype, MUON[case])
    start, steps = matrices("float64")
    for i, p in enumerate(found):
        expected = muon_reference(start[i], [gradients[i] for gradients in steps], MUON[case])
        if dtype == "float64":
            np.testing.assert_allclose(p, expected, rtol=1e-9, atol=1e-10)
        else:
            moved = np.abs(expected - start[i]).max()
            assert np.abs(p - expected).max() < 0.05 * moved


@pytest.mark.parametrize("case", list(MUON))
def test_muon_is_that_of_pytorch(case: str) -> None:
    torch = pytest.importorskip("torch", reason="torch, whose Muon ours is compared with, is not installed")
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch has no Muon before 2.9")
    start, _ = matrices("float32")
    ours = train_muon(optim, dt.tensor, "float32", MUON[case])
    theirs = train_muon(torch.optim, torch.from_numpy, "float32", MUON[case])
    for p, q, first in zip(ours, theirs, start, strict=True):
        # Both round to bfloat16, at other places, and five rounds multiply what is lost.
        assert np.abs(p - q).max() < 0.1 * np.abs(q - first).max()


def test_muon_makes_steps_nearly_orthogonal() -> None:
    p = dt.zeros((30, 20), requires_grad=True)
    p.grad = dt.tensor(np.random.default_rng(0).standard_normal((30, 20)).astype(np.float32))
    optim.Muon([p], lr=1.0, adjust_lr_fn="original").step()
    values = np.linalg.svd(p.detach().numpy(), compute_uv=False) / math.sqrt(1.5)
    assert values.min() > 0.5
    assert values.max() < 1.3


def test_muon_scales_clips_and_rests() -> None:
    ps = [dt.ones((2, 2), requires_grad=True) for _ in range(2)]
    optimizer = optim.Muon(ps, lr=0.1)
    ps[0].grad = dt.tensor([[8.0, 0.0], [0.0, -8.0]])
    optimizer.step(grad_scale=0.5, max_value=1.0)
    assert ps[1].tolist() == [[1.0, 1.0]] * 2
    buffer = optimizer.state[ps[0]]["momentum_buffer"]
    np.testing.assert_allclose(buffer.numpy(), [[0.05, 0.0], [0.0, -0.05]], rtol=1e-5)
    other = optim.Muon([dt.ones((2, 2), requires_grad=True) for _ in range(2)])
    other.load_state_dict(json_like(optimizer.state_dict()))
    kept = other.state_dict()["state"]
    assert list(kept) == [0]
    assert kept[0]["momentum_buffer"].tolist() == buffer.tolist()


def json_like(state: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint makes of it: text keys, lists for tuples, arrays for tensors."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): plain(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(entry) for entry in value]
        return np.asarray(value) if isinstance(value, dt.Tensor) else json.loads(json.dumps(value))

    result: dict[str, Any] = plain(state)
    return result


def rosenbrock(w: Any) -> Any:
    x, y = w[0], w[1]
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def quadratic(w: Any) -> Any:
    return (w * w * w * w).sum() + ((w - 1.5) ** 2).sum()


LBFGS: dict[str, tuple[Any, list[float], dict[str, Any]]] = {
    "quadratic": (quadratic, [2.0, -3.0, 0.5, 1.0], {"lr": 0.1, "max_iter": 4}),
    "short memory": (quadratic, [2.0, -3.0, 0.5, 1.0], {"lr": 0.1, "max_iter": 6, "history_size": 2}),
    "rosenbrock": (rosenbrock, [-1.2, 1.0], {"max_iter": 5, "line_search_fn": "strong_wolfe"}),
    "few calls": (rosenbrock, [-1.2, 1.0], {"max_eval": 4, "line_search_fn": "strong_wolfe"}),
    "far": (quadratic, [20.0, -30.0], {"lr": 5.0, "max_iter": 3, "line_search_fn": "strong_wolfe"}),
    "near": (quadratic, [2.0, -3.0], {"lr": 1e-3, "max_iter": 3, "line_search_fn": "strong_wolfe"}),
}


def minimise(library: Any, as_tensor: Any, case: str, steps: int = 6) -> tuple[list[Any], Any]:
    function, start, options = LBFGS[case]
    w = as_tensor(np.array(start))
    w.requires_grad_(True)
    optimizer = library.LBFGS([w], **options)
    calls = [0]

    def closure() -> Any:
        calls[0] += 1
        optimizer.zero_grad()
        loss = function(w)
        loss.backward()
        return loss

    history = []
    for _ in range(steps):
        loss = optimizer.step(closure)
        history.append([float(loss.detach()), calls[0], *w.detach().tolist()])
    return history, optimizer


@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad")  # by its own LBFGS
@pytest.mark.parametrize("case", list(LBFGS))
def test_lbfgs_is_that_of_pytorch(case: str) -> None:
    torch = pytest.importorskip("torch", reason="torch, whose LBFGS ours is compared with, is not installed")
    ours, _ = minimise(optim, dt.tensor, case)
    theirs, other = minimise(torch.optim, torch.from_numpy, case)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    # Its state, as numbers and arrays, is taken over.
    state = other.state_dict()
    plain = {
        key: [np.asarray(entry) for entry in value] if isinstance(value, list) else value
        for key, value in state["state"][0].items()
        if key != "al"
    }
    _, mine = minimise(optim, dt.tensor, case, 0)
    mine.load_state_dict({"state": {0: plain}, "param_groups": state["param_groups"]})
    assert next(iter(mine.state.values()))["n_iter"] == plain["n_iter"]


def test_lbfgs_finds_minima() -> None:
    history, _ = minimise(optim, dt.tensor, "rosenbrock", 30)
    np.testing.assert_allclose(history[-1][2:], [1.0, 1.0], atol=1e-4)
    history, _ = minimise(optim, dt.tensor, "far", 12)
    (root,) = [r.real for r in np.roots([4, 0, 2, -3]) if abs(r.imag) < 1e-9]
    np.testing.assert_allclose(history[-1][2:], [root, root], atol=1e-4)


def test_lbfgs_resumes_with_the_same_bits() -> None:
    through, _ = minimise(optim, dt.tensor, "rosenbrock", 6)
    first, optimizer = minimise(optim, dt.tensor, "rosenbrock", 3)
    w = dt.tensor(np.array(first[-1][2:]), requires_grad=True)
    other = optim.LBFGS([w], lr=7.0)
    other.load_state_dict(json_like(optimizer.state_dict()))

    def closure() -> Any:
        other.zero_grad()
        loss = rosenbrock(w)
        loss.backward()
        return loss

    for _ in range(3):
        other.step(closure)
    assert w.tolist() == through[-1][2:]


def test_lbfgs_of_several_parameters_and_one_without_gradient() -> None:
    a, b, c = (dt.ones(shape, requires_grad=True) for shape in ((2, 3), (4,), (5,)))
    optimizer = optim.LBFGS([a, b, c], line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((a - 3) ** 2).sum() + (b * b).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(a.detach().numpy(), 3, atol=1e-4)
    np.testing.assert_allclose(b.detach().numpy(), 0, atol=1e-4)
    assert c.tolist() == [1.0] * 5
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        kept, known = next(iter(twin.state.values())), next(iter(optimizer.state.values()))
        assert kept["d"].tolist() == known["d"].tolist()


def test_lbfgs_survives_a_loss_that_is_not_finite() -> None:
    w = dt.tensor([1.0], requires_grad=True)
    optimizer = optim.LBFGS([w], lr=1e6, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (w * w).sum() if abs(w.item()) < 2 else (w.abs() / 0).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert math.isfinite(w.item())
    assert abs(w.item()) <= 1


def test_lbfgs_refuses_states_that_do_not_fit() -> None:
    _, optimizer = minimise(optim, dt.tensor, "quadratic", 2)
    good = optimizer.state_dict()
    other = optim.LBFGS([dt.ones((3,), dtype="float64", requires_grad=True)])
    with pytest.raises(ValueError, match=r"'d' has shape \(4,\), expected \(3,\)"):
        other.load_state_dict(good)
    _, other = minimise(optim, dt.tensor, "quadratic", 1)
    before = str(other.state_dict())
    for key, message in (("ro", "lacks ro"), ("n_iter", "lacks n_iter")):
        wrong = {"state": {0: {k: v for k, v in good["state"][0].items() if k != key}}}
        with pytest.raises(ValueError, match=message):
            other.load_state_dict({**good, **wrong})
    for key, value in (("t", -1.0), ("H_diag", math.nan), ("H_diag", -1.0), ("ro", [-1.0]), ("n_iter", -1)):
        wrong = {"state": {0: {**good["state"][0], key: value}}}
        with pytest.raises(ValueError, match=f"'{key}' (is|must be)"):
            other.load_state_dict({**good, **wrong})
    with pytest.raises(ValueError, match="old_dirs, old_stps and ro are not of one length"):
        other.load_state_dict({**good, "state": {0: {**good["state"][0], "ro": []}}})
    assert str(other.state_dict()) == before


def one(*shape: int, dtype: str = "float32") -> Any:
    return dt.ones(shape, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: optim.Muon([one(3)]),
            ValueError,
            r"Muon: parameters must have two axes, got shape \(3,\)",
        ),
        (
            lambda: optim.Muon([one(2, 2)], ns_steps=0),
            ValueError,
            "ns_steps must be an integer from 1 to 99",
        ),
        (
            lambda: optim.Muon([one(2, 2)], ns_steps=2.0),
            TypeError,
            "ns_steps must be an integer from 1 to 99",
        ),
        (lambda: optim.Muon([one(2, 2)], ns_coefficients=(1, 2)), TypeError, "must be three numbers"),
        (
            lambda: optim.Muon([one(2, 2)], adjust_lr_fn="x"),
            ValueError,
            "adjust_lr_fn must be None",
        ),
        (
            lambda: optim.Muon([one(2, 2)], momentum=2),
            ValueError,
            "momentum must be a number from 0 to 1",
        ),
        (
            lambda: optim.LBFGS([one(3)]).step(),
            TypeError,
            r"LBFGS\.step: closure must be a function",
        ),
        (lambda: optim.LBFGS([one(3)], max_iter=0), ValueError, "max_iter must be a positive integer, got 0"),
        (
            lambda: optim.LBFGS([one(3)], max_eval=1.5),
            TypeError,
            "max_eval must be a positive integer",
        ),
        (
            lambda: optim.LBFGS([one(3)], line_search_fn="x"),
            ValueError,
            "must be None or 'strong_wolfe'",
        ),
        (
            lambda: optim.LBFGS([{"params": one(3)}, {"params": one(2)}]),
            ValueError,
            "one group of parameters",
        ),
        (
            lambda: optim.LBFGS([one(3), one(2, dtype="float64")]),
            ValueError,
            "LBFGS: parameters must be of one dtype, got float32 and float64",
        ),
        (lambda: optim.LBFGS([one(3)], tol_grad=1), TypeError, "'tol_grad'; did you mean 'tolerance_grad'"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()
