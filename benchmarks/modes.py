"""How the users of each library run it: its modes, with what is set in the environment of their process."""

import os
import subprocess
import sys
from dataclasses import dataclass, field

# Glibc keeps memory instead of giving it back, and PyTorch asks for huge pages.
TUNED = {
    "THP_MEM_ALLOC_ENABLE": "1",
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}
MODES: dict[str, dict[str, dict[str, str]]] = {
    "drivetrain": {"drivetrain": {}},
    "numpy": {"numpy": {}},
    "torch": {"eager": {}, "eager tuned": TUNED, "channels_last tuned": TUNED, "compile tuned": TUNED},
    "tf": {"graph": {}, "jit_compile": {}},
    "jax": {"jit": {}},
}
PACKAGES = {"tf": "tensorflow"}  # where the package has another name
FIND = "import sys; from importlib.util import find_spec; sys.exit(find_spec(sys.argv[1]) is None)"


@dataclass(frozen=True)
class Mode:
    """A library in one of its modes, and the interpreter that has it."""

    library: str
    name: str
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    python: str = sys.executable

    @property
    def label(self) -> str:
        return self.name if self.library in self.name else f"{self.library} {self.name}"


def interpreters(named: list[str]) -> dict[str, str]:
    """Which interpreter has a library, from `LIBRARY=PATH` here and in the environment."""
    pairs = [*os.environ.get("BENCHMARKS_PYTHON", "").split(","), *named]
    return dict(pair.split("=", 1) for pair in pairs if pair)


def modes_of(library: str, python: str = sys.executable) -> list[Mode]:
    """The modes of a library, which the interpreter must have."""
    if library not in MODES:
        raise SystemExit(f"there is no library {library!r}: choose from {', '.join(MODES)}")
    package = PACKAGES.get(library, library)
    if subprocess.run([python, "-c", FIND, package]).returncode:
        raise SystemExit(
            f"{python} has no {package}: pip install {package}, or name an interpreter that has it with "
            f"--python {library}=PATH"
        )
    return [Mode(library, name, environment, python) for name, environment in MODES[library].items()]
