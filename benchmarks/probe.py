"""What the machine gives at most: multiply-adds, bandwidths, the price of a page fault and of a thread."""

import mmap
import os
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import _core

WAYS = ("read", "copy", "stream copy", "update")  # of moving memory; see csrc/ops/probe.h
PAGE = mmap.PAGESIZE


def cpu_name() -> str:
    """With family and model: in a virtual machine the name alone may say little."""
    words = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line]
    facts = {name.strip(): value.strip() for name, value in reversed(words)}
    if "model name" not in facts:
        return platform.processor()
    return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"


def fma_peak(threads: int) -> float:
    """Operations per second of multiply-adds in registers on every thread, the best of five."""
    dt.set_num_threads(threads)
    return max(_core._fma_peak(threads) for _ in range(5))


def bf16_peak(threads: int) -> float:
    """The same of bfloat16, as the level multiplies it: by dot products or tiles, or as float32."""
    dt.set_num_threads(threads)
    return max(_core._bf16_peak(threads) for _ in range(5))


def bandwidth(way: str, size: int, threads: int) -> float:
    """Bytes moved per second, by all threads together, each with `size` bytes of its own; the best of three.

    A copy moves each byte twice, and so does an update in place.
    """
    dt.set_num_threads(threads)
    return max(_core._bandwidth(way, size, threads) for _ in range(3))


def region_cost(threads: int) -> float:
    """Seconds that a parallel region costs in which there is nothing to do."""
    dt.set_num_threads(threads)
    return min(_core._region_cost(threads) for _ in range(5))


def fault_cost(huge: bool) -> float:
    """Seconds per 4 KB of memory touched for the first time, in pages of 4 KB or of 2 MB."""
    size = 64 << 20
    region = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    region.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    pages = np.frombuffer(region, np.uint8)[::PAGE]
    start = time.perf_counter()
    pages[:] = 1
    seconds = time.perf_counter() - start
    del pages
    region.close()
    return seconds / (size // PAGE)


def cache_sizes() -> dict[str, int]:
    """Bytes of the data caches that a core sees, by level: {"L1": ..., "L2": ..., "L3": ...}."""
    found = {}
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            text = (index / "size").read_text().strip()
            found[f"L{(index / 'level').read_text().strip()}"] = int(text[:-1]) * units[text[-1]]
    return found or {"L1": 32 << 10, "L2": 1 << 20, "L3": 32 << 20}


def places() -> dict[str, int]:
    """Bytes for each thread that lie in each cache and in none, for a probe."""
    caches = cache_sizes()
    cores = len(os.sched_getaffinity(0))
    last = max(caches)
    sizes = {level: size // (2 * (cores if level == last else 1)) for level, size in caches.items()}
    return {**sizes, "memory": max(128 << 20, 4 * caches[last])}


def fault_line() -> str:
    small, huge = (min(fault_cost(h) for _ in range(3)) for h in (False, True))
    return (
        f"page faults: {small * 1e6:.2f} us for each 4 KB page, {huge * 1e6:.2f} us per 4 KB in 2 MB pages "
        f"({PAGE / small / 1e9:.1f} and {PAGE / huge / 1e9:.1f} GB/s)"
    )


def bandwidth_lines(threads: int, ways: tuple[str, ...] = WAYS) -> list[str]:
    lines = []
    for place, size in places().items():
        figures = [f"{way} {bandwidth(way, size, threads) / 1e9:.0f}" for way in ways]
        lines.append(f"{place}, {threads} threads, GB/s: {', '.join(figures)}")
    return lines


def everything(threads: int) -> list[str]:
    lines = [f"{cpu_name()}, ISA levels {', '.join(dt.isa_levels())}"]
    top = dt.get_isa()
    for level in dt.isa_levels():
        dt.set_isa(level)
        peaks = [f"{fma_peak(n) / 1e9:.0f} with {n}" for n in range(1, threads + 1)]
        lines.append(f"float32 multiply-adds, {level}, GFLOP/s: {', '.join(peaks)} threads")
        peaks = [f"{bf16_peak(n) / 1e9:.0f} with {n}" for n in range(1, threads + 1)]
        lines.append(f"bfloat16 products, {level}, GFLOP/s: {', '.join(peaks)} threads")
    dt.set_isa(top)
    for n in range(1, threads + 1):
        lines += bandwidth_lines(n)
    regions = [f"{region_cost(n) * 1e6:.2f} us with {n}" for n in range(2, threads + 1)]
    return [*lines, fault_line(), *([f"parallel region: {', '.join(regions)} threads"] if regions else [])]


def machine(threads: int) -> dict[str, Any]:
    """What a run notes about where it took place; shares of the peak refer to it."""
    size, best, peaks = places()["memory"], dt.get_isa(), {}
    for level in dt.isa_levels():
        dt.set_isa(level)
        peaks[level] = fma_peak(threads)
    dt.set_isa(best)
    figures = {way: bandwidth(way, size, threads) for way in WAYS}
    moved = ", ".join(f"{way} {figure / 1e9:.0f}" for way, figure in figures.items())
    lines = [
        f"float32 multiply-adds, {threads} threads, GFLOP/s: "
        + ", ".join(f"{level} {peak / 1e9:.0f}" for level, peak in peaks.items()),
        f"memory, {threads} threads, GB/s: {moved}",
        fault_line(),
    ]
    return {
        "cpu": cpu_name(), "threads": threads, "isa": best, "peak_flops": peaks[best], "peaks": peaks,
        "memory_bandwidth": max(figures.values()), "cache": cache_sizes()[max(cache_sizes())], "probe": lines,
    }  # fmt: skip
