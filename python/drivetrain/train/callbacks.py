"""Callbacks: what happens around a training loop, with Keras's names for hooks and arguments."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

Logs = dict[str, Any]


class Callback:
    """Base class: override the hooks that you need.

    ``self.model`` is the model, ``self.trainer`` the trainer, ``self.params`` a dict with "epochs", "steps"
    (None when unknown) and "verbose". ``logs`` holds the metrics so far. To end the training after the
    current batch set ``self.model.stop_training = True``.

    Source: Keras's ``keras.callbacks.Callback``.

    Example:
        >>> from drivetrain.train import Callback
        >>> class PrintLoss(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> PrintLoss().on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    model: Any = None
    trainer: Any = None
    params: Logs

    def __init__(self) -> None:
        self.params = {}

    def set_params(self, params: Logs) -> None:
        """Say what the run is like; called before its first hook."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Say which model is trained; called before the first hook."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch; also when an exception or Ctrl-C ends the training."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training step, counted from 0 in each epoch."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training step, with the running means of the epoch."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, the validation of an epoch included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of a prediction."""


def as_callbacks(callbacks: Any) -> list[Any]:
    """A list for what a user passes as callbacks: one, several, or None."""
    if callbacks is None or isinstance(callbacks, Callback):
        return [] if callbacks is None else [callbacks]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks: got a {type(callbacks).__name__}, expected a list of Callback")
    return list(callbacks)


class CallbackList:
    """Calls each hook on every callback, in order; hooks that nobody overrides cost nothing."""

    def __init__(self, callbacks: Iterable[Callback], *, model: Any, trainer: Any, params: Logs) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"callbacks: got a {type(callback).__name__}, expected drivetrain.train.Callback"
                )
            callback.set_params(params)
            callback.set_model(model)
            callback.trainer = trainer
        self._listeners: dict[str, list[Any]] = {}

    def call(self, hook: str, *arguments: Any) -> None:
        """Call ``hook`` on every callback that overrides it."""
        if hook not in self._listeners:
            base = getattr(Callback, hook)
            self._listeners[hook] = [
                getattr(callback, hook)
                for callback in self.callbacks
                if getattr(type(callback), hook) is not base or hook in vars(callback)
            ]
        for listener in self._listeners[hook]:
            listener(*arguments)

    def wants(self, hook: str) -> bool:
        """Say whether a callback overrides ``hook``."""
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook) or hook in vars(callback)
            for callback in self.callbacks
        )


class Monitor:
    """The best value of one metric so far, and whether the next is better."""

    def __init__(
        self, where: str, monitor: str, mode: str, min_delta: float = 0.0, best: float | None = None
    ) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{where}: mode is {mode!r}, expected 'auto', 'min' or 'max'")
        self.where, self.name = where, monitor
        grows = any(word in monitor for word in ("acc", "auc", "f1", "precision", "recall", "r2"))
        self.sign = 1.0 if mode == "max" or (mode == "auto" and grows) else -1.0
        self.min_delta = abs(float(min_delta))
        self.start = best
        self.best = best

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
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience is {patience}, expected at least 0")
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.baseline = baseline
        self.monitor, self.patience, self.verbose = monitor, patience, verbose
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
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

    def _remember(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self.best_weights = copy_weights(self.model)


def copy_weights(model: Any) -> dict[str, Any]:
    """Return a copy of the model's state that later steps do not change."""
    from ..io.arrays import copy_of

    return {name: copy_of(value) for name, value in model.state_dict().items()}


class ModelCheckpoint(Callback):
    """Save the model as the training goes on.

    Args:
        filepath (path): Where to save; may name the epoch (from 1) and metrics:
            ``"run/{epoch:02d}-{val_loss:.3f}.safetensors"``.
        monitor (str, default "val_loss"): The metric that ``save_best_only`` looks at.
        verbose (int, default 0): 1 prints a line for every file.
        save_best_only (bool, default False): Save only when the metric is better than ever before.
        save_weights_only (bool, default False): Leave out the configuration of the model.
        mode ("auto", "min" or "max"): Which direction is better; "auto" takes the larger for names such as
            accuracy, the smaller for others.
        save_freq ("epoch" or int, default "epoch"): Save after every epoch, or after so many batches.
        initial_value_threshold (float, optional): A value that has to be beaten for the first file.

    Every file is complete: it is written under another name and renamed.

    Source: Keras's ``keras.callbacks.ModelCheckpoint``.

    Example:
        >>> from drivetrain.train import ModelCheckpoint
        >>> keep_best = ModelCheckpoint("best.safetensors", monitor="val_accuracy", save_best_only=True)
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__()
        if save_freq != "epoch" and (isinstance(save_freq, (bool, str)) or save_freq < 1):
            raise ValueError(
                f"ModelCheckpoint: save_freq is {save_freq!r}, expected 'epoch' or a number of batches"
            )
        self._monitor = Monitor("ModelCheckpoint", monitor, mode, best=initial_value_threshold)
        self.filepath, self.monitor, self.verbose = os.fspath(filepath), monitor, verbose
        self.save_best_only, self.save_weights_only, self.save_freq = (
            save_best_only,
            save_weights_only,
            save_freq,
        )
        self._epoch = 0
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._save(logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs or {})

    def _save(self, logs: Logs) -> None:
        if self.save_best_only:
            value = self._monitor.value(logs)
            if not self._monitor.is_better(value, self._monitor.best):
                return
            self._monitor.best = value
        try:
            path = self.filepath.format(epoch=self._epoch + 1, **logs)
        except KeyError as error:
            raise ValueError(
                f"ModelCheckpoint: filepath {self.filepath!r} names the unknown metric {error}"
            ) from None
        from ..io import save_model, save_weights

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        (save_weights if self.save_weights_only else save_model)(self.model, path)
        if self.verbose:
            print(f"Epoch {self._epoch + 1}: saved {path}")


class CSVLogger(Callback):
    """Write a line of metrics per epoch to a CSV file.

    Args:
        filename: Path.
        separator: Str, default ",".
        append (bool, default False): Continue an existing file, of which the header is kept.

    Source: Keras's ``keras.callbacks.CSVLogger``.

    Example:
        >>> from drivetrain.train import CSVLogger
        >>> log = CSVLogger("history.csv")
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self.keys: Sequence[str] | None = None
        self._file: IO[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys = None
        if self.append and os.path.exists(self.filename):
            with open(self.filename, newline="", encoding="utf-8") as file:
                header = next(csv.reader(file, delimiter=self.separator), None)
            self.keys = header[1:] if header else None
        mode = "a" if self.append else "w"
        # Open until on_train_end, which is called however the training ends.
        self._file = open(self.filename, mode, newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._file is None:
            raise RuntimeError("CSVLogger: on_epoch_end came before on_train_begin")
        values = logs or {}
        writer = csv.writer(self._file, delimiter=self.separator, lineterminator="\n")
        if self.keys is None:
            self.keys = sorted(values)
            writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *(values.get(key, "NA") for key in self.keys)])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
