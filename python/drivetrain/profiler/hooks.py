"""Puts spans around modules, steps of optimizers and what a trainer does, for the length of a profile.

Everything here replaces methods of classes and puts them back: without a profile nothing is in the way.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .._core import _profile_begin, _profile_end
from ..data.loader import DataLoader
from ..nn import Module, Sequential
from ..optim import GradScaler, Optimizer
from ..optim.hooks import StepHooks
from ..train.batch import BatchTraining
from ..train.callbacks import CallbackList
from ..train.evaluator import Evaluator
from ..train.guard import NonFiniteGuard
from ..train.sources import Source
from ..train.update import Update

# Class, method, phase.
METHODS: tuple[tuple[type[Any], str, str], ...] = (
    (Optimizer, "zero_grad", "update"),
    (StepHooks, "__call__", "update"),
    (GradScaler, "step", "update"),
    (GradScaler, "update", "update"),
    (Update, "step", "update"),
    (BatchTraining, "_forward", "forward"),
    (Evaluator, "_loss", "forward"),
    (Evaluator, "_track", "metrics"),
    (Evaluator, "_logs", "metrics"),
    (NonFiniteGuard, "begin_step", "checks"),
    (NonFiniteGuard, "look", "checks"),
    (CallbackList, "call", "callbacks"),
)


class Hooks:
    """The replaced methods of one profile."""

    def __init__(self, *, layers: bool) -> None:
        self.layers = layers
        self._before: list[tuple[type, str, Any]] = []
        self._names: dict[int, str] = {}  # of modules, by id
        self._kept: list[Module] = []  # so that no id is given to another
        self._planned: dict[int, tuple[Sequential, Any]] = {}
        self._depth = threading.local()

    def install(self) -> None:
        for owner, name, phase in METHODS:
            self._replace(owner, name, spanned(vars(owner)[name], phase))
        optimizers: list[type[Any]] = [Optimizer, *subclasses(Optimizer)]
        for optimizer in optimizers:
            if "step" in vars(optimizer):
                self._replace(optimizer, "step", spanned(vars(optimizer)["step"], "update"))
        self._replace(DataLoader, "__iter__", spanned_iterator(DataLoader.__iter__))
        self._replace(Source, "epoch", spanned_iterator(Source.epoch))
        if self.layers:
            self._replace(Module, "__call__", self._spanned_call(Module.__call__))

    def remove(self) -> None:
        for owner, name, method in reversed(self._before):
            setattr(owner, name, method)
        for sequential, _ in self._planned.values():
            sequential.__dict__["_steps"] = None
        self.__init__(layers=self.layers)  # type: ignore[misc]

    def _replace(self, owner: type, name: str, method: Any) -> None:
        self._before.append((owner, name, vars(owner)[name]))
        setattr(owner, name, method)

    def _spanned_call(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def spanned_call(module: Module, *args: Any, **kwargs: Any) -> Any:
            depth = getattr(self._depth, "value", 0)
            if depth == 0:
                self._learn_names(module)
            if isinstance(module, Sequential):
                self._plan(module)
            self._depth.value = depth + 1
            event = _profile_begin(self._name(module), "layer")
            try:
                return call(module, *args, **kwargs)
            finally:
                _profile_end(event)
                self._depth.value = depth

        return spanned_call

    def _learn_names(self, root: Module) -> None:
        if id(root) in self._names:
            return
        for name, module in root.named_modules():
            if id(module) not in self._names:
                kind = type(module).__name__
                self._names[id(module)] = f"{name} ({kind})" if name else kind
                self._kept.append(module)

    def _name(self, module: Module) -> str:
        return self._names.get(id(module)) or type(module).__name__

    def _plan(self, sequential: Sequential) -> None:
        """Has a Sequential put spans around layers that it computes together with their ReLU."""
        steps = sequential._steps or sequential._plan()
        if self._planned.get(id(sequential), (None, None))[1] is steps:
            return
        planned = tuple(self._span_of(step) for step in steps)
        sequential.__dict__["_steps"] = planned
        self._planned[id(sequential)] = (sequential, planned)

    def _span_of(self, step: Any) -> Any:
        name = self._name(step.layer) + (" + ReLU" if step.relu is not None else "")
        return step._replace(
            fused=step.fused and spanned(step.fused, name, "layer"),
            linear=step.linear and spanned(step.linear, name, "layer"),
        )


def subclasses(owner: type[Any]) -> Iterator[type[Any]]:
    children: list[type[Any]] = owner.__subclasses__()
    for child in children:
        yield child
        yield from subclasses(child)


def spanned(function: Callable[..., Any], name: str, kind: str = "phase") -> Callable[..., Any]:
    """A function with a span around it."""

    @functools.wraps(function, updated=())
    def run(*args: Any, **kwargs: Any) -> Any:
        event = _profile_begin(name, kind)
        try:
            return function(*args, **kwargs)
        finally:
            _profile_end(event)

    return run


def spanned_iterator(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A generator function with a span around the making of every item."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Iterator[Any]:
        items = function(*args, **kwargs)
        while True:
            event = _profile_begin("data", "phase")
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                _profile_end(event)
            yield item

    return run
