"""Clothes: a fast CNN or a ResNet-18 on Fashion-MNIST, with augmentation.

python examples/fashion_cnn.py                                     # the fast CNN, minutes on two cores
python examples/fashion_cnn.py --network resnet18                  # bfloat16, an hour and a half
python examples/fashion_cnn.py --network resnet18 --checkpoints run  # stopped, it goes on when called again
python examples/fashion_cnn.py --small                             # 2,000 images, seconds
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

import drivetrain as dt
from drivetrain import datasets, models, nn, optim
from drivetrain.augment import Compose, RandomCrop, RandomHorizontalFlip
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.train import Checkpoint, Trainer
from drivetrain.train.plots import plot_misclassified

EPOCHS = {"fast": 25, "resnet18": 40}
PRECISION = {"fast": "float32", "resnet18": "bfloat16"}


def new_network(name: str, small: bool) -> Any:
    if name == "fast":
        return models.fast_cnn(channels=(8, 16, 32, 64) if small else (32, 64, 128, 256))
    return models.resnet18(
        10,
        in_channels=1,
        base_width=8 if small else 32,
        small_images=True,
        zero_init_residual=True,
        scale=1 / 255,
    )


def accuracy(logits: Any, labels: Any) -> float:
    return float(np.mean(np.argmax(logits, axis=1) == labels))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", choices=EPOCHS, default="fast")
    parser.add_argument("--epochs", type=int, help="default: 25, resnet18: 40")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), help="resnet18: bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoints", help="folder to save every epoch in, and to go on from")
    parser.add_argument("--small", action="store_true", help="few images, a narrow network, two epochs")
    parser.add_argument("--picture", default="fashion_mnist.png", help="where to save what it gets wrong")
    options = parser.parse_args(argv)
    epochs = options.epochs or (2 if options.small else EPOCHS[options.network])
    precision = options.precision or PRECISION[options.network]

    (images, labels), (test_images, test_labels) = datasets.fashion_mnist()
    if options.small:
        images, labels = images[:2000], labels[:2000]
        test_images, test_labels = test_images[:500], test_labels[:500]

    augment = Compose([RandomCrop(28, padding=2), RandomHorizontalFlip()], seed=options.seed)
    loader = DataLoader(
        ArrayDataset(images, labels),
        batch_size=32 if options.small else 128,
        shuffle=True,
        drop_last=True,
        seed=options.seed,
        batch_transform=augment,
    )
    dt.manual_seed(options.seed)
    model = new_network(options.network, options.small)
    trainer = Trainer(
        model,
        loss=nn.CrossEntropyLoss(label_smoothing=0.1),
        optimizer=optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
        metrics=["accuracy"],
        lr_scheduler=lambda optimizer: optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=0.1, epochs=epochs, steps_per_epoch=len(loader), cycle_momentum=False
        ),
        precision=precision,
        seed=options.seed,
    )
    saving = [Checkpoint(options.checkpoints)] if options.checkpoints else []
    start = time.perf_counter()
    trainer.fit(loader, epochs=epochs, callbacks=saving, resume="auto" if saving else None)
    seconds = time.perf_counter() - start

    logits = trainer.predict(test_images, batch_size=250, verbose=0)
    mirrored = trainer.predict(test_images[:, :, ::-1], batch_size=250, verbose=0)
    figures = {
        "seed": options.seed,
        "epochs": epochs,
        "seconds": seconds,
        "test_accuracy": accuracy(logits, test_labels),
        "test_accuracy_with_mirror_images": accuracy(logits + mirrored, test_labels),
    }
    plot_misclassified(
        test_images,
        test_labels,
        np.argmax(logits, axis=1),
        options.picture,
        class_names=datasets.FASHION_CLASSES,
        max_images=12,
    )
    print(
        f"{options.network}, {precision}, seed {options.seed}: {epochs} epochs in {seconds:.0f} s, "
        f"test accuracy {100 * figures['test_accuracy']:.2f}%, "
        f"{100 * figures['test_accuracy_with_mirror_images']:.2f}% as the mean over mirror images"
    )
    return figures


if __name__ == "__main__":
    main()
