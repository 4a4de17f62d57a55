"""Images as the numbers that a network wants: by constants, by statistics, decorrelated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._arguments import checks_names
from .._checks import choice, flag
from .._core import Tensor
from .checks import LARGEST, interval, number
from .color import check_white
from .draws import Draws
from .pixels import share
from .targets import read
from .transform import Parameters, Shape, Transform

Floats = NDArray[np.float64]


def scaled(images: Tensor, scale: Floats, shift: Floats) -> Tensor:
    """images * scale + shift as float32; both are (channels,) or (n, channels)."""
    return _core.normalize_images(images, share(scale.astype(np.float32)), share(shift.astype(np.float32)))


def _per_channel(where: str, name: str, value: Any) -> Floats:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{where}: {name} is {value!r:.80}, expected a number or one for each channel")
    if array.ndim > 1 or not array.size or not (np.abs(array) <= LARGEST).all():
        raise ValueError(
            f"{where}: {name} is {value!r:.80}, expected numbers up to {LARGEST:g}, one for each channel"
        )
    return np.atleast_1d(array).astype(np.float64)


class Normalize(Transform):
    """(image / max_value - mean) / std, as float32.

    Args:
        mean: One for each channel, or one for all.
        std: The same; positive.
        max_value: What becomes 1 before; 255 for uint8 images, 1 for those that have been scaled.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    uint8 becomes float32 in the same pass. `Normalize.imagenet()` has the numbers that most published
    networks were trained with.

    Source: torchvision.transforms.v2.Normalize; albumentations.Normalize.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import Normalize
        >>> Normalize(mean=0.5, std=0.25)(np.array([[0, 255]], np.uint8)).round(3).tolist()
        [[-2.0, 2.0]]
    """

    @checks_names
    def __init__(
        self,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        max_value: float = 255.0,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(p, seed=seed)
        self.max_value = check_white("Normalize", max_value)
        means, widths = _per_channel("Normalize", "mean", mean), _per_channel("Normalize", "std", std)
        if (widths < 1 / LARGEST).any():
            raise ValueError(f"Normalize: std is {std!r:.80}, expected positive numbers from {1 / LARGEST:g}")
        if means.size != widths.size and 1 not in (means.size, widths.size):
            raise ValueError(f"Normalize: mean has {means.size} numbers, but std {widths.size}")
        self.mean, self.std = means.tolist(), widths.tolist()

    @classmethod
    def imagenet(cls) -> Normalize:
        """With the means and standard deviations of ImageNet.

        Example:
            >>> from drivetrain.augment import Normalize
            >>> Normalize.imagenet().mean
            [0.485, 0.456, 0.406]
        """
        return cls((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        channels = images.shape[3]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, channels):
                raise ValueError(
                    f"Normalize: {name} has {len(values)} numbers, but the images have {channels} channels "
                    f"(shape {tuple(images.shape)})"
                )
        each = np.ones(channels)
        width, mean = each * self.std, each * self.mean
        return scaled(images, 1 / (width * self.max_value), -mean / width)


class _Statistics(Transform):
    """Base of what is computed from images: of a data set, by `fit`, or of each image."""

    def __init__(self, over: str, channels: bool, p: float, seed: int | None) -> None:
        super().__init__(p, seed=seed)
        where = type(self).__name__
        self.over = choice(where, "over", over, ("dataset", "sample"))
        flag(where, "channels", channels)
        self.channels = channels
        self.scale_: Floats | None = None
        self.shift_: Floats | None = None

    def fit(self, images: Any) -> Any:
        """Takes the statistics of images and returns the transform.

        Args:
            images: A batch (n, height, width, channels), a list of images, or an iterable of batches such as
                a `DataLoader`; of tuples the first part.

        Raises:
            ValueError: Where there are no images, or of other channels than those before.
            RuntimeError: For a transform of each sample, which has nothing to fit.
        """
        where = f"{type(self).__name__}.fit"
        if self.over == "sample":
            raise RuntimeError(f"{where}: over is 'sample', which takes the statistics of each image itself")
        total: Moments | None = None
        for batch in batches(where, images):
            found = Moments.of(batch)
            total = found.pooled() if total is None else total.plus(where, found.pooled())
        if total is None:
            raise ValueError(f"{where}: got no images")
        self.scale_, self.shift_ = (each[0] for each in self._line(self._joined(total)))
        return self

    def _joined(self, moments: Moments) -> Moments:
        return moments if self.channels else moments.over_channels()

    def _line(self, moments: Moments) -> tuple[Floats, Floats]:
        """Scale and shift (n, channels)."""
        raise NotImplementedError

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        where = type(self).__name__
        if self.over == "dataset":
            if self.scale_ is None:
                raise RuntimeError(
                    f"{where}: not fitted yet; call fit(images) with the training images first"
                )
            if len(self.scale_) != shape[3]:
                raise ValueError(
                    f"{where}: fitted to {len(self.scale_)} channels, got {shape[3]} (shape {shape})"
                )
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        if self.over == "dataset":
            assert self.scale_ is not None
            assert self.shift_ is not None
            return scaled(images, self.scale_, self.shift_)
        return scaled(images, *self._line(self._joined(Moments.of(images))))

    def state_dict(self) -> dict[str, Any]:
        """What `Transform` keeps, and what was fitted."""
        fitted = (
            None
            if self.scale_ is None or self.shift_ is None
            else [self.scale_.tolist(), self.shift_.tolist()]
        )
        return {**super().state_dict(), "fitted": fitted}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on with what the state has."""
        where = f"{type(self).__name__}.load_state_dict"
        if not isinstance(state_dict, Mapping) or "fitted" not in state_dict:
            raise ValueError(f"{where}: got {state_dict!r:.80}, expected a dict with 'fitted'")
        rest = {name: value for name, value in state_dict.items() if name != "fitted"}
        fitted = state_dict["fitted"]
        if fitted is not None:
            pair = np.asarray(fitted, np.float64)
            if pair.ndim != 2 or len(pair) != 2 or not np.isfinite(pair).all():
                raise ValueError(f"{where}: 'fitted' is {fitted!r:.80}, expected two lists of numbers")
        super().load_state_dict(rest)
        self.scale_, self.shift_ = (None, None) if fitted is None else (pair[0], pair[1])


