"""drivetrain: a compiled training core for neural networks, CPU first."""

from ._core import *  # noqa: F403
from ._core import __version__ as __version__
