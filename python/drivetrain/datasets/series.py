"""Time series with classes, out of the package aeon."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from .parts import check_split

INSTALL = "pip install --no-deps aeon"
Labels: TypeAlias = NDArray[np.int64]
Ragged: TypeAlias = tuple[list[NDArray[np.float32]], Labels]
Even: TypeAlias = tuple[NDArray[np.float32], Labels]


@overload
def japanese_vowels(split: None = None) -> tuple[Ragged, Ragged]: ...
@overload
def japanese_vowels(split: str) -> Ragged: ...
def japanese_vowels(split: str | None = None) -> Ragged | tuple[Ragged, Ragged]:
    """Return recordings of two vowels spoken by nine men: who speaks?

    Args:
        split ("train", "test" or "all", optional): Which part to return, as published. Default: both,
            ``(series, labels), (series, labels)``.

    Returns:
        series (list of float32 arrays of shape (time, 12)): 12 coefficients over 7 to 29 steps; 270 series to
            train and 370 to test.
        labels (int64 array of shape (n,)): The speaker, 0 to 8.

    Raises:
        ModuleNotFoundError: When aeon's files are not there; the message says the command that gets them. The
            package need not be importable.
        ValueError: For an unknown split or damaged files.

    Source: M. Kudo, J. Toyama and M. Shimbo, Multidimensional curve classification using passing-through
    regions, 1999.

    Example:
        >>> from drivetrain.datasets import japanese_vowels
        >>> (series, labels), test = japanese_vowels()  # doctest: +SKIP
        >>> len(series), series[0].shape  # doctest: +SKIP
        (270, (20, 12))
    """
    check_split("japanese_vowels", split)
    train, test = (read("japanese_vowels", "JapaneseVowels", part, 12, 9) for part in ("TRAIN", "TEST"))
    whole = train[0] + test[0], np.concatenate([train[1], test[1]])
    return {"train": train, "test": test, "all": whole}[split] if split else (train, test)


@overload
def italy_power_demand(split: None = None) -> tuple[Even, Even]: ...
@overload
def italy_power_demand(split: str) -> Even: ...
def italy_power_demand(split: str | None = None) -> Even | tuple[Even, Even]:
    """Return a day's demand for electricity in Italy, hour by hour: is it winter or summer?

    Args:
        split ("train", "test" or "all", optional): Which part to return, as published. Default: both,
            ``(series, labels), (series, labels)``.

    Returns:
        series (float32 array of shape (n, 24, 1)): Standardised; 67 days to train and 1,029 to test.
        labels (int64 array of shape (n,)): 0 for October to March, 1 for April to September.

    Raises:
        ModuleNotFoundError: When aeon's files are not there; the message says the command that gets them.
        ValueError: For an unknown split or damaged files.

    Source: E. Keogh and others, Intelligent icons, 2006.

    Example:
        >>> from drivetrain.datasets import italy_power_demand
        >>> (series, labels), test = italy_power_demand()  # doctest: +SKIP
        >>> series.shape  # doctest: +SKIP
        (67, 24, 1)
    """
    name = "italy_power_demand"
    check_split(name, split)
    ragged = [read(name, "ItalyPowerDemand", part, 1, 2) for part in ("TRAIN", "TEST")]
    if {len(series) for part, _ in ragged for series in part} != {24}:
        raise ValueError(f"{name}: a series has not 24 steps; reinstall aeon: {INSTALL}")
    train, test = ((np.stack(series), labels) for series, labels in ragged)
    whole = np.concatenate([train[0], test[0]]), np.concatenate([train[1], test[1]])
    return {"train": train, "test": test, "all": whole}[split] if split else (train, test)


def read(owner: str, name: str, part: str, features: int, classes: int) -> Ragged:
    """Read aeon's text format: after "@data" a line for each series, ``values:values:...:class``."""
    path = find_file(owner, name, f"{name}_{part}.ts")
    series, labels = [], []
    try:
        lines = path.read_text("utf-8").splitlines()
        start = next(i for i, line in enumerate(lines) if line.strip().lower() == "@data") + 1
        for line in filter(str.strip, lines[start:]):
            *columns, label = line.split(":")
            values = np.array([column.split(",") for column in columns], np.float32)
            series.append(np.ascontiguousarray(values.T))
            labels.append(int(label) - 1)
    except (OSError, ValueError, StopIteration) as error:
        raise ValueError(f"{owner}: {path} is damaged ({error}); reinstall aeon: {INSTALL}") from error
    right = all(s.ndim == 2 and s.shape[1] == features and np.isfinite(s).all() for s in series)
    if not series or not right or set(labels) != set(range(classes)):
        raise ValueError(f"{owner}: {path} has not {features} features and {classes} classes")
    return series, np.array(labels, np.int64)


def find_file(owner: str, folder: str, name: str) -> Path:
    """Return the path of aeon's file. Importing aeon would import numba, scikit-learn and more."""
    spec = importlib.util.find_spec("aeon")
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place, "datasets", "data", folder, name)
        if path.is_file():
            return path
    raise ModuleNotFoundError(
        f"{owner}: {name} comes with the package aeon, get it with: {INSTALL}", name="aeon"
    )
