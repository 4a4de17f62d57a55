"""Sequences of different lengths as batches, and long streams of tokens window by window."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import fits, flag, integer
from .collate import collate_arrays
from .convert import to_tensors
from .sampler import Sampler
from .shuffle import check_seed, permutation


class PadCollate:
    """For ``DataLoader(collate_fn=...)``: pads the sequences of a batch to the longest.

    A sample is a sequence, or a tuple (input, target, ...), where the input is a sequence or a tuple of them.
    A sequence is an array (time, ...) or a list of numbers. A batch has the form of the samples, with the
    lengths of the first input behind the inputs: a model is called as ``model(tokens, lengths)``.

    Args:
        padding_value (number, default 0): What stands behind the end of an input.
        target_padding (number, default -100): The same in targets that are sequences: what
            `cross_entropy` leaves out. Targets that are numbers are stacked.
        maximum (int, optional): Longer sequences are cut to their first so many steps.
        lengths (bool, default True): Whether the lengths are in the batch, as int64.

    Raises:
        ValueError, TypeError: For samples whose sequences differ in anything but length.

    Example:
        >>> from drivetrain.data import PadCollate
        >>> (tokens, lengths), labels = PadCollate()([([3, 4, 5], 1), ([6], 0)])
        >>> tokens.tolist(), lengths.tolist(), labels.tolist()
        ([[3, 4, 5], [6, 0, 0]], [3, 1], [1, 0])
    """

    def __init__(
        self,
        padding_value: float = 0,
        *,
        target_padding: float = -100,
        maximum: int | None = None,
        lengths: bool = True,
    ) -> None:
        self.padding_value, self.target_padding = padding_value, target_padding
        self.maximum = None if maximum is None else integer("PadCollate", "maximum", maximum)
        self.lengths = flag("PadCollate", "lengths", lengths)

    def __call__(self, samples: list[Any]) -> Any:
        if not samples:
            raise ValueError("PadCollate: samples is empty, expected at least one")
        if not isinstance(samples[0], tuple):
            return to_tensors(self._inputs([(sample,) for sample in samples]))
        columns = _columns(samples)
        inputs = [item if isinstance(item, tuple) else (item,) for item in columns[0]]
        return to_tensors((self._inputs(inputs), *(self._target(column) for column in columns[1:])))

    def _inputs(self, rows: list[tuple[Any, ...]]) -> Any:
        parts = [self._pad(column, "padding_value") for column in _columns(rows)]
        found = [array for array, _ in parts] + ([parts[0][1]] if self.lengths else [])
        return tuple(found) if len(found) > 1 else found[0]

    def _target(self, column: list[Any]) -> Any:
        if isinstance(column[0], str) or np.ndim(column[0]) == 0:
            return collate_arrays(column)
        return self._pad(column, "target_padding")[0]

    def _pad(self, column: list[Any], padding: str) -> tuple[NDArray[Any], NDArray[np.int64]]:
        arrays = [as_sequence(i, sequence)[: self.maximum] for i, sequence in enumerate(column)]
        first = max(arrays, key=len)
        sizes = np.array([len(array) for array in arrays], np.int64)
        value = fits("PadCollate", padding, getattr(self, padding), first.dtype)
        out = np.full((len(arrays), len(first), *first.shape[1:]), value, first.dtype)
        for i, array in enumerate(arrays):
            if not len(array):
                continue
            if array.shape[1:] != first.shape[1:] or array.dtype != first.dtype:
                raise ValueError(
                    f"PadCollate: sample {i} is {array.dtype} of shape {array.shape}, expected {first.dtype} "
                    f"with {first.shape[1:]} behind the time"
                )
            out[i, : len(array)] = array
        return out, sizes


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    """First of all rows, second of all rows, ..."""
    for i, row in enumerate(rows):
        if not isinstance(row, tuple) or len(row) != len(rows[0]):
            found = len(row) if isinstance(row, tuple) else f"a {type(row).__name__}"
            raise ValueError(f"PadCollate: sample {i} has {found} parts, sample 0 has {len(rows[0])}")
    return [list(column) for column in zip(*rows, strict=True)]


def as_sequence(position: int, value: Any) -> NDArray[Any]:
    array = np.asarray(value.detach() if hasattr(value, "detach") else value)
    if array.ndim == 0 or array.dtype.kind not in "buif":
        raise TypeError(
            f"PadCollate: sample {position} is a {type(value).__name__}, expected a sequence of numbers"
        )
    return array if hasattr(value, "dtype") or array.dtype.kind != "f" else array.astype(np.float32)


def pad_collate(samples: list[Any]) -> Any:
    """``PadCollate()`` as a function: inputs padded with 0, targets with -100.

    Example:
        >>> from drivetrain.data import pad_collate
        >>> tokens, lengths = pad_collate([[1, 2], [3]])
        >>> tokens.tolist()
        [[1, 2], [3, 0]]
    """
    return PadCollate()(samples)


class BucketBatchSampler(Sampler):
    """Batches of sequences of like lengths, for ``DataLoader(batch_sampler=...)``: little padding.

    The samples are divided by length into buckets of equal numbers; in every epoch each bucket is put into a
    new order and cut into batches, and these are given in a new order, all of which depends on the seed and
    the epoch only.

    Args:
        lengths (sequence of int): The length of each sample.
        batch_size (int, default 32): Samples of a batch; the last of a bucket may have less.
        max_tokens (int, optional): Batches hold no more than so many places, padding included, but for single
            longer samples: those of short sequences get more than ``batch_size`` samples. Instead of
            ``batch_size``.
        buckets (int, default 10): How many; more are closer in length and mix less.
        shuffle (bool, default True): Without, the samples come ordered by length.
        drop_last (bool, default False): Leave the smaller last batches of the buckets out.
        seed (int, default 0): Of the order.

    Source: Khomenko et al., Accelerating recurrent neural network training using sequence bucketing (2016).

    Example:
        >>> from drivetrain.data import BucketBatchSampler
        >>> sampler = BucketBatchSampler([9, 1, 8, 2], batch_size=2, buckets=2)
        >>> sorted(sorted(batch.tolist()) for batch in sampler)
        [[0, 2], [1, 3]]
    """

    def __init__(
        self,
        lengths: Any,
        batch_size: int = 32,
        *,
        max_tokens: int | None = None,
        buckets: int = 10,
        shuffle: bool = True,
        drop_last: bool = False,
        seed: int = 0,
    ) -> None:
        name = "BucketBatchSampler"
        array = np.asarray(lengths.detach() if hasattr(lengths, "detach") else lengths)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise TypeError(
                f"{name}: lengths are {array.dtype} of shape {array.shape}, expected integers (n,)"
            )
        if array.size and array.min() < 0:
            raise ValueError(f"{name}: lengths reach down to {array.min()}, expected 0 or more")
        size = integer(name, "batch_size", batch_size)
        places = None if max_tokens is None else integer(name, "max_tokens", max_tokens)
        self.shuffle = flag(name, "shuffle", shuffle)
        self.drop_last = flag(name, "drop_last", drop_last)
        self.seed, self.epoch = check_seed(name, seed), 0
        ordered = np.argsort(array, kind="stable")
        self._buckets: list[tuple[NDArray[np.int64], int]] = [  # and the size of its batches
            (part, size if places is None else max(1, places // max(1, int(array[part[-1]]))))
            for part in np.array_split(ordered, min(integer(name, "buckets", buckets), len(ordered) or 1))
            if len(part)
        ]

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, counted from 0."""
        self.epoch = integer("BucketBatchSampler", "epoch", epoch, 0)

    def __len__(self) -> int:
        """Batches of an epoch, the same in each."""
        return sum(
            len(part) // size if self.drop_last else -(-len(part) // size) for part, size in self._buckets
        )

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches())

    def batches(self) -> list[NDArray[np.int64]]:
        """Return the indices of the epoch, an array for each batch."""
        found: list[NDArray[np.int64]] = []
        for number, (part, size) in enumerate(self._buckets):
            if self.shuffle:
                part = part[permutation(len(part), self.seed, self.epoch * (len(self._buckets) + 1) + number)]
            cut = [part[start : start + size] for start in range(0, len(part), size)]
            if self.drop_last and len(cut[-1]) < size:
                cut.pop()
            found += cut
        if not self.shuffle:
            return found
        order = permutation(len(found), self.seed, (self.epoch + 1) * (len(self._buckets) + 1) - 1)
        return [found[i] for i in order.tolist()]

    def state_dict(self) -> dict[str, Any]:
        """Return seed and epoch, for a checkpoint."""
        return {"seed": self.seed, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there.

        Raises:
            ValueError, TypeError: For a state that is none.
        """
        if not isinstance(state, Mapping) or not {"seed", "epoch"} <= state.keys():
            raise ValueError(f"BucketBatchSampler.load_state_dict: {state!r:.80} has no seed and epoch")
        seed = check_seed("BucketBatchSampler", state["seed"])
        self.set_epoch(state["epoch"])
        self.seed = seed


class SequenceWindows:
    """A long stream of tokens as batches of windows in order, for training a language model.

    The stream is cut into ``batch_size`` rows of equal length; a batch is the next ``steps`` tokens of all
    rows, with the tokens that follow each as targets. Row i of a batch goes on where row i of the one before
    ended: a model that carries its state (``nn.CarriedState``) sees every row as one sequence, with gradients
    through ``steps`` steps (truncated back-propagation through time).

    Args:
        tokens (array of integers (n,)): The stream; an array of np.uint16 or np.memmap does. At most
            ``batch_size`` of its last tokens are left out.
        batch_size (int, default 32): Rows.
        steps (int, default 35): Tokens of a window.
        drop_last (bool, default False): Leave the shorter last window out.

    Raises:
        ValueError: For a stream that is too short for one step.
        TypeError: For tokens that are no integers.

    Source: Mikolov et al., Recurrent neural network based language model (2010).

    Example:
        >>> from drivetrain.data import SequenceWindows
        >>> for x, y in SequenceWindows(range(10), batch_size=2, steps=3):
        ...     print(x.tolist(), y.tolist())
        [[0, 1, 2], [4, 5, 6]] [[1, 2, 3], [5, 6, 7]]
        [[3], [7]] [[4], [8]]
    """

    def __init__(
        self, tokens: Any, batch_size: int = 32, steps: int = 35, *, drop_last: bool = False
    ) -> None:
        name = "SequenceWindows"
        if isinstance(tokens, range):
            tokens = list(tokens)
        self.tokens = np.asarray(tokens.detach() if hasattr(tokens, "detach") else tokens)
        if self.tokens.ndim != 1 or (self.tokens.size and self.tokens.dtype.kind not in "iu"):
            raise TypeError(
                f"{name}: tokens are {self.tokens.dtype} of shape {self.tokens.shape}, expected integers (n,)"
            )
        if self.tokens.dtype.kind == "u" and self.tokens.dtype.itemsize == 8 and (self.tokens >> 63).any():
            raise ValueError(f"{name}: the tokens reach up to {self.tokens.max()}, which is beyond int64")
        self.batch_size = integer(name, "batch_size", batch_size)
        self.steps = integer(name, "steps", steps)
        self.drop_last = flag(name, "drop_last", drop_last)
        self._row = (len(self.tokens) - 1) // self.batch_size
        self._done, self._resumes = 0, False
        if not len(self):
            least = self.batch_size * (self.steps if self.drop_last else 1) + 1
            raise ValueError(
                f"{name}: there are {len(self.tokens)} tokens, expected at least {least} for {batch_size} "
                "rows"
            )

    def __len__(self) -> int:
        return self._row // self.steps if self.drop_last else -(-self._row // self.steps)

    def __iter__(self) -> Iterator[Any]:
        """Start from the beginning, or go on where ``load_state_dict`` said."""
        if not self._resumes:
            self._done = 0
        self._resumes = False
        starts = np.arange(self.batch_size)[:, None] * self._row
        while self._done < len(self):
            first = self._done * self.steps
            places = starts + np.arange(first, min(first + self.steps, self._row))
            self._done += 1  # before it is handed out: whoever saves the state has trained on it
            yield to_tensors((self.tokens[places].astype(np.int64), self.tokens[places + 1].astype(np.int64)))

    def state_dict(self) -> dict[str, int]:
        """Return where it stands; a batch that was handed out counts as done."""
        return {
            "batches_done": self._done,
            "tokens": len(self.tokens),
            "batch_size": self.batch_size,
            "steps": self.steps,
        }

    def next_epoch_state(self) -> dict[str, int]:
        """Return the state in which the next pass is a new one."""
        return {**self.state_dict(), "batches_done": 0}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Have the next pass go on there.

        Raises:
            ValueError: For the state of another stream or of other windows.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"SequenceWindows.load_state_dict: expected a dict, got {state!r:.80}")
        mine = self.state_dict()
        for key in ("tokens", "batch_size", "steps"):
            if state.get(key) != mine[key]:
                raise ValueError(
                    f"SequenceWindows.load_state_dict: state has {key} {state.get(key)}, expected {mine[key]}"
                )
        done = state.get("batches_done")
        self._done = integer("SequenceWindows.load_state_dict", "batches_done", done, 0, len(self))
        self._resumes = True
