"""Recurrent networks: Keras's layers in one `tf.function`."""

from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.libraries import Job

from .kernels import arrays, graph, make_optimizer

Data = dict[str, Any]


def turned(cell: str, array: np.ndarray) -> np.ndarray:
    """The gates of a GRU in Keras's order: the update gate comes first."""
    if cell == "LSTM":
        return array
    r, z, n = np.split(array, 3)
    return np.concatenate([z, r, n])


def network(cell: str, layers: list[Data]) -> list[Any]:
    """The layers, each with one bias for an LSTM, with two for a GRU."""
    found = []
    for w in layers:
        hidden = w["weight_hh"].shape[1]
        made = getattr(tf.keras.layers, cell)(hidden, return_sequences=True)
        made.build((None, None, w["weight_ih"].shape[1]))
        own = {name: turned(cell, array) for name, array in w.items()}
        both = (
            own["bias_ih"] + own["bias_hh"] if cell == "LSTM" else np.stack([own["bias_ih"], own["bias_hh"]])
        )
        made.set_weights([own["weight_ih"].T, own["weight_hh"].T, both])
        found.append(made)
    return found


def common(cell: str, values: list[Any]) -> list[np.ndarray]:
    """Gradients of a layer's weights in the common layout; an LSTM's bias stands for both."""
    ih, hh, bias = (np.asarray(v) for v in values)
    biases = [bias, bias] if cell == "LSTM" else list(bias)
    return [turned(cell, a) for a in (ih.T, hh.T, *biases)]


def recurrent(data: Data, o: Data, mode: str) -> Job:
    layers = network(o["cell"], data["layers"])
    x, grad = tf.constant(data["x"]), tf.constant(data["grad"])
    weights = [w for layer in layers for w in layer.trainable_weights]
    variables = [getattr(w, "value", w) for w in weights]

    def run(x: Any, grad: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = x
            for layer in layers:
                y = layer(y)
        return y, tape.gradient(y, [x, *variables], grad)

    step = graph(run, mode)

    def read(value: Any) -> list[np.ndarray]:
        output, (x_grad, *rest) = value
        parts = [rest[i : i + 3] for i in range(0, len(rest), 3)]
        return [np.asarray(output), np.asarray(x_grad), *(a for p in parts for a in common(o["cell"], p))]

    return Job(lambda: step(x, grad), read)


def language_model(data: Data, o: Data, mode: str) -> Job:
    layers = network(o["cell"], data["layers"])
    embedding, weight, bias = (tf.Variable(data[k]) for k in ("embedding", "weight", "bias"))
    rest = [getattr(w, "value", w) for layer in layers for w in layer.trainable_weights]
    variables = [embedding, *rest, weight, bias]
    tokens, targets = tf.constant(data["tokens"]), tf.constant(data["targets"])
    update = make_optimizer(o, variables)

    def train(tokens: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            x = tf.gather(embedding, tokens)
            for layer in layers:
                x = layer(x)
            logits = tf.matmul(tf.reshape(x, (-1, o["width"])), weight, transpose_b=True) + bias
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(targets, (-1,)), logits)
            value = tf.reduce_mean(losses)
        grads = [tf.convert_to_tensor(g) for g in tape.gradient(value, variables)]
        update(tf.clip_by_global_norm(grads, o["max_norm"])[0])
        return value

    step = graph(train, mode)
    return Job(lambda: step(tokens, targets), arrays)


BUILD = {"recurrent": recurrent, "language_model": language_model}
