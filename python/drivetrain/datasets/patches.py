"""Patches of the sample photographs of scikit-image and scikit-learn, as a folder of class folders."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import integer
from .._extras import need

INSTALL = "pip install 'drivetrain[photographs]'"
FOLDERS = {"skimage": ("data",), "sklearn": ("datasets", "images")}
PHOTOGRAPHS = {
    "astronaut": ("skimage", "astronaut.png"),
    "brick": ("skimage", "brick.png"),
    "camera": ("skimage", "camera.png"),
    "cat": ("skimage", "chelsea.png"),
    "coffee": ("skimage", "coffee.png"),
    "coins": ("skimage", "coins.png"),
    "flower": ("sklearn", "flower.jpg"),
    "galaxies": ("skimage", "hubble_deep_field.jpg"),
    "grass": ("skimage", "grass.png"),
    "gravel": ("skimage", "gravel.png"),
    "moon": ("skimage", "moon.png"),
    "motorcycle": ("skimage", "motorcycle_left.png"),
    "retina": ("skimage", "retina.jpg"),
    "rocket": ("skimage", "rocket.jpg"),
    "temple": ("sklearn", "china.jpg"),
    "tissue": ("skimage", "ihc.png"),
}
PER_PHOTOGRAPH = 64  # at most: the largest photographs would otherwise outweigh the others


def photographs(folder: str | os.PathLike[str], *, size: int = 64) -> Path:
    """Cut 16 photographs into patches and write them as ``folder/train/CLASS/*.png`` and ``folder/test``.

    The task is to tell from a patch which photograph it was cut out of. Every photograph is laid out in
    squares that do not overlap; every fourth square, in a pattern like a knight's moves, is for testing, so
    that the two parts show different places of the same photograph.

    Args:
        folder (path): Where to write; made if it does not exist. A file that is there is left alone and
            trusted, so a second call costs nothing.
        size (int, default 64): Height and width of the patches, 16 to 128 pixels.

    Returns:
        The folder, as a ``Path``: 16 classes, with ``size=64`` 674 patches to train and 219 to test.

    Raises:
        ModuleNotFoundError: When scikit-image, scikit-learn or Pillow is not installed; the message says the
            command that installs them.
        ValueError: For a size out of range.

    Source: the sample photographs of scikit-image (``skimage.data``) and scikit-learn
    (``sklearn.datasets.load_sample_images``); their licences are in the packages.

    Example:
        >>> from drivetrain.datasets import photographs
        >>> photographs("photographs")  # doctest: +SKIP
        PosixPath('photographs')
    """
    size = integer("photographs", "size", size, 16, 128)
    sources = {name: find_file(*place) for name, place in PHOTOGRAPHS.items()}
    image_module = need("photographs", "PIL.Image", "Pillow", "photographs")
    top = Path(folder)
    for name, path in sources.items():
        with image_module.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        for part, number, patch in cut(pixels, size):
            target = top / part / name / f"{name}_{number:02d}.png"
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                write(image_module, patch, target)
    return top


def cut(pixels: NDArray[np.uint8], size: int) -> list[tuple[str, int, NDArray[Any]]]:
    """Return (part, number, patch) of every square of a photograph, from the middle of it if it is large."""
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    columns = min(columns, max(1, PER_PHOTOGRAPH // rows))
    left = (pixels.shape[1] - columns * size) // 2
    patches = []
    for number in range(min(rows * columns, PER_PHOTOGRAPH)):
        row, column = divmod(number, columns)
        part = "test" if (2 * row + column) % 4 == 3 else "train"
        y, x = row * size, left + column * size
        patches.append((part, number, pixels[y : y + size, x : x + size]))
    return patches


def write(image_module: Any, patch: NDArray[Any], path: Path) -> None:
    """Write beside and rename: whoever finds the file finds all of it."""
    beside = path.with_suffix(f".{os.getpid()}.part")
    image_module.fromarray(patch).save(beside, format="PNG")
    os.replace(beside, path)


def find_file(package: str, name: str) -> Path:
    """Return the path of a package's photograph without importing the package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, *FOLDERS[package], name)
        if path.is_file():
            return path
    raise ModuleNotFoundError(
        f"photographs: {name} comes with the package {package}, get it with: {INSTALL}", name=package
    )
