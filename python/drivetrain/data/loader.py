"""The loader: batches of a data set, in order or shuffled, prepared ahead where that pays."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arguments import checks_names
from .._checks import flag, integer
from .._core import Tensor, take
from .collate import collate_arrays
from .convert import to_tensor, to_tensors
from .dataset import ArrayDataset, Dataset, as_indices
from .prefetch import Prefetcher
from .rows import Rows
from .sampler import RandomSampler, SequentialSampler
from .shuffle import check_seed

QUICK = 5e-4  # seconds
# Small batches are made several at a time, as the calls for one cost as much as its pixels.
AT_ONCE, MOST_AT_ONCE, MOST_BYTES = 4e-3, 16, 2**24  # seconds, batches, bytes
PLACED = ("transform_samples", "transform_batch")
STATE_KEYS = ("seed", "epoch", "batches_done", "length", "batch_size", "shuffle", "drop_last")


class DataLoader:
    """Iterable over the batches of a data set; every pass over it is one epoch.

    Args:
        dataset (Dataset): Anything with ``__len__`` and ``__getitem__``. One with a method ``take(indices)``,
            as array data sets have, gives whole batches at once.
        batch_size (int, default 32): Samples per batch.
        shuffle (bool, default False): A new order in every epoch, which depends on ``seed`` and the epoch
            only.
        drop_last (bool, default False): Leave out the last batch of an epoch when it is smaller than the
            others.
        sampler (iterable of int, optional): The order of the samples, instead of ``shuffle``; iterated anew
            in every epoch. If it has a method ``set_epoch``, that is called first; if it has ``state_dict``
            and ``load_state_dict``, its state belongs to the loader's. So does that of a data set.
        batch_sampler (iterable of arrays of int, optional): The batches themselves, such as
            `BucketBatchSampler`, instead of ``batch_size``, ``shuffle``, ``drop_last`` and ``sampler``. It
            has a length, is iterated anew in every epoch, and may have the methods of a sampler.
        seed (int, or a Generator, default 0): Seed of the shuffling; of a ``drivetrain.Generator`` its seed
            is taken.
        prefetch (int, optional): Batches that a thread prepares ahead; 0 for none. Default: 0 for arrays in
            memory, where a thread costs more than it saves, and 2 otherwise, as long as no batch of the last
            epoch took less than half a millisecond.
        collate_fn (callable, optional): Turns a list of samples into a batch. Default: ``default_collate``,
            which stacks them into Tensors.
        batch_transform (transform of `drivetrain.augment`, MixUp, CutMix or callable, optional): Changes
            whole batches as they are handed out. Where it has a method
            ``transform_samples(batch, epoch, first)`` or ``transform_batch(batch, epoch, number)``, that is
            called, on the thread that prepares ahead: what it draws can depend on these alone, ``first``
            being the place of the batch's first sample in the epoch, so that a resumed epoch sees the same
            batches.

    Raises:
        ValueError, TypeError: For sizes below 1, ``shuffle`` together with ``sampler``, a data set without a
            length, and while iterating for samples that do not stack. What a data set raises on the thread is
            raised by the loop, with its traceback.

    Source: PyTorch's ``DataLoader`` and torchdata's ``StatefulDataLoader``; without worker processes.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import ArrayDataset, DataLoader
        >>> loader = DataLoader(ArrayDataset(np.zeros((5, 2), np.float32), np.arange(5)), batch_size=2)
        >>> len(loader), [labels.shape for images, labels in loader]
        (3, [(2,), (2,), (1,)])
    """

    @checks_names
    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 32,
        shuffle: bool = False,
        *,
        drop_last: bool = False,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        seed: Any = 0,
        prefetch: int | None = None,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        batch_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: dataset is a {type(dataset).__name__}, expected __len__ and __getitem__"
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: got sampler and shuffle=True, expected one of them")
        if batch_sampler is not None and (shuffle or drop_last or sampler is not None or batch_size != 32):
            raise ValueError(
                "DataLoader: got batch_sampler, which makes the batches, together with batch_size, shuffle, "
                "drop_last or sampler"
            )
        if batch_sampler is not None and not isinstance(batch_sampler, Sized):
            raise TypeError(
                f"DataLoader: batch_sampler is a {type(batch_sampler).__name__}, expected one with a length"
            )
        self.dataset = dataset
        self.batch_size = integer("DataLoader", "batch_size", batch_size)
        self.shuffle = flag("DataLoader", "shuffle", shuffle)
        self.drop_last = flag("DataLoader", "drop_last", drop_last)
        self.seed = check_seed("DataLoader", getattr(seed, "seed", seed))
        if batch_transform is not None and not callable(batch_transform):
            raise TypeError(
                f"DataLoader: batch_transform is a {type(batch_transform).__name__}, expected a function"
            )
        self.collate_fn = collate_fn
        self.batch_transform = batch_transform
        in_memory = hasattr(dataset, "take") and not hasattr(dataset, "take_at") and collate_fn is None
        self.prefetch = integer(
            "DataLoader", "prefetch", (0 if in_memory else 2) if prefetch is None else prefetch, 0
        )
        self.sampler: Iterable[Any]
        self._gives_batches = batch_sampler is not None
        self._first: list[int] = []  # where the batches of an epoch begin
        if batch_sampler is not None:
            self.sampler = batch_sampler
        elif sampler is not None:
            self.sampler = sampler
        elif shuffle:
            self.sampler = RandomSampler(len(dataset), seed=self.seed)
        else:
            self.sampler = SequentialSampler(len(dataset))
        self._may_do_without = prefetch is None
        self._quickest = math.inf  # seconds for a batch of the last epoch
        self._bytes = 0  # of one of its batches
        self._epoch = 0
        self._batches_done = 0
        self._resumes = False
        self._sampler_state: Any = None  # at the start of the epoch

    def __len__(self) -> int:
        """Return the batches of a whole epoch."""
        samples = len(self.sampler) if isinstance(self.sampler, Sized) else len(self.dataset)
        if self._gives_batches:
            return samples
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """Start the next epoch, or go on in the one that ``load_state_dict`` named.

        An epoch that was left in the middle is over: the next pass starts a new one.
        """
        if self._batches_done and not self._resumes:
            self._epoch, self._batches_done = self._epoch + 1, 0
        self._resumes = False
        epoch, done = self._epoch, self._batches_done
        self._sampler_state = self._state_of_sampler()
        batches = self._index_batches(epoch)
        self._first = [0, *itertools.accumulate(map(len, batches))]
        batches = batches[done:]
        late = self._late_transform()
        arrays = array_tensors(self.dataset) if self.collate_fn is None else None
        is_made = arrays is not None and self.batch_transform is None

        def make(indices: NDArray[np.int64], number: int) -> Any:
            if arrays is None:
                batch = self._load(indices, epoch, number)
            else:
                batch = take_rows(arrays, indices, self._takes_rows)
            return batch if batch is None or is_made else self._prepared(batch, epoch, number)

        several = self._batches_at_once(arrays)

        def prepare() -> Iterator[Any]:
            # A generator and no map(): it turns a stray StopIteration of a data set into an error.
            at_once, place = several, 0
            while place < len(batches):
                some = batches[place : place + at_once]
                begun = time.perf_counter()
                parts = made_together(make, some, done + place) if len(some) > 1 else None
                if parts is None:
                    at_once, some = 1, some[:1]
                    parts = [make(some[0], done + place)]
                    self._bytes = bytes_of(parts[0])
                self._quickest = min(self._quickest, (time.perf_counter() - begun) / len(some))
                place += len(some)
                yield from parts

        # Two threads of Python stand in each other's way: for little work that costs more than it saves.
        ahead = 0 if self._may_do_without and self._quickest < QUICK else self.prefetch
        self._quickest = math.inf
        source = Prefetcher(prepare, ahead) if ahead else prepare()
        try:
            for batch in source:
                if self._epoch != epoch:
                    raise RuntimeError(
                        "DataLoader: a new epoch was started while this one was still being iterated"
                    )
                # Counted before it is handed out: whoever saves the state after training on a batch has it
                # behind him.
                self._batches_done += 1
                if batch is None:
                    continue  # none of its samples could be read, and that was to be passed over
                yield batch if late is None else late(batch)
        finally:
            if isinstance(source, Prefetcher):
                source.close()
        self._epoch, self._batches_done = epoch + 1, 0

    def _batches_at_once(self, arrays: Any) -> int:
        """How many batches the next epoch may make together, which changes no bit of them: what they are made
        of, and of which transforms, looks at samples one by one. Known from the last epoch."""
        of_data = getattr(self.dataset, "transform", None)
        by_samples = arrays is not None or getattr(self.dataset, "by_samples", False)
        if not getattr(self.batch_transform, "by_samples", False) or not by_samples:
            return 1
        if math.isinf(self._quickest) or self.collate_fn is not None or self._gives_batches:
            return 1
        if arrays is None and not (of_data is None or getattr(of_data, "by_samples", False)):
            return 1
        return max(1, min(MOST_AT_ONCE, int(AT_ONCE / self._quickest), MOST_BYTES // max(self._bytes, 1)))

    def _late_transform(self) -> Callable[[Any], Any] | None:
        """The transform, where it has to see the batches one by one, as they are handed out."""
        transform = self.batch_transform
        return None if any(hasattr(transform, name) for name in PLACED) else transform

    def _prepared(self, batch: Any, epoch: int, number: int) -> Any:
        """The batch as Tensors, transformed where that depends on its place alone."""
        made = batch if self.collate_fn is not None else to_tensors(batch)
        transform: Any = self.batch_transform
        if hasattr(transform, "transform_samples"):
            return transform.transform_samples(made, epoch, self._first[number])
        if hasattr(transform, "transform_batch"):
            return transform.transform_batch(made, epoch, number)
        return made

    @property
    def _takes_rows(self) -> bool:
        """Whether the transform copies what it needs of the images itself."""
        return self.collate_fn is None and getattr(self.batch_transform, "takes_rows", False)

    def _index_batches(self, epoch: int) -> list[NDArray[np.int64]]:
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)
        if self._gives_batches:
            where, length = "DataLoader: batch_sampler", len(self.dataset)
            return [as_indices(where, batch, length) for batch in self.sampler]
        if isinstance(self.sampler, (SequentialSampler, RandomSampler)):
            indices = self.sampler.indices()
        else:
            indices = as_indices("DataLoader: sampler", list(self.sampler), len(self.dataset))
        size = self.batch_size
        end = len(indices) - len(indices) % size if self.drop_last else len(indices)
        return [indices[start : start + size] for start in range(0, end, size)]

    def _load(self, indices: NDArray[np.int64], epoch: int, number: int) -> Any:
        dataset: Any = self.dataset
        if self._takes_rows and hasattr(dataset, "rows_at"):
            batch = dataset.rows_at(indices)
            if batch is not None:
                return batch
        if hasattr(dataset, "take_at"):
            batch = dataset.take_at(indices, epoch, self._first[number])
            return batch if self.collate_fn is None or batch is None else self.collate_fn(rows_of(batch))
        if self.collate_fn is None and hasattr(dataset, "take"):
            return dataset.take(indices)
        samples = [dataset[index] for index in indices.tolist()]
        return collate_arrays(samples) if self.collate_fn is None else self.collate_fn(samples)

    def show_batch(self, n: int = 9, **options: Any) -> Any:
        """Draw the first images of the next epoch as a network gets them, with their labels.

        Args:
            n (int, default 9): How many, at most a batch.
            **options: As for `drivetrain.data.show_images`: class_names, columns, path, ...

        Returns:
            matplotlib.figure.Figure

        Raises:
            ModuleNotFoundError: Without matplotlib.
            ValueError: For batches without images.
        """
        from .show import show_images

        kept = self._epoch, self._batches_done, self._resumes, self._sampler_state
        drawn, sampler = self._state_of_sampler(), self.sampler
        batches = iter(self)
        batch = next(batches, None)
        batches.close()  # type: ignore[attr-defined]
        # Looking changes nothing: the next pass begins where this one did.
        self._epoch, self._batches_done, self._resumes, self._sampler_state = kept
        if drawn is not None:
            sampler.load_state_dict(drawn)  # type: ignore[attr-defined]
        names = getattr(self, "class_names", None) or getattr(self.dataset, "classes", None)
        return show_images(batch, n, **{"class_names": names, **options})

    def state_dict(self) -> dict[str, Any]:
        """Return where the loader stands: plain numbers, good for JSON.

        Taken inside a loop over the loader, the batch in hand counts as done.
        """
        return {
            "seed": self.seed,
            "epoch": self._epoch,
            "batches_done": self._batches_done,
            "length": len(self.dataset),
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "drop_last": self.drop_last,
            # It drew the order at the start of the epoch: there it has to be again to draw the same.
            **self._with_sampler(self._sampler_state if 0 < self._batches_done < len(self) else None),
            **({"dataset": self._kept_dataset.state_dict()} if self._kept_dataset is not None else {}),
        }

    def next_epoch_state(self) -> dict[str, Any]:
        """Return the state behind the rest of an epoch that was begun and is given up."""
        if not self._batches_done:
            return self.state_dict()
        return {**self.state_dict(), "epoch": self._epoch + 1, "batches_done": 0, **self._with_sampler()}

    def _with_sampler(self, state: Any = None) -> dict[str, Any]:
        state = self._state_of_sampler() if state is None else state
        return {} if state is None else {"sampler": state}

    @property
    def _kept_dataset(self) -> Any:
        """The data set, where it has a state."""
        dataset = self.dataset
        return dataset if hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict") else None

    def _state_of_sampler(self) -> Any:
        sampler: Any = self.sampler
        has_state = hasattr(sampler, "state_dict") and hasattr(sampler, "load_state_dict")
        return sampler.state_dict() if has_state else None

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where the loader that gave ``state`` stood: the next pass gives the batches that were still
        to come.

        Raises:
            ValueError: When an entry is missing, or the state is of a loader with another length, batch size
                or order.
        """
        missing = [key for key in STATE_KEYS if key not in state]
        if missing:
            raise ValueError(f"DataLoader.load_state_dict: state lacks {', '.join(missing)}")
        mine = self.state_dict()
        for key in ("length", "batch_size", "shuffle", "drop_last"):
            if state[key] != mine[key]:
                raise ValueError(
                    f"DataLoader.load_state_dict: state has {key} {state[key]}, this loader {mine[key]}"
                )
        if "dataset" in state and self._kept_dataset is not None:
            self._kept_dataset.load_state_dict(state["dataset"])
        epoch = integer("DataLoader.load_state_dict", "epoch", state["epoch"], 0)
        done = integer("DataLoader.load_state_dict", "batches_done", state["batches_done"], 0)
        if done > len(self):
            raise ValueError(
                f"DataLoader.load_state_dict: state has {done} batches done, an epoch has {len(self)}"
            )
        self.seed = check_seed("DataLoader.load_state_dict", state["seed"])
        if isinstance(self.sampler, RandomSampler) and self.shuffle:
            self.sampler.seed = self.seed
        if "sampler" in state and self._state_of_sampler() is not None:
            sampler: Any = self.sampler
            sampler.load_state_dict(state["sampler"])
            self._sampler_state = state["sampler"]
        if done and done == len(self):
            epoch, done = epoch + 1, 0
        self._epoch, self._batches_done, self._resumes = epoch, done, done > 0


