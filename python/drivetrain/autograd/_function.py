"""Ops whose gradient is written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _core
from .._core import Tensor
from ._autocast import as_recorded
from ._mode import no_grad


class Context:
    """What `Function.forward` leaves for `Function.backward`; any attribute may be set on it."""

    needs_input_grad: tuple[bool, ...]

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._saved: tuple[Any, ...] = ()
        self._constant: tuple[Tensor, ...] = ()
        self._dirty: tuple[Tensor, ...] = ()
        self._fill_zeros = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for backward, which then notices whether they were modified in place."""
        self._saved = tuple(None if t is None else _core._SavedTensor(t) for t in tensors)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors of save_for_backward, without history (None where None was given)."""
        return tuple(None if s is None else s.get() for s in self._saved)

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Says in forward that no gradient flows through these outputs."""
        self._constant = outputs

    def mark_dirty(self, *inputs: Tensor) -> None:
        """Says in forward that these inputs were changed in place; forward must return them."""
        self._dirty = inputs

    def set_materialize_grads(self, value: bool) -> None:
        """With False, backward is given None, not zeros, for outputs that no gradient reached."""
        self._fill_zeros = value


def _among(tensor: Tensor, tensors: Sequence[Tensor]) -> bool:
    return any(tensor is t for t in tensors)


def _converted(grads: Any, dtypes: list[Any]) -> Any:
    """The gradients of arguments of these dtypes, which autocast may have left in a half format."""
    found = grads if isinstance(grads, (tuple, list)) else (grads,)
    if len(found) != len(dtypes):
        return grads  # an error, which the caller words
    return tuple(
        g.astype(d) if isinstance(g, Tensor) and d is not None and d.is_floating_point else g
        for g, d in zip(found, dtypes, strict=True)
    )


class Function:
    """Derive from this class to write an op together with its gradient, and call it as ``Name.apply(...)``.

    ``forward(ctx, *args)`` computes, unrecorded, one tensor or a tuple of them. ``backward(ctx, *grads)`` is
    given one gradient per output and returns one per argument of forward (None where there is none).

    Example:
        >>> import drivetrain as dt
        >>> class Square(dt.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x * x
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return grad * x * 2
        >>> x = dt.tensor([3.0], requires_grad=True)
        >>> Square.apply(x).backward()
        >>> x.grad
        tensor([6.])
    """

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        """Computes the outputs. To be overridden."""
        raise NotImplementedError("a Function must define the static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Computes the gradients of the arguments. To be overridden."""
        raise NotImplementedError("a Function must define the static method backward(ctx, ...)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward on the arguments and records it."""
        needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        recorded = any(needs) and _core.is_grad_enabled()
        ctx = Context(needs)
        with no_grad():
            result = cls.forward(ctx, *args)
        outputs = list(result) if isinstance(result, (tuple, list)) else [result]
        if recorded:
            outputs = cls._record(ctx, args, outputs)
        return tuple(outputs) if isinstance(result, (tuple, list)) else outputs[0]

    @classmethod
    def _record(cls, ctx: Context, args: tuple[Any, ...], outputs: list[Any]) -> list[Any]:
        for tensor in ctx._dirty:
            if not _among(tensor, outputs):
                raise RuntimeError(f"{cls.__name__}.forward: a tensor marked dirty must be returned")
        tracked = [
            i
            for i, output in enumerate(outputs)
            if isinstance(output, Tensor)
            and output.dtype.is_floating_point
            and not _among(output, ctx._constant)
        ]
        changed = {k for k, i in enumerate(tracked) if _among(outputs[i], ctx._dirty)}
        inputs = [a if isinstance(a, Tensor) else None for a in args]
        cast = _core.get_autocast_dtype()
        dtypes = [None if t is None else t.dtype for t in inputs]

        def backward(*grads: Tensor | None) -> Any:
            given: list[Tensor | None] = [None] * len(outputs_form)
            for i, grad in zip(tracked, grads, strict=True):
                given[i] = grad
            if ctx._fill_zeros:
                for i, form in enumerate(outputs_form):
                    if given[i] is None and form is not None:
                        given[i] = _core.zeros(form[0], dtype=form[1])
            if cast is None:
                return cls.backward(ctx, *given)
            with as_recorded(cast):
                return _converted(cls.backward(ctx, *given), dtypes)

        # Shapes only: the outputs themselves would keep their history, and so this function, alive.
        outputs_form = [(o.shape, o.dtype) if isinstance(o, Tensor) else None for o in outputs]
        made = _core._record_function(
            cls.__name__, backward, inputs, [outputs[i] for i in tracked], changed, ctx._fill_zeros
        )
        ctx._dirty = ctx._constant = ()  # they have the new history, which holds ctx: a circle
        for k, i in enumerate(tracked):
            if k not in changed:
                outputs[i] = made[k]
        return outputs
