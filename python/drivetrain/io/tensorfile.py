"""The file format: named tensors and one JSON document, in a safetensors file.

The document is a JSON object under the key "drivetrain" of the file's metadata. It has at least "format" (a
number that grows when readers must know something new), "version" of drivetrain, "isa" (the level that wrote
it) and "kind". Under "blake2b" the metadata has a hash of the whole content.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from io import BufferedReader
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .arrays import to_array
from .atomic import as_path, replacing
from .fit import Found
from .header import DTYPES, HASH, KEY, Header, read_header, start_hash
from .strict_json import loads

FORMAT = 1
Document = dict[str, Any]


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Any], *, kind: str, **entries: Any
) -> None:
    """Write Tensors or arrays and a document; the file appears under its name when it is complete.

    Args:
        path (path): An existing file is replaced.
        tensors: Mapping of str to Tensor or array.
        kind (str): What the file holds, "model" for instance.
        **entries: Further entries of the document: anything that JSON can hold.

    Raises:
        TypeError: For entries that JSON cannot hold and dtypes that the format cannot.
        OSError: When the file cannot be written; an existing one is left as it was.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from drivetrain.io import read_tensors, write_tensors
        >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
        >>> write_tensors(path, {"x": np.arange(3)}, kind="example", note="three")
        >>> read_tensors(path)[0]["x"]
        array([0, 1, 2])
    """
    from .. import __version__, get_isa

    document = {"format": FORMAT, "version": __version__, "isa": get_isa(), "kind": kind, **entries}
    text = json.dumps(document, allow_nan=False)
    stored = {str(name): _elements(value) for name, value in tensors.items()}
    for name, (_, dtype) in stored.items():
        if dtype not in DTYPES:
            raise TypeError(f"write_tensors: {name} has dtype {dtype}, expected one of {', '.join(DTYPES)}")
    with replacing(path) as file:
        _write(file, stored, text)


class _Elements(NamedTuple):
    """What a file stores: an array and the name of its dtype; the bits of bfloat16, which NumPy lacks."""

    array: NDArray[Any]
    dtype: str


def _elements(value: Any) -> _Elements:
    if getattr(getattr(value, "dtype", None), "name", "") == "bfloat16":
        tensor = _core.asarray(value).detach()
        return _Elements(np.frombuffer(tensor.tobytes(), np.uint16).reshape(tensor.shape), "bfloat16")
    array = np.asarray(to_array(value))
    return _Elements(array, array.dtype.name)


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data


def _write(file: BinaryIO, tensors: Mapping[str, _Elements], document: str) -> None:
    """Write the safetensors format: the length of a JSON header, the header, the elements.

    The package safetensors can do it too, but only with a copy of all elements in memory, or into a file that
    nobody else may read.
    """
    entries: dict[str, Any] = {}
    end = 0
    # The widest elements come first: so all of them lie at multiples of their size.
    names = sorted(tensors, key=lambda name: (-tensors[name].array.itemsize, name))
    for name in names:
        array, dtype = tensors[name]
        begin, end = end, end + array.nbytes
        entries[name] = {"dtype": DTYPES[dtype], "shape": array.shape, "data_offsets": [begin, end]}
    digest = start_hash(document, entries)
    for name in names:
        digest.update(_bytes(tensors[name].array))
    metadata = {KEY: document, HASH: digest.hexdigest()}
    text = json.dumps({"__metadata__": metadata, **entries}).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name in names:
        file.write(_bytes(tensors[name].array))


def read_document(path: str | os.PathLike[str], *, kind: str | None = None) -> Document:
    """Read the document of a file, and none of its tensors.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged, no file of drivetrain, of another kind, or of a format from
            the future.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain.io import read_document, write_tensors
        >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
        >>> write_tensors(path, {}, kind="example", note="three")
        >>> read_document(path)["note"]
        'three'
    """
    with opened(path) as file:
        return checked_document(path, read_header(file, path).metadata, kind)


def read_tensors(
    path: str | os.PathLike[str], *, kind: str | None = None
) -> tuple[dict[str, NDArray[Any]], Document]:
    """Read the arrays and the document of a file.

    bfloat16 becomes the one of the package ml_dtypes, or float32 where that is not installed. The sizes in
    the file's header are checked against its real size before memory is allocated for them, and the content
    against its hash.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged, no file of drivetrain, of another kind, or of a format from
            the future.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from drivetrain.io import read_tensors, write_tensors
        >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
        >>> write_tensors(path, {"x": np.arange(3)}, kind="example")
        >>> arrays, document = read_tensors(path)
        >>> arrays["x"], document["kind"]
        (array([0, 1, 2]), 'example')
    """
    header, contents, document = read_all(path, kind)
    arrays = {
        name: bfloat16_tensor(array).numpy() if header.entries[name].dtype == "bfloat16" else array
        for name, array in contents.items()
    }
    return arrays, document


def read_all(
    path: str | os.PathLike[str], kind: str | None
) -> tuple[Header, dict[str, NDArray[Any]], Document]:
    """Read header, elements and document of a file; bfloat16 comes as the bits in uint16."""
    with opened(path) as file:
        header = read_header(file, path)
        document = checked_document(path, header.metadata, kind)
        return header, _contents(file, path, header), document


def read_foreign(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Read the arrays of a safetensors file that another library wrote; bfloat16 becomes float32, which holds
    all its numbers.

    Raises:
        ValueError: When it is damaged, or drivetrain wrote it: its weights are in our order of axes.
    """
    with opened(path) as file:
        header = read_header(file, path)
        if KEY in header.metadata:
            raise ValueError(
                f"{path} is a file that drivetrain wrote, whose weights are ours: use load_weights"
            )
        contents = _contents(file, path, header)
    return {
        name: (array.astype(np.uint32) << 16).view(np.float32)
        if header.entries[name].dtype == "bfloat16"
        else array
        for name, array in contents.items()
    }


