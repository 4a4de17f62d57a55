"""Stems by snowballstemmer, Chinese words by jieba, byte pairs by tokenizers: `pip install
'drivetrain[text]'`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checks_names
from .._checks import flag, integer
from .._extras import need
from ..io.atomic import replacing
from .blocks import as_texts
from .tokenizers import Tokenizer, as_str


class Stemmer:
    """Words without their endings, by the library snowballstemmer.

    Args:
        language (str, default "english"): One of snowballstemmer's; "porter" is Porter's first one.

    Raises:
        ModuleNotFoundError: Without snowballstemmer.
        ValueError: For a language it does not have.

    Source: Porter, 1980; snowballstem.org.
    """

    def __init__(self, language: str = "english") -> None:
        library = need("Stemmer", "snowballstemmer", "snowballstemmer", "text")
        if language not in library.algorithms():
            raise ValueError(
                f"Stemmer: there is no language {language!r}; choose from {', '.join(library.algorithms())}"
            )
        self.language = language
        self._stem = library.stemmer(language).stemWord

    def __call__(self, word: str) -> str:
        stem: str = self._stem(word)
        return stem

    def __reduce__(self) -> Any:
        return Stemmer, (self.language,)


class JiebaTokenizer(Tokenizer):
    """Chinese words, by the library jieba.

    Args:
        mode ("default", "search" or "all"): One way to cut the text; that with long words cut once more; all
            words.
        hmm (bool, default True): Find words that are not in the dictionary, by a hidden Markov model.
        dictionary (path, optional): Words of one's own: lines of word, frequency and kind.
        **options: Those of `Tokenizer`.

    White space is no token. Raises ModuleNotFoundError without jieba.
    """

    def __init__(
        self,
        mode: str = "default",
        hmm: bool = True,
        dictionary: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if mode not in ("default", "search", "all"):
            raise ValueError(f"JiebaTokenizer: mode is {mode!r}, expected 'default', 'search' or 'all'")
        self.mode, self.hmm = mode, flag("JiebaTokenizer", "hmm", hmm)
        with warnings.catch_warnings():  # of its own code
            warnings.simplefilter("ignore")
            library = need("JiebaTokenizer", "jieba", "jieba", "text")
            library.setLogLevel(60)
            self._jieba = library.Tokenizer()
            self._jieba.initialize()
        if dictionary is not None:
            self._jieba.load_userdict(os.fspath(dictionary))

    def cut(self, text: str) -> list[str]:
        if self.mode == "search":
            found = self._jieba.lcut_for_search(text, HMM=self.hmm)
        else:
            found = self._jieba.lcut(text, cut_all=self.mode == "all", HMM=self.hmm)
        return [token for token in found if not token.isspace()]

    def settings(self) -> dict[str, Any]:
        raise ValueError("JiebaTokenizer: it cannot be saved")


class BytePairTokenizer:
    """Byte-pair encoding on bytes, by the library tokenizers: no text is unknown, and decoding gives it back.

    It is made by `train`, or by `load` from a file ``tokenizer.json`` of the library tokenizers, of any kind.

    Source: Sennrich et al., 2016; on bytes: Radford et al., 2019.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not hasattr(tokenizer, "encode_batch"):
            raise TypeError(
                f"BytePairTokenizer: expected a tokenizers.Tokenizer, got a {type(tokenizer).__name__}; "
                "use BytePairTokenizer.train or .load"
            )
        self.tokenizer = tokenizer

    @classmethod
    @checks_names
    def train(
        cls,
        texts: Iterable[str | bytes] | None = None,
        *,
        files: Iterable[str | os.PathLike[str]] = (),
        vocab_size: int = 8192,
        min_frequency: int = 2,
        special_tokens: Iterable[str] = ("<pad>", "<unk>", "<bos>", "<eos>"),
        lowercase: bool = False,
    ) -> BytePairTokenizer:
        """Learn the pairs from texts or files.

        Args:
            texts: str or UTF-8 bytes.
            files: Paths of UTF-8 text files, in place of texts.
            vocab_size: How many tokens, special ones and the 256 bytes among them; no fewer than those.
            min_frequency: How often a pair has come at least.
            special_tokens: They get the first numbers.
            lowercase: Lower all text, also when it is encoded.
        """
        who = "BytePairTokenizer.train"
        library = need(who, "tokenizers", "tokenizers", "text")
        for name, given in (("files", files), ("special_tokens", special_tokens)):
            if isinstance(given, (str, bytes, os.PathLike)):
                raise TypeError(f"{who}: {name} is {given!r:.80}, expected a list of them")
        special, paths = list(special_tokens), [os.fspath(path) for path in files]
        if len(set(special)) < len(special):
            raise ValueError(f"{who}: special_tokens are {special!r:.80}, of which one comes twice")
        size = integer(who, "vocab_size", vocab_size, 1, 2**31 - 1)
        if size < 256 + len(special):
            raise ValueError(
                f"{who}: vocab_size is {size}, expected at least {256 + len(special)}: 256 bytes and "
                f"{len(special)} special tokens"
            )
        if (texts is None) == (not paths):
            raise ValueError(f"{who}: expected either texts or files")
        made = library.Tokenizer(library.models.BPE())
        made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = library.decoders.ByteLevel()
        if flag(who, "lowercase", lowercase):
            made.normalizer = library.normalizers.Lowercase()
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=integer(who, "min_frequency", min_frequency),
            special_tokens=special,
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        for path in paths:
            Path(path).open("rb").close()  # its own error names no file
        try:
            if paths:
                made.train(paths, trainer)
            else:
                made.train_from_iterator(_checked(who, as_texts(who, texts)), trainer)
        except UnicodeEncodeError as error:
            raise ValueError(f"{who}: a text has a lone surrogate at position {error.start}") from None
        except Exception as error:
            if type(error) is not Exception:
                raise
            raise ValueError(f"{who}: {error}") from None  # the library raises Exception itself
        return cls(made)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> BytePairTokenizer:
        """Read a tokenizer.json.

        Raises:
            ValueError: For a file that is none.
        """
        library = need("BytePairTokenizer.load", "tokenizers", "tokenizers", "text")
        data = Path(path).read_bytes()
        try:
            return cls(library.Tokenizer.from_buffer(data))
        except Exception as error:  # the library raises Exception itself
            raise ValueError(f"{os.fspath(path)}: no tokenizer.json: {error}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a tokenizer.json, which the library tokenizers reads as well."""
        with replacing(path) as file:
            file.write(self.tokenizer.to_str(pretty=True).encode())

    def __len__(self) -> int:
        return int(self.tokenizer.get_vocab_size())

    def id_of(self, token: str) -> int | None:
        """The number of a token, a special one say; None where there is none."""
        number: int | None = self.tokenizer.token_to_id(token)
        return number

    def __call__(self, text: str) -> list[str]:
        """The tokens of a text; for bytes that are no printable ASCII stand other characters."""
        tokens: list[str] = self.tokenizer.encode(as_str("BytePairTokenizer", text, "strict")).tokens
        return tokens

    def encode(self, text: str) -> NDArray[np.int64]:
        """(n,) int64."""
        checked = as_str("BytePairTokenizer.encode", text, "strict")
        return np.array(self.tokenizer.encode(checked).ids, np.int64)

    def encode_batch(self, texts: Iterable[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(all numbers in a row, offsets (texts + 1,)), as `Vocabulary.encode_batch`."""
        who = "BytePairTokenizer.encode_batch"
        made = self.tokenizer.encode_batch(list(_checked(who, as_texts(who, texts))))
        rows = [np.array(each.ids, np.int64) for each in made]
        offsets = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int64)
        return np.concatenate([np.zeros(0, np.int64), *rows]), offsets

    def decode(self, ids: ArrayLike, *, skip_special: bool = True) -> str:
        """The text of numbers (n,).

        Raises:
            IndexError: For one that no token has.
        """
        numbers = np.asarray(ids).reshape(-1)
        if numbers.size and numbers.dtype.kind not in "iu":
            raise TypeError(f"BytePairTokenizer.decode: ids are {numbers.dtype}, expected integers")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            wrong = int(np.argmax((numbers < 0) | (numbers >= len(self))))
            raise IndexError(
                f"BytePairTokenizer.decode: ids[{wrong}] is {numbers[wrong]}, expected 0 to {len(self) - 1}"
            )
        text: str = self.tokenizer.decode(numbers.tolist(), skip_special_tokens=skip_special)
        return text

    def __repr__(self) -> str:
        return f"BytePairTokenizer({len(self)} tokens)"


def _checked(who: str, texts: Iterable[Any]) -> Iterator[str]:
    for i, text in enumerate(texts):
        yield as_str(who, text, "strict", i)
