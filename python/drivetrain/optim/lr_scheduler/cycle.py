"""Schedules that go up and down, with the momentum against them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..._checks import choice, flag, integer
from .base import LRScheduler, check_optimizer, not_negative, number, per_group


class _WithMomentum(LRScheduler):
    """Rates and momenta that go from one bound to the other."""

    interval = "step"
    base_lr: Any
    max_lr: Any
    cycle_momentum: bool
    base_momentum: Any
    max_momentum: Any

    def _check_momentum(self) -> None:
        flag(self._name, "cycle_momentum", self.cycle_momentum)
        if not self.cycle_momentum:
            return
        if not {"momentum", "betas"} & self.optimizer.defaults.keys():
            raise ValueError(
                f"{self._name}: the optimizer has no momentum or betas to cycle; pass cycle_momentum=False"
            )
        groups = len(self.optimizer.param_groups)
        for name in ("base_momentum", "max_momentum"):
            values = per_group(self._name, name, getattr(self, name), groups)
            setattr(self, name, values)
            for value in values:
                number(self._name, name, value, "a number from 0 to below 1", lambda x: 0 <= x < 1)

    def _rates(self, name: str) -> list[float]:
        """The argument of this name as a checked list, which replaces it."""
        values = per_group(self._name, name, getattr(self, name), len(self.optimizer.param_groups))
        setattr(self, name, values)
        for value in values:
            not_negative(self._name, name, value)
        return values

    def _set_momenta(self, momenta: Sequence[float]) -> None:
        # Adam's first beta, where there is one, is its momentum.
        with_betas = "betas" in self.optimizer.defaults
        for group, momentum in zip(self._groups_for(momenta), momenta, strict=True):
            if with_betas:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Up from ``base_lr`` to ``max_lr`` and down again along lines, over and over, a step per batch.

    Args:
        optimizer: The optimizer.
        base_lr: The lower bound, or a list with one for each parameter group.
        max_lr: The upper bound, likewise.
        step_size_up: Steps of the way up.
        step_size_down: Steps of the way down; by default as many.
        mode: "triangular"; "triangular2" halves the height with every cycle; "exp_range" multiplies it by
            ``gamma`` in every step.
        gamma: For "exp_range".
        scale_fn: A function that gives the height's factor, in place of `mode`.
        scale_mode: What `scale_fn` is given: the number of the "cycle", from 1, or of "iterations", from 0.
        cycle_momentum: Whether the momentum, or the first of Adam's betas, goes the opposite way.
        base_momentum: Its lower bound.
        max_momentum: Its upper bound.
        last_epoch: See `LRScheduler`.

    Source: Smith, 2017; torch.optim.lr_scheduler.CyclicLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], momentum=0.9)
        >>> dt.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2).preview(6)
        [[0.0, 0.5, 1.0, 0.5, 0.0, 0.5]]
    """

    _shown = ("base_lr", "max_lr", "step_size_up", "step_size_down", "mode", "cycle_momentum")

    def __init__(
        self,
        optimizer: Any,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer(self._name, optimizer)
        self.base_lr = base_lr
        self.max_lr = max_lr
        self.step_size_up = step_size_up
        self.step_size_down = step_size_up if step_size_down is None else step_size_down
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        choice(self._name, "scale_mode", scale_mode, ("cycle", "iterations"))
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        self.base_momentum = base_momentum
        self.max_momentum = max_momentum
        self._check()
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, self._rates("base_lr"), strict=True):
                group["lr"] = lr
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self._rates("base_lr")
        self._rates("max_lr")
        number(self._name, "step_size_up", self.step_size_up, "a positive number", lambda x: x > 0)
        number(self._name, "step_size_down", self.step_size_down, "a positive number", lambda x: x > 0)
        if self.scale_fn is None:
            choice(self._name, "mode", self.mode, ("triangular", "triangular2", "exp_range"))
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"
        elif not callable(self.scale_fn):
            raise TypeError(f"{self._name}: scale_fn must be a function or None, got {self.scale_fn!r}")
        choice(self._name, "scale_mode", self.scale_mode, ("cycle", "iterations"))
        not_negative(self._name, "gamma", self.gamma)
        self._check_momentum()

    def _restart(self) -> None:  # initial_lr may be another's
        self._begin()

    def _scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (x - 1)

    def get_lr(self) -> list[float]:
        total = self.step_size_up + self.step_size_down
        ratio = self.step_size_up / total
        cycle = math.floor(1 + self.last_epoch / total)
        x = 1.0 + self.last_epoch / total - cycle
        height = x / ratio if x <= ratio else (x - 1) / (ratio - 1)
        scale = self._scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            momenta = zip(self.base_momentum, self.max_momentum, strict=True)
            self._set_momenta([high - (high - low) * height * scale for low, high in momenta])
        bounds = zip(self.base_lr, self.max_lr, strict=True)
        return [low + (high - low) * height * scale for low, high in bounds]

    def _length(self) -> int | None:
        return 3 * math.ceil(self.step_size_up + self.step_size_down)


