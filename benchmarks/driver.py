"""Runs the cases: each library and mode in its own process, taking turns, checked before they are timed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, Variant
from benchmarks.modes import Mode
from benchmarks.results import Row

ROOT = Path(__file__).resolve().parent.parent
KEPT = 3 << 29  # a process that keeps more memory than this between two cases starts anew
STEP = 2.0**-23  # of float32 next to 1: changes of weights are rounded to it
LONGEST = 20.0  # seconds that a turn may take, whatever the case says
COSTLY = 0.3  # seconds per step from which modes that cannot be the best take one turn only

SPIN = """
from benchmarks.worker import die_with_parent
die_with_parent()
while True:
    pass
"""


class Process:
    """The worker of a mode. It is stopped while it waits, so that no pool of its threads can spin."""

    def __init__(self, mode: Mode, threads: int) -> None:
        self.mode = mode
        env = {**os.environ, **mode.environment}
        env |= {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "OPENBLAS", "MKL")}
        # Variables that pin OpenBLAS to an older kernel would make a strawman of NumPy.
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            env.pop(name, None)
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the process)
        self.process = subprocess.Popen(
            [mode.python, "-m", "benchmarks.worker", mode.library, mode.name, str(threads)],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            self.said.seek(0)
            words = self.said.read().decode(errors="replace").strip()[-500:]
            raise RuntimeError(f"the process of {self.mode.label} ended: {words}")
        self.process.send_signal(signal.SIGSTOP)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()


class Neighbour:
    """A process that keeps one core busy while it may."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def working(self) -> Iterator[Callable[[], float]]:
        """Gives a function that tells the CPU seconds which it has used."""
        if self.process is None:
            self.process = subprocess.Popen([sys.executable, "-c", SPIN], cwd=ROOT)
            os.sched_setaffinity(self.process.pid, {max(os.sched_getaffinity(0))})
        process = self.process

        def used() -> float:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        process.send_signal(signal.SIGCONT)
        try:
            yield used
        finally:
            process.send_signal(signal.SIGSTOP)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def cpu_seconds() -> float:
    """CPU time that the whole machine has spent so far."""
    fields = [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) / os.sysconf("SC_CLK_TCK")


class CaseFailed(Exception):
    """The libraries disagree, or ours does not run."""


Summaries = list[list[float]]  # of arrays, see `worker.summarise`


def agree(a: Summaries, b: Summaries, tolerance: float, smallest: float = 1e-6) -> bool:
    """Whether two summaries of the same arrays differ by less than the tolerance, beside the arrays' size.

    `smallest`: what size arrays are taken to have at least.
    """
    return len(a) == len(b) and all(
        abs(x - y) <= tolerance * max(p[0], q[0], smallest)
        for p, q in zip(a, b, strict=True)
        for x, y in zip(p, q, strict=True)
    )


def difference(case: Case, a: dict[str, Any], b: dict[str, Any]) -> tuple[str, Summaries, Summaries] | None:
    """Where two answers to `Worker.setup` differ first by more than rounding, and what they say there."""
    for step, (x, y) in enumerate(zip(a["results"], b["results"], strict=True), 1):
        if not agree(x, y, case.tolerance):
            return f"result of step {step}", x, y
        changes = zip(a["changes"], b["changes"], strict=True) if step == 1 else ()
        for number, ((size, p), (_, q)) in enumerate(changes):
            if not agree([p], [q], case.change_tolerance, size * STEP / case.change_tolerance):
                return f"change of weights {number} by step 1", [p], [q]
    return None


