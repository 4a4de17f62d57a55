"""What an optimizer keeps from step to step, and how it goes into a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _core
from .._core import Tensor

if TYPE_CHECKING:
    from .optimizer import Optimizer


class GroupState:
    """The state of one group: a number of steps, and for every name a list with one tensor per parameter."""

    def __init__(self) -> None:
        self.step = 0  # made by every parameter
        self.uneven: list[int] | None = None  # steps made by each, where they may differ
        self.kept: dict[str, list[Any]] = {}  # None: that parameter has not been stepped

    def begin(
        self,
        name: str,
        optimizer: Optimizer,
        group: Mapping[str, Any],
        chosen: Iterable[int] | None = None,
    ) -> list[Any]:
        """The list `name`, where the chosen parameters (all by default) that have nothing yet begin."""
        parameters = group["params"]
        kept = self.kept.setdefault(name, [None] * len(parameters))
        for i in range(len(parameters)) if chosen is None else chosen:
            if kept[i] is None:
                kept[i] = optimizer._begin(name, group, parameters[i])
        return kept

    def spread(self, count: int) -> list[int]:
        """The steps of each parameter, from now on counted one by one."""
        if self.uneven is None:
            self.uneven = [self.step] * count
        return self.uneven

    def of(self, i: int) -> dict[str, Any]:
        """What is kept for parameter `i`; empty before its first step."""
        kept = {name: tensors[i] for name, tensors in self.kept.items() if tensors[i] is not None}
        return {"step": self.step if self.uneven is None else self.uneven[i], **kept} if kept else {}


def collect(optimizer: Optimizer) -> dict[str, Any]:
    """See `Optimizer.state_dict`."""
    found: dict[int, dict[str, Any]] = {}
    groups = []
    number = 0
    for group, state in zip(optimizer.param_groups, optimizer._states, strict=True):
        count = len(group["params"])
        for i in range(count):
            if kept := state.of(i):
                found[number + i] = kept
        groups.append({**group, "params": list(range(number, number + count))})
        number += count
    return {"state": found, "param_groups": groups}


def load(optimizer: Optimizer, values: Mapping[str, Any]) -> None:
    """See `Optimizer.load_state_dict`."""
    name = type(optimizer).__name__
    if not isinstance(values, Mapping) or not {"state", "param_groups"} <= set(values):
        raise TypeError(f"{name}.load_state_dict: expected a dict with 'state' and 'param_groups'")
    groups, given = optimizer.param_groups, values["param_groups"]
    _check_form(name, values["state"], given)
    counts = [len(group["params"]) for group in groups], [len(group["params"]) for group in given]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{name}.load_state_dict: the parameter groups hold {counts[1]} parameters, "
            f"but those of this optimizer {counts[0]}"
        )
    # JSON knows no integer keys.
    kept = {int(number): entry for number, entry in values["state"].items()}
    if unknown := kept.keys() - {number for group in given for number in group["params"]}:
        raise ValueError(f"{name}.load_state_dict: state has parameter {min(unknown)}, which no group holds")
    states, options = [], []
    for group, other in zip(groups, given, strict=True):
        merged = {
            k: tuple(v) if isinstance(v, list) else v
            for k, v in other.items()
            if (k in group and k != "params") or k not in _PYTORCHS
        }
        optimizer._check_options({**group, **merged})
        options.append(merged)
        entries = [kept.get(n, {}) for n in other["params"]]
        states.append(_group_state(optimizer, {**group, **merged}, entries))
    for group, merged in zip(groups, options, strict=True):
        group.update(merged)
    optimizer._states = states


# Entries of a group that are no options: the numbers of the parameters, and what PyTorch's alone has.
_PYTORCHS = ("params", "foreach", "fused", "capturable", "differentiable", "decoupled_weight_decay")


def _check_form(name: str, state: Any, groups: Any) -> None:
    """Raises unless these look like what `collect` returned."""
    if not isinstance(state, Mapping) or not all(isinstance(entry, Mapping) for entry in state.values()):
        raise TypeError(f"{name}.load_state_dict: 'state' must be a dict of dicts, got {state!r:.80}")
    if not isinstance(groups, (list, tuple)) or not all(
        isinstance(group, Mapping) and isinstance(group.get("params"), (list, tuple)) for group in groups
    ):
        raise TypeError(
            f"{name}.load_state_dict: 'param_groups' must be a list of dicts with 'params', got "
            f"{groups!r:.80}"
        )
    if not all(str(number).isdecimal() for number in state):
        raise ValueError(f"{name}.load_state_dict: 'state' must be keyed by the numbers of the parameters")


def _check_whole(optimizer: Optimizer, group: Mapping[str, Any], i: int, entry: Mapping[str, Any]) -> None:
    """Raises where the state of a parameter lacks something, which would begin anew without a word."""
    parameter = group["params"][i]
    needed = [
        key
        for key in ("step", *optimizer._keeps)
        if optimizer._keeps
        and key not in optimizer._optional
        and (key == "step" or optimizer._begin(key, group, parameter) is not None)
    ]
    if lacking := [key for key in needed if entry.get(key) is None]:
        raise ValueError(
            f"{type(optimizer).__name__}.load_state_dict: parameter {i} lacks {', '.join(lacking)}; "
            f"the state has {', '.join(map(str, entry)) or 'nothing'}"
        )


# Sums and means of squares, and sizes. NaN is let pass: so may have ended what is resumed.
_NOT_NEGATIVE = {
    *("exp_avg_sq", "max_exp_avg_sq", "exp_inf", "sum", "square_avg", "acc_delta"),
    *("row_var", "col_var", "variance", "step_size"),
}


def _check_range(what: str, key: str, tensor: Tensor) -> None:
    """Raises for values that no training leaves."""
    values = tensor.numpy()
    if key in _NOT_NEGATIVE and (values < 0).any():
        raise ValueError(f"{what} holds {values.min()}, expected positive numbers or 0")
    if key == "mu_product" and not 0 <= values < 1:
        raise ValueError(f"{what} is {values}, expected a number from 0 to below 1")


def _group_state(
    optimizer: Optimizer, group: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
) -> GroupState:
    state, name, parameters = GroupState(), type(optimizer).__name__, group["params"]
    steps = []
    for i, (parameter, entry) in enumerate(zip(parameters, entries, strict=True)):
        tensors = {key: value for key, value in entry.items() if key != "step" and value is not None}
        # PyTorch's SGD counts no steps; all that matters to ours is that there were some.
        steps.append(int(entry.get("step", 1 if tensors else 0)))
        if steps[-1] < 0:
            raise ValueError(f"{name}.load_state_dict: parameter {i} has made {steps[-1]} steps")
        for key, value in tensors.items():
            if optimizer._keeps and key not in optimizer._keeps:
                raise ValueError(
                    f"{name}.load_state_dict: parameter {i} has '{key}', which {name} does not keep; "
                    f"it keeps {', '.join(optimizer._keeps)}"
                )
            first = optimizer._begin(key, group, parameter)
            expected = None if first is None else tuple(first.shape)
            if first is None or np.shape(value) != expected:
                raise ValueError(
                    f"{name}.load_state_dict: '{key}' of parameter {i} has shape {np.shape(value)}, "
                    f"expected {expected}"
                )
            kept = state.kept.setdefault(key, [None] * len(parameters))
            kept[i] = _core.tensor(value, dtype=first.dtype)
            _check_range(f"{name}.load_state_dict: '{key}' of parameter {i}", key, kept[i])
        if steps[-1] or tensors:
            _check_whole(optimizer, group, i, entry)
    whole = all(
        tensor is not None or optimizer._begin(key, group, parameter) is None
        for key, kept in state.kept.items()
        for tensor, parameter in zip(kept, parameters, strict=True)
    )
    if len(set(steps)) == 1 and whole:
        state.step = steps[0]
    else:
        state.uneven = steps
    return state
