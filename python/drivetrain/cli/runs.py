"""Run folders: what a training leaves behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ..io.atomic import write_text

CONFIG, MODEL, HISTORY, RESULTS = "config.json", "model.safetensors", "history.csv", "results.json"
CURVES, MISCLASSIFIED = "curves.png", "misclassified.png"
CHECKPOINTS = "checkpoints"


def new_folder(wanted: str | None, dataset: str) -> Path:
    """Make a folder for a run; one that has something in it is refused."""
    if wanted is not None:
        folder = Path(wanted)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ValueError(f"{folder} exists already; name another folder with --out")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    for number in range(1, 10_000):
        folder = Path("runs", dataset if number == 1 else f"{dataset}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"runs has 10,000 runs of {dataset}; name another folder with --out")


def newest_folder(wanted: str | None, dataset: str) -> Path:
    """Find the run to go on with: the folder that is named, or the last one of a data set."""
    if wanted is not None:
        return Path(wanted)
    name = re.compile(re.escape(dataset) + r"(-(?P<number>[0-9]{1,4}))?")
    parent = Path("runs")
    found = [name.fullmatch(entry.name) for entry in parent.iterdir()] if parent.is_dir() else []
    numbers = [(int(match["number"] or 1), match[0]) for match in found if match]
    if not numbers:
        raise FileNotFoundError(f"runs has no run of {dataset} to resume; name its folder with --out")
    return parent / max(numbers)[1]


def check_unfinished(folder: Path) -> None:
    """Raise for a run that came to its end."""
    path = folder / RESULTS
    try:
        results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError):
        results = {}
    if isinstance(results, dict) and not results.keys().isdisjoint(("test_accuracy", "test_bits_per_byte")):
        raise ValueError(f"the run in {folder} has come to its end; leave out --resume to train anew")


def write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of a run and check what the commands rely on."""
    path = folder / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{folder} is no run folder: {path} is missing")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    from .recipes import FOLDER, RECIPES
    from .text import TEXT

    dataset = config.get("dataset") if isinstance(config, dict) else None
    if not isinstance(dataset, str) or dataset not in (*RECIPES, FOLDER, TEXT):
        raise ValueError(f"{path} names no known data set")
    if dataset == FOLDER:
        check_folder_config(path, config)
    return config


def check_folder_config(path: Path, config: dict[str, Any]) -> None:
    """Raise unless it says all that the images of a folder depend on."""
    classes, size = config.get("classes"), config.get("image_size")
    good = {
        "classes": isinstance(classes, list) and all(isinstance(name, str) for name in classes),
        "image_size": isinstance(size, list) and len(size) == 2 and all(type(each) is int for each in size),
        "color_mode": config.get("color_mode") in ("rgb", "grayscale"),
        "skip_damaged": isinstance(config.get("skip_damaged"), bool),
        "data_folder": isinstance(config.get("data_folder"), str),
    }
    if wrong := [name for name, is_good in good.items() if not is_good]:
        raise ValueError(f"{path} is damaged: {', '.join(wrong)}")


def read_model(folder: Path) -> Any:
    from ..io import load_model

    if not (folder / MODEL).is_file():
        raise FileNotFoundError(
            f"{folder} has no {MODEL}: the training ended before its first epoch was over"
        )
    return load_model(folder / MODEL)
