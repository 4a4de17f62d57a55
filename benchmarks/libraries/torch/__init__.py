"""PyTorch in every mode that its users know."""

from typing import Any

import torch

from benchmarks.libraries import builders

from . import kernels, language, networks, sequences

BUILD = builders(kernels, networks) | sequences.BUILD | language.BUILD


def version() -> str:
    return torch.__version__


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def wait(value: Any) -> None:
    pass
