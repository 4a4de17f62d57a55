"""Optimizers: agreement with PyTorch, groups, state, wrong input."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from golden import optimizers as golden

CASES = pytest.mark.parametrize("case", list(golden.CASES))
TOLERANCE = {"float32": {"rtol": 2e-5, "atol": 2e-6}, "float64": {"rtol": 1e-11, "atol": 1e-12}}
KINDS = [optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad, optim.Adadelta, optim.RMSprop, optim.Adamax]
KINDS += [optim.NAdam, optim.RAdam, optim.Rprop, optim.Lion, optim.Adafactor]
ALL = pytest.mark.parametrize("kind", KINDS)


def run(case: str, dtype: str) -> list[list[Any]]:
    return golden.run(case, optim, dt.tensor, lambda t: t.numpy(), dtype)


@CASES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_recorded_steps(case: str, dtype: str) -> None:
    recorded = json.loads(golden.RECORDED.read_text())[case]
    history = run(case, dtype)
    for step in golden.STORED:
        for ours, theirs in zip(history[step - 1], recorded[str(step)], strict=True):
            np.testing.assert_allclose(ours.ravel(), theirs, **TOLERANCE[dtype], err_msg=f"step {step}")


@CASES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_steps(case: str, dtype: str) -> None:
    pytest.importorskip("torch", reason="torch, which every step is compared with, is not installed")
    theirs = golden.run_torch(case, dtype)
    for step, (a, b) in enumerate(zip(run(case, dtype), theirs, strict=True), 1):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, **TOLERANCE[dtype], err_msg=f"step {step}")


def parameters(*shapes: tuple[int, ...]) -> list[Any]:
    made = [dt.tensor(np.ones(shape, np.float32), requires_grad=True) for shape in shapes or [(2, 3), (3,)]]
    for i, p in enumerate(made):
        p.grad = dt.tensor(np.full(p.shape, i + 1, np.float32))
    return made


def options(kind: Any) -> dict[str, Any]:
    """Such that all is kept that the kind can keep."""
    more: dict[Any, dict[str, Any]] = {
        optim.SGD: {"momentum": 0.9},
        optim.RMSprop: {"momentum": 0.9, "centered": True},
    }
    return {"lr": 0.1, **more.get(kind, {})}


@ALL
def test_step_changes_parameters_in_place(kind: Any) -> None:
    ps = parameters()
    addresses = [p.data_ptr() for p in ps]
    kind(ps, **options(kind)).step()
    assert [p.data_ptr() for p in ps] == addresses
    assert all((p.detach().numpy() < 1).all() for p in ps)
    assert all(p.requires_grad and p.is_leaf for p in ps)


def test_step_bumps_the_version() -> None:
    (p,) = parameters((2,))
    before = p._version
    optim.SGD([p], lr=0.1).step()
    assert p._version > before


def test_zero_grad() -> None:
    ps = parameters()
    optimizer = optim.SGD(ps)
    optimizer.zero_grad(set_to_none=False)
    assert all((p.grad.numpy() == 0).all() for p in ps)
    optimizer.zero_grad()
    assert all(p.grad is None for p in ps)
    optimizer.step()  # nothing to do
    assert all((p.detach().numpy() == 1).all() for p in ps)


def test_closure() -> None:
    ps = parameters((2,))
    optimizer = optim.SGD(ps, lr=0.5)

    def closure() -> Any:
        assert dt.is_grad_enabled()
        optimizer.zero_grad()
        loss = dt.mse_loss(ps[0], dt.tensor([0.0, 0.0]))
        loss.backward()
        return loss

    with dt.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 1.0
    np.testing.assert_allclose(ps[0].detach().numpy(), [0.5, 0.5])


def test_options_may_be_changed_between_steps() -> None:
    (p,) = parameters((1,))
    optimizer = optim.SGD([p], lr=0.5)
    optimizer.param_groups[0]["lr"] = 0.25
    optimizer.step()
    assert p.item() == 0.75


def test_momentum_switched_on_later_starts_with_the_gradient() -> None:
    (p,) = parameters((1,))
    optimizer = optim.SGD([p], lr=0.25, dampening=0.5)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    assert p.item() == 0.5


def test_amsgrad_switched_on_later() -> None:
    (p,) = parameters((1,))
    optimizer = optim.Adam([p])
    optimizer.step()
    optimizer.param_groups[0]["amsgrad"] = True
    optimizer.step()
    assert set(optimizer.state[p]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}


@ALL
def test_added_group_and_late_gradients(kind: Any) -> None:
    """A parameter that joins late moves as one that was there alone."""
    late, early = parameters((2,), (2,))
    optimizer = kind([early], **options(kind))
    for _ in range(3):
        optimizer.step()
    optimizer.add_param_group({"params": late})
    optimizer.step()
    optimizer.step()
    (alone,) = parameters((2,))
    other = kind([alone], **options(kind))
    other.step()
    other.step()
    assert late.tolist() == alone.tolist()


@ALL
def test_state_dict_resumes_with_the_same_bits(kind: Any) -> None:
    def run(interrupted: bool) -> Any:
        ps = parameters()
        optimizer = kind(ps, **options(kind))
        for step in range(6):
            if interrupted and step == 3:
                state = optimizer.state_dict()
                # What a checkpoint makes of it: text keys, lists for tuples.
                text = json.dumps(state["param_groups"])
                state = {
                    "state": {str(n): dict(entry) for n, entry in state["state"].items()},
                    "param_groups": json.loads(text),
                }
                ps = [dt.tensor(p.detach().numpy(), requires_grad=True) for p in ps]
                optimizer = kind(ps, lr=5.0)
                optimizer.load_state_dict(state)
            for i, p in enumerate(ps):
                p.grad = dt.tensor(np.random.default_rng([step, i]).standard_normal(p.shape, np.float32))
            optimizer.step()
        return [p.tolist() for p in ps]

    assert run(True) == run(False)


def test_state_dict_has_pytorchs_form() -> None:
    ps = parameters((2,), (3,))
    optimizer = optim.SGD([{"params": ps[:1], "lr": 0.5}, {"params": ps[1:]}], lr=0.1, momentum=0.9)
    assert optimizer.state_dict()["state"] == {}
    optimizer.step()
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1]]
    assert [group["lr"] for group in state["param_groups"]] == [0.5, 0.1]
    assert state["state"][1]["momentum_buffer"].tolist() == [2.0, 2.0, 2.0]


def test_loads_the_state_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="torch, whose state is loaded, is not installed")
    for kind in (kind.__name__ for kind in KINDS if kind is not optim.Lion):
        theirs = [torch.ones(3, requires_grad=True)]
        ours = [dt.tensor(np.ones(3, np.float32), requires_grad=True)]
        a = getattr(torch.optim, kind)(theirs, **options(getattr(optim, kind)))
        b = getattr(optim, kind)(ours, lr=1.0)
        theirs[0].grad = torch.tensor([1.0, 2.0, 3.0])
        a.step()
        state = a.state_dict()
        kept = {
            n: {k: v.numpy() if k != "step" and v is not None else v for k, v in entry.items()}
            for n, entry in state["state"].items()
        }
        groups = state["param_groups"]
        with dt.no_grad():
            ours[0][...] = dt.tensor(theirs[0].detach().numpy())
        b.load_state_dict({"state": kept, "param_groups": groups})
        assert "foreach" not in b.param_groups[0]
        a.step()
        ours[0].grad = dt.tensor([1.0, 2.0, 3.0])
        b.step()
        np.testing.assert_allclose(ours[0].detach().numpy(), theirs[0].detach().numpy(), rtol=1e-6)


def test_load_refuses_what_does_not_fit_and_changes_nothing() -> None:
    ps = parameters((2,), (3,))
    optimizer = optim.Adam(ps, lr=0.1)
    optimizer.step()
    before = optimizer.state_dict()
    other = optim.Adam(parameters((2,)))
    with pytest.raises(ValueError, match=r"hold \[1\] parameters, but those of this optimizer \[2\]"):
        optimizer.load_state_dict(other.state_dict())
    wrong = copy.deepcopy(before)
    wrong["state"][1]["exp_avg"] = dt.tensor([1.0])
    wrong["param_groups"][0]["lr"] = 7.0
    with pytest.raises(ValueError, match=r"'exp_avg' of parameter 1 has shape \(1,\), expected \(3,\)"):
        optimizer.load_state_dict(wrong)
    wrong["param_groups"][0]["lr"] = -7.0
    with pytest.raises(ValueError, match="lr must be positive or 0, got -7"):
        optimizer.load_state_dict(wrong)
    with pytest.raises(TypeError, match="expected a dict with 'state' and 'param_groups'"):
        optimizer.load_state_dict({})
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"][1]["exp_avg"].tolist() == before["state"][1]["exp_avg"].tolist()


@ALL
def test_copy_and_pickle(kind: Any) -> None:
    model = nn.Linear(3, 2)
    optimizer = kind(model.parameters(), **options(kind))
    dt.mse_loss(model(dt.ones((4, 3))), dt.zeros((4, 2))).backward()
    optimizer.step()
    for twin, other in (copy.deepcopy((model, optimizer)), pickle.loads(pickle.dumps((model, optimizer)))):
        assert [id(p) for p in other.param_groups[0]["params"]] == [id(p) for p in twin.parameters()]
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            q.grad = dt.tensor(p.grad)
        other.step()
        assert twin.weight.tolist() != model.weight.tolist()
        other.load_state_dict(optimizer.state_dict())


def test_repr() -> None:
    text = repr(optim.SGD(parameters(), lr=0.1))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0.0\n    lr: 0.1\n")
    assert text.endswith(")")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: optim.SGD(p, lr=-1), ValueError, r"SGD: lr must be positive or 0, got -1$"),
        (lambda p: optim.SGD(p, lr=float("nan")), ValueError, r"SGD: lr must be positive or 0, got nan"),
        (lambda p: optim.SGD(p, lr="0.1"), TypeError, r"SGD: lr must be positive or 0, got '0.1'"),
        (lambda p: optim.SGD(p, momentum=-0.5), ValueError, r"SGD: momentum must be positive or 0"),
        (lambda p: optim.SGD(p, weight_decay=-1), ValueError, r"SGD: weight_decay must be positive or 0"),
        (lambda p: optim.SGD(p, nesterov=True), ValueError, r"nesterov needs a momentum above 0"),
        (lambda p: optim.SGD(p, momentum=0.9, dampening=0.1, nesterov=True), ValueError, "no dampening"),
        (lambda p: optim.Adam(p, betas=(0.9, 1.0)), ValueError, r"Adam: betas\[1\] must be a number from 0"),
        (lambda p: optim.Adam(p, betas=0.9), TypeError, r"Adam: betas must be two numbers, got 0.9"),
        (lambda p: optim.Adam(p, eps=-1e-8), ValueError, r"Adam: eps must be positive or 0"),
        (lambda p: optim.AdamW(p, weight_decay=-1), ValueError, r"AdamW: weight_decay must be positive"),
        (lambda p: optim.SGD([]), ValueError, r"SGD: params is empty"),
        (lambda p: optim.SGD(p[0]), TypeError, r"must be a sequence of parameters.*got Tensor"),
        (lambda p: optim.SGD({"params": p}), TypeError, r"must be a sequence of parameters.*got dict"),
        (lambda p: optim.SGD(set(p)), TypeError, r"must be a sequence of parameters.*got set"),
        (lambda p: optim.SGD(3), TypeError, r"got int"),
        (lambda p: optim.SGD([1.0]), TypeError, r"a parameter must be a Tensor, got float"),
        (lambda p: optim.SGD([nn.Linear(1, 1)]), TypeError, r"got Linear; pass its parameters\(\)"),
        (
            lambda p: optim.SGD(nn.Linear(1, 1).named_parameters()),
            TypeError,
            r"pass model.parameters\(\), not model.named_parameters\(\)",
        ),
        (lambda p: optim.SGD([p[0], p[0]]), ValueError, r"a parameter of shape \(2, 3\) is given twice"),
        (lambda p: optim.SGD([{"params": p}, {"params": p[0]}]), ValueError, r"is given twice"),
        (lambda p: optim.SGD([{"params": p, "betas": 1}]), ValueError, r"the unknown option 'betas'"),
        (lambda p: optim.SGD([{"lr": 1}]), TypeError, r"must be a dict with 'params'"),
        (lambda p: optim.SGD([dt.tensor([1, 2])]), TypeError, r"must be float32 or float64, got int64"),
        (lambda p: optim.SGD([p[0] * 2]), ValueError, r"is the result of an op"),
    ],
)
def test_wrong_arguments(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(parameters())


def test_clip_grad_norm() -> None:
    ps = parameters((3,), (4,))
    before = [p.grad.numpy().copy() for p in ps]
    norm = nn.utils.clip_grad_norm_(ps, 1.0)
    expected = float(np.sqrt(sum((g**2).sum() for g in before)))
    assert norm.item() == pytest.approx(expected)
    after = np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in ps))
    assert after == pytest.approx(1.0, rel=1e-5)
    assert nn.utils.clip_grad_norm_(ps, 5.0).item() == pytest.approx(1.0, rel=1e-5)
    assert np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in ps)) == pytest.approx(1.0, rel=1e-5)
    nothing = dt.tensor([1.0], requires_grad=True)
    assert nn.utils.clip_grad_norm_([nothing], 1.0).item() == 0.0


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_clip_grad_norm_kinds_agree_with_numpy(norm_type: float) -> None:
    ps = parameters((3,), (4,))
    joined = np.concatenate([p.grad.numpy() for p in ps])
    assert nn.utils.clip_grad_norm_(ps, 0.5, norm_type).item() == pytest.approx(
        np.linalg.norm(joined, norm_type)
    )
    clipped = np.concatenate([p.grad.numpy() for p in ps])
    assert np.linalg.norm(clipped, norm_type) == pytest.approx(0.5, rel=1e-5)


@ALL
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_step_clips_as_clip_grad_norm_does(kind: Any, max_norm: float) -> None:
    """Two groups and a parameter without gradient: the norm is that of all together."""

    def trained(step: Any) -> tuple[list[Any], Any]:
        ps = parameters((30, 7), (5,), (3,))
        ps[1].grad = None
        optimizer = kind([{"params": ps[:2]}, {"params": ps[2:], "lr": 0.3}], **options(kind))
        for _ in range(3):
            step(optimizer, ps)
        return [p.detach().numpy() for p in ps] + [ps[0].grad.numpy()], optimizer

    def after_clipping(optimizer: Any, ps: Any) -> None:
        kept = [p.grad if p.grad is None else p.grad.clone() for p in ps]
        nn.utils.clip_grad_norm_(ps, max_norm)
        optimizer.step()
        for p, gradient in zip(ps, kept, strict=True):
            p.grad = gradient

    theirs, _ = trained(after_clipping)
    ours, optimizer = trained(lambda optimizer, ps: optimizer.step(max_norm=max_norm))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    assert optimizer.grad_norm == pytest.approx(np.sqrt(210 + 3 * 9))
    assert (ours[-1] == 1).all()  # the gradients are left as they were


@ALL
def test_step_takes_the_scale_of_the_loss_back(kind: Any) -> None:
    def stepped(scale: float, **kwargs: Any) -> Any:
        ps = parameters()
        for p in ps:
            p.grad = p.grad * scale
        optimizer = kind(ps, **options(kind))
        optimizer.step(grad_scale=1 / scale, **kwargs)
        return [p.detach().numpy() for p in ps], optimizer.grad_norm

    plain, norm = stepped(1.0)
    assert norm is None
    np.testing.assert_array_equal(stepped(1024.0)[0][0], plain[0])
    clipped, norm = stepped(-1024.0, max_norm=1.0)
    assert norm == pytest.approx(np.sqrt(6 + 3 * 4))
    np.testing.assert_array_equal(clipped[1], stepped(1.0, max_norm=1.0)[0][1])


def test_step_refuses_to_clip_what_is_not_finite() -> None:
    (p,) = parameters((2,))
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = dt.tensor([1.0, np.nan])
    with pytest.raises(RuntimeError, match=r"SGD\.step: the norm of the gradients is nan"):
        optimizer.step(max_norm=1.0)
    assert (p.detach().numpy() == 1).all()
    with pytest.raises(ValueError, match=r"SGD\.step: max_norm must be positive or 0, got -1"):
        optimizer.step(max_norm=-1)
    with pytest.raises(ValueError, match=r"SGD\.step: grad_scale must be a finite number, got inf"):
        optimizer.step(grad_scale=float("inf"))
    for wrong in (dt.tensor(1.0), "1", True):
        with pytest.raises(TypeError, match=r"SGD\.step: grad_scale must be a finite number"):
            optimizer.step(grad_scale=wrong)


def test_clip_grad_value() -> None:
    ps = parameters((2,), (2,))
    ps[1].grad = dt.tensor([-3.0, 0.5])
    nn.utils.clip_grad_value_(ps, 0.75)
    assert ps[0].grad.tolist() == [0.75, 0.75]
    assert ps[1].grad.tolist() == [-0.75, 0.5]


def test_clip_wrong_arguments() -> None:
    ps = parameters()
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm must be a number of at least 0, got -1"):
        nn.utils.clip_grad_norm_(ps, -1)
    with pytest.raises(ValueError, match="norm_type is 3, expected 1, 2 or inf"):
        nn.utils.clip_grad_norm_(ps, 1.0, 3)
    with pytest.raises(ValueError, match="clip_grad_value_: clip_value must be a number of at least 0"):
        nn.utils.clip_grad_value_(ps, -1)
    with pytest.raises(TypeError, match="clip_grad_norm_: parameters must be tensors, got int"):
        nn.utils.clip_grad_norm_([1], 1.0)
    ps[0].grad = dt.tensor(np.full((2, 3), np.inf, np.float32))
    with pytest.raises(RuntimeError, match="the norm of the gradients is inf"):
        nn.utils.clip_grad_norm_(ps, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_finds_one_bad_value(level: str, dtype: str, bad: float) -> None:
    for n in (1, 7, 64, 77, 40_000):
        good = dt.full((n,), 60_000.0, dtype=dtype)
        assert dt._core._all_finite([good, dt.ones((3,), dtype="int64"), dt.zeros((0,))])
        for at in {0, n // 2, n - 1}:
            spoilt = dt.concat([good[:at], dt.full((1,), bad, dtype=dtype), good[at + 1 :]])
            assert not dt._core._all_finite([good, spoilt])
    spread = dt.tensor(np.array([[1.0, bad], [2.0, 3.0]]), dtype=dtype)
    assert dt._core._all_finite([spread[1:], spread[:, :1]])
    assert not dt._core._all_finite([spread.T])


def test_finite_gradients_are_those_of_the_parameters() -> None:
    ps = parameters()
    assert dt._core._finite_gradients(ps)
    ps[0].grad = dt.full(ps[0].shape, np.nan)
    assert not dt._core._finite_gradients(ps)
    assert dt._core._finite_gradients(ps[1:])
    ps[0].grad = None
    assert dt._core._finite_gradients(ps)


@ALL
def test_same_bits_for_any_number_of_threads(kind: Any) -> None:
    def run(threads: int) -> list[bytes]:
        before = dt.get_num_threads()
        dt.set_num_threads(threads)
        try:
            rng = np.random.default_rng(0)
            ps = [dt.tensor(rng.standard_normal(n, np.float32), requires_grad=True) for n in (70_001, 5)]
            optimizer = kind(ps, **options(kind))
            for _ in range(3):
                for p in ps:
                    p.grad = dt.tensor(rng.standard_normal(p.shape[0], np.float32))
                nn.utils.clip_grad_norm_(ps, 1.0)
                optimizer.step()
            return [p.detach().numpy().tobytes() for p in ps]
        finally:
            dt.set_num_threads(before)

    assert run(1) == run(2) == run(3)
