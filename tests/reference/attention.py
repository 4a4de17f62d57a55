"""Scaled dot-product attention in NumPy, with the whole matrix of weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import random

Array = np.ndarray[Any, Any]


def kept(seed: int, stream: int, p: float, heads: int, queries: int, keys: int) -> Array:
    """(heads, queries, keys) of bool: 32 queries by 8 keys share a group of random words."""
    rows, columns = -(-queries // 32), -(-keys // 8)
    numbers = random.dropout_numbers(seed, stream, heads * rows * columns * 256)
    blocks = (numbers >= math.floor(p * 2**32)).reshape(heads, rows, columns, 8, 32)
    return blocks.transpose(0, 1, 4, 2, 3).reshape(heads, rows * 32, columns * 8)[:, :queries, :keys]


def attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    seed: int = 0,
    stream: int = 0,
) -> Array:
    """The arguments of drivetrain's; any number of leading axes."""
    queries, keys = query.shape[-2], key.shape[-2]
    if enable_gqa:
        shared = query.shape[-3] // key.shape[-3]
        key, value = np.repeat(key, shared, axis=-3), np.repeat(value, shared, axis=-3)
    scores = query @ np.swapaxes(key, -1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if attn_mask is not None:
        scores = scores + (np.where(attn_mask, 0.0, -np.inf) if attn_mask.dtype == bool else attn_mask)
    if is_causal:
        hidden = np.arange(keys) > np.arange(queries)[:, None] + keys - queries
        scores = np.where(hidden, -np.inf, scores)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isneginf(top), 0.0, top))
    total = weights.sum(-1, keepdims=True)
    weights = weights / np.where(total == 0, 1.0, total)
    if dropout_p > 0:
        heads = math.prod(weights.shape[:-2])
        keep = kept(seed, stream, dropout_p, heads, queries, keys).reshape(weights.shape)
        weights = weights * keep / (1 - dropout_p) if dropout_p < 1 else weights * 0
    return np.asarray(weights @ value)
