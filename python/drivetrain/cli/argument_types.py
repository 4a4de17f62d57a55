"""Kinds of arguments on the command line, for argparse."""

from __future__ import annotations

import argparse


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


# argparse names these in its messages: "invalid whole number value: 'x'".
positive_int.__name__ = seed.__name__ = "whole number"
positive_float.__name__ = "number"
