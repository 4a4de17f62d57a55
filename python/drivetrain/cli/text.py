"""``drivetrain train text``: a language model of any file."""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import time
from pathlib import Path
from typing import Any

from . import runs
from .argument_types import positive_float, positive_int, precision, seed
from .exit_codes import INTERRUPTED, OK

DESCRIPTION = """\
Train a language model on a file of text: a transformer that says byte for byte what comes next. The last
tenth of the file is kept for testing. It leaves a run folder with

  model.safetensors     the trained network
  history.csv           loss of every epoch, in nats per byte
  curves.png            the same as a picture; needs matplotlib: pip install 'drivetrain[plot]'
  config.json           the settings, results.json the bits per byte of the test part
  checkpoints           until the training has come to its end: what --resume goes on from

Any encoding will do, and lines of any length; the file is read piece by piece. `drivetrain generate RUN`
prints new text from the network.
"""
EPILOG = """\
The same seed gives the same network, bit for bit, whatever the number of threads. Ctrl-C ends the training
and saves what was trained; --resume goes on behind the last whole epoch.

examples:
  drivetrain train text book.txt
  drivetrain train text book.txt --context 256 --width 384 --layers 6 --heads 6 --epochs 3
  drivetrain generate runs/book --prompt "It was "
"""
TEXT = "text"  # what config.json calls the data set
BYTES = 256
TEST_SHARE = 10  # one in ten
SIZES = ("context", "width", "layers", "heads")
SETTINGS = (*SIZES, "dropout", "epochs", "batch_size", "learning_rate", "precision", "seed")


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "train text",
        help="train a language model on a file of text",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="what to learn from")
    sizes = {"context": (128, "bytes it sees at a time"), "width": (128, "features of a position")}
    sizes |= {"layers": (4, "transformer layers"), "heads": (4, "heads of attention, a divisor of width")}
    for name, (usual, meaning) in sizes.items():
        parser.add_argument(
            f"--{name}", type=positive_int, default=usual, metavar="N", help=f"{meaning}; default: {usual}"
        )
    parser.add_argument("--dropout", type=chance, default=0.1, metavar="P", help="default: 0.1")
    parser.add_argument("--epochs", type=positive_int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--batch", type=positive_int, default=32, metavar="N", help="default: 32")
    parser.add_argument(
        "--lr",
        type=positive_float,
        default=2e-3,
        metavar="RATE",
        help="highest learning rate; default: 0.002",
    )
    parser.add_argument(
        "--precision",
        type=precision,
        default="float32",
        metavar="FORMAT",
        help="float32, bfloat16 or float16; default: float32",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="default: as drivetrain info says")
    parser.add_argument("--out", metavar="FOLDER", help="run folder; default: runs/ and the name of the file")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder of --out")
    parser.add_argument("--verbose", choices=("auto", "0", "1", "2"), default="auto", help="default: auto")
    parser.set_defaults(run=run)


def chance(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")
    return number


chance.__name__ = "number"


def run(options: argparse.Namespace) -> int:
    import drivetrain as dt

    if options.threads is not None:
        dt.set_num_threads(options.threads)
    config = settings(options)
    train_part, test_part = parts(config)
    if options.resume:
        folder = runs.newest_folder(options.out, Path(options.file).stem)
        check_same(folder, config)
        runs.check_unfinished(folder)
    dt.manual_seed(config["seed"])
    context, width, layers, heads = (config[name] for name in SIZES)
    model = dt.models.gpt(BYTES, context, width, layers, heads, config["dropout"])
    if not options.resume:
        folder = runs.new_folder(options.out, Path(options.file).stem)
        runs.write_json(folder / runs.CONFIG, config)
    trainer = new_trainer(model, config, folder)
    if options.verbose != "0":
        introduce(config, model, train_part, test_part)
    began = time.monotonic()
    try:
        trainer.fit(
            dt.data.DataLoader(
                train_part, batch_size=config["batch_size"], shuffle=True, seed=config["seed"]
            ),
            epochs=config["epochs"],
            validation_data=dt.data.DataLoader(test_part, batch_size=config["batch_size"]),
            verbose=options.verbose if options.verbose == "auto" else int(options.verbose),
        )
    except KeyboardInterrupt:
        from .train import save_interrupted

        save_interrupted(folder, trainer)
        return INTERRUPTED
    finish(folder, trainer, test_part, time.monotonic() - began)
    return OK


def settings(options: argparse.Namespace) -> dict[str, Any]:
    import drivetrain as dt

    from ..data.windows import open_regular

    path = Path(options.file)
    with open_regular(path) as file:
        size, digest = os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    if options.width % options.heads:
        raise ValueError(f"--width {options.width} is not a multiple of --heads {options.heads}")
    return {
        "dataset": TEXT,
        "file": str(path.absolute()),
        "bytes": size,
        "sha256": digest,
        **{name: getattr(options, name) for name in (*SIZES, "dropout")},
        "model": "gpt",
        "epochs": options.epochs,
        "batch_size": options.batch,
        "learning_rate": options.lr,
        "precision": options.precision,
        "seed": options.seed,
        "threads": dt.get_num_threads(),
        "isa": dt.get_isa(),
        "drivetrain": dt.__version__,
    }


def parts(config: dict[str, Any]) -> tuple[Any, Any]:
    """The windows to train on and those to test on."""
    from ..data import FileWindows

    size, context = config["bytes"], config["context"]
    least = (context + 1) * TEST_SHARE
    if size < least:
        raise ValueError(
            f"{config['file']} has {size:,} bytes; with --context {context} it takes at least {least:,}"
        )
    cut = size - size // TEST_SHARE
    train = FileWindows(config["file"], context, stop=cut)
    return train, FileWindows(config["file"], context, start=cut, stop=size)


def check_same(folder: Path, config: dict[str, Any]) -> None:
    """Raise unless the run in the folder has these settings."""
    before = runs.read_config(folder)
    if before["dataset"] != TEXT or before.get("sha256") != config["sha256"]:
        raise ValueError(
            f"the run in {folder} learned from something else than {config['file']} as it is now"
        )
    changed = [
        f"{name} is {before.get(name)}, not {config[name]}"
        for name in SETTINGS
        if before.get(name) != config[name]
    ]
    if changed:
        raise ValueError(f"the run in {folder} goes on with its own settings: {'; '.join(changed)}")


def new_trainer(model: Any, config: dict[str, Any], folder: Path) -> Any:
    from ..optim import AdamW
    from ..train import BackupAndRestore, CSVLogger, ModelCheckpoint, Trainer
    from . import recipes

    return Trainer(
        model,
        loss="cross_entropy",
        optimizer=AdamW(model.parameters(), lr=config["learning_rate"], weight_decay=0.01),
        precision=config["precision"],
        seed=config["seed"],
        gradient_clip_val=1.0,
        callbacks=[
            recipes.WarmupAndDecay(),
            CSVLogger(folder / runs.HISTORY),
            ModelCheckpoint(folder / runs.MODEL),
            BackupAndRestore(folder / runs.CHECKPOINTS, double_checkpoint=True),
        ],
    )


def introduce(config: dict[str, Any], model: Any, train_part: Any, test_part: Any) -> None:
    parameters = sum(parameter.size for parameter in model.parameters())
    print(
        f"{config['file']}: {len(train_part):,} windows of {config['context']} bytes to train on, "
        f"{len(test_part):,} to test on\n"
        f"gpt with {parameters:,} parameters, adamw up to {config['learning_rate']:g}, batches of "
        f"{config['batch_size']}, {config['precision']}, seed {config['seed']}, {config['threads']} threads"
    )


def measure(model: Any, part: Any) -> dict[str, Any]:
    """What `results.json` says: the loss of a part."""
    import drivetrain as dt

    total = 0.0
    model.eval()
    with dt.inference_mode():
        for x, y in dt.data.DataLoader(part, batch_size=32):
            total += dt.nn.functional.cross_entropy(model(x), y, reduction="sum").item()
    loss = total / (len(part) * part.steps)
    return {
        "test_bits_per_byte": loss / math.log(2),
        "test_perplexity": math.exp(min(loss, 700.0)),
        "test_bytes": len(part) * part.steps,
    }


def evaluate(folder: Path, config: dict[str, Any], split: str, file: str | None) -> None:
    """Print the loss of a part of the file, which may have moved."""
    try:
        windows = dict(zip(("train", "test"), parts({**config, "file": file or config["file"]}), strict=True))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / runs.CONFIG} is damaged ({error})") from error
    show(measure(runs.read_model(folder), windows[split]))


def show(results: dict[str, Any]) -> None:
    print(
        f"\nTest: {results['test_bits_per_byte']:.3f} bits per byte, perplexity "
        f"{results['test_perplexity']:.2f} over {results['test_bytes']:,} bytes\n"
    )


def finish(folder: Path, trainer: Any, test_part: Any, seconds: float) -> None:
    from .generate import write
    from .train import draw_curves

    results = measure(trainer.model, test_part)
    runs.write_json(folder / runs.RESULTS, {**results, "training_seconds": round(seconds, 3)})
    show(results)
    write(trainer.model, b"\n", 300, seed=0)
    draw_curves(folder, trainer)
    print(f"\nTrained in {seconds:.1f} s. Everything is in {folder}; more text: drivetrain generate {folder}")
