"""Between NumPy arrays and tensors: what the tests of the op table share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import drivetrain as dt

from .row import TOLERANCES, Op, Sample


def is_typed(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == np.float64


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: map_tree(function, v) for k, v in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_tree(function, v) for v in tree)
    return function(tree)


def leaves(tree: Any) -> list[Any]:
    found: list[Any] = []
    map_tree(found.append, tree)
    return found


def to_dtype(x: np.ndarray, dtype: str) -> np.ndarray:
    """The values of a float64 array that `dtype` can hold, as float64 (floats) or in the dtype itself."""
    if dtype in ("float32", "float16"):
        return x.astype(dtype).astype(np.float64)
    if dtype == "bfloat16":
        return values(dt.tensor(x, dtype="bfloat16"))
    if dtype == "bool":
        return x > 0
    if dtype == "uint8":
        return np.abs(np.rint(3 * x)).astype(np.uint8)
    if dtype.startswith("int"):
        return np.rint(3 * x).astype(dtype)
    return x


def values(t: Any) -> np.ndarray:
    """A copy of the tensor's values; bfloat16 as float64."""
    if not isinstance(t, dt.Tensor):
        return np.asarray(t)
    if t.dtype == dt.bfloat16:
        return dt.tensor(t.detach(), dtype=dt.float32).numpy().astype(np.float64)
    return t.detach().numpy().copy()


def arrays_for(sample: Sample, dtype: str) -> Sample:
    """The sample with its float64 arrays rounded to the dtype: what the reference gets."""

    def convert(x: Any) -> Any:
        return to_dtype(x, dtype) if is_typed(x) else x

    return Sample(map_tree(convert, sample.args), map_tree(convert, dict(sample.kwargs)), sample.gradient)


def tensors_for(sample: Sample, dtype: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The sample's arrays as tensors, the float64 ones in the dtype under test."""

    def convert(x: Any) -> Any:
        if is_typed(x):
            return dt.tensor(to_dtype(x, dtype), dtype=dtype)
        return dt.tensor(x) if isinstance(x, np.ndarray) else x

    return map_tree(convert, sample.args), map_tree(convert, dict(sample.kwargs))


def samples_of(op: Op, kind: str, dtype: str = "") -> Iterator[Sample]:
    """The row's samples of a kind ("samples", "large_samples" ...), always with the same values."""
    make = getattr(op, kind)
    if make is None:
        return
    for sample in make(np.random.default_rng(20)):
        if not dtype or sample.dtypes is None or dtype in sample.dtypes:
            yield sample


def outputs(result: Any) -> list[Any]:
    return [r for r in leaves(result) if r is not None]


def tolerance(op: Op, dtype: str) -> tuple[float, float]:
    if op.exact:
        return 0.0, 0.0
    if dtype in op.tolerance:
        return op.tolerance[dtype]
    return TOLERANCES.get(dtype, TOLERANCES["float32"])  # integers that became floats became float32


def assert_close(actual: Any, expected: Any, bounds: tuple[float, float], what: str) -> None:
    actual, expected = values(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    if actual.size == 0:
        return
    if expected.dtype.kind in "biu" and actual.dtype.kind in "biu":
        np.testing.assert_array_equal(actual, expected, err_msg=what)
        return
    given = actual.dtype if actual.dtype.kind == "f" else np.float64
    actual, expected = actual.astype(np.float64), expected.astype(np.float64)
    # What the dtype cannot hold is infinite in it.
    with np.errstate(over="ignore"):
        expected = expected.astype(given).astype(np.float64)
    finite = np.isfinite(expected)
    scale = max(1.0, float(np.max(np.abs(expected[finite]), initial=0.0)))
    np.testing.assert_allclose(
        actual, expected, rtol=bounds[0], atol=bounds[1] * scale, equal_nan=True, err_msg=what
    )


def same_bits(a: Any, b: Any, what: str) -> None:
    a, b = values(a), values(b)
    assert a.shape == b.shape, what
    assert a.dtype == b.dtype, what
    # NaNs may differ in their payload, which nobody promises.
    if a.dtype.kind == "f":
        assert np.array_equal(np.isnan(a), np.isnan(b)), what
        a, b = np.nan_to_num(a, nan=0.0), np.nan_to_num(b, nan=0.0)
    if not np.array_equal(a, b) or a.tobytes() != b.tobytes():
        where = np.argwhere(a != b)[:3].tolist()
        raise AssertionError(f"{what}: bits differ, first at {where} of {a.shape}")


@contextmanager
def isa(level: str) -> Iterator[None]:
    before = dt.get_isa()
    dt.set_isa(level)
    try:
        yield
    finally:
        dt.set_isa(before)


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = dt.get_num_threads()
    dt.set_num_threads(n)
    try:
        yield
    finally:
        dt.set_num_threads(before)


def on_threads(run: Callable[[], Iterable[Any]]) -> list[np.ndarray]:
    """The results of run on one thread; other numbers of threads must give the same bits."""
    results = []
    for n in (1, 2, 3, 7):
        with threads(n):
            results.append([np.asarray(x) for x in run()])
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            assert a.tobytes() == b.tobytes(), "the number of threads changed the result"
    return results[0]


def targets_of(op: Op, args: Any, kwargs: Any) -> list[list[Any]]:
    """Per differentiable argument that the sample gives: its tensors (several where it is a list)."""
    found = []
    for key in op.differentiable:
        at = key if isinstance(key, int) else 0
        value = kwargs.get(key) if isinstance(key, str) else args[at] if at < len(args) else None
        tensors = [t for t in leaves(value) if isinstance(t, dt.Tensor) and t.dtype.is_floating_point]
        if tensors:
            found.append(tensors)
    return found


def gradients(
    op: Op, args: Any, kwargs: Any, targets: list[Any], seed: int = 5, rounding: str = "float64"
) -> tuple[list[Any], list[Any]]:
    """Outputs of the op and the gradients of the targets, for fixed random gradients of the outputs.

    These are values that `rounding` can hold, whatever the dtype of the outputs.
    """
    for t in targets:
        t.requires_grad = True
    results = outputs(op.call(*args, **kwargs))
    rng = np.random.default_rng(seed)
    flowing = [r for r in results if r.requires_grad]
    assert flowing, "no output requires a gradient, though an input does"
    for r in flowing:
        seed_gradient = dt.tensor(to_dtype(rng.standard_normal(r.shape), rounding), dtype=r.dtype)
        r.backward(seed_gradient, retain_graph=True)
    grads = [t.grad for t in targets]
    for t in targets:
        t.grad = None
        t.requires_grad = False
    return results, grads


def cotangent_sum(op: Op, args: Any, kwargs: Any, flowing: list[bool], seed: int = 5) -> float:
    """The scalar whose gradients `gradients` computes."""
    rng = np.random.default_rng(seed)
    total = 0.0
    for r, flows in zip(outputs(op.call(*args, **kwargs)), flowing, strict=True):
        if flows:
            total += float(np.sum(values(r) * rng.standard_normal(r.shape)))
    return total
