"""Learning rate schedules: closed forms, agreement with PyTorch, state, looking ahead."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivetrain.optim import lr_scheduler as schedules
from drivetrain.optim.lr_scheduler import WarmUp
from schedule_tools import (
    ALL,
    CASES,
    LRS,
    METRICS,
    OWN,
    STEPS,
    Halving,
    decays,
    go,
    make,
    make_optimizer,
    present,
    run,
)

# Values


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("case", CASES)
def test_torch_values(case: str, kind: str) -> None:
    torch = pytest.importorskip("torch", reason="torch, whose schedules these are, is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = run(CASES[case], kind, torch)
    np.testing.assert_allclose(run(CASES[case], kind), theirs, rtol=1e-12, atol=0)


@pytest.mark.parametrize("options", [(30, "cos"), (0, "linear"), (7, "linear")])
def test_torch_swa(options: tuple[int, str]) -> None:
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import SWALR

    def build(library: Any, optimizer: Any) -> Any:
        kind = schedules.SWALR if library is schedules else SWALR
        return kind(optimizer, [0.05, 0.01], *options)

    np.testing.assert_allclose(run(build), run(build, library=torch), rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max", "factor": 0.5, "patience": 3},
        {"threshold": 0.1, "threshold_mode": "abs", "cooldown": 4, "patience": 2, "min_lr": [1e-3, 1e-2]},
        {"patience": 0, "eps": 1e-3},
    ],
)
def test_torch_plateau(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")

    def build(library: Any, optimizer: Any) -> Any:
        return library.ReduceLROnPlateau(optimizer, **options)

    ours = run(build)
    np.testing.assert_allclose(ours, run(build, library=torch), rtol=1e-12)
    assert len(set(ours[:, 0])) > 1


def swing(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


CLOSED: dict[str, Callable[[int], float]] = {
    "lambda": lambda t: 0.1 * 0.95**t,
    "step": lambda t: 0.1 * 0.5 ** (t // 7),
    "milestones": lambda t: 0.1 * 0.3 ** (2 * (t >= 5) + (t >= 30) + (t >= 80)),
    "constant": lambda t: 0.1 * (0.3 if t < 9 else 1),
    "linear": lambda t: 0.1 * (0.2 + 0.7 * min(t, 17) / 17),
    "exponential": lambda t: 0.1 * 0.97**t,
    "polynomial": lambda t: 0.1 * (1 - min(t, 150) / 150) ** 2.5,
    "cosine": lambda t: 1e-4 + (0.1 - 1e-4) * swing(t / 37),
    "inverse": lambda t: 0.1 / (1 + 0.7 * t / 10),
    "cyclic": lambda t: 0.01 + 0.19 * (t % 35 / 13 if t % 35 <= 13 else (35 - t % 35) / 22),
    "one cycle": lambda t: (
        0.5 + (0.02 - 0.5) * swing(t / 59)
        if t <= 59
        else 0.02 / 1e4 + (0.5 - 0.02 / 1e4) * swing((t - 59) / 140)
    ),
    "swa": lambda t: 0.05 + (0.1 - 0.05) * swing(min(t, 30) / 30),
    "sequence": lambda t: (
        0.1 * (0.1 + 0.9 * t / 10)
        if t < 10
        else 0.1 * swing((t - 10) / 70)
        if t < 80
        else 0.1 * 0.1 ** ((t - 80) // 5)
    ),
    "chain": lambda t: 0.1 * (0.1 + 0.9 * min(t, 10) / 10) * swing(t / 210) * 0.9 ** (t // 5),
    "warm-up": lambda t: 0.1 * (0.01 + 0.99 * (1 - swing(t / 10))) if t < 10 else 0.1 * swing((t - 10) / 190),
}


@pytest.mark.parametrize("case", CLOSED)
def test_closed_forms(case: str) -> None:
    """The product of a thousand factors is as close as its rounding allows."""
    expected = [CLOSED[case](t) for t in range(STEPS)]
    np.testing.assert_allclose(run((CASES | OWN)[case])[:, 0], expected, rtol=1e-11, atol=1e-16)


def test_restarts_within_an_epoch() -> None:
    optimizer = make_optimizer()
    schedule = schedules.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=3)
    for epoch, share in [(0.5, 0.25), (1.75, 0.875), (2.0, 0.0), (5.0, 0.5), (8.0, 0.0), (17.0, 0.5)]:
        schedule.step(epoch)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * swing(share), rel=1e-12, abs=1e-15)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * swing(10 / 18))


def test_a_staircase_falls_at_its_ends() -> None:
    schedule = schedules.InverseTimeDecay(make_optimizer(), 4, 1.0, staircase=True)
    assert schedule.preview(9)[0] == [0.1] * 4 + [0.05] * 4 + [0.1 / 3]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("linear", [0.1, 0.28, 0.46, 0.64, 0.82]),
        ("exponential", [0.1, 0.1**0.8, 0.1**0.6, 0.1**0.4, 0.1**0.2]),
        ("cosine", [0.1 + 0.9 * (1 - swing(t / 5)) for t in range(5)]),
        ("stepwise", [0.1, 0.1, 0.1, 0.55, 0.55]),
    ],
)
def test_kinds_of_warm_up(kind: str, expected: list[float]) -> None:
    for build in (schedules.ExponentialLR, None):
        optimizer = make_optimizer()
        inner = optimizer if build is None else build(optimizer, 0.5)
        schedule = WarmUp(inner, 5, kind, start_factor=0.1, stages=2)
        rates = schedule.preview(8)
        after = [1, 1, 1] if build is None else [1, 0.5, 0.25]
        for group, lr in enumerate(LRS):
            np.testing.assert_allclose(rates[group], lr * np.array(expected + after), rtol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_a_warm_up_is_followed_by_the_schedule_itself(case: str) -> None:
    optimizer = make_optimizer()
    schedule = WarmUp(make(case, optimizer), 6)
    rows = list(go(optimizer, schedule, range(60)))
    alone = make_optimizer()
    assert rows[6:] == list(go(alone, make(case, alone), range(54)))
    rates = [row[0] for row in rows[:6]]
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(0.01 * rows[6][0])


def test_rates_of_groups_are_their_own_and_the_users_changes_stay() -> None:
    optimizer = make_optimizer()
    schedule = schedules.ExponentialLR(optimizer, 0.5)
    schedule.step()
    assert schedule.get_last_lr() == [0.05, 0.015]
    optimizer.param_groups[1]["lr"] = 1.0
    schedule.step()
    assert schedule.get_last_lr() == [0.025, 0.5]


def test_goes_on_from_last_epoch() -> None:
    optimizer = make_optimizer()
    schedule = schedules.LambdaLR(optimizer, decays)
    rows = list(go(optimizer, schedule, range(20)))
    other = make_optimizer()
    for group, lr in zip(other.param_groups, LRS, strict=True):
        group["initial_lr"] = lr
    again = schedules.LambdaLR(other, decays, last_epoch=9)
    assert list(go(other, again, range(10))) == rows[10:]


# State


@ALL
@pytest.mark.parametrize("at", [0, 1, 13, 77])
def test_resumes_with_the_same_bits(case: str, at: int) -> None:
    optimizer = make_optimizer("Adam")
    schedule = make(case, optimizer)
    rows = list(go(optimizer, schedule, range(at)))
    stored = json.loads(json.dumps(schedule.state_dict()))
    groups = [{**group, "params": None} for group in optimizer.param_groups]
    rows = list(go(optimizer, schedule, range(at, STEPS)))

    other = make_optimizer("Adam")
    again = make(case, other)
    again.load_state_dict(stored)
    for group, values in zip(other.param_groups, groups, strict=True):
        group.update({name: value for name, value in values.items() if name != "params"})
    assert list(go(other, again, range(at, STEPS))) == rows
    assert again.state_dict() == schedule.state_dict()
    assert repr(again) == repr(schedule)


def test_loading_keeps_the_schedules_inside() -> None:
    """Whoever holds a part of a sequence still holds it."""
    optimizer = make_optimizer()
    inner = schedules.ExponentialLR(optimizer, 0.5)
    schedule = WarmUp(inner, 2)
    for _ in range(5):
        schedule.step()
    state = schedule.state_dict()
    other = make_optimizer()
    inner = schedules.ExponentialLR(other, 0.9)
    WarmUp(inner, 2).load_state_dict(state)
    assert (inner.gamma, inner.last_epoch) == (0.5, 3)


def test_functions_with_a_state_are_stored() -> None:
    optimizer = make_optimizer()
    schedule = schedules.LambdaLR(optimizer, Halving())
    schedule.step()
    other = make_optimizer()
    function = Halving()
    schedules.LambdaLR(other, function).load_state_dict(schedule.state_dict())
    assert function.calls == 4  # two groups, two steps


@ALL
def test_a_wrong_state_changes_nothing(case: str) -> None:
    optimizer = make_optimizer()
    schedule = make(case, optimizer)
    list(go(optimizer, schedule, range(3)))
    before = json.dumps(schedule.state_dict())
    state = json.loads(before)
    wrong = [
        (TypeError, None),
        (ValueError, {}),
        (ValueError, {**state, "schedule": "Other"}),
        (ValueError, {**state, "unheard": 1}),
        (ValueError, {name: value for name, value in state.items() if name != "last_epoch"}),
        (ValueError, {**state, "last_epoch": -2}),
        ((TypeError, ValueError), {**state, "last_epoch": "3"}),
        (ValueError, {**state, "_last_lr": [0.1]}),
        (TypeError, {**state, "_last_lr": ["0.1", "0.2"]}),
        (ValueError, {**state, "base_lrs": [0.1, 0.2, 0.3]}),
    ]
    if "_schedulers" in state:
        wrong.append((ValueError, {**state, "_schedulers": []}))
        inner = {**state["_schedulers"][-1], "last_epoch": -5}
        wrong.append((ValueError, {**state, "_schedulers": [*state["_schedulers"][:-1], inner]}))
    for error, values in wrong:
        with pytest.raises(error):
            schedule.load_state_dict(values)
        assert json.dumps(schedule.state_dict()) == before


def test_loaded_arguments_are_checked() -> None:
    schedule = schedules.StepLR(make_optimizer(), 3)
    state = schedule.state_dict()
    with pytest.raises(ValueError, match="step_size must be a positive integer, got 0"):
        schedule.load_state_dict({**state, "step_size": 0})
    with pytest.raises(TypeError, match="'gamma' is 'x', expected something like"):
        schedule.load_state_dict({**state, "gamma": "x"})
    assert schedule.step_size == 3


# Looking ahead


@ALL
def test_preview_tells_the_future_and_touches_nothing(case: str) -> None:
    optimizer = make_optimizer()
    schedule = make(case, optimizer)
    list(go(optimizer, schedule, range(5)))
    before = present(optimizer), json.dumps(schedule.state_dict())
    rates = schedule.preview(STEPS, METRICS)
    assert (present(optimizer), json.dumps(schedule.state_dict())) == before
    expected = run((CASES | OWN)[case])
    assert rates == [list(expected[:, 0]), list(expected[:, 2])]


@ALL
def test_plot(case: str) -> None:
    pytest.importorskip("matplotlib")
    optimizer = make_optimizer()
    schedule = make(case, optimizer)
    before = present(optimizer)
    axes = schedule.plot(steps=50)
    assert [list(line.get_ydata()) for line in axes.lines] == schedule.preview(50)
    assert axes.get_xlabel() == schedule.interval
    assert schedule.plot(ax=axes) is axes
    assert present(optimizer) == before


def test_a_function_is_not_copied_to_look_ahead() -> None:
    """A bound method may hang on a whole network."""

    class Owner:
        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("copied")

        def rate(self, epoch: int) -> float:
            return 1.0

    optimizer = make_optimizer()
    schedule = WarmUp(schedules.LambdaLR(optimizer, Owner().rate), 2, start_factor=0.5)
    assert schedule.preview(3)[0] == pytest.approx([0.05, 0.075, 0.1])
