"""Callbacks that change learning rates, or write them down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..._checks import flag, integer, verbosity
from .base import Callback, Logs, check_number, check_state
from .early_stopping import Monitor


def groups_of(where: str, trainer: Any) -> list[dict[str, Any]]:
    """The parameter groups of a trainer's optimizer."""
    groups = getattr(trainer.optimizer, "param_groups", None)
    if groups is None:
        raise TypeError(
            f"{where}: the optimizer {type(trainer.optimizer).__name__} has no param_groups, in which "
            "learning rates are found"
        )
    found: list[dict[str, Any]] = groups
    return found


class ReduceLROnPlateau(Callback):
    """Lower the learning rate when a metric has stopped getting better.

    The rates of all parameter groups are multiplied, and the first one's stands in the epoch's logs as
    "learning_rate". A schedule given as ``Trainer(lr_scheduler=...)`` may set them anew: use one of the two.

    Args:
        monitor (str, default "val_loss"): The metric. One that does not exist is an error.
        factor (float, default 0.1): What the rates are multiplied by; from 0 to below 1.
        patience (int, default 10): Epochs without improvement after which they are lowered.
        verbose (int, default 0): 1 prints a line each time.
        mode ("auto", "min" or "max"): Which direction is better; "auto" takes the larger for names such as
            accuracy, the smaller for others.
        min_delta (float, default 1e-4): A change of at most this much is no improvement.
        cooldown (int, default 0): Epochs after a change in which nothing is counted.
        min_lr (float, default 0): No rate becomes smaller than this.

    Source: Keras's ``keras.callbacks.ReduceLROnPlateau``.

    Example:
        >>> from drivetrain.train import ReduceLROnPlateau
        >>> lower = ReduceLROnPlateau(monitor="val_accuracy", factor=0.5, patience=3)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        check_number("ReduceLROnPlateau", "factor", factor)
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor is {factor}, expected at least 0 and less than 1")
        integer("ReduceLROnPlateau", "patience", patience, 0)
        integer("ReduceLROnPlateau", "cooldown", cooldown, 0)
        check_number("ReduceLROnPlateau", "min_lr", min_lr, 0)
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.monitor, self.factor, self.patience = monitor, factor, patience
        self.verbose = verbosity("ReduceLROnPlateau", verbose)
        self.cooldown, self.min_lr = cooldown, min_lr
        self.reset()

    def reset(self) -> None:
        """Start anew, as every training does."""
        self._monitor.reset()
        self.wait = self.cooldown_counter = 0

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._monitor.best

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        groups = groups_of("ReduceLROnPlateau", self.trainer)
        logs = {} if logs is None else logs
        value = self._monitor.value(logs)
        logs["learning_rate"] = float(groups[0]["lr"])
        cools = self.cooldown_counter > 0
        if cools:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._monitor.is_better(value, self.best):
            self._monitor.best, self.wait = value, 0
        elif not cools:
            self.wait += 1
            if self.wait >= self.patience:
                self._lower(epoch, groups)

    def _lower(self, epoch: int, groups: list[dict[str, Any]]) -> None:
        self.wait = 0
        if all(group["lr"] <= self.min_lr for group in groups):
            return
        self.cooldown_counter = self.cooldown
        for group in groups:
            group["lr"] = min(float(group["lr"]), max(float(group["lr"]) * self.factor, self.min_lr))
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is lowered to {groups[0]['lr']:g}")

    def state_dict(self) -> dict[str, Any]:
        """The best value and the epochs counted."""
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        check_state(self, state, best=(float, None), wait=(int,), cooldown_counter=(int,))
        self._monitor.best = state["best"]
        self.wait, self.cooldown_counter = state["wait"], state["cooldown_counter"]


class LearningRateScheduler(Callback):
    """Set the learning rate at the beginning of every epoch by a function.

    Args:
        schedule (function): ``schedule(epoch, lr)``, or ``schedule(epoch)``, gives the rate of the epoch,
            counted from 0. It is set for all parameter groups, and stands in the logs as "learning_rate".
        verbose (int, default 0): 1 prints a line per epoch.

    Source: Keras's ``keras.callbacks.LearningRateScheduler``.

    Example:
        >>> from drivetrain.train import LearningRateScheduler
        >>> halve = LearningRateScheduler(lambda epoch, lr: lr / 2 if epoch and epoch % 10 == 0 else lr)
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(
                f"LearningRateScheduler: schedule is a {type(schedule).__name__}, expected a function of the "
                "epoch and the learning rate"
            )
        self.schedule, self.verbose = schedule, verbosity("LearningRateScheduler", verbose)
        self._takes_rate = positional_arguments(schedule) != 1

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        groups = groups_of("LearningRateScheduler", self.trainer)
        before = float(groups[0]["lr"])
        rate = self.schedule(epoch, before) if self._takes_rate else self.schedule(epoch)
        if isinstance(rate, bool) or not hasattr(rate, "__float__"):
            raise TypeError(f"LearningRateScheduler: schedule returned {rate!r}, expected a number")
        if not (math.isfinite(rate) and rate >= 0):
            raise ValueError(f"LearningRateScheduler: schedule returned {rate}, expected a finite rate")
        for group in groups:
            group["lr"] = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is {float(rate):g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(groups_of("LearningRateScheduler", self.trainer)[0]["lr"])


def positional_arguments(function: Any) -> int:
    """How many arguments a function can be given by position; 2 where that cannot be said."""
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 2
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return 2
    kinds = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")
    return sum(parameter.kind.name in kinds for parameter in parameters)


class LearningRateMonitor(Callback):
    """Write down the learning rates, where History, CSVLogger and TensorBoard find them: in the logs.

    The name is "lr-SGD" for an optimizer SGD, "lr-SGD/pg1", "lr-SGD/pg2" where it has several parameter
    groups; those of momentum and weight decay end in "-momentum" and "-weight_decay".

    Args:
        logging_interval ("step", "epoch" or None): After every so many batches as the trainer's
            ``log_every_n_steps`` says, or the rate that every epoch begins with. Default: how the trainer's
            schedule makes its steps.
        log_momentum (bool, default False): Write down momentum, or the first of Adam's betas, too.
        log_weight_decay (bool, default False): Write down the weight decay, too.

    Attributes:
        lrs (dict of lists): All values by name.

    Source: PyTorch Lightning's ``LearningRateMonitor``.

    Example:
        >>> from drivetrain.train import LearningRateMonitor
        >>> LearningRateMonitor("epoch").lrs
        {}
    """

    adds_to_logs = True

    def __init__(
        self,
        logging_interval: str | None = None,
        log_momentum: bool = False,
        log_weight_decay: bool = False,
    ) -> None:
        super().__init__()
        if logging_interval not in ("step", "epoch", None):
            raise ValueError(
                f"LearningRateMonitor: logging_interval is {logging_interval!r}, expected 'step', 'epoch' or "
                "None"
            )
        self.logging_interval = logging_interval
        self.log_momentum = flag("LearningRateMonitor", "log_momentum", log_momentum)
        self.log_weight_decay = flag("LearningRateMonitor", "log_weight_decay", log_weight_decay)
        self.lrs: dict[str, list[float]] = {}
        self._now: Logs = {}

    @property
    def _interval(self) -> str:
        return self.logging_interval or str(self.trainer.lr_scheduler_interval)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.lrs, self._now = {}, {}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self._interval == "epoch":
            self._look()

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        if self._interval == "step" and self.trainer.logs_batch(batch):
            self._look()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs |= self._now

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs |= self._now

    def _look(self) -> None:
        optimizer = self.trainer.optimizer
        groups = groups_of("LearningRateMonitor", self.trainer)
        self._now = {}
        for number, group in enumerate(groups, 1):
            name = f"lr-{type(optimizer).__name__}" + (f"/pg{number}" if len(groups) > 1 else "")
            self._now[name] = float(group["lr"])
            if self.log_momentum:
                momentum = group["momentum"] if "momentum" in group else group.get("betas", (0.0,))[0]
                self._now[f"{name}-momentum"] = float(momentum)
            if self.log_weight_decay:
                self._now[f"{name}-weight_decay"] = float(group.get("weight_decay", 0.0))
        for name, value in self._now.items():
            self.lrs.setdefault(name, []).append(value)

    def state_dict(self) -> dict[str, Any]:
        """All values so far."""
        return {"lrs": {name: list(values) for name, values in self.lrs.items()}, "now": dict(self._now)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        check_state(self, state, lrs=(dict,), now=(dict,))
        self.lrs = {name: list(values) for name, values in state["lrs"].items()}
        self._now = dict(state["now"])
