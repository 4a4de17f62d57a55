"""The one place where data draws random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import integer

SHUFFLING = 2**63


def check_seed(where: str, seed: Any) -> int:
    """Return ``seed`` as an integer of 64 bits."""
    return integer(where, "seed", seed, 0, 2**64 - 1)


def permutation(n: int, seed: int, stream: int = 0) -> NDArray[np.int64]:
    """Return 0 to n - 1 in an order that depends on (seed, stream) only.

    Earlier calls and threads play no part, and the default generator is left as it is.
    """
    # Imported here: what does not shuffle does not need the core.
    from .. import Generator, randperm

    generator = Generator(seed)
    # The streams of weights and dropout count up from 0; orders of samples have the upper half for
    # themselves.
    generator.set_state((seed, stream + SHUFFLING))
    order: NDArray[np.int64] = randperm(n, generator=generator).numpy()
    return order


def uniform(n: int, seed: int, stream: int = 0) -> NDArray[np.float64]:
    """Return n numbers from [0, 1) that depend on (seed, stream) only."""
    from .. import Generator, rand

    generator = Generator(seed)
    generator.set_state((seed, stream + SHUFFLING))
    numbers: NDArray[np.float64] = rand(n, dtype="float64", generator=generator).numpy()
    return numbers
