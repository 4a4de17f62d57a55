"""A table of precision, recall and F1 as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._checks import integer
from ..checks import as_array, warn_undefined
from ..labels import Targets, check_targets, sample_counts
from .agreement import chosen_class_counts, chosen_labels
from .sets import ALL, check_zero_division, overlap_scores

HEADERS = ("precision", "recall", "f1-score", "support")


def classification_report(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    target_names: Sequence[str] | None = None,
    sample_weight: Any = None,
    digits: int = 2,
    output_dict: bool = False,
    zero_division: Any = "warn",
) -> Any:
    """Return precision, recall, F1 and support of each class and their averages, as a table to print.

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        labels (array of shape (classes,), optional): The classes and their order. Default: all that occur.
        target_names (sequence of str, optional): Names for the classes.
        sample_weight: Array of shape (n,), optional.
        digits (int, default 2): After the point.
        output_dict (bool, default False): Return a dict of dicts instead of text.
        zero_division ("warn", 0, 1 or nan): The value of 0 / 0; "warn" is 0 with a warning.

    Returns:
        str, or dict

    Raises:
        ValueError: For different shapes, NaN, no samples, or as many names as there are no classes.

    Source: scikit-learn's function of this name; the text is the same.

    Example:
        >>> from drivetrain.metrics import classification_report
        >>> print(classification_report([0, 1, 2, 2], [0, 1, 1, 2], target_names=["cat", "dog", "owl"]))
                      precision    recall  f1-score   support
        <BLANKLINE>
                 cat       1.00      1.00      1.00         1
                 dog       0.50      1.00      0.67         1
                 owl       1.00      0.50      0.67         2
        <BLANKLINE>
            accuracy                           0.75         4
           macro avg       0.83      0.83      0.78         4
        weighted avg       0.88      0.75      0.75         4
        <BLANKLINE>
    """
    where = "classification_report"
    integer(where, "digits", digits, 0)
    check_zero_division(where, zero_division)
    targets = check_targets(where, y_true, y_pred, sample_weight)
    chosen = chosen_labels(where, labels, targets)
    shown = targets.classes if chosen is None else chosen
    names = check_names(where, target_names, shown, labels is not None)
    has_all = chosen is None or bool(np.isin(targets.classes, chosen).all())
    by_class = chosen_class_counts(where, targets, chosen)
    scores = overlap_scores(by_class, 1.0, None, ALL, zero_division)
    rows = dict(zip(names, zip(*scores, strict=True), strict=False))
    total = scores[3].sum()
    averages = {}
    for average in ("micro", "macro", "weighted", *(("samples",) if targets.kind == "multilabel" else ())):
        counts = by_class if average != "samples" else sample_counts(only(targets, chosen))
        values = overlap_scores(counts, 1.0, average, ALL, zero_division, targets.weights)[:3]
        is_accuracy = average == "micro" and targets.kind != "multilabel" and has_all
        averages["accuracy" if is_accuracy else f"{average} avg"] = (*values, total)
    if output_dict:
        return as_dict(rows, averages)
    return as_text(list(zip(names, zip(*scores, strict=True), strict=False)), averages, names, digits)


def only(targets: Targets, chosen: Any) -> Targets:
    if chosen is None:
        return targets
    return targets._replace(truth=targets.truth[:, chosen], guess=targets.guess[:, chosen])


def check_names(where: str, target_names: Any, shown: Any, labels_given: bool) -> list[str]:
    if target_names is None:
        return [str(label) for label in shown]
    names = [str(name) for name in as_array(where, "target_names", list(target_names))]
    if len(names) != len(shown):
        message = f"{where}: target_names has {len(names)} names, expected {len(shown)}"
        if not labels_given:
            raise ValueError(f"{message} (pass labels= to choose the classes)")
        warn_undefined(message, UserWarning)
    return names


def as_dict(rows: dict[str, Any], averages: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: dict(zip(HEADERS, map(float, values), strict=True))
        for name, values in {**rows, **averages}.items()
    }
    if "accuracy" in averages:
        found["accuracy"] = found["accuracy"]["precision"]
    return found


def as_text(rows: Any, averages: dict[str, Any], names: list[str], digits: int) -> str:
    width = max(*map(len, names), len("weighted avg"), digits)

    def line(name: str, cells: Sequence[str]) -> str:
        return f"{name:>{width}s} " + "".join(f" {cell:>9}" for cell in cells) + "\n"

    def numbers(values: Any) -> list[str]:
        return [*(f"{value:.{digits}f}" for value in values[:3]), str(values[3])]

    text = line("", HEADERS) + "\n"
    text += "".join(line(name, numbers(values)) for name, values in rows) + "\n"
    for name, values in averages.items():
        cells = numbers(values)
        text += line(name, ["", "", *cells[2:]] if name == "accuracy" else cells)
    return text
