"""Samples put together into batches."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivetrain as dt
from drivetrain.data import default_collate


def test_structure():
    Point = namedtuple("Point", "x y")
    samples = [
        {
            "p": Point(i, float(i)),
            "l": [np.float64(i), bool(i)],
            "s": str(i),
            "n": None,
            "t": dt.tensor([i, i]),
        }
        for i in range(3)
    ]
    batch = default_collate(samples)
    assert isinstance(batch["p"], Point)
    assert batch["p"].x.dtype == dt.int64
    assert batch["p"].y.dtype == dt.float32
    assert batch["l"][0].dtype == dt.float64
    assert batch["l"][1].dtype == dt.bool
    assert batch["s"] == ["0", "1", "2"]
    assert batch["n"] == [None, None, None]
    np.testing.assert_array_equal(batch["t"].numpy(), [[0, 0], [1, 1], [2, 2]])


def test_numbers():
    assert default_collate([1, 2.5]).numpy().tolist() == [1, 2.5]
    assert default_collate([-(2**63), 2**63 - 1]).numpy().tolist() == [-(2**63), 2**63 - 1]
    assert np.isnan(default_collate([float("nan")]).numpy()).all()


@settings(max_examples=50, deadline=None)
@given(
    shape=st.lists(st.integers(0, 4), max_size=3),
    n=st.integers(1, 5),
    dtype=st.sampled_from(["?", "u1", "i4", "i8", "f2", "f4", "f8"]),
    layout=st.sampled_from(["C", "F", "reversed", "read-only", "mixed"]),
)
def test_stacking(shape, n, dtype, layout):
    rng = np.random.default_rng(0)
    samples = [np.asarray(rng.normal(size=shape) * 9).astype(dtype) for _ in range(n)]
    expected = np.stack(samples)
    if layout == "F":
        samples = [sample.copy(order="F") for sample in samples]
    elif layout == "mixed":
        samples[n // 2] = samples[n // 2].copy(order="F")
    elif layout == "reversed" and shape:
        samples = [np.ascontiguousarray(sample[::-1])[::-1] for sample in samples]
    elif layout == "read-only":
        for sample in samples:
            sample.flags.writeable = False
    result = default_collate(samples).numpy()
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "samples is empty"),
        ([np.zeros(2), np.zeros(3)], ValueError, r"sample 1 has shape \(3,\), expected \(2,\)"),
        ([np.zeros((2, 2)), np.zeros(2)], ValueError, r"sample 1 has shape \(2,\)"),
        (
            [np.zeros(2), np.zeros(2, np.float32)],
            TypeError,
            "sample 1 has dtype float32, expected float64",
        ),
        ([np.zeros(2), None], ValueError, r"sample 1 has shape \(\)"),
        ([1, "a"], TypeError, "sample 1 is a str"),
        ([1, True], TypeError, "numbers or bools, not both"),
        ([2**70], ValueError, "more than 64 bits"),
        ([(1, 2), (1,)], ValueError, "sample 1 has 1 parts, expected 2"),
        ([(1, 2), 3], TypeError, "sample 1 is a int"),
        ([{"a": 1}, {"b": 1}], ValueError, r"sample 1 has keys \['b'\], expected \['a'\]"),
        ([{"a": 1}, 5], ValueError, "sample 1 has keys int"),
        ([object()], TypeError, "sample 0 is a object"),
        ([np.array([None])], TypeError, "Python objects"),
        ([np.zeros(2, np.int16)], TypeError, "int16"),
    ],
)
def test_bad_samples(samples, error, message):
    with pytest.raises(error, match=message):
        default_collate(samples)
