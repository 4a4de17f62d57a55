"""The network of the estimators: fully connected layers, their loss and their optimizers, without ceremony.

Tables make small networks and small batches, where a step takes some 50 microseconds: modules, hooks and
metrics would cost as much as the arithmetic. Here a step is one call per layer, the loss, the walk back and
two calls of the optimizer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core, optim
from .._core import Tensor
from ..autograd import no_grad

Array = NDArray[Any]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "identity": None,
    "logistic": _core.sigmoid,
    "tanh": _core.tanh,
    "relu": _core.relu,
}
OUTPUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda out: out,
    "logistic": _core.sigmoid,
    "softmax": lambda out: _core.softmax(out, axis=-1),
    "exp": _core.exp,
}
ROWS = 4096  # of a block in predict: what lies between two layers stays in the cache


class Table:
    """Rows of an array or of a sparse matrix, as tensors of a batch."""

    def __init__(self, x: Any) -> None:
        self.sparse = None if isinstance(x, np.ndarray) else x.tocsr()
        self.dense = _core.from_numpy(np.ascontiguousarray(x)) if self.sparse is None else None
        self.size = x.shape[0]

    def rows(self, where: slice | Tensor) -> Tensor:
        if self.dense is None:
            index = where if isinstance(where, slice) else where.numpy()
            assert self.sparse is not None
            return _core.from_numpy(self.sparse[index].toarray())
        return self.dense[where] if isinstance(where, slice) else _core.take(self.dense, where, axis=0)


class Network:
    """Layers of weights (outputs, inputs) and biases, copies of the arrays given.

    Args:
        coefs, intercepts: Arrays (inputs, outputs) and (outputs,), as scikit-learn keeps them.
        activation: Of the hidden layers, a name out of ACTIVATIONS.
        output: A name out of OUTPUTS, which decides the loss: cross entropy for "softmax" and "logistic",
            half of the squared error for "identity", that of Poisson's distribution for "exp".
    """

    def __init__(
        self, coefs: Sequence[Array], intercepts: Sequence[Array], activation: str, output: str
    ) -> None:
        self.weights = [_core.tensor(np.ascontiguousarray(coef.T), requires_grad=True) for coef in coefs]
        self.biases = [_core.tensor(intercept, requires_grad=True) for intercept in intercepts]
        self.trained = [*self.weights, *self.biases]
        self.activation = ACTIVATIONS[activation]
        self.output = output
        self.outputs = len(intercepts[-1])
        # scikit-learn shows the mean over the outputs of what it minimises as a sum.
        self.shown = 1 / self.outputs if output == "identity" else 1.0
        self._flat = [weight.detach().reshape((-1,)) for weight in self.weights]

    def forward(self, x: Tensor) -> Tensor:
        last = len(self.weights) - 1
        for i in range(last):
            if self.activation is _core.relu:
                x = _core._linear_relu(x, self.weights[i], self.biases[i])
            else:
                x = _core.linear(x, self.weights[i], self.biases[i])
                x = x if self.activation is None else self.activation(x)
        return _core.linear(x, self.weights[last], self.biases[last])

    def loss(self, x: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """What is minimised: a mean over the rows, and a sum over the outputs."""
        out = self.forward(x)
        if self.output == "softmax":
            return _core.cross_entropy(out, target, sample_weight=weight)
        if self.output == "logistic":
            loss = _core.binary_cross_entropy_with_logits(out, target, sample_weight=weight)
            return loss if self.outputs == 1 else loss * float(self.outputs)
        if self.output == "identity":
            return _core.mse_loss(out, target, sample_weight=weight) * (0.5 * self.outputs)
        rows = (_core.exp(out) - target * out).sum(axis=1)
        return rows.mean() if weight is None else (rows * weight).sum() / weight.sum()

    def squares(self) -> float:
        """Sum of the squares of all weights; the biases are not penalised."""
        return math.fsum(_core.matmul(flat, flat).item() for flat in self._flat)

    def predict(self, table: Table) -> Array:
        """The outputs (rows, outputs), through their function."""
        blocks = [self._outputs(table.rows(slice(i, i + ROWS))) for i in range(0, table.size, ROWS)]
        return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]

    def _outputs(self, x: Tensor) -> Array:
        with no_grad():
            return OUTPUTS[self.output](self.forward(x)).numpy()

    def arrays(self) -> tuple[list[Array], list[Array]]:
        """Views of the weights, as (inputs, outputs), and of the biases: training goes on to change them."""
        return [w.detach().numpy().T for w in self.weights], [b.detach().numpy() for b in self.biases]


class AdamSteps:
    """Steps of Adam as scikit-learn makes them."""

    def __init__(self, network: Network, rate: float, betas: tuple[float, float], epsilon: float) -> None:
        groups = [{"params": network.weights}, {"params": network.biases}]
        self.optimizer = optim.Adam(groups, lr=rate, betas=betas)
        self.beta, self.epsilon, self.count = betas[1], epsilon, 0

    def step(self, penalty: float) -> None:
        self.count += 1
        # scikit-learn adds epsilon to a root that is not yet corrected for the average's short memory.
        epsilon = self.epsilon / math.sqrt(1 - self.beta**self.count)
        weights, biases = self.optimizer.param_groups
        weights["eps"] = biases["eps"] = epsilon
        weights["weight_decay"] = penalty
        self.optimizer.step()
        self.optimizer.zero_grad()

    def end_epoch(self, samples: int) -> None:
        """Nothing changes with the epochs."""

    def slow_down(self) -> bool:
        """Return whether a smaller rate is worth a try: never."""
        return False

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.count = state["count"]
        self.optimizer.load_state_dict(state["optimizer"])


class SgdSteps:
    """Steps of stochastic gradient descent: the rate is part of the velocity, as in scikit-learn."""

    def __init__(
        self, network: Network, rate: float, schedule: str, momentum: float, nesterov: bool, power: float
    ) -> None:
        groups = [{"params": network.weights}, {"params": network.biases}]
        self.optimizer = optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov and momentum > 0)
        self.first_rate = self.rate = rate
        self.schedule, self.power = schedule, power

    def step(self, penalty: float) -> None:
        self.optimizer.param_groups[0]["weight_decay"] = penalty * self.rate
        self.optimizer.step(grad_scale=self.rate)
        self.optimizer.zero_grad()

    def end_epoch(self, samples: int) -> None:
        if self.schedule == "invscaling":
            self.rate = self.first_rate / (samples + 1) ** self.power

    def slow_down(self) -> bool:
        if self.schedule != "adaptive" or self.rate <= 1e-6:
            return False
        self.rate /= 5
        return True

    def state(self) -> dict[str, Any]:
        return {"rate": self.rate, "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.rate = state["rate"]
        self.optimizer.load_state_dict(state["optimizer"])
