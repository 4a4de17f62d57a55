"""``drivetrain predict``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from . import runs
from .argument_types import positive_int
from .exit_codes import FAILED, OK
from .text import TEXT

DESCRIPTION = """\
Say what is on images. Each is made like the images that the network was trained on. A network that was
trained on a folder gets them scaled to its size, in its colours. For the data sets of digits and clothes:

  1. Transparent parts become white, colours become grey.
  2. --invert auto turns dark ink on light ground into the light on dark of the data sets: it does so when the
     median of the pixels at the image's edge is brighter than half. yes and no decide it for all images.
  3. An image that is not of the network's size is padded with its background to a square and scaled, so that
     nothing is distorted. Digits are recognised best when they fill most of the image.

It needs Pillow: pip install 'drivetrain[images]'.
"""


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="say what is on images",
        description=DESCRIPTION,
        epilog="example:\n  drivetrain predict runs/digits seven.png photo.jpg\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", metavar="RUN", help="the folder that drivetrain train left")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files that Pillow can read")
    parser.add_argument("--invert", choices=("auto", "yes", "no"), default="auto", help="default: auto")
    parser.add_argument(
        "--top", type=positive_int, default=3, metavar="N", help="classes to name for each; default: 3"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from . import recipes
    from .images import read_image, read_photograph

    folder = Path(options.run_folder)
    config = runs.read_config(folder)
    if config["dataset"] == TEXT:
        raise ValueError(f"{folder} has a language model; print text from it: drivetrain generate {folder}")
    recipe = recipes.recipe_of(config)
    model = runs.read_model(folder)
    code = OK
    for path in options.images:
        try:
            if config["dataset"] == recipes.FOLDER:
                image: np.ndarray[Any, Any] = read_photograph(path, recipe.input_shape, options.invert)
            else:
                image = read_image(path, recipe.input_shape, recipe.largest, options.invert)
        except (OSError, ValueError) as error:
            # One bad file does not keep the others from being looked at.
            print(f"drivetrain: error: {error}", file=sys.stderr)
            code = FAILED
            continue
        print(f"{path}: {describe(model.predict(image[None])[0], recipe.class_names, options.top)}")
    return code


def describe(logits: np.ndarray[Any, Any], names: tuple[str, ...], top: int) -> str:
    """Name the likeliest classes with their probabilities."""
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[:top]
    return ", ".join(f"{names[i]} ({100 * shares[i]:.1f}%)" for i in order)
