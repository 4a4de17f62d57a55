"""Metrics: streaming ones that are fed batch by batch, and functions over whole arrays.

Arguments and values are scikit-learn's. Both take arrays and Tensors.
"""

from .functions import accuracy_score, confusion_matrix, top_k_accuracy_score
from .streaming import Accuracy, ConfusionMatrix, Mean, Metric, TopKAccuracy

__all__ = [
    "Accuracy",
    "ConfusionMatrix",
    "Mean",
    "Metric",
    "TopKAccuracy",
    "accuracy_score",
    "confusion_matrix",
    "top_k_accuracy_score",
]
