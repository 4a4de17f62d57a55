"""word2vec: skip-gram and CBOW, with negative sampling or hierarchical softmax."""

from __future__ import annotations

import heapq
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core, from_numpy
from .._arguments import ChecksNames
from .._checks import flag, integer, real
from ..io import read_state, write_state
from . import formats
from .corpus import Corpus
from .keyed_vectors import KeyedVectors

Array = NDArray[Any]
WHOLE = 1 << 32  # what stands for 1 in the draws of the kernels


class Trained(ChecksNames):
    """What Word2Vec, FastText and GloVe share: the corpus, the vocabulary, the epochs, the report."""

    kind = ""
    _ARGUMENTS: tuple[str, ...]
    words: list[Any]
    counts: Array
    epochs: int
    epochs_trained = 0
    losses: list[float]
    min_count: int
    max_final_vocab: int | None
    verbose: bool

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.words):,} words, epochs_trained={self.epochs_trained})"

    def _read(self, sentences: Any, corpus_file: Any) -> Corpus:
        name = type(self).__name__
        if isinstance(sentences, Corpus):
            return sentences
        if (sentences is None) == (corpus_file is None):
            raise TypeError(f"{name}: expected either sentences or corpus_file")
        return Corpus(name, Path(corpus_file) if sentences is None else sentences)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any:
        """Read what `save` wrote; gensim's models, which are pickles, are refused.

        Raises:
            ValueError: For a file that is damaged, or whose parts do not fit together.
        """
        state, _ = read_state(path, kind=cls.kind)
        try:
            arguments = state["arguments"]
            if set(arguments) != set(cls._ARGUMENTS):
                raise ValueError(f"its arguments are {sorted(map(str, arguments))!r:.200}")
            model = cls(**arguments)
            words = formats.unpack(state["words"])
            counts = formats.array_of(state, "counts", np.int64, (len(words),))
            if not words or (counts < 1).any():
                raise ValueError("it has no words, or words that never came")
            model._set_vocabulary(words, counts)
            model._restore(state)
            model.losses = [float(loss) for loss in state["losses"]]
            model.epochs_trained = integer(cls.__name__, "epochs_trained", state["epochs_trained"], 0)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} holds no {cls.__name__}, or is damaged: {error}") from None
        return model

    def _restore(self, state: Any) -> None:
        """Takes the tables of a state over."""
        raise NotImplementedError

    def _check_trained(self) -> None:
        if not hasattr(self, "words"):
            raise RuntimeError(f"{type(self).__name__}: there are no words yet; train first")

    def _set_vocabulary(self, words: list[Any], counts: Array) -> None:
        self.words, self.counts = words, counts
        self._places = {word: place for place, word in enumerate(words)}

    def _report(self, loss: float, words: float, started: float) -> None:
        self.epochs_trained += 1
        self.losses.append(loss)
        if self.verbose:
            speed = words / max(time.perf_counter() - started, 1e-9)
            print(f"epoch {self.epochs_trained}: loss {loss:.4f}, {speed:,.0f} words per second", flush=True)


