"""Applies each fault of tests/mutants/faults.toml to a copy of the sources, rebuilds it and runs the tests.

Every fault must make them fail: a fault that passes is a hole in the tests.

    python tools/mutants.py                 # all of them: half an hour on two cores
    python tools/mutants.py relu softmax    # those whose name contains one of the words
    python tools/mutants.py --check         # does each still apply to the sources? (seconds)

Needs what a build by hand needs: pip install --group dev, and the extra "test".
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEVEL = "v3"  # one ISA level, so that a fault in a kernel costs one compilation


@dataclass(frozen=True)
class Fault:
    """`old`, which occurs once in `file`, becomes `new`; pytest with the arguments `tests` must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str

    def apply(self, root: Path) -> None:
        path = root / self.file
        text = path.read_text()
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: {self.old!r} occurs {count} times in {self.file}, expected 1")
        path.write_text(text.replace(self.old, self.new))

    def problem(self, root: Path) -> str | None:
        path = root / self.file
        count = path.read_text().count(self.old) if path.exists() else 0
        return None if count == 1 else f"{self.name}: {self.old!r} occurs {count} times in {self.file}"


def faults() -> list[Fault]:
    with open(ROOT / "tests" / "mutants" / "faults.toml", "rb") as f:
        return [Fault(**entry) for entry in tomllib.load(f)["fault"]]


class Copy:
    """A copy of the tracked files with a build of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "sources"
        self.build_folder = folder / "build"
        self.site = folder / "site"
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        names = dict.fromkeys(filter(None, listed.split("\0")))
        for path in self.root.rglob("*"):
            if path.is_file() and str(path.relative_to(self.root)) not in names:
                path.unlink()  # renamed or deleted since an earlier run
        for name in names:
            source, target = ROOT / name, self.root / name
            if not source.exists():
                continue
            # Files that did not change keep their times, and so their objects.
            if target.exists() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        self.run(
            [
                *("cmake", "-S", ".", "-B", self.build_folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"),
                *(f"-DDRIVETRAIN_LEVELS={LEVEL}", f"-DCMAKE_INSTALL_PREFIX={self.site}"),
            ]
        )

    def run(self, command: list[object]) -> None:
        done = subprocess.run([str(c) for c in command], cwd=self.root, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")

    def build(self) -> None:
        self.run(["cmake", "--build", self.build_folder, "-j", os.environ.get("MUTANTS_JOBS", "2")])
        self.run(["cmake", "--install", self.build_folder])
        shutil.copytree(self.root / "python" / "drivetrain", self.site / "drivetrain", dirs_exist_ok=True)

    def test(self, arguments: str) -> tuple[int, str]:
        """pytest's exit code (1: tests failed) and the end of its output."""
        environment = os.environ | {"PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            *shlex.split(arguments),
        ]
        try:
            done = subprocess.run(
                command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=600
            )
        except subprocess.TimeoutExpired:
            return 1, "timed out"
        # A crash (a negative code) is noticed too.
        code = 1 if done.returncode < 0 else done.returncode
        return code, "\n".join(done.stdout.splitlines()[-3:])


def try_fault(fault: Fault, copy: Copy) -> str:
    """What became of it: caught, SURVIVED, or why it could not be tried."""
    path = copy.root / fault.file
    before = path.read_text()
    fault.apply(copy.root)
    try:
        copy.build()
        code, tail = copy.test(fault.tests)
    except RuntimeError as e:
        return f"NOT BUILT: {e}"
    finally:
        path.write_text(before)
    if code == 1:
        return "caught"
    return "SURVIVED" if code == 0 else f"NOT RUN (pytest {code}): {tail}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", help="only faults whose name contains one of these")
    parser.add_argument("--check", action="store_true", help="only check that each fault applies")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutants", help="where to build")
    options = parser.parse_args()
    chosen = [f for f in faults() if not options.words or any(w in f.name for w in options.words)]
    problems = [p for f in chosen if (p := f.problem(ROOT))]
    if problems or options.check:
        print("\n".join(problems) if problems else f"{len(chosen)} faults apply")
        return bool(problems)
    copy = Copy(options.folder)
    copy.build()
    bad = 0
    for fault in chosen:
        start = time.perf_counter()
        verdict = try_fault(fault, copy)
        bad += verdict != "caught"
        print(f"{fault.name:40} {verdict} ({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} faults caught")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
