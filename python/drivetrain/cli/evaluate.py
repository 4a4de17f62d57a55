"""``drivetrain evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import report, runs, text
from .exit_codes import OK

DESCRIPTION = """\
Measure the model of a run folder again, on the images or the text that its training tested on.
"""


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure a trained network",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", metavar="RUN", help="the folder that drivetrain train left")
    parser.add_argument("--split", choices=("test", "train"), default="test", help="default: test")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder of the images or of fashion_mnist, or file of the text, if moved",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from . import folders, recipes

    folder = Path(options.run_folder)
    config = runs.read_config(folder)
    if config["dataset"] == text.TEXT:
        text.evaluate(folder, config, options.split, options.data)
        return OK
    model = runs.read_model(folder)
    is_folder = config["dataset"] == recipes.FOLDER
    files = folders.read_files(folder, config["classes"]) if is_folder else None
    part = recipes.load_part(config, options.split, options.data or config.get("data_folder"), files)
    names = recipes.recipe_of(config).class_names
    _, _, results = report.measure(model, part, len(names))
    report.show(results, names)
    return OK
