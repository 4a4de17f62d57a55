"""What the estimators share: arguments, weights, labels."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight

from .. import _checks as checks

Array = NDArray[Any]


def take_over(estimator: Any, given: dict[str, Any]) -> None:
    """Keep the arguments of ``__init__`` as attributes of their names, as scikit-learn wants it."""
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)


class TakesSparse(BaseEstimator):
    """An estimator that takes sparse matrices."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class Arguments:
    """The arguments of an estimator, checked as they are read, in ``fit``."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.name = type(estimator).__name__

    def integer(self, name: str, least: int = 1) -> int:
        return checks.integer(self.name, name, getattr(self.estimator, name), least)

    def count(self, name: str) -> float:
        """A positive integer or infinity."""
        value = getattr(self.estimator, name)
        return math.inf if value == math.inf else self.integer(name)

    def positive(self, name: str) -> float:
        value = getattr(self.estimator, name)
        return checks.real(self.name, name, value, "positive", lambda number: number > 0)

    def at_least_zero(self, name: str) -> float:
        value = getattr(self.estimator, name)
        return checks.real(self.name, name, value, "positive or 0", lambda number: number >= 0)

    def share(self, name: str, end: str = "below 1") -> float:
        """A number from 0 to 1, with or without 1 itself."""
        value, closed = getattr(self.estimator, name), end == "1"
        return checks.real(
            self.name,
            name,
            value,
            f"a number from 0 to {end}",
            lambda number: 0 <= number < 1 or (closed and number == 1),
        )

    def choice(self, name: str, *allowed: str) -> str:
        return str(checks.choice(self.name, name, getattr(self.estimator, name), allowed))

    def flag(self, name: str) -> bool:
        return checks.flag(self.name, name, getattr(self.estimator, name))


def row_weights(
    estimator: Any, x: Any, sample_weight: Any, labels: Any = None, class_weight: Any = None
) -> Array | None:
    """Return the weights of the rows, those of their classes included; None where all weigh 1."""
    weights: Array | None = None
    dtype = x.dtype if x.dtype.kind == "f" else np.float64
    if sample_weight is not None:
        weights = np.asarray(_check_sample_weight(sample_weight, x, dtype=dtype))
        if weights.size and not weights.min() >= 0:
            raise ValueError(
                f"{type(estimator).__name__}.fit: sample_weight contains {weights.min()}, "
                "expected weights of at least 0"
            )
        if not weights.any():
            raise ValueError(f"{type(estimator).__name__}.fit: sample_weight has nothing but zeros")
    if class_weight is not None:
        by_class = compute_sample_weight(class_weight, labels).astype(dtype)
        weights = by_class if weights is None else weights * by_class
    return weights


def is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
