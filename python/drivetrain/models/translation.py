"""A transformer that translates."""

from __future__ import annotations

from typing import Any

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flags
from .._core import Tensor
from ..autograd import no_grad
from ..nn import init
from ..nn.checks import integer
from .build import check_sizes
from .generation import _evaluating, _prompt, beam_search
from .padding import check_tokens, padding_of


class Translates:
    """For models with `new_decoder(source)` and the tokens that begin, end and fill up."""

    padding_idx: int
    start_token: int
    stop_token: int
    new_decoder: Any

    def _set_tokens(self, name: str, targets: int, padding: int, start: int, stop: int) -> None:
        """Keeps the special tokens, of which the target must have the first and the last one."""
        self.padding_idx = integer(name, "padding_idx", padding, 0)
        self.start_token = integer(name, "start_token", start, 0)
        self.stop_token = integer(name, "stop_token", stop, 0)
        for argument, token in (("start_token", start), ("stop_token", stop)):
            if token >= targets:
                raise ValueError(
                    f"{name}: {argument} is {token}, but the target's vocabulary has tokens up to "
                    f"{targets - 1}"
                )

    def _check_target(self, target: Any, sources: int) -> None:
        who = type(self).__name__
        check_tokens(who, target, "target")
        if len(target) != sources:
            raise ValueError(
                f"{who}: target has {len(target)} sequences (shape {tuple(target.shape)}), source {sources}"
            )

    @checks_names
    def translate(
        self,
        source: Any,
        max_new_tokens: int | None = None,
        *,
        beams: int = 4,
        length_penalty: float = 1.0,
        use_cache: bool = True,
    ) -> list[list[int]]:
        """The likeliest translations that a beam search finds.

        Args:
            source (ints): (batch, time), short ones filled up with padding; or a list of lists of any
                lengths; or (time,) for one sentence.
            max_new_tokens (int, default twice the source's length and 8 more): The most tokens of a
                translation.
            beams, length_penalty, use_cache: As for `beam_search`; 1 beam is greedy.

        Returns:
            list of lists of int: The tokens of each, without the ones for start, stop and padding.

        Example:
            >>> import drivetrain as dt
            >>> from drivetrain.models import translation_transformer
            >>> model = translation_transformer(20, width=8, layers=1, heads=2)
            >>> len(model.translate([[5, 6, 3], [7, 3]], 4))
            2
        """
        if (
            isinstance(source, (list, tuple))
            and len({len(row) for row in source if hasattr(row, "__len__")}) > 1
        ):
            longest = max(len(row) for row in source)
            source = [[*row, *[self.padding_idx] * (longest - len(row))] for row in source]
        tokens = _prompt("translate", source, "source")
        limit = 2 * tokens.shape[1] + 8 if max_new_tokens is None else max_new_tokens
        with _evaluating(self):
            decoder = self.new_decoder(tokens, use_cache)
            begin = _core.full((tokens.shape[0], 1), self.start_token, dtype="int64")
            found = beam_search(
                decoder,
                begin,
                limit,
                beams=beams,
                length_penalty=length_penalty,
                stop_tokens=self.stop_token,
                pad_token=self.padding_idx,
            )
        best, lengths = found.tokens[:, 0, 1:].tolist(), found.lengths[:, 0].tolist()
        unwanted = (self.start_token, self.stop_token, self.padding_idx)
        return [
            [token for token in row[:length] if token not in unwanted]
            for row, length in zip(best, lengths, strict=True)
        ]


