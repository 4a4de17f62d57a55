"""Augmentation in images per second, beside Pillow, albumentations, Keras's generator and Keras's layers.

python -m benchmarks augmentation                        # what is installed; two minutes
python -m benchmarks augmentation --case warp --rounds 9
BENCHMARKS_PYTHON=tf=PATH,albumentations=PATH,pillow=PATH python -m benchmarks augmentation

Batches of 64 images of 224 x 224 x 3 bytes. drivetrain and Keras's layers compute with two threads, the
others in two processes, which is faster than two threads where they have any; Pillow starts from its own
images and ends with them. The libraries take turns, and each turn of ours is compared with the turns beside
it: the medians of those ratios count. The status is 1 where one is below its bar.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.modes import interpreters

WORKER = Path(__file__).with_name("augmenters.py")
CASES = {
    "warp": "rotation, shift and flip, bilinear",
    "generator": "the same by ImageDataGenerator",
    "crop": "random resized crop to 128",
    "flip": "horizontal flip",
    "jitter": "colour jitter",
    "smaller": "resize to 128, bilinear",
    "larger": "resize to 320, bilinear",
    "cubic": "resize to 128, bicubic",
}
PEERS = {  # library: (its name in BENCHMARKS_PYTHON, processes, threads of each)
    "pillow": ("pillow", 2, 1),
    "albumentations": ("albumentations", 2, 1),
    "keras-generator": ("tf", 2, 1),
    "keras-layers": ("tf", 1, 2),
}
BARS = {
    "warp": {"keras-generator": 10.0, "keras-layers": 10.0, "albumentations": 1.5},
    "generator": {"keras-generator": 10.0},
    "crop": {"": 1.5},  # the fastest of all
    "flip": {"": 1.5},
    "jitter": {"": 1.5},
    "smaller": {"pillow": 1.0},
    "larger": {"pillow": 1.0},
    "cubic": {"pillow": 1.0},
}


class Library:
    """The processes of one library."""

    def __init__(self, name: str, python: str, processes: int, threads: int) -> None:
        self.name = name
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, str(threads)) | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        environment["CUDA_VISIBLE_DEVICES"] = ""
        self.processes = [
            subprocess.Popen(
                [python, str(WORKER), name, str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(processes)
        ]
        self.problem = ""
        self.cases: list[str] = []
        try:
            for process in self.processes:
                self.cases = self._answer(process)
        except RuntimeError as error:
            self.problem = str(error)

    def _answer(self, process: subprocess.Popen[str]) -> Any:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            assert process.stderr is not None
            lines = process.stderr.read().strip().splitlines()
            raise RuntimeError(lines[-1] if lines else "ended")
        return json.loads(line)

    def turn(self, case: str, seconds: float) -> Any:
        """Images per second of all processes together; the first turn of a case makes it ready."""
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{case} {seconds}\n")
            process.stdin.flush()
        answers = [self._answer(process) for process in self.processes]
        return None if answers[0] == "ready" else sum(images / spent for images, spent in answers)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def libraries(threads: int) -> list[Library]:
    pythons = interpreters([])
    found = [Library("drivetrain", sys.executable, 1, threads)]
    if found[0].problem:
        raise SystemExit(found[0].problem)
    for name, (key, processes, each) in PEERS.items():
        library = Library(name, pythons.get(key, sys.executable), processes, each)
        if library.problem:
            print(f"without {name}: {library.problem}")
            library.close()
        else:
            found.append(library)
    return found


def measure(case: str, found: list[Library], rounds: int, seconds: float) -> bool:
    """A line of the table; False where a bar is not reached."""
    mine, *others = found
    if case not in mine.cases:
        print(f"{CASES[case]:42s} not there")
        return False
    peers = [library for library in others if case in library.cases]
    rates: dict[str, list[float]] = {library.name: [] for library in (mine, *peers)}
    for library in (mine, *peers):
        library.turn(case, 0)
    for _ in range(rounds):
        for library in (mine, *peers):
            rates[library.name].append(library.turn(case, seconds))
    own = rates.pop(mine.name)
    ratios = {
        name: statistics.median(a / b for a, b in zip(own, other, strict=True))
        for name, other in rates.items()
    }
    fastest = min(ratios, key=lambda name: ratios[name], default="")
    parts, good = [], True
    for name, ratio in ratios.items():
        bar = BARS[case].get(name) or (BARS[case].get("") if name == fastest else None)
        good &= bar is None or ratio >= bar
        wanted = f" of {bar:g}" if bar else ""
        parts.append(f"{name} {statistics.median(rates[name]):,.0f} ({ratio:.2f} times{wanted})")
    print(f"{CASES[case]:42s} {statistics.median(own):9,.0f} images/s; {'; '.join(parts)}", flush=True)
    return good


def run(case: str, rounds: int, seconds: float, threads: int) -> None:
    wanted = [name for name in CASES if any(word.strip() in name for word in case.split(";"))]
    if not wanted:
        raise SystemExit(f"there is no case {case!r}: choose from {', '.join(CASES)}")
    found = libraries(threads)
    try:
        good = all([measure(name, found, rounds, seconds) for name in wanted])
    finally:
        for library in found:
            library.close()
    raise SystemExit(0 if good else 1)
