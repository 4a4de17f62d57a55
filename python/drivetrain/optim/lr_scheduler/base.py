"""What all schedules have in common."""

from __future__ import annotations

import copy
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MethodType
from typing import Any

from ..._arguments import ChecksNames
from ..._checks import integer, real
from .state import load_state, stored_state


class LRScheduler(ChecksNames):
    """Changes the learning rates of an optimizer's parameter groups from step to step.

    A schedule of your own says in `get_lr` what the rates are at step `last_epoch`, made of `base_lrs` or of
    what the groups of the optimizer have at present.

    Args:
        optimizer: An optimizer of ``drivetrain.optim``. Making the schedule sets the rates of step 0.
        last_epoch: The number of the last step, to go on with groups that have an "initial_lr"; -1 begins.

    Attributes:
        interval: What `Trainer` calls a step by default: "epoch", or "step" of the optimizer.
        needs_metric: Whether `step` wants to be told a metric.
        base_lrs: The learning rates that the groups began with.
        last_epoch: How often `step` was called.

    Raises:
        TypeError: The optimizer is none; an argument is of the wrong kind or has a name that does not exist.
        ValueError: An argument is out of range, or a list has not one entry per parameter group.

    Source: torch.optim.lr_scheduler, whose names, arguments and values these are.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.lr_scheduler import LRScheduler
        >>> class Harmonic(LRScheduler):
        ...     def get_lr(self):
        ...         return [lr / (1 + self.last_epoch) for lr in self.base_lrs]
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = Harmonic(dt.optim.SGD([w], lr=1.0))
        >>> schedule.preview(4)
        [[1.0, 0.5, 0.3333333333333333, 0.25]]
    """

    interval = "epoch"
    needs_metric = False
    # Attributes that are neither arguments nor state.
    _passing: tuple[str, ...] = ("optimizer", "_initial")
    # Arguments that `repr` shows.
    _shown: tuple[str, ...] = ()

    def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(self._name, optimizer)
        self.last_epoch = integer(self._name, "last_epoch", last_epoch, -1)
        groups = optimizer.param_groups
        for number, group in enumerate(groups):
            if last_epoch != -1 and "initial_lr" not in group:
                raise ValueError(
                    f"{self._name}: last_epoch is {last_epoch}, but parameter group {number} has no "
                    "'initial_lr' to go on from; load the optimizer's state first"
                )
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in groups]
        self._check()
        self._last_lr: list[float] = []
        self._initial = False
        self._initial_step()

    @property
    def _name(self) -> str:
        return type(self).__name__

    # What subclasses write

    def get_lr(self) -> list[float]:
        """The rates of all groups at step `last_epoch`: what subclasses write. Ask `get_last_lr` instead."""
        raise NotImplementedError(f"{self._name} must define get_lr")

    def _check(self) -> None:
        """Raises where an argument, now an attribute, is of the wrong kind or out of range."""

    def check_length(self, steps: int) -> None:
        """Says so where the schedule ends before the training does. `Trainer` calls it when `fit` begins.

        Args:
            steps: How often `step` will be called from now on.

        Raises:
            ValueError: The schedule has no rates for so many steps (`OneCycleLR`).

        Warns:
            UserWarning: It has, but hardly those that were meant: `PolynomialLR` stays at 0,
                `CosineAnnealingLR` climbs again, a `WarmUp` is not over.

        Example:
            >>> import drivetrain as dt
            >>> w = dt.tensor([1.0], requires_grad=True)
            >>> schedule = dt.optim.lr_scheduler.OneCycleLR(dt.optim.AdamW([w]), max_lr=0.1, total_steps=100)
            >>> schedule.check_length(101)
            Traceback (most recent call last):
            ...
            ValueError: OneCycleLR: total_steps is 100 and 0 are made, but the training makes 101 more
        """

    def _length(self) -> int | None:
        """The number of steps that `plot` draws by default; None where there is no natural end."""
        return None

    # Steps

    def step(self) -> None:
        """Sets the rates of the next step: after the optimizer's step, or at the end of the epoch."""
        self.last_epoch += 1
        try:
            self._set(self.get_lr())
        except BaseException:
            self.last_epoch -= 1
            raise

    def _set(self, values: Sequence[float]) -> None:
        for group, value in zip(self._groups_for(values), values, strict=True):
            group["lr"] = value
        self._last_lr = list(values)

    def _groups_for(self, values: Sequence[float]) -> list[dict[str, Any]]:
        groups: list[dict[str, Any]] = self.optimizer.param_groups
        if len(values) != len(groups):
            raise ValueError(
                f"{self._name}: there are values for {len(values)} parameter groups, but the optimizer has "
                f"{len(groups)}; make the schedule after the last add_param_group"
            )
        return groups

    def _initial_step(self) -> None:
        self._initial = True
        try:
            self.step()
        finally:
            self._initial = False

    def _begin(self) -> None:
        """Goes back to before step 0, and makes it."""
        self.last_epoch = -1
        self._initial_step()

    def _restart(self) -> None:
        """Begins with the rates that the groups began with."""
        for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr
        self._begin()

    def _enter(self) -> None:
        """Begins in the middle of a `SequentialLR`."""
        self._restart()

    def _present(self) -> list[float]:
        """The rates that the groups have."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The rates that were set last, one per parameter group."""
        return list(self._last_lr)

    # Looking ahead

    def preview(self, steps: int, metrics: Any = None) -> list[list[float]]:
        """The rates of the first steps of a training, without touching the optimizer.

        Args:
            steps: The number of steps.
            metrics: For schedules that react to a metric: one for each step. By default it never gets better.

        Returns:
            A list for each parameter group, with the rate of every step.

        Example:
            >>> import drivetrain as dt
            >>> w = dt.tensor([1.0], requires_grad=True)
            >>> schedule = dt.optim.lr_scheduler.ExponentialLR(dt.optim.SGD([w], lr=1.0), gamma=0.5)
            >>> schedule.preview(3)
            [[1.0, 0.5, 0.25]]
        """
        steps = integer(f"{self._name}.preview", "steps", steps, 0)
        told = [0.0] * steps if metrics is None else list(metrics)
        if len(told) < steps - 1:
            raise ValueError(f"{self._name}.preview: there are {len(told)} metrics for {steps} steps")
        copied = self._copied()
        copied._restart()
        found = []
        for number in range(steps):
            if number:
                copied.step(*([told[number - 1]] if self.needs_metric else []))
            found.append(copied.get_last_lr())
        return [list(rates) for rates in zip(*found, strict=True)] or [[] for _ in self.base_lrs]

    def _copied(self) -> LRScheduler:
        """A copy on a stand-in of the optimizer, which has groups but no parameters."""
        memo: dict[int, Any] = {id(self.optimizer): StandIn(self.optimizer)}
        for kept in _functions(self):
            memo[id(kept)] = kept
        return copy.deepcopy(self, memo)

    def plot(self, steps: int | None = None, ax: Any = None, *, metrics: Any = None) -> Any:
        """Draws the rates of the first steps, without touching the optimizer. Needs matplotlib.

        Args:
            steps: The number of steps; by default as many as the schedule has, or 100.
            ax: Axes of matplotlib to draw on; by default those of a new figure.
            metrics: As in `preview`.

        Returns:
            The axes; ``.figure.savefig(path)`` keeps the picture.

        Raises:
            ModuleNotFoundError: Without matplotlib; the message says the command that installs it.

        Example:
            >>> import drivetrain as dt
            >>> w = dt.tensor([1.0], requires_grad=True)
            >>> schedule = dt.optim.lr_scheduler.CosineAnnealingLR(dt.optim.SGD([w], lr=0.1), T_max=50)
            >>> len(schedule.plot().lines[0].get_xdata())
            51
        """
        length = self._length()
        rates = self.preview(length + 1 if steps is None and length else steps or 100, metrics)
        if ax is None:
            from ...train.plots import new_figure

            ax = new_figure(6, 3.6).add_subplot()
        for number, values in enumerate(rates):
            ax.plot(values, label=f"group {number}")
        if len(rates) > 1:
            ax.legend()
        ax.set_xlabel(self.interval)
        ax.set_ylabel("learning rate")
        ax.set_title(self._name)
        ax.grid(alpha=0.3)
        return ax

    # State

    def state_dict(self) -> dict[str, Any]:
        """What the schedule has come to, and its arguments, as plain values. The optimizer has a state of
        its own, with the rates in it. Functions are not stored, but what objects with `__call__` hold is.
        """
        return stored_state(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on where the schedule was that `state_dict` comes from, with its arguments.

        Raises:
            ValueError: It comes from another schedule, or a value is out of range. Nothing is changed then.
            TypeError: It is no such dict, or a value is of the wrong kind. Nothing is changed then.
        """
        load_state(self, state_dict)

    def __repr__(self) -> str:
        shown = [f"{name}={getattr(self, name)!r}" for name in (*self._shown, "last_epoch")]
        return f"{self._name}({', '.join(shown)})"


class StandIn:
    """What a schedule needs of an optimizer: its options, with the rates of the beginning."""

    def __init__(self, optimizer: Any) -> None:
        self.defaults = dict(optimizer.defaults)
        self.param_groups = [
            {name: value for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]


def _functions(schedule: LRScheduler) -> list[Any]:
    """Functions that a schedule and those in it hold: a copy calls the same ones."""
    found: list[Any] = []
    for value in vars(schedule).values():
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, (FunctionType, MethodType)):
                found.append(entry)
            elif isinstance(entry, LRScheduler):
                found += _functions(entry)
    return found


def check_optimizer(schedule: str, optimizer: Any) -> Any:
    """Raises unless this has parameter groups with learning rates."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, list) or not hasattr(optimizer, "defaults"):
        raise TypeError(
            f"{schedule}: optimizer is a {type(optimizer).__name__}, expected one of drivetrain.optim"
        )
    for number, group in enumerate(groups):
        lr = group.get("lr")
        if isinstance(lr, bool) or not isinstance(lr, numbers.Real):
            raise ValueError(f"{schedule}: 'lr' of parameter group {number} is {lr!r}, expected a number")
    return optimizer


def number(schedule: str, name: str, value: Any, expected: str, accepts: Callable[[float], bool]) -> float:
    """`value`, a finite number that `accepts` allows, as it came: an int stays one."""
    real(schedule, name, value, expected, lambda x: math.isfinite(x) and accepts(x))
    return value  # type: ignore[no-any-return]


def not_negative(schedule: str, name: str, value: Any) -> float:
    return number(schedule, name, value, "positive or 0", lambda x: x >= 0)


def per_group(schedule: str, name: str, value: Any, groups: int) -> list[Any]:
    """One value for each parameter group: `value` repeated, or a list of that length."""
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{schedule}: {name} has {len(value)} values, expected one or one for each of the {groups} "
            "parameter groups"
        )
    return list(value)
