"""The header of a safetensors file: what it holds and where, checked before anything is read by it.

The package safetensors reads such files too, but twice names, hashes and bfloat16 for NumPy are beyond it.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .strict_json import loads

DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
}
NAMES = {theirs: ours for ours, theirs in DTYPES.items()}
KEY, HASH = "drivetrain", "blake2b"
HDF5_TITLE = b"drivetrain weights, HDF5 from byte 512 on, blake2b of that: "
LONGEST = 100_000_000  # bytes of a header, as in safetensors
MOST_AXES = 32


class Entry(NamedTuple):
    """A tensor of the file: bytes ``begin`` to ``end`` behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    metadata: dict[str, str]
    entries: dict[str, Entry]
    raw: dict[str, Any]  # the entries as they stand there
    start: int  # of the elements


def start_hash(document: str, entries: Mapping[str, Any]) -> Any:
    """The hash of a file begins with its document and its table of tensors; their elements follow."""
    digest = hashlib.blake2b(digest_size=32)
    digest.update(json.dumps([document, entries], sort_keys=True).encode())
    return digest


def read_header(file: BinaryIO, path: str | os.PathLike[str]) -> Header:
    """Read and check the header: it says nothing that the size of the file does not bear out."""
    try:
        refuse_weights(file)
        return _read(file)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is truncated, damaged or no safetensors file ({error})") from None


def refuse_weights(file: BinaryIO) -> None:
    """Raises for the other formats of weights, whose headers would be taken for damaged ones."""
    start = file.read(len(HDF5_TITLE))
    file.seek(0)
    names = {b"PK\3\4": "an .npz", b"\x89HDF\r\n\x1a\n": "an HDF5", HDF5_TITLE: "an HDF5"}
    for first, name in names.items():
        if start.startswith(first):
            raise ValueError(
                f"it is {name} file, which holds weights alone: build the model and read them into it with "
                "load_weights(model, path), whose path must end in .npz, .h5 or .hdf5"
            )


def _read(file: BinaryIO) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size < 8:
        raise ValueError(f"it has {size} bytes, less than the shortest")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > min(size - 8, LONGEST):
        raise ValueError(f"its header is said to have {length} bytes, the file has {size}")
    content = loads(file.read(length))
    if not isinstance(content, dict):
        raise ValueError(f"its header is a {type(content).__name__}, expected an object")
    metadata = content.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("its metadata are no strings")
    entries = {name: _entry(name, value) for name, value in content.items()}
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise ValueError(f"{name[:80]} begins at {entry.begin}, expected {position}")
        position = entry.end
    if position != size - 8 - length:
        raise ValueError(f"its tensors have {position} bytes, there are {size - 8 - length}")
    return Header(metadata, entries, content, 8 + length)


def _entry(name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:80]} has no dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in NAMES:
        raise ValueError(f"{name[:80]} has the unknown dtype {str(dtype)[:80]}")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2 or len(shape) > MOST_AXES:
        raise ValueError(f"{name[:80]} has no shape or no place")
    count = 1
    for extent in shape:
        count = min(count * extent, 2**64)
    begin, end = offsets
    itemsize = 2 if dtype == "BF16" else np.dtype(NAMES[dtype]).itemsize
    if end - begin != count * itemsize:
        raise ValueError(f"{name[:80]} has shape {shape}, which {end - begin} bytes are not")
    return Entry(NAMES[dtype], tuple(shape), begin, end)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**63 for item in value)
