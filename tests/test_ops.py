"""The tests that every row of the op table buys."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table import ROWS
from op_table.row import ALL, HALVES, TOLERANCES, Op, Sample
from op_table.tools import (
    arrays_for,
    assert_close,
    cotangent_sum,
    gradients,
    is_typed,
    leaves,
    map_tree,
    outputs,
    same_bits,
    samples_of,
    targets_of,
    tensors_for,
    threads,
    tolerance,
    values,
)

OTHER_THREADS = (2, 3, 7)


def rows(condition: Any = lambda op: True) -> Any:
    return pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in ROWS if condition(op)])


def expected_of(op: Op, sample: Sample, dtype: str) -> list[Any]:
    arrays = arrays_for(sample, dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return outputs(op.reference(*arrays.args, **arrays.kwargs))


def check_forward(op: Op, kind: str, dtype: str) -> None:
    for i, sample in enumerate(samples_of(op, kind, dtype)):
        args, kwargs = tensors_for(sample, dtype)
        what = f"{op.name}, {kind} {i}, {dtype}, {dt.get_isa()}"
        actual = outputs(op.call(*args, **kwargs))
        expected = expected_of(op, sample, dtype)
        assert len(actual) == len(expected), what
        for a, e in zip(actual, expected, strict=True):
            assert_close(a, e, tolerance(op, dtype), what)


@rows()
def test_forward(op: Op, level: str) -> None:
    """Against the reference: every dtype, every level, zero sizes included."""
    for dtype in op.dtypes:
        check_forward(op, "samples", dtype)
        check_forward(op, "empty_samples", dtype)


@rows(lambda op: op.large_samples and op.large_reference and "float32" in op.dtypes)
def test_forward_large(op: Op, level: str) -> None:
    for i, sample in enumerate(samples_of(op, "large_samples", "float32")):
        args, kwargs = tensors_for(sample, "float32")
        expected = expected_of(op, sample, "float32")
        for a, e in zip(outputs(op.call(*args, **kwargs)), expected, strict=True):
            assert_close(a, e, op.large_tolerance, f"{op.name}, large {i}, {level}")


@rows(lambda op: set(op.dtypes) != set(ALL))
def test_other_dtypes_are_refused(op: Op) -> None:
    for dtype in ALL:
        if dtype in op.dtypes:
            continue
        sample = next(iter(samples_of(op, "samples")))
        if not any(is_typed(x) for x in leaves((sample.args, dict(sample.kwargs)))):
            continue
        args, kwargs = tensors_for(sample, dtype)
        with pytest.raises(TypeError) as caught:
            op.call(*args, **kwargs)
        assert dtype in str(caught.value), f"the message does not name {dtype}: {caught.value}"


def check_gradient(op: Op, sample: Sample, what: str) -> None:
    args, kwargs = tensors_for(sample, "float64")
    groups = targets_of(op, args, kwargs)
    if not groups:
        return
    together = [t for group in groups for t in group]
    results, grads = gradients(op, args, kwargs, together)
    flowing = [r.requires_grad for r in results]
    for t, grad in zip(together, grads, strict=True):
        assert grad is not None, f"{what}: an input got no gradient"
        assert grad.shape == t.shape, what
        assert grad.dtype == t.dtype, what
    rng = np.random.default_rng(11)
    for k, (t, grad) in enumerate(zip(together, grads, strict=True)):
        if t.size == 0:
            continue
        direction = rng.standard_normal(t.shape)
        # Shares the tensor's memory: the steps are taken in place.
        memory, origin = t.detach().numpy(), values(t)
        step = 1e-6 * max(1.0, float(np.abs(origin).max()))
        differences = []
        for sign in (1, -1):
            memory[...] = origin + sign * step * direction
            differences.append(cotangent_sum(op, args, kwargs, flowing))
        memory[...] = origin
        numeric = (differences[0] - differences[1]) / (2 * step)
        analytic = float(np.sum(values(grad) * direction))
        relative, absolute = op.gradient_tolerance
        scale = max(1.0, float(np.sum(np.abs(values(grad) * direction))))
        assert abs(numeric - analytic) <= relative * abs(numeric) + absolute * scale, (
            f"{what}: gradient {k} along a random direction is {analytic}, central differences give {numeric}"
        )
    # Each argument alone: a backward pass that computes only what is needed computes the same.
    at = 0
    for group in groups:
        _, alone = gradients(op, args, kwargs, group)
        for grad in alone:
            assert_close(grad, values(grads[at]), (1e-12, 1e-13), f"{what}: gradient {at} alone")
            at += 1


@rows(lambda op: op.differentiable and "float64" in op.dtypes)
def test_gradient(op: Op, level: str) -> None:
    """float64 gradients against central differences along random directions, on every level."""
    for kind in ("samples", "empty_samples"):
        for i, sample in enumerate(samples_of(op, kind, "float64")):
            if sample.gradient:
                check_gradient(op, sample, f"{op.name}, {kind} {i}, {level}")


@rows(lambda op: op.differentiable and "float32" in op.dtypes and "float64" in op.dtypes)
def test_float32_against_float64(op: Op, level: str) -> None:
    """Forward and backward: tiny float64 samples never reach the fast paths, large float32 ones do."""
    for kind in ("samples", "large_samples"):
        for i, sample in enumerate(samples_of(op, kind, "float32")):
            if not sample.gradient:
                continue
            rounded = arrays_for(sample, "float32")
            found = []
            for dtype in ("float32", "float64"):
                args, kwargs = tensors_for(rounded, dtype)
                targets = [t for group in targets_of(op, args, kwargs) for t in group]
                if not targets:
                    break
                results, grads = gradients(op, args, kwargs, targets)
                found.append([*results, *grads])
            if len(found) == 2:
                for k, (low, high) in enumerate(zip(*found, strict=True)):
                    what = f"{op.name}, {kind} {i}, result or gradient {k}, {level}"
                    assert_close(low, values(high), op.large_tolerance, what)


def wide(sample: Sample) -> Sample:
    """float32 arrays, which stand beside a half format, as float64."""

    def widen(x: Any) -> Any:
        return x.astype(np.float64) if isinstance(x, np.ndarray) and x.dtype == np.float32 else x

    return Sample(map_tree(widen, sample.args), map_tree(widen, dict(sample.kwargs)))


@rows(lambda op: op.differentiable and set(HALVES) <= set(op.dtypes) and "float64" in op.dtypes)
def test_halves_against_float64(op: Op, level: str) -> None:
    """Forward and backward: they round what they store, and compute in float32 between."""
    for dtype in HALVES:
        for kind in ("samples", "large_samples"):
            for i, sample in enumerate(samples_of(op, kind, dtype)):
                if not sample.gradient:
                    continue
                rounded = arrays_for(sample, dtype)
                found = []
                for computed in (dtype, "float64"):
                    args, kwargs = tensors_for(rounded if computed == dtype else wide(rounded), computed)
                    targets = [t for group in targets_of(op, args, kwargs) for t in group]
                    if not targets:
                        break
                    results, grads = gradients(op, args, kwargs, targets, rounding=dtype)
                    found.append([*results, *grads])
                if len(found) < 2:
                    continue
                for k, (low, high) in enumerate(zip(*found, strict=True)):
                    what = f"{op.name}, {kind} {i}, result or gradient {k}, {dtype}, {level}"
                    bounds = TOLERANCES[dtype] if op.exact else tolerance(op, dtype)
                    assert_close(low, values(high), bounds, what)


def layouts(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in memory of another layout."""
    spread = np.zeros(tuple(2 * s for s in x.shape), x.dtype)[tuple(slice(None, None, 2) for _ in x.shape)]
    spread[...] = x
    backwards = np.ascontiguousarray(x[tuple(slice(None, None, -1) for _ in x.shape)])
    shifted = np.zeros(x.size + 3, x.dtype)[3:].reshape(x.shape)
    shifted[...] = x
    return {
        "spread": spread,
        "backwards": backwards[tuple(slice(None, None, -1) for _ in x.shape)],
        "transposed": np.asfortranarray(x),
        "shifted": shifted,
    }


