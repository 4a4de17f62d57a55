"""Any module as a scikit-learn estimator, trained with ``drivetrain.train.Trainer``; skorch's names."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .. import _core, nn, optim
from ..train import EarlyStopping, Predictor, Trainer
from ..train.precision import find_precision, half_of
from .arguments import Arguments, TakesSparse, row_weights, take_over

Array = NDArray[Any]
PARTS = ("module", "criterion", "optimizer", "trainer")


class NeuralNet(TakesSparse):
    """What classifier and regressor share: parts with arguments of their own, fitting, predicting."""

    classes_: Array
    module_: Any
    optimizer_: Any
    history_: dict[str, list[float]]

    # Arguments of the parts: module__hidden=20, optimizer__weight_decay=0.1

    def _take_over(self, given: dict[str, Any], nested: dict[str, Any]) -> None:
        take_over(self, {name: value for name, value in given.items() if name != "nested"} | nested)

    def _others(self) -> list[str]:
        """Names of the arguments that ``__init__`` does not list."""
        own = self._get_param_names()
        return [name for name in vars(self) if name not in own and name[0] != "_" and name[-1] != "_"]

    def _check_others(self) -> None:
        for name in self._others():
            part, _, rest = name.partition("__")
            if part not in PARTS or not rest:
                raise TypeError(
                    f"{type(self).__name__}: unknown argument {name!r}, expected "
                    f"{', '.join(self._get_param_names())}, or an argument of a part: "
                    f"{', '.join(f'{part}__...' for part in PARTS)}"
                )

    def _nested(self, part: str) -> dict[str, Any]:
        start = f"{part}__"
        names = (name for name in self._others() if name.startswith(start))
        return {name.removeprefix(start): getattr(self, name) for name in names}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments by name, those of the parts as well."""
        return dict(super().get_params(deep)) | {name: getattr(self, name) for name in self._others()}

    def set_params(self, **params: Any) -> Any:
        """Set arguments by name: ``set_params(lr=0.1, module__hidden=20)``."""
        nested = {name for name in params if name.partition("__")[0] in PARTS and "__" in name}
        for name in nested:
            setattr(self, name, params[name])
        return super().set_params(**{name: value for name, value in params.items() if name not in nested})

    # What subclasses say

    def _targets(self, x: Any, y: Any, first: bool) -> tuple[Array, int]:
        """Return targets for the criterion, and how many outputs the module needs for them."""
        raise NotImplementedError

    # Fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train a new module on X (n, features, ...) and y; with ``warm_start`` the one there is."""
        return self._fit(X, y, sample_weight, self.max_epochs, goes_on=self.warm_start)

    def _fit(self, x: Any, y: Any, sample_weight: Any, epochs: int, goes_on: bool) -> Any:
        self._check_others()
        read = Arguments(self)
        for name in ("max_epochs", "batch_size", "n_iter_no_change"):
            read.integer(name)
        for name in ("early_stopping", "warm_start", "verbose"):
            read.flag(name)
        read.at_least_zero("tol")
        read.share("validation_fraction")
        first = not (goes_on and hasattr(self, "module_"))
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse="csr",
            dtype=self._dtypes(),
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
            allow_nd=True,
            reset=first,
        )
        if x.dtype == np.float64 and not self._takes_float64(x):
            x = x.astype(np.float32)
        target, outputs = self._targets(x, y, first)
        weight = row_weights(self, x, sample_weight, y, getattr(self, "class_weight", None))
        if weight is not None:
            weight = weight / weight.mean()  # their size is not to change that of the steps
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31 - 1))
        before = _core.default_generator.get_state()
        try:
            _core.manual_seed(seed)
            if first:
                self.module_ = self._build_module(x.shape[1], outputs)
                if x.dtype == np.float64 and half_of(self.module_) is None:
                    self.module_.double()
                self.optimizer_ = self._build_optimizer(self.module_)
                self.history_, self.n_iter_ = {}, 0
            self._train(dense(x), target, weight, epochs, seed, random)
        finally:
            _core.default_generator.set_state(before)
        return self

    def _dtypes(self) -> Any:
        """What X may be, and the first of it what all else becomes."""
        return (np.float32, np.float64) if self.dtype == "auto" else self.dtype

    def _takes_float64(self, x: Array) -> bool:
        """Whether to compute in float64: in tables, unless told otherwise."""
        half = self._nested("trainer").get("precision", "float32")
        return self.dtype != "auto" or (x.ndim == 2 and find_precision("Trainer", half) == "float32")

    def _build_module(self, features: int, outputs: int) -> Any:
        module, given = self.module, self._nested("module")
        if isinstance(module, nn.Module):
            if given:
                raise TypeError(
                    f"{type(self).__name__}: module is a {type(module).__name__} that is already built, so "
                    f"there is nothing to pass module__{next(iter(given))} to; pass its class or a function"
                )
            return copy.deepcopy(module)
        if not callable(module):
            raise TypeError(
                f"{type(self).__name__}: module is {module!r}, expected a Module, its class, or a function "
                "that builds one"
            )
        found = {"n_features": features, "n_outputs": outputs}
        takes = inspect.signature(module).parameters
        built = module(**{name: value for name, value in found.items() if name in takes}, **given)
        if not isinstance(built, nn.Module):
            raise TypeError(f"{type(self).__name__}: module gave a {type(built).__name__}, expected a Module")
        return built

    def _build_optimizer(self, module: Any) -> Any:
        kind, given = self.optimizer, self._nested("optimizer")
        if isinstance(kind, str):
            kinds = (thing for thing in vars(optim).values() if inspect.isclass(thing))
            names = {k.__name__.lower(): k.__name__ for k in kinds if issubclass(k, optim.Optimizer)}
            names.pop("optimizer")
            if kind.lower() not in names:
                raise ValueError(
                    f"{type(self).__name__}: there is no optimizer {kind!r}, expected one of "
                    f"{', '.join(sorted(names.values()))}"
                )
            kind = getattr(optim, names[kind.lower()])
        return kind(module.parameters(), **({} if self.lr is None else {"lr": self.lr}), **given)

    def _build_criterion(self) -> Any:
        given = self._nested("criterion")
        if given and (isinstance(self.criterion, (str, nn.Module)) or not callable(self.criterion)):
            raise TypeError(
                f"{type(self).__name__}: criterion is {self.criterion!r}, so there is nothing to pass "
                f"criterion__{next(iter(given))} to; pass a class of drivetrain.nn"
            )
        return self.criterion(**given) if given else self.criterion

    def _train(
        self, x: Array, y: Array, weight: Array | None, epochs: int, seed: int, random: np.random.RandomState
    ) -> None:
        callbacks = list(copy.deepcopy(self.callbacks or []))
        held = None
        if self.early_stopping:
            x, y, weight, held = self._split(x, y, weight, random)
            callbacks.append(
                EarlyStopping(
                    "val_loss",
                    min_delta=self.tol,
                    patience=self.n_iter_no_change,
                    restore_best_weights=True,
                )
            )
        trainer = Trainer(
            self.module_,
            loss=self._build_criterion(),
            optimizer=self.optimizer_,
            callbacks=callbacks,
            seed=seed,
            **self._nested("trainer"),
        )
        history = trainer.fit(
            x,
            y,
            batch_size=min(self.batch_size, len(x)),
            epochs=epochs,
            validation_data=held,
            sample_weight=weight,
            verbose=2 if self.verbose else 0,
        )
        for name, values in history.history.items():
            self.history_.setdefault(name, []).extend(values)
        self.n_iter_ += len(history.epoch)

    def _split(self, x: Array, y: Array, weight: Array | None, random: np.random.RandomState) -> Any:
        parts = [x, y] if weight is None else [x, y, weight]
        labels = isinstance(self, ClassifierMixin)
        found = train_test_split(
            *parts, random_state=random, test_size=self.validation_fraction, stratify=y if labels else None
        )
        train, held = found[::2], tuple(found[1::2])
        return train[0], train[1], (None if weight is None else train[2]), held

    # Predicting

    def _output(self, x: Any) -> Array:
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse="csr", dtype=self._dtypes(), allow_nd=True, reset=False)
        output = Predictor(self.module_).predict(dense(x), batch_size=self.batch_size, verbose=0)
        return np.asarray(output[0] if isinstance(output, tuple) else output)


