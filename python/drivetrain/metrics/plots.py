"""Pictures of metrics: confusion matrix, ROC and precision-recall curves, reliability.

They need matplotlib, which ``pip install 'drivetrain[plot]'`` brings, but no display and no pyplot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._checks import choice
from .checks import Array, Floats, as_array, as_floats, as_weights
from .functions.agreement import confusion_matrix, normalized
from .functions.curves import (
    Ranking,
    areas_of,
    check_curve,
    precision_recall_points,
    rank,
    roc_points,
    without_straight,
)
from .functions.probability import bin_sums, calibration_error_of, expected_calibration_error
from .functions.ranking import check_scores, score_classes
from .labels import classes_of, indicators

Path = str | os.PathLike[str] | None
POINTS = 2000  # more cannot be told apart in a picture
MANY = 10  # curves that get a colour and a line in the legend
WRITTEN = 20  # classes up to which numbers are written into the matrix


def new_axes(width: float, height: float, dpi: int | None = None) -> tuple[Any, Any]:
    from ..train.plots import new_figure

    figure = new_figure(width, height, dpi)
    return figure, figure.add_subplot()


def saved(figure: Any, path: Path, dpi: int | None = None) -> Any:
    if path is not None:
        figure.savefig(path, dpi=dpi or 120)
    return figure


def plot_confusion_matrix(
    y_true: Any,
    y_pred: Any,
    path: Path = None,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    normalize: str | None = None,
    dpi: int | None = None,
) -> Any:
    """Draw which class was predicted for which: true classes down, predicted ones across.

    Args:
        y_true, y_pred: Arrays or Tensors of labels of shape (n,).
        path (path, optional): Where to save the picture; the suffix says the format (.png, .svg, .pdf).
        labels (array, optional): Classes and their order. Default: all that occur.
        class_names (sequence of str, optional): Names to write instead of the labels.
        normalize (None, "true", "pred" or "all"): See `confusion_matrix`.
        dpi (int, optional): Pixels per inch. Default: 100, and 120 in the file.

    Returns:
        matplotlib.figure.Figure

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: What `confusion_matrix` raises; and for as many names as there are no classes.

    Example:
        >>> from drivetrain.metrics.plots import plot_confusion_matrix
        >>> figure = plot_confusion_matrix([0, 1, 1], [0, 0, 1], class_names=["cat", "dog"])
        >>> figure.axes[0].get_xlabel()
        'predicted'
    """
    matrix = confusion_matrix(y_true, y_pred, labels=labels)
    if labels is None:
        labels = classes_of(*(as_array("plot_confusion_matrix", "y", y).ravel() for y in (y_true, y_pred)))
    names = class_names if class_names is not None else [str(label) for label in np.asarray(labels)]
    return draw_matrix(matrix, names, normalize, path, dpi)


def draw_matrix(
    matrix: Array, names: Sequence[str], normalize: str | None, path: Path, dpi: int | None = None
) -> Any:
    where = "plot_confusion_matrix"
    choice(where, "normalize", normalize, (None, "true", "pred", "all"))
    size = len(matrix)
    if len(names) != size:
        raise ValueError(f"{where}: class_names has {len(names)} names, expected {size}")
    shown = normalized(matrix, normalize)
    figure, axes = new_axes(2.2 + 0.45 * min(max(size, 4), 24), 1.8 + 0.42 * min(max(size, 4), 24), dpi)
    picture = axes.imshow(shown, cmap="Blues", vmin=0)
    figure.colorbar(picture, ax=axes, fraction=0.046)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if size <= 60:
        is_long = max(map(len, names)) * size > 40
        axes.set_xticks(range(size), names, rotation=90 if is_long else 0, fontsize=8)
        axes.set_yticks(range(size), names, fontsize=8)
    if size <= WRITTEN:
        write_cells(axes, shown)
    if matrix.sum():
        axes.set_title(f"accuracy {np.trace(matrix) / matrix.sum():.4f}", fontsize=10)
    return saved(figure, path, dpi)


def write_cells(axes: Any, shown: Array) -> None:
    middle = shown.max() / 2
    for row, column in np.ndindex(shown.shape):
        value = shown[row, column]
        text = f"{value:.2f}" if shown.dtype.kind == "f" else str(value)
        colour = "white" if value > middle else "black"
        axes.text(
            column, row, text, ha="center", va="center", color=colour, fontsize=7 if len(text) < 6 else 5
        )


def rankings(
    where: str, y_true: Any, y_score: Any, labels: Any, class_names: Sequence[str] | None, sample_weight: Any
) -> Iterator[tuple[str, Ranking]]:
    """Yield a name and the ranking of each curve: of class 1, of each class, or of each label."""
    if as_array(where, "y_score", y_score).ndim == 1:
        yield "", rank(*check_curve(where, y_true, y_score, None, sample_weight))
        return
    truth, scores = check_scores(where, y_true, y_score)
    weights = as_weights(where, sample_weight, len(truth))
    if truth.ndim == 2:
        truth, classes = indicators(where, "y_true", truth), np.arange(scores.shape[1])
    else:
        classes = score_classes(where, classes_of(truth), labels, scores)
        truth = truth[:, None] == classes
    names = [str(label) for label in classes] if class_names is None else list(class_names)
    if len(names) != len(classes):
        raise ValueError(f"{where}: class_names has {len(names)} names, expected {len(classes)}")
    for place, name in enumerate(names):
        if truth[:, place].any() and not truth[:, place].all():
            yield name, rank(truth[:, place], np.ascontiguousarray(scores[:, place]), weights)


def thinned(*columns: Array) -> list[Array]:
    """Leave out points of curves that have more than can be seen, not the first and the last."""
    length = len(columns[0])
    if length <= POINTS:
        return list(columns)
    kept = np.unique(np.linspace(0, length - 1, POINTS).round().astype(np.int64))
    return [column[kept] for column in columns]


def plot_roc_curve(
    y_true: Any,
    y_score: Any,
    path: Path = None,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    sample_weight: Any = None,
) -> Any:
    """Draw the ROC curve, with the area below it: of two classes, of each class or of each label.

    Args:
        y_true: Array or Tensor of labels of shape (n,), or of 0 and 1 of shape (n, labels).
        y_score: Array or Tensor of scores of class 1 of shape (n,), or of shape (n, classes) or (n, labels).
        path (path, optional): Where to save the picture; the suffix says the format.
        labels (array, optional): The classes of ``y_score``, ascending. Default: all that occur.
        class_names (sequence of str, optional): Names to write instead of the labels.
        sample_weight: Array of shape (n,), optional.

    Returns:
        matplotlib.figure.Figure: Classes without positive or without negative samples have no curve.

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: What `roc_auc_score` raises.

    Example:
        >>> from drivetrain.metrics.plots import plot_roc_curve
        >>> figure = plot_roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> figure.axes[0].get_title()
        'area below the curve 0.7500'
    """
    return draw_roc(
        list(rankings("plot_roc_curve", y_true, y_score, labels, class_names, sample_weight)), path
    )


def draw_roc(curves: list[tuple[str, Ranking]], path: Path) -> Any:
    figure, axes = new_axes(5, 4.6)
    axes.plot([0, 1], [0, 1], ":", color="gray", linewidth=1)
    areas = [areas_of(ranking).roc for _, ranking in curves]
    for place, (name, ranking) in enumerate(curves):
        across, height, _ = roc_points(without_straight(ranking))
        line(axes, across, height, place, f"{name} {areas[place]:.4f}", len(curves))
    finish(axes, "false positive rate", "true positive rate", "area below the curve", areas, "lower right")
    return saved(figure, path)


def line(axes: Any, across: Floats, height: Floats, place: int, label: str, count: int) -> None:
    style = {"label": label} if place < MANY else {"color": "silver", "linewidth": 0.8, "zorder": 1}
    if count == 1:
        style.pop("label")
    axes.plot(*thinned(across, height), **style)


def finish(axes: Any, x: str, y: str, what: str, values: list[float], place: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.03)
    axes.grid(alpha=0.3)
    if len(values) == 1:
        axes.set_title(f"{what} {values[0]:.4f}", fontsize=10)
    elif values:
        axes.set_title(f"{what}, mean {np.mean(values):.4f}", fontsize=10)
        axes.legend(fontsize=8, loc=place)


def plot_precision_recall_curve(
    y_true: Any,
    y_score: Any,
    path: Path = None,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    sample_weight: Any = None,
) -> Any:
    """Draw precision over recall, with the average precision: of two classes, of each class or label.

    The arguments, the result and the errors are those of `plot_roc_curve`.

    Example:
        >>> from drivetrain.metrics.plots import plot_precision_recall_curve
        >>> figure = plot_precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> figure.axes[0].get_title()
        'average precision 0.8333'
    """
    where = "plot_precision_recall_curve"
    return draw_precision(list(rankings(where, y_true, y_score, labels, class_names, sample_weight)), path)


def draw_precision(curves: list[tuple[str, Ranking]], path: Path) -> Any:
    figure, axes = new_axes(5, 4.6)
    areas = [areas_of(ranking).precision for _, ranking in curves]
    for place, (name, ranking) in enumerate(curves):
        precision, recall, _ = precision_recall_points(ranking, False)
        line(axes, recall, precision, place, f"{name} {areas[place]:.4f}", len(curves))
    finish(axes, "recall", "precision", "average precision", areas, "lower left")
    return saved(figure, path)


def plot_reliability(
    y_true: Any,
    y_prob: Any,
    path: Path = None,
    *,
    n_bins: int = 15,
    pos_label: Any = None,
    sample_weight: Any = None,
) -> Any:
    """Draw how often predictions come true over how probable they were said to be, and how many there are.

    Args:
        y_true: Array or Tensor of labels of shape (n,).
        y_prob (array or Tensor of shape (n,) for two classes, or (n, classes)): Probabilities of the positive
            class, or of classes 0 to classes - 1: then the largest is compared with how often it is right.
        path (path, optional): Where to save the picture; the suffix says the format.
        n_bins: Int, default 15.
        pos_label (optional): The positive class of two. Default: 1 of {0, 1} and of {-1, 1}.
        sample_weight: Array of shape (n,), optional.

    Returns:
        matplotlib.figure.Figure

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: What `expected_calibration_error` raises.

    Example:
        >>> from drivetrain.metrics.plots import plot_reliability
        >>> figure = plot_reliability([0, 0, 1, 1], [0.1, 0.3, 0.6, 0.9], n_bins=2)
        >>> figure.axes[0].get_title()
        'expected calibration error 0.2250'
    """
    where, options = "plot_reliability", {"pos_label": pos_label, "sample_weight": sample_weight}
    expected_calibration_error(y_true, y_prob, n_bins=n_bins, **options)  # checks everything
    truth, chances = as_array(where, "y_true", y_true).ravel(), as_floats(where, "y_prob", y_prob)
    if chances.ndim == 2 and chances.shape[1] > 1:
        right, chances = chances.argmax(axis=1) == truth, chances.max(axis=1)
    else:
        right, chances = truth == (1 if pos_label is None else pos_label), chances.ravel()
    weights, edges = as_weights(where, sample_weight, len(truth)), np.linspace(0.0, 1.0, n_bins + 1)
    return draw_reliability(np.stack(bin_sums(right, lambda hits: hits, chances, weights, edges)), path)


def draw_reliability(bins: Floats, path: Path) -> Any:
    totals, right, sums = bins
    filled = totals > 0
    edges, width = np.linspace(0, 1, len(totals) + 1), 1 / len(totals)
    figure, axes = new_axes(5, 5.4)
    axes.plot([0, 1], [0, 1], ":", color="gray", linewidth=1, label="perfect")
    axes.plot(sums[filled] / totals[filled], right[filled] / totals[filled], "o-", label="came true")
    shares = axes.twinx()
    shares.bar(
        edges[:-1] + width / 2, totals / max(totals.sum(), 1e-300), width * 0.9, color="C0", alpha=0.15
    )
    shares.set_ylim(0, 1)
    shares.set_ylabel("share of the samples (bars)")
    error = calibration_error_of(totals, right, sums, "l1")
    finish(axes, "predicted probability", "share that came true", "expected calibration error", [error], "")
    axes.legend(fontsize=8, loc="upper left")
    return saved(figure, path)
