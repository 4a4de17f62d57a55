"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_at_least_zero, check_flags, check_number
from .optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum if wanted.

    With g the gradient plus weight_decay times the parameter, the momentum buffer is momentum * buffer +
    (1 - dampening) * g (in the first step, g), and the parameter moves by -lr times the buffer, or with
    `nesterov` by -lr * (g + momentum * buffer).

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        momentum: Share of the last steps' direction that is kept.
        dampening: Share of the gradient that does not enter the buffer.
        weight_decay: L2 penalty.
        nesterov: Whether to look ahead (Sutskever et al., 2013); needs momentum and no dampening.
        maximize: Whether to climb instead of to descend.

    Tables of `Embedding(sparse=True)` go without momentum and weight decay.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=0.25)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5]
    """

    _watch = False
    _steps_rows = True
    _keeps = ("momentum_buffer",)
    _optional = ("step", "momentum_buffer")

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero("SGD", options, "lr", "momentum", "weight_decay")
        check_number("SGD", "dampening", options["dampening"], "a number", lambda value: True)
        check_flags("SGD", options, "nesterov", "maximize")
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov needs a momentum above 0 and no dampening, got momentum "
                f"{options['momentum']} and dampening {options['dampening']}"
            )

    def _kept(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        return self._keeps if group["momentum"] else ()

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
        return _core._sgd_step(  # by position: keywords would cost time
            parameters,
            gradients,
            kept[0] if kept else (),
            step,
            group["lr"],
            group["momentum"],
            group["dampening"],
            group["weight_decay"],
            group["nesterov"],
            group["maximize"],
            grad_scale,
            max_value,
            self._watch,
        )
