"""MixUp and CutMix: batches whose samples are mixed with others, and whose labels become soft."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import _core
from .._arguments import checks_names
from .._checks import integer, real
from .._core import Tensor
from ..autograd import no_grad
from .convert import to_tensors
from .shuffle import check_seed


class _Mixing:
    """Draws a share for each batch, from the seed and the batch's number alone."""

    def __init__(self, alpha: float, num_classes: int | None, seed: int) -> None:
        name = type(self).__name__
        real(name, "alpha", alpha, "a positive number", lambda value: 0 < value < math.inf)
        if num_classes is not None:
            integer(name, "num_classes", num_classes)
        self.alpha = alpha
        self.num_classes = num_classes
        self.seed = check_seed(name, seed)
        self.calls = 0

    def __call__(self, *batch: Any) -> tuple[Any, ...]:
        """The mixed images, their soft labels and, where there are some, the weights of the samples: of a
        batch (images, labels) or (images, labels, sample_weight), or of its parts."""
        parts = batch[0] if len(batch) == 1 and isinstance(batch[0], (tuple, list)) else batch
        # Advanced only when the batch was right.
        mixed = self._apply(parts, [self.calls])
        self.calls += 1
        return mixed

    def transform_batch(self, batch: Any, epoch: int, number: int) -> tuple[Any, ...]:
        """The same for batch `number` of an epoch; `DataLoader` calls it. It keeps nothing in mind."""
        return self._apply(batch, [epoch, number])

    def _apply(self, parts: Any, place: Sequence[int]) -> tuple[Any, ...]:
        name = type(self).__name__
        if not isinstance(parts, (tuple, list)) or len(parts) not in (2, 3):
            count = len(parts) if isinstance(parts, (tuple, list)) else 1
            raise ValueError(
                f"{name}: a batch has {count} parts, expected (images, labels) or (images, labels, "
                "sample_weight)"
            )
        random = np.random.default_rng([self.seed, len(place), *place])
        with no_grad():
            images, labels, *weights = (self._tensor(part) for part in parts)
            if images.ndim == 0 or labels.ndim == 0 or images.shape[0] != labels.shape[0]:
                raise ValueError(
                    f"{name}: images have shape {tuple(images.shape)} and labels {tuple(labels.shape)}, "
                    "expected the same number of samples"
                )
            soft = self._soft(labels)
            weights = [self._weights(each, images.shape[0]) for each in weights]
            mixed, share = self._mix(images, random)
            return (mixed, *(blend(part, share) for part in (soft, *weights)))

    def _tensor(self, part: Any) -> Tensor:
        found = to_tensors(part)
        if not isinstance(found, Tensor):
            raise TypeError(
                f"{type(self).__name__}: images, labels and weights must be arrays or Tensors, "
                f"got a {type(part).__name__}"
            )
        return found

    def _weights(self, weights: Tensor, samples: int) -> Tensor:
        if tuple(weights.shape) != (samples,):
            raise ValueError(
                f"{type(self).__name__}: sample_weight has shape {tuple(weights.shape)}, expected "
                f"({samples},)"
            )
        return weights if weights.dtype.is_floating_point else weights.astype("float32")

    def _soft(self, labels: Tensor) -> Tensor:
        if labels.dtype.is_floating_point:
            return labels
        if self.num_classes is None:
            raise ValueError(
                f"{type(self).__name__}: labels are {labels.dtype.name}; pass num_classes to make them soft"
            )
        if labels.ndim != 1:
            raise ValueError(
                f"{type(self).__name__}: labels have shape {tuple(labels.shape)}, expected (batch,) integers "
                "or (batch, classes) floats"
            )
        return _core.one_hot(labels.astype("int64"), self.num_classes).astype("float32")

    def _mix(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        """The mixed images, and the share that each sample keeps of itself."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """How many batches were mixed by calls. In a `DataLoader` nothing is kept."""
        return {"seed": self.seed, "calls": self.calls}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on with the next batch after those of the state."""
        seed, calls = entries(self, state_dict, "seed", "calls")
        seed = check_seed(f"{type(self).__name__}.load_state_dict", seed)
        self.calls = calls_made(self, calls)
        self.seed = seed

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, num_classes={self.num_classes}, seed={self.seed})"


