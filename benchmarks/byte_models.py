"""What `drivetrain train text` is up against: bits per byte of a file's last tenth, given the rest.

python -m benchmarks byte_models FILE            # a minute for a file of 2 MB

xz and bzip2 at their best: how much longer the compressed file becomes by its last tenth. And counts of
sequences of bytes with interpolated Kneser-Ney smoothing (Chen and Goodman, 1999).
"""

from __future__ import annotations

import bz2
import lzma
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

TEST_SHARE = 10  # one in ten, as in drivetrain.cli.text
DISCOUNT = 0.75
Table = dict[bytes, dict[int, int]]  # what follows how often


def by_compressor(compress: Callable[[bytes], bytes], training: bytes, test: bytes) -> float:
    return 8 * (len(compress(training + test)) - len(compress(training))) / len(test)


def tables_of(training: bytes, order: int) -> list[Table]:
    """How often a byte follows a context of order - 1 bytes; for shorter ones, behind how many others."""
    counts: dict[bytes, int] = Counter(training[i : i + order] for i in range(len(training) - order + 1))
    tables: list[Table] = []
    while len(tables) < order:
        table: Table = {}
        for sequence, count in counts.items():
            table.setdefault(sequence[:-1], {})[sequence[-1]] = count
        tables.append(table)
        counts = Counter(sequence[1:] for sequence in counts)
    return tables


def chance(tables: list[Table], context: bytes, byte: int) -> float:
    """Of a byte behind a context, mixed with its chance behind shorter ones, and with 1 / 256 in the end."""
    found = 1 / 256
    for length, table in enumerate(reversed(tables)):
        follows = table.get(context[len(context) - length :])
        if follows:
            total, left = sum(follows.values()), DISCOUNT * len(follows)
            found = max(follows.get(byte, 0) - DISCOUNT, 0) / total + left / total * found
    return found


def kneser_ney(training: bytes, test: bytes, order: int) -> float:
    tables, text = tables_of(training, order), training[len(training) - order + 1 :] + test
    bits = (
        -math.log2(chance(tables, text[i : i + order - 1], text[i + order - 1])) for i in range(len(test))
    )
    return math.fsum(bits) / len(test)


def run(file: str, orders: list[int]) -> None:
    text = Path(file).read_bytes()
    if len(text) < TEST_SHARE:
        raise SystemExit(f"{file} has {len(text)} bytes, expected {TEST_SHARE} at least")
    cut = len(text) - len(text) // TEST_SHARE
    training, test = text[:cut], text[cut:]
    print(f"{len(test):,} bytes to test on, {len(training):,} before them; bits per byte")
    compressors = {
        "xz -9e": lambda b: lzma.compress(b, preset=9 | lzma.PRESET_EXTREME),
        "bzip2 -9": bz2.compress,
    }
    for name, compress in compressors.items():
        print(f"{name} {by_compressor(compress, training, test):.2f}")
    for order in orders:
        print(f"Kneser-Ney, sequences of {order} bytes, {kneser_ney(training, test, order):.2f}", flush=True)
