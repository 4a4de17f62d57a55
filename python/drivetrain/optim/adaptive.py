"""Optimizers that divide by the size of past gradients: Adagrad, Adadelta, RMSprop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_number
from .fused import FusedOptimizer


class Adagrad(FusedOptimizer):
    """Adagrad (Duchi et al., 2011): steps divided by the root of the sum of all squared gradients.

    What has had large gradients moves little; rates only ever fall. For sparse features, and for tables of
    `Embedding(sparse=True)`, of which only the rows that were looked up are changed (without weight decay).

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        lr_decay: The rate of step t, from 0, is lr / (1 + t * lr_decay).
        weight_decay: L2 penalty, added to the gradients.
        initial_accumulator_value: What the sum begins with.
        eps: Added to the root.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Adagrad([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    _function = staticmethod(_core._adagrad_step)
    _steps_rows = True
    _keeps = ("sum",)
    _not_negative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "eps": eps,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _begin(self, name: str, group: Mapping[str, Any], parameter: Tensor) -> Tensor:
        first = float(group["initial_accumulator_value"])
        return _core.full(parameter.shape, first, dtype=parameter.dtype)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], group["lr_decay"], group["weight_decay"], group["eps"]


class Adadelta(FusedOptimizer):
    """Adadelta (Zeiler, 2012): steps in the ratio of the past changes' size to the past gradients'.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: What the steps are multiplied by.
        rho: Share of the two running means of squares that is kept.
        eps: Added to the means before their roots are taken.
        weight_decay: L2 penalty, added to the gradients.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Adadelta([w])
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9968
    """

    _function = staticmethod(_core._adadelta_step)
    _keeps = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        super()._check_options(options)
        check_number(self._name, "rho", options["rho"], "a number from 0 to 1", lambda v: 0 <= v <= 1)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], group["rho"], group["eps"], group["weight_decay"]


class RMSprop(FusedOptimizer):
    """RMSprop (Hinton, 2012): steps divided by the root of a running mean of the squared gradients.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        alpha: Share of the running mean that is kept.
        eps: Added to the root.
        weight_decay: L2 penalty, added to the gradients.
        momentum: Share of the last steps' direction that is kept.
        centered: Whether to divide by the gradients' standard deviation: the squared running mean of the
            gradients is taken off the mean square (Graves, 2013).
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.RMSprop([w], lr=0.01)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    _function = staticmethod(_core._rmsprop_step)
    _keeps = ("square_avg", "momentum_buffer", "grad_avg")
    _optional = ("momentum_buffer", "grad_avg")
    _not_negative = ("lr", "eps", "weight_decay", "momentum")
    _flags = ("centered", "maximize")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        super()._check_options(options)
        check_number(self._name, "alpha", options["alpha"], "a number from 0 to 1", lambda v: 0 <= v <= 1)

    def _kept(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        momentum, centered = ("momentum_buffer",), ("grad_avg",)
        return (
            "square_avg",
            *(momentum if group["momentum"] else ()),
            *(centered if group["centered"] else ()),
        )

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], group["alpha"], group["eps"], group["weight_decay"], group["momentum"]
