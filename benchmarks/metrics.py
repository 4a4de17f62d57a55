"""Metrics over many predictions beside scikit-learn's (SciPy's for correlations): time and memory.

python -m benchmarks metrics                      # all, 10 million predictions: some ten minutes
python -m benchmarks metrics --case "auc; curve" --rounds 5

Each value is compared. The libraries take turns in one process, on one thread: medians of the rounds. Memory
is what the peak of the process grows by during a call, the data not counted. Metrics that need scores of five
classes get a fifth of the samples. The status is 1 where one is slower than scikit-learn.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

BATCH = 1 << 16


class Row(NamedTuple):
    """One metric: a function of drivetrain.metrics or a streaming class, the peer's function, the data."""

    name: str
    own: str
    data: tuple[str, ...]
    options: dict[str, Any] = {}  # noqa: RUF012
    peer: str = ""  # by the name of ours, unless said
    streams: bool = False
    peer_options: dict[str, Any] | None = None
    tolerance: float = 1e-9


def rows() -> list[Row]:
    two, ten, scored = ("two", "two_guessed"), ("ten", "ten_guessed"), ("two", "scores")
    weighed = ("two", "scores", "weights")
    classes = ("five", "chances")
    numbers = ("numbers", "guessed")
    macro, other_class = {"average": "macro"}, {"pos_label": 0}
    found = [
        *(Row(f"{name}, 10 classes", name, ten) for name in ("accuracy_score", "balanced_accuracy_score")),
        *(Row(f"{name}, 10 classes", name, ten) for name in ("confusion_matrix", "matthews_corrcoef")),
        *(Row(f"{name}, 10 classes", name, ten) for name in ("cohen_kappa_score", "hamming_loss")),
        *(Row(f"{name}, 2 classes", name, two) for name in ("precision_score", "recall_score", "f1_score")),
        Row("f1_score, 10 classes, weighted samples", "f1_score", (*ten, "weights"), macro),
        Row("f1_score, 1000 classes", "f1_score", ("thousand", "thousand_guessed"), macro),
        Row("fbeta_score, 2 classes", "fbeta_score", two, {"beta": 2.0}),
        Row("jaccard_score, 10 classes", "jaccard_score", ten, macro),
        Row(
            "specificity_score, 2 classes",
            "specificity_score",
            two,
            {},
            "recall_score",
            False,
            other_class,
        ),
        Row("precision_recall_fscore_support", "precision_recall_fscore_support", ten),
        Row("classification_report", "classification_report", ten),
        Row("roc_auc_score, float64", "roc_auc_score", scored),
        Row("roc_auc_score, float32", "roc_auc_score", ("two", "scores32")),
        Row("roc_auc_score, weighted samples", "roc_auc_score", weighed),
        Row("roc_auc_score, 5 classes, ovr", "roc_auc_score", classes, {"multi_class": "ovr"}),
        Row("roc_auc_score, 5 classes, ovo", "roc_auc_score", classes, {"multi_class": "ovo"}),
        Row("average_precision_score", "average_precision_score", scored),
        Row("roc_curve", "roc_curve", scored),
        Row("precision_recall_curve", "precision_recall_curve", scored),
        Row("auc", "auc", ("ascending", "numbers")),
        Row("top_k_accuracy_score, 5 classes", "top_k_accuracy_score", classes),
        Row("log_loss, 2 classes", "log_loss", scored),
        Row("log_loss, 5 classes", "log_loss", classes),
        Row("hinge_loss, 2 classes", "hinge_loss", ("two", "numbers")),
        Row("hinge_loss, 5 classes", "hinge_loss", classes),
        Row("brier_score_loss, 2 classes", "brier_score_loss", scored),
        Row("calibration_curve", "calibration_curve", scored, {"n_bins": 15}),
        Row("expected_calibration_error", "expected_calibration_error", scored, {}, "slow_calibration_error"),
    ]
    names = ("mean_squared_error", "root_mean_squared_error", "mean_absolute_error")
    more = ("mean_absolute_percentage_error", "r2_score", "explained_variance_score")
    found += [Row(name, name, numbers) for name in (*names, *more)]
    found += [Row("r2_score, weighted samples", "r2_score", (*numbers, "weights"))]
    found += [Row(name, name, numbers, {}, name + "r") for name in ("pearson", "spearman")]
    found += [
        Row("Accuracy in batches", "Accuracy", ten, {}, "accuracy_score", True, {}),
        Row("F1 in batches", "F1", two, {}, "f1_score", True, {}),
        Row("ROCAUC in batches", "ROCAUC", scored, {}, "roc_auc_score", True, {}),
        Row(
            "ROCAUC in batches, 1000 thresholds",
            "ROCAUC",
            scored,
            {"thresholds": 1000},
            "roc_auc_score",
            True,
            {},
            1e-3,
        ),
        Row("LogLoss in batches", "LogLoss", scored, {}, "log_loss", True, {}),
        Row("R2Score in batches", "R2Score", numbers, {}, "r2_score", True, {}),
        Row("Pearson in batches", "Pearson", numbers, {}, "pearsonr", True, {}),
    ]
    return found


