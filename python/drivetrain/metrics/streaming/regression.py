"""How close predicted numbers come to the true ones, batch by batch, without losing digits to an offset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from ..._checks import flag, integer, real
from ..checks import Floats, as_array, as_weights, check_same_length
from ..functions.regression import (
    average_outputs,
    distances,
    explained,
    shares,
    squares,
)
from .base import Metric


def number_rows(where: str, y_true: Any, y_pred: Any) -> tuple[Floats, Floats]:
    """Return two arrays of float64 of one shape, (n, outputs)."""
    truth, guess = as_array(where, "y_true", y_true), as_array(where, "y_pred", y_pred)
    check_same_length(where, truth, guess)
    for name, array in (("y_true", truth), ("y_pred", guess)):
        if array.dtype.kind not in "buif":
            raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected numbers")
    if guess.shape == (*truth.shape, 1):
        guess = guess[..., 0]
    elif truth.shape == (*guess.shape, 1):
        truth = truth[..., 0]
    if truth.shape != guess.shape:
        raise ValueError(
            f"{where}: y_true has shape {truth.shape}, y_pred {guess.shape}, expected equal shapes"
        )
    outputs = int(np.prod(truth.shape[1:]))
    return tuple(a.astype(np.float64).reshape(len(a), outputs) for a in (truth, guess))  # type: ignore[return-value]


class OutputMetric(Metric):
    """A metric whose state is a weight and arrays with one number per output.

    Before the first batch the arrays have no outputs; `_start` gives them their length.
    """

    _arrays: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, multioutput: Any) -> None:
        self.name, self.multioutput = name, multioutput
        if isinstance(multioutput, str):
            average_outputs(type(self).__name__, np.zeros(1), multioutput, self._spread())
        self.reset()

    def _spread(self) -> Floats | None:
        return None

    def _state_names(self) -> tuple[str, ...]:
        return ("weight", *self._arrays)

    def reset(self) -> None:
        """Forget everything taken in."""
        self.weight = 0.0
        self._start(0)

    def _start(self, outputs: int) -> None:
        for name in self._arrays:
            setattr(self, name, np.zeros(outputs))

    def _outputs(self) -> int:
        return len(getattr(self, self._arrays[0]))

    def _take(self, where: str, outputs: int) -> None:
        if not self._outputs():
            self._start(outputs)
        elif self._outputs() != outputs:
            raise ValueError(f"{where}: there are {outputs} outputs, expected {self._outputs()} as before")

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch."""
        where = f"{type(self).__name__}.update"
        truth, guess = number_rows(where, y_true, y_pred)
        weights = as_weights(where, sample_weight, len(truth))
        if not len(truth) or not truth.shape[1]:
            return
        self._take(where, truth.shape[1])
        self._add(truth, guess, None if weights is None else weights[:, None])

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        self._check_mergeable(other)
        if other._outputs():
            self._take(f"{type(self).__name__}.merge", other._outputs())
            self._join(other.weight, *(getattr(other, name) for name in self._arrays))

    def _checked_state(self, where: str, state: Mapping[str, Any]) -> dict[str, Any]:
        weight = state["weight"]
        weight = real(where, "weight", weight, "a number of at least 0", lambda found: found >= 0)
        arrays = {name: np.array(as_array(where, name, state[name])) for name in self._arrays}
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) != 1 or any(a.dtype != np.float64 or a.ndim != 1 for a in arrays.values()):
            raise ValueError(f"{where}: expected float64 arrays of one shape (outputs,), got shapes {shapes}")
        return {"weight": weight, **arrays}

    def _add(self, truth: Floats, guess: Floats, weights: Floats | None) -> None:
        raise NotImplementedError

    def _join(self, weight: float, *arrays: Floats) -> None:
        raise NotImplementedError


