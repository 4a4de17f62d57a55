"""Language models in the manner of GPT: a transformer that sees only what came before."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _core, nn
from .._arguments import checks_names
from .._checks import flags
from .._core import Tensor
from ..nn import init
from ..nn.checks import choice
from .build import check_sizes
from .generation import Generates
from .padding import check_tokens


class GPT(Generates, nn.Module):
    """Says of every position of a text which token comes next; `gpt` makes it and explains the arguments.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import GPT
        >>> GPT(100, context_length=16, width=32, layers=2, heads=4)(dt.zeros((2, 5), dtype="int64")).shape
        (2, 5, 100)
    """

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        context_length: int = 256,
        width: int = 384,
        layers: int = 6,
        heads: int = 6,
        dropout: float = 0.1,
        *,
        tied: bool = True,
        bias: bool = True,
        positions: str = "learned",
        activation: str = "gelu",
        norm: str = "layer",
        feedforward: int | None = None,
        kv_heads: int | None = None,
    ) -> None:
        super().__init__()
        flags("gpt", tied=tied, bias=bias)
        check_sizes(
            "gpt",
            vocab_size=vocab_size,
            context_length=context_length,
            width=width,
            layers=layers,
            heads=heads,
        )
        self.context_length, self.vocab_size = context_length, vocab_size
        choice("gpt", "positions", positions, ("learned", "sinusoidal", "rotary"))
        self.tokens = nn.Embedding(vocab_size, width)
        rotary = None
        self.positions: nn.Module | None = None
        if positions == "learned":
            self.positions = nn.LearnedPositions(context_length, width)
        elif positions == "sinusoidal":
            self.positions = nn.SinusoidalPositions(width)
        else:
            rotary = nn.RotaryPositions(width // heads)
        self.dropout = nn.Dropout(dropout)
        block = nn.TransformerEncoderLayer(
            width,
            heads,
            4 * width if feedforward is None else feedforward,
            dropout,
            activation,
            norm_first=True,
            bias=bias,
            norm=norm,
            num_kv_heads=kv_heads,
            positions=rotary,
        )
        self.blocks = nn.TransformerEncoder(
            block, layers, nn.feed_forward.norm_of("gpt", norm, width, 1e-5, bias, "float32")
        )
        self.head = None if tied else nn.Linear(width, vocab_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights anew, as GPT-2 does."""
        deep = 0.02 / (2 * self.blocks.num_layers) ** 0.5
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                is_last = name.endswith(("out_proj.weight", "linear2.weight"))
                init.normal_(parameter, 0.0, deep if is_last else 0.02)
            elif name.endswith("bias"):
                init.zeros_(parameter)

    def forward(self, tokens: Tensor, cache: Sequence[nn.KeyValueCache] | None = None) -> Tensor:
        return self._logits(self._hidden(tokens, cache))

    def next_logits(self, tokens: Tensor, cache: Sequence[nn.KeyValueCache] | None = None) -> Tensor:
        """The logits behind the last position alone, (batch, vocab_size)."""
        return self._logits(self._hidden(tokens, cache)[:, -1])

    def _hidden(self, tokens: Tensor, cache: Sequence[nn.KeyValueCache] | None) -> Tensor:
        start = 0 if cache is None else cache[0].length
        check_tokens("GPT", tokens)
        if start + tokens.shape[1] > self.context_length:
            before = f" behind {start} others" if start else ""
            raise ValueError(
                f"GPT: tokens has shape {tuple(tokens.shape)}{before}, but context_length is "
                f"{self.context_length}"
            )
        hidden = self.tokens(tokens)
        if self.positions is not None:
            hidden = self.positions(hidden, start)
        if self.dropout.training and self.dropout.p:
            hidden = self.dropout(hidden)
        return self.blocks(hidden, is_causal=True, cache=cache)  # type: ignore[no-any-return]

    def _logits(self, hidden: Tensor) -> Tensor:
        return _core.linear(hidden, self.tokens.weight) if self.head is None else self.head(hidden)

    def new_decoder(self, use_cache: bool = True) -> GPTDecoder:
        """What `generate` and `beam_search` ask for the next token."""
        return GPTDecoder(self, use_cache)


