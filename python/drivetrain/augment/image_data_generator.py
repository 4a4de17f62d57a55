"""ImageDataGenerator: Keras's generator of augmented images, with whole batches computed at once."""

from __future__ import annotations

import math
import operator
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import choice, flag
from .._core import Tensor
from ..autograd import no_grad
from ..data.convert import refuse_masked
from ..data.shuffle import check_seed
from .checks import check_shift, interval, number
from .draws import Draws
from .generator_flows import Flows
from .keras_draws import PARAMETERS, drawn, drawn_as_keras_does
from .keras_geometry import INTERPOLATIONS, transformed
from .transform import seed_of_default_generator

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
DTYPES = ("float16", "float32", "float64")


class ImageDataGenerator(Flows):
    """Batches of augmented images, with the arguments, methods and conventions of Keras's generator.

    Args:
        featurewise_center: Subtract the mean of each channel over the data set, which `fit` finds.
        samplewise_center: Subtract the mean of each image.
        featurewise_std_normalization: Divide by the standard deviation of each channel over the data set.
        samplewise_std_normalization: Divide by the standard deviation of each image.
        zca_whitening: Whiten with the matrix that `fit` finds.
        zca_epsilon: Added to the singular values of whitening.
        rotation_range: Largest angle in degrees.
        width_shift_range: Keras's three forms: a float below 1 is a part of the size, other floats are
            pixels, drawn from both sides of 0; an integer n draws a whole number of pixels below n; a
            sequence is one of these, with either sign.
        height_shift_range: The same.
        brightness_range: Range of the factor, (0.5, 1.5) say.
        shear_range: Largest angle in degrees.
        zoom_range: A number z draws from 1 - z to 1 + z, a pair is the range; below 1 enlarges. Width and
            height have numbers of their own.
        channel_shift_range: Largest number that is added to all values.
        fill_mode: What lies outside the image: "nearest", "constant", "reflect" or "wrap", as scipy.ndimage
            has them.
        cval: With "constant", the value outside.
        horizontal_flip, vertical_flip: Flip one image in two.
        rescale: A factor, applied after everything above but the means and deviations.
        preprocessing_function: Takes one augmented image and gives one of the same shape.
        data_format: "channels_last" or "channels_first".
        validation_split: Share of the samples that is subset="validation".
        interpolation_order: 0 (nearest), 1 (bilinear) or 3 (bicubic; SciPy's splines of order 3 are sharper).
        dtype: Of the batches: "float32", "float64" or "float16". Images are computed in float32; those of
            uint8 are moved as bytes, rounded to whole levels, which is several times as fast.

    What is drawn depends on the seed of `flow`, the epoch and the place of a sample in it alone, and every
    batch is computed at once: numbers differ from those that Keras would draw. `get_random_transform` with a
    seed draws what Keras draws.

    Two oddities of Keras are kept: heights shift columns and widths rows, and rotations of images that are
    not square turn around a point beside their centre. `Compose` has neither.

    Source: keras.src.legacy.preprocessing.image.ImageDataGenerator of Keras 3.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import ImageDataGenerator
        >>> images, labels = np.zeros((8, 32, 32, 3), np.uint8), np.arange(8)
        >>> generator = ImageDataGenerator(rotation_range=15, horizontal_flip=True, rescale=1 / 255)
        >>> batches = generator.flow(images, labels, batch_size=4, seed=1)
        >>> x, y = next(batches)
        >>> x.shape, x.dtype.name, len(batches)
        ((4, 32, 32, 3), 'float32', 2)
    """

    @checks_names
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: float | int | Sequence[float] = 0.0,
        height_shift_range: float | int | Sequence[float] = 0.0,
        brightness_range: tuple[float, float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | tuple[float, float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[NDArray[Any]], ArrayLike] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ) -> None:
        name = "ImageDataGenerator"
        self.featurewise_center = featurewise_center
        self.samplewise_center = samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening = zca_whitening
        self.zca_epsilon = number(name, "zca_epsilon", zca_epsilon, 0)
        self.rotation_range = number(name, "rotation_range", rotation_range, 0, 360)
        self.width_shift_range = check_shift(name, "width_shift_range", width_shift_range)
        self.height_shift_range = check_shift(name, "height_shift_range", height_shift_range)
        self.brightness_range = (
            None
            if brightness_range is None
            else interval(name, "brightness_range", brightness_range, around=None, low=0)
        )
        self.shear_range = number(name, "shear_range", shear_range, 0, 360)
        self.zoom_range = interval(name, "zoom_range", zoom_range, around=1.0)
        if self.zoom_range[0] <= 0:
            raise ValueError(f"{name}: zoom_range is {zoom_range!r}, expected a range above 0")
        self.channel_shift_range = number(name, "channel_shift_range", channel_shift_range, 0)
        self.fill_mode = choice(name, "fill_mode", fill_mode, FILL_MODES)
        self.cval = number(name, "cval", cval)
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.rescale = None if rescale is None else number(name, "rescale", rescale)
        if preprocessing_function is not None and not callable(preprocessing_function):
            raise TypeError(
                f"{name}: preprocessing_function is {preprocessing_function!r}, expected a function"
            )
        self.preprocessing_function = preprocessing_function
        self.data_format = choice(
            name, "data_format", data_format or "channels_last", ("channels_last", "channels_first")
        )
        self.validation_split = number(name, "validation_split", validation_split, 0, 1)
        if self.validation_split == 1:
            raise ValueError(f"{name}: validation_split is {validation_split}, expected a number below 1")
        if interpolation_order not in INTERPOLATIONS or isinstance(interpolation_order, bool):
            raise ValueError(f"{name}: interpolation_order is {interpolation_order!r}, expected 0, 1 or 3")
        self.interpolation_order = interpolation_order
        self.dtype = choice(name, "dtype", np.dtype(dtype or "float32").name, DTYPES)
        self._check_switches()
        self.mean: NDArray[Any] | None = None
        self.std: NDArray[Any] | None = None
        self.zca_whitening_matrix: NDArray[Any] | None = None
        self._random: np.random.RandomState | None = None
        self._lock = threading.Lock()

    def _check_switches(self) -> None:
        """Some steps need or exclude others."""
        for name in ("featurewise_center", "samplewise_center", "featurewise_std_normalization"):
            flag("ImageDataGenerator", name, getattr(self, name))
        for name in ("samplewise_std_normalization", "zca_whitening", "horizontal_flip", "vertical_flip"):
            flag("ImageDataGenerator", name, getattr(self, name))

        def switch(of: str, name: str, to: bool) -> None:
            if getattr(self, name) != to:
                setattr(self, name, to)
                warnings.warn(f"ImageDataGenerator: {of} sets {name} to {to}", stacklevel=4)

        if self.zca_whitening:
            switch("zca_whitening", "featurewise_center", True)
            switch("zca_whitening", "featurewise_std_normalization", False)
        if self.featurewise_std_normalization:
            switch("featurewise_std_normalization", "featurewise_center", True)
        if self.samplewise_std_normalization:
            switch("samplewise_std_normalization", "samplewise_center", True)

    # What is drawn

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """The parameters of one random transformation.

        Args:
            img_shape: Of one image.
            seed: The same seed draws the same parameters, those that Keras draws. Default: the next numbers
                of a stream that `manual_seed` decides.

        Returns:
            A dict of "theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical",
            "channel_shift_intensity" and "brightness".

        Example:
            >>> from drivetrain.augment import ImageDataGenerator
            >>> found = ImageDataGenerator(rotation_range=20).get_random_transform((32, 32, 3), seed=1)
            >>> round(found["theta"], 3), found["zx"], found["brightness"]
            (-3.319, 1, None)
        """
        height, width, _ = self._size_of(img_shape)
        with self._lock:
            if seed is not None:
                random = np.random.RandomState(seed)
            else:
                if self._random is None:
                    self._random = np.random.RandomState(seed_of_default_generator() % 2**32)
                random = self._random
            return drawn_as_keras_does(self, random, height, width)

    # What is done with it

    def apply_transform(self, x: Any, transform_parameters: dict[str, Any]) -> Any:
        """One image (height, width, channels), or (channels, height, width) with "channels_first",
        transformed with the parameters of `get_random_transform`; those that are missing change nothing."""
        image = np.asarray(x.detach() if isinstance(x, Tensor) else x)
        self._size_of(image.shape)
        unknown = sorted(set(transform_parameters) - set(PARAMETERS))
        if unknown:
            raise ValueError(
                f"ImageDataGenerator.apply_transform: there is no parameter {unknown[0]!r}, "
                f"expected some of {', '.join(PARAMETERS)}"
            )
        with no_grad():
            made = transformed(
                self._batch(image[None]),
                transform_parameters,
                self.fill_mode,
                self.cval,
                self.interpolation_order,
            )
        back = self._from_channels_last(made.numpy())[0]
        if image.dtype.kind in "iu":
            limits = np.iinfo(image.dtype)
            back = np.clip(np.rint(back), limits.min, limits.max)
        changed = back.astype(image.dtype, copy=False)
        return _core.from_numpy(np.ascontiguousarray(changed)) if isinstance(x, Tensor) else changed

    def random_transform(self, x: Any, seed: int | None = None) -> Any:
        """One image, transformed at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: Any) -> Any:
        """Images after preprocessing_function, rescale, means, deviations and whitening.

        An array of floats is changed in place, as Keras does; for one of integers comes a new one.
        """
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        x = np.asarray(x)
        if x.dtype.kind != "f":
            x = x.astype(self.dtype)
        if self.rescale:
            x *= x.dtype.type(self.rescale)
        if self.samplewise_center:
            x -= np.mean(x, keepdims=True)
        if self.samplewise_std_normalization:
            x /= np.std(x, keepdims=True) + 1e-6
        return self._standardize_by_data(x)

    def _standardize_by_data(self, x: NDArray[Any]) -> NDArray[Any]:
        if self.featurewise_center and self._is_fitted("featurewise_center", self.mean):
            x -= self.mean
        if self.featurewise_std_normalization and self._is_fitted("featurewise_std_normalization", self.std):
            x /= self.std + 1e-6  # type: ignore[operator]
        if self.zca_whitening and self._is_fitted("zca_whitening", self.zca_whitening_matrix):
            matrix: Any = self.zca_whitening_matrix
            flat = np.ascontiguousarray(x.reshape(-1, math.prod(x.shape[-3:])), matrix.dtype)
            if flat.shape[1] != len(matrix):
                raise ValueError(
                    f"ImageDataGenerator: whitening is for {len(matrix)} values, an image has {flat.shape[1]}"
                )
            white = _core.matmul(_core.from_numpy(flat), _core.from_numpy(matrix)).numpy()
            x = white.reshape(x.shape).astype(x.dtype, copy=False)
        return x

    def _is_fitted(self, name: str, found: Any) -> bool:
        if found is None:
            warnings.warn(f"ImageDataGenerator: {name} needs fit(x) first, and is left out", stacklevel=4)
        return found is not None

    def augmented(self, images: Any, draws: Draws) -> NDArray[Any]:
        """A batch as `flow` gives it: each image transformed by its own draws, and standardized."""
        x = np.asarray(images.detach() if isinstance(images, Tensor) else images)
        with no_grad():
            batch = self._batch(x)
            size = (batch.shape[1], batch.shape[2])
            parameters = drawn(self, draws, size)
            made = transformed(batch, parameters, self.fill_mode, self.cval, self.interpolation_order)
        values = self._from_channels_last(made.numpy())
        if not values.flags.writeable or np.shares_memory(values, x):
            values = values.copy()
        if self.preprocessing_function is not None:
            values = np.stack([np.asarray(self.preprocessing_function(each)) for each in values])
        values = values.astype(self.dtype, copy=False)
        axes = (1, 2, 3)
        if self.rescale:
            values *= values.dtype.type(self.rescale)
        if self.samplewise_center:
            values -= np.mean(values, axes, keepdims=True)
        if self.samplewise_std_normalization:
            values /= np.std(values, axes, keepdims=True) + values.dtype.type(1e-6)
        return self._standardize_by_data(values)

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Find the means, deviations and the whitening matrix of a data set.

        Args:
            x: Images (n, height, width, channels), n at least 1.
            augment: Of augmented images.
            rounds: With augment, how often the data set is augmented.
            seed: Of the augmentation.

        Raises:
            ValueError: For other shapes.
        """
        where = "ImageDataGenerator.fit"
        refuse_masked(where, "x", x)
        images = np.array(x.detach() if isinstance(x, Tensor) else x, dtype=self.dtype)
        if images.ndim != 4 or len(images) == 0:
            raise ValueError(f"{where}: x has shape {images.shape}, expected (n, height, width, channels)")
        if isinstance(rounds, bool) or operator.index(rounds) < 1:
            raise ValueError(f"{where}: rounds is {rounds!r}, expected at least 1")
        if self.rescale:
            images *= images.dtype.type(self.rescale)
        if augment:
            seed = seed_of_default_generator() if seed is None else check_seed(where, seed)
            images = self._augmented_rounds(images, rounds, seed)
        axis = 3 if self.data_format == "channels_last" else 1
        others = tuple(place for place in range(4) if place != axis)
        if self.featurewise_center:
            self.mean = images.mean(others, dtype=np.float64, keepdims=True)[0].astype(images.dtype)
            images -= self.mean
        if self.featurewise_std_normalization:
            self.std = images.std(others, dtype=np.float64, keepdims=True)[0].astype(images.dtype)
            images /= self.std + images.dtype.type(1e-6)
        if self.zca_whitening:
            flat = images.reshape(len(images), -1)
            u, s, _ = np.linalg.svd(flat.T, full_matrices=False)
            scale = np.sqrt(len(flat)) / (s + self.zca_epsilon)
            self.zca_whitening_matrix = np.ascontiguousarray((u * scale) @ u.T, images.dtype)

    def _augmented_rounds(self, images: NDArray[Any], rounds: int, seed: int) -> NDArray[Any]:
        made = []
        for start in range(0, rounds * len(images), 256):
            positions = np.arange(start, min(start + 256, rounds * len(images)))
            batch = self._batch(images[positions % len(images)])
            parameters = drawn(self, Draws(seed, 0, positions), (batch.shape[1], batch.shape[2]))
            with no_grad():
                changed = transformed(batch, parameters, self.fill_mode, self.cval, self.interpolation_order)
            made.append(self._from_channels_last(changed.numpy()))
        return np.concatenate(made).astype(self.dtype, copy=False)

    # Forms

    def _size_of(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Height, width and channels of one image."""
        if len(shape) != 3 or 0 in shape:
            raise ValueError(
                f"ImageDataGenerator: an image has shape {tuple(shape)}, expected "
                + (
                    "(height, width, channels)"
                    if self.data_format == "channels_last"
                    else "(channels, height, width)"
                )
            )
        if self.data_format == "channels_last":
            return int(shape[0]), int(shape[1]), int(shape[2])
        return int(shape[1]), int(shape[2]), int(shape[0])

    def _batch(self, x: NDArray[Any]) -> Tensor:
        """A batch with channels last: uint8 where that holds what lies outside too, float32 otherwise."""
        moved = x if self.data_format == "channels_last" else np.moveaxis(x, 1, 3)
        if moved.dtype == np.uint8 and self.cval in range(256):
            return _core.from_numpy(np.ascontiguousarray(moved))
        return _core.from_numpy(np.ascontiguousarray(moved, np.float32))

    def _from_channels_last(self, x: NDArray[Any]) -> NDArray[Any]:
        return x if self.data_format == "channels_last" else np.ascontiguousarray(np.moveaxis(x, 3, 1))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()
