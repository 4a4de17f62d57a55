"""IDX files, the format of MNIST and its relatives, packed with gzip or not."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

# Third byte of the file -> dtype of the elements, which are big-endian.
DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# One byte of deflate never unpacks to more than 1,032 bytes: a header that promises more is a lie.
MOST_PER_PACKED_BYTE = 1032
CHUNK = 1 << 20


def read_idx(
    path: str | os.PathLike[str], *, shape: tuple[int, ...] | None = None, dtype: str | None = None
) -> NDArray[Any]:
    """Read an IDX file into an array in native byte order.

    Args:
        path (path): The file, with or without gzip (seen by its first bytes, not by its name).
        shape (tuple of int, optional): The shape that the file must have.
        dtype (str, optional): The dtype that the file must have, "uint8" for images.

    Returns:
        array of the file's shape and dtype

    Raises:
        ValueError: When the file is no IDX file, is truncated, has more data than its header says, or has
            another shape or dtype than asked for. The sizes are checked before memory is allocated for them.

    Source: the format is described at https://yann.lecun.com/exdb/mnist/.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp(), "labels")
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        >>> read_idx(path)
        array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    packed_size = path.stat().st_size
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: BinaryIO = gzip.GzipFile(fileobj=raw) if is_packed else raw  # type: ignore[assignment]
        most = packed_size * (MOST_PER_PACKED_BYTE if is_packed else 1)
        try:
            found_dtype, found_shape = read_header(path, file)
            check_expected(path, found_dtype, found_shape, shape, dtype)
            size = math.prod(found_shape) * found_dtype.itemsize
            if size > most:
                raise ValueError(
                    f"read_idx: {path} promises {size} bytes of data (shape {found_shape}), "
                    f"more than its {packed_size} bytes can hold"
                )
            data = read_exactly(path, file, size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"read_idx: {path} is truncated or damaged ({error})") from error
    array = np.frombuffer(data, found_dtype).reshape(found_shape)
    return array.astype(found_dtype.newbyteorder("="), copy=False)


def read_header(path: Path, file: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...]]:
    start = file.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in DTYPES or start[3] == 0:
        raise ValueError(f"read_idx: {path} is no IDX file (it starts with {start.hex(' ') or 'nothing'})")
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise ValueError(f"read_idx: {path} is truncated: it ends inside its header")
    shape = struct.unpack(f">{start[3]}I", sizes)
    if len(shape) > 8:
        raise ValueError(f"read_idx: {path} has {len(shape)} axes, expected at most 8")
    return np.dtype(DTYPES[start[2]]), shape


def check_expected(
    path: Path,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    want_shape: tuple[int, ...] | None,
    want_dtype: str | None,
) -> None:
    if want_shape is not None and shape != tuple(want_shape):
        raise ValueError(f"read_idx: {path} has shape {shape}, expected {tuple(want_shape)}")
    if want_dtype is not None and dtype.name != np.dtype(want_dtype).name:
        raise ValueError(f"read_idx: {path} has dtype {dtype.name}, expected {want_dtype}")


def read_exactly(path: Path, file: BinaryIO, size: int) -> bytearray:
    """Read ``size`` bytes that end the file, in chunks: memory grows with what is really there."""
    data = bytearray()
    while len(data) < size:
        chunk = file.read(min(CHUNK, size - len(data)))
        if not chunk:
            raise ValueError(f"read_idx: {path} is truncated: {len(data)} bytes of data, expected {size}")
        data += chunk
    if file.read(1):
        raise ValueError(f"read_idx: {path} has more data than the {size} bytes that its header says")
    return data
