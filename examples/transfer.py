"""Transfer: what a network has learnt from clothes helps it with digits, of which it sees 20 per class.

    pip install "drivetrain[mnist5k,plot]"     # and apt install dataset-fashion-mnist
    python examples/transfer.py                # minutes on two cores
    python examples/transfer.py --small        # seconds, to try it out

A network is trained on Fashion-MNIST, gets a new head and is fine-tuned to 200 digits. Beside it the same
network learns the same 200 digits from nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, optim
from drivetrain.augment import Compose, RandomAffine, RandomCrop, RandomHorizontalFlip
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.train import Trainer
from drivetrain.train.plots import new_figure


def few_of_each(images: Any, labels: Any, count: int) -> tuple[Any, Any]:
    """The first images of each class, and up to 1,000 of the others to look at while training."""
    rows = np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)])
    others = np.setdiff1d(np.arange(len(labels)), rows)[:1000]
    return (images[rows], labels[rows]), (images[others], labels[others])


def train(model: Any, loader: DataLoader, epochs: int, lr: float, seed: int, validation: Any = None) -> Any:
    trainer = Trainer(
        model,
        loss="cross_entropy",
        optimizer=optim.AdamW(model.parameters()),
        metrics=["accuracy"],
        lr_scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=lr, epochs=epochs, steps_per_epoch=len(loader)
        ),
        seed=seed,
    )
    return trainer.fit(loader, epochs=epochs, validation_data=validation, verbose=0).history


def accuracy(model: Any, images: Any, labels: Any) -> float:
    model.eval()
    with dt.no_grad():
        logits = model(dt.asarray(images))
    return float(np.mean(logits.numpy().argmax(1) == labels))


def draw_curves(curves: dict[str, list[float]], title: str, path: str) -> None:
    figure = new_figure(6, 4)
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), [100 * value for value in values], label=name)
    axes.set(xlabel="epoch", ylabel="accuracy on validation digits, %", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=100)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, help="on the digits; default: 10")
    parser.add_argument("--per-class", type=int, default=20, help="digits of each class to learn from")
    parser.add_argument("--lr", type=float, default=4e-3, help="the largest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="2,000 images of clothes, a narrow network")
    parser.add_argument("--picture", default="transfer.png", help="where to save the curves")
    options = parser.parse_args(argv)
    epochs, seed = options.epochs or (4 if options.small else 10), options.seed

    clothes, kinds = datasets.fashion_mnist("train")
    (digits, labels), test = datasets.mnist5k(seed=seed)
    if options.small:
        clothes, kinds, test = clothes[:2000], kinds[:2000], (test[0][:300], test[1][:300])
    few, validation = few_of_each(digits, labels, options.per_class)
    if not len(validation[1]):
        parser.error(f"--per-class {options.per_class} leaves no digits to look at while training")

    def new_network() -> Any:
        return models.small_cnn(channels=(8, 16, 32) if options.small else (32, 64, 128))

    def loader(images: Any, labels: Any, batch_size: int, *transforms: Any) -> DataLoader:
        augment = Compose(list(transforms), seed=seed)
        data = ArrayDataset(images, labels)
        return DataLoader(data, batch_size, shuffle=True, drop_last=True, seed=seed, batch_transform=augment)

    start = time.perf_counter()
    dt.manual_seed(seed)
    model = new_network()
    clothes_loader = loader(clothes, kinds, 128, RandomCrop(28, padding=2), RandomHorizontalFlip())
    train(model, clothes_loader, 2 if options.small else 3, options.lr, seed)

    # The same few digits, the same augmentation and the same number of epochs, twice.
    digits_loader = loader(*few, 20, RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1)))
    models.replace_head(model, 10)
    tuned = models.fine_tune(
        model,
        digits_loader,
        epochs=epochs - 1,
        frozen_epochs=1,
        lr=2 * options.lr,  # halved once everything is trained
        validation_data=validation,
        seed=seed,
        verbose=0,
    ).history
    digits_loader = loader(*few, 20, RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1)))
    dt.manual_seed(seed)
    beginner = new_network()
    nothing = train(beginner, digits_loader, epochs, options.lr, seed, validation)
    seconds = time.perf_counter() - start

    curves = {"fine-tuned": tuned["val_accuracy"], "from nothing": nothing["val_accuracy"]}
    draw_curves(curves, f"digits, {options.per_class} per class", options.picture)
    figures = {
        "seed": seed,
        "epochs": epochs,
        "seconds": seconds,
        "validation": (tuned["val_accuracy"][-1], nothing["val_accuracy"][-1]),
        "fine_tuned": accuracy(model, *test),
        "from_nothing": accuracy(beginner, *test),
    }
    print(
        f"seed {seed}: {options.per_class} digits per class, {epochs} epochs, {seconds:.0f} s in all; "
        f"test accuracy fine-tuned {100 * figures['fine_tuned']:.1f}%, "
        f"from nothing {100 * figures['from_nothing']:.1f}%; "
        "on validation digits " + " and ".join(f"{100 * share:.1f}%" for share in figures["validation"])
    )
    return figures


if __name__ == "__main__":
    main()
