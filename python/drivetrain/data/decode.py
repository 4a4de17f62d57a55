"""From an image file to an array of pixels, by documented rules and on any number of threads."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import struct
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._arguments import checks_names
from .._checks import choice, flag, integer
from .._extras import need

COLOR_MODES = {"rgb": 3, "rgba": 4, "grayscale": 1}
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
ASPECTS = ("stretch", "crop", "pad")
ORIENTATION = 0x0112  # the tag of EXIF
SETTINGS = (
    "color_mode",
    "interpolation",
    "aspect",
    "background",
    "padding",
    "orientation",
    "decoder",
    "scaled_decoding",
)
JPEGS = ("JPEG", "MPO")  # several in one file are MPO
DECODERS = ("auto", "pillow", "simplejpeg")
# What Pillow may take a file for, whatever its name: none that runs other programs, as EPS does.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "TIFF", "WEBP", "JPEG2000")
LONGEST = 2**16  # pixels of a side of what images are scaled to
#: As many as Pillow warns about: a photograph of 9,459 x 9,459.
MAX_PIXELS = 89_478_485
# Spellings of Keras and others.
ALIASES = {
    "area": "box",
    "lanczos3": "lanczos",
    "lanczos5": "lanczos",
    "cubic": "bicubic",
    "linear": "bilinear",
}

Pixels = NDArray[np.uint8]


class ImageError(ValueError):
    """A file that is no image, or a damaged or too large one. ``path`` is its name.

    Example:
        >>> from drivetrain.data import ImageError
        >>> raise ImageError("cat.png", "is truncated")
        Traceback (most recent call last):
        ...
        drivetrain.data.decode.ImageError: cat.png is truncated
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path, self.problem = path, problem

    def __reduce__(self) -> tuple[Any, ...]:
        return ImageError, (self.path, self.problem)


