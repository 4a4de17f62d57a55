"""``drivetrain generate``."""

from __future__ import annotations

import argparse
import codecs
import secrets
import sys
from pathlib import Path
from typing import Any

from . import runs
from .argument_types import positive_float, positive_int, seed
from .exit_codes import OK

DESCRIPTION = """\
Print text from a language model that `drivetrain train text` left, as it is written.
"""


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "generate",
        help="print text from a trained language model",
        description=DESCRIPTION,
        epilog='example:\n  drivetrain generate runs/book --prompt "It was " --temperature 0.7\n',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run_folder", metavar="RUN", help="the folder that drivetrain train text left")
    parser.add_argument(
        "--prompt", default="\n", metavar="TEXT", help="what to begin with; default: a new line"
    )
    parser.add_argument("--length", type=positive_int, default=500, metavar="N", help="bytes; default: 500")
    parser.add_argument(
        "--temperature",
        type=positive_float,
        default=0.8,
        metavar="T",
        help="below 1 what is likely becomes likelier; default: 0.8",
    )
    parser.add_argument(
        "--top-k", type=positive_int, metavar="K", help="draw from the K likeliest bytes only"
    )
    parser.add_argument(
        "--top-p", type=positive_float, metavar="P", help="draw from the likeliest bytes of probability P"
    )
    parser.add_argument("--greedy", action="store_true", help="the likeliest byte always")
    parser.add_argument("--seed", type=seed, metavar="N", help="default: other text each time")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from .text import TEXT

    folder = Path(options.run_folder)
    if runs.read_config(folder)["dataset"] != TEXT:
        raise ValueError(f"{folder} is no run of `drivetrain train text`: its network reads images")
    prompt = options.prompt.encode("utf-8", "surrogateescape")
    if not prompt:
        raise ValueError("--prompt is empty; leave it out, or name the text to begin with")
    sys.stdout.write(
        options.prompt.encode("utf-8", "surrogateescape").decode("utf-8", "replace").lstrip("\n")
    )
    write(
        runs.read_model(folder),
        prompt,
        options.length,
        temperature=0.0 if options.greedy else options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        seed=options.seed,
    )
    return OK


def write(model: Any, prompt: bytes, length: int, *, temperature: float = 0.8, **options: Any) -> None:
    """Print what follows a prompt, character by character, and a line break."""
    import drivetrain as dt

    if options.get("seed") is None:  # the default generator has the same seed in every process
        options["seed"] = secrets.randbits(64)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for token in dt.models.stream(model, list(prompt), length, temperature=temperature, **options):
        sys.stdout.write(decoder.decode(bytes([token.item()])))
        sys.stdout.flush()
    print(decoder.decode(b"", final=True))
