"""Random calls, legal and illegal: nothing crashes, wrong ones are refused, right ones agree with NumPy."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import drivetrain as dt
from op_table.row import ALL, INTEGERS
from op_table.tools import assert_close, leaves, same_bits, values

settings.register_profile(
    "default", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What a call may raise. (RuntimeError: at the wrong time; OverflowError: int(inf).)
REFUSALS = (ValueError, TypeError, IndexError, MemoryError, RuntimeError, OverflowError, BufferError)

# --- Strategies ---

sizes = st.one_of(st.integers(0, 4), st.integers(1, 3), st.just(1))
shapes = st.lists(sizes, max_size=4).map(tuple)
wide_floats = st.one_of(
    st.floats(-3, 3), st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e300, 1e-310])
)


@st.composite
def tensors(draw: Any, dtypes: tuple[str, ...] = ALL, shape: Any = shapes) -> Any:
    """Of any dtype, shape and layout; some are views with odd strides, some require a gradient."""
    dims, dtype = draw(shape), draw(st.sampled_from(dtypes))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    data = rng.uniform(-3, 3, dims)
    if dtype in INTEGERS:
        data = rng.integers(0, 5, dims)
    elif data.size and draw(st.booleans()):
        data[tuple(0 for _ in dims)] = draw(wide_floats)
    with np.errstate(all="ignore"):
        array = np.asarray(data > 0) if dtype == "bool" else data.astype("f8" if "float" in dtype else dtype)
    layout = draw(st.sampled_from(["plain", "spread", "backwards", "transposed"]))
    made = dt.tensor(array, dtype=dtype)
    if dtype != "bfloat16" and layout != "plain" and dims:
        base = values(made)
        if layout == "spread":
            memory = np.zeros(tuple(2 * s for s in dims), base.dtype)[
                tuple(slice(None, None, 2) for _ in dims)
            ]
            memory[...] = base
        elif layout == "backwards":
            memory = np.ascontiguousarray(base[::-1])[::-1]
        else:
            memory = np.asfortranarray(base)
        made = dt.from_numpy(memory)
    if made.dtype.is_floating_point and draw(st.booleans()):
        made.requires_grad = True
    return made


small_ints = st.integers(-3, 5)
integers = st.one_of(small_ints, small_ints, st.sampled_from([2**40, 2**62, 2**63 - 1, -(2**63), 2**70]))
junk = st.sampled_from(
    [None, "x", object(), [], {}, b"bytes", 1j, np.zeros((2, 2), np.complex128), "float32", 1.5]
)
WORDS = ["mean", "sum", "none", "same", "valid", "tanh", "constant", "reflect", "batchmean", "", "?"]
indices = st.one_of(
    small_ints,
    st.slices(4),
    st.none(),
    st.just(Ellipsis),
    st.lists(small_ints, max_size=3),
    tensors(("int64", "bool", "uint8")),
)


def argument(annotation: str, name: str) -> Any:
    """A strategy of mostly right, sometimes wrong, values for an argument of a signature."""
    options: list[Any] = []
    for part in re.split(r"\s*\|\s*", annotation):
        if part == "Tensor":
            options += [tensors()] * 6
        elif part == "None":
            options.append(st.none())
        elif part == "bool":
            options += [st.booleans()] * 4
        elif part == "int":
            options += [integers] * 3
        elif part in ("float", "complex"):
            options += [wide_floats] * 3
        elif part == "str":
            words = [
                "mean",
                "sum",
                "none",
                "same",
                "valid",
                "tanh",
                "constant",
                "reflect",
                "batchmean",
                "",
                "?",
            ]
            options += [st.sampled_from(words)] * 4
        elif part == "DTypeLike":
            options += [st.sampled_from([*ALL, "float8", dt.float32, np.float64])] * 3
        elif part.startswith("Sequence[int"):
            options += [st.lists(integers, max_size=4)] * 2 + [st.lists(st.integers(0, 3), max_size=4)] * 3
        elif part.startswith("Sequence[Tensor"):
            options += [st.lists(tensors(), max_size=3)] * 4
    if name in ("key", "index", "indices"):
        options += [indices, st.lists(indices, max_size=3).map(tuple)] * 3
    return st.one_of(*options, junk) if options else st.one_of(junk, tensors(), integers)


def parsed(signature: str) -> tuple[list[tuple[str, str, bool]], list[tuple[str, str, bool]]]:
    """(name, annotation, required) of the positional and of the keyword-only arguments."""
    inside = signature[1 : signature.index(") ->")]
    groups: tuple[list[Any], list[Any]] = ([], [])
    at = 0
    for part in re.split(r",\s*(?![^\[\('\"]*[\]\)])", inside):
        if part == "*":
            at = 1
        elif part and part != "self" and part != "/":
            name, _, rest = part.partition(":")
            annotation, _, default = rest.partition(" = ")
            groups[at].append((name.strip(), annotation.strip(), not default))
    return groups


SIGNATURES = {
    name: text
    for name, text in dt._core._signatures.items()
    if text.startswith("(") and not name.startswith("_") and not name.startswith("Tensor._")
} | {
    name: text
    for name, text in dt._core._signatures.items()
    if re.match(r"Tensor\.__\w+__$", name) and text.startswith("(")
}
# Calls that change how everything after them runs, or read memory addresses.
UNTESTED = {
    "set_num_threads",
    "set_isa",
    "empty_cache",
    "reset_peak_memory",
    "Tensor.__dlpack__",
    "from_dlpack",
}
CHANGES_ARGUMENTS = re.compile(r"_$|__i\w+__$|__setitem__|_step$|^(batch|instance)_norm$")


@pytest.mark.parametrize("name", sorted(SIGNATURES.keys() - UNTESTED))
@given(data=st.data())
def test_any_call(name: str, data: Any) -> None:
    """It returns, or refuses with an exception; inputs stay as they are; backward does not crash."""
    positional, keywords = parsed(SIGNATURES[name])
    args: list[Any] = [data.draw(tensors())] if name.startswith("Tensor.") else []
    kwargs = {}
    for argument_name, annotation, required in positional:
        if not required and data.draw(st.booleans()):
            break
        args.append(data.draw(argument(annotation, argument_name)))
    for argument_name, annotation, required in keywords:
        if required or data.draw(st.integers(0, 3)) == 0:
            kwargs[argument_name] = data.draw(argument(annotation, argument_name))
    given_tensors = [t for t in leaves((args, kwargs)) if isinstance(t, dt.Tensor)]
    before = [values(t) for t in given_tensors]
    function = getattr(dt.Tensor, name[7:]) if name.startswith("Tensor.") else getattr(dt._core, name)
    try:
        result = function(*args, **kwargs)
    except REFUSALS:
        result = ()
    if not CHANGES_ARGUMENTS.search(name):
        for t, copy in zip(given_tensors, before, strict=True):
            same_bits(t, copy, f"{name}: an input")
    # A view may repeat a few elements to more than memory could hold.
    results = [r for r in leaves(result) if isinstance(r, dt.Tensor) and r.size < 10**6]
    for r in results:
        values(r)  # reads all of it
    for r in results:
        if r.requires_grad and r.dtype.is_floating_point and not r.is_leaf:
            try:
                r.backward(dt.tensor(np.ones(r.shape), dtype=r.dtype), retain_graph=True)
            except RuntimeError:
                assert CHANGES_ARGUMENTS.search(name), "backward refused an unchanged graph"
    for t in given_tensors:
        if t.is_leaf and t.grad is not None:
            assert t.grad.shape == t.shape
            assert t.grad.dtype == t.dtype


# --- Agreement with NumPy ---


def agree(ours: Any, theirs: Any, refusals: Any = (ValueError, IndexError)) -> None:
    """Both give the same, or both refuse."""
    try:
        expected = theirs()
    except (ValueError, IndexError, TypeError):
        with pytest.raises(refusals):
            ours()
        return
    assert_close(ours(), expected, (1e-6, 1e-7), "")


pairs = st.sampled_from(["add", "subtract", "multiply", "divide", "maximum", "minimum", "less", "equal"])


@given(name=pairs, a=shapes, b=shapes, seed=st.integers(0, 99))
def test_broadcasting(name: str, a: Any, b: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(1, 2, a), rng.uniform(1, 2, b)
    agree(
        lambda: getattr(dt, name)(dt.tensor(x), dt.tensor(y)),
        lambda: getattr(np, name)(x, y),
        refusals=(ValueError,),
    )


@given(data=st.data())
def test_promotion(data: Any) -> None:
    """The dtype of a sum is that of the Array API standard, whichever operand comes first."""
    a, b = data.draw(st.sampled_from(ALL)), data.draw(st.sampled_from(ALL))
    assume(not a == b == "bool")
    x, y = dt.tensor([1], dtype=a), dt.tensor([1], dtype=b)
    if {a, b} == {"float16", "bfloat16"}:
        expected = "float32"
    elif "bfloat16" in (a, b):
        other = a if b == "bfloat16" else b
        expected = other if other in ("float32", "float64") else "bfloat16"
    elif "float" in a and "float" not in b:
        expected = a
    elif "float" in b and "float" not in a:
        expected = b
    else:
        expected = np.result_type(np.dtype(a), np.dtype(b)).name
    assert dt.add(x, y).dtype.name == dt.add(y, x).dtype.name == expected


reductions = st.sampled_from(
    ["sum", "mean", "max", "min", "prod", "var", "std", "any", "all", "argmax", "argmin"]
)


@given(name=reductions, shape=shapes, axis=st.integers(-5, 4) | st.none(), keepdims=st.booleans())
def test_reductions(name: str, shape: Any, axis: Any, keepdims: bool) -> None:
    x = np.random.default_rng(1).uniform(0.5, 1.5, shape)
    assume(x.ndim)  # NumPy takes axis=0 of a number
    assume(x.size or name in ("sum", "prod", "any", "all"))
    agree(
        lambda: getattr(dt, name)(dt.tensor(x), axis=axis, keepdims=keepdims),
        lambda: getattr(np, name)(x, axis=axis, keepdims=keepdims),
        IndexError,
    )


@given(a=shapes, b=shapes)
def test_matmul(a: Any, b: Any) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    agree(lambda: dt.matmul(dt.tensor(x), dt.tensor(y)), lambda: np.matmul(x, y))


@given(shape=shapes, target=st.lists(st.integers(-1, 6), max_size=4))
def test_reshape(shape: Any, target: list[int]) -> None:
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    agree(lambda: dt.reshape(dt.tensor(x), tuple(target)), lambda: np.reshape(x, target))


@given(shape=st.lists(st.integers(1, 4), max_size=4).map(tuple), data=st.data())
def test_indexing(shape: Any, data: Any) -> None:
    """Reading and writing, with the indices that NumPy takes."""
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    part = st.one_of(
        st.integers(-5, 4),
        st.slices(4),
        st.none(),
        st.lists(st.integers(-4, 3), min_size=1, max_size=3).map(lambda v: np.array(v)),
    )
    key = tuple(data.draw(st.lists(part, max_size=5)))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(key)))
        key = (*key[:at], Ellipsis, *key[at:])
    assume(sum(k is None for k in key) + x.ndim <= 6)
    ours = tuple(dt.tensor(k) if isinstance(k, np.ndarray) else k for k in key)
    agree(lambda: dt.tensor(x)[ours], lambda: x[key])

    def write_ours() -> Any:
        t = dt.tensor(x)
        t[ours] = -1
        return t

    def write_theirs() -> Any:
        copy = x.copy()
        copy[key] = -1
        return copy

    agree(write_ours, write_theirs)


@given(data=st.data())
def test_boolean_index(data: Any) -> None:
    shape = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple))
    rank = data.draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, mask = rng.standard_normal(shape), rng.random(shape[:rank]) > 0.5
    agree(lambda: dt.tensor(x)[dt.tensor(mask)], lambda: x[mask])


@given(shapes_=st.lists(shapes, min_size=1, max_size=3), axis=st.integers(-4, 3))
def test_concat(shapes_: Any, axis: int) -> None:
    arrays = [np.full(s, i, np.float32) for i, s in enumerate(shapes_)]
    agree(lambda: dt.concat([dt.tensor(a) for a in arrays], axis=axis), lambda: np.concatenate(arrays, axis))


@given(data=st.data())
def test_conv2d(data: Any) -> None:
    """Any geometry that leaves an output gives the reference's; any other is refused."""
    import reference

    groups = data.draw(st.integers(1, 3))
    n, h, w = (data.draw(st.integers(0, 3)), data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7)))
    channels, out = groups * data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 2))
    kernel = (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)))
    stride = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))
    dilation = (data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2)))
    padding = data.draw(st.one_of(st.integers(0, 2), st.sampled_from(["same", "valid"])))
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, h, w, channels))
    weight = rng.standard_normal((out, *kernel, channels // groups))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    room = (0, 0) if isinstance(padding, str) else (padding, padding)
    # Strided convolutions have no "same" padding, as in PyTorch.
    fits = (
        stride == (1, 1)
        if padding == "same"
        else all(
            s + 2 * p >= d * (k - 1) + 1 for s, p, d, k in zip((h, w), room, dilation, kernel, strict=True)
        )
    )
    if fits:
        actual = dt.conv2d(dt.tensor(x), dt.tensor(weight), **options)
        assert_close(actual, reference.conv(x, weight, **options), (1e-8, 1e-10), "")
    else:
        with pytest.raises(ValueError, match="conv2d"):
            dt.conv2d(dt.tensor(x), dt.tensor(weight), **options)
