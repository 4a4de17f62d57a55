"""Keras's way from a folder of class folders to batches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arguments import checks_names
from .._checks import choice, flags, real
from .decode import ImageReader
from .folders import FolderListing, scan_directory
from .images import ImageFiles
from .loader import DataLoader
from .shuffle import check_seed

LABEL_MODES = ("int", "categorical", "binary")
# Those of Keras.
FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")


class ImageLoader(DataLoader):
    """A `DataLoader` of an image folder, with ``class_names`` and ``file_paths`` as Keras's data sets."""

    dataset: Any

    @property
    def class_names(self) -> list[str]:
        """Names of the classes."""
        names: list[str] = self.dataset.classes
        return names

    @property
    def file_paths(self) -> list[str]:
        """The image files, in the order of the data set."""
        paths: list[str] = self.dataset.paths
        return paths


@checks_names
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    verbose: bool = True,
    *,
    on_error: str = "raise",
    threads: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    batch_transform: Any = None,
    prefetch: int | None = None,
) -> Any:
    """Batches of images of a folder with one folder for each class, as `fit`, `evaluate` and `predict` take
    them.

    Args:
        directory (path): The folder.
        labels ("inferred", None or sequence of int): Labels by folder, none, or one for each file, in the
            order of `scan_directory` with ``labels=None``.
        label_mode ("int", "categorical", "binary" or None): int64 (batch,), one-hot float32 (batch, classes),
            float32 (batch, 1) of 0 and 1, or images alone.
        class_names (sequence of str, optional): The class folders to read, in the order of their numbers.
            Default: all, also those without images, for which a warning is given.
        color_mode ("rgb", "rgba" or "grayscale"): 3, 4 or 1 channels.
        batch_size (int or None, default 32): None gives single images.
        image_size ((height, width), default (256, 256)): Images are scaled to it.
        shuffle (bool, default True): Shuffle the files before they are divided, and in every epoch.
        seed (int, optional): Of the shuffling; None is 0, so that the order is the same in every run.
        validation_split (float, optional): Share of the files that validate: the last ones.
        subset ("training", "validation" or "both"): Which part to give; "both" gives the pair.
        interpolation (str): "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5".
        follow_links (bool): Look into links to folders.
        crop_to_aspect_ratio, pad_to_aspect_ratio (bool): Cut or fill with black instead of distorting.
        data_format (str, optional): "channels_last", the only one.
        verbose (bool): Print how many files were found.
        on_error, threads, cache: As for `ImageFiles`.
        batch_transform, prefetch: As for `DataLoader`.

    Returns:
        ImageLoader of uint8 images (batch, height, width, channels), with ``class_names`` and ``file_paths``;
        for subset "both" a list of two.

    Raises:
        ValueError: For a folder without classes or images, class names that are not its folders, other than
            two classes for "binary", and arguments that do not go together.

    Unlike Keras's, images are uint8 (`fit` makes them float32), shrinking looks at every pixel, and nothing
    depends on a seed that was not given. A seed divides the files as Keras does.

    Source: Keras's function of this name.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from drivetrain.data import image_dataset_from_directory
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (root / name).mkdir()
        ...     for i in range(3):
        ...         Image.fromarray(np.full((10, 8, 3), i, np.uint8)).save(root / name / f"{i}.png")
        >>> train, validation = image_dataset_from_directory(
        ...     root, image_size=(4, 4), validation_split=0.34, subset="both", seed=1
        ... )
        Found 6 files belonging to 2 classes.
        Using 4 files for training.
        Using 2 files for validation.
        >>> images, labels = next(iter(train))
        >>> images.shape, labels.shape, train.class_names
        ((4, 4, 4, 3), (4,), ['cat', 'dog'])
    """
    where = "image_dataset_from_directory"
    choice(where, "data_format", data_format, (None, "channels_last"))
    flags(
        where,
        shuffle=shuffle,
        follow_links=follow_links,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        verbose=verbose,
    )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(f"{where}: got crop_to_aspect_ratio and pad_to_aspect_ratio, expected one of them")
    check_parts(where, validation_split, subset)
    if label_mode is not None:
        choice(where, "label_mode", label_mode, LABEL_MODES)
    chosen = check_seed(where, 0 if seed is None else seed)
    listing = find_files(where, directory, labels, label_mode, class_names, follow_links)
    if verbose:
        belong = f" belonging to {len(listing.classes)} classes" if listing.classes else ""
        print(f"Found {len(listing)} files{belong}.")
    if shuffle:
        # As Keras does, with NumPy's generator that never changes: one seed, one division.
        order = np.arange(len(listing))
        np.random.RandomState(chosen % 2**32).shuffle(order)
        listing = listing.take(order)
    reader = ImageReader(
        image_size,
        color_mode=color_mode,
        interpolation=interpolation,
        aspect="crop" if crop_to_aspect_ratio else "pad" if pad_to_aspect_ratio else "stretch",
        padding=0,
        where=where,
    )
    encoded = encode(where, listing, label_mode)
    loaders: list[Any] = []
    for name, part in parts_of(where, len(listing), validation_split, subset):
        if name is not None and verbose:
            print(f"Using {part.stop - part.start} files for {name}.")
        dataset = ImageFiles(
            listing.paths[part],
            None if encoded is None else encoded[part],
            reader=reader,
            on_error=on_error,
            threads=threads,
            cache=cache_of_part(cache, name if subset == "both" else None),
            root=listing.root,
        )
        dataset.classes = listing.classes
        if batch_size is None:
            loaders.append(dataset)
            continue
        loaders.append(
            ImageLoader(
                dataset,
                batch_size,
                shuffle and name != "validation",
                seed=chosen,
                batch_transform=None if name == "validation" else batch_transform,
                prefetch=prefetch,
            )
        )
    return loaders if subset == "both" else loaders[0]


