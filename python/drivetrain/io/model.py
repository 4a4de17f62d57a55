"""Models and weights in files."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from .. import _core
from .._checks import flag
from .atomic import as_path
from .fit import check_fit
from .hdf5 import read_hdf5, write_hdf5
from .npz import read_npz, write_npz
from .tensorfile import read_document, read_forms, read_tensors, write_tensors

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
    forms = read_forms(path)
    budget = sum(math.prod(form.shape) for form in forms.values())
    model = rebuild(document.get("model"), budget, custom_objects)
    # A model may have been converted since its layers were built as they are described.
    stored = {name: getattr(_core, form.dtype) for name, form in forms.items() if "float" in form.dtype}
    convert_tensors(model, stored)
    load_weights(model, path)
    return model.eval()


def save_weights(model: Any, path: Path, **entries: Any) -> None:
    """Write the weights and buffers of a model, without how it is built; see ``save_model``.

    Args:
        model: Module.
        path (path): The suffix says the format: ".npz" NumPy's, one array per dotted name; ".h5" or ".hdf5"
            HDF5, a group per layer, which needs h5py (``pip install 'drivetrain[hdf5]'``); all others
            safetensors. NumPy's and HDF5 hold bfloat16 as float32.
        **entries: Further entries of the document, which safetensors alone has.

    Raises:
        OSError: When the file cannot be written; an existing one is left as it was.

    Example:
        >>> import tempfile, pathlib
        >>> from drivetrain import io, nn
        >>> path = pathlib.Path(tempfile.mkdtemp(), "weights.npz")
        >>> io.save_weights(nn.Linear(4, 3), path)
        >>> io.load_weights(nn.Linear(4, 3), path)
    """
    check_model("save_weights", model)
    form = format_of(path)
    if form and entries:
        raise TypeError(f"save_weights: {form} files have no document for {', '.join(entries)}")
    if form == "npz":
        write_npz(path, model.state_dict())
    elif form == "HDF5":
        layers = {name: type(module).__name__ for name, module in model.named_modules()}
        write_hdf5(path, model.state_dict(), layers)
    else:
        write_tensors(path, model.state_dict(), kind="weights", **entries)


def format_of(path: Path) -> str:
    """The format that a suffix asks for; "" stands for safetensors."""
    suffix = as_path(path).suffix.lower()
    return {".npz": "npz", ".h5": "HDF5", ".hdf5": "HDF5"}.get(suffix, "")


def load_weights(model: Any, path: Path, *, strict: bool = True) -> None:
    """Read weights from a file of ``save_weights`` or ``save_model`` into a model.

    Args:
        model: Module.
        path (path): The suffix says the format, as for ``save_weights``.
        strict (bool, default True): Missing and unexpected names are errors; otherwise they are passed over.
            Shapes always have to fit.

    Names and shapes are compared before the weights are read: a hostile file takes no more memory than the
    model and the file have.

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
    flag("load_weights", "strict", strict)
    form = format_of(path)
    if form:
        arrays = (read_npz if form == "npz" else read_hdf5)(path, model, strict)
    else:
        arrays = read_weights(path, model, strict)
    model.load_state_dict({name: from_numpy(array) for name, array in arrays.items()}, strict=strict)


def read_weights(path: Path, model: Any, strict: bool) -> dict[str, Any]:
    kind = read_document(path).get("kind")
    if kind not in ("model", "weights"):
        raise ValueError(f"{path} holds a {kind!r}, expected a 'model' or 'weights'")
    check_fit(path, read_forms(path), model, strict)
    return read_tensors(path)[0]


def check_model(function: str, model: Any) -> None:
    from ..nn import Module

    if not isinstance(model, Module):
        raise TypeError(f"{function}: model is a {type(model).__name__}, expected a Module")
