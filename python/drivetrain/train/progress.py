"""The progress of a training, right in a terminal, in a log file and in a notebook.

A terminal and a notebook get one line that is rewritten; a log file gets whole lines only, without carriage
returns: one per epoch, and in long epochs one from time to time.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import Any

import numpy as np

from .callbacks import Callback, Logs

BAR_WIDTH = 20
# Seconds between two drawings; a notebook sends each one through a browser.
REDRAW = {"terminal": 0.1, "notebook": 0.5}
# Seconds between two lines of one epoch in a log.
LOG_INTERVAL = 30.0


def kind_of_output() -> str:
    """Return "terminal", "notebook" or "log", by what standard output is now."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if type(shell).__name__ == "ZMQInteractiveShell":
        return "notebook"
    is_terminal = getattr(sys.stdout, "isatty", lambda: False)()
    return "terminal" if is_terminal and os.environ.get("TERM") != "dumb" else "log"


def check_verbose(where: str, verbose: Any) -> int | str:
    """Return ``verbose`` if it is one of Keras's values."""
    if isinstance(verbose, (bool, np.bool_)):
        return int(verbose)
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"{where}: verbose is {verbose!r}, expected 0, 1, 2 or 'auto'")
    return int(verbose) if verbose != "auto" else "auto"


def format_metrics(logs: Logs) -> str:
    return "".join(f" - {name}: {format_number(value)}" for name, value in logs.items())


def format_number(value: Any) -> str:
    """Four decimals, or the short scientific form where four decimals would say nothing."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def format_seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def format_step_time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f}s/step"
    return f"{seconds * 1e3:.0f}ms/step" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us/step"


class ProgressBar(Callback):
    """Prints the progress of fit, evaluate and predict; they add it according to their ``verbose``.

    Args:
        verbose (0, 1, 2 or "auto"): 0 prints nothing; 1 draws a bar (in a log file: lines at intervals); 2
            prints one line per epoch; "auto" is 1 in a terminal and in a notebook, and 2 in a log file.

    Source: Keras's ``ProgbarLogger``.

    Example:
        >>> from drivetrain.train.progress import ProgressBar
        >>> bar = ProgressBar(verbose=2)
        >>> bar.set_params({"epochs": 1, "steps": 10})
    """

    def __init__(self, verbose: int | str = "auto") -> None:
        super().__init__()
        self.verbose = check_verbose("ProgressBar", verbose)
        self._is_broken = False
        self._in_training = False
        self._line_length = 0

    # What the loop calls.

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._in_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._in_training = False
        self._end_line()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        self._start(self.params.get("steps"))
        if self._mode == 1 and self._output != "log":
            self._write(f"{self._title(epoch)}\n")

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(self._title(epoch), logs or {})

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._in_training:
            self._start(self.params.get("steps"))

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._in_training:
            self._step(batch + 1, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._in_training:
            self._finish("Evaluation", logs or {})

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._start(self.params.get("steps"))

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._step(batch + 1, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._finish("Prediction", {})

    # What it does.

    def _title(self, epoch: int) -> str:
        epochs = self.params.get("epochs")
        return f"Epoch {epoch + 1}" if epochs is None else f"Epoch {epoch + 1}/{epochs}"

    def _start(self, steps: int | None) -> None:
        """Begin a bar. Where the output goes is looked up each time: a notebook cell may redirect it."""
        self._output = kind_of_output()
        self._mode = self.verbose if self.verbose != "auto" else (2 if self._output == "log" else 1)
        self._steps, self._done = steps, 0
        self._began = self._drawn = time.monotonic()

    def _step(self, done: int, logs: Logs | None) -> None:
        self._done = done
        if self._mode != 1:
            return
        now = time.monotonic()
        if now - self._drawn < REDRAW.get(self._output, LOG_INTERVAL):
            return
        self._drawn = now
        if self._output == "log":
            share = f" ({100 * done // self._steps}%)" if self._steps else ""
            place = f"{self._title(self._epoch)}: step" if self._in_training else "Step"
            of = f"/{self._steps}" if self._steps else ""
            spent = format_seconds(now - self._began)
            self._write(f"{place} {done}{of}{share} - {spent}{format_metrics(logs or {})}\n")
        else:
            self._rewrite(self._bar(logs or {}, now - self._began, is_over=False))

    def _finish(self, title: str, logs: Logs) -> None:
        spent = time.monotonic() - self._began
        if self._mode == 0:
            return
        if self._mode == 2 or self._output == "log":
            self._write(f"{title} - {format_seconds(spent)}{format_metrics(logs)}\n")
            return
        self._rewrite(self._bar(logs, spent, is_over=True))
        self._end_line()

    def _bar(self, logs: Logs, spent: float, *, is_over: bool) -> str:
        per_step = spent / max(self._done, 1)
        steps = self._done if is_over else self._steps
        if not steps:
            return (
                f"{self._done}/? {format_seconds(spent)} {format_step_time(per_step)}{format_metrics(logs)}"
            )
        full, empty = ("━", "─") if self._can_write("━─") else ("=", ".")
        filled = BAR_WIDTH * self._done // steps
        bar = full * filled + empty * (BAR_WIDTH - filled)
        left = format_seconds(spent) if is_over else format_seconds(per_step * (steps - self._done)) + " left"
        count = f"{self._done}".rjust(len(str(steps)))
        return f"{count}/{steps} {bar} {left} {format_step_time(per_step)}{format_metrics(logs)}"

    def _rewrite(self, line: str) -> None:
        """Replace the current line. It is cut to the terminal's width: a wrapped line cannot be rewritten."""
        if self._output == "terminal":
            line = line[: shutil.get_terminal_size().columns - 1]
        # Blanks erase what is left of a longer line; a notebook knows no escape codes for it.
        padding = " " * (self._line_length - len(line))
        self._line_length = len(line)
        self._write(f"\r{line}{padding}")

    def _end_line(self) -> None:
        if self._line_length:
            self._line_length = 0
            self._write("\n")

    def _can_write(self, text: str) -> bool:
        try:
            text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def _write(self, text: str) -> None:
        """Write in one piece. A reader that went away (``| head``) ends the printing, not the training."""
        if self._is_broken or sys.stdout is None:
            return
        try:
            sys.stdout.write(text)
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            self._is_broken = True


ProgbarLogger = ProgressBar  # Keras's name
