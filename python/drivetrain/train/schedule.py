"""When a learning rate schedule makes its steps."""

from __future__ import annotations

import math
from typing import Any

from .update import takes

INTERVALS = ("epoch", "step")


class Schedule:
    """Steps a schedule after every optimizer step, or after every epoch and its validation.

    A schedule that looks at a metric, such as ReduceLROnPlateau, is given the one named ``monitor``: it has
    an attribute ``needs_metric``, or its ``step`` an argument ``metrics``.
    """

    def __init__(self, given: Any, optimizer: Any, interval: str | None, monitor: str | None) -> None:
        self.schedule = find_schedule(given, optimizer)
        self.needs_metric = self.schedule is not None and takes_metric(self.schedule)
        self.interval = interval if interval is not None else str(getattr(self.schedule, "interval", "epoch"))
        self.monitor = monitor
        if self.schedule is None and (interval is not None or monitor is not None):
            name = "lr_scheduler_interval" if interval is not None else "lr_scheduler_monitor"
            raise ValueError(f"Trainer: got {name} without lr_scheduler")
        if self.interval not in INTERVALS:
            raise ValueError(f"Trainer: lr_scheduler_interval is {interval!r}, expected 'epoch' or 'step'")
        if self.needs_metric and self.interval == "step":
            raise ValueError(
                f"Trainer: {type(self.schedule).__name__} looks at a metric of the epoch, expected "
                "lr_scheduler_interval='epoch'"
            )
        if monitor is not None and not self.needs_metric:
            raise ValueError(
                f"Trainer: got lr_scheduler_monitor, but {type(self.schedule).__name__} looks at no metric"
            )
        self.follows_steps = self.schedule is not None and self.interval == "step"
        self._has_epochs = self.schedule is not None and self.interval == "epoch"
        self.is_paused = False

    def check_length(self, epochs: float, steps: float) -> None:
        """Has a schedule say whether it ends before the training does: so many epochs or optimizer steps."""
        length = epochs if self.interval == "epoch" else steps
        check = getattr(self.schedule, "check_length", None)
        if check is not None and length < math.inf:
            check(int(length))

    def after_step(self) -> None:
        if not self.is_paused:
            self.schedule.step()

    def after_epoch(self, logs: dict[str, Any]) -> None:
        if not self._has_epochs or self.is_paused:
            return
        if not self.needs_metric:
            self.schedule.step()
            return
        name = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
        if name not in logs:
            raise ValueError(
                f"Trainer: lr_scheduler_monitor is {name!r}, the epoch has: {', '.join(sorted(logs))}"
            )
        self.schedule.step(logs[name])


def find_schedule(given: Any, optimizer: Any) -> Any:
    """Return a schedule for a schedule of this optimizer or a function that makes one of it."""
    made = given(optimizer) if callable(given) and not callable(getattr(given, "step", None)) else given
    if isinstance(given, type):
        made = given(optimizer)
    if made is None:
        return None
    if not callable(getattr(made, "step", None)):
        raise TypeError(
            f"Trainer: lr_scheduler is a {type(made).__name__}, expected a schedule of "
            "drivetrain.optim.lr_scheduler or a function of the optimizer that makes one"
        )
    if getattr(made, "optimizer", optimizer) is not optimizer:
        raise ValueError(
            "Trainer: lr_scheduler belongs to another optimizer; pass the function that makes it, such as "
            "lambda optimizer: StepLR(optimizer, 10)"
        )
    return made


def takes_metric(schedule: Any) -> bool:
    known = getattr(schedule, "needs_metric", None)
    return takes(schedule.step, "metrics") if known is None else bool(known)
