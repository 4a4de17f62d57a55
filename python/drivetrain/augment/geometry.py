"""Transforms that are matrices: rotation, shift, shear, zoom, flips and perspective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .._arguments import checks_names
from .checks import interval, number
from .draws import Draws
from .matrices import Booleans, Floats, Integers, centred, homographies, rotations, shifts, stacked
from .matrix_transform import MatrixTransform, WindowTransform
from .transform import Parameters, Shape


class RandomRotation(MatrixTransform):
    """Rotates by an angle, around the centre of the image.

    Args:
        degrees: Angles are drawn from -degrees to degrees, or from a range; counter-clockwise is positive.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    The size stays. Source: torchvision.transforms.v2.RandomRotation, whose interpolation is "nearest" unless
    told otherwise.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomRotation
        >>> image = np.array([[1, 2], [3, 4]], np.uint8)
        >>> RandomRotation((90, 90))(image)
        array([[2, 4],
               [1, 3]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        degrees: float | tuple[float, float],
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        self.degrees = interval("RandomRotation", "degrees", degrees)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        return centred(rotations(np.deg2rad(draws.uniform(*self.degrees))), shape)


class RandomAffine(MatrixTransform):
    """Rotates, shears and zooms around the centre of the image, and shifts.

    Args:
        degrees: Angles are drawn from -degrees to degrees, or from a range; clockwise is positive.
        translate: Largest shifts to both sides, as parts of width and height.
        scale: Range of the zoom; 2 makes things twice as large.
        shear: Angles in degrees by which columns lean, drawn from -shear to shear or a range; four numbers
            are a range for columns and one for rows.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: torchvision.transforms.v2.RandomAffine; shifts are not rounded to whole pixels.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomAffine
        >>> affine = RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5, seed=0)
        >>> affine(np.zeros((2, 24, 32, 3), np.float32)).shape
        (2, 24, 32, 3)
    """

    @checks_names
    def __init__(
        self,
        degrees: float | tuple[float, float],
        translate: tuple[float, float] | None = None,
        scale: tuple[float, float] | None = None,
        shear: float | Sequence[float] | None = None,
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        where = "RandomAffine"
        self.degrees = interval(where, "degrees", degrees)
        self.translate = (0.0, 0.0)
        if translate is not None:
            pair = (translate,) if not isinstance(translate, (tuple, list, np.ndarray)) else tuple(translate)
            if len(pair) != 2:
                raise ValueError(f"{where}: translate is {translate!r}, expected two numbers from 0 to 1")
            self.translate = tuple(number(where, "translate", each, 0, 1) for each in pair)  # type: ignore[assignment]
        self.scale = (1.0, 1.0) if scale is None else interval(where, "scale", scale, around=None)
        if self.scale[0] <= 0:
            raise ValueError(f"{where}: scale is {scale!r}, expected numbers above 0")
        four = isinstance(shear, (tuple, list, np.ndarray)) and len(shear) == 4
        first, second = (shear[:2], shear[2:]) if four else (shear, 0.0)  # type: ignore[index]
        self.shear_x = interval(where, "shear", 0.0 if first is None else first, low=-89, high=89)
        self.shear_y = interval(where, "shear", second, low=-89, high=89)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        _, height, width, _ = shape
        angle = np.deg2rad(-draws.uniform(*self.degrees))
        zoom = 1 / draws.uniform(*self.scale)
        lean = np.tan(np.deg2rad(draws.uniform(*self.shear_x)))
        sink = np.tan(np.deg2rad(draws.uniform(*self.shear_y)))
        shift = draws.uniform(-1, 1, 2) * np.array(self.translate) * np.array([width, height])
        # Backwards: first the shift is undone, then rotation, then shear, then zoom.
        shear = stacked([[1 + lean * sink, lean, 0], [sink, 1, 0], [0, 0, 1]], len(draws))
        scaling = stacked([[zoom, 0, 0], [0, zoom, 0], [0, 0, 1]], len(draws))
        return centred(scaling @ shear @ rotations(angle), shape) @ shifts(-shift[:, 0], -shift[:, 1])


class RandomTranslation(MatrixTransform):
    """Shifts up or down and to the left or right.

    Args:
        height_factor: Part of the height, drawn from -height_factor to height_factor or from a range;
            positive numbers shift down.
        width_factor: Part of the width; positive numbers shift to the right.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: keras.layers.RandomTranslation, whose fill mode is "reflect" unless told otherwise.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomTranslation
        >>> RandomTranslation(0, (0.5, 0.5))(np.array([[1, 2, 3, 4]], np.uint8))
        array([[0, 0, 1, 2]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        height_factor: float | tuple[float, float],
        width_factor: float | tuple[float, float],
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        self.height_factor = interval("RandomTranslation", "height_factor", height_factor, low=-1, high=1)
        self.width_factor = interval("RandomTranslation", "width_factor", width_factor, low=-1, high=1)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        down = draws.uniform(*self.height_factor) * shape[1]
        right = draws.uniform(*self.width_factor) * shape[2]
        return shifts(-right, -down)


class RandomShear(MatrixTransform):
    """Shifts rows against each other, and columns.

    Args:
        x_factor: How far a row moves to the right against the row above it, in pixels, drawn from -x_factor
            to x_factor or from a range.
        y_factor: How far a column moves down against the column to its left.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    The centre stays where it is. Source: keras.layers.RandomShear.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomShear
        >>> RandomShear((-1, -1))(np.eye(3, dtype=np.uint8))
        array([[0, 1, 0],
               [0, 1, 0],
               [0, 1, 0]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        x_factor: float | tuple[float, float] = 0.0,
        y_factor: float | tuple[float, float] = 0.0,
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        self.x_factor = interval("RandomShear", "x_factor", x_factor)
        self.y_factor = interval("RandomShear", "y_factor", y_factor)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        x, y = draws.uniform(*self.x_factor), draws.uniform(*self.y_factor)
        zero = np.zeros(len(draws))
        columns = stacked([[1, zero, 0], [-y, 1, 0], [0, 0, 1]], len(draws))
        rows = stacked([[1, -x, 0], [zero, 1, 0], [0, 0, 1]], len(draws))
        return centred(columns @ rows, shape)


class RandomZoom(MatrixTransform):
    """Zooms in or out around the centre of the image.

    Args:
        height_factor: 0.2 shows 20% more of the height, -0.2 shows 20% less; drawn from -height_factor to
            height_factor or from a range above -1.
        width_factor: The same for the width; by default the number drawn for the height.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: keras.layers.RandomZoom, whose fill mode is "reflect" unless told otherwise.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomZoom
        >>> RandomZoom((-0.5, -0.5), interpolation="nearest")(np.arange(16, dtype=np.uint8).reshape(4, 4))
        array([[ 5,  5,  6,  6],
               [ 5,  5,  6,  6],
               [ 9,  9, 10, 10],
               [ 9,  9, 10, 10]], dtype=uint8)
    """

    @checks_names
    def __init__(
        self,
        height_factor: float | tuple[float, float],
        width_factor: float | tuple[float, float] | None = None,
        p: float = 1.0,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        self.height_factor = interval("RandomZoom", "height_factor", height_factor)
        self.width_factor = (
            None if width_factor is None else interval("RandomZoom", "width_factor", width_factor)
        )
        for factor in (self.height_factor, self.width_factor):
            if factor is not None and factor[0] <= -1:
                raise ValueError(f"RandomZoom: a factor is {factor[0]:g}, expected more than -1")

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        down = 1 + draws.uniform(*self.height_factor)
        across = down if self.width_factor is None else 1 + draws.uniform(*self.width_factor)
        return centred(stacked([[across, 0, 0], [0, down, 0], [0, 0, 1]], len(draws)), shape)


class _Flip(WindowTransform):
    """The whole image, mirrored."""

    is_flip = True
    across: ClassVar[bool] = False
    down: ClassVar[bool] = False

    def windows(self, draws: Draws, shape: Shape) -> tuple[Integers, Booleans]:
        mirrored = np.broadcast_to(np.array([self.across, self.down]), (len(draws), 2))
        return np.zeros((len(draws), 2), np.int64), mirrored

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters | None:
        return {**parameters, "mirrored": parameters["mirrored"] & ~left[:, None]}


class RandomHorizontalFlip(_Flip):
    """Swaps left and right.

    Args:
        p: The share of samples that are flipped.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomHorizontalFlip.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomHorizontalFlip
        >>> image, boxes = np.zeros((4, 8), np.uint8), np.array([[0, 0, 2, 4]])
        >>> image, boxes = RandomHorizontalFlip(p=1)(image, boxes=boxes)
        >>> boxes
        array([[6., 0., 8., 4.]])
    """

    across = True

    @checks_names
    def __init__(self, p: float = 0.5, *, seed: int | None = None) -> None:
        super().__init__(p, seed=seed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(_Flip):
    """Swaps top and bottom.

    Args:
        p: The share of samples that are flipped.
        seed: Of the draws, see `Transform`.

    Source: torchvision.transforms.v2.RandomVerticalFlip.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomVerticalFlip
        >>> RandomVerticalFlip(p=1)(np.array([[1, 2], [3, 4]], np.uint8))
        array([[3, 4],
               [1, 2]], dtype=uint8)
    """

    down = True

    @checks_names
    def __init__(self, p: float = 0.5, *, seed: int | None = None) -> None:
        super().__init__(p, seed=seed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomPerspective(MatrixTransform):
    """Moves each corner of the image inwards by itself, as if the picture were seen from the side.

    Args:
        distortion_scale: How far, from 0 to 1: a corner moves by at most this part of half the width and half
            the height.
        p, interpolation, fill_mode, fill_value, mask_fill, seed: See `MatrixTransform`.

    Source: torchvision.transforms.v2.RandomPerspective.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomPerspective
        >>> RandomPerspective(0.3, p=1, seed=0)(np.zeros((24, 32, 3), np.uint8)).shape
        (24, 32, 3)
    """

    @checks_names
    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        *,
        interpolation: str = "bilinear",
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        mask_fill: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(
            p,
            interpolation=interpolation,
            fill_mode=fill_mode,
            fill_value=fill_value,
            mask_fill=mask_fill,
            seed=seed,
        )
        self.distortion_scale = number("RandomPerspective", "distortion_scale", distortion_scale, 0, 1)

    def matrices(self, draws: Draws, shape: Shape) -> Floats:
        _, height, width, _ = shape
        right, bottom = width - 1, height - 1
        corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float64)
        # Short of the middle by a little: corners that meet there have no matrix.
        inwards = np.minimum(draws.uniform(0, self.distortion_scale / 2, (4, 2)), 0.499)
        signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
        moved = corners + signs * inwards * np.array([right, bottom])
        if right == 0 or bottom == 0:
            return stacked([[1, 0, 0], [0, 1, 0], [0, 0, 1]], len(draws))
        return homographies(moved, np.broadcast_to(corners, moved.shape))
