"""Schedules made of others: one after another, together, after a warm-up."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from ..._checks import choice, integer
from .base import LRScheduler, number


class _OfSchedules(LRScheduler):
    """With schedules of the same optimizer."""

    _schedulers: list[LRScheduler]

    def _take(self, schedulers: Any, optimizer: Any) -> None:
        if isinstance(schedulers, LRScheduler) or not isinstance(schedulers, (list, tuple)):
            raise TypeError(f"{self._name}: schedulers must be a list of schedules, got {schedulers!r:.80}")
        if not schedulers:
            raise ValueError(f"{self._name}: schedulers is empty")
        for place, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                raise TypeError(f"{self._name}: schedulers[{place}] is no schedule, but {schedule!r:.80}")
            optimizer = schedule.optimizer if optimizer is None else optimizer
            if schedule.optimizer is not optimizer:
                raise ValueError(f"{self._name}: schedulers[{place}] belongs to another optimizer")
        if len({schedule.interval for schedule in schedulers}) > 1:
            listed = ", ".join(f"{type(each).__name__} ({each.interval})" for each in schedulers)
            warnings.warn(
                f"{self._name}: some of its schedules count steps, others epochs: {listed}; all are stepped "
                "together",
                stacklevel=3,
            )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self.interval = schedulers[0].interval
        self.needs_metric = any(schedule.needs_metric for schedule in schedulers)
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]

    _passing = (*LRScheduler._passing, "interval", "needs_metric")

    def _step_one(self, schedule: LRScheduler, metrics: Any) -> None:
        schedule.step(*([metrics] if schedule.needs_metric else []))

    def __repr__(self) -> str:
        inner = ", ".join(map(repr, self._schedulers))
        shown = "".join(f", {name}={getattr(self, name)!r}" for name in (*self._shown, "last_epoch"))
        return f"{self._name}([{inner}]{shown})"


class SequentialLR(_OfSchedules):
    """One schedule after another, each from its own beginning.

    Args:
        optimizer: The optimizer of all of them.
        schedulers: The schedules.
        milestones: For each but the first, the step where it begins.
        last_epoch: Number of the last step, -1 to begin.

    Source: torch.optim.lr_scheduler.SequentialLR.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.1, total_iters=9), ExponentialLR(optimizer, gamma=0.5)]
        >>> SequentialLR(optimizer, parts, milestones=[2]).preview(5)
        [[0.1, 0.1, 1.0, 0.5, 0.25]]
    """

    _shown = ("milestones",)

    def __init__(
        self,
        optimizer: Any,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self._take(schedulers, optimizer)
        self.milestones = milestones
        self.last_epoch = integer(self._name, "last_epoch", last_epoch, -1) + 1
        self._initial = False
        self._check()
        if last_epoch == -1:
            self._restart()
        else:
            self._last_lr = self._present()

    def _check(self) -> None:
        if not isinstance(self.milestones, (list, tuple)):
            raise TypeError(f"{self._name}: milestones must be a list of steps, got {self.milestones!r}")
        self.milestones = [integer(self._name, "milestones", each) for each in self.milestones]
        if len(self.milestones) != len(self._schedulers) - 1:
            raise ValueError(
                f"{self._name}: there are {len(self.milestones)} milestones for {len(self._schedulers)} "
                f"schedules, expected {len(self._schedulers) - 1}"
            )
        if any(b <= a for a, b in zip(self.milestones, self.milestones[1:], strict=False)):
            raise ValueError(f"{self._name}: milestones must rise, got {self.milestones}")

    def _begin(self) -> None:
        self.last_epoch = 0
        self._schedulers[0]._restart()
        self._last_lr = self._present()

    def step(self, metrics: Any = None) -> None:
        """Makes a step of the schedule whose turn it is, or begins the next one."""
        step = self.last_epoch + 1
        turn = bisect_right(self.milestones, step)
        if turn and self.milestones[turn - 1] == step:
            self._schedulers[turn]._enter()
        else:
            self._step_one(self._schedulers[turn], metrics)
        self.last_epoch = step
        self._last_lr = self._present()

    def check_length(self, steps: int) -> None:
        turn = bisect_right(self.milestones, self.last_epoch)
        last = bisect_right(self.milestones, self.last_epoch + steps)
        if last < len(self.milestones):
            warnings.warn(
                f"{self._name}: the training ends at step {self.last_epoch + steps}, before "
                f"{type(self._schedulers[-1]).__name__} begins at step {self.milestones[-1]}",
                stacklevel=2,
            )
        if last > turn:
            steps -= self.milestones[last - 1] - self.last_epoch
        self._schedulers[last].check_length(steps)

    def _length(self) -> int | None:
        length = self._schedulers[-1]._length()
        return length and length + (self.milestones[-1] if self.milestones else 0)


class ChainedScheduler(_OfSchedules):
    """Schedules that all make each step, one upon the rates of the other.

    Args:
        schedulers: The schedules.
        optimizer: Their optimizer.

    Source: torch.optim.lr_scheduler.ChainedScheduler.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
        >>> ChainedScheduler(parts).preview(4)
        [[0.5, 0.25, 0.25, 0.125]]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Any = None) -> None:
        self._take(schedulers, optimizer)
        self.last_epoch = max(schedule.last_epoch for schedule in schedulers)
        self._initial = False
        self._last_lr = self._present()

    def _begin(self) -> None:
        for schedule in self._schedulers:
            schedule._begin()
        self.last_epoch = 0
        self._last_lr = self._present()

    def step(self, metrics: Any = None) -> None:
        """Makes a step of all schedules."""
        for schedule in self._schedulers:
            self._step_one(schedule, metrics)
        self.last_epoch += 1
        self._last_lr = self._present()

    def check_length(self, steps: int) -> None:
        for schedule in self._schedulers:
            schedule.check_length(steps)

    def _length(self) -> int | None:
        return max((length for each in self._schedulers if (length := each._length())), default=None)


