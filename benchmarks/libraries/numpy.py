"""The best float32 NumPy that a good programmer writes: matmul into reused buffers."""

from collections.abc import Callable
from typing import Any

import numpy as np

MODES: dict[str, dict[str, str]] = {"numpy": {}}


def version() -> str:
    return np.__version__


def set_threads(threads: int) -> None:
    """NumPy's BLAS takes OMP_NUM_THREADS, which the driver sets."""


def to_numpy(value: Any) -> np.ndarray:
    return np.asarray(value)


def gemm(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    a, b = arrays["a"], arrays["b"]
    out = np.empty((a.shape[0], b.shape[1]), np.float32)
    return lambda: np.matmul(a, b, out=out)


def mlp(options: dict[str, Any], arrays: dict[str, np.ndarray], mode: str) -> Callable[[], Any]:
    x, y = arrays["x"], arrays["y"]
    layers = len(options["sizes"]) - 1
    weights = [arrays[f"w{i}"].copy() for i in range(layers)]
    biases = [arrays[f"b{i}"].copy() for i in range(layers)]
    rate = np.float32(0.01)

    def step() -> float:
        outputs = [x]
        for i in range(layers):
            z = outputs[-1] @ weights[i].T
            z += biases[i]
            if i < layers - 1:
                np.maximum(z, 0, out=z)
            outputs.append(z)
        difference = outputs[-1] - y
        loss = float(np.mean(difference * difference))
        grad = difference * np.float32(2 / difference.size)
        for i in reversed(range(layers)):
            grad_weight, grad_bias = grad.T @ outputs[i], grad.sum(0)
            if i:
                grad = grad @ weights[i]
                grad *= outputs[i] > 0
            weights[i] -= rate * grad_weight
            biases[i] -= rate * grad_bias
        return loss

    return step
