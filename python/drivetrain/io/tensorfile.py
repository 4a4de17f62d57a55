"""The file format: named tensors and one JSON document, in a safetensors file.

The document is a JSON object under the key "drivetrain" of the file's metadata. It has at least "format" (a
number that grows when readers must know something new), "version" of drivetrain, "isa" (the level that wrote
it) and "kind".
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import to_array
from .atomic import replacing

FORMAT = 1
KEY = "drivetrain"
Document = dict[str, Any]


def write_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Any], *, kind: str, **entries: Any
) -> None:
    """Write Tensors or arrays and a document; the file appears under its name when it is complete.

    Parameters
    ----------
    path : path
        An existing file is replaced.
    tensors : mapping of str to Tensor or array
    kind : str
        What the file holds, "model" for instance.
    **entries
        Further entries of the document: anything that JSON can hold.

    Raises
    ------
    TypeError
        For entries that JSON cannot hold and dtypes that the format cannot.
    OSError
        When the file cannot be written; an existing one is left as it was.

    >>> import tempfile, pathlib, numpy as np
    >>> from drivetrain.io import read_tensors, write_tensors
    >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
    >>> write_tensors(path, {"x": np.arange(3)}, kind="example", note="three")
    >>> read_tensors(path)[0]["x"]
    array([0, 1, 2])
    """
    from safetensors.numpy import save_file

    from .. import __version__, get_isa

    document = {"format": FORMAT, "version": __version__, "isa": get_isa(), "kind": kind, **entries}
    text = json.dumps(document, allow_nan=False)
    arrays = {
        str(name): np.ascontiguousarray(to_array(value)).reshape(value.shape)
        for name, value in tensors.items()
    }
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={KEY: text})


def read_document(path: str | os.PathLike[str], *, kind: str | None = None) -> Document:
    """Read the document of a file, and none of its tensors.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is truncated, damaged, no file of drivetrain, of another kind, or of a format from the future.
    """
    with opened(path) as file:
        return checked_document(path, file.metadata(), kind)


def read_tensors(
    path: str | os.PathLike[str], *, kind: str | None = None
) -> tuple[dict[str, NDArray[Any]], Document]:
    """Read the arrays and the document of a file.

    The sizes in the file's header are checked against its real size before memory is allocated for them.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is truncated, damaged, no file of drivetrain, of another kind, or of a format from the future.
    """
    with opened(path) as file:
        document = checked_document(path, file.metadata(), kind)
        try:
            return {name: file.get_tensor(name) for name in file.keys()}, document  # noqa: SIM118
        except Exception as error:
            raise ValueError(f"{path} holds a tensor that cannot be read ({error})") from error


def read_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes of the tensors, and none of their elements."""
    with opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


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