def make_data(samples: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    data = {
        "two": rng.integers(0, 2, samples),
        "ten": rng.integers(0, 10, samples),
        "thousand": rng.integers(0, 1000, samples),
        "numbers": rng.normal(size=samples),
        "scores": rng.random(samples),
        "weights": rng.random(samples),
        "ascending": np.linspace(0, 1, samples),
        "five": rng.integers(0, 5, samples // 5),
    }
    data["two_guessed"] = (data["scores"] + 0.3 * data["two"] > 0.6).astype(np.int64)
    for name, classes in (("ten", 10), ("thousand", 1000)):
        wrong = rng.random(samples) < 0.3
        data[f"{name}_guessed"] = np.where(wrong, rng.integers(0, classes, samples), data[name])
    data["guessed"] = data["numbers"] + rng.normal(size=samples)
    data["scores32"] = data["scores"].astype(np.float32)
    chances = rng.random((samples // 5, 5))
    data["chances"] = chances / chances.sum(axis=1, keepdims=True)
    return data


def slow_calibration_error(truth: Any, chances: Any) -> float:
    """What people write on top of scikit-learn's calibration_curve."""
    from sklearn.calibration import calibration_curve

    right, predicted = calibration_curve(truth, chances, n_bins=15)
    counts = np.histogram(chances, bins=np.linspace(0, 1, 16))[0]
    return float((np.abs(right - predicted) * counts[counts > 0]).sum() / len(chances))


def peer_function(name: str) -> Callable[..., Any]:
    import scipy.stats
    import sklearn.calibration
    import sklearn.metrics

    if name == "slow_calibration_error":
        return slow_calibration_error
    for module in (sklearn.metrics, sklearn.calibration, scipy.stats):
        if hasattr(module, name):
            function: Callable[..., Any] = getattr(module, name)
            return function
    raise SystemExit(f"this scikit-learn has no {name}")


def calls(row: Row, data: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    import drivetrain.metrics as own

    arrays = [data[name] for name in row.data[:2]]
    weights = {"sample_weight": data["weights"]} if "weights" in row.data else {}
    ours, theirs = getattr(own, row.own), peer_function(row.peer or row.own)
    more = row.options if row.peer_options is None else row.peer_options

    def stream() -> Any:
        metric = ours(**row.options)
        for start in range(0, len(arrays[0]), BATCH):
            metric.update(*(array[start : start + BATCH] for array in arrays))
        return metric.result()

    def whole() -> Any:
        return ours(*arrays, **weights, **row.options)

    return stream if row.streams else whole, lambda: theirs(*arrays, **weights, **more)


def resident(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def measured(call: Callable[[], Any]) -> tuple[float, int, Any]:
    """Return seconds, by how many bytes the peak grew, and the value."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = resident("VmRSS")
    start = time.perf_counter()
    value = call()
    seconds = time.perf_counter() - start
    return seconds, max(0, resident("VmHWM") - before), value


def agree(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(other, str):
        return bool(one == other)
    if isinstance(other, tuple) and not hasattr(other, "statistic"):
        return len(one) == len(other) and all(agree(a, b, tolerance) for a, b in zip(one, other, strict=True))
    other = getattr(other, "statistic", other)
    one, other = np.asarray(one, float), np.asarray(other, float)
    return one.shape == other.shape and np.allclose(
        one, other, rtol=tolerance, atol=tolerance, equal_nan=True
    )


def run(samples: int, substrings: str, rounds: int) -> None:
    warnings.simplefilter("ignore")
    data = make_data(samples)
    print(f"{samples:,} predictions, medians of {rounds} rounds, one thread\n")
    print("| metric | drivetrain s | scikit-learn s | times as fast | drivetrain MB | scikit-learn MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |", flush=True)
    slower = []
    for row in rows():
        if not any(part.strip().lower() in row.name.lower() for part in substrings.split(";")):
            continue
        both = calls(row, data)
        found: list[list[tuple[float, int, Any]]] = [[], []]
        for _ in range(rounds):
            for place, call in enumerate(both):
                found[place].append(measured(call))
        if not agree(found[0][0][2], found[1][0][2], row.tolerance):
            raise SystemExit(f"{row.name}: {found[0][0][2]} is not {found[1][0][2]}")
        seconds = [statistics.median(s for s, _, _ in each) for each in found]
        memory = [max(m for _, m, _ in each) / 1e6 for each in found]
        slower += [row.name] if seconds[0] > seconds[1] else []
        times = f"{seconds[0]:.3f} | {seconds[1]:.3f} | {seconds[1] / seconds[0]:.1f}"
        print(f"| {row.name} | {times} | {memory[0]:.0f} | {memory[1]:.0f} |", flush=True)
    if slower:
        raise SystemExit(f"slower than scikit-learn: {', '.join(slower)}")
