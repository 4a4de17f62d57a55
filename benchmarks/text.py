"""How long it takes to cut text into tokens and to make a vocabulary of them.

python -m benchmarks text                       # 100 MB, two minutes
python -m benchmarks text --file novel.txt --threads 1

The text is drawn: words of 1 to 12 letters with Zipf's frequencies, some with capitals, punctuation and
accents; or it is a file. Beside a plain Python loop, that reads the same file line by line, and
scikit-learn's CountVectorizer, on the same tokens and on the lines in memory. Results are compared before
any time is told. Ours is the median of ``rounds``, the others run once. The status is 1 where ours is less
than 10 times as fast as the loop or 3 times as CountVectorizer.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LOOP, VECTORIZER = 10.0, 3.0  # the bars
WORDS = 200_000


def write_text(path: Path, megabytes: int) -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlcumwfgypbvk"))
    lengths = np.clip(rng.poisson(5, WORDS), 1, 12)
    words = ["".join(rng.choice(letters, n)) for n in lengths]
    for i in rng.choice(WORDS, WORDS // 50, replace=False):
        words[i] = "é" + words[i]
    share = 1 / np.arange(1, WORDS + 1) ** 1.05
    ends = np.array(["", ",", ".", "!"])
    size = 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1_000_000:
            drawn = rng.choice(WORDS, 120_000, p=share / share.sum()).tolist()
            upper = (rng.random(len(drawn)) < 0.1).tolist()
            marks = rng.choice(ends, len(drawn), p=[0.88, 0.06, 0.05, 0.01]).tolist()
            made = [
                (words[w].capitalize() if up else words[w]) + mark
                for w, up, mark in zip(drawn, upper, marks, strict=True)
            ]
            text = "".join(" ".join(made[i : i + 12]) + "\n" for i in range(0, len(made), 12))
            size += file.write(text)


def plain_loop(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            for word in line.lower().split():
                counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def timed(function: Callable[[], Any], rounds: int = 1) -> tuple[Any, float]:
    """The result, and the median of seconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - begun)
    return result, statistics.median(times)


def told(name: str, seconds: float, megabytes: float, others: dict[str, float]) -> None:
    ratios = ", ".join(f"{their / seconds:.1f} times as fast as {them}" for them, their in others.items())
    print(f"{name}: {seconds * 1e3:,.0f} ms, {megabytes / seconds:,.0f} MB/s{': ' if ratios else ''}{ratios}")


def run(file: str, megabytes: int, rounds: int, threads: int) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    from drivetrain.text import Vocabulary, WhitespaceTokenizer, WordTokenizer

    options: dict[str, Any] = {"pad": None, "unk": None, "bos": None, "eos": None, "threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(file) if file else Path(folder) / "text"
        if not file:
            write_text(path, megabytes)
        size = path.stat().st_size / 1e6
        print(f"{size:.1f} MB, {threads} threads")
        spaced, words = WhitespaceTokenizer(lowercase=True), WordTokenizer(lowercase=True, min_length=2)
        made, ours = timed(lambda: Vocabulary.from_files(path, spaced, **options), rounds)
        expected, loop = timed(lambda: plain_loop(path))
        if dict(zip(made.tokens, made.counts, strict=True)) != expected or made.tokens != list(expected):
            raise SystemExit("the plain loop finds other tokens")
        told("plain Python loop", loop, size, {})
        told(f"tokens and vocabulary of a file ({len(made):,} tokens)", ours, size, {"the loop": loop})
        lines = path.read_text(encoding="utf-8").splitlines()

        def vocabulary() -> Vocabulary:
            return Vocabulary.from_texts(lines, words, **options)

        made, ours_lines = timed(vocabulary, rounds)
        (ids, offsets), encoding = timed(
            lambda: made.encode_batch(lines, dtype=np.int32, threads=threads), rounds
        )
        vectorizer = CountVectorizer()
        matrix, theirs = timed(lambda: vectorizer.fit_transform(lines))
        order = [vectorizer.vocabulary_[token] for token in made.tokens]
        if len(order) != len(vectorizer.vocabulary_) or (matrix.sum(0).A1[order] != made.counts).any():
            raise SystemExit("CountVectorizer finds other tokens")
        if len(ids) != matrix.sum() or len(offsets) != len(lines) + 1:
            raise SystemExit("the encoded text has other tokens")
        told("CountVectorizer", theirs, size, {})
        told(
            f"tokens and vocabulary of lines ({len(made):,} tokens)",
            ours_lines,
            size,
            {"CountVectorizer": theirs},
        )
        told("and the numbers of all tokens", ours_lines + encoding, size, {"CountVectorizer": theirs})
    if loop < LOOP * ours or theirs < VECTORIZER * ours_lines:
        sys.exit(1)
