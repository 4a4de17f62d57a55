"""The UCI digits: 1,797 handwritten digits, scanned to 8 x 8 pixels."""

from __future__ import annotations

import gzip
import io
from importlib import resources
from typing import TYPE_CHECKING, overload

import numpy as np

from .parts import check_split, stratified_parts

if TYPE_CHECKING:
    from .parts import Arrays

SHAPE = (1797, 65)


@overload
def digits(split: None = None, *, test_size: float | int = 0.2, seed: int = 0) -> tuple[Arrays, Arrays]: ...
@overload
def digits(split: str, *, test_size: float | int = 0.2, seed: int = 0) -> Arrays: ...
def digits(
    split: str | None = None, *, test_size: float | int = 0.2, seed: int = 0
) -> Arrays | tuple[Arrays, Arrays]:
    """Return the UCI handwritten digits that ship with the package.

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both, ``(images, labels),
            (images, labels)``, as Keras does. They are stratified: every class has its share of the test
            part.
        test_size (float or int, default 0.2): Share (between 0 and 1) or number of images in the test part;
            ignored for ``split="all"``.
        seed (int, default 0): Which division into train and test; the same seed always gives the same parts.

    Returns:
        images (uint8 array of shape (n, 8, 8, 1)): Ink per pixel, 0 (paper) to 16.
        labels (int64 array of shape (n,)): The digit, 0 to 9.

    Raises:
        ValueError: For an unknown split or an impossible ``test_size``.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, https://doi.org/10.24432/C50P49 (CC BY 4.0); the test part of 1,797 digits, in
    scikit-learn's file.

    Example:
        >>> from drivetrain.datasets import digits
        >>> images, labels = digits("train")
        >>> images.shape, images.dtype, labels.shape
        ((1437, 8, 8, 1), dtype('uint8'), (1437,))
    """
    check_split("digits", split)
    packed = resources.files(__package__).joinpath("digits.csv.gz").read_bytes()
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), dtype=np.uint8, delimiter=",")
    if table.shape != SHAPE:
        raise ValueError(f"digits: the installed file holds a table of shape {table.shape}, expected {SHAPE}")
    images = np.ascontiguousarray(table[:, :-1]).reshape(-1, 8, 8, 1)
    return stratified_parts("digits", images, table[:, -1].astype(np.int64), split, test_size, seed)
