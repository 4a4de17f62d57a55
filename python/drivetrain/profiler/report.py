"""Tables and traces of a profile."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from .._checks import choice, integer
from .record import BACKWARD, BACKWARD_OF, LAYER, OP, PHASE, Row

KINDS = {OP: "op", BACKWARD_OF: "backward function", BACKWARD: "phase", LAYER: "layer", PHASE: "phase"}
ORDERS = ("own", "total", "mean", "calls", "memory", "name")


def table(profile: Any, sort_by: str, limit: int) -> str:
    choice("profile.table", "sort_by", sort_by, ORDERS)
    integer("profile.table", "limit", limit)
    parts = [
        f"{seconds_text(profile.seconds)} in all, {len(profile.events):,} events"
        + (f"; {profile.dropped:,} more were not recorded: profile(limit=)" if profile.dropped else ""),
        phase_table(profile),
    ]
    layers, ops = profile.layers(), profile.ops()
    if layers:
        parts.append(layer_table(profile, ordered(layers, sort_by), limit))
    parts.append(op_table(profile, ordered(ops, sort_by), limit))
    return "\n\n".join(parts)


def ordered(rows: list[Row], sort_by: str) -> list[Row]:
    if sort_by == "name":
        return sorted(rows, key=lambda row: row.name)
    return sorted(rows, key=lambda row: -getattr(row, sort_by))


def phase_table(profile: Any) -> str:
    lines = [
        (row.name, seconds_text(row.own), share(row.own, profile.seconds), bytes_text(row.memory))
        for row in profile.phases()
    ]
    return text(("phase", "time", "share", "memory"), lines)


def layer_table(profile: Any, rows: list[Row], limit: int) -> str:
    lines = [
        (
            row.name,
            f"{row.calls:,}",
            seconds_text(row.total),
            seconds_text(row.own),
            seconds_text(row.backward),
            share(row.own, profile.seconds),
            bytes_text(row.memory),
        )
        for row in rows[:limit]
    ]
    header = ("layer", "calls", "forward", "own", "backward", "share", "memory")
    return text(header, lines, len(rows) - len(lines))


def op_table(profile: Any, rows: list[Row], limit: int) -> str:
    lines = [
        (
            row.name,
            f"{row.calls:,}",
            seconds_text(row.total),
            seconds_text(row.own),
            seconds_text(row.mean),
            share(row.own, profile.seconds),
            bytes_text(row.memory),
        )
        for row in rows[:limit]
    ]
    header = ("op", "calls", "total", "own", "mean", "share", "memory")
    return text(header, lines, len(rows) - len(lines))


def text(header: tuple[str, ...], lines: Sequence[tuple[str, ...]], more: int = 0) -> str:
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]

    def row(cells: tuple[str, ...]) -> str:
        numbers = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join([f"{cells[0]:<{widths[0]}}", *numbers])

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    rest = [f"... and {more} more"] if more else []
    return "\n".join([row(header), rule, *map(row, lines), *rest])


def seconds_text(seconds: float) -> str:
    if abs(seconds) >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if abs(seconds) >= 1e-3 else f"{seconds * 1e6:.1f} us"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%" if whole else ""


def bytes_text(count: int) -> str:
    if abs(count) < 10_000:
        return f"{count:,} B"
    return f"{count / 1e3:,.1f} kB" if abs(count) < 10_000_000 else f"{count / 1e6:,.1f} MB"


def chrome_trace(profile: Any) -> str:
    """Chrome's trace format: complete events with times in microseconds, and the memory as a counter."""
    process = os.getpid()
    threads = sorted({event.thread for event in profile.events})
    found: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": process, "args": {"name": "drivetrain"}},
        *(
            {"name": "thread_name", "ph": "M", "pid": process, "tid": i, "args": {"name": f"thread {i}"}}
            for i in threads
        ),
    ]
    for event in profile.events:
        found.append(
            {
                "name": event.name,
                "cat": KINDS[event.kind],
                "ph": "X",
                "ts": event.start * 1e6,
                "dur": event.seconds * 1e6,
                "pid": process,
                "tid": event.thread,
                "args": {"memory": event.change},
            }
        )
        if event.kind in (OP, BACKWARD_OF) and event.change:
            counted = {"bytes": event.in_use}
            found.append(
                {"name": "memory", "ph": "C", "ts": event.end * 1e6, "pid": process, "args": counted}
            )
    return json.dumps({"traceEvents": found, "displayTimeUnit": "ms"})
