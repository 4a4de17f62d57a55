"""Language models: plain operations in one `tf.function`."""

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.libraries import Job

from .kernels import arrays, graph, make_optimizer

Data = dict[str, Any]


def attend(q: Any, k: Any, v: Any) -> Any:
    """Causal attention of (batch, time, heads, features)."""
    time, size = q.shape[1], q.shape[3]
    scores = tf.einsum("bqhd,bkhd->bhqk", q, k) * np.float32(size**-0.5)
    hidden = np.where(np.tri(time, dtype=bool), np.float32(0), np.float32(-1e9))
    return tf.einsum("bhqk,bkhd->bqhd", tf.nn.softmax(scores + hidden), v)


def attention(data: Data, o: Data, mode: str) -> Job:
    inputs = [tf.constant(data[name]) for name in ("query", "key", "value", "grad")]

    def run(q: Any, k: Any, v: Any, grad: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((q, k, v))
            y = attend(q, k, v)
        return y, *tape.gradient(y, (q, k, v), grad)

    step = graph(run, mode)
    return Job(lambda: step(*inputs), arrays)


def norm(w: Data, name: str, x: Any) -> Any:
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def linear(w: Data, weight: str, bias: str, x: Any) -> Any:
    return tf.matmul(x, w[weight], transpose_b=True) + w[bias]


def logits(w: Data, o: Data, tokens: Any) -> Any:
    width, heads = o["width"], o["heads"]
    rows = o["batch"] * o["context"]
    x = tf.reshape(tf.gather(w["tokens.weight"], tokens) + w["positions.weight"], (rows, width))
    for i in range(o["layers"]):
        b = f"blocks.layers.{i}."
        y = linear(w, f"{b}self_attn.in_proj_weight", f"{b}self_attn.in_proj_bias", norm(w, f"{b}norm1", x))
        shape = (o["batch"], o["context"], heads, width // heads)
        y = attend(*(tf.reshape(part, shape) for part in tf.split(y, 3, -1)))
        y = tf.reshape(y, (rows, width))
        x += linear(w, f"{b}self_attn.out_proj.weight", f"{b}self_attn.out_proj.bias", y)
        y = tf.nn.gelu(linear(w, f"{b}linear1.weight", f"{b}linear1.bias", norm(w, f"{b}norm2", x)))
        x += linear(w, f"{b}linear2.weight", f"{b}linear2.bias", y)
    return tf.matmul(norm(w, "blocks.norm", x), w["tokens.weight"], transpose_b=True)


def gpt(data: Data, o: Data, mode: str) -> Job:
    w = {name: tf.Variable(value) for name, value in data["state"].items()}
    tokens, targets = tf.constant(data["tokens"]), tf.constant(data["targets"].reshape(-1))
    variables = list(w.values())
    update = make_optimizer(o, variables)

    def train(tokens: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits(w, o, tokens))
            value = tf.reduce_mean(losses)
        grads = [tf.convert_to_tensor(g) for g in tape.gradient(value, variables)]
        for v in variables:
            v.assign(v * np.float32(1 - o["lr"] * o["decay"]))
        update(grads)
        return value

    step = graph(train, mode)
    return Job(lambda: step(tokens, targets), arrays)


BUILD = {"gpt": gpt, "attention": attention}
