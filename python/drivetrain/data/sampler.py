"""The order in which a loader visits its samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import integer
from .shuffle import check_seed, permutation


def check_length(where: str, length: Any) -> int:
    return integer(where, "length", length, 0, 2**60 - 1)


class Sampler:
    """Base class of samplers: one pass over them gives the indices of one epoch.

    ``set_epoch`` is called before every pass; a sampler whose order depends on nothing but its arguments and
    the epoch resumes exactly.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import ArrayDataset, DataLoader, Sampler
        >>> class Backwards(Sampler):
        ...     def __len__(self):
        ...         return 3
        ...     def indices(self):
        ...         return np.array([2, 1, 0])
        >>> next(iter(DataLoader(ArrayDataset(np.arange(3)), 3, sampler=Backwards())))
        tensor([2, 1, 0])
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

    Example:
        >>> from drivetrain.data import SequentialSampler
        >>> list(SequentialSampler(3))
        [0, 1, 2]
    """

    def __init__(self, length: int) -> None:
        self.length = check_length("SequentialSampler", length)

    def __len__(self) -> int:
        return self.length

    def indices(self) -> NDArray[np.int64]:
        return np.arange(self.length, dtype=np.int64)


class RandomSampler(Sampler):
    """All indices, in an order that depends on the seed and the epoch only.

    Example:
        >>> from drivetrain.data import RandomSampler
        >>> sampler = RandomSampler(5, seed=1)
        >>> sorted(sampler)
        [0, 1, 2, 3, 4]
        >>> list(sampler) == list(RandomSampler(5, seed=1))
        True
    """

    def __init__(self, length: int, *, seed: int = 0) -> None:
        self.length = check_length("RandomSampler", length)
        self.seed = check_seed("RandomSampler", seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def indices(self) -> NDArray[np.int64]:
        return permutation(self.length, self.seed, self.epoch)
