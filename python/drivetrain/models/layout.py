"""Where the weights of PyTorch, whose images are channels first, differ from ours in the order of elements.

Convolutions have (out, in, height, width) there and (out, height, width, in) here. A linear layer behind a
flattened image has its columns in the order channels, height, width there and height, width, channels here:
which layers those are is seen by running the model once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core, nn, no_grad
from .._core import Tensor

Array = NDArray[Any]
Shape = tuple[int, ...]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
# Layers that give every element its place: what comes out of a flattened image is one still.
PLACE_KEEPING = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Hardswish,
    nn.Dropout,
    nn.AlphaDropout,
    nn.Identity,
    nn.BatchNorm1d,
    nn.LayerNorm,
    nn.RMSNorm,
)
TRIED = (64, 32, 28, 224)  # heights and widths of images


class Layout:
    """What has to be done with each weight of a model.

    By name of the layer, `flattened` has the shape (height, width, channels) of the image that it gets
    flattened, `unflattened` that of the image which its output becomes.
    """

    def __init__(self, model: nn.Module, flattened: dict[str, Shape], unflattened: dict[str, Shape]) -> None:
        self.modules = dict(model.named_modules(remove_duplicate=False))
        self.flattened, self.unflattened = flattened, unflattened

    def ours(self, name: str, array: Array) -> Array:
        """A weight of PyTorch in our order of axes and elements."""
        path, _, last = name.rpartition(".")
        module = self.modules.get(path)
        if isinstance(module, CONVOLUTIONS) and last == "weight" and array.ndim == module.rank + 2:
            return np.moveaxis(array, 1, -1)
        if isinstance(module, (nn.LayerNorm, nn.RMSNorm)) and array.ndim > 2:
            return np.moveaxis(array, 0, -1)
        if isinstance(module, nn.Linear):
            if path in self.unflattened:
                array = reordered(array, 0, self.unflattened[path])
            if path in self.flattened and last == "weight":
                array = reordered(array, 1, self.flattened[path])
        elif path in self.flattened and array.ndim == 1:
            array = reordered(array, 0, self.flattened[path])
        return array


def reordered(array: Array, axis: int, image: Shape) -> Array:
    """An axis of flattened images, channels first, as channels last."""
    *sizes, channels = image
    if array.ndim <= axis or array.shape[axis] != channels * int(np.prod(sizes)):
        return array  # of a wrong shape: loading says so
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    split = array.reshape((*before, channels, *sizes, *after))
    return np.moveaxis(split, axis, axis + len(sizes)).reshape(array.shape)


def layout_of(model: nn.Module, example: Any) -> Layout:
    """Look at a model, running it where that tells something that its layers do not."""
    kinds = [type(module) for module in model.modules()]
    if not any(issubclass(kind, CONVOLUTIONS) for kind in kinds) and example is None:
        return Layout(model, {}, {})  # no images
    if not any(issubclass(kind, nn.Linear) for kind in kinds):
        return Layout(model, {}, {})
    if example is not None:
        return trace(model, as_batch(example))
    return first_that_runs(model)


def as_batch(example: Any) -> Tensor:
    """A batch from a batch, or from the shape of a sample."""
    if isinstance(example, tuple) and all(type(size) is int for size in example):
        if len(example) not in (2, 3) or min(example) < 1:
            raise ValueError(
                f"load_pytorch_weights: example is {example}, expected (height, width, channels) or "
                "(time, channels), or a batch"
            )
        return _core.zeros((1, *example))
    return _core.asarray(example) if isinstance(example, (Tensor, np.ndarray)) else _core.tensor(example)


def first_that_runs(model: nn.Module) -> Layout:
    """Without an example: images of usual sizes; of several that fit all flatten the same."""
    first: Any = next(module for module in model.modules() if isinstance(module, CONVOLUTIONS))
    for size in TRIED:
        with contextlib.suppress(ValueError, TypeError, IndexError, RuntimeError):
            return trace(model, _core.zeros((1, *(size,) * first.rank, first.in_channels)))
    raise ValueError(
        "load_pytorch_weights: to find the linear layers behind a flattened image the model is run; give "
        "example=(height, width, channels), the size of its images, or a batch"
    )


def trace(model: nn.Module, batch: Tensor) -> Layout:
    tracer = Tracer()
    with for_tracing(model), no_grad(), tracer.watching(model):
        model(batch)
    return Layout(model, tracer.flattened, tracer.unflattened)


@contextlib.contextmanager
def for_tracing(model: nn.Module) -> Iterator[None]:
    """As in training, in which all parts of a model run, but with norms and dropout that change nothing."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in modes:
            module.training = next(module.children(), None) is not None
        yield
    finally:
        for module, mode in modes:
            module.training = mode


