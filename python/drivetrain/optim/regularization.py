"""Penalties of large weights, in the loss or beside it, and constraints: see docs/regularization.md."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import _core
from .._arguments import checks_names
from .._checks import flag, real
from .._core import Tensor
from ..autograd import no_grad
from .hooks import StepHookHandle
from .optimizer import Optimizer

__all__ = ["L1", "L1L2", "L2", "DecoupledDecay", "MaxNorm", "Penalties", "constrain"]


def _strength(owner: str, name: str, value: Any) -> float:
    return real(owner, name, value, "positive or 0", lambda x: 0 <= x < math.inf)


def weights_of(given: Any, biases: bool = False) -> list[Tensor]:
    """The parameters of a module, or those given, that require gradients; without `biases` those of at least
    two axes: no biases, and no scales of norms."""
    if isinstance(given, Tensor):
        return [given]
    parameters: Any = given.parameters() if hasattr(given, "parameters") else given
    if not isinstance(parameters, Iterable):
        raise TypeError(f"expected a module or its parameters to regularize, got a {type(given).__name__}")
    parameters = list(parameters)
    if not all(isinstance(p, Tensor) for p in parameters):
        raise TypeError(f"expected a module or its parameters to regularize, got {given!r:.80}")
    return [p for p in parameters if p.requires_grad and (biases or p.ndim > 1)]


class L1L2:
    """Elastic net: a penalty of ``l1 * sum(abs(w)) + l2 * sum(w ** 2)``, a true part of the loss.

    Args:
        l1: Strength of the first part.
        l2: Strength of the second.
        biases: Whether parameters with fewer than two axes, biases and scales of norms, count as well.

    Called with a module, or with a sequence of tensors, it returns the penalty as a tensor of shape ():
    one pass over all weights, and one for the gradients. As ``Trainer(regularizer=...)`` it is added to every
    loss.

    Source: keras.regularizers.L1L2; Zou and Hastie, 2005.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import L1L2
        >>> w = dt.tensor([[3.0, -4.0]], requires_grad=True)
        >>> penalty = L1L2(l1=0.1, l2=0.01)([w])
        >>> round(penalty.item(), 4)
        0.95
        >>> penalty.backward()
        >>> [round(x, 4) for x in w.grad.tolist()[0]]
        [0.16, -0.18]
    """

    @checks_names
    def __init__(self, l1: float = 0.0, l2: float = 0.0, *, biases: bool = False) -> None:
        self.l1 = _strength(type(self).__name__, "l1", l1)
        self.l2 = _strength(type(self).__name__, "l2", l2)
        self.biases = flag(type(self).__name__, "biases", biases)

    def __call__(self, given: Any) -> Tensor:
        return _core._penalty(weights_of(given, self.biases), self.l1, self.l2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(l1={self.l1}, l2={self.l2})"


class L1(L1L2):
    """The penalty ``l1 * sum(abs(w))``: see `L1L2`. Its gradient does not get smaller with the weight, but no
    weight becomes exactly 0 by it: see `DecoupledDecay` for that.

    Args:
        l1: Its strength.
        biases: As for `L1L2`.

    Source: keras.regularizers.L1; Tibshirani, 1996.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import L1
        >>> L1(0.5)([dt.tensor([[3.0, -4.0]], requires_grad=True)]).item()
        3.5
    """

    @checks_names
    def __init__(self, l1: float = 0.01, *, biases: bool = False) -> None:
        super().__init__(l1=l1, biases=biases)


class L2(L1L2):
    """The penalty ``l2 * sum(w ** 2)``: see `L1L2`.

    Args:
        l2: Its strength. An optimizer's coupled ``weight_decay=d`` is this with ``l2=d / 2``.
        biases: As for `L1L2`.

    Source: keras.regularizers.L2; Hoerl and Kennard, 1970.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import L2
        >>> L2(0.5)([dt.tensor([[3.0, -4.0]], requires_grad=True)]).item()
        12.5
    """

    @checks_names
    def __init__(self, l2: float = 0.01, *, biases: bool = False) -> None:
        super().__init__(l2=l2, biases=biases)


class Penalties:
    """Penalties of their own for several groups of parameters.

    Args:
        groups: Dicts with "params", as an optimizer takes them, and "l1", "l2", or both.

    Called, with or without the module, it returns their sum as a tensor of shape ().

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain import nn
        >>> from drivetrain.optim.regularization import Penalties
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        >>> regularizer = Penalties(
        ...     [
        ...         {"params": [model[0].weight], "l1": 1e-3},
        ...         {"params": model[1].parameters(), "l1": 1e-4, "l2": 1e-2},
        ...     ]
        ... )
        >>> regularizer(model).shape
        ()
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        self.groups = []
        for group in groups:
            if not isinstance(group, Mapping) or "params" not in group:
                raise TypeError(f"Penalties: a group must be a dict with 'params', got {group!r:.80}")
            options = {name: value for name, value in group.items() if name != "params"}
            self.groups.append((weights_of(group["params"], biases=True), L1L2(**options)))
        if not self.groups:
            raise ValueError("Penalties: groups is empty")

    def __call__(self, model: Any = None) -> Tensor:
        total: Any = 0.0
        for parameters, penalty in self.groups:
            total = total + _core._penalty(parameters, penalty.l1, penalty.l2)
        return total  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Penalties({[penalty for _, penalty in self.groups]!r})"


