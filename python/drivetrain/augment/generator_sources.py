"""What ImageDataGenerator's flow methods give: endless batches, of arrays, folders or tables."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import choice
from .._core import Tensor
from ..data import ArrayDataset, ImageFiles
from ..data.convert import refuse_masked
from ..data.decode import ImageReader
from ..data.folders import scan_directory
from .generator_iterator import Finish, ImageIterator

FORMATS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")
CLASS_MODES = ("categorical", "binary", "sparse", "input", "multi_output", "raw", None)
LABELLED = ("categorical", "binary", "sparse")


def array_iterator(
    generator: Any,
    x: Any,
    y: Any,
    batch_size: Any,
    shuffle: Any,
    sample_weight: Any,
    seed: Any,
    save_to_dir: Any,
    save_prefix: Any,
    save_format: Any,
    ignore_class_split: bool,
    subset: str | None,
) -> ImageIterator:
    where = "ImageDataGenerator.flow"
    given, others = (x[0], x[1]) if isinstance(x, (tuple, list)) and len(x) == 2 else (x, [])
    images = as_array(where, "x", given)
    rest = [
        as_array(where, "x[1]", one) for one in (others if isinstance(others, (list, tuple)) else [others])
    ]
    if images.ndim != 4 or images.dtype.kind not in "biuf" or 0 in images.shape:
        raise ValueError(
            f"{where}: x has shape {images.shape} and dtype {images.dtype}, expected images "
            "(n, height, width, channels)"
        )
    labels = None if y is None else as_array(where, "y", y)
    weights = None if sample_weight is None else as_array(where, "sample_weight", sample_weight)
    if weights is not None and labels is None:
        raise ValueError(f"{where}: got sample_weight without y")
    for name, part in (("y", labels), ("sample_weight", weights), *(("x[1]", each) for each in rest)):
        if part is not None and (part.ndim == 0 or len(part) != len(images)):
            raise ValueError(f"{where}: {name} has shape {part.shape}, expected {len(images)} rows as x has")
    if subset is not None:
        chosen = part_of(where, generator, subset, len(images))
        if labels is not None and not ignore_class_split:
            check_classes(where, labels, int(len(images) * generator.validation_split))
        images, rest = images[chosen], [each[chosen] for each in rest]
        labels = None if labels is None else labels[chosen]
        weights = None if weights is None else weights[chosen]

    def finish(batch: NDArray[Any], index: NDArray[np.int64]) -> Any:
        inputs = [batch, *(each[index] for each in rest)] if rest else batch
        if labels is None:
            return inputs
        made = (inputs, labels[index])
        return made if weights is None else (*made, weights[index])

    return ImageIterator(
        generator,
        ArrayDataset(images, np.arange(len(images))),
        finish,
        image_shape=images.shape[1:],
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
    )


def as_array(where: str, name: str, value: Any) -> NDArray[Any]:
    refuse_masked(where, name, value)
    return np.asarray(value.detach() if isinstance(value, Tensor) else value)


def part_of(where: str, generator: Any, subset: Any, count: int) -> slice:
    """The samples of a subset: the first ones are the validation."""
    choice(where, "subset", subset, ("training", "validation"))
    end = int(count * generator.validation_split)
    part = slice(0, end) if subset == "validation" else slice(end, None)
    if not len(range(count)[part]):
        raise ValueError(
            f"{where}: validation_split {generator.validation_split} of {count} gives {subset} no samples"
        )
    return part


def check_classes(where: str, labels: NDArray[Any], end: int) -> None:
    if not np.array_equal(np.unique(labels[:end]), np.unique(labels[end:])):
        raise ValueError(
            f"{where}: training and validation have different classes; shuffle x and y first, or pass "
            "ignore_class_split=True"
        )


def file_iterator(
    generator: Any,
    where: str,
    paths: Sequence[str],
    finish: Finish,
    look: Mapping[str, Any],
    flow: Mapping[str, Any],
    **attributes: Any,
) -> ImageIterator:
    """Batches of files; labels are found by the numbers that come with the images."""
    reader = ImageReader(
        look["target_size"],
        color_mode=look["color_mode"],
        interpolation=look["interpolation"],
        aspect="crop" if look["keep_aspect_ratio"] else "stretch",
        # As Keras reads files.
        background=None,
        orientation=False,
        decoder="pillow",
        scaled_decoding=False,
        where=where,
    )
    files = ImageFiles(paths, np.arange(len(paths)), reader=reader)
    height, width = reader.size or (0, 0)
    shape = (height, width, reader.channels)
    if generator.data_format == "channels_first":
        shape = (reader.channels, height, width)
        files = _ChannelsFirst(paths, np.arange(len(paths)), reader=reader)
    return ImageIterator(
        generator, files, finish, image_shape=shape, filepaths=list(paths), **flow, **attributes
    )


class _ChannelsFirst(ImageFiles):
    """The same files as (channels, height, width)."""

    def take_at(self, indices: NDArray[np.int64], epoch: int, first: int) -> Any:
        images, numbers = super().take_at(indices, epoch, first)
        return np.ascontiguousarray(np.moveaxis(images, 3, 1)), numbers


def directory_iterator(
    generator: Any,
    directory: Any,
    target_size: Any,
    color_mode: Any,
    classes: Any,
    class_mode: Any,
    batch_size: Any,
    shuffle: Any,
    seed: Any,
    save_to_dir: Any,
    save_prefix: Any,
    save_format: Any,
    follow_links: Any,
    subset: Any,
    interpolation: Any,
    keep_aspect_ratio: Any,
) -> ImageIterator:
    where = "ImageDataGenerator.flow_from_directory"
    if class_mode not in (*LABELLED, "input", None):
        raise ValueError(
            f"{where}: class_mode is {class_mode!r}, expected 'categorical', 'binary', 'sparse', "
            "'input' or None"
        )
    found = scan_directory(
        directory,
        classes=classes,
        extensions=FORMATS,
        follow_links=follow_links,
        allow_empty=True,
        where=where,
    )
    if class_mode == "binary" and len(found.classes) != 2:
        raise ValueError(
            f"{where}: class_mode 'binary' is for 2 classes, {found.root} has {len(found.classes)}"
        )
    if subset is not None:
        choice(where, "subset", subset, ("training", "validation"))
        split = generator.validation_split
        found = found.part(0, split) if subset == "validation" else found.part(split, 1)
        if not len(found):
            raise ValueError(f"{where}: validation_split {split} leaves no images for {subset}")
    print(f"Found {len(found)} images belonging to {len(found.classes)} classes.")
    numbers = np.zeros(0, np.int64) if found.labels is None else found.labels
    return file_iterator(
        generator,
        where,
        found.paths,
        finish_with(class_mode, numbers, len(found.classes), generator.dtype),
        {
            "target_size": target_size,
            "color_mode": color_mode,
            "interpolation": interpolation,
            "keep_aspect_ratio": keep_aspect_ratio,
        },
        {
            "batch_size": batch_size,
            "shuffle": shuffle,
            "seed": seed,
            "save_to_dir": save_to_dir,
            "save_prefix": save_prefix,
            "save_format": save_format,
        },
        directory=found.root,
        classes=numbers.astype(np.int32),
        class_indices=found.class_to_idx,
        num_classes=len(found.classes),
        class_mode=class_mode,
        filenames=[os.path.relpath(path, found.root) for path in found.paths],
    )


def finish_with(
    class_mode: str | None, labels: Any, classes: int, dtype: str, weights: NDArray[Any] | None = None
) -> Finish:
    """How a batch gets its labels; ``labels`` are numbers, lists of them, or what a table has."""

    def of(batch: NDArray[Any], index: NDArray[np.int64]) -> Any:
        if class_mode == "input":
            return batch.copy()
        if class_mode in ("binary", "sparse"):
            return labels[index].astype(dtype)
        if class_mode == "categorical":
            rows = np.zeros((len(index), classes), dtype)
            for row, place in zip(rows, index.tolist(), strict=True):
                row[labels[place]] = 1
            return rows
        if class_mode == "multi_output":
            return [column[index] for column in labels]
        return labels[index]

    def finish(batch: NDArray[Any], index: NDArray[np.int64]) -> Any:
        if class_mode is None:
            return batch
        made = (batch, of(batch, index))
        return made if weights is None else (*made, weights[index])

    return finish


def dataframe_iterator(
    generator: Any,
    dataframe: Any,
    directory: Any,
    x_col: Any,
    y_col: Any,
    weight_col: Any,
    target_size: Any,
    color_mode: Any,
    classes: Any,
    class_mode: Any,
    batch_size: Any,
    shuffle: Any,
    seed: Any,
    save_to_dir: Any,
    save_prefix: Any,
    save_format: Any,
    subset: Any,
    interpolation: Any,
    validate_filenames: Any,
) -> ImageIterator:
    where = "ImageDataGenerator.flow_from_dataframe"
    if class_mode not in CLASS_MODES:
        raise ValueError(f"{where}: class_mode is {class_mode!r}, expected one of {CLASS_MODES}")
    several = class_mode == "multi_output"
    if several and not isinstance(y_col, (list, tuple)):
        raise TypeError(f"{where}: y_col is {y_col!r}, expected a list of columns with 'multi_output'")
    files = column_of(where, dataframe, x_col)
    if not all(isinstance(file, str) for file in files):
        raise TypeError(f"{where}: column {x_col!r} has entries that are no strings")
    root = "" if directory is None else os.fspath(directory)
    columns = (
        [column_of(where, dataframe, name) for name in (y_col if several else [y_col])]
        if class_mode not in ("input", None)
        else []
    )
    weights = None if weight_col is None else np.asarray(column_of(where, dataframe, weight_col))
    if weights is not None and weights.dtype.kind not in "biuf":
        raise TypeError(f"{where}: column {weight_col!r} has weights that are no numbers")
    rows = np.arange(len(files))
    if validate_filenames:
        good = np.array([is_image_file(os.path.join(root, file)) for file in files], bool)
        if not good.all():
            bad = files[int(np.argmin(good))]
            warnings.warn(
                f"{where}: {np.count_nonzero(~good)} entries of column {x_col!r} are no image files, left "
                f"out, {bad!r} first",
                stacklevel=3,
            )
        rows = rows[good]
    names: list[str] = []
    if class_mode in LABELLED:
        rows, names = of_classes(where, class_mode, y_col, columns[0], rows, classes)
    if subset is not None:
        rows = rows[part_of(where, generator, subset, len(rows))]
    if not len(rows):
        raise ValueError(f"{where}: no images are left")
    numbers = {name: place for place, name in enumerate(names)}
    if class_mode in LABELLED:
        found = [columns[0][row] for row in rows]
        labels: Any = [
            [numbers[n] for n in each if n in numbers] if isinstance(each, (list, tuple)) else numbers[each]
            for each in found
        ]
        labels = labels if class_mode == "categorical" else np.array(labels)
        print(f"Found {len(rows)} image filenames belonging to {len(names)} classes.")
    else:
        labels = [np.array([column[row] for row in rows]) for column in columns]
        labels = labels if several else labels[0] if labels else None
        print(f"Found {len(rows)} image filenames.")
    chosen = [files[row] for row in rows]
    weights = None if weights is None else weights[rows]
    return file_iterator(
        generator,
        where,
        [os.path.join(root, file) for file in chosen],
        finish_with(class_mode, labels, len(names), generator.dtype, weights),
        {
            "target_size": target_size,
            "color_mode": color_mode,
            "interpolation": interpolation,
            "keep_aspect_ratio": False,
        },
        {
            "batch_size": batch_size,
            "shuffle": shuffle,
            "seed": seed,
            "save_to_dir": save_to_dir,
            "save_prefix": save_prefix,
            "save_format": save_format,
        },
        directory=root,
        classes=labels if class_mode in LABELLED else None,
        class_indices=numbers,
        num_classes=len(names),
        class_mode=class_mode,
        labels=labels,
        sample_weight=weights,
        filenames=chosen,
    )


def column_of(where: str, table: Any, name: Any) -> list[Any]:
    """A column of a table of pandas, or of a dict of columns."""
    known = list(table.keys()) if hasattr(table, "keys") else None
    if known is None:
        raise TypeError(f"{where}: dataframe is a {type(table).__name__}, expected a table with columns")
    if name not in known:
        raise ValueError(f"{where}: there is no column {name!r}, the table has {', '.join(map(repr, known))}")
    return list(table[name])


def is_image_file(path: str) -> bool:
    return path.lower().endswith(FORMATS) and os.path.isfile(path)


def of_classes(
    where: str, class_mode: str, y_col: Any, column: list[Any], rows: NDArray[np.int64], classes: Any
) -> tuple[NDArray[np.int64], list[str]]:
    """The rows that are of one of the classes, and the classes' names."""
    allowed = (str, list, tuple) if class_mode == "categorical" else (str,)
    if not all(isinstance(column[row], allowed) for row in rows):
        kind = "strings or lists of them" if class_mode == "categorical" else "strings"
        raise TypeError(f"{where}: class_mode {class_mode!r} needs {kind} in column {y_col!r}")

    def names_of(row: int) -> set[str]:
        entry = column[row]
        return {entry} if isinstance(entry, str) else set(entry)

    if classes:
        names = list(dict.fromkeys(classes))
        rows = rows[[bool(names_of(row) & set(names)) for row in rows]]
    else:
        names = sorted(set().union(*(names_of(row) for row in rows)))
    if class_mode == "binary" and len(names) != 2:
        raise ValueError(f"{where}: class_mode 'binary' is for 2 classes, column {y_col!r} has {len(names)}")
    return rows, names
