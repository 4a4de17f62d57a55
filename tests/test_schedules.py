"""Learning rate schedules: closed forms, agreement with PyTorch, state, looking ahead, wrong input."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, nn, optim
from drivetrain.optim import lr_scheduler as schedules
from drivetrain.optim.lr_scheduler import WarmUp
from drivetrain.train import Trainer

STEPS = 200
LRS = (0.1, 0.03)


class Halving:
    """A function with a state of its own."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return float(0.5**epoch)


def decays(epoch: int) -> float:
    return float(0.95**epoch)


# (s: the module with the schedules, o: the optimizer)
CASES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda s, o: s.LambdaLR(o, [decays, lambda e: 1 / (1 + e)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.99 + 0.001 * (e % 3)),
    "step": lambda s, o: s.StepLR(o, 7, 0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [30, 5, 5, 80], 0.3),
    "constant": lambda s, o: s.ConstantLR(o, 0.3, 9),
    "linear": lambda s, o: s.LinearLR(o, 0.2, 0.9, 17),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.97),
    "polynomial": lambda s, o: s.PolynomialLR(o, 150, 2.5),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 37, 1e-4),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 11, 2, 1e-3),
    "cyclic": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.2, 13, 22),
    "cyclic halves": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, mode="triangular2"),
    "cyclic range": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, mode="exp_range", gamma=0.99),
    "cyclic function": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, scale_fn=decays, scale_mode="iterations"),
    "cyclic alone": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, cycle_momentum=False),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.5, 0.2], STEPS),
    "one cycle, three": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=20, steps_per_epoch=10, three_phase=True, anneal_strategy="linear"
    ),
    "sequence": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 70), s.StepLR(o, 5)], [10, 80]
    ),
    "sequence of others": lambda s, o: s.SequentialLR(
        o, [s.ExponentialLR(o, 0.9), s.MultiplicativeLR(o, lambda e: 0.95), s.LambdaLR(o, decays)], [10, 80]
    ),
    "sequence of restarts": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.5, 3), s.CosineAnnealingWarmRestarts(o, 20)], [30]
    ),
    "chain": lambda s, o: s.ChainedScheduler(
        [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 210), s.StepLR(o, 5, 0.9)]
    ),
    "chain past a wave": lambda s, o: s.ChainedScheduler([s.CosineAnnealingLR(o, 70), s.StepLR(o, 5, 0.9)]),
}
# Those that PyTorch does not have, or elsewhere.
OWN: dict[str, Callable[[Any, Any], Any]] = {
    "inverse": lambda s, o: s.InverseTimeDecay(o, 10, 0.7),
    "swa": lambda s, o: s.SWALR(o, [0.05, 0.01], 30),
    "swa, line": lambda s, o: s.SWALR(o, 0.05, 0, "linear"),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, patience=3),
    "warm-up": lambda s, o: s.WarmUp(s.CosineAnnealingLR(o, 190), 10, "cosine"),
    "warm-up of one cycle": lambda s, o: s.WarmUp(s.OneCycleLR(o, 0.3, 190), 10, "exponential"),
    "warm-up of plateau": lambda s, o: s.WarmUp(s.ReduceLROnPlateau(o, patience=2), 7, "stepwise"),
}
METRICS = np.random.default_rng(0).normal(size=STEPS) + np.linspace(3, 0, STEPS)


def make_optimizer(kind: str = "SGD", library: Any = None) -> Any:
    if library is None:
        groups = [{"params": [dt.ones((2,), requires_grad=True)], "lr": lr} for lr in LRS]
        made = optim.SGD(groups, momentum=0.9) if kind == "SGD" else optim.Adam(groups)
    else:
        groups = [{"params": [library.ones(2, requires_grad=True)], "lr": lr} for lr in LRS]
        made = library.optim.SGD(groups, momentum=0.9) if kind == "SGD" else library.optim.Adam(groups)
    return made


def present(optimizer: Any) -> list[float]:
    """The rates and momenta of all groups."""
    found = []
    for group in optimizer.param_groups:
        found += [group["lr"], group["betas"][0] if "betas" in group else group["momentum"]]
    return found


def go(optimizer: Any, schedule: Any, numbers: range) -> Iterator[list[float]]:
    """What the optimizer has in each of these steps."""
    for number in numbers:
        yield present(optimizer)
        optimizer.step()
        wants = getattr(schedule, "needs_metric", type(schedule).__name__ == "ReduceLROnPlateau")
        schedule.step(*([METRICS[number]] if wants else []))


def run(make: Callable[[Any, Any], Any], kind: str = "SGD", library: Any = None) -> Any:
    optimizer = make_optimizer(kind, library)
    schedule = make(schedules if library is None else library.optim.lr_scheduler, optimizer)
    return np.array(list(go(optimizer, schedule, range(STEPS))))


