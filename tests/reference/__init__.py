"""Plain NumPy versions of the ops, in the dtype of their inputs (the tests give float64).

Written to be read: no blocking, no shortcuts, nothing shared with the kernels.
"""

from .activation import (
    elu,
    erf,
    gelu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    log_softmax,
    mish,
    prelu,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from .conv import conv, conv_transpose
from .loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    hinge_loss,
    huber_loss,
    kl_div,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)
from .norm import batch_norm, group_norm, instance_norm, layer_norm
from .pool import adaptive_pool, pool

__all__ = [
    "adaptive_pool",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv",
    "conv_transpose",
    "cosine_embedding_loss",
    "cross_entropy",
    "elu",
    "erf",
    "gelu",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hinge_loss",
    "huber_loss",
    "instance_norm",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "log_softmax",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "pool",
    "prelu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
]
