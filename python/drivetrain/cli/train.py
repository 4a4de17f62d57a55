"""``drivetrain train``."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import folders, report, runs
from .argument_types import (
    DATASETS,
    dataset,
    image_size,
    positive_float,
    positive_int,
    precision,
    seed,
    share,
)
from .exit_codes import INTERRUPTED, OK

DESCRIPTION = """\
Train a network on a data set or on a folder of images, and leave a run folder with

  model.safetensors     the trained network
  history.csv           loss and accuracy of every epoch
  curves.png            the same as a picture
  misclassified.png     the test images that the network gets wrong
  config.json           the settings, results.json the test accuracy and the confusion matrix
  files.csv             of a folder: which files were trained and tested on
  checkpoints           until the training has come to its end: what --resume goes on from

The pictures need matplotlib: pip install 'drivetrain[plot]'.
"""
EPILOG = """\
data sets:
  digits          1,797 digits of 8 x 8 pixels; comes with drivetrain, trains in seconds
  mnist5k         5,000 digits of 28 x 28 pixels; pip install 'drivetrain[mnist5k]'
  fashion_mnist   70,000 clothes of 28 x 28 pixels; apt install dataset-fashion-mnist, or --data FOLDER

folders:
  One folder of images for each class. A part of each class, --test-share, is kept for testing; where the
  folder has folders train and test (or val), these are taken. Images are scaled to --size; JPEG, PNG, BMP,
  GIF, TIFF, WebP and more. It needs Pillow: pip install 'drivetrain[images]'.
  --augment light shifts, turns and zooms each image a little, another way in every epoch; photo also changes
  brightness and colours and swaps left and right, right for most photographs and wrong for letters.

The columns "val_" are measured on the test images. Nothing is chosen by them: there is no early stopping.
The same seed gives the same network, bit for bit, whatever the number of threads.
Ctrl-C ends the training and saves what was trained. Whatever ended it, --resume goes on behind the last whole
epoch, and ends with the network of a run that nothing ended, bit for bit.

examples:
  drivetrain train digits
  drivetrain train mnist5k --model lenet --epochs 20 --seed 1
  drivetrain train fashion_mnist --threads 4 --out runs/clothes
  drivetrain train fashion_mnist --resume --out runs/clothes
  drivetrain train photographs --size 96 --augment photo --epochs 40
"""
USUAL: dict[str, Any] = {
    "model": "small_cnn",
    "epochs": None,
    "batch": None,
    "lr": None,
    "optimizer": "adamw",
    "precision": "float32",
    "seed": 0,
}
USUAL_OF_FOLDER: dict[str, Any] = {
    "size": [64, 64],
    "color": "rgb",
    "augment": "light",
    "test_share": 0.2,
    "skip_damaged": False,
}
FOLDER_SETTINGS = ("image_size", "color_mode", "augment", "test_share", "skip_damaged")
SETTINGS = ("model", "epochs", "batch_size", "learning_rate", "optimizer", "precision", "seed")


def add_command(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network on a data set",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("dataset", type=dataset, help="digits, mnist5k, fashion_mnist, or a folder of images")
    models = ("small_cnn", "lenet", "mlp", "resnet20", "resnet18", "mobilenet_v2")
    optimizers = ("adamw", "adam", "sgd")
    parser.add_argument("--model", choices=models, default=USUAL["model"], help="default: small_cnn")
    parser.add_argument(
        "--epochs", type=positive_int, metavar="N", help="default: 20, 15, 10, 30 by data set"
    )
    parser.add_argument(
        "--batch", type=positive_int, metavar="N", help="samples per step; default: 32, 32, 64, 32"
    )
    parser.add_argument(
        "--lr", type=positive_float, metavar="RATE", help="highest learning rate; default: 0.003"
    )
    parser.add_argument("--optimizer", choices=optimizers, default=USUAL["optimizer"], help="default: adamw")
    parser.add_argument(
        "--precision",
        type=precision,
        metavar="FORMAT",
        default=USUAL["precision"],
        help="float32, bfloat16 or float16: what products and convolutions compute in; default: float32",
    )
    parser.add_argument("--seed", type=seed, default=USUAL["seed"], metavar="N", help="default: 0")
    parser.add_argument("--threads", type=positive_int, metavar="N", help="default: as drivetrain info says")
    parser.add_argument("--data", metavar="FOLDER", help="folder with the files of fashion_mnist")
    add_folder_arguments(parser)
    parser.add_argument(
        "--out", metavar="FOLDER", help="run folder; default: runs/DATASET, or runs/DATASET-2 and so on"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in the folder of --out, by default the last run of the data set",
    )
    parser.add_argument(
        "--verbose",
        choices=("auto", "0", "1", "2"),
        default="auto",
        help="0 silent, 1 progress bar, 2 a line per epoch; default: auto, by where the output goes",
    )
    parser.set_defaults(run=run)


def add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of folders. None stands for the usual, so that they can be told from those that were given."""
    group = parser.add_argument_group("folders of images")
    group.add_argument("--size", type=image_size, metavar="N", help="N or HEIGHTxWIDTH; default: 64")
    group.add_argument("--color", choices=("rgb", "grayscale"), help="default: rgb")
    group.add_argument("--augment", choices=folders.AUGMENTATIONS, help="default: light")
    group.add_argument("--test-share", type=share, metavar="SHARE", help="default: 0.2")
    group.add_argument(
        "--skip-damaged", action="store_true", default=None, help="leave out images that cannot be read"
    )


