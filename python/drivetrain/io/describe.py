"""Models as plain data: the class's name and the arguments that its constructor got.

A description names no import: classes are looked up among the modules of drivetrain and in
``custom_objects``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import models, nn

Description = dict[str, Any]
DEEPEST = 50
CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")


def known_classes() -> dict[str, type]:
    """The module classes of drivetrain by name."""
    found: dict[str, type] = {}
    for package in (models, nn):
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and issubclass(value, nn.Module):
                found[name] = value
    return found


def describe(module: Any, where: str = "model") -> Description:
    """Turn a module into a description.

    Raises
    ------
    TypeError
        When an argument of its constructor is no number, string, list, dict or module; the message names it.
    """
    name = type(module).__name__
    if name in CONTAINERS and type(module) is known_classes().get(name):
        # A container may have changed since it was made: its children are what counts.
        children = {key: describe(child, f"{where}.{key}") for key, child in module.named_children()}
        return {"class": name, "children": children}
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
    if isinstance(value, (list, tuple)):
        return [plain(item, where) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: plain(item, where) for key, item in value.items()}}
    raise TypeError(
        f"save_model: {where} is a {type(value).__name__}, which a file cannot hold; use save_weights, "
        "and load_weights into a model that you make yourself"
    )


def rebuild(description: Any, custom_objects: Mapping[str, type] | None = None) -> Any:
    """Make the module that was described, with fresh weights.

    Raises
    ------
    ValueError
        For a class that is unknown, or a description that is none.
    """
    return Rebuilder(custom_objects).module(description, "model", 0)


class Rebuilder:
    def __init__(self, custom_objects: Mapping[str, type] | None) -> None:
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
        try:
            return self.classes[name](
                *(self.value(item, where, depth) for item in arguments),
                **{key: self.value(item, where, depth) for key, item in keywords.items()},
            )
        except TypeError as error:
            raise ValueError(
                f"load_model: {where} has arguments that {name} does not take ({error})"
            ) from error

    def container(self, name: str, children: Any, where: str, depth: int) -> Any:
        if name not in CONTAINERS or not isinstance(children, dict):
            raise ValueError(f"load_model: {where} has children, but {name} is no container")
        made = {key: self.module(child, f"{where}.{key}", depth + 1) for key, child in children.items()}
        if name == "ModuleDict":
            return self.classes[name](made)
        if name == "ModuleList":
            return self.classes[name](made.values())
        return self.classes[name](*made.values())

    def value(self, value: Any, where: str, depth: int) -> Any:
        if isinstance(value, dict):
            if "module" in value:
                return self.module(value["module"], where, depth + 1)
            if not isinstance(value.get("dict"), dict):
                raise ValueError(f"load_model: {where} has an argument that is no value")
            return {key: self.value(item, where, depth + 1) for key, item in value["dict"].items()}
        if isinstance(value, list):
            if depth > DEEPEST:
                raise ValueError(f"load_model: {where} is nested deeper than {DEEPEST} levels")
            # Constructors take pairs as tuples and as lists alike.
            return tuple(self.value(item, where, depth + 1) for item in value)
        return value
