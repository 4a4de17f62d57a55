"""Endless batches of augmented images, and the loader of the same batches for a training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._extras import need
from ..data import DataLoader
from ..data.convert import to_tensors
from ..data.shuffle import check_seed
from .draws import Draws
from .transform import seed_of_default_generator

Finish = Callable[[NDArray[Any], NDArray[np.int64]], Any]  # a batch and its numbers -> what the caller gets


class _Augmented:
    """What becomes of the batches of a data set of (images, their numbers)."""

    def __init__(
        self,
        generator: Any,
        finish: Finish,
        seed: int,
        length: int,
        folder: Any,
        prefix: Any,
        file_format: Any,
    ) -> None:
        self.generator, self.finish, self.seed, self.length = generator, finish, seed, length
        self.folder = None if folder is None else os.fspath(folder)
        self.prefix, self.file_format = prefix, file_format
        if self.folder is not None:
            need("save_to_dir", "PIL", "Pillow", "images")
            if not os.path.isdir(self.folder):
                raise NotADirectoryError(f"ImageDataGenerator: save_to_dir {self.folder} is no folder")

    def __call__(self, batch: Any, epoch: int, first: int) -> Any:
        """The batch whose first image is the ``first``-th of an epoch, augmented and with its labels."""
        images, numbers = batch
        index = np.asarray(numbers)
        draws = Draws(self.seed, epoch, np.arange(first, first + len(index)))
        made = self.generator.augmented(images, draws)
        if self.folder is not None:
            self._save(made, index, epoch * self.length + first)
        return self.finish(made, index)

    def transform_samples(self, batch: Any, epoch: int, first: int) -> Any:
        """The same as Tensors; `DataLoader` calls it."""
        return to_tensors(self(batch, epoch, first))

    def _save(self, images: NDArray[Any], index: NDArray[np.int64], first: int) -> None:
        """Pictures of a batch, each from black to white, under names of their own."""
        from PIL import Image

        is_first = self.generator.data_format == "channels_first"
        for place, (image, number) in enumerate(zip(images, index.tolist(), strict=True)):
            pixels = np.moveaxis(image, 0, 2) if is_first else image
            shown = pixels.astype(np.float32) - pixels.min()
            shown = (shown / (shown.max() or 1) * 255).astype(np.uint8)
            name = f"{self.prefix}_{number}_{first + place}.{self.file_format}"
            picture = Image.fromarray(shown[..., 0] if shown.shape[2] == 1 else shown)
            picture.save(os.path.join(str(self.folder), name))


class ImageIterator:
    """Batches of augmented images, epoch after epoch without end, as NumPy arrays.

    Made by the flow methods of `ImageDataGenerator`. A training takes ``loader``, a `DataLoader` over the
    same batches, whose pass is an epoch; it resumes exactly.

    Attributes:
        n, samples: Images of an epoch.
        image_shape: Of one image.
        classes, class_indices, num_classes, filenames, filepaths: With files: their classes by number, the
            number of each class, paths.
        index_array: The order of the epoch.
        batch_index, total_batches_seen: Where the iterator stands.
    """

    def __init__(
        self,
        generator: Any,
        dataset: Any,
        finish: Finish,
        *,
        image_shape: Sequence[int],
        batch_size: Any,
        shuffle: Any,
        seed: Any,
        save_to_dir: Any,
        save_prefix: Any,
        save_format: Any,
        **attributes: Any,
    ) -> None:
        self.image_data_generator = generator
        self.image_shape = tuple(image_shape)
        self.n = self.samples = len(dataset)
        seed = seed_of_default_generator() if seed is None else check_seed("ImageDataGenerator", seed)
        augmented: Any = _Augmented(generator, finish, seed, self.n, save_to_dir, save_prefix, save_format)
        self._augmented: _Augmented = augmented
        self.loader = DataLoader(dataset, batch_size, shuffle, seed=seed, batch_transform=augmented)
        self.batch_size, self.shuffle = self.loader.batch_size, self.loader.shuffle
        self.epoch = self.batch_index = self.total_batches_seen = 0
        vars(self).update(attributes)

    @property
    def seed(self) -> int:
        return self._augmented.seed

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.loader)

    @property
    def index_array(self) -> NDArray[np.int64]:
        sampler: Any = self.loader.sampler
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(self.epoch)
        order: NDArray[np.int64] = sampler.indices()
        return order

    def __getitem__(self, idx: int) -> Any:
        """Batch ``idx`` of this epoch."""
        if not -len(self) <= idx < len(self):
            raise IndexError(f"ImageIterator: batch {idx} of {len(self)}")
        first = idx % len(self) * self.batch_size
        chosen = self.index_array[first : first + self.batch_size]
        dataset: Any = self.loader.dataset
        if hasattr(dataset, "take_at"):
            batch = dataset.take_at(chosen, self.epoch, first)
        else:
            batch = dataset.take(chosen)
        self.total_batches_seen += 1
        return self._augmented(batch, self.epoch, first)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        batch = self[self.batch_index]
        self.batch_index += 1
        if self.batch_index == len(self):
            self.on_epoch_end()
        return batch

    def on_epoch_end(self) -> None:
        """Begin the next epoch."""
        self.epoch, self.batch_index = self.epoch + 1, 0

    def reset(self) -> None:
        """Begin this epoch again."""
        self.batch_index = 0

    def state_dict(self) -> dict[str, Any]:
        """Where ``next`` and the loader stand."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "batch_index": self.batch_index,
            "loader": self.loader.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        missing = [name for name in ("seed", "epoch", "batch_index", "loader") if name not in state]
        if missing:
            raise ValueError(f"ImageIterator.load_state_dict: state lacks {', '.join(missing)}")
        seed = check_seed("ImageIterator.load_state_dict", state["seed"])
        self.loader.load_state_dict(state["loader"])
        self._augmented.seed = seed
        self.epoch, self.batch_index = int(state["epoch"]), int(state["batch_index"])
