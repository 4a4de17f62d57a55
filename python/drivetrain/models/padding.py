"""Where the sequences of a padded batch end: checks and masks that all networks for texts share."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .._core import Tensor
from ..nn.checks import tensor
from ..nn.functional import sequence_mask
from ..nn.packing import checked_lengths


def check_tokens(where: str, tokens: Any, name: str = "tokens") -> None:
    if tensor(where, name, tokens).ndim != 2 or tokens.shape[1] == 0:
        raise ValueError(
            f"{where}: {name} has shape {tuple(tokens.shape)}, expected (batch, time) with at least one step"
        )


def lengths_of(where: str, tokens: Tensor, padding_idx: int | None, lengths: Any) -> Any:
    """The length of each sequence (batch,) as an array; without lengths up to the last token that is no
    padding."""
    if lengths is not None:
        return checked_lengths(where, tokens, lengths)
    time = tokens.shape[1]
    if padding_idx is None:
        return np.full(len(tokens), time)
    real = np.asarray(tokens.detach()) != padding_idx
    return (real * np.arange(1, time + 1)).max(axis=1, initial=0)


def padding_of(where: str, tokens: Tensor, padding_idx: int | None, lengths: Any) -> Tensor | None:
    """True behind the lengths; without them where a token stands for padding, be it in front. None where
    nothing does."""
    if lengths is not None:
        ends = checked_lengths(where, tokens, lengths)
        found = _core.logical_not(sequence_mask(ends, tokens.shape[1]))
    elif padding_idx is not None:
        found = _core.equal(tokens, padding_idx)
    else:
        return None
    return found if found.any() else None
