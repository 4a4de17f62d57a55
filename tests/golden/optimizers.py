"""Steps on which PyTorch's optimizers and ours must agree: parameters after given gradients.

The gradients come from a seeded NumPy generator. Run this file to record PyTorch's results anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

STEPS = 50
STORED = (1, 2, 3, 10, 50)
RECORDED = Path(__file__).parent / "optimizers.json"
SHAPES = ((3, 4), (4,), (2, 1, 3))
# Case -> class, options. "groups" gives the first parameter options of its own; "skip" leaves the second
# parameter without gradient in every third step.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "sgd": ("SGD", {"lr": 0.1}, {}),
    "sgd weight decay": ("SGD", {"lr": 0.1, "weight_decay": 0.05}, {}),
    "sgd momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}, {}),
    "sgd dampening": ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}, {}),
    "sgd nesterov": ("SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}, {}),
    "sgd maximize": ("SGD", {"lr": 0.05, "momentum": 0.5, "weight_decay": 0.1, "maximize": True}, {}),
    "sgd groups": ("SGD", {"lr": 0.05, "momentum": 0.9}, {"groups": {"lr": 0.01, "weight_decay": 0.1}}),
    "sgd skip": ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.1}, {"skip": True}),
    "adam": ("Adam", {"lr": 0.01}, {}),
    "adam options": ("Adam", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1}, {}),
    "adam amsgrad": ("Adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.01}, {}),
    "adam maximize": ("Adam", {"lr": 0.02, "maximize": True}, {}),
    "adam skip": ("Adam", {"lr": 0.02}, {"skip": True}),
    "adamw": ("AdamW", {"lr": 0.01}, {}),
    "adamw options": ("AdamW", {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.2}, {}),
    "adamw amsgrad": ("AdamW", {"lr": 0.02, "amsgrad": True}, {}),
    "adamw groups": ("AdamW", {"lr": 0.02}, {"groups": {"lr": 0.001, "betas": (0.5, 0.9)}}),
    "adagrad": ("Adagrad", {}, {}),
    "adagrad options": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
        {"skip": True},
    ),
    "adagrad maximize": ("Adagrad", {"lr": 0.1, "maximize": True}, {"groups": {"lr": 0.01}}),
    "adadelta": ("Adadelta", {}, {"skip": True}),
    "adadelta options": ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}, {}),
    "adadelta maximize": ("Adadelta", {"maximize": True}, {"groups": {"rho": 0.5}}),
    "rmsprop": ("RMSprop", {}, {}),
    "rmsprop centered": ("RMSprop", {"lr": 0.005, "centered": True, "alpha": 0.9}, {"skip": True}),
    "rmsprop momentum": ("RMSprop", {"lr": 0.005, "momentum": 0.8, "eps": 1e-3}, {"skip": True}),
    "rmsprop all": (
        "RMSprop",
        {"centered": True, "momentum": 0.5, "weight_decay": 0.1, "maximize": True, "alpha": 0.95},
        {"groups": {"lr": 0.002, "momentum": 0.0}},
    ),
    "adamax": ("Adamax", {}, {"skip": True}),
    "adamax options": (
        "Adamax",
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "maximize": True},
        {"groups": {"lr": 0.1}},
    ),
    "nadam": ("NAdam", {}, {"skip": True}),
    "nadam options": (
        "NAdam",
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1, "momentum_decay": 0.1},
        {"groups": {"momentum_decay": 0.02}},
    ),
    "nadam decoupled": (
        "NAdam",
        {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
        {},
    ),
    "radam": ("RAdam", {"lr": 0.01}, {"skip": True}),
    "radam options": (
        "RAdam",
        {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1, "maximize": True},
        {"groups": {"lr": 0.1}},
    ),
    "radam decoupled": ("RAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}, {}),
    "adafactor": ("Adafactor", {}, {"skip": True}),
    "adafactor options": (
        "Adafactor",
        {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-2, 0.5), "d": 1.5, "weight_decay": 0.1, "maximize": True},
        {"groups": {"lr": 0.5}},
    ),
    "rprop": ("Rprop", {}, {"skip": True}),
    "rprop options": (
        "Rprop",
        {"lr": 0.05, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True},
        {"groups": {"lr": 0.01}},
    ),
}

Array = np.ndarray[Any, Any]


def first_values() -> list[Array]:
    rng = np.random.default_rng(7)
    return [rng.standard_normal(shape) for shape in SHAPES]


def gradients(skip: bool) -> list[list[Array | None]]:
    """One list per step; sizes differ from step to step, so that AMSGrad's maximum matters."""
    rng = np.random.default_rng(8)
    made: list[list[Array | None]] = []
    for step in range(STEPS):
        scale = 1 + 3 * (step % 7 == 3)
        made.append([scale * rng.standard_normal(shape) for shape in SHAPES])
        if skip and step % 3 == 1:
            made[-1][1] = None
    return made


def run(case: str, library: Any, as_tensor: Any, as_array: Any, dtype: str) -> list[list[Array]]:
    """The parameters after every step. `library` is torch.optim or drivetrain.optim."""
    kind, options, extras = CASES[case]
    parameters = [as_tensor(value.astype(dtype)) for value in first_values()]
    for parameter in parameters:
        parameter.requires_grad_(True)
    given: Any = parameters
    if "groups" in extras:
        given = [{"params": parameters[:1], **extras["groups"]}, {"params": parameters[1:]}]
    optimizer = getattr(library, kind)(given, **options)
    history = []
    for step in gradients(extras.get("skip", False)):
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = None if gradient is None else as_tensor(gradient.astype(dtype))
        optimizer.step()
        history.append([as_array(parameter.detach()).copy() for parameter in parameters])
    return history


def run_torch(case: str, dtype: str) -> list[list[Array]]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # of NAdam's product of momenta, which ours keeps in float64
    try:
        return run(case, torch.optim, torch.from_numpy, lambda t: t.numpy(), dtype)
    finally:
        torch.set_default_dtype(before)


def record() -> None:
    import torch

    stored: dict[str, Any] = {"torch": torch.__version__}
    for case in CASES:
        history = run_torch(case, "float64")
        stored[case] = {str(step): [value.ravel().tolist() for value in history[step - 1]] for step in STORED}
    RECORDED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    record()
