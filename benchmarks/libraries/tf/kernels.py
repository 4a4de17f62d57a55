"""Single kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.libraries import Job, Missing

Data = dict[str, Any]


def arrays(value: Any) -> list[np.ndarray]:
    values = value if isinstance(value, (tuple, list)) else [value]
    return [v.numpy() for v in values]


def moments(value: Any) -> list[np.ndarray]:
    x = value.numpy()
    return [np.array([1 + x.mean(dtype=np.float64), np.square(x, dtype=np.float64).mean()])]


def graph(run: Callable[..., Any], mode: str) -> Callable[..., Any]:
    return tf.function(run, jit_compile=mode == "jit_compile", autograph=False)


def gemm(data: Data, o: Data, mode: str) -> Job:
    a, b = tf.constant(data["a"]), tf.constant(data["b"])
    if half := o.get("half"):
        a, b = tf.cast(a, half), tf.cast(b, half)
    transposes = {"transpose_a": bool(o.get("transpose_a")), "transpose_b": bool(o.get("transpose_b"))}
    run = graph(lambda a, b: tf.matmul(a, b, **transposes), mode)
    return Job(lambda: run(a, b), lambda c: arrays(tf.cast(c, tf.float32) if o.get("half") else c))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "scale": lambda x, y: x * 0.5,
    "divide": lambda x, y: x / y,
    "relu": lambda x, y: tf.nn.relu(x),
    "exp": lambda x, y: tf.exp(x),
    "log": lambda x, y: tf.math.log(x),
    "sqrt": lambda x, y: tf.sqrt(x),
    "tanh": lambda x, y: tf.tanh(x),
    "sigmoid": lambda x, y: tf.sigmoid(x),
    "sine": lambda x, y: tf.sin(x),
    "power": lambda x, y: x**y,
    "greater": lambda x, y: x > y,
    "where": lambda x, y: tf.where(x > 0, x, y),
    "sum": lambda x, y: tf.reduce_sum(x),
    "sum first axis": lambda x, y: tf.reduce_sum(x, 0),
    "sum last axis": lambda x, y: tf.reduce_sum(x, -1),
    "variance": lambda x, y: tf.math.reduce_variance(x, -1),
    "max": lambda x, y: tf.reduce_max(x, -1),
    "argmax": lambda x, y: tf.argmax(x, -1),
    "softmax": lambda x, y: tf.nn.softmax(x),
    "transpose": lambda x, y: tf.transpose(x),
    "to int32": lambda x, y: tf.cast(x, tf.int32),
    "add every second": lambda x, y: x[:, ::2] + y[:, ::2],
    "concat": lambda x, y: tf.concat([x, y], -1),
    "roll": lambda x, y: tf.roll(x, 3, -1),
    "sort": lambda x, y: tf.sort(x),
    "topk": lambda x, y: tf.math.top_k(x, 5).values,
    "cumsum": lambda x, y: tf.cumsum(x, -1),
}
INDEXED: dict[str, tuple[str, Callable[..., Any]]] = {
    "take": ("columns", lambda x, y, i: tf.gather(x, i, axis=-1)),
    "index get": ("draws", lambda x, y, i: tf.gather(tf.reshape(x, [-1]), i)),
    "index put": (
        "places",
        lambda x, y, i: tf.scatter_nd(i[:, None], tf.reshape(x, [-1]), tf.shape(i, tf.int64)),
    ),
    "index add": ("draws", lambda x, y, i: tf.math.unsorted_segment_sum(tf.reshape(y, [-1]), i, tf.size(x))),
}


def elementwise(data: Data, o: Data, mode: str) -> Job:
    if o["op"] in INDEXED:
        name, indexed = INDEXED[o["op"]]
        inputs = [tf.constant(data[key]) for key in ("x", "y", name)]
        step = graph(indexed, mode)
        return Job(lambda: step(*inputs), arrays)
    if o["op"] not in OPERATIONS:
        raise Missing("tf.identity does not copy")
    x, y = tf.constant(data["x"]), tf.constant(data["y"])
    run = graph(OPERATIONS[o["op"]], mode)
    return Job(lambda: run(x, y), arrays)


def random(data: Data, o: Data, mode: str) -> Job:
    size = o["size"]
    draws: dict[str, Callable[[], Any]] = {
        "normal": lambda: tf.random.normal((size,)),
        "uniform": lambda: tf.random.uniform((size,)),
        "integers": lambda: tf.random.uniform((size,), 0, 256, tf.int64),
        "permutation": lambda: tf.random.shuffle(tf.range(size, dtype=tf.int64)),
        "Bernoulli": lambda: tf.cast(tf.random.uniform((size,)) < 0.3, tf.float32),
    }
    return Job(graph(draws[o["kind"]], mode), moments)


def dropout(data: Data, o: Data, mode: str) -> Job:
    x, run = tf.constant(data["x"]), graph(lambda x: tf.nn.dropout(x, o["p"]), mode)
    return Job(lambda: run(x), moments)


def backward(run: Callable[..., Any], grad: Any, inputs: list[Any], mode: str) -> Callable[[], Any]:
    """A step that runs forward and backward, and gives the output and the gradients."""

    def both(grad: Any, *inputs: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = run(*inputs)
        return y, *tape.gradient(y, inputs, grad)

    step = graph(both, mode)
    return lambda: step(grad, *inputs)


def batch_norm(x: Any, weight: Any, bias: Any) -> tuple[Any, Any, Any]:
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x, scale=weight, offset=bias, mean=[], variance=[], epsilon=1e-5, is_training=True
    )
    return y, mean, variance


def layer_norm(x: Any, weight: Any, bias: Any) -> Any:
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, bias, weight, 1e-5)


def group_norm(x: Any, weight: Any, bias: Any, groups: int) -> Any:
    n, height, width, channels = x.shape
    grouped = tf.reshape(x, (n, height, width, groups, channels // groups))
    mean, variance = tf.nn.moments(grouped, [1, 2, 4], keepdims=True)
    scale, shift = (tf.reshape(t, (groups, -1)) for t in (weight, bias))
    return tf.reshape(tf.nn.batch_normalization(grouped, mean, variance, shift, scale, 1e-5), x.shape)


def pad_images(x: Any, padding: int, value: float = 0.0) -> Any:
    edges = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    return tf.pad(x, edges, constant_values=value) if padding else x


def max_pool(x: Any, size: int, stride: int, padding: int, mode: str) -> Any:
    if not padding:
        return tf.nn.max_pool2d(x, size, stride, "VALID")
    if mode == "jit_compile":  # XLA does not pad in the pool
        return tf.nn.max_pool2d(pad_images(x, padding, x.dtype.min), size, stride, "VALID")
    return tf.nn.max_pool2d(x, size, stride, [[0, 0], [padding, padding], [padding, padding], [0, 0]])


def layer(data: Data, o: Data, mode: str) -> Job:
    name, inputs, grad = o["layer"], [tf.constant(data["x"])], tf.constant(data["grad"])
    if name == "max_pool":
        run: Callable[..., Any] = lambda x: max_pool(x, o["size"], o["stride"], o["padding"], mode)  # noqa: E731
    elif name == "avg_pool":
        run = lambda x: tf.nn.avg_pool2d(pad_images(x, o["padding"]), o["size"], o["stride"], "VALID")  # noqa: E731
    elif name == "global_pool":
        run = lambda x: tf.reduce_mean(x, (1, 2))  # noqa: E731
    elif name == "group_norm":
        run = lambda x, w, b: group_norm(x, w, b, o["groups"])  # noqa: E731
    elif name == "batch_norm_add_relu":
        inputs.append(tf.constant(data["other"]))
        run = lambda x, other, w, b: tf.nn.relu(batch_norm(x, w, b)[0] + other)  # noqa: E731
    else:
        run = layer_norm if name == "layer_norm" else lambda x, w, b: batch_norm(x, w, b)[0]
    if "weight" in data:
        inputs += [tf.constant(data["weight"]), tf.constant(data["bias"])]
    return Job(backward(run, grad, inputs, mode), arrays)


def smooth_l1(x: Any, target: Any) -> Any:
    size = tf.abs(x - target)
    return tf.reduce_mean(tf.where(size < 1, 0.5 * size * size, size - 0.5))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mean squared loss": lambda x, target: tf.reduce_mean(tf.math.squared_difference(x, target)),
    "cross entropy of sigmoid loss": lambda x, target: tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(target, x)
    ),
    "smooth L1 loss": smooth_l1,
    "GELU": lambda x: tf.nn.gelu(x, approximate=True),
    "SiLU": tf.nn.silu,
    "log softmax": tf.nn.log_softmax,
}


def function(data: Data, o: Data, mode: str) -> Job:
    x, run = tf.constant(data["x"]), FUNCTIONS[o["function"]]
    if "target" in data:
        target = tf.constant(data["target"])
        return Job(backward(lambda x: run(x, target), tf.constant(1.0), [x], mode), arrays)
    return Job(backward(run, tf.constant(data["grad"]), [x], mode), arrays)


def softmax_loss(data: Data, o: Data, mode: str) -> Job:
    x, labels = tf.constant(data["x"]), tf.constant(data["labels"])
    run = lambda x: tf.reduce_mean(  # noqa: E731
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x)
    )
    return Job(backward(run, tf.constant(1.0), [x], mode), arrays)


def embedding(data: Data, o: Data, mode: str) -> Job:
    rows, weight, grad = (tf.constant(data[k]) for k in ("rows", "weight", "grad"))

    def both(weight: Any, grad: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(weight)
            y = tf.gather(weight, rows)
        return y, tf.convert_to_tensor(tape.gradient(y, weight, grad))

    step = graph(both, mode)
    return Job(lambda: step(weight, grad), arrays)


def make_optimizer(o: Data, parameters: list[Any]) -> Callable[[list[Any]], None]:
    """The fused kernels that Keras's optimizers used to call; to be called within a `tf.function`."""
    handles, lr = [p.handle for p in parameters], o["lr"]
    kept = [
        [tf.Variable(tf.zeros_like(p)) for p in parameters]
        for _ in range(2 if o["optimizer"] == "adam" else bool(o.get("momentum")))
    ]
    count = tf.Variable(0.0)

    def adam(gradients: list[Any]) -> None:
        count.assign_add(1.0)
        powers = tf.pow(0.9, count), tf.pow(0.999, count)
        for var, m, v, g in zip(handles, kept[0], kept[1], gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=var, m=m.handle, v=v.handle, beta1_power=powers[0], beta2_power=powers[1], lr=lr,
                beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g,
            )  # fmt: skip

    def sgd(gradients: list[Any]) -> None:
        for i, (var, g) in enumerate(zip(handles, gradients, strict=True)):
            if kept:
                accum = kept[0][i].handle
                tf.raw_ops.ResourceApplyMomentum(var=var, accum=accum, lr=lr, grad=g, momentum=o["momentum"])
            else:
                tf.raw_ops.ResourceApplyGradientDescent(var=var, alpha=lr, delta=g)

    return adam if o["optimizer"] == "adam" else sgd