class ImageReader:
    """Reads image files as uint8 arrays (height, width, channels): JPEG, PNG, GIF, BMP, PPM, TIFF, WebP and
    JPEG 2000.

    Whatever a file holds becomes 8 bits of the wanted colours: palettes and CMYK become RGB, transparent
    parts are laid on ``background`` (with ``"rgba"`` they stay), 16 bits per channel are divided by 257, of
    an animation the first image is taken, and photographs are turned upright as their EXIF data says.

    Args:
        size ((height, width), optional): Scale to this size. Default: as the file is.
        color_mode ("rgb", "rgba" or "grayscale", default "rgb"): 3, 4 or 1 channels.
        interpolation (str, default "bilinear"): "nearest", "bilinear", "bicubic", "lanczos", "box" or
            "hamming"; all but "nearest" look at every pixel when an image gets smaller (antialiasing).
        aspect ("stretch", "crop" or "pad", default "stretch"): What becomes of an image of other proportions:
            distorted, cut at both sides, or filled up with ``padding``.
        background (int from 0 to 255, default 255): Grey under transparent parts. None drops transparency
            without looking, as Keras does.
        padding (int from 0 to 255, default 0): Grey of what ``aspect="pad"`` adds.
        orientation (bool, default True): Turn photographs as EXIF says.
        decoder ("auto", "pillow" or "simplejpeg", default "auto"): What decodes JPEG: "auto" takes simplejpeg
            where it is installed. Both are libjpeg-turbo: pixels are the same where its versions are.
        scaled_decoding (bool, default True): Let the JPEG decoder give half, a quarter or an eighth of the
            size where that is still at least twice the wanted ``size``.
        max_pixels (int, default 89,478,485): Larger images are refused before memory is taken for them. A
            limit above Pillow's ``PIL.Image.MAX_IMAGE_PIXELS`` raises that as well, for the whole process.

    Raises:
        ModuleNotFoundError: Without Pillow, or simplejpeg where it was asked for.
        ValueError, TypeError: For arguments out of range.

    Example:
        >>> import tempfile, pathlib
        >>> import numpy as np
        >>> from PIL import Image
        >>> path = pathlib.Path(tempfile.mkdtemp(), "grey.png")
        >>> Image.fromarray(np.full((4, 6), 7, np.uint8)).save(path)
        >>> ImageReader().read(path).shape, ImageReader(size=(2, 2), color_mode="grayscale").read(path).shape
        ((4, 6, 3), (2, 2, 1))
    """

    @checks_names
    def __init__(
        self,
        size: Any = None,
        *,
        color_mode: str = "rgb",
        interpolation: str = "bilinear",
        aspect: str = "stretch",
        background: int | None = 255,
        padding: int = 0,
        orientation: bool = True,
        decoder: str = "auto",
        scaled_decoding: bool = True,
        max_pixels: int = MAX_PIXELS,
        where: str = "ImageReader",
    ) -> None:
        images = need("reading images", "PIL.Image", "Pillow", "images")
        self.size = None if size is None else check_size(where, size)
        self.color_mode = choice(where, "color_mode", color_mode, tuple(COLOR_MODES))
        self.channels = COLOR_MODES[color_mode]
        wanted = (
            ALIASES.get(interpolation, interpolation) if isinstance(interpolation, str) else interpolation
        )
        self.interpolation = choice(where, "interpolation", wanted, INTERPOLATIONS)
        self.aspect = choice(where, "aspect", aspect, ASPECTS)
        self.background = None if background is None else integer(where, "background", background, 0, 255)
        self.padding = integer(where, "padding", padding, 0, 255)
        self.orientation = flag(where, "orientation", orientation)
        self.scaled_decoding = flag(where, "scaled_decoding", scaled_decoding)
        self.max_pixels = integer(where, "max_pixels", max_pixels)
        if images.MAX_IMAGE_PIXELS is not None and self.max_pixels > images.MAX_IMAGE_PIXELS:
            images.MAX_IMAGE_PIXELS = self.max_pixels
        has_simplejpeg = importlib.util.find_spec("simplejpeg") is not None
        choice(where, "decoder", decoder, DECODERS)
        self.decoder = ("simplejpeg" if has_simplejpeg else "pillow") if decoder == "auto" else decoder
        self._simplejpeg: Any = None
        if self.decoder == "simplejpeg":
            self._simplejpeg = need("decoder='simplejpeg'", "simplejpeg", "simplejpeg", "jpeg")
        self._local = threading.local()
        self._resampling = images.Resampling[self.interpolation.upper()]

    def settings(self) -> dict[str, Any]:
        """All that pixels depend on beside the file: plain values, good for JSON."""
        size = None if self.size is None else list(self.size)
        return {"size": size, **{name: getattr(self, name) for name in SETTINGS}}

    def read(self, path: str | os.PathLike[str], out: Pixels | None = None) -> Pixels:
        """Read a file.

        Args:
            path (path): The file.
            out (uint8 array, optional): To be written and returned, if the image has its shape.

        Returns:
            uint8 array (height, width, channels)

        Raises:
            ImageError: A ValueError that names a file that is no image, truncated, damaged or too large.
            OSError: When it cannot be opened.
        """
        name = os.fspath(path)
        if "\0" in os.fsdecode(name):
            raise ImageError(repr(name), "is no path: it has a null byte")
        try:
            with open(name, "rb") as file:
                data = file.read()
        except IsADirectoryError:
            raise ImageError(name, "is a folder, expected an image") from None
        return self.decode(data, name, out)

    def decode(self, data: bytes, name: str = "image", out: Pixels | None = None) -> Pixels:
        """The same for the bytes of a file."""
        if not data:
            raise ImageError(name, "is empty")
        try:
            if self._simplejpeg is not None and data[:3] == b"\xff\xd8\xff":
                pixels = self._decode_jpeg(data, name, out)
                if pixels is not None:
                    return pixels
            return self._decode_by_pillow(data, name, out)
        except (ImageError, MemoryError):
            raise
        except Exception as error:
            # Decoders of damaged files raise whatever comes up: struct.error, SyntaxError, IndexError, ...
            raise ImageError(name, explain(error)) from error

    def _decode_by_pillow(self, data: bytes, name: str, out: Pixels | None) -> Pixels:
        import io

        from PIL import Image, ImageOps

        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            self._check_pixels(name, *image.size)
            if image.format == "TIFF":
                silence_libtiff()
            if image.format in JPEGS:
                factor = self._factor(image.height, image.width)
                # Pillow takes the largest factor that leaves at least this.
                least = image.width // factor, image.height // factor
                image.draft("L" if self.channels == 1 else None, least)
            upright: Any = image
            # Asked of the bytes, which is less work; a turning copies the image.
            may_turn = self.orientation and (image.format not in JPEGS or exif_orientation(data) != 1)
            if may_turn and image.getexif().get(ORIENTATION, 1) != 1:
                upright = ImageOps.exif_transpose(image)
            return self._finish(self._in_color_mode(upright), out)

    def _decode_jpeg(self, data: bytes, name: str, out: Pixels | None) -> Pixels | None:
        """By simplejpeg; None where Pillow has to do it: rare colours, turned images, damage."""
        if self.orientation and exif_orientation(data) != 1:
            return None
        try:
            height, width, colors, _ = self._simplejpeg.decode_jpeg_header(data)
        except ValueError:
            return None
        self._check_pixels(name, height, width)
        if colors not in ("YCbCr", "Gray", "GRAY") or self.channels == 4:
            return None
        least = scaled((height, width), self._factor(height, width))
        shape = (*least, self.channels)
        fits = self.size is None or self.size == least
        buffer: Pixels
        if not fits:
            buffer = self._scratch(shape)
        elif out is not None and out.shape == shape and is_dense(out):
            buffer = out
        else:
            buffer = np.empty(shape, np.uint8)
        try:
            pixels: Pixels = self._simplejpeg.decode_jpeg(
                data, "GRAY" if self.channels == 1 else "RGB", False, False, *least, 1.0, buffer
            )
        except ValueError:
            return None
        if fits:
            return buffer if pixels.shape == shape else None
        from PIL import Image

        return self._finish(Image.fromarray(pixels[..., 0] if self.channels == 1 else pixels), out)

    def _scratch(self, shape: tuple[int, ...]) -> Pixels:
        """Memory of this thread for what is scaled at once: new memory would cost a fault per page."""
        size = int(np.prod(shape))
        there: Pixels | None = getattr(self._local, "scratch", None)
        if there is None or there.size < size:
            there = self._local.scratch = np.empty(size, np.uint8)
        return there[:size].reshape(shape)

    def _check_pixels(self, name: str, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise ImageError(
                name, f"has {width} x {height} pixels, more than the {self.max_pixels:,} of max_pixels"
            )

    def _factor(self, height: int, width: int) -> int:
        """By how much a JPEG is decoded smaller: what is left is at least twice of what is wanted."""
        if self.size is None or not self.scaled_decoding or self.interpolation == "nearest":
            return 1
        room = min(height // (2 * self.size[0]), width // (2 * self.size[1]))
        return 8 if room >= 8 else 4 if room >= 4 else 2 if room >= 2 else 1

    def _in_color_mode(self, image: Any) -> Any:
        """The first image in mode RGB, RGBA or L."""
        from PIL import Image

        wanted = {1: "L", 3: "RGB", 4: "RGBA"}[self.channels]
        if image.mode == wanted and "transparency" not in image.info:
            return image
        if image.mode.startswith("I"):
            # 16 bits, also where Pillow holds them in 32.
            values = np.clip(np.asarray(image), 0, 65535).astype(np.float32)
            image = Image.fromarray(np.rint(values / 257).astype(np.uint8))
        elif image.mode == "F":
            values = np.nan_to_num(np.asarray(image), nan=0.0)
            image = Image.fromarray(np.rint(np.clip(values, 0, 255)).astype(np.uint8))
        has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
        if has_alpha and self.channels != 4 and self.background is not None:
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, (self.background,) * 3 + (255,))
            image = Image.alpha_composite(ground, image)
        return image.convert(wanted)

    def _finish(self, image: Any, out: Pixels | None) -> Pixels:
        """Scales and copies."""
        if self.size is not None and (image.height, image.width) != self.size:
            image = self._resize(image)
        pixels = np.asarray(image)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        if out is None or out.shape != pixels.shape:
            return pixels.copy() if not pixels.flags.writeable else pixels
        out[...] = pixels
        return out

    def _resize(self, image: Any) -> Any:
        from PIL import Image

        assert self.size is not None
        height, width = self.size
        if self.aspect == "stretch":
            return image.resize((width, height), self._resampling)
        if self.aspect == "crop":
            return image.resize((width, height), self._resampling, box=crop_box(image.size, self.size))
        scale = min(width / image.width, height / image.height)
        inner = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
        grey = self.padding if self.channels == 1 else (self.padding,) * 3 + (255,) * (self.channels - 3)
        canvas = Image.new(image.mode, (width, height), grey)
        canvas.paste(
            image.resize(inner, self._resampling), ((width - inner[0]) // 2, (height - inner[1]) // 2)
        )
        return canvas


def crop_box(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest part in the middle of an image (width, height) with the proportions of (height, width)."""
    width, height = size
    high = min(height, max(int(width * wanted[0] / wanted[1]), 1))
    wide = min(width, max(int(height * wanted[1] / wanted[0]), 1))
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high


def scaled(size: tuple[int, int], factor: int) -> tuple[int, int]:
    return -(-size[0] // factor), -(-size[1] // factor)


def is_dense(array: Pixels) -> bool:
    return array.flags.c_contiguous and array.flags.writeable


@functools.cache
def silence_libtiff() -> None:
    """Keep libtiff from writing to stderr about damaged files, of which Pillow raises an error anyway.

    Of the library that Pillow has loaded, where the system says which one that is.
    """
    with contextlib.suppress(OSError, AttributeError, UnicodeDecodeError):
        with open("/proc/self/maps") as maps:
            paths = {line.split(None, 5)[5].strip() for line in maps if "libtiff" in line}
        for path in paths:
            set_handler = ctypes.CDLL(path, mode=os.RTLD_NOLOAD).TIFFSetErrorHandler
            set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            set_handler(None)


def exif_orientation(data: bytes) -> int:
    """The orientation that a JPEG's EXIF data names: 1 for upright, also where there is none."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if marker in (0xDA, 0xD9):
            break
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0":
            return orientation_of(data[position + 10 : position + 2 + length])
        position += 2 + max(length, 2)
    return 1


def orientation_of(tiff: bytes) -> int:
    """0 where the data is damaged: whoever asks lets Pillow look."""
    try:
        order = {b"II": "<", b"MM": ">"}[tiff[:2]]
        start = struct.unpack_from(order + "I", tiff, 4)[0]
        for entry in range(struct.unpack_from(order + "H", tiff, start)[0]):
            tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
            if tag == ORIENTATION:
                return int(value) if kind == 3 and count == 1 else 0
    except (KeyError, struct.error):
        return 0
    return 1


def explain(error: Exception) -> str:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "is no image that Pillow can read"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"has more pixels than PIL.Image.MAX_IMAGE_PIXELS allows ({error})"
    return f"is truncated or damaged ({type(error).__name__}: {error})"


def check_size(where: str, size: Any) -> tuple[int, int]:
    if isinstance(size, int) and not isinstance(size, bool):
        size = (size, size)
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ValueError(f"{where}: size is {size!r}, expected (height, width)")
    height, width = (integer(where, "size", each, 1, LONGEST) for each in size)
    return height, width
