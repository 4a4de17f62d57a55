"""What arguments must be, checked once, where an object is made or a call begins; one wording for all."""

from __future__ import annotations

import math
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
    return integer(owner, "verbose", value, 0, 2)


def integer(owner: str, name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """`value` as an int of at least `least` and at most `most`."""
    expected = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if most is not None:
        expected = f"an integer from {least} to {shown(most)}"
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r:.80}")
    try:
        found = operator.index(value)
    except TypeError:  # a tensor or an array of floats, or of several numbers
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r:.80}") from None
    if found < least or (most is not None and found > most):
        raise ValueError(f"{owner}: {name} must be {expected}, got {shown(found)}")
    return found


def shown(number: int) -> str:
    """An int as a message has it: Python refuses to write those of more than 4,300 digits."""
    if number > 2**31 and number & (number + 1) == 0:
        return f"2**{number.bit_length()} - 1"
    return str(number) if abs(number) < 10**80 else f"a number of {number.bit_length()} bits"


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
        raise TypeError(f"{owner}: {name} must be {expected}, got {value!r:.80}")
    try:
        found = float(value)
    except OverflowError:
        raise ValueError(f"{owner}: {name} must be {expected}, got a number beyond float64") from None
    if not accepts(found):
        raise ValueError(f"{owner}: {name} must be {expected}, got {value}")
    return found


def number(owner: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a finite float from `low` to `high`."""
    if math.isinf(low):
        expected = "a finite number" if math.isinf(high) else f"a finite number of at most {high:g}"
    else:
        expected = (
            f"a number of at least {low:g}" if math.isinf(high) else f"a number from {low:g} to {high:g}"
        )
    return real(owner, name, value, expected, lambda found: math.isfinite(found) and low <= found <= high)


def fits(owner: str, name: str, value: Any, dtype: np.dtype[Any]) -> Any:
    """`value`, a number that a dtype holds: no fraction, NaN or number out of range among integers."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r:.80}")
    if dtype.kind in "iub":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        found: Any = value
        if not low <= found <= high or found != int(found):
            raise ValueError(f"{owner}: {name} is {value!r:.80}, which {dtype} does not hold")
    return value


def choice(owner: str, name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """`value`, one of the strings `allowed`, or None, True or False where they are among them."""
    if not any(value is each or (isinstance(value, str) and value == each) for each in allowed):
        listed = ", ".join(map(repr, allowed))
        raise ValueError(f"{owner}: {name} must be one of {listed}, got {value!r:.80}")
    return value
