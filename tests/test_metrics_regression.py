"""Metrics of numbers, against scikit-learn and SciPy: value, warnings, what is refused."""

import fractions
import warnings

import numpy as np
import pytest

import drivetrain as dt
import drivetrain.metrics as ours
from metric_tools import check_like_sklearn, rng, weights_for

N = 131
NUMBERS = {
    "plain": (rng.normal(size=N), rng.normal(size=N)),
    "float32": (rng.normal(size=N).astype(np.float32).astype(np.float64),) * 2,
    "close": (np.arange(N) * 1.0, np.arange(N) + rng.normal(size=N)),
    "outputs": (rng.normal(size=(N, 3)), rng.normal(size=(N, 3)) * [1, 5, 0.1]),
    "column": (rng.normal(size=(N, 1)), rng.normal(size=N)),
    "whole": (rng.integers(-5, 5, N), rng.integers(-5, 5, N)),
    "constant truth": (np.ones(N), rng.normal(size=N)),
    "constant, all right": (np.ones(N), np.ones(N)),
    "constant output": (np.stack([np.ones(N), np.arange(N)], 1), rng.normal(size=(N, 2))),
    "zeros in the truth": (rng.integers(0, 2, N) * 1.0, rng.normal(size=N)),
    "one sample": (np.array([1.0]), np.array([2.0])),
    "two samples": (np.array([1.0, 3.0]), np.array([2.0, 2.5])),
    "lists": ([1.0, 2.0, 4.0], [1, 3, 3]),
}
MEANS = [
    "mean_squared_error",
    "root_mean_squared_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
]
EXPLAINED = ["r2_score", "explained_variance_score"]


@pytest.mark.parametrize("weights", [None, "floats", "whole"])
@pytest.mark.parametrize("data", NUMBERS)
@pytest.mark.parametrize("name", [*MEANS, *EXPLAINED])
def test_values(name, data, weights):
    truth, guess = NUMBERS[data]
    check_like_sklearn(name, truth, guess, sample_weight=weights_for(len(truth), weights))


@pytest.mark.parametrize(
    "multioutput",
    ["raw_values", "uniform_average", "variance_weighted", [0.2, 0.3, 0.5], [0.2, 0.8], "sum"],
)
@pytest.mark.parametrize("name", [*MEANS, *EXPLAINED])
def test_several_outputs(name, multioutput):
    if multioutput == "variance_weighted" and name in MEANS:
        with pytest.raises(ValueError, match=f"{name}: multioutput is 'variance_weighted'"):
            getattr(ours, name)(*NUMBERS["outputs"], multioutput=multioutput)
        return
    for weights in (None, "floats"):
        options = {"multioutput": multioutput, "sample_weight": weights_for(N, weights)}
        check_like_sklearn(name, *NUMBERS["outputs"], **options)
    if isinstance(multioutput, str):
        check_like_sklearn(name, *NUMBERS["constant output"], multioutput=multioutput)
        check_like_sklearn(name, *NUMBERS["plain"], multioutput=multioutput)
    else:
        check_like_sklearn(name, *NUMBERS["plain"], multioutput=multioutput)


@pytest.mark.parametrize("data", ["constant truth", "constant, all right", "constant output"])
@pytest.mark.parametrize("name", EXPLAINED)
def test_constant_truth(name, data):
    for force_finite in (True, False):
        for multioutput in ("raw_values", "variance_weighted"):
            check_like_sklearn(name, *NUMBERS[data], force_finite=force_finite, multioutput=multioutput)


