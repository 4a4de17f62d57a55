"""Metrics of scores and probabilities, against scikit-learn: value, warnings, what is refused."""

import numpy as np
import pytest

import drivetrain as dt
import drivetrain.metrics as ours
from metric_tools import check_like_sklearn, rng, weights_for

N = 203
TWO = rng.integers(0, 2, N)
# Rounded, so that equal scores occur; related to the labels.
SCORES = {
    "floats": (TWO + rng.normal(size=N)).round(1),
    "float32": (TWO + rng.normal(size=N)).astype(np.float32),
    "whole": rng.integers(-5, 5, N),
    "chances": rng.random(N),
    "constant": np.ones(N),
    "perfect": TWO.astype(float),
    "inverted": -TWO.astype(float),
}
TRUTHS = {
    "0 and 1": TWO,
    "signs": 2 * TWO - 1,
    "bools": TWO.astype(bool),
    "floats": TWO.astype(float),
    "column": TWO[:, None],
    "only 0": np.zeros(N, int),
    "only 1": np.ones(N, int),
    "1 and 2": TWO + 1,
    "words": np.where(TWO, "spam", "ham"),
}
MANY = rng.integers(0, 4, N)
CHANCES = rng.dirichlet(np.ones(4), N)
SEVERAL = rng.integers(0, 2, (N, 3))
SEVERAL_SCORES = rng.normal(size=(N, 3)).round(1)
AREAS = ["roc_auc_score", "average_precision_score"]
CURVES = ["roc_curve", "precision_recall_curve"]


def light(kind, length=N):
    """Weights of which some are 0."""
    weights = weights_for(length, kind)
    if weights is not None:
        weights[::7] = 0
    return weights


@pytest.mark.parametrize("weights", [None, "floats", "whole"])
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("name", [*AREAS, *CURVES])
def test_two_classes(name, scores, weights):
    for truth in ("0 and 1", "signs", "bools", "floats"):
        check_like_sklearn(name, TRUTHS[truth], SCORES[scores], sample_weight=light(weights))
    if name in CURVES:
        for drop in (True, False):
            check_like_sklearn(
                name, TWO, SCORES[scores], sample_weight=light(weights), drop_intermediate=drop
            )


@pytest.mark.parametrize("truth", ["only 0", "only 1", "1 and 2", "words", "column"])
@pytest.mark.parametrize("name", [*AREAS, *CURVES])
def test_other_labels(name, truth):
    check_like_sklearn(name, TRUTHS[truth], SCORES["floats"])
    check_like_sklearn(name, TRUTHS[truth], SCORES["floats"], sample_weight=light("floats"))


@pytest.mark.parametrize("pos_label", [0, 1, 2, "spam"])
@pytest.mark.parametrize("truth", ["0 and 1", "1 and 2", "words"])
@pytest.mark.parametrize("name", ["average_precision_score", *CURVES])
def test_pos_label(name, truth, pos_label):
    check_like_sklearn(name, TRUTHS[truth], SCORES["floats"], pos_label=pos_label)


@pytest.mark.parametrize("max_fpr", [0.1, 0.37, 0.5, 0.999, 1, 0, 1.5])
@pytest.mark.parametrize("scores", SCORES)
def test_partial_area(scores, max_fpr):
    for weights in (None, "floats"):
        check_like_sklearn(
            "roc_auc_score", TWO, SCORES[scores], max_fpr=max_fpr, sample_weight=light(weights)
        )


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", "samples", None])
@pytest.mark.parametrize("multi_class", ["ovr", "ovo", "raise"])
def test_area_of_several_classes(multi_class, average):
    if multi_class == "ovo" and average is None:
        with pytest.raises(ValueError, match=r"average must be one of .*got None"):
            ours.roc_auc_score(MANY, CHANCES, multi_class="ovo", average=None)
        return
    options = {"multi_class": multi_class, "average": average}
    for truth in (MANY, np.array(list("dcba"))[MANY], MANY * 10 - 5):
        check_like_sklearn("roc_auc_score", truth, CHANCES, **options)
    check_like_sklearn("roc_auc_score", MANY, CHANCES.astype(np.float32), **options)
    check_like_sklearn("roc_auc_score", MANY, CHANCES, sample_weight=light("floats"), **options)
    check_like_sklearn("roc_auc_score", MANY, CHANCES * 2, **options)
    check_like_sklearn("roc_auc_score", MANY, CHANCES, max_fpr=0.5, **options)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [3, 2, 1, 0], [0, 1, 2], [0, 1, 2, 7], [0, 1, 2, 2]])
