"""Metrics of predicted classes, against scikit-learn: value, warnings, what is refused."""

import inspect
import warnings

import numpy as np
import pytest

import drivetrain as dt
import drivetrain.metrics as ours
from metric_tools import LABELS, SEVERAL, check_like_sklearn, outcome, sklearn_metrics, theirs, weights_for

OVERLAP = ["precision_score", "recall_score", "f1_score", "jaccard_score"]
PLAIN = [
    "accuracy_score",
    "zero_one_loss",
    "balanced_accuracy_score",
    "confusion_matrix",
    "matthews_corrcoef",
    "cohen_kappa_score",
    "hamming_loss",
    "multilabel_confusion_matrix",
]


@pytest.mark.parametrize("weights", [None, "floats", "whole"])
@pytest.mark.parametrize("data", LABELS)
@pytest.mark.parametrize("name", PLAIN)
def test_plain(name, data, weights):
    truth, guess = LABELS[data]
    check_like_sklearn(name, truth, guess, sample_weight=weights_for(len(truth), weights))


@pytest.mark.parametrize("weights", [None, "floats"])
@pytest.mark.parametrize("data", SEVERAL)
@pytest.mark.parametrize("name", PLAIN)
def test_plain_of_several_labels(name, data, weights):
    truth, guess = SEVERAL[data]
    check_like_sklearn(name, truth, guess, sample_weight=weights_for(len(truth), weights))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("accuracy_score", {"normalize": False}),
        ("zero_one_loss", {"normalize": False}),
        ("balanced_accuracy_score", {"adjusted": True}),
        ("confusion_matrix", {"normalize": "true"}),
        ("confusion_matrix", {"normalize": "pred"}),
        ("confusion_matrix", {"normalize": "all"}),
        ("confusion_matrix", {"labels": [4, 9, 0]}),
        ("confusion_matrix", {"labels": []}),
        ("confusion_matrix", {"labels": [17]}),
        ("cohen_kappa_score", {"weights": "linear"}),
        ("cohen_kappa_score", {"weights": "quadratic"}),
        ("cohen_kappa_score", {"labels": [3, 1, 0]}),
        ("multilabel_confusion_matrix", {"labels": [3, 1, 77]}),
    ],
)
@pytest.mark.parametrize("weights", [None, "floats"])
def test_options(name, options, weights):
    truth, guess = LABELS["multiclass"]
    check_like_sklearn(name, truth, guess, sample_weight=weights_for(len(truth), weights), **options)


def test_kappa_that_is_undefined():
    for data in ("one class", "all wrong"):
        options = {"replace_undefined_by": -1.0}
        if "replace_undefined_by" not in inspect.signature(theirs("cohen_kappa_score")).parameters:
            options = {}
        check_like_sklearn("cohen_kappa_score", *LABELS[data], **options)


@pytest.mark.parametrize("average", [None, "binary", "micro", "macro", "weighted", "samples"])
@pytest.mark.parametrize("data", LABELS)
@pytest.mark.parametrize("name", OVERLAP)
def test_overlap(name, data, average):
    truth, guess = LABELS[data]
    for weights in (None, "floats"):
        check_like_sklearn(
            name, truth, guess, average=average, sample_weight=weights_for(len(truth), weights)
        )


@pytest.mark.parametrize("average", [None, "binary", "micro", "macro", "weighted", "samples"])
@pytest.mark.parametrize("data", SEVERAL)
@pytest.mark.parametrize("name", OVERLAP)
def test_overlap_of_several_labels(name, data, average):
    truth, guess = SEVERAL[data]
    for weights in (None, "floats"):
        check_like_sklearn(
            name, truth, guess, average=average, sample_weight=weights_for(len(truth), weights)
        )
        check_like_sklearn(name, truth, guess, average=average, labels=[1, 0])
    check_like_sklearn(name, truth, guess, average=average, labels=[0, 9])


@pytest.mark.parametrize("zero_division", ["warn", 0, 1, np.nan, 0.5, "no"])
@pytest.mark.parametrize("data", ["missing", "all wrong", "one class", "ones"])
@pytest.mark.parametrize("average", [None, "macro", "weighted", "micro", "binary"])
def test_zero_division(average, data, zero_division):
    truth, guess = LABELS[data]
    options = {"average": average, "zero_division": zero_division}
    for name in OVERLAP[:3]:
        check_like_sklearn(name, truth, guess, **options)
    check_like_sklearn("precision_recall_fscore_support", truth, guess, **options)
    if zero_division == zero_division:
        check_like_sklearn("jaccard_score", truth, guess, **options)


