"""Vocabularies: tokens with numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .._arguments import checks_names
from .._checks import fits, flag, integer
from ..io.atomic import replacing
from . import tokenizers
from ._tokens import Table
from .blocks import as_texts, check_errors, check_threads, in_blocks, on_threads, read_blocks
from .counting import TokenCounter, check_utf8
from .tokenizers import Tokenizer, as_str, as_tokenizer

SPECIALS = {"pad": "<pad>", "unk": "<unk>", "bos": "<bos>", "eos": "<eos>"}
SAVED = ("WordTokenizer", "WhitespaceTokenizer", "CharacterTokenizer", "RegexTokenizer")
Ids = NDArray[Any]


class Vocabulary:
    """Tokens and their numbers: special ones first, then the given ones in their order.

    Args:
        tokens (iterable of str): Each once, without the special ones.
        pad, unk, bos, eos (str or None): The special tokens, in this order: padding, unknown, begin and end
            of a sequence. None leaves one out. Without ``unk`` unknown tokens are left out by `encode`.
        tokenizer (Tokenizer or callable, optional): What cuts texts that are encoded. Default:
            `WordTokenizer()`.
        counts (iterable of int, optional): How often each of the tokens came.

    Raises:
        TypeError: For tokens that are no str.
        ValueError: For a token that comes twice, or is a special one; for counts of another number.

    Example:
        >>> from drivetrain.text import Vocabulary, WordTokenizer
        >>> words = WordTokenizer(lowercase=True)
        >>> vocabulary = Vocabulary.from_texts(["To be, or not to be"], words)
        >>> vocabulary.tokens
        ['<pad>', '<unk>', '<bos>', '<eos>', 'be', 'to', 'not', 'or']
        >>> vocabulary.encode("to be or what?", bos=True)
        array([2, 5, 4, 7, 1])
        >>> vocabulary.decode([2, 5, 4, 7, 1])
        ['to', 'be', 'or', '<unk>']
        >>> vocabulary["be"], "what" in vocabulary, len(vocabulary)
        (4, False, 8)
    """

    @checks_names
    def __init__(
        self,
        tokens: Iterable[str],
        *,
        pad: str | None = "<pad>",
        unk: str | None = "<unk>",
        bos: str | None = "<bos>",
        eos: str | None = "<eos>",
        tokenizer: Any = None,
        counts: Iterable[int] | None = None,
    ) -> None:
        if isinstance(tokens, (str, bytes)):
            raise TypeError(f"Vocabulary: tokens is a single {type(tokens).__name__}, expected a list of str")
        given = list(tokens)
        self.specials = {
            name: token
            for name, token in (("pad", pad), ("unk", unk), ("bos", bos), ("eos", eos))
            if token is not None
        }
        self.tokens: list[str] = [*self.specials.values(), *given]
        self._table = Table()
        try:
            new = self._table.add(self.tokens)
        except TypeError as error:
            raise TypeError(f"Vocabulary: {error}") from None
        if new < len(self.tokens):
            seen = Table()
            again = next(token for token in self.tokens if not seen.add([token]))
            raise ValueError(f"Vocabulary: token {again!r} comes more than once")
        self.counts = None
        if counts is not None:
            numbers = list(counts)
            if set(map(type, numbers)) != {int} or min(numbers) < 0:  # others are looked at one by one
                numbers = [integer("Vocabulary", "a count", n, 0) for n in numbers]
            self.counts = [0] * len(self.specials) + numbers
        if self.counts is not None and len(self.counts) != len(self.tokens):
            number = len(self.counts) - len(self.specials)
            raise ValueError(f"Vocabulary: there are {number} counts for {len(given)} tokens")
        self.tokenizer = as_tokenizer("Vocabulary", tokenizer)

    # How it is made

    @classmethod
    def from_counts(
        cls,
        counts: TokenCounter | Mapping[str, int],
        *,
        min_frequency: int = 1,
        max_size: int | None = None,
        **options: Any,
    ) -> Vocabulary:
        """The most frequent tokens, ties in the order of their code points.

        Args:
            counts: A `TokenCounter`, whose tokenizer the vocabulary takes, or a dict.
            min_frequency: How often a token has come at least.
            max_size: How many tokens at most, special ones included.
            **options: Special tokens and ``tokenizer``, as in `Vocabulary`.

        Raises:
            ValueError: Where not even the special tokens have room in max_size.
        """
        least = integer("Vocabulary", "min_frequency", min_frequency)
        if not isinstance(counts, TokenCounter):
            counter = TokenCounter()
            counter.add(counts)
        else:
            counter = counts
            options.setdefault("tokenizer", counter.tokenizer)
        named = {options.get(name, token) for name, token in SPECIALS.items()} - {None}
        most = None
        if max_size is not None:
            most = integer("Vocabulary", "max_size", max_size, 0) - len(named)
            if most < 0:
                raise ValueError(
                    f"Vocabulary: max_size is {max_size}, but there are {len(named)} special tokens"
                )
        tokens, numbers = counter.ranked(None if most is None else most + len(named), least)
        for token in named:
            if counter[token] and token in tokens:
                place = tokens.index(token)
                del tokens[place], numbers[place]
        return cls(tokens[:most], counts=numbers[:most], **options)

    @classmethod
    def from_texts(
        cls, texts: Iterable[Any], tokenizer: Any = None, *, threads: int | None = None, **options: Any
    ) -> Vocabulary:
        """The vocabulary of texts or of lists of tokens; ``options`` are those of `from_counts`."""
        counter = TokenCounter(tokenizer, threads=threads)
        counter.update(texts)
        return cls.from_counts(counter, **options)

    @classmethod
    def from_files(
        cls,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        tokenizer: Any = None,
        *,
        encoding: str = "utf-8",
        errors: str | None = None,
        threads: int | None = None,
        **options: Any,
    ) -> Vocabulary:
        """The vocabulary of text files of any size: see `TokenCounter.update_file`."""
        counter = TokenCounter(tokenizer, threads=threads)
        for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
            counter.update_file(path, encoding, errors)
        return cls.from_counts(counter, **options)

    # Tokens to numbers and back

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and self._table.find(token) >= 0

    def __getitem__(self, token: str) -> int:
        """The number of a token; that of ``unk`` for an unknown one.

        Raises:
            KeyError: For an unknown token where there is no ``unk``.
        """
        number = self._table.find(token)
        if number < 0:
            number = self._unknown
            if number < 0:
                raise KeyError(token)
        return number

    def _special(self, name: str) -> int | None:
        return self._table.find(self.specials[name]) if name in self.specials else None

    @property
    def pad_id(self) -> int | None:
        """The number of the padding token; None where there is none."""
        return self._special("pad")

    @property
    def unk_id(self) -> int | None:
        """The number of the unknown token."""
        return self._special("unk")

    @property
    def bos_id(self) -> int | None:
        """The number of the token that begins a sequence."""
        return self._special("bos")

    @property
    def eos_id(self) -> int | None:
        """The number of the token that ends a sequence."""
        return self._special("eos")

    @property
    def _unknown(self) -> int:
        unknown = self.unk_id
        return -1 if unknown is None else unknown

    def _need(self, who: str, name: str) -> int:
        number = self._special(name)
        if number is None:
            raise ValueError(f"{who}: the vocabulary has no {name} token")
        return number

    def encode(self, text: Any, *, bos: bool = False, eos: bool = False, dtype: DTypeLike = np.int64) -> Ids:
        """The numbers (n,) of a text's tokens, or of a list of tokens.

        Args:
            text: str, UTF-8 bytes, or a list of str.
            bos, eos: Put the token that begins or ends a sequence before or behind.
            dtype: Of the result. Default: int64.
        """
        ids, _ = self.encode_batch([text], bos=bos, eos=eos, dtype=dtype, threads=1)
        return ids

    def encode_batch(
        self,
        texts: Iterable[Any],
        *,
        bos: bool = False,
        eos: bool = False,
        dtype: DTypeLike = np.int64,
        threads: int | None = None,
    ) -> tuple[Ids, NDArray[np.int64]]:
        """The numbers of the tokens of many texts: (all of them in a row, offsets (texts + 1,)).

        Text i has ``ids[offsets[i] : offsets[i + 1]]``; `pad` makes a matrix of them. The result does not
        depend on the number of threads.

        Raises:
            TypeError, ValueError: As in `TokenCounter.update`.

        Example:
            >>> from drivetrain.text import Vocabulary
            >>> vocabulary = Vocabulary(["a", "b"], bos=None, eos=None)
            >>> vocabulary.encode_batch(["a b", "", "c a"])
            (array([2, 3, 1, 2]), array([0, 2, 2, 4]))
        """
        who = "Vocabulary.encode"
        before = self._need(who, "bos") if flag(who, "bos", bos) else None
        after = self._need(who, "eos") if flag(who, "eos", eos) else None
        threads = check_threads(who, threads) if self._is_scanned else 1
        parts = list(on_threads(self._encode_block, in_blocks(as_texts(who, texts)), threads))
        ids = np.concatenate([np.zeros(0, np.int32), *(part for part, _ in parts)]).astype(
            self._ids_as(dtype)
        )
        lengths = np.concatenate([np.zeros(0, np.int64), *(part for _, part in parts)])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if before is not None:
            ids, offsets = np.insert(ids, offsets[:-1], before), offsets + np.arange(len(offsets))
        if after is not None:
            ids, offsets = np.insert(ids, offsets[1:], after), offsets + np.arange(len(offsets))
        return ids, offsets

    def _ids_as(self, dtype: DTypeLike) -> np.dtype[Any]:
        """A dtype that holds the number of every token."""
        found = np.dtype(dtype)
        if found.kind not in "iu" or len(self) - 1 > np.iinfo(found).max:
            raise ValueError(
                f"Vocabulary.encode: dtype is {found}, expected one of integers up to {len(self) - 1}"
            )
        return found

    @property
    def _is_scanned(self) -> bool:
        tokenizer = self.tokenizer
        return tokenizer.scanner is not None and tokenizer.normalizer is None and tokenizer.stemmer is None

    def _encode_block(self, job: tuple[int, list[Any]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        first, texts = job
        scanner, errors = self.tokenizer.scanner, self.tokenizer.errors
        if self._is_scanned and not isinstance(texts[0], (list, tuple)):
            assert scanner is not None
            ids, lengths = scanner.encode(texts, self._table, self._unknown, errors, first)
            return np.frombuffer(ids, np.int32), np.frombuffer(lengths, np.int64)
        made = []
        for i, text in enumerate(texts, first):
            if isinstance(text, (list, tuple)):
                tokens = list(text)
            else:
                tokens = self.tokenizer(as_str("Vocabulary.encode", text, errors, i))
            found = np.frombuffer(self._table.ids(tokens, self._unknown), np.int32)
            made.append(found[found >= 0])
        return np.concatenate(made), np.array([len(ids) for ids in made], np.int64)

    def encode_file(
        self,
        path: str | os.PathLike[str],
        *,
        encoding: str = "utf-8",
        errors: str | None = None,
        dtype: DTypeLike = np.int64,
        threads: int | None = None,
    ) -> Ids:
        """The numbers (n,) of all tokens of a text file: only they are in memory, not the text."""
        errors = check_errors("Vocabulary.encode_file", self.tokenizer.errors if errors is None else errors)

        dtype = self._ids_as(dtype)

        def encode(job: tuple[int, bytes]) -> Ids:
            try:
                if self._is_scanned:
                    assert self.tokenizer.scanner is not None
                    ids, _ = self.tokenizer.scanner.encode([job[1]], self._table, self._unknown, errors)
                    return np.frombuffer(ids, np.int32).astype(dtype)
                tokens = self.tokenizer(as_str("", job[1], errors))
            except ValueError:
                check_utf8(path, job[1], job[0], errors)
                raise
            found = np.frombuffer(self._table.ids(tokens, self._unknown), np.int32)
            return found[found >= 0].astype(dtype)

        threads = check_threads("Vocabulary.encode_file", threads) if self._is_scanned else 1
        blocks = read_blocks(path, encoding, errors, self.tokenizer.separates)
        return np.concatenate([np.zeros(0, dtype), *on_threads(encode, blocks, threads)])

    def decode(self, ids: ArrayLike, *, skip_special: bool = True) -> list[str]:
        """The tokens of numbers (n,).

        Args:
            ids: Integers.
            skip_special: Leave out padding, begin and end; unknown tokens stay.

        Raises:
            TypeError: For numbers that are no integers.
            IndexError: For one that no token has.
        """
        numbers = np.asarray(ids)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise TypeError(f"Vocabulary.decode: ids are {numbers.dtype}, expected integers")
        if numbers.ndim != 1:
            raise ValueError(f"Vocabulary.decode: ids have shape {numbers.shape}, expected (n,)")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            wrong = int(np.argmax((numbers < 0) | (numbers >= len(self))))
            expected = f"0 to {len(self) - 1}" if len(self) else "none, for the vocabulary is empty"
            raise IndexError(f"Vocabulary.decode: ids[{wrong}] is {numbers[wrong]}, expected {expected}")
        left = (self._special(name) for name in ("pad", "bos", "eos"))
        skipped = set(left) if flag("Vocabulary.decode", "skip_special", skip_special) else set()
        return [self.tokens[number] for number in numbers.tolist() if number not in skipped]

    # Files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file that people can read: JSON, or with the ending .txt one token a line.

        The JSON also keeps special tokens, counts and, of `WordTokenizer`, `WhitespaceTokenizer`,
        `CharacterTokenizer` and `RegexTokenizer`, the tokenizer.

        Raises:
            ValueError: As text, for a token that holds a line break.
        """
        path = Path(path)
        if path.suffix == ".txt":
            broken = next((token for token in self.tokens if token.splitlines() != [token]), None)
            if broken is not None:
                raise ValueError(
                    f"Vocabulary.save: token {broken!r} does not fit on a line, save it as .json"
                )
            with replacing(path) as file:
                file.write("".join(token + "\n" for token in self.tokens).encode("utf-8", "surrogatepass"))
            return
        rest = self.tokens[len(self.specials) :]
        document = {
            "format": "drivetrain vocabulary",
            "version": 1,
            "specials": {name: self.specials.get(name) for name in SPECIALS},
            "tokenizer": self._tokenizer_settings(),
            "counts": None if self.counts is None else self.counts[len(self.specials) :],
            "tokens": rest,
        }
        lines = ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in document.items()
            if key != "tokens"
        )
        tokens = ",\n".join(json.dumps(token, ensure_ascii=False) for token in rest)
        with replacing(path) as file:
            file.write(f'{{{lines},\n"tokens": [\n{tokens}\n]}}\n'.encode("utf-8", "surrogatepass"))

    def _tokenizer_settings(self) -> dict[str, Any] | None:
        name = type(self.tokenizer).__name__
        if name not in SAVED or type(self.tokenizer).__module__ != tokenizers.__name__:
            return None
        if self.tokenizer.stemmer is not None or self.tokenizer.normalizer is not None:
            return None
        return {"name": name, **self.tokenizer.settings()}

    @classmethod
    def load(cls, path: str | os.PathLike[str], tokenizer: Any = None) -> Vocabulary:
        """Read what `save` wrote. Of a .txt the first lines that are <pad>, <unk>, <bos>, <eos>, in this
        order, are special tokens.

        Args:
            path: The file.
            tokenizer: In place of the one that was saved.

        Raises:
            ValueError: For a file that is no vocabulary.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise ValueError(f"{os.fspath(path)}: no UTF-8 at byte {error.start:,}") from None
        if Path(path).suffix == ".txt":
            tokens = text.splitlines()
            specials: dict[str, str | None] = dict.fromkeys(SPECIALS)
            for name, token in SPECIALS.items():
                if tokens and tokens[0] == token:
                    specials[name] = tokens.pop(0)
            return cls(tokens, tokenizer=tokenizer, **specials)  # type: ignore[arg-type]
        try:
            document = json.loads(text)
            good = document["format"] == "drivetrain vocabulary" and document["version"] == 1
            kept, special = document["tokenizer"], document["specials"]
            tokens, counts = document["tokens"], document["counts"]
            good = good and set(special) == set(SPECIALS) and isinstance(tokens, list)
        except (ValueError, KeyError, TypeError, RecursionError):
            good = False
        if not good:
            raise ValueError(f"{os.fspath(path)}: no vocabulary of drivetrain")
        try:
            if tokenizer is None and kept is not None:
                tokenizer = _saved_tokenizer(kept)
            return cls(tokens, tokenizer=tokenizer, counts=counts, **special)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{os.fspath(path)}: no vocabulary of drivetrain: {error}") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.tokens == other.tokens and self.specials == other.specials

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_table"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._table = Table()
        self._table.add(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens)"


def _saved_tokenizer(kept: Any) -> Tokenizer:
    if not isinstance(kept, dict) or kept.get("name") not in SAVED:
        raise ValueError(f"there is no tokenizer {kept!r:.80}")
    options = dict(kept)
    made: Tokenizer = getattr(tokenizers, options.pop("name"))(**options)
    return made


@checks_names
def pad(
    ids: ArrayLike | Sequence[ArrayLike],
    offsets: ArrayLike | None = None,
    *,
    length: int | None = None,
    value: int = 0,
    left: bool = False,
) -> NDArray[np.int64]:
    """Sequences as a matrix (texts, length) of int64: short ones padded, long ones cut at their end.

    Args:
        ids: All numbers in a row, with ``offsets`` as `Vocabulary.encode_batch` gives them; or a list of
            arrays.
        offsets: Where each text begins, and the end.
        length: Default: that of the longest.
        value: The padding.
        left: Pad before the sequence.

    Example:
        >>> from drivetrain.text import pad
        >>> pad([5, 6, 7], [0, 2, 2, 3])
        array([[5, 6],
               [0, 0],
               [7, 0]])
    """
    if offsets is None:
        rows = [np.asarray(row, None if len(row) else np.int64) for row in ids]  # type: ignore[union-attr,arg-type]
        values = np.concatenate([np.zeros(0, np.int64), *rows])
        ends = np.cumsum([0, *(len(row) for row in rows)])
    else:
        values, ends = np.asarray(ids), np.asarray(offsets)
    if (values.size and values.dtype.kind not in "iu") or ends.dtype.kind not in "iu":
        raise TypeError(f"pad: ids are {values.dtype} and offsets {ends.dtype}, expected integers")
    good = ends.ndim == 1 and len(ends) and ends[0] == 0 and ends[-1] == len(values)
    if not good or (np.diff(ends) < 0).any():
        raise ValueError(f"pad: offsets must rise from 0 to the number of ids, {len(values)}")
    lengths = np.diff(ends)
    longest = int(lengths.max(initial=0))
    width = longest if length is None else integer("pad", "length", length, 0)
    out = np.full((len(lengths), width), fits("pad", "value", value, np.dtype(np.int64)), np.int64)
    kept = np.minimum(lengths, width)
    if kept.sum():
        row = np.repeat(np.arange(len(kept)), kept)
        column = np.arange(kept.sum()) - np.repeat(np.cumsum(kept) - kept, kept)
        source = column + np.repeat(ends[:-1], kept)
        out[row, column + np.repeat(width - kept, kept) if left else column] = values[source]
    return out
