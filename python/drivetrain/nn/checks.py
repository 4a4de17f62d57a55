"""Checks of the arguments of layers, done once, when a layer is made."""

from __future__ import annotations

from typing import Any

from .._checks import choice as choice
from .._checks import flag as flag
from .._checks import integer as integer
from .._checks import integers as integers
from .._checks import real as real
from .._core import Tensor


def tensor(layer: str, name: str, value: Any) -> Tensor:
    """`value`, which must be a Tensor, before anything is asked of it."""
    if not isinstance(value, Tensor):
        hint = "; use drivetrain.tensor(array)" if hasattr(value, "__array__") else ""
        raise TypeError(f"{layer}: {name} must be a Tensor, got {type(value).__name__}{hint}")
    return value


def no_more(layer: str, arguments: dict[str, Any]) -> None:
    """Raises for arguments that the layer does not have; where they are PyTorch's, names ours."""
    for name in arguments:
        ours = name.replace("dim", "axis")
        hint = f"; here it is called '{ours}'" if ours in ("axis", "start_axis", "end_axis") else ""
        raise TypeError(f"{layer}: unknown argument '{name}'{hint}")
