"""Layers with forward and backward: `forward(x)` keeps what `backward(grad)` needs.

Buffers are made once and used by every step, as they must be where speed counts.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray


class Layer:
    weights: tuple[Array, ...] = ()
    gradients: tuple[Array, ...] = ()

    def __init__(self) -> None:
        self._buffers: dict[str, Array] = {}

    def buffer(self, name: str, shape: tuple[int, ...], zero: bool = False) -> Array:
        found = self._buffers.get(name)
        if found is None or found.shape != shape:
            found = self._buffers[name] = np.zeros(shape, np.float32) if zero else np.empty(shape, np.float32)
        return found

    def forward(self, x: Array) -> Array:
        raise NotImplementedError

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        """Sets `gradients`; the gradient of the input only where it is needed."""
        raise NotImplementedError

    def leaves(self) -> Iterator["Layer"]:
        yield self


class Linear(Layer):
    def __init__(self, weight: Array, bias: Array) -> None:
        super().__init__()
        self.weights = (weight.copy(), bias.copy())
        self.gradients = (np.empty_like(weight), np.empty_like(bias))

    def forward(self, x: Array) -> Array:
        self.x = x
        weight, bias = self.weights
        out = np.matmul(x, weight.T, out=self.buffer("out", (len(x), len(weight))))
        out += bias
        return out

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        np.matmul(grad.T, self.x, out=self.gradients[0])
        grad.sum(0, out=self.gradients[1])
        if not needed:
            return None
        return np.matmul(grad, self.weights[0], out=self.buffer("grad", self.x.shape))


class ReLU(Layer):
    def forward(self, x: Array) -> Array:
        self.y = np.maximum(x, 0, out=self.buffer("out", x.shape))
        return self.y

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        return np.multiply(grad, self.y > 0, out=self.buffer("grad", grad.shape))


class Conv(Layer):
    """A product for every position of the kernel, on slices of the padded images."""

    def __init__(self, weight: Array, bias: Array | None, stride: int, padding: int, groups: int = 1) -> None:
        super().__init__()
        self.weights = (weight.copy(),) if bias is None else (weight.copy(), bias.copy())
        self.gradients = tuple(np.empty_like(w) for w in self.weights)
        self.stride, self.padding, self.groups = stride, padding, groups

    def slices(self) -> Iterator[tuple[int, int, tuple[slice, ...]]]:
        """Each position of the kernel with the pixels that it meets."""
        size, s = self.weights[0].shape[1], self.stride
        _, height, width, _ = self.out_shape
        for i, j in itertools.product(range(size), range(size)):
            here = slice(i, i + s * (height - 1) + 1, s), slice(j, j + s * (width - 1) + 1, s)
            yield i, j, (slice(None), *here)

    def forward(self, x: Array) -> Array:
        weight, p = self.weights[0], self.padding
        n, height, width, channels = x.shape
        self.shape = x.shape
        if p:
            padded = self.buffer("padded", (n, height + 2 * p, width + 2 * p, channels), zero=True)
            padded[:, p:-p, p:-p] = x
            x = padded
        self.x = x
        after = [(s - weight.shape[1]) // self.stride + 1 for s in x.shape[1:3]]
        self.out_shape = (n, *after, weight.shape[0])
        out = self.buffer("out", self.out_shape)
        self._gather_and_multiply(x, out)
        if len(self.weights) > 1:
            out += self.weights[1]
        return out

    def _gather_and_multiply(self, x: Array, out: Array) -> None:
        weight, part = self.weights[0], self.buffer("part", self.out_shape)
        for i, j, here in self.slices():
            to = part if i or j else out
            if self.groups > 1:  # depthwise
                np.multiply(x[here], weight[:, i, j, 0], out=to)
            else:
                self._product(x[here], weight[:, i, j].T, to)
            if to is part:
                out += part

    def _rows(self, pixels: Array) -> Array:
        """Pixels as rows of a matrix: a view where they are contiguous, else a copy in a kept buffer."""
        if not pixels.flags.c_contiguous:
            rows = self.buffer("rows", pixels.shape)
            np.copyto(rows, pixels)
            pixels = rows
        return pixels.reshape(-1, pixels.shape[-1])

    def _product(self, pixels: Array, weight: Array, to: Array) -> None:
        np.matmul(self._rows(pixels), weight, out=to.reshape(-1, to.shape[-1]))

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        weight = self.weights[0]
        if len(self.weights) > 1:
            grad.sum((0, 1, 2), out=self.gradients[1])
        rows = grad.reshape(-1, grad.shape[-1])
        padded = self.buffer("grad", self.x.shape) if needed else None
        if padded is not None:
            padded.fill(0)
        for i, j, here in self.slices():
            if self.groups > 1:
                part = np.multiply(self.x[here], grad, out=self.buffer("part", grad.shape))
                part.sum((0, 1, 2), out=self.gradients[0][:, i, j, 0])
                if padded is not None:
                    padded[here] += np.multiply(grad, weight[:, i, j, 0], out=part)
                continue
            self.gradients[0][:, i, j] = rows.T @ self._rows(self.x[here])
            if padded is not None:
                part = self.buffer("back", (*grad.shape[:3], weight.shape[3]))
                np.matmul(rows, weight[:, i, j], out=part.reshape(-1, weight.shape[3]))
                padded[here] += part
        p = self.padding
        if padded is None or not p:
            return padded
        return np.ascontiguousarray(padded[:, p:-p, p:-p])


class ColumnConv(Conv):
    """For few channels: all positions of the kernel gathered side by side, then one product."""

    def columns(self) -> Array:
        weight = self.weights[0]
        return self.buffer("columns", (*self.out_shape[:3], *weight.shape[1:]))

    def _gather_and_multiply(self, x: Array, out: Array) -> None:
        columns = self.columns()
        for i, j, here in self.slices():
            columns[:, :, :, i, j] = x[here]
        weight = self.weights[0].reshape(len(self.weights[0]), -1)
        np.matmul(columns.reshape(-1, weight.shape[1]), weight.T, out=out.reshape(-1, len(weight)))

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        weight = self.weights[0].reshape(len(self.weights[0]), -1)
        rows, columns = grad.reshape(-1, grad.shape[-1]), self.columns()
        if len(self.weights) > 1:
            rows.sum(0, out=self.gradients[1])
        flat = columns.reshape(-1, weight.shape[1])
        np.matmul(rows.T, flat, out=self.gradients[0].reshape(weight.shape))
        if not needed:
            return None
        np.matmul(rows, weight, out=flat)
        padded = self.buffer("grad", self.x.shape)
        padded.fill(0)
        for i, j, here in self.slices():
            padded[here] += columns[:, :, :, i, j]
        p = self.padding
        return np.ascontiguousarray(padded[:, p:-p, p:-p]) if p else padded


def conv(weight: Array, bias: Array | None, stride: int, padding: int, groups: int = 1) -> Conv:
    kind = ColumnConv if weight.shape[3] <= 8 and groups == 1 else Conv
    return kind(weight, bias, stride, padding, groups)


class BatchNorm(Layer):
    def __init__(self, weight: Array, bias: Array, eps: float = 1e-5) -> None:
        super().__init__()
        self.weights = (weight.copy(), bias.copy())
        self.gradients = (np.empty_like(weight), np.empty_like(bias))
        self.eps = np.float32(eps)

    def forward(self, x: Array) -> Array:
        rows = x.reshape(-1, x.shape[-1])
        mean = rows.mean(0)
        self.centred = np.subtract(rows, mean, out=self.buffer("centred", rows.shape))
        variance = np.einsum("ij,ij->j", self.centred, self.centred) / np.float32(len(rows))
        self.inverse = 1 / np.sqrt(variance + self.eps)
        out = np.multiply(self.centred, self.inverse * self.weights[0], out=self.buffer("out", rows.shape))
        out += self.weights[1]
        return out.reshape(x.shape)

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        rows = grad.reshape(-1, grad.shape[-1])
        count = np.float32(len(rows))
        rows.sum(0, out=self.gradients[1])
        np.multiply(np.einsum("ij,ij->j", rows, self.centred), self.inverse, out=self.gradients[0])
        out = np.multiply(
            self.centred, -self.inverse * self.gradients[0] / count, out=self.buffer("grad", rows.shape)
        )
        out += rows
        out -= self.gradients[1] / count
        out *= self.inverse * self.weights[0]
        return out.reshape(grad.shape)


class LayerNorm(Layer):
    def __init__(self, weight: Array, bias: Array, eps: float = 1e-5) -> None:
        super().__init__()
        self.weights = (weight.copy(), bias.copy())
        self.gradients = (np.empty_like(weight), np.empty_like(bias))
        self.eps = np.float32(eps)

    def forward(self, x: Array) -> Array:
        rows = x.reshape(-1, x.shape[-1])
        mean = rows.mean(1, keepdims=True)
        self.normal = np.subtract(rows, mean, out=self.buffer("normal", rows.shape))
        variance = np.einsum("ij,ij->i", self.normal, self.normal) / np.float32(rows.shape[1])
        self.inverse = (1 / np.sqrt(variance + self.eps))[:, None]
        self.normal *= self.inverse
        out = np.multiply(self.normal, self.weights[0], out=self.buffer("out", rows.shape))
        out += self.weights[1]
        return out.reshape(x.shape)

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        rows = grad.reshape(-1, grad.shape[-1])
        count = np.float32(rows.shape[1])
        rows.sum(0, out=self.gradients[1])
        np.einsum("ij,ij->j", rows, self.normal, out=self.gradients[0])
        out = np.multiply(rows, self.weights[0], out=self.buffer("grad", rows.shape))
        along = np.einsum("ij,ij->i", out, self.normal)[:, None] / count
        out -= out.mean(1, keepdims=True)
        out -= np.multiply(self.normal, along, out=self.buffer("part", rows.shape))
        out *= self.inverse
        return out.reshape(grad.shape)


class GroupNorm(Layer):
    """Statistics of each sample and group: sums of each channel first, which lie side by side."""

    def __init__(self, weight: Array, bias: Array, groups: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weights = (weight.copy(), bias.copy())
        self.gradients = (np.empty_like(weight), np.empty_like(bias))
        self.groups, self.eps = groups, np.float32(eps)

    def spread(self, sums: Array) -> Array:
        """Means over the groups of sums of each channel, for each channel again."""
        n, channels = sums.shape
        means = sums.reshape(n, self.groups, -1).sum(2) / np.float32(self.count)
        return np.repeat(means, channels // self.groups, 1)[:, None]

    def forward(self, x: Array) -> Array:
        rows = x.reshape(len(x), -1, x.shape[-1])
        self.count = rows.shape[1] * rows.shape[2] // self.groups
        mean = self.spread(rows.sum(1))
        self.normal = np.subtract(rows, mean, out=self.buffer("normal", rows.shape))
        variance = self.spread(np.einsum("nij,nij->nj", self.normal, self.normal))
        self.inverse = 1 / np.sqrt(variance + self.eps)
        self.normal *= self.inverse
        out = np.multiply(self.normal, self.weights[0], out=self.buffer("out", rows.shape))
        out += self.weights[1]
        return out.reshape(x.shape)

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        rows = grad.reshape(self.normal.shape)
        along, total = np.einsum("nij,nij->nj", rows, self.normal), rows.sum(1)
        along.sum(0, out=self.gradients[0])
        total.sum(0, out=self.gradients[1])
        out = np.multiply(rows, self.weights[0], out=self.buffer("grad", rows.shape))
        out -= self.spread(total * self.weights[0])
        out -= np.multiply(
            self.normal, self.spread(along * self.weights[0]), out=self.buffer("part", rows.shape)
        )
        out *= self.inverse
        return out.reshape(grad.shape)


class Pool(Layer):
    """Max or average pool, by slices: one per position of the window."""

    def __init__(self, kind: str, size: int, stride: int, padding: int = 0) -> None:
        super().__init__()
        self.kind, self.size, self.stride, self.padding = kind, size, stride, padding

    def windows(self, x: Array) -> Iterator[Array]:
        _, height, width, _ = self.out_shape
        s = self.stride
        for i, j in itertools.product(range(self.size), range(self.size)):
            yield x[:, i : i + s * (height - 1) + 1 : s, j : j + s * (width - 1) + 1 : s]

    def padded(self, name: str, shape: tuple[int, ...], value: float) -> Array:
        n, height, width, channels = shape
        p = self.padding
        full = self.buffer(name, (n, height + 2 * p, width + 2 * p, channels))
        full.fill(value)
        return full

    def inner(self, full: Array) -> Array:
        p = self.padding
        return full[:, p:-p, p:-p] if p else full

    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        if self.padding:
            lowest = -np.inf if self.kind == "max_pool" else 0.0
            full = self.padded("padded", x.shape, lowest)
            self.inner(full)[...] = x
            x = full
        after = [(s - self.size) // self.stride + 1 for s in x.shape[1:3]]
        self.out_shape = (x.shape[0], *after, x.shape[3])
        out = self.buffer("out", self.out_shape)
        combine = np.maximum if self.kind == "max_pool" else np.add
        for i, window in enumerate(self.windows(x)):
            if i:
                combine(out, window, out=out)
            else:
                out[...] = window
        if self.kind == "avg_pool":
            out *= np.float32(1 / self.size**2)
        self.x, self.y = x, out
        return out

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        back = self.padded("grad", self.shape, 0.0)
        if self.kind == "avg_pool":
            share = grad * np.float32(1 / self.size**2)
            for window in self.windows(back):
                window += share
            return np.ascontiguousarray(self.inner(back))
        open_ = np.ones(grad.shape, bool)  # where the first of the largest has not come yet
        for window, pixels in zip(self.windows(back), self.windows(self.x), strict=True):
            hit = pixels == self.y
            hit &= open_
            open_ &= ~hit
            window += grad * hit
        return np.ascontiguousarray(self.inner(back))


class GlobalPool(Layer):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.mean((1, 2), dtype=np.float32)

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        out = self.buffer("grad", self.shape)
        out[...] = grad[:, None, None] / np.float32(self.shape[1] * self.shape[2])
        return out


class Flatten(Layer):
    def forward(self, x: Array) -> Array:
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        return grad.reshape(self.shape)


class Sequence(Layer):
    def __init__(self, layers: list[Layer]) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Array) -> Array:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        result: Any = grad
        for i, layer in reversed(list(enumerate(self.layers))):
            result = layer.backward(result, needed or i > 0)
        return result

    def leaves(self) -> Iterator[Layer]:
        for layer in self.layers:
            yield from layer.leaves()


class Residual(Layer):
    def __init__(self, main: Sequence, shortcut: Sequence) -> None:
        super().__init__()
        self.main, self.shortcut = main, shortcut

    def forward(self, x: Array) -> Array:
        main, shortcut = self.main.forward(x), self.shortcut.forward(x)
        out = np.add(main, shortcut, out=self.buffer("out", main.shape))
        self.y = np.maximum(out, 0, out=out)
        return out

    def backward(self, grad: Array, needed: bool = True) -> Array | None:
        grad = np.multiply(grad, self.y > 0, out=self.buffer("grad", grad.shape))
        back, straight = self.main.backward(grad), self.shortcut.backward(grad)
        assert back is not None
        back += straight
        return back

    def leaves(self) -> Iterator[Layer]:
        yield from self.main.leaves()
        yield from self.shortcut.leaves()