ALL = pytest.mark.parametrize("case", [*CASES, *OWN])


def make(case: str, optimizer: Any) -> Any:
    return (CASES | OWN)[case](schedules, optimizer)


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


# Ends


def test_one_cycle_past_its_end_raises_and_changes_nothing() -> None:
    optimizer = make_optimizer()
    schedule = schedules.OneCycleLR(optimizer, 0.5, total_steps=5)
    schedule.check_length(5)
    with pytest.raises(ValueError, match="total_steps is 5 and 0 are made, but the training makes 6 more"):
        schedule.check_length(6)
    for _ in range(5):
        schedule.step()
    before = present(optimizer), schedule.state_dict()
    with pytest.raises(ValueError, match="total_steps is 5, but step number 6 was asked for"):
        schedule.step()
    assert (present(optimizer), schedule.state_dict()) == before
    with pytest.raises(ValueError, match="5 are made"):
        schedule.check_length(1)


@pytest.mark.parametrize(
    ("build", "enough", "message"),
    [
        (lambda o: schedules.PolynomialLR(o, 10), 10, "total_iters is 10.*to step 11: .* is 0"),
        (lambda o: schedules.LinearLR(o, 1.0, 0.0, 10), 10, "total_iters is 10.* is 0"),
        (lambda o: schedules.CosineAnnealingLR(o, 10), 10, "T_max is 10.*climbs again"),
        (lambda o: WarmUp(schedules.CosineAnnealingLR(o, 10), 4), 14, "T_max is 10"),
        (
            lambda o: schedules.SequentialLR(
                o, [schedules.ConstantLR(o), schedules.PolynomialLR(o, 10)], [3]
            ),
            13,
            "total_iters is 10",
        ),
        (
            lambda o: schedules.ChainedScheduler([schedules.ConstantLR(o), schedules.PolynomialLR(o, 9)]),
            9,
            "total_iters is 9",
        ),
    ],
)
def test_a_schedule_that_ends_early_warns(build: Any, enough: int, message: str) -> None:
    schedule = build(make_optimizer())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.check_length(enough)
    with pytest.warns(UserWarning, match=message):
        schedule.check_length(enough + 1)


def test_a_training_that_ends_early_warns() -> None:
    optimizer = make_optimizer()
    with pytest.warns(UserWarning, match="the warm-up takes 50 steps.*ends at step 20; a step is one epoch"):
        WarmUp(optimizer, 50).check_length(20)
    parts = [schedules.ConstantLR(optimizer), schedules.StepLR(optimizer, 3)]
    with pytest.warns(UserWarning, match="before StepLR begins at step 30"):
        schedules.SequentialLR(optimizer, parts, [30]).check_length(20)


