"""The cases of matrix products, in float32, float64 and half formats."""

from dataclasses import replace

from benchmarks.cases import FLAT, Bar, Case, Variant


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
