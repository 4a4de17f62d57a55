"""Batches whose images are copied by the transform that cuts them: the same as those copied before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment import (
    ColorJitter,
    Compose,
    Normalize,
    OneOf,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
    Transform,
)
from drivetrain.data import ArrayDataset, DataLoader, ImageFolder, Subset
from drivetrain.data.rows import Rows
from image_tools import batches, same, save


class Brighter(RandomCrop):
    """A crop of a user, who works on the images himself."""

    def apply(self, images: dt.Tensor, parameters: Any) -> dt.Tensor:
        assert isinstance(images, dt.Tensor)
        return super().apply(dt.from_numpy(images.numpy() // 2), parameters)


TRANSFORMS: dict[str, Transform] = {
    "crop and flip": Compose([RandomCrop(6), RandomHorizontalFlip(), Normalize(0.5, 0.25)], seed=1),
    "flip some": RandomVerticalFlip(0.5, seed=2),
    "padded": RandomCrop(8, padding=2, fill_mode="reflect", seed=3),
    "some are cut": RandomCrop(8, p=0.5, seed=3),
    "one of several": OneOf([RandomHorizontalFlip(1), RandomVerticalFlip(1), RandomRotation(9)], seed=4),
    "other transforms": Compose([ColorJitter(0.3), RandomCrop(5)], seed=5),
    "nothing": RandomHorizontalFlip(0, seed=6),
    "of a user": Brighter(7, seed=7),
}


def dataset_of(kind: str, folder: Path) -> Any:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 3)).astype(np.uint8)
    if kind == "arrays":
        return ArrayDataset(images, np.arange(20), images[::-1].copy())
    for number, image in enumerate(images):
        save(folder / "ab"[number % 2] / f"{number}.png", image)
    data = ImageFolder(folder, cache="memory")
    data.fill_cache()
    return data if kind == "folder" else Subset(data, [3, 1, 1, 15, 8, 19, 2])


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("kind", ["arrays", "folder", "part of a folder"])
def test_the_bits_are_those_of_copied_images(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = TRANSFORMS[name]
    loader = DataLoader(dataset_of(kind, tmp_path), 6, shuffle=True, seed=1, batch_transform=transform)
    found = [batches(loader) for _ in range(3)]  # from the second on, several batches at a time
    monkeypatch.setattr(type(transform), "takes_rows", False)
    other = DataLoader(loader.dataset, 6, shuffle=True, seed=1, batch_transform=transform)
    for mine in found:
        assert same(mine, batches(other))


@pytest.mark.parametrize("kind", ["arrays", "folder", "part of a folder"])
def test_windows_are_cut_from_where_the_images_lie(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Rows, "tensor", lambda rows: seen.append(rows.shape))
    loader = DataLoader(
        dataset_of(kind, tmp_path), 6, batch_transform=TRANSFORMS["crop and flip"], prefetch=0
    )
    assert next(iter(loader))[0].shape == (6, 6, 6, 3)
    assert not seen


def test_transforms_that_are_called_by_others_get_tensors() -> None:
    class Own(RandomHorizontalFlip):
        def transform_samples(self, batch: Any, epoch: int, first: int) -> Any:
            assert isinstance(batch[0], dt.Tensor)
            return super().transform_samples(batch, epoch, first)

    data = ArrayDataset(np.zeros((4, 3, 3, 1), np.uint8), np.arange(4))
    assert [len(labels) for _, labels in DataLoader(data, 2, batch_transform=Own())] == [2, 2]
    masks_first = Compose([RandomHorizontalFlip()], parts=("masks", "images"))
    pair = ArrayDataset(np.zeros((4, 3, 3, 1), np.uint8), np.zeros((4, 3, 3, 1), np.uint8))
    assert next(iter(DataLoader(pair, 2, batch_transform=masks_first)))[0].shape == (2, 3, 3, 1)