def run(options: argparse.Namespace) -> int:
    import drivetrain as dt

    from . import recipes

    if options.threads is not None:
        dt.set_num_threads(options.threads)
    config = config_to_resume(options) if options.resume else settings(options)
    files = None
    if config["dataset"] == recipes.FOLDER:
        files = files_of_run(options, config)
    with hint_at_skipping():
        test_part = recipes.load_part(config, "test", config["data_folder"], files)
    train_part, train_size = training_data(config, files)
    recipe = recipes.recipe_of(config)
    dt.manual_seed(config["seed"])
    model = recipes.new_model(config["model"], recipe)
    if options.resume:
        folder = runs.newest_folder(options.out, name_of(options))
    else:
        folder = runs.new_folder(options.out, name_of(options))
        runs.write_json(folder / runs.CONFIG, config)
        if files is not None:
            folders.write_files(folder, files)
    trainer = new_trainer(model, config, folder)
    if options.verbose != "0":
        report.introduce(config, model, train_size, len(test_part[1]))
    began = time.monotonic()
    try:
        with hint_at_skipping():
            trainer.fit(
                *train_part,
                batch_size=config["batch_size"],
                epochs=config["epochs"],
                validation_data=test_part,
                verbose=options.verbose if options.verbose == "auto" else int(options.verbose),
            )
    except DamagedImageError:
        if not options.resume and not trainer.history.epoch:
            shutil.rmtree(folder)  # nothing was trained
        raise
    except KeyboardInterrupt:
        save_interrupted(folder, trainer)
        return INTERRUPTED
    seconds = time.monotonic() - began
    names = recipe.class_names
    if left_out := folders.describe_skipped(train_part[0]):
        print(left_out)
    labels, guesses, results = report.measure(model, test_part, len(names))
    runs.write_json(folder / runs.RESULTS, {**results, "training_seconds": round(seconds, 3)})
    report.show(results, names)
    draw(folder, trainer, test_part[0], labels, guesses, names)
    print(f"Trained in {seconds:.1f} s. Everything is in {folder}")
    return OK


class DamagedImageError(ValueError):
    """An image of the folder cannot be read, and was not to be left out."""


@contextlib.contextmanager
def hint_at_skipping() -> Iterator[None]:
    from ..data import ImageError

    try:
        yield
    except ImageError as error:
        raise DamagedImageError(f"{error}; --skip-damaged leaves out what cannot be read") from error


def name_of(options: argparse.Namespace) -> str:
    """What run folders are called by."""
    return options.dataset if options.dataset in DATASETS else Path(options.dataset).resolve().name


def files_of_run(options: argparse.Namespace, config: dict[str, Any]) -> folders.Files:
    """The division of a folder: a new one, or that of the run to go on with."""
    if options.resume:
        return folders.read_files(runs.newest_folder(options.out, name_of(options)), config["classes"])
    files = folders.find_files(config["data_folder"], config["test_share"], config["seed"])
    config["classes"] = files.classes
    return files


def training_data(config: dict[str, Any], files: folders.Files | None) -> tuple[tuple[Any, ...], int]:
    """What `fit` gets to train on, and how many images that are."""
    from . import recipes

    if files is not None:
        return (folders.new_loader(files, config),), len(files.names["train"])
    part = recipes.load_part(config, "train", config["data_folder"], None)
    return part, len(part[1])


