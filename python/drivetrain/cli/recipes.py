"""What ``drivetrain train`` does with each data set when nothing else is asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import datasets, models, optim
from ..train.callbacks import Callback, Logs
from . import folders


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A data set with the settings that train a good network on it."""

    load: Callable[..., Any]
    input_shape: tuple[int, int, int]
    largest: int  # value of a pixel full of ink
    channels: tuple[int, int, int]
    epochs: int
    batch_size: int
    learning_rate: float = 3e-3
    class_names: tuple[str, ...] = tuple("0123456789")
    has_folder: bool = False


RECIPES = {
    "digits": Recipe(datasets.digits, (8, 8, 1), 16, channels=(16, 32, 32), epochs=20, batch_size=32),
    "mnist5k": Recipe(datasets.mnist5k, (28, 28, 1), 255, channels=(16, 32, 64), epochs=15, batch_size=32),
    "fashion_mnist": Recipe(
        datasets.fashion_mnist,
        (28, 28, 1),
        255,
        channels=(16, 48, 96),
        epochs=10,
        batch_size=64,
        class_names=datasets.FASHION_CLASSES,
        has_folder=True,
    ),
}
FOLDER = "folder"  # of class folders, instead of a data set by name
SMALL_MODELS = ("small_cnn", "lenet", "mlp")
MODELS = (*SMALL_MODELS, "resnet20", "resnet18", "mobilenet_v2")
OPTIMIZERS = ("adamw", "adam", "sgd")


def recipe_of(config: Mapping[str, Any]) -> Recipe:
    """The data set that a run's configuration names."""
    if config["dataset"] != FOLDER:
        return RECIPES[config["dataset"]]
    height, width = config["image_size"]
    return Recipe(
        load_nothing,
        (height, width, 1 if config["color_mode"] == "grayscale" else 3),
        255,
        channels=(32, 64, 128),
        epochs=30,
        batch_size=32,
        class_names=tuple(config["classes"]),
        has_folder=True,
    )


def load_nothing(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a folder is read by cli.folders")


def load_part(
    config: Mapping[str, Any], split: str, folder: str | None, files: folders.Files | None
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return images and labels of a part of a data set; ``files`` are those of a folder."""
    if files is not None:
        return folders.load_part(files, split, {**config, "data_folder": folder})
    dataset = config["dataset"]
    recipe = RECIPES[dataset]
    if folder is not None and not recipe.has_folder:
        raise ValueError(f"{dataset} is not read from a folder: leave out --data")
    images, labels = recipe.load(split, folder=folder) if recipe.has_folder else recipe.load(split)
    return images, labels


def new_model(name: str, recipe: Recipe) -> Any:
    """Return an untrained model for the images of a data set."""
    options: dict[str, Any] = {"scale": 1 / recipe.largest}
    function: Callable[..., Any] = getattr(models, name)
    height, width, channels = recipe.input_shape
    if name not in SMALL_MODELS:
        if name != "resnet20":
            options["small_images"] = min(height, width) < 64
        return function(len(recipe.class_names), in_channels=channels, **options)
    if name == "small_cnn":
        options["channels"] = recipe.channels
    return function(recipe.input_shape, len(recipe.class_names), **options)


def new_optimizer(name: str, model: Any, learning_rate: float) -> Any:
    parameters = model.parameters()
    if name == "adamw":
        return optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    if name == "adam":
        return optim.Adam(parameters, lr=learning_rate)
    return optim.SGD(parameters, lr=learning_rate, momentum=0.9, nesterov=True)


class WarmupAndDecay(Callback):
    """Raises the learning rate linearly over the first tenth of all steps, and lowers it to 0 over the rest.

    Large steps find good weights, small ones at the end settle in them: worth half a percent of accuracy
    here.
    """

    warmup = 0.1

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.step = 0
        self.steps = self.params["epochs"] * self.params["steps"]
        self.peaks = [group["lr"] for group in self.trainer.optimizer.param_groups]

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        done = (self.step + 1) / (self.steps + 1)
        factor = done / self.warmup if done < self.warmup else (1 - done) / (1 - self.warmup)
        for group, peak in zip(self.trainer.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * factor
        self.step += 1

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "peaks": self.peaks}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step, self.peaks = int(state["step"]), list(state["peaks"])
