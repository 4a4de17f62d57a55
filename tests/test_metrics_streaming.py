"""Streaming metrics: batches and merged parts give scikit-learn's value of the whole; state is exact."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivetrain as dt
import drivetrain.metrics as ours
from metric_tools import rng, same, sklearn_metrics, weights_for

N = 97
CLASSES = 4
MANY, TWO = rng.integers(0, CLASSES, N), rng.integers(0, 2, N)
GUESS_MANY, GUESS_TWO = rng.integers(0, CLASSES, N), rng.integers(0, 2, N)
CHANCES = rng.dirichlet(np.ones(CLASSES), N)
ONE_CHANCE = rng.random(N).round(2)
LOGITS = rng.normal(size=(N, CLASSES))
SEVERAL, SEVERAL_SCORES = rng.integers(0, 2, (N, 3)), rng.random((N, 3)).round(2)
NUMBERS, GUESSED = rng.normal(size=N), rng.normal(size=N)
OUTPUTS, OUTPUTS_GUESSED = rng.normal(size=(N, 3)), rng.normal(size=(N, 3))
SPREAD = OUTPUTS.var(axis=0)
WEIGHTS = weights_for(N, "floats")
sk = sklearn_metrics


def from_scores(function, **options):
    return lambda truth, scores, **more: function(truth, scores.argmax(axis=1), **options, **more)


def above_half(function, **options):
    return lambda truth, scores, **more: function(truth, scores > 0.5, **options, **more)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def ece(truth, chances, sample_weight=None):
    return ours.expected_calibration_error(truth, chances, sample_weight=sample_weight)


# name -> (metric, truth, prediction, the function that says what is right)
CASES = {
    "accuracy": (ours.Accuracy, MANY, CHANCES, from_scores(sk.accuracy_score)),
    "accuracy of chances": (ours.Accuracy, TWO, ONE_CHANCE, above_half(sk.accuracy_score)),
    "top k": (lambda: ours.TopKAccuracy(2), MANY, CHANCES, sk.top_k_accuracy_score),
    "hamming": (ours.Hamming, SEVERAL, SEVERAL_SCORES, above_half(sk.hamming_loss)),
    "hamming of classes": (ours.Hamming, MANY, CHANCES, from_scores(sk.hamming_loss)),
    "confusion": (lambda: ours.ConfusionMatrix(CLASSES), MANY, CHANCES, from_scores(sk.confusion_matrix)),
    "balanced": (ours.BalancedAccuracy, MANY, GUESS_MANY, sk.balanced_accuracy_score),
    "matthews": (ours.MatthewsCorrCoef, MANY, GUESS_MANY, sk.matthews_corrcoef),
    "kappa": (ours.CohenKappa, MANY, GUESS_MANY, sk.cohen_kappa_score),
    "kappa, squares": (
        lambda: ours.CohenKappa(weights="quadratic"),
        MANY,
        GUESS_MANY,
        lambda a, b, **w: sk.cohen_kappa_score(a, b, weights="quadratic", **w),
    ),
    "log loss": (ours.LogLoss, MANY, CHANCES, sk.log_loss),
    "log loss of two": (ours.LogLoss, TWO, ONE_CHANCE, sk.log_loss),
    "log loss of logits": (
        lambda: ours.LogLoss(from_logits=True),
        MANY,
        LOGITS,
        lambda a, b, **w: sk.log_loss(a, softmax(b), **w),
    ),
    "log loss of a logit": (
        lambda: ours.LogLoss(from_logits=True),
        TWO,
        LOGITS[:, 0],
        lambda a, b, **w: sk.log_loss(a, sigmoid(b), **w),
    ),
    "brier": (ours.BrierScore, TWO, ONE_CHANCE, sk.brier_score_loss),
    "brier of a logit": (
        lambda: ours.BrierScore(from_logits=True),
        TWO,
        LOGITS[:, 0],
        lambda a, b, **w: sk.brier_score_loss(a, sigmoid(b), **w),
    ),
    "hinge": (ours.Hinge, TWO, LOGITS[:, 0], sk.hinge_loss),
    "hinge of classes": (ours.Hinge, MANY, LOGITS, sk.hinge_loss),
    "calibration": (ours.CalibrationError, TWO, ONE_CHANCE, ece),
    "calibration of classes": (ours.CalibrationError, MANY, CHANCES, ece),
    "auc": (ours.ROCAUC, TWO, ONE_CHANCE, sk.roc_auc_score),
    "auc, one against one": (
        lambda: ours.ROCAUC(multi_class="ovo"),
        MANY,
        CHANCES,
        lambda a, b: sk.roc_auc_score(a, b, multi_class="ovo"),
    ),
    "average precision": (ours.AveragePrecision, TWO, ONE_CHANCE, sk.average_precision_score),
    "roc": (ours.ROCCurve, TWO, ONE_CHANCE, sk.roc_curve),
    "precision-recall": (ours.PrecisionRecallCurve, TWO, ONE_CHANCE, sk.precision_recall_curve),
    "pearson": (ours.Pearson, NUMBERS, GUESSED, ours.pearson),
    "spearman": (ours.Spearman, NUMBERS, GUESSED.round(1), ours.spearman),
}
for average in ("macro", "weighted", "micro", None):
    for kind in ("precision", "recall", "f1", "jaccard"):
        metric = {"precision": ours.Precision, "recall": ours.Recall, "f1": ours.F1, "jaccard": ours.Jaccard}[
            kind
        ]
        function = getattr(sk, f"{kind}_score")

        def plain(a, b, function=function, average=average, **w):
            return function(a, b, average=average, **w)

        make = lambda metric=metric, average=average: metric(average=average)  # noqa: E731
        CASES[f"{kind}, {average}"] = (make, MANY, GUESS_MANY, plain)
        labels = lambda metric=metric, average=average: metric(average=average, multilabel=True)  # noqa: E731
        CASES[f"{kind} of labels, {average}"] = (
            labels,
            SEVERAL,
            SEVERAL_SCORES,
            above_half(function, average=average),
        )
        if average == "macro":
            CASES[f"{kind} of two"] = (metric, TWO, ONE_CHANCE, above_half(function))
            zero = lambda metric=metric: metric(pos_label=0)  # noqa: E731
            CASES[f"{kind} of class 0"] = (
                zero,
                TWO,
                GUESS_TWO,
                lambda a, b, f=function, **w: f(a, b, pos_label=0, **w),
            )
    for kind, metric, function in (
        ("auc", ours.ROCAUC, sk.roc_auc_score),
        ("average precision", ours.AveragePrecision, sk.average_precision_score),
    ):
        more = {"multi_class": "ovr"} if kind == "auc" else {}
        CASES[f"{kind} of classes, {average}"] = (
            lambda metric=metric, average=average: metric(average=average),
            MANY,
            CHANCES,
            lambda a, b, f=function, average=average, more=more, **w: f(a, b, average=average, **more, **w),
        )
        CASES[f"{kind} of labels, {average}"] = (
            lambda metric=metric, average=average: metric(average=average, multilabel=True),
            SEVERAL,
            SEVERAL_SCORES,
            lambda a, b, f=function, average=average, **w: f(a, b, average=average, **w),
        )
    CASES[f"specificity, {average}"] = (
        lambda average=average: ours.Specificity(average=average),
        MANY,
        GUESS_MANY,
        lambda a, b, average=average, **w: ours.specificity_score(a, b, average=average, **w),
    )
for beta in (0.5, 2.0):
    CASES[f"f{beta}"] = (
        lambda beta=beta: ours.FBeta(beta),
        TWO,
        GUESS_TWO,
        lambda a, b, beta=beta, **w: sk.fbeta_score(a, b, beta=beta, **w),
    )
for metric, function in (
    (ours.MeanSquaredError, "mean_squared_error"),
    (ours.RootMeanSquaredError, "root_mean_squared_error"),
    (ours.MeanAbsoluteError, "mean_absolute_error"),
    (ours.MeanAbsolutePercentageError, "mean_absolute_percentage_error"),
    (ours.R2Score, "r2_score"),
    (ours.ExplainedVariance, "explained_variance_score"),
):
    CASES[function] = (metric, NUMBERS, GUESSED, getattr(ours, function))
    choices = ["uniform_average", "raw_values", (0.2, 0.3, 0.5)]
    for choice in [*choices, *(["variance_weighted"] if "score" in function else [])]:
        CASES[f"{function}, {choice}"] = (
            lambda metric=metric, choice=choice: metric(multioutput=choice),
            OUTPUTS,
            OUTPUTS_GUESSED,
            lambda a, b, f=function, c=choice, **w: getattr(ours, f)(a, b, multioutput=c, **w),
        )

UNWEIGHTED = ("auc, one against one",)


def fed(metric, truth, guess, weights, cuts):
    for start, stop in zip([0, *cuts], [*cuts, len(truth)], strict=True):
        part = slice(start, stop)
        metric.update(truth[part], guess[part], None if weights is None else weights[part])
    return metric


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("case", CASES)
def test_batches_give_the_value_of_the_whole(case, weights):
    make, truth, guess, function = CASES[case]
    if weights is not None and case in UNWEIGHTED:
        pytest.skip("it knows no weights")
    expected = function(truth, guess, **({} if weights is None else {"sample_weight": weights}))
    found = fed(make(), truth, guess, weights, [0, 10, 11, 60]).result()
    if isinstance(expected, tuple):
        found, expected = list(found), list(expected)
    assert same(found, expected, 1e-9), (found, expected)
    with_tensors = fed(make(), dt.tensor(truth), dt.tensor(guess), weights, [10, 60]).result()
    assert same(list(with_tensors) if isinstance(expected, list) else with_tensors, expected, 1e-9)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(0, N), min_size=1, max_size=5).map(sorted), st.booleans())
def test_merged_parts_give_the_value_of_the_whole(case, cuts, weighted):
    make, truth, guess, _ = CASES[case]
    weights = WEIGHTS if weighted and case not in UNWEIGHTED else None
    whole, merged = fed(make(), truth, guess, weights, []), make()
    for start, stop in zip([0, *cuts], [*cuts, N], strict=True):
        part, cut = slice(start, stop), (stop - start) // 3
        each = None if weights is None else weights[part]
        piece = fed(make(), truth[part], guess[part], each, [cut])
        before = json.dumps(piece.state_dict(), default=np.ndarray.tolist)
        merged.merge(piece)
        assert json.dumps(piece.state_dict(), default=np.ndarray.tolist) == before
    one, other = merged.result(), whole.result()
    assert same(
        list(one) if isinstance(one, tuple) else one, list(other) if isinstance(other, tuple) else other
    )


def bits(state):
    return {
        key: (str(value.dtype), value.shape, value.tobytes())
        if isinstance(value, np.ndarray)
        else repr(value)
        for key, value in state.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_state_is_exact(case):
    make, truth, guess, _ = CASES[case]
    metric = fed(make(), truth[:50], guess[:50], None, [13])
    state = metric.state_dict()
    plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in state.items()}
    json.dumps(plain)
    other = fed(make(), truth[7:9], guess[7:9], None, [])
    other.load_state_dict(
        {k: dt.tensor(v) if isinstance(v, np.ndarray) and v.size else v for k, v in state.items()}
    )
    for each in (metric, other):
        each.update(truth[50:], guess[50:])
    assert bits(metric.state_dict()) == bits(other.state_dict())
    np.testing.assert_equal(metric.result(), other.result())
    assert bits(state) == bits(dict(state)), "the state is a copy"
    metric.reset()
    assert bits(metric.state_dict()) == bits(make().state_dict())


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_state_changes_nothing(case):
    make, truth, guess, _ = CASES[case]
    metric = fed(make(), truth, guess, None, [])
    state = metric.state_dict()
    kept = bits(state)
    first = next(key for key, value in state.items() if value is not None)
    for wrong in (
        {},
        {**state, "more": 1},
        {**state, first: "text"},
        {**state, first: np.zeros((3, 7, 2))},
        {**state, first: {"a": 1}},
        7,
    ):
        with pytest.raises((ValueError, TypeError), match="load_state_dict"):
            metric.load_state_dict(wrong)
        assert bits(metric.state_dict()) == kept


@pytest.mark.parametrize("case", CASES)
def test_before_the_first_sample(case):
    make, truth, guess, _ = CASES[case]
    metric = make()
    if case in ("roc", "precision-recall"):
        with pytest.raises(RuntimeError, match="there are no samples yet"):
            metric.result()
        return
    assert not np.nan_to_num(metric.result()).any()
    metric.update(truth[:0], guess[:0])
    assert not np.nan_to_num(metric.result()).any()
    metric.merge(make())
    assert not np.nan_to_num(metric.result()).any()


@pytest.mark.parametrize("case", CASES)
def test_bad_batches_are_named_and_change_nothing(case):
    make, truth, guess, _ = CASES[case]
    metric = fed(make(), truth, guess, None, [])
    kept, where = bits(metric.state_dict()), f"{type(metric).__name__}.update: "
    for wrong in (
        (truth[1:], guess),
        (truth, guess, np.ones(3)),
        (truth, guess, np.full(N, np.nan)),
        (truth, np.zeros((*guess.shape, 2, 2))),
        (0, 1),
    ):
        with pytest.raises(ValueError, match=where):
            metric.update(*wrong)
        assert bits(metric.state_dict()) == kept


def test_merging_needs_equals():
    with pytest.raises(TypeError, match=r"Recall\.merge: other is a Precision"):
        ours.Recall().merge(ours.Precision())
    with pytest.raises(ValueError, match=r"other has threshold 0\.0, expected 0\.5"):
        ours.Accuracy().merge(ours.Accuracy(threshold=0))
    with pytest.raises(ValueError, match="other has average 'micro', expected 'macro'"):
        ours.F1(average="macro").merge(ours.F1(average="micro"))
    with pytest.raises(ValueError, match="other has thresholds"):
        ours.ROCAUC(thresholds=3).merge(ours.ROCAUC(thresholds=4))
    with pytest.raises(ValueError, match="num_classes"):
        ours.ConfusionMatrix(3).merge(ours.ConfusionMatrix(4))
    one, other = ours.R2Score(), ours.R2Score()
    one.update(NUMBERS, GUESSED)
    other.update(OUTPUTS, OUTPUTS_GUESSED)
    with pytest.raises(ValueError, match="there are 3 outputs, expected 1"):
        one.merge(other)


def test_classes_that_show_late():
    """Without num_classes the matrix grows; parts with different classes merge."""
    truth, guess = np.array([0, 1, 1, 6, 3]), np.array([0, 1, 6, 6, 2])
    first, second = ours.F1(average="macro"), ours.F1(average="macro")
    first.update(truth[:2], guess[:2])
    second.update(truth[2:], guess[2:], np.ones(3))
    expected = sk.f1_score(truth, guess, average="macro")
    first.merge(second)
    assert first.result() == pytest.approx(expected)
    second.merge(fed(ours.F1(average="macro"), truth[:2], guess[:2], None, []))
    assert second.result() == pytest.approx(expected)


def test_two_classes_are_asked_for_an_average():
    metric = ours.Precision()
    for guess in (GUESS_MANY, CHANCES):
        with pytest.raises(
            ValueError, match=r"average is 'binary', but there are \d classes, expected average="
        ):
            metric.update(MANY, guess)
    with pytest.raises(ValueError, match=r"average must be one of .*got 'samples'"):
        ours.Recall(average="samples")


def test_undefined_values_warn_as_the_functions_do():
    metric = ours.Precision()
    metric.update([0, 1], [0, 0])
    with pytest.warns(ours.UndefinedMetricWarning, match="no predicted samples"):
        assert metric.result() == 0
    area = ours.ROCAUC()
    area.update([1, 1], [0.2, 0.3])
    with pytest.warns(ours.UndefinedMetricWarning, match="Only one class is present"):
        assert math.isnan(area.result())


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("thresholds", [2, 11, 0.3, [0.1, 0.5, 0.52, 0.9]])
def test_bins(thresholds, weights):
    """The value is that of scores that are rounded down to a threshold."""
    if isinstance(thresholds, float):
        thresholds = [thresholds]
    edges = np.linspace(0, 1, thresholds) if isinstance(thresholds, int) else np.array(thresholds)
    for metric, function, truth, scores in (
        (ours.ROCAUC, sk.roc_auc_score, TWO, ONE_CHANCE),
        (ours.AveragePrecision, sk.average_precision_score, TWO, ONE_CHANCE),
        (lambda **o: ours.ROCAUC(multilabel=True, **o), sk.roc_auc_score, SEVERAL, SEVERAL_SCORES),
        (
            lambda **o: ours.AveragePrecision(multilabel=True, average="weighted", **o),
            lambda *a, **o: sk.average_precision_score(*a, average="weighted", **o),
            SEVERAL,
            SEVERAL_SCORES,
        ),
        (
            lambda **o: ours.ROCAUC(average="micro", **o),
            lambda a, b, **o: sk.roc_auc_score(np.eye(CLASSES, dtype=int)[a], b, average="micro", **o),
            MANY,
            CHANCES,
        ),
    ):
        digits = np.searchsorted(edges, scores, side="right")
        expected = function(truth, digits, sample_weight=weights)
        found = fed(metric(thresholds=thresholds), truth, scores, weights, [5, 40])
        assert found.result() == pytest.approx(expected, rel=1e-12)
    curve = fed(ours.ROCCurve(thresholds=thresholds), TWO, ONE_CHANCE, weights, [3]).result()
    digits = np.searchsorted(edges, ONE_CHANCE, side="right")
    expected = sk.roc_curve(TWO, digits, sample_weight=weights)
    np.testing.assert_allclose(curve[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(curve[1], expected[1], rtol=1e-12)


def test_bins_are_bounded():
    metric = ours.ROCAUC(thresholds=100)
    for _ in range(50):
        metric.update(TWO, ONE_CHANCE)
    assert sum(value.nbytes for value in metric.state_dict().values()) == 2 * 101 * 8
    for wrong in (1, [], [0.5, 0.5], [0.7, 0.2], [np.nan], "many"):
        with pytest.raises((ValueError, TypeError), match="thresholds"):
            ours.ROCAUC(thresholds=wrong)


def test_scores_of_changing_dtype_and_weights_that_come_late():
    metric = ours.ROCAUC()
    metric.update(TWO[:50], ONE_CHANCE[:50].astype(np.float32))
    metric.update(TWO[50:], ONE_CHANCE[50:], WEIGHTS[50:])
    scores = np.concatenate([ONE_CHANCE[:50].astype(np.float32), ONE_CHANCE[50:]])
    weights = np.concatenate([np.ones(50), WEIGHTS[50:]])
    assert metric.result() == pytest.approx(sk.roc_auc_score(TWO, scores, sample_weight=weights))


def test_kept_scores_are_copies():
    """A model's output may lie in memory that the next batch overwrites."""
    for metric in (ours.ROCAUC(), ours.Spearman()):
        scores, truth = ONE_CHANCE.copy(), TWO * 1.0
        metric.update(truth, scores)
        expected = metric.result()
        scores[:] = 0
        truth[:] = 1
        assert metric.result() == expected


