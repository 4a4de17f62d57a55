"""Single kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.libraries import Job

from . import layers
from .functions import FUNCTIONS
from .networks import make_optimizer

Data = dict[str, Any]


def same(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, (tuple, list)) else [np.asarray(value)]


def gemm(data: Data, o: Data, mode: str) -> Job:
    a = data["a"].T if o.get("transpose_a") else data["a"]
    b = data["b"].T if o.get("transpose_b") else data["b"]
    out = np.empty((o["m"], o["n"]), a.dtype)
    return Job(lambda: np.matmul(a, b, out=out), same)


def elementwise(data: Data, o: Data, mode: str) -> Job:
    x, y = data["x"], data["y"]
    out = np.empty_like(x)
    half = np.float32(0.5)

    def sigmoid() -> np.ndarray:
        np.negative(x, out=out)
        np.exp(out, out=out)
        np.add(out, 1, out=out)
        return np.reciprocal(out, out=out)

    def softmax() -> np.ndarray:
        np.subtract(x, x.max(-1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(-1, keepdims=True), out=out)
        return out

    turned = np.empty(x.shape[::-1], np.float32)

    def transpose() -> np.ndarray:
        np.copyto(turned, x.T)
        return turned

    flat, other, changed = x.ravel(), y.ravel(), np.empty(x.size, np.float32)
    columns, places, draws = data["columns"], data["places"], data["draws"]

    def put() -> np.ndarray:
        changed[places] = flat
        return changed

    def add_at() -> np.ndarray:
        changed.fill(0)
        np.add.at(changed, draws, other)
        return changed

    steps: dict[str, Callable[[], Any]] = {
        "add": lambda: np.add(x, y, out=out),
        "scale": lambda: np.multiply(x, half, out=out),
        "divide": lambda: np.divide(x, y, out=out),
        "relu": lambda: np.maximum(x, 0, out=out),
        "exp": lambda: np.exp(x, out=out),
        "log": lambda: np.log(x, out=out),
        "sqrt": lambda: np.sqrt(x, out=out),
        "tanh": lambda: np.tanh(x, out=out),
        "sigmoid": sigmoid,
        "sine": lambda: np.sin(x, out=out),
        "power": lambda: np.power(x, y, out=out),
        "greater": lambda: np.greater(x, y),
        "where": lambda: np.where(x > 0, x, y),
        "sum": lambda: x.sum(),
        "sum first axis": lambda: x.sum(0),
        "sum last axis": lambda: x.sum(-1),
        "variance": lambda: x.var(-1),
        "max": lambda: x.max(-1),
        "argmax": lambda: x.argmax(-1),
        "softmax": softmax,
        "transpose": transpose,
        "copy": lambda: np.copyto(out, x) or out,
        "to int32": lambda: x.astype(np.int32),
        "add every second": lambda: x[:, ::2] + y[:, ::2],
        "concat": lambda: np.concatenate([x, y], -1),
        "roll": lambda: np.roll(x, 3, -1),
        "sort": lambda: np.sort(x, -1),
        "topk": lambda: np.sort(np.partition(x, -5, -1)[:, -5:], -1)[:, ::-1],
        "cumsum": lambda: np.cumsum(x, -1, out=out),
        "take": lambda: np.take(x, columns, -1),
        "index get": lambda: flat[draws],
        "index put": put,
        "index add": add_at,
    }
    return Job(steps[o["op"]], same)


def random(data: Data, o: Data, mode: str) -> Job:
    generator, size = np.random.Generator(np.random.SFC64(0)), o["size"]
    out, p = np.empty(size, np.float32), np.full(size, 0.3, np.float32)
    draws: dict[str, Callable[[], np.ndarray]] = {
        "normal": lambda: generator.standard_normal(dtype=np.float32, out=out),
        "uniform": lambda: generator.random(dtype=np.float32, out=out),
        "integers": lambda: generator.integers(0, 256, size),
        "permutation": lambda: generator.permutation(size),
        "Bernoulli": lambda: np.less(generator.random(dtype=np.float32, out=out), p, out=out),
    }
    return Job(draws[o["kind"]], moments)


def moments(value: np.ndarray) -> list[np.ndarray]:
    """What random numbers of two libraries have in common."""
    return [np.array([1 + value.mean(dtype=np.float64), np.square(value, dtype=np.float64).mean()])]


def dropout(data: Data, o: Data, mode: str) -> Job:
    generator = np.random.Generator(np.random.SFC64(0))
    x, keep = data["x"], 1 - o["p"]
    draws, out = np.empty_like(x), np.empty_like(x)

    def step() -> np.ndarray:
        generator.random(dtype=np.float32, out=draws)
        np.multiply(x, draws < keep, out=out)
        return np.multiply(out, np.float32(1 / keep), out=out)

    return Job(step, moments)


def layer(data: Data, o: Data, mode: str) -> Job:
    x, grad, name = data["x"], data["grad"], o["layer"]
    if name in ("max_pool", "avg_pool"):
        pool = layers.Pool(name, o["size"], o["stride"], o["padding"])
        return Job(lambda: (pool.forward(x), pool.backward(grad)), same)
    if name == "global_pool":
        mean = layers.GlobalPool()
        return Job(lambda: (mean.forward(x), mean.backward(grad)), same)
    kind = layers.LayerNorm if name == "layer_norm" else layers.BatchNorm
    norm: layers.Layer = kind(data["weight"], data["bias"])
    if name == "group_norm":
        norm = layers.GroupNorm(data["weight"], data["bias"], o["groups"])
    if name == "batch_norm_add_relu":
        relu, other = layers.ReLU(), data["other"]

        def step() -> tuple[Any, ...]:
            y = relu.forward(norm.forward(x) + other)
            back = relu.backward(grad)
            return y, norm.backward(back), back, *norm.gradients

        return Job(step, same)
    return Job(lambda: (norm.forward(x), norm.backward(grad), *norm.gradients), same)


def function(data: Data, o: Data, mode: str) -> Job:
    x, run = data["x"], FUNCTIONS[o["function"]]
    other = data["target"] if "target" in data else data["grad"]
    buffers = np.empty_like(x), np.empty_like(x)
    return Job(lambda: run(x, other, *buffers), same)


def softmax_loss(data: Data, o: Data, mode: str) -> Job:
    x, labels = data["x"], data["labels"]
    rows, grad = np.arange(len(x)), np.empty_like(x)

    def step() -> tuple[Any, ...]:
        np.subtract(x, x.max(1, keepdims=True), out=grad)
        chosen = grad[rows, labels]
        np.exp(grad, out=grad)
        total = grad.sum(1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - chosen)
        np.multiply(grad, np.float32(1 / len(x)) / total, out=grad)
        grad[rows, labels] -= np.float32(1 / len(x))
        return np.array([loss]), grad

    return Job(step, same)


def embedding(data: Data, o: Data, mode: str) -> Job:
    rows, weight, grad = data["rows"], data["weight"], data["grad"]
    out, back = np.empty_like(grad), np.empty_like(weight)

    def step() -> tuple[Any, ...]:
        np.take(weight, rows, axis=0, out=out)
        back.fill(0)
        np.add.at(back, rows, grad)
        return out, back

    return Job(step, same)


def optimizer(data: Data, o: Data, mode: str) -> Job:
    parameters, gradients = [p.copy() for p in data["parameters"]], data["gradients"]
    if o["optimizer"] == "norm":
        flat = [g.ravel() for g in gradients]
        return Job(lambda: np.sqrt(sum(g @ g for g in flat)), same)
    update = make_optimizer(o, parameters)
    scaled = [np.empty_like(g) for g in gradients]

    def step() -> list[np.ndarray]:
        if "max_norm" in o:
            norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
            factor = np.float32(min(1, o["max_norm"] / (norm + 1e-6)))
            update([np.multiply(g, factor, out=s) for g, s in zip(gradients, scaled, strict=True)])
        else:
            update(gradients)
        return parameters

    return Job(step, same)


def conv(data: Data, o: Data, mode: str) -> Job:
    own = layers.conv(data["weight"], None, o["stride"], o["padding"], o["groups"])
    x, grad, needed = data["x"], data["grad"], o["input_gradient"]

    def step() -> tuple[Any, ...]:
        y, back = own.forward(x), own.backward(grad, needed)
        return (y, *own.gradients, back) if needed else (y, *own.gradients)

    return Job(step, same)


def conv1d(data: Data, o: Data, mode: str) -> Job:
    """A product for every position of the kernel."""
    x, weight, grad, edge = data["x"], data["weight"], data["grad"], o["size"] // 2
    n, length, inputs = x.shape
    padded = np.zeros((n, length + 2 * edge, inputs), np.float32)
    back, gw, y, part = np.empty_like(padded), np.empty_like(weight), np.empty_like(grad), np.empty_like(grad)
    rows, gradient_rows = np.empty_like(x), grad.reshape(-1, grad.shape[-1])
    taps = [slice(i, i + length) for i in range(o["size"])]

    def step() -> tuple[Any, ...]:
        padded[:, edge : edge + length] = x
        for i, here in enumerate(taps):
            np.matmul(padded[:, here], weight[:, i].T, out=part if i else y)
            if i:
                np.add(y, part, out=y)
        back.fill(0)
        for i, here in enumerate(taps):
            np.copyto(rows, padded[:, here])
            gw[:, i] = gradient_rows.T @ rows.reshape(-1, inputs)
            np.matmul(gradient_rows, weight[:, i], out=rows.reshape(-1, inputs))
            back[:, here] += rows
        return y, gw, back[:, edge : edge + length]

    return Job(step, same)


def conv_transpose(data: Data, o: Data, mode: str) -> Job:
    """One product with all positions of the kernel, whose results are then added where they belong."""
    x, weight, grad, p = data["x"], data["weight"], data["grad"], o["padding"]
    n, height, width, inputs = x.shape
    size, outputs, s = o["size"], weight.shape[3], o["stride"]
    flat, rows = weight.reshape(inputs, -1), x.reshape(-1, inputs)
    columns = np.empty((n, height, width, size, size, outputs), np.float32)
    matrix = columns.reshape(len(rows), -1)
    full = np.zeros((n, grad.shape[1] + 2 * p, grad.shape[2] + 2 * p, outputs), np.float32)
    padded, back, gw = np.zeros_like(full), np.empty_like(rows), np.empty_like(flat)
    inner = (slice(None), slice(p, p + grad.shape[1]), slice(p, p + grad.shape[2]))
    places = [
        (i, j, (slice(None), slice(i, i + s * height, s), slice(j, j + s * width, s)))
        for i in range(size)
        for j in range(size)
    ]

    def step() -> tuple[Any, ...]:
        np.matmul(rows, flat, out=matrix)
        full.fill(0)
        for i, j, here in places:
            full[here] += columns[:, :, :, i, j]
        padded[inner] = grad
        for i, j, here in places:
            columns[:, :, :, i, j] = padded[here]
        np.matmul(rows.T, matrix, out=gw)
        np.matmul(matrix, flat.T, out=back)
        return np.ascontiguousarray(full[inner]), gw.reshape(weight.shape), back.reshape(x.shape)

    return Job(step, same)
