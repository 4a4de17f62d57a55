"""Transforms of colours and levels, against Pillow and the formulas of torchvision."""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment import (
    BoxBlur,
    CoarseDropout,
    ColorJitter,
    Compose,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomChannelShift,
    RandomEqualize,
    RandomErasing,
    RandomGamma,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
    SaltAndPepper,
    SpeckleNoise,
    Transform,
)
from op_table.tools import on_threads

Array = np.ndarray[Any, Any]
Image = pytest.importorskip("PIL.Image")
ImageEnhance = pytest.importorskip("PIL.ImageEnhance")
ImageOps = pytest.importorskip("PIL.ImageOps")


def picture(height: int = 40, width: int = 50, channels: int = 3, seed: int = 0) -> Array:
    """Soft areas, edges and noise."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(height)[:, None, None] / 7 + np.arange(channels)) * 80
    waves = waves + np.cos(np.arange(width)[None, :, None] / 5) * 60 + 110
    waves[height // 3 : height // 2] += 60
    return np.clip(waves + rng.normal(0, 12, (height, width, channels)), 0, 255).astype(np.uint8)


def apart(a: Array, b: Array) -> int:
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


TRANSFORMS: dict[str, Callable[..., Transform]] = {
    "jitter": lambda **k: ColorJitter(0.4, 0.4, 0.4, 0.2, **k),
    "grey": lambda **k: RandomGrayscale(**k),
    "shift": lambda **k: RandomChannelShift(0.2, **k),
    "permutation": lambda **k: RandomChannelPermutation(**k),
    "invert": lambda **k: RandomInvert(**k),
    "solarize": lambda **k: RandomSolarize(100, **k),
    "posterize": lambda **k: RandomPosterize(3, **k),
    "equalize": lambda **k: RandomEqualize(**k),
    "autocontrast": lambda **k: RandomAutocontrast(**k),
    "gamma": lambda **k: RandomGamma((0.5, 2.0), **k),
    "sharpness": lambda **k: RandomAdjustSharpness(3.0, **k),
    "gaussian noise": lambda **k: GaussianNoise(sigma=(0.05, 0.1), **k),
    "speckle": lambda **k: SpeckleNoise(sigma=0.2, **k),
    "salt": lambda **k: SaltAndPepper(0.1, **k),
    "erasing": lambda **k: RandomErasing(**k),
    "random erasing": lambda **k: RandomErasing(value="random", **k),
    "cutout": lambda **k: Cutout(6, **k),
    "dropout": lambda **k: CoarseDropout((1, 3), **k),
    "gaussian blur": lambda **k: GaussianBlur((5, 3), **_without_white(k)),
    "box blur": lambda **k: BoxBlur((3, 7), **_without_white(k)),
}
ALIKE = ("noise", "speckle", "salt", "eras", "cut", "drop", "blur")  # treat opacity as another channel
every = pytest.mark.parametrize("make", TRANSFORMS.values(), ids=TRANSFORMS)


def _without_white(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name != "max_value"}


@every
class TestEveryTransform:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 8])
    def test_any_channels_and_a_single_pixel(self, make: Callable[..., Transform], channels: int) -> None:
        for height, width in ((1, 1), (1, 7), (9, 2), (17, 19)):
            for dtype in (np.uint8, np.float32):
                x = picture(height, width, channels).astype(dtype)
                y = make(p=1, seed=0)(x)
                assert y.shape == x.shape
                assert y.dtype == dtype
                assert np.isfinite(y).all()

    def test_a_sample_in_any_batch(self, make: Callable[..., Transform]) -> None:
        x = np.stack([picture(seed=i) for i in range(6)])
        whole = make(p=0.5, seed=3)(x)
        one_by_one = make(p=0.5, seed=3)
        assert np.array_equal(whole, np.stack([one_by_one(image) for image in x]))
        as_list = make(p=0.5, seed=3)([*x[:5], x[5]])
        assert all(np.array_equal(a, b) for a, b in zip(as_list, whole, strict=True))

    def test_p_leaves_samples_to_the_bit(self, make: Callable[..., Transform]) -> None:
        # Values that belong to no level, some beyond white.
        x = np.random.default_rng(1).uniform(-20, 300, (16, 8, 9, 3)).astype(np.float32)
        y, all_of_them = make(p=0.5, seed=5)(x), make(p=1, seed=5)(x)
        same = np.array([np.array_equal(a, b) for a, b in zip(x, y, strict=True)])
        moved = np.array([not np.array_equal(a, b) for a, b in zip(x, all_of_them, strict=True)])
        assert 0 < same.sum() < 16
        assert moved.sum() > 8
        assert np.array_equal(make(p=0, seed=5)(x), x)

    def test_the_same_bits_on_any_number_of_threads(self, make: Callable[..., Transform], level: str) -> None:
        x = np.stack([picture(seed=i) for i in range(5)])
        on_threads(lambda: [make(p=0.7, seed=1)(x), make(p=1, seed=1)(x.astype(np.float32))])

    def test_the_input_stays_and_views_are_read(self, make: Callable[..., Transform]) -> None:
        x = np.stack([picture(seed=i) for i in range(3)])
        before = x.copy()
        straight = make(p=1, seed=2)(np.ascontiguousarray(x[:, ::-1, ::2]))
        assert np.array_equal(make(p=1, seed=2)(x[:, ::-1, ::2]), straight)
        assert np.array_equal(x, before)

    def test_float_images_of_another_white(
        self, make: Callable[..., Transform], request: pytest.FixtureRequest
    ) -> None:
        x = np.stack([picture(seed=i) for i in range(3)]).astype(np.float32)
        if "solarize-" in request.node.callspec.id or request.node.callspec.id == "solarize":
            small = RandomSolarize(100 / 255, p=1, seed=4, max_value=1.0)
        else:
            small = make(p=1, seed=4, max_value=1.0)
        near = np.abs(small(x / 255) * 255 - make(p=1, seed=4)(x)) < 0.01
        assert near.mean() > 0.999

    def test_masks_and_boxes_stay(self, make: Callable[..., Transform]) -> None:
        mask, boxes = np.arange(2000).reshape(40, 50), np.array([[1.0, 2, 30, 20]])
        _, same, corners = make(p=1)(picture(), masks=mask, boxes=boxes)
        assert np.array_equal(same, mask)
        assert np.array_equal(corners, boxes)


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if not any(word in name for word in ALIKE)])
def test_opacity_stays(name: str) -> None:
    x = np.stack([picture(channels=4, seed=i) for i in range(3)]) // 2 + 40
    for images in (x, x.astype(np.float32)):
        y = TRANSFORMS[name](p=1, seed=0)(images)
        assert np.array_equal(y[..., 3], images[..., 3])
        assert not np.array_equal(y[..., :3], images[..., :3])


class TestAgainstPillow:
    @pytest.mark.parametrize("factor", [0.0, 0.3, 0.9, 1.0, 1.4, 1.9])
    @pytest.mark.parametrize("name", ["Brightness", "Contrast", "Color"])
    def test_enhance(self, name: str, factor: float) -> None:
        argument = {"Brightness": "brightness", "Contrast": "contrast", "Color": "saturation"}[name]
        for seed in range(4):
            x = picture(seed=seed)
            expected = getattr(ImageEnhance, name)(Image.fromarray(x)).enhance(factor)
            assert apart(ColorJitter(**{argument: (factor, factor)})(x), expected) <= 1

    @pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.7, 2.0])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_sharpness(self, factor: float, channels: int) -> None:
        x = picture(channels=channels)
        pillow = Image.fromarray(x if channels == 3 else x[..., 0])
        expected = np.asarray(ImageEnhance.Sharpness(pillow).enhance(factor)).reshape(x.shape)
        assert apart(RandomAdjustSharpness(factor, p=1)(x), expected) <= 1

    @pytest.mark.parametrize("seed", range(5))
    def test_levels_to_the_bit(self, seed: int) -> None:
        x = picture(13 + 7 * seed, 31, seed=seed)
        if seed == 3:
            x = x // 4 + 60
        if seed == 4:
            x[..., 1] = 77
        pillow = Image.fromarray(x)
        assert np.array_equal(RandomEqualize(p=1)(x), np.asarray(ImageOps.equalize(pillow)))
        assert np.array_equal(RandomAutocontrast(p=1)(x), np.asarray(ImageOps.autocontrast(pillow)))
        assert np.array_equal(RandomInvert(p=1)(x), np.asarray(ImageOps.invert(pillow)))
        for bits in range(1, 9):
            assert np.array_equal(RandomPosterize(bits, p=1)(x), np.asarray(ImageOps.posterize(pillow, bits)))
        for threshold in (0, 1, 100, 255):
            expected = np.asarray(ImageOps.solarize(pillow, threshold))
            assert np.array_equal(RandomSolarize(threshold, p=1)(x), expected)

    def test_equalize_of_one_level_and_of_two(self) -> None:
        for x in (
            np.full((9, 9, 3), 77, np.uint8),
            (np.arange(81).reshape(9, 9, 1) % 2 * 200).astype(np.uint8),
        ):
            pillow = Image.fromarray(x if x.shape[2] == 3 else x[..., 0])
            assert np.array_equal(
                RandomEqualize(p=1)(x), np.asarray(ImageOps.equalize(pillow)).reshape(x.shape)
            )

    def test_grey(self) -> None:
        x = picture()
        expected = np.asarray(Image.fromarray(x).convert("L"))
        y = RandomGrayscale(p=1)(x)
        assert apart(y, np.repeat(expected[..., None], 3, axis=-1)) <= 1


class TestColorJitter:
    def test_hue_is_that_of_colorsys(self) -> None:
        x = picture(9, 11).astype(np.float32)
        x[0, 0], x[0, 1], x[0, 2] = (0, 0, 0), (255, 255, 255), (90, 90, 90)
        for turns in (-0.5, -0.2, 0.0, 0.13, 0.5):
            y = ColorJitter(hue=(turns, turns))(x)
            for place in np.ndindex(x.shape[:2]):
                h, s, v = colorsys.rgb_to_hsv(*(x[place] / 255).tolist())
                assert np.allclose(
                    y[place], 255 * np.array(colorsys.hsv_to_rgb((h + turns) % 1, s, v)), atol=0.01
                )

    def test_factors_cover_their_ranges(self) -> None:
        x = np.full((400, 1, 1, 3), 100, np.float32)
        y = ColorJitter(brightness=0.3, seed=0)(x)[:, 0, 0, 0]
        assert 70 <= y.min() < 72
        assert 128 < y.max() <= 130
        assert np.all(ColorJitter(brightness=2.0, seed=0)(x) >= 0)

    def test_every_order_comes(self) -> None:
        x = np.broadcast_to(np.array([20.0, 120, 250], np.float32), (200, 1, 1, 3))
        y = ColorJitter((1.8, 1.8), (1.0, 1.0), (0.2, 0.2))(x)[:, 0, 0]
        # Brightness cuts at white: before the saturation or after it.
        grey = np.array([0.299, 0.587, 0.114])
        bright = np.minimum(1.8 * x[0, 0, 0], 255)
        pale = 0.2 * x[0, 0, 0] + 0.8 * (x[0, 0, 0] @ grey)
        first, second = 0.2 * bright + 0.8 * (bright @ grey), np.minimum(1.8 * pale, 255)
        is_first, is_second = (np.isclose(y, each, atol=0.01).all(axis=1) for each in (first, second))
        assert (is_first | is_second).all()
        assert 60 < is_first.sum() < 140

    def test_contrast_is_around_the_mean_of_what_came_before(self) -> None:
        x = picture().astype(np.float32)
        orders = set()
        for seed in range(20):
            y = ColorJitter((1.5, 1.5), (0.5, 0.5), seed=seed)(x)
            bright = np.minimum(1.5 * x, 255)
            mean = (bright @ [0.299, 0.587, 0.114]).mean()
            one = mean + 0.5 * (bright - mean)
            before = (x @ [0.299, 0.587, 0.114]).mean()
            two = np.minimum(1.5 * (before + 0.5 * (x - before)), 255)
            orders.add(0 if np.allclose(y, one, atol=0.02) else 1 if np.allclose(y, two, atol=0.02) else 2)
        assert orders == {0, 1}

    def test_nothing_to_do(self) -> None:
        x = picture()
        assert np.array_equal(ColorJitter()(x), x)


class TestFusion:
    def test_one_pass_for_steps_that_follow_each_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = []
        real = dt._core.transform_colors
        monkeypatch.setattr(dt._core, "transform_colors", lambda *a: (calls.append(a), real(*a))[1])
        x = np.stack([picture(seed=i) for i in range(8)]).astype(np.float32)
        parts = [ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), RandomGrayscale(0.3), RandomChannelPermutation(0.5)]
        fused = Compose(parts, seed=1)(x)
        assert len(calls) == 1
        apart_ = Compose(parts, seed=1, fuse=False)(x)
        assert len(calls) == 4
        assert np.allclose(fused, apart_, atol=0.01)

    def test_two_contrasts_take_two_passes(self) -> None:
        x = np.stack([picture(seed=i) for i in range(4)]).astype(np.float32)
        parts = [
            ColorJitter(contrast=0.4),
            RandomGrayscale(0.5),
            ColorJitter(contrast=0.4),
            RandomChannelShift(0.1),
        ]
        fused = Compose(parts, seed=1)(x)
        assert np.allclose(fused, Compose(parts, seed=1, fuse=False)(x), atol=0.01)

    def test_other_whites_are_not_mixed(self) -> None:
        x = np.stack([picture(seed=i) for i in range(4)]).astype(np.float32) / 255
        parts = [RandomGrayscale(0.5, max_value=1.0), ColorJitter(0.5, max_value=0.5)]
        fused = Compose(parts, seed=1)(x)
        assert np.allclose(fused, Compose(parts, seed=1, fuse=False)(x), atol=1e-5)
        assert fused.max() <= 0.5


class TestOthers:
    def test_gamma(self) -> None:
        x = picture()
        y = RandomGamma((2.2, 2.2))(x)
        assert np.array_equal(y, np.rint(255 * (x / 255) ** 2.2).astype(np.uint8))
        z = RandomGamma((2.2, 2.2), max_value=1.0)(x.astype(np.float32) / 255)
        assert np.allclose(z, (x / 255) ** 2.2, atol=1e-6)

    def test_autocontrast_of_floats_is_torchvisions(self) -> None:
        x = picture().astype(np.float32)
        x[..., 2] = 30.5
        y = RandomAutocontrast(p=1)(x)
        low, high = x[..., :2].min((0, 1)), x[..., :2].max((0, 1))
        assert np.allclose(y[..., :2], (x[..., :2] - low) * (255 / (high - low)), atol=1e-3)
        assert np.array_equal(y[..., 2], x[..., 2])

    def test_channels_change_places(self) -> None:
        x = np.broadcast_to(np.array([1, 2, 3], np.uint8), (100, 2, 2, 3))
        y = RandomChannelPermutation(seed=0)(x)
        assert len({tuple(row) for row in y[:, 0, 0].tolist()}) == 6

    def test_shift_by_its_limits(self) -> None:
        x = np.full((300, 1, 1, 3), 128, np.uint8)
        y = RandomChannelShift(0.1, seed=0)(x).astype(int) - 128
        assert -26 <= y.min() < -23
        assert 23 < y.max() <= 26
        assert len(np.unique(y[0])) > 1


WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: ColorJitter(brightness=-1),
        ValueError,
        "ColorJitter: brightness is -1, expected a number of at",
    ),
    (
        lambda: ColorJitter(contrast=(-0.5, 1)),
        ValueError,
        "expected factors of at least 0",
    ),
    (
        lambda: ColorJitter(hue=0.6),
        ValueError,
        "hue is 0.6, expected a range within -0.5 to 0.5",
    ),
    (lambda: ColorJitter(saturation="much"), TypeError, "saturation is 'much', expected a number or a pair"),
    (lambda: ColorJitter(max_value=0), ValueError, "ColorJitter: max_value must be .*got 0"),
    (lambda: ColorJitter(brigtness=0.1), TypeError, "did you mean 'brightness'"),
    (lambda: RandomGrayscale(p=1.5), ValueError, "p must be a number from 0 to 1, got 1.5"),
    (lambda: RandomChannelShift(1.5), ValueError, "RandomChannelShift: limit is 1.5"),
    (
        lambda: RandomSolarize(-1),
        ValueError,
        "threshold must be a number from 0 to 255, got -1",
    ),
    (lambda: RandomPosterize(9), ValueError, "RandomPosterize: bits must be a number from 0 to 8, got 9"),
    (lambda: RandomPosterize(2.5), ValueError, "RandomPosterize: bits is 2.5, expected a whole number"),
    (lambda: RandomGamma((0, 1)), ValueError, "gamma is .* expected a range within 1e-06 to 1e.06"),
    (lambda: RandomGamma((2, 1)), ValueError, r"gamma is \(2, 1\), expected the lower number first"),
    (
        lambda: ColorJitter()(np.zeros((2, 2), np.int64)),
        TypeError,
        "is int64, expected uint8 or float32",
    ),
    (lambda: ColorJitter()(np.zeros((0, 2), np.uint8)), ValueError, r"shape \(0, 2\)|expected pixels"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
