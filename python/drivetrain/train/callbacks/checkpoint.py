"""Saving the model as the training goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..._checks import flag, verbosity
from .base import Callback, Logs, check_freq, check_path, check_state
from .early_stopping import Monitor


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

    writes_files = True

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
        check_freq("ModelCheckpoint", save_freq)
        self._monitor = Monitor("ModelCheckpoint", monitor, mode, best=initial_value_threshold)
        self.filepath = check_path("ModelCheckpoint", "filepath", filepath)
        self.monitor, self.save_freq = monitor, save_freq
        self.verbose = verbosity("ModelCheckpoint", verbose)
        self.save_best_only = flag("ModelCheckpoint", "save_best_only", save_best_only)
        self.save_weights_only = flag("ModelCheckpoint", "save_weights_only", save_weights_only)
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

    def state_dict(self) -> dict[str, Any]:
        """The best value and the batches counted."""
        return {"best": self._monitor.best, "batches": self._batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        check_state(self, state, best=(float, None), batches=(int,))
        self._monitor.best, self._batches = state["best"], state["batches"]

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
        except (ValueError, IndexError) as error:
            raise ValueError(f"ModelCheckpoint: filepath {self.filepath!r} is no format: {error}") from None
        from ...io import save_model, save_weights

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        (save_weights if self.save_weights_only else save_model)(self.model, path)
        if self.verbose:
            print(f"Epoch {self._epoch + 1}: saved {path}")
