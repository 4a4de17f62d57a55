"""Checks the objects of the ISA levels: what each exports, and that none uses the MMX registers.

A weak symbol (a template or an inline function) that is compiled for AVX-512 can be linked into the
code that every machine runs, where it kills the process on an older CPU. So a level's object
defines no weak symbol, and its only global ones are the getters `dt::cpu::<level>::<family>()` and
what lies in its own level's namespace.

MMX registers share their state with the x87 unit. The compiler takes one to move eight bytes and does
not clear it; then the C library's fmod and everything in long double give NaN on that thread.

    python tools/check_levels.py build/dev
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


def problems_of(path: Path, level: str) -> list[str]:
    listing = subprocess.run(
        ["nm", "--defined-only", "--extern-only", "--demangle", str(path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = []
    for line in listing.splitlines():
        match = re.match(r"[0-9a-f]*\s+(\S)\s+(.*)", line)
        if not match:
            continue
        kind, name = match.groups()
        # DW.ref.* and the like: data of the exception tables, equal at every level.
        if kind in "WwVvu" and not name.startswith("DW.ref."):
            found.append(f"{path.name} ({level}): weak symbol {name}")
        # A specialised template's name begins with what it returns.
        elif kind in "TDBRG" and not re.match(rf"(void )?dt::cpu::{level}::", name):
            found.append(f"{path.name} ({level}): exports {name}")
    return found


def uses_mmx(path: Path) -> bool:
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(path)], check=True, capture_output=True, text=True
    ).stdout
    return re.search(r"%mm[0-7]\b", listing) is not None


def main(build: Path) -> int:
    objects = [
        (path, match[1])
        for path in sorted(build.rglob("*.o"))
        if (match := re.search(r"kernels_(\w+)\.dir", str(path)))
    ]
    if not objects:
        print(f"no objects of ISA levels under {build}", file=sys.stderr)
        return 2
    problems = [p for path, level in objects for p in problems_of(path, level)]
    problems += [
        f"{path.name} ({level}): uses MMX registers"
        for path, level in objects
        if level not in ("neon", "generic") and uses_mmx(path)
    ]
    print(
        "\n".join(problems)
        if problems
        else f"{len(objects)} objects export nothing but their level's functions and use no MMX register"
    )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build")))
