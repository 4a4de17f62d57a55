"""L-BFGS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import _core
from .._checks import integer
from .._core import Tensor
from ..autograd import enable_grad, no_grad
from .checks import check_at_least_zero
from .line_search import Point, StrongWolfe
from .optimizer import Optimizer


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal, 1989): steps by an estimate of the curvature, from the last gradients.

    For full batches and few parameters, of which it keeps `2 * history_size + 2` copies. A step makes up to
    `max_iter` iterations, each with one call of the closure or more.

    Args:
        params: The parameters, of one dtype; a single group.
        lr: The step along the direction; with a line search the first trial.
        max_iter: Iterations of a step.
        max_eval: Calls of the closure of a step; None: 5 / 4 of max_iter.
        tolerance_grad: A step ends where no element of the gradient is larger.
        tolerance_change: A step ends where neither the loss nor any parameter changes by more.
        history_size: Past iterations that the estimate is made of.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ValueError: There are several groups or dtypes, or an option is out of range.

    Source: Liu and Nocedal, On the limited memory BFGS method for large scale optimization (1989); as
    torch.optim.LBFGS.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([3.0, -2.0], requires_grad=True)
        >>> optimizer = dt.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - dt.tensor([1.0, 2.0])) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()
        20.0
        >>> [round(x, 4) for x in w.tolist()]
        [1.0, 2.0]
    """

    needs_closure = True  # `Trainer` gives it one

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None and isinstance(max_iter, int) else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        self._memory: dict[str, Any] = {}
        super().__init__(params, defaults)

    def _check_options(self, options: Mapping[str, Any]) -> None:
        check_at_least_zero("LBFGS", options, "lr", "tolerance_grad", "tolerance_change")
        for name in ("max_iter", "max_eval", "history_size"):
            integer("LBFGS", name, options[name])
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                f"LBFGS: line_search_fn must be None or 'strong_wolfe', got {options['line_search_fn']!r}"
            )

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Not supported but for the first group."""
        if self.param_groups:
            raise ValueError("LBFGS: there may be one group of parameters only")
        super().add_param_group(param_group)
        dtypes = {parameter.dtype.name for parameter in self._params}
        if len(dtypes) > 1:
            self.param_groups.clear()
            raise ValueError(f"LBFGS: parameters must be of one dtype, got {' and '.join(sorted(dtypes))}")

    @property
    def _params(self) -> list[Tensor]:
        found: list[Tensor] = self.param_groups[0]["params"]
        return found

    # Vectors of all parameters

    def _gradient(self) -> Tensor:
        return _core.concat(
            [
                (_core.zeros((p.size,), dtype=p.dtype) if p.grad is None else p.grad.reshape((-1,)))
                for p in self._params
            ]
        )

    def _move(self, direction: Tensor, t: float) -> None:
        parts, start = [], 0
        for parameter in self._params:
            parts.append(direction[start : start + parameter.size].reshape(parameter.shape))
            start += parameter.size
        _core._sgd_step(self._params, parts, (), 1, 1.0, grad_scale=-t)

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the estimated inverse curvature times the gradient: through the past, there and back."""
        memory = self._memory
        changes, steps, inverse = memory["old_dirs"], memory["old_stps"], memory["ro"]
        direction: Tensor = -gradient
        shares: list[float] = []
        for y, s, ro in zip(reversed(changes), reversed(steps), reversed(inverse), strict=True):
            shares.append(dot(s, direction) * ro)
            add(direction, y, -shares[-1])
        direction *= memory["H_diag"]
        for y, s, ro, share in zip(changes, steps, inverse, reversed(shares), strict=True):
            add(direction, s, share - dot(y, direction) * ro)
        return direction

    def _remember(self, gradient: Tensor, history_size: int) -> None:
        memory = self._memory
        y, s = gradient - memory["prev_flat_grad"], memory["d"]  # which the next direction replaces
        s *= memory["t"]
        curvature = dot(y, s)
        if curvature > 1e-10:
            for name, value in (("old_dirs", y), ("old_stps", s), ("ro", 1 / curvature)):
                memory[name] = [*memory[name][-(history_size - 1) :], value] if history_size > 1 else [value]
            memory["H_diag"] = curvature / dot(y, y)

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Makes up to max_iter iterations.

        Args:
            closure: A function that clears the gradients, computes the loss, calls backward and returns the
                loss.

        Returns:
            What the closure returned the first time.

        Raises:
            TypeError: There is no closure.
        """
        if not callable(closure):
            raise TypeError(
                "LBFGS.step: closure must be a function that computes the loss and calls backward, "
                f"got {closure!r}"
            )

        def evaluate() -> Any:
            with enable_grad():
                return closure()

        first = evaluate()
        with no_grad():
            self._iterate(evaluate, float(first))
        return first

    def _iterate(self, evaluate: Callable[[], Any], loss: float) -> None:
        group, memory = self.param_groups[0], self._memory
        memory.setdefault("func_evals", 0)
        memory.setdefault("n_iter", 0)
        memory["func_evals"] += 1
        gradient, evaluations = self._gradient(), 1
        if largest(gradient) <= group["tolerance_grad"]:
            return
        for iteration in range(1, group["max_iter"] + 1):
            memory["n_iter"] += 1
            if memory["n_iter"] == 1:
                memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0, d=-gradient)
                t = min(1.0, 1.0 / float(gradient.abs().sum())) * group["lr"]
            else:
                self._remember(gradient, group["history_size"])
                memory["d"] = self._direction(gradient)
                t = group["lr"]
            memory.update(prev_flat_grad=gradient, prev_loss=loss, t=t)
            slope = dot(gradient, memory["d"])
            if slope > -group["tolerance_change"]:
                return
            before, last = loss, iteration == group["max_iter"]
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, gradient, slope)
                point, made = self._search(evaluate, start, t, group["max_eval"] - evaluations)
                loss, gradient, memory["t"] = point.loss, point.gradient, point.t
                self._move(memory["d"], memory["t"])
            else:
                made = 0
                self._move(memory["d"], t)
                if not last:
                    loss, gradient, made = float(evaluate()), self._gradient(), 1
            evaluations += made
            memory["func_evals"] += made
            if (
                last
                or evaluations >= group["max_eval"]
                or largest(gradient) <= group["tolerance_grad"]
                or largest(memory["d"]) * abs(memory["t"]) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                return

    def _search(self, evaluate: Callable[[], Any], start: Point, t: float, most: int) -> tuple[Point, int]:
        direction, kept = self._memory["d"], _core._clones(self._params)

        def at(t: float) -> Point:
            self._move(direction, t)
            loss, gradient = float(evaluate()), self._gradient()
            _core._average(self._params, kept, 1.0)
            return Point(t, loss, gradient, dot(gradient, direction))

        tolerance = self.param_groups[0]["tolerance_change"]
        return StrongWolfe(at, start, largest(direction), tolerance, most).search(t)

    # State

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """What is kept, all of it at the first parameter."""
        return {self._params[0]: dict(self._memory)} if self._memory else {}

    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's form, with numbers for its tensors of one element."""
        found = super().state_dict()
        if self._memory:
            kept = {name: list(v) if isinstance(v, list) else v for name, v in self._memory.items()}
            found["state"] = {0: kept}
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict()` returned, here or in PyTorch; tensors are copied.

        Raises:
            ValueError: Numbers or sizes of parameters differ. Nothing has been changed then.
        """
        kept: Mapping[Any, Any] = {}
        if isinstance(state_dict, Mapping) and isinstance(state_dict.get("state"), Mapping):
            kept = state_dict["state"]
            state_dict = {**state_dict, "state": {}}
        memory = self._checked(next(iter(kept.values()), {}))
        super().load_state_dict(state_dict)
        self._memory = memory

    def _checked(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        if not kept:
            return {}
        name, size = "LBFGS.load_state_dict", sum(parameter.size for parameter in self._params)

        def vector(key: str, value: Any) -> Tensor:
            if np.shape(value) != (size,):
                raise ValueError(f"{name}: '{key}' has shape {np.shape(value)}, expected ({size},)")
            return _core.tensor(value, dtype=self._params[0].dtype)

        missing = [key for key in ("n_iter", "func_evals") if key not in kept]
        missing += [key for key in _AFTER_A_STEP if key not in kept and len(kept) > 2]
        if missing:
            raise ValueError(f"{name}: the state lacks {', '.join(missing)}")
        memory: dict[str, Any] = {
            key: integer(name, f"'{key}'", kept[key], 0) for key in ("func_evals", "n_iter")
        }
        if len(kept) == 2:  # the gradient was 0
            return memory
        for key in ("d", "prev_flat_grad"):
            memory[key] = vector(key, kept[key])
        memory["prev_loss"] = float(kept["prev_loss"])
        memory["t"], memory["H_diag"] = (not_negative(name, key, kept[key]) for key in ("t", "H_diag"))
        for key in ("old_dirs", "old_stps"):
            memory[key] = [vector(key, value) for value in kept[key]]
        memory["ro"] = [not_negative(name, "ro", value) for value in kept["ro"]]
        if not len(memory["old_dirs"]) == len(memory["old_stps"]) == len(memory["ro"]):
            raise ValueError(f"{name}: old_dirs, old_stps and ro are not of one length")
        return memory


def not_negative(name: str, key: str, value: Any) -> float:
    """What steps and curvatures are: finite, and positive or 0."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError(f"{name}: '{key}' is {number}, expected a finite number, positive or 0")
    return number


_AFTER_A_STEP = ("d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss")


def dot(a: Tensor, b: Tensor) -> float:
    return float(_core.matmul(a, b))


def largest(x: Tensor) -> float:
    return float(x.abs().max())


def add(to: Tensor, x: Tensor, factor: float) -> None:
    """to += factor * x, in one pass."""
    _core._sgd_step([to], [x], (), 1, 1.0, grad_scale=-factor)
