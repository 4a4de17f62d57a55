"""Functions that run before or after a module's forward."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .module import Module

_numbers = itertools.count()


class Hooks:
    """The hooks of one module, in the order of registration."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}

    def call(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook in tuple(self.before.values()):
            changed = hook(module, args)
            if changed is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        output = module.forward(*args, **kwargs)
        for hook in tuple(self.after.values()):
            changed = hook(module, args, output)
            if changed is not None:
                output = changed
        return output


class HookHandle:
    """Takes a hook away again: by `remove()`, or at the end of a `with` block."""

    def __init__(self, module: Module, kind: str, hook: Callable[..., Any]) -> None:
        if not callable(hook):
            raise TypeError(f"{type(module).__name__}: a hook must be callable, got {hook!r}")
        if module._hooks is None:
            module._hooks = Hooks()
        self._module, self._kind, self._number = module, kind, next(_numbers)
        getattr(module._hooks, kind)[self._number] = hook

    def remove(self) -> None:
        """Removes the hook; a second call does nothing."""
        hooks = self._module._hooks
        if hooks is None:
            return
        getattr(hooks, self._kind).pop(self._number, None)
        if not hooks.before and not hooks.after:
            self._module._hooks = None  # calls are cheap again

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()
