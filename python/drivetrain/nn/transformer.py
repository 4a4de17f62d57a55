"""Transformers, with PyTorch's arguments and names of weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from .. import _core
from .._arguments import checks_names
from .._core import Tensor
from . import init
from .attention import MultiheadAttention
from .cache import KeyValueCache
from .checks import choice, flag, integer, tensor
from .containers import ModuleList
from .dropout import Dropout
from .feed_forward import ACTIVATIONS, Activation, norm_of, swiglu
from .linear import Linear
from .module import Module
from .norm import LayerNorm

CachePair = tuple[KeyValueCache, KeyValueCache]


class _Layer(Module):
    """What encoder and decoder layers share: arguments, self-attention and the feed-forward part."""

    @checks_names
    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = "float32",
        *,
        norm: str = "layer",
        num_kv_heads: int | None = None,
        positions: Module | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        d_model = integer(name, "d_model", d_model)
        hidden = integer(name, "dim_feedforward", dim_feedforward)
        if not callable(activation):
            activation = ACTIVATIONS[choice(name, "activation", activation, tuple(ACTIVATIONS))]
        self.activation = activation
        self.norm_first = flag(name, "norm_first", norm_first)
        attention: dict[str, Any] = {"bias": bias, "dtype": dtype, "num_kv_heads": num_kv_heads}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, positions=positions, **attention)
        if self._parts == 3:
            self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, **attention)
        self.linear1 = Linear(d_model, 2 * hidden if activation is swiglu else hidden, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(hidden, d_model, bias, dtype)
        for i in range(1, self._parts + 1):
            setattr(self, f"norm{i}", norm_of(name, norm, d_model, layer_norm_eps, bias, dtype))
        for i in range(1, self._parts + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))

    _parts = 2
    norm1: Module
    norm2: Module
    norm3: Module
    dropout1: Dropout
    dropout2: Dropout
    dropout3: Dropout

    def _fed(self, x: Tensor, last: Dropout) -> Tensor:
        first = self.linear1
        if self.activation is _core.relu and first._hooks is None:
            hidden = first.forward_relu(x)
        else:
            hidden = self.activation(first(x))
        hidden = self.linear2(_dropped(self.dropout, hidden))
        return _dropped(last, hidden)


def _dropped(dropout: Dropout, x: Tensor) -> Tensor:
    return dropout(x) if dropout.training and dropout.p else x


class TransformerEncoderLayer(_Layer):
    """Self-attention and two linear layers, each with dropout, a residual connection and layer norm.

    Args:
        d_model: Features of input and output.
        nhead: Heads of attention.
        dim_feedforward: Features between the two linear layers.
        dropout: Probability of being dropped: attention weights, activations, and what is added.
        activation: "relu", "gelu", "gelu_tanh", "silu", "swiglu" (linear1 then has twice the outputs), or a
            function, with which `save_model` cannot describe the layer.
        layer_norm_eps: eps of the norms.
        norm_first: Whether the norms stand before attention and linear layers (pre-norm), not behind the
            residual connections.
        bias: Whether linear layers and norms have one.
        dtype: Floating-point dtype of the parameters.
        norm: "layer", or "rms" for `RMSNorm`, which has no bias.
        num_kv_heads, positions: See `MultiheadAttention`.

    Shapes: input and output (batch, time, d_model).

    ``forward(src, src_mask=None, src_key_padding_mask=None, is_causal=False, cache=None)``: the further
    arguments are `MultiheadAttention`'s.

    Source: Vaswani et al., 2017; with norm_first, Xiong et al., On layer normalization in the transformer
    architecture, 2020.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.TransformerEncoderLayer(16, 4, 32)(dt.rand((2, 5, 16))).shape
        (2, 5, 16)
    """

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        def attended(x: Tensor) -> Tensor:
            found, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, True, is_causal, cache)
            return _dropped(self.dropout1, found)

        if self.norm_first:
            src = src + attended(self.norm1(src))
            return src + self._fed(self.norm2(src), self.dropout2)
        src = self.norm1(src + attended(src))
        return self.norm2(src + self._fed(src, self.dropout2))  # type: ignore[no-any-return]


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to another sequence, and two linear layers, each with a residual connection.

    The arguments are those of `TransformerEncoderLayer`; the heads of the second attention are shared alike,
    and `positions` are for self-attention alone.

    Shapes: input and output (batch, time, d_model), memory (batch, other time, d_model).

    ``forward(tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
    memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False, cache=None)``: `cache` is a
    pair, of which the second is ``KeyValueCache(fixed=True)``.

    Source: Vaswani et al., 2017.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.TransformerDecoderLayer(16, 4, 32)(dt.rand((2, 5, 16)), dt.rand((2, 7, 16))).shape
        (2, 5, 16)
    """

    _parts = 3
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        cache: CachePair | None = None,
    ) -> Tensor:
        tensor("TransformerDecoderLayer", "memory", memory)
        if cache is not None and (not isinstance(cache, Sequence) or len(cache) != 2):
            raise TypeError("TransformerDecoderLayer: cache must be a pair of KeyValueCache")
        own, other = (None, None) if cache is None else cache

        def attended(x: Tensor) -> Tensor:
            found, _ = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, True, tgt_is_causal, own
            )
            return _dropped(self.dropout1, found)

        def looked_up(x: Tensor) -> Tensor:
            found, _ = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, True, memory_is_causal, other
            )
            return _dropped(self.dropout2, found)

        if self.norm_first:
            tgt = tgt + attended(self.norm1(tgt))
            tgt = tgt + looked_up(self.norm2(tgt))
            return tgt + self._fed(self.norm3(tgt), self.dropout3)
        tgt = self.norm1(tgt + attended(tgt))
        tgt = self.norm2(tgt + looked_up(tgt))
        return self.norm3(tgt + self._fed(tgt, self.dropout3))  # type: ignore[no-any-return]


