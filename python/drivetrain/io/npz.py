"""Weights as NumPy's .npz: one array per dotted name, which ``numpy.load`` reads."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .arrays import to_array
from .atomic import replacing
from .fit import Found, check_fit, narrow
from .tensorfile import opened

# As numpy.lib.format writes it: the only form that is read, and no expression is evaluated for it.
HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<>|=][biuf][0-9]{1,2})', 'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:[0-9]{1,18}, ?)*(?:[0-9]{1,18})?)\), \} *\n"
)
LONGEST = 4096  # bytes of a header
CHUNK = 1 << 20
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OverflowError, NotImplementedError)


def write_npz(path: str | os.PathLike[str], tensors: Mapping[str, Any]) -> None:
    """Write arrays; bfloat16, which NumPy lacks, as float32."""
    arrays: dict[str, Any] = {name: to_array(narrow(value)) for name, value in tensors.items()}
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            # Without the time of day: the same weights make the same bytes.
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.external_attr = 0o600 << 16
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def read_npz(path: str | os.PathLike[str], model: Any, strict: bool) -> dict[str, NDArray[Any]]:
    """Read the arrays that a model needs.

    Names and shapes are compared with the model's before memory is allocated for them, and no array is
    unpacked beyond what its shape says: what memory it takes does not depend on the file.

    Raises:
        ValueError: When it is damaged, or does not fit the model.
    """
    with opened(path) as file, _damage(path), zipfile.ZipFile(file) as archive:
        entries = _entries(path, archive)
        wanted = model.state_dict()
        streams = {name: entry for name, entry in entries.items() if name in wanted}
        found: dict[str, Found | None] = dict.fromkeys(entries)
        for name, entry in streams.items():
            with archive.open(entry) as stream:
                found[name] = _header(path, name, stream)[0]
        check_fit(path, found, model, strict)
        return {name: _array(path, name, archive, entry) for name, entry in streams.items()}


@contextlib.contextmanager
def _damage(path: Any) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EINVAL:  # a place before the file's beginning
            raise
        raise ValueError(f"{path} is damaged ({error})") from None
    except (*DAMAGE, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is truncated, damaged or no .npz file ({error})") from None


def _entries(path: Any, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename.removesuffix(".npy")
        if name in entries:
            raise ValueError(f"{path} has {name[:80]!r} twice")
        # The others unpack as much as they like at once.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{path} has {name[:80]!r} packed in a way that numpy.savez does not use")
        entries[name] = entry
    return entries


def _header(path: Any, name: str, stream: IO[bytes]) -> tuple[Found, np.dtype[Any], bool]:
    """Read the head of an array: what it is, its dtype, and whether columns come first."""
    head = stream.read(8)
    form = "<H" if head[6:7] == b"\1" else "<I"
    (length,) = struct.unpack(form, stream.read(struct.calcsize(form)))
    if head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3) or length > LONGEST:
        raise ValueError(f"{path}: {name} is no array of numbers")
    match = HEADER.fullmatch(stream.read(length).decode("latin-1"))
    if match is None:
        raise ValueError(f"{path}: {name} is no array of numbers (objects and records are not read)")
    try:
        dtype = np.dtype(match["dtype"])
    except TypeError as error:
        raise ValueError(f"{path}: {name} has an unknown dtype ({error})") from None
    shape = tuple(int(extent) for extent in match["shape"].replace(",", " ").split())
    return Found(shape, dtype.name), dtype, match["fortran"] == "True"


def _array(path: Any, name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(entry) as stream:
        found, dtype, fortran = _header(path, name, stream)
        array: NDArray[Any] = np.empty(found.shape, dtype)
        rest = array.reshape(-1).view(np.uint8).data
        while rest:
            part = stream.read(min(CHUNK, len(rest)))
            if not part:
                raise ValueError(f"{path} is truncated: the end of {name} is missing")
            rest[: len(part)] = part
            rest = rest[len(part) :]
        if stream.read(1):  # at the end it also compares the checksum
            raise ValueError(f"{path}: {name} has more elements than its shape {found.shape}")
    if fortran:
        array = array.reshape(found.shape[::-1]).T
    return np.ascontiguousarray(array, dtype.newbyteorder("="))
