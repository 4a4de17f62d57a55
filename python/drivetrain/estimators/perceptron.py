"""The training of the multi-layer perceptrons."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, shuffle
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _core
from .arguments import Arguments, TakesSparse, row_weights
from .lbfgs import minimise
from .network import ACTIVATIONS, AdamSteps, Network, SgdSteps, Table

Array = NDArray[Any]
FLOATS = (np.float64, np.float32)


class Perceptron(TakesSparse):
    """What classifier and regressor share: the arguments, the loop over the epochs, L-BFGS."""

    classes_: Array
    coefs_: list[Array]
    intercepts_: list[Array]
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    best_loss_: float | None
    _steps_state: dict[str, Any] | None

    # What subclasses say

    def _targets(self, x: Any, y: Any, first: bool) -> Array:
        """Return the targets of the network: (n, outputs), or labels (n,) for the softmax."""
        raise NotImplementedError

    def _score(self, y: Array, output: Array, weight: Array | None) -> float:
        """Return how good the network's outputs are, for early stopping."""
        raise NotImplementedError

    def _loss_offset(self, y: Array, weight: Array | None) -> float:
        """Return what the loss that is shown has beyond the one that is minimised."""
        return 0.0

    def _stratifies(self) -> bool:
        """Return whether the rows held back have their share of every class."""
        return False

    # Fitting

    def _read_arguments(self) -> Arguments:
        read = Arguments(self)
        sizes = self.hidden_layer_sizes
        self._hidden = [int(size) for size in (sizes if np.iterable(sizes) else [sizes])]
        if any(size < 1 for size in self._hidden):
            raise ValueError(
                f"{read.name}: hidden_layer_sizes is {sizes!r}, expected sizes that are positive"
            )
        read.choice("activation", *ACTIVATIONS)
        read.choice("solver", "lbfgs", "sgd", "adam")
        read.choice("learning_rate", "constant", "invscaling", "adaptive")
        for name in ("alpha", "tol", "power_t"):
            read.at_least_zero(name)
        for name in ("learning_rate_init", "epsilon"):
            read.positive(name)
        for name in ("beta_1", "beta_2", "validation_fraction"):
            read.share(name)
        read.share("momentum", "1")
        for name in ("max_iter", "max_fun"):
            read.integer(name)
        read.count("n_iter_no_change")
        for name in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
            read.flag(name)
        if self.batch_size != "auto":
            read.integer("batch_size")
        return read

    def _fit(self, x: Any, y: Any, sample_weight: Any, incremental: bool) -> Any:
        name = self._read_arguments().name
        if incremental and self.early_stopping:
            raise ValueError(f"{name}.partial_fit: early_stopping=True needs all the data; call fit")
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        x, y = validate_data(
            self,
            x,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=isinstance(self, RegressorMixin),
            dtype=FLOATS,
            reset=first,
        )
        target = self._targets(x, y, first)
        weight = row_weights(self, x, sample_weight, y, getattr(self, "class_weight", None))
        random = check_random_state(self.random_state)
        if first:
            self._begin(x, random)
        network = Network(self.coefs_, self.intercepts_, self.activation, self.out_activation_)
        if self.solver == "lbfgs":
            self._fit_lbfgs(network, x, target, weight)
            self.coefs_, self.intercepts_ = network.arrays()
        else:
            self._fit_stochastic(network, x, target, weight, random, incremental)
        if not all(np.isfinite(array).all() for array in (*self.coefs_, *self.intercepts_)):
            raise ValueError(
                f"{name}.fit: the weights are no longer finite; scale the columns of X, or take a smaller "
                "learning_rate_init"
            )
        return self

    def _begin(self, x: Any, random: np.random.RandomState) -> None:
        """Draw weights after Glorot and Bengio, 2010, as scikit-learn draws them."""
        sizes = [x.shape[1], *self._hidden, self.n_outputs_]
        self.coefs_, self.intercepts_ = [], []
        for inputs, outputs in pairwise(sizes):
            bound = math.sqrt((2 if self.activation == "logistic" else 6) / (inputs + outputs))
            self.coefs_.append(random.uniform(-bound, bound, (inputs, outputs)).astype(x.dtype))
            self.intercepts_.append(random.uniform(-bound, bound, outputs).astype(x.dtype))
        self.n_layers_, self.n_iter_, self.t_ = len(sizes), 0, 0
        self._steps_state = None
        self.loss_curve_: list[float] = []
        self._stale = 0  # epochs since the last improvement
        self.validation_scores_ = [] if self.early_stopping else None
        self.best_validation_score_ = -math.inf if self.early_stopping else None
        self.best_loss_ = None if self.early_stopping else math.inf

    def _fit_lbfgs(self, network: Network, x: Any, target: Array, weight: Array | None) -> None:
        options = {"maxfun": self.max_fun, "maxiter": self.max_iter, "gtol": self.tol}
        found = minimise(network, x, target, weight, float(self.alpha), options)
        self.n_iter_ = min(found.nit, self.max_iter)
        penalty = 0.5 * self.alpha * network.squares() / (len(target) if weight is None else weight.sum())
        self.loss_ = float((found.fun - penalty) * network.shown + penalty)
        self.loss_ += self._loss_offset(target, weight)
        if found.status != 0:
            self._warn(f"L-BFGS stopped after {found.nit} iterations without having converged")

    def _warn(self, text: str) -> None:
        warnings.warn(
            f"{type(self).__name__}: {text}; raise max_iter, or scale the columns of X",
            ConvergenceWarning,
            stacklevel=4,
        )

    def _make_steps(self, network: Network) -> AdamSteps | SgdSteps:
        rate = float(self.learning_rate_init)
        if self.solver == "adam":
            return AdamSteps(network, rate, (float(self.beta_1), float(self.beta_2)), float(self.epsilon))
        momentum, power = float(self.momentum), float(self.power_t)
        return SgdSteps(network, rate, self.learning_rate, momentum, self.nesterovs_momentum, power)

    def _fit_stochastic(
        self,
        network: Network,
        x: Any,
        target: Array,
        weight: Array | None,
        random: np.random.RandomState,
        incremental: bool,
    ) -> None:
        parts = [x, target] if weight is None else [x, target, weight]
        held: list[Any] = []
        if self.early_stopping:
            parts, held = self._split(parts, random)
        steps = self._make_steps(network)
        if incremental and self._steps_state is not None:
            steps.load_state(self._steps_state)
        self.coefs_, self.intercepts_ = network.arrays()
        best = None
        size = parts[0].shape[0]
        epoch = Epoch(network, steps, parts, self._batch(size), float(self.alpha))
        offset = self._loss_offset(parts[1], parts[2] if weight is not None else None)
        order = np.arange(size)
        self.n_iter_ = 0
        while self.n_iter_ < self.max_iter:
            if self.shuffle:
                order = shuffle(order, random_state=random)
            try:
                self.loss_ = epoch.run(order if self.shuffle else None) + offset
            except KeyboardInterrupt:
                warnings.warn(f"{type(self).__name__}: interrupted in epoch {self.n_iter_ + 1}", stacklevel=4)
                break
            self.n_iter_ += 1
            self.t_ += size
            self.loss_curve_.append(self.loss_)
            if self.verbose:
                print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
            if self._note_progress(network, held):
                best = [array.copy() for array in (*self.coefs_, *self.intercepts_)]
            steps.end_epoch(self.t_)
            if self._stale > self.n_iter_no_change:
                if not steps.slow_down():
                    break
                self._stale = 0
            if incremental:
                break
            if self.n_iter_ == self.max_iter:
                self._warn(f"max_iter={self.max_iter} is reached, and the loss still falls")
        self._steps_state = steps.state() if incremental else None
        if best is not None:
            self.coefs_, self.intercepts_ = best[: len(self.coefs_)], best[len(self.coefs_) :]

    def _batch(self, size: int) -> int:
        if self.batch_size == "auto":
            return min(200, size)
        if self.batch_size > size:
            warnings.warn(
                f"{type(self).__name__}: batch_size is {self.batch_size}, more than the {size} rows; all are "
                "taken at once",
                stacklevel=5,
            )
        return min(int(self.batch_size), size)

    def _split(self, parts: list[Any], random: np.random.RandomState) -> tuple[list[Any], list[Any]]:
        found = train_test_split(
            *parts,
            random_state=random,
            test_size=self.validation_fraction,
            stratify=parts[1] if self._stratifies() else None,
        )
        if found[1].shape[0] < 2:
            raise ValueError(
                f"{type(self).__name__}.fit: early_stopping holds back {found[1].shape[0]} rows, expected at "
                "least 2; raise validation_fraction"
            )
        return found[::2], found[1::2]

    def _note_progress(self, network: Network, held: list[Any]) -> bool:
        """Count epochs without improvement; return whether the weights are the best for the rows held."""
        if not held:
            assert self.best_loss_ is not None
            loss = self.loss_curve_[-1]
            self._stale = self._stale + 1 if loss > self.best_loss_ - self.tol else 0
            self.best_loss_ = min(self.best_loss_, loss)
            return False
        assert self.validation_scores_ is not None
        assert self.best_validation_score_ is not None
        output = network.predict(Table(held[0]))
        score = math.nan
        if np.isfinite(output).all():
            score = self._score(held[1], output, held[2] if len(held) > 2 else None)
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        self._stale = self._stale + 1 if score < self.best_validation_score_ + self.tol else 0
        if score > self.best_validation_score_:
            self.best_validation_score_ = score
            return True
        return False

    def _output(self, x: Any) -> Array:
        check_is_fitted(self)
        x = validate_data(self, x, accept_sparse=["csr", "csc"], dtype=FLOATS, reset=False)
        x = x.astype(self.coefs_[0].dtype, copy=False)
        network = Network(self.coefs_, self.intercepts_, self.activation, self.out_activation_)
        return network.predict(Table(x))


class Epoch:
    """The bare loop over the batches of an epoch."""

    def __init__(
        self, network: Network, steps: AdamSteps | SgdSteps, parts: list[Any], batch: int, alpha: float
    ) -> None:
        self.network, self.steps, self.batch, self.alpha = network, steps, batch, alpha
        self.tables = [Table(part) for part in parts]

    def run(self, order: Array | None) -> float:
        """Make the steps of an epoch, over the rows in this order; return the mean loss with its penalty."""
        network, tables, alpha, total = self.network, self.tables, self.alpha, 0.0
        size: int = tables[0].size
        index = None if order is None else _core.from_numpy(order)
        for begin in range(0, size, self.batch):
            end = min(begin + self.batch, size)
            where = slice(begin, end)
            rows = where if index is None else index[where]
            x, target, *given = [table.rows(rows) for table in tables]
            weight = given[0] if given else None
            weights: float = end - begin if weight is None else weight.sum().item()
            if not weights:  # all rows of the batch are left out
                continue
            penalty = alpha / weights
            loss = network.loss(x, target, weight)
            loss.backward()
            value: float = loss.item() * network.shown + (0.5 * penalty * network.squares() if alpha else 0.0)
            self.steps.step(penalty)
            total += value * (end - begin)
        return total / size
