"""A micrograph of cell nuclei with their outlines, out of the package stardist."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from .._checks import integer
from .._extras import need
from .parts import check_split

if TYPE_CHECKING:
    Tiles: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]

Number = TypeVar("Number", np.uint8, np.int64)
INSTALL = "pip install --no-deps stardist"  # with what it imports it is a gigabyte, for two pictures
SIDE = 512
TEST_FROM = 384  # the column at which the test part begins


@overload
def nuclei(split: None = None, *, size: int = 128, stride: int | None = None) -> tuple[Tiles, Tiles]: ...
@overload
def nuclei(split: str, *, size: int = 128, stride: int | None = None) -> Tiles: ...
def nuclei(
    split: str | None = None, *, size: int = 128, stride: int | None = None
) -> Tiles | tuple[Tiles, Tiles]:
    """Return tiles of a fluorescence micrograph of nuclei, with masks drawn by hand: a task of segmentation.

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both, ``(images, masks),
            (images, masks)``. The left three quarters of the picture are for training, the right quarter for
            testing; "all" is the whole picture as one image.
        size (int, default 128): Height and width of a tile, 16 to 128 pixels.
        stride (int, optional): Pixels from one training tile to the next. Default: ``size``, no overlap. The
            test tiles never overlap.

    Returns:
        images (uint8 array of shape (n, size, size, 1)): Brightness, 0 to 235.
        masks (int64 array of shape (n, size, size)): 1 in a nucleus and 0 elsewhere; 20% are 1.

    Raises:
        ModuleNotFoundError: When stardist's files or Pillow are not there; the message says the command that
            installs them. The package need not be importable.
        ValueError: For an unknown split, a size or stride out of range, or damaged files.

    Source: the sample picture of stardist (U. Schmidt and others, Cell detection with star-convex polygons,
    2018), out of the Data Science Bowl 2018.

    Example:
        >>> from drivetrain.datasets import nuclei
        >>> (images, masks), (test_images, test_masks) = nuclei()  # doctest: +SKIP
        >>> images.shape, test_masks.shape  # doctest: +SKIP
        ((12, 128, 128, 1), (4, 128, 128))
    """
    check_split("nuclei", split)
    size = integer("nuclei", "size", size, 16, SIDE - TEST_FROM)
    stride = size if stride is None else integer("nuclei", "stride", stride, 1, SIDE)
    image, mask = read("img2d.tif").astype(np.uint8), (read("mask2d.tif") > 0).astype(np.int64)
    if split == "all":
        return image[None, :, :, None], mask[None]
    train = slice(0, TEST_FROM), size if stride is None else stride
    test = slice(TEST_FROM, SIDE), size
    parts = {
        name: (tiles(image[:, columns], size, step)[..., None], tiles(mask[:, columns], size, step))
        for name, (columns, step) in (("train", train), ("test", test))
    }
    return parts[split] if split else (parts["train"], parts["test"])


def tiles(picture: NDArray[Number], size: int, stride: int) -> NDArray[Number]:
    """Cut (h, w) into (n, size, size), from left to right and then down."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (size, size))[::stride, ::stride]
    return np.ascontiguousarray(windows.reshape(-1, size, size))


def read(name: str) -> NDArray[np.uint16]:
    path = find_file(name)
    image_module = need("nuclei", "PIL.Image", "Pillow", "images")
    try:
        with image_module.open(path) as image:
            pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"nuclei: {path} is damaged ({error}); reinstall it: {INSTALL}") from error
    if pixels.shape != (SIDE, SIDE) or pixels.dtype != np.uint16 or pixels.max() > 255:
        raise ValueError(
            f"nuclei: {path} holds {pixels.dtype} of shape {pixels.shape}, "
            f"expected bytes in uint16 of {(SIDE, SIDE)}"
        )
    return pixels


def find_file(name: str) -> Path:
    """Return the path of stardist's file. Importing stardist would import numba and more."""
    spec = importlib.util.find_spec("stardist")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "data", "images", name)
        if path.is_file():
            return path
    raise ModuleNotFoundError(
        f"nuclei: {name} comes with the package stardist, get it with: {INSTALL}", name="stardist"
    )
