"""Streaming metrics: fed batch by batch, with memory that does not grow.

A metric over batches gives the value of the whole: batches weigh by their samples, the last and smaller one
too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import as_array, as_weights, check_labels, check_range, check_same_length, has_nan, top_k_hits


class Metric:
    """Base class: ``update`` takes a batch, ``result`` gives the value of all since ``reset``.

    Subclasses give the three methods; ``name`` is the key in a training's history.

    Example:
        >>> from drivetrain.metrics import Metric
        >>> class Samples(Metric):
        ...     name = "samples"
        ...     def reset(self):
        ...         self.count = 0
        ...     def update(self, y_true, y_pred, sample_weight=None):
        ...         self.count += len(y_true)
        ...     def result(self):
        ...         return self.count
        >>> samples = Samples()
        >>> samples.reset()
        >>> samples.update([1, 2], [1, 2])
        >>> samples.result()
        2
    """

    name: str

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch: truth and predictions with one row per sample, and the samples' weights, or
        None."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def result(self) -> Any:
        """Return the value over everything taken in since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def reset(self) -> None:
        """Forget everything taken in."""
        raise NotImplementedError(f"{type(self).__name__} has no reset")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, result={self.result()!r})"


class WeightedMean(Metric):
    """A mean over samples, kept as two float64 sums."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.total = 0.0
        self.weight = 0.0

    def result(self) -> float:
        """Return the mean, NaN before the first sample."""
        return self.total / self.weight if self.weight else float("nan")

    def _add(self, values: NDArray[Any], weights: NDArray[np.float64] | None) -> None:
        if weights is None:
            self.total += float(values.sum(dtype=np.float64))
            self.weight += len(values)
        else:
            self.total += float(np.dot(values.astype(np.float64), weights))
            self.weight += float(weights.sum())


class Mean(WeightedMean):
    """The mean of values, for instance of losses, weighted by the samples behind each.

    Example:
        >>> from drivetrain.metrics import Mean
        >>> mean = Mean("loss")
        >>> mean.update(1.0, weight=3)
        >>> mean.update(5.0)
        >>> mean.result()
        2.0
    """

    def __init__(self, name: str = "mean") -> None:
        super().__init__(name)

    def update(self, value: Any, weight: Any = 1.0) -> None:  # type: ignore[override]
        """Take in a number with its weight, or an array of numbers with one weight or as many."""
        if type(value) is float and isinstance(weight, (int, float)):  # the training loop's case, every step
            self.total += value * weight
            self.weight += weight
            return
        values, weights = as_array("Mean.update", "value", value), as_array("Mean.update", "weight", weight)
        for name, array in (("value", values), ("weight", weights)):
            if array.dtype.kind not in "buif":
                raise TypeError(f"Mean.update: {name} has dtype {array.dtype}, expected numbers")
        values, weights = values.astype(np.float64), weights.astype(np.float64)
        if weights.ndim and weights.shape != values.shape:
            raise ValueError(
                f"Mean.update: weight has shape {weights.shape}, expected {values.shape} or a number"
            )
        self._add(values.ravel(), np.broadcast_to(weights, values.shape).ravel())


class Accuracy(WeightedMean):
    """The share of samples whose class is predicted right.

    Args:
        name: Str, default "accuracy".
        threshold (float, default 0.5): Above it a single score means class 1: 0.5 for probabilities, 0 for
            logits.

    ``update(y_true, y_pred)`` takes labels of shape (n, ...) with

    - scores of the classes on a last axis more, (n, ..., classes): the largest is the prediction;
    - labels of the same shape, integer or bool;
    - floats of the same shape, or with a last axis of 1 more: class 1 above the threshold;

    or one-hot rows of shape (n, classes) with scores of that shape. A prediction with NaN is wrong.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import Accuracy
        >>> accuracy = Accuracy()
        >>> accuracy.update(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        >>> accuracy.result()
        0.5
    """

    def __init__(self, name: str = "accuracy", *, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = float(threshold)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "Accuracy.update"
        truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
        check_same_length(where, truth, guess)
        right = self._right(where, truth, guess)
        self._add(
            right.reshape(len(truth), -1).mean(axis=1) if right.size else right.reshape(-1)[:0],
            as_weights(where, sample_weight, len(truth)),
        )

    def _right(self, where: str, truth: NDArray[Any], guess: NDArray[Any]) -> Any:
        """Compare element by element; arrays of shape (n, ...)."""
        if guess.ndim == truth.ndim + 1 and guess.shape[:-1] == truth.shape and guess.shape[-1] > 1:
            labels = check_range(where, "y_true", truth, guess.shape[-1])
            return (guess.argmax(axis=-1) == labels) & ~np.isnan(guess).any(axis=-1)
        if guess.shape == truth.shape and guess.ndim > 1 and guess.shape[-1] > 1 and guess.dtype.kind == "f":
            check_labels(where, "y_true", truth)
            return (guess.argmax(axis=-1) == truth.argmax(axis=-1)) & ~np.isnan(guess).any(axis=-1)
        if guess.shape == (*truth.shape, 1):
            guess = guess[..., 0]
        elif truth.shape == (*guess.shape, 1):
            truth = truth[..., 0]
        if guess.shape != truth.shape:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected labels of "
                "one shape, or y_pred with one axis of classes more"
            )
        check_labels(where, "y_true", truth)
        if guess.dtype.kind != "f":
            return truth == guess
        return ((guess > self.threshold) == truth) & ~np.isnan(guess)


class TopKAccuracy(WeightedMean):
    """The share of samples whose class is among the k with the highest scores.

    ``update`` takes labels of shape (n,) and scores of shape (n, classes). Of equal scores the later class
    wins, as in scikit-learn; a row with NaN is a miss.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import TopKAccuracy
        >>> top = TopKAccuracy(k=2)
        >>> top.update(np.array([1, 2]), np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]))
        >>> top.result()
        0.5
    """

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"TopKAccuracy: k is {k!r}, expected a whole number of at least 1")
        self.k = int(k)
        super().__init__(f"top_{k}_accuracy" if name is None else name)

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = "TopKAccuracy.update"
        truth, scores = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
        check_same_length(where, truth, scores)
        if truth.ndim != 1 or scores.ndim != 2:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {scores.shape}, expected (n,) and (n, "
                "classes)"
            )
        labels = check_range(where, "y_true", truth, scores.shape[1])
        self._add(top_k_hits(scores, labels, self.k), as_weights(where, sample_weight, len(truth)))


class ConfusionMatrix(Metric):
    """How often class i (row) was predicted as class j (column).

    ``update`` takes labels of shape (n,) and either labels of shape (n,) or scores of shape (n, classes).
    ``result`` is an array of shape (classes, classes): int64 counts, or float64 once weights came in.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import ConfusionMatrix
        >>> matrix = ConfusionMatrix(num_classes=2)
        >>> matrix.update(np.array([0, 1, 1]), np.array([0, 0, 1]))
        >>> matrix.result()
        array([[1, 0],
               [1, 1]])
    """

    def __init__(self, num_classes: int, name: str = "confusion_matrix") -> None:
        if isinstance(num_classes, bool) or not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
            raise ValueError(
                f"ConfusionMatrix: num_classes is {num_classes!r}, expected a whole number of at least 1"
            )
        if num_classes > 2**24:
            raise ValueError(f"ConfusionMatrix: a matrix for {num_classes} classes fits into no memory")
        self.num_classes = int(num_classes)
        self.name = name
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.counts: NDArray[Any] = np.zeros((self.num_classes, self.num_classes), np.int64)

    def result(self) -> NDArray[Any]:
        """Return a copy of the matrix."""
        return self.counts.copy()

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where, size = "ConfusionMatrix.update", self.num_classes
        truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
        check_same_length(where, truth, guess)
        if guess.ndim == 2 and guess.shape[1] == size:
            if has_nan(guess).any():
                raise ValueError(f"{where}: y_pred holds NaN")
            guess = guess.argmax(axis=1)
        if truth.ndim != 1 or guess.ndim != 1:
            raise ValueError(
                f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected (n,) and (n,) "
                f"or (n, {size})"
            )
        pairs = check_range(where, "y_true", truth, size) * size + check_range(where, "y_pred", guess, size)
        weights = as_weights(where, sample_weight, len(truth))
        self.counts = self.counts + np.bincount(pairs, weights, minlength=size * size).reshape(size, size)
