"""`python -m benchmarks run --suite core --peers torch` times every case beside the other libraries."""

import argparse
import importlib
import json
import platform
from pathlib import Path
from typing import Any

from benchmarks import promises
from benchmarks.cases import SUITES
from benchmarks.driver import Result, run_case


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def peak_flops(threads: int) -> float:
    """What the machine does at most: register-only multiply-adds on every thread, the best of five."""
    import drivetrain as dt

    dt.set_num_threads(threads)
    return max(dt._core._fma_peak(threads) for _ in range(5))


def table(results: list[Result], peak: float) -> str:
    ours = next(r for r in results if r.label == "drivetrain").median()
    lines = []
    for r in results:
        speed = r.case.flops / r.median()
        rate = f"{speed / 1e9:.0f} GFLOP/s ({speed / peak:.0%})" if speed else ""
        spread = f"±{r.spread() / 2:.0%}{' noisy' if r.noisy() else ''}"
        milliseconds, ratio = f"{r.median() * 1e3:.4g}", f"{r.median() / ours:.2f}"
        lines.append(
            "| " + " | ".join([r.case.name, r.label, r.version, milliseconds, spread, ratio, rate]) + " |"
        )
    return "\n".join(lines)


def run(arguments: argparse.Namespace) -> None:
    libraries = []
    for library in ["drivetrain", "numpy", *filter(None, arguments.peers.split(","))]:
        modes = importlib.import_module(f"benchmarks.libraries.{library}").MODES
        libraries += [(library, mode, environment) for mode, environment in modes.items()]
    peak = peak_flops(arguments.threads)
    print(f"{cpu_name()}, {arguments.threads} threads, float32 FMA peak {peak / 1e9:.0f} GFLOP/s\n")
    print(
        "| case | library and mode | version | ms | spread | time over drivetrain's | rate (share of peak) |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    record: list[dict[str, Any]] = []
    for case in SUITES[arguments.suite]:
        if arguments.only and arguments.only not in case.name:
            continue
        results = run_case(case, libraries, arguments.threads, arguments.rounds)
        print(table(results, peak), flush=True)
        record += [r.as_dict() for r in results]
    if arguments.json:
        machine = {"cpu": cpu_name(), "threads": arguments.threads, "peak_flops": peak}
        Path(arguments.json).write_text(json.dumps({"machine": machine, "results": record}, indent=1))


def compare(arguments: argparse.Namespace) -> None:
    """Prints the time of each case in B over that in A, for drivetrain's rows."""

    def ours(path: str) -> dict[str, float]:
        rows = json.loads(Path(path).read_text())["results"]
        return {r["case"]: r["seconds"] for r in rows if r["library"] == "drivetrain"}

    old, new = ours(arguments.a), ours(arguments.b)
    for name in sorted(old.keys() & new.keys()):
        a, b = old[name] * 1e3, new[name] * 1e3
        print(f"{name:45s} {a:10.4f} ms -> {b:10.4f} ms   {b / a:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run", help="time the cases of a suite")
    runner.add_argument("--suite", default="core", choices=sorted(SUITES))
    runner.add_argument(
        "--peers", default="", help="other libraries that are installed, separated by commas: torch"
    )
    runner.add_argument("--only", default="", help="only cases whose name contains this")
    runner.add_argument("--threads", type=int, default=2)
    runner.add_argument("--rounds", type=int, default=7, help="turns of each library; the median counts")
    runner.add_argument("--json", default="", help="file for the results")
    runner.set_defaults(function=run)
    comparer = commands.add_parser("compare", help="compare two result files")
    comparer.add_argument("a")
    comparer.add_argument("b")
    comparer.set_defaults(function=compare)
    promiser = commands.add_parser("promises", help="import cost, memory, page faults, bits")
    promiser.add_argument("--wheel", default="", help="a wheel to weigh")
    promiser.add_argument("--steps", type=int, default=10_000)
    promiser.set_defaults(function=lambda a: promises.run(a.wheel, a.steps))
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
