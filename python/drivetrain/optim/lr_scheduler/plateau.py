"""The schedule that waits for a metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..._checks import choice, integer
from .base import LRScheduler, not_negative, number, per_group


class ReduceLROnPlateau(LRScheduler):
    """The rate times ``factor`` when a metric has not got better for more than ``patience`` steps.

    Args:
        optimizer: The optimizer.
        mode: Whether "min" or "max" is better.
        factor: The factor, from 0 to below 1.
        patience: Steps without progress that are put up with.
        threshold: What counts as progress: by so much better than the best so far,
        threshold_mode: as a share of it ("rel") or as such ("abs").
        cooldown: Steps after a reduction that are not counted.
        min_lr: The lowest rate, or a list with one for each parameter group.
        eps: Changes smaller than this are not made.

    Attributes:
        best: The best metric so far.
        num_bad_epochs: Steps without progress.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.ReduceLROnPlateau(dt.optim.SGD([w], lr=1.0), patience=1)
        >>> schedule.preview(5, metrics=[3.0, 2.0, 2.0, 2.0])
        [[1.0, 1.0, 1.0, 1.0, 0.1]]
    """

    needs_metric = True
    _shown = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr")

    def __init__(
        self,
        optimizer: Any,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lr: Any = min_lr
        self.eps = eps
        self.best = math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        super().__init__(optimizer)
        self.last_epoch = 0

    def _check(self) -> None:
        choice(self._name, "mode", self.mode, ("min", "max"))
        number(self._name, "factor", self.factor, "a number from 0 to below 1", lambda x: 0 <= x < 1)
        self.patience = integer(self._name, "patience", self.patience, 0)
        not_negative(self._name, "threshold", self.threshold)
        choice(self._name, "threshold_mode", self.threshold_mode, ("rel", "abs"))
        self.cooldown = integer(self._name, "cooldown", self.cooldown, 0)
        self.min_lr = per_group(self._name, "min_lr", self.min_lr, len(self.optimizer.param_groups))
        for lr in self.min_lr:
            not_negative(self._name, "min_lr", lr)
        not_negative(self._name, "eps", self.eps)
        for name in ("num_bad_epochs", "cooldown_counter"):
            integer(self._name, name, getattr(self, name), 0)

    def _begin(self) -> None:
        self.last_epoch = 0
        self.best = math.inf if self.mode == "min" else -math.inf
        self.num_bad_epochs = self.cooldown_counter = 0
        self._last_lr = self._present()

    _initial_step = _enter = _begin

    @property
    def in_cooldown(self) -> bool:
        """Whether a reduction was so short ago that steps are not counted."""
        return self.cooldown_counter > 0

    def is_better(self, metric: float) -> bool:
        """Whether a metric is progress over the best so far."""
        change = self.threshold if self.mode == "max" else -self.threshold
        goal = self.best * (1 + change) if self.threshold_mode == "rel" else self.best + change
        return metric > goal if self.mode == "max" else metric < goal

    def step(self, metrics: Any = None) -> None:
        """Notes the metric of a step, and reduces the rates where there was no progress for too long.

        Args:
            metrics: A number, or a tensor of one, such as the loss over the validation data.
        """
        try:
            current = float(metrics)
        except (TypeError, ValueError):
            raise TypeError(
                f"{self._name}.step: metrics must be a number, such as the validation loss, got {metrics!r}"
            ) from None
        self.last_epoch += 1
        if self.is_better(current):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._present()

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self.min_lr, strict=True):
            lr = max(group["lr"] * self.factor, lowest)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr
