"""Learning rate schedules: their ends, wrong input, and what a training does with them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, nn, optim
from drivetrain.optim import lr_scheduler as schedules
from drivetrain.optim.lr_scheduler import WarmUp
from drivetrain.train import LambdaCallback, Trainer
from schedule_tools import ALL, decays, go, make, make_optimizer, present

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


def test_a_warm_up_steps_with_the_optimizer() -> None:
    trainer = make_trainer(
        lambda o: WarmUp(schedules.CosineAnnealingLR(o, T_max=6), 4, start_factor=0.0),
        lr_scheduler_interval="step",
    )
    rates: list[float] = []
    optimizer = trainer.optimizer
    seen = LambdaCallback(on_train_batch_begin=lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    trainer.fit(X, Y, batch_size=8, epochs=2, callbacks=seen, verbose=0)
    assert rates == pytest.approx(
        [0.01 * step / 4 for step in range(4)] + [0.005 * (1 + np.cos(np.pi * k / 6)) for k in range(6)]
    )


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
