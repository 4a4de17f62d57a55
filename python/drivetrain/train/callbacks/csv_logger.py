"""A table of metrics in a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from typing import IO

from .base import Callback, Logs


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

    writes_files = True

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
