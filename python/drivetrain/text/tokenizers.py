"""What cuts text into tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checks_names
from .._checks import flag, integer
from ._tokens import Scanner, Table
from .blocks import Text, check_errors

SEPARATES, KEPT, DROPPED, BEYOND_ASCII = range(4)  # kinds of bytes
SPACES, ALL_BUT_WORDS, NOTHING = range(3)  # what separates beyond ASCII
AS_IT_IS, LOWER, LOWER_ASCII = range(3)
ASCII_SPACES = "\t\n\v\f\r\x1c\x1d\x1e\x1f "


def kinds_of(separators: Iterable[str], dropped: str = "") -> bytes:
    """The kind of every byte, where all ASCII characters but these belong to tokens."""
    kinds = bytearray([KEPT] * 128 + [BEYOND_ASCII] * 128)
    for character in separators:
        kinds[ord(character)] = SEPARATES
    for character in dropped:
        kinds[ord(character)] = DROPPED
    return bytes(kinds)


def as_str(who: str, text: Any, errors: str, i: int = 0) -> str:
    if isinstance(text, str):
        return text
    if not isinstance(text, bytes):
        raise TypeError(f"{who}: text {i} is a {type(text).__name__}, expected str or bytes")
    try:
        return text.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(f"{who}: text {i} is no UTF-8: {error.reason} at byte {error.start}") from None


class Tokenizer:
    """Base of what turns a text into a list of tokens. Calling it does so for one text.

    Args:
        lowercase (bool, default False): Lower the text first, as str.lower does.
        min_length (int, default 1): Shorter tokens, in characters, are left out.
        stop_words (iterable of str, optional): Tokens that are left out.
        stemmer (callable, optional): str -> str for every token that is left, as `Stemmer` is.
        normalizer (callable, optional): str -> str for the whole text before it is cut, as `Normalizer` is.
        errors ("strict", "replace" or "ignore", default "strict"): What is done about bytes that are no
            UTF-8.

    Subclasses implement `cut`. Texts are str or UTF-8 bytes.
    """

    scanner: Scanner | None = None  # the compiled loop, for those that it can do

    @checks_names
    def __init__(
        self,
        *,
        lowercase: bool = False,
        min_length: int = 1,
        stop_words: Iterable[str] | None = None,
        stemmer: Callable[[str], str] | None = None,
        normalizer: Callable[[str], str] | None = None,
        errors: str = "strict",
    ) -> None:
        who = type(self).__name__
        self.lowercase = flag(who, "lowercase", lowercase)
        self.min_length = integer(who, "min_length", min_length)
        if isinstance(stop_words, str):
            raise TypeError(f"{who}: stop_words is {stop_words!r}, expected a list of words")
        self.stop_words = frozenset(stop_words or ())
        for name, function in (("stemmer", stemmer), ("normalizer", normalizer)):
            if function is not None and not callable(function):
                raise TypeError(f"{who}: {name} is {function!r:.80}, expected a function str -> str")
        self.stemmer, self.normalizer = stemmer, normalizer
        self.errors = check_errors(who, errors)
        self._stems: dict[str, str] = {}

    def cut(self, text: str) -> list[str]:
        """The tokens of a text, as they stand in it."""
        raise NotImplementedError

    def __call__(self, text: Text) -> list[str]:
        if self.normalizer is not None:
            text = self.normalizer(as_str(type(self).__name__, text, self.errors))
        if self.scanner is not None:
            tokens = self.scanner.split(text, self.errors)
        else:
            text = as_str(type(self).__name__, text, self.errors)
            tokens = self.cut(text.lower() if self.lowercase else text)
            if self.min_length > 1 or self.stop_words:
                least, stop = self.min_length, self.stop_words
                tokens = [token for token in tokens if len(token) >= least and token not in stop]
        return [self._stem(token) for token in tokens] if self.stemmer is not None else tokens

    def _stem(self, token: str) -> str:
        stem = self._stems.get(token)
        if stem is None:
            assert self.stemmer is not None
            if len(self._stems) >= 1 << 18:
                self._stems.clear()
            stem = self._stems[token] = self.stemmer(token)
        return stem

    def separates(self, character: str) -> bool:
        """Whether a file may be cut behind this character."""
        return not character.isalnum() and character != "_"

    def settings(self) -> dict[str, Any]:
        """What it takes to make it again, as plain values.

        Raises:
            ValueError: For one with a stemmer, a normalizer or a function of one's own.
        """
        if self.stemmer is not None or self.normalizer is not None:
            raise ValueError(f"{type(self).__name__}: a stemmer or normalizer cannot be saved")
        return {
            "lowercase": self.lowercase,
            "min_length": self.min_length,
            "stop_words": sorted(self.stop_words),
            "errors": self.errors,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lowercase={self.lowercase})"


class _Scanned(Tokenizer):
    """One that the compiled loop does."""

    def _scan(self, kinds: bytes, beyond: int, characters: bool = False) -> None:
        stop = None
        if self.stop_words:
            stop = Table()
            stop.add(sorted(self.stop_words))
        self._scanned = (kinds, beyond, characters)
        self.scanner = Scanner(kinds, int(self.lowercase), beyond, characters, self.min_length, stop)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "scanner"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._scan(*self._scanned)

    def separates(self, character: str) -> bool:
        assert self.scanner is not None
        return len(self.scanner.split(f"a{character}a")) != 1


class WordTokenizer(_Scanned):
    r"""Words: runs of letters, numbers and underscores of any language, as ``\\w+`` finds them.

    With ``lowercase=True, min_length=2`` the tokens are those of scikit-learn's CountVectorizer.

    Args: Those of `Tokenizer`.

    Example:
        >>> from drivetrain.text import WordTokenizer
        >>> WordTokenizer(lowercase=True)("A café, isn't it?")
        ['a', 'café', 'isn', 't', 'it']
        >>> WordTokenizer(lowercase=True, min_length=2, stop_words=["it"])("A café, isn't it?")
        ['café', 'isn']
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        others = (chr(i) for i in range(128) if not (chr(i).isalnum() or chr(i) == "_"))
        self._scan(kinds_of(others), ALL_BUT_WORDS)