class ZScore(_Statistics):
    """(image - mean) / standard deviation, as float32.

    Args:
        over: "dataset": the statistics of the images given to `fit`; "sample": of each image.
        channels: Whether each channel has statistics of its own.
        epsilon: The least standard deviation, in the images' units, by which is divided.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    Statistics of uint8 images are exact, whatever the batches.

    Source: tf.image.per_image_standardization, and Keras's featurewise_center and
    featurewise_std_normalization.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import ZScore
        >>> images = np.array([[[[1]], [[3]]]], np.uint8)
        >>> ZScore().fit(images)(images).ravel().tolist()
        [-1.0, 1.0]
    """

    @checks_names
    def __init__(
        self,
        over: str = "dataset",
        channels: bool = True,
        epsilon: float = 1e-6,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(over, channels, p, seed)
        self.epsilon = number("ZScore", "epsilon", epsilon, 1e-12, 1e12)

    def _line(self, moments: Moments) -> tuple[Floats, Floats]:
        scale = 1 / np.maximum(np.sqrt(moments.variance), self.epsilon)
        return scale, -moments.mean * scale


class MinMax(_Statistics):
    """Stretches the darkest value to the lower end of a range and the lightest to the upper, as float32.

    Args:
        feature_range: The range.
        over: "dataset": the extremes of the images given to `fit`; "sample": of each image.
        channels: Whether each channel has extremes of its own.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    Where all values are the same, they become the lower end.

    Source: sklearn.preprocessing.MinMaxScaler.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import MinMax
        >>> MinMax((0, 2), over="sample")(np.array([[16, 24, 32]], np.uint8)).tolist()
        [[0.0, 1.0, 2.0]]
    """

    @checks_names
    def __init__(
        self,
        feature_range: tuple[float, float] = (0.0, 1.0),
        over: str = "dataset",
        channels: bool = True,
        p: float = 1.0,
        *,
        seed: int | None = None,
    ) -> None:
        super().__init__(over, channels, p, seed)
        self.feature_range = interval("MinMax", "feature_range", feature_range, around=None)

    def _line(self, moments: Moments) -> tuple[Floats, Floats]:
        bottom, top = self.feature_range
        span = moments.high - moments.low
        scale = (top - bottom) / np.where(span > 0, span, 1)
        return scale, bottom - moments.low * scale


class Moments:
    """Count, sum, sum of squares about a centre, and extremes of images, each (n, channels)."""

    def __init__(self, count: Floats, mean: Floats, squares: Floats, low: Floats, high: Floats) -> None:
        self.count, self.mean, self.squares, self.low, self.high = count, mean, squares, low, high

    @property
    def variance(self) -> Floats:
        return self.squares / self.count

    @classmethod
    def of(cls, images: Tensor) -> Moments:
        """Of each image; those of uint8 come from its histogram, exactly."""
        n, height, width, channels = images.shape
        count = np.full((n, channels), float(height * width))
        if images.dtype.name == "uint8":
            found, levels = _core.image_histograms(images).numpy(), np.arange(256)
            total, squared = found @ levels, found @ (levels * levels)
            low = (found > 0).argmax(axis=2).astype(np.float64)
            high = 255.0 - (found > 0)[:, :, ::-1].argmax(axis=2)
            return cls(count, total / count, squared - total / count * total, low, high)
        x = images.astype("float64")
        mean = _core.mean(x, (1, 2)).numpy()
        squares = _core.var(x, (1, 2)).numpy() * count
        low, high = (f(images, (1, 2)).numpy().astype(np.float64) for f in (_core.min, _core.max))
        return cls(count, mean, squares, low, high)

    def _merged(self, axis: int) -> Moments:
        count = self.count.sum(axis=axis, keepdims=True)
        mean = (self.count * self.mean).sum(axis=axis, keepdims=True) / count
        apart = self.count * (self.mean - mean) ** 2
        squares = (self.squares + apart).sum(axis=axis, keepdims=True)
        return Moments(
            count,
            mean,
            squares,
            self.low.min(axis=axis, keepdims=True),
            self.high.max(axis=axis, keepdims=True),
        )

    def pooled(self) -> Moments:
        """Of all images together."""
        return self._merged(0)

    def over_channels(self) -> Moments:
        """Of all channels together, once for each."""
        one = self._merged(1)
        parts = (one.count, one.mean, one.squares, one.low, one.high)
        return Moments(*(np.broadcast_to(part, self.count.shape) for part in parts))

    def plus(self, where: str, other: Moments) -> Moments:
        if self.count.shape != other.count.shape:
            raise ValueError(
                f"{where}: images have {other.count.shape[1]} channels, those before {self.count.shape[1]}"
            )
        names = ("count", "mean", "squares", "low", "high")
        return Moments(*(np.concatenate([getattr(self, n), getattr(other, n)]) for n in names)).pooled()


def batches(where: str, images: Any) -> Iterator[Tensor]:
    """Tensors (n, height, width, channels) of what `fit` is given."""
    if isinstance(images, (np.ndarray, Tensor)) or (
        isinstance(images, (list, tuple)) and images and getattr(images[0], "ndim", 0) in (2, 3)
    ):
        groups, _ = read(where, images)
        yield from (group.images for group in groups if len(group.index))
        return
    if not isinstance(images, Iterable) or isinstance(images, (str, bytes, Mapping)):
        raise TypeError(f"{where}: images is {type(images).__name__}, expected images or batches of them")
    for batch in images:
        yield from batches(where, batch[0] if isinstance(batch, (tuple, list)) else batch)


class ZCAWhitening(Transform):
    """Takes the correlations between all values of images away and changes them as little as that allows.

    Args:
        epsilon: Added to the variances, in units of `max_value` squared, before they are divided by.
        max_value: What becomes 1 before.
        p: The share of samples that are transformed.
        seed: Of the draws, see `Transform`.

    `fit` computes a matrix of height * width * channels squared, for images of up to 12,288 values (64x64x3);
    the result is float32.

    Source: Krizhevsky, 2009; Keras's zca_whitening.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import ZCAWhitening
        >>> images = np.random.default_rng(0).integers(0, 255, (50, 2, 2, 1)).astype(np.uint8)
        >>> white = ZCAWhitening().fit(images)(images).reshape(50, 4)
        >>> bool(np.allclose(np.cov(white.T, bias=True), np.eye(4), atol=1e-3))
        True
    """

    LARGEST = 12288

    @checks_names
    def __init__(
        self, epsilon: float = 1e-6, max_value: float = 255.0, p: float = 1.0, *, seed: int | None = None
    ) -> None:
        super().__init__(p, seed=seed)
        self.epsilon = number("ZCAWhitening", "epsilon", epsilon, 0, 1e6)
        self.max_value = check_white("ZCAWhitening", max_value)
        self.mean_: NDArray[np.float32] | None = None
        self.matrix_: NDArray[np.float32] | None = None

    def fit(self, images: Any) -> ZCAWhitening:
        """Takes mean and covariance of images and returns the transform.

        Args:
            images: A batch (n, height, width, channels), a list of images, or an iterable of batches such as
                a `DataLoader`; of tuples the first part. All of one shape.

        Raises:
            ValueError: Where there are no images, of different or too large shapes.
        """
        where = "ZCAWhitening.fit"
        shape: tuple[int, ...] | None = None
        count, total, products = 0, np.zeros(0), np.zeros((0, 0))
        for batch in batches(where, images):
            if shape is None:
                shape = tuple(batch.shape[1:])
                size = int(np.prod(shape))
                if size > self.LARGEST:
                    raise ValueError(
                        f"{where}: images have {size} values (shape {shape}), expected at most {self.LARGEST}"
                    )
                total, products = np.zeros(size), np.zeros((size, size))
            if tuple(batch.shape[1:]) != shape:
                raise ValueError(f"{where}: images have shape {tuple(batch.shape[1:])}, those before {shape}")
            flat = batch.numpy().reshape(len(batch), -1).astype(np.float64) / self.max_value
            count += len(flat)
            total += flat.sum(axis=0)
            products += flat.T @ flat
        if shape is None:
            raise ValueError(f"{where}: got no images")
        mean = total / count
        values, vectors = np.linalg.eigh(products / count - np.outer(mean, mean))
        # What rounding leaves below 0 is 0.
        inverse = 1 / np.sqrt(np.maximum(values, 0) + max(self.epsilon, 1e-12))
        self.mean_ = mean.astype(np.float32).reshape(shape)
        self.matrix_ = ((vectors * inverse) @ vectors.T).astype(np.float32)
        return self

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        if self.mean_ is None:
            raise RuntimeError(
                "ZCAWhitening: not fitted yet; call fit(images) with the training images first"
            )
        if self.mean_.shape != tuple(shape[1:]):
            raise ValueError(
                f"ZCAWhitening: fitted to images of shape {self.mean_.shape}, got {tuple(shape[1:])}"
            )
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        assert self.mean_ is not None
        assert self.matrix_ is not None
        centred = images.astype("float32") * (1 / self.max_value) - share(self.mean_)
        flat = centred.reshape((images.shape[0], -1))
        made: Tensor = _core.matmul(flat, share(self.matrix_)).reshape(tuple(images.shape))
        return made
