"""The base class of all optimizers."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .. import _core
from .._arguments import suggest
from .._core import Tensor
from ..autograd import enable_grad, no_grad
from ..nn.parameter import SparseParameter, gradient_holders
from .checks import check_number
from .hooks import StepHookHandle
from .state import GroupState, collect, load


class Optimizer:
    """Changes parameters by their gradients. Subclasses say how a group of parameters is stepped.

    Args:
        params: Tensors that require gradients, such as `model.parameters()`; or a list of dicts, each with
            "params" and options that differ from the defaults for them.
        defaults: The options of groups that do not give their own.

    Attributes:
        param_groups: A list of dicts: "params" and the options. Options, such as "lr", may be changed between
            two steps.
        defaults: The options of groups that do not give their own.
        grad_norm: The norm of the gradients in the last step with `max_norm`, a float; None before.

    Raises:
        ValueError: There are no parameters, one comes twice, or an option is out of range.
        TypeError: Something is not a tensor with a gradient of its own.

    Example:
        >>> import drivetrain as dt
        >>> w = dt.tensor([1.0], requires_grad=True)
        >>> isinstance(dt.optim.SGD([w]), dt.optim.Optimizer)
        True
    """

    grad_norm: float | None = None
    # Whether a step raises FloatingPointError for gradients that are not finite, having changed nothing or
    # counted them as zero; None: it cannot tell.
    _watch: bool | None = None
    # All names of what may be kept; empty: whatever a state holds is taken over.
    _keeps: tuple[str, ...] = ()
    # Those of them, and of "step", that the state of a parameter may lack.
    _optional: tuple[str, ...] = ()
    # Whether it steps the rows alone that a gradient is of, and has parameters with such gradients.
    _steps_rows = False
    _has_tables = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Optimizer:
        known = inspect.signature(cls.__init__).parameters if kwargs else {}
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            for name in kwargs.keys() - known.keys():
                raise TypeError(f"{cls.__name__}: there is no argument '{name}'{_hint(name, known)}")
        return super().__new__(cls)

    def __init__(self, params: Any, defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.param_groups: list[dict[str, Any]] = []
        self._states: list[GroupState] = []
        self._check_options(self.defaults)
        groups = self._list("params", params)
        if not groups:
            raise ValueError(f"{self._name}: params is empty: there is nothing to train")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # What subclasses write

    def _check_options(self, options: Mapping[str, Any]) -> None:
        """Raises where an option of a group is unknown or out of range."""

    def _kept(self, group: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of what is kept for every parameter from step to step. May be empty."""
        return self._keeps

    def _step_group(
        self,
        group: Mapping[str, Any],
        step: int,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor] | None,
        kept: Sequence[Sequence[Tensor]],
        grad_scale: float,
        max_value: float,
    ) -> int:
        """Makes step number `step`, from 1, of these parameters; `kept` has one list per name of `_kept`.

        The gradients are multiplied by `grad_scale`, then clipped to [-max_value, max_value]. None stands for
        those of the parameters; where one of these has none, nothing is changed and the result is 0; else it
        is 1, or 2 where a watching step has counted values of the gradients as zero that are not finite.
        """
        raise NotImplementedError

    def _begin(self, name: str, group: Mapping[str, Any], parameter: Tensor) -> Tensor | None:
        """What is kept as `name` before the first step; None: nothing of that name for this parameter."""
        return _core.zeros(parameter.shape, dtype=parameter.dtype)

    # Groups

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Adds parameters with options of their own, for instance a layer that is no longer frozen.

        Args:
            param_group: A dict with "params" and any options; the defaults fill in the others.
        """
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise TypeError(f"{self._name}: a parameter group must be a dict with 'params'")
        options = {name: value for name, value in param_group.items() if name != "params"}
        unknown = [name for name in options if name not in self.defaults and not name.startswith("initial_")]
        if unknown:
            raise ValueError(
                f"{self._name}: a parameter group has the unknown option {unknown[0]!r}; "
                f"the options are: {', '.join(self.defaults)}"
            )
        options = {**self.defaults, **options}
        self._check_options(options)
        given = param_group["params"]
        parameters = [given] if isinstance(given, Tensor) else self._list("params", given)
        seen = {id(known) for group in self.param_groups for known in group["params"]}
        for parameter in parameters:
            self._check_parameter(parameter)
            if id(parameter) in seen:
                raise ValueError(
                    f"{self._name}: a parameter of shape {tuple(parameter.shape)} is given twice"
                )
            seen.add(id(parameter))
            self._has_tables |= isinstance(parameter, SparseParameter)
        self.param_groups.append({"params": parameters, **options})
        self._states.append(GroupState())

    def _list(self, name: str, given: Any) -> list[Any]:
        if isinstance(given, (Tensor, str, Mapping, set, frozenset)) or not isinstance(given, Iterable):
            raise TypeError(
                f"{self._name}: {name} must be a sequence of parameters, such as model.parameters(), or of "
                f"dicts, got {type(given).__name__}"
            )
        return list(given)

    def _check_parameter(self, parameter: object) -> None:
        if not isinstance(parameter, Tensor):
            hint = ""
            if isinstance(parameter, tuple):
                hint = "; pass model.parameters(), not model.named_parameters()"
            elif hasattr(parameter, "parameters"):
                hint = "; pass its parameters()"
            raise TypeError(
                f"{self._name}: a parameter must be a Tensor, got {type(parameter).__name__}{hint}"
            )
        if parameter.dtype not in (_core.float32, _core.float64):
            hint = ""
            if parameter.dtype.is_floating_point:
                hint = (
                    "; keep the weights in float32 with model.float(), and compute within drivetrain.autocast"
                )
            raise TypeError(
                f"{self._name}: parameters must be float32 or float64, got {parameter.dtype.name} "
                f"(shape {tuple(parameter.shape)}){hint}"
            )
        if isinstance(parameter, SparseParameter) and not self._steps_rows:
            raise TypeError(
                f"{self._name}: a parameter of shape {tuple(parameter.shape)} gets gradients of single rows "
                f"(Embedding with sparse=True), which {self._name} cannot use; take SparseAdam, Adagrad or "
                "SGD, or sparse=False"
            )
        if not parameter.is_leaf:
            raise ValueError(
                f"{self._name}: a parameter of shape {tuple(parameter.shape)} is the result of an op; only "
                "tensors with a gradient of their own can be trained"
            )

    # Steps

    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        max_norm: float | None = None,
        grad_scale: float = 1.0,
        max_value: float | None = None,
    ) -> Any:
        """Changes the parameters by their gradients; those without gradient stay as they are.

        `max_norm`, `max_value` and `grad_scale` do what `nn.utils.clip_grad_norm_`, `clip_grad_value_` and a
        loop over the gradients would do before the step, without writing to the gradients: the step clips
        and multiplies while it reads them.

        Args:
            closure: A function that computes the loss, calls backward and returns the loss; called first.
            max_norm: The largest norm of all gradients of this optimizer, taken together, after
                `grad_scale`; by default they are not clipped.
            grad_scale: What the gradients are multiplied by: 1 / s where the loss was multiplied by s.
            max_value: The largest absolute value of an element of the gradients, after `grad_scale`; by
                default they are not clipped. Not together with `max_norm`.

        Returns:
            What the closure returned, else None. With `max_norm`, the attribute `grad_norm` has the norm
            before it was clipped.

        Raises:
            ValueError: max_norm or max_value is negative, both are given, or one of the numbers is not
                finite.
            RuntimeError: With `max_norm`, the norm is infinite or NaN. Nothing has been changed then.

        Example:
            >>> import drivetrain as dt
            >>> w = dt.tensor([3.0, 4.0], requires_grad=True)
            >>> optimizer = dt.optim.SGD([w], lr=1.0)
            >>> (w * w / 2).sum().backward()
            >>> optimizer.step(max_norm=2.5)
            >>> optimizer.grad_norm, [round(x, 3) for x in w.tolist()]
            (5.0, [1.5, 2.0])
        """
        result = None
        if closure is not None:
            with enable_grad():
                result = closure()
        if max_norm is not None or type(grad_scale) is not float or grad_scale != 1.0:
            grad_scale = self._scale_of_gradients(max_norm, grad_scale)
        limit = math.inf if max_value is None else self._limit_of_gradients(max_norm, max_value)
        for group, state in zip(self.param_groups, self._states):  # noqa: B905, strict= would cost time
            some = state.uneven is not None or self._has_tables
            if some or not self._step_all(group, state, grad_scale, limit):
                self._step_some(group, state, grad_scale, limit)
        return result

    def _scale_of_gradients(self, max_norm: float | None, grad_scale: float) -> float:
        name = f"{self._name}.step"
        if type(grad_scale) is not float or not math.isfinite(grad_scale):
            check_number(name, "grad_scale", grad_scale, "a finite number", lambda value: True)
        if max_norm is None:
            return grad_scale
        check_number(name, "max_norm", max_norm, "positive or 0", lambda value: value >= 0)
        self.grad_norm = _core._grad_norm(parameters_of(self)) * abs(grad_scale)
        if not math.isfinite(self.grad_norm):
            raise RuntimeError(f"{name}: the norm of the gradients is {self.grad_norm}")
        factor = max_norm / (self.grad_norm + 1e-6)  # as PyTorch does
        return grad_scale if factor >= 1 else grad_scale * factor

    def _limit_of_gradients(self, max_norm: float | None, max_value: float) -> float:
        name = f"{self._name}.step"
        check_number(name, "max_value", max_value, "positive or 0", lambda value: value >= 0)
        if max_norm is not None:
            raise ValueError(f"{name}: max_norm and max_value are given, expected one of them")
        return float(max_value)

    def _step_all(
        self, group: Mapping[str, Any], state: GroupState, grad_scale: float, max_value: float
    ) -> bool:
        """A step of all parameters of a group in one call; False, with nothing done, where one has no
        gradient."""
        parameters, names = group["params"], self._kept(group)
        if not names:
            return self._made(self._step_group(group, 1, parameters, None, (), grad_scale, max_value))
        try:
            kept = [state.kept[name] for name in names]
        except KeyError:
            if any(parameter.grad is None for parameter in parameters):
                return False
            kept = [state.begin(name, self, group) for name in names]
        done = self._step_group(group, state.step + 1, parameters, None, kept, grad_scale, max_value)
        state.step += 1 if done else 0
        return self._made(done)

    def _made(self, done: int) -> bool:
        """Whether a step was made; raises where values were counted as zero."""
        if done == 2:
            raise FloatingPointError(
                f"{self._name}: values of a gradient are infinite or NaN; the step counted them as zero"
            )
        return bool(done)

    def _step_some(
        self, group: Mapping[str, Any], state: GroupState, grad_scale: float, max_value: float
    ) -> None:
        """A step where some parameters have no gradient, or have made more steps than others."""
        parameters, names = group["params"], self._kept(group)
        chosen = [i for i, parameter in enumerate(parameters) if parameter.grad is not None]
        steps = state.spread(len(parameters))
        for name in names:
            state.begin(name, self, group, chosen)
        numbers = sorted({steps[i] for i in chosen})
        tables = [i for i, p in enumerate(parameters) if self._has_tables and _has_rows(p)]
        # Of several the first would have been made when the second raises.
        several = len(numbers) + len(tables) > 1
        if self._watch and several and not _core._finite_gradients(gradient_holders(parameters)):
            raise FloatingPointError(f"{self._name}: a gradient is infinite or NaN; nothing was changed")
        done = 1
        for number in numbers:
            these = [i for i in chosen if steps[i] == number]
            done = self._step_group(
                group,
                number + 1 if names else 1,
                [parameters[i] for i in these],
                [parameters[i].grad for i in these],
                [[state.kept[name][i] for i in these] for name in names],
                grad_scale,
                max_value,
            )
        for i in tables:
            number = steps[i] + 1 if names else 1
            kept = [state.begin(name, self, group, [i])[i] for name in names]
            done = max(done, self._step_table(group, number, parameters[i], kept, grad_scale, max_value))
        if names:
            for i in chosen + tables:
                steps[i] += 1
        self._made(done)

    def _step_table(
        self,
        group: Mapping[str, Any],
        step: int,
        table: SparseParameter,
        kept: Sequence[Tensor],
        grad_scale: float,
        max_value: float,
    ) -> int:
        """A step of those rows of a table that have a gradient, and of what is kept for them."""
        if table.grad is not None:
            raise ValueError(
                f"{self._name}: a parameter of shape {tuple(table.shape)} has a gradient of single rows "
                "(Embedding with sparse=True) and another of all; tied weights need sparse=False"
            )
        if group.get("weight_decay") or group.get("momentum"):
            raise ValueError(
                f"{self._name}: momentum and weight_decay change all rows of a table, expected 0 for a "
                f"parameter with gradients of single rows (shape {tuple(table.shape)})"
            )
        gradient = table.sparse_grad
        assert gradient is not None
        rows, values = gradient
        whole = [table.detach(), *kept]
        parts = [_core.take(tensor, rows, 0) for tensor in whole]
        own = [[part] for part in parts[1:]]
        done = self._step_group(group, step, parts[:1], [values], own, grad_scale, max_value)
        with no_grad():
            for tensor, part in zip(whole, parts, strict=True):
                tensor[rows] = part
        return done

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets all gradients.

        Args:
            set_to_none: Whether `.grad` becomes None; else it is filled with zeros.
        """
        for group in self.param_groups:
            for parameter in group["params"] if self._has_tables else ():
                if isinstance(parameter, SparseParameter):
                    parameter.grad = None
            if set_to_none:
                _core._clear_gradients(group["params"])
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad = _core.zeros(parameter.shape, dtype=parameter.dtype)

    # Hooks

    def register_step_pre_hook(self, hook: Callable[[Optimizer, Any, Any], Any]) -> StepHookHandle:
        """Calls `hook(optimizer, args, kwargs)` before every step.

        Args:
            hook: A function. `args`, whose first is the optimizer, and `kwargs` are what `step` is called
                with; a tuple of new ones that the hook returns replaces them. Hooks run in the order of
                registration; copies of the optimizer, pickled ones too, have none.

        Returns:
            A handle whose `remove()` takes the hook away.

        Example:
            >>> import drivetrain as dt
            >>> w = dt.tensor([1.0], requires_grad=True)
            >>> optimizer = dt.optim.SGD([w], lr=0.1)
            >>> handle = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print("before"))
            >>> optimizer.step()
            before
            >>> handle.remove()
            >>> optimizer.step()
        """
        return StepHookHandle(self, "before", hook)

    def register_step_post_hook(self, hook: Callable[[Optimizer, Any, Any], None]) -> StepHookHandle:
        """Calls `hook(optimizer, args, kwargs)` after every step: see `register_step_pre_hook`."""
        return StepHookHandle(self, "after", hook)

    # State

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """What is kept for each parameter: "step" and tensors such as "momentum_buffer"."""
        return {
            parameter: state.of(i)
            for group, state in zip(self.param_groups, self._states, strict=True)
            for i, parameter in enumerate(group["params"])
            if state.of(i)
        }

    def state_dict(self) -> dict[str, Any]:
        """The state in PyTorch's form, for a checkpoint. The tensors are shared, not copied.

        Returns:
            {"state": {number of the parameter: {"step": ..., name: tensor}}, "param_groups": [options and the
            numbers of the parameters]}
        """
        return collect(self)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over what `state_dict()` of an optimizer with the same groups returned; tensors are copied.

        Raises:
            ValueError: Groups, numbers of parameters or shapes differ. Nothing has been changed then.
        """
        load(self, state_dict)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "step"}  # nor its hooks

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


# What Keras and others call the arguments.
_ELSEWHERE = {
    "learning_rate": "lr",
    "epsilon": "eps",
    "beta": "betas",
    "beta1": "betas",
    "beta2": "betas",
    "beta_1": "betas",
    "beta_2": "betas",
    "decay": "weight_decay",
    "wd": "weight_decay",
    "parameters": "params",
}


def _hint(name: str, known: Iterable[str]) -> str:
    if name in ("foreach", "fused", "capturable", "differentiable"):
        return "; every step is one call for all parameters anyway"
    right = _ELSEWHERE.get(name, "")
    if right in known:
        return f"; did you mean '{right}'?"
    return suggest(name, [other for other in known if other != "self"])


def parameters_of(optimizer: Optimizer) -> list[Tensor]:
    """All that an optimizer's gradients are in: its parameters, and what holds those of single rows."""
    groups = optimizer.param_groups
    if len(groups) == 1:
        found: list[Tensor] = groups[0]["params"]
    else:
        found = [parameter for group in groups for parameter in group["params"]]
    return gradient_holders(found) if optimizer._has_tables else found


def _has_rows(parameter: Tensor) -> bool:
    return isinstance(parameter, SparseParameter) and parameter.sparse_grad is not None