def run(op: Op, args: Any, kwargs: Any, differentiate: bool) -> list[Any]:
    targets = [t for group in targets_of(op, args, kwargs) for t in group] if differentiate else []
    if not targets:
        return outputs(op.call(*args, **kwargs))
    results, grads = gradients(op, args, kwargs, targets)
    return [*results, *grads]


def compare(op: Op, a: Any, b: Any, dtype: str, what: str) -> None:
    if op.same_bits_for_strides:
        same_bits(a, b, what)
    else:
        assert_close(a, values(b), tolerance(op, dtype), what)


@pytest.mark.parametrize("layout", ["spread", "backwards", "transposed", "shifted"])
@rows()
def test_layouts(op: Op, layout: str) -> None:
    """Strides change nothing, not a bit (or what the row says), and read-only memory is only read."""
    dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
    for i, sample in enumerate(samples_of(op, "samples", dtype)):
        differentiate = sample.gradient and dtype == "float32"
        args, kwargs = tensors_for(sample, dtype)
        plain = run(op, args, kwargs, differentiate)

        def relayout(t: Any) -> Any:
            if not isinstance(t, dt.Tensor) or t.ndim == 0:
                return t
            array = layouts(t.numpy())[layout]
            array.flags.writeable = False
            return dt.from_numpy(array)

        args, kwargs = map_tree(relayout, args), map_tree(relayout, kwargs)
        strided = run(op, args, kwargs, differentiate)
        for k, (a, b) in enumerate(zip(plain, strided, strict=True)):
            compare(op, a, b, dtype, f"{op.name}, sample {i}, result {k} from {layout} memory")


