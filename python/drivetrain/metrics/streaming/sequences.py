"""Metrics of sequences: perplexity, shares of right tokens, BLEU."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..._checks import integer
from ..._core import Tensor, cross_entropy, from_numpy
from ..checks import Array, Floats, as_array, check_range
from ..functions.translation import bleu_counts, bleu_of, check_smoothing
from .base import SumMetric, WeightedMean


class TokenAccuracy(WeightedMean):
    """The share of tokens that are predicted right, padding left out.

    Args:
        name: Str, default "token_accuracy".
        ignore_index (int, default -100): Labels of this value do not count: the padding.

    ``update(y_true, y_pred)`` takes labels (batch, time), or of any shape, with scores of the classes on a
    last axis more, or with labels of the same shape; ``sample_weight`` is a weight (a mask) per token or per
    sequence.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import TokenAccuracy
        >>> accuracy = TokenAccuracy(ignore_index=0)
        >>> accuracy.update(np.array([[3, 4], [5, 0]]), np.array([[3, 1], [5, 7]]))
        >>> round(accuracy.result(), 4)
        0.6667
    """

    def __init__(self, name: str = "token_accuracy", *, ignore_index: int = -100) -> None:
        super().__init__(name)
        self.ignore_index = integer(type(self).__name__, "ignore_index", ignore_index, -(2**63))

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
        if guess.ndim == truth.ndim + 1 and guess.shape[:-1] == truth.shape:
            guess = guess.argmax(axis=-1)
        if guess.shape != truth.shape:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected labels of one "
                "shape, or y_pred with one axis of classes more"
            )
        counts = truth != self.ignore_index
        weights = token_weights(where, sample_weight, truth.shape)
        self._add((truth == guess)[counts], None if weights is None else weights[counts])


class Perplexity(WeightedMean):
    """exp of the mean cross entropy of the tokens, padding left out: of a language model's logits.

    Args:
        name: Str, default "perplexity".
        ignore_index (int, default -100): Labels of this value do not count: the padding.

    ``update(y_true, y_pred)`` takes labels (batch, time), or of any shape, with logits of the classes on a
    last axis more; log-probabilities are logits too. ``sample_weight`` is a weight (a mask) per token or per
    sequence.

    Source: Jelinek et al., Perplexity - a measure of the difficulty of speech recognition tasks (1977).

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Perplexity
        >>> perplexity = Perplexity()
        >>> perplexity.update(np.array([[3, 4], [5, -100]]), np.zeros((2, 2, 8), np.float32))
        >>> round(perplexity.result(), 4)
        8.0
    """

    def __init__(self, name: str = "perplexity", *, ignore_index: int = -100) -> None:
        super().__init__(name)
        self.ignore_index = integer(type(self).__name__, "ignore_index", ignore_index, -(2**63))

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth = as_array(where, "y_true", y_true)
        logits = y_pred.detach() if isinstance(y_pred, Tensor) else from_numpy(as_logits(where, y_pred))
        if tuple(logits.shape[:-1]) != truth.shape or not logits.dtype.is_floating_point:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {tuple(logits.shape)}, expected logits "
                "with one axis of classes more"
            )
        counts = truth != self.ignore_index
        check_range(where, "y_true", truth[counts], logits.shape[-1])
        labels = from_numpy(np.ascontiguousarray(truth, np.int64))
        losses = cross_entropy(logits, labels, ignore_index=self.ignore_index, reduction="none").numpy()
        weights = token_weights(where, sample_weight, truth.shape)
        self._add(losses[counts], None if weights is None else weights[counts])

    def result(self) -> float:
        """Return the perplexity, NaN before the first token."""
        mean = super().result()
        return math.exp(mean) if mean < 709 else mean if math.isnan(mean) else math.inf


def as_logits(where: str, value: Any) -> Array:
    array = as_array(where, "y_pred", value)
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)


def token_weights(where: str, sample_weight: Any, shape: tuple[int, ...]) -> Floats | None:
    """A weight per token for one per token or per sequence."""
    if sample_weight is None:
        return None
    weights = as_array(where, "sample_weight", sample_weight).astype(np.float64)
    if weights.shape not in (shape, shape[:1]) or not np.isfinite(weights).all():
        raise ValueError(
            f"{where}: sample_weight has shape {weights.shape}, expected finite numbers of shape {shape} or "
            f"{shape[:1]}"
        )
    return np.broadcast_to(weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim)), shape)


class BLEU(SumMetric):
    """BLEU of translations, of the n-grams counted over all sentences; see `corpus_bleu`.

    Args:
        name: Str, default "bleu".
        max_order (int, default 4): The longest n-grams that count.
        smoothing ("none", "floor", "add-k" or "exp", default "none"): See `corpus_bleu`.

    ``update(references, candidates)`` takes lists of sentences, strings or lists of tokens each.

    Example:
        >>> from drivetrain.metrics import BLEU
        >>> bleu = BLEU(max_order=2)
        >>> bleu.update([["the cat is on the mat"]], ["the cat sat on the mat"])
        >>> round(bleu.result(), 4)
        0.7071
    """

    _state: ClassVar[tuple[str, ...] | None] = ("counts",)

    def __init__(self, name: str = "bleu", *, max_order: int = 4, smoothing: str = "none") -> None:
        self.name = name
        self.max_order = integer("BLEU", "max_order", max_order)
        check_smoothing("BLEU", smoothing)
        self.smoothing = smoothing
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.counts = np.zeros(2 * self.max_order + 2, np.int64)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch of references and of candidates."""
        if sample_weight is not None:
            raise ValueError("BLEU.update: got sample_weight, but n-grams are not weighted")
        self.counts = self.counts + bleu_counts("BLEU.update", y_true, y_pred, self.max_order)

    def result(self) -> float:
        """Return the score, from 0 to 1; NaN before the first sentence."""
        return bleu_of(self.counts, self.smoothing) if self.counts.any() else math.nan