class OneCycleLR(_WithMomentum):
    """Up to ``max_lr`` and down to nearly nothing within ``total_steps`` steps, one per batch.

    Args:
        optimizer: The optimizer.
        max_lr: The highest rate, or a list with one for each parameter group.
        total_steps: Steps of the whole training.
        epochs: In place of `total_steps`, with
        steps_per_epoch: the batches of an epoch.
        pct_start: Share of the steps that go up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: Whether the momentum, or the first of Adam's betas, goes the opposite way.
        base_momentum: Its lower bound.
        max_momentum: Its upper bound.
        div_factor: The first rate is ``max_lr / div_factor``.
        final_div_factor: The last rate is the first one divided by this.
        three_phase: Whether it goes down as long as up, and then to the last rate.
        last_epoch: See `LRScheduler`.

    Raises:
        ValueError: Also from `step`, when it is called more than ``total_steps`` times.

    Source: Smith and Topin, 2018; torch.optim.lr_scheduler.OneCycleLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], momentum=0.9)
        >>> schedule = dt.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        >>> [round(lr, 3) for lr in schedule.preview(10)[0]]
        [0.04, 0.52, 1.0, 0.95, 0.812, 0.611, 0.389, 0.188, 0.05, 0.0]
    """

    _shown = ("max_lr", "total_steps", "pct_start", "anneal_strategy", "cycle_momentum", "three_phase")

    def __init__(
        self,
        optimizer: Any,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 10000.0,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.optimizer = check_optimizer(self._name, optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(f"{self._name}: total_steps is missing, or epochs and steps_per_epoch are")
            total_steps = integer(self._name, "epochs", epochs)
            total_steps *= integer(self._name, "steps_per_epoch", steps_per_epoch)
        self.max_lr = max_lr
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self.base_momentum = base_momentum
        self.max_momentum = max_momentum
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.three_phase = three_phase
        self._check()
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, self._rates("max_lr"), strict=True):
                group["initial_lr"] = lr / div_factor
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self._rates("max_lr")
        self.total_steps = integer(self._name, "total_steps", self.total_steps)
        number(self._name, "pct_start", self.pct_start, "a number from 0 to 1", lambda x: 0 <= x <= 1)
        choice(self._name, "anneal_strategy", self.anneal_strategy, ("cos", "linear"))
        number(self._name, "div_factor", self.div_factor, "a positive number", lambda x: x > 0)
        number(self._name, "final_div_factor", self.final_div_factor, "a positive number", lambda x: x > 0)
        flag(self._name, "three_phase", self.three_phase)
        self._check_momentum()

    def _phases(self) -> list[tuple[float, str, str, str]]:
        """(last step, rate at the start, rate at the end, what the momentum does)."""
        up = float(self.pct_start * self.total_steps) - 1
        last = self.total_steps - 1
        if not self.three_phase:
            return [(up, "first", "highest", "falls"), (last, "highest", "last", "rises")]
        down = float(2 * self.pct_start * self.total_steps) - 2
        return [
            (up, "first", "highest", "falls"),
            (down, "highest", "first", "rises"),
            (last, "first", "last", "stays"),
        ]

    def _between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"{self._name}: total_steps is {self.total_steps}, but step number {step} was asked for; "
                "make the schedule for all steps of the training"
            )
        phases = self._phases()
        turn = next((i for i, phase in enumerate(phases) if step <= phase[0]), len(phases) - 1)
        begin = phases[turn - 1][0] if turn else 0.0
        end, start, goal, momentum = phases[turn]
        share = (step - begin) / (end - begin) if end != begin else 1.0
        if self.cycle_momentum:
            self._set_momenta(self._momenta(momentum, share))
        found = []
        for first, highest in zip(self.base_lrs, self.max_lr, strict=True):
            rates = {"first": first, "highest": highest, "last": first / self.final_div_factor}
            found.append(self._between(rates[start], rates[goal], share))
        return found

    def _momenta(self, way: str, share: float) -> list[float]:
        found = []
        for low, high in zip(self.base_momentum, self.max_momentum, strict=True):
            start, goal = {"falls": (high, low), "rises": (low, high), "stays": (high, high)}[way]
            found.append(self._between(start, goal, share))
        return found

    def check_length(self, steps: int) -> None:
        if self.last_epoch + steps > self.total_steps:
            raise ValueError(
                f"{self._name}: total_steps is {self.total_steps} and {self.last_epoch} are made, but the "
                f"training makes {steps} more"
            )

    def _length(self) -> int | None:
        return self.total_steps - 1
