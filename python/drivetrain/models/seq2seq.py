"""From sequence to sequence by recurrent networks with attention."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flag
from .._core import Tensor
from ..autograd import no_grad
from ..nn.checks import choice
from ..nn.functional import sequence_mask
from .build import check_sizes
from .padding import check_tokens, lengths_of
from .recurrent import CELLS, attend
from .translation import Translates


class Memory(NamedTuple):
    """The source as the decoder sees it."""

    values: Tensor  # (batch, time, features): what the encoder gives
    keys: Tensor  # (batch, time, hidden): the same, projected for the scores
    mask: Tensor  # (batch, time): True where there is source


class Seq2Seq(Translates, nn.Module):
    """An encoder, a decoder, attention between them; `seq2seq` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import Seq2Seq
        >>> model = Seq2Seq(100, 80, width=16, hidden=16)
        >>> model(dt.ones((2, 7), dtype="int64"), dt.ones((2, 5), dtype="int64")).shape
        (2, 5, 80)
    """

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        target_vocab_size: int | None = None,
        width: int = 256,
        hidden: int = 256,
        layers: int = 1,
        dropout: float = 0.2,
        *,
        cell: str = "gru",
        attention: str = "luong",
        bidirectional: bool = True,
        padding_idx: int = 0,
        start_token: int = 2,
        stop_token: int = 3,
    ) -> None:
        super().__init__()
        name = "seq2seq"
        choice(name, "cell", cell, tuple(CELLS))
        self.kind = choice(name, "attention", attention, ("luong", "bahdanau"))
        targets = vocab_size if target_vocab_size is None else target_vocab_size
        check_sizes(
            name, vocab_size=vocab_size, target_vocab_size=targets, width=width, hidden=hidden, layers=layers
        )
        self._set_tokens(name, targets, padding_idx, start_token, stop_token)
        directions = 2 if flag(name, "bidirectional", bidirectional) else 1
        between = dropout if layers > 1 else 0.0
        self.tokens = nn.Embedding(vocab_size, width, padding_idx)
        self.target_tokens = (
            self.tokens if target_vocab_size is None else nn.Embedding(targets, width, padding_idx)
        )
        self.encoder = CELLS[cell](width, hidden, layers, dropout=between, bidirectional=bidirectional)
        features = directions * hidden
        # The decoder begins with what both directions of a layer ended with.
        self.bridge = nn.Linear(features, hidden)
        inputs = width + (features if attention == "bahdanau" else 0)
        self.decoder = CELLS[cell](inputs, hidden, layers, dropout=between)
        self.key = nn.Linear(features, hidden, bias=False)
        self.query = nn.Linear(hidden, hidden) if attention == "bahdanau" else None
        self.score = nn.Linear(hidden, 1, bias=False) if attention == "bahdanau" else None
        self.combine = nn.Linear(features + hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, targets)
        for table in (self.tokens, self.target_tokens):
            nn.init.normal_(table.weight, 0.0, 0.1)
            nn.init.zeros_(table.weight.detach()[padding_idx])

    def forward(self, source: Tensor, target: Tensor, lengths: Any = None) -> Tensor:
        memory, state = self.encode(source, lengths)
        return self.decode(target, memory, state)[0]

    def encode(self, source: Tensor, lengths: Any = None) -> tuple[Memory, Any]:
        """The source as the decoder sees it, and the states that it begins with."""
        check_tokens("Seq2Seq", source, "source")
        counts = lengths_of("Seq2Seq", source, self.padding_idx, lengths)
        output, state = self.encoder(self.dropout(self.tokens(source)), lengths=counts)
        mask = sequence_mask(counts, source.shape[1])
        memory = Memory(output, self.key(output), mask)
        return memory, tuple(map(self._begin, state)) if isinstance(state, tuple) else self._begin(state)

    def _begin(self, state: Tensor) -> Tensor:
        """(layers * directions, batch, hidden) as (layers, batch, hidden)."""
        directions = 2 if self.encoder.bidirectional else 1
        layers = state.shape[0] // directions
        sides = state.reshape(layers, directions, *state.shape[1:])
        joined = _core.concat([sides[:, i] for i in range(directions)], axis=-1)
        return self.bridge(joined).tanh()  # type: ignore[no-any-return]

    def decode(self, target: Tensor, memory: Memory, state: Any) -> tuple[Tensor, Any]:
        """The logits behind each token of the target, and the states behind the last."""
        self._check_target(target, len(memory.values))
        vectors = self.dropout(self.target_tokens(target))
        if self.query is None:
            output, state = self.decoder(vectors, state)
            scores = _core.matmul(output, _core.matrix_transpose(memory.keys))
            context, _ = attend(scores, memory.mask, memory.values)
        else:
            output, context, state = self._step_by_step(vectors, memory, state)
        combined = self.combine(_core.concat([context, output], axis=-1)).tanh()
        return self.head(self.dropout(combined)), state

    def _step_by_step(self, vectors: Tensor, memory: Memory, state: Any) -> tuple[Tensor, Tensor, Any]:
        """Bahdanau's: the last state asks, and what it is told is an input of the next."""
        assert self.query is not None
        assert self.score is not None
        outputs, contexts = [], []
        for step in range(vectors.shape[1]):
            last = (state[0] if isinstance(state, tuple) else state)[-1]
            hidden = (memory.keys + self.query(last)[:, None]).tanh()
            context, _ = attend(self.score(hidden)[..., 0], memory.mask, memory.values)
            given = _core.concat([vectors[:, step], context], axis=-1)
            output, state = self.decoder(given[:, None], state)
            outputs.append(output)
            contexts.append(context[:, None])
        return _core.concat(outputs, axis=1), _core.concat(contexts, axis=1), state

    def new_decoder(self, source: Tensor, use_cache: bool = True) -> Seq2SeqDecoder:
        """What `generate` and `beam_search` ask for the next token of a translation of `source`."""
        return Seq2SeqDecoder(self, source)