class ErrorMean(OutputMetric):
    """The mean over samples of an error of each output."""

    _arrays = ("total",)
    total: Floats

    def __init__(self, name: str, multioutput: Any) -> None:
        super().__init__(name, multioutput)

    def _add(self, truth: Floats, guess: Floats, weights: Floats | None) -> None:
        errors = self._errors(truth, guess)
        if weights is None:
            self._join(float(len(errors)), errors.sum(axis=0))
        else:
            self._join(float(weights.sum()), (errors * weights).sum(axis=0))

    def _join(self, weight: float, *arrays: Floats) -> None:
        self.weight += weight
        self.total = self.total + arrays[0]

    def result(self) -> Any:
        """Return the error, NaN before the first sample."""
        if not self.weight:
            return math.nan
        return average_outputs(type(self).__name__, self._final(self.total / self.weight), self.multioutput)

    def _errors(self, truth: Floats, guess: Floats) -> Floats:
        raise NotImplementedError

    def _final(self, means: Floats) -> Floats:
        return means


class MeanSquaredError(ErrorMean):
    """The mean of the squared differences.

    Args:
        name: Str, default "mse".
        multioutput ("uniform_average", "raw_values" or array of shape (outputs,)): The mean of the outputs,
            one value per output, or the mean with these weights.

    ``update`` takes numbers of one shape, (n,) or (n, ...). A NaN makes the result NaN.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import MeanSquaredError
        >>> error = MeanSquaredError()
        >>> error.update(np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0]))
        >>> error.result()
        0.375
    """

    def __init__(self, name: str = "mse", *, multioutput: Any = "uniform_average") -> None:
        super().__init__(name, multioutput)

    def _errors(self, truth: Floats, guess: Floats) -> Floats:
        return squares(truth, guess)


class RootMeanSquaredError(ErrorMean):
    """The root of the mean of the squared differences, of each output by itself.

    The arguments are those of `MeanSquaredError`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import RootMeanSquaredError
        >>> error = RootMeanSquaredError()
        >>> error.update(np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0]))
        >>> round(error.result(), 4)
        0.6124
    """

    def __init__(self, name: str = "rmse", *, multioutput: Any = "uniform_average") -> None:
        super().__init__(name, multioutput)

    def _errors(self, truth: Floats, guess: Floats) -> Floats:
        return squares(truth, guess)

    def _final(self, means: Floats) -> Floats:
        roots: Floats = np.sqrt(means)
        return roots


class MeanAbsoluteError(ErrorMean):
    """The mean of the absolute differences. The arguments are those of `MeanSquaredError`.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import MeanAbsoluteError
        >>> error = MeanAbsoluteError()
        >>> error.update(np.array([3.0, -0.5, 2.0, 7.0]), np.array([2.5, 0.0, 2.0, 8.0]))
        >>> error.result()
        0.5
    """

    def __init__(self, name: str = "mae", *, multioutput: Any = "uniform_average") -> None:
        super().__init__(name, multioutput)

    def _errors(self, truth: Floats, guess: Floats) -> Floats:
        return distances(truth, guess)


class MeanAbsolutePercentageError(ErrorMean):
    """The mean of the absolute differences relative to the truth: 0.1 for ten percent.

    The arguments are those of `MeanSquaredError`. (Keras's metric of this name is 100 times as large.)

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import MeanAbsolutePercentageError
        >>> error = MeanAbsolutePercentageError()
        >>> error.update(np.array([1.0, 2.0, 4.0, 4.0]), np.array([1.5, 2.0, 4.0, 6.0]))
        >>> error.result()
        0.25
    """

    def __init__(self, name: str = "mape", *, multioutput: Any = "uniform_average") -> None:
        super().__init__(name, multioutput)

    def _errors(self, truth: Floats, guess: Floats) -> Floats:
        return shares(truth, guess)


def moments(values: Floats, weights: Floats | None) -> tuple[float, Floats, Floats]:
    """Return the weight, the means of columns and the sums of squares around them."""
    if weights is None:
        mean = values.mean(axis=0)
        return float(len(values)), mean, ((values - mean) ** 2).sum(axis=0)
    weight = float(weights.sum())
    if not weight:
        return 0.0, np.zeros(values.shape[1]), np.zeros(values.shape[1])
    mean = (values * weights).sum(axis=0) / weight
    return weight, mean, ((values - mean) ** 2 * weights).sum(axis=0)


