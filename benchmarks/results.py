"""What a run has measured: medians, ratios, bars, the comparison of two runs. Works on its JSON."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Bar, Case

BUSY = 0.15  # cores used by others above which a turn is not counted
OURS = ("drivetrain", "numpy")  # what is no peer
Json = dict[str, Any]


@dataclass
class Row:
    """A library in one mode, running one variant of a case."""

    library: str
    label: str
    version: str = ""
    variant: str = ""
    note: str = ""  # why it was not measured
    turns: list[Json] = field(default_factory=list)

    def quiet(self) -> list[Json]:
        return [turn for turn in self.turns if turn["others"] <= BUSY]

    def counted(self) -> list[float]:
        """The turns during which nobody else used the machine, or all where there were none."""
        return [turn["value"] for turn in self.quiet() or self.turns]

    @property
    def value(self) -> float:
        """Seconds of a step or bytes, the median of the turns."""
        return statistics.median(self.counted())

    @property
    def spread(self) -> float:
        """Between the fastest and the slowest turn, beside the median."""
        return (max(self.counted()) - min(self.counted())) / self.value

    def as_json(self) -> Json:
        found: Json = {"library": self.library, "label": self.label, "variant": self.variant}
        if self.note:
            return {**found, "note": self.note}
        faults = [turn.get("faults", 0) / turn.get("steps", 1) for turn in self.turns]
        return {
            **found,
            "version": self.version,
            "value": self.value,
            "spread": round(self.spread, 3),
            "turns": len(self.counted()),
            "noisy": not self.quiet(),
            "faults": round(statistics.median(faults), 1),
        }


def as_json(case: Case, suite: str, rows: list[Row], failed: str = "") -> Json:
    return {
        "suite": suite,
        "name": case.name,
        "measure": case.measure,
        "readme": case.readme,
        "flops": case.flops,
        "level": case.level,
        "traffic": case.traffic,
        "bars": [{"against": b.against, "least": b.least, "goal": b.goal} for b in case.bars],
        "rows": [row.as_json() for row in rows],
        "failed": failed,
    }


def peak(case: Json, machine: Json) -> float:
    """Multiply-adds that the machine can do in a second, at the ISA level of the case, times 2."""
    return float(machine["peaks"][case["level"]] if case.get("level") else machine["peak_flops"])


def measured(case: Json) -> list[Json]:
    return [row for row in case["rows"] if "value" in row]


def ours(case: Json) -> Json | None:
    """Our row: of the first variant, which is the one that bars are about."""
    return next((row for row in measured(case) if row["library"] == "drivetrain"), None)


def best(case: Json, libraries: str) -> Json | None:
    """The best mode of "peers" (all but NumPy), or of the libraries joined by "+"."""
    names = libraries.split("+")
    rows = [
        row
        for row in measured(case)
        if row["library"] in names or ("peers" in names and row["library"] not in OURS)
    ]
    return min(rows, key=lambda row: float(row["value"]), default=None)


def ratio(case: Json, bar: Json | Bar, machine: Json) -> float | None:
    """What a bar is about: the other's time over ours, or our share of the machine's peak."""
    against = bar.against if isinstance(bar, Bar) else bar["against"]
    own = ours(case)
    if own is None:
        return None
    if against == "peak":
        return float(case["flops"] / own["value"] / peak(case, machine))
    other = next((row for row in measured(case) if row["variant"] == against), None) or best(case, against)
    return None if other is None else float(other["value"] / own["value"])


def verdict(value: float | None, bar: Json) -> str:
    if value is None:
        return "not measured"
    if bar["goal"] is not None and value >= bar["goal"]:
        return "goal"
    return "reached" if value >= bar["least"] else "missed"


def compare(old: Json, new: Json) -> tuple[list[str], list[str]]:
    """Lines that tell how our rows changed, and the names of those that got slower beyond the noise.

    The noise of a case is half the spread of both runs together, and at least a twentieth.
    """
    lines, slower = [], []
    before = {(case["suite"], case["name"]): case for case in old["cases"]}
    for case in new["cases"]:
        earlier = before.get((case["suite"], case["name"]))
        a, b = ours(earlier) if earlier else None, ours(case)
        if a is None or b is None:
            continue
        change = b["value"] / a["value"]
        noise = max(0.05, (a["spread"] + b["spread"]) / 2)
        word = "slower" if change > 1 + noise else "faster" if change < 1 / (1 + noise) else ""
        if word == "slower":
            slower.append(case["name"])
        values = f"{amount(a['value'], case)} -> {amount(b['value'], case)}"
        lines.append(f"{case['name']:60s} {values:>24s}   {change:.2f} ±{noise:.0%} {word}".rstrip())
    return lines, slower


def amount(value: float, case: Json) -> str:
    if case["measure"] == "bytes":
        return f"{value / 1e6:.0f} MB"
    return f"{milliseconds(value)} ms"


def milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
