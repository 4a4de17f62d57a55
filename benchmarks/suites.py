"""The suites: lists of cases. Names say what is run; images are batch x height x width."""

from dataclasses import replace
from math import prod
from typing import Any

from benchmarks import fits
from benchmarks.cases import Bar, Case, Variant
from benchmarks.convolutions import CONV, CONV_3X3
from benchmarks.passes import PASSES

FLAT = {"torch channels_last tuned": "no images", "torch compile tuned": "a single kernel, as in eager mode"}
NUMPY = Bar("numpy", 1.0)


# --- Single kernels ---


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
        without={} if len(shape) == 4 else {"torch channels_last tuned": "no images"},
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
        without={"torch channels_last tuned": "no images"},
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
        without={"torch channels_last tuned": "no images"},
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
        without={"torch channels_last tuned": "no images"},
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


# --- Products ---


def gemm(
    m: int,
    n: int,
    k: int,
    transpose: str = "",
    bars: tuple[Bar, ...] = (),
    readme: str = "",
    dtype: str = "float32",
) -> Case:
    """`transpose`: which of a and b lies transposed in memory."""
    how = {"": "", "a": ", a transposed", "b": ", b transposed"}[transpose]
    transposed = {"transpose_a": transpose == "a", "transpose_b": transpose == "b"}
    return Case(
        f"{'sgemm' if dtype == 'float32' else 'dgemm'} {m}x{n}x{k}{how}",
        "gemm",
        {"m": m, "n": n, "k": k, "dtype": dtype, **transposed},
        (Bar("peers+numpy", 1.0, 1.1), *bars),
        flops=2.0 * m * n * k,
        seconds=0.1,
        without=FLAT,
        tiny={"m": 5, "n": 7, "k": 9},
        readme=readme,
    )


def half_gemm(
    m: int, n: int, k: int, transpose: str = "", half: str = "bfloat16", least: float = 1.5
) -> Case:
    """A product of a half format beside the one of float32, which may be faster by a tenth at most."""
    case = gemm(m, n, k, transpose)
    return replace(
        case,
        name=f"{half} {case.name.removeprefix('sgemm ')}",
        bars=(Bar("torch", least, 2.0), Bar("in float32", 1 / 1.1)),
        variants=(Variant("", {"half": half}), Variant("in float32")),
        tolerance=0.02,
        without={**FLAT, "numpy": "no bfloat16, and no fast float16"},
        # The others take minutes for large products of float16.
        only=("drivetrain", "torch") if half == "float16" else (),
    )


GEMM_1024 = gemm(1024, 1024, 1024, "", (Bar("peak", 0.85, 0.92),), "Matrix product, 1024 cubed")
GEMM_CORE = [GEMM_1024, gemm(4096, 64, 576), gemm(128, 4096, 1000)]
GEMM = [
    *GEMM_CORE,
    gemm(256, 256, 256),
    gemm(512, 512, 512),
    gemm(2048, 2048, 2048),
    gemm(32, 64, 20, "b"),  # MLP 20-64-64-1: forward, gradients of weights and of inputs
    gemm(64, 20, 32, "a"),
    gemm(32, 64, 64),
    gemm(64, 512, 784, "b"),  # MLP 784-512-256-10
    gemm(512, 784, 64, "a"),
    gemm(64, 512, 256),
    gemm(256, 512, 784, "b"),
    gemm(512, 784, 256, "a"),
    gemm(64, 10, 256, "b"),
    gemm(1, 1000, 2048, "b"),  # a batch of one
    gemm(512, 512, 512, dtype="float64"),
]


HALF_PRODUCTS = [
    *(half_gemm(n, n, n, half=half) for half in ("bfloat16", "float16") for n in (512, 1024, 2048)),
    half_gemm(25088, 64, 576),  # convolutions as products: 3x3 64-64 on 8x56x56, 1x1 256-64 and 512-2048
    half_gemm(25088, 64, 256),
    half_gemm(392, 2048, 512),
    half_gemm(64, 576, 25088, "a"),
    half_gemm(64, 512, 784, "b", least=1.0),  # linear layers: forward, gradients of weights and of inputs
    half_gemm(512, 784, 64, "a", least=1.0),
    half_gemm(64, 784, 512, least=1.0),
    half_gemm(128, 4096, 1000, least=1.0),
    half_gemm(32, 64, 64, least=1.0),
    half_gemm(1, 1000, 2048, "b", least=1.0),
    half_gemm(1, 1000, 2048, least=1.0),
    half_gemm(32, 64, 64, half="float16", least=1.0),
    half_gemm(1, 1000, 2048, "b", half="float16", least=1.0),
]


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


NO_IMAGES = {"torch channels_last tuned": "no images"}
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
    "half kernels": HALF_KERNELS,
    "overhead": OVERHEAD,
    "guard": fits.GUARD,
    "half training": fits.HALF,
    "memory": MEMORY,
    "busy": BUSY,
    "scaling": SCALING,
    "levels": LEVELS,
}
ALL = [name for name in SUITES if name != "core"]
