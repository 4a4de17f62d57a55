"""All of a training in one dict, and back.

What is saved between two batches, with the data, the same classes and the ISA level, is all that the rest of
the training depends on: it goes on with the same bits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import default_generator, get_isa
from .._core import Tensor
from ..io import write_state
from ..io.arrays import copy_of
from ..nn.carried import carried_states
from ..nn.parameter import SparseParameter
from ..optim.optimizer import Optimizer
from .callbacks import CallbackList
from .callbacks.base import check_path
from .checkpoints import KIND, read_checkpoint
from .history import History
from .loop import EpochLogs
from .sources import Source

State = dict[str, Any]


def state_of(trainer: Any, *, callbacks: bool = True) -> State:
    """See `Trainer.state_dict`."""
    loop, running = trainer.loop, trainer._running
    return {
        "loop": loop.state_dict(),
        "settings": settings_of(trainer),
        "model": trainer.model.state_dict(),
        **carried_of(trainer.model),
        "gradients": gradients_of(trainer.model) if loop.accumulated else {},
        "optimizer": named(trainer.optimizer),
        "lr_scheduler": None if trainer.lr_scheduler is None else named(trainer.lr_scheduler),
        "schedule_paused": trainer._schedule.is_paused,
        "scaler": trainer.scaler.state_dict(),
        "random": list(default_generator.get_state()),
        "metrics": metrics_of(trainer) if loop.batch else [],
        "epoch_logs": dict(vars(trainer._epoch_logs)) if loop.batch else {},
        "history": trainer.history.state_dict(),
        "skipped_steps": trainer.guard.skipped_steps,
        "stop_training": bool(trainer.model.stop_training),
        "data": None if running is None else running.data.state_dict(),
        "validation": None if running is None or not running.validation else running.validation.state_dict(),
        "callbacks": [named(callback) for callback in stateful(running.hooks)]
        if running and callbacks
        else [],
    }


class Running(NamedTuple):
    """What takes part in a `fit` and has a state."""

    data: Source
    validation: Source | None
    hooks: CallbackList


def settings_of(trainer: Any) -> State:
    """What may be changed, but changes the bits."""
    return {
        "isa": get_isa(),
        "precision": trainer.precision,
        "accumulate_grad_batches": trainer._update.every,
    }


def named(part: Any) -> State:
    if not hasattr(part, "state_dict"):
        raise TypeError(f"state_dict: {type(part).__name__} has no state_dict, and so none to go on from")
    return {"class": type(part).__name__, "state": part.state_dict()}


def stateful(hooks: Any) -> list[Any]:
    """The callbacks that have a state of their own; the history is saved in any case."""
    return [callback for callback in hooks.callbacks if not isinstance(callback, History)]


def gradients_of(model: Any) -> State:
    found: State = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found[name] = parameter.grad
        elif (rows := getattr(parameter, "sparse_grad", None)) is not None:
            found[name] = rows._asdict()
    return found


def metrics_of(trainer: Any) -> list[State]:
    metrics = (trainer._mean_loss, *trainer.metrics)
    return [{"name": metric.name, "state": metric.state_dict()} for metric in metrics]


def load(trainer: Any, state: Mapping[str, Any], *, callbacks: bool = True) -> None:
    """See `Trainer.load_state_dict`."""
    check(trainer, state)
    before = copied(state_of(trainer, callbacks=callbacks))
    try:
        _load(trainer, state, callbacks)
    except BaseException:
        _load(trainer, before, callbacks)
        raise


def _load(trainer: Any, state: Mapping[str, Any], callbacks: bool) -> None:
    loop, running = trainer.loop, trainer._running
    loop.load_state_dict(state["loop"])
    trainer.model.load_state_dict(state["model"])
    if trainer.lr_scheduler is not None:
        trainer.lr_scheduler.load_state_dict(state["lr_scheduler"]["state"])
    # After the schedule, which may set rates that callbacks have changed since.
    trainer.optimizer.load_state_dict(state["optimizer"]["state"])
    trainer._schedule.is_paused = state["schedule_paused"]
    if state["scaler"]:
        trainer.scaler.load_state_dict(state["scaler"])
    for name, parameter in trainer.model.named_parameters():
        gradient = state["gradients"].get(name)
        parameter.grad = None if gradient is None or isinstance(gradient, Mapping) else copy_of(gradient)
        if isinstance(gradient, Mapping):
            if not isinstance(parameter, SparseParameter) or set(gradient) != {"rows", "values"}:
                raise ValueError(f"load_state_dict: the gradient of {name} is of a wrong kind")
            parameter.add_rows(copy_of(gradient["rows"]), copy_of(gradient["values"]))
    if loop.batch:
        load_metrics(trainer, state["metrics"])
        trainer._epoch_logs = EpochLogs(**state["epoch_logs"])
    for name, carried in carried_states(trainer.model).items():
        saved = state["carried"][name]
        tensors = [copy_of(tensor) for tensor in saved["tensors"]]
        carried.set(tensors[0] if saved["is_one"] else tensors)
    trainer.history.load_state_dict(state["history"])
    trainer.guard.skipped_steps = state["skipped_steps"]
    trainer.model.stop_training = state["stop_training"]
    if running is not None:
        go_on(running.data, state["data"], loop.epochs_done)
        if running.validation is not None and state["validation"] is not None:
            running.validation.load_state_dict(state["validation"])
        if callbacks:
            load_callbacks(running.hooks, state["callbacks"])
    # Last: what came before may have drawn.
    default_generator.set_state(tuple(state["random"]))


def go_on(data: Any, state: State | None, epochs_done: int) -> None:
    """Puts the data where it was; a state from outside of `fit` knows the number of the epoch alone."""
    if state is None:
        data.start_at(epochs_done)
    else:
        data.load_state_dict(state)


def carried_of(model: Any) -> State:
    """The states that a model carries from batch to batch; nothing for most models."""
    found: State = {}
    for name, part in carried_states(model).items():
        states = part.get()
        is_one = isinstance(states, Tensor)
        found[name] = {"is_one": is_one, "tensors": [states] if is_one else list(states or ())}
    return {"carried": found} if found else {}


def load_metrics(trainer: Any, states: list[State]) -> None:
    for metric, saved in zip((trainer._mean_loss, *trainer.metrics), states, strict=True):
        metric.load_state_dict(saved["state"])


def load_callbacks(hooks: Any, states: list[State]) -> None:
    """Gives every callback the state of the first of its class that is left."""
    left = list(states)
    strangers = []
    for callback in stateful(hooks):
        name = type(callback).__name__
        saved = next((entry for entry in left if entry["class"] == name), None)
        if saved is not None:
            left.remove(saved)
            callback.load_state_dict(saved["state"])
        elif callback.state_dict():
            strangers.append(f"{name} begins anew")
    strangers += [f"the state of {entry['class']} is not used" for entry in left if entry["state"]]
    if strangers:
        warnings.warn(
            f"the checkpoint was made with other callbacks: {', '.join(strangers)}",
            RuntimeWarning,
            stacklevel=2,
        )


class Resumable:
    """The state of a trainer, and going on from it."""

    _running: Running | None = None
    _epoch_logs: EpochLogs

    def state_dict(self) -> State:
        """All that the rest of the training depends on, as nested dicts of tensors and plain values.

        Model, optimizer, schedule, scaler, gradients that wait for their step, random numbers, history and
        where the loop is; within ``fit`` also data, metrics and callbacks. Tensors share memory with what
        they are from: write the state or copy it before the next step.
        """
        return state_of(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put back what ``state_dict`` returned; ``fit(resume=path)`` does it at the right moment.

        A state from the end of an epoch goes on with ``fit(..., initial_epoch=trainer.loop.epoch)``.

        Raises:
            ValueError: When it is of another training; the message lists all that differs: names and shapes
                of the model, kind and groups of the optimizer, kind of the schedule. Nothing has been changed
                then.
        """
        load(self, state)

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the state to a file, from which ``fit(..., resume=path)`` goes on; see docs/checkpoints.md.

        Raises:
            OSError: When it cannot be written; an existing file is left as it was.
            TypeError: When a callback or metric has a state that a file cannot hold.

        Source: Lightning's ``Trainer.save_checkpoint``.
        """
        write_state(path, self.state_dict(), kind=KIND)


class Resumption:
    """A checkpoint that `fit` goes on from."""

    def __init__(self, trainer: Any, path: Any, state: State) -> None:
        self.trainer, self.path, self.state = trainer, path, state

    def begin(self) -> None:
        """Before any hook is called: all but the callbacks."""
        load(self.trainer, self.state, callbacks=False)
        warn_of_changes(self.trainer, self.state, self.path)

    def enter(self) -> None:
        """Where the checkpoint was made: what hooks have changed since is put back too."""
        load(self.trainer, self.state)


def find(trainer: Any, resume: Any, callbacks: list[Any]) -> Resumption | None:
    """The checkpoint that is meant by the argument ``resume`` of `fit`, or None to begin anew."""
    backups = [callback for callback in callbacks if hasattr(callback, "checkpoints")]
    if resume is None:
        backups = [callback for callback in backups if callback.resumes]
        if not backups:
            for callback in callbacks:
                if hasattr(callback, "check_fresh"):
                    callback.check_fresh()
            return None
        resume = "auto"
    if not isinstance(resume, str) or resume != "auto":
        return Resumption(trainer, *read_checkpoint(check_path("fit", "resume", resume)))
    if not backups:
        raise ValueError(
            "fit: resume='auto' looks in the folder of a Checkpoint or BackupAndRestore among the callbacks, "
            "and there is none; pass the path of a checkpoint"
        )
    found = backups[0].checkpoints.read_newest()
    return None if found is None else Resumption(trainer, *found)


# What does not fit


def check(trainer: Any, state: Mapping[str, Any]) -> None:
    """Raises where a state is of another training, with everything in which it differs."""
    if not isinstance(state, Mapping):
        raise TypeError(f"load_state_dict: state is a {type(state).__name__}, expected a dict")
    missing = [name for name in EXPECTED if name not in state]
    wrong = [name for name, kind in EXPECTED.items() if name in state and not isinstance(state[name], kind)]
    if missing or wrong:
        what = [f"{name} is missing" for name in missing] + [f"{name} is of a wrong kind" for name in wrong]
        raise ValueError(f"load_state_dict: this is no state of a Trainer: {', '.join(what)}")
    problems = [
        *model_differences(trainer.model.state_dict(), state["model"]),
        *optimizer_differences(trainer.optimizer, state["optimizer"]),
        *kind_differences("lr_scheduler", trainer.lr_scheduler, state["lr_scheduler"]),
        *metric_differences(trainer, state),
        *carried_differences(trainer.model, state),
    ]
    if problems:
        raise ValueError(
            f"load_state_dict: the state does not fit this {type(trainer).__name__}:\n  "
            + "\n  ".join(problems)
        )


EXPECTED: dict[str, Any] = {
    "loop": Mapping,
    "settings": Mapping,
    "model": Mapping,
    "gradients": Mapping,
    "optimizer": Mapping,
    "lr_scheduler": (Mapping, type(None)),
    "schedule_paused": bool,
    "scaler": Mapping,
    "random": (list, tuple),
    "metrics": (list, tuple),
    "epoch_logs": Mapping,
    "history": Mapping,
    "skipped_steps": int,
    "stop_training": bool,
    "data": (Mapping, type(None)),
    "validation": (Mapping, type(None)),
    "callbacks": (list, tuple),
}


def model_differences(mine: Mapping[str, Any], saved: Mapping[str, Any]) -> list[str]:
    problems = [f"model: {name} is missing" for name in mine if name not in saved]
    problems += [f"model: {name} is unexpected" for name in saved if name not in mine]
    for name in mine:
        if name in saved and tuple(saved[name].shape) != tuple(mine[name].shape):
            shapes = tuple(saved[name].shape), tuple(mine[name].shape)
            problems.append(f"model: {name} has shape {shapes[0]}, expected {shapes[1]}")
    return problems


def carried_differences(model: Any, state: Mapping[str, Any]) -> list[str]:
    mine, saved = carried_states(model), state.get("carried", {})
    if not isinstance(saved, Mapping) or mine.keys() != saved.keys():
        return [
            f"model: it carries the states {', '.join(saved) or 'none'}, expected {', '.join(mine) or 'none'}"
        ]
    kinds = {"is_one": bool, "tensors": list}
    whole = all(
        isinstance(entry, Mapping)
        and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
        and all(isinstance(tensor, Tensor) for tensor in entry["tensors"])
        and (len(entry["tensors"]) == 1 or not entry["is_one"])
        for entry in saved.values()
    )
    return [] if whole else ["model: the states it carries are of a wrong kind"]


def optimizer_differences(optimizer: Any, saved: Mapping[str, Any]) -> list[str]:
    problems = kind_differences("optimizer", optimizer, saved)
    if problems or not isinstance(optimizer, Optimizer):
        return problems
    given = saved["state"].get("param_groups", [])
    groups = [len(group["params"]) for group in optimizer.param_groups]
    others = [len(group.get("params", [])) for group in given]
    if len(groups) != len(others):
        return [f"optimizer: {len(others)} parameter groups, expected {len(groups)}"]
    return [
        f"optimizer: group {number} has {other} parameters, expected {mine}"
        for number, (mine, other) in enumerate(zip(groups, others, strict=True))
        if mine != other
    ]


def kind_differences(what: str, mine: Any, saved: Mapping[str, Any] | None) -> list[str]:
    have = "none" if saved is None else saved.get("class")
    want = "none" if mine is None else type(mine).__name__
    return [f"{what}: it is {have}, expected {want}"] if have != want else []


def metric_differences(trainer: Any, state: Mapping[str, Any]) -> list[str]:
    """In the middle of an epoch the metrics are half way."""
    if not state["loop"].get("batch"):
        return []
    have = [entry["name"] for entry in state["metrics"]]
    want = [metric.name for metric in (trainer._mean_loss, *trainer.metrics)]
    problem = f"metrics: in the middle of an epoch, they are {', '.join(have)}, expected {', '.join(want)}"
    return [problem] if have != want else []


def warn_of_changes(trainer: Any, state: Mapping[str, Any], path: Any) -> None:
    """Says what lets the training go on, but not with the same bits."""
    saved, mine = state["settings"], settings_of(trainer)
    changes = [
        f"{name} {saved.get(name)} is now {value}" for name, value in mine.items() if saved.get(name) != value
    ]
    if changes:
        warnings.warn(
            f"fit: resumed from {path} with other settings, so that the bits will differ from those of an "
            f"undisturbed run: {', '.join(changes)}",
            RuntimeWarning,
            stacklevel=4,
        )


def copied(value: Any) -> Any:
    """A copy of a nested state that does not change with what it was taken from."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([copied(item) for item in value])
    return copy_of(value) if isinstance(value, (Tensor, np.ndarray)) else value
