"""What a transform is called with, brought to one form and back: images, masks, boxes and keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .._core import Tensor
from ..data.convert import refuse_masked
from ..data.rows import Rows

Points = list[NDArray[np.float64]]

MASKS_EXACT_TO = 2**24  # integers in float32


@dataclass
class Group:
    """Samples whose images have one shape: what a transform works on.

    ``index`` says which samples of the call they are, ``pixels`` are their images (n, height, width,
    channels), ``masks`` the same or None. ``boxes`` and ``keypoints`` have an array (k, 4) or (k, 2) for each
    sample.
    """

    index: NDArray[np.int64]
    pixels: Tensor | Rows
    masks: Tensor | None = None
    boxes: Points | None = None
    keypoints: Points | None = None

    @property
    def images(self) -> Tensor:
        """The pixels, copied where they were rows of something larger."""
        if isinstance(self.pixels, Rows):
            self.pixels = self.pixels.tensor()
        return self.pixels

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[1], self.shape[2]

    def take(self, chosen: NDArray[np.int64]) -> Group:
        """Some of the samples, by their place in this group."""
        rows = _core.from_numpy(chosen)
        return Group(
            self.index[chosen],
            _core.take(self.images, rows, 0),
            None if self.masks is None else _core.take(self.masks, rows, 0),
            None if self.boxes is None else [self.boxes[place] for place in chosen],
            None if self.keypoints is None else [self.keypoints[place] for place in chosen],
        )

    def form(self) -> tuple[Any, ...]:
        """Groups of one form can be one group."""
        masks = None if self.masks is None else (self.masks.shape[1:], self.masks.dtype.name)
        return self.shape[1:], self.pixels.dtype.name, masks


def merged(groups: Sequence[Group]) -> list[Group]:
    """The same samples, those of one form in one group, each group in the order of the call."""
    if len(groups) < 2:
        return list(groups)
    forms: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        forms.setdefault(group.form(), []).append(group)
    return [alike[0] if len(alike) == 1 else _joined(alike) for alike in forms.values()]


def _joined(groups: list[Group]) -> Group:
    index = np.concatenate([group.index for group in groups])
    order = np.argsort(index, kind="stable")
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    starts = np.cumsum([len(group.index) for group in groups])[:-1]
    rows = np.split(places, starts)

    def tensors(found: list[Tensor]) -> Tensor:
        whole = np.empty((len(index), *found[0].shape[1:]), found[0].dtype.name)
        for place, tensor in zip(rows, found, strict=True):
            whole[place] = tensor.numpy()
        return _core.from_numpy(whole)

    def points(found: list[Points]) -> Points:
        every = [one for each in found for one in each]
        return [every[place] for place in order]

    first = groups[0]
    return Group(
        index[order],
        tensors([group.images for group in groups]),
        None if first.masks is None else tensors([g.masks for g in groups if g.masks is not None]),
        None if first.boxes is None else points([g.boxes for g in groups if g.boxes is not None]),
        None if first.keypoints is None else points([g.keypoints for g in groups if g.keypoints is not None]),
    )


@dataclass
class Form:
    """In which form the parts of a call came: they go back in the same."""

    where: str
    single: bool = False
    is_list: bool = False
    count: int = 0
    parts: list[str] = field(default_factory=list)
    arrays: dict[str, bool] = field(default_factory=dict)  # NumPy's, not Tensors
    flat: dict[str, bool] = field(default_factory=dict)  # came without an axis of channels
    mask_dtype: str = ""
    points_dtype: dict[str, Any] = field(default_factory=dict)
    points_list: dict[str, bool] = field(default_factory=dict)


def read(
    where: str, images: Any, masks: Any = None, boxes: Any = None, keypoints: Any = None, labels: Any = None
) -> tuple[list[Group], Form]:
    """The parts of a call in groups of one shape, and the form in which they came."""
    form = Form(where, parts=["images"])
    pictures = _read_pictures(form, "images", images)
    form.count = len(pictures) if isinstance(pictures, list) else pictures.shape[0]
    layers: Any = None
    if masks is not None:
        form.parts.append("masks")
        layers = _read_masks(form, masks, pictures)
    corners = points = None
    if boxes is not None:
        form.parts.append("boxes")
        corners = _read_points(form, "boxes", boxes, 4)
    if keypoints is not None:
        form.parts.append("keypoints")
        points = _read_points(form, "keypoints", keypoints, 2)
    if labels is not None:
        if boxes is None:
            raise ValueError(f"{where}: got labels without boxes, expected the boxes that they belong to")
        if not hasattr(labels, "__len__"):
            raise TypeError(f"{where}: labels is a {type(labels).__name__}, expected one label for each box")
        form.parts.append("labels")
    if not isinstance(pictures, list):
        groups = [Group(np.arange(form.count), pictures, layers, corners, points)]
    else:
        groups = merged(
            [
                Group(
                    np.array([place]),
                    image,
                    None if layers is None else layers[place],
                    None if corners is None else [corners[place]],
                    None if points is None else [points[place]],
                )
                for place, image in enumerate(pictures)
            ]
        )
    for group in groups:
        if group.boxes is not None:
            group.boxes = [clipped(each, group.size) for each in group.boxes]
    return groups, form


def _read_pictures(form: Form, name: str, value: Any) -> Tensor | list[Tensor]:
    """A tensor (n, height, width, channels), or a list of such with one image each."""
    where = form.where
    if isinstance(value, (list, tuple)):
        form.is_list = True
        if not value:
            raise ValueError(f"{where}: {name} is an empty list, expected at least one image")
        found = [_tensor(where, f"{name}[{place}]", each) for place, each in enumerate(value)]
        form.arrays[name] = isinstance(value[0], np.ndarray)
        form.flat[name] = found[0].ndim == 2
        for place, each in enumerate(found):
            if each.ndim not in (2, 3):
                raise ValueError(
                    f"{where}: {name}[{place}] has shape {tuple(each.shape)}, expected (height, width) or "
                    "(height, width, channels)"
                )
        pictures = [_with_channels(each)[None] for each in found]
    else:
        tensor = _tensor(where, name, value)
        form.arrays[name] = isinstance(value, np.ndarray)
        if tensor.ndim not in (2, 3, 4):
            raise ValueError(
                f"{where}: {name} has shape {tuple(tensor.shape)}, expected (height, width), "
                "(height, width, channels) or (batch, height, width, channels)"
            )
        form.single = tensor.ndim < 4
        form.flat[name] = tensor.ndim == 2
        pictures = [_with_channels(tensor)[None] if form.single else tensor]
    for picture in pictures:
        if picture.dtype.name not in ("uint8", "float32"):
            raise TypeError(
                f"{where}: {name} is {picture.dtype.name}, expected uint8 or float32; "
                "convert with astype('float32')"
            )
        if 0 in picture.shape[1:]:
            raise ValueError(f"{where}: {name} has shape {tuple(picture.shape)}, expected pixels")
    return pictures if form.is_list else pictures[0]


def _read_masks(form: Form, value: Any, pictures: Tensor | list[Tensor]) -> Tensor | list[Tensor]:
    where = form.where
    if form.is_list:
        if not isinstance(value, (list, tuple)) or len(value) != form.count:
            raise ValueError(f"{where}: masks must be a list of {form.count} masks, one for each image")
        found = [_tensor(where, f"masks[{place}]", each) for place, each in enumerate(value)]
        form.arrays["masks"] = isinstance(value[0], np.ndarray)
        form.flat["masks"] = found[0].ndim == 2
        layers = [_with_channels(each)[None] for each in found]
        images = list(pictures)
    else:
        tensor = _tensor(where, "masks", value)
        form.arrays["masks"] = isinstance(value, np.ndarray)
        if form.single:
            tensor = tensor[None]
        form.flat["masks"] = tensor.ndim == 3
        layers = [_with_channels(tensor, 3)]
        images = [pictures]  # type: ignore[list-item]
    for layer, image in zip(layers, images, strict=True):
        if layer.ndim != 4 or tuple(layer.shape[:3]) != tuple(image.shape[:3]):
            first = tuple(layer.shape[1:] if form.single or form.is_list else layer.shape)
            wanted = tuple(image.shape[1:3] if form.single or form.is_list else image.shape[:3])
            raise ValueError(f"{where}: masks have shape {first}, expected {wanted} as the images")
    form.mask_dtype = layers[0].dtype.name
    layers = [_mask_storage(where, layer) for layer in layers]
    return layers if form.is_list else layers[0]


def _mask_storage(where: str, layer: Tensor) -> Tensor:
    """In a dtype that the kernels move without changing a value."""
    name = layer.dtype.name
    if name in ("uint8", "float32"):
        return layer
    if name == "bool":
        return layer.astype("uint8")
    if name in ("int32", "int64"):
        values = layer.numpy()
        if values.size and max(abs(int(values.min())), abs(int(values.max()))) > MASKS_EXACT_TO:
            raise ValueError(f"{where}: masks have values beyond {MASKS_EXACT_TO}, expected labels below")
        return layer.astype("float32")
    raise TypeError(f"{where}: masks are {name}, expected bool, uint8, int32, int64 or float32")


def _read_points(form: Form, name: str, value: Any, width: int) -> Points:
    """One float64 array (k, width) for each sample."""
    where = form.where
    as_list = isinstance(value, (list, tuple)) and not form.single
    each: Any = list(value) if as_list else _to_array(where, name, value)
    if form.single:
        each = [each]
    elif not as_list and (each.ndim != 3 or len(each) != form.count):
        raise ValueError(f"{where}: {name} has shape {each.shape}, expected ({form.count}, k, {width})")
    if len(each) != form.count:
        raise ValueError(
            f"{where}: {name} has {len(each)} entries, expected {form.count}, one for each image"
        )
    arrays = [_to_array(where, name, one) for one in each]
    form.arrays[name] = not (isinstance(value, Tensor) or (as_list and isinstance(each[0], Tensor)))
    form.points_list[name] = as_list
    form.points_dtype[name] = arrays[0].dtype if arrays[0].dtype == np.float32 else np.dtype(np.float64)
    found: Points = []
    for one in arrays:
        points = one.reshape(0, width) if one.size == 0 else one
        if points.ndim != 2 or points.shape[1] != width:
            columns = "x0, y0, x1, y1" if width == 4 else "x, y"
            raise ValueError(f"{where}: {name} has shape {one.shape}, expected (k, {width}) of {columns}")
        if not np.isfinite(points).all():
            raise ValueError(f"{where}: {name} has values that are not finite")
        if width == 4 and ((points[:, 0] > points[:, 2]) | (points[:, 1] > points[:, 3])).any():
            bad = points[(points[:, 0] > points[:, 2]) | (points[:, 1] > points[:, 3])][0]
            raise ValueError(f"{where}: boxes has {bad.tolist()}, expected x0 <= x1 and y0 <= y1")
        found.append(points.astype(np.float64))
    return found


def _to_array(where: str, name: str, value: Any) -> NDArray[Any]:
    array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{where}: {name} is {array.dtype}, expected numbers")
    return array


def _tensor(where: str, name: str, value: Any) -> Any:
    if isinstance(value, Rows):
        return value
    refuse_masked(where, name, value)
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, np.ndarray):
        # Copied where it must not be written to: what a transform leaves as it is goes back to the caller.
        return _core.from_numpy(value if value.flags.writeable else value.copy())
    raise TypeError(f"{where}: {name} is a {type(value).__name__}, expected a NumPy array or a Tensor")


def _with_channels(tensor: Tensor, without: int = 2) -> Tensor:
    return tensor.reshape((*tensor.shape, 1)) if tensor.ndim == without else tensor


def clipped(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes cut at the border of an image; of those that vanish remains (0, 0, 0, 0)."""
    height, width = size
    cut = np.clip(boxes, 0, np.array([width, height, width, height], np.float64))
    cut[vanished(cut)] = 0
    return cut


