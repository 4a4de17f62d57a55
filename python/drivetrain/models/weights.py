"""Weights of PyTorch for networks of ours."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import nn
from ..nn.state import LoadResult, is_ignored
from .layout import layout_of

Array = NDArray[Any]
Rename = Mapping[str, str] | Callable[[str], str | None]
COUNTERS = "num_batches_tracked"
WRAPPERS = ("module.", "_orig_mod.", "model.")  # DataParallel's, compile's, Lightning's
HOLDERS = ("state_dict", "model_state_dict", "model", "net", "ema")


def load_pytorch_weights(
    model: Any,
    weights: str | os.PathLike[str] | Mapping[str, Any],
    *,
    example: Any = None,
    rename: Rename | None = None,
    match: str = "name",
    strict: bool = True,
) -> LoadResult:
    """Load weights of a PyTorch model into a model of ours with the same layers.

    Images are channels last here and channels first there. So the weights of convolutions change the order
    of their axes, and those of a linear layer behind a flattened image the order of their columns; such
    layers are found by running the model once. All other weights stay as they are.

    Args:
        model: Module.
        weights (path or mapping): A ``.pt`` or ``.pth`` file, of which nothing is executed, or a
            ``.safetensors`` file; or a state dict of arrays, or of PyTorch's tensors on the CPU. Where a
            checkpoint holds the state dict under "state_dict", "model_state_dict" or "model", that is taken.
        example (batch, or shape of a sample, optional): What to run the model with, (224, 224, 3) for
            instance. Default: images of 64, 32, 28 and 224 pixels, the first that the model takes.
        rename (mapping of str to str, or function, optional): How a name there becomes one here: beginnings
            of names by other ones, {"linear": "fc"} for instance, or a function of the name, which returns
            None for what is to be left out.
        match ("name" or "order", default "name"): With "order" names do not count: the first weight there is
            the first here, and so on, for the same layers under other names.
        strict (bool, default True): Missing and unexpected names are errors.

    Returns:
        The names that were missing and those that were not expected, both empty where strict.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is damaged, or names or shapes do not fit: all are listed, missing ones with the
            names that may be meant. The model is then unchanged.
        TypeError: For values that are no arrays.

    Counters of batches ("num_batches_tracked") are passed over where the layer does not need them, and the
    beginning "module." of every name, which DataParallel adds, goes.

    Example:
        >>> import numpy as np
        >>> from drivetrain import nn
        >>> from drivetrain.models import load_pytorch_weights
        >>> model = nn.Sequential(nn.Conv2d(3, 8, 5, bias=False))
        >>> load_pytorch_weights(model, {"0.weight": np.ones((8, 3, 5, 5))}).missing_keys
        []
        >>> model.state_dict()["0.weight"].shape
        (8, 5, 5, 3)
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"load_pytorch_weights: model is a {type(model).__name__}, expected a Module")
    if match not in ("name", "order"):
        raise ValueError(f"load_pytorch_weights: match is {match!r}, expected 'name' or 'order'")
    given = read(weights)
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    arrays = {name: as_array(name, value) for name, value in unwrapped(given, wanted).items()}
    arrays = renamed(arrays, rename) if match == "name" else in_order(arrays, wanted)
    layout = layout_of(model, example)
    ours = {name: layout.ours(name, array) for name, array in arrays.items()}
    ours = {name: array for name, array in ours.items() if name in wanted or not is_counter(model, name)}
    problems = compare(ours, wanted, strict)
    if problems:
        raise ValueError(
            f"load_pytorch_weights: the weights do not fit {type(model).__name__}:\n  "
            + "\n  ".join(problems)
        )
    tensors = {name: np.asarray(array, order="C") for name, array in ours.items()}
    return model.load_state_dict(tensors, strict=strict)


def read(weights: Any) -> Mapping[str, Any]:
    """The mapping that a file holds, or that was given."""
    if isinstance(weights, Mapping):
        return weights
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(
            f"load_pytorch_weights: weights is a {type(weights).__name__}, expected a path or a state dict"
        )
    from ..io.tensorfile import read_foreign
    from ..io.torch_file import read_torch

    is_safe = os.path.splitext(os.fspath(weights))[1].lower() == ".safetensors"
    found = read_foreign(weights) if is_safe else read_torch(weights)
    if not isinstance(found, Mapping):
        raise ValueError(f"{weights} holds a {type(found).__name__}, expected a state dict")
    return found