class _Stack(Module):
    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        name = type(self).__name__
        if not isinstance(layer, Module):
            raise TypeError(f"{name}: the layer is a {type(layer).__name__}, expected a Module")
        if norm is not None and not isinstance(norm, Module):
            raise TypeError(f"{name}: norm is {norm!r:.80}, expected a Module or None")
        self.num_layers = integer(name, "num_layers", num_layers)
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(self.num_layers)])
        for copied in list(self.layers)[1:]:
            copied.apply(_draw)
        self.norm = norm

    def _caches(self, cache: Any) -> Any:
        """One for each layer."""
        if cache is None:
            return [None] * self.num_layers
        if not isinstance(cache, Sequence) or len(cache) != self.num_layers:
            raise ValueError(
                f"{type(self).__name__}: cache must be what new_cache makes, one for each of "
                f"{self.num_layers} layers"
            )
        return cache


def _draw(module: Module) -> None:
    draw = getattr(module, "reset_parameters", None)
    if draw is not None:
        draw()


class TransformerEncoder(_Stack):
    """Encoder layers, one behind the other.

    Args:
        encoder_layer: `TransformerEncoderLayer`. It is copied; weights of all copies but the first are drawn
            anew (PyTorch begins with equal ones).
        num_layers: Number of copies.
        norm: A layer behind the last one, `LayerNorm` where the layers are norm_first.

    Shapes: input and output (batch, time, d_model).

    ``forward(src, mask=None, src_key_padding_mask=None, is_causal=False, cache=None)``: `cache` is what
    `new_cache` made.

    Example:
        >>> import drivetrain as dt
        >>> encoder = dt.nn.TransformerEncoder(dt.nn.TransformerEncoderLayer(16, 4, 32), 2)
        >>> encoder(dt.rand((2, 5, 16)), is_causal=True).shape
        (2, 5, 16)
    """

    @checks_names
    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(encoder_layer, num_layers, norm)

    def new_cache(self, capacity: int = 0) -> list[KeyValueCache]:
        """An empty cache for each layer."""
        return [KeyValueCache(capacity) for _ in range(self.num_layers)]

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
        cache: Sequence[KeyValueCache] | None = None,
    ) -> Tensor:
        for layer, one in zip(self.layers, self._caches(cache), strict=True):
            src = layer(src, mask, src_key_padding_mask, is_causal, one)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(_Stack):
    """Decoder layers, one behind the other; the arguments are those of `TransformerEncoder`.

    Shapes: input and output (batch, time, d_model), memory (batch, other time, d_model).

    ``forward(tgt, memory, ...)``: further arguments are those of `TransformerDecoderLayer`; `cache` is what
    `new_cache` made.

    Example:
        >>> import drivetrain as dt
        >>> decoder = dt.nn.TransformerDecoder(dt.nn.TransformerDecoderLayer(16, 4, 32), 2)
        >>> decoder(dt.rand((2, 5, 16)), dt.rand((2, 7, 16)), tgt_is_causal=True).shape
        (2, 5, 16)
    """

    @checks_names
    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def new_cache(self, capacity: int = 0) -> list[CachePair]:
        """An empty pair of caches for each layer."""
        return [(KeyValueCache(capacity), KeyValueCache(fixed=True)) for _ in range(self.num_layers)]

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
        cache: Sequence[CachePair] | None = None,
    ) -> Tensor:
        given = (tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask)
        for layer, pair in zip(self.layers, self._caches(cache), strict=True):
            tgt = layer(tgt, memory, *given, tgt_is_causal, memory_is_causal, pair)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder, both with a norm behind the last layer: from a sequence of vectors to another one.

    Args:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias, dtype: Of all
            layers: see `TransformerEncoderLayer`.
        num_encoder_layers, num_decoder_layers: Numbers of layers.
        custom_encoder, custom_decoder: Modules in place of those.

    Shapes: src (batch, source time, d_model), tgt and output (batch, target time, d_model).

    Called with src, tgt and optionally src_mask, tgt_mask, memory_mask, src_key_padding_mask,
    tgt_key_padding_mask, memory_key_padding_mask, src_is_causal, tgt_is_causal and memory_is_causal, all
    of them `MultiheadAttention`'s. All matrices are drawn from Glorot's uniform distribution.

    Source: Vaswani et al., Attention is all you need, 2017.

    Example:
        >>> import drivetrain as dt
        >>> model = dt.nn.Transformer(16, 4, 1, 1, 32)
        >>> model(dt.rand((2, 7, 16)), dt.rand((2, 5, 16)), tgt_is_causal=True).shape
        (2, 5, 16)
    """

    @checks_names
    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__()
        self.d_model, self.nhead = d_model, nhead
        for part, given in (("custom_encoder", custom_encoder), ("custom_decoder", custom_decoder)):
            if given is not None and not isinstance(given, Module):
                raise TypeError(f"Transformer: {part} is {given!r:.80}, expected a Module or None")
        options = (dim_feedforward, dropout, activation, layer_norm_eps, norm_first, bias, dtype)

        def norm() -> Module:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder: Any = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(d_model, nhead, *options), num_encoder_layers, norm()
        )
        self.decoder: Any = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(d_model, nhead, *options), num_decoder_layers, norm()
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all matrices anew."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    @staticmethod
    def generate_square_subsequent_mask(size: int, dtype: Any = "float32") -> Tensor:
        """The causal mask as numbers to add, 0 and minus infinity; ``is_causal=True`` needs none."""
        size = integer("generate_square_subsequent_mask", "size", size)
        return _core.triu(_core.full((size, size), float("-inf"), dtype=dtype), k=1)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(  # type: ignore[no-any-return]
            tgt,
            memory,
            *(tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask),
            tgt_is_causal,
            memory_is_causal,
        )
