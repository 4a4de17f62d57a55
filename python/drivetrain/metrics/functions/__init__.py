"""Metrics as functions over whole arrays, with scikit-learn's names, arguments and values."""

from .agreement import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    hamming_loss,
    matthews_corrcoef,
    multilabel_confusion_matrix,
    zero_one_loss,
)
from .curves import auc, precision_recall_curve, roc_curve
from .probability import (
    brier_score_loss,
    calibration_curve,
    expected_calibration_error,
    hinge_loss,
    log_loss,
)
from .ranking import average_precision_score, roc_auc_score, top_k_accuracy_score
from .regression import (
    explained_variance_score,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    pearson,
    r2_score,
    root_mean_squared_error,
    spearman,
)
from .report import classification_report
from .sets import (
    f1_score,
    fbeta_score,
    jaccard_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    specificity_score,
)
from .translation import corpus_bleu, sentence_bleu

__all__ = [
    "accuracy_score",
    "auc",
    "average_precision_score",
    "balanced_accuracy_score",
    "brier_score_loss",
    "calibration_curve",
    "classification_report",
    "cohen_kappa_score",
    "confusion_matrix",
    "corpus_bleu",
    "expected_calibration_error",
    "explained_variance_score",
    "f1_score",
    "fbeta_score",
    "hamming_loss",
    "hinge_loss",
    "jaccard_score",
    "log_loss",
    "matthews_corrcoef",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "multilabel_confusion_matrix",
    "pearson",
    "precision_recall_curve",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "recall_score",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
    "sentence_bleu",
    "spearman",
    "specificity_score",
    "top_k_accuracy_score",
    "zero_one_loss",
]
