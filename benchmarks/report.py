"""Tables out of the JSON of a run: `benchmarks/RESULTS.md` and the block of the README."""

from pathlib import Path

from benchmarks.results import Json, amount, best, measured, milliseconds, ours, peak, ratio, verdict

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"
NAMES = {"drivetrain": "drivetrain", "numpy": "NumPy", "torch": "PyTorch", "tf": "TensorFlow", "jax": "JAX"}
ABOUT = """\
Each library in each mode runs in a process of its own; they take turns, the waiting ones are stopped, and
the median of the turns counts that nobody else disturbed. Every case was checked before it was timed: all
compute the same, and a first step of training changes every weight alike. "Time over ours" is the time of
the best mode of those named over drivetrain's; above 1 drivetrain is faster. This page is made by
`python -m benchmarks report` from `results.json`.
""".splitlines()
BARS = """\
A bar is what a case has to reach, in brackets the goal beyond it: the time of the others over ours, or our
share of the machine's peak at the ISA level of the case. "peers" are PyTorch, TensorFlow and JAX, each in
its best mode; "quiet", "1 thread" and "own loop" are drivetrain itself under other conditions. Where no
other runs a case, its bar is not measured. The suite `core` repeats a few cases of the others, `levels` on
lower ISA levels. "3 of 9" cases: the others of the suite were left out. "What the bar takes" is the rate at
which a bar that was missed would be reached, with its share of the float32 peak or of the memory; pairs of
bfloat16 are multiplied at twice that peak by AVX512-BF16. What peers have to do is the same.
""".splitlines()
VERDICTS = ("goal", "reached", "missed", "not measured")
WORDS = {"goal": "goal", "reached": "yes", "missed": "**no**", "not measured": "-"}


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def header(cells: list[str]) -> list[str]:
    return [row(cells), row(["---"] * len(cells))]


def rate(case: Json, machine: Json, faster: float = 1.0) -> str:
    """GFLOP/s with the share of the peak, or GB/s with the share of what the memory gives, of us or of one
    who is so many times as fast."""
    own = ours(case)
    if own is None or case["measure"] != "seconds":
        return ""
    if case["flops"]:
        speed = faster * case["flops"] / own["value"]
        return f"{speed / 1e9:.0f} GFLOP/s ({speed / peak(case, machine):.0%})"
    if case["traffic"] > machine.get("cache", 0):
        speed, memory = faster * case["traffic"] / own["value"], machine.get("memory_bandwidth")
        return f"{speed / 1e9:.0f} GB/s" + (f" ({speed / memory:.0%})" if memory else "")
    return ""


def bar_text(case: Json, bar: Json, machine: Json) -> tuple[str, str, str]:
    """What was measured against what was asked, and whether that is enough."""
    value = ratio(case, bar, machine)
    share = bar["against"] == "peak"
    least, goal = (f"{x:.0%}" if share else f"{x:.3g}" for x in (bar["least"], bar["goal"] or 0))
    shown = "-" if value is None else f"{value:.0%}" if share else f"{value:.2f}"
    return (
        f"{bar['against']} {shown}",
        least + (f" ({goal})" if bar["goal"] is not None else ""),
        WORDS[verdict(value, bar)],
    )


COLUMNS = ["case", "drivetrain", "rate (share)", "best peer", "time over ours", "bar (goal)", "reached"]


def suite_table(cases: list[Json], machine: Json) -> list[str]:
    """A line per bar of each case."""
    lines = header(COLUMNS)
    for case in cases:
        own, peer = ours(case), best(case, "peers")
        if own is None:
            lines.append(row([case["name"], case["failed"] or "-", "", "", "", "", ""]))
            continue
        spread = f" ±{own['spread'] / 2:.0%}{' noisy' if own['noisy'] else ''}"
        first = [
            case["name"],
            amount(own["value"], case) + spread,
            rate(case, machine),
            f"{peer['label']} {amount(peer['value'], case)}" if peer else "",
        ]
        bars = [bar_text(case, bar, machine) for bar in case["bars"]] or [("", "", "")]
        for i, bar in enumerate(bars):
            lines.append(row([*(first if i == 0 else [""] * 4), *bar]))
    return lines


