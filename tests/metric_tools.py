"""Compare a metric with scikit-learn's function of the same name: value, warnings, what is refused."""

import warnings

import numpy as np
import pytest

sklearn_metrics = pytest.importorskip("sklearn.metrics")
from sklearn import calibration  # noqa: E402

import drivetrain.metrics as ours  # noqa: E402


def theirs(name):
    found = getattr(sklearn_metrics, name, None) or getattr(calibration, name, None)
    if found is None:
        pytest.skip(f"this scikit-learn has no {name}")
    return found


def outcome(function, *args, **options):
    """Return the value or "refused", and the kinds of the warnings."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            value = function(*args, **options)
        except (ValueError, TypeError):
            value = "refused"
    kinds = {w.category.__name__ for w in caught} - {"DeprecationWarning", "FutureWarning", "RuntimeWarning"}
    return value, kinds


def same(one, other, rtol=1e-9, atol=1e-12):
    if isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(same(a, b, rtol, atol) for a, b in zip(one, other, strict=True))
    if isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key], rtol, atol) for key in other)
    if other is None or isinstance(other, str):
        return one == other
    if one is None or isinstance(one, str):
        return False
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=rtol, atol=atol, equal_nan=True)


def check_like_sklearn(name, *args, rtol=1e-9, **options):
    """Assert that value, warnings and refusal are those of scikit-learn; return our value."""
    (value, kinds) = outcome(getattr(ours, name), *args, **options)
    (expected, expected_kinds) = outcome(theirs(name), *args, **options)
    assert same(value, expected, rtol), f"{name}({options}): {value!r}, scikit-learn: {expected!r}"
    if not (isinstance(value, str) and value == "refused"):
        assert kinds == expected_kinds, f"{name}({options}): warned {kinds}, scikit-learn {expected_kinds}"
    return value


rng = np.random.default_rng(7)
N = 157

LABELS = {
    "binary": (rng.integers(0, 2, N), rng.integers(0, 2, N)),
    "signs": (rng.choice([-1, 1], N), rng.choice([-1, 1], N)),
    "bool": (rng.random(N) < 0.3, rng.random(N) < 0.4),
    "multiclass": (rng.integers(0, 5, N), rng.integers(0, 5, N)),
    "gaps": (rng.choice([-3, 4, 900], N), rng.choice([-3, 4, 7], N)),
    "wide": (rng.choice([0, 10**12, -(10**15)], N), rng.choice([0, 10**12], N)),
    "huge": (rng.choice([2**63 + 1, 2**63 + 3, 2**64 - 1], N).astype(np.uint64),) * 2,
    "many": (rng.integers(0, 100, N), rng.integers(0, 100, N)),
    "floats": (rng.integers(0, 3, N).astype(float), rng.integers(0, 3, N)),
    "words": (rng.choice(["cat", "dog", "owl"], N), rng.choice(["cat", "dog"], N)),
    "small": (rng.integers(0, 4, N).astype(np.int8), rng.integers(0, 4, N).astype(np.uint8)),
    "missing": (rng.integers(0, 2, N), rng.integers(1, 4, N)),
    "one class": (np.zeros(N, int), np.zeros(N, int)),
    "ones": (np.ones(N, int), np.ones(N, int)),
    "all wrong": (np.zeros(N, int), np.ones(N, int)),
    "column": (rng.integers(0, 2, (N, 1)), rng.integers(0, 2, (N, 1))),
    "lists": (rng.integers(0, 3, N).tolist(), rng.integers(0, 3, N).tolist()),
    "one sample": ([1], [0]),
}
SEVERAL = {
    "labels": (rng.integers(0, 2, (N, 4)), rng.integers(0, 2, (N, 4))),
    "rare": ((rng.random((N, 3)) < [0.0, 0.02, 0.9]) * 1, (rng.random((N, 3)) < [0.1, 0.0, 0.5]) * 1),
    "bools": (rng.random((N, 2)) < 0.5, rng.random((N, 2)) < 0.5),
}


def weights_for(length, kind):
    return {
        None: None,
        # Eighths add up without rounding, in any order.
        "floats": np.random.default_rng(3).integers(1, 8, length) / 8,
        "whole": np.random.default_rng(3).integers(0, 4, length) + (length == 1),
    }[kind]
