"""Multi-layer perceptrons with scikit-learn's arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import column_or_1d

from .arguments import Arguments, take_over
from .perceptron import Perceptron

Array = NDArray[Any]


def is_stochastic(estimator: Any) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError(f"{type(estimator).__name__}: partial_fit needs solver='adam' or 'sgd'")
    return True


class MLPClassifier(ClassifierMixin, Perceptron):
    """Multi-layer perceptron that classifies, with the arguments and attributes of scikit-learn's.

    Steps are those of scikit-learn: the same weights from the same ``random_state``, up to rounding, several
    times as fast. It computes in the dtype of X, float32 or float64; all else is converted to float64.

    Args:
        hidden_layer_sizes: Sizes of the hidden layers.
        activation: Of the hidden layers: "identity", "logistic", "tanh" or "relu".
        solver: "adam", "sgd" or "lbfgs", scipy's quasi-Newton method on all rows at once.
        alpha: L2 penalty of the weights, divided by the number of rows of a batch.
        batch_size: Rows of a step; "auto" is 200, or all where there are fewer.
        learning_rate: For "sgd": "constant", "invscaling" (divided by t**power_t) or "adaptive" (divided by 5
            when there is no progress).
        learning_rate_init: The first rate.
        power_t: See learning_rate.
        max_iter: The most epochs, or iterations of "lbfgs".
        shuffle: Whether every epoch has an order of its own.
        random_state: int, RandomState or None: weights, order, rows held back.
        tol: What counts as progress, of the loss or the score.
        verbose: Whether to print the loss of every epoch.
        warm_start: Whether fit goes on with the weights it has.
        momentum, nesterovs_momentum: For "sgd".
        early_stopping: Whether to hold rows back, stop when their score stays, and keep the best weights.
        validation_fraction: Share of the rows held back.
        beta_1, beta_2, epsilon: For "adam".
        n_iter_no_change: Epochs without progress after which training ends.
        max_fun: For "lbfgs": the most evaluations of the loss.
        class_weight: "balanced", a dict of label to weight, or None; scikit-learn's MLPClassifier has none.

    Attributes:
        classes_, coefs_, intercepts_, loss_, loss_curve_, best_loss_, n_iter_, t_, n_layers_, n_outputs_,
        out_activation_, validation_scores_, best_validation_score_, n_features_in_, feature_names_in_: As in
        scikit-learn.

    Source: the algorithm is that of ``sklearn.neural_network.MLPClassifier``.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from drivetrain.estimators import MLPClassifier
        >>> x, y = load_iris(return_X_y=True)
        >>> model = MLPClassifier(learning_rate_init=0.01, random_state=0).fit(x, y)
        >>> model.score(x, y) > 0.9
        True
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Any = None,
    ) -> None:
        take_over(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Train on X (n, features), an array, frame or sparse matrix, with labels y.

        y has shape (n,), or (n, labels) of 0 and 1 where a row may have several labels.
        """
        fitted: MLPClassifier = self._fit(X, y, sample_weight, incremental=False)
        return fitted

    @available_if(is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> MLPClassifier:
        """Train one epoch on these rows; the first call names all ``classes``."""
        if self.class_weight == "balanced":
            raise ValueError(
                "MLPClassifier.partial_fit: class_weight='balanced' needs all labels at once; pass a dict"
            )
        if not hasattr(self, "classes_") and classes is None:
            raise ValueError("MLPClassifier.partial_fit: the first call needs classes=")
        if classes is not None:
            classes = unique_labels(classes)
            if hasattr(self, "classes_") and not np.array_equal(self.classes_, classes):
                raise ValueError(
                    f"MLPClassifier.partial_fit: classes are {classes}, "
                    f"but were {self.classes_} in the first call"
                )
            self.classes_ = classes
        fitted: MLPClassifier = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def _targets(self, x: Any, y: Any, first: bool) -> Array:
        check_classification_targets(y)
        kind = type_of_target(y)
        multilabel = kind == "multilabel-indicator"
        if not multilabel:
            y = column_or_1d(y, warn=True)
        if first and not (hasattr(self, "classes_") and not hasattr(self, "coefs_")):
            self.classes_ = unique_labels(y)
        elif len(unknown := np.setdiff1d(unique_labels(y), self.classes_)):
            raise ValueError(f"MLPClassifier.fit: y has the class {unknown[0]}, which classes_ lacks")
        if multilabel:
            self.n_outputs_, self.out_activation_ = y.shape[1], "logistic"
            return np.ascontiguousarray(y.toarray() if hasattr(y, "toarray") else y, dtype=x.dtype)
        classes = self.classes_
        if len(classes) < 2:
            raise ValueError(
                f"MLPClassifier.fit: y has only one class, {classes[0]}, expected two classes or more"
            )
        labels: Array = np.searchsorted(classes, y)
        if len(classes) > 2:
            self.n_outputs_, self.out_activation_ = len(classes), "softmax"
            return labels.astype(np.int64)
        self.n_outputs_, self.out_activation_ = 1, "logistic"
        return labels.astype(x.dtype).reshape(-1, 1)

    def _labels(self, output: Array) -> Array:
        if self.out_activation_ == "softmax":
            return np.asarray(output.argmax(axis=1))
        chosen = (output > 0.5).astype(int)
        return chosen[:, 0] if chosen.shape[1] == 1 else chosen

    def _stratifies(self) -> bool:
        return bool(self.n_outputs_ == 1)  # as scikit-learn: not with three classes or more

    def _score(self, y: Array, output: Array, weight: Array | None) -> float:
        y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
        return float(accuracy_score(y, self._labels(output), sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """The labels (n,), or (n, labels) of 0 and 1 where rows have several."""
        labels: Array = self._labels(self._output(X))
        return labels if labels.ndim == 2 else np.asarray(self.classes_[labels])

    def predict_proba(self, X: Any) -> Array:
        """The probabilities (n, classes)."""
        output: Array = self._output(X)
        return np.concatenate([1 - output, output], axis=1) if output.shape[1] == 1 else output

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities (n, classes)."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, Perceptron):
    """Multi-layer perceptron for numbers, with the arguments and attributes of scikit-learn's.

    Args:
        loss: "squared_error", or "poisson" for counts, whose logarithm the network gives.
        hidden_layer_sizes and all others: Those of `MLPClassifier`.

    Attributes: Those of `MLPClassifier` without classes_.

    Source: the algorithm is that of ``sklearn.neural_network.MLPRegressor``.

    Example:
        >>> import numpy as np
        >>> from drivetrain.estimators import MLPRegressor
        >>> x = np.linspace(-1, 1, 200).reshape(-1, 1)
        >>> model = MLPRegressor(solver="lbfgs", random_state=0).fit(x, np.abs(x[:, 0]))
        >>> model.score(x, np.abs(x[:, 0])) > 0.99
        True
    """

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
    ) -> None:
        take_over(self, locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train on X (n, features), an array, frame or sparse matrix, and y (n,) or (n, outputs)."""
        fitted: MLPRegressor = self._fit(X, y, sample_weight, incremental=False)
        return fitted

    @available_if(is_stochastic)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train one epoch on these rows."""
        fitted: MLPRegressor = self._fit(X, y, sample_weight, incremental=True)
        return fitted

    def _read_arguments(self) -> Arguments:
        read = super()._read_arguments()
        read.choice("loss", "squared_error", "poisson")
        return read

    def _targets(self, x: Any, y: Any, first: bool) -> Array:
        y = y.astype(x.dtype, copy=False)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if self.loss == "poisson" and y.min() < 0:
            raise ValueError(f"MLPRegressor.fit: y contains {y.min()}, expected counts for loss='poisson'")
        target: Array = np.ascontiguousarray(y.reshape(len(y), -1))
        self.n_outputs_ = target.shape[1]
        self.out_activation_ = "exp" if self.loss == "poisson" else "identity"
        return target

    def _loss_offset(self, y: Array, weight: Array | None) -> float:
        if self.loss != "poisson":
            return 0.0
        return float(np.average(xlogy(y, y) - y, axis=0, weights=weight).sum())

    def _score(self, y: Array, output: Array, weight: Array | None) -> float:
        return float(r2_score(y, output, sample_weight=weight))

    def predict(self, X: Any) -> Array:
        """The numbers (n,) or (n, outputs)."""
        output: Array = self._output(X)
        return output[:, 0] if output.shape[1] == 1 else output
