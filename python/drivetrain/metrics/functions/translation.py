"""BLEU: how many n-grams of translations are those of references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..._checks import choice, flag, integer, number

SMOOTHINGS = ("none", "floor", "add-k", "exp")
# What "floor" puts in the place of a count of 0, and "add-k" adds.
VALUES = {"floor": 0.1, "add-k": 1.0}


def corpus_bleu(
    references: Iterable[Any],
    candidates: Iterable[Any],
    *,
    max_order: int = 4,
    smoothing: str = "none",
    smoothing_value: float | None = None,
) -> float:
    """BLEU of a corpus: n-grams are counted over all sentences, then divided.

    Args:
        references: For each sentence the list of its references, or one alone where that is a string, an
            array or a list of numbers. A reference is a list or array of tokens, or a string, which is split
            at white space.
        candidates: For each sentence what is judged: tokens or a string.
        max_order: The longest n-grams that count.
        smoothing: What becomes of an order without a match, which makes the score 0 with "none": "floor"
            counts `smoothing_value` (0.1) matches, "add-k" adds `smoothing_value` (1) to matches and n-grams
            of all orders above 1, "exp" counts 1/2, 1/4, ... match.
        smoothing_value: See `smoothing`.

    Returns:
        A number from 0 to 1; sacrebleu's is 100 times as large.

    Raises:
        ValueError: The numbers of sentences differ, a sentence has no reference, or there is none.
        TypeError: A sentence is neither a string nor a sequence of tokens.

    Source: Papineni et al., BLEU (2002); lengths and smoothing as in sacrebleu (Post, 2018) and in Chen and
    Cherry (2014). Of references the one closest in length counts for the brevity penalty, the shorter of two.
    NLTK counts one n-gram in sentences that are too short for any.

    Example:
        >>> from drivetrain.metrics import corpus_bleu
        >>> round(corpus_bleu([["the cat is on the mat"]], ["the cat sat on the mat"], max_order=2), 4)
        0.7071
    """
    counts = bleu_counts(
        "corpus_bleu", references, candidates, integer("corpus_bleu", "max_order", max_order)
    )
    if not counts.any():
        raise ValueError("corpus_bleu: got no sentences")
    check_smoothing("corpus_bleu", smoothing)
    return bleu_of(counts, smoothing, smoothing_value)


def sentence_bleu(
    references: Any,
    candidate: Any,
    *,
    max_order: int = 4,
    smoothing: str = "exp",
    smoothing_value: float | None = None,
    effective_order: bool = True,
) -> float:
    """BLEU of one sentence; see `corpus_bleu`.

    Args:
        references: A list of references, or one string.
        candidate: What is judged.
        max_order: The longest n-grams that count.
        smoothing, smoothing_value: See `corpus_bleu`.
        effective_order: Whether orders that the candidate is too short for are left out.

    Source: the defaults are those of sacrebleu's sentence_bleu.

    Example:
        >>> from drivetrain.metrics import sentence_bleu
        >>> round(sentence_bleu(["the cat is on the mat"], "the cat sat on the mat"), 4)
        0.3799
    """
    max_order = integer("sentence_bleu", "max_order", max_order)
    check_smoothing("sentence_bleu", smoothing)
    flag("sentence_bleu", "effective_order", effective_order)
    counts = bleu_counts("sentence_bleu", [references], [candidate], max_order)
    return bleu_of(counts, smoothing, smoothing_value, effective_order)


def check_smoothing(where: str, smoothing: str) -> None:
    choice(where, "smoothing", smoothing, SMOOTHINGS)


def tokens_of(where: str, sentence: Any) -> Sequence[Any]:
    if isinstance(sentence, str):
        return sentence.split()
    if hasattr(sentence, "tolist"):
        sentence = sentence.tolist()
    if not isinstance(sentence, (list, tuple)):
        raise TypeError(
            f"{where}: a sentence is a {type(sentence).__name__}, expected a string or a list of tokens"
        )
    return sentence


def references_of(where: str, references: Any) -> list[Sequence[Any]]:
    """One reference alone, or several."""
    if isinstance(references, str) or getattr(references, "ndim", 0) == 1:
        references = [references]
    elif isinstance(references, (list, tuple)) and not all(is_sentence(item) for item in references):
        references = [references]  # of tokens that are no strings
    if not isinstance(references, (list, tuple)) or not references:
        raise ValueError(f"{where}: a sentence has no reference")
    return [tokens_of(where, reference) for reference in references]


def is_sentence(item: Any) -> bool:
    return isinstance(item, (str, list, tuple)) or getattr(item, "ndim", 0) == 1


def ngrams(tokens: Sequence[Any], order: int) -> Counter[tuple[Any, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))


def bleu_counts(where: str, references: Iterable[Any], candidates: Iterable[Any], max_order: int) -> Any:
    """Matches of each order, n-grams of each, then the lengths of candidates and of references."""
    counts = np.zeros(2 * max_order + 2, np.int64)
    for name, sentences in (("references", references), ("candidates", candidates)):
        if isinstance(sentences, (str, bytes)) or not isinstance(sentences, Iterable):
            raise TypeError(
                f"{where}: {name} is {sentences!r:.80}, expected a list with one entry for each sentence"
            )
    given = list(references), list(candidates)
    if len(given[0]) != len(given[1]):
        raise ValueError(
            f"{where}: there are references for {len(given[0])} sentences, but {len(given[1])} candidates"
        )
    for several, candidate in zip(*given, strict=True):
        tokens, others = tokens_of(where, candidate), references_of(where, several)
        length = len(tokens)
        counts[-2] += length
        counts[-1] += min((abs(len(other) - length), len(other)) for other in others)[1]
        for order in range(1, max_order + 1):
            mine = ngrams(tokens, order)
            most: Counter[tuple[Any, ...]] = Counter()
            for other in others:
                most |= ngrams(other, order)
            counts[order - 1] += sum((mine & most).values())
            counts[max_order + order - 1] += max(0, length - order + 1)
    return counts


def bleu_of(
    counts: Any, smoothing: str, smoothing_value: float | None = None, effective_order: bool = False
) -> float:
    """The score of `bleu_counts`."""
    orders = len(counts) // 2 - 1
    matches, totals = counts[:orders].astype(float), counts[orders:-2].astype(float)
    length, wanted = int(counts[-2]), int(counts[-1])
    if not matches.any():
        return 0.0
    value = VALUES.get(smoothing, 0.0)
    if smoothing_value is not None:
        value = number("bleu", "smoothing_value", smoothing_value, 0.0)
    if smoothing == "add-k":
        matches[1:] += value
        totals[1:] += value
    logs, halves = 0.0, 1.0
    for used, (match, total) in enumerate(zip(matches, totals, strict=True)):
        if total == 0:
            if not effective_order:
                return 0.0
            orders = used
            break
        if match == 0 and smoothing == "exp":
            halves *= 2
            match = 1 / halves
        elif match == 0 and smoothing == "floor":
            match = value
        if match == 0:
            return 0.0
        logs += math.log(match / total)
    penalty = min(0.0, 1 - wanted / length)
    return math.exp(penalty + logs / orders)
