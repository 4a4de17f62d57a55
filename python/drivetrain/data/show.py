"""Pictures of batches: what the network sees."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def show_images(
    images: Any,
    n: int = 9,
    *,
    labels: Any = None,
    class_names: Sequence[str] | None = None,
    columns: int | None = None,
    path: str | os.PathLike[str] | None = None,
    dpi: int | None = None,
) -> Any:
    """Draw images as a network gets them.

    uint8 is shown as it is. Floats are stretched, all images by one scale, so that the smallest value is
    black and the largest white where they leave 0 to 1 (or 0 to 255); so normalised images can be
    recognised, with other colours.

    Args:
        images (array, Tensor or batch): (n, height, width, channels) or a list of images; a tuple is taken
            for (images, labels).
        n (int, default 9): How many to draw.
        labels (array, optional): One per image: class numbers, shares of classes, or anything to be printed.
        class_names (sequence of str, optional): To print instead of class numbers.
        columns (int, optional): Images in a row.
        path (path, optional): Where to save the picture; the suffix says the format.
        dpi (int, optional): Pixels per inch of the picture, which is 2 inches wide for each column. Default:
            matplotlib's, 100.

    Returns:
        matplotlib.figure.Figure

    Raises:
        ModuleNotFoundError: Without matplotlib; the message says the command that installs it.
        ValueError: For what are no images.

    Example:
        >>> import numpy as np
        >>> from drivetrain.data import show_images
        >>> images = np.zeros((3, 8, 8, 1), np.uint8)
        >>> figure = show_images(images, labels=[0, 1, 0], class_names=["cat", "dog"])
        >>> [axes.get_title() for axes in figure.axes]
        ['cat', 'dog', 'cat']
    """
    from ..train.plots import new_figure

    if isinstance(images, tuple):
        if labels is None and len(images) > 1:
            labels = images[1]
        images = images[0] if images else ()
    try:
        pixels = [as_pixels(image) for image in images[:n]]
    except TypeError:
        pixels = []
    if not pixels or any(image.ndim != 3 or image.shape[2] not in (1, 3, 4) for image in pixels):
        shape = getattr(images, "shape", None)
        found = f"a {type(images).__name__}" if shape is None else f"shape {tuple(shape)}"
        raise ValueError(
            f"show_images: got {found}, expected images (n, height, width, channels) of 1, 3 or 4 channels"
        )
    low, high = value_range(pixels)
    columns = columns or math.ceil(math.sqrt(len(pixels)))
    rows = math.ceil(len(pixels) / columns)
    figure = new_figure(2 * columns, 2.2 * rows, dpi)
    texts = [""] * len(pixels) if labels is None else [describe(each, class_names) for each in labels[:n]]
    for place, (image, text) in enumerate(zip(pixels, texts, strict=True), start=1):
        axes = figure.add_subplot(rows, columns, place)
        scaled = np.clip((image.astype(np.float32) - low) / (high - low), 0, 1)
        if image.shape[2] == 1:
            axes.imshow(scaled[..., 0], cmap="gray", vmin=0, vmax=1)
        else:
            axes.imshow(scaled)
        axes.set_title(text, fontsize=9)
        axes.axis("off")
    if path is not None:
        figure.savefig(path)
    return figure


def as_pixels(image: Any) -> NDArray[Any]:
    array = np.asarray(image.detach() if hasattr(image, "detach") else image)
    return array[..., None] if array.ndim == 2 else array


def value_range(images: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """Which values are black and white."""
    if all(image.dtype == np.uint8 for image in images):
        return 0.0, 255.0
    low = min(float(image.min()) for image in images)
    high = max(float(image.max()) for image in images)
    for top in (1.0, 255.0):
        if low >= 0 and high <= top:
            return 0.0, top
    return low, max(high, low + 1e-6)


def describe(label: Any, names: Sequence[str] | None) -> str:
    """A class number by its name; shares of classes by those above a twentieth."""
    value = np.asarray(label.detach() if hasattr(label, "detach") else label)
    if value.ndim == 1 and len(value) == 1:
        value = value[0]
    if value.ndim == 1 and value.dtype.kind == "f":
        top = [number for number in np.argsort(-value, kind="stable").tolist() if value[number] > 0.05]
        name = [names[i] if names and i < len(names) else str(i) for i in top]
        if len(top) == 1:
            return name[0]
        return ", ".join(f"{each} {value[i]:.2f}" for each, i in zip(name, top, strict=True))
    if value.ndim == 0 and value.dtype.kind in "iuf" and names and float(value).is_integer():
        number = int(value)
        return names[number] if 0 <= number < len(names) else str(number)
    return str(value)
