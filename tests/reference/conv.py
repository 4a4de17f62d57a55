"""Convolutions over any number of spatial axes; channels last.

input (n, spatial..., channels), weight (out, k..., in / groups); transposed: weight (in, k..., out / groups).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Numbers = int | Sequence[int]
Padding = str | int | Sequence[Any]


def spread(value: Numbers, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)


def pad_pairs(
    padding: Padding,
    sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    """(low, high) per axis. "same" gives ceil(size / stride) outputs; an odd zero comes last."""
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    if padding == "same":
        pairs = []
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            pairs.append((total // 2, total - total // 2))
        return pairs
    if isinstance(padding, int):
        return [(padding, padding)] * len(sizes)
    return [(p, p) if isinstance(p, int) else tuple(p) for p in padding]  # type: ignore[misc]


def window(
    at: Sequence[int], count: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[slice, ...]:
    """Where the kernel's entry `at` meets the padded input, for all output positions."""
    return tuple(
        slice(a * d, a * d + (n - 1) * s + 1 if n else a * d, s)
        for a, n, s, d in zip(at, count, stride, dilation, strict=True)
    )


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Padding = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    axes = x.ndim - 2
    kernel = weight.shape[1:-1]
    stride, dilation = spread(stride, axes), spread(dilation, axes)
    pairs = pad_pairs(padding, x.shape[1:-1], kernel, stride, dilation)
    x = np.pad(x, [(0, 0), *pairs, (0, 0)])
    count = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:-1], kernel, stride, dilation, strict=True)
    ]
    out_channels, in_group = weight.shape[0], weight.shape[-1]
    out_group = out_channels // groups
    out = np.zeros((x.shape[0], *count, out_channels), x.dtype)
    for at in itertools.product(*(range(k) for k in kernel)):
        part = x[(slice(None), *window(at, count, stride, dilation))]
        for g in range(groups):
            inputs = part[..., g * in_group : (g + 1) * in_group]
            matrix = weight[(slice(g * out_group, (g + 1) * out_group), *at)]
            out[..., g * out_group : (g + 1) * out_group] += inputs @ matrix.T
    return out if bias is None else out + bias


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    dilation: Numbers = 1,
    groups: int = 1,
) -> Array:
    """The gradient of a convolution by its input.

    Output size: (n - 1) s - 2 p + d (k - 1) + output_padding + 1.
    """
    axes = x.ndim - 2
    kernel = weight.shape[1:-1]
    stride, dilation = spread(stride, axes), spread(dilation, axes)
    padding, extra = spread(padding, axes), spread(output_padding, axes)
    in_group, out_group = weight.shape[0] // groups, weight.shape[-1]
    count = x.shape[1:-1]
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(count, stride, dilation, kernel, extra, strict=True)
    ]
    out = np.zeros((x.shape[0], *full, out_group * groups), x.dtype)
    for at in itertools.product(*(range(k) for k in kernel)):
        place = (slice(None), *window(at, count, stride, dilation))
        for g in range(groups):
            inputs = x[..., g * in_group : (g + 1) * in_group]
            matrix = weight[(slice(g * in_group, (g + 1) * in_group), *at)]
            out[(*place, slice(g * out_group, (g + 1) * out_group))] += inputs @ matrix
    cut = tuple(slice(p, n - p) for p, n in zip(padding, full, strict=True))
    out = out[(slice(None), *cut)]
    return out if bias is None else out + bias
