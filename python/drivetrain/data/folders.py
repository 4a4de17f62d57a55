"""What lies in a folder of images: paths and classes, in an order that depends on the names alone."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Files that are taken for images; case plays no part.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")


@dataclasses.dataclass(frozen=True)
class FolderListing:
    """The image files of a folder.

    Attributes:
        root (str): The folder.
        paths (list of str): The files: class by class, within a class by folder and name.
        labels (int64 array or None): Number of each file's class; None where there are no classes.
        classes (list of str): Names of the classes.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import FolderListing
        >>> listing = FolderListing("pets", ["cat/1.png", "dog/1.png"], np.array([0, 1]), ["cat", "dog"])
        >>> len(listing), listing.class_to_idx
        (2, {'cat': 0, 'dog': 1})
    """

    root: str
    paths: list[str]
    labels: NDArray[np.int64] | None
    classes: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Name of a class -> its number."""
        return {name: number for number, name in enumerate(self.classes)}

    def part(self, start: float, stop: float) -> FolderListing:
        """The files from share ``start`` to share ``stop`` of each class, as Keras's ``flow_from_directory``
        divides a folder.
        """
        if not 0 <= start <= stop <= 1:
            raise ValueError(f"FolderListing.part: got {start} to {stop}, expected shares from 0 to 1")
        labels = np.zeros(len(self.paths), np.int64) if self.labels is None else self.labels
        counts = np.bincount(labels, minlength=max(len(self.classes), 1))
        ends = np.cumsum(counts)
        kept = [
            np.arange(end - n + int(start * n), end - n + int(stop * n))
            for n, end in zip(counts.tolist(), ends.tolist(), strict=True)
        ]
        return self.take(np.concatenate(kept))

    def take(self, indices: NDArray[np.int64]) -> FolderListing:
        """The files at ``indices``, in this order."""
        paths = [self.paths[index] for index in indices.tolist()]
        labels = None if self.labels is None else self.labels[indices]
        return dataclasses.replace(self, paths=paths, labels=labels)


def scan_directory(
    directory: str | os.PathLike[str],
    *,
    labels: str | None = "inferred",
    classes: Sequence[str] | None = None,
    extensions: Iterable[str] = EXTENSIONS,
    follow_links: bool = False,
    allow_empty: bool = False,
    is_valid_file: Callable[[str], bool] | None = None,
    where: str = "scan_directory",
) -> FolderListing:
    """List the images of a folder of class folders.

    Every folder directly below ``directory`` is a class, and every image in it or below it a sample. Names
    are compared as they are, so the order is the same on every machine. Files and folders whose name begins
    with a dot are passed over, and so is what is no regular file.

    Args:
        directory (path): The folder.
        labels ("inferred" or None): With None all images are listed, whatever their folders, without labels.
        classes (sequence of str, optional): The class folders to read, in the order of their numbers.
            Default: all, sorted.
        extensions (iterable of str): Endings of image files.
        follow_links (bool, default False): Look into symbolic links to folders below a class. Each folder is
            read once per class, so that links that lead back do no harm. Links to files, and class folders
            that are links, are always followed.
        allow_empty (bool, default False): Accept classes without images.
        is_valid_file (callable, optional): Takes a path and says whether it is a sample, instead of
            ``extensions``.
        where (str): Who asks, the head of messages.

    Raises:
        FileNotFoundError, NotADirectoryError: For a ``directory`` that is none.
        ValueError: For a folder without classes or images, or classes that are not there.

    Source: torchvision's ``ImageFolder`` and Keras's ``image_dataset_from_directory``.

    Example:
        >>> import pathlib, tempfile
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("dog/1.jpg", "cat/2.png", "cat/notes.txt"):
        ...     (root / name).parent.mkdir(exist_ok=True)
        ...     (root / name).touch()
        >>> found = scan_directory(root)
        >>> found.classes, found.labels, [pathlib.Path(path).name for path in found.paths]
        (['cat', 'dog'], array([0, 1]), ['2.png', '1.jpg'])
    """
    root = as_path(where, directory)
    if not os.path.exists(root):
        problem = "is a link to nothing" if is_link(root) else "does not exist"
        raise FileNotFoundError(f"{where}: {root!r} {problem}")
    if not os.path.isdir(root):
        raise NotADirectoryError(f"{where}: {root} is no folder")
    if labels not in ("inferred", None):
        raise ValueError(f"{where}: labels is {labels!r}, expected 'inferred' or None")
    endings = check_extensions(where, extensions)
    is_image = is_valid_file or (lambda path: path.lower().endswith(endings))
    if labels is None:
        paths = images_below(root, is_image, follow_links)
        if not paths and not allow_empty:
            raise ValueError(f"{where}: {root} has no images ({', '.join(endings)})")
        return FolderListing(root, paths, None, [])
    names = class_folders(where, root, classes, is_image)
    found = [images_below(os.path.join(root, name), is_image, follow_links) for name in names]
    empty = [name for name, paths in zip(names, found, strict=True) if not paths]
    if empty and (not allow_empty or len(empty) == len(names)):
        shown = ", ".join(empty[:5]) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
        raise ValueError(f"{where}: {root} has class folders without images: {shown}")
    numbers = np.repeat(np.arange(len(names), dtype=np.int64), [len(paths) for paths in found])
    return FolderListing(root, [path for paths in found for path in paths], numbers, names)


