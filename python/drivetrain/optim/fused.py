"""The base of the optimizers whose step is one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from .._core import Tensor
from .checks import check_at_least_zero, check_flags, check_shares
from .optimizer import Optimizer


class FusedOptimizer(Optimizer):
    """Names the compiled function, what it keeps, and its numbers in the function's order."""

    _watch = False
    _function: ClassVar[Callable[..., int]]
    _not_negative: ClassVar[tuple[str, ...]] = ("lr", "eps", "weight_decay")
    _shares: ClassVar[tuple[str, ...]] = ()  # pairs of numbers from 0 to below 1
    _flags: ClassVar[tuple[str, ...]] = ("maximize",)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero(self._name, options, *self._not_negative)
        check_flags(self._name, options, *self._flags)
        for name in self._shares:
            check_shares(self._name, options, name)

    def _numbers(self, group: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments between `step` and `maximize`."""
        raise NotImplementedError

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
        if len(kept) < len(self._keeps):
            given = dict(zip(self._kept(group), kept, strict=True))
            kept = [given.get(name, ()) for name in self._keeps]
        return type(self)._function(  # by position: keywords would cost time
            parameters,
            gradients,
            *kept,
            step,
            *self._numbers(group),
            group["maximize"],
            grad_scale,
            max_value,
            self._watch,
        )
