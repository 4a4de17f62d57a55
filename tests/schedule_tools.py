"""Every schedule, and what tests do with each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import optim
from drivetrain.optim import lr_scheduler as schedules

STEPS = 200
LRS = (0.1, 0.03)


class Halving:
    """A function with a state of its own."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, epoch: int) -> float:
        self.calls += 1
        return float(0.5**epoch)


def decays(epoch: int) -> float:
    return float(0.95**epoch)


# (s: the module with the schedules, o: the optimizer)
CASES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda s, o: s.LambdaLR(o, [decays, lambda e: 1 / (1 + e)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.99 + 0.001 * (e % 3)),
    "step": lambda s, o: s.StepLR(o, 7, 0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [30, 5, 5, 80], 0.3),
    "constant": lambda s, o: s.ConstantLR(o, 0.3, 9),
    "linear": lambda s, o: s.LinearLR(o, 0.2, 0.9, 17),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.97),
    "polynomial": lambda s, o: s.PolynomialLR(o, 150, 2.5),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 37, 1e-4),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 11, 2, 1e-3),
    "cyclic": lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.2, 13, 22),
    "cyclic halves": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, mode="triangular2"),
    "cyclic range": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, mode="exp_range", gamma=0.99),
    "cyclic function": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, scale_fn=decays, scale_mode="iterations"),
    "cyclic alone": lambda s, o: s.CyclicLR(o, 0.01, 0.2, 13, cycle_momentum=False),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.5, 0.2], STEPS),
    "one cycle, three": lambda s, o: s.OneCycleLR(
        o, 0.5, epochs=20, steps_per_epoch=10, three_phase=True, anneal_strategy="linear"
    ),
    "sequence": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 70), s.StepLR(o, 5)], [10, 80]
    ),
    "sequence of others": lambda s, o: s.SequentialLR(
        o, [s.ExponentialLR(o, 0.9), s.MultiplicativeLR(o, lambda e: 0.95), s.LambdaLR(o, decays)], [10, 80]
    ),
    "sequence of restarts": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.5, 3), s.CosineAnnealingWarmRestarts(o, 20)], [30]
    ),
    "chain": lambda s, o: s.ChainedScheduler(
        [s.LinearLR(o, 0.1, total_iters=10), s.CosineAnnealingLR(o, 210), s.StepLR(o, 5, 0.9)]
    ),
    "chain past a wave": lambda s, o: s.ChainedScheduler([s.CosineAnnealingLR(o, 70), s.StepLR(o, 5, 0.9)]),
}
# Those that PyTorch does not have, or elsewhere.
OWN: dict[str, Callable[[Any, Any], Any]] = {
    "inverse": lambda s, o: s.InverseTimeDecay(o, 10, 0.7),
    "swa": lambda s, o: s.SWALR(o, [0.05, 0.01], 30),
    "swa, line": lambda s, o: s.SWALR(o, 0.05, 0, "linear"),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, patience=3),
    "warm-up": lambda s, o: s.WarmUp(s.CosineAnnealingLR(o, 190), 10, "cosine"),
    "warm-up of one cycle": lambda s, o: s.WarmUp(s.OneCycleLR(o, 0.3, 190), 10, "exponential"),
    "warm-up of plateau": lambda s, o: s.WarmUp(s.ReduceLROnPlateau(o, patience=2), 7, "stepwise"),
}
METRICS = np.random.default_rng(0).normal(size=STEPS) + np.linspace(3, 0, STEPS)


def make_optimizer(kind: str = "SGD", library: Any = None) -> Any:
    if library is None:
        groups = [{"params": [dt.ones((2,), requires_grad=True)], "lr": lr} for lr in LRS]
        made = optim.SGD(groups, momentum=0.9) if kind == "SGD" else optim.Adam(groups)
    else:
        groups = [{"params": [library.ones(2, requires_grad=True)], "lr": lr} for lr in LRS]
        made = library.optim.SGD(groups, momentum=0.9) if kind == "SGD" else library.optim.Adam(groups)
    return made


def present(optimizer: Any) -> list[float]:
    """The rates and momenta of all groups."""
    found = []
    for group in optimizer.param_groups:
        found += [group["lr"], group["betas"][0] if "betas" in group else group["momentum"]]
    return found


def go(optimizer: Any, schedule: Any, numbers: range) -> Iterator[list[float]]:
    """What the optimizer has in each of these steps."""
    for number in numbers:
        yield present(optimizer)
        optimizer.step()
        wants = getattr(schedule, "needs_metric", type(schedule).__name__ == "ReduceLROnPlateau")
        schedule.step(*([METRICS[number]] if wants else []))


def run(make: Callable[[Any, Any], Any], kind: str = "SGD", library: Any = None) -> Any:
    optimizer = make_optimizer(kind, library)
    schedule = make(schedules if library is None else library.optim.lr_scheduler, optimizer)
    return np.array(list(go(optimizer, schedule, range(STEPS))))


ALL = pytest.mark.parametrize("case", [*CASES, *OWN])


def make(case: str, optimizer: Any) -> Any:
    return (CASES | OWN)[case](schedules, optimizer)
