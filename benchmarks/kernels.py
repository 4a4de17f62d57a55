"""The cases of single kernels but products and convolutions, in float32 and in half formats."""

from dataclasses import replace
from math import prod
from typing import Any

from benchmarks.cases import FLAT, NO_IMAGES, NUMPY, Bar, Case, Variant
from benchmarks.passes import PASSES


def elementwise(op: str, shape: tuple[int, ...], passes: int) -> Case:
    """`passes`: how often the array is read or written."""
    size = prod(shape)
    return Case(
        f"{op} {'x'.join(map(str, shape))}",
        "elementwise",
        {"op": op, "shape": list(shape)},
        (NUMPY,),
        traffic=4.0 * size * passes,
        seconds=0.03,
        without=FLAT,
        tiny={"shape": [7, 9]},
    )


SHAPES = [(64, 64), (4096, 1024)]


def layer(name: str, kind: str, shape: list[int], least: float, passes: int, **options: Any) -> Case:
    tiny = [2, 8, 8, 5] if len(shape) == 4 else [6, 16]
    return Case(
        f"{name} {'x'.join(map(str, shape))}, forward+backward",
        "layer",
        {"layer": kind, "shape": shape, **options},
        (Bar("peers", least), NUMPY),
        traffic=4.0 * prod(shape) * passes,
        tiny={"shape": tiny, "groups": 5},
        without={} if len(shape) == 4 else NO_IMAGES,
    )


def function(name: str, passes: int) -> Case:
    shape = [4096, 1024]
    return Case(
        f"{name} 4096x1024, forward+backward",
        "function",
        {"function": name, "shape": shape},
        (NUMPY,),
        traffic=4.0 * prod(shape) * passes,
        seconds=0.05,
        without=NO_IMAGES,
        tiny={"shape": [7, 9]},
    )


def random(kind: str, size: int, bars: tuple[Bar, ...]) -> Case:
    return Case(
        f"{kind} random numbers, {size >> 20}M",
        "random",
        {"kind": kind, "size": size},
        (*bars, NUMPY),
        traffic=(8.0 if kind in ("integers", "permutation") else 4.0) * size,
        tolerance=0.03,
        without=FLAT,
        tiny={"size": 1 << 16},
    )


def optimizer(name: str, passes: int, **options: Any) -> Case:
    shapes = [[2048, 1024]] * 12
    return Case(
        f"{name}, 25M parameters",
        "optimizer",
        {"shapes": shapes, "lr": 1e-3, **options},
        (Bar("peers", 0.95, 1.0), NUMPY),
        traffic=4.0 * 12 * 2048 * 1024 * passes,
        without=FLAT,
        first_steps=2,
        tiny={"shapes": [[5, 7], [3]]},
    )


# Beside PyTorch, as fused as it has them; `passes` as in `optimizer`.
OPTIMIZERS = [
    replace(
        optimizer(name, passes, optimizer=name, options=options, lr=lr),
        name=f"{title or name} step, 25M parameters",
        bars=(Bar("peers", 0.95, 1.0),) if name != "Lion" else (),
        only=("drivetrain", "torch") if name != "Lion" else ("drivetrain",),
        tiny={"shapes": [[5, 7], [3, 2]]},
        steps=6 if name == "LBFGS" else 0,  # until its history is full
    )
    for name, title, passes, lr, options in (
        ("SGD", "", 3, 1e-3, {}),
        ("SGD", "SGD with momentum", 5, 1e-3, {"momentum": 0.9}),
        ("Adam", "", 7, 1e-3, {}),
        ("Adam", "AMSGrad", 9, 1e-3, {"amsgrad": True}),
        ("AdamW", "", 7, 1e-3, {}),
        ("Adagrad", "", 5, 1e-2, {}),
        ("Adadelta", "", 7, 1.0, {}),
        ("RMSprop", "", 5, 1e-3, {}),
        ("RMSprop", "RMSprop, centred, with momentum", 9, 1e-3, {"centered": True, "momentum": 0.9}),
        ("Adamax", "", 7, 1e-3, {}),
        ("NAdam", "", 7, 1e-3, {}),
        ("RAdam", "", 7, 1e-3, {}),
        ("Rprop", "", 7, 1e-3, {}),
        ("Lion", "", 5, 1e-4, {}),
        ("Adafactor", "", 3, 1e-2, {}),
        ("Muon", "", 5, 1e-3, {}),
        ("LBFGS", "LBFGS, one iteration of history 4,", 30, 1e-2, {"max_iter": 1, "history_size": 4}),
    )
]