def dense(x: Any) -> Array:
    """Modules take arrays."""
    return x.toarray() if sparse.issparse(x) else np.ascontiguousarray(x)


class NeuralNetClassifier(ClassifierMixin, NeuralNet):
    """A classifier made of any module.

    Args:
        module (Module, its class, or a function that builds one): Of a module given every fit trains a copy.
            A class or function is called with the arguments ``module__NAME``, and with ``n_features`` and
            ``n_outputs`` if it takes arguments of these names. It gives logits: (n, classes) for
            "cross_entropy", (n, 1) for "binary_cross_entropy_with_logits".
        criterion (str, loss of ``drivetrain.nn``, its class, or function): See `Trainer`; a class gets
            ``criterion__NAME``.
        optimizer (str or class of ``drivetrain.optim``): Gets ``optimizer__NAME``.
        lr: The learning rate; None for the optimizer's own.
        max_epochs: Epochs of a fit.
        batch_size: Rows of a step.
        callbacks: List of callbacks of ``drivetrain.train``; every fit gets copies.
        early_stopping: Whether to hold rows back, stop when their loss stays, and keep the best weights.
        validation_fraction: Share of the rows held back.
        n_iter_no_change, tol: Epochs without a gain of more than tol after which training ends.
        warm_start: Whether fit goes on with the module it has.
        class_weight: "balanced", a dict of label to weight, or None.
        dtype: What X is converted to, and what the module computes in: "float32", "float64", or "int64" for a
            module that begins with an embedding. "auto" takes tables (n, features) as they are, float32 or
            float64, as scikit-learn's networks do, and makes all else float32. float32 takes about half the
            time.
        random_state: int, RandomState or None: weights, dropout, order, rows held back.
        verbose: Whether to print a line per epoch.
        **nested: ``module__NAME``, ``criterion__NAME``, ``optimizer__NAME`` and ``trainer__NAME``, any other
            argument of `Trainer`, such as ``trainer__precision="bfloat16"``. They may be searched over.

    Attributes:
        classes_, module_, optimizer_, history_ (dict of lists, one number per epoch), n_iter_,
        n_features_in_, feature_names_in_.

    Source: the names are those of skorch.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from drivetrain import nn
        >>> from drivetrain.estimators import NeuralNetClassifier
        >>> def build(n_features, n_outputs, hidden=10):
        ...     return nn.Sequential(nn.Linear(n_features, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))
        >>> x, y = load_iris(return_X_y=True)
        >>> net = NeuralNetClassifier(build, module__hidden=20, lr=0.05, max_epochs=40, random_state=0)
        >>> net.fit(x, y).score(x, y) > 0.9
        True
    """

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = "cross_entropy",
        optimizer: Any = "Adam",
        lr: float | None = 0.01,
        max_epochs: int = 10,
        batch_size: int = 128,
        callbacks: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        class_weight: Any = None,
        dtype: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
        **nested: Any,
    ) -> None:
        self._take_over(locals(), nested)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> NeuralNetClassifier:
        """Train one epoch more on these rows; the first call names all ``classes``, if y does not."""
        if self.class_weight == "balanced":
            raise ValueError(
                "NeuralNetClassifier.partial_fit: class_weight='balanced' needs all labels at once; pass "
                "a dict"
            )
        if classes is not None and not hasattr(self, "module_"):
            self.classes_ = np.unique(classes)
        fitted: NeuralNetClassifier = self._fit(X, y, sample_weight, 1, goes_on=True)
        return fitted

    def _targets(self, x: Any, y: Any, first: bool) -> tuple[Array, int]:
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        named = hasattr(self, "classes_") and not hasattr(self, "module_")
        if first and not named:
            self.classes_ = np.unique(y)
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(f"NeuralNetClassifier.fit: y has the class {unknown[0]}, which classes_ lacks")
        if len(self.classes_) < 2:
            raise ValueError(
                f"NeuralNetClassifier.fit: y has only one class, {self.classes_[0]}, expected two classes or "
                "more"
            )
        labels: Array = np.searchsorted(self.classes_, y).astype(np.int64)
        if self._is_binary():
            if len(self.classes_) > 2:
                raise ValueError(
                    f"NeuralNetClassifier.fit: y has {len(self.classes_)} classes, but criterion "
                    f"{self.criterion!r} is for two"
                )
            return labels.astype(x.dtype if x.dtype.kind == "f" else np.float32).reshape(-1, 1), 1
        return labels, len(self.classes_)

    def _is_binary(self) -> bool:
        kind = self.criterion
        binary = (nn.BCEWithLogitsLoss,)
        return kind == "binary_cross_entropy_with_logits" or kind in binary or isinstance(kind, binary)

    def predict_proba(self, X: Any) -> Array:
        """The probabilities (n, classes), the softmax or sigmoid of what the module gives."""
        output = np.ascontiguousarray(self._output(X))
        if self._is_binary():
            share = _core.sigmoid(_core.from_numpy(output)).numpy().reshape(-1)
            return np.column_stack([1 - share, share])
        return np.asarray(_core.softmax(_core.from_numpy(output), axis=-1).numpy())

    def predict(self, X: Any) -> Array:
        """The labels (n,)."""
        chosen = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[chosen])


