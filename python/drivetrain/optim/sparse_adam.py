"""Adam for large tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from .checks import check_at_least_zero, check_flags, check_number, check_shares
from .optimizer import Optimizer


class SparseAdam(Optimizer):
    """Adam that changes only what has a gradient: of `Embedding(sparse=True)` the rows that were looked up.

    The means of a row wait until the row comes again; the corrections of their start count all steps of the
    table. Parameters with ordinary gradients are stepped as a whole, so that one optimizer serves a model.

    Args:
        params: The parameters, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        betas: Shares of the two running means that are kept.
        eps: Added to the root of the mean square before that is corrected, unlike in `Adam`.
        maximize: Whether to climb instead of to descend.

    Source: torch.optim.SparseAdam, which refuses ordinary gradients.

    Example:
        >>> import drivetrain as dt
        >>> words = dt.nn.Embedding(1000, 2, sparse=True)
        >>> before = words.weight.detach().clone()
        >>> optimizer = dt.optim.SparseAdam(words.parameters(), lr=0.5)
        >>> words(dt.tensor([7, 3, 7])).sum().backward()
        >>> optimizer.step()
        >>> words.weight.sparse_grad.rows.tolist()
        [3, 7]
        >>> [round(x, 3) for x in (before - words.weight)[:, 0].tolist()][2:9]
        [0.0, 0.5, 0.0, 0.0, 0.0, 0.5, 0.0]
    """

    _watch = False
    _keeps = ("exp_avg", "exp_avg_sq")
    _steps_rows = True

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero(self._name, options, "lr")
        check_number(self._name, "eps", options["eps"], "positive", lambda value: value > 0)
        check_flags(self._name, options, "maximize")
        check_shares(self._name, options)

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
        return _core._adam_step(
            parameters,
            gradients,
            kept[0],
            kept[1],
            (),
            step,
            group["lr"],
            beta1,
            beta2,
            group["eps"] / math.sqrt(1 - beta2**step),  # Adam adds it to the corrected root
            0.0,
            False,
            group["maximize"],
            grad_scale,
            max_value,
            self._watch,
        )
