"""Regions in which products and convolutions compute in a half format."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from .. import _core
from .._checks import flag
from ._mode import check_decorated, wrap_generator

# Names of the half formats, here and for `Trainer(precision=...)`.
HALF_FORMATS = {"bfloat16": "bfloat16", "bf16": "bfloat16", "float16": "float16", "fp16": "float16"}

_BY_NAME = {name: getattr(_core, half) for name, half in HALF_FORMATS.items()}

P = ParamSpec("P")
R = TypeVar("R")


def _half_dtype(dtype: Any) -> Any:
    return next((half for half in (_core.bfloat16, _core.float16) if half == dtype), None)


class autocast:
    """Has products and convolutions compute in a half format, with sums in float32.

    Within the block, or the decorated function or generator, `matmul`, linear layers, convolutions and
    transposed convolutions convert their operands to `dtype` and give results of that dtype; float64 is left
    alone. Weights are converted once and again when they have changed; they and their gradients stay float32.
    All other ops take what comes: norms, pools, activations and dropout give the dtype they are given,
    losses compute and give float32. Applies to this thread; backward computes in the types of the forward,
    wherever it is called.

    Args:
        dtype: "bfloat16" (default) or "float16", also "bf16" or "fp16", or a dtype; float16 trains well only
            with an `optim.GradScaler`.
        enabled: False makes it a region without autocast, within another one too.

    Raises:
        TypeError: For another dtype.

    Source: Micikevicius et al., Mixed Precision Training (2018); named as in PyTorch.

    Example:
        >>> import drivetrain as dt
        >>> x, w = dt.ones((2, 3)), dt.ones((3, 4))
        >>> with dt.autocast("bfloat16"):
        ...     print((x @ w).dtype)
        ...     with dt.autocast(enabled=False):
        ...         print((x @ w).dtype)
        drivetrain.bfloat16
        drivetrain.float32
    """

    def __init__(self, dtype: Any = "bfloat16", enabled: bool = True) -> None:
        flag("autocast", "enabled", enabled)
        # A region begins with every step of training: the usual names take one look-up.
        half = _BY_NAME.get(dtype) if isinstance(dtype, str) else _half_dtype(dtype)
        if half is None:
            raise TypeError(
                f"autocast: dtype must be bfloat16 or float16, got {getattr(dtype, 'name', dtype)!r}"
            )
        self._dtype = half if enabled else None
        self._before: list[Any] = []  # a stack: one object may be entered more than once

    def __enter__(self) -> None:
        self._before.append(_core._enter_autocast(self._dtype))

    def __exit__(self, *error: object) -> None:
        _core._leave_autocast(self._before.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        check_decorated("autocast", function)
        if inspect.isgeneratorfunction(function):
            return cast("Callable[P, R]", wrap_generator(function, self._again))

        @functools.wraps(function)
        def switched(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return switched

    def _again(self) -> autocast:
        """The same region as an object of its own: threads may run a decorated function at once."""
        return as_recorded(self._dtype)


def as_recorded(dtype: Any) -> autocast:
    """The region that had `dtype`, as get_autocast_dtype gives it; None for one without autocast."""
    return autocast(dtype or "bfloat16", enabled=dtype is not None)
