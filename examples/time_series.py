"""Time series: a recurrent network says who speaks, a convolutional one whether it is winter.

    pip install --no-deps aeon                        # for its two sets of series
    python examples/time_series.py                    # who speaks? seconds on two cores
    python examples/time_series.py --data power       # winter or summer?
    python examples/time_series.py --small            # to try it out

The vowels have 7 to 29 steps: the batch is padded, and the network gets the lengths along.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, nn, optim
from drivetrain.nn import functional as F
from drivetrain.nn.utils import pad_sequence
from drivetrain.train import Trainer


class Speaker(nn.Module):
    """A bidirectional GRU; the mean of its outputs over the steps that there are says who speaks.

    A little noise in training stands for the recordings that there are too few of.
    """

    def __init__(self, features: int, classes: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(features, hidden, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, series: dt.Tensor, lengths: dt.Tensor) -> dt.Tensor:
        if self.training:
            series = series + 0.3 * dt.randn(series.shape)
        output, _ = self.gru(series, lengths=lengths)  # 0 behind the end of a series
        mean = output.sum(axis=1) / lengths.reshape(-1, 1)
        return self.head(self.dropout(mean))


class Day(nn.Module):
    """Two convolutions along the hours."""

    def __init__(self, features: int, classes: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(features, channels, 5, padding="same")
        self.second = nn.Conv1d(channels, channels, 5, padding="same")
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(24 * channels, classes)

    def forward(self, series: dt.Tensor) -> dt.Tensor:
        hidden = F.relu(self.second(F.relu(self.first(series))))
        return self.head(self.dropout(hidden.flatten(1)))


def standardised(series: list[Any], other: list[Any]) -> tuple[list[Any], list[Any]]:
    """Both with the mean 0 and the spread 1 that each feature has in the first."""
    steps = np.concatenate(series)
    mean, spread = steps.mean(axis=0), steps.std(axis=0)
    return [(each - mean) / spread for each in series], [(each - mean) / spread for each in other]


def padded(series: list[Any]) -> list[Any]:
    """The inputs of `Speaker`: the series filled up with zeros, and their lengths."""
    return [pad_sequence([dt.tensor(each) for each in series]), np.array([len(each) for each in series])]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", choices=("vowels", "power"), default="vowels", help="default: vowels")
    parser.add_argument("--epochs", type=int, help="default: 60")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="a narrow network, ten epochs")
    options = parser.parse_args(argv)
    epochs = options.epochs or (10 if options.small else 60)

    dt.manual_seed(options.seed)
    if options.data == "vowels":
        (series, labels), (test_series, test_labels) = datasets.japanese_vowels()
        train, test = (padded(part) for part in standardised(series, test_series))
        model: nn.Module = Speaker(12, 9, 32 if options.small else 64)
    else:
        (train, labels), (test, test_labels) = datasets.italy_power_demand()
        model = Day(1, 2, 16 if options.small else 32)
    trainer = Trainer(
        model,
        loss="cross_entropy",
        optimizer=optim.AdamW(model.parameters(), weight_decay=0.05),
        lr_scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=3e-3, epochs=epochs, steps_per_epoch=-(-len(labels) // 16)
        ),
        metrics=["accuracy"],
        gradient_clip_val=1.0,
        seed=options.seed,
    )
    start = time.perf_counter()
    trainer.fit(train, labels, epochs=epochs, batch_size=16, verbose=0)
    seconds = time.perf_counter() - start
    accuracy = float(np.mean(np.argmax(trainer.predict(test), axis=1) == test_labels))
    print(f"seed {options.seed}: {epochs} epochs in {seconds:.0f} s, test accuracy {100 * accuracy:.2f}%")
    return {"seed": options.seed, "epochs": epochs, "seconds": seconds, "test_accuracy": accuracy}


if __name__ == "__main__":
    main()
