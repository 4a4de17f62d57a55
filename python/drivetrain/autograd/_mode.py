"""Switches for recording, each a context manager and a decorator, for this thread."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeVar, cast

from .. import _core

P = ParamSpec("P")
R = TypeVar("R")


class _Mode:
    """Sets recording to `mode` within a ``with`` block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        self._mode = mode
        self._before: list[bool] = []  # a stack: one object may be entered more than once

    def __enter__(self) -> None:
        self._before.append(_core.is_grad_enabled())
        _core._set_grad_enabled(self._mode)

    def __exit__(self, *error: object) -> None:
        _core._set_grad_enabled(self._before.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        mode = self._mode
        check_decorated(type(self).__name__, function)
        if inspect.isgeneratorfunction(function):
            return cast("Callable[P, R]", wrap_generator(function, lambda: _Mode(mode)))

        @functools.wraps(function)
        def switched(*args: P.args, **kwargs: P.kwargs) -> R:
            with _Mode(mode):
                return function(*args, **kwargs)

        return switched


def check_decorated(name: str, function: Any) -> None:
    """Raises for what the mode would not hold in: it belongs to a thread, and coroutines share theirs."""
    if not callable(function):
        raise TypeError(f"{name}: expected a function to decorate, got {function!r}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{name}: cannot decorate the async function {function.__qualname__}; use a block in it"
        )


def wrap_generator(
    function: Callable[..., Any], mode: Callable[[], contextlib.AbstractContextManager[None]]
) -> Callable[..., Any]:
    """The mode holds while the generator runs, not while its consumer does."""

    @functools.wraps(function)
    def switched(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        with mode():
            generator = function(*args, **kwargs)
            try:
                item = next(generator)
            except StopIteration as stop:
                return stop.value
        while True:
            try:
                sent = yield item
            except GeneratorExit:
                with mode():
                    generator.close()
                raise
            except BaseException as error:
                advance: Callable[[], Any] = functools.partial(generator.throw, error)
            else:
                advance = functools.partial(generator.send, sent)
            with mode():
                try:
                    item = advance()
                except StopIteration as stop:
                    return stop.value

    return switched


class no_grad(_Mode):
    """Switches recording off: what is computed inside requires no gradient.

    Works as a context manager and as a decorator, also of generators, and applies to this thread only.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> with dt.no_grad():
        ...     print((w * 2).requires_grad)
        False
    """

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        if function is None:
            return made
        return cls()(function)  # `@no_grad` without parentheses

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(no_grad):
    """Switches recording on within a ``no_grad`` block. A context manager and a decorator.

    Example:
        >>> import drivetrain as dt
        >>> with dt.no_grad(), dt.enable_grad():
        ...     dt.is_grad_enabled()
        True
    """

    def __init__(self) -> None:
        _Mode.__init__(self, True)


class inference_mode(no_grad):
    """Another name of `no_grad`, for those who know it from PyTorch.

    Example:
        >>> import drivetrain as dt
        >>> with dt.inference_mode():
        ...     dt.is_grad_enabled()
        False
    """


class set_grad_enabled(_Mode):
    """Switches recording on or off, at once; as a context manager, until the end of the block.

    Example:
        >>> import drivetrain as dt
        >>> with dt.set_grad_enabled(False):
        ...     print(dt.is_grad_enabled())
        False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self._before.append(_core.is_grad_enabled())
        _core._set_grad_enabled(mode)
        self._entered = False

    def __enter__(self) -> None:
        if self._entered:
            super().__enter__()
        else:  # the constructor has switched already
            self._entered = True
            _core._set_grad_enabled(self._mode)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if not self._entered:
            _core._set_grad_enabled(self._before.pop())
            self._entered = True
        return super().__call__(function)
