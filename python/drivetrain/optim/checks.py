"""Checks of the options of optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from .._checks import flags, real


def check_number(
    optimizer: str, name: str, value: Any, expected: str, accepts: Callable[[float], bool]
) -> None:
    """Raises unless `value` is a finite number that `accepts` allows."""
    real(optimizer, name, value, expected, lambda number: math.isfinite(number) and accepts(number))


def check_flags(optimizer: str, options: Mapping[str, Any], *names: str) -> None:
    """Raises unless the options named are True or False."""
    flags(optimizer, **{name: options[name] for name in names})


def check_at_least_zero(optimizer: str, options: Mapping[str, Any], *names: str) -> None:
    """Raises unless the options named are positive numbers or 0."""
    for name in names:
        check_number(optimizer, name, options[name], "positive or 0", lambda value: value >= 0)


def check_shares(optimizer: str, options: Mapping[str, Any], name: str = "betas") -> None:
    """Raises unless the option is two numbers from 0 to below 1."""
    low, high = check_two(optimizer, options, name)
    for i, share in enumerate((low, high)):
        expected = "a number from 0 to below 1"
        check_number(optimizer, f"{name}[{i}]", share, expected, lambda value: 0 <= value < 1)


def check_two(optimizer: str, options: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """The two entries of an option; raises unless there are as many."""
    value = options[name]
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise TypeError(f"{optimizer}: {name} must be two numbers, got {value!r}")
    return value[0], value[1]
