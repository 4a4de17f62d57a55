"""Texts and files in blocks: what is counted or encoded together, on several threads."""

from __future__ import annotations

import codecs
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from .. import _core
from .._checks import integer

BLOCK = 1 << 20  # characters or bytes
LONGEST = 64 << 20  # bytes of a file without a place where it can be cut
ERRORS = ("strict", "replace", "ignore")
WHITE = (b"\n", b" ", b"\t", b"\r")

Result = TypeVar("Result")
Job = TypeVar("Job")
Text = str | bytes


def check_errors(who: str, errors: str) -> str:
    if errors not in ERRORS:
        raise ValueError(f"{who}: errors is {errors!r}, expected one of {', '.join(map(repr, ERRORS))}")
    return errors


def check_threads(who: str, threads: int | None) -> int:
    return _core.get_num_threads() if threads is None else integer(who, "threads", threads)


def as_texts(who: str, texts: Any) -> Iterable[Any]:
    """An iterable of texts; a single text is a mistake, for its characters would be taken for texts."""
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"{who}: texts is a single {type(texts).__name__}, expected a list of texts")
    if hasattr(texts, "tolist"):  # NumPy's, pandas'
        texts = texts.tolist()
    if not isinstance(texts, Iterable):
        raise TypeError(f"{who}: texts is a {type(texts).__name__}, expected a list of texts")
    return texts


def in_blocks(texts: Iterable[Any]) -> Iterator[tuple[int, list[Any]]]:
    """(number of the first text, texts) of about BLOCK characters each."""
    first, block, size = 0, list[Any](), 0
    for text in texts:
        block.append(text)
        size += 64 + (len(text) if hasattr(text, "__len__") else 0)
        if size >= BLOCK:
            yield first, block
            first, block, size = first + len(block), [], 0
    if block:
        yield first, block


def on_threads(function: Callable[[Job], Result], jobs: Iterable[Job], threads: int) -> Iterator[Result]:
    """The results of all jobs, in their order; few of them wait at any time."""
    if threads == 1:
        yield from map(function, jobs)
        return
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(function, job))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def encoding_of(encoding: str) -> str:
    """The name of an encoding of text.

    Raises:
        ValueError: For one that there is not, or that is not of text.
    """
    try:
        found = codecs.lookup(encoding)
    except (LookupError, TypeError):
        raise ValueError(f"there is no encoding {encoding!r:.80}") from None
    if not found._is_text_encoding:
        raise ValueError(f"the encoding {encoding!r:.80} is none of text")
    return found.name


def read_blocks(
    path: str | os.PathLike[str], encoding: str, errors: str, separates: Callable[[str], bool]
) -> Iterator[tuple[int, bytes]]:
    """(place in the file, UTF-8) of a file, cut where tokens end. What is read is never the whole file, even
    where that is one line; of another encoding the place is that in its UTF-8.

    Raises:
        ValueError: For more than 64 MB in which no character separates tokens.
    """
    place, rest = 0, b""
    for data in _utf8_of(path, encoding, errors):
        rest += data
        end = _end_of_tokens(rest, separates)
        if end:
            yield place, rest[:end]
            place, rest = place + end, rest[end:]
        elif len(rest) > LONGEST:
            raise ValueError(
                f"{os.fspath(path)}: {len(rest):,} bytes from byte {place:,} on hold no character that "
                "separates tokens"
            )
    if rest:
        yield place, rest


def _utf8_of(path: str | os.PathLike[str], encoding: str, errors: str) -> Iterator[bytes]:
    plain = encoding_of(encoding) == "utf-8"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    with Path(path).open("rb") as file:
        while data := file.read(BLOCK):
            yield data if plain else _decoded(path, decoder, data, False)
        if not plain:
            yield _decoded(path, decoder, b"", True)


def _decoded(path: Any, decoder: codecs.IncrementalDecoder, data: bytes, last: bool) -> bytes:
    try:
        return decoder.decode(data, last).encode()
    except UnicodeError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _end_of_tokens(data: bytes, separates: Callable[[str], bool]) -> int:
    """Behind the last place where tokens end, or 0: behind white space where there is some."""
    end = data.rfind(b"\n") + 1
    if end <= len(data) // 2:
        end = max(data.rfind(white) + 1 for white in WHITE)
    if end:
        return end
    tail = data[-4096:]
    skipped = len(data) - len(tail)
    text = tail.decode("utf-8", "surrogateescape")
    for i in range(len(text) - 1, 0, -1):
        if not 0xD800 <= ord(text[i]) < 0xE000 and separates(text[i]):
            return skipped + len(text[: i + 1].encode("utf-8", "surrogateescape"))
    return 0
