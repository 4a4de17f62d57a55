"""Arguments, errors and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from .exit_codes import FAILED, INTERRUPTED

# What a user can cause and repair; everything else is our fault and shows its traceback.
USER_ERRORS = (OSError, ValueError, ImportError, MemoryError, FloatingPointError)

DESCRIPTION = """\
Train small neural networks on the CPU.

  drivetrain train digits               train a network on 8 x 8 digits in seconds
  drivetrain predict runs/digits a.png  say what is on an image
  drivetrain train text book.txt        train a language model
  drivetrain generate runs/book         print text from it
"""
EPILOG = """\
Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 ended by Ctrl-C (what was trained is saved).
DRIVETRAIN_ISA=v2 forces a lower instruction set, OMP_NUM_THREADS limits the threads.
"""


def new_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="drivetrain",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"drivetrain {__version__}")
    parser.add_argument("--traceback", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    from . import evaluate, generate, info, predict, text, train

    for module in (train, text, evaluate, predict, generate, info):
        module.add_command(commands)
    return parser


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with "train text" as one command: it has options of its own."""
    words = list(arguments)
    first = next((i for i, word in enumerate(words) if not word.startswith("-")), 0)
    if words[first : first + 2] == ["train", "text"]:
        words[first : first + 2] = ["train text"]
    return words


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; wrong arguments raise SystemExit(2), as argparse does."""
    options = new_parser().parse_args(joined(sys.argv[1:] if arguments is None else arguments))
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("\ndrivetrain: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away (| head). Python would complain again when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except USER_ERRORS as error:
        if options.traceback:
            raise
        print(f"drivetrain: error: {error or type(error).__name__}", file=sys.stderr)
        return FAILED
