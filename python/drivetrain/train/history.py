"""The record of a training."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .callbacks import Callback, Logs


class History(Callback):
    """What ``fit`` returns: every metric of every epoch.

    Attributes:
        history (dict of lists): A list per metric, "loss" and "val_accuracy" for instance, with one number
            per epoch.
        epoch (list of int): The epochs, counted from 0.

    Source: Keras's ``keras.callbacks.History``.

    Example:
        >>> from drivetrain.train import History
        >>> record = History()
        >>> record.on_epoch_end(0, {"loss": 0.5})
        >>> record.history, record.epoch
        ({'loss': [0.5]}, [0])
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.history, self.epoch = {}, []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def state_dict(self) -> dict[str, Any]:
        """The record so far."""
        return {"history": self.history, "epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the record that ``state_dict`` returned."""
        history, epoch = state.get("history"), state.get("epoch")
        if not isinstance(history, Mapping) or not isinstance(epoch, list):
            raise ValueError("History.load_state_dict: expected a dict 'history' and a list 'epoch'")
        self.history = {name: list(values) for name, values in history.items()}
        self.epoch = list(epoch)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw the learning curves; see ``drivetrain.train.plots.plot_history``."""
        from .plots import plot_history

        return plot_history(self, path)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.history.items() if values)
        return f"History({len(self.epoch)} epochs{': ' if last else ''}{last})"
