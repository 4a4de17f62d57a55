"""What the core has recorded, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

OP, BACKWARD_OF, BACKWARD, LAYER, PHASE = range(5)

# As csrc/core/profile.h has it.
EVENT = np.dtype(
    [
        ("start", "i8"), ("end", "i8"), ("in_use", "i8"), ("change", "i8"), ("first", "u8"), ("last", "u8"),
        ("name", "i4"), ("parent", "i4"), ("kind", "i2"), ("thread", "i2"), ("unused", "i4"),
    ]
)  # fmt: skip

PHASES = ("data", "forward", "backward", "update", "checks", "metrics", "callbacks")


@dataclass
class Row:
    """A line of a table. Times are seconds, memory bytes.

    Attributes:
        name: Of the op, layer or phase.
        calls: How often it ran.
        total: Time from its beginnings to its ends.
        own: The same without the time of ops, layers or phases within it.
        memory: Bytes that were handed out meanwhile and not given back; negative where it gave back more.
            Without those of ops, layers or phases within it.
        backward: Of a layer: the time of the backward functions of its ops.
    """

    name: str
    calls: int = 0
    total: float = 0.0
    own: float = 0.0
    memory: int = 0
    backward: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.calls if self.calls else 0.0


@dataclass
class Event:
    """Something that ran: from `start` to `end` in seconds since the profile began."""

    name: str
    kind: int
    start: float
    end: float
    thread: int
    parent: int
    change: int
    in_use: int
    first: int
    last: int
    phase: str = ""  # where it begins one

    @property
    def seconds(self) -> float:
        return self.end - self.start


def decode(recorded: Any) -> tuple[list[Event], int, int]:
    """Return the events in the order in which they began, the thread that recorded the first one, which only
    says when that was, and how many were not kept."""
    data, names, dropped = recorded
    names = names.split("\n")
    table = np.frombuffer(data, EVENT)
    began = int(table[0]["start"])
    events = [
        Event(
            name=shown_name(names[row["name"]], int(row["kind"])),
            kind=int(row["kind"]),
            start=(int(row["start"]) - began) * 1e-9,
            # What had not ended when the profile did counts up to its last known moment: its start.
            end=(int(row["end"] or row["start"]) - began) * 1e-9,
            thread=int(row["thread"]),
            parent=max(int(row["parent"]) - 1, -1),
            change=int(row["change"]) if row["end"] else 0,
            in_use=int(row["in_use"]),
            first=int(row["first"]),
            last=int(row["last"]),
        )
        for row in table[1:]
    ]
    return events, int(table[0]["thread"]), dropped


def shown_name(name: str, kind: int) -> str:
    if kind == BACKWARD_OF:
        return "accumulate gradient" if name == "leaf" else f"{name} backward"
    return name.lstrip("_") if kind == OP else name


def ops(events: list[Event]) -> list[Row]:
    """A row per op and per backward function."""
    return rows_of(events, {i for i, event in enumerate(events) if event.kind in (OP, BACKWARD_OF)})


def rows_of(events: list[Event], chosen: set[int]) -> list[Row]:
    """A row per name of the chosen events; own times leave out the chosen ones that are nearest within."""
    rows: dict[str, Row] = {}
    around = nearest(events, chosen)
    for i in sorted(chosen):
        event = events[i]
        row = rows.setdefault(event.name, Row(event.name))
        row.calls += 1
        # A layer that calls itself counts once.
        if not is_within_its_own(events, around, i):
            row.total += event.seconds
        row.own += event.seconds
        row.memory += event.change
        if around[i] >= 0:
            outer = rows[events[around[i]].name]
            outer.own -= event.seconds
            outer.memory -= event.change
    return list(rows.values())


def nearest(events: list[Event], chosen: set[int]) -> list[int]:
    """For every event the nearest chosen one around it, or -1."""
    around: list[int] = []
    for event in events:  # parents come before their children
        parent = event.parent
        around.append(-1 if parent < 0 else parent if parent in chosen else around[parent])
    return around


def is_within_its_own(events: list[Event], around: list[int], i: int) -> bool:
    name, outer = events[i].name, around[i]
    while outer >= 0:
        if events[outer].name == name:
            return True
        outer = around[outer]
    return False


def layers(events: list[Event]) -> list[Row]:
    """A row per layer. Backward functions belong to the layer that recorded them, and to those around it."""
    chosen = {i for i, event in enumerate(events) if event.kind == LAYER}
    rows = {row.name: row for row in rows_of(events, chosen)}
    around = nearest(events, chosen)
    order = sorted(chosen, key=lambda i: (events[i].first, i))
    firsts = np.array([events[i].first for i in order], np.uint64)
    for event in events:
        if event.kind != BACKWARD_OF or event.first == 0:
            continue
        place = int(np.searchsorted(firsts, np.uint64(event.first), side="right")) - 1
        layer = order[place] if place >= 0 else -1
        while layer >= 0 and not events[layer].first <= event.first < events[layer].last:
            layer = around[layer]
        seen = set()
        while layer >= 0:
            name = events[layer].name
            if name not in seen:
                rows[name].backward += event.seconds
            seen.add(name)
            layer = around[layer]
    return list(rows.values())


def phases(events: list[Event], seconds: float, thread: int) -> list[Row]:
    """A row per phase, with what is left of the time as "other"; they add up to all of it."""
    chosen = set()
    around: list[int] = []
    for i, event in enumerate(events):
        parent = event.parent
        outer = -1 if parent < 0 else parent if parent in chosen else around[parent]
        around.append(outer)
        event.phase = phase_of(event, events[outer].phase if outer >= 0 else "")
        if event.phase and event.thread == thread:
            chosen.add(i)
    marks = [
        Event(**{**vars(event), "name": event.phase, "parent": -1}) if i in chosen else event
        for i, event in enumerate(events)
    ]
    for i in chosen:
        marks[i].parent = around[i]
    rows = {row.name: row for row in rows_of(marks, chosen)}
    for row in rows.values():
        row.total = row.own
    rest = seconds - sum(row.own for row in rows.values())
    return [
        *(rows[name] for name in PHASES if name in rows),
        *(row for name, row in rows.items() if name not in PHASES),
        Row("other", 1, rest, rest),
    ]


def phase_of(event: Event, outer: str) -> str:
    """The phase that begins with an event, "" where the one around it goes on."""
    if event.kind == PHASE:
        return event.name if event.name != outer else ""
    if event.kind == BACKWARD or (event.kind == OP and event.name == "backward"):
        return "backward" if outer != "backward" else ""
    if event.kind == LAYER:
        return "" if outer in ("forward", "backward") else "forward"
    # Ops of a loop of one's own that stand in no module: the loss.
    return "" if outer else "forward"
