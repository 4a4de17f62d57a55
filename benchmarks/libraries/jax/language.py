"""Language models."""

from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.libraries import Job

from .kernels import arrays, cross_entropy, make_optimizer

Data = dict[str, Any]


def attend(q: Any, k: Any, v: Any) -> Any:
    return jax.nn.dot_product_attention(q, k, v, is_causal=True)


def attention(data: Data, o: Data, mode: str) -> Job:
    inputs = [jnp.asarray(data[name]) for name in ("query", "key", "value", "grad")]

    @jax.jit
    def run(q: Any, k: Any, v: Any, grad: Any) -> Any:
        output, back = jax.vjp(attend, q, k, v)
        return output, *back(grad)

    return Job(lambda: run(*inputs), arrays)


def norm(w: Data, name: str, x: Any) -> Any:
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def logits(w: Data, o: Data, tokens: Any) -> Any:
    shape = (o["batch"], o["context"], o["heads"], o["width"] // o["heads"])
    x = w["tokens.weight"][tokens] + w["positions.weight"]
    for i in range(o["layers"]):
        b = f"blocks.layers.{i}."
        y = norm(w, f"{b}norm1", x) @ w[f"{b}self_attn.in_proj_weight"].T + w[f"{b}self_attn.in_proj_bias"]
        y = attend(*(part.reshape(shape) for part in jnp.split(y, 3, -1))).reshape(x.shape)
        x += y @ w[f"{b}self_attn.out_proj.weight"].T + w[f"{b}self_attn.out_proj.bias"]
        y = norm(w, f"{b}norm2", x) @ w[f"{b}linear1.weight"].T + w[f"{b}linear1.bias"]
        x += jax.nn.gelu(y, approximate=False) @ w[f"{b}linear2.weight"].T + w[f"{b}linear2.bias"]
    return norm(w, "blocks.norm", x) @ w["tokens.weight"].T


def gpt(data: Data, o: Data, mode: str) -> Job:
    weights = {name: jnp.asarray(value) for name, value in data["state"].items()}
    tokens, targets = jnp.asarray(data["tokens"]), jnp.asarray(data["targets"]).reshape(-1)
    init, update = make_optimizer(o)
    state = init(weights)

    def loss(w: Any, tokens: Any, targets: Any) -> Any:
        return cross_entropy(logits(w, o, tokens).reshape(-1, o["vocabulary"]), targets)

    def train(weights: Any, state: Any, tokens: Any, targets: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(weights, tokens, targets)
        decayed = jax.tree.map(lambda p: p * (1 - o["lr"] * o["decay"]), weights)
        weights, state = update(decayed, grads, state)
        return value, weights, state

    function = jax.jit(train, donate_argnums=(0, 1))

    def step() -> Any:
        nonlocal weights, state
        value, weights, state = function(weights, state, tokens, targets)
        return value

    return Job(step, arrays)


BUILD = {"gpt": gpt, "attention": attention}