STEM = {"size": 3, "stride": 2, "padding": 1}
HALVING = {"size": 2, "stride": 2, "padding": 0}
BATCH_NORM_ADD_RELU = layer("batch norm + add + ReLU", "batch_norm_add_relu", [32, 56, 56, 64], 1.8, 10)
FUSED = [
    layer("batch norm", "batch_norm", [32, 56, 56, 64], 1.4, 7),
    BATCH_NORM_ADD_RELU,
    layer("layer norm", "layer_norm", [8192, 768], 1.4, 5),
    layer("group norm, 32 groups", "group_norm", [32, 28, 28, 128], 1.0, 7, groups=32),
    layer("max pool 3x3 stride 2", "max_pool", [32, 112, 112, 64], 1.5, 3, **STEM),
    layer("max pool 2x2", "max_pool", [32, 56, 56, 64], 1.5, 3, **HALVING),
    layer("average pool 2x2", "avg_pool", [32, 56, 56, 64], 1.5, 3, **HALVING),
    layer("global average pool", "global_pool", [32, 56, 56, 64], 1.0, 2),
    Case(
        "softmax + cross entropy 512x32000, forward+backward",
        "softmax_loss",
        {"batch": 512, "classes": 32000},
        (Bar("peers", 2.5), NUMPY),
        traffic=4.0 * 512 * 32000 * 3,
        without=NO_IMAGES,
        tiny={"batch": 6, "classes": 11},
    ),
    Case(
        "embedding 30000x256, 32x128 words, forward+backward",
        "embedding",
        {"words": 30000, "features": 256, "batch": 32, "length": 128},
        (NUMPY,),
        without=FLAT,
        tiny={"words": 20, "features": 8, "batch": 3, "length": 5},
    ),
    Case(
        "dropout of 16M",
        "dropout",
        {"size": 1 << 24, "p": 0.5},
        (Bar("peers", 10, 30), NUMPY),
        traffic=8.0 * (1 << 24),
        tolerance=0.03,
        without=NO_IMAGES,
        tiny={"size": 1 << 16},
        readme="Dropout, 16M elements",
    ),
    random("normal", 1 << 24, (Bar("peers", 6, 20),)),
    random("uniform", 1 << 24, ()),
    random("integers", 1 << 24, ()),
    random("Bernoulli", 1 << 24, ()),
    replace(random("permutation", 1 << 20, ()), name="random permutation of 1M"),
    *(function(name, 3) for name in ("mean squared loss", "cross entropy of sigmoid loss", "smooth L1 loss")),
    *(function(name, 4) for name in ("GELU", "SiLU", "log softmax")),
    optimizer("SGD with momentum", 5, optimizer="sgd", momentum=0.9),
    optimizer("SGD with momentum and clipping", 6, optimizer="sgd", momentum=0.9, max_norm=1.0),
    optimizer("Adam", 7, optimizer="adam"),
    replace(optimizer("norm of the gradients", 1, optimizer="norm"), bars=(NUMPY,)),
]
ELEMENTWISE = [elementwise(op, shape, passes) for op, passes in PASSES.items() for shape in SHAPES]
KERNELS = FUSED + ELEMENTWISE


def in_half(case: Case, least: float = 1.5) -> Case:
    """A kernel on bfloat16 beside PyTorch's, and beside the same in float32, which must not be faster."""
    return replace(
        case,
        name=f"bfloat16 {case.name}",
        bars=(Bar("torch", least), Bar("in float32", 1.0)),
        variants=(Variant("", {"half": "bfloat16"}), Variant("in float32")),
        traffic=case.traffic / 2,
        tolerance=0.05,
        only=("drivetrain", "torch"),
        readme="",
    )


def of_rounded_sums(case: Case) -> Case:
    """PyTorch sums the gradients of weight and bias over the rows in the half format there."""
    return replace(case, tolerance=0.2) if "layer norm" in case.name else case


def conversion(name: str) -> Case:
    case = elementwise(name, (8192, 8192), 1)
    half = {"half": "bfloat16"} if name == "from bfloat16" else {}
    return replace(
        case,
        options={**case.options, **half},
        bars=(Bar("torch", 1.0),),
        traffic=6.0 * 8192 * 8192,
        tolerance=0.01,
        only=("drivetrain", "torch"),
    )


HALF_KERNELS = [
    *(of_rounded_sums(in_half(case)) for case in FUSED if case.kind in ("layer", "softmax_loss", "dropout")),
    *(in_half(function(name, 4)) for name in ("GELU", "SiLU", "log softmax", "mean squared loss")),
    *(conversion(name) for name in ("to bfloat16", "to float16", "from bfloat16")),
]
