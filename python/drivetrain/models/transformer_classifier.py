"""A transformer that classifies sequences of tokens."""

from __future__ import annotations

from typing import Any

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flags
from .._core import Tensor
from ..nn.checks import choice
from .build import check_sizes
from .heads import Headed
from .padding import check_tokens, padding_of


class TransformerClassifier(Headed, nn.Module):
    """Encoder layers, the mean over the positions, a linear layer; `transformer_classifier` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import TransformerClassifier
        >>> TransformerClassifier(100, 3)(dt.ones((2, 5), dtype="int64")).shape
        (2, 3)
    """

    heads = ("head",)

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        classes: int,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
        *,
        context_length: int = 512,
        positions: str = "learned",
        activation: str = "gelu",
        norm_first: bool = True,
        feedforward: int | None = None,
        pooling: str = "mean",
        padding_idx: int | None = 0,
    ) -> None:
        super().__init__()
        name = "transformer_classifier"
        flags(name, norm_first=norm_first)
        check_sizes(name, vocab_size=vocab_size, classes=classes, width=width, layers=layers, heads=heads)
        self.pooling = choice(name, "pooling", pooling, ("mean", "first"))
        choice(name, "positions", positions, ("learned", "sinusoidal"))
        self.tokens = nn.Embedding(vocab_size, width, padding_idx)
        self.padding_idx = self.tokens.padding_idx
        self.positions = (
            nn.LearnedPositions(context_length, width)
            if positions == "learned"
            else nn.SinusoidalPositions(width)
        )
        self.dropout = nn.Dropout(dropout)
        hidden = 4 * width if feedforward is None else feedforward
        layer = nn.TransformerEncoderLayer(width, heads, hidden, dropout, activation, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width) if norm_first else None)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.tokens.weight, 0.0, 0.02)
        if padding_idx is not None:
            nn.init.zeros_(self.tokens.weight.detach()[padding_idx])

    def forward(self, tokens: Tensor, lengths: Any = None) -> Tensor:
        check_tokens("TransformerClassifier", tokens)
        padding = padding_of("TransformerClassifier", tokens, self.padding_idx, lengths)
        hidden = self.dropout(self.positions(self.tokens(tokens)))
        hidden = self.encoder(hidden, src_key_padding_mask=padding)
        return self.head(self._pooled(hidden, padding))  # type: ignore[no-any-return]

    def _pooled(self, hidden: Tensor, padding: Tensor | None) -> Tensor:
        if padding is None:
            return hidden[:, 0] if self.pooling == "first" else hidden.mean(axis=1)
        kept = _core.logical_not(padding)
        if self.pooling == "mean":
            return nn.functional.masked_mean(hidden, kept, axis=1)
        return _core.where(kept.any(axis=1, keepdims=True), hidden[:, 0], 0.0)


@checks_names
def transformer_classifier(
    vocab_size: int,
    classes: int,
    width: int = 128,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.1,
    *,
    context_length: int = 512,
    positions: str = "learned",
    activation: str = "gelu",
    norm_first: bool = True,
    feedforward: int | None = None,
    pooling: str = "mean",
    padding_idx: int | None = 0,
) -> TransformerClassifier:
    """A transformer encoder that classifies texts.

    Args:
        vocab_size (int): Number of tokens.
        classes (int): Outputs.
        width (int, default 128): Features of a position.
        layers (int, default 2): Transformer layers.
        heads (int, default 4): Heads of attention, a divisor of width.
        dropout (float, default 0.1): Probability of being dropped in training.
        context_length (int, default 512): The longest text that "learned" positions know.
        positions ("learned" or "sinusoidal", default "learned"): How it knows the order.
        activation (str, default "gelu"): As for ``nn.TransformerEncoderLayer``.
        norm_first (bool, default True): Whether norms stand before attention and linear layers.
        feedforward (int, default 4 width): Features between the two linear layers of a block.
        pooling ("mean" or "first", default "mean"): What goes to the last layer: the mean over the positions
            that are no padding, or the first position.
        padding_idx (int or None, default 0): The token that fills short texts up; attention passes over it.

    Shapes: input (batch, time) of int64, and optionally lengths (batch,), which then say what is padding;
    output (batch, classes), which are logits. A text of nothing but padding counts as zeros.

    Parameters: vocab_size width + context_length width + layers (12 width ** 2 + 13 width) + 2 width +
    classes (width + 1).

    Source: Vaswani et al., Attention is all you need, 2017; Devlin et al., BERT, 2018.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import transformer_classifier
        >>> model = transformer_classifier(1000, 2)
        >>> model(dt.tensor([[5, 8, 2, 0, 0], [7, 1, 1, 9, 3]])).shape
        (2, 2)
    """
    return TransformerClassifier(
        *(vocab_size, classes, width, layers, heads, dropout),
        context_length=context_length,
        positions=positions,
        activation=activation,
        norm_first=norm_first,
        feedforward=feedforward,
        pooling=pooling,
        padding_idx=padding_idx,
    )