def made_together(
    make: Callable[[NDArray[np.int64], int], Any], batches: list[NDArray[np.int64]], number: int
) -> list[Any] | None:
    """Several batches made as one and taken apart; None where that cannot be: one by one they say why."""
    ends = list(itertools.accumulate(map(len, batches)))
    try:
        made = make(np.concatenate(batches), number)
    except Exception:
        return None
    parts = made if type(made) is tuple else (made,)
    if not all(isinstance(part, Tensor) and part.ndim and len(part) == ends[-1] for part in parts):
        return None
    bounds = list(zip([0, *ends], ends, strict=False))
    if type(made) is tuple:
        return [tuple([part[start:end] for part in parts]) for start, end in bounds]
    return [made[start:end] for start, end in bounds]


def bytes_of(batch: Any) -> int:
    """Of the Tensors that a batch consists of."""
    parts = batch if isinstance(batch, tuple) else (batch,)
    return sum(part.nbytes for part in parts if isinstance(part, Tensor))


def rows_of(batch: Any) -> list[Any]:
    """The samples of a batch of one array or of a tuple of them."""
    return list(zip(*batch, strict=True)) if isinstance(batch, tuple) else list(batch)


def array_tensors(dataset: Any) -> list[Any] | None:
    """Tensors that share the arrays of a data set of them; None where its batches are made another way."""
    if not isinstance(dataset, ArrayDataset) or "take" in vars(dataset):
        return None
    if type(dataset).take is not ArrayDataset.take:
        return None
    try:
        return [to_tensors(array) for array in dataset.arrays]
    except (TypeError, ValueError):
        return None  # a dtype that tensors do not have: said where the batch becomes one


def take_rows(arrays: list[Any], indices: NDArray[np.int64], may_wait: bool = False) -> Any:
    """Rows of all arrays as ``ArrayDataset.take`` gives them, copied by the core into its own memory; images,
    the first of them, may wait for the transform that copies them."""
    positions = to_tensor(indices)
    waits = may_wait and arrays[0].ndim == 4
    first = Rows(arrays[0], indices) if waits else take(arrays[0], positions, 0)
    rows = (first, *[take(array, positions, 0) for array in arrays[1:]])
    return rows if len(rows) > 1 else rows[0]