@pytest.mark.parametrize("case", ["step", "exponential", "restarts", "cyclic", "plateau", "lambda"])
def test_those_without_an_end_fit_any_training(case: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(case, make_optimizer()).check_length(10**6)


def test_intervals() -> None:
    optimizer = make_optimizer()
    stepwise = {"CyclicLR", "OneCycleLR"}
    for name in dir(schedules):
        kind = getattr(schedules, name)
        if isinstance(kind, type) and issubclass(kind, schedules.LRScheduler):
            assert kind.interval == ("step" if name in stepwise else "epoch")
    assert WarmUp(schedules.OneCycleLR(optimizer, 0.1, 10), 2).interval == "step"
    assert WarmUp(schedules.ReduceLROnPlateau(optimizer), 2).needs_metric
    with pytest.warns(UserWarning, match=r"ConstantLR \(epoch\), OneCycleLR \(step\)"):
        schedules.ChainedScheduler([schedules.ConstantLR(optimizer), schedules.OneCycleLR(optimizer, 1.0, 9)])


# Wrong input

Builder = Callable[[Any], Any]
WRONG: list[tuple[type[Exception], str, Builder]] = [
    (TypeError, "StepLR: optimizer is a list", lambda o: schedules.StepLR([], 3)),
    (
        TypeError,
        "StepLR: there is no argument 'stepsize'; did you mean 'step_size'",
        lambda o: schedules.StepLR(o, stepsize=3),
    ),
    (
        TypeError,
        "CosineAnnealingLR: there is no argument 't_max'; did you mean 'T_max'",
        lambda o: schedules.CosineAnnealingLR(o, t_max=3),
    ),
    (TypeError, "WarmUp: there is no argument 'step'; did you mean", lambda o: WarmUp(o, step=3)),
    (TypeError, "there is no argument 'colour'$", lambda o: schedules.StepLR(o, 3, colour=1)),
    (ValueError, "step_size must be a positive integer, got 0", lambda o: schedules.StepLR(o, 0)),
    (TypeError, "step_size must be a positive integer, got 1.5", lambda o: schedules.StepLR(o, 1.5)),
    (ValueError, "gamma must be positive or 0, got -1", lambda o: schedules.ExponentialLR(o, -1)),
    (ValueError, "gamma must be positive or 0, got nan", lambda o: schedules.ExponentialLR(o, math.nan)),
    (TypeError, "gamma must be positive or 0, got '1'", lambda o: schedules.ExponentialLR(o, "1")),
    (TypeError, "milestones must be a list", lambda o: schedules.MultiStepLR(o, 3)),
    (TypeError, "milestones must be an integer", lambda o: schedules.MultiStepLR(o, [3, "a"])),
    (ValueError, "factor must be a number from above 0 to 1, got 0", lambda o: schedules.ConstantLR(o, 0)),
    (ValueError, "start_factor must be", lambda o: schedules.LinearLR(o, 0.0)),
    (ValueError, "end_factor must be", lambda o: schedules.LinearLR(o, 0.5, 1.5)),
    (TypeError, "lr_lambda must be a function", lambda o: schedules.LambdaLR(o, 0.5)),
    (ValueError, "lr_lambda has 3 values", lambda o: schedules.LambdaLR(o, [decays] * 3)),
    (ValueError, "decay_steps must be a positive number", lambda o: schedules.InverseTimeDecay(o, 0, 1)),
    (ValueError, "T_max must be a positive number", lambda o: schedules.CosineAnnealingLR(o, 0)),
    (ValueError, "T_mult must be a positive", lambda o: schedules.CosineAnnealingWarmRestarts(o, 1, 0)),
    (ValueError, "max_lr has 3 values", lambda o: schedules.OneCycleLR(o, [1.0] * 3, 10)),
    (ValueError, "total_steps is missing", lambda o: schedules.OneCycleLR(o, 1.0, epochs=3)),
    (ValueError, "pct_start must be", lambda o: schedules.OneCycleLR(o, 1.0, 10, pct_start=1.5)),
    (
        ValueError,
        "anneal_strategy must be one of 'cos', 'linear', got 'cosine'",
        lambda o: schedules.OneCycleLR(o, 1.0, 10, anneal_strategy="cosine"),
    ),
    (ValueError, "max_momentum must be", lambda o: schedules.CyclicLR(o, 0.1, 1.0, max_momentum=1.0)),
    (ValueError, "mode must be one of", lambda o: schedules.CyclicLR(o, 0.1, 1.0, mode="square")),
    (ValueError, "mode must be one of 'min', 'max'", lambda o: schedules.ReduceLROnPlateau(o, "low")),
    (ValueError, "factor must be", lambda o: schedules.ReduceLROnPlateau(o, factor=1.0)),
    (ValueError, "min_lr has 1 values", lambda o: schedules.ReduceLROnPlateau(o, min_lr=[0.1])),
    (TypeError, "metrics must be a number.*got None", lambda o: schedules.ReduceLROnPlateau(o).step()),
    (ValueError, "schedulers is empty", lambda o: schedules.ChainedScheduler([])),
    (TypeError, r"schedulers\[0\] is no schedule", lambda o: schedules.ChainedScheduler([o])),
    (TypeError, "schedulers must be a list", lambda o: schedules.SequentialLR(o, decays, [])),
    (
        ValueError,
        "0 milestones for 2 schedules, expected 1",
        lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(o), schedules.StepLR(o, 1)], []),
    ),
    (
        ValueError,
        "milestones must rise",
        lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(o) for _ in range(3)], [5, 5]),
    ),
    (
        ValueError,
        "belongs to another optimizer",
        lambda o: schedules.SequentialLR(o, [schedules.ConstantLR(make_optimizer())], []),
    ),
    (ValueError, "kind must be one of", lambda o: WarmUp(o, 3, "quadratic")),
    (ValueError, "from above 0 to 1, got 0", lambda o: WarmUp(o, 3, "exponential", start_factor=0)),
    (ValueError, "last_epoch is 3, but parameter group 0", lambda o: schedules.StepLR(o, 1, last_epoch=3)),
    (ValueError, "2 metrics for 9 steps", lambda o: schedules.StepLR(o, 1).preview(9, [1.0, 2.0])),
    (NotImplementedError, "must define get_lr", lambda o: schedules.LRScheduler(o)),
]


@pytest.mark.parametrize(("error", "message", "build"), WRONG, ids=[message for _, message, _ in WRONG])
def test_wrong_arguments(error: type[Exception], message: str, build: Builder) -> None:
    with pytest.raises(error, match=message):
        build(make_optimizer())


