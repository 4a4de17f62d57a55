"""Files of word vectors: word2vec's text and binary formats, GloVe's text. Nothing in them is executed."""

from __future__ import annotations

import itertools
import mmap
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import choice, flag, integer
from ..io.atomic import replacing

Array = NDArray[Any]
LONGEST = 1 << 16  # bytes of a word
WIDEST = 1 << 16  # values of a vector
Found = tuple[list[str], Array]


def write(path: Any, words: list[Any], vectors: Array, binary: bool) -> None:
    flag("save_word2vec_format", "binary", binary)
    for word in words:
        if any(blank in str(word) for blank in " \n"):
            raise ValueError(
                f"save_word2vec_format: the word {word!r:.80} has a blank, which ends a word there"
            )
        if any("\ud800" <= character < "\ue000" for character in str(word)):
            raise ValueError(f"save_word2vec_format: the word {word!r:.80} has a lone surrogate: no UTF-8")
    with replacing(path) as file:
        file.write(b"%d %d\n" % vectors.shape)
        for word, vector in zip(words, vectors, strict=True):
            values = (
                vector.astype("<f4").tobytes()
                if binary
                else " ".join(f"{x:.9g}" for x in vector.tolist()).encode()
            )
            file.write(str(word).encode() + b" " + values + b"\n")


def read(path: Any, binary: bool, limit: int | None, no_header: bool, errors: str) -> Found:
    who = "load_word2vec_format"
    flag(who, "binary", binary)
    flag(who, "no_header", no_header)
    choice(who, "unicode_errors", errors, ("strict", "ignore", "replace"))
    if limit is not None:
        integer(who, "limit", limit)
    size = os.stat(path).st_size
    try:
        with Path(path).open("rb") as file:
            start = file.read(LONGEST)
            if start[:1] == b"\x80":
                raise ValueError(
                    "it is a pickle, which could run anything; save it with save_word2vec_format"
                )
            first, newline, _ = start.partition(b"\n")
            if no_header:
                file.seek(0)
                return _from_text(file, None, len(first.split(b" ")) - 1, limit, errors)
            count, width = _header(first, newline)
            file.seek(len(first) + 1)
            least = 4 * width + 2 if binary else 2 * width + 1
            if count * least > size:
                raise ValueError(
                    f"its header says {count} vectors of {width}, for which its {size} bytes are too few"
                )
            if binary:
                return _from_binary(file, min(count, limit or count), width, errors)
            return _from_text(file, count, width, limit, errors)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} is no file of word vectors, or damaged: {error}") from None


def _header(first: bytes, newline: bytes) -> tuple[int, int]:
    fields = first.split()
    if not newline or len(fields) != 2 or not all(f.isdigit() and len(f) < 19 for f in fields):
        raise ValueError(
            f"it begins with {first[:60]!r}, not with the numbers of words and dimensions (GloVe's "
            "files: no_header=True)"
        )
    return int(fields[0]), _width(int(fields[1]))


def _width(width: int) -> int:
    if not 1 <= width <= WIDEST:
        raise ValueError(f"its vectors have {width} values, expected 1 to {WIDEST}")
    return width


def _from_binary(file: Any, count: int, width: int, errors: str) -> Found:
    vectors = np.empty((count, width), np.float32)
    words = []
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = file.tell()
        for place in range(count):
            end = data.find(b" ", at, at + LONGEST)
            if end < 0 or end + 1 + 4 * width > len(data):
                raise ValueError(f"it ends, or has no word, at vector {place} of {count}")
            words.append(data[at:end].lstrip(b"\n").decode(errors=errors))
            at = end + 1 + 4 * width
            vectors[place] = np.frombuffer(data[end + 1 : at], "<f4")
    return _unique(words, vectors)


def _from_text(file: Any, count: int | None, width: int, limit: int | None, errors: str) -> Found:
    _width(width)
    most = min(x for x in (count, limit, 1 << 62) if x is not None)
    words: list[str] = []
    blocks: list[Array] = []
    rows: list[Array] = []
    for line in _lines_of(file, LONGEST + 64 * width):
        if len(words) == most:
            break
        word, *values = line.rstrip(b" \r\n").rsplit(b" ", width)
        if len(values) != width:
            raise ValueError(f"vector {len(words)} has {len(values)} values, expected {width}")
        words.append(word.decode(errors=errors))
        rows.append(np.array(values).astype(np.float32))
        if len(rows) == 4096:
            blocks.append(np.stack(rows))
            rows.clear()
    if count is not None and len(words) < most:
        raise ValueError(f"it ends at vector {len(words)} of {count}")
    blocks += [np.stack(rows)] if rows else []
    return _unique(words, np.concatenate(blocks) if blocks else np.empty((0, width), np.float32))


def _lines_of(file: Any, longest: int) -> Iterator[bytes]:
    while line := file.readline(longest):
        if len(line) == longest:
            raise ValueError(f"it has a line of more than {longest} bytes")
        if line.strip():
            yield line


def _unique(words: list[str], vectors: Array) -> Found:
    places = {word: place for place, word in reversed(list(enumerate(words)))}
    if len(places) == len(words):
        return words, vectors
    warnings.warn(f"{len(words) - len(places)} words come twice; their first vectors count", stacklevel=4)
    keep = sorted(places.values())
    return [words[i] for i in keep], vectors[keep]


def pack(words: list[Any]) -> dict[str, Array]:
    """Words as two arrays: UTF-8, and where each begins; numbers as they are."""
    if words and not isinstance(words[0], str):
        return {"numbers": np.array(words, np.int64)}
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    start = np.concatenate([[0], np.cumsum([len(word) for word in encoded], dtype=np.int64)]).astype(np.int64)
    return {"text": np.frombuffer(b"".join(encoded), np.uint8), "start": start}


def unpack(packed: Any) -> list[Any]:
    """What `pack` was given.

    Raises:
        ValueError: Where it does not fit together, or a word comes twice.
    """
    if "numbers" in packed:
        words: list[Any] = array_of(packed, "numbers", np.int64, 1).tolist()
    else:
        text, start = array_of(packed, "text", np.uint8, 1), array_of(packed, "start", np.int64, 1)
        if not len(start) or start[0] != 0 or start[-1] != len(text) or (np.diff(start) < 0).any():
            raise ValueError("its words do not lie behind each other")
        whole = text.tobytes()
        words = [whole[a:b].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(start.tolist())]
    if len(set(words)) < len(words):
        raise ValueError("a word comes twice")
    return words


def array_of(state: Any, name: str, dtype: Any, shape: int | tuple[int, ...]) -> Array:
    """An array of a state that was read, of this dtype and shape, or number of axes."""
    found = np.asarray(state[name])
    fits = found.ndim == shape if isinstance(shape, int) else found.shape == shape
    if found.dtype != dtype or not fits:
        raise ValueError(
            f"its {name} are {found.dtype} of shape {found.shape}, expected {np.dtype(dtype)} of "
            + (f"{shape} axes" if isinstance(shape, int) else f"{shape}")
        )
    return found