def summary(cases: list[Json], machine: Json, sizes: dict[str, int]) -> list[str]:
    """How many bars each suite reaches, and a line for each that it misses, the farthest first.

    `sizes`: how many cases the suites have, of which a run may leave some out.
    """
    lines = header(["suite", "cases", "failed", *(f"bars: {name}" for name in VERDICTS)])
    missed = []
    for suite in suites_of(cases):
        own = [case for case in cases if case["suite"] == suite]
        found = [(case, bar, ratio(case, bar, machine)) for case in own for bar in case["bars"]]
        words = [verdict(value, bar) for _, bar, value in found]
        counts = [str(words.count(name)) for name in VERDICTS]
        number = str(len(own)) + (f" of {sizes[suite]}" if sizes.get(suite, 0) > len(own) else "")
        lines.append(row([suite, number, str(sum(bool(case["failed"]) for case in own)), *counts]))
        for (case, bar, value), word in zip(found, words, strict=True):
            if word == "missed" and value is not None:
                text, least, _ = bar_text(case, bar, machine)
                needed = "" if bar["against"] == "peak" else rate(case, machine, bar["least"] / value)
                missed.append((value / bar["least"], row([suite, case["name"], text, least, needed])))
    left_out = [suite for suite in sizes if suite not in suites_of(cases)]
    lines += ["", f"Suites that were not run: {', '.join(left_out)}."] if left_out else []
    if missed:
        missed.sort(key=lambda pair: pair[0])
        lines += ["", "Missed, the farthest from its bar first:", ""]
        columns = ["suite", "case", "time over ours", "bar (goal)", "what the bar takes"]
        lines += [*header(columns), *(line for _, line in missed)]
    return lines


def suites_of(cases: list[Json]) -> list[str]:
    return list(dict.fromkeys(case["suite"] for case in cases))


def all_rows(cases: list[Json]) -> list[str]:
    lines = header(["case", "library and mode", "time", "spread", "turns", "page faults per step"])
    for case in cases:
        for r in case["rows"]:
            name = " ".join(filter(None, [r["label"], r["variant"]]))
            if "value" not in r:
                lines.append(
                    row([case["name"], name, r["note"].replace("|", "/").replace("\n", " "), "", "", ""])
                )
                continue
            spread = f"±{r['spread'] / 2:.0%}{' noisy' if r['noisy'] else ''}"
            cells = [amount(r["value"], case), spread, str(r["turns"]), f"{r['faults']:.0f}"]
            lines.append(row([case["name"], name, *cells]))
    return lines


def versions(record: Json) -> str:
    best_level = [case for case in record["cases"] if not case.get("level")]
    found = {r["library"]: r["version"] for case in best_level for r in measured(case)}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def probe_lines(machine: Json) -> list[str]:
    if "probe" not in machine:
        return []
    return ["", "What the machine gives (`python -m benchmarks probe`):", "", "```", *machine["probe"], "```"]


def results_page(record: Json, suffix: str = "") -> str:
    """`suffix`: what its files are called behind "results", for a machine other than RESULTS.md's."""
    machine, cases = record["machine"], record["cases"]
    suites = suites_of(cases)
    lines = [
        "# Results",
        "",
        f"{machine['cpu']}, {machine['threads']} threads, ISA level {machine['isa']}. "
        f"float32 FMA peak {machine['peak_flops'] / 1e9:.0f} GFLOP/s.",
        f"Versions: {versions(record)}.",
        "",
        *(line.replace("results.json", f"results{suffix}.json") for line in ABOUT),
        "",
        "```sh",
        *record["commands"],
        "```",
        "",
        *BARS,
        "",
        *summary(cases, machine, record.get("sizes", {})),
        *probe_lines(machine),
    ]
    for suite in suites:
        own = [case for case in cases if case["suite"] == suite]
        lines += ["", f"## {suite}", "", *suite_table(own, machine)]
    lines += ["", "## Every row"]
    for suite in suites:
        own = [case for case in cases if case["suite"] == suite]
        lines += ["", f"### {suite}, every row", "", *all_rows(own)]
    return "\n".join(lines) + "\n"


def readme_block(record: Json) -> str:
    """The table of the README: the cases that have a name for it."""
    cases = [case for case in record["cases"] if case["readme"] and ours(case) and case["suite"] != "core"]
    libraries = [name for name in NAMES if any(best(case, name) for case in cases)]
    lines = [BEGIN, *header(["milliseconds", *(NAMES[name] for name in libraries), "best peer over ours"])]
    for case in cases:
        found = [best(case, name) for name in libraries]
        cells = [milliseconds(r["value"]) if r else "" for r in found]
        value = ratio(case, {"against": "peers"}, record["machine"])
        lines.append(row([case["readme"], *cells, f"{value:.1f}" if value else ""]))
    return "\n".join([*lines, END])


def with_block(readme: str, block: str) -> str:
    before, rest = readme.split(BEGIN, 1)
    return before + block + rest.split(END, 1)[1]
