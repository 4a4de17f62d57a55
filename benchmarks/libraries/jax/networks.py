"""Training steps: one jitted function of weights, running statistics and the state of the optimizer."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.libraries import Job
from benchmarks.networks import Layer as Spec

from .kernels import arrays, batch_norm, conv2d, cross_entropy, make_optimizer, pool

Own = dict[str, Any]


def parameters(specs: list[Spec], weights: list[dict[str, np.ndarray]]) -> list[Own]:
    """The weights in JAX's layouts: HWIO for convolutions, (inputs, outputs) for linear layers."""
    found = []
    for own in weights:
        w = own["weight"]
        turned = w.transpose(1, 2, 3, 0) if w.ndim == 4 else w.T
        found.append({**{k: jnp.array(v) for k, v in own.items()}, "weight": jnp.array(turned)})
    return found


def common(weights: list[Own]) -> Iterator[np.ndarray]:
    """The weights in the common layout."""
    for own in weights:
        weight = np.asarray(own["weight"])
        yield weight.transpose(3, 0, 1, 2) if weight.ndim == 4 else weight.T
        if "bias" in own:
            yield np.asarray(own["bias"])


class Forward:
    """One pass through the layers: takes the weights in order, gathers the statistics of the batch norms."""

    def __init__(self, weights: list[Own]) -> None:
        self.weights = iter(weights)
        self.statistics: list[Any] = []

    def sequence(self, specs: list[Spec], x: Any) -> Any:
        for name, options in specs:
            x = self.one(name, options, x)
        return x

    def one(self, name: str, o: dict[str, Any], x: Any) -> Any:
        if name == "residual":
            main = self.sequence(o["main"], x)
            return jax.nn.relu(main + self.sequence(o["shortcut"], x))
        if name == "relu":
            return jax.nn.relu(x)
        if name == "max_pool":
            return pool(x, "max_pool", o["size"], o["stride"], o["padding"])
        if name == "flatten":
            return x.reshape(len(x), -1)
        if name == "global_pool":
            return x.mean((1, 2))
        own = next(self.weights)
        if name == "conv":
            y = conv2d(x, own["weight"], o["stride"], o["padding"])
            return y + own["bias"] if "bias" in own else y
        if name == "linear":
            return x @ own["weight"] + own["bias"]
        y, mean, variance = batch_norm(x, **own)
        self.statistics.append((mean, variance))
        return y


def network(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    layers = data["layers"]
    weights = parameters(layers, data["weights"])
    running = [
        (jnp.zeros(spec["weight"].shape), jnp.ones(spec["weight"].shape))
        for spec in data["weights"]
        if spec["weight"].ndim == 1
    ]
    init, update = make_optimizer(o)
    state = init(weights)
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])

    def loss(weights: list[Own], x: Any, y: Any) -> Any:
        forward = Forward(weights)
        output = forward.sequence(layers, x)
        value = jnp.square(output - y).mean() if o["loss"] == "mse" else cross_entropy(output, y)
        return value, forward.statistics

    def train(weights: list[Own], running: Any, state: Any, x: Any, y: Any) -> Any:
        (value, statistics), grads = jax.value_and_grad(loss, has_aux=True)(weights, x, y)
        weights, state = update(weights, grads, state)
        running = jax.tree.map(lambda r, s: 0.9 * r + 0.1 * s, running, statistics)
        return value, weights, running, state

    function: Callable[..., Any] = jax.jit(train, donate_argnums=(0, 1, 2))

    def step() -> Any:
        nonlocal weights, running, state
        value, weights, running, state = function(weights, running, state, x, y)
        return value

    return Job(step, arrays, lambda: common(weights))


def module_call(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    layers, weights = data["layers"], parameters(data["layers"], data["weights"])
    function, x = jax.jit(lambda weights, x: Forward(weights).sequence(layers, x)), jnp.asarray(data["x"])
    return Job(lambda: jax.block_until_ready(function(weights, x)), arrays)