class WhitespaceTokenizer(_Scanned):
    """What stands between white space, as str.split() finds it.

    Args: Those of `Tokenizer`.

    Example:
        >>> from drivetrain.text import WhitespaceTokenizer
        >>> WhitespaceTokenizer()("A café, isn't it?")
        ['A', 'café,', "isn't", 'it?']
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._scan(kinds_of(ASCII_SPACES), SPACES)


class CharacterTokenizer(_Scanned):
    """Characters (code points), white space among them.

    Args: Those of `Tokenizer`.

    Example:
        >>> from drivetrain.text import CharacterTokenizer
        >>> CharacterTokenizer()("né 中")
        ['n', 'é', ' ', '中']
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._scan(kinds_of(""), NOTHING, characters=True)

    def separates(self, character: str) -> bool:
        return True


class RegexTokenizer(Tokenizer):
    """What a regular expression finds, or what stands between.

    Args:
        pattern (str): Of the tokens; its group, where it has one, is the token.
        gaps (bool, default False): The pattern is that of what separates tokens.
        **options: Those of `Tokenizer`.

    Raises:
        ValueError: For an expression that is none, or has several groups.

    Source: NLTK's RegexpTokenizer.

    Example:
        >>> from drivetrain.text import RegexTokenizer
        >>> RegexTokenizer(r"[a-z]+|[0-9.]+")("pi is 3.14")
        ['pi', 'is', '3.14']
        >>> RegexTokenizer(r"\\s*;\\s*", gaps=True)("one; two")
        ['one', 'two']
    """

    def __init__(self, pattern: str, gaps: bool = False, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(pattern, str):
            raise TypeError(f"RegexTokenizer: pattern is a {type(pattern).__name__}, expected a str")
        try:
            self._pattern = re.compile(pattern)
        except re.error as error:
            raise ValueError(f"RegexTokenizer: pattern {pattern!r} is no expression: {error}") from None
        if self._pattern.groups > (0 if gaps else 1):
            raise ValueError(f"RegexTokenizer: pattern {pattern!r} has groups; write (?:...)")
        self.pattern, self.gaps = pattern, flag("RegexTokenizer", "gaps", gaps)

    def cut(self, text: str) -> list[str]:
        found = self._pattern.split(text) if self.gaps else self._pattern.findall(text)
        return [token for token in found if token]

    def settings(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "gaps": self.gaps, **super().settings()}


class FunctionTokenizer(Tokenizer):
    """A function str -> list of str of one's own, with the options of `Tokenizer`."""

    def __init__(self, function: Callable[[str], Sequence[str]], **options: Any) -> None:
        super().__init__(**options)
        self.cut = function  # type: ignore[assignment]

    def settings(self) -> dict[str, Any]:
        raise ValueError("a function of one's own cannot be saved")


class ByteTokenizer:
    """Bytes of the UTF-8 as numbers: a vocabulary of 256 that leaves no text out.

    Args:
        offset (int, default 0): Added to every byte, to leave the first numbers to special tokens.

    Example:
        >>> from drivetrain.text import ByteTokenizer
        >>> bytes_of = ByteTokenizer()
        >>> bytes_of.encode("né")
        array([110, 195, 169])
        >>> bytes_of.decode([110, 195, 169])
        'né'
    """

    def __init__(self, offset: int = 0) -> None:
        self.offset = integer("ByteTokenizer", "offset", offset, 0)

    def __len__(self) -> int:
        return 256 + self.offset

    def encode(self, text: Text) -> NDArray[np.int64]:
        """(n,) int64. Bytes are taken as they are.

        Raises:
            ValueError: For a lone surrogate.
        """
        if isinstance(text, str):
            try:
                text = text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"ByteTokenizer.encode: a lone surrogate stands at position {error.start}"
                ) from None
        if not isinstance(text, bytes):
            raise TypeError(f"ByteTokenizer.encode: text is a {type(text).__name__}, expected str or bytes")
        return np.frombuffer(text, np.uint8).astype(np.int64) + self.offset

    def decode(self, ids: ArrayLike, errors: str = "replace") -> str:
        """The text; numbers below ``offset`` are left out.

        Raises:
            ValueError: For numbers that are no byte, and with errors="strict" for bytes that are no UTF-8.
        """
        check_errors("ByteTokenizer.decode", errors)
        numbers = np.asarray(ids).reshape(-1)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise TypeError(f"ByteTokenizer.decode: ids are {numbers.dtype}, expected integers")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise ValueError(
                f"ByteTokenizer.decode: ids run from {numbers.min()} to {numbers.max()}, "
                f"expected 0 to {len(self) - 1}"
            )
        kept = numbers[numbers >= self.offset] - self.offset
        return kept.astype(np.uint8).tobytes().decode("utf-8", errors)


