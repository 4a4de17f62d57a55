"""Finds the layer that first gives infinity or NaN, by running a step with a look at every layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._core import Tensor
from ..nn import Module


def find_culprit(model: Module, batch: Any, run: Callable[[], Any]) -> str:
    """Say in a sentence where the first value that is not finite comes from.

    Args:
        model: Module.
        batch: The Batch that `run` computes with.
        run: Computes forward, and returns the loss.
    """
    for i, item in enumerate(batch.inputs):
        if found := describe(item):
            which = f"input {i} of the batch" if len(batch.inputs) > 1 else "the batch's x"
            return f"Already {which} has {found}"
    for what, value in (("target", batch.target), ("sample_weight", batch.weight)):
        if found := describe(value):
            return f"Already the batch's {what} has {found}"
    for name, parameter in model.named_parameters():
        if found := describe(parameter):
            return f"Already before the step the parameter '{name}' has {found}"
    watch = Watch(model)
    try:
        loss = run()
        if watch.forward:
            return watch.forward
        if found := describe(loss):
            return f"All layers give finite values in the forward; the loss has {found}"
        loss.backward()
        return watch.backward() or "Run again with a look at every layer, the step gave finite values"
    finally:
        watch.remove()


class Call:
    """One call of a layer: which of the gradients at its outputs, and at its inputs, were finite."""

    def __init__(self, name: str, module: Module) -> None:
        self.name, self.module = name, module
        self.outputs: list[str] = []
        self.inputs: list[str] = []

    def __str__(self) -> str:
        return f"layer '{self.name}' ({type(self.module).__name__})"


class Watch:
    """Hooks on all layers of a model."""

    def __init__(self, model: Module) -> None:
        self.forward = ""  # the sentence, once a layer gave a value that is not finite
        self.calls: list[Call] = []
        self._handles = [
            module.register_forward_hook(self._hook(name)) for name, module in model.named_modules()
        ]

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str) -> Callable[[Module, tuple[Any, ...], Any], None]:
        def after(module: Module, args: tuple[Any, ...], output: Any) -> None:
            call = Call(name, module)
            if not self.forward:
                self.forward = forward_fault(call, args, output)
            if any(module.children()):
                return  # what happens within it has been seen
            self.calls.append(call)
            for tensor in tensors_in(output):
                look_at_gradient(tensor, call.outputs)
            for tensor in tensors_in(args):
                look_at_gradient(tensor, call.inputs)

        return after

    def backward(self) -> str:
        """The sentence about the gradients, after backward; "" where they are finite."""
        for call in reversed(self.calls):
            if any(call.outputs):
                found = next(filter(None, call.outputs))
                return (
                    f"The forward is finite; in the backward the gradient that reaches the output of {call} "
                    f"has {found}: it comes from the loss, or from a function behind that layer"
                )
            for name, parameter in call.module.named_parameters():
                rows = getattr(parameter, "sparse_grad", None)
                if found := describe(parameter.grad if rows is None else rows.values):
                    return f"The forward is finite; the backward of {call} gives its {name} {found}"
            if any(call.inputs):
                found = next(filter(None, call.inputs))
                return f"The forward is finite; the backward of {call} gives its input {found}"
        return ""


def forward_fault(call: Call, args: tuple[Any, ...], output: Any) -> str:
    """A sentence if the output of a call is not finite."""
    found = first_fault(output)
    if not found:
        return ""
    if not call.name:
        return f"All layers give finite values in the forward; what the model makes of them has {found}"
    if given := first_fault(args):
        return f"In the forward, the input of {call} has {given}: it was computed outside of any layer"
    buffers = [name for name, buffer in call.module.named_buffers() if describe(buffer)]
    cause = f", as its {buffers[0]} has" if buffers else ""
    return f"In the forward, the output of {call} is the first with {found}{cause}"


def first_fault(values: Any) -> str:
    return next(filter(None, map(describe, tensors_in(values))), "")


def tensors_in(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from tensors_in(value)
    elif isinstance(values, dict):
        yield from tensors_in(list(values.values()))


def look_at_gradient(tensor: Tensor, notes: list[str]) -> None:
    if tensor.requires_grad:
        tensor.register_hook(lambda grad: notes.append(describe(grad)))


def describe(value: Any) -> str:
    """How many values are not finite and where the first one is, or ""."""
    if not isinstance(value, Tensor) or not value.dtype.is_floating_point:
        return ""
    values = np.asarray(value.detach().astype("float64"))
    counts = (("nan", int(np.isnan(values).sum())), ("inf", int(np.isinf(values).sum())))
    found = " and ".join(f"{count} {kind}" for kind, count in counts if count)
    if not found:
        return ""
    first = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
    return f"{found} in {value.dtype.name} of shape {values.shape}, first at {first}"