def unwrapped(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The state dict itself, out of a checkpoint that holds more, without what wrappers put before names."""
    for holder in HOLDERS:
        inner = given.get(holder)
        if isinstance(inner, Mapping) and inner:
            given = inner
            break
    state = {str(name): value for name, value in given.items()}
    for wrapper in WRAPPERS:
        if state and all(name.startswith(wrapper) for name in state):
            if any(name.startswith(wrapper) for name in wanted):
                break
            state = {name.removeprefix(wrapper): value for name, value in state.items()}
    return state


def as_array(name: str, value: Any) -> Array:
    """A tensor of PyTorch, or an array, as an array."""
    if hasattr(value, "detach"):
        value = value.detach()
    if str(getattr(value, "dtype", "")) in ("torch.bfloat16", "bfloat16"):
        value = value.float()
    if not hasattr(value, "__array__"):
        raise TypeError(
            f"load_pytorch_weights: '{name[:80]}' is a {type(value).__name__}, expected an array or tensor"
        )
    return np.asarray(value)


def renamed(arrays: dict[str, Array], rename: Rename | None) -> dict[str, Array]:
    if rename is None:
        return arrays
    if not callable(rename) and not isinstance(rename, Mapping):
        raise TypeError(
            f"load_pytorch_weights: rename is a {type(rename).__name__}, expected a dict of names or function"
        )
    found: dict[str, Array] = {}
    for name, array in arrays.items():
        new = rename(name) if callable(rename) else by_beginning(name, rename)
        if new is None:
            continue
        if not isinstance(new, str):
            raise TypeError(
                f"load_pytorch_weights: rename makes {new!r:.80} of '{name[:80]}', expected a name or None"
            )
        if new in found:
            raise ValueError(f"load_pytorch_weights: rename gives two weights the name '{new}'")
        found[new] = array
    return found


def by_beginning(name: str, rename: Mapping[str, str]) -> str:
    """The name with its longest known beginning of whole parts replaced."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        beginning = ".".join(parts[:count])
        if beginning in rename:
            new = rename[beginning]
            return ".".join(filter(None, [new, *parts[count:]])) if isinstance(new, str) else new
    return name


def in_order(arrays: dict[str, Array], wanted: Mapping[str, Any]) -> dict[str, Array]:
    """The weights under the names that stand at their places in the model."""
    counted = any(name.endswith(COUNTERS) for name in wanted)
    kept = {name: a for name, a in arrays.items() if counted or not name.endswith(COUNTERS)}
    if len(kept) != len(wanted):
        raise ValueError(
            f"load_pytorch_weights: there are {len(kept)} weights and the model has {len(wanted)}, expected "
            "as many with match='order'"
        )
    return dict(zip(wanted, kept.values(), strict=True))


def is_counter(model: nn.Module, name: str) -> bool:
    return name.endswith(COUNTERS) and is_ignored(model, name)


def compare(ours: Mapping[str, Array], wanted: Mapping[str, Any], strict: bool) -> list[str]:
    """What does not fit, a line each."""
    missing = [name for name in wanted if name not in ours]
    unexpected = [name for name in ours if name not in wanted]
    problems = [
        f"{name}: has shape {tuple(array.shape)} in our order of axes, expected {wanted[name]}"
        for name, array in ours.items()
        if name in wanted and tuple(array.shape) != wanted[name]
    ]
    if strict:
        problems += [f"missing: {name}{meant(name, wanted[name], ours, unexpected)}" for name in missing]
        problems += [f"unexpected: {name[:200]}" for name in unexpected]
    return [*problems[:30], f"and {len(problems) - 30} more"] if len(problems) > 30 else problems


def meant(name: str, shape: Any, ours: Mapping[str, Array], unexpected: list[str]) -> str:
    """The unexpected name of the same shape that is most alike; `rename` could map it."""
    last = name.rpartition(".")[2]
    alike = [n for n in unexpected if tuple(ours[n].shape) == shape and n.rpartition(".")[2] == last]
    close = difflib.get_close_matches(name, alike, n=1, cutoff=0.0)
    return f" (is it '{close[0][:200]}'? then rename it)" if close else ""
