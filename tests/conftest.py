"""Fixtures that several files of tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import drivetrain as dt
from op_table.tools import isa


@pytest.fixture(params=dt.isa_levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every ISA level in turn; for a whole file: `pytestmark = pytest.mark.usefixtures("level")`."""
    with isa(request.param):
        yield request.param


@pytest.fixture
def no_garbage() -> Iterator[None]:
    """For tests that count bytes: cycles that earlier tests left behind are not collected in between."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """A folder of three classes of 2, 3 and 4 images of different sizes and formats."""
    from image_tools import save, smooth

    root = tmp_path / "animals"
    for label, (name, count) in enumerate((("bee", 2), ("cat", 3), ("dog", 4))):
        for i in range(count):
            suffix = ("jpg", "png", "bmp")[i % 3]
            save(root / name / f"{i}.{suffix}", smooth(20 + i, 24 + label, seed=10 * label + i))
    return root


@pytest.fixture
def many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads read even the smallest images, which one does alone otherwise."""
    from drivetrain.data import threads

    monkeypatch.setattr(threads, "LEAST", 0.0)
