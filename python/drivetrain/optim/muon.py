"""Muon."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from ..autograd import no_grad
from .checks import check_at_least_zero, check_flags, check_number
from .optimizer import Optimizer


class Muon(Optimizer):
    """Muon (Jordan et al., 2024): the momentum of a weight matrix, made nearly orthogonal, is its step.

    For the matrices of hidden layers; biases, norms, embeddings and the last layer belong to AdamW. The
    orthogonalisation is Newton and Schulz's iteration: matrix products alone, in bfloat16 for float32
    parameters and in float64 for float64 ones.

    Args:
        params: The parameters, all with two axes, or a list of dicts: see `Optimizer`.
        lr: Learning rate.
        weight_decay: Every step takes lr * weight_decay of the parameters away.
        momentum: Share of the running mean of the gradients that is kept.
        nesterov: Whether to look ahead: the gradient enters the step once more.
        ns_coefficients: Those of the iteration's polynomial, of X, X X^T X and X X^T X X^T X.
        eps: Least norm that a momentum is divided by before the iteration.
        ns_steps: Rounds of the iteration, below 100.
        adjust_lr_fn: "original" or None: the rate is multiplied by sqrt(max(1, rows / columns));
            "match_rms_adamw": by 0.2 sqrt(max(rows, columns)), so that AdamW's lr and weight_decay fit.

    Raises:
        ValueError: A parameter has other than two axes, or an option is out of range.

    Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024); as
    torch.optim.Muon.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
        >>> optimizer = dt.optim.Muon([w], lr=0.5, weight_decay=0.0)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> bool((w.detach() < dt.tensor([[2.0, 0.1], [0.1, 1.0]])).all())
        True
    """

    _keeps = ("momentum_buffer",)
    _optional = ("step",)

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero("Muon", options, "lr", "weight_decay", "eps")
        check_number("Muon", "momentum", options["momentum"], "a number from 0 to 1", lambda v: 0 <= v <= 1)
        check_flags("Muon", options, "nesterov")
        coefficients = options["ns_coefficients"]
        if not isinstance(coefficients, (tuple, list)) or len(coefficients) != 3:
            raise TypeError(f"Muon: ns_coefficients must be three numbers, got {coefficients!r}")
        for i, value in enumerate(coefficients):
            check_number("Muon", f"ns_coefficients[{i}]", value, "a number", lambda v: True)
        steps = options["ns_steps"]
        if isinstance(steps, bool) or not isinstance(steps, int):
            raise TypeError(f"Muon: ns_steps must be an integer from 1 to 99, got {steps!r}")
        if not 1 <= steps < 100:
            raise ValueError(f"Muon: ns_steps must be an integer from 1 to 99, got {steps}")
        if options["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                "Muon: adjust_lr_fn must be None, 'original' or 'match_rms_adamw', "
                f"got {options['adjust_lr_fn']!r}"
            )

    def _check_parameter(self, parameter: object) -> None:
        super()._check_parameter(parameter)
        if isinstance(parameter, Tensor) and parameter.ndim != 2:
            raise ValueError(
                f"Muon: parameters must have two axes, got shape {tuple(parameter.shape)}; give the others "
                "to AdamW"
            )

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
        found = [parameter.grad for parameter in parameters] if gradients is None else list(gradients)
        used: list[Tensor] = [gradient for gradient in found if gradient is not None]
        if len(used) < len(found):
            return 0
        (buffers,) = kept
        with no_grad():
            if grad_scale != 1.0:
                used = [gradient * grad_scale for gradient in used]
            if max_value < math.inf:
                used = [_core.clip(gradient, -max_value, max_value) for gradient in used]
            _core._average(buffers, used, 1 - group["momentum"])
            updates = buffers
            if group["nesterov"]:
                updates = _core._clones(used)
                _core._average(updates, buffers, group["momentum"])
            for parameter, update in zip(parameters, updates, strict=True):
                self._move(group, parameter, update)
        return 1

    def _move(self, group: Mapping[str, Any], parameter: Tensor, update: Tensor) -> None:
        if group["lr"] == 0 or parameter.size == 0:
            return
        rows, columns = parameter.shape
        rate = group["lr"] * math.sqrt(max(1, rows / columns))
        if group["adjust_lr_fn"] == "match_rms_adamw":
            rate = group["lr"] * 0.2 * math.sqrt(max(rows, columns))
        direction = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        # The decay of plain SGD, which is multiplied by the adjusted rate.
        decay = group["lr"] * group["weight_decay"] / rate
        _core._sgd_step([parameter], [direction], (), 1, rate, 0.0, 0.0, decay)


def orthogonal(matrix: Tensor, coefficients: Sequence[float], steps: int, eps: float) -> Tensor:
    """A matrix whose singular vectors are those of `matrix`, and whose singular values are all about 1."""
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    norm = max(_core.vector_norm(matrix).item(), eps)
    x = matrix * (1 / norm) if norm > 0 else matrix
    if matrix.dtype == _core.float32:
        x = x.astype(_core.bfloat16)
    x = x.T if tall else x
    for _ in range(steps):
        gram = x @ x.T
        x = x * a + (gram * b + (gram @ gram) * c) @ x
    x = x.T if tall else x
    return x.astype(matrix.dtype)
