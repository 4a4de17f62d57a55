"""Where the batches of fit, evaluate and predict come from: arrays, a data set, a loader, a generator."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sized
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import choice, integer
from .._core import Tensor, float32, from_numpy, int64
from ..data import ArrayDataset, DataLoader
from ..data.convert import refuse_masked
from ..metrics.checks import as_weights

# What becomes the model's floats, float32 or float64, which are NumPy's numbers (images are bytes); token
# indices stay integers.
FLOATS = ("float32", "float64", "float16", "bfloat16")
INPUT_TO_FLOAT = ("uint8", *FLOATS)
TARGET_TO_FLOAT = ("bool", *FLOATS)
TARGET_TO_INTEGER = ("uint8", "int8", "int16", "uint16", "int32", "uint32")


class Batch(NamedTuple):
    """One batch: the inputs of the model, and where there are any the target and the samples' weights."""

    inputs: tuple[Any, ...]
    target: Any
    weight: Any

    @property
    def size(self) -> int:
        return len(self.inputs[0])


class Source:
    """Batches for epoch after epoch.

    With ``steps`` an epoch has so many batches. Those of a training (``endless``) go on where the last
    epoch ended, and start again when the data is used up; a validation sees the first ones, each once.
    An iterator goes on in both. Without ``steps``, an epoch is one pass. ``floats`` is the dtype of the
    model: inputs, targets and weights have it as well.

    Its state says where it stands. A loader with a state of its own goes on from there; of other data as many
    batches are passed over as were given.
    """

    def __init__(
        self,
        where: str,
        batches: Iterable[Any],
        steps: int | None,
        class_weight: Any = None,
        endless: bool = False,
        floats: Any = float32,
    ) -> None:
        self.where = where
        self.floats = floats
        self.batches = batches
        self.wanted_steps = steps
        self.class_weight = class_weight
        self.is_iterator = isinstance(batches, Iterator)
        self.endless = endless and not self.is_iterator
        self._pass: Iterator[Any] | None = None
        self._taken = 0  # batches of the pass; of an iterator, all
        self._done = 0  # batches of the epoch
        self._to_pass_over = 0  # of a resumed pass
        self._is_inside = False  # of an epoch
        self._goes_on = False  # the next pass is a resumed one
        self.begins = False  # the batch in hand is the first of a pass

    @property
    def steps(self) -> int | None:
        """Batches of an epoch, None when that is unknown."""
        if self.wanted_steps is not None:
            return self.wanted_steps
        return len(self.batches) if isinstance(self.batches, Sized) else None

    def epoch(self) -> Iterator[Batch]:
        """Give the batches of the next epoch, or those that are left of one that was resumed."""
        if not self._is_inside:
            self._done = 0
        self._is_inside = True
        try:
            for raw in self._whole() if self.wanted_steps is None else self._limited(self.wanted_steps):
                # Counted before it is handed out: whoever saves the state has trained on it.
                self._done += 1
                batch = raw if is_ready(raw, self.floats) else to_batch(self.where, raw, self.floats)
                if self.class_weight is not None:
                    batch = weigh_classes(self.where, batch, self.class_weight)
                yield batch
        finally:
            self._is_inside = False
        if self._done == 0:
            raise ValueError(
                f"{self.where}: the data gave no batches; a generator can be used up by one epoch, "
                "pass steps_per_epoch, or something that can be iterated again"
            )

    def _whole(self) -> Iterator[Any]:
        if self._done and self._done == self.steps:
            return  # resumed behind the last one
        yield from self._begin()

    def _limited(self, steps: int) -> Iterator[Any]:
        if self._pass is None or not self.endless:
            self._pass = self._begin()
        while self._done < steps:
            raw = next(self._pass, None)
            if raw is None and self.endless:
                self._pass = self._begin()
                raw = next(self._pass, None)
            if raw is None:
                if self._done:
                    warnings.warn(
                        f"{self.where}: the data ended after {self._done} of {steps} batches of the epoch",
                        stacklevel=2,
                    )
                return
            yield raw

    def _begin(self) -> Iterator[Any]:
        """Starts a pass over the data, or goes on in one."""
        over = 0
        if not self._has_state:
            over, self._to_pass_over = self._to_pass_over, 0
        if not self.is_iterator:
            self._taken = over
        self.begins, self._goes_on = not self._goes_on, False
        for position, raw in enumerate(self.batches):
            if position < over:
                continue
            self._taken += 1
            yield raw
            self.begins = False

    @property
    def _loader(self) -> Any:
        return self.batches.loader if isinstance(self.batches, Rows) else self.batches

    @property
    def _has_state(self) -> bool:
        return hasattr(self._loader, "state_dict") and hasattr(self._loader, "load_state_dict")

    def state_dict(self) -> dict[str, Any]:
        """Where it stands: within an epoch, behind the batch that was given last."""
        goes_on = self._is_inside or (self.endless and self.wanted_steps is not None) or self.is_iterator
        state = None
        if hasattr(self._loader, "next_epoch_state") and not goes_on:
            state = self._loader.next_epoch_state()  # what is left of its epoch is not given
        elif self._has_state:
            state = self._loader.state_dict()
        done = self._done if self._is_inside else 0
        return {"done": done, "taken": self._taken if goes_on else 0, "loader": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            ValueError: In the middle of an epoch, for data of another length, batch size or order.
        """
        done, taken, loader = state["done"], state["taken"], state["loader"]
        if self._has_state and loader is not None:
            self._load_loader(loader, in_epoch=done > 0)
        self._pass = None
        self._done, self._is_inside = done, done > 0
        self._taken = self._to_pass_over = taken
        self._goes_on = done > 0 or taken > 0

    def _load_loader(self, state: Mapping[str, Any], *, in_epoch: bool) -> None:
        try:
            self._loader.load_state_dict(state)
        except ValueError as error:
            if in_epoch or not isinstance(self._loader, DataLoader):
                raise ValueError(
                    f"{self.where}: the checkpoint is from the middle of an epoch over other data ({error})"
                ) from None
            warnings.warn(
                f"{self.where}: resumed with other data or batches, so that the bits will differ from those "
                f"of an undisturbed run ({error})",
                RuntimeWarning,
                stacklevel=2,
            )
            self.start_at(state.get("epoch", 0))

    def start_at(self, epoch: int) -> None:
        """Begin with the order of shuffled data that belongs to an epoch."""
        if isinstance(self._loader, DataLoader):
            self._loader.load_state_dict({**self._loader.state_dict(), "epoch": epoch, "batches_done": 0})


def is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


def is_arrays(value: Any) -> bool:
    """Whether ``value`` is an array, a tuple or list of arrays (several inputs), or lists of numbers."""
    if isinstance(value, (list, tuple)):
        return all(is_array(item) or isinstance(item, (int, float, list)) for item in value)
    return is_array(value)


def as_inputs(where: str, x: Any) -> tuple[NDArray[Any], ...]:
    several = isinstance(x, (list, tuple)) and len(x) > 0 and all(map(is_array, x))
    inputs = tuple(numpy_of(where, "x", item) for item in (x if several else [x]))
    for array in inputs:
        if array.ndim == 0:
            raise ValueError(f"{where}: x has shape (), expected one row per sample")
        if len(array) != len(inputs[0]):
            raise ValueError(
                f"{where}: the inputs have {[len(item) for item in inputs]} samples, expected one number"
            )
    if len(inputs[0]) == 0:
        raise ValueError(f"{where}: x has no samples (shape {inputs[0].shape})")
    return inputs


def numpy_of(where: str, name: str, value: Any) -> NDArray[Any]:
    refuse_masked(where, name, value)
    array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if array.dtype.name == "bfloat16":  # of ml_dtypes
        array = array.astype(np.float32)
    if array.dtype.kind not in "buif":
        raise TypeError(f"{where}: {name} has dtype {array.dtype}, expected numbers")
    return array


def make_source(
    where: str,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    steps: int | None = None,
    class_weight: Mapping[int, float] | str | None = None,
    first_epoch: int = 0,
    endless: bool = False,
    floats: Any = float32,
) -> Source:
    """Make a source of arrays, a data set, a loader, a generator or any other iterable of batches."""
    if steps is not None:
        integer(where, "the number of steps", steps)
    if isinstance(class_weight, str):
        class_weight = balanced_weights(where, class_weight, x, y)
    check_class_weight(where, class_weight)
    if isinstance(getattr(x, "loader", None), DataLoader):
        x = x.loader  # of endless batches: a pass is an epoch
    if is_arrays(x):
        inputs = as_inputs(where, x)
        arrays: list[NDArray[Any]] = list(inputs)
        if y is not None:
            arrays.append(numpy_of(where, "y", y))
            if arrays[-1].ndim == 0 or len(arrays[-1]) != len(inputs[0]):
                raise ValueError(
                    f"{where}: y has shape {arrays[-1].shape}, expected {len(inputs[0])} rows as x has"
                )
        if sample_weight is not None:
            if y is None:
                raise ValueError(f"{where}: got sample_weight without y")
            weights = as_weights(where, sample_weight, len(inputs[0]))
            assert weights is not None
            arrays.append(weights.astype(floats.name))
        loader = new_loader(ArrayDataset(*arrays), batch_size, shuffle, seed, first_epoch)
        return Source(where, Rows(loader, len(inputs), y is not None), steps, class_weight, endless, floats)
    if y is not None or sample_weight is not None:
        raise ValueError(
            f"{where}: x is a {type(x).__name__}, which brings its own targets: leave out y and sample_weight"
        )
    if (
        hasattr(x, "__getitem__")
        and hasattr(x, "__len__")
        and not isinstance(x, (DataLoader, dict, str, bytes))
    ):
        loader = new_loader(x, batch_size, shuffle, seed, first_epoch)
        return Source(where, loader, steps, class_weight, endless, floats)
    if not isinstance(x, Iterable) or isinstance(x, (dict, str, bytes)):
        raise TypeError(
            f"{where}: x is a {type(x).__name__}, expected arrays, a data set, a loader or a generator"
        )
    return Source(where, x, steps, class_weight, endless, floats)


def new_loader(dataset: Any, batch_size: int, shuffle: bool, seed: int, first_epoch: int) -> DataLoader:
    loader = DataLoader(dataset, batch_size, shuffle, seed=seed)
    # The order belongs to the number of the epoch, so that a continued training sees what a longer one would.
    loader.load_state_dict({**loader.state_dict(), "epoch": first_epoch})
    return loader


class Rows:
    """The loader's batches of arrays as Batch, whatever the number of inputs."""

    def __init__(self, loader: DataLoader, inputs: int, has_target: bool) -> None:
        self.loader, self.inputs, self.has_target = loader, inputs, has_target

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for rows in self.loader:
            parts = rows if isinstance(rows, tuple) else (rows,)
            rest = parts[self.inputs :]
            yield Batch(parts[: self.inputs], rest[0] if rest else None, rest[1] if len(rest) > 1 else None)


def is_ready(raw: Any, floats: Any) -> bool:
    """Whether `to_batch` would change nothing: the case of every step."""
    if type(raw) is not Batch or len(raw.inputs) != 1 or raw.weight is not None:
        return False
    x, y = raw.inputs[0], raw.target
    if type(x) is not Tensor or type(y) is not Tensor:
        return False
    dtype = y.dtype
    return x.dtype is floats and (dtype is int64 or dtype is floats) and x.ndim > 0 and len(x) > 0


def to_batch(where: str, raw: Any, floats: Any) -> Batch:
    """Take a batch apart: x, (x, y) or (x, y, weights), where x may be several inputs; fix the dtypes."""
    if not isinstance(raw, Batch):
        parts = tuple(raw) if isinstance(raw, (tuple, list)) else (raw,)
        if not 1 <= len(parts) <= 3:
            raise ValueError(
                f"{where}: a batch has {len(parts)} parts, expected (x, y) or (x, y, sample_weight)"
            )
        x, y, weight = (*parts, None, None)[:3]
        raw = Batch(tuple(x) if isinstance(x, (tuple, list)) else (x,), y, weight)

    def part(name: str, value: Any, to_float: tuple[str, ...], to_integer: tuple[str, ...] = ()) -> Any:
        return None if value is None else to_tensor(where, name, value, floats, to_float, to_integer)

    inputs = tuple(part("x", item, INPUT_TO_FLOAT) for item in raw.inputs)
    target = part("y", raw.target, TARGET_TO_FLOAT, TARGET_TO_INTEGER)
    weight = part("sample_weight", raw.weight, ("float32", "float64"))
    if not inputs or inputs[0].ndim == 0 or inputs[0].shape[0] == 0:
        raise ValueError(f"{where}: a batch has no samples")
    return Batch(inputs, target, weight)


def to_tensor(
    where: str, name: str, value: Any, floats: Any, to_float: tuple[str, ...], to_integer: tuple[str, ...]
) -> Any:
    if isinstance(value, Tensor):
        dtype = value.dtype
        if dtype is floats or dtype is int64 or dtype.name not in (*to_float, *to_integer):
            return value
    array = numpy_of(where, name, value)
    if array.dtype.name in to_float:
        return from_numpy(array.astype(floats.name, copy=False))
    if array.dtype.name in to_integer:
        return from_numpy(array.astype(np.int64))
    return from_numpy(array)


def balanced_weights(where: str, word: str, x: Any, y: Any) -> dict[int, float]:
    """Weights that make all classes count the same, as scikit-learn has them: n / (classes * count)."""
    choice(where, "class_weight", word, ("balanced",))
    data = getattr(x, "dataset", x)
    if y is None:
        arrays = data.arrays if isinstance(data, ArrayDataset) else ()
        y = arrays[-1] if len(arrays) > 1 else getattr(data, "targets", None)
    if y is None or not len(y):
        raise ValueError(
            f"{where}: class_weight='balanced' needs to know all labels; pass y, a data set with "
            "targets, or a dict of class to weight"
        )
    labels = numpy_of(where, "y", y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    if labels.size != len(labels) or (labels % 1 != 0).any():
        raise ValueError(
            f"{where}: class_weight needs one class per sample, y has shape {labels.shape} of {labels.dtype}"
        )
    classes, counts = np.unique(labels.astype(np.int64), return_counts=True)
    weights = len(labels) / (len(classes) * counts)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def check_class_weight(where: str, class_weight: Any) -> None:
    if class_weight is None:
        return
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"{where}: class_weight is a {type(class_weight).__name__}, expected 'balanced' or a "
            "dict of class to weight"
        )
    for label, weight in class_weight.items():
        if not isinstance(label, (int, np.integer)) or label < 0 or not np.isfinite(weight):
            raise ValueError(
                f"{where}: class_weight has {label!r}: {weight!r}, expected a class and a finite weight"
            )


def weigh_classes(where: str, batch: Batch, class_weight: Mapping[int, float]) -> Batch:
    """Multiply the weight of each sample by the weight of its class; classes that are not named weigh 1."""
    if batch.target is None:
        raise ValueError(f"{where}: got class_weight without y")
    labels = np.asarray(batch.target.detach())
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    labels = labels.reshape(len(labels), -1)
    if labels.shape[1] != 1:
        raise ValueError(
            f"{where}: class_weight needs one class per sample, y has shape {tuple(batch.target.shape)}"
        )
    weights = np.array([class_weight.get(int(label), 1.0) for label in labels[:, 0]], np.float32)
    if batch.inputs[0].dtype.name == "float64":
        weights = weights.astype(np.float64)
    if batch.weight is not None:
        weights *= np.asarray(batch.weight.detach())
    return batch._replace(weight=from_numpy(weights))


def split_off_validation(
    where: str, x: Any, y: Any, sample_weight: Any, share: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Cut the last ``share`` of the samples off arrays, before any shuffling, as Keras does."""
    if isinstance(share, bool) or not isinstance(share, Real):
        raise TypeError(f"{where}: validation_split is {share!r}, expected a share between 0 and 1")
    if not 0 < share < 1:
        raise ValueError(f"{where}: validation_split is {share}, expected a share between 0 and 1")
    if not is_arrays(x) or y is None:
        raise ValueError(f"{where}: validation_split needs arrays x and y; pass validation_data instead")
    inputs, target = as_inputs(where, x), numpy_of(where, "y", y)
    end = int(np.floor(len(inputs[0]) * (1 - share)))
    if end == 0:
        raise ValueError(
            f"{where}: validation_split {share} of {len(inputs[0])} samples leaves none to train on"
        )
    weights = None if sample_weight is None else numpy_of(where, "sample_weight", sample_weight)

    def cut(part: slice) -> tuple[Any, Any, Any]:
        return [array[part] for array in inputs], target[part], None if weights is None else weights[part]

    return cut(slice(0, end)), cut(slice(end, None))


class Validation(NamedTuple):
    """What to validate on, and after how many epochs."""

    source: Source
    freq: int


def kept_batches(data: Source, count: int | None) -> Source:
    """A source that gives the same batches in every epoch: the first ones of another."""
    return Source(data.where, list(itertools.islice(data.epoch(), count)), None, floats=data.floats)
