"""``save`` and ``load``, for models and for dicts of what a training of your own needs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .model import load_model, save_model
from .state import read_state, write_state
from .tensorfile import bfloat16_tensor, read_all, read_document

Path = str | os.PathLike[str]


def save(what: Any, path: Path) -> None:
    """Write a model, or a dict of states, to a file. Never a pickle.

    Args:
        what (Module, or dict): Of a model its architecture and weights, as ``save_model`` writes them. A dict
            holds tensors, arrays, numbers, strings, None, and dicts, lists and tuples of them: what
            ``state_dict()`` gives.
        path (path): By custom it ends in ".safetensors". An existing file is replaced, at once and only when
            the new one is whole.

    Raises:
        TypeError: For what no file can hold; the message names its place.
        OSError: When the file cannot be written.

    Source: ``torch.save`` and Keras's ``Model.save``.

    Example:
        >>> import tempfile, pathlib
        >>> import drivetrain as dt
        >>> path = pathlib.Path(tempfile.mkdtemp(), "run.safetensors")
        >>> model = dt.nn.Linear(4, 3)
        >>> optimizer = dt.optim.AdamW(model.parameters())
        >>> dt.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, path)
        >>> dt.load(path)["epoch"]
        3
    """
    from ..nn import Module

    if isinstance(what, Module):
        save_model(what, path)
    elif isinstance(what, Mapping):
        write_state(path, what, kind="state")
    else:
        raise TypeError(f"save: what is a {type(what).__name__}, expected a Module or a dict of states")


def load(path: Path, *, custom_objects: Mapping[str, type] | None = None) -> Any:
    """Read what ``save``, ``save_model``, ``save_weights`` or ``Trainer.save_checkpoint`` wrote.

    Args:
        path: Path.
        custom_objects (mapping of str to class, optional): Your own module classes by name, as for
            ``load_model``.

    Returns:
        A model in evaluation mode, a dict of weights, or the dict that was saved.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged or no file of drivetrain.

    Example:
        >>> import tempfile, pathlib
        >>> import drivetrain as dt
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
        >>> dt.save(dt.nn.Linear(4, 3), path)
        >>> dt.load(path)
        Linear(in_features=4, out_features=3, bias=True)
    """
    kind = read_document(path).get("kind")
    if kind == "model":
        return load_model(path, custom_objects=custom_objects)
    if kind in ("state", "checkpoint"):
        return read_state(path)[0]
    header, contents, _ = read_all(path, kind="weights")
    return {
        name: bfloat16_tensor(array) if header.entries[name].dtype == "bfloat16" else _tensor(path, array)
        for name, array in contents.items()
    }


def _tensor(path: Path, array: Any) -> Any:
    from .. import from_numpy

    try:
        return from_numpy(array)
    except TypeError as error:
        raise ValueError(f"{path} holds what is no tensor ({error})") from None