class Driver:
    """Keeps the processes from case to case: starting them takes seconds."""

    def __init__(
        self, modes: list[Mode], threads: int, rounds: int, budget: float, tell: Callable[[str], None]
    ) -> None:
        self.modes, self.threads, self.rounds, self.budget, self.tell = modes, threads, rounds, budget, tell
        self.processes: dict[Mode, Process] = {}
        self.neighbour = Neighbour()

    def close(self) -> None:
        for process in self.processes.values():
            process.close()
        self.processes.clear()
        self.neighbour.close()

    def run(self, case: Case) -> list[Row]:
        rows: list[Row] = []
        checked: dict[str, Any] = {}
        modes = [mode for mode in self.modes if not case.only or mode.library in case.only]
        for mode in modes:
            if case.measure == "seconds" and mode.label not in case.without:
                self._process(mode)  # all of them import at the same time
        for mode in modes:
            if mode.label in case.without:
                rows.append(Row(mode.library, mode.label, note=case.without[mode.label]))
                continue
            self.tell(f"{case.name}: {mode.label} computes and is checked")
            rows += self._set_up(case, mode, checked)
            if case.measure == "bytes":
                self._read_peak(mode, rows[-1])
        if case.measure == "seconds":
            self._take_turns(case, [row for row in rows if not row.note])
        self._let_go()
        return rows

    def _process(self, mode: Mode) -> Process:
        if mode not in self.processes:
            self.processes[mode] = Process(mode, self.threads)
        return self.processes[mode]

    def _set_up(self, case: Case, mode: Mode, checked: dict[str, Any]) -> list[Row]:
        rows = []
        for variant in case.variants:
            if case.measure == "bytes" and mode in self.processes:  # a peak is of the whole process
                self.processes.pop(mode).close()
            options = {**case.options, **variant.options}
            request = {"do": "setup", "key": variant.name, "kind": case.kind, "options": options}
            if mode.library == "drivetrain":
                request["level"] = case.level
            try:
                # Of what is compared beside the results a peak of memory must know nothing.
                changes = case.measure == "seconds"
                answer = self._process(mode).ask(**request, first_steps=case.first_steps, changes=changes)
            except RuntimeError as ended:
                self.processes.pop(mode).close()
                answer = {"error": str(ended)}
            row = Row(mode.library, mode.label, answer.get("version", ""), variant.name)
            rows.append(row)
            if "error" in answer or "missing" in answer:
                row.note = answer.get("missing") or f"does not run: {answer['error']}"
                if mode.library == "drivetrain":
                    raise CaseFailed(row.note)
                continue
            self._check(case, mode, answer, checked)
        return rows

    def _check(self, case: Case, mode: Mode, answer: dict[str, Any], checked: dict[str, Any]) -> None:
        first = checked.setdefault("answer", answer)
        found = difference(case, first, answer)
        if found:
            what, theirs, own = found
            raise CaseFailed(
                f"{what}: {mode.label} computes {own}, but {checked['label']} computes {theirs} "
                "(root mean square, mean and projection of each array)"
            )
        checked.setdefault("label", mode.label)

    def _read_peak(self, mode: Mode, row: Row) -> None:
        """The most memory that the process of the mode has had, which ends with it."""
        if not row.note:
            row.turns.append({"value": self._process(mode).ask(do="peak")["bytes"], "others": 0.0})
        if mode in self.processes:
            self.processes.pop(mode).close()

    def _take_turns(self, case: Case, rows: list[Row]) -> None:
        """Rounds in which each takes a turn; more of them where others used the machine."""
        start = time.monotonic()
        for number in range(2 * self.rounds):
            if number == 1:  # the first round has everybody in it and is not cut short
                start = time.monotonic()
            over = time.monotonic() - start > self.budget
            taking = [row for row in rows if number == 0 or (not over and self._wants(row, rows, number))]
            if not taking:
                break
            for row in taking:
                self.tell(f"{case.name}: round {number + 1}, {row.label} {row.variant}")
                variant = next(v for v in case.variants if v.name == row.variant)
                mode = next(m for m in self.modes if m.label == row.label)
                row.turns.append(self._turn(case, variant, self._process(mode)))

    def _wants(self, row: Row, rows: list[Row], number: int) -> bool:
        if row.library != "drivetrain" and row.value > COSTLY:
            best = min(r.value for r in rows if r.library not in ("drivetrain", "numpy") or r is row)
            if row.library == "numpy" or row.value > 1.3 * best:
                return False
        return number < self.rounds or len(row.quiet()) < min(3, self.rounds)

    def _turn(self, case: Case, variant: Variant, process: Process) -> dict[str, Any]:
        request = {
            "do": "turn",
            "key": variant.name,
            "seconds": case.seconds,
            "steps": case.steps,
            "most": LONGEST,
            "threads": variant.threads,
            "thread": variant.beside == "thread",
        }
        if variant.beside == "process":
            with self.neighbour.working() as used:
                return watched(lambda: process.ask(**request), used)
        return watched(lambda: process.ask(**request), lambda: 0.0)

    def _let_go(self) -> None:
        """Frees what the case has built; processes that keep much of it end."""
        for mode, process in list(self.processes.items()):
            if process.ask(do="drop")["resident"] > KEPT:
                self.processes.pop(mode).close()


def watched(ask: Callable[[], dict[str, Any]], expected: Callable[[], float]) -> dict[str, Any]:
    """A turn, and the share of a core that others used meanwhile, who are not the expected ones."""
    before, start = cpu_seconds() - expected(), time.perf_counter()
    turn = ask()
    wall = time.perf_counter() - start
    if "error" in turn:
        raise CaseFailed(turn["error"])
    others = max(0.0, (cpu_seconds() - expected() - before - turn["cpu"]) / wall)
    return {
        "value": turn["seconds"],
        "steps": turn["steps"],
        "faults": turn["faults"],
        "others": round(others, 3),
    }
