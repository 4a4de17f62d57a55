"""Pools over any number of spatial axes; channels last."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .conv import Array, Numbers, Padding, pad_pairs, spread


def pool(
    kind: str,
    x: Array,
    kernel_size: Numbers,
    stride: Numbers | None = None,
    padding: Padding = 0,
    dilation: Numbers = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """kind is "max" or "average"."""
    axes = x.ndim - 2
    kernel = spread(kernel_size, axes)
    stride = kernel if stride is None else spread(stride, axes)
    dilation = spread(dilation, axes)
    sizes = x.shape[1:-1]
    pairs = pad_pairs(padding, sizes, kernel, stride, dilation)
    count = []
    for n, k, s, d, (low, high) in zip(sizes, kernel, stride, dilation, pairs, strict=True):
        free = n + low + high - d * (k - 1) - 1
        c = (-(-free // s) if ceil_mode else free // s) + 1
        if ceil_mode and (c - 1) * s >= n + low:  # a window must not begin in the padding behind the input
            c -= 1
        count.append(c)
    out = np.zeros((x.shape[0], *count, x.shape[-1]), x.dtype)
    for position in itertools.product(*(range(c) for c in count)):
        inside: list[list[int]] = []
        divisor = 1
        for p, n, k, s, d, (low, high) in zip(position, sizes, kernel, stride, dilation, pairs, strict=True):
            taps = [p * s + j * d - low for j in range(k)]
            inside.append([t for t in taps if 0 <= t < n])
            padded = [t for t in taps if -low <= t < n + high]
            divisor *= len(padded) if count_include_pad else len(inside[-1])
        window = x[np.ix_(range(x.shape[0]), *inside, range(x.shape[-1]))]
        over = tuple(range(1, axes + 1))
        if kind == "max":
            value: Any = window.max(axis=over) if window.size else 0
        else:
            value = window.sum(axis=over) / divisor
        out[(slice(None), *position)] = value
    return out


def adaptive_pool(kind: str, x: Array, output_size: Numbers) -> Array:
    """Window i of an axis reaches from floor(i n / out) to ceil((i + 1) n / out)."""
    axes = x.ndim - 2
    sizes = spread(output_size, axes)
    out = np.zeros((x.shape[0], *sizes, x.shape[-1]), x.dtype)
    for position in itertools.product(*(range(c) for c in sizes)):
        window = tuple(
            slice(p * n // c, -(-(p + 1) * n // c))
            for p, n, c in zip(position, x.shape[1:-1], sizes, strict=True)
        )
        part = x[(slice(None), *window)]
        over = tuple(range(1, axes + 1))
        out[(slice(None), *position)] = part.max(axis=over) if kind == "max" else part.mean(axis=over)
    return out
