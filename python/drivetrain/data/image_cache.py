"""Decoded images, kept in memory or in one file on disk."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import mmap
import os
import re
import struct
import threading
import warnings
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .._core import empty
from ..io.atomic import new_temporary, sweep, sync
from .decode import Pixels

MAGIC = b"drivetrain images 1\n"
# Magic, images, place of the table, its CRC-32, the CRC-32 of what is before: the rest of the page is free.
HEADER = struct.Struct("<20sQQ32sI")
START = 4096
COLUMNS = 5  # offset, height, width, channels, CRC-32


class MemoryCache:
    """Images in memory, filled as they are read.

    Those of one size are rows of one array, whose memory the system gives as rows are filled: the wanted
    size, or that of the first image.
    """

    def __init__(self, n: int, shape: tuple[int, int, int] | None) -> None:
        self.rows: Pixels | None = None
        self.images: list[Pixels | None] = [None] * n
        self.is_row = np.zeros(n, np.bool_)
        self.lock = threading.Lock()
        if shape is not None:
            check_memory(n, shape)
            self.rows = np.empty((n, *shape), np.uint8)

    def get(self, index: int) -> Pixels | None:
        """The image, where it is there; not to be written to."""
        return self.images[index]

    def put(self, index: int, pixels: Pixels) -> None:
        """Keep a copy of an image."""
        if self.rows is None:
            with self.lock:
                if self.rows is None:
                    self.rows = self._rows_like(pixels)
        if pixels.shape == self.rows.shape[1:]:
            self.rows[index] = pixels
            self.images[index] = self.rows[index]
            self.is_row[index] = True
        else:
            self.images[index] = pixels.copy()

    def _rows_like(self, pixels: Pixels) -> Pixels:
        try:
            check_memory(len(self.images), pixels.shape)
            return np.empty((len(self.images), *pixels.shape), np.uint8)
        except MemoryError:  # the others may be smaller
            return np.empty((0, 0, 0, 0), np.uint8)

    def put_nothing(self, index: int) -> None:
        """Say that an image cannot be read."""

    def gather(self, indices: NDArray[np.int64]) -> Pixels | None:
        """A batch of images of one size, None where one of them is not there yet, or has another."""
        rows = self.rows_with(indices)
        return None if rows is None else take_rows(rows, indices)

    def rows_with(self, indices: NDArray[np.int64]) -> Pixels | None:
        """All images of one size, where these are among them."""
        return self.rows if self.rows is not None and self.is_row[indices].all() else None


class FileCache:
    """Images in one file, mapped into memory.

    It is written beside its place while the images are read for the first time, and put there when all are
    in. It is written anew when an image file has changed (by size or time), when others are read, or when
    pixels are made in another way. Every image has a checksum, looked at when it is first used.
    """

    def __init__(self, path: str | os.PathLike[str], n: int, fingerprint: bytes) -> None:
        self.path, self.n, self.fingerprint = Path(path), n, fingerprint
        self.table: NDArray[np.int64] = np.zeros((n, COLUMNS), np.int64)
        self.is_there = np.zeros(n, np.bool_)  # and its checksum is right
        self.is_missing = np.zeros(n, np.bool_)
        self.lock = threading.Lock()
        self.map: mmap.mmap | None = None
        self.rows: Pixels | None = None
        self.draft: Draft | None = None
        if not self._open():
            self._begin()

    @property
    def is_complete(self) -> bool:
        """Whether the file is whole and in its place."""
        return self.map is not None

    def get(self, index: int) -> Pixels | None:
        """The image, where it is there; not to be written to."""
        offset, height, width, channels, checksum = self.table[index].tolist()
        draft = self.draft
        if not offset:
            return None
        size = height * width * channels
        if self.map is not None:
            pixels = np.frombuffer(self.map, np.uint8, size, offset)
        elif draft is not None:
            pixels = np.frombuffer(os.pread(draft.descriptor, size, offset), np.uint8)
        else:
            return None
        if not self.is_there[index]:
            if len(pixels) != size or zlib.crc32(pixels.data) != checksum:
                return None  # damaged: it is read from its own file
            self.is_there[index] = True
        return pixels.reshape(height, width, channels)

    def put(self, index: int, pixels: Pixels) -> None:
        """Write an image, as long as the file is not whole."""
        dense = np.ascontiguousarray(pixels)
        with self.lock:
            draft = self.draft
            if draft is None or self.table[index, 0]:
                return
            try:
                write_at(draft.descriptor, dense.data.cast("B"), draft.end)
            except OSError as error:
                self._give_up(error)
                return
            self.table[index] = draft.end, *dense.shape, zlib.crc32(dense.data)
            self.is_there[index] = True
            draft.end += dense.nbytes
            self._complete_when_whole()

    def put_nothing(self, index: int) -> None:
        """Say that an image cannot be read: the file is whole without it."""
        with self.lock:
            self.is_missing[index] = True
            self._complete_when_whole()

    def gather(self, indices: NDArray[np.int64]) -> Pixels | None:
        """A batch of images of one size, None where they differ or one was not looked at yet."""
        if self.rows is None or not self.is_there[indices].all():
            return None
        return take_rows(self.rows, (self.table[indices, 0] - START) // self.rows[0].size)

    def _open(self) -> bool:
        """Map the file; False where there is none, or one of other images, or a damaged one."""
        with contextlib.suppress(OSError, ValueError, struct.error), open(self.path, "rb") as file:
            magic, n, place, fingerprint, checksum = HEADER.unpack(file.read(HEADER.size))
            if (magic, n, fingerprint) != (MAGIC, self.n, self.fingerprint):
                return False
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if len(mapped) != place + n * COLUMNS * 8:
                return False
            table = np.frombuffer(mapped, "<i8", n * COLUMNS, place).reshape(n, COLUMNS).astype(np.int64)
            if zlib.crc32(mapped[place:]) != checksum:
                return False
            self.table = table
            self._use(mapped)
            return True
        return False

    def _use(self, mapped: mmap.mmap) -> None:
        self.map = mapped
        kept = self.table[self.table[:, 0] > 0]
        if len(kept) and (kept[:, 1:4] == kept[0, 1:4]).all():
            shape = tuple(kept[0, 1:4].tolist())
            count = len(kept) * int(np.prod(shape))
            self.rows = np.frombuffer(mapped, np.uint8, count, START).reshape(-1, *shape)

    def _begin(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        sweep(self.path.parent, re.compile(re.escape(self.path.name)))
        self.draft = Draft(*new_temporary(self.path))
        weakref.finalize(self, self.draft.forget, os.getpid())

    def _complete_when_whole(self) -> None:
        draft = self.draft
        if draft is None or not ((self.table[:, 0] > 0) | self.is_missing).all():
            return
        descriptor, table = draft.descriptor, self.table.astype("<i8").tobytes()
        head = HEADER.pack(MAGIC, self.n, draft.end, self.fingerprint, zlib.crc32(table))
        try:
            write_at(descriptor, memoryview(table), draft.end)
            write_at(descriptor, memoryview(head), 0)
            os.fsync(descriptor)
            os.replace(draft.path, self.path)
            sync(self.path.parent)
            self._use(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        except OSError as error:
            self._give_up(error)
        else:
            draft.is_kept, self.draft = True, None

    def _give_up(self, error: OSError) -> None:
        assert self.draft is not None
        draft, self.draft, self.map = self.draft, None, None
        draft.forget(os.getpid())
        self.table[:], self.is_there[:] = 0, False
        warnings.warn(
            f"{self.path} could not be written ({error}): images are read without a cache",
            RuntimeWarning,
            stacklevel=2,
        )


class Draft:
    """A file that is not whole yet. It is closed with the last reference: a thread may be reading from it."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        with file:
            self.descriptor = os.dup(file.fileno())  # with its lock
        weakref.finalize(self, os.close, self.descriptor)
        self.path, self.end = path, START
        self.is_kept = False  # under its name

    def forget(self, process: int) -> None:
        """Remove it, unless it got its name, or this is a fork of the process that writes it."""
        if process == os.getpid() and not self.is_kept:
            self.path.unlink(missing_ok=True)


