"""Fixtures that several files of tests share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

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
