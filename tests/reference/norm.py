"""Normalisation; channels last."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def scaled(x: Array, weight: Array | None, bias: Array | None) -> Array:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    if x.size == 0:
        return x.copy()
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axes, keepdims=True) + eps)


def batch_norm(
    x: Array,
    running_mean: Array | None = None,
    running_var: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    eps: float = 1e-5,
) -> Array:
    if training:
        return scaled(normalized(x, tuple(range(x.ndim - 1)), eps), weight, bias)
    assert running_mean is not None
    assert running_var is not None
    return scaled((x - running_mean) / np.sqrt(running_var + eps), weight, bias)


def updated_statistics(x: Array, mean: Array, var: Array, momentum: float = 0.1) -> tuple[Array, Array]:
    """What batch norm's running statistics become: the variance that goes in is the unbiased one."""
    rows = x.reshape(-1, x.shape[-1])
    new_mean, new_var = rows.mean(axis=0), rows.var(axis=0, ddof=1)
    return (1 - momentum) * mean + momentum * new_mean, (1 - momentum) * var + momentum * new_var


def layer_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5, axes: int = 1
) -> Array:
    """Over the last `axes` axes."""
    return scaled(normalized(x, tuple(range(x.ndim - axes, x.ndim)), eps), weight, bias)


def group_norm(
    x: Array, groups: int, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    over = (*range(1, x.ndim - 1), x.ndim)
    return scaled(normalized(split, over, eps).reshape(x.shape), weight, bias)


def instance_norm(
    x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    return scaled(normalized(x, tuple(range(1, x.ndim - 1)), eps), weight, bias)
