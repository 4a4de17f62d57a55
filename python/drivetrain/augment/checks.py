"""Arguments of transforms."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from .. import _checks as checks

#: Of numbers in units of pixels' values: float32 holds the product of any three.
LARGEST = 1e12
#: Of factors, angles and lengths.
MOST = 1e6
#: Pixels of a side of an image.
LONGEST = 2**20


def number(where: str, name: str, value: Any, low: float = -LARGEST, high: float = LARGEST) -> float:
    return checks.number(where, name, value, low, high)


def as_float(value: Any) -> float:
    """Infinity where float64 does not reach."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def interval(
    where: str,
    name: str,
    value: Any,
    *,
    around: float | None = 0.0,
    low: float = -MOST,
    high: float = MOST,
) -> tuple[float, float]:
    """The range that an argument means: a pair as it is, a number as ``around`` plus and minus it.

    Raises:
        TypeError: For what is neither.
        ValueError: For ranges out of order, beyond ``low`` and ``high`` or not finite.
    """
    pair = value
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and around is not None:
        reach = as_float(value)
        if reach < 0:
            raise ValueError(f"{where}: {name} is {value!r}, expected a number of at least 0 or a pair")
        pair = (around - reach, around + reach)
    if isinstance(pair, np.ndarray):
        pair = pair.tolist()
    kinds = "a pair of numbers" if around is None else "a number or a pair of numbers"
    if not isinstance(pair, (tuple, list)) or not all(
        isinstance(each, numbers.Real) and not isinstance(each, bool) for each in pair
    ):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected {kinds}")
    if len(pair) != 2:
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected {kinds}")
    first, last = as_float(pair[0]), as_float(pair[1])
    if not (math.isfinite(first) and math.isfinite(last)):
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected finite numbers")
    if first > last:
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected the lower number first")
    if first < low or last > high:
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected a range within {low:g} to {high:g}")
    return first, last


def check_shift(where: str, name: str, value: Any) -> Any:
    """A float, an int, or an array of numbers to choose from."""
    expected = "a number of at least 0, or a sequence of numbers"
    if isinstance(value, (list, tuple, np.ndarray)):
        array = np.asarray(value)
        is_row = array.dtype.kind in "iuf" and array.ndim == 1 and array.size > 0
        if not is_row or not (np.abs(array) <= MOST).all():
            raise ValueError(f"{where}: {name} is {value!r:.80}, expected {expected}")
        return array
    shift = checks.real(where, name, value, expected, lambda found: 0 <= found <= MOST)
    return int(shift) if isinstance(value, numbers.Integral) else shift
