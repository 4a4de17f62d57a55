"""Schedules that multiply: by a function, at milestones, by a line, a power, a polynomial."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..._checks import flag, integer
from .base import LRScheduler, check_optimizer, not_negative, number, per_group


class _OfFunctions(LRScheduler):
    """With a function for each group."""

    def __init__(
        self,
        optimizer: Any,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = check_optimizer(self._name, optimizer).param_groups
        functions = per_group(self._name, "lr_lambda", lr_lambda, len(groups))
        for function in functions:
            if not callable(function):
                raise TypeError(
                    f"{self._name}: lr_lambda must be a function of the step, or one for each group, got "
                    f"{function!r}"
                )
        self.lr_lambdas: list[Callable[[int], float]] = functions
        super().__init__(optimizer, last_epoch)


class LambdaLR(_OfFunctions):
    """The first rate times ``lr_lambda(last_epoch)``.

    Args:
        optimizer: The optimizer.
        lr_lambda: A function of the step's number, or a list with one for each parameter group.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.LambdaLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.LambdaLR(dt.optim.SGD([w], lr=0.5), lambda epoch: 0.5**epoch)
        >>> schedule.preview(3)
        [[0.5, 0.25, 0.125]]
    """

    def get_lr(self) -> list[float]:
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [lr * function(self.last_epoch) for lr, function in pairs]


class MultiplicativeLR(_OfFunctions):
    """In each step, the rate times ``lr_lambda(last_epoch)``.

    Args:
        optimizer: The optimizer.
        lr_lambda: A function of the step's number, or a list with one for each parameter group.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.MultiplicativeLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.MultiplicativeLR(dt.optim.SGD([w], lr=1.0), lambda epoch: 0.5)
        >>> schedule.preview(3)
        [[1.0, 0.5, 0.25]]
    """

    def get_lr(self) -> list[float]:
        if self._initial:
            return self._present()
        pairs = zip(self._present(), self.lr_lambdas, strict=True)
        return [lr * function(self.last_epoch) for lr, function in pairs]

    def _enter(self) -> None:  # as PyTorch's does, with the rate that it finds
        self.last_epoch = -1
        self.step()


class StepLR(LRScheduler):
    """The rate times ``gamma`` every ``step_size`` steps.

    Args:
        optimizer: The optimizer.
        step_size: Steps between two changes.
        gamma: The factor.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.StepLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.StepLR(dt.optim.SGD([w], lr=1.0), step_size=2, gamma=0.5)
        >>> schedule.preview(5)
        [[1.0, 1.0, 0.5, 0.5, 0.25]]
    """

    _shown = ("step_size", "gamma")

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.step_size = integer(self._name, "step_size", self.step_size)
        not_negative(self._name, "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._present()
        return [lr * self.gamma for lr in self._present()]


class MultiStepLR(LRScheduler):
    """The rate times ``gamma`` at each of the milestones.

    Args:
        optimizer: The optimizer.
        milestones: Numbers of steps, in any order; one that comes twice counts twice.
        gamma: The factor.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.MultiStepLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.MultiStepLR(dt.optim.SGD([w], lr=1.0), [1, 3], gamma=0.5)
        >>> schedule.preview(5)
        [[1.0, 0.5, 0.5, 0.25, 0.25]]
    """

    _shown = ("milestones", "gamma")

    def __init__(
        self, optimizer: Any, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones: Any = milestones if isinstance(milestones, (str, int)) else list(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        if not isinstance(self.milestones, list):
            raise TypeError(f"{self._name}: milestones must be a list of steps, got {self.milestones!r}")
        self.milestones = sorted(integer(self._name, "milestones", each, 0) for each in self.milestones)
        not_negative(self._name, "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        count = bisect_right(self.milestones, self.last_epoch)
        count -= bisect_right(self.milestones, self.last_epoch - 1)
        return [lr * self.gamma**count for lr in self._present()]


class ConstantLR(LRScheduler):
    """The rate times ``factor`` for ``total_iters`` steps, then the rate itself.

    Args:
        optimizer: The optimizer.
        factor: The factor, from above 0 to 1.
        total_iters: How many steps it lasts.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.ConstantLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.ConstantLR(dt.optim.SGD([w], lr=1.0), factor=0.5, total_iters=2)
        >>> schedule.preview(4)
        [[0.5, 0.5, 1.0, 1.0]]
    """

    _shown = ("factor", "total_iters")

    def __init__(
        self, optimizer: Any, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        # 0 would have to be undone by a division by it.
        number(self._name, "factor", self.factor, "a number from above 0 to 1", lambda x: 0 < x <= 1)
        self.total_iters = integer(self._name, "total_iters", self.total_iters, 0)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [lr * self.factor for lr in self._present()]
        if self.last_epoch != self.total_iters:
            return self._present()
        return [lr * (1.0 / self.factor) for lr in self._present()]


class LinearLR(LRScheduler):
    """The rate times a factor that goes along a line for ``total_iters`` steps, and stays where it ends.

    Args:
        optimizer: The optimizer.
        start_factor: The factor of step 0, from above 0 to 1.
        end_factor: The factor from step ``total_iters`` on, from 0 to 1.
        total_iters: How many steps it takes.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.LinearLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> schedule = dt.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
        >>> schedule.preview(4)
        [[0.5, 0.75, 1.0, 1.0]]
    """

    _shown = ("start_factor", "end_factor", "total_iters")

    def __init__(
        self,
        optimizer: Any,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        expected = "a number from above 0 to 1"
        number(self._name, "start_factor", self.start_factor, expected, lambda x: 0 < x <= 1)
        number(self._name, "end_factor", self.end_factor, "a number from 0 to 1", lambda x: 0 <= x <= 1)
        self.total_iters = integer(self._name, "total_iters", self.total_iters)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [lr * self.start_factor for lr in self._present()]
        if self._initial or self.last_epoch > self.total_iters:
            return self._present()
        slope = self.end_factor - self.start_factor
        before = self.total_iters * self.start_factor + (self.last_epoch - 1) * slope
        return [lr * (1.0 + slope / before) for lr in self._present()]

    def check_length(self, steps: int) -> None:
        if self.end_factor == 0:
            warn_zero(self, "total_iters", self.total_iters, steps)

    def _length(self) -> int | None:
        return self.total_iters


class ExponentialLR(LRScheduler):
    """The rate times ``gamma`` in every step.

    Args:
        optimizer: The optimizer.
        gamma: The factor.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.ExponentialLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> dt.optim.lr_scheduler.ExponentialLR(dt.optim.SGD([w], lr=1.0), gamma=0.5).preview(3)
        [[1.0, 0.5, 0.25]]
    """

    _shown = ("gamma",)

    def __init__(self, optimizer: Any, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        not_negative(self._name, "gamma", self.gamma)

    def get_lr(self) -> list[float]:
        return self._present() if self._initial else [lr * self.gamma for lr in self._present()]


class InverseTimeDecay(LRScheduler):
    """The first rate divided by ``1 + decay_rate * last_epoch / decay_steps``.

    Args:
        optimizer: The optimizer.
        decay_steps: Steps after which the divisor has grown by ``decay_rate``.
        decay_rate: How much it grows.
        staircase: Whether it grows at the end of each ``decay_steps`` only.
        last_epoch: See `LRScheduler`.

    Source: keras.optimizers.schedules.InverseTimeDecay.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> dt.optim.lr_scheduler.InverseTimeDecay(optimizer, decay_steps=2, decay_rate=1.0).preview(3)
        [[1.0, 0.6666666666666666, 0.5]]
    """

    _shown = ("decay_steps", "decay_rate", "staircase")

    def __init__(
        self,
        optimizer: Any,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        number(self._name, "decay_steps", self.decay_steps, "a positive number", lambda x: x > 0)
        not_negative(self._name, "decay_rate", self.decay_rate)
        flag(self._name, "staircase", self.staircase)

    def get_lr(self) -> list[float]:
        times = self.last_epoch / self.decay_steps
        return [
            lr / (1 + self.decay_rate * (math.floor(times) if self.staircase else times))
            for lr in self.base_lrs
        ]


class PolynomialLR(LRScheduler):
    """The first rate times ``(1 - last_epoch / total_iters) ** power``; 0 from step ``total_iters`` on.

    Args:
        optimizer: The optimizer.
        total_iters: The step where the rate becomes 0.
        power: The power.
        last_epoch: See `LRScheduler`.

    Source: torch.optim.lr_scheduler.PolynomialLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> dt.optim.lr_scheduler.PolynomialLR(dt.optim.SGD([w], lr=1.0), total_iters=4).preview(6)
        [[1.0, 0.75, 0.5, 0.25, 0.0, 0.0]]
    """

    _shown = ("total_iters", "power")

    def __init__(
        self, optimizer: Any, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.total_iters = integer(self._name, "total_iters", self.total_iters)
        not_negative(self._name, "power", self.power)

    def get_lr(self) -> list[float]:
        if self._initial or self.last_epoch > self.total_iters:
            return self._present()
        left = 1.0 - self.last_epoch / self.total_iters
        factor = (left / (1.0 - (self.last_epoch - 1) / self.total_iters)) ** self.power
        return [lr * factor for lr in self._present()]

    def check_length(self, steps: int) -> None:
        warn_zero(self, "total_iters", self.total_iters, steps)

    def _length(self) -> int | None:
        return self.total_iters


def warn_zero(schedule: LRScheduler, name: str, end: int, steps: int) -> None:
    if schedule.last_epoch + steps > end:
        warnings.warn(
            f"{type(schedule).__name__}: {name} is {end}, but the training goes on to step "
            f"{schedule.last_epoch + steps}: from step {end} on the learning rate is 0",
            stacklevel=3,
        )
