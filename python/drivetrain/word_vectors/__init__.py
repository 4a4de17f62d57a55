"""Word vectors: word2vec, fastText and GloVe, trained by compiled kernels; neighbours, analogies, files."""

from .fasttext import FastText, SubwordVectors
from .glove import GloVe
from .keyed_vectors import KeyedVectors
from .word2vec import Word2Vec

__all__ = ["FastText", "GloVe", "KeyedVectors", "SubwordVectors", "Word2Vec"]