class ExplainedMetric(OutputMetric):
    """A share of the variance of the truth that the predictions explain.

    Means and sums of squares around them are kept and joined as Chan, Golub and LeVeque (1979) do. The mean
    is counted from the first sample, ``origin``: a large offset would leave it few digits.
    """

    per_batch = False
    _arrays = ("error", "origin", "mean", "spread", "bias", "error_spread")
    origin: Floats
    error: Floats
    mean: Floats
    spread: Floats
    bias: Floats
    error_spread: Floats

    def __init__(self, name: str, multioutput: Any, force_finite: bool) -> None:
        super().__init__(name, multioutput)
        self.force_finite = flag(type(self).__name__, "force_finite", force_finite)

    def _spread(self) -> Floats | None:
        return np.zeros(1)

    def reset(self) -> None:
        """Forget everything taken in."""
        super().reset()
        self.count = 0

    def _state_names(self) -> tuple[str, ...]:
        return ("count", *super()._state_names())

    def _checked_state(self, where: str, state: Mapping[str, Any]) -> dict[str, Any]:
        count = integer(where, "count", state["count"], 0)
        return {"count": count, **super()._checked_state(where, state)}

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        super().merge(other)
        self.count += other.count

    def _add(self, truth: Floats, guess: Floats, weights: Floats | None) -> None:
        origin = truth[0]
        weight, mean, spread = moments(truth - origin, weights)
        difference = truth - guess
        _, bias, error_spread = moments(difference, weights)
        difference *= difference
        error = (difference if weights is None else difference * weights).sum(axis=0)
        self._join(weight, error, origin, mean, spread, bias, error_spread)
        self.count += len(truth)

    def _join(self, weight: float, *arrays: Floats) -> None:
        error, origin, mean, spread, bias, error_spread = arrays
        both = self.weight + weight
        if not weight or not both:
            return
        if not self.weight:
            self.origin = origin.copy()
        mean = mean + (origin - self.origin)
        share = weight / both
        self.error = self.error + error
        for centre, sum_name, centre_other, sum_other in (
            ("mean", "spread", mean, spread),
            ("bias", "error_spread", bias, error_spread),
        ):
            shift = centre_other - getattr(self, centre)
            setattr(
                self, sum_name, getattr(self, sum_name) + sum_other + shift * shift * (self.weight * share)
            )
            setattr(self, centre, getattr(self, centre) + shift * share)
        self.weight = both


class R2Score(ExplainedMetric):
    """The coefficient of determination: 1 minus the squared error over that of predicting the mean.

    Args:
        name: Str, default "r2".
        multioutput ("uniform_average", "raw_values", "variance_weighted" or array of shape (outputs,)): The
            mean of the outputs, one value per output, or a mean weighted by the variance of the truth or with
            these weights.
        force_finite (bool, default True): For a constant truth give 1 (all right) or 0 in place of NaN and
            minus infinity.

    ``update`` takes numbers of one shape, (n,) or (n, ...). A large offset of the numbers costs no digits. A
    NaN makes the result NaN.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import R2Score
        >>> score = R2Score()
        >>> score.update(np.array([3.0, -0.5]), np.array([2.5, 0.0]))
        >>> score.update(np.array([2.0, 7.0]), np.array([2.0, 8.0]))
        >>> round(score.result(), 4)
        0.9486
    """

    def __init__(
        self, name: str = "r2", *, multioutput: Any = "uniform_average", force_finite: bool = True
    ) -> None:
        super().__init__(name, multioutput, force_finite)

    def result(self) -> Any:
        """Return the score, NaN before the second sample."""
        if self.count < 2:
            return math.nan
        return explained("R2Score", self.error, self.spread, self.multioutput, self.force_finite)


class ExplainedVariance(ExplainedMetric):
    """1 minus the variance of the differences over that of the truth.

    The arguments are those of `R2Score`; a constant difference costs nothing here.

    Example:
        >>> import numpy as np
        >>> from drivetrain.metrics import ExplainedVariance
        >>> score = ExplainedVariance()
        >>> score.update(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))
        >>> score.result()
        1.0
    """

    def __init__(
        self,
        name: str = "explained_variance",
        *,
        multioutput: Any = "uniform_average",
        force_finite: bool = True,
    ) -> None:
        super().__init__(name, multioutput, force_finite)

    def result(self) -> Any:
        """Return the score, NaN before the first sample."""
        if not self.count:
            return math.nan
        return explained(
            "ExplainedVariance", self.error_spread, self.spread, self.multioutput, self.force_finite
        )
