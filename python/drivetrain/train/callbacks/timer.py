"""The end of a training when its time is over."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping
from typing import Any

from ..._checks import verbosity
from .base import Callback, Logs

STAGES = ("train", "validate")


class Timer(Callback):
    """Measure the time of training and of validation, and end the training after a time.

    Args:
        duration (str, timedelta, dict or number, optional): How long ``fit`` may train, its validations
            included: "DD:HH:MM:SS", a `datetime.timedelta`, its arguments as a dict, or seconds. Time of
            earlier fits, and of the run that a resumed one goes on from, counts. Default: no end.
        interval ("step" or "epoch", default "step"): Ends the training after a batch, or after an epoch.
        verbose (bool, default True): Prints a line when time is up.

    Source: PyTorch Lightning's ``Timer``.

    Example:
        >>> from drivetrain.train import Timer
        >>> Timer({"hours": 8}).time_remaining()
        28800.0
    """

    def __init__(self, duration: Any = None, interval: str = "step", verbose: bool = True) -> None:
        super().__init__()
        if interval not in ("step", "epoch"):
            raise ValueError(f"Timer: interval is {interval!r}, expected 'step' or 'epoch'")
        self.duration = None if duration is None else in_seconds(duration)
        self.interval, self.verbose = interval, verbosity("Timer", verbose)
        self._spent = dict.fromkeys(STAGES, 0.0)
        self._began: dict[str, float] = {}
        self._in_training = False

    def time_elapsed(self, stage: str = "train") -> float:
        """Seconds so far of "train", which has the validations in it, or of "validate"."""
        if stage not in STAGES:
            raise ValueError(f"Timer: stage is {stage!r}, expected 'train' or 'validate'")
        running = time.monotonic() - self._began[stage] if stage in self._began else 0.0
        return self._spent[stage] + running

    def time_remaining(self) -> float | None:
        """Seconds that are left of the duration, None where there is none."""
        return None if self.duration is None else max(self.duration - self.time_elapsed(), 0.0)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_training = True
        self._start("train")
        self._look()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_training = False
        self._stop("validate")
        self._stop("train")

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if self._in_training:
            self._start("validate")

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._stop("validate")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if self.interval == "step":
            self._look()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._look()

    def _start(self, stage: str) -> None:
        self._began[stage] = time.monotonic()

    def _stop(self, stage: str) -> None:
        if stage in self._began:
            self._spent[stage] += time.monotonic() - self._began.pop(stage)

    def _look(self) -> None:
        if self.duration is None or self.model.stop_training or self.time_elapsed() < self.duration:
            return
        self.model.stop_training = True
        if self.verbose:
            print(f"The time of {self.duration:g} seconds is over: the training ends.")

    def state_dict(self) -> dict[str, Any]:
        """The time so far."""
        return {"elapsed": {stage: self.time_elapsed(stage) for stage in STAGES}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the time of the run that is resumed."""
        elapsed = state.get("elapsed")
        if not isinstance(elapsed, Mapping) or not all(is_time(elapsed.get(stage)) for stage in STAGES):
            raise ValueError(f"Timer.load_state_dict: got {dict(state)!r:.80}, expected the times elapsed")
        self._spent = {stage: float(elapsed[stage]) for stage in STAGES}
        self._began = {stage: time.monotonic() for stage in self._began}


def is_time(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value) and value >= 0


def in_seconds(duration: Any) -> float:
    """Return a duration in seconds."""
    if isinstance(duration, Mapping):
        try:
            duration = datetime.timedelta(**duration)
        except (TypeError, OverflowError) as error:
            raise ValueError(
                f"Timer: duration is {duration!r:.80}, which timedelta refuses: {error}"
            ) from None
    if isinstance(duration, datetime.timedelta):
        duration = duration.total_seconds()
    if isinstance(duration, str):
        parts = duration.split(":")
        if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
            raise ValueError(f"Timer: duration is {duration!r}, expected 'DD:HH:MM:SS'")
        days, hours, minutes, seconds = map(int, parts)
        duration = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if isinstance(duration, bool) or not isinstance(duration, (int, float)):
        raise TypeError(
            f"Timer: duration is a {type(duration).__name__}, expected 'DD:HH:MM:SS', a timedelta, a dict of "
            "its arguments or seconds"
        )
    if not (duration >= 0 and math.isfinite(duration)):
        raise ValueError(f"Timer: duration is {duration}, expected a finite number of at least 0")
    return float(duration)
