"""Methods of `Tensor` that are simpler in Python than in C++: printing, copying, pickling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

from . import _core, _repr
from ._core import Tensor, dtype


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers; a number for a tensor without axes.

    Example:
        >>> import drivetrain as dt
        >>> dt.tensor([[1, 2]]).tolist()
        [[1, 2]]
    """
    return _repr.to_array(self).tolist()


def _leaf_only(self: Tensor, verb: str) -> None:
    if not self.is_leaf:
        raise RuntimeError(
            f"a tensor that was computed by a recorded op (shape {self.shape}) cannot be {verb}: its history "
            "would be lost; use detach() first"
        )


def _slots(self: Tensor) -> dict[str, Any]:
    return dict(getattr(self, "__dict__", {}))


def _like(self: Tensor, data: Tensor) -> Tensor:
    """`data` as an object of the class of `self` (without running its __init__), as willing to be trained."""
    made = Tensor.__new__(type(self), data)
    made.requires_grad = self.requires_grad
    return made


def __copy__(self: Tensor) -> Tensor:
    """A second tensor on the same memory."""
    _leaf_only(self, "copied")
    made = _like(self, self.detach())
    if type(self) is not Tensor:
        made.__dict__.update(_slots(self))
    return made


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A tensor with its own copy of the elements, of the gradient and of the attributes."""
    import copy

    if id(self) in memo:
        found: Tensor = memo[id(self)]
        return found
    _leaf_only(self, "copied")
    made = _like(self, self.detach().clone())
    memo[id(self)] = made
    if self.grad is not None:
        made.grad = self.grad.clone()
    if type(self) is not Tensor:
        made.__dict__.update(copy.deepcopy(_slots(self), memo))
    return made


def _rebuild(
    kind: type[Tensor], data: bytes, dtype: dtype, shape: tuple[int, ...], requires_grad: bool
) -> Tensor:
    """What a pickled tensor is made from."""
    made = Tensor.__new__(kind, _core.frombuffer(data, dtype, shape).clone())
    made.requires_grad = requires_grad
    return made


def __reduce_ex__(self: Tensor, protocol: SupportsIndex) -> tuple[Any, ...]:
    """What is pickled: elements, dtype, requires_grad, the attributes of a subclass; not the gradient."""
    _leaf_only(self, "pickled")
    arguments = (type(self), self.tobytes(), self.dtype, self.shape, self.requires_grad)
    return (_rebuild, arguments, _slots(self) or None)


METHODS: dict[str, Callable[..., Any]] = {
    "__copy__": __copy__,
    "__deepcopy__": __deepcopy__,
    "__format__": _repr.tensor_format,
    "__reduce_ex__": __reduce_ex__,
    "__repr__": _repr.tensor_repr,
    "__str__": _repr.tensor_str,
    "tolist": tolist,
}


def complete() -> None:
    """Hangs the methods above on the compiled type."""
    for name, function in METHODS.items():
        function.__name__ = name
        function.__qualname__ = f"Tensor.{name}"
        setattr(Tensor, name, function)