@pytest.mark.parametrize("beta", [0, 0.5, 1, 2.0, np.inf, -1])
@pytest.mark.parametrize("average", [None, "macro"])
def test_beta(beta, average):
    truth, guess = LABELS["missing"]
    check_like_sklearn("fbeta_score", truth, guess, beta=beta, average=average)
    check_like_sklearn("precision_recall_fscore_support", truth, guess, beta=beta, average=average)


@pytest.mark.parametrize("pos_label", [0, 1, 2, "cat", None])
@pytest.mark.parametrize("data", ["binary", "signs", "one class", "multiclass"])
@pytest.mark.parametrize("average", ["binary", "macro"])
def test_pos_label(average, data, pos_label):
    if (average, data, pos_label) == ("binary", "one class", "cat"):  # scikit-learn says 0
        with pytest.raises(ValueError, match="pos_label is 'cat', expected a label like"):
            ours.precision_score(*LABELS[data], pos_label=pos_label)
        return
    for name in OVERLAP:
        check_like_sklearn(name, *LABELS[data], average=average, pos_label=pos_label)


def test_pos_label_of_words():
    truth, guess = (np.where(values == "cat", "cat", "dog") for values in LABELS["words"])
    check_like_sklearn("f1_score", truth, guess, pos_label="dog")
    check_like_sklearn("f1_score", truth, guess)


@pytest.mark.parametrize("average", [None, "micro", "macro", "weighted"])
@pytest.mark.parametrize("labels", [[1, 2], [4, 9], [9]])
def test_labels(labels, average):
    truth, guess = LABELS["multiclass"]
    for name in (*OVERLAP, "precision_recall_fscore_support"):
        check_like_sklearn(name, truth, guess, labels=labels, average=average)


@pytest.mark.parametrize("average", [None, "binary", "micro", "macro", "weighted"])
def test_specificity(average):
    data = LABELS["binary" if average == "binary" else "multiclass"]
    for kind in (None, "floats"):
        weights = weights_for(len(data[0]), kind)
        counts = sklearn_metrics.multilabel_confusion_matrix(*data, sample_weight=weights)
        right, false_yes = counts[:, 0, 0], counts[:, 0, 1]
        each = right / (right + false_yes)
        true = counts[:, 1].sum(axis=1)
        expected = {
            None: each,
            "binary": each[-1],
            "micro": right.sum() / (right + false_yes).sum(),
            "macro": each.mean(),
            "weighted": np.average(each, weights=true),
        }[average]
        found = ours.specificity_score(*data, average=average, sample_weight=weights)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_specificity_is_the_recall_of_the_other_class():
    truth, guess = LABELS["binary"]
    assert ours.specificity_score(truth, guess) == ours.recall_score(truth, guess, pos_label=0)
    several = SEVERAL["labels"]
    each = [ours.specificity_score(a, b) for a, b in zip(several[0].T, several[1].T, strict=True)]
    np.testing.assert_allclose(ours.specificity_score(*several, average=None), each)
    rows = [ours.specificity_score(a, b) for a, b in zip(*several, strict=True) if not a.all()]
    found = ours.specificity_score(*several, average="samples", zero_division=np.nan)
    assert found == pytest.approx(np.mean(rows))
    with pytest.warns(ours.UndefinedMetricWarning, match="Specificity is ill-defined"):
        assert ours.specificity_score([1, 1], [1, 0]) == 0


@pytest.mark.parametrize("output_dict", [False, True])
@pytest.mark.parametrize("data", [*LABELS, *SEVERAL])
def test_report(data, output_dict):
    if data in ("all wrong", "one sample") and not output_dict:
        pytest.skip("without a single hit scikit-learn writes the support as a float")
    truth, guess = (LABELS | SEVERAL)[data]
    for options in ({}, {"zero_division": 1.0}, {"sample_weight": weights_for(len(truth), "floats")}):
        check_like_sklearn("classification_report", truth, guess, output_dict=output_dict, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"digits": 4},
        {"target_names": ["a", "b", "a rather long name of a class", "d", "e"]},
        {"target_names": ["a", "b"]},
        {"labels": [3, 1]},
        {"labels": [0, 1, 2, 3, 4, 5]},
        {"labels": [3, 1], "target_names": ["three", "one"]},
        {"labels": [3, 1], "target_names": ["three", "one", "two"]},
        {"digits": 0},
    ],
)
def test_report_options(options):
    check_like_sklearn("classification_report", *LABELS["multiclass"], **options)


