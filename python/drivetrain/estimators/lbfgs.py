"""L-BFGS of scipy over the parameters of a network, all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .. import _core
from .network import Network, Table

Array = NDArray[Any]
VALUES = 1 << 22  # of a block of rows: what lies between the layers stays small


def minimise(
    network: Network, x: Any, target: Array, weight: Array | None, alpha: float, options: dict[str, Any]
) -> Any:
    """Change the network to a minimum of its loss plus alpha / 2 |weights|^2 / (sum of the rows' weights).

    Returns scipy's result.
    """
    parameters = network.trained
    views = [parameter.detach().numpy().reshape(-1) for parameter in parameters]
    ends = np.cumsum([view.size for view in views])[:-1]
    penalised = sum(view.size for view in views[: len(network.weights)])
    batch = list(blocks(network, x, target, weight))
    total = sum(share for *_, share in batch)
    penalty = alpha / total

    def put(flat: Array) -> None:
        for view, part in zip(views, np.split(flat, ends), strict=True):
            view[:] = part

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        put(flat)
        value = 0.5 * penalty * network.squares()
        for rows, y, w, share in batch:
            loss = network.loss(rows(), y, w) * (share / total)
            loss.backward()
            value += loss.item()
        gradients: list[Any] = [parameter.grad for parameter in parameters]
        gradient = np.concatenate([g.numpy().reshape(-1) for g in gradients], dtype=np.float64)
        gradient[:penalised] += penalty * flat[:penalised]
        _core._clear_gradients(parameters)
        return value, gradient

    start = np.concatenate(views, dtype=np.float64)
    found = optimize.minimize(loss_and_gradient, start, method="L-BFGS-B", jac=True, options=options)
    put(found.x)
    return found


def blocks(network: Network, x: Any, target: Array, weight: Array | None) -> Any:
    """(function that gives the rows, targets, weights, sum of the weights) of each block of rows."""
    table = Table(x)
    step = max(256, VALUES // max(network.weights[0].shape))
    for begin in range(0, table.size, step):
        where = slice(begin, min(begin + step, table.size))
        w = None if weight is None else _core.from_numpy(weight[where])
        share = float(where.stop - begin) if w is None else w.sum().item()
        if share:
            yield (lambda where=where: table.rows(where)), _core.from_numpy(target[where]), w, share
