"""Walks of the tape from several tensors at once."""

from __future__ import annotations

from collections.abc import Sequence

from .. import _core
from .._core import Tensor

Tensors = Tensor | Sequence[Tensor]
Gradients = Tensor | Sequence[Tensor | None] | None


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(op: str, given: Gradients, count: int) -> list[Tensor | None] | None:
    if given is None:
        return None
    grads: list[Tensor | None] = [given] if isinstance(given, Tensor) else list(given)
    if len(grads) != count:
        raise ValueError(f"{op}: {len(grads)} gradients were given for {count} tensors")
    return grads


def backward(
    tensors: Tensors,
    grad_tensors: Gradients = None,
    retain_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Adds the gradients of the sum of `tensors` to the ``.grad`` of the leaves they were computed from.

    `grad_tensors` weighs the elements of each tensor; None stands for one, for tensors of one element.
    With `inputs`, only those leaves get gradients. `retain_graph` allows another walk of the same graph.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([3.0], requires_grad=True)
        >>> dt.autograd.backward([w * w])
        >>> w.grad
        tensor([6.])
    """
    roots = _listed(tensors)
    grads = _gradients("backward", grad_tensors, len(roots))
    _core._backward(roots, grads, retain_graph, None if inputs is None else _listed(inputs))


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Gradients = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs` by `inputs`, one each; no ``.grad`` is touched.

    RuntimeError where an output does not depend on an input, unless `allow_unused`: then None stands for it.

    Example:
        >>> import drivetrain as dt
        >>> x = dt.tensor([3.0], requires_grad=True)
        >>> dt.autograd.grad(x * x, x)
        (tensor([6.]),)
    """
    if create_graph:
        raise NotImplementedError(
            "grad: create_graph=True (gradients of gradients) is not supported; gradients have no history"
        )
    roots, targets = _listed(outputs), _listed(inputs)
    grads = _gradients("grad", grad_outputs, len(roots))
    found: tuple[Tensor | None, ...] = _core._grad(roots, targets, grads, retain_graph)
    if not allow_unused and any(g is None for g in found):
        unused = next(i for i, g in enumerate(found) if g is None)
        raise RuntimeError(
            f"grad: the outputs do not depend on input {unused} (shape {targets[unused].shape}); "
            "pass allow_unused=True to get None for it"
        )
    return found
