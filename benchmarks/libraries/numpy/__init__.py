"""The best float32 NumPy that a good programmer writes: slices and matmul, reused buffers.

Its BLAS takes OMP_NUM_THREADS, which the driver sets.
"""

from typing import Any

import numpy as np

from benchmarks.libraries import builders

from . import kernels, networks

BUILD = builders(kernels, networks)


def version() -> str:
    return np.__version__


def set_threads(threads: int) -> None:
    pass


def wait(value: Any) -> None:
    pass
