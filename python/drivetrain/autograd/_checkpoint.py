"""Recomputing instead of storing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _core
from .._core import Tensor
from ._autocast import as_recorded
from ._mode import enable_grad


def _flat(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def _tracked(outputs: list[Any]) -> list[Tensor]:
    return [o for o in outputs if isinstance(o, Tensor) and o.requires_grad]


def _stand_in(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


def checkpoint(
    function: Callable[..., Any], *args: Any, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """Calls ``function(*args, **kwargs)`` and keeps nothing for backward, which computes it again.

    That halves a network's memory, or better, for a third more time. The gradients are the same, also of
    parameters and other tensors that the function reaches by itself. With `preserve_rng_state` the default
    generator is set back for the second time, so that dropout drops the same elements. What else the function
    changes (the running statistics of a batch norm, say) it changes twice.

    `function` returns a tensor, or a tuple or list of tensors and other objects.

    Example:
        >>> import drivetrain as dt
        >>> x = dt.tensor([1.0, 2.0], requires_grad=True)
        >>> dt.checkpoint(lambda t: (t * t).sum(), x).backward()
        >>> x.grad
        tensor([2., 4.])
    """
    if not _core.is_grad_enabled():
        return function(*args, **kwargs)
    names = [*range(len(args)), *kwargs]
    values = [*args, *kwargs.values()]
    traced = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    sources = [values[i] for i in traced]
    # The tensors without their history, but noticing changes in place.
    kept = [_core._SavedTensor(v) if isinstance(v, Tensor) else v for v in values]
    plain = [isinstance(v, Tensor) for v in values]
    count = len(args)
    state = _core.default_generator.get_state()
    start = _core._sequence()
    cast = _core.get_autocast_dtype()

    def call(stubs: list[Tensor]) -> Any:
        given = [k.get() if p else k for k, p in zip(kept, plain, strict=True)]
        for i, stub in zip(traced, stubs, strict=True):
            given[i] = stub
        return function(*given[:count], **dict(zip(names[count:], given[count:], strict=True)))

    def recompute() -> tuple[list[Tensor], list[Tensor]]:
        now = _core.default_generator.get_state()
        stubs = [_stand_in(kept[i].get()) for i in traced]
        try:
            if preserve_rng_state:
                _core.default_generator.set_state(state)
            with enable_grad(), as_recorded(cast):
                return _tracked(_flat(call(stubs))), stubs
        finally:
            if preserve_rng_state:
                _core.default_generator.set_state(now)

    stubs = [_stand_in(s) for s in sources]
    result = call(stubs)
    outputs = _flat(result)
    tracked = _tracked(outputs)
    if tracked:
        made = iter(_core._record_checkpoint(recompute, sources, stubs, tracked, start))
        outputs = [next(made) if isinstance(o, Tensor) and o.requires_grad else o for o in outputs]
    return type(result)(outputs) if isinstance(result, (tuple, list)) else outputs[0]
