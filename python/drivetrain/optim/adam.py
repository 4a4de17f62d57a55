"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_at_least_zero, check_flags, check_shares
from .optimizer import Optimizer


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014): steps scaled by running means of the gradients and of their squares.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares of the two running means that are kept.
        eps: Added to the root of the mean square.
        weight_decay: L2 penalty, added to the gradients.
        amsgrad: Whether to divide by the largest mean square so far (Reddi et al., 2018).
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.Adam([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.9
    """

    _decoupled = False  # AdamW: weight decay acts on the parameters, not on the gradients
    _watch = False
    _keeps = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    _optional = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero(self._name, options, "lr", "eps", "weight_decay")
        check_flags(self._name, options, "amsgrad", "maximize")
        check_shares(self._name, options)

    def _kept(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        return self._keeps if group["amsgrad"] else self._keeps[:2]

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
        beta1, beta2 = group["betas"]
        return _core._adam_step(  # by position: keywords would cost time
            parameters,
            gradients,
            kept[0],
            kept[1],
            kept[2] if len(kept) == 3 else (),
            step,
            group["lr"],
            beta1,
            beta2,
            group["eps"],
            group["weight_decay"],
            self._decoupled,
            group["maximize"],
            grad_scale,
            max_value,
            self._watch,
        )


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters themselves (Loshchilov and Hutter, 2017).

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares of the two running means that are kept.
        eps: Added to the root of the mean square.
        weight_decay: Every step takes lr * weight_decay of the parameters away.
        amsgrad: Whether to divide by the largest mean square so far (Reddi et al., 2018).
        maximize: Whether to climb instead of to descend.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.AdamW([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> round(w.item(), 4)
        0.899
    """

    _decoupled = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