def optimizer(data: Data, o: Data, mode: str) -> Job:
    parameters = [tf.Variable(p) for p in data["parameters"]]
    gradients = [tf.constant(g) for g in data["gradients"]]
    if o["optimizer"] == "norm":
        return Job(graph(lambda: tf.linalg.global_norm(gradients), mode), arrays)
    optimize = make_optimizer(o, parameters)

    def clipped(gradients: list[Any]) -> None:
        optimize(tf.clip_by_global_norm(gradients, o["max_norm"])[0])

    update = graph(clipped if "max_norm" in o else optimize, mode)

    def step() -> Any:
        update(gradients)
        return parameters

    return Job(step, arrays)


def conv(data: Data, o: Data, mode: str) -> Job:
    stride, padding, groups = o["stride"], o["padding"], o["groups"]
    x, grad = tf.constant(data["x"]), tf.constant(data["grad"])
    edges = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    # (outputs, height, width, inputs) -> (height, width, inputs, outputs), for depthwise (..., channels, 1)
    weight = data["weight"].transpose(1, 2, 0, 3) if groups > 1 else data["weight"].transpose(1, 2, 3, 0)

    def run(weight: Any, x: Any) -> Any:
        if groups > 1:
            return tf.nn.depthwise_conv2d(x, weight, [1, stride, stride, 1], edges)
        return tf.nn.conv2d(x, weight, stride, edges)

    def read(value: Any) -> list[np.ndarray]:
        y, gw, *back = arrays(value)
        return [y, gw.transpose(2, 0, 1, 3) if groups > 1 else gw.transpose(3, 0, 1, 2), *back]

    weight = tf.constant(weight)
    if o["input_gradient"]:
        return Job(backward(run, grad, [weight, x], mode), read)
    return Job(backward(lambda weight: run(weight, x), grad, [weight], mode), read)


def conv1d(data: Data, o: Data, mode: str) -> Job:
    x, grad = tf.constant(data["x"]), tf.constant(data["grad"])
    weight = tf.constant(data["weight"].transpose(1, 2, 0))
    run = lambda weight, x: tf.nn.conv1d(x, weight, 1, "SAME")  # noqa: E731

    def read(value: Any) -> list[np.ndarray]:
        y, gw, gx = arrays(value)
        return [y, gw.transpose(2, 0, 1), gx]

    return Job(backward(run, grad, [weight, x], mode), read)


def conv_transpose(data: Data, o: Data, mode: str) -> Job:
    x, grad, stride, padding = tf.constant(data["x"]), tf.constant(data["grad"]), o["stride"], o["padding"]
    edges = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
    weight = tf.constant(data["weight"].transpose(1, 2, 3, 0))  # (height, width, outputs, inputs)
    shape = data["grad"].shape
    run = lambda weight, x: tf.nn.conv2d_transpose(x, weight, shape, stride, edges)  # noqa: E731

    def read(value: Any) -> list[np.ndarray]:
        y, gw, gx = arrays(value)
        return [y, gw.transpose(3, 0, 1, 2), gx]

    return Job(backward(run, grad, [weight, x], mode), read)
