"""What happens when a training meets infinity or NaN."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import default_generator, no_grad
from .._core import Tensor, _grad_norm
from ..optim.optimizer import parameters_of
from .culprit import find_culprit

POLICIES = ("raise", "skip", "ignore")


class NonFiniteGuard:
    """Looks at the loss and the gradients of every step.

    With "raise" our optimizers look at the gradients while they read them, which costs nothing, and let none
    that is not finite into the weights; with "skip" they are read once more, so that a step is left out as a
    whole.
    Only where something is infinite or NaN is the step computed again, from the same batch and random
    numbers, with a look at every layer.
    """

    def __init__(self, model: Any, policy: str, precision: str) -> None:
        if policy not in POLICIES:
            raise ValueError(
                f"Trainer: on_nonfinite is {policy!r}, expected one of {', '.join(map(repr, POLICIES))}"
            )
        self.model = model
        self.policy = policy
        self.watches = policy != "ignore"
        self.hint = " (float16 ends at 65,504; bfloat16 does not)" if precision == "float16" else ""
        self.skipped_steps = 0
        self._buffers: list[Tensor] = []
        self._before: tuple[Any, list[Tensor]] = (None, [])  # random state and buffers
        self._warned = False

    def begin_fit(self) -> None:
        self._warned = False
        self._buffers = list(self.model.buffers())

    def begin_step(self) -> None:
        """Remembers what it needs to run the step again and to undo it: the running statistics take in a
        batch before anybody has seen that it is bad."""
        if self.watches:
            self._before = default_generator.get_state(), [buffer.clone() for buffer in self._buffers]

    def step(self, optimizer: Any) -> bool:
        """Makes the optimizer's step; False where gradients are not finite."""
        # Of several groups the first would have been stepped when the second raises.
        alone = len(getattr(optimizer, "param_groups", ())) == 1
        if self.policy == "raise" and alone and getattr(optimizer, "_watch", None) is not None:
            optimizer._watch = True
            try:
                optimizer.step()
            except FloatingPointError:
                return False
            finally:
                optimizer._watch = False
            return True
        if self.watches:
            groups = hasattr(optimizer, "param_groups")
            parameters = parameters_of(optimizer) if groups else list(self.model.parameters())
            if not math.isfinite(_grad_norm(parameters)):
                return False
        optimizer.step()
        return True

    def handle(self, what: str, where: str, batch: Any, run: Callable[[], Any]) -> None:
        """Undoes the step, and raises, or with "skip" warns of the first one.

        `run` computes the step again up to the loss, and returns the loss as backward wants it.
        """
        self._undo()
        message = ""
        if self.policy == "raise" or not self._warned:
            message = f"fit: {where}: {what}. {self._locate(batch, run)}{self.hint}."
        if self.policy == "raise":
            raise FloatingPointError(message)
        self.skipped_steps += 1
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{message} The step is skipped, as will be others of the kind without a word; "
                "trainer.skipped_steps counts them.",
                RuntimeWarning,
                stacklevel=5,
            )

    def _locate(self, batch: Any, run: Callable[[], Any]) -> str:
        now = default_generator.get_state()
        default_generator.set_state(self._before[0])
        try:
            return find_culprit(self.model, batch, run)
        finally:
            default_generator.set_state(now)
            self._undo()

    def _undo(self) -> None:
        self.model.zero_grad()
        with no_grad():
            for buffer, before in zip(self._buffers, self._before[1], strict=True):
                buffer[...] = before