class GPTDecoder:
    """The tokens that a `GPT` sees. Where there is no room for more it forgets the first half of them."""

    def __init__(self, model: GPT, use_cache: bool) -> None:
        self.model = model
        self.cache = model.blocks.new_cache() if use_cache else None
        self.seen: list[Tensor] = []
        self.length = 0

    def advance(self, tokens: Tensor) -> Tensor:
        limit = self.model.context_length
        if self.length + tokens.shape[1] > limit:
            kept = limit if not self.length else max(limit // 2, 1)
            tokens = _core.concat([*self.seen, tokens], axis=1)[:, -kept:]
            self.seen, self.length = [], 0
            for cache in self.cache or ():
                cache.clear()
        self.seen.append(tokens)
        self.length += tokens.shape[1]
        if self.cache is None:
            self.seen = [_core.concat(self.seen, axis=1)]
            tokens = self.seen[0]
        return self.model.next_logits(tokens, self.cache)

    def pick(self, rows: Tensor) -> None:
        self.seen = [_core.concat(self.seen, axis=1).take(rows, axis=0)]
        for cache in self.cache or ():
            cache.pick(rows)


@checks_names
def gpt(
    vocab_size: int,
    context_length: int = 256,
    width: int = 384,
    layers: int = 6,
    heads: int = 6,
    dropout: float = 0.1,
    *,
    tied: bool = True,
    bias: bool = True,
    positions: str = "learned",
    activation: str = "gelu",
    norm: str = "layer",
    feedforward: int | None = None,
    kv_heads: int | None = None,
) -> GPT:
    """A language model in the manner of GPT-2, or with other parts, of Llama.

    Args:
        vocab_size (int): Number of tokens.
        context_length (int, default 256): The most tokens it sees at a time.
        width (int, default 384): Features of a position.
        layers (int, default 6): Transformer layers, with the norms first.
        heads (int, default 6): Heads of attention, a divisor of width.
        dropout (float, default 0.1): Probability of being dropped in training: embeddings, attention
            weights, activations, and what each part adds.
        tied (bool, default True): Whether the last layer uses the vectors of the tokens.
        bias (bool, default True): Whether linear layers and norms have one.
        positions ("learned", "sinusoidal" or "rotary", default "learned"): How it knows the order.
        activation (str, default "gelu"): Also "gelu_tanh", "relu", "silu", or "swiglu".
        norm ("layer" or "rms", default "layer"): The kind of norm.
        feedforward (int, default 4 width): Features between the two linear layers of a block.
        kv_heads (int, default heads): Heads of keys and values, each shared by a group of heads.

    Shapes: input (batch, time) of int64, output (batch, time, vocab_size), logits of the token that follows
    each position: train with the tokens one step later as labels and the loss "cross_entropy".

    ``model.generate(prompt, 100)`` writes on: see `generate`. Beyond context_length tokens the first half is
    forgotten, again and again. A vocabulary of 256, 1,024 positions and GPT-2's sizes (width 768, 12
    layers and heads) have 86 million parameters: vocab_size width + context_length width + layers (12 width
    ** 2 + 13 width) + 2 width.

    Source: Radford et al., Language models are unsupervised multitask learners, 2019.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import gpt
        >>> model = gpt(256)
        >>> sum(parameter.size for parameter in model.parameters())
        10844160
    """
    return GPT(
        *(vocab_size, context_length, width, layers, heads, dropout),
        tied=tied,
        bias=bias,
        positions=positions,
        activation=activation,
        norm=norm,
        feedforward=feedforward,
        kv_heads=kv_heads,
    )