class WarmUp(_OfSchedules):
    """Small learning rates first, then those of a schedule from its beginning.

    During the first ``steps`` steps the rates of the schedule's step 0 are multiplied by a factor that rises
    from ``start_factor``; at step number ``steps`` the schedule is at its step 0.

    Args:
        schedule: Any schedule that has made no step yet, or an optimizer whose rates stay as they are.
        steps: How long the warm-up takes, in steps of the schedule: of its `interval`.
        kind: How the factor rises: "linear"; "exponential", by the same ratio in each step; "cosine", slowly
            at both ends; "stepwise", in ``stages`` stairs of the same length and height.
        start_factor: The factor of step 0, from 0 to 1; above 0 for "exponential".
        stages: The stairs of "stepwise".

    Source: Goyal et al., 2017 (linear; constant is one stage of "stepwise").

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.lr_scheduler import ExponentialLR, WarmUp
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = ExponentialLR(dt.optim.SGD([w], lr=1.0), gamma=0.5)
        >>> WarmUp(schedule, steps=4, kind="linear", start_factor=0.0).preview(7)
        [[0.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.25]]
    """

    _shown = ("steps", "kind", "start_factor")

    def __init__(
        self,
        schedule: Any,
        steps: int,
        kind: str = "linear",
        start_factor: float = 0.01,
        stages: int = 4,
    ) -> None:
        if not isinstance(schedule, LRScheduler):
            schedule = Constant(schedule)
        if schedule.last_epoch > 0:
            raise ValueError(
                f"{self._name}: the schedule has made {schedule.last_epoch} steps, expected a fresh one"
            )
        self._take([schedule], None)
        self.steps = steps
        self.kind = kind
        self.start_factor = start_factor
        self.stages = stages
        self.last_epoch = 0
        self._initial = False
        self._check()
        self._goals = self._present()
        self._warm()

    def _check(self) -> None:
        self.steps = integer(self._name, "steps", self.steps, 0)
        choice(self._name, "kind", self.kind, ("linear", "exponential", "cosine", "stepwise"))
        least = "above 0" if self.kind == "exponential" else "0"
        number(
            self._name,
            "start_factor",
            self.start_factor,
            f"a number from {least} to 1",
            lambda x: 0 <= x <= 1 and (x > 0 or self.kind != "exponential"),
        )
        self.stages = integer(self._name, "stages", self.stages)

    def _factor(self, step: int) -> float:
        start, done = self.start_factor, step / self.steps
        if self.kind == "exponential":
            return float(start ** (1 - done))
        if self.kind == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        elif self.kind == "stepwise":
            done = step * self.stages // self.steps / self.stages
        return start + (1 - start) * done

    def _warm(self) -> None:
        factor = self._factor(self.last_epoch) if self.last_epoch < self.steps else 1.0
        self._set([goal * factor for goal in self._goals])

    def _begin(self) -> None:
        self._schedulers[0]._begin()
        self._goals = self._present()
        self.last_epoch = 0
        self._warm()

    def _enter(self) -> None:
        self._schedulers[0]._enter()
        self._goals = self._present()
        self.last_epoch = 0
        self._warm()

    def step(self, metrics: Any = None) -> None:
        """Makes a step of the warm-up, or of the schedule when it is over."""
        if self.last_epoch >= self.steps:
            self._step_one(self._schedulers[0], metrics)
            self._last_lr = self._present()
        self.last_epoch += 1
        if self.last_epoch <= self.steps:
            self._warm()

    def check_length(self, steps: int) -> None:
        left = self.steps - self.last_epoch
        if steps < left:
            warnings.warn(
                f"{self._name}: the warm-up takes {self.steps} steps, but the training ends at step "
                f"{self.last_epoch + steps}; a step is one {self.interval}",
                stacklevel=2,
            )
        self._schedulers[0].check_length(max(0, steps - max(0, left)))

    def _length(self) -> int | None:
        return self.steps + (self._schedulers[0]._length() or max(1, self.steps))


class Constant(LRScheduler):
    """The rates as they are."""

    def get_lr(self) -> list[float]:
        return self._present()
