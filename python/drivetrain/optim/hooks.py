"""Functions that run before or after an optimizer's step."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .optimizer import Optimizer

_numbers = itertools.count()


class StepHooks:
    """The hooks of one optimizer, which stand in the place of its `step` for as long as there are any."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}
        self._optimizer, self._replaced = optimizer, vars(optimizer).get("step")
        self._step = optimizer.step
        vars(optimizer)["step"] = self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args = (self._optimizer, *args)  # PyTorch's hooks see the optimizer here as well
        for hook in tuple(self.before.values()):
            changed = hook(self._optimizer, args, kwargs)
            if changed is None:
                continue
            if not isinstance(changed, tuple) or len(changed) != 2:
                raise RuntimeError(
                    f"{type(self._optimizer).__name__}.step: a hook returned {changed!r:.80}, expected None "
                    "or a tuple of args and kwargs"
                )
            args, kwargs = changed
        result = self._step(*args[1:], **kwargs)
        for hook in tuple(self.after.values()):
            hook(self._optimizer, args, kwargs)
        return result

    def leave(self) -> None:
        """Gives `step` back."""
        if vars(self._optimizer).get("step") is self:
            del vars(self._optimizer)["step"]
            if self._replaced is not None:
                vars(self._optimizer)["step"] = self._replaced


class StepHookHandle:
    """Takes a hook away again: by `remove()`, or at the end of a `with` block."""

    def __init__(self, optimizer: Optimizer, kind: str, hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"{type(optimizer).__name__}: a hook must be callable, got {hook!r}")
        standing = vars(optimizer).get("step")
        self._hooks = standing if isinstance(standing, StepHooks) else StepHooks(optimizer)
        self._kind, self._number = kind, next(_numbers)
        getattr(self._hooks, kind)[self._number] = hook

    def remove(self) -> None:
        """Removes the hook; a second call does nothing."""
        getattr(self._hooks, self._kind).pop(self._number, None)
        if not self._hooks.before and not self._hooks.after:
            self._hooks.leave()

    def __enter__(self) -> StepHookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
