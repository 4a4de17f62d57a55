"""Crops, padding and resize: what they cut and scale, masks, boxes and points, one pass with a flip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment import (
    CenterCrop,
    Compose,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    Resize,
)
from op_table.tools import on_threads


def numbered(n: int = 3, size: tuple[int, int] = (11, 13)) -> Any:
    """Every pixel says where it is."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.repeat(np.stack([y, x, np.full_like(x, 200)], -1)[None], n, axis=0).astype(np.uint8)


def test_random_crop_is_a_window() -> None:
    images = numbered(200)
    made = RandomCrop((4, 6), seed=1)(images)
    rows, columns = made[:, 0, 0, 0], made[:, 0, 0, 1]
    for image, row, column, whole in zip(made, rows, columns, images, strict=True):
        np.testing.assert_array_equal(image, whole[row : row + 4, column : column + 6])
    assert set(rows) == set(range(8))
    assert set(columns) == set(range(8))


def test_padding_before_a_crop() -> None:
    images = numbered(300)
    made = RandomCrop((11, 13), padding=(1, 2, 3, 4), fill_value=9, seed=1)(images)
    padded = np.pad(images, ((0, 0), (2, 4), (1, 3), (0, 0)), constant_values=9)
    places = set()
    for image, whole in zip(made, padded, strict=True):
        fits = [(y, x) for y in range(7) for x in range(5) if (image == whole[y : y + 11, x : x + 13]).all()]
        assert len(fits) == 1
        places.add(fits[0])
    assert places == {(y, x) for y in range(7) for x in range(5)}
    assert RandomCrop(20, pad_if_needed=True)(images[:2]).shape == (2, 20, 20, 3)
    with pytest.raises(ValueError, match=r"images have size \(11, 13\), expected at least \(12, 12\)"):
        RandomCrop(12)(images)


MODES = {"constant": {"constant_values": 0}, "nearest": {}, "reflect": {}, "wrap": {}}
NUMPY = {"constant": "constant", "nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pad_is_that_of_numpy(mode: str, dtype: Any) -> None:
    images = numbered().astype(dtype)
    made = Pad((2, 3, 1, 4), fill_mode=mode)(images)
    widths = ((0, 0), (3, 4), (2, 1), (0, 0))
    np.testing.assert_array_equal(made, np.pad(images, widths, mode=NUMPY[mode], **MODES[mode]))
    both = Pad([2, 1])(images, keypoints=np.array([[[0, 0]]] * 3))
    assert both[0].shape == (3, 13, 17, 3)
    assert both[1].tolist() == [[[2, 1]]] * 3


def test_center_crop() -> None:
    image = numbered(1)[0]
    np.testing.assert_array_equal(CenterCrop((5, 7))(image), image[3:8, 3:10])
    larger = CenterCrop(15)(image)
    np.testing.assert_array_equal(larger[2:13, 1:14], image)
    assert not larger[:2].any()


def test_resize_is_that_of_pillow() -> None:
    pillow = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2, 37, 53, 3)).astype(np.uint8)
    for name in ("nearest", "box", "bilinear", "bicubic"):
        for size in ((16, 20), (60, 90), (37, 20)):
            made = Resize(size, name)(images)
            for one, image in zip(made, images, strict=True):
                resized = pillow.fromarray(image).resize(size[::-1], pillow.Resampling[name.upper()])
                assert np.abs(one.astype(int) - np.asarray(resized)).max() <= 1, (name, size)


def test_resize_by_the_shorter_side() -> None:
    for shape, size, longest, expected in (
        ((40, 60), 20, None, (20, 30)),
        ((60, 40), 20, None, (30, 20)),
        ((40, 80), 20, 30, (15, 30)),
        ((7, 7), 20, None, (20, 20)),
    ):
        assert Resize(size, max_size=longest)(np.zeros((*shape, 3), np.uint8)).shape == (*expected, 3)
    # A list of sizes becomes a batch where the new sizes are one.
    images = [np.zeros((40, 60, 3), np.uint8), np.zeros((30, 30, 3), np.uint8)]
    assert Resize((8, 9))(images).shape == (2, 8, 9, 3)
    assert [each.shape for each in Resize(10)(images)] == [(10, 15, 3), (10, 10, 3)]
    augment = Compose([Resize(32), RandomCrop(24), RandomHorizontalFlip()], seed=1)
    assert augment(images).shape == (2, 24, 24, 3)


def test_scaled_masks_boxes_and_points_follow_the_image() -> None:
    images = np.zeros((8, 60, 90, 3), np.uint8)
    images[:, 20:40, 30:60] = 255
    masks = np.where(images[..., 0] > 0, 7, 0)
    boxes = [np.array([[30, 20, 60, 40]])] * 8
    points = [np.array([[44.5, 29.5]])] * 8
    for transform in (
        Resize((30, 60)),
        RandomResizedCrop((48, 40), scale=(0.6, 1), seed=1),
        Compose([RandomResizedCrop((48, 40), scale=(0.6, 1)), RandomHorizontalFlip()], seed=2),
        Compose([RandomRotation(5), RandomCrop((50, 70))], seed=3),
    ):
        new, moved, around, centre = transform(images, masks, boxes, points)
        assert set(np.unique(moved)) == {0, 7}
        for image, mask, box, point in zip(new, moved, around, centre, strict=True):
            assert ((image[..., 0] > 127) == (mask > 0)).mean() > 0.98
            rows, columns = np.nonzero(mask)
            x0, y0, x1, y1 = box[0]
            if x0 > 0 and y0 > 0 and x1 < image.shape[1] and y1 < image.shape[0]:
                assert abs(columns.mean() - point[0, 0]) < 1
                assert abs(rows.mean() - point[0, 1]) < 1
            turned = 5 if isinstance(transform, Compose) and transform.transforms[0].p == 1 else 1.5
            assert abs(x0 - columns.min()) < turned
            assert abs(y1 - rows.max() - 1) < turned