NAMES = [
    name for name in ours.functions.__all__ if hasattr(sklearn_metrics, name) or name == "calibration_curve"
]


@pytest.mark.parametrize("name", NAMES)
def test_arguments(name):
    """Names, order, kinds and defaults of the arguments are scikit-learn's."""
    own = inspect.signature(getattr(ours, name)).parameters
    other = inspect.signature(theirs(name)).parameters
    expected = [key for key in other if not (name == "log_loss" and key == "y_pred")]
    if not set(own) - set(expected):  # an older scikit-learn knows fewer
        assert list(own) == expected
    for key in set(own) & set(other):
        default = other[key].default
        if name == "log_loss" and key == "y_proba":
            continue
        assert own[key].kind == other[key].kind, key
        same = own[key].default == default or (default != default and own[key].default != own[key].default)
        assert same or isinstance(default, tuple), key


@pytest.mark.parametrize("name", [*PLAIN, *OVERLAP, "specificity_score", "classification_report"])
class TestBadInput:
    def test_shapes(self, name):
        function = getattr(ours, name)
        for truth, guess in (([0, 1], [0]), ([0, 1], [[0, 1], [1, 0]]), (0, 1), (np.zeros((2, 2, 2)),) * 2):
            with pytest.raises(ValueError, match=f"{name}: .*expected"):
                function(truth, guess)

    def test_no_samples(self, name):
        with pytest.raises(ValueError, match=f"{name}: got no samples"):
            getattr(ours, name)([], [])

    def test_what_is_no_label(self, name):
        function = getattr(ours, name)
        for bad in ([0.5, 1.0], [np.nan, 1.0], [np.inf, 1.0]):
            with pytest.raises(ValueError, match="NaN or a fraction"):
                function(bad, [0, 1])
            with pytest.raises(ValueError, match="NaN or a fraction"):
                function([0, 1], bad)
        with pytest.raises(TypeError, match="Python objects"):
            function([None, object()], [0, 1])

    def test_weights(self, name):
        function = getattr(ours, name)
        for bad, error in (([1.0], ValueError), ([1.0, np.nan], ValueError), (["a", "b"], TypeError)):
            with pytest.raises(error, match="sample_weight"):
                function([0, 1], [0, 1], sample_weight=bad)


def test_words_against_numbers():
    with pytest.raises(ValueError, match=r"f1_score: y_true has dtype .* expected labels of one kind"):
        ours.f1_score(["a", "b"], [0, 1])
    with pytest.raises(ValueError, match="labels is"):
        ours.confusion_matrix([0, 1], [0, 1], labels=["a"])


def test_choices():
    truth, guess = LABELS["binary"]
    with pytest.raises(ValueError, match=r"average must be one of .*got 'mean'"):
        ours.f1_score(truth, guess, average="mean")
    with pytest.raises(ValueError, match="there are 5 classes, expected"):
        ours.f1_score(*LABELS["multiclass"])
    with pytest.raises(ValueError, match=r"weights must be one of .*got 'cubic'"):
        ours.cohen_kappa_score(truth, guess, weights="cubic")


def test_columns_of_data_frames_and_tensors():
    truth, guess = LABELS["words"]
    assert ours.accuracy_score(truth.astype(object), guess.astype(object)) == ours.accuracy_score(
        truth, guess
    )
    truth, guess = LABELS["multiclass"]
    found = ours.f1_score(dt.tensor(truth), dt.tensor(guess), average="macro")
    assert found == ours.f1_score(truth, guess, average="macro")


def test_the_warning_names_the_line_of_the_caller():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ours.precision_score([0, 1], [0, 0])
        ours.classification_report([0, 1], [0, 0])
    assert {w.filename for w in caught} == {__file__}


def test_labels_beyond_the_integers():
    for truth in ([1e300, 2e300, 2e300], [1e300] * 3):
        assert ours.accuracy_score(truth, truth) == ours.f1_score(truth, truth, average="macro") == 1


def test_blocks_do_not_show():
    """Enough samples for several blocks, with weights, in several dtypes."""
    rng = np.random.default_rng(0)
    truth, guess, weights = rng.integers(0, 7, 100_001), rng.integers(0, 7, 100_001), rng.random(100_001)
    for kind in (np.int64, np.int8, np.float32):
        for name in ("accuracy_score", "confusion_matrix", "f1_score", "hamming_loss"):
            options = {"average": "macro"} if name == "f1_score" else {}
            check_like_sklearn(name, truth.astype(kind), guess.astype(kind), sample_weight=weights, **options)
    assert outcome(ours.f1_score, truth + 0.5, guess)[0] == "refused"
