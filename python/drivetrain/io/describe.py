"""Models as plain data: the class's name and the arguments that its constructor got.

A description names no import: classes are looked up among the modules of drivetrain and in
``custom_objects``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import _core, models, nn, zeros
from .._core import Tensor
from .sizes import ALWAYS_FINE, elements_of

Description = dict[str, Any]
DEEPEST = 50
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
LARGEST = 1 << 16  # bytes of a tensor among the arguments: weights of classes, say


def known_classes() -> dict[str, type]:
    """The public module classes of drivetrain by name."""
    return {
        value.__name__: value  # an alias is no other class
        for package in (models, nn)
        for name, value in vars(package).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and not name.startswith("_")
    }


def describe(module: Any, where: str = "model") -> Description:
    """Turn a module into a description.

    Raises:
        TypeError: When an argument of its constructor is no number, string, list, dict or module; the message
            names it.
    """
    name = type(module).__name__
    is_container = name in CONTAINERS and type(module) is known_classes().get(name)
    if is_container:
        # A container may have changed since it was made: its children are what counts.
        children = {key: describe(child, f"{where}.{key}") for key, child in module.named_children()}
        if len(children) != len(module):
            raise TypeError(
                f"save_model: {where} has a module twice, which a file cannot say; use save_weights"
            )
        return {"class": name, "children": children}
    if type(module) is nn.ParameterList:
        shapes = [[tensor.dtype.name, list(tensor.shape)] for tensor in module.parameters()]
        return {"class": name, "args": [[{"parameter": shape} for shape in shapes]], "kwargs": {}}
    arguments, keywords = module._constructor
    return {
        "class": name,
        "args": [plain(value, f"{where}: argument {i} of {name}") for i, value in enumerate(arguments)],
        "kwargs": {
            key: plain(value, f"{where}: argument {key} of {name}") for key, value in keywords.items()
        },
    }


def plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, nn.Module):
        return {"module": describe(value, where)}
    if isinstance(value, nn.Parameter):  # a part of the state
        return {"parameter": [value.dtype.name, list(value.shape)]}
    if (
        isinstance(value, (Tensor, np.ndarray))
        and hasattr(_core, value.dtype.name)
        and value.nbytes <= LARGEST
    ):
        content = value.detach() if isinstance(value, Tensor) else value
        return {"tensor": [value.dtype.name, list(value.shape), content.tobytes().hex()]}
    if isinstance(value, np.generic) and isinstance(value.item(), (bool, int, float)):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(item, where) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: plain(item, where) for key, item in value.items()}}
    raise TypeError(
        f"save_model: {where} is a {type(value).__name__}, which a file cannot hold; use save_weights, "
        "and load_weights into a model that you make yourself"
    )


def rebuild(description: Any, budget: int, custom_objects: Mapping[str, type] | None = None) -> Any:
    """Make the module that was described, with fresh weights of at most ``budget`` elements.

    Raises:
        ValueError: For a class that is unknown, a description that is none, or layers of more weights than
            the budget.
    """
    return Rebuilder(budget, custom_objects).module(description, "model", 0)


class Rebuilder:
    def __init__(self, budget: int, custom_objects: Mapping[str, type] | None) -> None:
        self.left = float(max(budget, ALWAYS_FINE))
        self.classes = {**known_classes(), **(custom_objects or {})}

    def module(self, description: Any, where: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError(f"load_model: {where} is nested deeper than {DEEPEST} levels")
        if not isinstance(description, dict) or not isinstance(description.get("class"), str):
            raise ValueError(f"load_model: {where} has no description of a module")
        name = description["class"]
        if name not in self.classes:
            raise ValueError(
                f"load_model: {where} is of the class {name!r}, which drivetrain does not have; "
                f"pass custom_objects={{{name!r}: {name if name.isidentifier() else 'TheClass'}}}"
            )
        if "children" in description:
            return self.container(name, description["children"], where, depth)
        arguments, keywords = description.get("args", []), description.get("kwargs", {})
        if not isinstance(arguments, list) or not isinstance(keywords, dict):
            raise ValueError(f"load_model: {where} has no arguments for {name}")
        made = tuple(self.value(item, where, depth) for item in arguments)
        named = {key: self.value(item, where, depth) for key, item in keywords.items()}
        self.left -= elements_of(self.classes[name], made, named)
        if self.left < 0:
            raise ValueError(f"load_model: {where} ({name}) has more weights than the file holds")
        try:
            return self.classes[name](*made, **named)
        except TypeError as error:
            raise ValueError(
                f"load_model: {where} has arguments that {name} does not take ({error})"
            ) from error

    def container(self, name: str, children: Any, where: str, depth: int) -> Any:
        if name not in CONTAINERS or not isinstance(children, dict):
            raise ValueError(f"load_model: {where} has children, but {name} is no container")
        made = {key: self.module(child, f"{where}.{key}", depth + 1) for key, child in children.items()}
        return self.classes[name](made.values() if name == "ModuleList" else made)

    def parameter(self, dtype: Any, shape: Any) -> Any:
        self.left -= math.prod(shape) if all(type(extent) is int and extent >= 0 for extent in shape) else 0
        if self.left < 0:
            raise ValueError("load_model: a parameter has more weights than the file holds")
        return nn.Parameter(zeros(tuple(shape), dtype=dtype))

    def value(self, value: Any, where: str, depth: int) -> Any:
        if isinstance(value, dict):
            if "module" in value:
                return self.module(value["module"], where, depth + 1)
            for kind, make in (("parameter", self.parameter), ("tensor", tensor_of)):
                if kind in value:
                    try:
                        return make(*value[kind])
                    except (TypeError, OverflowError) as error:
                        raise ValueError(f"load_model: {where} is no {kind} ({error})") from None
            if not isinstance(value.get("dict"), dict):
                raise ValueError(f"load_model: {where} has an argument that is no value")
            return {key: self.value(item, where, depth + 1) for key, item in value["dict"].items()}
        if isinstance(value, list):
            if depth > DEEPEST:
                raise ValueError(f"load_model: {where} is nested deeper than {DEEPEST} levels")
            # Constructors take pairs as tuples and as lists alike.
            return tuple(self.value(item, where, depth + 1) for item in value)
        return value


def tensor_of(dtype: Any, shape: Any, elements: Any) -> Any:
    """The tensor that ``plain`` wrote among the arguments."""
    content = bytearray(bytes.fromhex(elements))
    if len(content) > LARGEST:
        raise ValueError("load_model: a tensor among the arguments is larger than any that is saved")
    return _core.frombuffer(content, dtype, tuple(shape))
