"""How a schedule goes into a checkpoint and comes back: its attributes, checked before any is changed."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import LRScheduler

_PLAIN = (str, bool, int, float, type(None))
_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, type)


def stored_state(schedule: LRScheduler) -> dict[str, Any]:
    """See `LRScheduler.state_dict`."""
    state = {name: _stored(value) for name, value in _attributes(schedule).items()}
    return {"schedule": type(schedule).__name__, **state}


def _attributes(schedule: LRScheduler) -> dict[str, Any]:
    return {name: value for name, value in vars(schedule).items() if name not in schedule._passing}


def _stored(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [_stored(entry) for entry in value]
    if isinstance(value, numbers.Real):  # NumPy's
        return float(value)
    if hasattr(value, "state_dict"):
        return value.state_dict()
    if isinstance(value, Mapping):
        return {str(name): _stored(entry) for name, entry in value.items()}
    if callable(value) and not isinstance(value, _FUNCTIONS):
        return {name: _stored(entry) for name, entry in getattr(value, "__dict__", {}).items()}
    return None


def load_state(schedule: LRScheduler, state: Any) -> None:
    """See `LRScheduler.load_state_dict`."""
    for thing, values in _changes(schedule, state):
        thing.__dict__.update(values)


Changes = list[tuple[Any, dict[str, Any]]]


def _changes(schedule: LRScheduler, state: Any) -> Changes:
    """The new attributes of a schedule and of those in it; raises where they are wrong."""
    place = f"{type(schedule).__name__}.load_state_dict"
    if not isinstance(state, Mapping):
        raise TypeError(f"{place}: state_dict is a {type(state).__name__}, expected a dict")
    kind = state.get("schedule")
    if kind != type(schedule).__name__:
        raise ValueError(f"{place}: the state is that of {kind!r:.80}")
    own = _attributes(schedule)
    given = {name: value for name, value in state.items() if name != "schedule"}
    for what, names in (("lacks", own.keys() - given.keys()), ("has the unknown", given.keys() - own.keys())):
        if names:
            raise ValueError(f"{place}: the state {what} {', '.join(map(repr, sorted(map(str, names))))}")
    inner: Changes = []
    loaded = {name: _loaded(place, name, own[name], value, inner) for name, value in given.items()}
    trial = copy.copy(schedule)
    vars(trial).update(loaded)
    _check(place, trial)
    return [(schedule, loaded), *inner]


def _check(place: str, trial: LRScheduler) -> None:
    if isinstance(trial.last_epoch, bool) or not isinstance(trial.last_epoch, int) or trial.last_epoch < -1:
        raise ValueError(f"{place}: 'last_epoch' must be an integer of at least -1, got {trial.last_epoch!r}")
    groups = len(trial.optimizer.param_groups)
    for name in ("base_lrs", "_last_lr"):
        values = getattr(trial, name, [0.0] * groups)
        if len(values) != groups:
            raise ValueError(
                f"{place}: '{name}' has {len(values)} learning rates, but the optimizer {groups} parameter "
                "groups"
            )
        if not all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values):
            raise TypeError(f"{place}: '{name}' must be numbers, got {values!r:.80}")
    trial._check()


def _loaded(place: str, name: str, own: Any, given: Any, inner: Changes) -> Any:
    """The new value of an attribute, of the kind of its present one. What has attributes of its own stays,
    and gets new ones, which are noted in `inner`."""
    if hasattr(own, "load_state_dict"):
        inner += _changes(own, given)
        return own
    if isinstance(own, list) and any(callable(entry) or hasattr(entry, "load_state_dict") for entry in own):
        if not isinstance(given, (list, tuple)) or len(given) != len(own):
            raise ValueError(f"{place}: '{name}' must be a list of {len(own)}, got {given!r:.80}")
        pairs = enumerate(zip(own, given, strict=True))
        return [_loaded(place, f"{name}[{i}]", mine, other, inner) for i, (mine, other) in pairs]
    if callable(own):
        if given is not None and (isinstance(own, _FUNCTIONS) or not isinstance(given, Mapping)):
            raise TypeError(f"{place}: '{name}' is {given!r:.80}, expected that of {own!r:.80}")
        if given:
            inner.append((own, dict(given)))
        return own
    if isinstance(own, (list, tuple)):
        fits = isinstance(given, (list, tuple))
    elif isinstance(own, (str, bool)):
        fits = isinstance(given, type(own))
    elif own is None or isinstance(own, numbers.Real):
        fits = given is None or (isinstance(given, numbers.Real) and not isinstance(given, bool))
    else:
        fits = isinstance(given, Mapping)
    if not fits:
        raise TypeError(f"{place}: '{name}' is {given!r:.80}, expected something like {own!r:.80}")
    return type(own)(given) if isinstance(own, (list, tuple)) else given
