"""One package per library. Each has, for the modes in `benchmarks/modes.py`,

- `version()`, `set_threads(threads)`, and `wait(value)` for libraries that compute in the background,
- `BUILD`: the builder of every kind of case that it has, `build(data, options, mode) -> Job`.

Images that come and go are NHWC; see `benchmarks/data.py`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np


@dataclass
class Job:
    step: Callable[[], Any]  # one unit of work, which is timed
    read: Callable[[Any], list[np.ndarray]]  # what a step computed, as arrays in the common layout
    weights: Callable[[], Iterable[np.ndarray]] | None = None  # what a step trains, as in `networks.weights`


class Missing(Exception):
    """The library has nothing like it; the text says why."""


KERNELS = (
    *("gemm", "elementwise", "random", "dropout", "layer"),
    *("function", "softmax_loss", "embedding", "optimizer"),
    *("conv", "conv1d", "conv_transpose"),
)
NETWORKS = ("network", "module_call")


def builders(kernels: ModuleType, networks: ModuleType) -> dict[str, Callable[..., Job]]:
    """The builders of the kinds that every library has, which are functions of these names."""
    return {kind: getattr(kernels, kind) for kind in KERNELS} | {
        kind: getattr(networks, kind) for kind in NETWORKS
    }