def test_random_resized_crop_draws_area_and_proportions() -> None:
    crop = RandomResizedCrop(8, scale=(0.2, 0.6), ratio=(0.5, 2.0), seed=1)
    from drivetrain.augment.draws import Draws

    boxes = crop.boxes(Draws(1, 0, np.arange(3000)), (60, 80))
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (boxes >= 0).all()
    assert (boxes[:, 2] <= 80).all()
    assert (boxes[:, 3] <= 60).all()
    area, ratio = width * height / 4800, width / height
    assert 0.19 < area.min() < 0.22
    assert 0.55 < area.max() < 0.62
    assert 0.48 < ratio.min() < 0.55
    assert 1.8 < ratio.max() < 2.1
    # Left and right, above and below are drawn alike.
    assert abs((boxes[:, 0] / np.maximum(80 - width, 1)).mean() - 0.5) < 0.03
    assert abs((boxes[:, 1] / np.maximum(60 - height, 1)).mean() - 0.5) < 0.03
    # Nothing fits: the largest part in the middle, of a proportion in the range.
    flat = RandomResizedCrop(8, scale=(1, 1)).boxes(Draws(1, 0, [0]), (10, 100))
    assert flat.tolist() == [[43, 0, 56, 10]]


def test_a_flip_after_a_resized_crop_is_one_pass() -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 40, 50, 3)).astype(np.uint8)
    steps = [RandomResizedCrop(24), RandomHorizontalFlip()]
    assert steps[0].fusible(steps) == 2
    one = Compose(steps, seed=1)(images)
    other = Compose(steps, seed=1, fuse=False)(images)
    np.testing.assert_array_equal(one, other)
    # Neither is one where other pixels follow, or images are left.
    assert steps[0].fusible([steps[0], RandomRotation(3)]) == 1
    assert steps[1].fusible([steps[1], RandomCrop(4), RandomRotation(3)]) == 2
    assert steps[1].fusible([steps[1], RandomCrop(4, padding=1)]) == 1
    assert steps[1].fusible([steps[1], RandomCrop(4, p=0.5)]) == 1


def test_a_crop_after_a_rotation_is_one_pass() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 40, 50, 3)).astype(np.uint8)
    steps = [RandomRotation(20), RandomHorizontalFlip(), RandomCrop((20, 30))]
    fused = Compose(steps, seed=1)(images)
    apart = Compose(steps, seed=1, fuse=False)(images)
    assert fused.shape == apart.shape == (6, 20, 30, 3)
    # One interpolation in both: a flip and a crop move whole pixels.
    assert np.abs(fused.astype(int) - apart).max() <= 1


def test_same_bits_on_all_threads() -> None:
    images = np.random.default_rng(0).integers(0, 256, (16, 70, 80, 3)).astype(np.uint8)

    def run() -> Any:
        return (
            Compose([RandomResizedCrop(48), RandomHorizontalFlip()], seed=1)(images),
            Compose([RandomRotation(20), RandomCrop(48)], seed=1)(images.astype(np.float32)),
            Resize((50, 60), "bicubic")(images),
        )

    on_threads(run)


def test_tensors_and_share_of_samples() -> None:
    images = dt.from_numpy(numbered(8))
    assert isinstance(RandomResizedCrop(4)(images), dt.Tensor)
    some = RandomCrop((11, 9), p=0.5, seed=1)(images)
    assert isinstance(some, list)
    assert {tuple(each.shape) for each in some} == {(11, 9, 3), (11, 13, 3)}
    assert Resize((11, 13), p=0.5)(images).shape == (8, 11, 13, 3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: RandomCrop(0), ValueError, "size must be an integer from 1 to 1048576, got 0"),
        (lambda: RandomCrop((3, 4, 5)), ValueError, "expected a number or"),
        (lambda: RandomCrop(2.5), TypeError, "size must be an integer from 1 to 1048576, got 2.5"),
        (lambda: RandomCrop(4, padding=(1, 2, 3)), ValueError, "one, two or four"),
        (
            lambda: RandomCrop(4, padding=-1),
            ValueError,
            "padding must be an integer from 0 to 1048576, got -1",
        ),
        (lambda: Pad("a"), TypeError, "padding is 'a'"),
        (lambda: Resize(8, "cubic"), ValueError, "interpolation must be one of .*got 'cubic'"),
        (lambda: Resize((8, 8), max_size=9), ValueError, "max_size is 9"),
        (lambda: Resize(8, max_size=4), ValueError, "max_size is 4"),
        (lambda: RandomResizedCrop(8, scale=(0.5, 0.1)), ValueError, "lower number first"),
        (lambda: RandomResizedCrop(8, scale=(0, 1)), ValueError, "above 0"),
        (lambda: RandomResizedCrop(8, scale=(0.5, 2)), ValueError, "within 0 to 1"),
        (lambda: RandomResizedCrop(8, ratio=1.0), TypeError, "ratio is 1.0, expected a pair"),
        (lambda: CenterCrop(True), TypeError, "size must be an integer from 1 to 1048576, got True"),
    ],
)
def test_wrong_arguments(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
