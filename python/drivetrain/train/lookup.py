"""Losses, optimizers and metrics by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from .. import metrics, nn, optim
from .._arguments import suggest
from ..metrics import Metric
from ..metrics.streaming import WeightedMean


class ProbabilityCrossEntropy(nn.Module):
    """Cross entropy of probabilities, for networks that end in a softmax: what Keras means by its names.

    Labels are integers of shape (n,), or probabilities of the predictions' shape.
    """

    reduction = "mean"

    def forward(self, probabilities: Any, target: Any, sample_weight: Any = None) -> Any:
        # Keras's bounds: log(0) would be minus infinity.
        logs = probabilities.clip(1e-7, 1.0).log()
        return nn.functional.cross_entropy(logs, target, sample_weight=sample_weight)


def losses() -> dict[str, Callable[[], Any]]:
    return {
        "cross_entropy": nn.CrossEntropyLoss,
        "sparse_categorical_crossentropy": ProbabilityCrossEntropy,
        "categorical_crossentropy": ProbabilityCrossEntropy,
        "nll": nn.NLLLoss,
        "binary_crossentropy": nn.BCELoss,
        "binary_cross_entropy": nn.BCELoss,
        "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
        "mse": nn.MSELoss,
        "mean_squared_error": nn.MSELoss,
        "mae": nn.L1Loss,
        "mean_absolute_error": nn.L1Loss,
        "huber": nn.HuberLoss,
        "smooth_l1": nn.SmoothL1Loss,
    }


def find_loss(loss: Any) -> Callable[..., Any]:
    """Return a callable ``loss(output, target)`` for a name, a class, a module or a function."""
    if isinstance(loss, str):
        loss = named("loss", loss, losses())
    if isinstance(loss, type) and issubclass(loss, nn.Module):
        loss = loss()
    if getattr(loss, "reduction", "mean") == "none":
        raise ValueError(
            "Trainer: the loss has reduction='none', expected 'mean' or 'sum': a training needs one number"
        )
    if callable(loss):
        function: Callable[..., Any] = loss
        return function
    raise TypeError(
        f"Trainer: loss is a {type(loss).__name__}, expected a name, a loss of drivetrain.nn or a function"
    )


def optimizers() -> dict[str, Callable[[Any], Any]]:
    """By name in lower case, all but those that a name alone cannot set to work: Muon, LBFGS."""
    kinds: tuple[Callable[[Any], Any], ...] = (
        *(optim.Adadelta, optim.Adafactor, optim.Adagrad, optim.Adam, optim.Adamax, optim.AdamW),
        *(optim.Lion, optim.NAdam, optim.RAdam, optim.RMSprop, optim.Rprop, optim.SparseAdam),
    )
    return {
        "sgd": lambda parameters: optim.SGD(parameters, lr=0.01),
        **{kind.__name__.lower(): kind for kind in kinds},
    }


_NOT_BY_NAME = {
    "lbfgs": "which is for full batches: make optim.LBFGS(model.parameters()), and fit with one batch",
    "muon": "which is for matrices only: make optim.Muon of those, and optim.AdamW of the other parameters",
}


def maker_of(where: str, optimizer: Any) -> Callable[[Any], Any]:
    """Return what makes an optimizer of parameters for a name, a class or a function."""
    if isinstance(optimizer, str):
        if optimizer.lower() in _NOT_BY_NAME:
            raise ValueError(f"{where}: optimizer is {optimizer!r}, {_NOT_BY_NAME[optimizer.lower()]}")
        made: Callable[[Any], Any] = named("optimizer", optimizer.lower(), optimizers(), where)
        return made
    if isinstance(optimizer, type) or (callable(optimizer) and not hasattr(optimizer, "step")):
        maker: Callable[[Any], Any] = optimizer
        return maker
    raise TypeError(
        f"{where}: optimizer is a {type(optimizer).__name__}, expected a name, a class of drivetrain.optim, "
        "or a function of the parameters"
    )


def find_optimizer(optimizer: Any, model: Any) -> Any:
    """Return an optimizer for a name, a class or a function of the parameters; an optimizer as it is."""
    if isinstance(optimizer, (str, type)) or (callable(optimizer) and not hasattr(optimizer, "step")):
        return maker_of("Trainer", optimizer)(model.parameters())
    if hasattr(optimizer, "step") and hasattr(optimizer, "zero_grad"):
        return optimizer
    raise TypeError(
        f"Trainer: optimizer is a {type(optimizer).__name__}, expected a name, an optimizer of "
        "drivetrain.optim, "
        "or a function of the parameters"
    )


class FunctionMetric(WeightedMean):
    """A metric of a function ``f(y_true, y_pred)`` that gives one number, or one per sample."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(getattr(function, "__name__", type(function).__name__))
        self.function = function

    def update(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        values = self.function(y_true, y_pred)
        values = np.asarray(values.detach() if hasattr(values, "detach") else values, np.float64)
        samples = len(y_pred) if hasattr(y_pred, "__len__") else y_pred.shape[0]
        if values.ndim == 0:
            self._add(np.full(samples, values), None)
        elif len(values) == samples:
            weights = None if sample_weight is None else np.asarray(sample_weight, np.float64)
            self._add(values.reshape(samples, -1).mean(axis=1), weights)
        else:
            raise ValueError(
                f"metric {self.name}: gave shape {values.shape}, expected a number or {samples} of them"
            )


def find_metrics(wanted: Any, loss: Any) -> list[Metric]:
    """Return metrics for names, metrics and functions; two of one name are an error."""
    if isinstance(wanted, (str, Metric)) or callable(wanted):
        wanted = [wanted]
    if not isinstance(wanted, Iterable | None):
        raise TypeError(f"Trainer: metrics is a {type(wanted).__name__}, expected a list of metrics")
    found = [find_metric(metric, loss) for metric in wanted or []]
    names = ["loss", *(metric.name for metric in found)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Trainer: two metrics are named {name!r}; pass name= to one of them")
    return found


def find_metric(metric: Any, loss: Any) -> Metric:
    if isinstance(metric, str):
        found: Metric = named("metric", metric.lower(), metrics_of(loss))(metric)
        return found
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return FunctionMetric(metric)
    raise TypeError(
        f"Trainer: a metric is a {type(metric).__name__}, expected a name, a Metric or a function"
    )


AVERAGES = ("macro", "micro", "weighted")


def metrics_of(loss: Any) -> dict[str, Callable[[str], Metric]]:
    """Return functions that make a metric of each name, for outputs as this loss takes them.

    A score of a loss on logits is above 0 where its probability is above 0.5.
    """
    threshold = 0.0 if isinstance(loss, nn.BCEWithLogitsLoss) else 0.5
    from_logits = isinstance(loss, (nn.BCEWithLogitsLoss, nn.CrossEntropyLoss))
    classes: dict[Any, tuple[str, ...]] = {
        metrics.Accuracy: ("accuracy", "acc", "binary_accuracy", *KERAS_ACCURACIES),
        metrics.BalancedAccuracy: ("balanced_accuracy",),
        metrics.MatthewsCorrCoef: ("matthews_corrcoef", "mcc"),
        metrics.CohenKappa: ("cohen_kappa", "kappa"),
        metrics.Hamming: ("hamming", "hamming_loss"),
    }
    overlaps: dict[Any, tuple[str, ...]] = {
        metrics.Precision: ("precision",),
        metrics.Recall: ("recall",),
        metrics.F1: ("f1", "f1_score"),
        metrics.Specificity: ("specificity",),
        metrics.Jaccard: ("jaccard", "iou"),
    }
    chances: dict[Any, tuple[str, ...]] = {
        metrics.ROCAUC: ("auc", "roc_auc", "roc_auc_ovr"),
        metrics.AveragePrecision: ("average_precision", "pr_auc"),
        metrics.LogLoss: ("log_loss",),
        metrics.BrierScore: ("brier_score", "brier"),
        metrics.CalibrationError: ("calibration_error", "ece"),
    }
    plain: dict[Any, tuple[str, ...]] = {
        metrics.Hinge: ("hinge", "hinge_loss"),
        metrics.MeanSquaredError: ("mse", "mean_squared_error"),
        metrics.RootMeanSquaredError: ("rmse", "root_mean_squared_error"),
        metrics.MeanAbsoluteError: ("mae", "mean_absolute_error"),
        metrics.MeanAbsolutePercentageError: ("mape", "mean_absolute_percentage_error"),
        metrics.R2Score: ("r2", "r2_score"),
        metrics.ExplainedVariance: ("explained_variance",),
        metrics.Pearson: ("pearson",),
        metrics.Spearman: ("spearman",),
    }
    found: dict[str, Callable[[str], Metric]] = {
        name: partial(metrics.TopKAccuracy, 5) for name in ("top_k_accuracy", "top_5_accuracy", *KERAS_TOP_K)
    }
    for kinds, options in (
        (classes, {"threshold": threshold}),
        (overlaps, {"threshold": threshold}),
        (chances, {"from_logits": from_logits}),
        (plain, {}),
    ):
        found |= {name: partial(kind, **options) for kind, names in kinds.items() for name in names}
    for kind, names in overlaps.items():
        for average in AVERAGES:
            make = partial(kind, average=average, threshold=threshold)
            found |= {f"{name}_{average}": make for name in names}
    ignored = getattr(loss, "ignore_index", -100)
    found["perplexity"] = partial(metrics.Perplexity, ignore_index=ignored)
    found["token_accuracy"] = partial(metrics.TokenAccuracy, ignore_index=ignored)
    found["roc_auc_ovo"] = partial(metrics.ROCAUC, multi_class="ovo", from_logits=from_logits)
    return found


KERAS_ACCURACIES = ("categorical_accuracy", "sparse_categorical_accuracy")
KERAS_TOP_K = ("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy")


def named(what: str, name: str, table: dict[str, Any], where: str = "Trainer") -> Any:
    if name not in table:
        known = ", ".join(sorted(table))
        raise ValueError(
            f"{where}: there is no {what} {name!r}, expected one of {known}{suggest(name, table)}"
        )
    return table[name]
