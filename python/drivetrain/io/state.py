"""Nested states, as ``state_dict()`` gives them, in files: tensors beside a JSON document of all the rest.

In the document an object with one key that begins with "$" stands for what JSON lacks:

    {"$tensor": name}, {"$array": name}   an entry of the file
    {"$same": name}                       a copy of that entry, which came before: a parameter with two names
    {"$float": "7ff8000000000000"}        a float that is not finite, by its bits
    {"$scalar": [dtype, value]}           a number of NumPy
    {"$tuple": [...]}                     a tuple
    {"$items": [[key, value], ...]}       a dict whose keys are not all plain strings
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import from_numpy
from .._core import Tensor
from .header import DTYPES, HASH
from .tensorfile import Document, bfloat16_tensor, read_all, write_tensors

DEEPEST = 100
Path = str | os.PathLike[str]


def write_state(path: Path, state: Mapping[str, Any], *, kind: str, **entries: Any) -> None:
    """Write a nested state to a file.

    Args:
        path (path): An existing file is replaced, at once and only when the new one is whole.
        state (dict): Dicts, lists and tuples of Tensors, arrays, numbers, strings and None. Floats keep their
            bits, NaN and infinity too.
        kind (str): What the file holds, "checkpoint" for instance.
        **entries: Further entries of the document: anything that JSON can hold.

    Raises:
        TypeError: For a value that is none of these; the message names its place.
        ValueError: When it is nested deeper than 100 levels.
        OSError: When the file cannot be written; an existing one is left as it was.

    Example:
        >>> import tempfile, pathlib, math
        >>> from drivetrain.io import read_state, write_state
        >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
        >>> write_state(path, {"step": 3, "best": math.inf, "lr": [0.1, 0.2]}, kind="example")
        >>> read_state(path)[0]
        {'step': 3, 'best': inf, 'lr': [0.1, 0.2]}
    """
    tree, tensors = flatten(state)
    write_tensors(path, tensors, kind=kind, state=tree, **entries)


def read_state(path: Path, *, kind: str | None = None) -> tuple[dict[str, Any], Document]:
    """Read what ``write_state`` wrote.

    Returns:
        The state, and the document without it.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged, of another kind or from the future.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain.io import read_state, write_state
        >>> path = pathlib.Path(tempfile.mkdtemp(), "a.safetensors")
        >>> write_state(path, {"step": 3}, kind="example", author="me")
        >>> state, document = read_state(path, kind="example")
        >>> state["step"], document["author"]
        (3, 'me')
    """
    header, contents, document = read_all(path, kind)
    if HASH not in header.metadata:
        raise ValueError(f"{path} is damaged: it has no hash of its content")
    tensors = {
        name: bfloat16_tensor(array) if header.entries[name].dtype == "bfloat16" else array
        for name, array in contents.items()
    }
    try:
        state = unflatten(document.pop("state", None), tensors)
        if not isinstance(state, dict):
            raise ValueError("it holds no state")
    except ValueError as error:
        raise ValueError(f"{path} has a damaged document ({error})") from None
    return state, document


def flatten(state: Any) -> tuple[Any, dict[str, Any]]:
    """Return a tree good for JSON, and the tensors and arrays of a state by their dotted places."""
    writer = _Flattener()
    return writer.value(state, "", 0), writer.tensors


def unflatten(tree: Any, tensors: Mapping[str, Any]) -> Any:
    """Return what ``flatten`` was given.

    Raises:
        ValueError: When the tree is not one of ``flatten``, or does not name every tensor once.
    """
    reader = _Unflattener(tensors)
    state = reader.value(tree, 0)
    if reader.tensors:
        raise ValueError(f"it does not name the tensor {next(iter(reader.tensors))[:80]!r}")
    return state


class _Flattener:
    def __init__(self) -> None:
        self.tensors: dict[str, Any] = {}
        self.places: dict[tuple[Any, ...], str] = {}  # of tensors, by where they lie in memory

    def value(self, value: Any, where: str, depth: int) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
        if depth > DEEPEST:
            raise ValueError(f"the state is nested deeper than {DEEPEST} levels: {where[:80]}")
        if isinstance(value, Mapping):
            return self.mapping(value, where, depth)
        if isinstance(value, (list, tuple)):
            parts = [self.value(item, f"{where}.{i}", depth + 1) for i, item in enumerate(value)]
            return {"$tuple": parts} if isinstance(value, tuple) else parts
        return self.leaf(value, where)

    def mapping(self, value: Mapping[Any, Any], where: str, depth: int) -> Any:
        items = [
            (key, self.value(item, f"{where}.{key}" if where else str(key), depth + 1))
            for key, item in value.items()
        ]
        if all(type(key) is str and not key.startswith("$") for key, _ in items):
            return dict(items)
        return {"$items": [[self.value(key, f"{where} (a key)", depth + 1), item] for key, item in items]}

    def leaf(self, value: Any, where: str) -> Any:
        if isinstance(value, Tensor):
            lies = (value.data_ptr(), value.shape, value.strides, value.dtype.name)
            if value.size and lies in self.places:
                return {"$same": self.places[lies]}
            self.places[lies] = self.keep(where, value.detach())
            return {"$tensor": self.places[lies]}
        if isinstance(value, np.generic) and value.dtype.name in DTYPES:
            return {"$scalar": [value.dtype.name, value.tobytes().hex()]}
        if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
            return {"$array": self.keep(where, value)}
        for kind in (bool, int, float, str):  # an enum of numbers, say
            if isinstance(value, kind):
                return self.value(kind(value), where, DEEPEST)
        what = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise TypeError(
            f"the state has {where}, which is {what}: a file holds Tensors, arrays of numbers, numbers, "
            "strings, None, and dicts, lists and tuples of them"
        )

    def keep(self, where: str, value: Any) -> str:
        name, number = where, 1
        while name in self.tensors:  # keys with dots in them
            number += 1
            name = f"{where}#{number}"
        self.tensors[name] = value
        return name


class _Unflattener:
    def __init__(self, tensors: Mapping[str, Any]) -> None:
        self.tensors = dict(tensors)  # those not named yet
        self.named: dict[str, Tensor] = {}

    def value(self, tree: Any, depth: int) -> Any:
        if depth > DEEPEST + 2:
            raise ValueError(f"it is nested deeper than {DEEPEST} levels")
        if isinstance(tree, list):
            return [self.value(item, depth + 1) for item in tree]
        if not isinstance(tree, dict):
            return tree
        name = next(iter(tree), "")
        if not name.startswith("$"):
            return {key: self.value(item, depth + 1) for key, item in tree.items()}
        try:
            return self.special(name, tree[name], depth)
        except (TypeError, IndexError, KeyError, struct.error) as error:
            raise ValueError(f"it has a {name[:80]} that is none ({error})") from None

    def special(self, name: str, content: Any, depth: int) -> Any:
        if name in ("$tensor", "$array"):
            value = self.tensors.pop(content)
            if name == "$array":
                return value
            self.named[content] = value if isinstance(value, Tensor) else from_numpy(value)
            return self.named[content]
        if name == "$same":
            return self.named[content].clone()
        if name == "$float":
            return struct.unpack(">d", bytes.fromhex(content))[0]
        if name == "$scalar" and content[0] in DTYPES:
            return np.frombuffer(bytes.fromhex(content[1]), content[0]).reshape(())[()]
        if name == "$tuple" and isinstance(content, list):
            return tuple(self.value(item, depth + 1) for item in content)
        if name == "$items":
            return {self.value(key, depth + 1): self.value(item, depth + 1) for key, item in content}
        raise ValueError(f"it has the unknown {name[:80]}")
