"""Philox 4x32-10 in NumPy, and what the core makes of its words.

The 64 words of a group come from 16 neighbouring counters: word j is output j // 16 of counter j % 16.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LOW = np.uint64(0xFFFFFFFF)


def philox(seed: int, stream: int, counters: Array) -> Array:
    """The four output words of every counter: (4, n), uint64 that hold 32 bits."""
    c = [counters & LOW, counters >> np.uint64(32)]
    c += [np.full_like(counters, stream & 0xFFFFFFFF), np.full_like(counters, stream >> 32)]
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (b >> np.uint64(32)) ^ c[1] ^ np.uint64(k0),
            b & LOW,
            (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k1),
            a & LOW,
        ]
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack(c)


def groups(seed: int, stream: int, count: int) -> Array:
    """(count, 4, 16)"""
    words = philox(seed, stream, np.arange(16 * count, dtype=np.uint64))
    return words.reshape(4, count, 16).transpose(1, 0, 2)


def words(seed: int, stream: int, n: int) -> Array:
    return groups(seed, stream, -(-n // 64)).reshape(-1)[:n]


def dropout_numbers(seed: int, stream: int, n: int) -> Array:
    """32 bits each: one byte after the other, and three more bytes from the words of another stream."""
    first = words(seed, stream, -(-n // 4)).astype("<u4").view(np.uint8)[:n].astype(np.uint64)
    return first << np.uint64(24) | words(seed, stream ^ 1 << 63, n) >> np.uint64(8)


def wide_words(seed: int, stream: int, n: int) -> Array:
    """64 bits each: of every half of a group, 16 low words and then 16 high ones."""
    g = groups(seed, stream, -(-n // 32)).reshape(-1, 2, 2, 16)
    return (g[:, :, 0] | g[:, :, 1] << np.uint64(32)).reshape(-1)[:n]


def uniform(seed: int, stream: int, n: int, double: bool = False) -> Array:
    """In [0, 1): the upper 24 bits of a word, or the upper 53 of a wide one."""
    if double:
        return (wide_words(seed, stream, n) >> np.uint64(11)) * 2.0**-53
    return (words(seed, stream, n) >> np.uint64(8)) * 2.0**-24


def normal(seed: int, stream: int, n: int, double: bool = False) -> Array:
    """Box and Muller: the first half of a group's words are radii, the second angles."""
    per_group = 32 if double else 64
    count = -(-n // per_group)
    draw = wide_words if double else words
    w = draw(seed, stream, count * per_group).reshape(count, 2, -1)
    bits = w[:, 0] >> np.uint64(11) if double else w[:, 0]
    radius = np.sqrt(-2 * np.log((bits + 0.5) * (2.0**-53 if double else 2.0**-32)))
    angle = 2 * np.pi * (w[:, 1] * (2.0**-64 if double else 2.0**-32))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:n]


def integers(seed: int, stream: int, n: int, low: int, high: int) -> Array:
    bits = wide_words(seed, stream, n)
    return np.array([low + (int(b) * (high - low) >> 64) for b in bits], dtype=np.int64)


def permutation(seed: int, stream: int, n: int) -> Array:
    result = np.zeros(n, dtype=np.int64)
    for i, bits in enumerate(wide_words(seed, stream, n)):
        j = int(bits) * (i + 1) >> 64
        result[i] = result[j]
        result[j] = i
    return result