@pytest.mark.parametrize("data", ["plain", "close", "whole", "zeros in the truth", "two samples"])
@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_correlation(kind, data):
    scipy_stats = pytest.importorskip("scipy.stats")
    expected = getattr(scipy_stats, kind + "r")(*NUMBERS[data]).statistic
    assert getattr(ours, kind)(*NUMBERS[data]) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_a_weight_counts_like_samples(kind):
    weights = weights_for(N, "whole")
    for data in ("plain", "whole"):
        truth, guess = NUMBERS[data]
        expected = getattr(ours, kind)(np.repeat(truth, weights), np.repeat(guess, weights))
        assert getattr(ours, kind)(truth, guess, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_correlation_of_a_constant(kind):
    for data in (NUMBERS["constant truth"], NUMBERS["constant truth"][::-1], ([1.0], [2.0])):
        with pytest.warns(ours.UndefinedMetricWarning, match=f"{kind} is not defined"):
            assert np.isnan(getattr(ours, kind)(*data))


def exact(truth, guess, kind):
    """The value in exact fractions."""
    t, g = ([fractions.Fraction(float(v)) for v in values] for values in (truth, guess))
    mean_t, mean_g = sum(t) / len(t), sum(g) / len(g)
    spread, other = sum((a - mean_t) ** 2 for a in t), sum((b - mean_g) ** 2 for b in g)
    if kind == "pearson":
        product = sum((a - mean_t) * (b - mean_g) for a, b in zip(t, g, strict=True))
        return float(product) / np.sqrt(float(spread)) / np.sqrt(float(other))
    bias = mean_t - mean_g if kind == "explained_variance_score" else 0
    return float(1 - sum((a - b - bias) ** 2 for a, b in zip(t, g, strict=True)) / spread)


@pytest.mark.parametrize("kind", [*EXPLAINED, "pearson"])
def test_a_large_offset_costs_no_digits(kind):
    truth = rng.normal(size=300) + 1e9
    guess = truth + rng.normal(size=300) * 0.3
    assert getattr(ours, kind)(truth, guess) == pytest.approx(exact(truth, guess, kind), rel=1e-12)
    metric = {"r2_score": ours.R2Score, "explained_variance_score": ours.ExplainedVariance}.get(
        kind, ours.Pearson
    )()
    for start in range(0, 300, 7):
        metric.update(truth[start : start + 7], guess[start : start + 7])
    assert metric.result() == pytest.approx(exact(truth, guess, kind), rel=1e-12)


@pytest.mark.parametrize("name", [*MEANS, *EXPLAINED, "pearson", "spearman"])
class TestBadInput:
    def test_numbers(self, name):
        function = getattr(ours, name)
        for bad in (np.nan, np.inf):
            for pair in (([1.0, bad], [1.0, 2.0]), ([1.0, 2.0], [1.0, bad])):
                with pytest.raises(ValueError, match=f"{name}: y_.* holds NaN or an infinity"):
                    function(*pair)
        with pytest.raises(TypeError, match=f"{name}: y_true has dtype"):
            function(["a", "b"], [1.0, 2.0])

    def test_shapes(self, name):
        function = getattr(ours, name)
        for truth, guess in (
            (np.zeros(3), np.zeros(2)),
            (np.zeros((3, 2)), np.zeros((3, 3))),
            (np.zeros((3, 2)), np.zeros(3)),
            (np.zeros((3, 2, 2)), np.zeros((3, 2, 2))),
            (1.0, 2.0),
            ([], []),
        ):
            with pytest.raises(ValueError, match=f"{name}: .*expected"):
                function(truth, guess)
        for bad in (np.ones(4), np.zeros(3), np.full(3, np.nan)):
            with pytest.raises(ValueError, match=f"{name}: sample_weight"):
                function(np.arange(3), np.ones(3), sample_weight=bad)

    def test_tensors_and_inputs_unchanged(self, name):
        truth, guess = (values.copy() for values in NUMBERS["plain"])
        truth.flags.writeable = guess.flags.writeable = False
        function = getattr(ours, name)
        assert function(dt.tensor(truth), dt.tensor(guess)) == function(truth, guess)


def test_nothing_warns_without_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in (*MEANS, *EXPLAINED, "pearson", "spearman"):
            getattr(ours, name)(*NUMBERS["plain"])
