"""Gradients compared with differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from .._core import Tensor
from ._mode import enable_grad, no_grad
from ._walk import grad

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.float64]]


def _outputs(function: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    result = function(*inputs)
    listed = list(result) if isinstance(result, (tuple, list)) else [result]
    return [o for o in listed if isinstance(o, Tensor) and o.dtype.is_floating_point]


def _numerical(function: Callable[..., Any], inputs: Sequence[Any], at: int, eps: float) -> list[Matrix]:
    """Per output, the matrix (elements of the input, elements of the output) of central differences."""
    import numpy as np

    def values(given: Matrix) -> list[Matrix]:
        changed = list(inputs)
        changed[at] = _core.tensor(given.reshape(inputs[at].shape))
        with no_grad():
            return [o.detach().numpy().astype(np.float64).ravel() for o in _outputs(function, changed)]

    flat = inputs[at].detach().numpy().copy().ravel()
    rows: list[list[Matrix]] = []
    for i in range(flat.size):
        up, down = flat.copy(), flat.copy()
        up[i] += eps
        down[i] -= eps
        rows.append([(a - b) / (2 * eps) for a, b in zip(values(up), values(down), strict=True)])
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _analytical(output: Tensor, source: Tensor) -> Matrix:
    """The matrix (elements of the input, elements of the output) that backward gives, column by column."""
    import numpy as np

    matrix = np.zeros((source.size, output.size))
    if not output.requires_grad:
        return matrix
    for j in range(output.size):
        seed = np.zeros(output.size)
        seed[j] = 1
        (column,) = grad(
            output, source, _core.tensor(seed.reshape(output.shape)), retain_graph=True, allow_unused=True
        )
        if column is not None:
            matrix[:, j] = column.numpy().ravel()
    return matrix


def gradcheck(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compares the gradients of `function` with central differences, element by element.

    `inputs` are its arguments; tensors among them that require a gradient must be float64. Returns True, or
    raises RuntimeError that shows both matrices (returns False without `raise_exception`).

    Example:
        >>> import drivetrain as dt
        >>> x = dt.tensor([1.0, 2.0], dtype=dt.float64, requires_grad=True)
        >>> dt.autograd.gradcheck(lambda t: t * t, x)
        True
    """
    import numpy as np

    given: list[Any] = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    traced = [i for i, t in enumerate(given) if isinstance(t, Tensor) and t.requires_grad]
    if not traced:
        raise ValueError("gradcheck: none of the inputs requires a gradient")
    for i in traced:
        if given[i].dtype != _core.float64:
            raise TypeError(f"gradcheck: input {i} must be float64, got {given[i].dtype.name}")
    with enable_grad():
        outputs = _outputs(function, given)
    for i in traced:
        if given[i].size == 0:
            continue
        for k, numerical in enumerate(_numerical(function, given, i, eps)):
            analytical = _analytical(outputs[k], given[i])
            if not np.allclose(analytical, numerical, rtol=rtol, atol=atol, equal_nan=True):
                if not raise_exception:
                    return False
                raise RuntimeError(
                    f"gradcheck: the gradient of output {k} by input {i} is wrong\n"
                    f"from backward:\n{analytical}\nfrom differences:\n{numerical}"
                )
    return True
