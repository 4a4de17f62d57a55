"""The file format: named tensors and one JSON document, in a safetensors file.

The document is a JSON object under the key "drivetrain" of the file's metadata. It has at least "format" (a
number that grows when readers must know something new), "version" of drivetrain, "isa" (the level that wrote
it) and "kind".
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .arrays import to_array
from .atomic import replacing

FORMAT = 1
DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
}
KEY = "drivetrain"
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
    with replacing(path) as temporary, open(temporary, "xb") as file:
        write_file(file, stored, {KEY: text})


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


def write_file(file: BinaryIO, tensors: Mapping[str, _Elements], metadata: Mapping[str, str]) -> None:
    """Write the safetensors format: the length of a JSON header, the header, the elements.

    The package safetensors can do it too, but only with a copy of all elements in memory, or into a file that
    nobody else may read.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    # The widest elements come first: so all of them lie at multiples of their size.
    names = sorted(tensors, key=lambda name: (-tensors[name].array.itemsize, name))
    for name in names:
        array, dtype = tensors[name]
        if dtype not in DTYPES:
            raise TypeError(f"write_tensors: {name} has dtype {dtype}, expected one of {', '.join(DTYPES)}")
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": DTYPES[dtype], "shape": array.shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for name in names:
        array = tensors[name].array
        file.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)


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
        return checked_document(path, file.metadata(), kind)


def read_tensors(
    path: str | os.PathLike[str], *, kind: str | None = None
) -> tuple[dict[str, NDArray[Any]], Document]:
    """Read the arrays and the document of a file.

    bfloat16 becomes the one of the package ml_dtypes, or float32 where that is not installed. The sizes in
    the file's header are checked against its real size before memory is allocated for them.

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
    with opened(path) as file:
        document = checked_document(path, file.metadata(), kind)
        try:
            return {name: _read(path, file, name) for name in file.keys()}, document  # noqa: SIM118
        except Exception as error:
            raise ValueError(f"{path} holds a tensor that cannot be read ({error})") from error


def _read(path: str | os.PathLike[str], file: Any, name: str) -> NDArray[Any]:
    if file.get_slice(name).get_dtype() != "BF16":
        array: NDArray[Any] = file.get_tensor(name)
        return array
    with open(path, "rb") as raw:  # safetensors does not give NumPy its bits
        (length,) = struct.unpack("<Q", raw.read(8))
        entry = json.loads(raw.read(length))[name]
        begin, end = entry["data_offsets"]
        raw.seek(8 + length + begin)
        bits = bytearray(raw.read(end - begin))
    return _core.frombuffer(bits, "bfloat16", tuple(entry["shape"])).numpy()


def read_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes of the tensors, and none of their elements."""
    with opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def read_dtypes(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the names of the tensors and of their dtypes, and none of their elements."""
    ours = {theirs: name for name, theirs in DTYPES.items()}
    with opened(path) as file:
        found = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    return {name: ours.get(dtype, dtype) for name, dtype in found.items()}


def opened(path: str | os.PathLike[str]) -> Any:
    """Open a file by memory mapping; safetensors checks header, names, shapes and offsets while doing so."""
    from safetensors import SafetensorError, safe_open

    where = Path(path)
    if not where.exists():
        raise FileNotFoundError(f"{where} does not exist")
    if not where.is_file():
        raise ValueError(f"{where} is no regular file")
    try:
        return safe_open(where, framework="numpy")
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError(f"{where} is truncated, damaged or no safetensors file ({error})") from error


def checked_document(
    path: str | os.PathLike[str], metadata: Mapping[str, str] | None, kind: str | None
) -> Document:
    try:
        document = json.loads((metadata or {})[KEY])
    except KeyError:
        raise ValueError(
            f"{path} is a safetensors file, but drivetrain did not write it: its document is missing"
        ) from None
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
