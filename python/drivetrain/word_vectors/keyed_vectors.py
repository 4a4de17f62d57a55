"""Vectors by their words: neighbours, analogies, files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._checks import integer
from ..io import read_state, write_state
from . import formats

Array = NDArray[Any]


def is_word(key: Any) -> bool:
    return isinstance(key, (str, int, np.integer))


class KeyedVectors:
    """Vectors by their words, with gensim's names.

    Args:
        words: The words, each once; str, or int where the corpus was of numbers.
        vectors: Array (words, vector_size), kept as float32.
        counts: How often each word came, or None.

    Attributes:
        index_to_key (list), key_to_index (dict), vectors (words, vector_size), counts, vector_size.

    Raises:
        ValueError: Where words and vectors do not fit together, or a word comes twice.

    Example:
        >>> from drivetrain.word_vectors import KeyedVectors
        >>> table = KeyedVectors(["king", "queen", "cup"], [[1, 0.2], [0.9, 0.4], [-0.3, 1]])
        >>> table.most_similar("king", topn=1)[0][0]
        'queen'
        >>> table.doesnt_match(["king", "queen", "cup"])
        'cup'
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.index_to_key):,} words, vector_size={self.vectors.shape[1]})"

    def __init__(self, words: Iterable[Any], vectors: Any, counts: Any = None) -> None:
        self.index_to_key = list(words)
        self.vectors: Array = np.asarray(vectors, np.float32)
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        wrong = [word for word in self.index_to_key if not is_word(word)]
        if wrong:
            raise TypeError(f"KeyedVectors: a word must be a str or an int, got {wrong[0]!r:.80}")
        if self.counts is not None and self.counts.shape != (len(self.index_to_key),):
            raise ValueError(
                f"KeyedVectors: counts have shape {self.counts.shape}, expected ({len(self.index_to_key)},)"
            )
        if self.vectors.ndim != 2 or len(self.vectors) != len(self.index_to_key):
            raise ValueError(
                f"KeyedVectors: vectors have shape {self.vectors.shape}, expected "
                f"({len(self.index_to_key)}, size)"
            )
        self.key_to_index = {word: place for place, word in enumerate(self.index_to_key)}
        if len(self.key_to_index) != len(self.index_to_key):
            raise ValueError("KeyedVectors: a word comes twice")
        self._normed: Array | None = None

    @property
    def vector_size(self) -> int:
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, word: Any) -> bool:
        return word in self.key_to_index

    def __getitem__(self, words: Any) -> Array:
        """The vector of a word, or an array of those of several."""
        if is_word(words):
            return self.get_vector(words)
        return np.stack([self.get_vector(word) for word in words])

    def get_index(self, word: Any) -> int:
        """The row of a word; KeyError where there is none."""
        if word not in self.key_to_index:
            raise KeyError(f"the word {word!r:.80} is not in the vocabulary")
        return self.key_to_index[word]

    def get_vector(self, word: Any, norm: bool = False) -> Array:
        """The vector of a word, of length 1 with norm=True; KeyError where there is none."""
        vector = self.vectors[self.get_index(word)]
        return _unit(vector) if norm else vector

    def get_normed_vectors(self) -> Array:
        """All vectors at length 1, computed once; after changes to `vectors` call `forget_norms`."""
        if self._normed is None:
            self._normed = _unit(self.vectors)
        return self._normed

    def forget_norms(self) -> None:
        self._normed = None

    def similarity(self, first: Any, second: Any) -> float:
        """The cosine of two words.

        Example:
            >>> from drivetrain.word_vectors import KeyedVectors
            >>> KeyedVectors(["a", "b"], [[1, 0], [1, 1]]).similarity("a", "b")
            0.7071068
        """
        return round(float(self.get_vector(first, norm=True) @ self.get_vector(second, norm=True)), 7)

    def distance(self, first: Any, second: Any) -> float:
        """1 - similarity."""
        return 1 - self.similarity(first, second)

    def n_similarity(self, first: Sequence[Any], second: Sequence[Any]) -> float:
        """The cosine of the means of two lists of words."""
        if not len(first) or not len(second):
            raise ValueError("n_similarity: a list of words is empty")
        a, b = (_unit(np.mean([self.get_vector(w) for w in words], 0)) for words in (first, second))
        return float(a @ b)

    def most_similar(
        self, positive: Any = (), negative: Any = (), topn: int = 10, restrict_vocab: int | None = None
    ) -> list[tuple[Any, float]]:
        """The words whose vectors point most in the direction of a mean.

        Args:
            positive: A word or a vector, or several, that count as they are.
            negative: The same, counted with the opposite sign: king - man + woman is
                positive=["king", "woman"], negative=["man"].
            topn: How many.
            restrict_vocab: Looks at the first so many words only.

        Returns:
            (word, cosine), the nearest first; the words asked for are left out.

        Raises:
            KeyError: For a word without a vector.
            ValueError: Where there is nothing given.
        """
        integer("most_similar", "topn", topn)
        if restrict_vocab is not None:
            integer("most_similar", "restrict_vocab", restrict_vocab)
        given = [(item, 1.0) for item in _several(positive)] + [(item, -1.0) for item in _several(negative)]
        if not given:
            raise ValueError("most_similar: neither positive nor negative words are given")
        vectors = [
            sign
            * (self.get_vector(item, norm=True) if is_word(item) else _unit(np.asarray(item, np.float32)))
            for item, sign in given
        ]
        for vector in vectors:
            if vector.shape != (self.vector_size,):
                raise ValueError(
                    f"most_similar: a vector has shape {vector.shape}, expected ({self.vector_size},)"
                )
        known = {self.key_to_index.get(item) for item, _ in given if is_word(item)} - {None}
        scores = self.get_normed_vectors()[:restrict_vocab] @ _unit(np.mean(vectors, 0))
        best = np.argsort(-scores, kind="stable")[: topn + len(known)]
        return [(self.index_to_key[i], float(scores[i])) for i in best if i not in known][:topn]

    def similar_by_vector(self, vector: Any, topn: int = 10) -> list[tuple[Any, float]]:
        """The words nearest to a vector."""
        return self.most_similar([vector], topn=topn)

    def doesnt_match(self, words: Sequence[Any]) -> Any:
        """The word farthest from the mean of all of them."""
        if is_word(words):
            raise TypeError(f"doesnt_match: words is {words!r:.80}, expected a list of words")
        known = [word for word in words if word in self]
        if not known:
            raise ValueError("doesnt_match: none of the words has a vector")
        vectors = np.stack([self.get_vector(word, norm=True) for word in known])
        return known[int(np.argmin(vectors @ vectors.mean(0)))]

    def evaluate_word_analogies(
        self, path: str | os.PathLike[str], restrict_vocab: int = 300_000, case_insensitive: bool = True
    ) -> tuple[float, dict[str, tuple[int, int]]]:
        """How many questions "a is to b as c is to ?" of a file are answered right (Mikolov et al., 2013).

        The file is that of word2vec, `questions-words.txt`: four words a line, sections begin with ":".
        Questions with words that have no vector are left out.

        Returns:
            The share of right answers, and for each section (right, asked).
        """
        words = self.index_to_key[: integer("evaluate_word_analogies", "restrict_vocab", restrict_vocab)]
        places: dict[Any, int] = {}
        for place, word in enumerate(words):
            places.setdefault(str(word).lower() if case_insensitive else str(word), place)
        normed = self.get_normed_vectors()[: len(words)]
        sections: dict[str, tuple[int, int]] = {}
        name = ""
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith(":"):
                    name = line[1:].strip()
                    continue
                question = [places.get(w.lower() if case_insensitive else w) for w in line.split()]
                if len(question) != 4 or None in question:
                    continue
                a, b, c, d = question
                scores = normed @ (normed[b] - normed[a] + normed[c])
                scores[[a, b, c]] = -np.inf
                right, asked = sections.get(name, (0, 0))
                sections[name] = (right + (int(np.argmax(scores)) == d), asked + 1)
        asked = sum(count for _, count in sections.values())
        return sum(right for right, _ in sections.values()) / max(asked, 1), sections

    def to_embedding(
        self, vocabulary: Any = None, *, freeze: bool = False, padding_idx: int | None = None
    ) -> Any:
        """An `nn.Embedding` that begins with these vectors.

        Args:
            vocabulary: Which word is which row: a list of words, or a dict from words to rows. None: the
                rows of `index_to_key`. Words without a vector begin at 0.
            freeze: Whether the table stays as it is.
            padding_idx: As of `nn.Embedding`.

        Example:
            >>> import drivetrain as dt
            >>> from drivetrain.word_vectors import KeyedVectors
            >>> table = KeyedVectors(["tea", "cup"], [[1, 2], [3, 4]])
            >>> layer = table.to_embedding(["<pad>", "cup", "tea"])
            >>> layer(dt.tensor([1, 0])).tolist()
            [[3.0, 4.0], [0.0, 0.0]]
        """
        from ..nn import Embedding

        vectors = self.vectors.copy()
        if vocabulary is not None:
            rows = vocabulary if isinstance(vocabulary, Mapping) else {w: i for i, w in enumerate(vocabulary)}
            vectors = np.zeros((max(rows.values(), default=-1) + 1, self.vector_size), np.float32)
            for word, row in rows.items():
                if word in self:
                    vectors[row] = self.get_vector(word)
        return Embedding.from_pretrained(_core.tensor(vectors), freeze=freeze, padding_idx=padding_idx)

    def save_word2vec_format(self, path: str | os.PathLike[str], binary: bool = False) -> None:
        """Write the vectors as word2vec does, in text (values to 9 digits: exact) or binary."""
        formats.write(path, self.index_to_key, self.vectors, binary)

    @classmethod
    def load_word2vec_format(
        cls,
        path: str | os.PathLike[str],
        binary: bool = False,
        *,
        limit: int | None = None,
        no_header: bool = False,
        unicode_errors: str = "strict",
    ) -> KeyedVectors:
        """Read vectors in word2vec's text or binary format, or GloVe's, which is the text without a header.

        Args:
            path: The file. No more memory is used than its size justifies, whatever its header says.
            binary: Whether the values are float32 in binary.
            limit: Reads the first so many words only.
            no_header: True for GloVe's files.
            unicode_errors: "strict", "ignore" or "replace" for words that are no UTF-8.

        Raises:
            ValueError: Where the file is truncated, has other dimensions than it says or is something else.
        """
        return cls(*formats.read(path, binary, limit, no_header, unicode_errors))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all to a safetensors file."""
        state = {"words": formats.pack(self.index_to_key), "vectors": self.vectors, "counts": self.counts}
        write_state(path, state, kind="word vectors")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> KeyedVectors:
        """Read what `save` wrote. Pickles, gensim's `.kv` and `.model`, are refused."""
        state, _ = read_state(path, kind="word vectors")
        try:
            words = formats.unpack(state["words"])
            vectors = formats.array_of(state, "vectors", np.float32, 2)
            return KeyedVectors(words, vectors, state["counts"])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no word vectors, or is damaged: {error}") from None


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Array = vectors / np.where(lengths > 0, lengths, 1).astype(vectors.dtype)
    return scaled


def _several(items: Any) -> list[Any]:
    single = is_word(items) or getattr(items, "ndim", 0) == 1
    return [items] if single else list(items)
