"""What arguments must be, checked once, where an object is made or a call begins; one wording for all."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from typing import Any

import numpy as np


def flag(owner: str, name: str, value: Any) -> bool:
    """`value` as a bool: True or False, Python's or NumPy's. Nothing else stands for one: "no" would be true.

    Example:
        >>> from drivetrain._checks import flag
        >>> flag("EarlyStopping", "restore_best_weights", "no")
        Traceback (most recent call last):
        ...
        TypeError: EarlyStopping: restore_best_weights must be True or False, got 'no'
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r:.80}")
    return bool(value)


def flags(owner: str, **values: Any) -> None:
    """Raises unless all of these are True or False."""
    for name, value in values.items():
        flag(owner, name, value)


def verbosity(owner: str, value: Any) -> int:
    """`verbose` as Keras has it: 0, 1 or 2, or True or False."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    number = integer(owner, "verbose", value, 0)
    if number > 2:
        raise ValueError(f"{owner}: verbose must be 0, 1 or 2, got {number}")
    return number


def integer(owner: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int of at least `least`."""
    expected = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:  # a tensor or an array of floats, or of several numbers
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r}") from None
    if number < least:
        raise ValueError(f"{owner}: {name} must be {expected}, got {number}")
    return number


def integers(owner: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """`count` ints: `value` repeated, or a sequence of that length."""
    if not isinstance(value, (tuple, list)):
        return (integer(owner, name, value, least),) * count
    if len(value) != count:
        raise ValueError(f"{owner}: {name} must be one integer or {count}, got {tuple(value)}")
    return tuple(integer(owner, name, v, least) for v in value)


def real(owner: str, name: str, value: Any, expected: str, accepts: Callable[[float], bool]) -> float:
    """`value` as a float that `accepts` allows; `expected` says in words which those are."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{owner}: {name} must be {expected}, got a number beyond float64") from None
    if not accepts(number):
        raise ValueError(f"{owner}: {name} must be {expected}, got {value}")
    return number


def choice(owner: str, name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """`value`, one of the strings `allowed`."""
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise ValueError(f"{owner}: {name} must be one of {listed}, got {value!r}")
    result: str = value
    return result