class Word2Vec(Trained):
    """Vectors of words from the words around them, with gensim's names.

    A corpus given to the constructor is trained on at once. The threads are those of drivetrain
    (`set_num_threads`): the vectors have the same bits for any number of them.

    Args:
        sentences: Iterable of lists of words (str, or int), read once, so a generator will do; or None.
        corpus_file: Path of a text in UTF-8, a sentence per line, words between blanks. A text of any size
            needs little memory: its words wait as numbers in a temporary file.
        vector_size: Values of a vector.
        alpha: Learning rate at the beginning; it falls in a straight line to min_alpha.
        window: The largest distance of two words that are a pair.
        min_count: Words that come less often are left out.
        max_final_vocab: The most words that stay, the most frequent ones; None: all.
        sample: Share of the text from which on a word is left out now and then; 0: never.
        seed: Of all that is drawn.
        min_alpha: Learning rate at the end.
        sg: 1 for skip-gram (a word tells its neighbours), 0 for CBOW (the neighbours tell the word).
        hs: 1 for hierarchical softmax; then negative is of no account.
        negative: Words drawn against each pair.
        ns_exponent: Power of their counts with which those are drawn.
        cbow_mean: 1: the neighbours' mean, 0: their sum.
        epochs: Times that the text is read.
        shrink_windows: Whether the window of each word is drawn between 1 and `window`.
        verbose: Whether every epoch prints a line.

    Attributes:
        wv (KeyedVectors), losses (per epoch, the mean over a sample of the pairs), epochs_trained.

    Raises:
        ValueError: For a corpus without words, or in which no word comes min_count times.
        TypeError: For sentences that are strings.

    Source: T. Mikolov, K. Chen, G. Corrado and J. Dean, 2013; T. Mikolov et al., 2013.

    Example:
        >>> from drivetrain.word_vectors import Word2Vec
        >>> drinks, tools = "tea coffee water milk juice".split(), "hammer saw drill pliers wrench".split()
        >>> model = Word2Vec([drinks, tools] * 100, vector_size=16, window=4, sample=0, alpha=0.1, sg=1)
        >>> {word for word, _ in model.wv.most_similar("tea", topn=4)} == set(drinks) - {"tea"}
        True
    """

    kind = "word2vec"
    LANES, RUN = 8, 256  # runs trained side by side, words of each: docs/word_vectors.md

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        *,
        max_final_vocab: int | None = None,
        sample: float = 1e-3,
        seed: int = 1,
        min_alpha: float = 1e-4,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        cbow_mean: int = 1,
        epochs: int = 5,
        shrink_windows: bool = True,
        verbose: bool = False,
    ) -> None:
        name = type(self).__name__
        self.vector_size = integer(name, "vector_size", vector_size)
        self.alpha = real(name, "alpha", alpha, "a positive number", lambda x: 0 < x < math.inf)
        self.window = integer(name, "window", window)
        self.min_count = integer(name, "min_count", min_count)
        self.max_final_vocab = (
            None if max_final_vocab is None else integer(name, "max_final_vocab", max_final_vocab)
        )
        self.sample = real(name, "sample", sample, "a number of at least 0", lambda x: 0 <= x < math.inf)
        self.seed = integer(name, "seed", seed, 0, 2**63 - 1)
        self.min_alpha = real(
            name, "min_alpha", min_alpha, "a number of at least 0", lambda x: 0 <= x < math.inf
        )
        self.sg, self.hs = _bit(name, "sg", sg), _bit(name, "hs", hs)
        self.negative = integer(name, "negative", negative, 0 if self.hs else 1)
        self.ns_exponent = real(name, "ns_exponent", ns_exponent, "a finite number", math.isfinite)
        self.cbow_mean = _bit(name, "cbow_mean", cbow_mean)
        self.epochs = integer(name, "epochs", epochs)
        self.shrink_windows = flag(name, "shrink_windows", shrink_windows)
        self.verbose = flag(name, "verbose", verbose)
        self.losses = []
        if sentences is not None or corpus_file is not None:
            corpus = self._read(sentences, corpus_file)
            self.build_vocab(corpus)
            self.train(corpus)

    def build_vocab(self, sentences: Any = None, corpus_file: Any = None) -> None:
        """Count the words and draw the vectors that training begins with."""
        corpus = self._read(sentences, corpus_file)
        self._set_vocabulary(*corpus.vocabulary(self.min_count, self.max_final_vocab))
        self._prepare()
        rng = np.random.default_rng(self.seed)
        self.vectors: Array = (
            rng.random((self._rows, self.vector_size), np.float32) - 0.5
        ) / self.vector_size
        self.output = np.zeros((self._outputs, self.vector_size), np.float32)
        self.losses = []
        self.epochs_trained = 0

    def train(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        *,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_epoch_end: Callable[[Any], None] | None = None,
    ) -> Word2Vec:
        """Train on a corpus; words that are not in the vocabulary are left out.

        Args:
            sentences, corpus_file: As of the class.
            epochs: None: those that the class was told and that are left, so that a model that was saved
                between two epochs ends with the bits it would have ended with. A number: so many more.
            start_alpha, end_alpha: Learning rates of these, in place of alpha and min_alpha.
            checkpoint: Path to save the model to after every epoch.
            on_epoch_end: Called with the model after every epoch.

        Raises:
            RuntimeError: Where there is no vocabulary yet.
        """
        name = type(self).__name__
        if not hasattr(self, "words"):
            raise RuntimeError(f"{name}.train: call build_vocab first, or give sentences to {name}")
        corpus = self._read(sentences, corpus_file)
        if not self._places.keys() & set(corpus.words):
            raise ValueError(f"{name}.train: the corpus has no word of the vocabulary")
        first, whole = (
            (self.epochs_trained, integer(name, "epochs", epochs)) if epochs is not None else (0, self.epochs)
        )
        rates = {"start_alpha": start_alpha, "end_alpha": end_alpha}
        for key, rate in rates.items():
            if rate is not None:
                real(f"{name}.train", key, rate, "a number of at least 0", lambda x: 0 <= x < math.inf)
        if on_epoch_end is not None and not callable(on_epoch_end):
            raise TypeError(f"{name}.train: on_epoch_end is {on_epoch_end!r:.80}, expected a function")
        high = self.alpha if start_alpha is None else start_alpha
        low = self.min_alpha if end_alpha is None else end_alpha
        while self.epochs_trained < first + whole:
            started = time.perf_counter()
            found = np.zeros(3)
            for position, read, ids in corpus.chunks(self._places):
                done = [
                    (self.epochs_trained - first + at / corpus.length) / whole
                    for at in (position, position + read)
                ]
                found += self._train_chunk(ids, position, *(high + (low - high) * share for share in done))
            self._report(float(found[0] / max(found[1], 1)), float(found[2]), started)
            self._finish()
            if checkpoint is not None:
                self.save(checkpoint)
            if on_epoch_end is not None:
                on_epoch_end(self)
        return self

    def _train_chunk(self, ids: Array, position: int, first_rate: float, last_rate: float) -> Array:
        tables: dict[str, Any] = {**self._tables, "keep": from_numpy(self._keep)}
        found = _core._train_words(
            from_numpy(ids),
            input=from_numpy(self.vectors),
            output=from_numpy(self.output),
            **tables,
            window=self.window,
            negative=max(self.negative, 1),
            skip_gram=bool(self.sg),
            mean=bool(self.cbow_mean),
            shrink=self.shrink_windows,
            first_rate=first_rate,
            last_rate=last_rate,
            seed=self.seed,
            epoch=self.epochs_trained,
            position=position,
            lanes=self.LANES,
            run=self.RUN,
        )
        return found.numpy()

    @property
    def _rows(self) -> int:
        return len(self.words)

    @property
    def _outputs(self) -> int:
        return max(len(self.words) - 1, 1) if self.hs else len(self.words)

    def _prepare(self) -> None:
        """The tables that the kernel draws from."""
        if self.hs and len(self.words) < 2:
            raise ValueError(
                f"{type(self).__name__}: hierarchical softmax needs a vocabulary of two words, got one"
            )
        share = self.counts / self.counts.sum()
        keep = np.ones(len(share))
        if self.sample:
            keep = np.minimum(1, np.sqrt(self.sample / share) + self.sample / share)
        self._keep = np.round(keep * WHOLE).astype(np.int64)
        if self.hs:
            start, path = _huffman_paths(self.counts)
            self._tables = {"path_start": from_numpy(start), "path": from_numpy(path)}
        else:
            noise = np.cumsum(self.counts.astype(np.float64) ** self.ns_exponent)
            ends = np.round(noise / noise[-1] * WHOLE).astype(np.int64)
            ends[-1] = WHOLE
            self._tables = {"noise": from_numpy(ends)}
        self._finish()

    def _finish(self) -> None:
        self._wv: KeyedVectors | None = None

    @property
    def wv(self) -> KeyedVectors:
        """The vectors by their words; they share the model's memory."""
        self._check_trained()
        if self._wv is None:
            self._wv = KeyedVectors(self.words, self.vectors, self.counts)
        return self._wv

    _ARGUMENTS: tuple[str, ...] = (
        *(
            "vector_size",
            "alpha",
            "window",
            "min_count",
            "max_final_vocab",
            "sample",
            "seed",
            "min_alpha",
            "sg",
            "hs",
        ),
        *("negative", "ns_exponent", "cbow_mean", "epochs", "shrink_windows", "verbose"),
    )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all to a safetensors file: what `load` and `train` go on from."""
        self._check_trained()
        state = {
            "arguments": {name: getattr(self, name) for name in self._ARGUMENTS},
            "words": formats.pack(self.words),
            "counts": self.counts,
            "vectors": self.vectors,
            "output": self.output,
            "epochs_trained": self.epochs_trained,
            "losses": self.losses,
        }
        write_state(path, state, kind=self.kind)

    def _restore(self, state: Any) -> None:
        self._prepare()
        self.vectors = formats.array_of(state, "vectors", np.float32, (self._rows, self.vector_size)).copy()
        self.output = formats.array_of(state, "output", np.float32, (self._outputs, self.vector_size)).copy()


def _bit(owner: str, name: str, value: Any) -> int:
    if not isinstance(value, (int, float, np.number)) or value not in (0, 1):
        raise ValueError(f"{owner}: {name} must be 0 or 1, got {value!r:.80}")
    return int(value)


def _huffman_paths(counts: Array) -> tuple[Array, Array]:
    """Of each word 2 x node + code from the root of the tree to it: where each list begins, and all lists."""
    words = len(counts)
    heap = [(int(count), place) for place, count in enumerate(counts)]
    heapq.heapify(heap)
    parent, code = [0] * (2 * words - 1), [0] * (2 * words - 1)
    for node in range(words, 2 * words - 1):
        low, high = heapq.heappop(heap), heapq.heappop(heap)
        parent[low[1]] = parent[high[1]] = node
        code[high[1]] = 1
        heapq.heappush(heap, (low[0] + high[0], node))
    start = [0]
    path: list[int] = []
    for word in range(words):
        steps, node = [], word
        while node != 2 * words - 2:
            steps.append(2 * (parent[node] - words) + code[node])
            node = parent[node]
        path.extend(reversed(steps))
        start.append(len(path))
    return np.array(start, np.int64), np.array(path, np.int32)
