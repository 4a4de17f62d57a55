"""Epochs of `fit`: beside a loop of one's own, without the look for infinity and NaN, and in bfloat16."""

from dataclasses import replace
from typing import Any

from benchmarks.cases import Bar, Case, Variant


def epoch(name: str, options: dict[str, Any], batches: int, batch: int, **rest: Any) -> Case:
    return Case(
        f"{name}, an epoch of {batches} batches of {batch}",
        "fit",
        {
            "loss": "cross_entropy",
            "optimizer": "adam",
            "lr": 1e-3,
            "how": "fit",
            "batch": batches * batch,
            "batch_size": batch,
            **options,
        },
        first_steps=1,
        only=("drivetrain",),
        **{"tiny": {"batch": 12, "batch_size": 4}, **rest},
    )


def mlp(*sizes: int) -> dict[str, Any]:
    return {"network": "mlp", "arguments": {"sizes": list(sizes)}, "input": [sizes[0]]}


SGD = {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
LENET = {"network": "lenet", "input": [28, 28, 1], **SGD}
RESNET18 = {"network": "resnet18", "input": [32, 32, 3], "arguments": {"width": 16}, **SGD}
DIGITS = epoch("MLP 64-256-128-10", mlp(64, 256, 128, 10), 56, 32)

FIT = [
    replace(
        epoch("LeNet", LENET, 64, 64),
        bars=(Bar("own loop", 0.97),),
        variants=(Variant("fit"), Variant("own loop", {"how": "loop"})),
        seconds=0.5,
    ),
    replace(
        epoch("LeNet with early stopping, log, checkpoint and progress bar", LENET, 938, 64),
        bars=(Bar("own loop", 0.97),),
        variants=(Variant("fit", {"callbacks": True}), Variant("own loop", {"how": "loop"})),
        seconds=0.5,
    ),
]


def guarded(case: Case) -> Case:
    """What it costs that `fit` looks for infinity and NaN: at most 2%."""
    return replace(
        case,
        name=f"guard: {case.name}",
        bars=(Bar("ignore", 0.98),),
        variants=(Variant("raise"), Variant("ignore", {"on_nonfinite": "ignore"})),
        seconds=0.2,
    )


def skipping(case: Case) -> Case:
    """What it costs to leave steps out as a whole: each gradient is read once more, at most 10%."""
    return replace(
        case,
        name=f"guard that skips: {case.name}",
        bars=(Bar("ignore", 0.9),),
        variants=(Variant("skip", {"on_nonfinite": "skip"}), Variant("ignore", {"on_nonfinite": "ignore"})),
        seconds=0.2,
    )


GUARD = [
    kind(case)
    for kind in (guarded, skipping)
    for case in (
        DIGITS,
        epoch("MLP 784-512-256-10", mlp(784, 512, 256, 10), 16, 64),
        epoch("LeNet", LENET, 16, 64),
        epoch(
            "ResNet-18 of width 16",
            RESNET18,
            4,
            16,
            tiny={"batch": 4, "batch_size": 2, "input": [16, 16, 3], "arguments": {"width": 8, "blocks": 1}},
        ),
    )
]


def in_half(case: Case) -> Case:
    """Not slower than float32 by more than a tenth, where the CPU has no instructions for bfloat16 either."""
    return replace(
        case,
        name=f"bfloat16 {case.name}",
        bars=(Bar("in float32", 1 / 1.1),),
        variants=(Variant("", {"precision": "bfloat16"}), Variant("in float32")),
        seconds=0.2,
        tolerance=0.1,  # of a bias after an epoch
    )


HALF = [
    in_half(case)
    for case in (
        DIGITS,
        epoch("MLP 784-512-256-10", mlp(784, 512, 256, 10), 16, 64),
        epoch("MLP 784-512-256-10", mlp(784, 512, 256, 10), 16, 256),
        epoch("LeNet", LENET, 16, 64),
    )
]
