"""Segmentation: a U-Net that finds nuclei in a micrograph.

    pip install --no-deps stardist             # for its sample picture
    python examples/nuclei.py                  # minutes on two cores
    python examples/nuclei.py --small          # seconds, to try it out

The left three quarters of one micrograph are for training, the right quarter for testing. Augmentation moves
the masks along with the images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, optim
from drivetrain.augment import Compose, RandomAffine, RandomHorizontalFlip, RandomVerticalFlip
from drivetrain.data import ArrayDataset, DataLoader, show_images
from drivetrain.train import Trainer


def overlap(predicted: Any, truth: Any) -> float:
    """Intersection over union of the nuclei."""
    return float(np.sum(predicted & truth) / np.sum(predicted | truth))


def side_by_side(images: Any, masks: Any, predicted: Any) -> list[Any]:
    """For each image three: itself, its mask, the mask that was predicted."""
    bright = [np.clip(2 * image.astype(np.int64), 0, 255) for image in images]
    rows = zip(bright, 255 * masks[..., None], 255 * predicted[..., None], strict=True)
    return [part.astype(np.uint8) for row in rows for part in row]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, help="default: 20")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="small tiles, a narrow network, three epochs")
    parser.add_argument("--picture", default="nuclei.png", help="where to save images, masks and predictions")
    options = parser.parse_args(argv)
    epochs = options.epochs or (3 if options.small else 20)

    tiles = {"size": 64, "stride": 32} if options.small else {"size": 128, "stride": 48}
    (images, masks), (test_images, test_masks) = datasets.nuclei(**tiles)
    augment = Compose(
        [
            RandomAffine(180, scale=(0.8, 1.25), fill_mode="reflect"),
            RandomHorizontalFlip(),
            RandomVerticalFlip(),
        ],
        parts=("images", "masks"),
        seed=options.seed,
    )
    loader = DataLoader(
        ArrayDataset(images, masks),
        8,
        shuffle=True,
        drop_last=True,
        seed=options.seed,
        batch_transform=augment,
    )

    dt.manual_seed(options.seed)
    model = models.unet(2, in_channels=1, base_width=8 if options.small else 16, scale=1 / 64)
    trainer = Trainer(
        model,
        loss="cross_entropy",  # of two classes, at every pixel
        optimizer=optim.AdamW(model.parameters()),
        metrics=["accuracy"],
        lr_scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=3e-3, epochs=epochs, steps_per_epoch=len(loader)
        ),
        seed=options.seed,
    )
    start = time.perf_counter()
    trainer.fit(loader, epochs=epochs)
    seconds = time.perf_counter() - start

    predicted = np.argmax(trainer.predict(test_images, batch_size=8), axis=3)
    figures = {
        "seed": options.seed,
        "epochs": epochs,
        "seconds": seconds,
        "test_accuracy": float(np.mean(predicted == test_masks)),
        "test_iou": overlap(predicted, test_masks),
    }
    shown = side_by_side(test_images[:3], test_masks[:3], predicted[:3])
    show_images(shown, 9, labels=["image", "mask", "prediction"] * 3, columns=3, path=options.picture)
    print(
        f"seed {options.seed}: {epochs} epochs in {seconds:.0f} s, test pixels "
        f"{100 * figures['test_accuracy']:.2f}% right, intersection over union {figures['test_iou']:.3f}"
    )
    return figures


if __name__ == "__main__":
    main()
