"""Losses and activations, forward and backward in one go: `f(x, other, a, b)`, where a and b are buffers.

`other` is the target of a loss, and of other functions the gradient of the output. Gives output and gradient.
"""

from collections.abc import Callable

import numpy as np

Array = np.ndarray
HALF, ONE = np.float32(0.5), np.float32(1)


def mean_squared_loss(x: Array, target: Array, a: Array, b: Array) -> tuple[Array, Array]:
    np.subtract(x, target, out=a)
    loss = np.array([np.vdot(a, a) / a.size])
    a *= np.float32(2 / a.size)
    return loss, a


def sigmoid_loss(x: Array, target: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """max(x, 0) - x target + log(1 + exp(-|x|)); the gradient is sigmoid(x) - target."""
    np.abs(x, out=a)
    np.negative(a, out=a)
    np.exp(a, out=a)
    total = np.log1p(a, out=b).sum(dtype=np.float64) - np.vdot(x, target)
    total += np.maximum(x, 0, out=b).sum(dtype=np.float64)
    np.add(a, ONE, out=b)
    np.divide(np.where(x >= 0, ONE, a), b, out=a)
    a -= target
    a *= np.float32(1 / a.size)
    return np.array([total / a.size]), a


def smooth_l1_loss(x: Array, target: Array, a: Array, b: Array) -> tuple[Array, Array]:
    np.subtract(x, target, out=a)
    np.clip(a, -1, 1, out=b)  # the gradient; the loss is b (a - b / 2)
    loss = np.vdot(a, b) - HALF * np.vdot(b, b)
    b *= np.float32(1 / b.size)
    return np.array([loss / b.size]), b


def gelu(x: Array, grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """x / 2 (1 + tanh(c (x + 0.044715 x^3)))."""
    c, d = np.float32(0.7978845608), np.float32(0.044715)
    np.multiply(x, x, out=a)
    np.multiply(a, c * d, out=b)
    b += c
    b *= x
    np.tanh(b, out=b)
    y = (b + ONE) * x
    y *= HALF
    a *= np.float32(3) * c * d
    a += c
    a *= x
    a *= ONE - b * b
    a += b
    a += ONE
    a *= HALF
    a *= grad
    return y, a


def silu(x: Array, grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    np.negative(x, out=a)
    np.exp(a, out=a)
    a += ONE
    np.reciprocal(a, out=a)
    y = np.multiply(x, a, out=b)
    back = x - y
    back += ONE
    back *= a
    back *= grad
    return y, back


def log_softmax(x: Array, grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
    y = np.subtract(x, x.max(-1, keepdims=True), out=a)
    np.exp(y, out=b)
    total = b.sum(-1, keepdims=True)
    y -= np.log(total)
    b *= grad.sum(-1, keepdims=True) / total
    return y, np.subtract(grad, b, out=b)


FUNCTIONS: dict[str, Callable[[Array, Array, Array, Array], tuple[Array, Array]]] = {
    "mean squared loss": mean_squared_loss,
    "cross entropy of sigmoid loss": sigmoid_loss,
    "smooth L1 loss": smooth_l1_loss,
    "GELU": gelu,
    "SiLU": silu,
    "log softmax": log_softmax,
}