class MixUp(_Mixing):
    """Blends each sample of a batch with its neighbour: ``share * x + (1 - share) * neighbour``, images and
    labels alike, with one share per batch drawn from Beta(alpha, alpha).

    Args:
        alpha: The larger, the more the share is drawn to one half; 1 makes all shares equally probable.
        num_classes: Number of classes, where labels are integers. Floats are blended as they are.
        seed: Of the shares. Each depends on the seed and the number of the batch alone.

    Called with images (batch, ...) and labels, or a batch of both, it returns images and labels: floats,
    uint8 images become float32. Weights of the samples, (batch,), are blended and returned as well. Pass it
    to `DataLoader` as ``batch_transform``; the loss must take soft labels, as `nn.CrossEntropyLoss` does.

    Source: Zhang et al., 2018; torchvision.transforms.v2.MixUp.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.data import MixUp
        >>> images, labels = dt.stack([dt.zeros((2, 2, 1)), dt.ones((2, 2, 1))]), dt.tensor([0, 1])
        >>> mixed, soft = MixUp(num_classes=2, seed=1)(images, labels)
        >>> [[round(x, 2) for x in row] for row in soft.tolist()]
        [[0.35, 0.65], [0.65, 0.35]]
        >>> round(mixed[0, 0, 0, 0].item(), 2)
        0.65
    """

    @checks_names
    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, seed: int = 0) -> None:
        super().__init__(alpha, num_classes, seed)

    def _mix(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        share = float(random.beta(self.alpha, self.alpha))
        if not images.dtype.is_floating_point:
            images = images.astype("float32")
        return blend(images, share), share


class CutMix(_Mixing):
    """Replaces a rectangle of each image by that of its neighbour, and blends the labels by its area.

    Args:
        alpha: The area kept is drawn from Beta(alpha, alpha).
        num_classes: Number of classes, where labels are integers. Floats are blended as they are.
        seed: Of the rectangles. Each depends on the seed and the number of the batch alone.

    Called with images (batch, height, width, channels) and labels, or a batch of both, it returns images of
    their dtype and labels of floats. Weights of the samples, (batch,), are blended as the labels are. Pass it
    to `DataLoader` as ``batch_transform``; the loss must take soft labels, as `nn.CrossEntropyLoss` does.

    Source: Yun et al., 2019; torchvision.transforms.v2.CutMix.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.data import CutMix
        >>> images, labels = dt.stack([dt.zeros((4, 4, 1)), dt.ones((4, 4, 1))]), dt.tensor([0, 1])
        >>> mixed, soft = CutMix(num_classes=2, seed=0)(images, labels)
        >>> soft[0].tolist() == [1 - mixed[0].mean().item(), mixed[0].mean().item()]
        True
    """

    @checks_names
    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, seed: int = 0) -> None:
        super().__init__(alpha, num_classes, seed)

    def _mix(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, float]:
        if images.ndim != 4:
            raise ValueError(
                f"CutMix: images have shape {tuple(images.shape)}, expected (batch, height, width, channels)"
            )
        height, width = images.shape[1:3]
        share = float(random.beta(self.alpha, self.alpha))
        column, row = int(random.integers(width)), int(random.integers(height))
        half = 0.5 * math.sqrt(1 - share)
        left, right = max(column - int(half * width), 0), min(column + int(half * width), width)
        top, bottom = max(row - int(half * height), 0), min(row + int(half * height), height)
        mixed = _core.tensor(images)
        # The neighbour is the sample before, the last one's for the first.
        mixed[:, top:bottom, left:right] = _core.roll(images[:, top:bottom, left:right], 1, 0)
        return mixed, 1 - (right - left) * (bottom - top) / (width * height)


