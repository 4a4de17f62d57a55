"""Adafactor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_number
from .fused import FusedOptimizer


class Adafactor(FusedOptimizer):
    """Adafactor (Shazeer and Stern, 2018): Adam that keeps of squares the means of rows and columns.

    For large models: beside a matrix it keeps a row and a column. Steps are relative to the size of the
    parameter, and fall with the root of their number.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`. The last two axes are factored.
        lr: Largest relative step; the schedule min(lr, 1 / sqrt(step)) is part of the method.
        beta2_decay: The running means take in step ** beta2_decay of the squares of step number `step`.
        eps: The least root of a mean square, None for the dtype's epsilon; and the least size that a
            parameter counts for.
        d: Largest root mean square of an update.
        weight_decay: Every step takes lr * weight_decay of the parameters away.
        maximize: Whether to climb instead of to descend.

    Source: Shazeer and Stern (2018), without momentum, as torch.optim.Adafactor.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.ones((2, 3), requires_grad=True)
        >>> optimizer = dt.optim.Adafactor([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w[0, 0].item(), 4)
        0.9
        >>> optimizer.state[w]["row_var"].shape, optimizer.state[w]["col_var"].shape
        ((2, 1), (1, 3))
    """

    _function = staticmethod(_core._adafactor_step)
    _keeps = ("row_var", "col_var", "variance")
    _not_negative = ("lr", "weight_decay")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        super()._check_options(options)
        check_number(self._name, "beta2_decay", options["beta2_decay"], "negative or 0", lambda v: v <= 0)
        check_number(self._name, "d", options["d"], "1 or more", lambda value: value >= 1)
        eps = options["eps"]
        if not isinstance(eps, (tuple, list)) or len(eps) != 2:
            raise TypeError(
                f"{self._name}: eps must be two numbers, the first of which may be None, got {eps!r}"
            )
        for i, value in enumerate(eps):
            if i or value is not None:
                check_number(self._name, f"eps[{i}]", value, "positive or 0", lambda v: v >= 0)

    def _begin(self, name: str, group: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        if (parameter.ndim > 1) == (name == "variance"):
            return None
        shape = list(parameter.shape)
        if name != "variance":
            shape[-1 if name == "row_var" else -2] = 1
        return _core.zeros(tuple(shape), dtype=parameter.dtype)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        return group["lr"], group["beta2_decay"], *group["eps"], group["d"], group["weight_decay"]

    def _step_group(
        self,
        group: Mapping[str, Any],
        step: int,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor] | None,
        kept: Sequence[Sequence[Tensor]],
        grad_scale: float,
        max_value: float,
    ) -> int:
        given = [[tensor for tensor in tensors if tensor is not None] for tensors in kept]
        return super()._step_group(group, step, parameters, gradients, given, grad_scale, max_value)