class Tracer:
    """Follows flattened images from layer to layer by the memory that they lie in."""

    def __init__(self) -> None:
        self.flattened: dict[str, Shape] = {}
        self.unflattened: dict[str, Shape] = {}
        self.kept: list[Tensor] = []  # so that no memory is used twice
        self.images: dict[int, Shape] = {}  # address -> shape of the image that begins there
        self.flat: dict[int, Shape] = {}  # address -> what is flattened there
        self.made_by: dict[int, str] = {}  # address -> linear layer that wrote there
        self.last: Shape | None = None  # the newest image

    @contextlib.contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        handles = []
        for name, module in model.named_modules():
            if next(module.children(), None) is None:
                handles.append(module.register_forward_pre_hook(self._before(name)))
                handles.append(module.register_forward_hook(self._after(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _before(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> None:
            value = args[0] if args and isinstance(args[0], Tensor) else None
            if value is None:
                return
            address = self._address(value)
            if value.ndim >= 3:
                if address in self.made_by and address not in self.images:
                    self.unflattened[self.made_by[address]] = tuple(value.shape[1:])
                self.images[address] = self.last = tuple(value.shape[1:])
            elif value.ndim == 2 and isinstance(
                module, (nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm)
            ):
                image = self._image_of(value, address)
                if image is not None and int(np.prod(image[:-1])) > 1:
                    self._note(name, image)

        return hook

    def _after(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor):
                return
            self.kept.append(output)
            address = self._address(output)
            if output.ndim >= 3:
                if isinstance(module, nn.Unflatten) and (maker := self.made_by.get(self._address(args[0]))):
                    self.unflattened[maker] = tuple(output.shape[1:])
                self.images[address] = self.last = tuple(output.shape[1:])
            elif output.ndim == 2:
                if isinstance(module, nn.Linear):
                    self.made_by[address] = name
                    self.last = None
                elif isinstance(module, (*PLACE_KEEPING, nn.Flatten)) and isinstance(args[0], Tensor):
                    self._pass_on(args[0], output, address)

        return hook

    def _pass_on(self, value: Tensor, output: Tensor, address: int) -> None:
        before = self._address(value)
        image = tuple(value.shape[1:]) if value.ndim >= 3 else self._image_of(value, before)
        if image is not None and int(np.prod(image)) == output.shape[1]:
            self.flat[address] = image
        if before in self.made_by:
            self.made_by[address] = self.made_by[before]

    def _image_of(self, value: Tensor, address: int) -> Shape | None:
        """What image a row holds: one that passed here, one in the same memory, or the newest of its size."""
        if address in self.made_by:
            return None
        for image in (self.flat.get(address), self.images.get(address), self.last):
            if image is not None and int(np.prod(image)) == value.shape[1]:
                return image
        return None

    def _note(self, name: str, image: Shape) -> None:
        if self.flattened.setdefault(name, image) != image:
            raise ValueError(
                f"load_pytorch_weights: the layer '{name}' gets flattened images of the shapes "
                f"{self.flattened[name]} and {image}, for which no one order of its weights is right"
            )

    def _address(self, value: Tensor) -> int:
        self.kept.append(value)
        address: int = value.detach().numpy().__array_interface__["data"][0]
        return address
