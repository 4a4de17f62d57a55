"""Checks every entry of the kernel table against plain loops, with 1 and 3 threads, on every ISA level.

    python tools/check_kernels.py            # the levels of this machine's processor
    python tools/check_kernels.py neon       # aarch64, built with a cross compiler, run by an emulator

Further words are levels or families: `python tools/check_kernels.py native v3 gemm`. The program is
`check_kernels`, built from `tests/native/` without Python, in `build/check-native` and `build/check-neon`.

`neon` needs two packages of Debian or Ubuntu besides CMake and Ninja: g++-aarch64-linux-gnu and qemu-user. It
also compiles and links all of the core that needs no Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
COMPILER = "aarch64-linux-gnu-g++"
LIBRARIES = "/usr/aarch64-linux-gnu"  # where the cross compiler's package puts the libraries of the target
PACKAGES = {
    COMPILER: "g++-aarch64-linux-gnu",
    "qemu-aarch64": "qemu-user",
    "cmake": "cmake",
    "ninja": "ninja-build",
}


def require(tools: list[str]) -> None:
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        packages = " ".join(PACKAGES[tool] for tool in missing)
        sys.exit(f"{', '.join(missing)} not found: apt-get install {packages}")


def build(folder: Path, options: list[str]) -> Path:
    options = [
        "-G",
        "Ninja",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DDRIVETRAIN_WERROR=ON",
        "-DDRIVETRAIN_PYTHON=OFF",
        "-DDRIVETRAIN_CHECK_KERNELS=ON",
        *options,
    ]
    subprocess.run(["cmake", "-S", str(TOP), "-B", str(folder), "--log-level=WARNING", *options], check=True)
    subprocess.run(["cmake", "--build", str(folder)], check=True)
    return folder / "check_kernels"


def main(words: list[str]) -> int:
    neon = words[:1] == ["neon"]
    if words and words[0] in ("neon", "native"):
        words = words[1:]
    require(["cmake", "ninja", COMPILER, "qemu-aarch64"] if neon else ["cmake", "ninja"])
    if not neon:
        program = build(TOP / "build/check-native", [])
        return subprocess.run([str(program), *words], check=False).returncode
    program = build(
        TOP / "build/check-neon",
        [
            "-DCMAKE_SYSTEM_NAME=Linux",
            "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
            f"-DCMAKE_C_COMPILER={COMPILER.replace('g++', 'gcc')}",
            f"-DCMAKE_CXX_COMPILER={COMPILER}",
        ],
    )
    return subprocess.run(["qemu-aarch64", "-L", LIBRARIES, str(program), *words], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.returncode)