def bfloat16_tensor(bits: NDArray[Any]) -> Any:
    return _core.frombuffer(bytearray(bits.tobytes()), "bfloat16", bits.shape)


def _contents(file: BufferedReader, path: Any, header: Header) -> dict[str, NDArray[Any]]:
    """Read all elements, each once, and compare their hash."""
    digest = start_hash(header.metadata.get(KEY, ""), header.raw)
    found = {}
    for name, entry in sorted(header.entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        stored = np.dtype("uint16" if entry.dtype == "bfloat16" else entry.dtype).newbyteorder("<")
        array = np.empty(entry.shape, stored)
        view = array.reshape(-1).view(np.uint8)
        file.seek(header.start + entry.begin)
        if file.readinto(view.data) != len(view):
            raise ValueError(f"{path} is truncated: the end of {name} is missing")
        digest.update(view.data)
        if entry.dtype == "bool" and view.size and view.max() > 1:
            raise ValueError(f"{path} is damaged: {name} holds what is neither True nor False")
        found[name] = array.astype(stored.newbyteorder("="), copy=False)
    if HASH in header.metadata and digest.hexdigest() != header.metadata[HASH]:
        raise ValueError(f"{path} is damaged: its content is not what was written (the hash differs)")
    return found


def read_forms(path: str | os.PathLike[str]) -> dict[str, Found]:
    """Read the names, shapes and dtypes of the tensors, and none of their elements."""
    with opened(path) as file:
        entries = read_header(file, path).entries
    return {name: Found(entry.shape, entry.dtype) for name, entry in entries.items()}


def opened(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a file that is there and is one."""
    where = as_path(path)
    if not where.exists():
        raise FileNotFoundError(f"{where} does not exist")
    if not where.is_file():
        raise ValueError(f"{where} is no regular file")
    return open(where, "rb")


def checked_document(path: str | os.PathLike[str], metadata: Mapping[str, str], kind: str | None) -> Document:
    if KEY not in metadata:
        raise ValueError(
            f"{path} is a safetensors file, but drivetrain did not write it: its document is missing"
        )
    try:
        document = loads(metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} has a damaged document ({error})") from None
    if not isinstance(document, dict):
        raise ValueError(f"{path} has a document of {type(document).__name__}, expected an object")
    number = document.get("format")
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"{path} has format {number!r}, expected a number of at least 1")
    if number > FORMAT:
        raise ValueError(
            f"{path} has format {number}, this drivetrain reads up to {FORMAT}; "
            f"it was written by version {document.get('version')}"
        )
    if kind is not None and document.get("kind") != kind:
        raise ValueError(f"{path} holds a {document.get('kind')!r}, expected a {kind!r}")
    return document
