"""A recurrent language model."""

from __future__ import annotations

from typing import Any

from .. import nn
from .._arguments import checks_names
from .._checks import flag
from .._core import Tensor
from ..nn.checks import choice
from .build import check_sizes
from .generation import Generates, RecurrentDecoder
from .padding import check_tokens
from .recurrent import CELLS


class RNNLanguageModel(Generates, nn.Module):
    """Vectors of tokens, an LSTM or GRU, logits of the next token; `rnn_language_model` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import RNNLanguageModel
        >>> model = RNNLanguageModel(100)
        >>> model(dt.ones((2, 7), dtype="int64")).shape
        (2, 7, 100)
        >>> model.generate([1, 2], 5, seed=0).shape
        (7,)
    """

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        width: int = 256,
        hidden: int | None = None,
        layers: int = 2,
        dropout: float = 0.2,
        *,
        cell: str = "lstm",
        tied: bool = True,
        carry: bool = False,
    ) -> None:
        super().__init__()
        name = "rnn_language_model"
        choice(name, "cell", cell, tuple(CELLS))
        hidden = width if hidden is None else hidden
        check_sizes(name, vocab_size=vocab_size, width=width, hidden=hidden, layers=layers)
        if flag(name, "tied", tied) and hidden != width:
            raise ValueError(
                f"{name}: the last layer cannot have the weights of the tokens: hidden is {hidden}, width "
                f"{width}, expected the same number, or tied=False"
            )
        self.tokens = nn.Embedding(vocab_size, width)
        self.rnn = CELLS[cell](width, hidden, layers, dropout=dropout if layers > 1 else 0.0)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, vocab_size)
        self.carried = nn.CarriedState() if flag(name, "carry", carry) else None
        nn.init.uniform_(self.tokens.weight, -0.1, 0.1)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        if tied:
            self.head.weight = self.tokens.weight
        else:
            nn.init.uniform_(self.head.weight, -0.1, 0.1)

    def forward(self, tokens: Tensor) -> Tensor:
        if self.carried is None:
            return self.step(tokens)[0]
        before = self.carried.get()
        one = before[0] if isinstance(before, tuple) else before
        if one is not None and one.shape[1] != len(tokens):
            raise ValueError(
                f"RNNLanguageModel: tokens has {len(tokens)} sequences (shape {tuple(tokens.shape)}), but "
                f"the states carried are of {one.shape[1]}; model.carried(None) forgets them"
            )
        logits, after = self.step(tokens, before)
        self.carried(after)
        return logits

    def step(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The logits, and the state behind the tokens, from a state given; no state is carried."""
        check_tokens("RNNLanguageModel", tokens)
        output, state = self.rnn(self.dropout(self.tokens(tokens)), state)
        return self.head(self.dropout(output)), state

    def new_decoder(self, use_cache: bool = True) -> RecurrentDecoder:
        """What `generate` and `beam_search` ask for the next token."""
        return RecurrentDecoder(self.step)


@checks_names
def rnn_language_model(
    vocab_size: int,
    width: int = 256,
    hidden: int | None = None,
    layers: int = 2,
    dropout: float = 0.2,
    *,
    cell: str = "lstm",
    tied: bool = True,
    carry: bool = False,
) -> RNNLanguageModel:
    """A recurrent network that says which token comes next.

    Args:
        vocab_size (int): Number of tokens.
        width (int, default 256): Features of a token.
        hidden (int, default width): Units of a layer.
        layers (int, default 2): Recurrent layers.
        dropout (float, default 0.2): Probability of being dropped in training: before, between and behind the
            layers.
        cell ("lstm", "gru" or "rnn", default "lstm"): The recurrent network.
        tied (bool, default True): Whether the last layer's weights are the vectors of the tokens.
        carry (bool, default False): Whether a batch goes on with the states of the one before: for
            `data.SequenceWindows`, see `nn.CarriedState`.

    Shapes: input (batch, time) of int64; output (batch, time, vocab_size), logits of the token that follows
    each.

    Source: Zaremba et al., Recurrent neural network regularization, 2014; Press and Wolf, Using the output
    embedding to improve language models, 2017.

    Example:
        >>> from drivetrain.models import rnn_language_model
        >>> model = rnn_language_model(10000)
        >>> sum(parameter.size for parameter in model.parameters())
        3622672
    """
    return RNNLanguageModel(*(vocab_size, width, hidden, layers, dropout), cell=cell, tied=tied, carry=carry)
