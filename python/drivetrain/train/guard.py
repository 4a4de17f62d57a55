"""What happens when a training meets infinity or NaN."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from .. import default_generator, no_grad
from .._core import Tensor, _all_finite, _clones, _default_state, _finite_gradients, _restore
from ..optim.optimizer import parameters_of
from .culprit import describe, find_culprit

POLICIES = ("raise", "skip", "ignore")


class NonFiniteGuard:
    """Looks at the loss, the gradients and the running statistics of every step.

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
        self._modules: list[tuple[Any, Any]] = []  # and the names of their buffers, as they were
        self._places: list[tuple[dict[str, Any], str]] = []  # of the buffers
        # Places of buffers that were finite when the fit began, and their shapes.
        self._watched: list[tuple[dict[str, Any], str, tuple[int, ...]]] = []
        self._random: Any = None  # the state before the step
        self._held: list[Tensor | None] = []  # what was there then
        self._copies: tuple[Tensor, ...] = ()
        self._warned = False

    def begin_fit(self) -> None:
        self._warned = False
        self._find_places()
        self._watched = [
            (attributes, name, tuple(buffer.shape))
            for attributes, name in self._places
            if (buffer := attributes.get(name)) is not None and _all_finite([buffer])
        ]

    def _find_places(self) -> None:
        self._modules = [(module, module._buffers) for module in self.model.modules()]
        self._places = [(vars(module), name) for module, names in self._modules for name in names]

    def begin_step(self) -> None:
        """Remembers what it needs to run the step again and to undo it: the running statistics take in a
        batch before anybody has seen that it is bad."""
        self._random = _default_state()
        for module, names in self._modules:
            if module._buffers is not names:
                self._find_places()  # a forward has registered more
                break
        if self._places:
            self._held = [attributes.get(name) for attributes, name in self._places]
            self._copies = _clones([buffer for buffer in self._held if buffer is not None])

    def look(self, loss: float) -> str:
        """What is not finite after the forward, or ""."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if self._watched and not _all_finite(watched := self._watched_buffers()):
            for name, buffer in self.model.named_buffers():
                if any(buffer is other for other in watched) and (found := describe(buffer)):
                    return f"the buffer '{name}' got {found}"
        return ""

    def _watched_buffers(self) -> list[Tensor]:
        """What is in these places now; of another shape it is a new mask, say, and no running statistic."""
        return [
            buffer
            for attributes, name, shape in self._watched
            if (buffer := attributes.get(name)) is not None and buffer.shape == shape
        ]

    def step(self, optimizer: Any, options: Mapping[str, float]) -> bool:
        """Makes the optimizer's step, called with `options`; False where gradients are not finite."""
        can_watch = self.policy == "raise" and getattr(optimizer, "_watch", None) is not None
        # Of several groups the first would have been stepped when the second raises.
        if can_watch and len(optimizer.param_groups) == 1:
            optimizer._watch = True
            try:
                optimizer.step(**options)
            except FloatingPointError:
                return False
            except RuntimeError:
                # The norm is looked at first where it is clipped.
                if "max_norm" not in options or math.isfinite(optimizer.grad_norm):
                    raise
                return False
            finally:
                optimizer._watch = False
            return True
        groups = hasattr(optimizer, "param_groups")
        parameters = parameters_of(optimizer) if groups else list(self.model.parameters())
        if not _finite_gradients(parameters):
            return False
        optimizer.step(**options)
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
        default_generator.set_state(self._random)
        try:
            return find_culprit(self.model, batch, run)
        finally:
            default_generator.set_state(now)
            self._undo()

    def _undo(self) -> None:
        self.model.zero_grad()
        for module, names in self._modules:
            for name in [name for name in module._buffers if name not in names]:
                delattr(module, name)  # registered by this step's forward
        for (attributes, name), buffer in zip(self._places, self._held, strict=True):
            attributes[name] = buffer  # the forward may have put another there
        with no_grad():
            _restore([buffer for buffer in self._held if buffer is not None], self._copies)
