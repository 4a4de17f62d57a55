"""A table of metrics in a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from typing import IO, Any

from ..._checks import flag
from .base import Callback, Logs, check_path, check_state


class CSVLogger(Callback):
    """Write a line of metrics per epoch to a CSV file.

    A resumed training goes on in the file of the one before: lines of epochs that it does again are cut off.

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
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator is {separator!r:.80}, expected one character")
        self.filename = check_path("CSVLogger", "filename", filename)
        self.separator, self.append = separator, flag("CSVLogger", "append", append)
        self.keys: Sequence[str] | None = None
        self._rows = 0  # lines below the header
        self._file: IO[str] | None = None
        self._begun = False

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.keys, self._rows = None, 0
        if self.append and os.path.exists(self.filename):
            lines = self._lines()
            self.keys = next(csv.reader(lines, delimiter=self.separator))[1:] if lines else None
            self._rows = max(len(lines) - 1, 0)
        else:
            # A folder that is not there is an error now, not at the end of the first epoch; what the file
            # holds stays until then: a training that is resumed goes on in it.
            open(self.filename, "a").close()
        self._begun = True

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        file = self._open()
        values = logs or {}
        writer = csv.writer(file, delimiter=self.separator, lineterminator="\n")
        if self.keys is None:
            self.keys = sorted(values)
            writer.writerow(["epoch", *self.keys])
        writer.writerow([epoch, *(values.get(key, "NA") for key in self.keys)])
        file.flush()
        self._rows += 1

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._begun:
            self._open().close()
            self._file, self._begun = None, False

    def _open(self) -> IO[str]:
        """The file, cut behind the lines that count; open until on_train_end, however the training ends."""
        if not self._begun:
            raise RuntimeError("CSVLogger: on_epoch_end came before on_train_begin")
        if self._file is None:
            # What another training has left is not read: it may be anything.
            lines = self._lines() if self.keys is not None else []
            kept = lines[: self._rows + 1]
            if (
                self.keys is None
                or len(kept) != len(lines)
                or not os.path.exists(self.filename)
                or self._is_torn()
            ):
                from ...io.atomic import write_text

                write_text(self.filename, "".join(f"{line}\n" for line in kept))
            self._file = open(self.filename, "a", newline="", encoding="utf-8")  # noqa: SIM115
        return self._file

    def _lines(self) -> list[str]:
        with open(self.filename, encoding="utf-8") as file:
            try:
                return file.read().splitlines()
            except UnicodeDecodeError:
                raise ValueError(f"CSVLogger: {self.filename} is no text in UTF-8") from None

    def _is_torn(self) -> bool:
        """Whether the last line has no end, as of a writer that was killed."""
        with open(self.filename, "rb") as file:
            content = file.read()
        return bool(content) and not content.endswith(b"\n")

    def state_dict(self) -> dict[str, Any]:
        """The columns, and how many lines there are."""
        return {"keys": None if self.keys is None else list(self.keys), "rows": self._rows}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind these lines.

        Raises:
            ValueError: The file has fewer.
        """
        check_state(self, state, keys=(list, None), rows=(int,))
        there = max(len(self._lines()) - 1, 0) if os.path.exists(self.filename) else 0
        if there < state["rows"]:
            raise ValueError(
                f"CSVLogger: {self.filename} has {there} epochs, but {state['rows']} were done when the "
                "state was saved"
            )
        self.keys, self._rows = state["keys"], state["rows"]