def test_logits_of_classes():
    metric = ours.ROCAUC(from_logits=True)
    metric.update(MANY, LOGITS)
    expected = sk.roc_auc_score(MANY, softmax(LOGITS), multi_class="ovr")
    assert metric.result() == pytest.approx(expected)


def test_sequences_and_images():
    truth, guess = rng.integers(0, 3, (5, 7)), rng.random((5, 7, 3))
    metric = ours.F1(average="macro")
    metric.update(truth, guess, np.arange(1.0, 6.0))
    expected = sk.f1_score(
        truth.ravel(),
        guess.argmax(-1).ravel(),
        average="macro",
        sample_weight=np.repeat(np.arange(1.0, 6.0), 7),
    )
    assert metric.result() == pytest.approx(expected)
    error = ours.MeanAbsoluteError()
    images = rng.normal(size=(2, 4, 3, 2, 1))
    error.update(images[0], images[1])
    assert error.result() == pytest.approx(np.abs(images[0] - images[1]).mean())


def test_nan_in_numbers_is_nan():
    for metric in (ours.MeanSquaredError(), ours.R2Score(), ours.Pearson(), ours.Spearman()):
        metric.update([1.0, 2.0, np.nan], [1.0, 2.5, 3.0])
        assert math.isnan(metric.result())
    for metric in (ours.ROCAUC(), ours.F1(), ours.CalibrationError()):
        with pytest.raises(ValueError, match="y_pred holds NaN"):
            metric.update([0, 1], [np.nan, 0.5])