def test_area_with_labels(labels):
    for multi_class in ("ovr", "ovo"):
        check_like_sklearn("roc_auc_score", MANY, CHANCES, multi_class=multi_class, labels=labels)
    # A class that does not occur has no area.
    without = np.where(MANY == 3, 0, MANY)
    check_like_sklearn("roc_auc_score", without, CHANCES, multi_class="ovr", labels=labels)
    check_like_sklearn("roc_auc_score", without, CHANCES, multi_class="ovr")


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", "samples", None, "mean"])
@pytest.mark.parametrize("name", AREAS)
def test_areas_of_several_labels(name, average):
    for weights in (None, "floats"):
        check_like_sklearn(name, SEVERAL, SEVERAL_SCORES, average=average, sample_weight=light(weights))
    # A label that never holds.
    truth = SEVERAL * [1, 0, 1]
    check_like_sklearn(name, truth, SEVERAL_SCORES, average=average)
    check_like_sklearn(name, truth * 0, SEVERAL_SCORES, average=average)


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", None])
def test_average_precision_of_several_classes(average):
    check_like_sklearn("average_precision_score", MANY, CHANCES, average=average)
    check_like_sklearn("average_precision_score", MANY, CHANCES[:, :3], average=average)
    check_like_sklearn("average_precision_score", MANY, CHANCES, average=average, pos_label=2)


def test_auc():
    x, y = np.sort(rng.random(20)), rng.random(20)
    check_like_sklearn("auc", x, y)
    check_like_sklearn("auc", x[::-1], y)
    check_like_sklearn("auc", np.ones(3), [0.1, 0.5, 1.0])
    for bad in ((y, x), (x[:1], y[:1]), (x, y[1:])):
        check_like_sklearn("auc", *bad)
    for bad in ([0, 1j, 2], ["a", "b", "c"]):
        with pytest.raises(TypeError, match="auc: x has dtype"):
            ours.auc(bad, [1, 2, 3])
        with pytest.raises(TypeError, match="auc: y has dtype"):
            ours.auc([1, 2, 3], bad)
    with pytest.raises(ValueError, match="auc: y holds NaN"):
        ours.auc([1, 2], [1, np.nan])


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("normalize", [True, False])
def test_top_k(k, normalize):
    for weights in (None, "floats"):
        options = {"k": k, "normalize": normalize, "sample_weight": light(weights)}
        check_like_sklearn("top_k_accuracy_score", MANY, CHANCES.round(1), **options)
        check_like_sklearn("top_k_accuracy_score", MANY, CHANCES, labels=[0, 1, 2, 3], **options)
        check_like_sklearn("top_k_accuracy_score", MANY, CHANCES, labels=[0, 1, 2], **options)
        for scores in SCORES.values():
            check_like_sklearn("top_k_accuracy_score", TWO, scores, **options)


PROBABILITIES = ["log_loss", "brier_score_loss"]


@pytest.mark.parametrize("weights", [None, "floats", "whole"])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities(name, weights):
    weights, chances = light(weights), SCORES["chances"]
    for truth in ("0 and 1", "signs", "bools", "1 and 2", "only 0", "only 1"):
        check_like_sklearn(name, TRUTHS[truth], chances, sample_weight=weights)
    check_like_sklearn(name, TWO, np.round(chances), sample_weight=weights)  # certain, and wrong
    check_like_sklearn(name, TWO, chances.astype(np.float32), sample_weight=weights, rtol=2e-6)
    check_like_sklearn(name, TWO, chances[:, None], sample_weight=weights)


