"""Recurrent networks that classify texts and series."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flag
from .._core import Tensor
from ..nn.checks import choice, integer, tensor
from ..nn.functional import masked_mean, sequence_mask
from .build import check_sizes
from .heads import Headed
from .padding import check_tokens, lengths_of
from .recurrent import CELLS, AttentionPooling


class RNNClassifier(Headed, nn.Module):
    """An LSTM or GRU, its outputs pooled, a linear layer; `rnn_classifier` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import RNNClassifier
        >>> RNNClassifier(100, 3)(dt.ones((2, 7), dtype="int64")).shape
        (2, 3)
    """

    heads = ("head",)

    @checks_names
    def __init__(
        self,
        vocab_size: int | None,
        classes: int,
        width: int = 128,
        hidden: int = 128,
        layers: int = 1,
        dropout: float = 0.3,
        *,
        cell: str = "lstm",
        bidirectional: bool = True,
        pooling: str = "attention",
        in_features: int | None = None,
        padding_idx: int | None = 0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        name = "rnn_classifier"
        check_sizes(name, classes=classes, width=width, hidden=hidden, layers=layers)
        choice(name, "cell", cell, tuple(CELLS))
        self.pooling = choice(name, "pooling", pooling, ("attention", "mean", "max", "last"))
        if (vocab_size is None) == (in_features is None):
            raise ValueError(
                f"{name}: got vocab_size {vocab_size} and in_features {in_features}, expected one of them: "
                "vocab_size for tokens, in_features for series of numbers"
            )
        self.padding_idx = self.tokens = None
        if vocab_size is not None:
            self.tokens = nn.Embedding(vocab_size, width, padding_idx, sparse=sparse)
            self.padding_idx = self.tokens.padding_idx
            nn.init.normal_(self.tokens.weight, 0.0, 0.1)
            if padding_idx is not None:
                nn.init.zeros_(self.tokens.weight.detach()[padding_idx])
        inputs = width if in_features is None else integer(name, "in_features", in_features)
        both = flag(name, "bidirectional", bidirectional)
        between = dropout if layers > 1 else 0.0
        self.rnn = CELLS[cell](inputs, hidden, layers, dropout=between, bidirectional=both)
        outputs = hidden * (2 if both else 1)
        self.attention = AttentionPooling(outputs, hidden) if pooling == "attention" else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(outputs, classes)

    def forward(self, input: Tensor, lengths: Any = None) -> Tensor:
        if self.tokens is not None:
            check_tokens("RNNClassifier", input)
        elif tensor("RNNClassifier", "input", input).ndim != 3 or input.shape[1] == 0:
            raise ValueError(
                f"RNNClassifier: input has shape {tuple(input.shape)}, expected (batch, time, features)"
            )
        counts = lengths_of("RNNClassifier", input, self.padding_idx, lengths)
        vectors = input if self.tokens is None else self.tokens(input)
        output, state = self.rnn(self.dropout(vectors), lengths=counts)
        return self.head(self.dropout(self._pooled(output, state, counts)))  # type: ignore[no-any-return]

    def _pooled(self, output: Tensor, state: Any, counts: Any) -> Tensor:
        if self.attention is not None:
            return self.attention(output, counts)  # type: ignore[no-any-return]
        if self.pooling == "last":
            h = state[0] if isinstance(state, tuple) else state
            return _core.concat([h[-2], h[-1]], axis=1) if self.rnn.bidirectional else h[-1]
        mask = sequence_mask(counts, output.shape[1])
        if self.pooling == "mean":
            return masked_mean(output, mask, axis=1)
        # Outputs are from -1 to 1: what is behind the end is never the largest.
        lowered = output - _core.logical_not(mask).astype(output.dtype)[..., None] * 2.0
        return lowered.max(axis=1) * _core.from_numpy((counts > 0).astype(np.float32))[:, None]


@checks_names
def rnn_classifier(
    vocab_size: int | None,
    classes: int,
    width: int = 128,
    hidden: int = 128,
    layers: int = 1,
    dropout: float = 0.3,
    *,
    cell: str = "lstm",
    bidirectional: bool = True,
    pooling: str = "attention",
    in_features: int | None = None,
    padding_idx: int | None = 0,
    sparse: bool = False,
) -> RNNClassifier:
    """A recurrent network that classifies texts, or series of numbers.

    Args:
        vocab_size (int or None): Number of tokens; None for series of numbers.
        classes (int): Outputs.
        width (int, default 128): Features of a token.
        hidden (int, default 128): Units of a layer and direction.
        layers (int, default 1): Recurrent layers.
        dropout (float, default 0.3): Probability of being dropped in training: of the inputs, between layers
            and before the last layer.
        cell ("lstm", "gru" or "rnn", default "lstm"): The recurrent network.
        bidirectional (bool, default True): Whether it also goes from the end to the beginning.
        pooling ("attention", "mean", "max" or "last", default "attention"): What goes to the last layer: the
            mean of the outputs weighted by a learned score of each, their plain mean, the largest of each, or
            the last states of both directions.
        in_features (int, optional): Features of a step of a series of numbers, in the place of vocab_size.
        padding_idx (int or None, default 0): The token that fills short texts up.
        sparse (bool, default False): See `nn.Embedding`: for large vocabularies.

    Shapes: input (batch, time) of int64, or (batch, time, in_features), and optionally lengths (batch,);
    output (batch, classes), which are logits. Padding behind the end changes nothing; a text of nothing but
    padding counts as zeros (with "last", as the initial state).

    Source: Hochreiter and Schmidhuber, 1997; Zhou et al., Attention-based bidirectional long short-term
    memory networks for relation classification, 2016.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import rnn_classifier
        >>> model = rnn_classifier(1000, 2, cell="gru")
        >>> model(dt.tensor([[5, 8, 2, 0, 0], [7, 1, 1, 9, 3]])).shape
        (2, 2)
        >>> rnn_classifier(None, 9, in_features=12)(dt.randn((4, 20, 12)), dt.tensor([20, 7, 9, 12])).shape
        (4, 9)
    """
    return RNNClassifier(
        *(vocab_size, classes, width, hidden, layers, dropout),
        cell=cell,
        bidirectional=bidirectional,
        pooling=pooling,
        in_features=in_features,
        padding_idx=padding_idx,
        sparse=sparse,
    )
