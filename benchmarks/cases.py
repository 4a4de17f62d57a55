"""The benchmark cases, as data. A kind names a builder of the modules in `benchmarks/libraries`."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    repeat: int = 200  # calls in one timing turn
    flops: float = 0.0  # of one call, where a rate is worth telling


def gemm(m: int, n: int, k: int, repeat: int = 20) -> Case:
    return Case(f"sgemm {m}x{n}x{k}", "gemm", {"m": m, "n": n, "k": k}, repeat, 2.0 * m * n * k)


MLP_SMALL = Case("MLP 20-64-64-1, batch 32, SGD", "mlp", {"sizes": [20, 64, 64, 1], "batch": 32}, 2000)
LENET = Case("LeNet 28x28, batch 64, SGD momentum", "lenet", {"batch": 64}, 50)

SUITES: dict[str, list[Case]] = {
    "core": [MLP_SMALL, LENET, gemm(1024, 1024, 1024), gemm(4096, 64, 576), gemm(128, 4096, 1000)],
}
