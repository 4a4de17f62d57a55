"""Models and weights in files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from .. import _core
from .tensorfile import read_document, read_dtypes, read_shapes, read_tensors, write_tensors

Path = str | os.PathLike[str]


def save_model(model: Any, path: Path, **entries: Any) -> None:
    """Write a model to a file: how it is built, and its weights.

    Args:
        model (Module): Its class and the arguments of its constructor are written: numbers, strings, lists,
            dicts and modules.
        path (path): By custom it ends in ".safetensors". An existing file is replaced, at once and only when
            the new one is whole.
        **entries: Further entries for the file's document; ``drivetrain.io.read_document`` gives them back.

    Raises:
        TypeError: When the constructor got something that a file cannot hold; ``save_weights`` always works.
        OSError: When the file cannot be written.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain import io, nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
        >>> io.save_model(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), path)
        >>> len(io.load_model(path))
        2
    """
    from .describe import describe

    check_model("save_model", model)
    write_tensors(path, model.state_dict(), kind="model", model=describe(model), **entries)


def load_model(path: Path, *, custom_objects: Mapping[str, type] | None = None) -> Any:
    """Read a model that ``save_model`` wrote. It comes in evaluation mode, in the dtype that it had.

    Args:
        path: Path.
        custom_objects (mapping of str to class, optional): Your own module classes by name. The file names no
            import: only classes of drivetrain and these are made.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated, damaged, of another kind, names an unknown class, or its tensors do
            not fit its model. Sizes are checked before memory is allocated for them.

    Source: the promises of Keras's ``load_model`` with ``safe_mode``.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain import io, nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "model.safetensors")
        >>> io.save_model(nn.Linear(4, 3), path)
        >>> io.load_model(path)
        Linear(in_features=4, out_features=3, bias=True)
    """
    from ..nn.convert import convert_tensors
    from .describe import rebuild

    document = read_document(path, kind="model")
    budget = sum(math.prod(shape) for shape in read_shapes(path).values())
    model = rebuild(document.get("model"), budget, custom_objects)
    # A model may have been converted since its layers were built as they are described.
    stored = {name: getattr(_core, dtype) for name, dtype in read_dtypes(path).items() if "float" in dtype}
    convert_tensors(model, stored)
    load_weights(model, path)
    return model.eval()


def save_weights(model: Any, path: Path, **entries: Any) -> None:
    """Write the weights and buffers of a model, without how it is built; see ``save_model``.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain import io, nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.safetensors")
        >>> io.save_weights(nn.Linear(4, 3), path)
        >>> io.load_weights(nn.Linear(4, 3), path)
    """
    check_model("save_weights", model)
    write_tensors(path, model.state_dict(), kind="weights", **entries)


def load_weights(model: Any, path: Path, *, strict: bool = True) -> None:
    """Read weights from a file of ``save_weights`` or ``save_model`` into a model.

    Args:
        model: Module.
        path: Path.
        strict (bool, default True): Missing and unexpected names are errors; otherwise they are passed over.
            Shapes always have to fit.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is truncated or damaged, or does not fit; the message lists what is missing,
            unexpected and misshaped. The model is then unchanged.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain import io, nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.safetensors")
        >>> io.save_weights(nn.Linear(4, 3), path)
        >>> io.load_weights(nn.Linear(4, 3), path)
    """
    from .. import from_numpy

    check_model("load_weights", model)
    kind = read_document(path).get("kind")
    if kind not in ("model", "weights"):
        raise ValueError(f"{path} holds a {kind!r}, expected a 'model' or 'weights'")
    check_fit(path, model, strict)
    arrays, _ = read_tensors(path)
    model.load_state_dict({name: from_numpy(array) for name, array in arrays.items()}, strict=strict)


def check_model(function: str, model: Any) -> None:
    from ..nn import Module

    if not isinstance(model, Module):
        raise TypeError(f"{function}: model is a {type(model).__name__}, expected a Module")


def check_fit(path: Path, model: Any, strict: bool) -> None:
    """Compare names and shapes before the tensors are read."""
    have = read_shapes(path)
    want = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    problems = [
        f"{name} has shape {have[name]}, expected {want[name]}"
        for name in sorted(have.keys() & want.keys())
        if have[name] != want[name]
    ]
    if strict:
        problems += [f"{name} is missing" for name in sorted(want.keys() - have.keys())]
        problems += [f"{name} is unexpected" for name in sorted(have.keys() - want.keys())]
    if problems:
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise ValueError(f"{path} does not fit the model: {'; '.join(problems[:10])}{more}")
