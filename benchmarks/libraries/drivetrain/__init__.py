"""drivetrain, as a user writes it."""

from typing import Any

import drivetrain as dt
from benchmarks.libraries import builders

from . import kernels, language, networks, sequences

BUILD = builders(kernels, networks) | sequences.BUILD | language.BUILD | {"fit": networks.fit}


def version() -> str:
    return f"{dt.__version__} ({dt.get_isa()})"


def set_threads(threads: int) -> None:
    dt.set_num_threads(threads)


def set_level(level: str) -> None:
    dt.set_isa(level or dt.isa_levels()[-1])


def wait(value: Any) -> None:
    pass
