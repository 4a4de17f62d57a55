"""Image files for tests, and what a loader makes of them."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")


def smooth(height, width, channels=3, seed=0):
    """Colours that change slowly, as in photographs."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (5, 5, channels), dtype=np.uint8).squeeze())
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


def batches(loader):
    return [tuple(np.asarray(part) for part in batch) for batch in loader]


def same(first, second):
    return len(first) == len(second) and all(
        all(np.array_equal(a, b) for a, b in zip(x, y, strict=True))
        for x, y in zip(first, second, strict=True)
    )
