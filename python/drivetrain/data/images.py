"""Data sets of image files: folders of classes, lists, tables."""

from __future__ import annotations

import csv
import functools
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._arguments import checks_names
from .._checks import choice, integer
from .._core import get_num_threads
from .convert import to_tensor
from .dataset import Dataset, as_array
from .decode import ImageError, ImageReader, Pixels
from .folders import EXTENSIONS, scan_directory
from .image_cache import FileCache, MemoryCache, fingerprint_of, new_batch
from .rows import Rows
from .threads import Readers

MOST_THREADS = 16
MOST_AT_ONCE = 2**28  # bytes of a batch whose images need not have one size


class ImageFiles(Dataset):
    """Images by their paths, with or without labels: sample i is (image, label), or the image alone.

    Images are uint8 arrays (height, width, channels) with values from 0 to 255; `fit` turns batches of them
    into float32. Whole batches are read by threads with the interpreter lock released, into one buffer.

    Args:
        paths (sequence of paths): The files.
        labels (array, optional): One row per file.
        transform (callable, optional): Changes images. A transform of `drivetrain.augment` draws by (seed,
            epoch, place of the sample in the epoch); any other callable takes an image and gives one, on one
            of the threads.
        target_transform (callable, optional): Takes a label and gives one.
        size ((height, width), optional): Scale all images to this size. Without it, and without a transform
            that does it, batches of different sizes are lists of arrays.
        color_mode ("rgb", "rgba" or "grayscale", default "rgb"): 3, 4 or 1 channels.
        reader (ImageReader, optional): Instead of ``size`` and ``color_mode``, with more to choose: cutting
            or padding to proportions, transparency, decoder, limit of size.
        on_error ("raise" or "skip", default "raise"): With "skip", images that cannot be read are left out of
            their batches, and counted: ``skipped`` maps their paths to what is wrong with them.
        threads (int, optional): That read a batch, 0 or 1 for none of its own. Default: as many as the core
            computes with, 16 at most. Pixels do not depend on it.
        cache ("memory" or path, optional): Keep what was decoded, before transforms, in memory or in a file.
            The file has checksums, gets its place when it is whole, and is made anew when an image has
            changed.

    Raises:
        ValueError: For labels of another length, and while reading for images that cannot be read
            (``ImageError``, which names the file).
        ModuleNotFoundError: Without Pillow.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from drivetrain.data import DataLoader, ImageFiles
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("a.png", "b.png"):
        ...     Image.fromarray(np.zeros((10, 8, 3), np.uint8)).save(folder / name)
        >>> data = ImageFiles([folder / "a.png", folder / "b.png"], labels=[0, 1], size=(4, 4))
        >>> for images, labels in DataLoader(data, batch_size=2):
        ...     print(images.shape, images.dtype.name, labels.shape)
        (2, 4, 4, 3) uint8 (2,)
    """

    by_samples = True  # a batch is its samples side by side

    @checks_names
    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        labels: ArrayLike | None = None,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        size: Any = None,
        color_mode: str = "rgb",
        reader: ImageReader | None = None,
        on_error: str = "raise",
        threads: int | None = None,
        cache: str | os.PathLike[str] | None = None,
        root: str | os.PathLike[str] = "",
    ) -> None:
        name = type(self).__name__
        if isinstance(paths, (str, bytes, os.PathLike)):
            raise TypeError(f"{name}: paths is {paths!r}, expected a list of paths")
        self.root = os.fspath(root)
        self.paths: list[str] = [os.fspath(path) for path in paths]
        self.labels: NDArray[Any] | None = None
        if labels is not None:
            self.labels = as_array(name, 1, labels)
            if len(self.labels) != len(self.paths):
                raise ValueError(f"{name}: got {len(self.paths)} paths and {len(self.labels)} labels")
        for what, function in (("transform", transform), ("target_transform", target_transform)):
            if function is not None and not callable(function):
                raise TypeError(f"{name}: {what} is a {type(function).__name__}, expected a function")
        self.transform, self.target_transform = transform, target_transform
        if reader is not None and (size is not None or color_mode != "rgb"):
            raise ValueError(f"{name}: got reader with size or color_mode, which belong to it")
        self.reader = reader or ImageReader(size, color_mode=color_mode, where=name)
        self.on_error = choice(name, "on_error", on_error, ("raise", "skip"))
        self.threads = check_threads(name, threads)
        self.skipped: dict[str, str] = {}
        self.cache_path = cache
        self.classes: list[str] = []
        self._readers = Readers(self.threads)
        self._cache: MemoryCache | FileCache | None = None
        self._is_bad = np.zeros(len(self.paths), np.bool_)

    @classmethod
    def from_csv(
        cls,
        path: str | os.PathLike[str],
        *,
        root: str | os.PathLike[str] | None = None,
        path_column: str | int = 0,
        label_column: str | int | None = 1,
        **options: Any,
    ) -> ImageFiles:
        """Images that a table lists, with a name in its first line for every column.

        Args:
            path (path): A CSV file in UTF-8.
            root (path, optional): Folder of the images. Default: that of the table.
            path_column (str or int, default 0): Name or place of the column of paths.
            label_column (str, int or None, default 1): That of the labels. Names of classes become numbers in
                the order of the alphabet, in ``classes``; where all labels are whole numbers they stay.
            **options: As for ``ImageFiles``.

        Raises:
            ValueError: For a table without such columns or without lines, and lines that are too short.

        Example:
            >>> import pathlib, tempfile
            >>> table = pathlib.Path(tempfile.mkdtemp(), "list.csv")
            >>> _ = table.write_text("file,animal\\n1.jpg,dog\\n2.jpg,cat\\n")
            >>> data = ImageFiles.from_csv(table)
            >>> data.classes, data.labels
            (['cat', 'dog'], array([1, 0]))
        """
        where = f"{cls.__name__}.from_csv"
        if os.path.isdir(path):
            raise ValueError(f"{where}: path is the folder {os.fspath(path)}, expected a CSV file")
        try:
            with open(path, newline="", encoding="utf-8-sig") as file:
                lines = [line for line in csv.reader(file) if line]
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{where}: {path} is no CSV file in UTF-8 ({error})") from None
        if len(lines) < 2:
            raise ValueError(f"{where}: {path} has no lines below its names of columns")
        folder = os.fspath(root) if root is not None else os.path.dirname(os.fspath(path))
        files = [os.path.join(folder, each) for each in column(where, path, lines, path_column)]
        if label_column is None:
            return cls(files, root=folder, **options)
        texts = column(where, path, lines, label_column)
        labels, classes = numbers_of(texts)
        data = cls(files, labels, root=folder, **options)
        data.classes = classes
        return data

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Any:
        if isinstance(index, bool) or not hasattr(index, "__index__"):
            raise TypeError(f"{type(self).__name__}: index is {index!r}, expected a whole number")
        number = index.__index__()
        if not -len(self) <= number < len(self):
            raise IndexError(f"{type(self).__name__}: index {number} of {len(self)} images")
        number %= len(self)
        image = self._pixels(number)
        if self.transform is not None:
            image = self._transformed([image], 0, number)[0]
        return image if self.labels is None else (image, self._label(number))

    def take(self, indices: NDArray[np.int64]) -> Any:
        """Images and labels of a whole batch, as it would come first in the first epoch."""
        return self.take_at(indices, 0, 0)

    def take_at(self, indices: NDArray[np.int64], epoch: int, first: int) -> Any:
        """Read a batch; `DataLoader` calls it.

        Args:
            indices (int64 array): Of the samples.
            epoch (int): Counted from 0.
            first (int): Place of the first sample in the epoch: what transforms draw depends on it.

        Returns:
            Images, or images and labels: arrays, or lists of them where shapes differ. None when no image of
            the batch could be read.
        """
        images = self._read(indices)
        if self.skipped and (bad := self._is_bad[indices]).any():
            good = np.flatnonzero(~bad)
            if not len(good):
                return None
            indices = indices[good]
            images = images[good] if isinstance(images, np.ndarray) else [images[i] for i in good.tolist()]
        if self.transform is not None:
            images = self._transformed(images, epoch, first)
        if self.labels is None:
            return images
        if self.target_transform is None:
            return images, self.labels[indices]
        return images, np.asarray([self._label(index) for index in indices.tolist()])

    def rows_at(self, indices: NDArray[np.int64]) -> Any:
        """The batch with images that are still to be copied out of the cache; None where that is not all
        there is to do."""
        cache = self._open_cache()
        if type(self).take_at is not ImageFiles.take_at or not isinstance(cache, MemoryCache):
            return None
        if self.skipped or self.transform is not None or self.target_transform is not None:
            return None
        rows = cache.rows_with(indices)
        if rows is None:
            return None
        images = Rows(to_tensor(rows), indices)
        return images if self.labels is None else (images, self.labels[indices])

    def _read(self, indices: NDArray[np.int64]) -> Any:
        """Pixels of all, in one buffer where they have one size; the rows of bad ones are anything."""
        cache = self._open_cache()
        if cache is not None and (batch := cache.gather(indices)) is not None:
            return batch
        numbers = indices.tolist()
        size = self.reader.size
        if size is not None:
            buffer = new_batch((len(numbers), *size, self.reader.channels))
            self._readers.run(lambda i: self._read_one(numbers[i], buffer[i]), len(numbers))
            return buffer
        # Most often all are as the first one.
        first = self._read_one(numbers[0], None) if numbers else None
        if first is None or first.nbytes * len(numbers) > MOST_AT_ONCE:
            rows: Any = [None] * len(numbers)
        else:
            rows = new_batch((len(numbers), *first.shape))
            rows[0] = first
        images: list[Any] = [first, *[None] * (len(numbers) - 1)]

        def read(i: int) -> None:
            images[i + 1] = self._read_one(numbers[i + 1], rows[i + 1])

        self._readers.run(read, len(numbers) - 1)
        shapes = {image.shape for image in images if image is not None}
        if len(shapes) != 1:
            return images
        if isinstance(rows, list):
            rows = new_batch((len(numbers), *shapes.pop()))
            for row, image in zip(rows, images, strict=True):
                row[...] = 0 if image is None else image
        return rows

    def _read_one(self, index: int, out: Pixels | None) -> Pixels | None:
        """The pixels of a file, out of the cache or into it; None for a bad one that is passed over."""
        if self._is_bad[index]:
            return None
        cache = self._cache
        if cache is not None and (kept := cache.get(index)) is not None:
            if out is None or out.shape != kept.shape:
                return kept
            out[...] = kept
            return out
        try:
            pixels = self.reader.read(self.paths[index], out)
        except (ImageError, OSError) as error:
            problem = error if isinstance(error, ImageError) else cannot_open(self.paths[index], error)
            if self.on_error == "raise":
                raise problem from error
            self.skipped[self.paths[index]] = problem.problem
            self._is_bad[index] = True
            if cache is not None:
                cache.put_nothing(index)
            return None
        if cache is not None:
            cache.put(index, pixels)
        return pixels

    def _pixels(self, index: int) -> Pixels:
        self._open_cache()
        pixels = self._read_one(index, None)
        if pixels is None:
            raise ImageError(self.paths[index], self.skipped[self.paths[index]])
        return pixels if pixels.flags.writeable and self._cache is None else pixels.copy()

    def _transformed(self, images: Any, epoch: int, first: int) -> Any:
        transform: Any = self.transform
        if hasattr(transform, "transform_samples"):
            return transform.transform_samples(images, epoch, first)
        results: list[Any] = [None] * len(images)

        def change(i: int) -> None:
            results[i] = np.asarray(transform(images[i]))

        self._readers.run(change, len(images))
        return np.stack(results) if len({each.shape for each in results}) == 1 else results

    def _label(self, index: int) -> Any:
        assert self.labels is not None
        label = self.labels[index]
        label = label.item() if label.ndim == 0 else label
        return label if self.target_transform is None else self.target_transform(label)

    def _open_cache(self) -> MemoryCache | FileCache | None:
        if self._cache is None and self.cache_path is not None:
            size = self.reader.size
            if self.cache_path == "memory":
                self._cache = MemoryCache(len(self), None if size is None else (*size, self.reader.channels))
            else:
                key = fingerprint_of(self.root, self.paths, self.reader.settings())
                self._cache = FileCache(self.cache_path, len(self), key)
        return self._cache

    def fill_cache(self) -> None:
        """Read all images into the cache now, instead of in the first epoch."""
        if self._open_cache() is None:
            raise ValueError(f"{type(self).__name__}.fill_cache: there is no cache")
        self._readers.run(lambda index: self._read_one(index, None), len(self))

    def check(self) -> dict[str, str]:
        """Read every image once, and return the paths of those that cannot be read, with what is wrong."""
        found: list[str | None] = [None] * len(self)

        def look(index: int) -> None:
            try:
                self.reader.read(self.paths[index])
            except ImageError as error:
                found[index] = error.problem
            except OSError as error:
                found[index] = cannot_open(self.paths[index], error).problem

        self._readers.run(look, len(self))
        return {path: problem for path, problem in zip(self.paths, found, strict=True) if problem}

    @property
    def targets(self) -> list[Any]:
        """The labels as a list, torchvision's name."""
        return [] if self.labels is None else self.labels.tolist()

    @property
    def samples(self) -> list[tuple[str, Any]]:
        """Path and label of every sample, torchvision's name."""
        return list(zip(self.paths, self.targets, strict=True))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Name of a class -> its number."""
        return {name: number for number, name in enumerate(self.classes)}

    def class_counts(self) -> dict[str, int]:
        """Name of a class -> images in it."""
        counts = Counter(self.targets)
        return {name: counts[number] for number, name in enumerate(self.classes)}

    def state_dict(self) -> dict[str, Any]:
        """What the samples depend on: it belongs to the state of a `DataLoader`."""
        return {"files": self._digest, **self.reader.settings()}

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for path in self.paths:
            digest.update(os.fsencode(os.path.relpath(path, self.root or None)) + b"\0")
        if self.labels is not None:
            digest.update(self.labels.tobytes())
        return digest.hexdigest()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Look whether the state is of the same images, made in the same way.

        Raises:
            ValueError: Where it is not; the message says what differs.
        """
        mine = self.state_dict()
        for key, value in mine.items():
            if key not in state or state[key] != value:
                found = state.get(key, "nothing") if isinstance(state, Mapping) else state
                what = "other files or labels" if key == "files" else f"{key} {found!r}, here it is {value!r}"
                raise ValueError(f"{type(self).__name__}.load_state_dict: the state has {what}")

    def show_batch(self, n: int = 9, **options: Any) -> Any:
        """Draw the first ``n`` samples, as `DataLoader.show_batch` does."""
        from .show import show_images

        batch = self.take(np.arange(min(n, len(self))))
        return show_images(batch, n, class_names=self.classes, **options)

    def __repr__(self) -> str:
        classes = f" of {len(self.classes)} classes" if self.classes else ""
        return f"{type(self).__name__}({len(self):,} images{classes}, {self.reader.color_mode})"


