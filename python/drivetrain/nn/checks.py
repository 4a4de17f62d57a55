"""Checks of the arguments of layers, done once, when a layer is made."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from typing import Any


def integer(layer: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    expected = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{layer}: {name} must be {expected}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:  # a tensor or an array of floats, or of several numbers
        raise TypeError(f"{layer}: {name} must be {expected}, got {value!r}") from None
    if number < least:
        raise ValueError(f"{layer}: {name} must be {expected}, got {number}")
    return number


def integers(layer: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """`count` ints: `value` repeated, or a sequence of that length."""
    if not isinstance(value, (tuple, list)):
        return (integer(layer, name, value, least),) * count
    if len(value) != count:
        raise ValueError(f"{layer}: {name} must be one integer or {count}, got {tuple(value)}")
    return tuple(integer(layer, name, v, least) for v in value)


def real(layer: str, name: str, value: Any, expected: str, accepts: Callable[[float], bool]) -> float:
    """`value` as a float that `accepts` allows; `expected` says in words which those are."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{layer}: {name} must be {expected}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{layer}: {name} must be {expected}, got a number beyond float64") from None
    if not accepts(number):
        raise ValueError(f"{layer}: {name} must be {expected}, got {value}")
    return number


def choice(layer: str, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value`, one of the strings `allowed`."""
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise ValueError(f"{layer}: {name} must be one of {listed}, got {value!r}")
    result: str = value
    return result


def no_more(layer: str, arguments: dict[str, Any]) -> None:
    """Raises for arguments that the layer does not have; where they are PyTorch's, names ours."""
    for name in arguments:
        ours = name.replace("dim", "axis")
        hint = f"; here it is called '{ours}'" if ours in ("axis", "start_axis", "end_axis") else ""
        raise TypeError(f"{layer}: unknown argument '{name}'{hint}")
