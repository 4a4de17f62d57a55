"""Arguments of transforms."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np


def check_probability(where: str, p: Any) -> float:
    if isinstance(p, bool) or not isinstance(p, numbers.Real):
        raise TypeError(f"{where}: p is {p!r}, expected a number from 0 to 1")
    if not 0 <= float(p) <= 1:
        raise ValueError(f"{where}: p is {p!r}, expected a number from 0 to 1")
    return float(p)


def interval(
    where: str,
    name: str,
    value: Any,
    *,
    around: float | None = 0.0,
    low: float = -math.inf,
    high: float = math.inf,
) -> tuple[float, float]:
    """The range that an argument means: a pair as it is, a number as ``around`` plus and minus it.

    Raises:
        TypeError: For what is neither.
        ValueError: For ranges out of order, beyond ``low`` and ``high`` or not finite.
    """
    pair = value
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and around is not None:
        if float(value) < 0:
            raise ValueError(f"{where}: {name} is {value!r}, expected a number of at least 0 or a pair")
        pair = (around - float(value), around + float(value))
    if isinstance(pair, np.ndarray):
        pair = pair.tolist()
    kinds = "a pair of numbers" if around is None else "a number or a pair of numbers"
    if not isinstance(pair, (tuple, list)) or not all(
        isinstance(each, numbers.Real) and not isinstance(each, bool) for each in pair
    ):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected {kinds}")
    if len(pair) != 2:
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected {kinds}")
    first, last = float(pair[0]), float(pair[1])
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ValueError(f"{where}: {name} is {value!r}, expected finite numbers")
    if first > last:
        raise ValueError(f"{where}: {name} is {value!r}, expected the lower number first")
    if first < low or last > high:
        raise ValueError(f"{where}: {name} is {value!r}, expected a range within {low:g} to {high:g}")
    return first, last


def one_of(where: str, name: str, value: Any, known: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected one of {', '.join(map(repr, known))}")
    if value not in known:
        raise ValueError(f"{where}: {name} is {value!r}, expected one of {', '.join(map(repr, known))}")
    return value


def number(where: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    expected = "a finite number" if math.isinf(low) else f"a number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected {expected}")
    if not math.isfinite(float(value)) or not low <= float(value) <= high:
        raise ValueError(f"{where}: {name} is {value!r}, expected {expected}")
    return float(value)


def check_shift(where: str, name: str, value: Any) -> Any:
    """A float, an int, or an array of numbers to choose from."""
    expected = "a number of at least 0, or a sequence of numbers"
    if isinstance(value, (list, tuple, np.ndarray)):
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" or array.ndim != 1 or not array.size or not np.isfinite(array).all():
            raise ValueError(f"{where}: {name} is {value!r:.80}, expected {expected}")
        return array
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected {expected}")
    if not math.isfinite(float(value)) or value < 0:
        raise ValueError(f"{where}: {name} is {value!r}, expected {expected}")
    return int(value) if isinstance(value, numbers.Integral) else float(value)
