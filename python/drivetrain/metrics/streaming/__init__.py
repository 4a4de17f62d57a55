"""Streaming metrics: fed batch by batch.

A metric over batches gives the value of the whole: batches weigh by their samples, the last and smaller one
too. Parts that were measured apart are joined by `merge`.
"""

from .accuracy import Accuracy, Hamming, TopKAccuracy
from .base import Mean, Metric, SumMetric, WeightedMean
from .correlation import Pearson, Spearman
from .counts import BalancedAccuracy, CohenKappa, ConfusionMatrix, MatthewsCorrCoef
from .overlap import F1, FBeta, Jaccard, Precision, Recall, Specificity
from .probability import BrierScore, CalibrationError, Hinge, LogLoss
from .ranking import ROCAUC, AveragePrecision, PrecisionRecallCurve, ROCCurve
from .regression import (
    ExplainedVariance,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    R2Score,
    RootMeanSquaredError,
)
from .sequences import BLEU, Perplexity, TokenAccuracy

__all__ = [
    "BLEU",
    "F1",
    "ROCAUC",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "BrierScore",
    "CalibrationError",
    "CohenKappa",
    "ConfusionMatrix",
    "ExplainedVariance",
    "FBeta",
    "Hamming",
    "Hinge",
    "Jaccard",
    "LogLoss",
    "MatthewsCorrCoef",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "Metric",
    "Pearson",
    "Perplexity",
    "Precision",
    "PrecisionRecallCurve",
    "R2Score",
    "ROCCurve",
    "Recall",
    "RootMeanSquaredError",
    "Spearman",
    "Specificity",
    "SumMetric",
    "TokenAccuracy",
    "TopKAccuracy",
    "WeightedMean",
]
