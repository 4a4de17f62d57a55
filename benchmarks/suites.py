"""The suites: lists of cases. Names say what is run; images are batch x height x width."""

from dataclasses import replace
from typing import Any

from benchmarks import fits
from benchmarks.cases import FLAT, NO_IMAGES, NUMPY, Bar, Case, Variant
from benchmarks.convolutions import CONV, CONV_3X3, HALF_CONVOLUTIONS
from benchmarks.kernels import HALF_KERNELS, KERNELS, OPTIMIZERS, elementwise, layer
from benchmarks.language import GENERATION, LANGUAGE
from benchmarks.products import GEMM, GEMM_1024, GEMM_CORE, HALF_PRODUCTS, gemm
from benchmarks.sequences import SEQUENCES

# --- Training steps ---


def network(name: str, options: dict[str, Any], bars: tuple[Bar, ...], readme: str = "", **rest: Any) -> Case:
    return Case(
        name,
        "network",
        {"loss": "cross_entropy", "optimizer": "sgd", "lr": 0.01, **options},
        (*bars, Bar("numpy", 5.0)),
        readme=readme,
        **{"first_steps": 3, **rest},
    )


MLP_SMALL = network(
    "MLP 20-64-64-1, batch 32, SGD",
    {"network": "mlp", "arguments": {"sizes": [20, 64, 64, 1]}, "input": [20], "batch": 32, "loss": "mse"},
    (Bar("torch+tf", 8), Bar("jax", 1.2, 2)),
    "MLP 20-64-64-1, batch 32, SGD",
    tiny={"batch": 4},
    without=NO_IMAGES,
)


def mlp(batch: int, least: float, goal: float) -> Case:
    """Trained with Adam, whose first step is lr * g / (|g| + epsilon).

    TensorFlow's epsilon is 32 times as large as the others' at that step: where g is small its weights change
    by less.
    """
    options = {"network": "mlp", "arguments": {"sizes": [784, 512, 256, 10]}, "input": [784], "batch": batch}
    name = f"MLP 784-512-256-10, batch {batch}, Adam"
    tiny = {"batch": 4, "arguments": {"sizes": [20, 16, 10]}, "input": [20]}
    return network(
        name,
        {**options, "optimizer": "adam", "lr": 1e-3},
        (Bar("peers", least, goal),),
        name,
        change_tolerance=2e-2,
        tiny=tiny,
        without=NO_IMAGES,
    )


LENET = network(
    "LeNet 28x28, batch 64, SGD with momentum",
    {"network": "lenet", "input": [28, 28, 1], "batch": 64, "momentum": 0.9},
    (Bar("peers", 3, 6),),
    "LeNet, batch 64 of 28x28, SGD with momentum",
    tiny={"batch": 3},
)


def resnet(depth: int, pixels: int, batch: int, flops: float) -> Case:
    """`flops`: of the forward pass of one image; a step does three times as much.

    The learning rate is small: with a greater one rounding errors decide about the second loss. The gradients
    of float32 are up to 2% from those of float64: rounding turns some ReLUs over (`networks.LAST_SCALE`).
    """
    width = {"width": 8}
    return network(
        f"ResNet-{depth} {pixels}x{pixels}, batch {batch}, SGD with momentum",
        {
            "network": f"resnet{depth}",
            "input": [pixels, pixels, 3],
            "batch": batch,
            "momentum": 0.9,
            "lr": 1e-3,
        },
        (Bar("peers", 1.6, 2.2),),
        f"ResNet-{depth}, batch {batch} of {pixels}x{pixels}",
        flops=3 * flops * batch,
        first_steps=2,
        seconds=0.5,
        tolerance=1e-4,
        change_tolerance=0.1,
        tiny={
            "batch": 4,
            "input": [16, 16, 3] if depth == 18 else [32, 32, 3],
            "arguments": {**width, "blocks": 1 if depth == 18 else [1, 1, 1, 1]},
        },
    )


RESNET18_64, RESNET18_128 = resnet(18, 32, 64, 1.11e9), resnet(18, 32, 128, 1.11e9)
RESNET50 = resnet(50, 224, 8, 8.18e9)
NETWORKS = [MLP_SMALL, mlp(64, 1.6, 2.2), mlp(256, 1.4, 2.0), LENET, RESNET18_64, RESNET18_128, RESNET50]


def half_network(case: Case) -> Case:
    """A network trained under autocast, beside PyTorch's and beside float32."""
    return replace(
        case,
        name=f"bfloat16 {case.name}",
        bars=(Bar("torch", 1.7, 3.0), Bar("in float32", 2.0)),
        variants=(Variant("", {"half": "bfloat16"}), Variant("in float32")),
        tolerance=0.05,
        change_tolerance=2.0,  # rounded through 50 layers, only the sizes of the first gradients agree
        only=("drivetrain", "torch"),
        readme="",
    )


