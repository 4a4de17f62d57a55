"""The tensors that training changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .. import _core
from .._core import Tensor, tensor
from ..autograd import Function
from .checks import tensor as check_tensor


class Parameter(Tensor):
    """A floating-point tensor that a module trains.

    Assigned to an attribute of a module it appears in `parameters()` and in the state.

    Args:
        data: A tensor, whose memory is shared, or anything `drivetrain.tensor` takes, which is copied.
        requires_grad: Whether backward computes a gradient for it.

    Raises:
        TypeError: The elements are not floating-point numbers.

    Example:
        >>> import drivetrain as dt
        >>> weight = dt.nn.Parameter([[1.0, 2.0]])
        >>> weight.shape, weight.requires_grad
        ((1, 2), True)
    """

    def __new__(cls, data: Any, requires_grad: bool = True) -> Parameter:
        shared = data if isinstance(data, Tensor) else tensor(data)
        if not shared.dtype.is_floating_point:
            raise TypeError(
                f"Parameter: data is {shared.dtype.name}, expected a floating-point dtype, "
                "because only those have gradients"
            )
        self = super().__new__(cls, shared)
        self.requires_grad = requires_grad
        return self

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        """All the work is done by __new__; this gives help() and type checkers the arguments."""


class SparseGradient(NamedTuple):
    """The gradient of a table: `rows` (n,) of int64, ascending, each once, and `values` (n, features)."""

    rows: Tensor
    values: Tensor


class SparseParameter(Parameter):
    """A table whose gradient is kept for those rows alone that were looked up; see `Embedding`.

    `.grad` stays None; setting it to None forgets the rows too.

    Attributes:
        sparse_grad: The gradient, with `rows` (n,), ascending and each once, and `values` (n, features);
            or None.

    Example:
        >>> import drivetrain as dt
        >>> table = dt.nn.Embedding(1000, 2, sparse=True)
        >>> table(dt.tensor([7, 3, 7])).sum().backward()
        >>> table.weight.sparse_grad.rows.tolist(), table.weight.sparse_grad.values.tolist()
        ([3, 7], [[1.0, 1.0], [2.0, 2.0]])
    """

    _parts: list[tuple[Tensor, Tensor]]  # rows, and a leaf whose .grad has their values

    @property
    def sparse_grad(self) -> SparseGradient | None:
        leaf = self._leaf()
        if leaf is None or leaf.grad is None:
            return None
        return SparseGradient(self._parts[0][0], leaf.grad)

    def add_rows(self, rows: Tensor, values: Tensor) -> None:
        """Adds to the gradient: `rows` each once, and their `values`."""
        leaf = values.detach()
        leaf.requires_grad = True
        leaf.grad = values
        self._parts = [*getattr(self, "_parts", ()), (rows, leaf)]

    def _leaf(self) -> Tensor | None:
        """What holds the whole gradient as its own; backward calls add up."""
        parts = getattr(self, "_parts", [])
        if len(parts) > 1:
            rows = _core.concat([rows for rows, _ in parts])
            values = _core.concat([leaf.grad for _, leaf in parts])
            self._parts = []
            self.add_rows(*_core._embedding_rows(rows, values, self.shape[0]))
        return self._parts[0][1] if parts else None

    @property
    def grad(self) -> Tensor | None:
        return Tensor.grad.__get__(self)  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        Tensor.grad.__set__(self, value)  # type: ignore[attr-defined]
        if value is None:
            self._parts = []

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        make, arguments, attributes = super().__reduce_ex__(protocol)
        return (
            make,
            arguments,
            {**(attributes or {}), "_parts": []},
        )  # without the gradient, as of all tensors

    def lookup(self, input: Tensor, padding_idx: int | None) -> Tensor:
        """As `nn.functional.embedding`, with the gradient of the rows alone."""
        if self.requires_grad and _core.is_grad_enabled():
            found: Tensor = _Lookup.apply(self, input, padding_idx)
            return found
        return _core.embedding(input, self, padding_idx)


class _Lookup(Function):
    @staticmethod
    def forward(ctx: Any, *args: Any) -> Tensor:
        table, input, padding_idx = args
        ctx.table, ctx.padding_idx = table, padding_idx
        ctx.input = check_tensor("embedding", "input", input).clone()
        return _core.embedding(ctx.input, table, padding_idx)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        table = ctx.table
        table.add_rows(*_core._embedding_rows(ctx.input, grads[0], table.shape[0], ctx.padding_idx))
        return None, None, None


def gradient_holders(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The parameters, and behind them what holds the gradients of sparse ones."""
    found = list(parameters)
    known = {id(tensor) for tensor in found}
    leaves = [tensor._leaf() for tensor in found if isinstance(tensor, SparseParameter)]
    return [*found, *(leaf for leaf in leaves if leaf is not None and id(leaf) not in known)]
