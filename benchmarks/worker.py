"""A process that times one library in one mode, a turn at a time, asleep in between.

Reads one JSON request per line from standard input and answers each with one line of JSON.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import data


def summarise(value: np.ndarray) -> list[float]:
    """A few numbers by which two libraries can be compared: the mean, and the mean of squares."""
    value = np.asarray(value, np.float64)
    return [float(value.mean()), float((value * value).mean())]


class Worker:
    step: Callable[[], Any]

    def __init__(self, library: str, mode: str) -> None:
        self.library = importlib.import_module(f"benchmarks.libraries.{library}")
        self.mode = mode

    def setup(self, kind: str, options: dict[str, Any], threads: int) -> dict[str, Any]:
        """Builds the case, runs it three times and returns what it computed."""
        self.library.set_threads(threads)
        build = getattr(self.library, kind, None)
        if build is None:
            return {"missing": True}
        self.step = build(options, getattr(data, kind)(options), self.mode)
        results = [summarise(self.library.to_numpy(self.step())) for _ in range(3)]
        return {"results": results, "version": self.library.version()}

    def turn(self, repeat: int) -> dict[str, Any]:
        """Seconds per call over `repeat` calls, and the page faults of the turn."""
        step = self.step
        for _ in range(max(1, repeat // 10)):
            step()
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        cpu = time.process_time()
        start = time.perf_counter()
        for _ in range(repeat):
            step()
        seconds = time.perf_counter() - start
        cpu = time.process_time() - cpu
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        return {"seconds": seconds / repeat, "cpu": cpu, "wall": seconds, "faults": faults}


def main() -> None:
    worker = Worker(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
