"""Changing the dtype of a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import _core
from .._core import Tensor
from .parameter import Parameter, SparseParameter

if TYPE_CHECKING:
    from .module import Module


_FLOATING = (_core.float32, _core.float64, _core.float16, _core.bfloat16)


def floating_dtype(where: str, dtype: Any) -> Any:
    """`dtype`, given in any form, as a floating-point dtype object."""
    for known in _FLOATING:
        if known == dtype:
            return known
    raise TypeError(f"{where}: dtype must be a floating-point dtype, got {getattr(dtype, 'name', dtype)}")


def convert_module(module: Module, dtype: Any) -> None:
    """Replaces floating-point parameters and buffers by converted ones; what was shared stays shared.

    Running statistics become float32 at least: a variance may be more than float16 holds.
    """
    given = floating_dtype("to", dtype)
    narrow = _core.float32 if given.itemsize == 2 else given

    def wanted(prefix: str, part: Module, name: str) -> Any:
        return narrow if name in part._statistics else given

    _convert(module, wanted)


def convert_tensors(module: Module, dtypes: Mapping[str, Any]) -> None:
    """Gives the floating-point parameters and buffers of these names these dtypes."""

    def wanted(prefix: str, part: Module, name: str) -> Any:
        return dtypes.get(f"{prefix}.{name}" if prefix else name)

    _convert(module, wanted)


def _convert(module: Module, wanted_dtype: Callable[[str, Module, str], Any]) -> None:
    made: dict[int, Tensor] = {}
    for prefix, part in module.named_modules():
        for name, old in [*part._own_parameters(), *part._own_buffers()]:
            wanted = wanted_dtype(prefix, part, name)
            if wanted is None or not old.dtype.is_floating_point or old.dtype == wanted:
                continue
            if id(old) not in made:
                made[id(old)] = _converted(old, wanted)
            object.__setattr__(part, name, made[id(old)])


def _converted(old: Tensor, dtype: Any) -> Tensor:
    new = old.detach().astype(dtype)
    if not isinstance(old, Parameter):
        return new
    parameter = type(old)(new, old.requires_grad)
    if old.grad is not None:
        parameter.grad = old.grad.detach().astype(dtype)
    if isinstance(old, SparseParameter) and isinstance(parameter, SparseParameter) and old.sparse_grad:
        parameter.add_rows(old.sparse_grad.rows, old.sparse_grad.values.astype(dtype))
    return parameter
