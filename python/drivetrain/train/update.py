"""From the loss of a batch to the optimizer's step."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Hashable
from typing import Any

from .. import no_grad
from .._checks import integer
from .._core import _finite_gradients
from ..nn.utils import clip_grad_norm_, clip_grad_value_
from ..optim import GradScaler
from ..optim.optimizer import Optimizer, parameters_of


class Update:
    """Backward, and behind the last batch of a group the step: of averaged and clipped gradients.

    A batch counts for as much as it has samples, so that a group makes the step of one large batch, whether
    or not its last batch or the last group of the epoch is short. The optimizer averages, clips and undoes
    the scaler's factor while it reads the gradients.
    """

    def __init__(self, trainer: Any, *, every: int, clip: float | None, algorithm: str) -> None:
        if algorithm not in ("norm", "value"):
            raise ValueError(f"Trainer: gradient_clip_algorithm is {algorithm!r}, expected 'norm' or 'value'")
        if clip is not None and (isinstance(clip, bool) or not isinstance(clip, (int, float))):
            raise TypeError(f"Trainer: gradient_clip_val is a {type(clip).__name__}, expected a number")
        if clip is not None and not (math.isfinite(clip) and clip >= 0):
            raise ValueError(f"Trainer: gradient_clip_val is {clip}, expected at least 0")
        self.trainer = trainer
        self.by_closure = needs_closure(trainer.optimizer)
        if self.by_closure and (every != 1 or clip is not None or trainer.scaler.is_enabled()):
            raise ValueError(
                f"Trainer: the optimizer {type(trainer.optimizer).__name__} computes loss and gradients by "
                "itself, which goes neither with accumulate_grad_batches nor with gradient_clip_val nor with "
                "precision 'float16'"
            )
        self.every = integer("Trainer", "accumulate_grad_batches", every)
        self.max_norm = clip if algorithm == "norm" else None
        self.max_value = clip if algorithm == "value" else None
        self.is_plain = every == 1 and clip is None

    def begin(self) -> None:
        """Called before the forward."""
        if not self.trainer.loop.accumulated:
            self.trainer.optimizer.zero_grad()

    def backward(self, loss: Any, samples: int) -> None:
        """Adds the gradients of a batch to those of its group."""
        trainer = self.trainer
        if self.every > 1:
            loop = trainer.loop
            by_samples = getattr(trainer.loss, "reduction", "mean") != "sum"
            weight = samples if by_samples else 1
            loop.accumulated += 1
            loop.first_weight = loop.first_weight or weight
            loop.weight += weight
            if weight != loop.first_weight:
                loss = loss * (weight / loop.first_weight)
        trainer.scaler.scale(loss).backward()

    def step(self, loss: float, *, ends_epoch: bool) -> str:
        """Makes the step of the optimizer where the group is whole; says what is not finite."""
        trainer = self.trainer
        guard, scaler, optimizer = trainer.guard, trainer.scaler, trainer.optimizer
        options: dict[str, float] = {}
        if not self.is_plain:
            if self.every > 1 and trainer.loop.accumulated < self.every and not ends_epoch:
                # Looked at now: later nobody could tell which of the batches it was.
                watched = guard.watches and not scaler.is_enabled()
                return not_finite(loss) if watched and not self._finite() else ""
            options = self._options()
            trainer.loop.end_group()
            if options and not folds(getattr(type(optimizer), "step", None)):
                if self.max_value is not None and guard.watches and not self._finite():
                    return not_finite(loss)  # clipping would hide it
                self._change_gradients(**options)
                options = {}
        if scaler.is_enabled():
            skipped, factor = scaler.skipped_steps, scaler.get_scale()
            scaler.step(optimizer, **options)
            scaler.update()
            if scaler.skipped_steps > skipped:
                # A scale that is no larger than 1 cannot be what made them overflow.
                watched = factor <= 1 and guard.watches
                return f"gradients are not finite, even with a scale of {factor:g}" if watched else ""
        elif not guard.watches:
            optimizer.step(**options)
        elif not guard.step(optimizer, options):
            return not_finite(loss)
        trainer.step_made()
        return ""

    def _options(self) -> dict[str, float]:
        """What the optimizer's step is called with."""
        loop, options = self.trainer.loop, {}
        if loop.weight != loop.first_weight:
            options["grad_scale"] = loop.first_weight / loop.weight
        if self.max_norm is not None:
            options["max_norm"] = self.max_norm
        if self.max_value is not None:
            options["max_value"] = self.max_value
        return options

    def _change_gradients(
        self, grad_scale: float = 1.0, max_norm: float | None = None, max_value: float | None = None
    ) -> None:
        """Does what an optimizer of somebody's own cannot do by itself."""
        parameters = self._parameters()
        with no_grad():
            for parameter in parameters:
                if grad_scale != 1.0 and parameter.grad is not None:
                    parameter.grad = parameter.grad * grad_scale
        if max_norm is not None:
            clip_grad_norm_(parameters, max_norm)
        if max_value is not None:
            clip_grad_value_(parameters, max_value)

    def problem_of(self, loss: float) -> str:
        """What of loss, running statistics or gradients is not finite, or ""."""
        return self.trainer.guard.look(loss) or ("" if self._finite() else not_finite(loss))

    def _finite(self) -> bool:
        return _finite_gradients(self._parameters())

    def _parameters(self) -> list[Any]:
        if hasattr(self.trainer.optimizer, "param_groups"):
            return parameters_of(self.trainer.optimizer)
        return list(self.trainer.model.parameters())


def not_finite(loss: float) -> str:
    return f"gradients are not finite (the loss is {loss:g})"


@functools.cache
def folds(step: Hashable) -> bool:
    """Whether the step of a class of optimizers averages and clips by itself."""
    return takes(step, "grad_scale", "max_norm", "max_value")


def needs_closure(optimizer: Any) -> bool:
    """Whether a step needs a function that computes the loss: it has no default, or the optimizer says so."""
    if getattr(optimizer, "needs_closure", False):
        return True
    try:
        closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    except (TypeError, ValueError, AttributeError):
        return False
    return closure is not None and closure.default is closure.empty


def takes(function: Any, *names: str) -> bool:
    """Whether a function has arguments of these names."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return all(name in parameters for name in names)


def check_scaler(scaler: GradScaler, optimizer: Any) -> None:
    if scaler.is_enabled() and not isinstance(optimizer, Optimizer):
        raise TypeError(
            "Trainer: precision 'float16' needs an optimizer of drivetrain.optim, which undoes the scale "
            f"of the loss, got {type(optimizer).__name__}"
        )
