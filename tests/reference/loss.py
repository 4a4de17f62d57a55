"""Losses. Sample weights multiply the loss of each row (the first axes)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .activation import log_softmax

Array = np.ndarray[Any, Any]


def reduced(losses: Array, reduction: str, sample_weight: Array | None = None) -> Array:
    """The mean is sum(weight * loss) / sum(weight), where every loss has the weight of its sample."""
    weights = np.ones(losses.shape)
    if sample_weight is not None:
        weights = weights * sample_weight.reshape(
            sample_weight.shape + (1,) * (losses.ndim - sample_weight.ndim)
        )
    losses = losses * weights
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.asarray(losses.sum())
    share = losses.shape[0] / losses.size if reduction == "batchmean" else 1.0
    return np.asarray(losses.sum() / (weights.sum() * share))


def cross_entropy(
    logits: Array,
    target: Array,
    weight: Array | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    reduction: str = "mean",
    sample_weight: Array | None = None,
    log_probabilities: bool = False,
) -> Array:
    """Integer labels, or one probability per class (float). Classes on the last axis.

    "mean" of labels divides by the sum of the weights (class weight of the label times sample weight, 0 where
    ignored); of probabilities by the sum of the sample weights (the number of rows).
    """
    nll = -(logits if log_probabilities else log_softmax(logits))
    classes = logits.shape[-1]
    w = np.ones(classes) if weight is None else weight
    rows = np.ones(logits.shape[:-1])
    if sample_weight is not None:
        rows = rows * sample_weight.reshape(sample_weight.shape + (1,) * (rows.ndim - sample_weight.ndim))
    if target.dtype.kind == "f":
        smooth = (1 - label_smoothing) * target + label_smoothing / classes
        losses = (w * smooth * nll).sum(axis=-1)
    else:
        kept = target != ignore_index
        label = np.where(kept, target, 0)
        picked = np.take_along_axis(nll, label[..., None], -1)[..., 0] if nll.size else np.zeros(label.shape)
        losses = (1 - label_smoothing) * w[label] * picked
        losses = losses + label_smoothing / classes * (w * nll).sum(axis=-1)
        losses = np.where(kept, losses, 0.0)
        rows_for_mean = np.where(kept, rows * w[label], 0.0)
    losses = losses * rows
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.asarray(losses.sum())
    return np.asarray(losses.sum() / (rows if target.dtype.kind == "f" else rows_for_mean).sum())


def nll_loss(log_probabilities: Array, target: Array, weight: Array | None = None, **options: Any) -> Array:
    return cross_entropy(log_probabilities, target, weight, log_probabilities=True, **options)


def binary_cross_entropy(
    x: Array, target: Array, *, reduction: str = "mean", sample_weight: Array | None = None
) -> Array:
    log_x, log_rest = np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)
    return reduced(-(target * log_x + (1 - target) * log_rest), reduction, sample_weight)


def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    pos_weight: Array | None = None,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    weight = 1.0 if pos_weight is None else pos_weight
    losses = weight * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x)
    return reduced(losses, reduction, sample_weight)


def mse_loss(
    x: Array, target: Array, *, reduction: str = "mean", sample_weight: Array | None = None
) -> Array:
    return reduced((x - target) ** 2, reduction, sample_weight)


def l1_loss(x: Array, target: Array, *, reduction: str = "mean", sample_weight: Array | None = None) -> Array:
    return reduced(np.abs(x - target), reduction, sample_weight)


def huber_loss(
    x: Array,
    target: Array,
    delta: float = 1.0,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    d = np.abs(x - target)
    return reduced(np.where(d <= delta, d * d / 2, delta * (d - delta / 2)), reduction, sample_weight)


def smooth_l1_loss(
    x: Array,
    target: Array,
    beta: float = 1.0,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    d = np.abs(x - target)
    losses = d if beta == 0 else np.where(d < beta, d * d / (2 * beta), d - beta / 2)
    return reduced(losses, reduction, sample_weight)


def hinge_loss(
    x: Array,
    target: Array,
    margin: float = 1.0,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    """Targets are -1 or 1."""
    return reduced(np.maximum(0, margin - x * target), reduction, sample_weight)


def multi_margin_loss(
    x: Array,
    target: Array,
    p: int = 1,
    margin: float = 1.0,
    weight: Array | None = None,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    """sum over the other classes of max(0, margin - x[y] + x[c]) ** p, divided by the number of classes."""
    right = np.take_along_axis(x, target[..., None], -1)
    terms = np.maximum(0, margin - right + x) ** p
    np.put_along_axis(terms, target[..., None], 0, -1)
    losses = terms.sum(axis=-1) / x.shape[-1]
    if weight is not None:
        losses = losses * weight[target]
    return reduced(losses, reduction, sample_weight)


def kl_div(
    x: Array,
    target: Array,
    *,
    log_target: bool = False,
    reduction: str = "mean",
    sample_weight: Array | None = None,
) -> Array:
    """x holds log-probabilities. "batchmean" divides by the number of rows."""
    if log_target:
        losses = np.exp(target) * (target - x)
    else:
        losses = np.where(target > 0, target * (np.log(np.where(target > 0, target, 1)) - x), 0.0)
    return reduced(losses, reduction, sample_weight)


def cosine_embedding_loss(
    x1: Array,
    x2: Array,
    target: Array,
    margin: float = 0.0,
    *,
    reduction: str = "mean",
    sample_weight: Array | None = None,
    eps: float = 1e-12,
) -> Array:
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1."""
    norms = np.sqrt(((x1**2).sum(axis=-1) + eps) * ((x2**2).sum(axis=-1) + eps))
    cos = (x1 * x2).sum(axis=-1) / norms
    return reduced(np.where(target == 1, 1 - cos, np.maximum(0, cos - margin)), reduction, sample_weight)
