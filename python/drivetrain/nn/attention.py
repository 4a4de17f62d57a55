"""Attention of several heads."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._arguments import checks_names
from .._core import Tensor
from . import init
from .cache import KeyValueCache
from .checks import flag, integer, real, tensor
from .convert import floating_dtype
from .linear import Linear
from .module import Module
from .parameter import Parameter


def attention_weights(
    query: Tensor, key: Tensor, attn_mask: Tensor | None, is_causal: bool, scale: float | None = None
) -> Tensor:
    """Softmax of the scaled products, (batch, heads, queries, keys); 0 where a query may attend to nothing.

    The arguments are those of `scaled_dot_product_attention`, which makes no such matrix.
    """
    queries, keys = query.shape[2], key.shape[2]
    if key.shape[1] != query.shape[1]:
        key = key.repeat(query.shape[1] // key.shape[1], axis=1)
    scores = (query * (query.shape[3] ** -0.5 if scale is None else scale)) @ key.mT
    never = float("-inf")
    if is_causal and queries > 1:
        past = _core.tril(_core.ones((queries, keys), dtype="bool"), k=keys - queries)
        scores = _core.where(past, scores, never)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == _core.bool
        scores = _core.where(attn_mask, scores, never) if is_bool else scores + attn_mask
    if not keys:
        return scores
    most = scores.detach().max(axis=-1, keepdims=True)
    raised = (scores - _core.where(most == never, 0.0, most)).exp()
    total = raised.sum(axis=-1, keepdims=True)
    return (raised / _core.where(total == 0, 1.0, total)).astype(query.dtype, copy=False)


def weighted(weights: Tensor, value: Tensor) -> Tensor:
    """The weighted values for each query; groups of heads of weights may share those of the values."""
    if value.shape[1] != weights.shape[1]:
        value = value.repeat(weights.shape[1] // value.shape[1], axis=1)
    return weights @ value


class MultiheadAttention(Module):
    """Attention of several heads: each position gathers values from the positions whose keys fit its query.

    Sequences are (batch, time, features), as in PyTorch with ``batch_first=True``; arguments, formulas and
    names of the weights are PyTorch's.

    Args:
        embed_dim: Features of queries and of the output.
        num_heads: Heads; each has embed_dim / num_heads features.
        dropout: Probability of a weight being dropped, in training.
        bias: Whether the projections have one.
        add_bias_kv: Whether a trained key and value are appended to the sequence.
        add_zero_attn: Whether a key and value of zeros are.
        kdim, vdim: Features of keys and values, where they are others.
        dtype: Floating-point dtype of the parameters.
        num_kv_heads: Heads of keys and values, a divisor of num_heads, each shared by a group of heads
            (Ainslie et al., 2023); 1 is multi-query attention (Shazeer, 2019). Default: num_heads.
        positions: A module that changes queries and keys by where they stand, `RotaryPositions`.

    Shapes:
        query (batch, queries, embed_dim), key (batch, keys, kdim), value (batch, keys, vdim),
        output (batch, queries, embed_dim). in_proj_weight (embed_dim + 2 num_kv_heads head_dim, embed_dim):
        queries, keys and values below each other; where kdim or vdim differ, q_proj_weight, k_proj_weight
        and v_proj_weight in place of it.

    Calling it with one sequence is self-attention, ``layer(x)``, as is ``layer(x, x, x)``: one product gives
    queries, keys and values. Further arguments:

    - key_padding_mask (batch, keys): True for keys to ignore, or numbers to add to their scores.
    - need_weights (default False, unlike PyTorch): whether the weights are returned as well. Without them
      the matrix of all pairs is never made.
    - attn_mask (queries, keys), (batch * num_heads, queries, keys), or four axes: True for pairs to ignore,
      or numbers to add to the scores.
    - average_attn_weights: whether the weights are means over the heads.
    - is_causal: whether a query attends only to keys up to its own position, counted from the end. It needs
      no attn_mask; where there is one, both hold.
    - cache: A `KeyValueCache`, whose positions come before those of `key`; masks are about all of them.

    Returns output and weights, (batch, queries, keys) or (batch, num_heads, queries, keys) or None.
    A query that may attend to nothing gets zeros (and out_proj's bias), never NaN.

    Source: Vaswani et al., Attention is all you need, 2017.

    Example:
        >>> import drivetrain as dt
        >>> output, _ = dt.nn.MultiheadAttention(16, 4)(dt.rand((2, 5, 16)), is_causal=True)
        >>> output.shape
        (2, 5, 16)
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    @checks_names
    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        dtype: Any = "float32",
        *,
        num_kv_heads: int | None = None,
        positions: Module | None = None,
    ) -> None:
        super().__init__()
        name = "MultiheadAttention"
        self.embed_dim = integer(name, "embed_dim", embed_dim)
        self.num_heads = integer(name, "num_heads", num_heads)
        self.num_kv_heads = (
            self.num_heads if num_kv_heads is None else integer(name, "num_kv_heads", num_kv_heads)
        )
        for part, whole, size in (
            ("num_heads", "embed_dim", self.embed_dim),
            ("num_kv_heads", "num_heads", self.num_heads),
        ):
            if size % getattr(self, part):
                raise ValueError(f"{name}: {part} {getattr(self, part)} must divide {whole} {size}")
        self.head_dim = self.embed_dim // self.num_heads
        self.kdim = self.embed_dim if kdim is None else integer(name, "kdim", kdim)
        self.vdim = self.embed_dim if vdim is None else integer(name, "vdim", vdim)
        self.dropout = real(name, "dropout", dropout, "a number from 0 to 1", lambda p: 0 <= p <= 1)
        self.add_zero_attn = flag(name, "add_zero_attn", add_zero_attn)
        if positions is not None and not isinstance(positions, Module):
            raise TypeError(f"{name}: positions is {positions!r:.80}, expected a Module, RotaryPositions say")
        self.positions = positions
        add_bias_kv = flag(name, "add_bias_kv", add_bias_kv)
        self._make_parameters(flag(name, "bias", bias), add_bias_kv, floating_dtype(name, dtype))
        self.reset_parameters()

    def _make_parameters(self, bias: bool, add_bias_kv: bool, dtype: Any) -> None:
        embed, shared = self.embed_dim, self.num_kv_heads * self.head_dim

        def parameter(*shape: int) -> Parameter:
            return Parameter(_core.empty(shape, dtype=dtype))

        self.in_proj_weight = self.q_proj_weight = self.k_proj_weight = self.v_proj_weight = None
        if self.kdim == self.vdim == embed:
            self.in_proj_weight = parameter(embed + 2 * shared, embed)
        else:
            self.q_proj_weight = parameter(embed, embed)
            self.k_proj_weight = parameter(shared, self.kdim)
            self.v_proj_weight = parameter(shared, self.vdim)
        self.in_proj_bias = parameter(embed + 2 * shared) if bias else None
        self.out_proj = Linear(embed, embed, bias, dtype)
        self.bias_k = parameter(1, 1, shared) if add_bias_kv else None
        self.bias_v = parameter(1, 1, shared) if add_bias_kv else None

    def reset_parameters(self) -> None:
        """Draws the weights anew, as PyTorch does: Glorot's for the way in; the biases are 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for added in (self.bias_k, self.bias_v):
            if added is not None:
                init.xavier_normal_(added)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
        cache: KeyValueCache | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        key = query if key is None else key
        value = key if value is None else value
        self._check(query, key, value)
        batch, queries, _ = query.shape
        one = key is query and value is query and self.in_proj_weight is not None
        more = self.positions is not None or self.bias_k is not None or self.add_zero_attn
        if one and cache is None and not (need_weights or more):
            return self._self_attention(query, key_padding_mask, attn_mask, is_causal), None
        if cache is not None and not isinstance(cache, KeyValueCache):
            kind = type(cache).__name__
            raise TypeError(f"MultiheadAttention: cache is a {kind}, expected a KeyValueCache")
        if cache is not None and cache.fixed and cache.length:
            q = self._heads(query, 0, self.num_heads)
            k, v = cache.all()
            if k.shape[0] != batch:
                raise ValueError(
                    f"MultiheadAttention: query has {batch} sequences (shape {tuple(query.shape)}), but the "
                    f"cache holds {k.shape[0]}"
                )
        else:
            q, k, v = self._projected(query, key, value)
            if self.positions is not None:
                start = 0 if cache is None else cache.length
                q, k = self.positions(q, start), self.positions(k, start)
            if cache is not None:
                k, v = cache.append(k, v)
        mask = None
        if attn_mask is not None or key_padding_mask is not None:
            mask = self._mask(key_padding_mask, attn_mask, (batch, queries, k.shape[2]))
        if self.bias_k is not None or self.add_zero_attn:
            k, v, mask, is_causal = self._with_more_keys(k, v, mask, is_causal, queries)
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = attention_weights(q, k, mask, is_causal)
            if dropout:
                weights = _core.dropout(weights, dropout)
            found = weighted(weights, v)
            weights = weights.mean(axis=1) if average_attn_weights else weights
        elif queries == 1 and cache is not None and mask is None and not dropout:
            # One row at a time is no work for tiles. Heads that share keys are rows of one product.
            rows = q.reshape(batch, self.num_kv_heads, -1, self.head_dim) * self.head_dim**-0.5
            found = (_core.softmax(rows @ k.mT) @ v).reshape(batch, self.num_heads, 1, self.head_dim)
        else:
            grouped = self.num_kv_heads != self.num_heads
            found = _core.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal, None, grouped)
        return self.out_proj(found.swapaxes(1, 2).reshape(batch, queries, self.embed_dim)), weights

    def _self_attention(
        self, input: Tensor, padding: Tensor | None, mask: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The usual case: the kernel reads the projection, and writes its gradient, as a whole."""
        projected = _core.linear(input, self.in_proj_weight, self.in_proj_bias)  # type: ignore[arg-type]
        both = None
        if padding is not None or mask is not None:
            both = self._mask(padding, mask, (input.shape[0], input.shape[1], input.shape[1]))
        dropout = self.dropout if self.training else 0.0
        heads = self.num_heads, self.num_kv_heads
        return self.out_proj(_core._self_attention(projected, *heads, both, dropout, is_causal))  # type: ignore[no-any-return]

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        wanted = [("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)]
        for name, given, features in wanted[
            : 1 if self.in_proj_weight is not None and key is query is value else 3
        ]:
            if tensor("MultiheadAttention", name, given).ndim != 3 or given.shape[2] != features:
                raise ValueError(
                    f"MultiheadAttention: {name} has shape {tuple(given.shape)}, expected (batch, time, "
                    f"{features})"
                )
        if key is not query and (key.shape[0] != query.shape[0] or value.shape[:2] != key.shape[:2]):
            raise ValueError(
                f"MultiheadAttention: query, key and value have shapes {tuple(query.shape)}, "
                f"{tuple(key.shape)} and {tuple(value.shape)}, expected one batch, and keys as long as values"
            )

    def _heads(self, input: Tensor, first: int, count: int) -> Tensor:
        """Heads of the projection of `input`, `count` from `first` on: (batch, heads, time, head_dim)."""
        rows = slice(first * self.head_dim, (first + count) * self.head_dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        if self.in_proj_weight is not None:
            weight: Tensor = self.in_proj_weight[rows]
        else:
            parts = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
            found = parts[0 if first == 0 else 1 if first == self.num_heads else 2]
            assert found is not None
            weight = found
        return self._split(_core.linear(input, weight, bias), count)

    def _split(self, projected: Tensor, count: int) -> Tensor:
        batch, time, _ = projected.shape
        return projected.reshape(batch, time, count, self.head_dim).swapaxes(1, 2)

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        heads, shared = self.num_heads, self.num_kv_heads
        if key is not value or self.in_proj_weight is None:
            return (
                self._heads(query, 0, heads),
                self._heads(key, heads, shared),
                self._heads(value, heads + shared, shared),
            )
        if query is key:
            projected = _core.linear(query, self.in_proj_weight, self.in_proj_bias)
            every = self._split(projected, heads + 2 * shared)
            return every[:, :heads], every[:, heads : heads + shared], every[:, heads + shared :]
        both = self._heads(key, heads, 2 * shared)
        return self._heads(query, 0, heads), both[:, :shared], both[:, shared:]

    def _mask(self, padding: Tensor | None, mask: Tensor | None, sizes: tuple[int, int, int]) -> Tensor:
        """Both masks in one: True where attention is allowed, or numbers to add."""
        (batch, queries, keys), name = sizes, "MultiheadAttention"
        given = []
        if padding is not None:
            if tuple(tensor(name, "key_padding_mask", padding).shape) != (batch, keys):
                raise ValueError(
                    f"{name}: key_padding_mask has shape {tuple(padding.shape)}, expected "
                    f"(batch, keys), which is {(batch, keys)}"
                )
            given.append(("key_padding_mask", padding.reshape(batch, 1, 1, keys)))
        if mask is not None:
            pair, each = (queries, keys), (batch * self.num_heads, queries, keys)
            fits = tensor(name, "attn_mask", mask).ndim == 4 or tuple(mask.shape) in (pair, each)
            for have, want in zip(mask.shape, (batch, self.num_heads, *pair), strict=False):
                fits = fits and (mask.ndim < 4 or have in (1, want))
            if not fits:
                raise ValueError(
                    f"{name}: attn_mask has shape {tuple(mask.shape)}, expected (queries, keys), "
                    f"which is {pair}, or (batch * heads, queries, keys), which is {each}"
                )
            given.append(
                ("attn_mask", mask.reshape(batch, self.num_heads, *pair) if mask.ndim == 3 else mask)
            )
        for which, one in given:
            if one.dtype != _core.bool and not one.dtype.is_floating_point:
                raise TypeError(f"{name}: {which} is {one.dtype.name}, expected bool or floating-point")
        numbers = [one for _, one in given if one.dtype != _core.bool]
        forbidden = [one for _, one in given if one.dtype == _core.bool]
        if not numbers:
            both = forbidden[0] if len(forbidden) == 1 else _core.logical_or(*forbidden)
            return _core.logical_not(both)
        if forbidden:
            return _core.where(forbidden[0], float("-inf"), numbers[0])
        return numbers[0] if len(numbers) == 1 else numbers[0] + numbers[1]

    def _with_more_keys(
        self, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool, queries: int
    ) -> tuple[Tensor, Tensor, Tensor | None, bool]:
        """The trained key and value and those of zeros at the end, to which every query may attend."""
        batch, shared, keys, size = k.shape
        if is_causal and queries > 1:
            past = _core.tril(_core.ones((queries, keys), dtype="bool"), k=keys - queries)
            if mask is None:
                mask = past
            elif mask.dtype == _core.bool:
                mask = _core.logical_and(mask, past)
            else:
                mask = _core.where(past, mask, float("-inf"))
        more: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            added = [
                bias.reshape(1, shared, 1, size).expand(batch, shared, 1, size).astype(k.dtype, copy=False)
                for bias in (self.bias_k, self.bias_v)
            ]
            more.append((added[0], added[1]))
        if self.add_zero_attn:
            zeros = _core.zeros((batch, shared, 1, size), dtype=k.dtype)
            more.append((zeros, zeros))
        k = _core.concat([k, *(one for one, _ in more)], axis=2)
        v = _core.concat([v, *(one for _, one in more)], axis=2)
        if mask is not None:
            mask = mask.expand(*mask.shape[:-1], keys)
            free = _core.full((*mask.shape[:-1], len(more)), mask.dtype == _core.bool, dtype=mask.dtype)
            mask = _core.concat([mask, free], axis=-1)
        return k, v, mask, False

    def extra_repr(self) -> str:
        grouped = "" if self.num_kv_heads == self.num_heads else f", num_kv_heads={self.num_kv_heads}"
        return f"{self.embed_dim}, num_heads={self.num_heads}{grouped}, dropout={self.dropout}"


MultiHeadAttention = MultiheadAttention