@pytest.mark.parametrize("weights", [None, "floats"])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_probabilities_of_several_classes(name, weights):
    weights = light(weights)
    for truth in (MANY, np.array(list("dcba"))[MANY], MANY * 10 - 5):
        check_like_sklearn(name, truth, CHANCES, sample_weight=weights)
    check_like_sklearn(name, MANY, CHANCES.astype(np.float32), sample_weight=weights, rtol=2e-6)
    check_like_sklearn(name, MANY, CHANCES / 2, sample_weight=weights)
    check_like_sklearn(name, MANY, CHANCES[:, :3], sample_weight=weights)
    check_like_sklearn(name, MANY, CHANCES, labels=[0, 1, 2, 3], sample_weight=weights)
    check_like_sklearn(name, MANY, CHANCES, labels=[3, 2, 1, 0], sample_weight=weights)
    check_like_sklearn(name, MANY % 2, CHANCES, labels=[0, 1, 2, 3], sample_weight=weights)
    check_like_sklearn(name, MANY, CHANCES, labels=[0, 1, 2], sample_weight=weights)
    two = np.stack([1 - SCORES["chances"], SCORES["chances"]], axis=1)
    check_like_sklearn(name, TWO, two, sample_weight=weights)
    check_like_sklearn(name, np.zeros(N, int), two, labels=[0, 1], sample_weight=weights)


def test_probability_options():
    check_like_sklearn("log_loss", TWO, SCORES["chances"], normalize=False)
    check_like_sklearn("log_loss", TWO, SCORES["chances"], normalize=False, sample_weight=light("floats"))
    for scale in (True, False, "auto"):
        check_like_sklearn("brier_score_loss", TWO, SCORES["chances"], scale_by_half=scale)
        check_like_sklearn("brier_score_loss", MANY, CHANCES, scale_by_half=scale)
    for pos_label in (0, 1):
        check_like_sklearn("brier_score_loss", TWO, SCORES["chances"], pos_label=pos_label)
    check_like_sklearn("brier_score_loss", TRUTHS["words"], SCORES["chances"], pos_label="spam")
    check_like_sklearn("brier_score_loss", TRUTHS["words"], SCORES["chances"])
    check_like_sklearn("brier_score_loss", MANY, SCORES["chances"])


@pytest.mark.parametrize("weights", [None, "floats"])
def test_hinge(weights):
    weights = light(weights)
    for truth in ("0 and 1", "signs", "only 0", "only 1", "words"):
        check_like_sklearn("hinge_loss", TRUTHS[truth], SCORES["floats"], sample_weight=weights)
    margins = rng.normal(size=(N, 4))
    check_like_sklearn("hinge_loss", MANY, margins, sample_weight=weights)
    check_like_sklearn("hinge_loss", MANY % 3, margins, labels=[0, 1, 2, 3], sample_weight=weights)
    check_like_sklearn("hinge_loss", MANY, margins[:, :3], sample_weight=weights)
    check_like_sklearn("hinge_loss", MANY, margins[:, 0], sample_weight=weights)


@pytest.mark.parametrize("strategy", ["uniform", "quantile", "other"])
@pytest.mark.parametrize("n_bins", [1, 5, 13])
def test_calibration_curve(n_bins, strategy):
    chances = np.concatenate([SCORES["chances"], [0.0, 0.2, 0.4, 1.0]])
    truth = np.concatenate([TWO, [0, 1, 0, 1]])
    check_like_sklearn("calibration_curve", truth, chances, n_bins=n_bins, strategy=strategy)
    check_like_sklearn("calibration_curve", truth * 2 - 1, chances, n_bins=n_bins, strategy=strategy)
    check_like_sklearn("calibration_curve", truth + 3, chances, pos_label=4, n_bins=n_bins)
    check_like_sklearn("calibration_curve", truth + 3, chances, n_bins=n_bins)
    check_like_sklearn("calibration_curve", truth, chances * 2, n_bins=n_bins)


def slow_calibration_error(right, chances, weights, n_bins, norm):
    gaps, shares = [], []
    for low in range(n_bins):
        inside = (chances > low / n_bins) & (chances <= (low + 1) / n_bins)
        if inside.any():
            share = weights[inside] / weights[inside].sum()
            gaps.append(abs((share * (right[inside] - chances[inside])).sum()))
            shares.append(weights[inside].sum() / weights.sum())
    gaps, shares = np.array(gaps), np.array(shares)
    return {"l1": (shares * gaps).sum(), "l2": np.sqrt((shares * gaps**2).sum()), "max": gaps.max()}[norm]


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("weights", [None, "floats"])
def test_calibration_error(norm, weights):
    given = None if weights is None else weights_for(N, weights)
    each = np.ones(N) if given is None else given
    options = {"n_bins": 8, "norm": norm, "sample_weight": given}
    chances = SCORES["chances"]
    expected = slow_calibration_error(TWO, chances, each, 8, norm)
    assert ours.expected_calibration_error(TWO, chances, **options) == pytest.approx(expected, rel=1e-12)
    right = CHANCES.argmax(axis=1) == MANY
    expected = slow_calibration_error(right, CHANCES.max(axis=1), each, 8, norm)
    assert ours.expected_calibration_error(MANY, CHANCES, **options) == pytest.approx(expected, rel=1e-12)


