"""Metrics by name in a training: each gives the value of its function over the predictions."""

import re
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt
import drivetrain.metrics as ours
from drivetrain import nn, optim
from drivetrain.train import Callback, Trainer
from drivetrain.train.lookup import find_metrics, metrics_of
from trainer_tools import R, X, Y, classifier, regression


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def binary(**options):
    dt.manual_seed(1)
    model = nn.Linear(4, 1)
    return Trainer(
        model,
        loss="binary_cross_entropy_with_logits",
        optimizer=optim.SGD(model.parameters(), 0.1),
        **options,
    )


def agrees(trainer, y, expected, **options):
    names = list(expected)
    found = trainer.evaluate(X, y, batch_size=7, verbose=0, return_dict=True, **options)
    assert list(found) == ["loss", *names]
    for name in names:
        assert found[name] == pytest.approx(expected[name], rel=1e-5), name


def test_classes():
    predicted = classifier().predict(X)
    guess, chances = predicted.argmax(axis=1), softmax(predicted.astype(np.float64))
    expected = {
        "accuracy": ours.accuracy_score(Y, guess),
        "balanced_accuracy": ours.balanced_accuracy_score(Y, guess),
        "precision_macro": ours.precision_score(Y, guess, average="macro"),
        "recall_micro": ours.recall_score(Y, guess, average="micro"),
        "f1_weighted": ours.f1_score(Y, guess, average="weighted"),
        "specificity_macro": ours.specificity_score(Y, guess, average="macro"),
        "iou_macro": ours.jaccard_score(Y, guess, average="macro"),
        "mcc": ours.matthews_corrcoef(Y, guess),
        "kappa": ours.cohen_kappa_score(Y, guess),
        "hamming_loss": ours.hamming_loss(Y, guess),
        "auc": ours.roc_auc_score(Y, chances, multi_class="ovr"),
        "roc_auc_ovo": ours.roc_auc_score(Y, chances, multi_class="ovo"),
        "average_precision": ours.average_precision_score(Y, chances),
        "log_loss": ours.log_loss(Y, chances),
        "brier": ours.brier_score_loss(Y, chances),
        "ece": ours.expected_calibration_error(Y, chances),
        "hinge": ours.hinge_loss(Y, predicted),
    }
    agrees(classifier(metrics=list(expected)), Y, expected)


def test_two_classes_by_logits():
    truth = (X[:, 0] > 0).astype(np.int64)
    scores = binary().predict(X)[:, 0].astype(np.float64)
    guess, chances = scores > 0, 1 / (1 + np.exp(-scores))
    expected = {
        "binary_accuracy": ours.accuracy_score(truth, guess),
        "precision": ours.precision_score(truth, guess),
        "recall": ours.recall_score(truth, guess),
        "f1": ours.f1_score(truth, guess),
        "auc": ours.roc_auc_score(truth, scores),
        "pr_auc": ours.average_precision_score(truth, scores),
        "log_loss": ours.log_loss(truth, chances),
        "brier_score": ours.brier_score_loss(truth, chances),
        "calibration_error": ours.expected_calibration_error(truth, chances),
        "hinge_loss": ours.hinge_loss(truth, scores),
    }
    agrees(binary(metrics=list(expected)), truth, expected)
    agrees(binary(metrics=list(expected)), truth.astype(np.float32)[:, None], expected)


def test_numbers():
    guess = regression().predict(X)[:, 0]
    expected = {
        "mse": ours.mean_squared_error(R, guess),
        "rmse": ours.root_mean_squared_error(R, guess),
        "mae": ours.mean_absolute_error(R, guess),
        "mape": ours.mean_absolute_percentage_error(R, guess),
        "r2": ours.r2_score(R, guess),
        "explained_variance": ours.explained_variance_score(R, guess),
        "pearson": ours.pearson(R, guess),
        "spearman": ours.spearman(R, guess),
    }
    agrees(regression(metrics=list(expected)), R, expected)
    weights = np.arange(1.0, 91.0)
    expected = {"r2": ours.r2_score(R, guess, sample_weight=weights)}
    agrees(regression(metrics=["r2"]), R, expected, sample_weight=weights)


def test_every_name_makes_a_metric_of_that_name():
    for loss in (nn.MSELoss(), nn.CrossEntropyLoss(), nn.BCEWithLogitsLoss()):
        for name in metrics_of(loss):
            (metric,) = find_metrics(name, loss)
            assert metric.name == name
            assert np.isnan(metric.result())
    (metric,) = find_metrics("AUC", nn.MSELoss())
    assert metric.name == "AUC"


def test_the_guide_lists_them_all():
    page = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text()
    table = [line.split("|") for line in page.splitlines() if line.startswith("| ") and "`" in line][1:]
    listed = {name for line in table for cell in line[1:3] for name in re.findall(r"`(\w+)`", cell)}
    assert set(ours.__all__) - listed == {"Metric", "UndefinedMetricWarning"}
    names = {name for line in table for name in re.findall(r"`(\w+)`", line[3])}
    assert names <= set(metrics_of(nn.MSELoss()))


def test_history_of_a_fit():
    trainer = classifier(metrics=["accuracy", "f1_macro", ours.ROCAUC("area")])
    record = trainer.fit(X, Y, epochs=2, validation_data=(X, Y), verbose=0).history
    for name in ("accuracy", "f1_macro", "area"):
        assert len(record[name]) == len(record[f"val_{name}"]) == 2
        assert 0 < record[name][-1] <= 1
    last = trainer.evaluate(X, Y, verbose=0, return_dict=True)
    assert record["val_f1_macro"][-1] == pytest.approx(last["f1_macro"])


def test_expensive_results_come_at_the_end_of_an_epoch():
    class Asked(ours.Accuracy):
        times = 0

        def result(self):
            self.times += 1
            return super().result()

    class Watcher(Callback):
        def __init__(self):
            super().__init__()
            self.batches, self.epochs = [], []

        def on_train_batch_end(self, batch, logs=None):
            self.batches.append(set(logs))

        on_test_batch_end = on_train_batch_end

        def on_epoch_end(self, epoch, logs=None):
            self.epochs.append(set(logs))

    cheap, expensive, watcher = Asked("cheap"), Asked("expensive"), Watcher()
    expensive.per_batch = False
    trainer = classifier(metrics=[cheap, expensive], callbacks=[watcher])
    trainer.fit(X, Y, epochs=2, batch_size=9, validation_data=(X, Y), verbose=0)
    assert watcher.batches == [{"loss", "cheap"}] * 40
    both = {"loss", "cheap", "expensive"}
    assert watcher.epochs == [both | {f"val_{name}" for name in both}] * 2
    assert expensive.times == 4
    assert cheap.times == 40 + 4


def test_more_classes_than_two_are_named():
    with pytest.raises(ValueError, match=r"Precision\.update: average is 'binary', but there are 3 classes"):
        classifier(metrics=["precision"]).evaluate(X, Y, verbose=0)