def find_files(
    where: str, directory: Any, labels: Any, label_mode: str | None, class_names: Any, follow_links: bool
) -> FolderListing:
    if isinstance(labels, str) and labels != "inferred":
        raise ValueError(f"{where}: labels is {labels!r}, expected 'inferred', None or one number per file")
    options: dict[str, Any] = {"extensions": FORMATS, "follow_links": follow_links, "where": where}
    if class_names is not None and not isinstance(labels, str):
        raise ValueError(f"{where}: got class_names, expected them with labels='inferred' only")
    if labels is None or label_mode is None:
        return scan_directory(directory, labels=None, **options)
    if isinstance(labels, str):
        found = scan_directory(directory, classes=class_names, allow_empty=True, **options)
        assert found.labels is not None
        there = set(found.labels.tolist())
        if empty := [name for number, name in enumerate(found.classes) if number not in there]:
            warnings.warn(
                f"{where}: no images in {', '.join(map(repr, empty[:5]))}, which count as classes, as in "
                "Keras; name those that are meant by class_names=",
                stacklevel=3,
            )
        return found
    listing = scan_directory(directory, labels=None, **options)
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu" or numbers.shape != (len(listing),):
        raise ValueError(
            f"{where}: labels have shape {numbers.shape} of {numbers.dtype}, expected {len(listing)} whole "
            "numbers, one per file"
        )
    if numbers.min() < 0:
        raise ValueError(f"{where}: labels go down to {numbers.min()}, expected at least 0")
    names = [str(number) for number in range(int(numbers.max()) + 1)]
    return FolderListing(listing.root, listing.paths, numbers.astype(np.int64), names)


def encode(where: str, listing: FolderListing, label_mode: str | None) -> NDArray[Any] | None:
    if label_mode is None or listing.labels is None:
        return None
    if label_mode == "int":
        return listing.labels
    classes = len(listing.classes)
    if label_mode == "binary":
        if classes != 2:
            raise ValueError(f"{where}: label_mode 'binary' needs 2 classes, there are {classes}")
        return listing.labels.astype(np.float32)[:, None]
    return np.eye(classes, dtype=np.float32)[listing.labels]


def check_parts(where: str, validation_split: Any, subset: Any) -> None:
    if validation_split is None and subset is None:
        return
    if validation_split is None or subset is None:
        raise ValueError(f"{where}: got one of validation_split and subset, expected both or none")
    choice(where, "subset", subset, ("training", "validation", "both"))
    real(where, "validation_split", validation_split, "a share between 0 and 1", lambda share: 0 < share < 1)


def parts_of(
    where: str, n: int, validation_split: float | None, subset: str | None
) -> list[tuple[str | None, slice]]:
    if validation_split is None or subset is None:
        return [(None, slice(0, n))]
    held = int(validation_split * n)
    if not 0 < held < n:
        raise ValueError(
            f"{where}: validation_split {validation_split} of {n} files leaves {n - held} and {held}, "
            "expected both > 0"
        )
    parts = {"training": slice(0, n - held), "validation": slice(n - held, n)}
    return [(name, part) for name, part in parts.items() if subset in (name, "both")]


def cache_of_part(cache: Any, name: str | None) -> Any:
    """A file for each part."""
    if cache is None or cache == "memory" or name is None:
        return cache
    return f"{os.fspath(cache)}-{name}"
