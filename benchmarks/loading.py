"""How long a training waits for its images, and for the first of them.

python -m benchmarks loading                    # a minute
python -m benchmarks loading --threads 1 --case 128

JPEGs are decoded, cut at a random place, flipped and normalised, and train a LeNet. The shares of the time
that it waits for the next batch are medians of epochs, behind one that warms up; the first batch is that of
a new data set and a new loader. The status is 1 where a training waits for 5% of the time or longer, or
50 ms for its first batch. Small images that are decoded anew in every epoch have no bar: decoding takes
longer than the step, which is what the cache is for.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

WAITS, FIRST = 0.05, 50.0  # share and milliseconds, the bars
CLASSES = 10


class Pipeline(NamedTuple):
    side: int  # of the JPEGs
    crop: int
    batch: int
    images: int
    cached: bool
    has_bar: bool = True

    @property
    def name(self) -> str:
        return f"{self.side} -> {self.crop}, batches of {self.batch}{', cached' if self.cached else ''}"


PIPELINES = (
    Pipeline(40, 32, 64, 2048, cached=False, has_bar=False),
    Pipeline(40, 32, 64, 2048, cached=True),
    Pipeline(110, 96, 64, 1024, cached=False),
    Pipeline(110, 96, 64, 1024, cached=True),
    Pipeline(150, 128, 32, 640, cached=False),
    Pipeline(256, 224, 32, 320, cached=False),
)


def write_images(folder: Path, side: int, count: int) -> None:
    """JPEGs with the fine structure of photographs: noise at several scales."""
    from PIL import Image

    rng = np.random.default_rng(side)
    for number in range(count):
        pixels = np.zeros((side, side, 3))
        for scale in (4, 16, 64):
            small = Image.fromarray(rng.integers(0, 256, (scale, scale, 3), dtype=np.uint8))
            pixels += np.asarray(small.resize((side, side), Image.Resampling.BICUBIC)) * (4 / scale) ** 0.5
        path = folder / str(number % CLASSES) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        scaled = 255 * (pixels - pixels.min()) / np.ptp(pixels)
        Image.fromarray(scaled.astype(np.uint8)).save(path, quality=90)


def new_loader(folder: Path, pipeline: Pipeline) -> Any:
    from drivetrain.augment import Compose, Normalize, RandomCrop, RandomHorizontalFlip
    from drivetrain.data import DataLoader, ImageFolder

    change = Compose([RandomCrop(pipeline.crop), RandomHorizontalFlip(), Normalize(0.5, 0.5)], seed=0)
    data = ImageFolder(folder, cache="memory" if pipeline.cached else None)
    return DataLoader(data, pipeline.batch, shuffle=True, drop_last=True, batch_transform=change)


class Training:
    """Steps of a LeNet."""

    def __init__(self, pipeline: Pipeline) -> None:
        import drivetrain as dt
        from drivetrain.models import lenet

        dt.manual_seed(0)
        self.model = lenet((pipeline.crop, pipeline.crop, 3), CLASSES, scale=1.0)
        self.optimizer = dt.optim.SGD(self.model.parameters(), lr=1e-3)

    def step(self, images: Any, labels: Any) -> None:
        from drivetrain.nn import functional as F

        loss = F.cross_entropy(self.model(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        loss.item()


def first_batch(folder: Path, pipeline: Pipeline) -> float:
    """Milliseconds from nothing to the first batch."""
    start = time.perf_counter()
    batches = iter(new_loader(folder, pipeline))
    next(batches)
    taken = time.perf_counter() - start
    batches.close()
    return 1e3 * taken


def epoch(loader: Any, training: Training) -> tuple[float, float, int]:
    """Seconds, those spent waiting, and batches."""
    waited, steps = 0.0, 0
    start = time.perf_counter()
    batches = iter(loader)
    while True:
        asked = time.perf_counter()
        batch = next(batches, None)
        waited += time.perf_counter() - asked
        if batch is None:
            return time.perf_counter() - start, waited, steps
        training.step(*batch)
        steps += 1


def alone(loader: Any, training: Training) -> float:
    """Milliseconds of a step with images that are there already."""
    batch = next(iter(loader))
    times = []
    for _ in range(30):
        start = time.perf_counter()
        training.step(*batch)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(pipeline: Pipeline, folder: Path, rounds: int) -> bool:
    """Print a line; whether it stays below the bars."""
    training = Training(pipeline)
    first = statistics.median(first_batch(folder, pipeline) for _ in range(5))
    loader = new_loader(folder, pipeline)
    if pipeline.cached:
        loader.dataset.fill_cache()
    step = alone(loader, training)
    found = [epoch(loader, training) for _ in range(rounds + 1)][1:]
    waits = statistics.median(waited / seconds for seconds, waited, _ in found)
    taken = statistics.median(1e3 * seconds / steps for seconds, _, steps in found)
    is_good = (waits < WAITS and first < FIRST) or not pipeline.has_bar
    bar = "" if not pipeline.has_bar else "   reached" if is_good else "   MISSED"
    print(
        f"{pipeline.name:<42} step alone {step:7.2f} ms, with loading {taken:7.2f} ms, "
        f"waits {waits:6.1%}, first batch {first:5.1f} ms{bar}",
        flush=True,
    )
    return is_good


def run(case: str, rounds: int, threads: int) -> None:
    import drivetrain as dt
    from drivetrain.data import ImageReader

    dt.set_num_threads(threads)
    print(f"{threads} threads, JPEGs decoded by {ImageReader().decoder}")
    good = True
    with tempfile.TemporaryDirectory() as base:
        for pipeline in PIPELINES:
            if case not in pipeline.name:
                continue
            folder = Path(base, str(pipeline.side))
            if not folder.exists():
                write_images(folder, pipeline.side, pipeline.images)
            good &= measure(pipeline, folder, rounds)
    sys.exit(0 if good else 1)