def test_one_hot_rows():
    rows = np.eye(CLASSES)[MANY]
    for make in (lambda: ours.F1(average="macro"), ours.ROCAUC, ours.LogLoss, ours.BalancedAccuracy):
        one, other = make(), make()
        one.update(rows, CHANCES)
        other.update(MANY, CHANCES)
        assert one.result() == other.result()
        with pytest.raises(ValueError, match="expected one-hot rows"):
            one.update(SEVERAL, SEVERAL_SCORES)


def test_printing_asks_for_no_expensive_result():
    assert repr(ours.ROCCurve()) == "ROCCurve(name='roc_curve')"
    assert repr(ours.Precision()) == "Precision(name='precision')"
    assert repr(ours.Accuracy()) == "Accuracy(name='accuracy', result=nan)"


def test_a_state_with_nan_scores_is_refused():
    """Merging would not end with them."""
    metric = fed(ours.ROCAUC(), TWO, ONE_CHANCE, None, [])
    state = metric.state_dict()
    state["y_score"][3] = np.nan
    with pytest.raises(ValueError, match="finite scores"):
        ours.ROCAUC().load_state_dict(state)


class Largest(ours.Metric):
    """What a user writes: three methods."""

    name = "largest"

    def __init__(self):
        self.reset()

    def reset(self):
        self.value = -math.inf
        self.parts = []

    def update(self, y_true, y_pred, sample_weight=None):
        self.value = max(self.value, float(np.max(y_pred)))
        self.parts.append(len(y_true))

    def result(self):
        return self.value