class DecoupledDecay:
    """Shrinks weights after every step of an optimizer, past its moments: ``w = soft(w * (1 - lr * l2), lr *
    l1)``, where ``soft(w, t)`` moves w by t towards 0 and no further.

    The first factor is AdamW's weight decay. The second is the proximal form of an L1 penalty: weights become
    exactly 0. With plain SGD the two together solve the elastic net ``loss + l1 * sum(abs(w)) + l2 / 2 *
    sum(w ** 2)`` (the L2 part to first order in lr). Parameters without a gradient stay as they are.

    Args:
        optimizer: An optimizer of ``drivetrain.optim``; every group shrinks by its own lr.
        l1: A number, or a list with one for each parameter group.
        l2: A number, or a list with one for each parameter group.
        biases: Whether parameters with fewer than two axes shrink as well.

    Attributes:
        handle: ``handle.remove()`` ends it.

    Source: Loshchilov and Hutter, 2019 (decoupled decay); Daubechies et al., 2004 (soft threshold).

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import DecoupledDecay
        >>> w = dt.tensor([[1.0, 0.25, -0.5]], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=0.5)
        >>> decay = DecoupledDecay(optimizer, l1=0.5)
        >>> (w * 0).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [[0.75, 0.0, -0.25]]
    """

    @checks_names
    def __init__(self, optimizer: Optimizer, l1: Any = 0.0, l2: Any = 0.0, *, biases: bool = False) -> None:
        check_optimizer("DecoupledDecay", optimizer)
        groups = len(optimizer.param_groups)
        self.l1 = self._per_group("l1", l1, groups)
        self.l2 = self._per_group("l2", l2, groups)
        self.biases = flag(type(self).__name__, "biases", biases)
        self.handle: StepHookHandle = optimizer.register_step_post_hook(self._shrink)

    @staticmethod
    def _per_group(name: str, value: Any, groups: int) -> list[float]:
        values = list(value) if isinstance(value, (list, tuple)) else [value] * groups
        if len(values) != groups:
            raise ValueError(
                f"DecoupledDecay: {name} has {len(values)} values, expected one or one for each of the "
                f"{groups} parameter groups"
            )
        return [_strength("DecoupledDecay", name, each) for each in values]

    def _shrink(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        # A group that was added later has none.
        for group, l1, l2 in zip(optimizer.param_groups, self.l1, self.l2, strict=False):
            lr = group["lr"]
            if lr * l2 > 1:
                raise ValueError(f"DecoupledDecay: lr * l2 is {lr * l2:g}, expected at most 1")
            _core._shrink(weights_of(group["params"], self.biases), 1 - lr * l2, lr * l1)

    def __repr__(self) -> str:
        return f"DecoupledDecay(l1={self.l1}, l2={self.l2})"


def _axes(axis: Any) -> int | tuple[int, ...]:
    """One axis or several, of weights that may have any number of axes."""
    several = isinstance(axis, (tuple, list))
    for each in axis if several else (axis,):
        if isinstance(each, bool) or not isinstance(each, numbers.Integral):
            raise TypeError(f"MaxNorm: axis must be an int, several ints or None, got {axis!r:.80}")
    if several and len(set(axis)) < len(axis):
        raise ValueError(f"MaxNorm: axis has one of the axes twice, got {axis!r:.80}")
    return tuple(map(int, axis)) if several else int(axis)


class MaxNorm:
    """Scales weights down where their norm is above a bound.

    Args:
        max_value: The largest norm.
        axis: The axes over which each norm is taken, an int or several. By default all but the first, which
            is that of the outputs: the weights that come into each unit have one norm. (In Keras, whose
            layers have the outputs last, that is ``axis=0`` for dense layers and ``[0, 1, 2]`` for
            convolutions.)

    Called with a tensor, it returns the scaled one; `constrain` does it after every step of an optimizer.

    Source: keras.constraints.MaxNorm; Srebro et al., 2005; Srivastava et al., 2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import MaxNorm
        >>> [[round(x, 4) for x in row] for row in MaxNorm(2.0)(dt.tensor([[3.0, 4.0], [0.3, 0.4]])).tolist()]
        [[1.2, 1.6], [0.3, 0.4]]
    """

    @checks_names
    def __init__(self, max_value: float = 2.0, axis: int | Sequence[int] | None = None) -> None:
        self.max_value = _strength("MaxNorm", "max_value", max_value)
        self.axis = None if axis is None else _axes(axis)

    def check(self, weight: Tensor) -> None:
        """Raises where a tensor lacks an axis over which norms are taken."""
        axes = () if self.axis is None else self.axis if isinstance(self.axis, tuple) else (self.axis,)
        for axis in axes:
            if not -weight.ndim <= axis < weight.ndim:
                raise IndexError(
                    f"MaxNorm: axis {axis} is out of range for a weight of shape {tuple(weight.shape)}"
                )

    def _factors(self, weight: Tensor) -> Tensor | None:
        """What the weights are multiplied by; None where no norm is too large."""
        if self.axis is None:
            axis: Any = tuple(range(1, weight.ndim)) or None
        else:
            axis = self.axis
            self.check(weight)
        norms = _core.vector_norm(weight, axis=axis, keepdims=True)
        if norms.size == 0 or norms.max().item() <= self.max_value:
            return None
        return _core.clip(self.max_value / _core.maximum(norms, 1e-30), None, 1.0)

    def __call__(self, weight: Tensor) -> Tensor:
        factors = self._factors(weight)
        return weight * factors if factors is not None else weight

    def apply_(self, weight: Tensor) -> None:
        """Scales a tensor in place, without recording it."""
        with no_grad():
            factors = self._factors(weight)
            if factors is not None:
                weight *= factors

    def __repr__(self) -> str:
        return f"MaxNorm(max_value={self.max_value}, axis={self.axis})"


def constrain(
    optimizer: Optimizer, constraint: Callable[[Tensor], Tensor], params: Any = None
) -> StepHookHandle:
    """Applies a constraint to weights after every step of an optimizer.

    Args:
        optimizer: An optimizer of ``drivetrain.optim``.
        constraint: `MaxNorm`, or a function that returns the new weights.
        params: A module or a sequence of its parameters; by default those of the optimizer with at least two
            axes.

    Returns:
        A handle whose ``remove()`` ends it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.regularization import MaxNorm, constrain
        >>> w = dt.tensor([[3.0, 4.0]], requires_grad=True)
        >>> optimizer = dt.optim.SGD([w], lr=0.0)
        >>> handle = constrain(optimizer, MaxNorm(2.5))
        >>> (w * 0).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [[1.5, 2.0]]
    """
    check_optimizer("constrain", optimizer)
    if not callable(constraint):
        raise TypeError(
            f"constrain: constraint is a {type(constraint).__name__}, expected MaxNorm or a function"
        )
    chosen = None if params is None else weights_of(params, not hasattr(params, "parameters"))

    def constrained() -> list[Tensor]:
        if chosen is not None:
            return chosen
        return [w for group in optimizer.param_groups for w in weights_of(group["params"])]

    if isinstance(constraint, MaxNorm):
        for weight in constrained():
            constraint.check(weight)

    def apply(optimizer: Any, args: Any, kwargs: Any) -> None:
        for weight in constrained():
            if isinstance(constraint, MaxNorm):
                constraint.apply_(weight)
                continue
            with no_grad():
                weight[...] = constraint(weight)

    return optimizer.register_step_post_hook(apply)


def check_optimizer(owner: str, optimizer: Any) -> None:
    if not hasattr(optimizer, "register_step_post_hook"):
        raise TypeError(
            f"{owner}: optimizer is a {type(optimizer).__name__}, expected an optimizer of drivetrain.optim"
        )
