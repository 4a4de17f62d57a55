"""A folder of photographs: which of 16 photographs was a patch cut out of?

    pip install "drivetrain[photographs,images,plot]"
    python examples/photographs.py             # a minute on two cores
    python examples/photographs.py --small     # four epochs of a narrow network

Train and test are different places of the same photographs. With ``--folder`` it takes any folder that has
``train`` and ``test`` with a folder for each class.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, nn, optim
from drivetrain.augment import Compose, RandomHorizontalFlip, RandomResizedCrop
from drivetrain.data import image_dataset_from_directory
from drivetrain.metrics.plots import plot_confusion_matrix
from drivetrain.train import Trainer


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--folder", type=Path, help="default: photographs, which is made")
    parser.add_argument("--epochs", type=int, help="default: 40")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--pictures", type=Path, default=Path(), help="folder to save pictures in")
    options = parser.parse_args(argv)
    epochs = options.epochs or (4 if options.small else 40)
    folder = options.folder or datasets.photographs("photographs")
    size = 32 if options.small else 64

    augment = Compose(
        [RandomResizedCrop(size, scale=(0.4, 1.0)), RandomHorizontalFlip()],
        seed=options.seed,
    )
    train = image_dataset_from_directory(
        folder / "train",
        image_size=(size, size),
        seed=options.seed,
        cache="memory",
        batch_transform=augment,
        verbose=False,
    )
    test = image_dataset_from_directory(
        folder / "test", image_size=(size, size), shuffle=False, cache="memory", verbose=False
    )
    train.show_batch(15, class_names=train.class_names, columns=5, path=options.pictures / "photographs.png")

    dt.manual_seed(options.seed)
    model = models.resnet18(
        len(train.class_names), base_width=8 if options.small else 16, zero_init_residual=True, scale=1 / 255
    )
    trainer = Trainer(
        model,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=optim.AdamW(model.parameters(), weight_decay=0.05),
        metrics=["accuracy"],
        lr_scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=4e-3, epochs=epochs, steps_per_epoch=len(train)
        ),
        seed=options.seed,
    )
    start = time.perf_counter()
    trainer.fit(train, epochs=epochs)
    seconds = time.perf_counter() - start

    truth = test.dataset.targets
    predicted = np.argmax(trainer.predict(test), axis=1)
    accuracy = float(np.mean(predicted == truth))
    plot_confusion_matrix(
        truth, predicted, options.pictures / "photographs_confusion.png", class_names=test.class_names
    )
    print(
        f"seed {options.seed}: {epochs} epochs in {seconds:.0f} s, {100 * accuracy:.1f}% of {len(truth)} "
        f"test patches in {len(test.class_names)} classes"
    )
    return {"seed": options.seed, "epochs": epochs, "seconds": seconds, "test_accuracy": accuracy}


if __name__ == "__main__":
    main()