def vanished(boxes: Any) -> NDArray[np.bool_]:
    """Which boxes have no area: those that lie outside the image once it is transformed.

    Args:
        boxes: (..., 4) of x0, y0, x1, y1.

    Returns:
        (...) of bool.

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment import vanished
        >>> vanished(np.array([[1, 1, 4, 5], [0, 0, 0, 0]])).tolist()
        [False, True]
    """
    array = _to_array("vanished", "boxes", boxes)
    if array.ndim == 0 or array.shape[-1] != 4:
        raise ValueError(f"vanished: boxes has shape {array.shape}, expected (..., 4)")
    return np.asarray((array[..., 2] <= array[..., 0]) | (array[..., 3] <= array[..., 1]))


def write(groups: list[Group], form: Form, labels: Any = None) -> Any:
    """The parts of a call in the form in which they came: alone, or a tuple in the order of the arguments."""
    parts: list[Any] = [_write_pictures(form, "images", [(g.index, g.images) for g in groups])]
    if "masks" in form.parts:
        layers = [(group.index, group.masks) for group in groups]
        back = [(index, _mask_back(form, layer)) for index, layer in layers]
        parts.append(_write_pictures(form, "masks", back))
    boxes = _in_order(form, [(group.index, group.boxes) for group in groups])
    kept = None
    if "labels" in form.parts:
        kept = [~vanished(each) for each in boxes]
        boxes = [each[keep] for each, keep in zip(boxes, kept, strict=True)]
    if "boxes" in form.parts:
        parts.append(_write_points(form, "boxes", boxes, ragged=kept is not None))
    if "keypoints" in form.parts:
        points = _in_order(form, [(group.index, group.keypoints) for group in groups])
        parts.append(_write_points(form, "keypoints", points))
    if kept is not None:
        parts.append(_kept_labels(form, labels, kept))
    return parts[0] if len(parts) == 1 else tuple(parts)


