"""Metrics: values equal scikit-learn's, batch by batch equals all at once, and bad input is named."""

import numpy as np
import pytest

from drivetrain.metrics import (
    Accuracy,
    ConfusionMatrix,
    Mean,
    TopKAccuracy,
    accuracy_score,
    confusion_matrix,
    top_k_accuracy_score,
)

rng = np.random.default_rng(7)
N, C = 211, 5
LABELS = rng.integers(0, C, N)
GUESSES = rng.integers(0, C, N)
# Rounded, so that equal scores occur.
SCORES = rng.normal(size=(N, C)).round(1)
WEIGHTS = rng.random(N)
BATCHES = [slice(0, 100), slice(100, 200), slice(200, N)]


def tensor(array):
    dt = pytest.importorskip("drivetrain")
    return dt.tensor(array)


class TestAgainstScikitLearn:
    sk = pytest.importorskip("sklearn.metrics")

    @pytest.mark.parametrize("weights", [None, WEIGHTS, np.ones(N, int) * 2])
    @pytest.mark.parametrize("normalize", [True, False])
    def test_accuracy(self, weights, normalize):
        ours = accuracy_score(LABELS, GUESSES, normalize=normalize, sample_weight=weights)
        theirs = self.sk.accuracy_score(LABELS, GUESSES, normalize=normalize, sample_weight=weights)
        assert ours == pytest.approx(theirs, rel=1e-12)

    def test_accuracy_of_several_labels(self):
        truth, guess = rng.integers(0, 2, (50, 3)), rng.integers(0, 2, (50, 3))
        assert accuracy_score(truth, guess) == pytest.approx(self.sk.accuracy_score(truth, guess))

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    @pytest.mark.parametrize("weights", [None, WEIGHTS])
    @pytest.mark.parametrize("normalize", [True, False])
    def test_top_k(self, k, weights, normalize):
        ours = top_k_accuracy_score(LABELS, SCORES, k=k, normalize=normalize, sample_weight=weights)
        theirs = self.sk.top_k_accuracy_score(LABELS, SCORES, k=k, normalize=normalize, sample_weight=weights)
        assert ours == pytest.approx(theirs, rel=1e-12)

    def test_top_k_of_two_classes(self):
        truth, scores = rng.integers(0, 2, 40), rng.random(40)
        ours = top_k_accuracy_score(truth, scores, k=1)
        assert ours == pytest.approx(self.sk.top_k_accuracy_score(truth, scores, k=1))

    def test_top_k_with_labels(self):
        truth = np.array([1, 1, 3])
        scores = rng.random((3, 4))
        ours = top_k_accuracy_score(truth, scores, k=2, labels=[0, 1, 2, 3])
        assert ours == self.sk.top_k_accuracy_score(truth, scores, k=2, labels=[0, 1, 2, 3])

    @pytest.mark.parametrize("weights", [None, WEIGHTS, np.arange(N)])
    @pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
    @pytest.mark.parametrize("labels", [None, [3, 1], [4, 9, 0]])
    def test_confusion_matrix(self, weights, normalize, labels):
        arguments = {"labels": labels, "sample_weight": weights, "normalize": normalize}
        ours = confusion_matrix(LABELS, GUESSES, **arguments)
        theirs = self.sk.confusion_matrix(LABELS, GUESSES, **arguments)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    def test_confusion_matrix_of_names(self):
        truth, guess = np.array(["b", "a", "b"]), np.array(["b", "b", "a"])
        np.testing.assert_array_equal(confusion_matrix(truth, guess), self.sk.confusion_matrix(truth, guess))

    def test_streaming_equals_scikit_learn(self):
        accuracy, top, matrix = Accuracy(), TopKAccuracy(3), ConfusionMatrix(C)
        weighed = ConfusionMatrix(C)
        for part in BATCHES:
            accuracy.update(LABELS[part], SCORES[part], WEIGHTS[part])
            top.update(LABELS[part], SCORES[part], WEIGHTS[part])
            matrix.update(LABELS[part], GUESSES[part])
            weighed.update(LABELS[part], SCORES[part], WEIGHTS[part])
        guess = SCORES.argmax(axis=1)
        assert accuracy.result() == pytest.approx(
            self.sk.accuracy_score(LABELS, guess, sample_weight=WEIGHTS)
        )
        expected = self.sk.top_k_accuracy_score(LABELS, SCORES, k=3, sample_weight=WEIGHTS)
        assert top.result() == pytest.approx(expected)
        assert matrix.result().dtype == np.int64
        np.testing.assert_array_equal(matrix.result(), self.sk.confusion_matrix(LABELS, GUESSES))
        np.testing.assert_allclose(
            weighed.result(), self.sk.confusion_matrix(LABELS, guess, sample_weight=WEIGHTS), rtol=1e-12
        )