class ImageFolder(ImageFiles):
    """A folder with one folder of images for each class.

    Args:
        root (path): The folder. Class folders are sorted by name, and may have folders of their own.
        transform, target_transform (callable, optional): As for `ImageFiles`.
        is_valid_file (callable, optional): Takes a path and says whether it is a sample. Default: by its
            ending.
        allow_empty (bool, default False): Accept class folders without images.
        extensions (iterable of str): Endings of image files.
        follow_links (bool, default True): Look into links to folders; loops do no harm.
        **options: As for `ImageFiles`: size, color_mode, reader, on_error, threads, cache.

    Attributes:
        classes (list of str), class_to_idx (dict), samples (list of (path, class number)), targets (list of
        int): As torchvision has them.

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: For a folder that is not there, or has no classes
            or no images.

    Source: torchvision's ``ImageFolder``; images are arrays (height, width, channels) here.

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np
        >>> from PIL import Image
        >>> from drivetrain.data import ImageFolder
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (root / name).mkdir()
        ...     Image.fromarray(np.zeros((10, 8, 3), np.uint8)).save(root / name / "1.png")
        >>> data = ImageFolder(root, size=(4, 4))
        >>> image, label = data[1]
        >>> data.classes, image.shape, label
        (['cat', 'dog'], (4, 4, 3), 1)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        *,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        extensions: Sequence[str] = EXTENSIONS,
        follow_links: bool = True,
        **options: Any,
    ) -> None:
        found = scan_directory(
            root,
            extensions=extensions,
            follow_links=follow_links,
            allow_empty=allow_empty,
            is_valid_file=is_valid_file,
            where=type(self).__name__,
        )
        super().__init__(found.paths, found.labels, transform, target_transform, root=found.root, **options)
        self.classes = found.classes


def cannot_open(path: str, error: OSError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        is_link = os.path.islink(path)
        return ImageError(path, "is a link to nothing" if is_link else "does not exist")
    return ImageError(path, f"cannot be opened ({error.strerror or error})")


def check_threads(where: str, threads: Any) -> int:
    if threads is None:
        return min(get_num_threads(), MOST_THREADS)
    return integer(where, "threads", threads, 0)


def column(where: str, path: Any, lines: list[list[str]], wanted: str | int) -> list[str]:
    """The texts of a column of a table, without its head."""
    head = lines[0]
    if isinstance(wanted, str):
        if wanted not in head:
            raise ValueError(f"{where}: {path} has no column {wanted!r}; it has {', '.join(head)}")
        place = head.index(wanted)
    else:
        place = wanted
        if not 0 <= place < len(head):
            raise ValueError(f"{where}: {path} has {len(head)} columns, none at place {place}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) <= place:
            raise ValueError(f"{where}: row {number} of {path} has {len(line)} columns, expected {len(head)}")
    return [line[place] for line in lines[1:]]


def numbers_of(texts: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Labels as numbers, and the names of their classes: none where they are numbers already."""
    try:
        return np.array([int(text) for text in texts], np.int64), []
    except (ValueError, OverflowError):  # more than 64 bits are a name
        classes = sorted(set(texts))
        number = {name: place for place, name in enumerate(classes)}
        return np.array([number[text] for text in texts], np.int64), classes
