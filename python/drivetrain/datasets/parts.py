"""The division of a data set into a training and a test part."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.split import split_indices

Arrays: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]
SPLITS = ("all", "train", "test")


def check_split(name: str, split: Any) -> None:
    if split is not None and (not isinstance(split, str) or split not in SPLITS):
        raise ValueError(
            f"{name}: split is {split!r}, expected 'train', 'test', 'all' or None for both parts"
        )


def stratified_parts(
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    split: str | None,
    test_size: float | int,
    seed: int,
) -> Arrays | tuple[Arrays, Arrays]:
    """Return what ``split`` asks for of a stratified division, in the order that the shuffle gave it."""
    if split == "all":
        return images, labels
    train, test = split_indices(len(labels), test_size=test_size, seed=seed, stratify=labels, where=name)
    train_part, test_part = (images[train], labels[train]), (images[test], labels[test])
    return {"train": train_part, "test": test_part}[split] if split else (train_part, test_part)


def text_parts(
    name: str,
    texts: list[str],
    labels: NDArray[Any],
    split: str | None,
    test_size: float | int,
    seed: int,
    stratify: NDArray[np.int64] | None = None,
) -> Any:
    """Return what ``split`` asks for of a shuffled division of texts and labels."""
    if split == "all":
        return texts, labels
    parts = split_indices(len(texts), test_size=test_size, seed=seed, stratify=stratify, where=name)
    train, test = (([texts[i] for i in part], labels[part]) for part in parts)
    return {"train": train, "test": test}[split] if split else (train, test)
