"""What the commands say about a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics import ConfusionMatrix, accuracy_score


def introduce(config: dict[str, Any], model: Any, train_size: int, test_size: int) -> None:
    name = config["data_folder"] if config["dataset"] == "folder" else config["dataset"]
    parameters = sum(parameter.size for parameter in model.parameters())
    print(
        f"{name}: {train_size:,} images to train on, {test_size:,} to test on\n"
        f"{config['model']} with {parameters:,} parameters, {config['optimizer']} up to "
        f"{config['learning_rate']:g}, "
        f"batches of {config['batch_size']}, {config['precision']}, seed {config['seed']}, "
        f"{config['threads']} threads"
    )


def measure(model: Any, part: Any, classes: int) -> tuple[Any, Any, dict[str, Any]]:
    """Return labels, predictions, and accuracy with confusion matrix as plain numbers."""
    images, labels = part
    guesses = model.predict(images, batch_size=256).argmax(axis=1)
    matrix = ConfusionMatrix(classes)
    matrix.update(labels, guesses)
    results = {
        "test_accuracy": accuracy_score(labels, guesses),
        "test_images": len(labels),
        "confusion_matrix": matrix.result().tolist(),
    }
    return labels, guesses, results


def show(results: dict[str, Any], names: tuple[str, ...]) -> None:
    """Print accuracy and confusion matrix."""
    matrix = np.array(results["confusion_matrix"])
    wrong = int(matrix.sum() - matrix.trace())
    print(f"\nTest accuracy: {100 * results['test_accuracy']:.2f}% ({wrong} of {matrix.sum()} wrong)\n")
    print(format_matrix(matrix, names))
    print()


def format_matrix(matrix: np.ndarray[Any, Any], names: tuple[str, ...]) -> str:
    """Rows are the true classes, columns the predicted ones; zeros are dots, so that mistakes stand out."""
    numbers = [[str(value) if value else "." for value in row] for row in matrix.tolist()]
    is_short = max(map(len, names)) <= 3
    heads = list(names) if is_short else [str(i) for i in range(len(names))]
    rows = heads if is_short else [f"{i} {name}" for i, name in enumerate(names)]
    width = max(len(text) for text in [*heads, *(number for row in numbers for number in row)])
    margin = max(map(len, rows))
    head = "true \\ predicted"
    lines = [head, " " * margin + "".join(f"  {text:>{width}}" for text in heads)]
    for row, values in zip(rows, numbers, strict=True):
        lines.append(f"{row:<{margin}}" + "".join(f"  {text:>{width}}" for text in values))
    return "\n".join(lines)
