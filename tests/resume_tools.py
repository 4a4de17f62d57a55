"""A run with everything that has a state, which can be ended at any moment and built anew."""

import numpy as np

import drivetrain as dt
from drivetrain import nn
from drivetrain.io.arrays import copy_of
from drivetrain.train import Callback, Trainer

rng = np.random.default_rng(7)
X = rng.normal(size=(50, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 0.5)
SAMPLES = list(zip(X, Y, strict=True))


class Killed(Exception):
    """Stands for the end of the process."""


class KillAt(Callback):
    """Ends the run behind a batch; ``behind`` also counts ends of epochs."""

    def __init__(self, batch=None, epoch=None):
        super().__init__()
        self.batch, self.epoch = batch, epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.trainer.loop.batches_seen == self.batch:
            raise Killed

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Killed


class Average(Callback):
    """An exponential moving average of the weights."""

    def on_train_begin(self, logs=None):
        self.weights = {name: copy_of(value) for name, value in self.model.state_dict().items()}

    def on_train_batch_end(self, batch, logs=None):
        with dt.no_grad():
            for name, value in self.model.state_dict().items():
                if value.dtype is dt.float32:
                    self.weights[name][...] = self.weights[name] * 0.9 + value * 0.1

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state):
        self.weights = {name: copy_of(value) for name, value in state["weights"].items()}


class Record(Callback):
    """What the callbacks are told, batch by batch."""

    def __init__(self):
        super().__init__()
        self.told = []

    def on_train_batch_end(self, batch, logs=None):
        self.told.append([self.trainer.loop.epoch, batch, sorted(logs), *logs.values()])

    def on_epoch_end(self, epoch, logs=None):
        self.told.append([epoch, sorted(logs), *logs.values()])

    def state_dict(self):
        return {"told": self.told}

    def load_state_dict(self, state):
        self.told = state["told"]


def one_cycle(optimizer, steps=60):
    return optimizer_schedule(optimizer, steps)


class optimizer_schedule:
    """Up and down again, step by step."""

    interval = "step"

    def __init__(self, optimizer, steps):
        self.optimizer, self.steps, self.done = optimizer, steps, 0
        self._set()

    def _set(self):
        share = self.done / self.steps
        for group in self.optimizer.param_groups:
            group["lr"] = 0.03 * min(share * 4 + 0.1, 1.2 - share)

    def step(self):
        self.done += 1
        self._set()

    def state_dict(self):
        return {"done": self.done}

    def load_state_dict(self, state):
        self.done = state["done"]
        self._set()


def network():
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3))


def trainer(seed=3, optimizer=None, model=None, **options):
    dt.manual_seed(seed)
    return Trainer(
        network() if model is None else model,
        loss="cross_entropy",
        optimizer=optimizer or (lambda p: dt.optim.AdamW(p, lr=0.01)),
        seed=seed,
        **{"metrics": ["accuracy"], "accumulate_grad_batches": 3, "lr_scheduler": one_cycle, **options},
    )


def bits(value):
    """A nested state as something that compares bit by bit."""
    if isinstance(value, dict):
        return {key: bits(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    if hasattr(value, "tobytes"):
        return value.detach().tobytes() if hasattr(value, "detach") else value.tobytes()
    return repr(value)


def outcome(trained, callbacks):
    """All that two runs are compared by."""
    state = trained.state_dict()
    for name in ("settings", "data", "validation", "callbacks"):
        del state[name]
    return bits([state, [callback.state_dict() for callback in callbacks]])