def config_to_resume(options: argparse.Namespace) -> dict[str, Any]:
    """The settings of the run to go on with. Options may repeat them, and not change them."""
    from . import recipes

    folder = runs.newest_folder(options.out, name_of(options))
    config = runs.read_config(folder)
    runs.check_unfinished(folder)
    asked = settings(options)
    known_settings = SETTINGS + (FOLDER_SETTINGS if asked["dataset"] == recipes.FOLDER else ())
    if config["dataset"] == asked["dataset"] == recipes.FOLDER:
        config["data_folder"] = asked["data_folder"]  # it may have moved
    choices = (("model", recipes.MODELS), ("optimizer", recipes.OPTIMIZERS))
    is_same = config["dataset"] == asked["dataset"]
    checked = known_settings if is_same else SETTINGS
    wrong = [name for name in checked if type(config.get(name)) is not type(asked[name])]
    wrong += [] if isinstance(config.get("data_folder"), (str, type(None))) else ["data_folder"]
    wrong += [name for name, known in choices if config.get(name) not in known]
    if wrong:
        raise ValueError(f"{folder / runs.CONFIG} is damaged: {', '.join(sorted(set(wrong)))}")
    usual = settings(argparse.Namespace(**{**vars(options), **USUAL, **dict.fromkeys(USUAL_OF_FOLDER)}))
    changed = [
        f"{name} is {config[name]}, not {asked[name]}"
        for name in ("dataset", *checked)
        if asked[name] != config[name] and (asked[name] != usual[name] or name == "dataset")
    ]
    if changed:
        raise ValueError(f"the run in {folder} goes on with its own settings: {'; '.join(changed)}")
    return config


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What config.json says: the options, with the data set's recipe where one is not given."""
    import drivetrain as dt

    from . import recipes

    is_folder = options.dataset not in DATASETS
    images = folder_settings(options, is_folder)
    recipe = recipes.recipe_of({"dataset": recipes.FOLDER if is_folder else options.dataset, **images})
    usual_rate = 0.05 if options.optimizer == "sgd" else recipe.learning_rate
    data = options.dataset if is_folder else options.data
    return {
        "dataset": recipes.FOLDER if is_folder else options.dataset,
        "data_folder": None if data is None else str(Path(data).absolute()),
        **images,
        "model": options.model,
        "epochs": options.epochs or recipe.epochs,
        "batch_size": options.batch or recipe.batch_size,
        "learning_rate": usual_rate if options.lr is None else options.lr,
        "optimizer": options.optimizer,
        "precision": options.precision,
        "seed": options.seed,
        "threads": dt.get_num_threads(),
        "isa": dt.get_isa(),
        "drivetrain": dt.__version__,
    }


def folder_settings(options: argparse.Namespace, is_folder: bool) -> dict[str, Any]:
    """The options of folders, which mean nothing for the data sets with names."""
    given = {name: getattr(options, name) for name in USUAL_OF_FOLDER}
    if not is_folder:
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ValueError(f"--{wrong[0].replace('_', '-')} is for folders of images")
        return {}
    if options.data is not None:
        raise ValueError("--data is for fashion_mnist; name the folder of images in its place")
    chosen = {name: USUAL_OF_FOLDER[name] if value is None else value for name, value in given.items()}
    values = (chosen[name] for name in ("size", "color", "augment", "test_share", "skip_damaged"))
    return {**dict(zip(FOLDER_SETTINGS, values, strict=True)), "classes": []}


def new_trainer(model: Any, config: dict[str, Any], folder: Path) -> Any:
    from ..train import BackupAndRestore, CSVLogger, ModelCheckpoint, Trainer
    from . import recipes

    return Trainer(
        model,
        loss="cross_entropy",
        optimizer=recipes.new_optimizer(config["optimizer"], model, config["learning_rate"]),
        metrics=["accuracy"],
        precision=config["precision"],
        seed=config["seed"],
        callbacks=[
            recipes.WarmupAndDecay(),
            CSVLogger(folder / runs.HISTORY),
            ModelCheckpoint(folder / runs.MODEL),
            BackupAndRestore(folder / runs.CHECKPOINTS, double_checkpoint=True),
        ],
    )


def save_interrupted(folder: Path, trainer: Any) -> None:
    """Keep the weights as they are now, in the middle of an epoch or not."""
    from ..io import save_model

    save_model(trainer.model, folder / runs.MODEL)
    done = len(trainer.history.epoch)
    runs.write_json(folder / runs.RESULTS, {"interrupted": True, "epochs_done": done})
    if done:
        draw_curves(folder, trainer)
    print(f"\nInterrupted after {done} whole epochs. What was trained is saved in {folder}")


def draw_curves(folder: Path, trainer: Any) -> bool:
    from ..train.plots import plot_history

    try:
        plot_history(trainer.history, folder / runs.CURVES)
    except ModuleNotFoundError as error:
        print(f"No pictures: {error}")
        return False
    return True


def draw(folder: Path, trainer: Any, images: Any, labels: Any, guesses: Any, names: tuple[str, ...]) -> None:
    from ..train.plots import plot_misclassified

    if draw_curves(folder, trainer):
        plot_misclassified(images, labels, guesses, folder / runs.MISCLASSIFIED, class_names=names)
