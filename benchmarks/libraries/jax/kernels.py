"""Single kernels. Each call waits for its result."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.libraries import Job, Missing

Data = dict[str, Any]


def arrays(value: Any) -> list[np.ndarray]:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [np.asarray(v) for v in values]


def moments(value: Any) -> list[np.ndarray]:
    x = np.asarray(value)
    return [np.array([1 + x.mean(dtype=np.float64), np.square(x, dtype=np.float64).mean()])]


def call(run: Callable[..., Any], *inputs: Any) -> Callable[[], Any]:
    function, inputs = jax.jit(run), tuple(jnp.asarray(i) for i in inputs)
    return lambda: jax.block_until_ready(function(*inputs))


def gemm(data: Data, o: Data, mode: str) -> Job:
    if data["a"].dtype != np.float32:
        raise Missing("JAX computes with float32, unless told otherwise for the whole process")

    def run(a: Any, b: Any) -> Any:
        return (a.T if o.get("transpose_a") else a) @ (b.T if o.get("transpose_b") else b)

    if half := o.get("half"):
        a, b = (jnp.asarray(data[name]).astype(half) for name in "ab")
        return Job(call(run, a, b), lambda c: arrays(c.astype("float32")))
    return Job(call(run, data["a"], data["b"]), arrays)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "scale": lambda x, y: x * 0.5,
    "divide": lambda x, y: x / y,
    "relu": lambda x, y: jax.nn.relu(x),
    "exp": lambda x, y: jnp.exp(x),
    "log": lambda x, y: jnp.log(x),
    "sqrt": lambda x, y: jnp.sqrt(x),
    "tanh": lambda x, y: jnp.tanh(x),
    "sigmoid": lambda x, y: jax.nn.sigmoid(x),
    "sine": lambda x, y: jnp.sin(x),
    "power": lambda x, y: x**y,
    "greater": lambda x, y: x > y,
    "where": lambda x, y: jnp.where(x > 0, x, y),
    "sum": lambda x, y: x.sum(),
    "sum first axis": lambda x, y: x.sum(0),
    "sum last axis": lambda x, y: x.sum(-1),
    "variance": lambda x, y: x.var(-1),
    "max": lambda x, y: x.max(-1),
    "argmax": lambda x, y: x.argmax(-1),
    "softmax": lambda x, y: jax.nn.softmax(x),
    "transpose": lambda x, y: x.T,
    "copy": lambda x, y: jnp.copy(x),
    "to int32": lambda x, y: x.astype(jnp.int32),
    "add every second": lambda x, y: x[:, ::2] + y[:, ::2],
    "concat": lambda x, y: jnp.concatenate([x, y], -1),
    "roll": lambda x, y: jnp.roll(x, 3, -1),
    "sort": lambda x, y: jnp.sort(x),
    "topk": lambda x, y: jax.lax.top_k(x, 5)[0],
    "cumsum": lambda x, y: jnp.cumsum(x, -1),
}
INDEXED: dict[str, tuple[str, Callable[..., Any]]] = {
    "take": ("columns", lambda x, y, i: jnp.take(x, i, -1)),
    "index get": ("draws", lambda x, y, i: x.ravel()[i]),
    "index put": ("places", lambda x, y, i: jnp.zeros(x.size, x.dtype).at[i].set(x.ravel())),
    "index add": ("draws", lambda x, y, i: jnp.zeros(x.size, x.dtype).at[i].add(y.ravel())),
}


def elementwise(data: Data, o: Data, mode: str) -> Job:
    if o["op"] in INDEXED:
        name, run = INDEXED[o["op"]]
        return Job(call(run, data["x"], data["y"], data[name]), arrays)
    return Job(call(OPERATIONS[o["op"]], data["x"], data["y"]), arrays)


def keyed(draw: Callable[..., Any], *inputs: Any) -> Callable[[], Any]:
    """Each call draws with the next key."""
    key, inputs = jax.random.key(0), tuple(jnp.asarray(i) for i in inputs)

    def run(key: Any, *inputs: Any) -> Any:
        key, own = jax.random.split(key)
        return key, draw(own, *inputs)

    function = jax.jit(run)

    def step() -> Any:
        nonlocal key
        key, value = function(key, *inputs)
        return jax.block_until_ready(value)

    return step


def random(data: Data, o: Data, mode: str) -> Job:
    size = o["size"]
    draws: dict[str, Callable[[Any], Any]] = {
        "normal": lambda key: jax.random.normal(key, (size,)),
        "uniform": lambda key: jax.random.uniform(key, (size,)),
        "integers": lambda key: jax.random.randint(key, (size,), 0, 256),
        "permutation": lambda key: jax.random.permutation(key, size),
        "Bernoulli": lambda key: jax.random.bernoulli(key, 0.3, (size,)).astype(jnp.float32),
    }
    return Job(keyed(draws[o["kind"]]), moments)


def dropout(data: Data, o: Data, mode: str) -> Job:
    keep = 1 - o["p"]

    def run(key: Any, x: Any) -> Any:
        return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)

    return Job(keyed(run, data["x"]), moments)


def backward(run: Callable[..., Any], grad: Any, *inputs: Any) -> Callable[[], Any]:
    """A step that runs forward and backward, and gives the output and the gradients."""

    def both(grad: Any, *inputs: Any) -> Any:
        y, pull = jax.vjp(run, *inputs)
        return y, *pull(grad)

    return call(both, grad, *inputs)


def batch_norm(x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    mean = x.mean((0, 1, 2))
    variance = jnp.square(x).mean((0, 1, 2)) - jnp.square(mean)
    return (x - mean) * (lax.rsqrt(variance + 1e-5) * weight) + bias, mean, variance


def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * weight + bias


def group_norm(x: Any, weight: Any, bias: Any, groups: int) -> Any:
    grouped = x.reshape(*x.shape[:3], groups, -1)
    mean, variance = grouped.mean((1, 2, 4), keepdims=True), grouped.var((1, 2, 4), keepdims=True)
    return ((grouped - mean) * lax.rsqrt(variance + 1e-5)).reshape(x.shape) * weight + bias


def pool(x: Any, name: str, size: int, stride: int, padding: int) -> Any:
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    window = (1, size, size, 1), (1, stride, stride, 1), edges
    if name == "max_pool":
        return lax.reduce_window(x, -jnp.inf, lax.max, *window)
    return lax.reduce_window(x, 0.0, lax.add, *window) / size**2


def layer(data: Data, o: Data, mode: str) -> Job:
    name = o["layer"]
    if name in ("max_pool", "avg_pool"):
        run: Any = lambda x: pool(x, name, o["size"], o["stride"], o["padding"])  # noqa: E731
        return Job(backward(run, data["grad"], data["x"]), arrays)
    if name == "global_pool":
        return Job(backward(lambda x: x.mean((1, 2)), data["grad"], data["x"]), arrays)
    inputs = [data["x"], data["weight"], data["bias"]]
    if name == "group_norm":
        run = lambda x, w, b: group_norm(x, w, b, o["groups"])  # noqa: E731
    elif name == "batch_norm_add_relu":
        inputs.insert(1, data["other"])
        run = lambda x, other, w, b: jax.nn.relu(batch_norm(x, w, b)[0] + other)  # noqa: E731
    else:
        run = layer_norm if name == "layer_norm" else lambda x, w, b: batch_norm(x, w, b)[0]
    return Job(backward(run, data["grad"], *inputs), arrays)


def cross_entropy(x: Any, labels: Any) -> Any:
    chosen = jnp.take_along_axis(x, labels[:, None], 1)[:, 0]
    return (jax.scipy.special.logsumexp(x, 1) - chosen).mean()


def sigmoid_loss(x: Any, target: Any) -> Any:
    return (jnp.maximum(x, 0) - x * target + jnp.log1p(jnp.exp(-jnp.abs(x)))).mean()


def smooth_l1(x: Any, target: Any) -> Any:
    size = jnp.abs(x - target)
    return jnp.where(size < 1, 0.5 * size * size, size - 0.5).mean()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mean squared loss": lambda x, target: jnp.square(x - target).mean(),
    "cross entropy of sigmoid loss": sigmoid_loss,
    "smooth L1 loss": smooth_l1,
    "GELU": lambda x: jax.nn.gelu(x, approximate=True),
    "SiLU": jax.nn.silu,
    "log softmax": jax.nn.log_softmax,
}


def function(data: Data, o: Data, mode: str) -> Job:
    run = FUNCTIONS[o["function"]]
    if "target" in data:
        target = jnp.asarray(data["target"])
        return Job(backward(lambda x: run(x, target), np.float32(1), data["x"]), arrays)
    return Job(backward(run, data["grad"], data["x"]), arrays)


def softmax_loss(data: Data, o: Data, mode: str) -> Job:
    labels = jnp.asarray(data["labels"])
    return Job(backward(lambda x: cross_entropy(x, labels), np.float32(1), data["x"]), arrays)


def embedding(data: Data, o: Data, mode: str) -> Job:
    rows = jnp.asarray(data["rows"])
    return Job(backward(lambda weight: weight[rows], data["grad"], data["weight"]), arrays)


def make_optimizer(o: Data) -> tuple[Callable[[Any], Any], Callable[..., Any]]:
    """`init(parameters)`, and `update(parameters, gradients, state)`, which returns the new ones."""
    lr, momentum = o["lr"], o.get("momentum", 0.0)
    each = jax.tree.map

    def sgd(p: Any, g: Any, state: Any) -> Any:
        if not momentum:
            return each(lambda p, g: p - lr * g, p, g), state
        v = each(lambda v, g: momentum * v + g, state, g)
        return each(lambda p, v: p - lr * v, p, v), v

    def adam(p: Any, g: Any, state: Any) -> Any:
        count, m, s = state
        count = count + 1
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        s = each(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        root, size = 1 / jnp.sqrt(1 - 0.999**count), lr / (1 - 0.9**count)
        return each(lambda p, m, s: p - size * m / (jnp.sqrt(s) * root + 1e-8), p, m, s), (count, m, s)

    if o["optimizer"] == "adam":
        return lambda p: (jnp.float32(0), each(jnp.zeros_like, p), each(jnp.zeros_like, p)), adam
    return lambda p: each(jnp.zeros_like, p) if momentum else (), sgd


def optimizer(data: Data, o: Data, mode: str) -> Job:
    parameters = [jnp.array(p) for p in data["parameters"]]
    gradients = [jnp.asarray(g) for g in data["gradients"]]
    if o["optimizer"] == "norm":
        return Job(call(lambda *g: jnp.sqrt(sum(jnp.vdot(a, a) for a in g)), *gradients), arrays)
    init, update = make_optimizer(o)

    def clipped(p: Any, g: Any, state: Any) -> Any:
        norm = jnp.sqrt(sum(jnp.vdot(x, x) for x in g))
        factor = jnp.minimum(1, o["max_norm"] / (norm + 1e-6))
        return update(p, [x * factor for x in g], state)

    run = clipped if "max_norm" in o else update
    state, function = init(parameters), jax.jit(run, donate_argnums=(0, 2))

    def step() -> Any:
        nonlocal parameters, state
        parameters, state = jax.block_until_ready(function(parameters, gradients, state))
        return parameters

    return Job(step, arrays)


def conv2d(x: Any, weight: Any, stride: int, padding: int, groups: int = 1) -> Any:
    return lax.conv_general_dilated(
        x, weight, (stride, stride), ((padding, padding), (padding, padding)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"), feature_group_count=groups,
    )  # fmt: skip


def conv(data: Data, o: Data, mode: str) -> Job:
    stride, padding, groups = o["stride"], o["padding"], o["groups"]
    run = lambda weight, x: conv2d(x, weight, stride, padding, groups)  # noqa: E731

    def read(value: Any) -> list[np.ndarray]:
        y, weight, *back = arrays(value)
        return [y, weight.transpose(3, 0, 1, 2), *back]

    weight = np.ascontiguousarray(data["weight"].transpose(1, 2, 3, 0))
    if o["input_gradient"]:
        return Job(backward(run, data["grad"], weight, data["x"]), read)
    x = jnp.asarray(data["x"])
    return Job(backward(lambda weight: run(weight, x), data["grad"], weight), read)


def conv1d(data: Data, o: Data, mode: str) -> Job:
    edge = o["size"] // 2

    def run(weight: Any, x: Any) -> Any:
        layout = ("NWC", "WIO", "NWC")
        return lax.conv_general_dilated(x, weight, (1,), ((edge, edge),), dimension_numbers=layout)

    def read(value: Any) -> list[np.ndarray]:
        y, weight, x = arrays(value)
        return [y, weight.transpose(2, 0, 1), x]

    weight = np.ascontiguousarray(data["weight"].transpose(1, 2, 0))
    return Job(backward(run, data["grad"], weight, data["x"]), read)


def conv_transpose(data: Data, o: Data, mode: str) -> Job:
    strides, edge = (o["stride"], o["stride"]), o["size"] - 1 - o["padding"]

    def run(weight: Any, x: Any) -> Any:  # weight (height, width, outputs, inputs)
        edges = ((edge, edge), (edge, edge))
        return lax.conv_transpose(x, weight, strides, edges, transpose_kernel=True)

    def read(value: Any) -> list[np.ndarray]:
        y, weight, x = arrays(value)
        return [y, weight.transpose(3, 0, 1, 2), x]

    weight = np.ascontiguousarray(data["weight"].transpose(1, 2, 3, 0))
    return Job(backward(run, data["grad"], weight, data["x"]), read)