def as_tokenizer(who: str, tokenizer: Any) -> Tokenizer:
    """A tokenizer: the given one, words by default, or a function str -> list of str."""
    if tokenizer is None:
        return WordTokenizer()
    if isinstance(tokenizer, Tokenizer):
        return tokenizer
    if not callable(tokenizer) or isinstance(tokenizer, type):
        raise TypeError(f"{who}: tokenizer is {tokenizer!r:.60}, expected a tokenizer or a function")
    return FunctionTokenizer(tokenizer)


def ngrams(tokens: Sequence[str], n: int | tuple[int, int] = 2, separator: str = " ") -> list[str]:
    """Runs of n tokens, joined.

    Args:
        tokens: A list of str.
        n: Their length, or the shortest and the longest: first all of the shortest.
        separator: What is put between.

    Example:
        >>> from drivetrain.text import ngrams
        >>> ngrams(["to", "be", "or"], (1, 2))
        ['to', 'be', 'or', 'to be', 'be or']
    """
    low, high = (n, n) if not isinstance(n, tuple) else n
    low, high = integer("ngrams", "n", low), integer("ngrams", "n", high)
    if isinstance(tokens, str):
        raise TypeError("ngrams: tokens is a str, expected a list of tokens")
    tokens = list(tokens)
    return [
        separator.join(tokens[i : i + width])
        for width in range(low, high + 1)
        for i in range(len(tokens) - width + 1)
    ]


# Words whose full stop seldom ends a sentence, in English.
_SHORT = (
    "mr mrs ms dr prof st vs etc e.g i.e inc ltd co corp no fig vol pp gen col sen rep jr sr dept univ "
    "approx jan feb mar apr jun jul aug sep sept oct nov dec"
)
_END = re.compile(
    r"(?<![.!?])[.!?]+[\"')\]\u201d\u2019]*(?=\s)|[\u3002\uff01\uff1f\u2026]+[\u201d\u2019\u300d\u300f\uff09]*|\n\s*\n"
)


def split_sentences(text: str, abbreviations: Iterable[str] = tuple(_SHORT.split())) -> list[str]:
    """The sentences of a text, by rules: they end with . ! ? before white space, their Chinese and Japanese
    forms, or an empty line; a full stop after an abbreviation or a single capital ends none.

    Example:
        >>> from drivetrain.text import split_sentences
        >>> split_sentences("Dr. Who? It is J. R. Hartley. Yes!")
        ['Dr. Who?', 'It is J. R. Hartley.', 'Yes!']
    """
    if not isinstance(text, str):
        raise TypeError(f"split_sentences: text is a {type(text).__name__}, expected a str")
    short = frozenset(word.lower() for word in abbreviations)

    def parts() -> Iterator[str]:
        start = 0
        for end in _END.finditer(text):
            before = text[start : end.start()].rsplit(None, 1)
            word = before[-1].lstrip("([\"'\u201c\u2018") if before else ""
            if end[0] == "." and (word.lower() in short or (len(word) == 1 and word.isupper())):
                continue
            yield text[start : end.end()]
            start = end.end()
        yield text[start:]

    return [part.strip() for part in parts() if part.strip()]