SCORED = {
    "roc_auc_score": (TWO, SCORES["chances"]),
    "average_precision_score": (TWO, SCORES["chances"]),
    "roc_curve": (TWO, SCORES["chances"]),
    "precision_recall_curve": (TWO, SCORES["chances"]),
    "log_loss": (TWO, SCORES["chances"]),
    "brier_score_loss": (TWO, SCORES["chances"]),
    "hinge_loss": (TWO, SCORES["chances"]),
    "calibration_curve": (TWO, SCORES["chances"]),
    "expected_calibration_error": (TWO, SCORES["chances"]),
    "top_k_accuracy_score": (MANY, CHANCES),
}


@pytest.mark.parametrize("name", SCORED)
class TestBadInput:
    def test_numbers(self, name):
        function, (truth, scores) = getattr(ours, name), SCORED[name]
        for bad in (np.nan, np.inf, -np.inf):
            broken = scores.copy()
            broken.flat[3] = bad
            with pytest.raises(ValueError, match=f"{name}: .* holds NaN or an infinity"):
                function(truth, broken)
        with pytest.raises(ValueError, match="NaN or a fraction"):
            function(truth + 0.5, scores)
        with pytest.raises(TypeError, match="expected numbers"):
            function(truth, np.full(scores.shape, "a"))

    def test_shapes(self, name):
        function, (truth, scores) = getattr(ours, name), SCORED[name]
        with pytest.raises(ValueError, match=f"{name}: .*expected"):
            function(truth[1:], scores)
        with pytest.raises(ValueError, match=f"{name}: .*expected"):
            function(truth, scores.reshape(*scores.shape, 1, 1))
        with pytest.raises(ValueError, match=f"{name}: .*expected"):
            function(truth[:0], scores[:0])

    def test_weights(self, name):
        if name == "calibration_curve":
            pytest.skip("it takes no weights")
        function, (truth, scores) = getattr(ours, name), SCORED[name]
        for bad in (np.ones(3), np.full(N, np.nan)):
            with pytest.raises(ValueError, match=f"{name}: sample_weight"):
                function(truth, scores, sample_weight=bad)

    def test_tensors_and_inputs_unchanged(self, name):
        function, (truth, scores) = getattr(ours, name), SCORED[name]
        truth, scores = truth.copy(), scores.copy()
        truth.flags.writeable = scores.flags.writeable = False
        expected = function(truth, scores)
        found = function(dt.tensor(truth), dt.tensor(scores))
        np.testing.assert_equal(found, expected)


def test_probabilities_have_a_range():
    for name in ("log_loss", "brier_score_loss", "calibration_curve", "expected_calibration_error"):
        for bad in (-0.1, 1.1):
            broken = SCORES["chances"].copy()
            broken[5] = bad
            with pytest.raises(ValueError, match=f"{name}: .* expected probabilities, 0 to 1"):
                getattr(ours, name)(TWO, broken)


def test_many_samples_of_few_scores():
    """Sorting and merging blocks of equal scores; both dtypes, against the way that needs no sorting."""
    rng = np.random.default_rng(1)
    truth, scores = rng.random(70_000) < 0.3, rng.integers(0, 50, 70_000)
    for kind in (np.float32, np.float64, np.int64, np.float16):
        check_like_sklearn("roc_auc_score", truth, scores.astype(kind))
        check_like_sklearn("average_precision_score", truth, scores.astype(kind))


@pytest.mark.parametrize(
    "name", ["roc_auc_score", "roc_curve", "precision_recall_curve", "average_precision_score"]
)
def test_weights_that_are_all_zero_are_refused(name):
    with pytest.raises(ValueError, match="sample_weight is 0 for every sample"):
        getattr(ours, name)([0, 1, 1], [0.1, 0.5, 0.3], sample_weight=[0, 0, 0])