@rows()
def test_broadcast_memory(op: Op) -> None:
    """Inputs whose axes have stride 0 (one row repeated) give what a full copy of them gives."""
    dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
    for i, sample in enumerate(samples_of(op, "samples", dtype)):

        def repeat(x: Any) -> Any:
            return np.broadcast_to(x[:1], x.shape) if is_typed(x) and x.ndim and x.shape[0] else x

        repeated = Sample(map_tree(repeat, sample.args), map_tree(repeat, dict(sample.kwargs)))

        def share(x: Any) -> Any:
            if is_typed(x):
                base = to_memory(x, dtype)
                return dt.from_numpy(np.broadcast_to(base[:1], base.shape)) if x.ndim and x.shape[0] else base
            return dt.tensor(x) if isinstance(x, np.ndarray) else x

        def to_memory(x: np.ndarray, dtype: str) -> np.ndarray:
            return values(tensors_for(Sample((x,)), dtype)[0][0])

        full_args, full_kwargs = tensors_for(repeated, dtype)
        args, kwargs = map_tree(share, repeated.args), map_tree(share, dict(repeated.kwargs))
        args, kwargs = map_tree(as_tensor, args), map_tree(as_tensor, kwargs)
        full, shared = run(op, full_args, full_kwargs, False), run(op, args, kwargs, False)
        for a, b in zip(full, shared, strict=True):
            compare(op, a, b, dtype, f"{op.name}, sample {i}, broadcast memory")


def as_tensor(x: Any) -> Any:
    return dt.from_numpy(x) if isinstance(x, np.ndarray) else x


@rows()
def test_inputs_stay_unchanged(op: Op) -> None:
    for dtype in op.dtypes:
        for i, sample in enumerate(samples_of(op, "samples", dtype)):
            args, kwargs = tensors_for(sample, dtype)
            given = [t for t in leaves((args, kwargs)) if isinstance(t, dt.Tensor)]
            before = [values(t) for t in given]
            run(op, args, kwargs, sample.gradient and dtype in ("float32", "float64"))
            for t, copy in zip(given, before, strict=True):
                same_bits(t, copy, f"{op.name}, sample {i}, {dtype}: an input")


@rows()
def test_threads(op: Op, level: str) -> None:
    """The same bits on any number of threads, forward and backward."""
    dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
    for kind in ("samples", "large_samples"):
        for i, sample in enumerate(samples_of(op, kind, dtype)):
            args, kwargs = tensors_for(sample, dtype)
            differentiate = sample.gradient and dtype == "float32"
            with threads(1):
                one = [values(r) for r in run(op, args, kwargs, differentiate)]
            for n in OTHER_THREADS:
                with threads(n):
                    many = run(op, args, kwargs, differentiate)
                for k, (a, b) in enumerate(zip(one, many, strict=True)):
                    same_bits(a, b, f"{op.name}, {kind} {i}, result {k}, {n} threads, {level}")


@rows(lambda op: hasattr(dt.Tensor, op.name) and hasattr(dt, op.name))
def test_method(op: Op) -> None:
    """The method of the same name does the same."""
    dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
    for i, sample in enumerate(samples_of(op, "samples", dtype)):
        args, kwargs = tensors_for(sample, dtype)
        if not args or not isinstance(args[0], dt.Tensor):
            continue
        expected = outputs(op.call(*args, **kwargs))
        dt.manual_seed(1234)
        actual = outputs(getattr(args[0], op.name)(*args[1:], **kwargs))
        for a, b in zip(actual, expected, strict=True):
            same_bits(a, b, f"Tensor.{op.name}, sample {i}")


