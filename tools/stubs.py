"""Writes python/drivetrain/_core.pyi, the types of the compiled module, from what the module says of itself.

python tools/stubs.py          write it
python tools/stubs.py --check  fail where it is not up to date
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from drivetrain import _core, _tensor

TARGET = Path(__file__).resolve().parent.parent / "python" / "drivetrain" / "_core.pyi"

HEADER = """\
# Written by tools/stubs.py; do not edit.
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, SupportsIndex, TypeAlias

import numpy as np

class dtype:
    @property
    def name(self) -> str: ...
    @property
    def itemsize(self) -> builtins.int: ...
    @property
    def is_floating_point(self) -> builtins.bool: ...
    def __eq__(self, other: object) -> builtins.bool: ...
    def __hash__(self) -> builtins.int: ...
    def __repr__(self) -> str: ...
    def __reduce__(self) -> str: ...

_dtype: TypeAlias = dtype
DTypeLike: TypeAlias = dtype | str | np.dtype[Any] | type[np.generic] | type[builtins.bool]
ArrayLike: TypeAlias = np.ndarray[Any, Any] | np.generic

class Generator:
    def __init__(self, seed: builtins.int = 0) -> None: ...
    @property
    def seed(self) -> builtins.int: ...
    def get_state(self) -> tuple[builtins.int, builtins.int]: ...
    def set_state(self, state: tuple[builtins.int, builtins.int]) -> None: ...
    def manual_seed(self, seed: builtins.int) -> Generator: ...
    def __repr__(self) -> str: ...

class Node:
    def name(self) -> str: ...
    @property
    def next_functions(self) -> tuple[tuple[Node | None, builtins.int], ...]: ...
    def __eq__(self, other: object) -> builtins.bool: ...
    def __hash__(self) -> builtins.int: ...
    def __repr__(self) -> str: ...

class RemovableHandle:
    def remove(self) -> None: ...

class _SavedTensor:
    def __init__(self, tensor: Tensor) -> None: ...
    def get(self) -> Tensor: ...
"""

# Where the C++ signature says less than is known.
RESULTS = {
    "Tensor.__eq__": "Tensor",
    "Tensor.__ne__": "Tensor",
    "Tensor.__array__": "np.ndarray[Any, Any]",
    "Tensor.__dlpack_device__": "tuple[int, int]",
    "Tensor.__index__": "int",
    "Tensor.__int__": "int",
    "Tensor.__iter__": "Iterator[Tensor]",
    "Tensor.grad_fn": "Node | None",
    "Tensor.numpy": "np.ndarray[Any, Any]",
    "Tensor.register_hook": "RemovableHandle",
    "Tensor.tobytes": "bytes",
    "_grad": "tuple[Tensor | None, ...]",
    "_isa_built": "list[str]",
    "_record_function": "tuple[Tensor, ...]",
    "_thread_limits": "dict[str, int | None]",
    "isa_levels": "list[str]",
    "memory_stats": "dict[str, int]",
}
# Comparisons give tensors, not bool, and take what is refused with a clear error later.
OVERRIDDEN = {"__eq__", "__ne__"}


def quoted(text: str) -> str:
    """Annotations name the built-in types in full: methods and dtypes have the same names."""
    text = re.sub(r"(?<![\w.'])(bool|int|float|slice)\b(?!['\w:(])", r"builtins.\1", text)
    return re.sub(r"-> dtype$", "-> _dtype", text)


def legal_defaults(text: str) -> str:
    """Default values that are no literals become `...`."""
    return re.sub(
        r"= (?!None|True|False|-?[\d.]|'|\(|inf)[^,)]+", "= ...", re.sub(r"= -?(inf|nan)", "= ...", text)
    )


def function(name: str, signature: str, indent: str) -> list[str]:
    """The stub of a function or method."""
    full = f"Tensor.{name}" if indent else name
    if full in RESULTS:
        signature = re.sub(r"-> .*$", f"-> {RESULTS[full]}", signature)
    signature = quoted(legal_defaults(signature))
    note = "  # type: ignore[override]" if indent and name in OVERRIDDEN else ""
    return [f"{indent}def {name}{signature}: ...{note}"]


def attribute(name: str, kind: str, type_: str) -> list[str]:
    """The stub of an attribute of Tensor: a property, with a setter where it can be set."""
    type_ = quoted("-> " + RESULTS.get(f"Tensor.{name}", type_))[3:]
    lines = ["    @property", f"    def {name}(self) -> {type_}: ..."]
    if kind == "attribute":
        lines += [f"    @{name}.setter", f"    def {name}(self, value: {type_}) -> None: ..."]
    return lines


def python_method(name: str, method: Any) -> list[str]:
    """The stub of a method that drivetrain/_tensor.py adds."""
    signature = inspect.signature(method)
    parameters = [
        p if i else p.replace(annotation=p.empty, name="self")
        for i, p in enumerate(signature.parameters.values())
    ]
    text = str(signature.replace(parameters=parameters)).replace("'", "")
    return function(name, text, "    ")


def tensor_class(signatures: dict[str, str]) -> list[str]:
    """The stub of Tensor."""
    lines = [
        "class Tensor:",
        "    def __new__(cls, data: Any) -> Self: ...",
        "    def __buffer__(self, flags: builtins.int, /) -> memoryview: ...",
        "    def __hash__(self) -> builtins.int: ...",
    ]
    attributes: list[str] = []
    methods: list[str] = []
    for full, signature in signatures.items():
        if not full.startswith("Tensor."):
            continue
        name = full.removeprefix("Tensor.")
        kind, _, type_ = signature.partition(" ")
        if kind in ("property", "attribute"):
            attributes += attribute(name, kind, type_)
        else:
            methods += function(name, signature, "    ")
    for name, method in _tensor.METHODS.items():
        methods += python_method(name, method)
    return lines + attributes + methods


def check_classes() -> None:
    """The classes that pybind11 makes are written by hand above: nothing may be missing."""
    for name, kind in vars(_core).items():
        if not isinstance(kind, type) or kind is _core.Tensor:
            continue
        found = re.search(rf"^class {name}:\n((?:    .*\n)+)", HEADER, re.MULTILINE)
        known = set(re.findall(r"def (\w+)", found[1])) if found else set()
        missing = {member for member in vars(kind) if not member.startswith("_")} - known
        if missing or not found:
            raise SystemExit(f"tools/stubs.py: class {name} of _core lacks {sorted(missing)} in the header")


def generate() -> str:
    """The text of the stub."""
    check_classes()
    signatures: dict[str, str] = dict(_core._signatures)
    lines = [HEADER.rstrip("\n"), ""]
    lines += tensor_class(signatures)
    lines.append("")
    for name, signature in signatures.items():
        if not name.startswith("Tensor."):
            lines += function(name, signature, "")
    lines += ["def manual_seed(seed: builtins.int) -> None: ...", "", "default_generator: Generator"]
    lines += [f"{name}: dtype" for name, value in vars(_core).items() if isinstance(value, _core.dtype)]
    lines += ["__version__: str", "_signatures: dict[str, str]", "__all__ = ["]
    lines += [f'    "{name}",' for name in _core.__all__] + ["]", ""]
    return "\n".join(lines)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="fail where the stub is not up to date")
    arguments = parser.parse_args()
    text = generate()
    if not arguments.check:
        TARGET.write_text(text)
    elif not TARGET.exists() or TARGET.read_text() != text:
        print(f"{TARGET} is not up to date: run python tools/stubs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
