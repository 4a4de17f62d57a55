"""Layers and losses as functions, with PyTorch's names: `F.relu(x)`, `F.cross_entropy(logits, labels)`.

    import drivetrain.nn.functional as F

They take the parameters as arguments. Shapes and errors are those of the layers in `drivetrain.nn`; images
are channels last.

Example:
    >>> import drivetrain as dt
    >>> import drivetrain.nn.functional as F
    >>> F.relu(dt.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
"""

from .._core import adaptive_avg_pool1d as adaptive_avg_pool1d
from .._core import adaptive_avg_pool2d as adaptive_avg_pool2d
from .._core import adaptive_max_pool1d as adaptive_max_pool1d
from .._core import adaptive_max_pool2d as adaptive_max_pool2d
from .._core import alpha_dropout as alpha_dropout
from .._core import avg_pool1d as avg_pool1d
from .._core import avg_pool2d as avg_pool2d
from .._core import batch_norm as batch_norm
from .._core import binary_cross_entropy as binary_cross_entropy
from .._core import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from .._core import conv1d as conv1d
from .._core import conv2d as conv2d
from .._core import conv_transpose1d as conv_transpose1d
from .._core import conv_transpose2d as conv_transpose2d
from .._core import cosine_embedding_loss as cosine_embedding_loss
from .._core import cosine_similarity as cosine_similarity
from .._core import cross_entropy as cross_entropy
from .._core import dropout as dropout
from .._core import elu as elu
from .._core import embedding as embedding
from .._core import gelu as gelu
from .._core import global_avg_pool as global_avg_pool
from .._core import global_max_pool as global_max_pool
from .._core import group_norm as group_norm
from .._core import hardswish as hardswish
from .._core import hinge_loss as hinge_loss
from .._core import huber_loss as huber_loss
from .._core import instance_norm as instance_norm
from .._core import kl_div as kl_div
from .._core import l1_loss as l1_loss
from .._core import layer_norm as layer_norm
from .._core import leaky_relu as leaky_relu
from .._core import linear as linear
from .._core import log_softmax as log_softmax
from .._core import max_pool1d as max_pool1d
from .._core import max_pool2d as max_pool2d
from .._core import mse_loss as mse_loss
from .._core import multi_margin_loss as multi_margin_loss
from .._core import nll_loss as nll_loss
from .._core import one_hot as one_hot
from .._core import pad as pad
from .._core import prelu as prelu
from .._core import relu as relu
from .._core import relu6 as relu6
from .._core import rms_norm as rms_norm
from .._core import scaled_dot_product_attention as scaled_dot_product_attention
from .._core import selu as selu
from .._core import shared_dropout as shared_dropout
from .._core import sigmoid as sigmoid
from .._core import silu as silu
from .._core import smooth_l1_loss as smooth_l1_loss
from .._core import softmax as softmax
from .._core import softplus as softplus
from .._core import tanh as tanh
from .masks import masked_mean as masked_mean
from .masks import sequence_mask as sequence_mask