class RandomChoice:
    """One of several batch transforms for each batch.

    Args:
        transforms: `MixUp`, `CutMix` or others of this kind.
        p: Their weights; by default all the same.
        seed: Of the choice, which depends on the seed and the number of the batch alone.

    Source: torchvision.transforms.v2.RandomChoice.

    Example:
        >>> from drivetrain.data import CutMix, MixUp, RandomChoice
        >>> RandomChoice([MixUp(num_classes=10), CutMix(num_classes=10)], p=[1, 3]).p
        [0.25, 0.75]
    """

    @checks_names
    def __init__(self, transforms: Sequence[Any], p: Sequence[float] | None = None, *, seed: int = 0) -> None:
        if not isinstance(transforms, (list, tuple)) or not transforms:
            raise ValueError(f"RandomChoice: transforms must be a list of transforms, got {transforms!r:.80}")
        for place, transform in enumerate(transforms):
            if not hasattr(transform, "transform_batch"):
                raise TypeError(
                    f"RandomChoice: transforms[{place}] is no MixUp or CutMix, but {transform!r:.80}"
                )
        weights = [1.0] * len(transforms) if p is None else p
        if not isinstance(weights, (list, tuple, np.ndarray)) or not all(
            isinstance(weight, numbers.Real) for weight in weights
        ):
            raise TypeError(f"RandomChoice: p must be a list of {len(transforms)} weights, got {p!r:.80}")
        if len(weights) != len(transforms) or min(weights) < 0 or not 0 < sum(weights) < math.inf:
            raise ValueError(
                f"RandomChoice: p must be {len(transforms)} weights, at least one of them above 0, got {p}"
            )
        self.transforms = list(transforms)
        self.p = [weight / sum(weights) for weight in weights]
        self.seed = check_seed("RandomChoice", seed)
        self.calls = 0

    def __call__(self, *batch: Any) -> tuple[Any, ...]:
        """The batch, transformed by the one whose turn it is."""
        chosen = self._choose([self.calls])
        self.calls += 1
        mixed: tuple[Any, ...] = chosen(*batch)
        return mixed

    def transform_batch(self, batch: Any, epoch: int, number: int) -> tuple[Any, ...]:
        """The same for batch `number` of an epoch; `DataLoader` calls it."""
        mixed: tuple[Any, ...] = self._choose([epoch, number]).transform_batch(batch, epoch, number)
        return mixed

    def _choose(self, place: Sequence[int]) -> Any:
        # Other numbers than those that the chosen one will draw.
        random = np.random.default_rng([self.seed, 3, *place])
        return self.transforms[int(random.choice(len(self.transforms), p=self.p))]

    def state_dict(self) -> dict[str, Any]:
        """How many batches were transformed by calls."""
        return {"calls": self.calls, "transforms": [each.state_dict() for each in self.transforms]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on with the next batch after those of the state."""
        calls, states = entries(self, state_dict, "calls", "transforms")
        calls_made(self, calls)
        count = len(states) if isinstance(states, (list, tuple)) else repr(states)[:80]
        if count != len(self.transforms):
            raise ValueError(
                f"RandomChoice.load_state_dict: 'transforms' has {count} states, expected "
                f"{len(self.transforms)}"
            )
        for transform, state in zip(self.transforms, states, strict=True):
            transform.load_state_dict(state)
        self.calls = calls

    def __repr__(self) -> str:
        return f"RandomChoice({self.transforms!r}, p={self.p})"


def entries(owner: Any, state: Any, *names: str) -> list[Any]:
    """What a state has under these names."""
    if not isinstance(state, Mapping) or set(state) != set(names):
        raise ValueError(
            f"{type(owner).__name__}.load_state_dict: got {state!r:.80}, expected a dict with "
            f"{' and '.join(map(repr, names))}"
        )
    return [state[name] for name in names]


def calls_made(owner: Any, calls: Any) -> int:
    if isinstance(calls, bool) or not isinstance(calls, int) or calls < 0:
        raise ValueError(f"{type(owner).__name__}.load_state_dict: 'calls' is {calls!r}")
    return calls


def blend(x: Tensor, share: float) -> Tensor:
    """Each row with the one before it; the first with the last."""
    return x * share + _core.roll(x, 1, 0) * (1 - share)
