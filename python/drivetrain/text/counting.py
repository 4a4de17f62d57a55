"""How often tokens come in texts and files."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from .._arguments import checks_names
from .._checks import integer
from ._tokens import Table
from .blocks import as_texts, check_errors, check_threads, in_blocks, on_threads, read_blocks
from .tokenizers import as_str, as_tokenizer

MOST = 2**53  # of a count: sums of many stay within int64


class TokenCounter:
    """Counts tokens: of lists of texts, of token lists, of files of any size.

    Args:
        tokenizer (Tokenizer or callable, optional): What cuts texts. Default: `WordTokenizer()`.
        threads (int, optional): Default: as many as drivetrain uses. The counts do not depend on it.
            Functions and plug-ins written in Python run on one.

    Example:
        >>> from drivetrain.text import TokenCounter, WordTokenizer
        >>> counter = TokenCounter(WordTokenizer(lowercase=True))
        >>> counter.update(["To be, or not to be:", "that is the question."])
        >>> counter.most_common(3)
        [('be', 2), ('to', 2), ('is', 1)]
        >>> counter["not"], counter["nothing"], len(counter), counter.total
        (1, 0, 8, 10)
    """

    @checks_names
    def __init__(self, tokenizer: Any = None, *, threads: int | None = None) -> None:
        self.tokenizer = as_tokenizer("TokenCounter", tokenizer)
        self.threads = check_threads("TokenCounter", threads)
        self._table = Table()
        self._free: deque[Table] = deque()  # one for each thread that counts

    def update(self, texts: Iterable[Any]) -> None:
        """Count the tokens of texts (str or UTF-8 bytes), or of lists of tokens.

        Raises:
            TypeError: For a text that is neither, None say, with its number.
            ValueError: For bytes that are no UTF-8.
        """
        blocks = in_blocks(as_texts("TokenCounter.update", texts))
        self._run(blocks, self._count_block)

    def update_file(
        self, path: str | os.PathLike[str], encoding: str = "utf-8", errors: str | None = None
    ) -> None:
        """Count the tokens of a text file, of which a few MB at most are in memory, even if it is one line.

        Args:
            path: The file.
            encoding: Any that Python knows.
            errors: "strict", "replace" or "ignore". Default: that of the tokenizer.

        Raises:
            ValueError: For bytes that are not of the encoding, with their place in the file; for more than 64
                MB without a character that separates tokens.
        """
        errors = check_errors("TokenCounter.update_file", self.tokenizer.errors if errors is None else errors)
        blocks = read_blocks(path, encoding, errors, self.tokenizer.separates)

        def count(job: tuple[int, bytes], table: Table) -> None:
            place, data = job
            try:
                if self.tokenizer.scanner is not None and self._is_plain:
                    self.tokenizer.scanner.count([data], table, errors)
                else:
                    table.add(self.tokenizer(as_str("", data, errors)), 1)
            except ValueError:
                check_utf8(path, data, place, errors)
                raise

        self._run(blocks, count)

    @property
    def _is_plain(self) -> bool:
        return self.tokenizer.normalizer is None and self.tokenizer.stemmer is None

    def _run(self, jobs: Any, function: Any) -> None:
        plain = self.tokenizer.scanner is not None and self._is_plain
        counted = [Table() for _ in range(self.threads if plain else 1)]
        self._free = deque(counted)

        def work(job: Any) -> None:
            table = self._free.pop()
            try:
                function(job, table)
            finally:
                self._free.append(table)

        jobs = iter(jobs)
        few = list(itertools.islice(jobs, 2))  # one block is no work for threads
        threads = len(counted) if len(few) > 1 else 1
        for _ in on_threads(work, itertools.chain(few, jobs), threads):
            pass
        # Only when all has gone well: an error leaves the counts as they were.
        for table in counted:
            self._take(table)

    def _take(self, table: Table) -> None:
        if len(self._table):
            self._table.merge(table)
        else:
            self._table = table

    def _count_block(self, job: tuple[int, list[Any]], table: Table) -> None:
        first, texts = job
        if self.tokenizer.scanner is not None and self._is_plain and not isinstance(texts[0], (list, tuple)):
            self.tokenizer.scanner.count(texts, table, self.tokenizer.errors, first)
            return
        for i, text in enumerate(texts, first):
            if isinstance(text, (list, tuple)):
                tokens = list(text)
            else:
                tokens = self.tokenizer(as_str("TokenCounter", text, self.tokenizer.errors, i))
            table.add(tokens, 1)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add counts that stand in a dict."""
        if not isinstance(counts, Mapping):
            raise TypeError(f"TokenCounter.add: counts is a {type(counts).__name__}, expected a dict")
        table = Table()
        table.add_counts(
            list(counts), [integer("TokenCounter.add", "a count", n, 0, MOST) for n in counts.values()]
        )
        self._take(table)

    def merge(self, other: TokenCounter) -> None:
        """Add the counts of another counter, of another file say."""
        if not isinstance(other, TokenCounter):
            raise TypeError(f"TokenCounter.merge: other is a {type(other).__name__}, expected a TokenCounter")
        self._table.merge(other._table)

    def most_common(self, n: int | None = None, min_frequency: int = 1) -> list[tuple[str, int]]:
        """(token, count), the most frequent first, ties in the order of their code points.

        Args:
            n: How many at most. Default: all.
            min_frequency: Of those that came at least so often.
        """
        return list(zip(*self.ranked(n, min_frequency), strict=True))

    def ranked(self, n: int | None = None, min_frequency: int = 1) -> tuple[list[str], list[int]]:
        """The tokens and the counts of `most_common`, each as a list."""
        most = -1 if n is None else integer("TokenCounter.most_common", "n", n, 0)
        least = integer("TokenCounter.most_common", "min_frequency", min_frequency, 0)
        tokens, counts, _ = self._table.ranked(least, most)
        return tokens, counts

    def __getitem__(self, token: str) -> int:
        return self._table.count(token)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def total(self) -> int:
        """All that was counted."""
        return sum(self._table.ranked()[1])

    def __repr__(self) -> str:
        return f"TokenCounter({len(self)} tokens)"


def check_utf8(path: str | os.PathLike[str], data: bytes, place: int, errors: str) -> None:
    """Says where in a file the bytes are that are no UTF-8."""
    try:
        data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{os.fspath(path)}: no UTF-8 at byte {place + error.start:,}: {error.reason}"
        ) from None
