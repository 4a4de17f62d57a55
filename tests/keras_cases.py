"""What the tests compare ImageDataGenerator with Keras's on, and what Keras gives there.

``tools/record_keras.py`` writes it to ``tests/reference/keras_generator.npz``; where Keras is installed the
tests compute it again.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

SIZES = {"wide": (11, 17, 3), "tall": (16, 9, 1), "square": (14, 14, 4)}

TRANSFORMS: list[dict[str, Any]] = [
    {"theta": 20.0},
    {"theta": -75.5},
    {"tx": 2.25, "ty": -3.3},
    {"shear": 15.0, "tx": 0.3, "ty": 0.2},
    {"zx": 0.73, "zy": 1.37},
    {"flip_horizontal": True},
    {"flip_vertical": True},
    {"channel_shift_intensity": 40.0},
    {"channel_shift_intensity": -25.5, "theta": 10.0},
    {"brightness": 0.6},
    {"brightness": 1.7, "flip_horizontal": True},
    {
        "theta": 33.0,
        "tx": 1.5,
        "ty": 2.0,
        "shear": -12.0,
        "zx": 0.9,
        "zy": 1.2,
        "flip_horizontal": True,
        "flip_vertical": True,
        "channel_shift_intensity": 12.0,
        "brightness": 1.1,
    },
]
LOOKS = [
    {"fill_mode": mode, "interpolation_order": order, "cval": 37.0}
    for mode in ("nearest", "constant", "reflect", "wrap")
    for order in (0, 1)
]
DRAWN: list[dict[str, Any]] = [
    {"rotation_range": 30},
    {"width_shift_range": 0.2, "height_shift_range": 3.5},
    {"width_shift_range": 4, "height_shift_range": [0.1, 0.3]},
    {"width_shift_range": [-2, 5, 7], "shear_range": 10.0},
    {"zoom_range": 0.3, "horizontal_flip": True, "vertical_flip": True},
    {"zoom_range": [0.5, 0.8], "channel_shift_range": 20.0, "brightness_range": (0.4, 1.6)},
    {"rotation_range": 10, "width_shift_range": 0.1, "zoom_range": (1, 1), "vertical_flip": True},
]
FITTED: list[dict[str, Any]] = [
    {"featurewise_center": True},
    {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 0.5},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 1e-3},
]
SEEDS = (0, 1, 7)


def image(name: str) -> Any:
    """Smooth with some noise, from 0 to 255."""
    height, width, channels = SIZES[name]
    y, x, c = np.mgrid[:height, :width, :channels]
    noise = np.random.RandomState(3).uniform(-30, 30, (height, width, channels))
    waves = 127 + 90 * np.sin(x / 2.5 + c) * np.cos(y / 3.5 - c)
    return np.clip(waves + noise, 0, 255).astype(np.float32)


def beyond() -> Any:
    """With values below 0 and above 255."""
    return image("wide") * np.float32(1.5) - np.float32(60)


def batch() -> Any:
    return np.random.RandomState(5).uniform(0, 255, (12, 4, 5, 3)).astype(np.float32)


def rounded(values: Any) -> Any:
    """To a 64th, so that the file stays small."""
    return np.asarray(np.round(np.asarray(values, np.float32) * 64) / 64, np.float32)


def compute(generator: Any) -> dict[str, Any]:
    """All cases with a class ImageDataGenerator."""
    found: dict[str, Any] = {}
    for name in SIZES:
        looks = LOOKS if name == "wide" else LOOKS[1:4]
        for number, parameters in enumerate(TRANSFORMS):
            moves = set(parameters) & {"theta", "tx", "shear", "zx"}
            for place, look in enumerate(looks if moves else LOOKS[:1]):
                made = generator(**look).apply_transform(image(name), parameters)
                found[f"{name} {number} {place}"] = rounded(made)
    found["beyond"] = rounded(generator().apply_transform(beyond(), {"brightness": 1.3}))
    first = np.moveaxis(image("wide"), 2, 0)
    # Keras's brightness takes the last axis for that of the channels.
    parameters = {name: value for name, value in TRANSFORMS[-1].items() if name != "brightness"}
    made = generator(data_format="channels_first").apply_transform(first, parameters)
    found["channels_first"] = rounded(made)
    drawn = []
    for arguments in DRAWN:
        each = generator(**arguments)
        drawn.append([each.get_random_transform((10, 20, 3), seed=seed) for seed in SEEDS])
    found["drawn"] = np.array(json.dumps(drawn, default=float))
    for number, arguments in enumerate(FITTED):
        each = generator(**arguments)
        each.fit(batch())
        found[f"fitted {number}"] = np.stack([each.standardize(one.copy()) for one in batch()])
    return found
