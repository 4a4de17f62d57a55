"""Schedules that follow a cosine."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

from ..._checks import choice, integer
from .base import LRScheduler, not_negative, number, per_group


class CosineAnnealingLR(LRScheduler):
    """From the first rate to ``eta_min`` along half a wave of a cosine, ``T_max`` steps long; then up again.

    Args:
        optimizer: The optimizer.
        T_max: Steps of half a wave.
        eta_min: The lowest rate.
        last_epoch: See `LRScheduler`.

    Source: Loshchilov and Hutter, 2017, without restarts; torch.optim.lr_scheduler.CosineAnnealingLR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> schedule = dt.optim.lr_scheduler.CosineAnnealingLR(dt.optim.SGD([w], lr=1.0), T_max=4)
        >>> [round(lr, 4) for lr in schedule.preview(5)[0]]
        [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    _shown = ("T_max", "eta_min")

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        number(self._name, "T_max", self.T_max, "a positive number", lambda x: x > 0)
        not_negative(self._name, "eta_min", self.eta_min)

    def get_lr(self) -> list[float]:
        low, step, length = self.eta_min, self.last_epoch, self.T_max
        if self._initial:
            if step == 0:
                return self._present()
            wave = (1 + math.cos(step * math.pi / length)) / 2
            return [low + (lr - low) * wave for lr in self.base_lrs]
        if (step - 1 - length) % (2 * length) == 0:  # the factor below would be x / 0
            rise = (1 - math.cos(math.pi / length)) / 2
            pairs = zip(self._present(), self.base_lrs, strict=True)
            return [lr + (base - low) * rise for lr, base in pairs]
        wave, before = (1 + math.cos(math.pi * s / length) for s in (step, step - 1))
        return [wave / before * (lr - low) + low for lr in self._present()]

    def check_length(self, steps: int) -> None:
        if self.last_epoch + steps > self.T_max:
            warnings.warn(
                f"{self._name}: T_max is {self.T_max}, but the training goes on to step "
                f"{self.last_epoch + steps}: from step {self.T_max} on the learning rate climbs again",
                stacklevel=2,
            )

    def _length(self) -> int | None:
        return math.ceil(self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the first rate to ``eta_min`` along half a wave of a cosine, again and again.

    Args:
        optimizer: The optimizer.
        T_0: Steps of the first half wave.
        T_mult: How many times longer each is than the one before.
        eta_min: The lowest rate.
        last_epoch: See `LRScheduler`.

    Source: Loshchilov and Hutter, 2017; torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> schedule = dt.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
        >>> [round(lr, 4) for lr in schedule.preview(7)[0]]
        [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    _shown = ("T_0", "T_mult", "eta_min")

    def __init__(
        self, optimizer: Any, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_i: float = T_0
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.T_0 = integer(self._name, "T_0", self.T_0)
        self.T_mult = integer(self._name, "T_mult", self.T_mult)
        not_negative(self._name, "eta_min", self.eta_min)
        number(self._name, "T_i", self.T_i, "a positive number", lambda x: x > 0)
        number(self._name, "T_cur", self.T_cur, "a number of steps", lambda x: x >= -1)

    def get_lr(self) -> list[float]:
        low = self.eta_min
        wave = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [low + (lr - low) * wave for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Sets the rates of the next step, or of step number `epoch`, which may lie between two: with
        ``schedule.step(epoch + batch / batches)`` they change within an epoch.
        """
        if epoch is None:
            epoch = self.last_epoch + 1
            if epoch == 0:
                self.T_cur, self.T_i = 0, self.T_0
            else:
                self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._go_to(not_negative(f"{self._name}.step", "epoch", epoch))
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _go_to(self, epoch: float) -> None:
        begin, length = 0, self.T_0
        if self.T_mult == 1:
            begin = int(epoch // length) * length
        else:
            while begin + length <= epoch:
                begin += length
                length *= self.T_mult
        self.T_cur, self.T_i = epoch - begin, length


class SWALR(LRScheduler):
    """From the rate that it finds to ``swa_lr`` within ``anneal_epochs`` steps, and stays there: for the last
    part of a training, over which the weights are averaged.

    Args:
        optimizer: The optimizer.
        swa_lr: The rate to go to, or a list with one for each parameter group.
        anneal_epochs: How many steps it takes; with 0, the next one has it.
        anneal_strategy: "cos" or "linear".
        last_epoch: See `LRScheduler`.

    Source: Izmailov et al., 2018; torch.optim.swa_utils.SWALR.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=1.0)
        >>> schedule = dt.optim.lr_scheduler.SWALR(optimizer, 0.5, anneal_epochs=2, anneal_strategy="linear")
        >>> schedule.preview(4)
        [[1.0, 0.75, 0.5, 0.5]]
    """

    _shown = ("swa_lr", "anneal_epochs", "anneal_strategy")

    def __init__(
        self,
        optimizer: Any,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        self.swa_lr: Any = swa_lr
        self.anneal_epochs = anneal_epochs
        self.anneal_strategy = anneal_strategy
        self._made = -1  # steps, which last_epoch may differ from
        super().__init__(optimizer, last_epoch)

    def _check(self) -> None:
        self.swa_lr = per_group(self._name, "swa_lr", self.swa_lr, len(self.optimizer.param_groups))
        for lr in self.swa_lr:
            not_negative(self._name, "swa_lr", lr)
        self.anneal_epochs = integer(self._name, "anneal_epochs", self.anneal_epochs, 0)
        choice(self._name, "anneal_strategy", self.anneal_strategy, ("cos", "linear"))

    def _share(self, step: int) -> float:
        """How far the way is gone."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self.anneal_strategy == "cos" else t

    def step(self) -> None:
        self._made += 1
        super().step()

    def get_lr(self) -> list[float]:
        step = self._made if self.anneal_epochs else max(1, self._made)
        before, now = self._share(step - 1), self._share(step)
        found = []
        for lr, goal in zip(self._present(), self.swa_lr, strict=True):
            start = goal if before == 1 else (lr - before * goal) / (1 - before)
            found.append(goal * now + start * (1 - now))
        return found

    def _begin(self) -> None:
        self._made = -1
        super()._begin()

    def _enter(self) -> None:
        self._begin()

    def _length(self) -> int | None:
        return self.anneal_epochs