HALF_NETWORKS = [half_network(RESNET18_128), half_network(RESNET50)]


# --- What a call costs, and our own loop against `fit` ---

MLP_SHAPES = [[64, 20], [64], [64, 64], [64], [1, 64], [1]]
OVERHEAD = [
    Case(
        "module call: MLP 20-64-64-1, batch 32",
        "module_call",
        {"sizes": [20, 64, 64, 1], "batch": 32},
        (NUMPY,),
        without=NO_IMAGES,
        tiny={"batch": 3},
    ),
    Case(
        "module call: MLP 20-64-64-1, batch 1",
        "module_call",
        {"sizes": [20, 64, 64, 1], "batch": 1},
        (),
        without=NO_IMAGES,
    ),
    *(
        Case(
            f"{name} step, MLP 20-64-64-1",
            "optimizer",
            {"shapes": MLP_SHAPES, "lr": 1e-3, "optimizer": kind},
            first_steps=3,
            without=FLAT,
        )
        for name, kind in (("SGD", "sgd"), ("Adam", "adam"))
    ),
    *fits.FIT,
]


# --- The same cases under other conditions ---


def busy(case: Case) -> Case:
    variants = (Variant("busy", beside="process"), Variant("quiet"))
    bars = (Bar("quiet", 0.25, 0.4),)
    return replace(
        case,
        name=f"{case.name}, beside a busy process",
        bars=bars,
        variants=variants,
        steps=200,
        seconds=0.5,
        readme="",
        only=("drivetrain",),
    )


SMALL_CONV = replace(
    CONV_3X3,
    name="conv 3x3 64-64, 4x56x56, forward+backward",
    options={**CONV_3X3.options, "batch": 4},
    flops=0.0,
)
BUSY = [
    *(busy(case) for case in (MLP_SMALL, mlp(64, 1, 1), LENET, gemm(256, 256, 256), GEMM_1024, SMALL_CONV)),
    busy(layer("batch norm", "batch_norm", [8, 56, 56, 64], 1, 7)),
    busy(elementwise("exp", (4096, 1024), 2)),
    replace(
        busy(LENET),
        name=f"{LENET.name}, beside a busy Python thread",
        variants=(Variant("busy", beside="thread"), Variant("quiet")),
    ),
]


def scaling(case: Case) -> Case:
    """A hundredth is left to noise: where a second thread is not used, both take the same time."""
    variants = (Variant("2 threads", threads=2), Variant("1 thread", threads=1))
    return replace(
        case,
        bars=(Bar("1 thread", 0.97),),
        variants=variants,
        only=("drivetrain",),
        readme="",
        seconds=0.1,
    )


SCALING = [scaling(case) for case in [*KERNELS, *GEMM, *CONV, *NETWORKS] if case is not RESNET18_128]


def at_level(case: Case, level: str, *bars: Bar) -> Case:
    """Ours alone: the others choose their level themselves."""
    return replace(
        case, name=f"{case.name}, level {level}", level=level, bars=bars, only=("drivetrain",), readme=""
    )


LEVELS = [
    at_level(GEMM_1024, "v3", Bar("peak", 0.85)),
    at_level(GEMM_1024, "v2"),
    at_level(CONV_3X3, "v3"),
    at_level(CONV_3X3, "v2"),
]
MEMORY = [
    replace(
        RESNET18_128,
        name=f"{RESNET18_128.name}, peak of resident memory",
        measure="bytes",
        first_steps=4,
        flops=0.0,
        bars=(Bar("torch", 1 / 0.75, 1 / 0.6),),
        readme="",
        only=("drivetrain", "torch", "tf", "jax"),
        without={"torch compile tuned": "left out to keep the suite short", "tf jit_compile": "the same"},
    )
]

SUITES: dict[str, list[Case]] = {
    "core": [MLP_SMALL, LENET, *GEMM_CORE],
    "networks": NETWORKS,
    "conv": CONV,
    "gemm": GEMM,
    "half products": HALF_PRODUCTS,
    "kernels": KERNELS,
    "optimizers": OPTIMIZERS,
    "half kernels": HALF_KERNELS,
    "half convolutions": HALF_CONVOLUTIONS,
    "half networks": HALF_NETWORKS,
    "sequences": [*SEQUENCES, *LANGUAGE],
    "generation": GENERATION,
    "overhead": OVERHEAD,
    "guard": fits.GUARD,
    "half training": fits.HALF,
    "memory": MEMORY,
    "busy": BUSY,
    "scaling": SCALING,
    "levels": LEVELS,
}
ALL = [name for name in SUITES if name != "core"]
