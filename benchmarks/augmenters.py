"""One library's side of `python -m benchmarks augmentation`, a program in that library's interpreter.

python benchmarks/augmenters.py LIBRARY THREADS

It reads lines "CASE SECONDS" and answers each with a line of JSON: how many images it made in how many
seconds, or why it cannot. It imports nothing of this project but what it measures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

BATCH = 64
SIZE = 224
CROP = 128
Function = Callable[[], Any]


def photographs() -> Any:
    """Smooth pictures with some noise, uint8 (batch, 224, 224, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    phases = rng.uniform(0, 6, (BATCH, 1, 1, 3))
    waves = np.sin(7 * x[..., None] + phases) * np.cos(5 * y[..., None] - phases)
    return np.clip(127 + 100 * waves + rng.normal(0, 8, (BATCH, SIZE, SIZE, 3)), 0, 255).astype(np.uint8)


def drivetrain(threads: int) -> dict[str, Function]:
    import drivetrain as dt
    from drivetrain import augment as a

    dt.set_num_threads(threads)
    images = dt.from_numpy(photographs())
    numbers = photographs()
    warp = a.Compose(
        [
            a.RandomRotation(20, fill_mode="nearest"),
            a.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            a.RandomHorizontalFlip(),
        ]
    )
    generator = a.ImageDataGenerator(
        rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )
    flow = generator.flow(numbers, batch_size=BATCH, shuffle=False, seed=0)
    crop = a.RandomResizedCrop(CROP)
    flip = a.RandomHorizontalFlip()
    found: dict[str, Function] = {
        "warp": lambda: warp(images),
        "generator": lambda: next(flow),
        "crop": lambda: crop(images),
        "flip": lambda: flip(images),
        "smaller": lambda: a.Resize(CROP)(images),
        "larger": lambda: a.Resize(320)(images),
        "cubic": lambda: a.Resize(CROP, "bicubic")(images),
    }
    if hasattr(a, "ColorJitter"):
        jitter = a.ColorJitter(0.4, 0.4, 0.4, 0.1)
        found["jitter"] = lambda: jitter(images)
    return found


def albumentations(threads: int) -> dict[str, Function]:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as a
    import cv2

    cv2.setNumThreads(threads)
    images = photographs()
    affine = {"rotate": (-20, 20), "translate_percent": (-0.1, 0.1), "border_mode": cv2.BORDER_REPLICATE}
    transforms = {
        "warp": [a.Affine(p=1, **affine), a.HorizontalFlip(p=0.5)],
        "crop": [a.RandomResizedCrop((CROP, CROP), p=1)],
        "flip": [a.HorizontalFlip(p=0.5)],
        "jitter": [a.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=1)],
    }

    def one_by_one(chain: Any) -> Function:
        return lambda: [chain(image=image)["image"] for image in images]

    return {name: one_by_one(a.Compose(steps)) for name, steps in transforms.items()}


def pillow(threads: int) -> dict[str, Function]:
    from PIL import Image, ImageEnhance

    images = [Image.fromarray(image) for image in photographs()]
    rng = np.random.default_rng(1)

    def warp() -> Any:
        made = []
        for image in images:
            angle, x, y = rng.uniform(-20, 20), *rng.uniform(-22, 22, 2)
            turned = image.rotate(angle, Image.Resampling.BILINEAR, translate=(x, y))
            made.append(turned.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else turned)
        return made

    def crop() -> Any:
        made = []
        for image in images:
            area, ratio = rng.uniform(0.08, 1) * SIZE * SIZE, np.exp(rng.uniform(-0.288, 0.288))
            w, h = min(round((area * ratio) ** 0.5), SIZE), min(round((area / ratio) ** 0.5), SIZE)
            x, y = rng.integers(0, SIZE - w + 1), rng.integers(0, SIZE - h + 1)
            made.append(image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=(x, y, x + w, y + h)))
        return made

    def flip() -> Any:
        mirrored = Image.Transpose.FLIP_LEFT_RIGHT
        return [image.transpose(mirrored) if rng.random() < 0.5 else image.copy() for image in images]

    def jitter() -> Any:
        made = []
        for image in images:
            changed = image
            for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
                changed = kind(changed).enhance(rng.uniform(0.6, 1.4))
            hue = np.array(changed.convert("HSV"))
            hue[..., 0] += np.uint8(rng.integers(0, 51))
            made.append(Image.fromarray(hue, "HSV").convert("RGB"))
        return made

    def resize(size: int, how: Any) -> Function:
        return lambda: [image.resize((size, size), how) for image in images]

    return {
        "warp": warp,
        "crop": crop,
        "flip": flip,
        "jitter": jitter,
        "smaller": resize(CROP, Image.Resampling.BILINEAR),
        "larger": resize(320, Image.Resampling.BILINEAR),
        "cubic": resize(CROP, Image.Resampling.BICUBIC),
    }


def keras_generator(threads: int) -> dict[str, Function]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rotation_range=20, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )
    flow = generator.flow(photographs(), batch_size=BATCH, shuffle=False, seed=0)
    return {"warp": lambda: next(flow), "generator": lambda: next(flow)}


def keras_layers(threads: int) -> dict[str, Function]:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras

    images = tf.constant(photographs())
    layer = keras.layers

    def compiled(*layers: Any) -> Function:
        @tf.function
        def all_of_them(batch: Any) -> Any:
            for each in layers:
                batch = each(batch, training=True)
            return batch

        return lambda: all_of_them(images).numpy()

    found = {
        "warp": compiled(
            layer.RandomRotation(20 / 360, fill_mode="nearest"),
            layer.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            layer.RandomFlip("horizontal"),
        ),
        "flip": compiled(layer.RandomFlip("horizontal")),
    }
    if hasattr(layer, "RandomColorJitter"):
        jitter = layer.RandomColorJitter((0, 255), 0.4, 0.4, 0.4, 0.1)
        found["jitter"] = compiled(jitter)
    return found


LIBRARIES = {
    "drivetrain": drivetrain,
    "albumentations": albumentations,
    "pillow": pillow,
    "keras-generator": keras_generator,
    "keras-layers": keras_layers,
}
SIDES = {"warp": SIZE, "generator": SIZE, "crop": CROP, "flip": SIZE, "jitter": SIZE, "smaller": CROP}


def check(case: str, made: Any) -> None:
    """All images are there and have the size that was asked for."""
    first = np.asarray(made[0])
    side = {**SIDES, "larger": 320, "cubic": CROP}[case]
    if len(made) != BATCH or first.shape != (side, side, 3) or not 15 < float(first.mean()) < 240:
        raise ValueError(f"{case}: {len(made)} images of shape {first.shape}, mean {float(first.mean()):.1f}")


def main() -> None:
    library, threads = sys.argv[1], int(sys.argv[2])
    functions = LIBRARIES[library](threads)
    ready: set[str] = set()
    print(json.dumps(sorted(functions)), flush=True)
    for line in sys.stdin:
        case, seconds = line.split()
        function = functions[case]
        if case not in ready:
            check(case, function())
            function()
            ready.add(case)
            print(json.dumps("ready"), flush=True)
            continue
        images, start = 0, time.perf_counter()
        while time.perf_counter() - start < float(seconds):
            function()
            images += BATCH
        print(json.dumps([images, time.perf_counter() - start]), flush=True)


if __name__ == "__main__":
    main()
