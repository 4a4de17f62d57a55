"""JAX, everything under `jit`."""

import os
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

from . import kernels, networks

BUILD = {
    "gemm": kernels.gemm,
    "elementwise": kernels.elementwise,
    "random": kernels.random,
    "dropout": kernels.dropout,
    "layer": kernels.layer,
    "softmax_loss": kernels.softmax_loss,
    "embedding": kernels.embedding,
    "optimizer": kernels.optimizer,
    "conv": kernels.conv,
    "network": networks.network,
    "module_call": networks.module_call,
}


def version() -> str:
    return jax.__version__


def set_threads(threads: int) -> None:
    """JAX uses the processors that it may run on, which the driver sets."""


def wait(value: Any) -> None:
    """A training step returns before it is done, so that the next can be prepared."""
    jax.block_until_ready(value)
