"""Runs the cases: each library and mode in its own process, taking turns, checked before they are timed."""

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cases import Case

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 2e-3  # relative, between libraries, of the mean results of the first steps
BUSY = 0.15  # cores used by others above which a turn is not counted


class Process:
    """A worker: `library` in `mode`, with the mode's environment."""

    def __init__(self, library: str, mode: str, environment: dict[str, str], threads: int) -> None:
        self.library, self.mode = library, mode
        env = {
            **os.environ,
            **environment,
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
        }
        # Variables that pin OpenBLAS to an older kernel would make a strawman of NumPy.
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", library, mode],
            cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the benchmark process of {self.library} ({self.mode}) ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Result:
    case: Case
    label: str
    version: str
    turns: list[dict[str, Any]] = field(default_factory=list)

    def quiet(self) -> list[dict[str, Any]]:
        """The turns during which nobody else used the machine, or all where there were none."""
        return [t for t in self.turns if t["others"] <= BUSY] or self.turns

    def median(self) -> float:
        return statistics.median(t["seconds"] for t in self.quiet())

    def spread(self) -> float:
        seconds = [t["seconds"] for t in self.quiet()]
        return (max(seconds) - min(seconds)) / statistics.median(seconds)

    def as_dict(self) -> dict[str, Any]:
        common = {"case": self.case.name, "library": self.label, "version": self.version}
        return {**common, "seconds": self.median(), "turns": self.turns}

    def noisy(self) -> bool:
        return all(t["others"] > BUSY for t in self.turns)


def cpu_seconds() -> float:
    """CPU time that the whole machine has spent so far."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


def timed_turn(process: Process, repeat: int) -> dict[str, Any]:
    busy, start = cpu_seconds(), time.perf_counter()
    turn = process.ask(do="turn", repeat=repeat)
    wall = time.perf_counter() - start
    # The warm-up of a turn is a tenth of it.
    turn["others"] = max(0.0, (cpu_seconds() - busy - 1.1 * turn["cpu"]) / wall)
    return turn


def agree(a: list[list[float]], b: list[list[float]]) -> bool:
    pairs = [(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True)]
    return all(abs(x - y) <= TOLERANCE * max(abs(x), abs(y), 1e-2) for x, y in pairs)


def run_case(
    case: Case, libraries: list[tuple[str, str, dict[str, str]]], threads: int, rounds: int
) -> list[Result]:
    processes, results, reference = [], [], None
    for library, mode, environment in libraries:
        process = Process(library, mode, environment, threads)
        answer = process.ask(do="setup", kind=case.kind, options=case.options, threads=threads)
        if answer.get("missing"):
            process.close()
            continue
        reference = reference or answer["results"]
        if not agree(reference, answer["results"]):
            raise SystemExit(
                f"{case.name}: {library} ({mode}) computes {answer['results']}, expected {reference}"
            )
        processes.append(process)
        results.append(Result(case, mode if library in mode else f"{library} {mode}", answer["version"]))
    for _ in range(rounds):
        for process, result in zip(processes, results, strict=True):
            result.turns.append(timed_turn(process, case.repeat))
    for process in processes:
        process.close()
    return results
