"""Reading a module's state out as a dict and writing it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core import Tensor, tensor
from ..autograd import no_grad

if TYPE_CHECKING:
    from .module import Module


class LoadResult(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def collect(module: Module, prefix: str = "") -> dict[str, Tensor]:
    """Parameters and persistent buffers by dotted name, under every name they have, sharing memory."""
    found: dict[str, Tensor] = {}
    for path, part in module.named_modules(prefix.removesuffix("."), remove_duplicate=False):
        before = f"{path}." if path else ""
        for name, parameter in part._own_parameters():
            found[before + name] = parameter.detach()
        for name, buffer in part._own_buffers():
            if part._buffers[name]:
                found[before + name] = buffer.detach()
    return found


def load(module: Module, values: Mapping[str, Any], strict: bool) -> LoadResult:
    """See `Module.load_state_dict`."""
    if not isinstance(values, Mapping):
        raise TypeError(f"load_state_dict: state_dict must be a dict, got {type(values).__name__}")
    targets = collect(module)
    missing = [name for name in targets if name not in values]
    unexpected = [name for name in values if name not in targets and not is_ignored(module, name)]
    sources = {name: _as_tensor(name, values[name]) for name in targets if name in values}
    misshaped = [
        f"{name}: {tuple(source.shape)} was given, {tuple(targets[name].shape)} is needed"
        for name, source in sources.items()
        if source.shape != targets[name].shape
    ]
    problems = []
    if strict and missing:
        problems.append("missing: " + ", ".join(missing))
    if strict and unexpected:
        problems.append("unexpected: " + ", ".join(map(str, unexpected)))
    if misshaped:
        problems.append("of the wrong shape: " + "; ".join(misshaped))
    if problems:
        raise ValueError(
            f"load_state_dict: the state does not fit {type(module).__name__}:\n  " + "\n  ".join(problems)
        )
    for name, source in sources.items():
        target = targets[name]
        if source.dtype != target.dtype and not (
            source.dtype.is_floating_point and target.dtype.is_floating_point
        ):
            raise TypeError(
                f"load_state_dict: '{name}' is {source.dtype.name}, the module needs {target.dtype.name}"
            )
    with no_grad():
        for name, source in sources.items():
            targets[name][...] = source
    return LoadResult(missing, unexpected)


def _as_tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    if hasattr(value, "__array__"):
        return tensor(value)
    raise TypeError(
        f"load_state_dict: '{name}' must be a Tensor or a NumPy array, got {type(value).__name__}"
    )


def is_ignored(module: Module, name: str) -> bool:
    """Whether the owner of `name` knows it as something that other frameworks store and we do not need."""
    path, _, last = str(name).rpartition(".")
    for known, part in module.named_modules(remove_duplicate=False):
        if known == path:
            return last in part._ignored_state
    return False