def take_rows(rows: Pixels, indices: NDArray[np.int64]) -> Pixels:
    out = new_batch((len(indices), *rows.shape[1:]))
    # Other modes than "raise" write straight into out; who asks has checked the indices.
    return rows.take(indices, axis=0, out=out, mode="clip")


def new_batch(shape: tuple[int, ...]) -> Pixels:
    """Memory for a batch, out of the core's pool: the next batch has it again, without page faults."""
    batch: Pixels = empty(shape, dtype="uint8").numpy()
    return batch


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def check_memory(n: int, shape: tuple[int, ...]) -> None:
    """Refuse what the machine cannot hold, before it tries."""
    wanted = n * int(np.prod(shape))
    with contextlib.suppress(ValueError, OSError, AttributeError):
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if wanted > there:
            raise MemoryError(
                f"cache='memory' takes {wanted / 1e9:.1f} GB for {n} images of {shape}, the machine has "
                f"{there / 1e9:.1f} GB; name a file instead"
            )


def fingerprint_of(root: str, paths: Sequence[str], settings: dict[str, Any]) -> bytes:
    """32 bytes that change with the files and with the way to pixels."""
    from PIL import Image

    versions = [getattr(Image, "__version__", "")]
    if settings["decoder"] == "simplejpeg":
        versions.append(importlib.metadata.version("simplejpeg"))
    digest = hashlib.blake2b(json.dumps([settings, versions], sort_keys=True).encode(), digest_size=32)
    for path in paths:
        try:
            status = os.stat(path)
            size, time = status.st_size, status.st_mtime_ns
        except OSError:
            size = time = -1
        name = os.path.relpath(path, root)
        digest.update(os.fsencode(f"{name}\0{size}\0{time}\0"))
    return digest.digest()
