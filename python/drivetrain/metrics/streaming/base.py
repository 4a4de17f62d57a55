"""What all streaming metrics share: the base class, state, and means over samples."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..._checks import real
from ..checks import Array, Floats, as_array


class Metric:
    """Base class: ``update`` takes a batch, ``result`` gives the value of all since ``reset``.

    Subclasses give the three methods; ``name`` is the key in a training's history. What they keep in plain
    attributes (numbers, strings, arrays, lists and dicts of them) is saved in checkpoints as it is.

    Attributes:
        per_batch (bool, default True): Whether `Trainer` asks for the result after every batch, for the
            progress bar and the callbacks. False for metrics whose result takes long: they are asked at the
            end of the epoch. It may be set on an instance.

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
        >>> samples.result(), samples.state_dict()
        (2, {'count': 2})
    """

    name: str
    per_batch: bool = True
    # The attributes that updates change; None: all that hold plain values.
    _state: ClassVar[tuple[str, ...] | None] = None

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

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in, perhaps in another process.

        The settings (threshold, classes and so on) have to be the same.
        """
        raise NotImplementedError(f"{type(self).__name__} has no merge")

    def state_dict(self) -> dict[str, Any]:
        """Return copies of what updates have changed: plain values and arrays."""
        return {name: copy.deepcopy(getattr(self, name)) for name in self._state_names()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of an equal metric returned.

        Raises:
            TypeError, ValueError: For a state of another metric, which changes nothing.
        """
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state, Mapping):
            raise TypeError(f"{where}: state is a {type(state).__name__}, expected a dict")
        like = self
        if self._state is None:  # perhaps its attributes come with the first reset
            like = copy.deepcopy(self)
            like.reset()
        names = like._state_names()
        if set(state) != set(names):
            raise ValueError(f"{where}: state has {sorted(state)}, expected {sorted(names)}")
        for name, value in like._checked_state(where, state).items():
            setattr(self, name, value)

    def _checked_state(self, where: str, state: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: checked_like(where, name, getattr(self, name), state[name]) for name in self._state_names()
        }

    def _state_names(self) -> tuple[str, ...]:
        if self._state is not None:
            return self._state
        return tuple(name for name, value in vars(self).items() if name != "name" and is_plain(value))

    def _check_mergeable(self, other: Metric) -> None:
        where = f"{type(self).__name__}.merge"
        if type(other) is not type(self):
            raise TypeError(f"{where}: other is a {type(other).__name__}, expected a {type(self).__name__}")
        for name, value in vars(self).items():
            if name == "name" or name in self._state_names():
                continue
            if not is_equal(value, getattr(other, name, None)):
                raise ValueError(
                    f"{where}: other has {name} {getattr(other, name, None)!r}, expected {value!r}"
                )

    def __repr__(self) -> str:
        result = f", result={self.result()!r}" if self.per_batch else ""
        return f"{type(self).__name__}(name={self.name!r}{result})"


def is_equal(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def is_plain(value: Any) -> bool:
    """Whether a checkpoint can hold a value as it is."""
    if isinstance(value, (list, tuple)):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, (str, int, float, np.generic, np.ndarray))


def checked_like(where: str, name: str, own: Any, value: Any) -> Any:
    """Return a copy of a value of the state after comparing its kind with that of the value so far."""
    if isinstance(own, np.ndarray):
        array = np.array(as_array(where, name, value))
        if array.dtype != own.dtype or array.shape != own.shape:
            raise ValueError(
                f"{where}: {name} is {array.dtype} of shape {array.shape}, expected {own.dtype}"
                f" of {own.shape}"
            )
        return array
    if isinstance(own, (bool, str)) or own is None or isinstance(own, (list, tuple, dict)):
        return copy.deepcopy(value)
    found = real(where, name, value, "a number", lambda _: True)
    return found if isinstance(own, float) else type(own)(value)


class SumMetric(Metric):
    """A metric whose state is sums over samples: those of two parts add up."""

    _state: ClassVar[tuple[str, ...] | None] = ()

    def merge(self, other: Self) -> None:
        """Take in what another metric of this class has taken in."""
        self._check_mergeable(other)
        for name in self._state_names():
            setattr(self, name, getattr(self, name) + getattr(other, name))


class WeightedMean(SumMetric):
    """A mean over samples, kept as two float64 sums."""

    _state = ("total", "weight")

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

    def _add(self, values: NDArray[Any], weights: Floats | None) -> None:
        if weights is None:
            self.total += float(values.sum(dtype=np.float64))
            self.weight += len(values)
        else:
            self.total += float((values * weights).sum())
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


class Rows:
    """An array that grows at its end; its memory doubles, so that a sample is copied a few times at most."""

    def __init__(self) -> None:
        self.memory: Array | None = None
        self.size = 0

    def append(self, rows: Array) -> None:
        need = self.size + len(rows)
        if self.memory is None:
            self.memory = np.array(rows)
        elif need > len(self.memory) or np.result_type(self.memory, rows) != self.memory.dtype:
            kind = np.result_type(self.memory, rows)
            larger = np.empty((max(need, 2 * self.size), *rows.shape[1:]), kind)
            larger[: self.size] = self.memory[: self.size]
            self.memory = larger
        self.memory[self.size : need] = rows
        self.size = need

    def get(self) -> Array:
        return np.zeros(0) if self.memory is None else self.memory[: self.size]
