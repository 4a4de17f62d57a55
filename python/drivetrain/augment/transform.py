"""What all transforms share: how they are called, what they draw, which samples they change."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._checks import integer
from .._core import Tensor
from ..autograd import no_grad
from ..data.mixup import calls_made, entries
from ..data.rows import Rows
from ..data.shuffle import check_seed
from .checks import number
from .draws import Draws
from .targets import Group, Points, clipped, merged, read, write

Parameters = dict[str, Any]
Shape = tuple[int, ...]

PARTS = ("images", "masks", "boxes", "keypoints", "labels")
SINGULAR = {"image": "images", "mask": "masks"}


class Transform:
    """Base of the transforms of images.

    A transform is called with a single image (height, width, channels) or (height, width), a batch
    (batch, height, width, channels) or a list of images of different sizes: NumPy arrays or Tensors, uint8 or
    float32. It gives the same kind back. A list becomes a batch where all its images have one size
    after a `Compose`.

    ``masks`` have the images' sizes, with or without channels; labels in them stay labels. ``boxes`` are
    (k, 4) of x0, y0, x1, y1 in pixels, from the left and upper edge of the first pixel, (0, 0), to the right
    and lower edge of the last, (width, height); they are cut at the border of the image, and of those that
    leave it (0, 0, 0, 0) remains, which `vanished` finds. With ``labels`` (one for each box) they are
    dropped, and their labels with them. ``keypoints`` are (k, 2) of x, y; (0, 0) is the centre of the first
    pixel; they may leave the image. For a batch, boxes and keypoints are lists of such arrays, or one array
    with one more axis.

    A call returns the image or images, or, where there was more, a tuple in the order of the arguments.

    Args:
        p: The share of samples that are transformed; each is drawn by itself.
        seed: Of the draws; by default drawn from the default generator (`manual_seed`) at the first call, and
            0 in a `DataLoader`.

    What is drawn depends on the seed, the epoch and a sample's position in it alone: calls count positions
    on, and a `DataLoader` that has the transform as ``batch_transform`` says epoch and position itself.

    Subclasses implement `parameters` and `apply`; those that move pixels, `apply_masks` and
    `apply_keypoints` as well.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import RandomHorizontalFlip
        >>> image = np.arange(6, dtype=np.uint8).reshape(2, 3)
        >>> RandomHorizontalFlip(p=1)(image)
        array([[2, 1, 0],
               [5, 4, 3]], dtype=uint8)
    """

    geometric: ClassVar[bool] = False  # moves pixels, and masks, boxes and keypoints with them
    by_samples: ClassVar[bool] = True  # what becomes of a sample does not depend on the others of its batch
    parts: Sequence[str] = ("images",)

    def __init__(self, p: float = 1.0, *, seed: int | None = None) -> None:
        self.p = number(type(self).__name__, "p", p, 0, 1)
        self.seed = None if seed is None else check_seed(type(self).__name__, seed)
        self.calls = 0
        self._lock = threading.Lock()

    # What subclasses implement

    def parameters(self, draws: Draws, shape: Shape) -> Parameters:
        """What a transform draws for images of a shape (n, height, width, channels): arrays whose first axis
        are the n samples, or values that hold for all of them."""
        return {}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """The images (n, height, width, channels), transformed."""
        raise NotImplementedError

    def apply_masks(self, masks: Tensor, parameters: Parameters) -> Tensor:
        """Masks (n, height, width, channels), moved without mixing their values."""
        return masks

    def apply_keypoints(
        self, points: NDArray[np.float64], owner: NDArray[np.int64], parameters: Parameters, shape: Shape
    ) -> NDArray[np.float64]:
        """Where points (k, 2) of x, y come to lie; ``owner`` (k,) says to which sample each belongs, and
        ``shape`` is that of the images before."""
        return points

    def neutral(self, parameters: Parameters, left: NDArray[np.bool_]) -> Parameters | None:
        """The parameters with those of the samples ``left`` such that nothing changes; None where a
        transform has no such parameters."""
        return None

    # How it is called

    def __call__(
        self,
        images: Any,
        masks: Any = None,
        boxes: Any = None,
        keypoints: Any = None,
        *,
        labels: Any = None,
        draws: Draws | None = None,
    ) -> Any:
        groups, form = read(type(self).__name__, images, masks, boxes, keypoints, labels)
        if draws is None:
            draws = self._next_draws(form.count)
        elif not isinstance(draws, Draws):
            raise TypeError(f"{type(self).__name__}: draws is a {type(draws).__name__}, expected Draws")
        elif len(draws) != form.count:
            raise ValueError(
                f"{type(self).__name__}: draws are for {len(draws)} samples, got {form.count} images"
            )
        with no_grad():
            return write(self.run(groups, draws), form, labels)

    @property
    def takes_rows(self) -> bool:
        """Whether the first part of a batch for `transform_samples` may be images not yet copied: `Rows`."""
        kind = type(self)
        is_own = kind.__call__ is Transform.__call__ and kind.transform_samples is Transform.transform_samples
        return is_own and self.parts[0] == "images"

    def transform_batch(self, batch: Any, epoch: int, number: int) -> Any:
        """The same for batch ``number`` of an epoch. It keeps nothing in mind."""
        number = integer(f"{type(self).__name__}.transform_batch", "number", number, 0, 2**31 - 1)
        return self.transform_samples(batch, epoch, number << 32)

    def transform_samples(self, batch: Any, epoch: int, first: int) -> Any:
        """The same for a batch whose first sample is the ``first``-th of an epoch; `DataLoader` calls it.

        Of a batch that is a tuple, the first part are the images, and the others stay as they are; `Compose`
        takes other names of ``parts``. Of a dict, "images" ("image"), "masks" ("mask"), "boxes" and
        "keypoints" are transformed together.
        """
        where = type(self).__name__
        if isinstance(batch, Mapping):
            names = {SINGULAR.get(name, name): name for name in batch}
        elif isinstance(batch, (tuple, list)) and not _is_list_of_images(batch):
            names = {name: place for place, name in enumerate(self.parts[: len(batch)])}
        else:
            return self(batch, draws=self._draws(epoch, first, _length(where, "a batch", batch)))
        if "images" not in names:
            raise ValueError(
                f"{where}: a batch has {', '.join(map(str, names)) or 'nothing'}, expected images"
            )
        given = {name: place for name, place in names.items() if name in PARTS}
        if "boxes" not in given:
            given.pop("labels", None)
        order = [name for name in PARTS if name in given]
        count = _length(where, "images", batch[given["images"]])
        made = self(**{name: batch[given[name]] for name in order}, draws=self._draws(epoch, first, count))
        changed = {
            given[name]: part for name, part in zip(order, made if len(order) > 1 else (made,), strict=True)
        }
        if isinstance(batch, Mapping):
            return {**batch, **changed}
        rest = [changed.get(place, part) for place, part in enumerate(batch)]
        return type(batch)(*rest) if hasattr(batch, "_fields") else type(batch)(rest)

    def _draws(self, epoch: int, first: int, count: int) -> Draws:
        start = integer(type(self).__name__, "the first sample", first, 0, 2**63 - 1 - count)
        return Draws(self.seed or 0, epoch, np.arange(start, start + count))

    def _next_draws(self, count: int) -> Draws:
        with self._lock:
            if self.seed is None:
                self.seed = seed_of_default_generator()
            first, self.calls = self.calls, self.calls + count
        return Draws(self.seed, 0, np.arange(first, first + count))

    # What it does with groups of samples

    def run(self, groups: list[Group], draws: Draws) -> list[Group]:
        """The transform on groups of samples; ``draws`` are those of all samples of the call."""
        changed: list[Group] = []
        for group in groups:
            whole = len(groups) == 1 and len(group.index) == len(draws)
            changed += self.run_group(group, draws if whole else draws.take(group.index))
        return merged(changed)

    def fusible(self, transforms: Sequence[Transform]) -> int:
        """How many of the transforms, of which this is the first, can be computed in one pass."""
        return 1

    def run_fused(
        self, transforms: Sequence[Transform], groups: list[Group], draws: Sequence[Draws]
    ) -> list[Group]:
        """These transforms in one pass, each with its own draws."""
        raise NotImplementedError

    def run_group(self, group: Group, draws: Draws) -> list[Group]:
        """The transform on one group, of which each sample is drawn with probability p."""
        chosen = draws.chance(self.p) if self.p < 1 else np.ones(len(draws), bool)
        parameters = self.parameters(draws, group.shape)
        if chosen.all():
            return [self.changed(group, parameters)]
        if not chosen.any():
            return [group]
        alike = self.neutral(parameters, ~chosen)
        if alike is not None:
            return [self.changed(group, alike)]
        those, others = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        return [self.changed(group.take(those), some(parameters, those)), group.take(others)]

    def changed(self, group: Group, parameters: Parameters) -> Group:
        """All samples of a group, transformed with these parameters."""
        shape = group.shape
        images = self.applied(group, parameters)
        made = Group(group.index, images, group.masks, group.boxes, group.keypoints)
        if self.geometric:
            if group.masks is not None:
                made.masks = self.apply_masks(group.masks, parameters)
            if group.boxes is not None:
                made.boxes = self.apply_boxes(group.boxes, parameters, shape, made.size)
            if group.keypoints is not None:
                made.keypoints = self._moved(group.keypoints, parameters, shape)
        return made

    def applied(self, group: Group, parameters: Parameters) -> Tensor:
        """The images of a group, transformed."""
        return self.apply(group.images, parameters)

    def apply_boxes(
        self, boxes: Points, parameters: Parameters, shape: Shape, size: tuple[int, int]
    ) -> Points:
        """For each sample the boxes around the moved corners of its boxes, cut at the border of the new
        image."""
        # Corners are edges of pixels, keypoints their centres.
        corners = [each[:, [[0, 1], [2, 1], [2, 3], [0, 3]]].reshape(-1, 2) - 0.5 for each in boxes]
        moved = [each.reshape(-1, 4, 2) + 0.5 for each in self._moved(corners, parameters, shape)]
        around = [np.concatenate([each.min(axis=1), each.max(axis=1)], axis=1) for each in moved]
        return [clipped(each, size) for each in around]

    def _moved(self, points: Points, parameters: Parameters, shape: Shape) -> Points:
        counts = [len(each) for each in points]
        owner = np.repeat(np.arange(len(points)), counts)
        flat = np.concatenate(points) if points else np.empty((0, 2))
        moved = self.apply_keypoints(flat, owner, parameters, shape)
        return np.split(moved, np.cumsum(counts)[:-1]) if points else []

    # What a resumed training needs to know

    def state_dict(self) -> dict[str, Any]:
        """The seed, and how many samples were transformed by calls. In a `DataLoader` nothing is kept."""
        return {"seed": self.seed, "calls": self.calls}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Goes on with the next sample after those of the state."""
        seed, calls = entries(self, state_dict, "seed", "calls")
        if seed is not None:
            seed = check_seed(f"{type(self).__name__}.load_state_dict", seed)
        self.calls = calls_made(self, calls)
        self.seed = seed

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        hidden = ("seed", "calls", "parts")
        shown = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in hidden}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _length(where: str, name: str, images: Any) -> int:
    if not isinstance(images, (np.ndarray, Tensor, Rows, list)) or not getattr(images, "ndim", 1):
        raise TypeError(
            f"{where}: {name} is a {type(images).__name__}, expected images: an array, a Tensor or a list"
        )
    return len(images)


def _is_list_of_images(batch: Sequence[Any]) -> bool:
    """Of a list of arrays, whether they are images of different sizes and not parts of a batch."""
    return isinstance(batch, list) and all(
        isinstance(each, (np.ndarray, Tensor)) and each.ndim == 3 for each in batch
    )


def some(parameters: Parameters, chosen: NDArray[np.int64]) -> Parameters:
    """The parameters of some samples."""
    return {
        name: value[chosen] if isinstance(value, np.ndarray) and value.ndim else value
        for name, value in parameters.items()
    }


def seed_of_default_generator() -> int:
    """A seed that `manual_seed` decides, another one each time."""
    generator = _core.default_generator
    seed, draws = generator.get_state()
    generator.set_state((seed, draws + 1))
    return int(np.random.SeedSequence([seed, draws]).generate_state(1, np.uint64)[0])
