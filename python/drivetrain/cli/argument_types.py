"""Kinds of arguments on the command line, for argparse."""

from __future__ import annotations

import argparse

DATASETS = ("digits", "mnist5k", "fashion_mnist")


def positive_int(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def positive_float(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**64:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 2**64 - 1")
    return number


def precision(text: str) -> str:
    from ..train.precision import PRECISIONS  # here: most commands do not train

    if text not in PRECISIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(PRECISIONS)}")
    return PRECISIONS[text]


def dataset(text: str) -> str:
    """The name of a data set, or a folder."""
    from pathlib import Path

    if text not in DATASETS and not Path(text).is_dir():
        hint = f"; to learn from its text: drivetrain train text {text}" if Path(text).is_file() else ""
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(DATASETS)}, and no folder{hint}")
    return text


def image_size(text: str) -> list[int]:
    """64 or 48x64: height and width."""
    sides = [int(side) for side in text.lower().split("x")]
    if len(sides) not in (1, 2) or not all(8 <= side <= 4096 for side in sides):
        raise argparse.ArgumentTypeError(f"{text} is no size: 8 to 4096, or HEIGHTxWIDTH")
    return sides * 2 if len(sides) == 1 else sides


def share(text: str) -> float:
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number


# argparse names these in its messages: "invalid whole number value: 'x'".
positive_int.__name__ = seed.__name__ = "whole number"
positive_float.__name__ = share.__name__ = "number"
image_size.__name__ = "size"