class Seq2SeqDecoder:
    """The source as the encoder sees it, and the states behind the tokens so far."""

    @no_grad()
    def __init__(self, model: Seq2Seq, source: Tensor) -> None:
        self.model = model
        self.memory, self.state = model.encode(source)

    def advance(self, tokens: Tensor) -> Tensor:
        logits, self.state = self.model.decode(tokens, self.memory, self.state)
        return logits[:, -1]

    def pick(self, rows: Tensor) -> None:
        self.memory = Memory(*(part.take(rows, axis=0) for part in self.memory))
        if isinstance(self.state, tuple):
            self.state = tuple(state.take(rows, axis=1) for state in self.state)
        else:
            self.state = self.state.take(rows, axis=1)


@checks_names
def seq2seq(
    vocab_size: int,
    target_vocab_size: int | None = None,
    width: int = 256,
    hidden: int = 256,
    layers: int = 1,
    dropout: float = 0.2,
    *,
    cell: str = "gru",
    attention: str = "luong",
    bidirectional: bool = True,
    padding_idx: int = 0,
    start_token: int = 2,
    stop_token: int = 3,
) -> Seq2Seq:
    """Recurrent encoder and decoder with attention, for translation and the like.

    Args:
        vocab_size (int): Number of tokens of the source.
        target_vocab_size (int, optional): Number of tokens of the target. Default: both sides share one
            vocabulary and its vectors.
        width (int, default 256): Features of a token.
        hidden (int, default 256): Units of a layer and direction.
        layers (int, default 1): Layers of the encoder, and of the decoder.
        dropout (float, default 0.2): Probability of being dropped in training.
        cell ("gru", "lstm" or "rnn", default "gru"): The recurrent networks.
        attention ("luong" or "bahdanau", default "luong"): Luong's (general, without input feeding) scores
            source positions by a product with the decoder's output, for all steps of the target at once.
            Bahdanau's scores them by a small network of the decoder's last state, and what it finds is an
            input of the next step: one step after the other, slower.
        bidirectional (bool, default True): Whether the encoder also goes from the end to the beginning.
        padding_idx (int, default 0): The token that fills short sequences up, at the end.
        start_token, stop_token (int, default 2 and 3): The target's first and last token.

    Shapes: source (batch, source time), target (batch, target time), both of int64, and optionally the
    lengths (batch,) of the source; output (batch, target time, vocabulary of the target), logits of the token
    that follows each one of the target. Train with the inputs ``(source, target[:, :-1])``, the labels
    ``target[:, 1:]`` (teacher forcing) and the loss ``nn.CrossEntropyLoss(ignore_index=0)``; then
    ``model.translate(source)`` searches by beams, of which one is greedy. A source of nothing but padding is
    attended to as zeros.

    Source: Bahdanau et al., Neural machine translation by jointly learning to align and translate, 2014;
    Luong et al., Effective approaches to attention-based neural machine translation, 2015.

    Example:
        >>> from drivetrain.models import seq2seq
        >>> model = seq2seq(20, width=8, hidden=8)
        >>> len(model.translate([[5, 6, 3], [7, 3]], 4))
        2
    """
    return Seq2Seq(
        *(vocab_size, target_vocab_size, width, hidden, layers, dropout),
        cell=cell,
        attention=attention,
        bidirectional=bidirectional,
        padding_idx=padding_idx,
        start_token=start_token,
        stop_token=stop_token,
    )
