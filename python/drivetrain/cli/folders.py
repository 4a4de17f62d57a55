"""Folders of class folders as data of the commands."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import DataLoader, FolderListing, ImageFiles, scan_directory
from ..data.split import split_indices
from ..io.atomic import write_text

FILES = "files.csv"
HEAD = ["part", "class", "file"]
PARTS = ("train", "test")
# Folders that hold a part, in the order in which they are looked for.
TRAIN_NAMES, TEST_NAMES = ("train", "training"), ("test", "testing", "val", "valid", "validation")
AUGMENTATIONS = ("none", "light", "photo")
MOST_IN_MEMORY = 2**30  # bytes of decoded images that a training keeps


class Files(NamedTuple):
    """What a run trains and tests on: names below the folder of the data, and their classes."""

    classes: list[str]
    names: dict[str, list[str]]
    labels: dict[str, NDArray[np.int64]]


def find_files(root: str, test_share: float, seed: int) -> Files:
    """Divide a folder: by its folders train and test where it has them, else at random, class by class.

    Raises:
        OSError, ValueError: For a folder that is not there, or has no classes, one class, or classes too
            small to be divided.
    """
    there = {entry.lower(): entry for entry in sorted(os.listdir(root), reverse=True)}
    train, test = (
        next(
            (
                there[name]
                for name in names
                if name in there and os.path.isdir(os.path.join(root, there[name]))
            ),
            None,
        )
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    if train is None or test is None:
        whole = scan(root)
        parts = split_indices(len(whole), test_size=test_share, seed=seed, stratify=whole.labels, where=root)
        listings = [whole.take(indices) for indices in parts]
    else:
        whole = scan(os.path.join(root, train))
        classes = [name for name in whole.classes if os.path.isdir(os.path.join(root, test, name))]
        other = scan_directory(os.path.join(root, test), classes=classes or None, where="train")
        assert other.labels is not None
        number = np.array([whole.class_to_idx.get(name, -1) for name in other.classes])
        if (number < 0).any():
            raise ValueError(f"{os.path.join(root, test)} has none of the classes of {whole.root}")
        listings = [whole, FolderListing(other.root, other.paths, number[other.labels], whole.classes)]
    names = [[os.path.relpath(path, root) for path in each.paths] for each in listings]
    labels = [np.asarray(each.labels) for each in listings]
    return Files(whole.classes, dict(zip(PARTS, names, strict=True)), dict(zip(PARTS, labels, strict=True)))


def scan(root: str) -> FolderListing:
    found = scan_directory(root, follow_links=True, where="train")
    if len(found.classes) < 2:
        raise ValueError(
            f"{root} has one class, {found.classes[0]}; expected a folder for each of several classes"
        )
    return found


def write_files(folder: Path, files: Files) -> None:
    """Keep in the run folder which files belong to which part."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(HEAD)
    for part in PARTS:
        for label, name in zip(files.labels[part].tolist(), files.names[part], strict=True):
            lines.writerow([part, files.classes[label], name])
    write_text(folder / FILES, text.getvalue())


def read_files(folder: Path, classes: list[str]) -> Files:
    """The same files again, whatever lies in the data's folder by now."""
    path = folder / FILES
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: it says which files the run trained on")
    try:
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
        if lines[0] != HEAD:
            raise ValueError("its first line is wrong")
        number = {name: place for place, name in enumerate(classes)}
        rows = [(part, number[name], file) for part, name, file in lines[1:]]
    except (ValueError, KeyError, IndexError, csv.Error) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    names = {part: [file for where, _, file in rows if where == part] for part in PARTS}
    labels = {
        part: np.array([label for where, label, _ in rows if where == part], np.int64) for part in PARTS
    }
    return Files(classes, names, labels)


def dataset(files: Files, part: str, config: dict[str, Any], *, cache: str | None = None) -> ImageFiles:
    root = config["data_folder"]
    data = ImageFiles(
        [os.path.join(root, name) for name in files.names[part]],
        files.labels[part],
        size=tuple(config["image_size"]),
        color_mode=config["color_mode"],
        on_error="skip" if config["skip_damaged"] else "raise",
        cache=cache,
        root=root,
    )
    data.classes = files.classes
    return data


def load_part(files: Files, part: str, config: dict[str, Any]) -> tuple[Any, Any]:
    """Images and labels of a part, in memory."""
    data = dataset(files, part, config)
    batch: tuple[Any, Any] | None = data.take(np.arange(len(data)))
    if batch is None:
        raise ValueError(f"no image of the part {part!r} of {config['data_folder']} can be read")
    return batch


def new_loader(files: Files, config: dict[str, Any]) -> DataLoader:
    """The batches to train on: a new order in every epoch, augmented anew."""
    height, width = config["image_size"]
    channels = 1 if config["color_mode"] == "grayscale" else 3
    fits = len(files.names["train"]) * height * width * channels <= MOST_IN_MEMORY
    return DataLoader(
        dataset(files, "train", config, cache="memory" if fits else None),
        config["batch_size"],
        shuffle=True,
        seed=config["seed"],
        batch_transform=augmentation(config["augment"], config["seed"]),
    )


def augmentation(name: str, seed: int) -> Any:
    """``light``: small shifts, rotations and zooms. ``photo``: besides, flips from left to right and changes
    of brightness, contrast and saturation.
    """
    if name == "none":
        return None
    from ..augment import ColorJitter, Compose, RandomAffine, RandomHorizontalFlip

    moves: list[Any] = [RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), fill_mode="nearest")]
    if name == "photo":
        moves += [RandomHorizontalFlip(), ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2)]
    return Compose(moves, seed=seed)


def describe_skipped(loader: Any) -> str:
    """What was left out of a training, in a line; nothing where nothing was."""
    skipped = getattr(getattr(loader, "dataset", None), "skipped", {})
    if not skipped:
        return ""
    path, problem = next(iter(sorted(skipped.items())))
    more = f", and {len(skipped) - 1} more" if len(skipped) > 1 else ""
    left = "1 image was" if len(skipped) == 1 else f"{len(skipped)} images were"
    return f"{left} left out: {path} {problem}{more}"
