"""Scaling of the loss, so that the small gradients of float16 do not become zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _core
from .._checks import flag, integer
from .._core import Tensor
from ..autograd import no_grad
from .checks import check_number
from .optimizer import Optimizer, parameters_of


class GradScaler:
    """Multiplies the loss by a number that it adapts, and has the optimizer divide the gradients by it.

    float16 holds nothing below 6e-8: without scaling small gradients become zero. A step whose gradients are
    infinite or NaN is skipped and the scale lowered; after `growth_interval` steps in a row without one it
    grows. Not needed for bfloat16, which has the range of float32.

    Args:
        init_scale: The first scale.
        growth_factor: What the scale is multiplied by when it grows; more than 1.
        backoff_factor: What it is multiplied by after a skipped step; between 0 and 1.
        growth_interval: Steps in a row without a skipped one, after which it grows.
        enabled: False makes everything pass through unchanged.

    Attributes:
        skipped_steps: Optimizer steps that were skipped so far.

    Raises:
        TypeError: For what is no number, or no bool.
        ValueError: For numbers out of range.

    Source: Micikevicius et al., Mixed Precision Training (2018); named as in PyTorch.

    Example:
        >>> import drivetrain as dt
        >>> model = dt.nn.Linear(3, 1)
        >>> optimizer = dt.optim.SGD(model.parameters(), lr=0.1)
        >>> scaler = dt.optim.GradScaler()
        >>> with dt.autocast("float16"):
        ...     loss = dt.nn.functional.mse_loss(model(dt.ones((8, 3))).float(), dt.zeros((8, 1)))
        >>> scaler.scale(loss).backward()
        >>> scaler.step(optimizer)
        >>> scaler.update()
        >>> scaler.get_scale(), scaler.skipped_steps
        (65536.0, 0)
    """

    def __init__(
        self,
        init_scale: float = 65536.0,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._enabled = flag("GradScaler", "enabled", enabled)
        self._set("init_scale", init_scale, growth_factor, backoff_factor, growth_interval, 0, 0)
        self._begin()

    def _begin(self) -> None:
        # Optimizers that were unscaled or stepped since the last update: whether all gradients were finite.
        self._unscaled: dict[Optimizer, bool] = {}
        self._stepped: dict[Optimizer, bool] = {}

    def _set(
        self, name: str, scale: Any, growth: Any, backoff: Any, interval: Any, tracker: Any, skipped: Any
    ) -> None:
        check_number("GradScaler", name, scale, _SCALES, _is_scale)
        check_number("GradScaler", "growth_factor", growth, "above 1", lambda value: value > 1)
        check_number("GradScaler", "backoff_factor", backoff, "between 0 and 1", lambda value: 0 < value < 1)
        counts = ("growth_interval", interval, 1), ("tracker", tracker, 0), ("skipped_steps", skipped, 0)
        for what, count, low in counts:
            integer("GradScaler", what, count, low)
        self._scale, self.growth_factor, self.backoff_factor = float(scale), float(growth), float(backoff)
        self.growth_interval, self._tracker, self.skipped_steps = int(interval), int(tracker), int(skipped)

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def get_scale(self) -> float:
        """The scale of the next loss; 1 where it is not enabled."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Any) -> Any:
        """Multiplies a loss, or a list or tuple of them, by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, (list, tuple)):
            return type(outputs)(self.scale(output) for output in outputs)
        if not isinstance(outputs, Tensor):
            raise TypeError(f"GradScaler.scale: expected a Tensor or several, got {type(outputs).__name__}")
        return outputs * self._scale

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of the optimizer by the scale, to look at or to change them.

        Not needed for clipping: ``scaler.step(optimizer, max_norm=1.0)`` clips what was divided.

        Raises:
            RuntimeError: Called twice, or after `step`, without `update` between.
        """
        if not self._enabled:
            return
        _check_optimizer("unscale_", optimizer)
        if optimizer in self._stepped:
            raise RuntimeError("GradScaler.unscale_: called after step(); call it before")
        if optimizer in self._unscaled:
            raise RuntimeError("GradScaler.unscale_: called twice since the last update()")
        self._unscaled[optimizer] = self._finite(optimizer)
        with no_grad():
            for parameter in parameters_of(optimizer):
                if parameter.grad is not None:
                    parameter.grad = parameter.grad * (1 / self._scale)

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Makes the optimizer's step, unless a gradient is infinite or NaN: then nothing is changed.

        Args:
            optimizer: An optimizer.
            args, kwargs: What its `step` is called with; a closure is not supported. `max_norm` counts
                after the division by the scale.

        Returns:
            What the optimizer's step returns; None where it was skipped.

        Raises:
            RuntimeError: Called twice for an optimizer without `update` between, or with a closure.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if (args and args[0] is not None) or kwargs.get("closure") is not None:
            raise RuntimeError(
                "GradScaler.step: a closure is not supported; scale the loss and call backward"
            )
        _check_optimizer("step", optimizer)
        if optimizer in self._stepped:
            raise RuntimeError("GradScaler.step: called twice since the last update()")
        unscaled = optimizer in self._unscaled
        # Looked at again where they were unscaled: they may have been changed since.
        finite = self._finite(optimizer) and self._unscaled.get(optimizer, True)
        result = None
        if finite:
            factor = 1.0 if unscaled else 1 / self._scale
            if "grad_scale" in kwargs:
                given = kwargs.pop("grad_scale")
                check_number("GradScaler.step", "grad_scale", given, "a finite number", lambda value: True)
                factor *= float(given)
            result = optimizer.step(*args, grad_scale=factor, **kwargs)
        else:
            self.skipped_steps += 1
        self._stepped[optimizer] = finite
        return result

    def update(self, new_scale: float | None = None) -> None:
        """Adapts the scale to what happened since the last call; once per step, after all optimizers.

        Args:
            new_scale: Set it to this number instead.

        Raises:
            RuntimeError: Nothing was stepped or unscaled before.
        """
        if not self._enabled:
            return
        outcomes = [*self._unscaled.values(), *self._stepped.values()]
        if new_scale is not None:
            check_number("GradScaler", "new_scale", new_scale, _SCALES, _is_scale)
            self._scale = float(new_scale)
        elif not outcomes:
            raise RuntimeError("GradScaler.update: call step() before")
        elif not all(outcomes):
            # A scale of 0 would be the end.
            self._scale = max(self._scale * self.backoff_factor, 2.0**-126)
            self._tracker = 0
        else:
            self._tracker += 1
            if self._tracker >= self.growth_interval:
                grown = self._scale * self.growth_factor
                self._scale = grown if grown < 2.0**127 else self._scale
                self._tracker = 0
        self._begin()

    def _finite(self, optimizer: Optimizer) -> bool:
        return _core._finite_gradients(parameters_of(optimizer))

    def state_dict(self) -> dict[str, Any]:
        """The scale and how it goes on, with PyTorch's names; empty where it is not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": self._tracker,
            "skipped_steps": self.skipped_steps,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on from what `state_dict()` returned, here or in PyTorch.

        Raises:
            ValueError: It is empty, of a scaler that was not enabled, or names are missing.
        """
        if not self._enabled:
            return
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"GradScaler.load_state_dict: expected a dict, got {type(state_dict).__name__}")
        names = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        missing = [name for name in names if name not in state_dict]
        if missing:
            raise ValueError(f"GradScaler.load_state_dict: missing: {', '.join(missing)}")
        scale, growth, backoff, interval, tracker = (state_dict[name] for name in names)
        self._set("scale", scale, growth, backoff, interval, tracker, state_dict.get("skipped_steps", 0))
        self._begin()

    def __getstate__(self) -> dict[str, Any]:  # a copy has seen no optimizer yet
        return {name: value for name, value in vars(self).items() if name not in ("_unscaled", "_stepped")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def __repr__(self) -> str:
        return f"GradScaler(scale={self.get_scale():g}, skipped_steps={self.skipped_steps})"


_SCALES = "above 0, and like its inverse within the range of float32"


def _is_scale(value: float) -> bool:
    return 2.0**-126 <= value <= 2.0**127


def _check_optimizer(method: str, optimizer: Any) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"GradScaler.{method}: expected an Optimizer, got {type(optimizer).__name__}")
