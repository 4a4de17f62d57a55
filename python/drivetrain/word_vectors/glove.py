"""GloVe: vectors whose products are the logarithms of how often words come together."""

from __future__ import annotations

import math
import os
import tempfile
import time
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core, from_numpy
from .._checks import flag, integer, real
from ..io import write_state
from . import formats
from .corpus import Corpus
from .keyed_vectors import KeyedVectors
from .word2vec import Trained

Array = NDArray[Any]
Entries = tuple[Array, Array]
ENTRY = 16  # bytes of a key and its count
MOST_PARTS = 256  # files open at a time


class GloVe(Trained):
    """Vectors of words from a matrix of how often they come together.

    Pairs are counted in bounded memory: what is too much lies in a temporary file, in parts that are trained
    on one after the other, in an order drawn anew for every epoch. The vectors have the same bits for any
    number of threads.

    Args:
        sentences, corpus_file, vector_size, min_count, max_final_vocab, seed, verbose: As of `Word2Vec`.
        window: The largest distance of two words that count as a pair; at a distance of d they count 1 / d.
        x_max, power: A pair that comes x times weighs (x / x_max)^power, at most 1.
        learning_rate: Of AdaGrad.
        epochs: Times that all pairs are visited.
        memory: Bytes that counting and training may take beside the vectors.

    Attributes:
        wv (KeyedVectors): The sums of the words' two vectors. losses, epochs_trained.

    Source: J. Pennington, R. Socher and C. Manning, 2014.

    Example:
        >>> from drivetrain.word_vectors import GloVe
        >>> drinks, tools = "tea coffee water milk juice".split(), "hammer saw drill pliers wrench".split()
        >>> model = GloVe([drinks, tools] * 100, vector_size=8, window=4, epochs=50)
        >>> model.losses[-1] < model.losses[0] / 100
        True
    """

    kind = "glove"
    LANES, RUN = 8, 256

    def __init__(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        vector_size: int = 100,
        window: int = 15,
        min_count: int = 5,
        *,
        max_final_vocab: int | None = None,
        x_max: float = 100.0,
        power: float = 0.75,
        learning_rate: float = 0.05,
        epochs: int = 25,
        seed: int = 1,
        memory: int = 1 << 30,
        verbose: bool = False,
    ) -> None:
        self.vector_size = integer("GloVe", "vector_size", vector_size)
        self.window = integer("GloVe", "window", window)
        self.min_count = integer("GloVe", "min_count", min_count)
        self.max_final_vocab = (
            None if max_final_vocab is None else integer("GloVe", "max_final_vocab", max_final_vocab)
        )
        positive = ("a positive number", lambda x: 0 < x < math.inf)
        self.x_max = real("GloVe", "x_max", x_max, *positive)
        self.power = real("GloVe", "power", power, *positive)
        self.learning_rate = real("GloVe", "learning_rate", learning_rate, *positive)
        self.epochs = integer("GloVe", "epochs", epochs)
        self.seed = integer("GloVe", "seed", seed, 0)
        self.memory = integer("GloVe", "memory", memory, 1 << 16)
        self.verbose = flag("GloVe", "verbose", verbose)
        self.losses = []
        if sentences is not None or corpus_file is not None:
            self.train(sentences, corpus_file)

    def train(
        self,
        sentences: Any = None,
        corpus_file: Any = None,
        *,
        epochs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> GloVe:
        """Count the pairs of a corpus and train on them.

        The first corpus makes the vocabulary. A model that was loaded goes on to `epochs` in all with the
        bits it would have ended with; epochs=n trains n more. With `checkpoint` every epoch is saved.
        """
        corpus = self._read(sentences, corpus_file)
        if not hasattr(self, "words"):
            self._set_vocabulary(*corpus.vocabulary(self.min_count, self.max_final_vocab))
            rng = np.random.default_rng(self.seed)
            shape = (2, len(self.words), self.vector_size + 1)
            drawn = (rng.random(shape, np.float32) - 0.5) / self.vector_size
            # Of a word the vector, its bias, and AdaGrad's sums of squares, which begin at 1.
            self.tables = np.concatenate([drawn, np.ones(shape, np.float32)], 2)
        last = self.epochs if epochs is None else self.epochs_trained + integer("GloVe", "epochs", epochs)
        pairs = Pairs(corpus, self._places, self.window, self.memory)
        while self.epochs_trained < last:
            started = time.perf_counter()
            rng = np.random.default_rng([self.seed, self.epochs_trained])
            loss, visited = 0.0, 0
            for part in rng.permutation(pairs.parts):
                keys, counts = pairs.read(int(part))
                low, high = np.divmod(keys, len(self.words))
                mirrored = low != high
                rows = np.concatenate([low, high[mirrored]])
                columns = np.concatenate([high, low[mirrored]])
                counts = np.concatenate([counts, counts[mirrored]])
                order = rng.permutation(len(rows))
                loss += _core._train_glove(
                    from_numpy(rows[order]),
                    from_numpy(columns[order]),
                    from_numpy(counts[order]),
                    from_numpy(self.tables[0]),
                    from_numpy(self.tables[1]),
                    self.learning_rate,
                    self.x_max,
                    self.power,
                    self.LANES,
                    self.RUN,
                )
                visited += len(rows)
            if not visited:
                raise ValueError("GloVe: no two words of the vocabulary stand in one window")
            self._report(loss / visited, corpus.length, started)
            if checkpoint is not None:
                self.save(checkpoint)
        return self

    @property
    def wv(self) -> KeyedVectors:
        """The sums of the words' two vectors."""
        self._check_trained()
        return KeyedVectors(self.words, self.tables[:, :, : self.vector_size].sum(0), self.counts)

    _ARGUMENTS: tuple[str, ...] = (
        *(
            "vector_size",
            "window",
            "min_count",
            "max_final_vocab",
            "x_max",
            "power",
            "learning_rate",
            "epochs",
        ),
        *("seed", "memory", "verbose"),
    )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all to a safetensors file: what `load` and `train` go on from."""
        self._check_trained()
        state = {
            "arguments": {name: getattr(self, name) for name in self._ARGUMENTS},
            "words": formats.pack(self.words),
            "counts": self.counts,
            "tables": self.tables,
            "epochs_trained": self.epochs_trained,
            "losses": self.losses,
        }
        write_state(path, state, kind=self.kind)

    def _restore(self, state: Any) -> None:
        shape = (2, len(self.words), 2 * (self.vector_size + 1))
        self.tables = formats.array_of(state, "tables", np.float32, shape).copy()


class Pairs:
    """How often words come together: keys low * words + high, in parts that are small enough for memory."""

    def __init__(self, corpus: Corpus, places: dict[Any, int], window: int, memory: int) -> None:
        self.words = len(places)
        most = max(memory // (8 * ENTRY), 1 << 10)  # entries of a part; sorting takes several times as much
        self.parts = min(max(1, math.ceil(corpus.length * window / most)), MOST_PARTS)
        room = max(most // self.parts, 1) * ENTRY
        self._files = [tempfile.SpooledTemporaryFile(room) for _ in range(self.parts)]  # noqa: SIM115
        for file in self._files:
            weakref.finalize(self, file.close)
        waiting: list[Entries] = []
        size = max(1 << 10, min(1 << 18, most // window))
        before = np.empty(0, np.int32)
        for _, _, ids in corpus.chunks(places, size):
            both = np.concatenate([before, ids])
            counted = _core._count_pairs(from_numpy(both), self.words, window, len(before))
            before = both[-window:]
            waiting.append((counted[0].numpy(), counted[1].numpy()))
            if sum(len(keys) for keys, _ in waiting) > most:
                waiting = [self._merged(waiting)]
                if len(waiting[0][0]) > most // 2:
                    self._put(*waiting.pop())
        if waiting:
            self._put(*self._merged(waiting))

    def _merged(self, entries: list[Entries]) -> Entries:
        keys, counts = (from_numpy(np.concatenate(x)) for x in zip(*entries, strict=True))
        summed = _core._sum_by_key(keys, counts)
        return summed[0].numpy(), summed[1].numpy()

    def _put(self, keys: Array, counts: Array) -> None:
        for part, file in enumerate(self._files):
            mine = keys % self.parts == part
            both = np.empty(int(mine.sum()), [("key", np.int64), ("count", np.float64)])
            both["key"], both["count"] = keys[mine], counts[mine]
            file.write(both.tobytes())

    def read(self, part: int) -> Entries:
        """The keys of a part and their counts."""
        file = self._files[part]
        file.seek(0)
        both = np.frombuffer(file.read(), [("key", np.int64), ("count", np.float64)])
        return self._merged([(both["key"], both["count"])])
