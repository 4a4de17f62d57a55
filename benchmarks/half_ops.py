"""Single ops on bfloat16 and float16 beside the same on float32.

python -m benchmarks half_ops                    # two minutes
python -m benchmarks half_ops --case softmax

One line for each op and shape that takes longer on halves than on float32 by more than a tenth, the slowest
first, then a summary by shape. The three formats take turns in one process; medians. Small arrays stay in the
caches, where halves save no time and cost their conversion; of large ones they save half the traffic. Losses,
layers and activations run forward and backward.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

FORMATS = ("float32", "bfloat16", "float16")
SHAPES = ((64, 64), (512, 512), (4096, 1024))
ALLOWED = 1 / 1.1  # of float32's speed
TURN = 0.01  # seconds

UNARY = (
    "exp expm1 exp2 log log1p log2 sqrt rsqrt reciprocal sin cos tan tanh sigmoid erf abs negative "
    "square sign floor round asin acos atan sinh cosh"
)
ACTIVATIONS = "relu leaky_relu elu selu gelu silu hardswish softplus relu6"
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "less", "equal", "atan2"]
REDUCTIONS = ["sum", "mean", "max", "min", "prod", "argmax", "var", "std", "any", "logsumexp"]
ALONG = ["cumulative_sum", "sort", "argsort"]
LOSSES = ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"]

Run = Callable[[], Any]
Make = Callable[[str], Run]  # of a format


class Found(NamedTuple):
    shape: tuple[int, int]
    name: str
    seconds: list[float]  # by format

    @property
    def slowest(self) -> float:
        """Speed of the slower half format over float32's."""
        return self.seconds[0] / max(self.seconds[1:])

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape))
        halves = zip(FORMATS[1:], self.seconds[1:], strict=True)
        speeds = ", ".join(f"{name} {self.seconds[0] / taken:.2f}" for name, taken in halves)
        return f"{self.name + ' ' + shape:<46} float32 {1e6 * self.seconds[0]:9.1f} us; {speeds}"


def both_ways(f: Callable[[Any], Any], x: Any) -> Run:
    import drivetrain as dt

    x.requires_grad = True
    y = f(x)
    gradient = dt.ones(y.shape, dtype=y.dtype)

    def run() -> None:
        x.grad = None
        f(x).backward(gradient)

    return run


def cases(shape: tuple[int, int]) -> Iterator[tuple[str, Make]]:
    import drivetrain as dt

    F = dt.nn.functional
    rng = np.random.default_rng(0)
    below_one, around_one = rng.random(shape) * 0.9 + 0.05, rng.random(shape) + 0.5
    labels = dt.asarray(rng.integers(0, shape[1], shape[0]))

    def tensor(values: Any, dtype: str) -> Any:
        return dt.asarray(values.astype(np.float32)).astype(dtype)

    def forward(f: Any, *inputs: Any) -> Make:
        def make(dtype: str) -> Run:
            tensors = [tensor(values, dtype) for values in inputs]
            return lambda: f(*tensors)

        return make

    def trained(f: Any, *inputs: Any) -> Make:
        def make(dtype: str) -> Run:
            x, *others = [tensor(values, dtype) for values in inputs]
            return both_ways(lambda x: f(x, *others), x)

        return make

    for name in UNARY.split():
        yield name, forward(getattr(dt, name), below_one)
    for name in BINARY:
        yield name, forward(getattr(dt, name), below_one, around_one)
    for name in REDUCTIONS + ALONG:
        for axis in (0, 1) if name in ALONG else (None, 0, 1):
            yield f"{name}, axis {axis}", forward(partial(getattr(dt, name), axis=axis), below_one)
    for name in ACTIVATIONS.split():
        yield name, trained(getattr(F, name), below_one - 0.5)
    for name in ("softmax", "log_softmax"):
        yield name, trained(partial(getattr(F, name), axis=-1), below_one)
    for name in ("layer_norm", "rms_norm"):
        yield name, trained(partial(getattr(F, name), normalized_shape=(shape[1],)), below_one)
    for name in LOSSES:
        yield name, trained(getattr(F, name), below_one, around_one * 0.5)
    yield "cross_entropy", trained(lambda x: F.cross_entropy(x, labels), below_one)


def measure(make: Make, rounds: int) -> list[float]:
    runs = [make(dtype) for dtype in FORMATS]
    counts: list[int] = []
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
        start = time.perf_counter()
        run()
        counts.append(max(1, int(TURN / max(time.perf_counter() - start, 1e-7))))
    for _ in range(rounds):
        for run, count, taken in zip(runs, counts, times, strict=True):
            start = time.perf_counter()
            for _ in range(count):
                run()
            taken.append((time.perf_counter() - start) / count)
    return [statistics.median(taken) for taken in times]


def run(case: str, rounds: int, threads: int, shapes: tuple[tuple[int, int], ...] = SHAPES) -> list[Found]:
    import drivetrain as dt

    dt.set_num_threads(threads)
    found = [
        Found(shape, name, measure(make, rounds))
        for shape in shapes
        for name, make in cases(shape)
        if case in name
    ]
    print(f"{threads} threads, level {dt.get_isa()}; speed over that of float32, {ALLOWED:.3f} is allowed")
    for each in sorted(found, key=lambda each: each.slowest):
        if each.slowest < ALLOWED:
            print(each)
    for shape in shapes:
        here = [each for each in found if each.shape == shape]
        if not here:
            continue
        below = sum(each.slowest < ALLOWED for each in here)
        medians = [
            f"{name} median {statistics.median(each.seconds[0] / each.seconds[i] for each in here):.2f}"
            for i, name in enumerate(FORMATS[1:], 1)
        ]
        print(f"{'x'.join(map(str, shape))}: {len(here)} ops, {below} below; {', '.join(medians)}")
    return found