@rows()
def test_errors(op: Op) -> None:
    assert op.errors, "a row needs error rows"
    for error in op.errors:
        with pytest.raises(error.type) as caught:
            error.call()
        # The very type: IndexError is no ValueError, but a subclass would pass unnoticed.
        assert type(caught.value) is error.type, f"{op.name}: {caught.value!r}"
        assert re.search(error.match, str(caught.value)), (
            f"{op.name}: message {str(caught.value)!r} does not match {error.match!r}"
        )


@rows()
def test_row_is_complete(op: Op) -> None:
    assert list(samples_of(op, "samples")), "no samples"
    assert op.empty_samples or op.no_empty, "give empty_samples, or say in no_empty why there are none"
    assert set(op.dtypes) <= set(ALL)
    for sample in samples_of(op, "empty_samples"):
        arrays = [x for x in leaves((sample.args, dict(sample.kwargs))) if isinstance(x, np.ndarray)]
        assert any(x.size == 0 for x in arrays), "an empty sample without a zero-size array"
    assert len({op.name for op in ROWS}) == len(ROWS), "two rows of one name"


# Operators and the functions they stand for; the reflected and in-place forms ("r", "i") belong to them.
OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "matmul": "matmul",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "pow",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "neg": "negative",
    "abs": "abs",
    "invert": "bitwise_invert",
}


@rows(lambda op: op.name in OPERATORS.values())
def test_operators(op: Op) -> None:
    """x + y, its reflected form and x += y do what add(x, y) does."""
    operator = next(k for k, v in OPERATORS.items() if v == op.name)
    for dtype in op.dtypes:
        for i, sample in enumerate(samples_of(op, "samples", dtype)):
            args, kwargs = tensors_for(sample, dtype)
            if kwargs or not all(isinstance(a, dt.Tensor) for a in args):
                continue
            what = f"{op.name}, sample {i}, {dtype}"
            expected = op.call(*args)
            same_bits(getattr(args[0], f"__{operator}__")(*args[1:]), expected, what)
            if len(args) == 2 and hasattr(dt.Tensor, f"__r{operator}__"):
                same_bits(getattr(args[1], f"__r{operator}__")(args[0]), expected, f"{what}, reflected")
            fits = args[0].shape == expected.shape and args[0].dtype == expected.dtype
            if len(args) == 2 and fits and hasattr(dt.Tensor, f"__i{operator}__"):
                target = dt.tensor(args[0])
                same_bits(getattr(target, f"__i{operator}__")(args[1]), expected, f"{what}, in place")
                same_bits(target, expected, f"{what}, in place")


# Public names of the core that are no ops, by reason; they have tests of their own.
NO_OPS = {
    "settings of the process": "set_num_threads get_num_threads set_isa get_isa isa_levels memory_stats "
    "reset_peak_memory empty_cache manual_seed",
    "autograd": "is_grad_enabled is_autocast_enabled get_autocast_dtype Tensor.backward Tensor.detach "
    "Tensor.requires_grad_ Tensor.retain_grad Tensor.register_hook Tensor.grad_fn grad",
    "exchange": "tensor asarray from_numpy from_dlpack frombuffer Tensor.numpy Tensor.tobytes "
    "Tensor.__bytes__ Tensor.__array__ Tensor.__dlpack__ Tensor.__dlpack_device__ Tensor.item Tensor.tolist",
    "images": "cut_images warp_images displace_images resize_images",
    "facts about a tensor": "Tensor.is_contiguous Tensor.data_ptr Tensor.__len__ Tensor.__bool__ "
    "Tensor.__int__ Tensor.__float__ Tensor.__index__ Tensor.__iter__ Tensor.__repr__ Tensor.__format__ "
    "Tensor.__reduce__ Tensor.__reduce_ex__ Tensor.__deepcopy__ Tensor.__copy__ Tensor.__hash__ "
    "Tensor.__complex__ Tensor.__array_namespace__",
}


def test_every_op_has_a_row() -> None:
    covered = {op.name for op in ROWS} | {name for op in ROWS for name in op.covers}
    covered |= {name for names in NO_OPS.values() for name in names.split()}
    missing = []
    for name, signature in dt._core._signatures.items():
        if not signature.startswith("(") or name.startswith("_") or name in covered:
            continue
        method = name.removeprefix("Tensor.")
        if method.startswith("_") and not method.startswith("__"):
            continue
        operator = method.strip("_")
        stands_for = OPERATORS.get(operator) or OPERATORS.get(operator[1:]) or name
        # A method belongs to the row of its function (test_method compares them), `add_` to that of `add`.
        if not {method, method.removesuffix("_"), stands_for} & covered:
            missing.append(name)
    assert not missing, f"without a row in the op table: {' '.join(sorted(missing))}"
