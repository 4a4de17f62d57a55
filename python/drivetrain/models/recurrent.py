"""What the recurrent models share: the choice of a network, attention."""

from __future__ import annotations

from typing import Any

from .. import _core, nn
from .._core import Tensor
from ..nn.checks import tensor
from ..nn.functional import sequence_mask
from .padding import lengths_of

CELLS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


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
        if tensor("AttentionPooling", "input", input).ndim != 3:
            raise ValueError(
                f"AttentionPooling: input has shape {tuple(input.shape)}, expected (batch, time, features)"
            )
        mask = sequence_mask(lengths_of("AttentionPooling", input, None, lengths), input.shape[1])
        return attend(self.score(self.hidden(input).tanh())[..., 0], mask, input)
