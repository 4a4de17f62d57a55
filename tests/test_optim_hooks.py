"""Functions that run before and after an optimizer's step."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import drivetrain as dt
from drivetrain import optim


def one() -> tuple[Any, Any]:
    p = dt.tensor([1.0], requires_grad=True)
    p.grad = dt.tensor([1.0])
    return p, optim.SGD([p], lr=0.25)


def log_steps(library: Any, as_tensor: Any) -> list[Any]:
    """What PyTorch's hooks are called with, and in which order."""
    p = as_tensor([1.0])
    p.requires_grad_(True)
    p.grad = as_tensor([1.0])
    optimizer = library.SGD([p], lr=0.25)
    log: list[Any] = []

    def hook(name: str) -> Any:
        def call(*given: Any) -> None:
            seen, args, kwargs = given
            log.append((name, seen is optimizer, args[0] is optimizer, len(args), dict(kwargs), p.tolist()))

        return call

    handles = [
        optimizer.register_step_post_hook(hook("after")),
        optimizer.register_step_pre_hook(hook("before")),
        optimizer.register_step_pre_hook(hook("second")),
    ]
    log.append(optimizer.step(lambda: log.append("closure") or 7))
    optimizer.step(closure=None)
    handles[1].remove()
    handles[1].remove()
    optimizer.step()
    handles[0].remove()
    handles[2].remove()
    optimizer.step()
    log.append(p.tolist())
    return log


def test_order_and_arguments() -> None:
    log = log_steps(optim, dt.tensor)
    assert log[:4] == [
        ("before", True, True, 2, {}, [1.0]),
        ("second", True, True, 2, {}, [1.0]),
        "closure",
        ("after", True, True, 2, {}, [0.75]),
    ]
    assert log[4] == 7
    assert log[5] == ("before", True, True, 1, {"closure": None}, [0.75])
    assert log[8:] == [
        ("second", True, True, 1, {}, [0.5]),
        ("after", True, True, 1, {}, [0.25]),
        [0.0],
    ]


def test_as_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="torch, whose hooks ours are compared with, is not installed")
    assert log_steps(optim, dt.tensor) == log_steps(torch.optim, torch.tensor)


def test_a_pre_hook_may_change_the_arguments() -> None:
    p, optimizer = one()
    optimizer.register_step_pre_hook(lambda o, args, kwargs: (args, {**kwargs, "grad_scale": 2.0}))
    optimizer.step()
    assert p.tolist() == [0.5]
    optimizer.register_step_pre_hook(lambda o, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"SGD\.step: a hook returned 3, expected None or a tuple of args"):
        optimizer.step()
    assert p.tolist() == [0.5]


def test_nothing_is_left_where_the_last_hook_is_removed() -> None:
    _, optimizer = one()
    before = vars(optimizer).keys()
    with optimizer.register_step_post_hook(print):
        assert "step" in vars(optimizer)
    assert vars(optimizer).keys() == before
    assert "step" not in vars(optimizer)


def test_hooks_see_a_step_that_a_subclass_overrides() -> None:
    class Twice(optim.SGD):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            super().step(*args, **kwargs)
            return super().step(*args, **kwargs)

    p = dt.tensor([1.0], requires_grad=True)
    p.grad = dt.tensor([1.0])
    optimizer = Twice([p], lr=0.25)
    seen: list[Any] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append(p.item()))
    optimizer.register_step_post_hook(lambda *_: seen.append(p.item()))
    optimizer.step()
    assert seen == [1.0, 0.5]


def test_a_step_replaced_by_hand_stays() -> None:
    p, optimizer = one()
    plain = optimizer.step
    calls: list[int] = []
    optimizer.step = lambda *args, **kwargs: (calls.append(1), plain(*args, **kwargs))[1]
    handle = optimizer.register_step_pre_hook(lambda *_: calls.append(2))
    optimizer.step()
    handle.remove()
    optimizer.step()
    assert calls == [2, 1, 1]
    assert p.tolist() == [0.5]


def test_copies_have_no_hooks() -> None:
    p, optimizer = one()
    optimizer.register_step_pre_hook(lambda *_: pytest.fail("the hook of another optimizer"))
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        twin.param_groups[0]["params"][0].grad = dt.tensor([1.0])
        twin.step()
        assert twin.param_groups[0]["params"][0].tolist() == [0.75]
    assert p.tolist() == [1.0]


def test_the_scaler_runs_hooks_of_steps_that_are_made() -> None:
    p, optimizer = one()
    scaler = optim.GradScaler(init_scale=1.0)
    seen: list[int] = []
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    scaler.step(optimizer)
    scaler.update()
    p.grad = dt.tensor([float("nan")])
    scaler.step(optimizer)
    assert seen == [1]


def test_a_hook_must_be_callable() -> None:
    _, optimizer = one()
    with pytest.raises(TypeError, match="SGD: a hook must be callable, got 3"):
        optimizer.register_step_post_hook(3)
    assert "step" not in vars(optimizer)
