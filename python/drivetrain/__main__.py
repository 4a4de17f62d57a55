"""``python -m drivetrain`` is the command ``drivetrain``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
