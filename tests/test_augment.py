"""Transforms: forms in and out, what draws depend on, masks, boxes and keypoints, several in one pass."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment import (
    CenterCrop,
    Compose,
    ElasticTransform,
    OneOf,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomVerticalFlip,
    RandomZoom,
    SomeOf,
    Transform,
    vanished,
)
from drivetrain.augment.draws import Draws
from drivetrain.data import ArrayDataset, DataLoader


def pictures(n: int = 4, size: tuple[int, int] = (12, 16), channels: int = 3, dtype: Any = np.uint8) -> Any:
    return np.random.default_rng(n).integers(0, 256, (n, *size, channels)).astype(dtype)


class Brighter(Transform):
    """Pointwise, with a parameter for each sample and none that is neutral."""

    def parameters(self, draws: Draws, shape: tuple[int, ...]) -> dict[str, Any]:
        return {"amount": draws.integers(1, 100)}

    def apply(self, images: Any, parameters: dict[str, Any]) -> Any:
        return dt.from_numpy(images.numpy() + parameters["amount"].astype("uint8")[:, None, None, None])


class Half(Transform):
    """Changes the size."""

    def apply(self, images: Any, parameters: dict[str, Any]) -> Any:
        return dt.from_numpy(np.ascontiguousarray(images.numpy()[:, ::2, ::2]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("tensor", [False, True])
def test_every_form_comes_back_as_it_was(dtype: Any, tensor: bool) -> None:
    flip = RandomHorizontalFlip(p=1)
    batch = pictures(dtype=dtype)
    for given in (batch, batch[0], batch[0, :, :, 0], batch[..., :1], batch[:, :, :, [0, 1, 2, 0, 1]]):
        axis = -1 if given.ndim == 2 else -2
        made = flip(dt.from_numpy(np.ascontiguousarray(given)) if tensor else given)
        assert isinstance(made, dt.Tensor) == tensor
        found = made.numpy() if tensor else made
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.flip(given, axis))


def test_lists_of_sizes_stay_lists_until_they_have_one() -> None:
    images = [pictures(1, size)[0] for size in ((8, 12), (10, 6), (8, 12))]
    made = RandomHorizontalFlip(p=1)(images)
    assert isinstance(made, list)
    for new, old in zip(made, images, strict=True):
        np.testing.assert_array_equal(new, old[:, ::-1])
    alike = RandomHorizontalFlip(p=1)([images[0], images[2]])
    assert alike.shape == (2, 8, 12, 3)
    # Each of a list gets what it would get by itself at its position.
    augment = Brighter(seed=3)
    together = augment(images, draws=Draws(3, 0, [5, 6, 7]))
    for place, image in enumerate(images):
        np.testing.assert_array_equal(together[place], augment(image, draws=Draws(3, 0, [5 + place])))
    grey = [image[..., 0] for image in images]
    assert [each.shape for each in RandomHorizontalFlip(p=1)(grey)] == [each.shape for each in grey]


def test_draws_depend_on_seed_epoch_and_position_alone() -> None:
    batch = pictures(8)
    augment = Compose([RandomRotation(30), Brighter(p=0.5), RandomHorizontalFlip()], seed=5)
    whole = augment.transform_samples(batch, 2, 16)
    parts = [augment.transform_samples(batch[i : i + 2], 2, 16 + i) for i in (6, 0, 2, 4)]
    np.testing.assert_array_equal(whole, np.concatenate([parts[1], parts[2], parts[3], parts[0]]))
    for other in (augment.transform_samples(batch, 3, 16), augment.transform_samples(batch, 2, 17)):
        assert (whole != other).any()
    different = Compose(augment.transforms, seed=6).transform_samples(batch, 2, 16)
    assert (whole != different).any()
    # One sample many times: each is augmented in its own way.
    same = augment(np.repeat(batch[:1], 8, axis=0))
    assert len({each.tobytes() for each in same}) == 8


def test_calls_count_positions_and_a_state_goes_on() -> None:
    batch = pictures(3)
    first, second = Brighter(seed=1), Brighter(seed=1)
    whole = [first(batch) for _ in range(3)]
    second(batch)
    third = Brighter(seed=9)
    third.load_state_dict(second.state_dict())
    for expected in whole[1:]:
        np.testing.assert_array_equal(third(batch), expected)
    for copied in (copy.deepcopy(third), pickle.loads(pickle.dumps(third))):
        np.testing.assert_array_equal(copied(batch), copy.deepcopy(third)(batch))
    with pytest.raises(ValueError, match=r"Brighter\.load_state_dict"):
        third.load_state_dict({"calls": 1})
    with pytest.raises(ValueError, match="'calls' is -1"):
        third.load_state_dict({"seed": 1, "calls": -1})


def test_manual_seed_decides_where_no_seed_was_given() -> None:
    batch = pictures(6)
    made = []
    for seed in (1, 1, 2):
        dt.manual_seed(seed)
        one, two = Brighter(), Brighter()
        made.append((one(batch), two(batch)))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    assert (made[0][0] != made[2][0]).any()
    assert (made[0][0] != made[0][1]).any()


def test_a_loader_gives_epoch_and_position() -> None:
    images, labels = pictures(10), np.arange(10)
    augment = Compose([RandomRotation(40), RandomHorizontalFlip()], seed=4)

    def epochs(batch_size: int, count: int = 2) -> list[Any]:
        loader = DataLoader(ArrayDataset(images, labels), batch_size, batch_transform=augment)
        return [np.concatenate([batch[0].numpy() for batch in loader]) for _ in range(count)]

    one, other = epochs(4), epochs(3)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one[0] != one[1]).any()
    # Resumed in the middle of the second epoch.
    loader = DataLoader(ArrayDataset(images, labels), 4, shuffle=True, batch_transform=augment)
    list(loader)
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    rest = [batch[0].numpy() for batch in batches]
    resumed = DataLoader(ArrayDataset(images, labels), 4, shuffle=True, batch_transform=augment)
    resumed.load_state_dict(state)
    for a, b in zip(rest, [batch[0].numpy() for batch in resumed], strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_a_batch() -> None:
    images, masks = pictures(4), np.arange(4 * 12 * 16).reshape(4, 12, 16)
    flip = Compose([RandomHorizontalFlip(p=1)], parts=("images", "masks", "names"))
    made = flip.transform_samples((images, masks, ["a", "b", "c", "d"]), 0, 0)
    assert isinstance(made, tuple)
    assert made[2] == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(made[1], masks[:, :, ::-1])
    np.testing.assert_array_equal(flip.transform_batch([images, masks], 0, 1)[1], masks[:, :, ::-1])
    by_name = flip.transform_samples({"image": images, "mask": masks, "id": 7}, 0, 0)
    assert by_name["id"] == 7
    np.testing.assert_array_equal(by_name["mask"], masks[:, :, ::-1])
    np.testing.assert_array_equal(by_name["image"], images[:, :, ::-1])
    # Without names the second part, whatever it is, stays.
    np.testing.assert_array_equal(RandomHorizontalFlip(1).transform_samples((images, masks), 0, 0)[1], masks)
    with pytest.raises(ValueError, match="expected images"):
        flip.transform_samples({"mask": masks}, 0, 0)


def test_p_is_the_share_that_changes() -> None:
    images = np.zeros((2000, 1, 2, 1), np.uint8)
    for transform in (Brighter(p=0.3, seed=1), Compose([Brighter()], p=0.3, seed=2)):
        changed = transform(images).any(axis=(1, 2, 3)).mean()
        assert 0.26 < changed < 0.34
    assert not Brighter(p=0)(images).any()
    assert Brighter(p=1)(images).any(axis=(1, 2, 3)).all()
    some = Half(p=0.5, seed=1)(pictures(6))
    assert sorted({each.shape[0] for each in some}) == [6, 12]


def test_one_of_takes_each_by_its_weight() -> None:
    images = np.zeros((3000, 1, 2, 1), np.uint8)
    images[:, 0, 0] = 9

    class Zero(Transform):
        def apply(self, images: Any, parameters: dict[str, Any]) -> Any:
            return dt.from_numpy(np.zeros(images.shape, np.uint8))

    made = OneOf([RandomHorizontalFlip(p=1), Zero()], weights=[3, 1], seed=1)(images)
    zero, flipped = (made == 0).all(axis=(1, 2, 3)), made[:, 0, 1, 0] == 9
    assert (zero ^ flipped).all()
    assert 0.22 < zero.mean() < 0.28
    none = OneOf([RandomHorizontalFlip(p=1), Zero()], p=0.5, seed=1)(images)
    assert 0.45 < (none == images).all(axis=(1, 2, 3)).mean() < 0.55


def test_some_of_keeps_the_order_and_the_number() -> None:
    class Step(Transform):
        def __init__(self, digit: int) -> None:
            super().__init__()
            self.digit = digit

        def apply(self, images: Any, parameters: dict[str, Any]) -> Any:
            return dt.from_numpy(images.numpy() * np.float32(10) + np.float32(self.digit))

    images = np.zeros((600, 1, 1, 1), np.float32)
    made = SomeOf([Step(1), Step(2), Step(3)], 2, seed=1)(images).ravel()
    assert set(made) == {12, 13, 23}
    assert all(0.25 < (made == each).mean() < 0.42 for each in (12, 13, 23))
    ranged = SomeOf([Step(1), Step(2), Step(3)], (0, 3), seed=1)(images).ravel()
    assert set(ranged) == {0, 1, 2, 3, 12, 13, 23, 123}


GEOMETRIC = [
    RandomRotation(40, seed=1),
    RandomAffine(20, (0.2, 0.1), (0.8, 1.3), (-10, 10, -5, 5), seed=2),
    RandomTranslation(0.3, 0.2, seed=3),
    RandomShear(0.2, 0.1, seed=4),
    RandomZoom((-0.3, 0.2), (-0.1, 0.3), seed=5),
    RandomPerspective(0.4, p=1, seed=6),
    RandomHorizontalFlip(p=1, seed=7),
    RandomVerticalFlip(p=1, seed=8),
    ElasticTransform(60, 6, seed=10),
    Compose([RandomRotation(40), RandomHorizontalFlip(), RandomZoom(0.2)], seed=9),
    Compose([RandomRotation(40), RandomHorizontalFlip(), RandomZoom(0.2)], seed=9, fuse=False),
]
by_name = pytest.mark.parametrize("transform", GEOMETRIC, ids=lambda each: type(each).__name__)


@by_name
def test_masks_and_points_follow_the_image(transform: Transform) -> None:
    """A bright square: its mask, its centre and its box come to lie where it does."""
    images = np.zeros((6, 64, 80, 3), np.uint8)
    images[:, 26:33, 40:47] = 255
    masks = (images[..., 0] > 0).astype(np.int64) * 70000
    points, boxes = [np.array([[43.0, 29.0]])] * 6, [np.array([[40, 26, 47, 33]])] * 6
    new, moved, around, centre = transform(images, masks, boxes, points)
    assert moved.dtype == np.int64
    assert set(np.unique(moved)) <= {0, 70000}
    for image, mask, box, point in zip(new, moved, around, centre, strict=True):
        rows, columns = np.nonzero(mask)
        assert len(rows) > 15
        assert ((image[..., 0] > 127) == (mask > 0)).mean() > 0.995
        assert abs(point[0, 0] - columns.mean()) < 0.6
        assert abs(point[0, 1] - rows.mean()) < 0.6
        x0, y0, x1, y1 = box[0]
        # Around the corners of the old box: at least as large as what is in it.
        assert x0 < columns.min() + 1.01
        assert x1 > columns.max() - 0.01
        assert y0 < rows.min() + 1.01
        assert y1 > rows.max() - 0.01
        assert x1 - x0 < 25
        assert y1 - y0 < 25


def test_boxes_are_cut_and_those_that_vanish_can_be_dropped() -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    boxes = np.array([[0, 0, 4, 4], [8, 2, 12, 8], [18, 8, 40, 30], [-5, -5, -1, -1], [30, 2, 35, 4]])
    right = RandomTranslation(0, (0.5, 0.5))  # by ten pixels
    _, moved = right(image, boxes=boxes)
    expected = [[10, 0, 14, 4], [18, 2, 20, 8], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(moved, expected, atol=1e-9)
    assert vanished(moved).tolist() == [False, False, True, True, True]
    _, left, names = right(image, boxes=boxes, labels=["a", "b", "c", "d", "e"])
    assert names == ["a", "b"]
    assert left.shape == (2, 4)
    _, left, numbers = right(image[None], boxes=boxes[None], labels=np.arange(5)[None])
    assert numbers[0].tolist() == [0, 1]
    assert left[0].shape == (2, 4)
    # Once gone, always gone.
    _, gone = Compose([right, RandomRotation(45)], fuse=False)(image, boxes=boxes)
    assert vanished(gone).tolist() == [False, False, True, True, True]
    _, none, empty = right(image, boxes=np.zeros((0, 4)), labels=[])
    assert none.shape == (0, 4)
    assert empty == []


def test_points_keep_their_kind() -> None:
    images = pictures(2)
    points = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], np.float32)
    flip = RandomHorizontalFlip(p=1)
    _, moved = flip(images, keypoints=points)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, np.stack([15 - points[..., 0], points[..., 1]], -1))
    _, tensors = flip(dt.from_numpy(images), keypoints=dt.from_numpy(points))
    assert isinstance(tensors, dt.Tensor)
    _, lists = flip(images, keypoints=[points[0], points[1, :1]])
    assert [each.shape for each in lists] == [(2, 2), (1, 2)]


def smooth(n: int = 3, size: int = 64) -> Any:
    y, x = np.mgrid[:size, :size] / size
    waves = np.stack([np.sin(5 * x + 3 * y), np.cos(4 * x * y), x * y], -1)
    return (127 + 100 * np.stack([waves * k for k in np.linspace(0.5, 1, n)])).astype(np.float32)


def test_several_in_one_pass_are_the_same_as_one_after_the_other() -> None:
    images = smooth()
    steps: list[Transform] = [
        RandomRotation(10, p=0.7),
        RandomTranslation(0.05, 0.05),
        RandomHorizontalFlip(),
        RandomZoom((-0.2, -0.1)),
    ]
    points = np.array([[[20.0, 30.0]]] * 3)
    fused, one = Compose(steps, seed=3)(images, keypoints=points)
    plain, other = Compose(steps, seed=3, fuse=False)(images, keypoints=points)
    np.testing.assert_allclose(one, other, atol=1e-6)
    inside = slice(16, 48)
    difference = np.abs(fused - plain)[:, inside, inside]
    assert difference.max() < 2.5  # rounding of three interpolations
    assert (fused != plain).any()
    assert steps[0].fusible(steps) == 4
    assert steps[0].fusible([steps[0], Brighter(), steps[1]]) == 1
    assert steps[0].fusible([steps[0], RandomRotation(5, fill_mode="reflect")]) == 1
    assert steps[2].fusible([steps[2], RandomRotation(5, fill_mode="reflect"), steps[2]]) == 3


@pytest.mark.parametrize(
    "steps",
    [
        [RandomCrop((6, 7)), RandomHorizontalFlip(), RandomVerticalFlip(), RandomHorizontalFlip()],
        [RandomVerticalFlip(), RandomHorizontalFlip(), RandomCrop((4, 5))],
        [RandomCrop((11, 10), padding=(3, 1), fill_mode="reflect"), RandomHorizontalFlip(0.7)],
        [Pad((0, 2, 3, 1), fill_value=7), RandomVerticalFlip(), RandomHorizontalFlip()],
        [CenterCrop((11, 6)), RandomHorizontalFlip(1)],
    ],
    ids=lambda steps: " ".join(type(each).__name__ for each in steps),
)
def test_windows_and_flips_are_one_cut(steps: list[Transform], monkeypatch: pytest.MonkeyPatch) -> None:
    from drivetrain.augment import matrix_transform

    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (16, 9, 12, 3), dtype=np.uint8)
    points = rng.integers(0, 32, (16, 4, 2)) / 4  # sums of them are exact
    boxes = np.concatenate([points, points + 3], axis=2)
    parts = {"masks": images[..., 0], "boxes": boxes, "keypoints": points}
    plain = Compose(steps, seed=3, fuse=False)(images, **parts)
    calls = []
    core = matrix_transform._core

    class Counting:
        from_numpy = staticmethod(core.from_numpy)

        @staticmethod
        def cut_images(*given: Any) -> Any:
            calls.append(1)
            return core.cut_images(*given)

    monkeypatch.setattr(matrix_transform, "_core", Counting)
    fused = Compose(steps, seed=3)(images, **parts)
    assert len(calls) == 2  # images and masks
    for one, other in zip(fused, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_fused_geometry_does_not_touch_the_border_twice() -> None:
    """Out by a shift and back again: what is computed in one pass is still there."""
    image = pictures(1)[0]
    there, back = RandomTranslation(0, (0.5, 0.5)), RandomTranslation(0, (-0.5, -0.5))
    np.testing.assert_array_equal(Compose([there, back])(image), image)
    assert not Compose([there, back], fuse=False)(image)[:, 8:].any()


def test_elastic_moves_as_far_as_it_says() -> None:
    from drivetrain.augment.draws import Draws

    draws = Draws(0, 0, np.arange(40))
    field = ElasticTransform(50, 5).parameters(draws, (40, 48, 64, 3))["field"]
    # The deviation of uniform noise smoothed by a Gaussian: sqrt(1 / 3) / (2 sqrt(pi) sigma).
    assert 0.85 < field.std() / (50 * np.sqrt(1 / 3) / (2 * np.sqrt(np.pi) * 5)) < 1.25
    assert abs(field.mean()) < 0.3
    assert 1.2 < np.abs(field).mean() < 1.7
    steps = np.abs(np.diff(field, axis=2)).mean() / np.abs(field).mean()
    assert steps < 0.25  # neighbours move alike
    image = np.full((1, 30, 30, 1), 77, np.uint8)
    assert (ElasticTransform(0)(image) == image).all()
    some = ElasticTransform(300, 4, p=0.5, seed=1)(smooth(20, 32))
    same = (some == smooth(20, 32)).all(axis=(1, 2, 3))
    assert 5 <= same.sum() <= 15


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: RandomRotation("x"), TypeError, "degrees is 'x', expected a number or a pair of numbers"),
        (lambda: RandomRotation((10, -10)), ValueError, "expected the lower number first"),
        (lambda: RandomRotation(-3), ValueError, "at least 0 or a pair"),
        (lambda: RandomRotation(float("nan")), ValueError, "finite"),
        (lambda: RandomRotation((1, 2, 3)), ValueError, "expected a number or a pair"),
        (lambda: RandomRotation(3, p=1.5), ValueError, "p must be a number from 0 to 1, got 1.5"),
        (lambda: RandomRotation(3, p="a"), TypeError, "p must be a number from 0 to 1, got 'a'"),
        (
            lambda: RandomRotation(3, interpolation="cubic"),
            ValueError,
            "interpolation must be one of .*got 'cubic'",
        ),
        (lambda: RandomRotation(3, fill_mode=1), ValueError, "fill_mode must be one of .*got 1"),
        (lambda: RandomRotation(3, fill_value="red"), TypeError, "fill_value must be .*got 'red'"),
        (lambda: RandomRotation(3, fill=2), TypeError, "no argument 'fill'"),
        (
            lambda: RandomAffine(3, translate=(2, 0)),
            ValueError,
            "translate must be a number from 0 to 1, got 2",
        ),
        (lambda: RandomAffine(3, translate=0.5), ValueError, "expected two numbers"),
        (lambda: RandomAffine(3, scale=(0, 1)), ValueError, "expected numbers above 0"),
        (lambda: RandomAffine(3, scale=0.5), TypeError, "scale is 0.5, expected a pair"),
        (lambda: RandomAffine(3, shear=95), ValueError, "within -89 to 89"),
        (lambda: RandomTranslation(2, 0), ValueError, "within -1 to 1"),
        (lambda: RandomZoom(1), ValueError, "more than -1"),
        (lambda: ElasticTransform(-1), ValueError, "alpha must be .*got -1"),
        (lambda: ElasticTransform(sigma=0), ValueError, "from 0.1 to 40"),
        (lambda: RandomPerspective(2), ValueError, "from 0 to 1"),
        (lambda: RandomHorizontalFlip(seed=-1), ValueError, "seed must be .*got -1"),
        (lambda: Compose([]), ValueError, "list of transforms"),
        (lambda: Compose([len]), TypeError, r"transforms\[0\] is no transform"),
        (lambda: Compose([RandomRotation(1)], parts=("masks",)), ValueError, "expected 'images'"),
        (lambda: Compose([RandomRotation(1)], parts="images"), TypeError, "expected names"),
        (lambda: Compose([RandomRotation(1)], fuse=1), TypeError, "fuse must be True or False, got 1"),
        (lambda: OneOf([RandomRotation(1)], weights=[1, 2]), ValueError, "expected 1 numbers"),
        (lambda: OneOf([RandomRotation(1)], weights=[0]), ValueError, "at least one above 0"),
        (lambda: OneOf([RandomRotation(1)], weights="a"), TypeError, "weights"),
        (lambda: SomeOf([RandomRotation(1)], 2), ValueError, "from 0 to 1"),
        (lambda: SomeOf([RandomRotation(1)], 0.5), TypeError, "count is 0.5"),
    ],
)
def test_wrong_arguments(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


IMAGE = np.zeros((8, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        ({"images": "x.png"}, TypeError, "images is a str, expected a NumPy array or a Tensor"),
        ({"images": IMAGE.astype(np.float64)}, TypeError, "images is float64, expected uint8 or float32"),
        ({"images": np.zeros(3, np.uint8)}, ValueError, r"shape \(3,\), expected \(height, width\)"),
        ({"images": np.zeros((0, 4, 3), np.uint8)}, ValueError, "expected pixels"),
        ({"images": []}, ValueError, "empty list"),
        ({"images": [IMAGE[None]]}, ValueError, r"images\[0\] has shape"),
        ({"images": np.ma.masked_array(IMAGE)}, TypeError, "masked array"),
        (
            {"images": IMAGE, "masks": np.zeros((8, 8))},
            ValueError,
            r"masks have shape \(8, 8, 1\), expected \(8, 9\)",
        ),
        ({"images": IMAGE, "masks": np.zeros((8, 9), np.complex64)}, TypeError, "complex64"),
        ({"images": IMAGE, "masks": np.zeros((8, 9))}, TypeError, "masks are float64"),
        ({"images": IMAGE, "masks": np.full((8, 9), 2**25)}, ValueError, "beyond 16777216"),
        ({"images": [IMAGE], "masks": IMAGE}, ValueError, "list of 1 masks"),
        ({"images": IMAGE, "boxes": np.zeros((2, 3))}, ValueError, r"shape \(2, 3\), expected \(k, 4\)"),
        ({"images": IMAGE, "boxes": np.array([[4, 4, 2, 6]])}, ValueError, "expected x0 <= x1"),
        ({"images": IMAGE, "boxes": np.full((1, 4), np.nan)}, ValueError, "not finite"),
        ({"images": IMAGE, "boxes": [["a"]]}, TypeError, "expected numbers"),
        ({"images": IMAGE[None], "boxes": np.zeros((2, 1, 4))}, ValueError, r"expected \(1, k, 4\)"),
        ({"images": IMAGE[None], "keypoints": [np.zeros((1, 2))] * 2}, ValueError, "2 entries, expected 1"),
        ({"images": IMAGE, "labels": [1]}, ValueError, "labels without boxes"),
        ({"images": IMAGE, "boxes": np.zeros((2, 4)), "labels": [1]}, ValueError, "one for each of 2 boxes"),
        ({"images": IMAGE, "draws": Draws(0, 0, [1, 2])}, ValueError, "draws are for 2 samples, got 1"),
    ],
)
def test_wrong_calls(call: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        RandomRotation(10)(**call)


def test_read_only_and_strided_arrays() -> None:
    batch = pictures(4)
    fixed = batch.copy()
    fixed.flags.writeable = False
    flip = RandomHorizontalFlip(p=1)
    np.testing.assert_array_equal(flip(fixed), batch[:, :, ::-1])
    np.testing.assert_array_equal(flip(batch[::2, ::-1, ::2]), batch[::2, ::-1, ::2][:, :, ::-1])
    untouched = RandomHorizontalFlip(p=0)(fixed)
    np.testing.assert_array_equal(untouched, batch)
    untouched[:] = 0
    np.testing.assert_array_equal(fixed, batch)


def test_tiny_and_empty() -> None:
    for shape in ((1, 1, 1, 3), (0, 4, 5, 3), (2, 1, 7, 1), (2, 9, 1, 4)):
        images = np.full(shape, 9, np.uint8)
        for transform in GEOMETRIC:
            assert transform(images).shape == shape


def test_labels_and_draws_of_the_wrong_kind() -> None:
    flip, image = RandomHorizontalFlip(), np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(TypeError, match="RandomHorizontalFlip: labels is a int, expected one label for each"):
        flip(image, boxes=[[0, 0, 1, 1]], labels=5)
    with pytest.raises(TypeError, match="RandomHorizontalFlip: draws is a int, expected Draws"):
        flip(image, draws=5)
