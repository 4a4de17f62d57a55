"""The Jargon File, a dictionary of hackers' slang: 1.7 MB of English to learn a language model from."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import overload

from .parts import check_split

DEBIAN_FILE = Path("/usr/share/doc/jargon-text/jargon.txt.gz")
INSTALL = "apt install jargon-text"
LARGEST = 64 << 20


@overload
def jargon_file(split: None = None, *, path: str | os.PathLike[str] | None = None) -> tuple[str, str]: ...
@overload
def jargon_file(split: str, *, path: str | os.PathLike[str] | None = None) -> str: ...
def jargon_file(
    split: str | None = None, *, path: str | os.PathLike[str] | None = None
) -> str | tuple[str, str]:
    """Return the text of the Jargon File.

    Args:
        split ("train", "test" or "all", optional): Which part to return: the first 90% of the characters are
            for training, the rest for testing. Default: both.
        path (path, optional): ``jargon.txt`` or ``jargon.txt.gz``. Default: where Debian's package
            jargon-text puts it.

    Returns:
        text (str): 1.6 million characters, lines broken at 79; tables are drawn with box characters.

    Raises:
        FileNotFoundError: When the file is missing; the message says the command that gets it.
        ValueError: For an unknown split or a damaged file.

    Source: E. S. Raymond and others, The Jargon File, version 4.4.7, 2003 (public domain).

    Example:
        >>> from drivetrain.datasets import jargon_file
        >>> train, test = jargon_file()  # doctest: +SKIP
        >>> len(train) // len(test)  # doctest: +SKIP
        9
    """
    check_split("jargon_file", split)
    text = read(DEBIAN_FILE if path is None else Path(path))
    cut = len(text) * 9 // 10
    parts = {"all": text, "train": text[:cut], "test": text[cut:]}
    return parts[split] if split else (parts["train"], parts["test"])


def read(path: Path) -> str:
    if not path.is_file():
        raise FileNotFoundError(
            f"jargon_file: {path} is missing; on Debian and Ubuntu get it with: {INSTALL} (packages' "
            "documents must not be left out); elsewhere pass path="
        )
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST + 1)
        text = content.decode("utf-8")
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise ValueError(f"jargon_file: {path} is damaged ({error}); reinstall it: {INSTALL}") from error
    if not 1000 <= len(content) <= LARGEST:
        raise ValueError(f"jargon_file: {path} holds {len(content):,} bytes, expected 1,000 to {LARGEST:,}")
    return text
