"""Checkpoints of the whole training, to go on from after whatever ended it."""

from __future__ import annotations

import os
import warnings

from ..._checks import flags, integer, verbosity
from ..checkpoints import CheckpointFolder
from .base import Callback, Logs, check_freq, check_path
from .early_stopping import Monitor


class Checkpoint(Callback):
    """Save all of the training as it goes on: ``fit(..., resume="auto")`` goes on with the same bits.

    Args:
        folder (path): Where to save; made when needed.
        save_freq ("epoch" or int, default "epoch"): Save after every epoch, or after so many batches.
        keep_last (int, default 3): How many of the newest checkpoints stay.
        keep_best (int, default 1): With ``monitor``, how many of those with the best metric stay besides.
        monitor (str, optional): The metric that says which is best. Of checkpoints within an epoch it is not
            known yet, unless it is one of training.
        mode ("auto", "min" or "max"): Which direction is better; "auto" takes the larger for names such as
            accuracy, the smaller for others.
        verbose (int, default 0): 1 prints a line for every file.

    A checkpoint is written under another name, synced and renamed; only then are older ones removed. When one
    cannot be written - disk full, permission lost - the training goes on with a warning, and the older ones
    stay. At the last batch of an epoch the save waits for the epoch's end.

    Raises:
        ValueError: From ``fit`` without ``resume`` in a folder with the checkpoints of an earlier run.

    Example:
        >>> from drivetrain.train import Checkpoint
        >>> save = Checkpoint("run/checkpoints", save_freq=500, monitor="val_loss")
    """

    writes_files = True
    saves_state = True
    resumes = False  # without being asked

    def __init__(
        self,
        folder: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        keep_last: int = 3,
        keep_best: int = 1,
        monitor: str | None = None,
        mode: str = "auto",
        verbose: int = 0,
    ) -> None:
        super().__init__()
        self.save_freq = check_freq(self._name, save_freq)
        for name, value, least in (("keep_last", keep_last, 1), ("keep_best", keep_best, 0)):
            integer(self._name, name, value, least)
        self.verbose = verbosity(self._name, verbose)
        self._monitor = None if monitor is None else Monitor(self._name, monitor, mode)
        sign = -1.0 if self._monitor is None else self._monitor.sign
        folder = check_path(self._name, "directory", folder)
        self.checkpoints = CheckpointFolder(folder, keep_last=keep_last, keep_best=keep_best, sign=sign)
        self._is_due = False
        self._has_saved = False
        self._failures = 0

    @property
    def _name(self) -> str:
        return type(self).__name__

    def check_fresh(self) -> None:
        """Raises where checkpoints would be mixed with those of an earlier run."""
        newest = None if self._has_saved else self.checkpoints.newest()
        if newest is not None:
            raise ValueError(
                f"fit: {self.checkpoints.folder} has checkpoints already, such as {newest.name}: pass "
                "resume='auto' to go on from there, or name another folder"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._is_due = False
        self._failures = 0
        self.checkpoints.sweep()
        # What no file can hold is said now, and not after the first epoch.
        self.checkpoints.try_state(self.trainer.state_dict())

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            return
        loop = self.trainer.loop
        self._is_due |= loop.batches_seen % int(self.save_freq) == 0
        if self._is_due and loop.batch != self.params.get("steps") and not self.trainer._is_over():
            self._save(logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch" or self._is_due:
            self._save(logs or {})

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._failures:
            warnings.warn(
                f"{self._name}: the last {self._failures} checkpoints could not be written; the newest in "
                f"{self.checkpoints.folder} is {self._newest_name()}",
                RuntimeWarning,
                stacklevel=2,
            )

    def _newest_name(self) -> str:
        try:
            newest = self.checkpoints.newest()
        except OSError as error:
            return f"unknown ({error})"
        return "none" if newest is None else newest.name

    def _save(self, logs: Logs) -> None:
        loop = self.trainer.loop
        self._is_due = False  # where it fails, the next one is tried when that is due
        value = None
        if self._monitor is not None and (loop.batch == 0 or self._monitor.name in logs):
            value = self._monitor.value(logs)
        try:
            path = self.checkpoints.save(
                self.trainer.state_dict(), value, epoch=loop.epoch, batch=loop.batch, step=loop.global_step
            )
        except OSError as error:
            self._fail(error)
            return
        self._has_saved, self._failures = True, 0
        if self.verbose:
            print(f"Epoch {loop.epoch + bool(loop.batch)}: saved {path}")

    def _fail(self, error: OSError) -> None:
        self._failures += 1
        if str(self._failures).strip("0") == "1":  # 1, 10, 100: loud, but not all that is heard
            times = "" if self._failures == 1 else f" ({self._failures} times by now)"
            warnings.warn(
                f"{self._name}: no checkpoint could be written to {self.checkpoints.folder}{times}: {error}. "
                "The training goes on; older checkpoints stay as they are",
                RuntimeWarning,
                stacklevel=2,
            )


class BackupAndRestore(Checkpoint):
    """Save all of the training as it goes on, and go on from there when ``fit`` is called again.

    Args:
        backup_dir (path): The folder of this training alone.
        save_freq ("epoch" or int, default "epoch"): Save after every epoch, or after so many batches.
        double_checkpoint (bool, default False): Keep the checkpoint before the newest as well.
        delete_checkpoint (bool, default True): Remove the checkpoints when the training has come to its end.

    It is `Checkpoint` that resumes by itself.

    Source: Keras's ``keras.callbacks.BackupAndRestore``, which restores whole epochs only.

    Example:
        >>> from drivetrain.train import BackupAndRestore
        >>> backup = BackupAndRestore("run/backup", save_freq=500)
    """

    resumes = True

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        flags("BackupAndRestore", double_checkpoint=double_checkpoint, delete_checkpoint=delete_checkpoint)
        super().__init__(backup_dir, save_freq, keep_last=2 if double_checkpoint else 1, keep_best=0)
        self.backup_dir = check_path("BackupAndRestore", "backup_dir", backup_dir)
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint

    def on_train_end(self, logs: Logs | None = None) -> None:
        super().on_train_end(logs)
        if self.delete_checkpoint and self.trainer._is_complete:
            self.checkpoints.clear()
            self._has_saved = False
