"""The order in which a loader visits its samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .shuffle import check_seed, permutation


class Sampler:
    """Base class of samplers: one pass over them gives the indices of one epoch.

    ``set_epoch`` is called before every pass; a sampler whose order depends on nothing but its arguments and
    the epoch resumes exactly.
    """

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, counted from 0."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} has no __len__")

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices().tolist())

    def indices(self) -> NDArray[np.int64]:
        """Return the indices of the epoch as one array."""
        raise NotImplementedError(f"{type(self).__name__} has no indices")


class SequentialSampler(Sampler):
    """0, 1, 2, ... in every epoch.

    >>> from drivetrain.data import SequentialSampler
    >>> list(SequentialSampler(3))
    [0, 1, 2]
    """

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def indices(self) -> NDArray[np.int64]:
        return np.arange(self.length, dtype=np.int64)


class RandomSampler(Sampler):
    """All indices, in an order that depends on the seed and the epoch only.

    >>> from drivetrain.data import RandomSampler
    >>> sampler = RandomSampler(5, seed=1)
    >>> sorted(sampler)
    [0, 1, 2, 3, 4]
    >>> list(sampler) == list(RandomSampler(5, seed=1))
    True
    """

    def __init__(self, length: int, *, seed: int = 0) -> None:
        self.length = length
        self.seed = check_seed("RandomSampler", seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def indices(self) -> NDArray[np.int64]:
        return permutation(self.length, self.seed, self.epoch)
