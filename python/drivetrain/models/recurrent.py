"""What the recurrent models share: lengths, the choice of a network, attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core, nn
from .._core import Tensor
from ..nn.functional import sequence_mask

CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


def lengths_of(where: str, tokens: Tensor, padding_idx: int | None, lengths: Any) -> Any:
    """The length of each sequence (batch,) as an array; without lengths up to the last token that is no
    padding."""
    time = tokens.shape[1]
    if lengths is None:
        if padding_idx is None or tokens.dtype.is_floating_point:
            return np.full(len(tokens), time)
        real = np.asarray(tokens.detach()) != padding_idx
        return (real * np.arange(1, time + 1)).max(axis=1, initial=0)
    found = np.asarray(lengths.detach() if isinstance(lengths, Tensor) else lengths)
    if found.shape != (len(tokens),) or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(
            f"{where}: lengths are {found.dtype} of shape {found.shape}, expected integers ({len(tokens)},)"
        )
    if found.size and not 0 <= found.min() <= found.max() <= time:
        raise ValueError(
            f"{where}: lengths reach from {found.min()} to {found.max()}, expected 0 to {time} (shape "
            f"{tuple(tokens.shape)})"
        )
    return found


def check_tokens(where: str, tokens: Tensor, name: str = "tokens") -> None:
    if tokens.ndim != 2 or tokens.shape[1] == 0:
        raise ValueError(f"{where}: {name} has shape {tuple(tokens.shape)}, expected (batch, time)")


def attend(scores: Tensor, mask: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Means of `values` (batch, time, features) weighted by the softmax of `scores` (batch, ..., time) over
    what `mask` (batch, time) allows, and the weights; 0 where it allows nothing."""
    allowed = mask if scores.ndim == 2 else mask[:, None]
    weights = _core.softmax(_core.where(allowed, scores, -1e30)) * allowed.astype(scores.dtype)
    if scores.ndim == 2:
        return _core.matmul(weights[:, None], values)[:, 0], weights
    return _core.matmul(weights, values), weights


class AttentionPooling(nn.Module):
    """A sequence as the mean of its steps, weighted by a score of each: v tanh(W x + b).

    Args:
        features: Features of a step.
        hidden: Rows of W.

    Shapes:
        input (batch, time, features), lengths (batch,) or None; result (batch, features), zeros for a length
        of 0. `weights(input, lengths)` gives the weights (batch, time).

    Source: Bahdanau et al., 2014; Yang et al., Hierarchical attention networks, 2016.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import AttentionPooling
        >>> pooling = AttentionPooling(8, 16)
        >>> pooling(dt.randn((2, 5, 8)), [5, 3]).shape
        (2, 8)
        >>> pooling.weights(dt.randn((2, 5, 8)), [5, 3])[1, 3:].tolist()
        [0.0, 0.0]
    """

    def __init__(self, features: int, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, input: Tensor, lengths: Any = None) -> Tensor:
        return self._attend(input, lengths)[0]

    def weights(self, input: Tensor, lengths: Any = None) -> Tensor:
        """What each step counts for, (batch, time)."""
        return self._attend(input, lengths)[1]

    def _attend(self, input: Tensor, lengths: Any) -> tuple[Tensor, Tensor]:
        time = input.shape[1]
        mask = sequence_mask([time] * len(input) if lengths is None else lengths, time)
        return attend(self.score(self.hidden(input).tanh())[..., 0], mask, input)
