"""Ready-made networks. Each function returns an ``nn.Sequential`` with fresh weights."""

from .classifiers import Rescale, lenet, mlp, small_cnn

__all__ = ["Rescale", "lenet", "mlp", "small_cnn"]
