"""Changed copies of texts: words left out, swapped, put in or replaced by others of the same meaning."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .._checks import flag, integer
from ..augment.draws import Draws
from ..augment.transform import seed_of_default_generator
from ..data.shuffle import check_seed

Tokens = list[str]
Synonyms = Mapping[str, Sequence[str]] | Iterable[Sequence[str]]


def synonym_table(who: str, synonyms: Synonyms) -> dict[str, list[str]]:
    """word -> words that may stand for it, of a dict or of groups of words that mean the same."""
    table: dict[str, list[str]] = {}
    if isinstance(synonyms, Mapping):
        pairs: Any = synonyms.items()
    else:
        groups = [list(group) if not isinstance(group, str) else group for group in synonyms]
        pairs = [(word, group) for group in groups for word in group]
    for word, others in pairs:
        if isinstance(others, str) or not all(isinstance(each, str) for each in (word, *others)):
            raise TypeError(f"{who}: synonyms of {word!r} are {others!r:.60}, expected a list of words")
        known = table.setdefault(word, [])
        known += [each for each in others if each != word and each not in known]
    return {word: others for word, others in table.items() if others}


class TextTransform:
    """Base of the changes of texts.

    A transform is called with a text, or a list of texts, each a str or a list of tokens, and gives the same
    kind back; the tokens of a str are what stands between white space.

    What is drawn depends on the seed, the epoch and the text's position alone: calls count positions on, and
    ``transform.at(texts, epoch, first)`` says epoch and position itself.

    Args:
        p: The share of words that are changed; for all but `RandomDeletion` at least one of each text is.
        seed: Of the draws; by default drawn from the default generator (`manual_seed`) at the first call.

    Source: Wei and Zou, 2019 (EDA).
    """

    def __init__(self, p: float = 0.1, *, seed: int | None = None) -> None:
        who = type(self).__name__
        if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
            raise ValueError(f"{who}: p is {p!r}, expected a number from 0 to 1")
        self.p = float(p)
        self.seed = None if seed is None else check_seed(who, seed)
        self.calls = 0
        self._lock = threading.Lock()

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        """The tokens of one text, changed; ``draws`` are for one sample."""
        raise NotImplementedError

    def __call__(self, texts: Any) -> Any:
        """Texts, each changed by draws of its own."""
        count = 1 if _is_one(texts) else len(texts)
        with self._lock:
            if self.seed is None:
                self.seed = seed_of_default_generator()
            first, self.calls = self.calls, self.calls + count
        return self.at(texts, 0, first)

    def at(self, texts: Any, epoch: int, first: int) -> Any:
        """The same for texts of which the first is the ``first``-th of an epoch. It keeps nothing in mind."""
        if _is_one(texts):
            return self._changed(texts, epoch, first)
        return [self._changed(text, epoch, first + i) for i, text in enumerate(texts)]

    def _changed(self, text: Any, epoch: int, position: int) -> Any:
        who = type(self).__name__
        tokens = (
            text.split() if isinstance(text, str) else list(text) if isinstance(text, (list, tuple)) else None
        )
        if tokens is None or not all(isinstance(token, str) for token in tokens):
            raise TypeError(f"{who}: text {position} is {text!r:.60}, expected a str or a list of str")
        made = self.change(tokens, Draws(self.seed or 0, epoch, [position])) if tokens else tokens
        return " ".join(made) if isinstance(text, str) else made

    def _count(self, tokens: Tokens) -> int:
        return max(1, round(self.p * len(tokens))) if self.p else 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p:g})"


def _is_one(texts: Any) -> bool:
    if not isinstance(texts, (str, list, tuple)):
        raise TypeError(f"expected a text or a list of texts, got a {type(texts).__name__}")
    return isinstance(texts, str)


class RandomDeletion(TextTransform):
    """Leaves every word out with probability p; one stays.

    Example:
        >>> from drivetrain.text import RandomDeletion
        >>> RandomDeletion(p=1.0, seed=1)("to be or not to be") in ("to", "be", "or", "not")
        True
    """

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        out = draws.stage(0).chance(self.p, (len(tokens),))[0]
        kept = [token for token, gone in zip(tokens, out.tolist(), strict=True) if not gone]
        return kept or [tokens[int(draws.stage(1).integers(0, len(tokens))[0])]]


class RandomSwap(TextTransform):
    """Swaps two words, p times the number of words.

    Example:
        >>> from drivetrain.text import RandomSwap
        >>> sorted(RandomSwap(p=0.5, seed=1)("to be or not").split())
        ['be', 'not', 'or', 'to']
    """

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        n = self._count(tokens)
        if len(tokens) < 2 or not n:
            return tokens
        first = draws.integers(0, len(tokens), n)[0].tolist()
        second = draws.integers(0, len(tokens) - 1, n)[0].tolist()
        for a, b in zip(first, second, strict=True):
            b += b >= a  # another one
            tokens[a], tokens[b] = tokens[b], tokens[a]
        return tokens


class _WithSynonyms(TextTransform):
    """Args: ``synonyms``, and those of `TextTransform`."""

    def __init__(self, synonyms: Synonyms, p: float = 0.1, *, seed: int | None = None) -> None:
        super().__init__(p, seed=seed)
        self.synonyms = synonym_table(type(self).__name__, synonyms)

    def _chosen(self, tokens: Tokens, draws: Draws) -> list[tuple[int, str]]:
        """(place, synonym) of words that have some, in random order."""
        places = [i for i, token in enumerate(tokens) if token in self.synonyms]
        if not places:
            return []
        order = draws.stage(0).permutation(len(places))[0][: self._count(tokens)].tolist()
        picks = draws.stage(1).uniform(size=len(places))[0]
        found = []
        for i in order:
            others = self.synonyms[tokens[places[i]]]
            found.append((places[i], others[min(int(picks[i] * len(others)), len(others) - 1)]))
        return found


class SynonymReplacement(_WithSynonyms):
    """Replaces words by synonyms that are given.

    Args:
        synonyms: A dict word -> list of words, or a list of groups of words that mean the same.
        p, seed: As in `TextTransform`.

    Example:
        >>> from drivetrain.text import SynonymReplacement
        >>> SynonymReplacement([["big", "large"]], p=0.5, seed=0)("a big house")
        'a large house'
    """

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        for place, synonym in self._chosen(tokens, draws):
            tokens[place] = synonym
        return tokens


class RandomInsertion(_WithSynonyms):
    """Puts synonyms of the text's words in at random places.

    Args: Those of `SynonymReplacement`.

    Example:
        >>> from drivetrain.text import RandomInsertion
        >>> sorted(RandomInsertion({"big": ["large"]}, p=0.3, seed=0)("a big house").split())
        ['a', 'big', 'house', 'large']
    """

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        chosen = self._chosen(tokens, draws)
        places = draws.stage(2).uniform(size=len(chosen))[0] if chosen else np.zeros(0)
        for (_, synonym), place in zip(chosen, places.tolist(), strict=True):
            tokens.insert(min(int(place * (len(tokens) + 1)), len(tokens)), synonym)
        return tokens


class TextCompose(TextTransform):
    """One change after the other, or one of them for each text.

    Args:
        transforms: Changes of texts.
        one_of: Choose one of them for each text, as EDA does.
        seed: Of all draws; those of the transforms themselves play no part.

    Example:
        >>> from drivetrain.text import RandomDeletion, RandomSwap, TextCompose
        >>> change = TextCompose([RandomSwap(), RandomDeletion()], one_of=True, seed=3)
        >>> change(["to be or not to be"] * 2) == change.at(["to be or not to be"] * 2, epoch=0, first=0)
        True
    """

    def __init__(
        self, transforms: Sequence[TextTransform], *, one_of: bool = False, seed: int | None = None
    ) -> None:
        super().__init__(1.0, seed=seed)
        self.transforms = list(transforms)
        if not self.transforms or not all(isinstance(each, TextTransform) for each in self.transforms):
            raise TypeError("TextCompose: transforms must be a list of at least one TextTransform")
        self.one_of = flag("TextCompose", "one_of", one_of)

    def change(self, tokens: Tokens, draws: Draws) -> Tokens:
        if self.one_of:
            chosen = int(draws.choice(len(self.transforms))[0])
            return self.transforms[chosen].change(tokens, draws.stage(chosen))
        for number, transform in enumerate(self.transforms):
            tokens = transform.change(tokens, draws.stage(number))
        return tokens


def augmented(
    texts: Sequence[str],
    labels: Sequence[Any],
    transform: TextTransform,
    copies: int = 4,
    *,
    epoch: int = 0,
) -> tuple[list[str], list[Any]]:
    """Texts with changed copies behind them, and their labels: the data set that EDA trains on.

    Args:
        texts: n texts.
        labels: n labels.
        transform: With a seed.
        copies: Of each text.
        epoch: Other copies for each.

    Returns:
        (1 + copies) * n texts and labels, the originals first.
    """
    copies = integer("augmented", "copies", copies, 0)
    if isinstance(texts, (str, bytes)):
        raise TypeError(f"augmented: texts is a single {type(texts).__name__}, expected a list of texts")
    if not isinstance(transform, TextTransform):
        raise TypeError(f"augmented: transform is a {type(transform).__name__}, expected a TextTransform")
    if len(texts) != len(labels):
        raise ValueError(f"augmented: there are {len(texts)} texts and {len(labels)} labels")
    made = list(texts)
    for copy in range(copies):
        made += transform.at(list(texts), epoch, copy * len(texts))
    return made, list(labels) * (copies + 1)
