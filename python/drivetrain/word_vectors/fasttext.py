"""fastText: the vector of a word is made of those of its character n-grams."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core, from_numpy
from .._checks import integer
from . import formats
from .keyed_vectors import KeyedVectors
from .word2vec import Word2Vec

Array = NDArray[Any]


def buckets_of(words: list[Any], min_n: int, max_n: int, bucket: int) -> tuple[Array, Array]:
    """Where each word's n-grams begin, and their buckets: fastText's hash."""
    packed = formats.pack([str(word) for word in words])
    found = _core._subwords(
        from_numpy(packed["text"].copy()), from_numpy(packed["start"]), min_n, max_n, bucket
    )
    return np.asarray(found[0]), np.asarray(found[1])


class SubwordVectors(KeyedVectors):
    """Vectors of words, and for unknown words the mean of their n-grams' vectors: `FastText.wv`.

    Example:
        >>> from drivetrain.word_vectors import FastText
        >>> table = FastText([["walking", "talking"]] * 5, vector_size=4).wv
        >>> "walked" in table, "walked" in table.key_to_index
        (True, False)
    """

    def __init__(self, model: FastText) -> None:
        counts = np.diff(model._row_start)
        vectors = np.add.reduceat(model.vectors[model._row_list], model._row_start[:-1], 0) / counts[:, None]
        super().__init__(model.words, vectors, model.counts)
        self._model = model

    def get_vector(self, word: Any, norm: bool = False) -> Array:
        """The vector of a word, known or not; KeyError where it has no n-gram of a known word either."""
        if word in self.key_to_index:
            return super().get_vector(word, norm)
        model = self._model
        _, buckets = buckets_of([word], model.min_n, model.max_n, model.bucket)
        places = np.searchsorted(model._buckets, buckets)
        known = places[model._buckets[np.minimum(places, len(model._buckets) - 1)] == buckets]
        if not len(known):
            raise KeyError(f"the word {word!r:.80} is not in the vocabulary and shares no n-gram with it")
        vector: Array = model.vectors[len(self) + known].mean(0)
        return vector / max(float(np.linalg.norm(vector)), 1e-30) if norm else vector

    def __contains__(self, word: Any) -> bool:
        try:
            self.get_vector(word)
        except KeyError:
            return False
        return True


class FastText(Word2Vec):
    """Word2Vec over words and their character n-grams, so that unknown words have vectors too.

    Hashes are those of fastText and gensim. Only buckets that a word of the vocabulary falls into are
    stored, so that `bucket` costs no memory.

    Args:
        sentences, corpus_file, ...: As of `Word2Vec`.
        min_n, max_n: Characters of the shortest and longest n-grams, of the word between "<" and ">".
        bucket: Values of the hash.

    Attributes:
        Those of `Word2Vec`; wv is a `SubwordVectors`.

    Source: P. Bojanowski, E. Grave, A. Joulin and T. Mikolov, 2017.

    Example:
        >>> from drivetrain.word_vectors import FastText
        >>> text = [["walking", "talking", "jumping"], ["quickly", "slowly", "kindly"]] * 50
        >>> model = FastText(text, vector_size=16, window=2, sample=0, alpha=0.1, sg=1)
        >>> model.wv.similarity("singing", "walking") > model.wv.similarity("singing", "quickly")
        True
    """

    kind = "fasttext"
    _ARGUMENTS = (*Word2Vec._ARGUMENTS, "min_n", "max_n", "bucket")

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        *,
        min_n: int = 3,
        max_n: int = 6,
        bucket: int = 2_000_000,
        **arguments: Any,
    ) -> None:
        self.min_n = integer("FastText", "min_n", min_n)
        self.max_n = integer("FastText", "max_n", max_n, self.min_n)
        self.bucket = integer("FastText", "bucket", bucket)
        super().__init__(sentences, corpus_file, **arguments)

    @property
    def _rows(self) -> int:
        return len(self.words) + len(self._buckets)

    def _prepare(self) -> None:
        start, buckets = buckets_of(self.words, self.min_n, self.max_n, self.bucket)
        self._buckets, places = np.unique(buckets, return_inverse=True)
        words = np.arange(len(self.words))
        self._row_list = np.insert(places + len(words), start[:-1], words).astype(np.int32)
        self._row_start = start + np.arange(len(start))
        super()._prepare()
        self._tables |= {"row_start": from_numpy(self._row_start), "rows": from_numpy(self._row_list)}

    @property
    def wv(self) -> KeyedVectors:
        """The vectors by their words, made of those of the n-grams."""
        self._check_trained()
        if self._wv is None:
            self._wv = SubwordVectors(self)
        return self._wv
