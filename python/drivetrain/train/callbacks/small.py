"""Callbacks of a few lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..._arguments import suggest
from ..._checks import integer
from .base import Callback, Logs


class TerminateOnNaN(Callback):
    """End the training when the loss is infinite or NaN.

    By default `Trainer` raises before that, and says which layer it was: this is for
    ``Trainer(on_nonfinite="ignore")`` and for loops that are to end quietly.

    Source: Keras's ``keras.callbacks.TerminateOnNaN``.

    Example:
        >>> from drivetrain.train import TerminateOnNaN
        >>> end = TerminateOnNaN()
    """

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: the loss is {loss}, the training ends")
            self.model.stop_training = True


class LambdaCallback(Callback):
    """A callback made of functions.

    Args:
        on_epoch_begin: Function of (epoch, logs).
        on_epoch_end: Function of (epoch, logs).
        on_train_begin: Function of (logs).
        on_train_end: Function of (logs).
        on_train_batch_begin: Function of (batch, logs).
        on_train_batch_end: Function of (batch, logs).
        kwargs: Functions for the other hooks of `Callback`.

    Raises:
        TypeError: For a name that is no hook, and for what is no function.

    Source: Keras's ``keras.callbacks.LambdaCallback``.

    Example:
        >>> from drivetrain.train import LambdaCallback
        >>> show = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> show.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any] | None,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        hooks = [name for name in dir(Callback) if name.startswith("on_")]
        for name, function in given.items():
            if name not in hooks:
                raise TypeError(f"LambdaCallback: there is no hook '{name}'{suggest(name, hooks)}")
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"LambdaCallback: {name} is a {type(function).__name__}, expected a function")
            setattr(self, name, function)


class ModelSummary(Callback):
    """Print the table of the model's layers when the training begins.

    Args:
        max_depth (int, default 1): How deep layers are listed: 1 for those of the model itself, -1 for all,
            0 for none. What lies deeper is counted in the layer that holds it.

    Source: PyTorch Lightning's ``ModelSummary``.

    Example:
        >>> from drivetrain.train import ModelSummary
        >>> table = ModelSummary(max_depth=-1)
    """

    def __init__(self, max_depth: int = 1) -> None:
        super().__init__()
        self.max_depth = integer("ModelSummary", "max_depth", max_depth, -1)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.max_depth:
            self.model.summary(max_depth=None if self.max_depth == -1 else self.max_depth)
