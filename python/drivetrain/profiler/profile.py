"""The profiler as users see it."""

from __future__ import annotations

import contextlib
import os
import time

from .._checks import flag, integer
from .._core import _profile_begin, _profile_end, _profile_start, _profile_stop
from . import record, report
from .record import Event, Row

_active: list[profile] = []


class profile(contextlib.ContextDecorator):
    """Records where time and memory go in a block: in ``fit``, in a loop of one's own, in single ops.

    Three tables come out of it. *Phases*: data, forward, backward, update, checks (for infinity and NaN),
    metrics and callbacks, and what is left, the loop itself; they add up to all of the time. *Layers*: the
    time of every layer, forward and backward. *Ops*: that of every function of drivetrain and of its
    backward. Layers keep being computed together with their ReLU where they would be otherwise, and count
    with it.

    A recorded op costs about 0.2 microseconds more. Without a profile the only cost is that of looking at a
    flag.

    Args:
        layers (bool, default True): Record layers, at two calls each.
        limit (int, default 1,000,000): Events to keep, each of 64 bytes; what comes later is not recorded, as
            the table then says.

    Raises:
        RuntimeError: When one is entered within another.

    Source: named as ``torch.profiler.profile``.

    Example:
        >>> import drivetrain as dt
        >>> model = dt.nn.Sequential(dt.nn.Linear(4, 8), dt.nn.ReLU(), dt.nn.Linear(8, 1))
        >>> with dt.profiler.profile() as p:
        ...     model(dt.ones((2, 4))).sum().backward()
        >>> [row.name for row in p.layers()]
        ['Sequential', '0 (Linear) + ReLU', '2 (Linear)']
        >>> print(p.table(sort_by="own", limit=3))  # doctest: +SKIP
    """

    def __init__(self, *, layers: bool = True, limit: int = 1_000_000) -> None:
        self._layers = flag("profile", "layers", layers)
        self._limit = integer("profile", "limit", limit, 1, 2**31 - 1)
        self.seconds = 0.0
        self.dropped = 0
        self.events: list[Event] = []
        self._thread = 0

    def __enter__(self) -> profile:
        from .hooks import Hooks

        if _active:
            raise RuntimeError("profile: another profile is running")
        _active.append(self)
        self._hooks = Hooks(layers=self._layers)
        self._hooks.install()
        _profile_start(self._limit)
        # Times are counted from this event, on whose thread the phases are.
        _profile_end(_profile_begin("begin", "phase"))
        self._began = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        if self not in _active:
            raise RuntimeError("profile: it ends, but has not begun")
        self.seconds = time.perf_counter() - self._began
        recorded = _profile_stop()
        self._hooks.remove()
        _active.remove(self)
        self.events, self._thread, self.dropped = record.decode(recorded)

    def phases(self) -> list[Row]:
        """A `Row` per phase, as they come in a training; "other" is the rest of the time."""
        return record.phases(self.events, self.seconds, self._thread)

    def layers(self) -> list[Row]:
        """A `Row` per layer, in the order in which they ran first."""
        return record.layers(self.events)

    def ops(self) -> list[Row]:
        """A `Row` per op and per backward function, in the order in which they ran first."""
        return record.ops(self.events)

    def table(self, sort_by: str = "own", limit: int = 20) -> str:
        """The three tables as text.

        Args:
            sort_by ("own", "total", "mean", "calls", "memory" or "name"): What layers and ops are sorted by,
                the largest first.
            limit (int, default 20): Lines of each table.
        """
        return report.table(self, sort_by, limit)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write all events for ``chrome://tracing`` and https://ui.perfetto.dev, as JSON."""
        from ..io.atomic import write_text

        write_text(path, report.chrome_trace(self))

    def __str__(self) -> str:
        return self.table()
