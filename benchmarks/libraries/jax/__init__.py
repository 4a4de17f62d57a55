"""JAX, everything under `jit`."""

import os
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

from benchmarks.libraries import builders

from . import kernels, language, networks, sequences

BUILD = builders(kernels, networks) | sequences.BUILD | language.BUILD


def version() -> str:
    return jax.__version__


def set_threads(threads: int) -> None:
    """JAX uses the processors that it may run on, which the driver sets."""


def wait(value: Any) -> None:
    """A training step returns before it is done, so that the next can be prepared."""
    jax.block_until_ready(value)
