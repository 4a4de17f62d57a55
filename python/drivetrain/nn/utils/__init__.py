"""What is done to gradients between backward and the optimizer's step; batches of sequences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import _core
from ..._core import Tensor
from ...autograd import no_grad
from ..checks import real
from ..packing import PackedSequence as PackedSequence
from ..packing import pack_padded_sequence as pack_padded_sequence
from ..packing import pad_packed_sequence as pad_packed_sequence
from ..packing import pad_sequence as pad_sequence
from ..packing import unpad_sequence as unpad_sequence
from ..parameter import gradient_holders
from . import rnn as rnn


def _parameters(name: str, parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for parameter in found:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{name}: parameters must be tensors, got {type(parameter).__name__}")
    return found


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scales the gradients, in place, so that their norm, taken together, is at most `max_norm`.

    Args:
        parameters: A tensor or tensors; those without gradient are passed over.
        max_norm: The largest norm allowed.
        norm_type: 1, 2 or infinity.
        error_if_nonfinite: Whether a norm that is infinite or NaN is an error.

    Returns:
        The norm before, a tensor without axes.

    Raises:
        RuntimeError: The norm is not finite, and error_if_nonfinite is set.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([3.0, 4.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> dt.nn.utils.clip_grad_norm_([w], max_norm=1.0).item()
        10.0
        >>> [round(g, 3) for g in w.grad.tolist()]
        [0.6, 0.8]
    """
    max_norm = real("clip_grad_norm_", "max_norm", max_norm, "a number of at least 0", lambda v: v >= 0)
    found = gradient_holders(_parameters("clip_grad_norm_", parameters))
    return _core.clip_grad_norm_(found, max_norm, norm_type, error_if_nonfinite)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Cuts every element of the gradients, in place, to the range from -clip_value to clip_value.

    Args:
        parameters: A tensor or tensors; those without gradient are passed over.
        clip_value: The largest absolute value allowed.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([3.0, 0.25], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> dt.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad.tolist()
        [1.0, 0.5]
    """
    limit = real("clip_grad_value_", "clip_value", clip_value, "a number of at least 0", lambda v: v >= 0)
    found = gradient_holders(_parameters("clip_grad_value_", parameters))
    _core._clip_grad_value([p for p in found if p.dtype in (_core.float32, _core.float64)], limit)
    with no_grad():
        for parameter in found:
            gradient: Any = parameter.grad
            if gradient is not None and parameter.dtype not in (_core.float32, _core.float64):
                gradient[...] = _core.clip(gradient, -limit, limit)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters as one tensor with one axis.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.utils.parameters_to_vector(dt.nn.Linear(3, 2).parameters()).shape
        (8,)
    """
    return _core.concat([p.reshape((-1,)) for p in _parameters("parameters_to_vector", parameters)])


def vector_to_parameters(vector: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies the values of `parameters_to_vector` back into the parameters.

    Example:
        >>> import drivetrain as dt
        >>> layer = dt.nn.Linear(2, 1)
        >>> dt.nn.utils.vector_to_parameters(dt.tensor([1.0, 2.0, 3.0]), layer.parameters())
        >>> layer.bias.tolist()
        [3.0]
    """
    found = _parameters("vector_to_parameters", parameters)
    needed = sum(p.size for p in found)
    if vector.shape != (needed,):
        raise ValueError(
            f"vector_to_parameters: vector has shape {tuple(vector.shape)}, expected ({needed},)"
        )
    start = 0
    with no_grad():
        for parameter in found:
            part = vector[start : start + parameter.size]
            parameter[...] = part.reshape(parameter.shape)
            start += parameter.size
