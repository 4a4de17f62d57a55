"""Files that are either the old one or the new one, whenever the machine stops."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

TEMPORARY = re.compile(r"\.(?P<target>.+)\.[0-9a-f]{12}\.tmp", re.DOTALL)


def as_path(path: Any) -> Path:
    """The path; raises for what is none."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path is {path!r:.80}, expected a str or a path")
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a new file in the same folder to write to; afterwards sync it and rename it to ``path``.

    A link stays a link: the file that it names is replaced. A device or pipe is refused, since a renaming
    would put a plain file in its place.

    After an exception the old file stands and the new one is gone. What a killed process leaves is for
    ``sweep``.
    """
    target = Path(os.path.realpath(as_path(path)))
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, expected the name of a file")
    if target.exists() and not target.is_file():
        raise OSError(f"{target} is a device, pipe or socket, expected the name of a file")
    file, temporary = new_temporary(target)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        # Whatever is wrong with the folder now, the first error is the one to tell.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    # The renaming itself lives in the folder.
    sync(target.parent)


def new_temporary(target: Path) -> tuple[BinaryIO, Path]:
    """Make a file beside ``target``, locked as long as it is open, so that nobody sweeps it."""
    while True:
        path = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        file = open(path, "x+b")  # noqa: SIM115
        # A sweeper may have come between: then the lock is of a file that has no name any more.
        if not lock(file, wait=True) or is_there(file, path):
            return file, path
        file.close()


def lock(file: BinaryIO, *, wait: bool) -> bool:
    """Take the lock of a file; False where another process has it, or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_there(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False


def sweep(folder: Path, target: re.Pattern[str]) -> list[str]:
    """Remove what killed processes have left of writing files whose names ``target`` matches.

    Returns:
        The names that were removed. Files whose writer lives are locked and stay, as do all on file systems
        without locks, those that may not be removed, and those of other names.
    """
    removed = []
    with contextlib.suppress(OSError):
        for name in sorted(os.listdir(folder)):
            found = TEMPORARY.fullmatch(name)
            if found and target.fullmatch(found["target"]) and remove_unlocked(folder / name):
                removed.append(name)
    return removed


def remove_unlocked(path: Path) -> bool:
    try:
        if path.is_symlink() or not path.is_file():
            return False
        with open(path, "rb") as file:
            if not lock(file, wait=False):
                return False
            path.unlink()
    except OSError:
        return False
    return True


def sync(path: Path) -> None:
    """Wait until a folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a small text file atomically."""
    with replacing(path) as file:
        file.write(text.encode())
