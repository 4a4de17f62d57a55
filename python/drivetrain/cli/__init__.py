"""The command line: ``drivetrain train``, ``evaluate``, ``predict`` and ``info``."""

from .main import main

__all__ = ["main"]
