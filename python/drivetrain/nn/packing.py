"""Batches of sequences of unequal length: padded, or packed without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from .._checks import fits
from .._core import Tensor
from .checks import flag, integer, tensor


class PackedSequence(NamedTuple):
    """A batch of sequences without padding, as PyTorch has it: all first steps, then all second steps, ...

    Attributes:
        data: The steps, (sum of the lengths, ...).
        batch_sizes: int64 (longest length,): how many sequences have each step.
        sorted_indices: int64 (batch,): the sequences, the longest first.
        unsorted_indices: int64 (batch,): where each sequence stands in that order.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor
    unsorted_indices: Tensor


def pad_sequence(
    sequences: Sequence[Tensor], padding_value: float = 0.0, padding_side: str = "right"
) -> Tensor:
    """Joins sequences to one tensor, the shorter ones filled up.

    Args:
        sequences: Tensors (length, ...) of one dtype, equal but for the length; at least one.
        padding_value: What fills them up.
        padding_side: "right": behind the sequences; "left": before them.

    Returns:
        Tensor (batch, longest length, ...).

    Raises:
        ValueError: there are none, or their shapes or dtypes differ.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.utils.pad_sequence([dt.tensor([1.0, 2.0]), dt.tensor([3.0])]).tolist()
        [[1.0, 2.0], [3.0, 0.0]]
    """
    found = list(sequences)
    if not found:
        raise ValueError("pad_sequence: there are no sequences")
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', got {padding_side!r}")
    for i, sequence in enumerate(found):
        if not isinstance(sequence, Tensor):
            raise TypeError(f"pad_sequence: sequence {i} must be a tensor, got {type(sequence).__name__}")
        if sequence.ndim == 0 or sequence.shape[1:] != found[0].shape[1:] or sequence.dtype != found[0].dtype:
            raise ValueError(
                f"pad_sequence: sequence {i} has shape {tuple(sequence.shape)} and dtype {sequence.dtype}, "
                f"expected (length, ...) like the first one, {tuple(found[0].shape)} of {found[0].dtype}"
            )
    fits("pad_sequence", "padding_value", padding_value, np.asarray(found[0].detach()).dtype)
    longest = max(s.shape[0] for s in found)
    rows = []
    for sequence in found:
        missing = (longest - sequence.shape[0], *sequence.shape[1:])
        if missing[0]:
            fill = _core.full(missing, padding_value, dtype=sequence.dtype)
            sequence = _core.concat([sequence, fill] if padding_side == "right" else [fill, sequence])
        rows.append(sequence)
    return _core.stack(rows)


def unpad_sequence(padded: Tensor, lengths: Any) -> list[Tensor]:
    """The sequences of a padded batch, each at its own length.

    Args:
        padded: Tensor (batch, time, ...).
        lengths: Integers (batch,) from 0 to time.

    Returns:
        Tensors (length, ...), views of `padded`.

    Example:
        >>> import drivetrain as dt
        >>> [t.tolist() for t in dt.nn.utils.unpad_sequence(dt.tensor([[1, 2], [3, 0]]), [2, 1])]
        [[1, 2], [3]]
    """
    counts = checked_lengths("unpad_sequence", padded, lengths)
    return [padded[i, : int(n)] for i, n in enumerate(counts)]


