"""Windows of a file of text, for language models."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .._checks import integer
from .dataset import Dataset, check_index


def open_regular(path: Path) -> BufferedReader:
    """Open a file that has a size and stays: a pipe would be waited for, a device may have no end."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} is no regular file, but a folder, a pipe or a device")
    return path.open("rb")


class FileWindows(Dataset):
    """The bytes of a file in windows of ``steps``, each with the bytes that follow: what comes next?

    Sample i is ``(x, y)``, int64 arrays of shape (steps,) with values 0 to 255: x are the bytes from
    ``start + i * steps`` on, y those one place later. What is left at the end for less than a window is not
    used. The file is read window by window, so it may be larger than the memory; lines may have any length.

    Args:
        path (path): The file; text of any encoding, or anything else.
        steps (int): Bytes of a window.
        start, stop (int, default: the whole file): Places in the file that the windows lie between.

    Raises:
        OSError: When the file cannot be opened or read.
        ValueError: For a folder, a pipe or a device, and a part that is shorter than steps + 1 bytes or not
            in the file; and from reading, when the file has become shorter.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain.data import FileWindows
        >>> path = pathlib.Path(tempfile.mkdtemp(), "text")
        >>> path.write_text("abcdefgh")
        8
        >>> windows = FileWindows(path, steps=3)
        >>> len(windows), bytes(windows[1][0].tolist()), bytes(windows[1][1].tolist())
        (2, b'def', b'efg')
    """

    def __init__(
        self, path: str | os.PathLike[str], steps: int, *, start: int = 0, stop: int | None = None
    ) -> None:
        self.path, self.steps = Path(path), integer("FileWindows", "steps", steps)
        with open_regular(self.path) as file:
            size = os.fstat(file.fileno()).st_size
        self.start = integer("FileWindows", "start", start, 0)
        self.stop = size if stop is None else integer("FileWindows", "stop", stop, 0)
        if self.stop > size:
            raise ValueError(f"FileWindows: stop is {self.stop:,}, but {path} has {size:,} bytes")
        self._count = (self.stop - self.start - 1) // self.steps
        if self._count < 1:
            raise ValueError(
                f"FileWindows: {path} has {max(self.stop - self.start, 0):,} bytes from {self.start:,} to "
                f"{self.stop:,}, expected at least {self.steps + 1:,}: one window and the byte behind it"
            )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        check_index("FileWindows", index)
        if not -self._count <= index < self._count:
            raise IndexError(f"FileWindows: index {index} is out of range for {self._count} windows")
        x, y = self.take(np.array([index % self._count]))
        return x[0], y[0]

    def take(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the windows of a whole batch, (n, steps) each."""
        wanted = self.steps + 1
        found = np.empty((len(indices), wanted), np.uint8)
        with self.path.open("rb", buffering=0) as file:
            for row, index in zip(found, indices.tolist(), strict=True):
                part = os.pread(file.fileno(), wanted, self.start + index * self.steps)
                if len(part) < wanted:
                    raise ValueError(f"FileWindows: {self.path} has become shorter since it was opened")
                row[:] = np.frombuffer(part, np.uint8)
        tokens = found.astype(np.int64)
        return tokens[:, :-1], tokens[:, 1:]

    def __repr__(self) -> str:
        return f"FileWindows({str(self.path)!r}, steps={self.steps}, start={self.start}, stop={self.stop})"
