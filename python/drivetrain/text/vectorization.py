"""Keras's TextVectorization."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checks_names
from .._checks import flag, integer
from .._extras import need
from ._tokens import Scanner, Table
from .blocks import check_threads, in_blocks, on_threads
from .tokenizers import AS_IT_IS, LOWER_ASCII, NOTHING, as_str, kinds_of
from .vocabulary import pad

STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")
MODES = ("int", "multi_hot", "count", "tf_idf")
PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
SPACES = "\t\n\v\f\r "
UNKNOWN = "[UNK]"
_SPACED = re.compile(f"[^{SPACES}]+")
LOWERED = bytes(i + 32 if 65 <= i <= 90 else i for i in range(256))

Words = Callable[[str], Sequence[str]]


class TextVectorization:
    """Texts to numbers, with Keras's arguments and results.

    Args:
        max_tokens (int, optional): The largest size of the vocabulary, special tokens included.
        standardize ("lower_and_strip_punctuation", "lower", "strip_punctuation", None or str -> str): What is
            done to a text first. As in Keras, A to Z alone are lowered and ASCII punctuation alone is
            removed.
        split ("whitespace", "character", None or str -> list of str): How it is cut; ASCII white space alone
            counts. With None every text is one token, or comes as a list of tokens.
        ngrams (int or tuple of ints, optional): Make n-grams of up to so many tokens, or of these lengths.
        output_mode ("int", "multi_hot", "count" or "tf_idf"): The numbers of the tokens; or a row as long as
            the vocabulary that says which tokens are there, how often, or how often times the inverse
            document frequency.
        output_sequence_length (int, optional): Of "int": rows are padded with 0 or cut to it.
        pad_to_max_tokens (bool): The rows of other modes are ``max_tokens`` long.
        vocabulary (list of str, or a path to a file with one token a line, optional): In place of `adapt`.
        idf_weights (list of floats, optional): With a vocabulary and "tf_idf".
        sparse (bool): Other modes than "int" give a SciPy CSR array.
        ragged (bool): "int" gives a list of arrays that are as long as the texts.
        encoding (str): Of texts that are bytes.

    Raises:
        ValueError, TypeError: For arguments and combinations that Keras does not take.

    Source: keras.layers.TextVectorization, Keras 3. Unlike there the functions ``standardize`` and ``split``
    get one str each, results are NumPy arrays (int64 and float32), and a call before `adapt` raises.

    Example:
        >>> from drivetrain.text import TextVectorization
        >>> vectorize = TextVectorization(output_sequence_length=4)
        >>> vectorize.adapt(["the cat", "the dog!"])
        >>> vectorize.get_vocabulary()
        ['', '[UNK]', 'the', 'dog', 'cat']
        >>> vectorize(["The dog, the bird"])
        array([[2, 3, 2, 1]])
    """

    @checks_names
    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: str | Callable[[str], str] | None = "lower_and_strip_punctuation",
        split: str | Words | None = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Sequence[str] | str | os.PathLike[str] | None = None,
        idf_weights: ArrayLike | None = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        *,
        threads: int | None = None,
    ) -> None:
        who = "TextVectorization"
        output_mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
        _one_of(who, "standardize", standardize, STANDARDIZE)
        _one_of(who, "split", split, ("whitespace", "character"))
        if output_mode not in MODES:
            raise ValueError(f"{who}: output_mode is {output_mode!r}, expected one of {', '.join(MODES)}")
        if output_sequence_length is not None:
            integer(who, "output_sequence_length", output_sequence_length, 0)
            if output_mode != "int":
                raise ValueError(f"{who}: output_sequence_length goes with output_mode='int' only")
        if flag(who, "ragged", ragged) and output_mode != "int":
            raise ValueError(f"{who}: ragged=True goes with output_mode='int' only")
        if flag(who, "sparse", sparse) and output_mode == "int":
            raise ValueError(f"{who}: sparse=True goes with other output modes than 'int'")
        if flag(who, "pad_to_max_tokens", pad_to_max_tokens) and max_tokens is None:
            raise ValueError(f"{who}: pad_to_max_tokens=True needs max_tokens")
        self.ngrams = ngrams
        self._orders = _orders(who, ngrams)
        self.standardize, self.split, self.output_mode = standardize, split, output_mode
        self.output_sequence_length, self.pad_to_max_tokens = output_sequence_length, pad_to_max_tokens
        self.sparse, self.ragged, self.encoding = sparse, ragged, encoding
        self._specials = ["", UNKNOWN] if output_mode == "int" else [UNKNOWN]
        self.max_tokens = None
        if max_tokens is not None:
            self.max_tokens = integer(who, "max_tokens", max_tokens, len(self._specials) + 1)
        self.threads = check_threads(who, threads)
        self._scanner = self._make_scanner()
        self._counts, self._documents = Table(), 0
        self._tokens: list[str] | None = None
        self.idf_weights: NDArray[np.float32] | None = None
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise ValueError(f"{who}: idf_weights need a vocabulary")

    def _make_scanner(self) -> Scanner | None:
        """The compiled loop, where standardize and split are no functions."""
        if callable(self.standardize) or callable(self.split) or self.split is None:
            return None
        strip = isinstance(self.standardize, str) and "punctuation" in self.standardize
        lower = LOWER_ASCII if self.standardize in STANDARDIZE[:2] else AS_IT_IS
        characters = self.split == "character"
        kinds = kinds_of("" if characters else SPACES, PUNCTUATION if strip else "")
        return Scanner(kinds, lower, NOTHING, characters, 1, None, self._orders)

    # Texts to tokens

    def _decoded(self, text: Any, i: int) -> Any:
        """bytes of another encoding as str; all else as it is."""
        if isinstance(text, bytes) and self.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
            return text.decode(self.encoding)
        return text

    def _tokenized(self, text: Any, i: int) -> list[str]:
        """The tokens and n-grams of a text, where a function has a part in it."""
        if isinstance(text, (list, tuple, np.ndarray)):
            if self.split is not None:
                raise TypeError(f"TextVectorization: text {i} is a list, which goes with split=None only")
            parts = [self._standardized(as_str("TextVectorization", each, "strict", i)) for each in text]
            return self._grams(parts)
        text = self._standardized(as_str("TextVectorization", self._decoded(text, i), "strict", i))
        if self.split is None:
            return self._grams([text])
        if callable(self.split):
            return self._grams(list(self.split(text)))
        return self._grams(list(text) if self.split == "character" else _SPACED.findall(text))

    def _standardized(self, text: str) -> str:
        if callable(self.standardize):
            return self.standardize(text)
        if self.standardize in STANDARDIZE[:2]:
            text = text.encode("utf-8", "surrogatepass").translate(LOWERED).decode("utf-8", "surrogatepass")
        if self.standardize is not None and "punctuation" in self.standardize:
            text = text.translate(dict.fromkeys(map(ord, PUNCTUATION)))
        return text

    def _grams(self, tokens: list[str]) -> list[str]:
        if self._orders == (1,):
            return tokens
        return [" ".join(tokens[i : i + n]) for n in self._orders for i in range(len(tokens) - n + 1)]

    # The vocabulary

    def adapt(self, data: Iterable[Any], batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary of texts: the most frequent tokens, ties in falling order, as in Keras.

        Args:
            data: Texts (str or bytes) in a list, an array or any iterable; or batches of them.
            batch_size: Ignored, as in Keras.
            steps: Of an iterable of batches so many.

        Raises:
            TypeError: For None or numbers among the texts.
            ValueError: With a fixed vocabulary; for bytes that are not of the encoding.
        """
        self._counts = Table()
        self._documents = 0
        if isinstance(data, (str, bytes)):
            raise TypeError("TextVectorization.adapt: data is a single text, expected a list of texts")
        for first, block in in_blocks(self._flat(data, steps)):
            self._documents += len(block)
            if self._scanner is not None:
                texts = [self._decoded(text, i) for i, text in enumerate(block)]
                self._scanner.count(texts, self._counts, "strict", first)
            else:
                for i, text in enumerate(block, first):
                    self._counts.add_document(self._tokenized(text, i))
        tokens, _, documents = self._counts.ranked(1, -1, True)
        kept = [(token, n) for token, n in zip(tokens, documents, strict=True) if token not in ("", UNKNOWN)]
        if self.max_tokens is not None:
            kept = kept[: self.max_tokens - len(self._specials)]
        self._set([token for token, _ in kept])
        if self.output_mode == "tf_idf":
            found = np.array([n for _, n in kept], np.float32)
            idf = np.log(1 + np.float32(self._documents) / (1 + found), dtype=np.float32)
            mean = idf.mean(dtype=np.float32) if len(idf) else np.float32(0)
            self.idf_weights = np.concatenate([[mean], idf]).astype(np.float32)

    def _flat(self, data: Any, steps: int | None) -> Iterator[Any]:
        if hasattr(data, "tolist"):
            data = data.tolist()
        for number, item in enumerate(data):
            if steps is not None and number >= steps and not isinstance(item, (str, bytes)):
                return
            item = item.tolist() if hasattr(item, "tolist") else item
            if isinstance(item, (list, tuple)) and not self._is_row(item):
                yield from item
            else:
                yield item[0] if isinstance(item, (list, tuple)) and self.split is not None else item

    def _is_row(self, item: Any) -> bool:
        """Whether a list is one text: a column of texts (n, 1), or the tokens of one where split is None."""
        return self.split is None and all(isinstance(each, (str, bytes)) for each in item)

    def _set(self, tokens: list[str]) -> None:
        table = Table()
        table.add([*self._specials, *tokens])
        self._tokens, self._table = tokens, table

    def set_vocabulary(
        self, vocabulary: Sequence[str] | str | os.PathLike[str], idf_weights: ArrayLike | None = None
    ) -> None:
        """Take a vocabulary in place of `adapt`.

        Args:
            vocabulary: Tokens, with the special ones at their beginning or without; or a path to a file with
                one a line.
            idf_weights: With "tf_idf": one for each token.

        Raises:
            ValueError: For an empty vocabulary, tokens that come twice, more than ``max_tokens``, weights
                that are missing or too many.
        """
        who = "TextVectorization.set_vocabulary"
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ValueError(f"{who}: idf_weights go with output_mode='tf_idf', and it with them")
        if isinstance(vocabulary, (str, os.PathLike)):
            vocabulary = Path(vocabulary).read_text(self.encoding).splitlines()
        given = [as_str(who, token, "strict", i) for i, token in enumerate(vocabulary)]
        tokens = given[len(self._specials) :] if given[: len(self._specials)] == self._specials else given
        if not given:
            raise ValueError(f"{who}: the vocabulary is empty")
        if len(set(tokens)) < len(tokens) or (self.output_mode == "int" and "" in tokens):
            again = next(token for i, token in enumerate(tokens) if token == "" or token in tokens[:i])
            raise ValueError(f"{who}: token {again!r} comes more than once")
        if self.max_tokens is not None and len(tokens) + len(self._specials) > self.max_tokens:
            size = len(tokens) + len(self._specials)
            raise ValueError(f"{who}: the vocabulary has {size} tokens, max_tokens is {self.max_tokens}")
        if idf_weights is not None:
            weights = np.asarray(idf_weights, np.float32)
            if weights.shape != (len(given),):
                raise ValueError(f"{who}: idf_weights have shape {weights.shape}, expected ({len(given)},)")
            front = [] if len(given) > len(tokens) else [weights.mean()]
            self.idf_weights = np.concatenate([front, weights]).astype(np.float32)
        self._set(tokens)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens; with the special ones each stands at its number."""
        tokens = self._tokens or []
        return [*self._specials, *tokens] if include_special_tokens else list(tokens)

    def vocabulary_size(self) -> int:
        """Special tokens included."""
        return len(self._specials) + len(self._tokens or ())

    # Texts to numbers

    def __call__(self, texts: Any) -> Any:
        """Numbers (n, length) int64, or rows (n, vocabulary) float32, of n texts; without the first axis of
        one text.

        Raises:
            RuntimeError: Before there is a vocabulary.
            TypeError: For None or numbers among the texts.
        """
        if self._tokens is None:
            raise RuntimeError(
                "TextVectorization: there is no vocabulary; call adapt or set_vocabulary first"
            )
        if isinstance(texts, (str, bytes)):
            made = self([texts])
            return made[0]
        flat = list(self._flat(texts, None))
        ids, lengths = self._ids(flat)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if self.output_mode != "int":
            return self._rows(ids, lengths)
        if self.split is None and all(isinstance(text, (str, bytes)) for text in flat) and not self.ragged:
            return ids.astype(np.int64)  # each text is a token: Keras keeps the shape
        if self.ragged:
            length = self.output_sequence_length
            return [ids[a:b].astype(np.int64)[:length] for a, b in itertools.pairwise(offsets)]
        return pad(ids, offsets, length=self.output_sequence_length)

    def _ids(self, texts: list[Any]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        scanner, unknown = self._scanner, len(self._specials) - 1

        def encode(job: tuple[int, list[Any]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
            first, block = job
            if scanner is not None:
                block = [self._decoded(text, i) for i, text in enumerate(block, first)]
                ids, lengths = scanner.encode(block, self._table, unknown, "strict", first)
                return np.frombuffer(ids, np.int32), np.frombuffer(lengths, np.int64)
            made = [
                np.frombuffer(self._table.ids(self._tokenized(text, i), unknown), np.int32)
                for i, text in enumerate(block, first)
            ]
            return np.concatenate(made), np.array([len(each) for each in made], np.int64)

        threads = self.threads if scanner is not None else 1
        parts = list(on_threads(encode, in_blocks(texts), threads))
        ids = np.concatenate([np.zeros(0, np.int32), *(part for part, _ in parts)])
        return ids, np.concatenate([np.zeros(0, np.int64), *(part for _, part in parts)])

    def _rows(self, ids: NDArray[np.int32], lengths: NDArray[np.int64]) -> Any:
        """One row for each text, as long as the vocabulary."""
        width = self.max_tokens if self.pad_to_max_tokens else self.vocabulary_size()
        assert width is not None
        row = np.repeat(np.arange(len(lengths)), lengths)
        place, counts = np.unique(row * width + ids, return_counts=True)
        values = counts.astype(np.float32)
        if self.output_mode == "multi_hot":
            values[:] = 1
        elif self.output_mode == "tf_idf":
            assert self.idf_weights is not None
            values *= self.idf_weights[place % width]
        if self.sparse:
            library = need("TextVectorization: sparse=True", "scipy.sparse", "SciPy", "sklearn")
            shape = (len(lengths), width)
            return library.csr_array((values, (place // width, place % width)), shape)
        out = np.zeros((len(lengths), width), np.float32)
        out.reshape(-1)[place] = values
        return out

    # Saving

    def get_config(self) -> dict[str, Any]:
        """All that makes it again, with its vocabulary, as values that JSON can hold.

        Raises:
            ValueError: Where standardize or split is a function.
        """
        if callable(self.standardize) or callable(self.split):
            raise ValueError("TextVectorization.get_config: standardize or split is a function")
        return {
            "max_tokens": self.max_tokens,
            "standardize": self.standardize,
            "split": self.split,
            "ngrams": list(self.ngrams) if isinstance(self.ngrams, tuple) else self.ngrams,
            "output_mode": self.output_mode,
            "output_sequence_length": self.output_sequence_length,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary": None if self._tokens is None else self.get_vocabulary(),
            "idf_weights": None if self.idf_weights is None else self.idf_weights.tolist(),
            "sparse": self.sparse,
            "ragged": self.ragged,
            "encoding": self.encoding,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TextVectorization:
        """What gave a config with `get_config`."""
        ngrams = config.get("ngrams")
        return cls(**{**config, "ngrams": tuple(ngrams) if isinstance(ngrams, list) else ngrams})

    def __repr__(self) -> str:
        return f"TextVectorization(output_mode={self.output_mode!r}, {self.vocabulary_size()} tokens)"


def _one_of(who: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    if value is not None and not callable(value) and value not in known:
        raise ValueError(
            f"{who}: {name} is {value!r}, expected {', '.join(map(repr, known))}, None or a function"
        )


def _orders(who: str, ngrams: Any) -> tuple[int, ...]:
    if ngrams is None:
        return (1,)
    if isinstance(ngrams, tuple):
        orders = tuple(integer(who, "ngrams", n) for n in ngrams)
    else:
        orders = tuple(range(1, integer(who, "ngrams", ngrams) + 1))
    if not 1 <= len(orders) <= 8:
        raise ValueError(f"{who}: ngrams is {ngrams!r}, expected 1 to 8 lengths")
    return orders
