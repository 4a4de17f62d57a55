"""Training steps: `tf.nn` functions in one `tf.function`, with the fused optimizers."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.libraries import Job
from benchmarks.networks import Layer as Spec

from .kernels import arrays, batch_norm, graph, make_optimizer, max_pool

Forward = Callable[[Any], Any]
Weights = Iterator[dict[str, np.ndarray]]


class Network:
    """Layers as functions, and the variables that they use."""

    def __init__(self, specs: list[Spec], weights: Weights, mode: str) -> None:
        self.mode = mode
        self.variables: list[Any] = []
        self.forward = self.sequence(specs, weights)

    def variable(self, array: np.ndarray) -> Any:
        self.variables.append(tf.Variable(array))
        return self.variables[-1]

    def sequence(self, specs: list[Spec], weights: Weights) -> Forward:
        steps = [self.one(name, options, weights) for name, options in specs]

        def forward(x: Any) -> Any:
            for step in steps:
                x = step(x)
            return x

        return forward

    def one(self, name: str, o: dict[str, Any], weights: Weights) -> Forward:
        if name == "residual":
            main = self.sequence(o["main"], weights)
            shortcut = self.sequence(o["shortcut"], weights)
            return lambda x: tf.nn.relu(main(x) + shortcut(x))
        if name == "relu":
            return tf.nn.relu
        if name == "max_pool":
            return lambda x: max_pool(x, o["size"], o["stride"], o["padding"], self.mode)
        if name == "flatten":
            return lambda x: tf.reshape(x, (x.shape[0], -1))
        if name == "global_pool":
            return lambda x: tf.reduce_mean(x, (1, 2))
        own = next(weights)
        turned = own["weight"].transpose(1, 2, 3, 0) if name == "conv" else own["weight"].T
        weight = self.variable(np.ascontiguousarray(turned))
        bias = self.variable(own["bias"]) if "bias" in own else None
        if name == "conv":
            return self.conv(o, weight, bias)
        if name == "linear":
            return lambda x: tf.nn.bias_add(tf.matmul(x, weight), bias)
        return self.norm(weight, bias)

    def weights(self) -> Iterator[np.ndarray]:
        """The weights in the common layout."""
        for variable in self.variables:
            weight = variable.numpy()
            yield weight.transpose(3, 0, 1, 2) if weight.ndim == 4 else weight.T

    def conv(self, o: dict[str, Any], weight: Any, bias: Any) -> Forward:
        p = o["padding"]
        edges = [[0, 0], [p, p], [p, p], [0, 0]]

        def forward(x: Any) -> Any:
            y = tf.nn.conv2d(x, weight, o["stride"], edges)
            return y if bias is None else tf.nn.bias_add(y, bias)

        return forward

    def norm(self, weight: Any, bias: Any) -> Forward:
        running_mean = tf.Variable(tf.zeros_like(bias), trainable=False)
        running_variance = tf.Variable(tf.ones_like(bias), trainable=False)

        def forward(x: Any) -> Any:
            y, mean, variance = batch_norm(x, weight, bias)
            running_mean.assign_add(0.1 * (mean - running_mean))
            running_variance.assign_add(0.1 * (variance - running_variance))
            return y

        return forward


def network(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = Network(data["layers"], iter(data["weights"]), mode)
    x, y = tf.constant(data["x"]), tf.constant(data["y"])
    update = make_optimizer(o, model.variables)

    def loss(output: Any, y: Any) -> Any:
        if o["loss"] == "mse":
            return tf.reduce_mean(tf.square(output - y))
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, output))

    def train(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(model.forward(x), y)
        update(tape.gradient(value, model.variables))
        return value

    step = graph(train, mode)
    return Job(lambda: step(x, y), arrays, model.weights)


def module_call(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model, x = Network(data["layers"], iter(data["weights"]), mode), tf.constant(data["x"])
    run = graph(model.forward, mode)
    return Job(lambda: run(x), arrays)
