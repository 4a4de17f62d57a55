"""Recurrent networks: the product with all inputs at once, a scan over the steps."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.libraries import Job

from .kernels import arrays, cross_entropy, make_optimizer

Data = dict[str, Any]


def layer(cell: str, w: Data, x: Any) -> Any:
    """One layer over (time, batch, inputs)."""
    hidden = w["weight_hh"].shape[1]
    start = jnp.zeros((x.shape[1], hidden))
    gates = x @ w["weight_ih"].T + w["bias_ih"]

    def lstm(state: Any, x: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(x + h @ w["weight_hh"].T + w["bias_hh"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h: Any, x: Any) -> Any:
        (xr, xz, xn), (r, z, n) = jnp.split(x, 3, -1), jnp.split(h @ w["weight_hh"].T + w["bias_hh"], 3, -1)
        r, z = jax.nn.sigmoid(xr + r), jax.nn.sigmoid(xz + z)
        h = (1 - z) * jnp.tanh(xn + r * n) + z * h
        return h, h

    return jax.lax.scan(*((lstm, (start, start)) if cell == "LSTM" else (gru, start)), gates)[1]


def network(cell: str, layers: list[Data], x: Any) -> Any:
    x = x.swapaxes(0, 1)
    for w in layers:
        x = layer(cell, w, x)
    return x.swapaxes(0, 1)


def recurrent(data: Data, o: Data, mode: str) -> Job:
    layers, x, grad = jax.tree.map(jnp.asarray, (data["layers"], data["x"], data["grad"]))

    @jax.jit
    def run(x: Any, layers: Any, grad: Any) -> Any:
        output, back = jax.vjp(lambda x, layers: network(o["cell"], layers, x), x, layers)
        x_grad, w = back(grad)
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return output, x_grad, *(own[name] for own in w for name in names)

    return Job(lambda: run(x, layers, grad), arrays)


def language_model(data: Data, o: Data, mode: str) -> Job:
    names = ("embedding", "layers", "weight", "bias")
    weights = jax.tree.map(jnp.asarray, {name: data[name] for name in names})
    tokens, targets = jnp.asarray(data["tokens"]), jnp.asarray(data["targets"]).reshape(-1)
    init, update = make_optimizer(o)
    state = init(weights)

    def loss(w: Any, tokens: Any, targets: Any) -> Any:
        x = network(o["cell"], w["layers"], w["embedding"][tokens])
        return cross_entropy(x.reshape(-1, o["width"]) @ w["weight"].T + w["bias"], targets)

    def train(weights: Any, state: Any, tokens: Any, targets: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(weights, tokens, targets)
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
        scale = jnp.minimum(1.0, o["max_norm"] / (norm + 1e-6))
        weights, state = update(weights, jax.tree.map(lambda g: g * scale, grads), state)
        return value, weights, state

    function = jax.jit(train, donate_argnums=(0, 1))

    def step() -> Any:
        nonlocal weights, state
        value, weights, state = function(weights, state, tokens, targets)
        return value

    return Job(step, arrays)


BUILD = {"recurrent": recurrent, "language_model": language_model}