def test_a_schedule_that_has_moved_cannot_be_warmed_up() -> None:
    schedule = schedules.StepLR(make_optimizer(), 3)
    schedule.step()
    with pytest.raises(ValueError, match="the schedule has made 1 steps"):
        WarmUp(schedule, 3)


def test_momentum_that_is_not_there_cannot_cycle() -> None:
    class Plain(optim.SGD):
        def __init__(self, params: Any) -> None:
            super().__init__(params)
            del self.defaults["momentum"]

    with pytest.raises(ValueError, match="has no momentum or betas to cycle; pass cycle_momentum=False"):
        schedules.OneCycleLR(Plain([dt.ones((2,), requires_grad=True)]), 0.1, 10)


def test_groups_that_come_later_need_a_new_schedule() -> None:
    optimizer = make_optimizer()
    fitting = [make(case, optimizer) for case in ("lambda", "one cycle")]
    optimizer.add_param_group({"params": [dt.ones((2,), requires_grad=True)]})
    for schedule in fitting:
        with pytest.raises(ValueError, match="for 2 parameter groups, but the optimizer has 3; make the sch"):
            schedule.step()
        assert schedule.last_epoch == 0


def test_repr() -> None:
    optimizer = make_optimizer()
    inner = schedules.StepLR(optimizer, 30)
    assert repr(inner) == "StepLR(step_size=30, gamma=0.1, last_epoch=0)"
    assert repr(WarmUp(inner, 5)) == (
        "WarmUp([StepLR(step_size=30, gamma=0.1, last_epoch=0)], steps=5, kind='linear', start_factor=0.01, "
        "last_epoch=0)"
    )


# In a training

X = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def make_trainer(build: Callable[[Any], Any], **options: Any) -> Trainer:
    dt.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)
    return Trainer(model, loss="mse", optimizer=optimizer, lr_scheduler=build(optimizer), seed=0, **options)


def test_a_training_longer_than_the_schedule_raises_before_it_begins() -> None:
    trainer = make_trainer(lambda o: schedules.OneCycleLR(o, 0.1, total_steps=9))
    before = trainer.model.weight.detach().numpy().copy()
    with pytest.raises(ValueError, match="total_steps is 9 and 0 are made, but the training makes 10 more"):
        trainer.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert (trainer.model.weight.detach().numpy() == before).all()
    trainer = make_trainer(lambda o: schedules.OneCycleLR(o, 0.1, total_steps=10))
    trainer.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert trainer.lr_scheduler.last_epoch == 10
    with pytest.warns(UserWarning, match="PolynomialLR: total_iters is 3, but the training goes on"):
        make_trainer(lambda o: schedules.PolynomialLR(o, 3)).fit(X, Y, epochs=4, verbose=0)


def test_a_warm_up_hands_the_metric_on() -> None:
    trainer = make_trainer(lambda o: WarmUp(schedules.ReduceLROnPlateau(o, patience=0, threshold=1e9), 2))
    trainer.fit(X, Y, epochs=4, verbose=0)
    # Two epochs of warm-up, then two that are not a billion times better.
    assert trainer.optimizer.param_groups[0]["lr"] == pytest.approx(0.0001)


@ALL
def test_states_go_through_files(case: str, tmp_path: Path) -> None:
    optimizer = make_optimizer()
    schedule = make(case, optimizer)
    list(go(optimizer, schedule, range(13)))
    state = schedule.state_dict()
    io.write_state(tmp_path / "state", state, kind="schedule")
    read, _ = io.read_state(tmp_path / "state")
    assert read == state
    other = make(case, make_optimizer())
    other.load_state_dict(read)
    assert other.state_dict() == state


def test_a_scale_mode_that_does_not_exist_is_refused_without_a_function_too() -> None:
    optimizer = optim.SGD([dt.tensor([1.0], requires_grad=True)], lr=0.1, momentum=0.9)
    with pytest.raises(
        ValueError, match="CyclicLR: scale_mode must be one of 'cycle', 'iterations', got 'x'"
    ):
        schedules.CyclicLR(optimizer, 0.01, 0.1, scale_mode="x")


@pytest.mark.parametrize("value", [math.nan, -7])
def test_a_restart_at_no_step_is_refused(value: float) -> None:
    optimizer = optim.SGD([dt.tensor([1.0], requires_grad=True)], lr=0.1)
    schedule = schedules.CosineAnnealingWarmRestarts(optimizer, 5)
    with pytest.raises(ValueError, match="T_cur must be a number of steps"):
        schedule.load_state_dict({**schedule.state_dict(), "T_cur": value})
    assert schedule.T_cur == 0