class TestStreaming:
    def test_batches_weigh_by_their_samples(self):
        accuracy = Accuracy()
        accuracy.update(np.zeros(3, int), np.zeros(3, int))
        accuracy.update(np.zeros(1, int), np.ones(1, int))
        assert accuracy.result() == 0.75

    def test_reset(self):
        for metric in (Accuracy(), TopKAccuracy(1), ConfusionMatrix(2)):
            metric.update(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
            metric.reset()
            assert not np.nan_to_num(metric.result()).any()

    def test_mean(self):
        mean = Mean("loss")
        assert np.isnan(mean.result())
        mean.update(2.0, 10)
        mean.update(np.array([1.0, 3.0]))
        mean.update(np.array([5.0, 7.0]), np.array([1.0, 3.0]))
        assert mean.result() == pytest.approx((20 + 4 + 5 + 21) / 16)
        with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(2,\)"):
            mean.update(np.zeros(2), np.zeros(3))

    def test_accuracy_forms(self):
        def of(truth, guess, **options):
            metric = Accuracy(**options)
            metric.update(np.array(truth), np.array(guess))
            return metric.result()

        assert of([0, 1, 1], [0.2, 0.7, 0.4]) == pytest.approx(2 / 3)
        assert of([0, 1, 1], [-2.0, 0.1, -0.1], threshold=0) == pytest.approx(2 / 3)
        assert of([0, 1], [[0.2], [0.7]]) == 1
        assert of([[0], [1]], [0.2, 0.7]) == 1
        assert of([[0.0], [1.0]], [[0.2], [0.3]]) == 0.5
        assert of([[1, 0], [0, 1]], [[3.0, 1.0], [3.0, 1.0]]) == 0.5
        assert of([[0, 1], [1, 1]], [[[3.0, 1.0], [3.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]) == 0.75
        assert of([0, 1], [[np.nan, 0.0], [0.0, 1.0]]) == 0.5
        assert of([True, False], [True, True]) == 0.5

    def test_empty_batch_changes_nothing(self):
        metric = Accuracy()
        metric.update(np.zeros(0, int), np.zeros((0, 3)))
        metric.update(np.array([1]), np.array([[0.0, 1.0]]))
        assert metric.result() == 1

    def test_nan_row_is_a_miss(self):
        top = TopKAccuracy(2)
        top.update(np.array([0, 0]), np.array([[np.nan, 1.0, 2.0], [9.0, 1.0, 2.0]]))
        assert top.result() == 0.5

    def test_tensors(self):
        accuracy, top, matrix = Accuracy(), TopKAccuracy(2), ConfusionMatrix(C)
        for metric in (accuracy, top, matrix):
            metric.update(tensor(LABELS), tensor(SCORES.astype(np.float32)))
        assert accuracy.result() == accuracy_score(LABELS, SCORES.argmax(axis=1))
        assert matrix.result().sum() == N
        assert accuracy_score(tensor(LABELS), tensor(GUESSES)) == accuracy_score(LABELS, GUESSES)

    def test_tensors_that_need_gradients(self):
        scores = tensor(SCORES.astype(np.float32))
        scores.requires_grad = True
        metric = Accuracy()
        metric.update(tensor(LABELS), scores * 2)
        assert metric.result() == accuracy_score(LABELS, SCORES.argmax(axis=1))

    def test_inputs_are_not_changed(self):
        labels, scores, weights = LABELS.copy(), SCORES.copy(), WEIGHTS.copy()
        for array in (labels, scores, weights):
            array.flags.writeable = False
        for metric in (Accuracy(), TopKAccuracy(2), ConfusionMatrix(C)):
            metric.update(labels, scores, weights)


class TestBadInput:
    @pytest.mark.parametrize("metric", [Accuracy(), TopKAccuracy(1), ConfusionMatrix(C)])
    def test_streaming(self, metric):
        with pytest.raises(ValueError, match="same number of samples"):
            metric.update(LABELS[:-1], SCORES)
        with pytest.raises(ValueError, match="0 to 4"):
            metric.update(LABELS + 1, SCORES)
        with pytest.raises(ValueError, match="0 to 4"):
            metric.update(LABELS - 1, SCORES)
        with pytest.raises(ValueError, match="NaN or a fraction"):
            metric.update(np.full(N, np.nan), SCORES)
        with pytest.raises(ValueError, match="sample_weight has shape"):
            metric.update(LABELS, SCORES, WEIGHTS[:-1])
        with pytest.raises(ValueError, match="sample_weight holds NaN"):
            metric.update(LABELS, SCORES, WEIGHTS * np.nan)
        with pytest.raises((ValueError, TypeError)):
            metric.update(np.array([None] * N), SCORES)
        with pytest.raises(ValueError, match="shape"):
            metric.update(LABELS, SCORES[:, :, None, None])
        with pytest.raises(ValueError, match="same number"):
            metric.update(0, 1)

    @pytest.mark.parametrize("k", [0, -1, 1.5, True, "2"])
    def test_k(self, k):
        error = ValueError if type(k) is int else TypeError
        with pytest.raises(error, match=f"k must be a positive integer, got {k!r}"):
            TopKAccuracy(k)
        with pytest.raises(error, match=f"k must be a positive integer, got {k!r}"):
            top_k_accuracy_score(LABELS, SCORES, k=k)

    @pytest.mark.parametrize("classes", [0, -3, 2.5, True])
    def test_num_classes(self, classes):
        with pytest.raises(ValueError if type(classes) is int else TypeError, match="num_classes"):
            ConfusionMatrix(classes)

    @pytest.mark.parametrize("function", [accuracy_score, confusion_matrix])
    def test_functions(self, function):
        with pytest.raises(ValueError, match="same number"):
            function(LABELS, GUESSES[:-1])
        with pytest.raises(ValueError, match="NaN or a fraction"):
            function(LABELS, GUESSES * np.nan)
        with pytest.raises(ValueError, match="sample_weight"):
            function(LABELS, GUESSES, sample_weight=WEIGHTS[1:])
        with pytest.raises(ValueError, match="shape"):
            function(LABELS, SCORES)

    def test_top_k(self):
        with pytest.raises(ValueError, match="3 classes, expected 5"):
            top_k_accuracy_score(LABELS, SCORES[:, :3])
        with pytest.raises(ValueError, match="not in labels"):
            top_k_accuracy_score(LABELS, SCORES[:, :3], labels=[0, 1, 2])
        with pytest.raises(ValueError, match="y_score holds NaN"):
            top_k_accuracy_score(LABELS, SCORES * np.nan)
        with pytest.raises(ValueError, match="ascending"):
            top_k_accuracy_score(LABELS, SCORES, labels=[4, 3, 2, 1, 0])

    def test_no_samples(self):
        with pytest.raises(ValueError, match="no samples"):
            accuracy_score([], [])

    def test_normalize(self):
        with pytest.raises(ValueError, match=r"normalize must be one of .*got 'rows'"):
            confusion_matrix(LABELS, GUESSES, normalize="rows")
        with pytest.raises(ValueError, match="labels is"):
            confusion_matrix(LABELS, GUESSES, labels=[17])
