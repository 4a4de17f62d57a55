"""English phrases with their Chinese translations, out of LibreOffice's message catalogues."""

from __future__ import annotations

import gettext
import os
import re
import struct
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np

from .._checks import integer
from .parts import check_split, text_parts

DEBIAN_FOLDER = Path("/usr/lib/libreoffice/program/resource/zh_CN/LC_MESSAGES")
INSTALL = "apt install libreoffice-l10n-zh-cn"
Pairs: TypeAlias = tuple[list[str], list[str]]

KEY = re.compile(r"\s*\([_~]?[A-Z0-9]\)|\([_~].\)")  # of a menu entry, as in 打开(_O)
MARK = re.compile(r"[_~](?=\w)")
TAG = re.compile(r"<[^>]*>|%[A-Z]+%?|\$[({]|%\d|\n")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@overload
def libreoffice_chinese(
    split: None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    longest: int = 30,
    test_size: float | int = 0.1,
    seed: int = 0,
) -> tuple[Pairs, Pairs]: ...
@overload
def libreoffice_chinese(
    split: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    longest: int = 30,
    test_size: float | int = 0.1,
    seed: int = 0,
) -> Pairs: ...
def libreoffice_chinese(
    split: str | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    longest: int = 30,
    test_size: float | int = 0.1,
    seed: int = 0,
) -> Pairs | tuple[Pairs, Pairs]:
    """Return phrases of LibreOffice's menus, dialogues and messages in English and in simplified Chinese.

    Marks of shortcut keys are taken out, phrases with tags or variables are left out, and of several
    translations of a phrase the first stays: no English phrase is in both parts.

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both.
        folder (path, optional): Folder with ``*.mo`` files. Default: where Debian's package
            libreoffice-l10n-zh-cn puts them.
        longest (int, default 30): Words of the longest English phrase.
        test_size (float or int, default 0.1): Share (between 0 and 1) or number of the phrases in the test
            part; ignored for ``split="all"``.
        seed (int, default 0): Which division into train and test; the same seed always gives the same parts.

    Returns:
        english (list of str), chinese (list of str): The same phrase at the same place.

    Raises:
        FileNotFoundError: When there are no files; the message says the command that gets them.
        ValueError: For an unknown split, an impossible ``test_size``, or damaged files.

    Source: The Document Foundation, LibreOffice (MPL 2.0).

    Example:
        >>> from drivetrain.datasets import libreoffice_chinese
        >>> (english, chinese), test = libreoffice_chinese()  # doctest: +SKIP
        >>> english[0], chinese[0]  # doctest: +SKIP
    """
    check_split("libreoffice_chinese", split)
    integer("libreoffice_chinese", "longest", longest)
    pairs: dict[str, str] = {}
    for english, chinese in messages(DEBIAN_FOLDER if folder is None else Path(folder)):
        english, chinese = MARK.sub("", KEY.sub("", english)).strip(), KEY.sub("", chinese).strip()
        if TAG.search(english) or TAG.search(chinese) or not CHINESE.search(chinese):
            continue
        if english and len(english.split()) <= longest:
            pairs.setdefault(english, chinese)
    if not pairs:
        raise ValueError(f"libreoffice_chinese: no phrases of up to {longest} words in {folder}")
    texts = list(pairs)
    if split == "all":
        return texts, list(pairs.values())
    places = np.arange(len(texts))
    parts = text_parts("libreoffice_chinese", texts, places, split, test_size, seed)
    named = [parts] if split else parts
    both = [(phrases, [pairs[p] for p in phrases]) for phrases, _ in named]
    return both[0] if split else (both[0], both[1])


def messages(folder: Path) -> list[tuple[str, str]]:
    files = sorted(folder.glob("*.mo"))
    if not files:
        raise FileNotFoundError(
            f"libreoffice_chinese: no *.mo files in {folder}; on Debian and Ubuntu get them with: {INSTALL}; "
            "elsewhere pass folder="
        )
    found = []
    for path in files:
        try:
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)
            entries = vars(catalogue)["_catalog"]
        except (OSError, ValueError, struct.error, LookupError) as error:  # unknown encodings are the last
            raise ValueError(
                f"libreoffice_chinese: {path} is damaged ({error}); reinstall it: {INSTALL}"
            ) from error
        for key, translation in entries.items():
            english = key[0] if isinstance(key, tuple) else key  # of a phrase with a plural, the singular
            found.append((english.split("\x04")[-1], translation))  # before it: where the phrase is used
    return found