class NeuralNetRegressor(RegressorMixin, NeuralNet):
    """A regressor made of any module.

    Args:
        module (Module, its class, or a function that builds one): As of `NeuralNetClassifier`; it gives
            (n, 1), or (n, targets).
        criterion: Default "mse".
        optimizer and all others: Those of `NeuralNetClassifier`.

    Attributes: Those of `NeuralNetClassifier` without classes_.

    Source: the names are those of skorch.

    Example:
        >>> import numpy as np
        >>> from drivetrain import nn
        >>> from drivetrain.estimators import NeuralNetRegressor
        >>> x = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> net = NeuralNetRegressor(nn.Linear(1, 1), lr=0.1, max_epochs=100, random_state=0)
        >>> net.fit(x, 3 * x[:, 0]).predict([[0.5]]).round(1).tolist()
        [1.5]
    """

    def __init__(
        self,
        module: Any,
        *,
        criterion: Any = "mse",
        optimizer: Any = "Adam",
        lr: float | None = 0.01,
        max_epochs: int = 10,
        batch_size: int = 128,
        callbacks: Any = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        dtype: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
        **nested: Any,
    ) -> None:
        self._take_over(locals(), nested)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NeuralNetRegressor:
        """Train one epoch more on these rows."""
        fitted: NeuralNetRegressor = self._fit(X, y, sample_weight, 1, goes_on=True)
        return fitted

    def _targets(self, x: Any, y: Any, first: bool) -> tuple[Array, int]:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        target: Array = np.asarray(y, x.dtype if x.dtype.kind == "f" else np.float32).reshape(len(y), -1)
        return target, target.shape[1]

    def predict(self, X: Any) -> Array:
        """The numbers (n,) or (n, targets)."""
        output = self._output(X).astype(np.float64)
        return output[:, 0] if output.ndim == 2 and output.shape[1] == 1 else output

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
