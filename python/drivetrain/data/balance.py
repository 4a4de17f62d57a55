"""Classes of different sizes: samplers that draw them more evenly, and weights that make up for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._checks import flag
from .sampler import Sampler, check_length
from .shuffle import check_seed, permutation, uniform


class SeededSampler(Sampler):
    """Base of samplers whose order depends on the seed and the epoch alone."""

    def __init__(self, seed: int) -> None:
        self.seed = check_seed(type(self).__name__, seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def settings(self) -> dict[str, Any]:
        """What else the order depends on."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Seed, epoch and what is drawn from, as plain values."""
        return {"seed": self.seed, "epoch": self.epoch, **self.settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the sampler that gave ``state`` stood.

        Raises:
            ValueError: For a state of a sampler of other weights, labels or lengths.
        """
        name = type(self).__name__
        mine = self.settings()
        wrong = [key for key, value in mine.items() if key not in state or state[key] != value]
        if wrong or "seed" not in state or "epoch" not in state:
            raise ValueError(
                f"{name}.load_state_dict: the state has other {wrong[0] if wrong else 'entries'}"
            )
        self.seed = check_seed(f"{name}.load_state_dict", state["seed"])
        self.epoch = int(state["epoch"])


class WeightedRandomSampler(SeededSampler):
    """Indices drawn with the probabilities that ``weights`` have, anew in every epoch.

    Args:
        weights (array): One number of at least 0 per sample; they need not sum to 1.
        num_samples (int, optional): Draws of an epoch. Default: as many as there are weights.
        replacement (bool, default True): Without it every index comes at most once.
        seed (int, default 0): The draws of an epoch depend on it and the number of the epoch alone.

    Raises:
        ValueError: For weights below 0, not finite or all 0; without replacement for more draws than weights
            above 0.

    Source: PyTorch's sampler of this name. Without replacement: Efraimidis and Spirakis, 2006.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import WeightedRandomSampler, balanced_sample_weights
        >>> labels = np.array([0] * 90 + [1] * 10)
        >>> drawn = WeightedRandomSampler(balanced_sample_weights(labels), 1000).indices()
        >>> bool(450 < (labels[drawn] == 1).sum() < 550)
        True
    """

    def __init__(
        self, weights: ArrayLike, num_samples: int | None = None, replacement: bool = True, *, seed: int = 0
    ) -> None:
        super().__init__(seed)
        self.weights = check_weights("WeightedRandomSampler", weights)
        self.replacement = flag("WeightedRandomSampler", "replacement", replacement)
        wanted = len(self.weights) if num_samples is None else num_samples
        self.num_samples = check_length("WeightedRandomSampler", wanted)
        above = int((self.weights > 0).sum())
        if not replacement and self.num_samples > above:
            raise ValueError(
                f"WeightedRandomSampler: num_samples is {self.num_samples} without replacement, expected at "
                f"most {above}, the weights above 0"
            )

    def __len__(self) -> int:
        return self.num_samples

    def indices(self) -> NDArray[np.int64]:
        if self.replacement:
            edges = np.cumsum(self.weights)
            drawn = uniform(self.num_samples, self.seed, self.epoch) * edges[-1]
            # Rounding may end at the last edge: the last that can be drawn is meant.
            last = int(np.flatnonzero(self.weights)[-1])
            found: NDArray[np.int64] = np.minimum(np.searchsorted(edges, drawn, side="right"), last)
            return found
        drawn = uniform(len(self.weights), self.seed, self.epoch)
        with np.errstate(divide="ignore"):
            waits = -np.log1p(-drawn) / self.weights  # exponential, the first ones are taken
        return np.argsort(waits, kind="stable")[: self.num_samples].astype(np.int64)

    def settings(self) -> dict[str, Any]:
        return {
            "weights": digest(self.weights),
            "num_samples": self.num_samples,
            "replacement": self.replacement,
        }


class _ByClass(SeededSampler):
    """Draws the same number of samples from each class, in random order."""

    def __init__(self, labels: ArrayLike, *, seed: int = 0) -> None:
        super().__init__(seed)
        self.labels = check_labels(type(self).__name__, labels)
        _, class_of = np.unique(self.labels, return_inverse=True)
        self._members = [np.flatnonzero(class_of == number) for number in range(int(class_of.max()) + 1)]
        sizes = [len(each) for each in self._members]
        self.per_class = self.choose_size(sizes)

    def choose_size(self, sizes: list[int]) -> int:
        """How many of each class are drawn."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.per_class * len(self._members)

    def indices(self) -> NDArray[np.int64]:
        drawn = []
        for number, members in enumerate(self._members):
            # All as often as it goes, the rest at random: nobody comes twice more than another.
            copies, rest = divmod(self.per_class, len(members))
            stream = (number + 1 << 32) + self.epoch
            chosen = members[permutation(len(members), self.seed, stream)[:rest]]
            drawn.append(np.concatenate([np.tile(members, copies), chosen]))
        joined = np.concatenate(drawn)
        return joined[permutation(len(joined), self.seed, self.epoch)]

    def settings(self) -> dict[str, Any]:
        return {"labels": digest(self.labels)}


class RandomOverSampler(_ByClass):
    """As many samples of every class as the largest has: those of smaller classes come several times.

    Args:
        labels (array): One per sample: numbers or names.
        seed (int, default 0): Order and choice depend on it and the number of the epoch alone.

    Source: imbalanced-learn's ``RandomOverSampler``.

    Example:
        >>> from drivetrain.data import RandomOverSampler
        >>> sorted(RandomOverSampler([0, 0, 0, 1]))
        [0, 1, 2, 3, 3, 3]
    """

    def choose_size(self, sizes: list[int]) -> int:
        return max(sizes)


class RandomUnderSampler(_ByClass):
    """As many samples of every class as the smallest has, others in every epoch.

    Args:
        labels (array): One per sample: numbers or names.
        seed (int, default 0): Order and choice depend on it and the number of the epoch alone.

    Source: imbalanced-learn's ``RandomUnderSampler``.

    Example:
        >>> from drivetrain.data import RandomUnderSampler
        >>> sampler = RandomUnderSampler([0, 0, 0, 1])
        >>> len(sampler), 3 in list(sampler)
        (2, True)
    """

    def choose_size(self, sizes: list[int]) -> int:
        return min(sizes)


def balanced_class_weight(labels: ArrayLike) -> dict[int, float]:
    """Weights for ``fit(class_weight=...)`` with which all classes count the same: n / (classes * count).

    Args:
        labels (array): One class number per sample, or a data set with ``targets``.

    Returns:
        dict of class number to weight

    Raises:
        ValueError, TypeError: For labels that are no class numbers.

    Source: scikit-learn's ``class_weight="balanced"``.

    Example:
        >>> from drivetrain.data import balanced_class_weight
        >>> balanced_class_weight([0, 0, 0, 1])
        {0: 0.6666666666666666, 1: 2.0}
    """
    array = check_labels("balanced_class_weight", getattr(labels, "targets", labels))
    if array.dtype.kind not in "iub":
        raise TypeError(f"balanced_class_weight: labels have dtype {array.dtype}, expected class numbers")
    classes, counts = np.unique(array, return_counts=True)
    weights = len(array) / (len(classes) * counts)
    return dict(zip(map(int, classes), weights.tolist(), strict=True))


def balanced_sample_weights(labels: ArrayLike) -> NDArray[np.float64]:
    """One weight per sample with which all classes are drawn equally often: for `WeightedRandomSampler`.

    Args:
        labels (array): One per sample, numbers or names, or a data set with ``targets``.

    Example:
        >>> from drivetrain.data import balanced_sample_weights
        >>> balanced_sample_weights(["a", "a", "b"]).tolist()
        [0.75, 0.75, 1.5]
    """
    array = check_labels("balanced_sample_weights", getattr(labels, "targets", labels))
    _, class_of, counts = np.unique(array, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = (len(array) / (len(counts) * counts))[class_of]
    return weights


def check_weights(where: str, weights: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(weights, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{where}: weights is {weights!r:.80}, expected numbers") from None
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{where}: weights have shape {array.shape}, expected one number per sample")
    if not (np.isfinite(array).all() and (array >= 0).all() and (array > 0).any()):
        raise ValueError(f"{where}: weights must be finite, at least 0 and not all 0")
    return array


def check_labels(where: str, labels: Any) -> NDArray[Any]:
    array = np.asarray(labels.detach() if hasattr(labels, "detach") else labels)
    if array.dtype.hasobject:
        raise TypeError(f"{where}: labels hold Python objects, expected numbers or names")
    if array.ndim != 1 or not len(array):
        raise ValueError(f"{where}: labels have shape {array.shape}, expected one per sample")
    return array


def digest(array: NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