def as_path(where: str, directory: Any) -> str:
    root = os.fspath(directory) if isinstance(directory, (str, os.PathLike)) else None
    if not isinstance(root, str):
        raise TypeError(f"{where}: directory is {directory!r:.80}, expected a path")
    return root


def is_link(path: str) -> bool:
    return "\0" not in path and os.path.islink(path)


def check_extensions(where: str, extensions: Any) -> tuple[str, ...]:
    endings = () if isinstance(extensions, str) else tuple(extensions)
    if not endings or not all(isinstance(ending, str) and ending for ending in endings):
        raise TypeError(f"{where}: extensions is {extensions!r}, expected endings like ('.jpg', '.png')")
    return tuple("." + ending.lower().lstrip(".") for ending in endings)


def class_folders(
    where: str, root: str, classes: Sequence[str] | None, is_image: Callable[[str], bool]
) -> list[str]:
    entries = sorted(entry for entry in os.listdir(root) if not entry.startswith("."))
    folders = [entry for entry in entries if os.path.isdir(os.path.join(root, entry))]
    if classes is None:
        if not folders:
            loose = sum(is_image(os.path.join(root, entry)) for entry in entries)
            has = f"{loose} images directly in it" if loose else "nothing of use in it"
            raise ValueError(
                f"{where}: {root} has no class folders, but {has}; expected a folder for each class"
            )
        return folders
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise TypeError(f"{where}: classes is {classes!r}, expected a list of names")
    names = list(classes)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{where}: classes is {names}, expected different names, at least one")
    if missing := [name for name in names if name not in folders]:
        raise ValueError(f"{where}: {root} has no folder {missing[0]!r}; it has {', '.join(folders[:10])}")
    return names


def images_below(top: str, is_image: Callable[[str], bool], follow_links: bool) -> list[str]:
    """All images below a folder, sorted by folder, then by name."""
    folders = [top]
    seen = {identity(top)}
    found: list[tuple[str, list[str]]] = []
    while folders:
        folder = folders.pop()
        files: list[str] = []
        with os.scandir(folder) as entries:
            # Sorted: of several links to one folder always the same is read.
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.name.startswith("."):
                    continue
                if os.path.isdir(entry.path):  # the entry's own method fails for a link to itself
                    if entry.is_symlink() and not follow_links:
                        continue
                    if (key := identity(entry.path)) not in seen:
                        seen.add(key)
                        folders.append(entry.path)
                # A link to nothing is listed, so that reading it says so; pipes would make a reader wait.
                elif is_image(entry.path) and (os.path.isfile(entry.path) or not os.path.exists(entry.path)):
                    files.append(entry.name)
        found.append((folder, sorted(files)))
    return [os.path.join(folder, name) for folder, names in sorted(found) for name in names]


def identity(folder: str) -> tuple[int, int]:
    status = os.stat(folder)
    return status.st_dev, status.st_ino
