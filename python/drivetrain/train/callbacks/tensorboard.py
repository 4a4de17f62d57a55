"""A training in TensorBoard."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._checks import flag, integer
from ..._extras import need
from .base import Callback, Logs, check_path, check_state


class TensorBoard(Callback):
    """Write metrics, weights and hyper-parameters for TensorBoard.

    Needs tensorboardX, which ``pip install 'drivetrain[tensorboard]'`` brings; to look at the files, install
    tensorboard and run ``tensorboard --logdir logs``. Training and validation are two runs, "train" and
    "validation", with Keras's names: "epoch_loss", "batch_loss" and so on. A resumed training goes on in the
    same folder, where its epochs take the place of those that it does again; entries of batches stand twice.

    Args:
        log_dir (path, default "logs"): Folder of the runs.
        histogram_freq (int, default 0): Writes a histogram of every weight after every so many epochs.
        write_images (bool, default False): Writes pictures of the weights with two axes or of convolutions
            as often as histograms.
        update_freq ("epoch", "batch" or int, default "epoch"): Writes the metrics of a batch after every one,
            or after every so many, as well.
        write_steps_per_second (bool, default False): Writes the batches of training per second.
        hparams (dict, optional): Hyper-parameters, shown beside the metrics of the last epoch.

    Raises:
        ModuleNotFoundError: Without tensorboardX; the message says the command that installs it.

    Source: Keras's ``keras.callbacks.TensorBoard``; there is no graph to write.

    Example:
        >>> from drivetrain.train import TensorBoard
        >>> board = TensorBoard("logs/first", histogram_freq=1, hparams={"lr": 0.1})
    """

    writes_files = True

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_images: bool = False,
        update_freq: str | int = "epoch",
        write_steps_per_second: bool = False,
        hparams: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        integer("TensorBoard", "histogram_freq", histogram_freq, 0)
        is_count = isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq >= 1
        if update_freq not in ("epoch", "batch") and not is_count:
            raise ValueError(
                f"TensorBoard: update_freq is {update_freq!r}, expected 'epoch', 'batch' or a number of "
                "batches"
            )
        self.log_dir = check_path("TensorBoard", "log_dir", log_dir)
        self.histogram_freq, self.update_freq = histogram_freq, update_freq
        self.write_images = flag("TensorBoard", "write_images", write_images)
        self.write_steps_per_second = flag("TensorBoard", "write_steps_per_second", write_steps_per_second)
        self.hparams = dict(hparams or {})
        self._writers: dict[str, Any] = {}
        self._purge: dict[str, int] = {}  # the step from which an earlier run's entries do not count
        self._last: Logs = {}
        self._batches = 0
        need("TensorBoard", "tensorboardX", "tensorboardX", "tensorboard")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        import time

        self._writers, self._purge, self._last, self._batches = {}, {}, {}, 0
        self._clock, self._clock_batches = time.perf_counter(), 0

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.update_freq == "epoch":
            return
        every = 1 if self.update_freq == "batch" else int(self.update_freq)
        if self._batches % every == 0:
            self._scalars("train", "batch_", logs or {}, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        self._last = dict(logs)
        training = {name: value for name, value in logs.items() if not name.startswith("val_")}
        validation = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        if self.write_steps_per_second:
            training["steps_per_second"] = self._speed()
        self._scalars("train", "epoch_", training, epoch)
        if validation:
            self._scalars("validation", "epoch_", validation, epoch)
        if self.histogram_freq and (epoch + 1) % self.histogram_freq == 0:
            self._weights(epoch)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.hparams and self._last:
            results = {f"hparam/{name}": value for name, value in numbers_of(self._last).items()}
            hparams = {
                name: value if isinstance(value, (bool, int, float, str)) else str(value)
                for name, value in self.hparams.items()
            }
            self._writer("train").add_hparams(hparams, results, name="hparams")
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            library = need("TensorBoard", "tensorboardX", "tensorboardX", "tensorboard")
            folder = os.path.join(self.log_dir, run)
            self._writers[run] = library.SummaryWriter(folder, purge_step=self._purge.get(run))
        return self._writers[run]

    def _scalars(self, run: str, prefix: str, logs: Logs, step: int) -> None:
        writer = self._writer(run)
        for name, value in numbers_of(logs).items():
            writer.add_scalar(prefix + name, value, step)
        writer.flush()

    def _weights(self, epoch: int) -> None:
        writer = self._writer("train")
        for name, parameter in self.model.named_parameters():
            values = np.asarray(parameter.detach().float())
            if not np.isfinite(values).all():
                continue  # no histogram has a place for them
            writer.add_histogram(name, values, epoch)
            if self.write_images and (picture := as_picture(values)) is not None:
                writer.add_image(name, picture, epoch, dataformats="HW")
        writer.flush()

    def _speed(self) -> float:
        import time

        now = time.perf_counter()
        speed = (self._batches - self._clock_batches) / max(now - self._clock, 1e-9)
        self._clock, self._clock_batches = now, self._batches
        return speed

    def state_dict(self) -> dict[str, Any]:
        """The batches counted, and the metrics of the last epoch."""
        loop = self.trainer.loop
        return {"batches": self._batches, "epoch": loop.epoch, "last": numbers_of(self._last)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there: entries of epochs that are done again replace those that were written before."""
        check_state(self, state, batches=(int,), epoch=(int,), last=(dict,))
        self._batches = self._clock_batches = state["batches"]
        self._last = dict(state["last"])
        # Steps of one run are epochs or batches; only where all are of one kind do they say what is old.
        if self.update_freq == "epoch":
            self._purge = {"train": state["epoch"], "validation": state["epoch"]}


def numbers_of(logs: Logs) -> dict[str, float]:
    """What of the logs is a number."""
    return {
        name: float(value)
        for name, value in logs.items()
        if isinstance(value, (int, float, np.number)) and not math.isnan(value)
    }


def as_picture(values: Any) -> Any:
    """Weights as one grey picture with values from 0 to 1: convolutions as a grid of windows, one row per
    output. None for what has one axis."""
    if values.ndim == 4:  # (out, height, width, in): the mean over the inputs
        windows = values.mean(axis=3)
        count, height, width = windows.shape
        columns = math.ceil(math.sqrt(count))
        rows = -(-count // columns)
        grid = np.full((rows * height, columns * width), windows.min(), windows.dtype)
        for i, window in enumerate(windows):
            row, column = divmod(i, columns)
            grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = window
        values = grid
    if values.ndim != 2:
        return None
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