class TranslationTransformer(Translates, nn.Module):
    """From a sequence of tokens to another one; `translation_transformer` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import TranslationTransformer
        >>> model = TranslationTransformer(100, 80, width=16, layers=1, heads=2)
        >>> model(dt.ones((2, 7), dtype="int64"), dt.ones((2, 5), dtype="int64")).shape
        (2, 5, 80)
    """

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        target_vocab_size: int | None = None,
        width: int = 256,
        layers: int = 3,
        heads: int = 4,
        dropout: float = 0.1,
        *,
        feedforward: int | None = None,
        activation: str = "relu",
        norm_first: bool = False,
        padding_idx: int = 0,
        start_token: int = 2,
        stop_token: int = 3,
    ) -> None:
        super().__init__()
        name = "translation_transformer"
        flags(name, norm_first=norm_first)
        targets = vocab_size if target_vocab_size is None else target_vocab_size
        check_sizes(
            name, vocab_size=vocab_size, target_vocab_size=targets, width=width, layers=layers, heads=heads
        )
        self._set_tokens(name, targets, padding_idx, start_token, stop_token)
        self.tokens = nn.Embedding(vocab_size, width, padding_idx)
        self.target_tokens = (
            None if target_vocab_size is None else nn.Embedding(target_vocab_size, width, padding_idx)
        )
        self.positions = nn.SinusoidalPositions(width)
        self.dropout = nn.Dropout(dropout)
        hidden = 4 * width if feedforward is None else feedforward
        self.transformer = nn.Transformer(
            width, heads, layers, layers, hidden, dropout, activation, norm_first=norm_first
        )
        for table in (self.tokens, self.target_tokens):
            if table is not None:
                init.normal_(table.weight, 0.0, width**-0.5)
                init.zeros_(table.weight.detach()[padding_idx])

    def _target_tokens(self) -> nn.Embedding:
        return self.tokens if self.target_tokens is None else self.target_tokens

    def _embedded(self, table: nn.Embedding, tokens: Tensor, start: int = 0) -> Tensor:
        scaled = table(tokens) * table.embedding_dim**0.5
        return self.dropout(self.positions(scaled, start))  # type: ignore[no-any-return]

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory, padding = self.encode(source)
        return self.decode(target, memory, padding)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the decoder sees of the source, (batch, time, width), and where that is padding, or None."""
        check_tokens("TranslationTransformer", source, "source")
        padding = padding_of("TranslationTransformer", source, self.padding_idx, None)
        memory = self.transformer.encoder(self._embedded(self.tokens, source), None, padding)
        return memory, padding

    def decode(self, target: Tensor, memory: Tensor, padding: Tensor | None, cache: Any = None) -> Tensor:
        """The logits behind each token of the target, whose padding stands last: no other token sees it."""
        self._check_target(target, len(memory))
        table = self._target_tokens()
        start = 0 if cache is None else len(cache[0][0])
        hidden = self._embedded(table, target, start)
        hidden = self.transformer.decoder(
            hidden, memory, memory_key_padding_mask=padding, tgt_is_causal=True, cache=cache
        )
        return _core.linear(hidden, table.weight)

    def new_decoder(self, source: Tensor, use_cache: bool = True) -> TranslationDecoder:
        """What `generate` and `beam_search` ask for the next token of a translation of `source`."""
        return TranslationDecoder(self, source, use_cache)


class TranslationDecoder:
    """The source as the encoder sees it, and the tokens of the translation so far."""

    @no_grad()
    def __init__(self, model: TranslationTransformer, source: Tensor, use_cache: bool) -> None:
        self.model = model
        self.memory, self.padding = model.encode(source)
        self.cache: Any = model.transformer.decoder.new_cache() if use_cache else None
        self.seen: Tensor | None = None

    def advance(self, tokens: Tensor) -> Tensor:
        if self.cache is None:
            self.seen = tokens if self.seen is None else _core.concat([self.seen, tokens], axis=1)
            tokens = self.seen
        return self.model.decode(tokens, self.memory, self.padding, self.cache)[:, -1]

    def pick(self, rows: Tensor) -> None:
        self.memory = self.memory.take(rows, axis=0)
        if self.padding is not None:
            self.padding = self.padding.take(rows, axis=0)
        if self.seen is not None:
            self.seen = self.seen.take(rows, axis=0)
        for pair in self.cache or ():
            for one in pair:
                one.pick(rows)


@checks_names
def translation_transformer(
    vocab_size: int,
    target_vocab_size: int | None = None,
    width: int = 256,
    layers: int = 3,
    heads: int = 4,
    dropout: float = 0.1,
    *,
    feedforward: int | None = None,
    activation: str = "relu",
    norm_first: bool = False,
    padding_idx: int = 0,
    start_token: int = 2,
    stop_token: int = 3,
) -> TranslationTransformer:
    """A transformer with encoder and decoder, for translation and other tasks from sequence to sequence.

    Args:
        vocab_size (int): Number of tokens of the source.
        target_vocab_size (int, optional): Number of tokens of the target. Default: both sides share one
            vocabulary and its vectors.
        width (int, default 256): Features of a position; 512 in the paper.
        layers (int, default 3): Layers of the encoder, and of the decoder; 6 in the paper.
        heads (int, default 4): Heads of attention, a divisor of width; 8 in the paper.
        dropout (float, default 0.1): Probability of being dropped in training.
        feedforward (int, default 4 width): Features between the two linear layers of a block.
        activation (str, default "relu"): As for ``nn.TransformerEncoderLayer``.
        norm_first (bool, default False): Whether norms stand before attention and linear layers.
        padding_idx (int, default 0): The token that fills short sequences up, at the end.
        start_token, stop_token (int, default 2 and 3): The target's first and last token.

    Shapes: source (batch, source time), target (batch, target time), both of int64; output (batch, target
    time, vocabulary of the target), logits of the token that follows each one of the target. Train with the
    inputs ``(source, target[:, :-1])``, the labels ``target[:, 1:]`` and the loss
    ``nn.CrossEntropyLoss(ignore_index=0)``; then ``model.translate(source)``.

    The vectors of the target's tokens are the last layer's weights, too. Parameters: (vocab_size +
    target_vocab_size) width + layers (28 width ** 2 + 32 width) + 4 width.

    Source: Vaswani et al., Attention is all you need, 2017; Press and Wolf, 2017, for the shared weights.

    Example:
        >>> from drivetrain.models import translation_transformer
        >>> model = translation_transformer(8000)
        >>> sum(parameter.size for parameter in model.parameters())
        7578624
    """
    return TranslationTransformer(
        *(vocab_size, target_vocab_size, width, layers, heads, dropout),
        feedforward=feedforward,
        activation=activation,
        norm_first=norm_first,
        padding_idx=padding_idx,
        start_token=start_token,
        stop_token=stop_token,
    )
