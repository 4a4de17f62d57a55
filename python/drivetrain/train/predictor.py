"""Prediction: what needs a model and neither loss nor optimizer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import no_grad
from .._arguments import checks_names
from ..nn import Module
from ..nn.carried import carried_states
from .callbacks import Callback, CallbackList, as_callbacks
from .precision import as_model_wants, floats_of, half_of, in_float32, region
from .progress import ProgressBar
from .sources import make_source


class Predictor:
    """Runs a model over data of any length.

    A model in a half format (``model.half()``) is given inputs of that format; what it gives becomes float32.
    One of float64 (``model.double()``) is given float64, and gives it.

    Args:
        model: Module.
        callbacks (list of Callback, default none): For every run.

    Example:
        >>> import numpy as np
        >>> from drivetrain import nn
        >>> from drivetrain.train import Predictor
        >>> Predictor(nn.Linear(3, 2)).predict(np.zeros((100, 3))).shape
        (100, 2)
    """

    def __init__(self, model: Any, callbacks: Iterable[Callback] = ()) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"{type(self).__name__}: model is a {type(model).__name__}, expected a Module")
        self.model = model
        self.precision = "float32"
        self.callbacks = as_callbacks(callbacks)

    @checks_names
    def predict(
        self,
        x: Any,
        batch_size: int = 32,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Iterable[Callback] | None = None,
    ) -> Any:
        """Return what the model gives for data, as one NumPy array (a tuple where the model gives several).

        The arguments are those of ``fit``; targets that a data set or loader brings are passed over.
        """
        data = make_source("predict", x, batch_size=batch_size, steps=steps, floats=floats_of(self.model))
        hooks = self._hooks(verbose, callbacks, [], epochs=1, steps=data.steps)
        hooks.call("on_predict_begin", {})
        outputs: list[tuple[Any, ...]] = []
        half = half_of(self.model)
        with in_mode(self.model, training=False), no_grad(), region(self.precision):
            for step, batch in enumerate(data.epoch()):
                hooks.call("on_predict_batch_begin", step, {})
                output = in_float32(self.model(*as_model_wants(batch.inputs, half)))
                # Copied: the memory of a step is reused by the next.
                outputs.append(tuple(np.array(part.detach()) for part in several(output)))
                hooks.call("on_predict_batch_end", step, {})
        hooks.call("on_predict_end", {})
        columns = tuple(np.concatenate(column) for column in zip(*outputs, strict=True))
        return columns if len(columns) > 1 else columns[0]

    def _hooks(
        self, verbose: int | str, callbacks: Iterable[Callback] | None, last: list[Callback], **params: Any
    ) -> CallbackList:
        bar = [] if verbose == 0 else [ProgressBar(verbose)]
        every = [*bar, *self.callbacks, *as_callbacks(callbacks), *last]
        return CallbackList(every, model=self.model, trainer=self, params={"verbose": verbose, **params})


@contextlib.contextmanager
def in_mode(model: Any, *, training: bool) -> Iterator[None]:
    """Put a model into training or evaluation mode for the length of a block, and back after it.

    An evaluation begins without carried states, and leaves those that there were.
    """
    modules = [(module, module.training) for module in model.modules()]
    kept = [] if training else [(states, states.get()) for states in carried_states(model).values()]
    model.train(training)
    try:
        for states, _ in kept:
            states.set(None)
        yield
    finally:
        for states, before in kept:
            states.set(before)
        for module, was_training in modules:
            module.training = was_training


def several(output: Any) -> tuple[Any, ...]:
    return tuple(output) if isinstance(output, (tuple, list)) else (output,)
