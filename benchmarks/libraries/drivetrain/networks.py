"""Training steps: modules, an optimizer, a loop of one's own or `fit`."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any, TextIO

import numpy as np

import drivetrain as dt
from benchmarks.libraries import Job
from benchmarks.networks import Layer as Spec
from drivetrain import nn
from drivetrain.nn import functional as F
from drivetrain.train import CSVLogger, EarlyStopping, ModelCheckpoint

from .kernels import arrays, make_optimizer

Weights = Iterator[dict[str, np.ndarray]]


class Residual(nn.Module):
    """A block whose last norm adds the shortcut and applies the ReLU."""

    def __init__(self, main: nn.Module, norm: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.main = main
        self.norm = norm
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        return self.norm(self.main(x), residual=self.shortcut(x))


def build(specs: list[Spec], weights: Weights) -> nn.Sequential:
    return nn.Sequential(*(one(name, options, weights) for name, options in specs))


def one(name: str, o: dict[str, Any], weights: Weights) -> nn.Module:
    layer: nn.Module
    if name == "residual":
        *specs, (last, own) = o["main"]
        main, norm = build(specs, weights), one(last, {**own, "activation": "relu"}, weights)
        return Residual(main, norm, build(o["shortcut"], weights) if o["shortcut"] else nn.Identity())
    if name == "conv":
        layer = nn.Conv2d(o["inputs"], o["outputs"], o["size"], o["stride"], o["padding"], bias=o["bias"])
    elif name == "batch_norm":
        layer = nn.BatchNorm2d(o["channels"], activation=o.get("activation"))
    elif name == "linear":
        layer = nn.Linear(o["inputs"], o["outputs"])
    elif name == "max_pool":
        return nn.MaxPool2d(o["size"], o["stride"], o["padding"])
    else:
        return {"relu": nn.ReLU, "flatten": nn.Flatten, "global_pool": nn.GlobalAvgPool2d}[name]()
    layer.load_state_dict({k: dt.tensor(v) for k, v in next(weights).items()}, strict=False)
    return layer


def network(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model = build(data["layers"], iter(data["weights"]))
    x, y = dt.tensor(data["x"]), dt.tensor(data["y"])
    loss = F.mse_loss if o["loss"] == "mse" else F.cross_entropy
    optimizer = make_optimizer(o, model.parameters())

    half = o.get("half")

    def step() -> Any:
        optimizer.zero_grad()
        with dt.autocast(half or "bfloat16", enabled=half is not None):
            value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value

    return Job(step, arrays, lambda: (p.detach().numpy() for p in model.parameters()))


def module_call(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    model, x = build(data["layers"], iter(data["weights"])), dt.tensor(data["x"])
    return Job(lambda: model(x), arrays)


class Terminal:
    """What is drawn in a terminal, and seen by nobody."""

    def __init__(self, file: TextIO) -> None:
        self.encoding, self.write, self.flush = "utf-8", file.write, file.flush

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def company() -> Iterator[tuple[list[Any], int]]:
    """The callbacks that most trainings have: early stopping, a log, a checkpoint every epoch, a bar."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w", encoding="utf-8") as file,
        contextlib.redirect_stdout(Terminal(file)),  # type: ignore[type-var]
    ):
        early = EarlyStopping("loss", patience=1_000_000)
        yield [early, CSVLogger(f"{folder}/log.csv"), ModelCheckpoint(f"{folder}/model.safetensors")], 1


def fit(data: dict[str, Any], o: dict[str, Any], mode: str) -> Job:
    """An epoch by `fit`, or by the loop that one would write instead; the weights say whether they agree."""
    model = build(data["layers"], iter(data["weights"]))
    x, y, size = dt.tensor(data["x"]), dt.tensor(data["y"]), o["batch_size"]
    optimizer = make_optimizer(o, model.parameters())
    last = list(model.parameters())[-1]
    if o["how"] == "fit":
        options = {name: o[name] for name in ("precision", "on_nonfinite") if name in o}
        model.compile(optimizer=optimizer, loss="cross_entropy", **options)

        def step() -> Any:
            with company() if o.get("callbacks") else contextlib.nullcontext(([], 0)) as (callbacks, verbose):
                model.fit(
                    x, y, batch_size=size, epochs=1, shuffle=False, verbose=verbose, callbacks=callbacks
                )
            return last
    else:

        def step() -> Any:
            for at in range(0, len(x), size):
                optimizer.zero_grad()
                F.cross_entropy(model(x[at : at + size]), y[at : at + size]).backward()
                optimizer.step()
            return last

    return Job(step, arrays)
