"""Text as numbers: read once, from lists, iterators or files, and kept where it needs little memory."""

from __future__ import annotations

import collections
import itertools
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BLOCK = 1 << 20  # bytes read from a file at a time, which no word exceeds
CHUNK = 1 << 20  # words trained between two reports
IN_MEMORY = 64 << 20  # bytes of numbers from which on they lie in a temporary file
END = -1  # of a sentence
OTHER = -2  # a word that is not in the vocabulary


class Corpus:
    """The words of a text, numbered as they first come, -1 behind each sentence.

    Args:
        owner: Who reads it, the head of messages.
        source: An iterable of sentences, which are iterables of str or int, read once; or the path of a text
            file in UTF-8 with one sentence per line, words between blanks.
    """

    def __init__(self, owner: str, source: Any) -> None:
        self.owner = owner
        self.length = 0  # numbers, those of the sentences' ends too
        self._file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._counts = np.zeros(1024, np.int64)
        table: dict[Any, int] = collections.defaultdict(itertools.count().__next__)
        sentences = _lines(owner, source) if isinstance(source, os.PathLike) else self._checked(source)
        waiting: list[int] = []
        for sentence in sentences:
            try:
                waiting.extend(map(table.__getitem__, sentence))
            except TypeError:
                raise TypeError(
                    f"{owner}: a sentence must be a list of words, got {sentence!r:.80}"
                ) from None
            waiting.append(END)
            if len(waiting) >= CHUNK // 8:
                self._append(waiting)
        self._append(waiting)
        self.words = list(table)
        self.counts: Array = self._counts[: len(self.words)]
        for word in self.words:
            if not isinstance(word, (str, int, np.integer)) or isinstance(word, bool):
                raise TypeError(f"{owner}: a word must be a str or an int, got {word!r:.80}")
            if isinstance(word, str) != isinstance(self.words[0], str):
                raise TypeError(
                    f"{owner}: words must be all str or all int, got {self.words[0]!r:.80} and {word!r:.80}"
                )

    def _checked(self, source: Any) -> Iterator[Any]:
        if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
            raise TypeError(
                f"{self.owner}: sentences must be an iterable of lists of words, got "
                f"{source!r:.80}; a file goes to corpus_file"
            )
        for sentence in source:
            if isinstance(sentence, (str, bytes)):
                raise TypeError(
                    f"{self.owner}: a sentence must be a list of words, got the string "
                    f"{sentence!r:.80}; split it"
                )
            yield sentence.tolist() if isinstance(sentence, np.ndarray) else sentence

    def _append(self, waiting: list[int]) -> None:
        if not waiting:
            return
        ids = np.array(waiting, np.int32)
        waiting.clear()
        found = np.bincount(ids[ids >= 0], minlength=0)
        if len(found) > len(self._counts):
            self._counts = np.concatenate(
                [self._counts, np.zeros(max(len(found), len(self._counts)), np.int64)]
            )
        self._counts[: len(found)] += found
        self._file.write(ids.tobytes())
        self.length += len(ids)

    def vocabulary(self, min_count: int, most: int | None = None) -> tuple[list[Any], Array]:
        """The words that come at least min_count times, the most frequent first, and how often they come."""
        if not self.words:
            raise ValueError(f"{self.owner}: the corpus has no words")
        order = np.argsort(-self.counts, kind="stable")
        order = order[self.counts[order] >= min_count][:most]
        if not len(order):
            best = int(np.argmax(self.counts))
            often = "once" if self.counts[best] == 1 else f"{self.counts[best]} times"
            raise ValueError(
                f"{self.owner}: no word comes min_count={min_count} times; the most frequent, "
                f"{self.words[best]!r:.80}, comes {often}"
            )
        return [self.words[i] for i in order], self.counts[order]

    def chunks(self, places: dict[Any, int], size: int = CHUNK) -> Iterator[tuple[int, int, Array]]:
        """(position, numbers read, numbers by `places`) of one stretch after the other."""
        renumbered = np.array([places.get(word, OTHER) for word in self.words] + [END], np.int32)
        self._file.seek(0)
        for position in range(0, self.length, size):
            ids = np.frombuffer(self._file.read(4 * size), np.int32)
            mapped = renumbered[ids]
            yield position, len(ids), mapped[mapped != OTHER]


def _lines(owner: str, path: os.PathLike[str]) -> Iterator[list[str]]:
    """The words of each line; of a long line a stretch at a time, all but the last without an end."""
    rest, offset = b"", 0
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            text = rest + block
            cut = max(text.rfind(b" "), text.rfind(b"\n"), text.rfind(b"\t")) + 1
            if not cut and len(text) > BLOCK:
                raise ValueError(f"{owner}: {path} has a word of more than {BLOCK} bytes at byte {offset}")
            yield from _split(owner, path, text[:cut], offset)
            rest, offset = text[cut:], offset + cut
    yield from _split(owner, path, rest, offset)


def _split(owner: str, path: Any, text: bytes, offset: int) -> Iterator[list[str]]:
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{owner}: {path} is no UTF-8 at byte {offset + error.start}") from None
    for line in lines:
        if words := line.split():
            yield words
