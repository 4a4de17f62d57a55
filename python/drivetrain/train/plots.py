"""Pictures of a training: learning curves, and the images that the model got wrong.

They need matplotlib, which ``pip install 'drivetrain[plot]'`` brings, but no display and no pyplot.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._checks import integer
from .._extras import need


def new_figure(width: float, height: float, dpi: int | None = None) -> Any:
    pictures = need("drivetrain's plots", "matplotlib.figure", "matplotlib", "plot")
    dots = None if dpi is None else integer("drivetrain's plots", "dpi", dpi, 1, 10_000)
    return pictures.Figure(figsize=(width, height), dpi=dots, layout="constrained")


def plot_history(history: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """Draw every metric over the epochs, training and validation in one panel.

    Args:
        history: History, or its dict of lists.
        path (path, optional): Where to save the picture; the suffix says the format (.png, .svg, .pdf).

    Returns:
        matplotlib.figure.Figure

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: For a history without epochs.

    Example:
        >>> from drivetrain.train.plots import plot_history
        >>> figure = plot_history({"loss": [2.0, 1.0], "val_loss": [2.1, 1.3]})
        >>> len(figure.axes)
        1
    """
    curves: dict[str, list[float]] = getattr(history, "history", history)
    names = [name for name in curves if not (name.startswith("val_") and name[4:] in curves)]
    if not names or not any(len(values) for values in curves.values()):
        raise ValueError("plot_history: history has no epochs, expected at least one")
    epochs = [epoch + 1 for epoch in getattr(history, "epoch", range(max(map(len, curves.values()))))]
    columns = min(len(names), 3)
    rows = math.ceil(len(names) / columns)
    figure = new_figure(5 * columns, 3.6 * rows)
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, place)
        for key, label, style in ((name, "training", "-"), (f"val_{name}", "validation", "--")):
            if key in curves:
                axes.plot(epochs[: len(curves[key])], curves[key], style, label=label, marker=".")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(name)
        axes.grid(alpha=0.3)
        axes.legend()
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def plot_misclassified(
    images: ArrayLike,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: str | os.PathLike[str] | None = None,
    *,
    class_names: Sequence[str] | None = None,
    max_images: int = 36,
) -> Any:
    """Draw the images whose predicted class is wrong, with both classes above each.

    Args:
        images: Array of shape (n, height, width, channels), 1 or 3 channels.
        y_true, y_pred: Arrays of int of shape (n,).
        path (path, optional): Where to save the picture; the suffix says the format.
        class_names (sequence of str, optional): Names to write instead of the numbers.
        max_images (int, default 36): Draw at most so many, the first ones.

    Returns:
        matplotlib.figure.Figure

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: For shapes that do not fit.

    Example:
        >>> import numpy as np
        >>> from drivetrain.train.plots import plot_misclassified
        >>> figure = plot_misclassified(np.zeros((3, 8, 8, 1)), [1, 2, 3], [1, 5, 4])
        >>> figure.axes[0].get_title()
        '2, predicted 5'
    """
    pictures, truth, guess = np.asarray(images), np.asarray(y_true), np.asarray(y_pred)
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3):
        raise ValueError(
            f"plot_misclassified: images has shape {pictures.shape}, expected (n, height, width, 1 or 3)"
        )
    if truth.shape != guess.shape or truth.shape != pictures.shape[:1]:
        raise ValueError(
            f"plot_misclassified: y_true has shape {truth.shape}, y_pred {guess.shape}, expected "
            f"{pictures.shape[:1]}"
        )
    wrong = np.flatnonzero(truth != guess)
    shown = wrong[:max_images]
    columns = max(1, min(6, math.ceil(math.sqrt(len(shown)))))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = new_figure(max(1.7 * columns, 3.5), 1.9 * rows + 0.5)

    def name(label: Any) -> str:
        return str(class_names[int(label)]) if class_names is not None else str(int(label))

    for place, index in enumerate(shown, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.imshow(
            pictures[index].squeeze(-1) if pictures.shape[-1] == 1 else pictures[index], cmap="gray_r"
        )
        axes.set_title(f"{name(truth[index])}, predicted {name(guess[index])}", fontsize=8)
        axes.set_axis_off()
    of = f", the first {len(shown)}" if len(shown) < len(wrong) else ""
    figure.suptitle(f"{len(wrong)} of {len(truth)} misclassified{of}", fontsize=10)
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure
