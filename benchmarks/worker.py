"""A process that times one library in one mode, a turn at a time.

    python -m benchmarks.worker LIBRARY MODE THREADS

Reads one JSON request per line from standard input and answers each with one line of JSON.
"""

import ctypes
import gc
import importlib
import json
import math
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import data
from benchmarks.libraries import Job, Missing

ALONE = 0.3  # seconds of a step that warms everything up by itself
SIGNS = np.random.default_rng(0).integers(0, 2, 1 << 15) * 2.0 - 1  # of the projection, part by part
PR_SET_PDEATHSIG = 1  # of Linux's prctl


def summarise(value: np.ndarray) -> list[float]:
    """Three numbers by which arrays can be compared: root mean square, mean, and a fixed projection.

    The projection has the size of the root mean square, and differs where elements changed places.
    """
    flat, size = np.ascontiguousarray(value).ravel(), max(1, value.size)
    squares = total = projection = 0.0
    for number, at in enumerate(range(0, flat.size, len(SIGNS))):
        part = flat[at : at + len(SIGNS)].astype(np.float64)
        squares += float(part @ part)
        total += float(part.sum())
        projection += float(part @ np.roll(SIGNS, number)[: part.size])
    return [math.sqrt(squares / size), total / size, projection / math.sqrt(size)]


class Worker:
    def __init__(self, library: str, mode: str, threads: int) -> None:
        self.library = importlib.import_module(f"benchmarks.libraries.{library}")
        self.mode = mode
        self.library.set_threads(threads)
        self.jobs: dict[str, Job] = {}
        self.warm = False

    def setup(
        self,
        key: str,
        kind: str,
        options: dict[str, Any],
        first_steps: int,
        changes: bool = True,
        level: str | None = None,
    ) -> dict[str, Any]:
        """Builds a job, runs its first steps and tells what they computed.

        `changes`: also the size of each array of weights that it trains, and its change by the first step.
        `level`: the ISA level from now on, "" for the best; our own library has some.
        """
        if level is not None:
            self.library.set_level(level)
        if kind not in self.library.BUILD:
            return {"missing": "no such case"}
        given = getattr(data, kind)(options)
        before = [array for own in given.get("weights", ()) for array in own.values()] if changes else []
        try:
            job = self.library.BUILD[kind](given, options, self.mode)
        except Missing as reason:
            return {"missing": str(reason)}
        del given  # a user would not keep it, and a peak of memory is measured too
        results, changed, last = [], [], 0.0
        for i in range(first_steps):
            start = time.perf_counter()
            value = job.step()
            self.library.wait(value)
            last = time.perf_counter() - start
            results.append([summarise(array) for array in job.read(value)])
            if i == 0 and changes and job.weights:
                changed = [
                    (summarise(old)[0], summarise(now - old))
                    for now, old in zip(job.weights(), before, strict=True)
                ]
        if not self.warm and last < ALONE:
            self._warm_up(job)
        self.jobs[key] = job
        return {"results": results, "changes": changed, "version": self.library.version()}

    def _warm_up(self, job: Job) -> None:
        """The kernel of the system takes a moment to spread the threads of a process over the cores."""
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end:
            self.library.wait(job.step())
        self.warm = True

    def turn(
        self, key: str, seconds: float, steps: int, most: float, threads: int | None, thread: bool
    ) -> dict[str, Any]:
        """Seconds per step over `steps` steps, or more where they fit into `seconds`; at most `most` seconds.

        `thread`: beside a Python thread that does not rest.
        """
        if threads:
            self.library.set_threads(threads)
        stop = threading.Event()
        if thread:
            threading.Thread(target=spin, args=(stop,), daemon=True).start()
        try:
            return self._turn(self.jobs[key].step, seconds, steps, most)
        finally:
            stop.set()

    def _turn(self, step: Any, seconds: float, steps: int, most: float) -> dict[str, Any]:
        def repeat(one: float) -> int:
            return max(1, min(max(steps, int(seconds / one)), int(most / one)))

        cpu = time.process_time()
        wall, faults = self._run(step, 1)
        if wall < ALONE:  # a fifth of the turn to warm up
            more = max(1, min(1000, repeat(wall) // 5))
            wall = self._run(step, more)[0] / more
        count = repeat(wall)
        if wall < ALONE or count > 1:
            wall, faults = self._run(step, count)
        cpu = time.process_time() - cpu
        return {"seconds": wall / count, "steps": count, "cpu": cpu, "faults": faults}

    def _run(self, step: Any, count: int) -> tuple[float, int]:
        """Seconds and page faults of so many steps."""
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        start = time.perf_counter()
        value = None
        for _ in range(count):
            del value  # its memory is free for the next, as where a library writes into one array
            value = step()
        self.library.wait(value)
        seconds = time.perf_counter() - start
        return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults

    def drop(self) -> dict[str, Any]:
        """Forgets the jobs; tells the resident memory that stays."""
        self.jobs.clear()
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return {"resident": resident}

    def peak(self) -> dict[str, Any]:
        """The most memory that was ever resident."""
        return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def spin(stop: threading.Event) -> None:
    while not stop.is_set():
        sum(range(1000))


def die_with_parent() -> None:
    """A stopped process would outlive a driver that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    die_with_parent()
    library, mode, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    allowed = sorted(os.sched_getaffinity(0))
    if threads < len(allowed):  # for libraries that count processors
        os.sched_setaffinity(0, allowed[:threads])
    worker = Worker(library, mode, threads)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {str(error).strip()[:300]}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