def pack_padded_sequence(input: Tensor, lengths: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Takes the steps of a padded batch that are none of the padding.

    `LSTM` and the others take a padded batch and its lengths directly, at less cost.

    Args:
        input: Tensor (batch, time, ...).
        lengths: Integers (batch,) from 0 to time.
        enforce_sorted: Whether the longest sequence must come first.

    Raises:
        ValueError: lengths are out of range, or not sorted where they must be.

    Example:
        >>> import drivetrain as dt
        >>> packed = dt.nn.utils.pack_padded_sequence(dt.tensor([[1, 2], [3, 0]]), [2, 1])
        >>> packed.data.tolist(), packed.batch_sizes.tolist()
        ([1, 3, 2], [2, 1])
    """
    counts = checked_lengths("pack_padded_sequence", input, lengths)
    if flag("pack_padded_sequence", "enforce_sorted", enforce_sorted) and (np.diff(counts) > 0).any():
        raise ValueError(
            "pack_padded_sequence: lengths must descend; pass enforce_sorted=False where they do not"
        )
    order = np.argsort(-counts, kind="stable")
    steps = np.arange(counts.max(initial=0))
    sizes = (counts[None, :] > steps[:, None]).sum(axis=1)
    rows = np.concatenate([order[:n] * input.shape[1] + t for t, n in enumerate(sizes)] or [order[:0]])
    flat = input.reshape((input.shape[0] * input.shape[1], *input.shape[2:]))
    return PackedSequence(
        _core.take(flat, _core.tensor(rows), axis=0),
        _core.tensor(sizes),
        _core.tensor(order),
        _core.tensor(np.argsort(order)),
    )


def pad_packed_sequence(
    sequence: PackedSequence, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """The padded batch of a packed one, and its lengths, in the order before packing.

    Args:
        sequence: What `pack_padded_sequence` gave.
        padding_value: What stands behind the sequences.
        total_length: Steps of the result; None: those of the longest sequence.

    Returns:
        Tensor (batch, time, ...) and int64 (batch,).

    Example:
        >>> import drivetrain as dt
        >>> packed = dt.nn.utils.pack_padded_sequence(dt.tensor([[1, 2], [3, 0]]), [2, 1])
        >>> [t.tolist() for t in dt.nn.utils.pad_packed_sequence(packed)]
        [[[1, 2], [3, 0]], [2, 1]]
    """
    sizes, _, where = _parts_of("pad_packed_sequence", sequence)
    batch, longest = len(where), len(sizes)
    time = (
        longest if total_length is None else integer("pad_packed_sequence", "total_length", total_length, 0)
    )
    if time < longest:
        raise ValueError(
            f"pad_packed_sequence: total_length must be at least {longest}, the longest length, got {time}"
        )
    counts = (sizes[None, :] > where[:, None]).sum(axis=1)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rows = np.full((batch, time), starts[-1], dtype=np.int64)  # the row of padding behind the data
    rows[:, :longest] = np.where(
        sizes[None, :] > where[:, None], starts[None, :-1] + where[:, None], starts[-1]
    )
    data = sequence.data
    padding = _core.full((1, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = _core.take(_core.concat([data, padding]), _core.tensor(rows.reshape(-1)), axis=0)
    return padded.reshape((batch, time, *data.shape[1:])), _core.tensor(counts)


def pack_like(padded: Tensor, sequence: PackedSequence) -> PackedSequence:
    """The steps of a padded batch packed as another batch of the same lengths is."""
    sizes, order, _ = _parts_of("pack_like", sequence)
    rows = np.concatenate([order[:n] * padded.shape[1] + t for t, n in enumerate(sizes)] or [order[:0]])
    flat = padded.reshape((padded.shape[0] * padded.shape[1], *padded.shape[2:]))
    return sequence._replace(data=_core.take(flat, _core.tensor(rows), axis=0))


def _parts_of(op: str, sequence: PackedSequence) -> tuple[np.ndarray[Any, Any], ...]:
    """batch_sizes, sorted_indices and unsorted_indices, where they fit together."""
    if not isinstance(sequence, PackedSequence):
        raise TypeError(f"{op}: expected a PackedSequence, got {type(sequence).__name__}")
    sizes, order, where = (np.asarray(part.detach()) for part in sequence[1:])
    each, steps = np.arange(len(order)), len(sequence.data)
    integers = all(part.ndim == 1 and part.dtype.kind in "iu" for part in (sizes, order, where))
    falls = integers and (sizes >= 1).all() and (np.diff(sizes) <= 0).all()
    if not falls or sizes.sum() != steps or sizes[:1].sum() > len(order):
        raise ValueError(
            f"{op}: batch_sizes {sizes.tolist()!r:.80} are not those of {steps} steps of {len(order)}"
        )
    if not np.array_equal(np.sort(order), each) or not np.array_equal(np.argsort(order), where):
        raise ValueError(f"{op}: sorted_indices and unsorted_indices are no orders that undo each other")
    return sizes, order, where


def checked_lengths(op: str, padded: Tensor, lengths: Any) -> np.ndarray[Any, Any]:
    """The lengths of the sequences of a padded batch, int64 (batch,), from 0 to its steps."""
    if tensor(op, "the batch", padded).ndim < 2:
        raise ValueError(f"{op}: the batch has shape {tuple(padded.shape)}, expected (batch, time, ...)")
    counts = np.asarray(lengths.detach() if isinstance(lengths, Tensor) else lengths)
    if counts.size and counts.dtype.kind not in "iu":
        raise TypeError(f"{op}: lengths must be integers, got {lengths!r:.80}")
    if counts.shape != (padded.shape[0],):
        raise ValueError(
            f"{op}: lengths has shape {counts.shape}, expected ({padded.shape[0]},), one per sequence"
        )
    bad = np.nonzero((counts < 0) | (counts > padded.shape[1]))[0]
    if len(bad):
        raise ValueError(
            f"{op}: lengths has {counts[bad[0]]} for sequence {bad[0]}, expected 0 to {padded.shape[1]}, the "
            f"steps of the batch (shape {tuple(padded.shape)})"
        )
    return counts.astype(np.int64)
