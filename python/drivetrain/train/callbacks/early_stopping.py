"""Metrics to watch, and the end of a training when one stops getting better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..._checks import flag, integer, verbosity
from .base import Callback, Logs, check_number, check_state


class Monitor:
    """The best value of one metric so far, and whether the next is better."""

    def __init__(
        self, where: str, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{where}: mode is {mode!r}, expected 'auto', 'min' or 'max'")
        if not isinstance(monitor, str):
            raise TypeError(f"{where}: monitor is {monitor!r:.80}, expected the name of a metric")
        check_number(where, "min_delta", min_delta)
        if best is not None:
            check_number(where, "initial_value_threshold", best)
        self.where, self.name = where, monitor
        grows = any(word in monitor for word in ("acc", "auc", "f1", "precision", "recall", "r2"))
        self.sign = 1.0 if mode == "max" or (mode == "auto" and grows) else -1.0
        self.min_delta = abs(float(min_delta))
        self.start = self.best = None if best is None else float(best)

    def reset(self) -> None:
        self.best = self.start

    def value(self, logs: Logs | None) -> float:
        """Return the metric; a wrong name is an error at the first epoch, not a training that never stops."""
        if not logs or self.name not in logs:
            has = ", ".join(sorted(logs or {})) or "none"
            hint = " (pass validation data to fit)" if self.name.startswith("val_") else ""
            raise ValueError(f"{self.where}: there is no metric {self.name!r}{hint}, the epoch has: {has}")
        return float(logs[self.name])

    def is_better(self, value: float, than: float | None) -> bool:
        """Say whether ``value`` is better by more than ``min_delta``; NaN never is."""
        if math.isnan(value):
            return False
        return than is None or self.sign * (value - than) > self.min_delta


class EarlyStopping(Callback):
    """End the training when a metric has stopped getting better.

    Args:
        monitor (str, default "val_loss"): The metric. One that does not exist is an error.
        min_delta (float, default 0): A change of at most this much is no improvement.
        patience (int, default 0): Epochs without improvement after which the training ends.
        verbose (int, default 0): 1 prints a line when the training ends.
        mode ("auto", "min" or "max"): Which direction is better; "auto" takes the larger for names such as
            accuracy, the smaller for others.
        baseline (float, optional): A value that has to be beaten.
        restore_best_weights (bool, default False): Put back the weights of the best epoch when the training
            ends, early or not.
        start_from_epoch (int, default 0): Epochs before this one are not looked at.

    Source: Keras's ``keras.callbacks.EarlyStopping``.

    Example:
        >>> from drivetrain.train import EarlyStopping
        >>> stop = EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        integer("EarlyStopping", "patience", patience, 0)
        integer("EarlyStopping", "start_from_epoch", start_from_epoch, 0)
        if baseline is not None:
            check_number("EarlyStopping", "baseline", baseline)
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.baseline = baseline
        self.monitor, self.patience, self.start_from_epoch = monitor, patience, start_from_epoch
        self.verbose = verbosity("EarlyStopping", verbose)
        self.restore_best_weights = flag("EarlyStopping", "restore_best_weights", restore_best_weights)
        self.reset()

    def reset(self) -> None:
        """Start anew, as every training does."""
        self._monitor.reset()
        self.wait = 0
        self.stopped_epoch = 0
        self.best_epoch = 0
        self.best_weights: dict[str, Any] | None = None

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._monitor.best

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.reset()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self._monitor.value(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.restore_best_weights and self.best_weights is None:
            self._remember(epoch)
        if self._monitor.is_better(value, self.best):
            self._monitor.best = value
            self._remember(epoch)
            if self.baseline is None or self._monitor.is_better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.verbose:
                print(
                    f"Epoch {epoch + 1}: early stopping, {self.monitor} has not improved in {self.wait} "
                    "epochs"
                )

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.restore_best_weights and self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    def state_dict(self) -> dict[str, Any]:
        """The best value and weights, and the epochs counted."""
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "best_weights": self.best_weights,
            "stopped_epoch": self.stopped_epoch,
            "wait": self.wait,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        count = (int,)
        check_state(
            self, state, best=(float, None), best_epoch=count, best_weights=(dict, None),
            stopped_epoch=count, wait=count,
        )  # fmt: skip
        self._monitor.best, self.best_weights = state["best"], state["best_weights"]
        self.best_epoch, self.stopped_epoch = state["best_epoch"], state["stopped_epoch"]
        self.wait = state["wait"]

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = copy_weights(self.model)


def copy_weights(model: Any) -> dict[str, Any]:
    """Return a copy of the model's state that later steps do not change."""
    from ...io.arrays import copy_of

    return {name: copy_of(value) for name, value in model.state_dict().items()}
