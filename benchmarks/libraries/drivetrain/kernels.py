"""Single kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np

import drivetrain as dt
from benchmarks.libraries import Job
from drivetrain import nn
from drivetrain.nn import functional as F

Data = dict[str, Any]


HALVES = (dt.float16, dt.bfloat16)


def arrays(value: Any) -> list[np.ndarray]:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [(v.float() if v.dtype in HALVES else v).detach().numpy() for v in values]


def to_half(t: Any, o: Data) -> Any:
    """In the half format that the options name, where they do."""
    return t.astype(o["half"]) if "half" in o else t


def moments(value: Any) -> list[np.ndarray]:
    """What random numbers of two libraries have in common."""
    (x,) = arrays(value)
    return [np.array([1 + x.mean(dtype=np.float64), np.square(x, dtype=np.float64).mean()])]


def gemm(data: Data, o: Data, mode: str) -> Job:
    a, b = (to_half(dt.from_numpy(data[name]), o) for name in "ab")
    a = a.T if o.get("transpose_a") else a
    b = b.T if o.get("transpose_b") else b
    return Job(lambda: dt.matmul(a, b), arrays)


def elementwise(data: Data, o: Data, mode: str) -> Job:
    x, y = dt.from_numpy(data["x"]), to_half(dt.from_numpy(data["y"]), o)
    columns, places, draws = (dt.from_numpy(data[name]) for name in ("columns", "places", "draws"))
    flat, other, changed = x.reshape(-1), y.reshape(-1), dt.zeros(x.size)

    def put() -> Any:
        changed[places] = flat
        return changed

    steps: dict[str, Callable[[], Any]] = {
        "add": lambda: x + y,
        "scale": lambda: x * 0.5,
        "divide": lambda: x / y,
        "relu": lambda: F.relu(x),
        "exp": lambda: dt.exp(x),
        "log": lambda: dt.log(x),
        "sqrt": lambda: dt.sqrt(x),
        "tanh": lambda: dt.tanh(x),
        "sigmoid": lambda: F.sigmoid(x),
        "sine": lambda: dt.sin(x),
        "power": lambda: x**y,
        "greater": lambda: x > y,
        "where": lambda: dt.where(x > 0, x, y),
        "sum": lambda: x.sum(),
        "sum first axis": lambda: x.sum(0),
        "sum last axis": lambda: x.sum(-1),
        "variance": lambda: x.var(-1),
        "max": lambda: x.max(-1),
        "argmax": lambda: x.argmax(-1),
        "softmax": lambda: F.softmax(x, -1),
        "transpose": lambda: x.T.contiguous(),
        "copy": lambda: x.clone(),
        "to bfloat16": lambda: x.astype("bfloat16"),
        "to float16": lambda: x.astype("float16"),
        "from bfloat16": lambda: y.float(),
        "to int32": lambda: x.astype(dt.int32),
        "add every second": lambda: x[:, ::2] + y[:, ::2],
        "concat": lambda: dt.concat([x, y], axis=-1),
        "roll": lambda: dt.roll(x, 3, axis=-1),
        "sort": lambda: dt.sort(x),
        "topk": lambda: dt.topk(x, 5)[0],
        "cumsum": lambda: dt.cumulative_sum(x, axis=-1),
        "take": lambda: dt.take(x, columns, axis=-1),
        "index get": lambda: flat[draws],
        "index put": put,
        "index add": lambda: dt.zeros(x.size).scatter_add_(draws, other, 0),
    }
    return Job(steps[o["op"]], arrays)


def random(data: Data, o: Data, mode: str) -> Job:
    size, p = o["size"], dt.full(o["size"], 0.3)
    draws: dict[str, Callable[[], Any]] = {
        "normal": lambda: dt.randn(size),
        "uniform": lambda: dt.rand(size),
        "integers": lambda: dt.randint(0, 256, (size,)),
        "permutation": lambda: dt.randperm(size),
        "Bernoulli": lambda: dt.bernoulli(p),
    }
    return Job(draws[o["kind"]], moments)


def dropout(data: Data, o: Data, mode: str) -> Job:
    x = to_half(dt.from_numpy(data["x"]), o)
    return Job(lambda: F.dropout(x, o["p"]), moments)


def backward(run: Callable[[], Any], grad: Any, inputs: list[Any]) -> Callable[[], Any]:
    """A step that runs forward and backward, and gives the output and the gradients."""

    def step() -> Any:
        for t in inputs:
            t.grad = None
        y = run()
        y.backward(grad)
        return y, *(t.grad for t in inputs)

    return step


def leaf(array: np.ndarray, o: Data | None = None) -> Any:
    """Of the half format that the options name, where they do."""
    return given(array, o).requires_grad_()


def given(array: np.ndarray, o: Data | None = None) -> Any:
    return dt.tensor(array, dtype=(o or {}).get("half"))


def layer(data: Data, o: Data, mode: str) -> Job:
    x, grad, name = leaf(data["x"], o), given(data["grad"], o), o["layer"]
    if name == "global_pool":
        return Job(backward(lambda: F.global_avg_pool(x), grad, [x]), arrays)
    if name in ("max_pool", "avg_pool"):
        pool = F.max_pool2d if name == "max_pool" else F.avg_pool2d
        size, stride, padding = o["size"], o["stride"], o["padding"]
        return Job(backward(lambda: pool(x, size, stride, padding), grad, [x]), arrays)
    channels = o["shape"][-1]
    activation = "relu" if name == "batch_norm_add_relu" else None
    norm: Any = nn.BatchNorm2d(channels, activation=activation)
    if name in ("layer_norm", "group_norm"):
        norm = nn.LayerNorm(channels) if name == "layer_norm" else nn.GroupNorm(o["groups"], channels)
    with dt.no_grad():
        norm.weight.copy_(dt.tensor(data["weight"]))
        norm.bias.copy_(dt.tensor(data["bias"]))
    inputs, run = [x], lambda: norm(x)
    if name == "batch_norm_add_relu":
        other = leaf(data["other"], o)
        inputs, run = [x, other], lambda: norm(x, residual=other)
    return Job(backward(run, grad, [*inputs, norm.weight, norm.bias]), arrays)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mean squared loss": F.mse_loss,
    "cross entropy of sigmoid loss": F.binary_cross_entropy_with_logits,
    "smooth L1 loss": F.smooth_l1_loss,
    "GELU": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu,
    "log softmax": lambda x: F.log_softmax(x, -1),
}


def function(data: Data, o: Data, mode: str) -> Job:
    x, run = leaf(data["x"], o), FUNCTIONS[o["function"]]
    if "target" in data:
        target = dt.tensor(data["target"])
        return Job(backward(lambda: run(x, target), None, [x]), arrays)
    return Job(backward(lambda: run(x), given(data["grad"], o), [x]), arrays)


def softmax_loss(data: Data, o: Data, mode: str) -> Job:
    x, labels = leaf(data["x"], o), dt.tensor(data["labels"])
    return Job(backward(lambda: F.cross_entropy(x, labels), None, [x]), arrays)


def embedding(data: Data, o: Data, mode: str) -> Job:
    rows, weight, grad = dt.tensor(data["rows"]), leaf(data["weight"]), dt.tensor(data["grad"])
    return Job(backward(lambda: F.embedding(rows, weight), grad, [weight]), arrays)


def make_optimizer(o: Data, parameters: Any) -> dt.optim.Optimizer:
    if "options" in o:
        kind: type[dt.optim.Optimizer] = getattr(dt.optim, o["optimizer"])
        return kind(parameters, lr=o["lr"], **o["options"])
    if o["optimizer"] == "adam":
        return dt.optim.Adam(parameters, lr=o["lr"])
    return dt.optim.SGD(parameters, lr=o["lr"], momentum=o.get("momentum", 0.0))


def optimizer(data: Data, o: Data, mode: str) -> Job:
    parameters = [leaf(p) for p in data["parameters"]]
    for p, g in zip(parameters, data["gradients"], strict=True):
        p.grad = dt.tensor(g)
    if o["optimizer"] == "norm":
        return Job(lambda: dt.clip_grad_norm_(parameters, 1e9), arrays)
    update = make_optimizer(o, parameters)
    if o["optimizer"] == "LBFGS":
        goals = [p.grad for p in parameters]

        def closure() -> float:  # of half the squared distance from the goals
            with dt.no_grad():
                for p, goal in zip(parameters, goals, strict=True):
                    p.grad = p.detach() - goal
            return 1.0

        return Job(lambda: (update.step(closure), parameters)[1], arrays)

    def step() -> Any:
        update.step(max_norm=o.get("max_norm"))
        return parameters

    return Job(step, arrays)


def conv(data: Data, o: Data, mode: str) -> Job:
    x = dt.tensor(data["x"], dtype=o.get("half"), requires_grad=o["input_gradient"])
    weight, grad = leaf(data["weight"], o), given(data["grad"], o)
    stride, padding, groups = o["stride"], o["padding"], o["groups"]
    run = lambda: F.conv2d(x, weight, None, stride, padding, groups=groups)  # noqa: E731
    return Job(backward(run, grad, [weight, x] if o["input_gradient"] else [weight]), arrays)


def conv1d(data: Data, o: Data, mode: str) -> Job:
    x, weight, grad = leaf(data["x"], o), leaf(data["weight"], o), given(data["grad"], o)
    run = lambda: F.conv1d(x, weight, None, 1, o["size"] // 2)  # noqa: E731
    return Job(backward(run, grad, [weight, x]), arrays)


def conv_transpose(data: Data, o: Data, mode: str) -> Job:
    x, weight, grad = leaf(data["x"], o), leaf(data["weight"], o), given(data["grad"], o)
    run = lambda: F.conv_transpose2d(x, weight, None, o["stride"], o["padding"])  # noqa: E731
    return Job(backward(run, grad, [weight, x]), arrays)