def test_a_metric_of_a_user():
    metric = Largest()
    metric.update([1, 2], np.array([3.0, 4.0]))
    state = metric.state_dict()
    assert state == {"value": 4.0, "parts": [2]}
    other = Largest.__new__(Largest)  # never reset
    other.load_state_dict(state)
    metric.update([1], np.array([9.0]))
    assert other.result() == 4.0
    assert other.parts == [2]
    assert metric.per_batch
    with pytest.raises(NotImplementedError, match="Largest has no merge"):
        metric.merge(other)
    with pytest.raises(ValueError, match=r"state has \['value'\], expected \['parts', 'value'\]"):
        metric.load_state_dict({"value": 1.0})


def test_cheap_results_are_for_every_batch():
    cheap = (ours.Accuracy(), ours.TopKAccuracy(), ours.LogLoss(), ours.MeanSquaredError(), ours.Hinge())
    assert all(metric.per_batch for metric in cheap)
    for metric in (ours.ROCAUC(), ours.Spearman(), ours.F1(), ours.ConfusionMatrix(3), ours.R2Score()):
        assert not metric.per_batch


@pytest.mark.parametrize("logits", [False, True])
def test_overlap_of_masks(logits):
    """Intersection over union of masks (n, height, width), predicted as (n, height, width, classes)."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (6, 5, 4))
    scores = rng.random((6, 5, 4, 3)).astype(np.float32)
    guess = scores.argmax(axis=3)
    each = [((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum() for c in range(3)]
    metric = ours.Jaccard(average="macro", num_classes=3)
    for rows in (slice(0, 4), slice(4, 6)):
        metric.update(truth[rows], scores[rows] if logits else guess[rows])
    assert metric.result() == pytest.approx(np.mean(each), rel=1e-12)
