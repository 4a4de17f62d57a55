"""Inputs and initial weights that every library gets alike. Weights are in PyTorch's layout."""

from itertools import pairwise
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]


def gemm(options: dict[str, Any]) -> Arrays:
    rng = np.random.default_rng(0)
    m, n, k = options["m"], options["n"], options["k"]
    return {
        "a": rng.standard_normal((m, k), dtype=np.float32),
        "b": rng.standard_normal((k, n), dtype=np.float32),
    }


def mlp(options: dict[str, Any]) -> Arrays:
    rng = np.random.default_rng(0)
    sizes, batch = options["sizes"], options["batch"]
    arrays = {
        "x": rng.standard_normal((batch, sizes[0]), dtype=np.float32),
        "y": rng.standard_normal((batch, sizes[-1]), dtype=np.float32),
    }
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        arrays[f"w{i}"] = (rng.standard_normal((fan_out, fan_in)) / np.sqrt(fan_in)).astype(np.float32)
        arrays[f"b{i}"] = np.zeros(fan_out, np.float32)
    return arrays


def lenet(options: dict[str, Any]) -> Arrays:
    rng = np.random.default_rng(0)
    batch = options["batch"]

    def weight(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)

    return {
        "x": rng.standard_normal((batch, 28, 28, 1), dtype=np.float32),
        "y": rng.integers(0, 10, batch),
        "conv0": weight(6, 1, 5, 5),
        "conv1": weight(16, 6, 5, 5),
        "fc0": weight(120, 400),
        "fc1": weight(84, 120),
        "fc2": weight(10, 84),
    }