def _write_pictures(form: Form, name: str, found: list[tuple[NDArray[np.int64], Any]]) -> Any:
    def finished(tensor: Tensor) -> Any:
        if form.flat[name] and tensor.shape[-1] == 1:
            tensor = tensor.reshape(tensor.shape[:-1])
        return tensor.numpy() if form.arrays[name] else tensor

    if len(found) == 1:
        tensor = found[0][1]
        return finished(tensor[0] if form.single else tensor)
    rows: list[Any] = [None] * form.count
    for index, tensor in found:
        for place, sample in enumerate(index.tolist()):
            rows[sample] = finished(tensor[place])
    return rows


def _mask_back(form: Form, layer: Any) -> Tensor:
    made: Tensor = layer
    return made if made.dtype.name == form.mask_dtype else made.astype(form.mask_dtype)


def _in_order(form: Form, found: list[tuple[NDArray[np.int64], Points | None]]) -> Points:
    rows: Points = [np.empty((0, 4))] * form.count
    for index, points in found:
        for place, sample in enumerate(index.tolist() if points is not None else []):
            rows[sample] = points[place]  # type: ignore[index]
    return rows


def _write_points(form: Form, name: str, points: Points, *, ragged: bool = False) -> Any:
    made = [each.astype(form.points_dtype[name]) for each in points]
    if form.single:
        return made[0] if form.arrays[name] else _core.from_numpy(made[0])
    if form.points_list[name] or ragged:
        return made if form.arrays[name] else [_core.from_numpy(each) for each in made]
    stacked = np.stack(made) if made else np.empty((0, 0, 4 if name == "boxes" else 2))
    return stacked if form.arrays[name] else _core.from_numpy(stacked)


def _kept_labels(form: Form, labels: Any, kept: list[NDArray[np.bool_]]) -> Any:
    """The labels of the boxes that are left."""
    each = [labels] if form.single else labels
    if len(each) != form.count:
        raise ValueError(f"{form.where}: labels has {len(each)} entries, expected {form.count}")
    left = []
    for one, keep in zip(each, kept, strict=True):
        array = one.numpy() if isinstance(one, Tensor) else np.asarray(one)
        if array.ndim == 0 or len(array) != len(keep):
            raise ValueError(
                f"{form.where}: labels have shape {array.shape}, expected one for each of {len(keep)} boxes"
            )
        chosen = array[keep]
        is_list, is_tensor = isinstance(one, (list, tuple)), isinstance(one, Tensor)
        left.append(chosen.tolist() if is_list else _core.from_numpy(chosen) if is_tensor else chosen)
    return left[0] if form.single else left
