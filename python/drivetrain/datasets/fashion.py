"""Fashion-MNIST: 70,000 pictures of clothes, from IDX files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from .idx import read_idx
from .parts import check_split

if TYPE_CHECKING:
    from .parts import Arrays

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FILES = {"train": ("train", 60_000), "test": ("t10k", 10_000)}


@overload
def fashion_mnist(
    split: None = None, *, folder: str | os.PathLike[str] | None = None
) -> tuple[Arrays, Arrays]: ...
@overload
def fashion_mnist(split: str, *, folder: str | os.PathLike[str] | None = None) -> Arrays: ...
def fashion_mnist(
    split: str | None = None, *, folder: str | os.PathLike[str] | None = None
) -> Arrays | tuple[Arrays, Arrays]:
    """Return Fashion-MNIST: 60,000 training and 10,000 test images of clothes.

    Args:
        split ("train", "test" or "all", optional): Which part to return; "all" is the training images
            followed by the test images. Default: both, ``(images, labels), (images, labels)``, as Keras does.
        folder (path, optional): Folder with the four IDX files (train-images-idx3-ubyte.gz and so on, packed
            or not). Default: where Debian's package dataset-fashion-mnist puts them.

    Returns:
        images (uint8 array of shape (n, 28, 28, 1)): Brightness per pixel, 0 (background) to 255.
        labels (int64 array of shape (n,)): The class, 0 to 9; ``FASHION_CLASSES`` has their names.

    Raises:
        FileNotFoundError: When the files are missing; the message says the command that gets them.
        ValueError: For an unknown split, or a file that is damaged or holds something else.

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747 (MIT).

    Example:
        >>> from drivetrain.datasets import fashion_mnist
        >>> images, labels = fashion_mnist("test")  # doctest: +SKIP
        >>> images.shape, labels.shape  # doctest: +SKIP
        ((10000, 28, 28, 1), (10000,))
    """
    check_split("fashion_mnist", split)
    where = DEBIAN_FOLDER if folder is None else Path(folder)
    if split in FILES:
        return read_part(where, *FILES[split])
    train, test = read_part(where, *FILES["train"]), read_part(where, *FILES["test"])
    if split is None:
        return train, test
    return np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])


def read_part(folder: Path, prefix: str, count: int) -> Arrays:
    image_path = find_file(folder, f"{prefix}-images-idx3-ubyte")
    label_path = find_file(folder, f"{prefix}-labels-idx1-ubyte")
    images = read_idx(image_path, shape=(count, 28, 28), dtype="uint8")
    labels = read_idx(label_path, shape=(count,), dtype="uint8")
    if labels.max() > 9:
        raise ValueError(f"fashion_mnist: {label_path} has a label {labels.max()}, expected 0 to 9")
    return images.reshape(count, 28, 28, 1), labels.astype(np.int64)


def find_file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"fashion_mnist: {folder / name}.gz is missing; on Debian and Ubuntu get it with: "
        "apt install dataset-fashion-mnist; elsewhere put the four IDX files into a folder and pass folder= "
        "(drivetrain train fashion_mnist --data FOLDER)"
    )
