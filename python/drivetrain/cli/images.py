"""Image files as the input of a network."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import need


def read_image(
    path: str, shape: tuple[int, int, int], largest: int, invert: str = "auto"
) -> NDArray[np.float32]:
    """Read an image as greyscale of ``shape`` (height, width, 1), with 0 for background and ``largest`` for
    ink.

    ``drivetrain predict --help`` describes the steps.

    Raises:
        ModuleNotFoundError: Without Pillow; the message says the command that installs it.
        FileNotFoundError: When there is no such file.
        ValueError: When it is no image, truncated, or of a size that only an attack has.
    """
    need("reading images", "PIL", "Pillow", "images")
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns of a decompression bomb first and raises only at twice that size.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                grey = to_grey(image)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, expected an image") from None
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no image that Pillow can read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{path} is too large ({error})") from None
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f"{path} is truncated or damaged ({error})") from error
    if invert == "yes" or (invert == "auto" and background(grey) > 127.5):
        grey = 255 - grey
    return resize(grey, shape[:2])[..., None] * np.float32(largest / 255)


def read_photograph(path: str, shape: tuple[int, int, int], invert: str = "auto") -> NDArray[np.uint8]:
    """Read an image as a network gets it that was trained on a folder: scaled to ``shape``, in its colours.

    Raises:
        ModuleNotFoundError, FileNotFoundError, ValueError: As ``read_image``.
    """
    from ..data import ImageReader

    reader = ImageReader(shape[:2], color_mode="grayscale" if shape[2] == 1 else "rgb")
    try:
        pixels = reader.read(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    return 255 - pixels if invert == "yes" else pixels


def to_grey(image: Any) -> NDArray[np.float32]:
    """Return brightness from 0 to 255, with transparent parts white."""
    if image.mode.startswith(("I", "F")):
        # 16 bits and more: Pillow would cut them off at 255.
        values = np.asarray(image, np.float32)
        top = float(values.max(initial=0))
        top = 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
        brightness: NDArray[np.float32] = np.clip(values * (255.0 / top), 0, 255).astype(np.float32)
        return brightness
    from PIL import Image

    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("L"), np.float32)


def background(grey: NDArray[np.float32]) -> float:
    """The median of the pixels at the edge."""
    return float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))


def resize(grey: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Pad to the aspect ratio of ``size`` with the background, then scale with an area filter."""
    height, width = grey.shape
    if (height, width) == tuple(size):
        return grey
    from PIL import Image

    scale = max(height / size[0], width / size[1])
    frame = (max(height, round(size[0] * scale)), max(width, round(size[1] * scale)))
    canvas = np.full(frame, background(grey), np.float32)
    top, left = (frame[0] - height) // 2, (frame[1] - width) // 2
    canvas[top : top + height, left : left + width] = grey
    small = Image.fromarray(canvas).resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(small, np.float32)
