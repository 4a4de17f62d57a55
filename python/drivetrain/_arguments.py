"""Names of arguments: a wrong one is answered with the right one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
# What other libraries call by names that nothing here is like.
HINTS = {
    "batch_first": "; sequences are always (batch, time, features)",
    "device": "; everything lies in the memory of the CPU",
    "workers": "; dt.set_num_threads says how many threads work",
    "pretrained": "; model.load_pytorch reads weights",
    "weights": "; model.load_pytorch reads weights",
}


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about a wrong name: "; did you mean 'right'?", a hint, or nothing.

    Example:
        >>> from drivetrain._arguments import suggest
        >>> suggest("stepsize", ["step_size", "gamma"])
        "; did you mean 'step_size'?"
        >>> suggest("colour", ["step_size", "gamma"])
        ''
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in known if candidate}
    close = difflib.get_close_matches(str(name).lower(), by_lower, n=1) if name else []
    return f"; did you mean '{by_lower[close[0]]}'?" if close else HINTS.get(name, "")


def checks_names(function: Function) -> Function:
    """Has a function or constructor name what was meant when it is called with an argument it does not have.

    Example:
        >>> from drivetrain._arguments import checks_names
        >>> @checks_names
        ... def scale(x, factor=2.0):
        ...     return x * factor
        >>> scale(1.0, facter=3.0)
        Traceback (most recent call last):
        ...
        TypeError: scale: there is no argument 'facter'; did you mean 'factor'?
    """
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return function
    known = [name for name in parameters if name != "self"]

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name in kwargs:
            if name not in parameters:
                made = function.__name__ == "__init__"
                shown = type(args[0]).__name__ if made else function.__name__
                raise TypeError(f"{shown}: there is no argument '{name}'{suggest(name, known)}")
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


class ChecksNames:
    """Has the constructors of all subclasses name what was meant: see `checks_names`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = checks_names(cls.__init__)  # type: ignore[method-assign]
