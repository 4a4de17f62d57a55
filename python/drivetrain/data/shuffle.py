"""The one place where data draws random numbers."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_seed(where: str, seed: Any) -> int:
    """Return ``seed`` as an integer of 64 bits."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"{where}: seed is {seed!r}, expected an integer") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"{where}: seed is {number}, expected 0 to 2**64 - 1")
    return number


def permutation(n: int, seed: int, stream: int = 0) -> NDArray[np.int64]:
    """Return 0 to n - 1 in an order that depends on (seed, stream) only: not on earlier calls, nor on
    threads."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, stream], np.uint64)))
    return generator.permutation(n)
