"""From a list of samples to a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._collate import columns, fill_floats, fill_integers, kind_of_numbers, stack_rows
from .convert import to_tensors


def default_collate(samples: list[Any]) -> Any:
    """Stack samples into a batch of Tensors along a new first axis.

    Arrays, NumPy scalars and Tensors keep their dtype; Python floats become float32, integers int64, bools
    bool. Tuples, lists and dicts are taken apart and keep their form; strings, bytes and None stay a list.

    Args:
        samples (list): At least one sample; all of the same form, shapes and dtypes.

    Raises:
        ValueError: For an empty list or samples of different shapes or widths; the message names the sample.
        TypeError: For samples of different dtypes or kinds.

    Source: PyTorch's function of this name.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import default_collate
        >>> samples = [(np.zeros((8, 8, 1), np.uint8), 3), (np.ones((8, 8, 1), np.uint8), 5)]
        >>> images, labels = default_collate(samples)
        >>> images.shape, labels.shape
        ((2, 8, 8, 1), (2,))
    """
    return to_tensors(collate_arrays(samples))


def collate_arrays(samples: list[Any]) -> Any:
    """As ``default_collate``, with NumPy arrays instead of Tensors."""
    if not samples:
        raise ValueError("default_collate: samples is empty, expected at least one")
    first = samples[0]
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(collate_arrays, columns(samples, len(first))))
    if isinstance(first, tuple):
        return tuple(map(collate_arrays, columns(samples, len(first))))
    if isinstance(first, list):
        return list(map(collate_arrays, columns(samples, len(first))))
    if isinstance(first, dict):
        return collate_dicts(samples, first)
    if isinstance(first, (str, bytes)) or first is None:
        return list(samples)
    if isinstance(first, (bool, int, float)) and not isinstance(first, np.generic):
        return collate_numbers(samples)
    if isinstance(first, (np.ndarray, np.generic)) or hasattr(first, "__array__"):
        return stack(samples)
    raise TypeError(
        f"default_collate: sample 0 is a {type(first).__name__}, expected arrays, Tensors, numbers, strings, "
        "or tuples, lists and dicts of them; pass collate_fn= for anything else"
    )


def collate_dicts(samples: list[Any], first: dict[Any, Any]) -> dict[Any, Any]:
    for i, sample in enumerate(samples):
        if not isinstance(sample, dict) or sample.keys() != first.keys():
            found = sorted(map(str, sample)) if isinstance(sample, dict) else type(sample).__name__
            raise ValueError(
                f"default_collate: sample {i} has keys {found}, expected {sorted(map(str, first))}"
            )
    return {key: collate_arrays([sample[key] for sample in samples]) for key in first}


def collate_numbers(samples: list[Any]) -> NDArray[Any]:
    kind = kind_of_numbers(samples)
    if kind == "bool":
        return np.array(samples, dtype=np.bool_)
    if kind == "float":
        floats = np.empty(len(samples), np.float32)
        fill_floats(samples, floats)
        return floats
    integers = np.empty(len(samples), np.int64)
    try:
        fill_integers(samples, integers)
    except OverflowError:
        raise ValueError("default_collate: an integer needs more than 64 bits") from None
    return integers


def stack(samples: list[Any]) -> NDArray[Any]:
    """Stack arrays: in one compiled loop, unless a sample is not contiguous or does not fit."""
    first = np.asarray(samples[0])
    out = np.empty((len(samples), *first.shape), first.dtype)
    if first.dtype.hasobject:
        raise TypeError("default_collate: sample 0 holds Python objects, expected numbers")
    arrays = (
        samples if all(type(sample) is np.ndarray for sample in samples) else [np.asarray(s) for s in samples]
    )
    if stack_rows(arrays, out) >= 0:
        for i, array in enumerate(arrays):
            check_fits(i, array, first)
        # They all fit; one is only laid out differently in memory.
        np.stack(arrays, out=out)
    return out


def check_fits(index: int, array: NDArray[Any], first: NDArray[Any]) -> None:
    if array.shape != first.shape:
        raise ValueError(
            f"default_collate: sample {index} has shape {array.shape}, expected {first.shape} as sample 0 has"
        )
    if array.dtype != first.dtype:
        raise TypeError(
            f"default_collate: sample {index} has dtype {array.dtype}, expected {first.dtype} as sample 0 has"
        )
