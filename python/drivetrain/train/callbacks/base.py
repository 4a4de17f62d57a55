"""Callbacks: what happens around a training loop, with Keras's names for hooks and arguments."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..._arguments import ChecksNames
from ..._checks import real

Logs = dict[str, Any]


class Callback(ChecksNames):
    """Base class: override the hooks that you need.

    ``self.model`` is the model, ``self.trainer`` the trainer, ``self.params`` a dict with "epochs", "steps"
    (None when unknown) and "verbose". ``logs`` holds the metrics so far. To end the training after the
    current batch set ``self.model.stop_training = True``. What has to go on where it was after a resumed
    training gives its state in ``state_dict`` and takes it back in ``load_state_dict``.

    Source: Keras's ``keras.callbacks.Callback``.

    Example:
        >>> from drivetrain.train import Callback
        >>> class PrintLoss(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         print(epoch, logs["loss"])
        >>> PrintLoss().on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    model: Any = None
    trainer: Any = None
    params: Logs
    # Left out of a trial run (``fast_dev_run``).
    writes_files = False
    # Called before all others, which read the logs that it adds to.
    adds_to_logs = False
    # Called after all others, whose state it saves.
    saves_state = False

    def __init__(self) -> None:
        self.params = {}

    def set_params(self, params: Logs) -> None:
        """Say what the run is like; called before its first hook."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Say which model is trained; called before the first hook."""
        self.model = model

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called once, before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called once after the last epoch; also when an exception or Ctrl-C ends the training."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a training step, counted from 0 in each epoch. Calls ``on_batch_begin``."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a training step, with the running means of the epoch. Calls ``on_batch_end``."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of ``on_train_batch_begin``."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name of ``on_train_batch_end``."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, the validation of an epoch included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of an evaluation."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of a prediction."""

    # State

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs: numbers, strings, lists, dicts of them, tensors and arrays."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned. Called after ``on_train_begin``.

        Raises:
            ValueError: For a state of something else. Nothing has been changed then.
        """
        if state:
            raise ValueError(f"{type(self).__name__}: got a state, but it has none")


def check_path(where: str, name: str, value: Any) -> str:
    """The path as text."""
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str):
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected a path")
    if not path or "\0" in path:
        raise ValueError(f"{where}: {name} is {value!r:.80}, expected a path")
    return path


def check_number(where: str, name: str, value: Any, least: float | None = None) -> None:
    """Raises unless this is a number, and at least so much."""
    expected = "a number" if least is None else f"a number of at least {least}"
    real(where, name, value, expected, lambda x: not math.isnan(x) and (least is None or x >= least))


def check_state(owner: Any, state: Any, **kinds: tuple[type | None, ...]) -> None:
    """Raises ValueError unless a state has these names, each with a value of one of its kinds."""
    where = f"{type(owner).__name__}.load_state_dict"
    if not isinstance(state, Mapping) or set(state) != set(kinds):
        got = ", ".join(sorted(map(str, state))) if isinstance(state, Mapping) else repr(state)[:80]
        raise ValueError(f"{where}: got {got or 'nothing'}, expected {', '.join(kinds)}")
    for name, allowed in kinds.items():
        value = state[name]
        is_count = type(value) is int and value < 0
        if is_count or (type(value) if value is not None else None) not in allowed:
            raise ValueError(f"{where}: {name} is {value!r:.80}")


def check_freq(where: str, save_freq: Any) -> Any:
    if save_freq != "epoch" and (
        isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1
    ):
        raise ValueError(f"{where}: save_freq is {save_freq!r}, expected 'epoch' or a number of batches")
    return save_freq


def as_callbacks(callbacks: Any) -> list[Any]:
    """A list for what a user passes as callbacks: one, several, or None."""
    if callbacks is None or isinstance(callbacks, Callback):
        return [] if callbacks is None else [callbacks]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks: got a {type(callbacks).__name__}, expected a list of Callback")
    return list(callbacks)


ALIASES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def overrides(callback: Callback, hook: str) -> bool:
    """Whether a callback does anything in a hook."""
    if getattr(type(callback), hook) is not getattr(Callback, hook) or hook in vars(callback):
        return True
    return hook in ALIASES and overrides(callback, ALIASES[hook])


class CallbackList:
    """Calls each hook on every callback, in order; hooks that nobody overrides cost nothing."""

    def __init__(self, callbacks: Iterable[Callback], *, model: Any, trainer: Any, params: Logs) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise TypeError(
                    f"callbacks: got a {type(callback).__name__}, expected drivetrain.train.Callback"
                )
            callback.set_params(params)
            callback.set_model(model)
            callback.trainer = trainer
        self.callbacks.sort(key=lambda callback: callback.saves_state - callback.adds_to_logs)
        self._listeners: dict[str, list[Any]] = {}

    def call(self, hook: str, *arguments: Any) -> None:
        """Call ``hook`` on every callback that overrides it."""
        if hook not in self._listeners:
            self._listeners[hook] = [
                getattr(callback, hook) for callback in self.callbacks if overrides(callback, hook)
            ]
        for listener in self._listeners[hook]:
            listener(*arguments)

    def wants(self, hook: str) -> bool:
        """Say whether a callback overrides ``hook``."""
        return any(overrides(callback, hook) for callback in self.callbacks)
