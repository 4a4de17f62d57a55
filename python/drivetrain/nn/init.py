"""Initial values, with PyTorch's names: each function fills a tensor in place and returns it.

All draw from the default generator, or from the one given, so that `drivetrain.manual_seed` determines them.
Weights are laid out (out, k..., in); for transposed convolutions, (in, k..., out).

Example:
    >>> import drivetrain as dt
    >>> _ = dt.manual_seed(0)
    >>> w = dt.nn.init.xavier_uniform_(dt.empty((3, 5)))
    >>> bool((abs(w) <= (6 / 8) ** 0.5).all())
    True
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, TypeVar

from .. import _core
from .._core import Generator, Tensor
from ..autograd import no_grad

T = TypeVar("T", bound=Tensor)

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which the weights before an activation grow, so that the signal keeps its size.

    Args:
        nonlinearity: "linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "selu" or "leaky_relu".
        param: The negative slope of leaky_relu, 0.01 by default.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.calculate_gain("tanh")
        1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise TypeError(f"calculate_gain: param must be a number, got {param!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        known = ", ".join([*_GAINS, "leaky_relu"])
        raise ValueError(f"calculate_gain: nonlinearity must be one of {known}, got {nonlinearity!r}")
    return _GAINS[nonlinearity]


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    """Draws from the uniform distribution on [a, b).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.uniform_(dt.zeros(2), 3.0, 3.0)
        tensor([3., 3.])
    """
    _check("uniform_", tensor)
    with no_grad():
        tensor.uniform_(a, b, generator=generator)
    return tensor


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    """Draws from the normal distribution.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.normal_(dt.zeros(2), 3.0, 0.0)
        tensor([3., 3.])
    """
    _check("normal_", tensor)
    with no_grad():
        tensor.normal_(mean, std, generator=generator)
    return tensor


def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> T:
    """Draws from the normal distribution and draws again whatever lies outside [a, b].

    Raises:
        ValueError: [a, b] holds less than a hundredth of the distribution.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.trunc_normal_(dt.zeros(100), a=-1.0, b=1.0).max().item() <= 1
        True
    """
    _check("trunc_normal_", tensor)
    if not std > 0:
        raise ValueError(f"trunc_normal_: std must be positive, got {std}")
    normal = NormalDist(mean, std)
    if not normal.cdf(b) - normal.cdf(a) >= 0.01:
        raise ValueError(
            f"trunc_normal_: [a, b] = [{a}, {b}] holds less than 1% of the normal distribution with mean "
            f"{mean} and std {std}"
        )
    with no_grad():
        values = normal_(_core.empty(tensor.shape, dtype=tensor.dtype), mean, std, generator)
        outside = _core.logical_or(values < a, values > b)
        while bool(outside.any()):
            again = normal_(_core.empty(tensor.shape, dtype=tensor.dtype), mean, std, generator)
            values = _core.where(outside, again, values)
            outside = _core.logical_or(values < a, values > b)
        tensor[...] = values
    return tensor


def constant_(tensor: T, val: float) -> T:
    """Fills with `val`.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.constant_(dt.zeros(2), 7.0)
        tensor([7., 7.])
    """
    _check("constant_", tensor)
    with no_grad():
        tensor.fill_(val)
    return tensor


def zeros_(tensor: T) -> T:
    """Fills with 0.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.zeros_(dt.ones(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: T) -> T:
    """Fills with 1.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.ones_(dt.zeros(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def eye_(tensor: T) -> T:
    """Writes the identity matrix, as far as it goes, into a tensor of two axes.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.eye_(dt.zeros((2, 2))).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    _check("eye_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"eye_: tensor must have 2 axes, got shape {tuple(tensor.shape)}")
    with no_grad():
        tensor[...] = _core.eye(tensor.shape[0], tensor.shape[1], dtype=tensor.dtype)
    return tensor


def dirac_(tensor: T, groups: int = 1) -> T:
    """Makes a convolution (out, k..., in) hand its input channels through, as far as there are outputs.

    Args:
        tensor: A weight of three to five axes.
        groups: The convolution's groups; each hands through its own channels.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.dirac_(dt.zeros((2, 3, 2)))[0].tolist()
        [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    _check("dirac_", tensor)
    if not 3 <= tensor.ndim <= 5:
        raise ValueError(f"dirac_: tensor must have 3 to 5 axes, got shape {tuple(tensor.shape)}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: {tensor.shape[0]} output channels cannot be divided into {groups} groups")
    per_group = tensor.shape[0] // groups
    centre = tuple(size // 2 for size in tensor.shape[1:-1])
    with no_grad():
        tensor.fill_(0)
        for group in range(groups):
            for channel in range(min(per_group, tensor.shape[-1])):
                tensor[(group * per_group + channel, *centre, channel)] = 1
    return tensor


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """U(-a, a) with a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.xavier_uniform_(dt.zeros((2, 4))).max().item() <= 1
        True
    """
    fan_in, fan_out = _fans("xavier_uniform_", tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """N(0, std²) with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.xavier_normal_(dt.zeros((2, 4))).shape
        (2, 4)
    """
    fan_in, fan_out = _fans("xavier_normal_", tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def kaiming_uniform_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """U(-b, b) with b = gain * sqrt(3 / fan) (He et al., 2015).

    Args:
        tensor: The weight.
        a: Negative slope of the leaky ReLU behind the layer.
        mode: "fan_in" keeps the size of the signal, "fan_out" that of the gradient.
        nonlinearity: The activation behind the layer.
        generator: Where the numbers come from; the default generator if None.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.kaiming_uniform_(dt.zeros((2, 6))).max().item() <= 1
        True
    """
    bound = math.sqrt(3.0) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """N(0, std²) with std = gain / sqrt(fan); the arguments are those of `kaiming_uniform_`.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.init.kaiming_normal_(dt.zeros((2, 4))).shape
        (2, 4)
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """A random orthogonal matrix, times `gain`; axes after the first are taken together.

    Where the matrix is not square, its rows or its columns, whichever are fewer, are orthonormal
    (Saxe et al., 2013). Computed by Gram-Schmidt with every projection done twice (Giraud et al., 2005),
    in float64 and by the project's own products, so that the bits do not depend on threads.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.nn.init.orthogonal_(dt.zeros((3, 3)))
        >>> dt.allclose(w @ w.T, dt.eye(3), atol=1e-5)
        True
    """
    _check("orthogonal_", tensor)
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: tensor must have at least 2 axes, got shape {tuple(tensor.shape)}")
    if tensor.size == 0:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.size // rows
    count, length = min(rows, columns), max(rows, columns)
    with no_grad():
        vectors = normal_(_core.empty((count, length), dtype=_core.float64), generator=generator)
        for i in range(count):
            vector = vectors[i]
            for _ in range(2 if i else 0):
                before = vectors[:i]
                vector = vector - _core.matmul(_core.matmul(before, vector), before)
            vectors[i] = vector / _core.sqrt((vector * vector).sum())
        matrix = vectors if rows <= columns else vectors.T
        tensor[...] = (matrix * gain).reshape(tensor.shape)
    return tensor


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> T:
    """N(0, std²), with the share `sparsity` of every column set to 0 (Martens, 2010).

    Args:
        tensor: A tensor of two axes.
        sparsity: Share of the zeros in every column, from 0 to 1.
        std: Standard deviation of the others.
        generator: Where the numbers come from; the default generator if None.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.nn.init.sparse_(dt.zeros((4, 2)), 0.5)
        >>> dt.count_nonzero(w, axis=0).tolist()
        [2, 2]
    """
    _check("sparse_", tensor)
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: tensor must have 2 axes, got shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity must lie between 0 and 1, got {sparsity}")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0.0, std, generator)
    with no_grad():
        for column in range(columns):
            tensor[_core.randperm(rows, generator=generator)[:zeros], column] = 0
    return tensor


def _check(name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name}: tensor must be a Tensor, got {type(tensor).__name__}")
    if not tensor.dtype.is_floating_point:
        raise TypeError(f"{name}: tensor must have a floating-point dtype, got {tensor.dtype.name}")


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """How many inputs make one output, and how many outputs one input goes to."""
    _check(name, tensor)
    if tensor.ndim < 2:
        raise ValueError(f"{name}: tensor must have at least 2 axes, got shape {tuple(tensor.shape)}")
    field = math.prod(tensor.shape[1:-1])
    fans = tensor.shape[-1] * field, tensor.shape[0] * field
    if 0 in fans:
        raise ValueError(f"{name}: tensor must not be empty, got shape {tuple(tensor.shape)}")
    return fans


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fans: dict[Any, int] = dict(zip(("fan_in", "fan_out"), _fans(name, tensor), strict=True))
    if mode not in fans:
        raise ValueError(f"{name}: mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return calculate_gain(nonlinearity, a if nonlinearity == "leaky_relu" else None) / math.sqrt(fans[mode])


def _uniform_by_fan_in(bias: Tensor, weight: Tensor) -> None:
    """PyTorch's initial bias of linear layers and convolutions: U(-k, k) with k = 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(_fans("init", weight)[0])
    uniform_(bias, -bound, bound)
