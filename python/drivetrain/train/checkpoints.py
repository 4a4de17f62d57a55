"""A folder of checkpoints: the last ones and the best, each whole or not there."""

from __future__ import annotations

import contextlib
import math
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..io import read_document, read_state, write_state
from ..io.atomic import sweep
from ..io.state import flatten

KIND = "checkpoint"
NAME = re.compile(r"checkpoint-(?P<number>[0-9]{6,18})\.safetensors")


class Saved(NamedTuple):
    number: int
    value: float | None  # of the metric that says which is best


class CheckpointFolder:
    """Saves checkpoints under running numbers and removes those that are neither among the last nor the best.

    Args:
        folder (path): Made when the first checkpoint is saved.
        keep_last (int): How many of the newest stay.
        keep_best (int): How many of those with the best value stay besides.
        sign (1 or -1): Whether a larger or a smaller value is better.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, keep_last: int = 3, keep_best: int = 0, sign: float = -1.0
    ) -> None:
        self.folder = Path(folder)
        self.keep_last, self.keep_best, self.sign = keep_last, keep_best, sign
        self._saved: list[Saved] | None = None

    def numbers(self) -> list[int]:
        """The numbers of the checkpoints that are there, the newest first."""
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(
            (int(found["number"]) for name in names if (found := NAME.fullmatch(name))), reverse=True
        )

    def path(self, number: int) -> Path:
        return self.folder / f"checkpoint-{number:06d}.safetensors"

    def newest(self) -> Path | None:
        """The newest checkpoint, damaged or not."""
        return next((self.path(number) for number in self.numbers()), None)

    def save(self, state: Mapping[str, Any], value: float | None = None, **entries: Any) -> Path:
        """Write a checkpoint, and only then remove others.

        Raises:
            OSError: When it cannot be written; all others are then as they were.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        numbers = self.numbers()
        saved = Saved(max(numbers, default=0) + 1, value)
        path = self.path(saved.number)
        number = value if value is not None and math.isfinite(value) else None
        write_state(path, state, kind=KIND, value=number, **entries)
        known = [*self._known(numbers), saved]
        self._saved = [each for each in known if each in self._kept(known) or not self._remove(each)]
        return path

    @staticmethod
    def try_state(state: Mapping[str, Any]) -> None:
        """Raises TypeError where a state has what no file can hold."""
        flatten(state)

    def _known(self, numbers: list[int]) -> list[Saved]:
        """What is there, with the values that the files of an earlier process say."""
        known = {saved.number: saved for saved in self._saved or []}
        return [known.get(number) or Saved(number, value_of(self.path(number))) for number in numbers]

    def _kept(self, known: list[Saved]) -> list[Saved]:
        last = sorted(known, reverse=True, key=lambda saved: saved.number)[: self.keep_last]
        valued = [saved for saved in known if saved.value is not None and not math.isnan(saved.value)]
        best = sorted(
            valued, reverse=True, key=lambda saved: (self.sign * (saved.value or 0.0), saved.number)
        )
        return last + best[: self.keep_best]

    def _remove(self, saved: Saved) -> bool:
        try:
            self.path(saved.number).unlink(missing_ok=True)
        except OSError:
            return False  # it stays until it can be removed
        return True

    def read_newest(self) -> tuple[Path, dict[str, Any]] | None:
        """Read the newest checkpoint that is whole; a warning names those that are not.

        Returns:
            Its path and state; None where there are no checkpoints.

        Raises:
            ValueError: When there are some, but none is whole.
        """
        problems = []
        for number in self.numbers():
            path = self.path(number)
            try:
                state, _ = read_state(path, kind=KIND)
            except (ValueError, OSError) as error:
                problems.append(f"{path.name}: {error}")
                continue
            if problems:
                warnings.warn(
                    f"{self.folder}: {path.name} is used, since newer ones cannot be read "
                    f"({'; '.join(problems)})",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return path, state
        if problems:
            raise ValueError(f"{self.folder}: no checkpoint can be read ({'; '.join(problems)})")
        return None

    def sweep(self) -> list[str]:
        """Remove what killed processes have left of saving; the names."""
        return sweep(self.folder, NAME)

    def clear(self) -> None:
        """Remove all checkpoints, and the folder where nothing else is in it."""
        for number in self.numbers():
            self._remove(Saved(number, None))
        self._saved = None
        self.sweep()
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def value_of(path: Path) -> float | None:
    try:
        value = read_document(path, kind=KIND).get("value")
    except (ValueError, OSError):
        return None
    return float(value) if isinstance(value, (int, float)) else None


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[Path, dict[str, Any]]:
    """Read a checkpoint, or the newest whole one of a folder.

    Raises:
        FileNotFoundError: When there is none.
        ValueError: When it is damaged or something else.
    """
    where = Path(path)
    if where.is_dir():
        found = CheckpointFolder(where).read_newest()
        if found is None:
            raise FileNotFoundError(f"{where} has no checkpoints")
        return found
    return where, read_state(where, kind=KIND)[0]
