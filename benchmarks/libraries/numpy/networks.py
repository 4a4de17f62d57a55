"""Training steps: the layers of `layers.py` put together, with a loss and an optimizer."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.libraries import Job
from benchmarks.networks import Layer as Spec

from . import layers as L


def build(specs: list[Spec], weights: Iterator[dict[str, np.ndarray]]) -> L.Sequence:
    return L.Sequence([one(name, options, weights) for name, options in specs])


def one(name: str, o: dict[str, Any], weights: Iterator[dict[str, np.ndarray]]) -> L.Layer:
    if name == "residual":
        main = build(o["main"], weights)
        return L.Residual(main, build(o["shortcut"], weights))
    if name == "conv":
        own = next(weights)
        return L.conv(own["weight"], own.get("bias"), o["stride"], o["padding"])
    if name == "batch_norm":
        return L.BatchNorm(**next(weights))
    if name == "linear":
        return L.Linear(**next(weights))
    if name == "max_pool":
        return L.Pool("max_pool", o["size"], o["stride"], o["padding"])
    return {"relu": L.ReLU, "flatten": L.Flatten, "global_pool": L.GlobalPool}[name]()


def mse(output: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    difference = output - target
    return float(np.mean(difference * difference)), difference * np.float32(2 / difference.size)


def cross_entropy(output: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    rows = np.arange(len(output))
    grad = output - output.max(1, keepdims=True)
    chosen = grad[rows, labels]
    np.exp(grad, out=grad)
    total = grad.sum(1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - chosen))
    grad /= total
    grad[rows, labels] -= 1
    grad *= np.float32(1 / len(output))
    return loss, grad


def sgd(parameters: list[np.ndarray], lr: float, momentum: float) -> Callable[[list[np.ndarray]], None]:
    velocities = [np.zeros_like(p) for p in parameters]
    buffers = [np.empty_like(p) for p in parameters]

    def step(gradients: list[np.ndarray]) -> None:
        for p, g, v, buffer in zip(parameters, gradients, velocities, buffers, strict=True):
            change = g
            if momentum:
                v *= np.float32(momentum)
                v += g
                change = v
            p -= np.multiply(change, np.float32(lr), out=buffer)

    return step


def adam(parameters: list[np.ndarray], lr: float) -> Callable[[list[np.ndarray]], None]:
    means = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    buffers = [(np.empty_like(p), np.empty_like(p)) for p in parameters]
    count = 0

    def step(gradients: list[np.ndarray]) -> None:
        nonlocal count
        count += 1
        scale, size = np.float32(1 / np.sqrt(1 - 0.999**count)), np.float32(lr / (1 - 0.9**count))
        for p, g, m, s, (a, b) in zip(parameters, gradients, means, squares, buffers, strict=True):
            m *= np.float32(0.9)
            m += np.multiply(g, np.float32(0.1), out=a)
            s *= np.float32(0.999)
            np.multiply(g, g, out=a)
            a *= np.float32(0.001)
            s += a
            np.sqrt(s, out=a)
            a *= scale
            a += np.float32(1e-8)
            np.divide(m, a, out=b)
            b *= size
            p -= b

    return step


def make_optimizer(o: dict[str, Any], parameters: list[np.ndarray]) -> Callable[[list[np.ndarray]], None]:
    if o["optimizer"] == "adam":
        return adam(parameters, o["lr"])
    return sgd(parameters, o["lr"], o.get("momentum", 0.0))


def network(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = build(data["layers"], iter(data["weights"]))
    leaves = [leaf for leaf in model.leaves() if leaf.weights]
    weights = [w for leaf in leaves for w in leaf.weights]
    update = make_optimizer(o, weights)
    gradients = [g for leaf in leaves for g in leaf.gradients]
    loss = {"mse": mse, "cross_entropy": cross_entropy}[o["loss"]]
    x, y = data["x"], data["y"]

    def step() -> float:
        value, grad = loss(model.forward(x), y)
        model.backward(grad, needed=False)
        update(gradients)
        return value

    return Job(step, lambda value: [np.array([value])], lambda: weights)


def module_call(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = build(data["layers"], iter(data["weights"]))
    return Job(lambda: model.forward(data["x"]), lambda value: [value])
