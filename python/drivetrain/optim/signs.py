"""Optimizers that use the signs of gradients alone: Rprop, Lion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_number, check_two
from .fused import FusedOptimizer


class Rprop(FusedOptimizer):
    """Rprop (Riedmiller and Braun, 1993): every element has a step size of its own, for full batches.

    The size grows where the gradient keeps its sign. Where the sign turns the size shrinks, and the element
    rests for a step.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: The first size of the steps.
        etas: What sizes are multiplied by where the sign turns, and where it stays.
        step_sizes: The smallest and the largest size.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Rprop([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.78
    """

    _function = staticmethod(_core._rprop_step)
    _keeps = ("prev", "step_size")
    _not_negative = ("lr",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    def _check_options(self, options: Mapping[str, Any]) -> None:
        super()._check_options(options)
        shrink, grow = check_two(self._name, options, "etas")
        check_number(self._name, "etas[0]", shrink, "between 0 and 1", lambda value: 0 < value < 1)
        check_number(self._name, "etas[1]", grow, "above 1", lambda value: value > 1)
        least, most = check_two(self._name, options, "step_sizes")
        check_number(self._name, "step_sizes[0]", least, "positive or 0", lambda value: value >= 0)
        expected = f"at least step_sizes[0], {least}"
        check_number(self._name, "step_sizes[1]", most, expected, lambda value: value >= least)

    def _begin(self, name: str, group: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        if name == "step_size":
            return _core.full(parameter.shape, float(group["lr"]), dtype=parameter.dtype)
        return super()._begin(name, group, parameter)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return *group["etas"], *group["step_sizes"]


class Lion(FusedOptimizer):
    """Lion (Chen et al., 2023): steps of one size, in the direction of the momentum's sign.

    It keeps half of what Adam keeps. The authors recommend a learning rate 3 to 10 times smaller than
    AdamW's, and a weight decay larger by as much.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate: what every element moves by.
        betas: Shares of the momentum in the direction of the step, and in the next momentum.
        weight_decay: Every step takes lr * weight_decay of the parameters away.
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Lion([w], lr=0.125)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.item()
        0.875
    """

    _function = staticmethod(_core._lion_step)
    _keeps = ("exp_avg",)
    _optional = ("step",)
    _not_negative = ("lr", "weight_decay")
    _shares = ("betas",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], *group["betas"], group["weight_decay"]
