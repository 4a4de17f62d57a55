"""What others made of Adam: Adamax, NAdam, RAdam."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _core
from .._core import Tensor
from .fused import FusedOptimizer


class Adamax(FusedOptimizer):
    """Adamax (Kingma and Ba, 2014): Adam with the largest gradient, decaying, for the mean of squares.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares that are kept of the mean of the gradients, and of the largest.
        eps: Added to the size of a gradient.
        weight_decay: L2 penalty, added to the gradients.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Adamax([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    _function = staticmethod(_core._adamax_step)
    _keeps = ("exp_avg", "exp_inf")
    _shares = ("betas",)

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], *group["betas"], group["eps"], group["weight_decay"]


class NAdam(FusedOptimizer):
    """NAdam (Dozat, 2016): Adam whose momentum looks ahead, as Nesterov's does.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares of the two running means that are kept.
        eps: Added to the root of the mean square.
        weight_decay: L2 penalty, added to the gradients.
        momentum_decay: The momentum of step t is betas[0] * (1 - 0.96 ** (t * momentum_decay) / 2).
        decoupled_weight_decay: Whether weight decay shrinks the parameters instead, as AdamW's does.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.NAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8944
    """

    _function = staticmethod(_core._nadam_step)
    _keeps = ("exp_avg", "exp_avg_sq", "mu_product")
    _shares = ("betas",)
    _not_negative = ("lr", "eps", "weight_decay", "momentum_decay")
    _flags = ("decoupled_weight_decay", "maximize")

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _begin(self, name: str, group: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        if name == "mu_product":
            return _core.ones((), dtype=_core.float64)
        return super()._begin(name, group, parameter)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return (
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["momentum_decay"],
            group["decoupled_weight_decay"],
        )


class RAdam(FusedOptimizer):
    """RAdam (Liu et al., 2019): Adam that does without the mean of squares until it is of enough gradients.

    It needs no warm-up of the learning rate.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares of the two running means that are kept.
        eps: Added to the root of the mean square.
        weight_decay: L2 penalty, added to the gradients.
        decoupled_weight_decay: Whether weight decay shrinks the parameters instead, as AdamW's does.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.RAdam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.8
    """

    _function = staticmethod(_core._radam_step)
    _keeps = ("exp_avg", "exp_avg_sq")
    _shares = ("betas",)
    _flags = ("decoupled_weight_decay", "maximize")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return (
            group["lr"],
            *group["betas"],
            group["eps"],
            group["weight_decay"],
            group["decoupled_weight_decay"],
        )
