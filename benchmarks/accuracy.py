"""`python -m benchmarks accuracy`: what half precision costs in test accuracy, over several seeds."""

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import drivetrain as dt
from benchmarks import networks
from benchmarks.libraries.drivetrain.networks import build
from drivetrain import datasets, nn, optim
from drivetrain.cli import main as command
from drivetrain.cli.recipes import WarmupAndDecay
from drivetrain.cli.runs import RESULTS
from drivetrain.train import Trainer


def fashion_cnn(precision: str, seed: int, samples: int, epochs: int) -> float:
    """The network of `drivetrain train fashion_mnist`, on all images."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        options = ["--precision", precision, "--seed", str(seed), "--epochs", str(epochs or 10)]
        if command(["train", "fashion_mnist", *options, "--out", out, "--verbose", "0"]):
            raise SystemExit("drivetrain train failed")
        return float(json.loads((Path(out) / RESULTS).read_text())["test_accuracy"])


def images(split: str, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Fashion-MNIST as 32 x 32 images of three equal channels from 0 to 1."""
    x, y = datasets.fashion_mnist(split)
    x = np.pad(x[:samples].astype(np.float32) / 255, [(0, 0), (2, 2), (2, 2), (0, 0)])
    return np.repeat(x, 3, axis=3), y[:samples]


def resnet18(precision: str, seed: int, samples: int, epochs: int) -> float:
    """A ResNet-18 of base width 16, on the first images."""
    dt.manual_seed(seed)
    layers = networks.resnet18(width=16)
    model: nn.Sequential = build(layers, networks.weights(layers, np.random.default_rng(seed)))
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    trainer = Trainer(
        model, loss="cross_entropy", optimizer=optimizer, metrics=["accuracy"], precision=precision, seed=seed
    )
    # The rate ends at 0: at a constant one the accuracy of single runs differs by points from epoch to epoch.
    schedule = [WarmupAndDecay()]
    trainer.fit(*images("train", samples), batch_size=128, epochs=epochs or 5, callbacks=schedule, verbose=0)
    _, accuracy = trainer.evaluate(*images("test", 10_000), batch_size=256, verbose=0)
    return float(accuracy)


# What to measure, and by how many points a half format may be off.
TASKS = {"fashion": (fashion_cnn, 0.3), "resnet18": (resnet18, 0.5)}


def run(task: str, seeds: int, samples: int, epochs: int, precisions: list[str]) -> None:
    measure, allowed = TASKS[task]
    found: dict[str, list[float]] = {precision: [] for precision in precisions}
    for seed in range(seeds):
        for precision in precisions:
            start = time.monotonic()
            found[precision].append(100 * measure(precision, seed, samples, epochs))
            took = f"{time.monotonic() - start:.0f} s"
            print(f"{task}, {precision}, seed {seed}: {found[precision][-1]:.2f}% in {took}", flush=True)
    means = {precision: statistics.mean(values) for precision, values in found.items()}
    for precision in precisions:
        off = means[precision] - means[precisions[0]]
        spread = statistics.stdev(found[precision]) if seeds > 1 else 0.0
        print(
            f"{task}, {precision}: mean {means[precision]:.2f}%, deviation {spread:.2f}, "
            f"{off:+.2f} points of {precisions[0]} (allowed {allowed})"
        )
