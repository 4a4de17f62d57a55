"""Metrics: streaming ones that are fed batch by batch, and functions over whole arrays.

Arguments and values are scikit-learn's. Both take arrays and Tensors. docs/metrics.md lists them all.
"""

from . import functions, streaming
from .checks import UndefinedMetricWarning
from .functions import *  # noqa: F403
from .streaming import *  # noqa: F403

__all__ = [
    "UndefinedMetricWarning",
    *functions.__all__,
    *(name for name in streaming.__all__ if name not in ("SumMetric", "WeightedMean")),
]
