"""What a case is: data, no code. `suites.py` lists them, with the files it imports."""

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Bar:
    """What we want: time of `against` over ours (or our share of the peak) at least `least`, better `goal`.

    `against` is "peers" (the best mode of all of them), names of libraries joined by "+", "peak" (of the
    float32 multiply-adds of the machine) or the name of a variant of the case.
    """

    against: str
    least: float
    goal: float | None = None


@dataclass(frozen=True)
class Variant:
    """A way of running a case: the first variant of a case is the one that its bars are about."""

    name: str = ""
    options: dict[str, Any] = field(default_factory=dict)  # beside those of the case
    threads: int | None = None
    beside: str = ""  # "process": another process spins on one core; "thread": a Python thread in our own


@dataclass(frozen=True)
class Case:
    name: str
    kind: str  # the builder in `benchmarks/libraries`
    options: dict[str, Any] = field(default_factory=dict)
    bars: tuple[Bar, ...] = ()
    variants: tuple[Variant, ...] = (Variant(),)
    flops: float = 0.0  # of one call, where a rate is worth telling
    traffic: float = 0.0  # bytes that one call has to move at least
    seconds: float = 0.15  # length of a turn, in which the call is repeated; at least one call
    steps: int = 0  # calls of a turn, at least
    first_steps: int = 1  # calls whose results are compared before anything is timed
    tolerance: float = 2e-3
    change_tolerance: float = 2e-3  # of the change of each of the weights by the first step of training
    measure: str = "seconds"  # or "bytes": the peak of resident memory
    without: dict[str, str] = field(default_factory=dict)  # label of a library and mode -> why not here
    only: tuple[str, ...] = ()  # libraries, where not all
    level: str = ""  # ISA level of our kernels, where not the best; shares of the peak refer to its own
    tiny: dict[str, Any] = field(default_factory=dict)  # options for tests
    readme: str = ""  # its name in the README's table

    def scaled_down(self) -> "Case":
        return replace(self, options={**self.options, **self.tiny}, seconds=0.0, steps=1)


# What many cases say: modes that would do the same again, and the bar beside NumPy.
NO_IMAGES = {"torch channels_last tuned": "no images"}
FLAT = {**NO_IMAGES, "torch compile tuned": "a single kernel, as in eager mode"}
NUMPY = Bar("numpy", 1.0)
