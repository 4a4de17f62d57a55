"""RandAugment, TrivialAugmentWide and AugMix: their transforms, their magnitudes, their draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment import AugMix, RandAugment, TrivialAugmentWide
from drivetrain.augment.targets import Group
from op_table.tools import on_threads

Array = np.ndarray[Any, Any]
Image = pytest.importorskip("PIL.Image")
ImageEnhance = pytest.importorskip("PIL.ImageEnhance")
ImageOps = pytest.importorskip("PIL.ImageOps")
POLICIES: list[Callable[..., Any]] = [RandAugment, TrivialAugmentWide, AugMix]


def picture(seed: int = 0, channels: int = 3, height: int = 40, width: int = 52) -> Array:
    rng = np.random.default_rng(seed)
    waves = (
        np.sin(np.arange(height)[:, None, None] / 6) * 80 + np.cos(np.arange(width)[None, :, None] / 5) * 60
    )
    return np.clip(waves + 120 + rng.normal(0, 9, (height, width, channels)), 0, 255).astype(np.uint8)


def through(policy: Any, space: Any, name: str, bins: int, negative: bool, x: Array) -> Array:
    """One image through one transform of a space."""
    choice = np.array([list(space).index(name)])
    group = Group(np.array([0]), dt.tensor(x[None]))
    made = policy.one_round(group, space, choice, np.array([bins]), np.array([negative]))
    result: Array = made.images.numpy()[0]
    return result


def affine(x: Array, *coefficients: float) -> Array:
    moved = Image.fromarray(x).transform(
        x.shape[1::-1], Image.Transform.AFFINE, coefficients, Image.Resampling.NEAREST
    )
    return np.asarray(moved)


class TestTransforms:
    @pytest.mark.parametrize("negative", [False, True])
    def test_what_moves_pixels_is_pillows(self, negative: bool) -> None:
        x, policy = picture(), RandAugment()
        space, sign = policy.space(40, 52), -1 if negative else 1
        level, turn = 0.3 * 11 / 30 * sign, 30 * 11 / 30 * sign
        across, down = (int(150 / 331 * size * 11 / 30) * sign for size in (52, 40))
        for name, expected in (
            ("ShearX", affine(x, 1, level, 0, 0, 1, 0)),
            ("ShearY", affine(x, 1, 0, 0, level, 1, 0)),
            ("TranslateX", affine(x, 1, 0, -across, 0, 1, 0)),
            ("TranslateY", affine(x, 1, 0, 0, 0, 1, -down)),
            ("Rotate", np.asarray(Image.fromarray(x).rotate(turn))),
        ):
            y = through(policy, space, name, 11, negative, x)
            # Where a pixel lies halfway between two, rounding decides.
            assert (y == expected).all(axis=-1).mean() > 0.99, name

    @pytest.mark.parametrize("negative", [False, True])
    def test_enhancements_are_pillows(self, negative: bool) -> None:
        x, policy = picture(), RandAugment()
        factor = 1 + 0.9 * 11 / 30 * (-1 if negative else 1)
        for name in ("Brightness", "Color", "Contrast", "Sharpness"):
            expected = getattr(ImageEnhance, name)(Image.fromarray(x)).enhance(factor)
            y = through(policy, policy.space(40, 52), name, 11, negative, x)
            assert np.abs(y.astype(int) - np.asarray(expected)).max() <= 1, name

    def test_levels_are_pillows(self) -> None:
        x, policy = picture() // 2 + 30, RandAugment()
        pillow = Image.fromarray(x)
        for name, expected in (
            ("Identity", pillow),
            ("Posterize", ImageOps.posterize(pillow, 7)),
            ("Solarize", ImageOps.solarize(pillow, 255 * (1 - 11 / 30))),
            ("AutoContrast", ImageOps.autocontrast(pillow)),
            ("Equalize", ImageOps.equalize(pillow)),
        ):
            y = through(policy, policy.space(40, 52), name, 11, True, x)
            assert np.array_equal(y, np.asarray(expected)), name

    def test_magnitudes_are_those_of_torchvision(self) -> None:
        # Recorded: the last magnitude of each, and the bits at some of them.
        space = RandAugment().space(331, 331)
        ends = {name: float(values[-1]) for name, (values, _) in space.items() if values is not None}
        nine = dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), 0.9)
        moved = {"ShearX": 0.3, "ShearY": 0.3, "TranslateX": 150.0, "TranslateY": 150.0, "Rotate": 30.0}
        assert ends == pytest.approx({**moved, **nine, "Posterize": 4, "Solarize": 0})
        bits = space["Posterize"][0]
        assert bits is not None
        assert bits.tolist() == [8.0] * 4 + [7.0] * 8 + [6.0] * 7 + [5.0] * 8 + [4.0] * 4
        wide = TrivialAugmentWide().space()
        ends = {name: float(values[-1]) for name, (values, _) in wide.items() if values is not None}
        nine = dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), 0.99)
        moved = {"ShearX": 0.99, "ShearY": 0.99, "TranslateX": 32.0, "TranslateY": 32.0, "Rotate": 135.0}
        assert ends == pytest.approx({**moved, **nine, "Posterize": 2, "Solarize": 0})
        mixed = AugMix().space(30, 60)
        ends = {name: float(values[-1]) for name, (values, _) in mixed.items() if values is not None}
        assert ends["TranslateX"] == pytest.approx(20)
        assert ends["TranslateY"] == pytest.approx(10)
        assert (ends["Posterize"], ends["Solarize"], ends["Rotate"]) == (0, 0, 30)
        assert "Brightness" not in AugMix(all_ops=False).space(30, 60)
        signed = {name for name, (_, sign) in space.items() if sign}
        assert signed == {*moved, *nine}


@pytest.mark.parametrize("make", POLICIES)
class TestEveryPolicy:
    def test_a_sample_in_any_batch(self, make: Callable[..., Any]) -> None:
        x = np.stack([picture(seed) for seed in range(12)])
        whole, one_by_one = make(p=0.8, seed=3)(x), make(p=0.8, seed=3)
        assert np.array_equal(whole, np.stack([one_by_one(image) for image in x]))
        assert len(np.unique((whole != x).mean(axis=(1, 2, 3)))) > 6

    def test_any_channels_and_a_single_pixel(self, make: Callable[..., Any]) -> None:
        for channels in (1, 2, 3, 4):
            for height, width in ((1, 1), (9, 2)):
                for dtype in (np.uint8, np.float32):
                    x = np.stack([picture(i, channels, height, width) for i in range(40)]).astype(dtype)
                    y = make(seed=0)(x)
                    assert y.shape == x.shape
                    assert y.dtype == dtype
                    assert np.isfinite(y).all()

    def test_the_same_bits_on_any_number_of_threads(self, make: Callable[..., Any], level: str) -> None:
        x = np.stack([picture(seed) for seed in range(12)])
        on_threads(lambda: [make(seed=1)(x), make(seed=1)(x.astype(np.float32))])

    def test_p(self, make: Callable[..., Any]) -> None:
        x = np.stack([picture(seed) for seed in range(40)])
        y = make(p=0.5, seed=1)(x)
        assert 12 <= (y == x).all(axis=(1, 2, 3)).sum() < 36
        assert np.array_equal(make(p=0.0)(x), x)

    def test_no_images(self, make: Callable[..., Any]) -> None:
        assert make()(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0, 8, 8, 3)


class TestTargets:
    @pytest.mark.parametrize("make", [RandAugment, TrivialAugmentWide])
    def test_masks_and_points_move_along(self, make: Callable[..., Any]) -> None:
        x = np.zeros((60, 33, 33, 1), np.uint8)
        x[:, 12:21, 10:23] = 255
        points = [np.array([[16.0, 16.0]])] * 60
        y, masks, moved = make(seed=2)(x, masks=(x[..., 0] > 0).astype(np.int64), keypoints=points)
        bright = y[..., 0] > 128
        alike = (bright == (masks > 0)).mean(axis=(1, 2))
        # What inverts or flattens colours aside, image and mask show one thing.
        assert (alike > 0.97).mean() > 0.6
        assert ((masks > 0) != (x[..., 0] > 0)).any(axis=(1, 2)).mean() > 0.2
        for mask, point in zip(masks, moved, strict=True):
            column, row = np.rint(point[0]).astype(int)
            if 1 <= row < 32 and 1 <= column < 32:
                assert mask[row, column] == 1

    def test_augmix_leaves_masks(self) -> None:
        x, masks = np.stack([picture(i) for i in range(5)]), np.arange(5 * 40 * 52).reshape(5, 40, 52)
        y, same = AugMix(seed=0)(x, masks=masks)
        assert np.array_equal(same, masks)
        assert not np.array_equal(y, x)

    def test_augmix_is_a_mean_of_pictures(self) -> None:
        x = np.full((50, 8, 8, 1), 100, np.uint8)
        y = AugMix(severity=1, all_ops=False, seed=0)(x)
        # Of strength 0 only posterize to 4 bits changes anything of one grey.
        assert y.min() >= 96
        assert y.max() <= 100
        assert len(np.unique(y)) > 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: RandAugment(magnitude=31),
            ValueError,
            "magnitude is 31, expected less than num_magn",
        ),
        (
            lambda: RandAugment(num_ops=-1),
            ValueError,
            "RandAugment: num_ops must be an integer from 0 to 1000, got -1",
        ),
        (
            lambda: RandAugment(num_ops=1.5),
            TypeError,
            "RandAugment: num_ops must be an integer from 0 to 1000, got 1.5",
        ),
        (
            lambda: RandAugment(interpolation="cubic"),
            ValueError,
            "interpolation must be one of .*got 'cubic'",
        ),
        (
            lambda: TrivialAugmentWide(1),
            ValueError,
            "num_magnitude_bins must be an integer from 2 to 10000, got 1",
        ),
        (lambda: AugMix(severity=11), ValueError, "AugMix: severity must be an integer from 1 to 10, got 11"),
        (
            lambda: AugMix(mixture_width=0),
            ValueError,
            "AugMix: mixture_width must be an integer from 1 to 1000, got 0",
        ),
        (
            lambda: AugMix(mixture_width=2**31),
            ValueError,
            "mixture_width must be an integer from 1 to 1000, got 2147483648",
        ),
        (
            lambda: AugMix(chain_depth=2**70),
            ValueError,
            "AugMix: chain_depth must be .*got 1180591620717411303424",
        ),
        (lambda: AugMix(alpha=0), ValueError, "AugMix: alpha must be .*got 0"),
        (lambda: AugMix(all_ops=2), TypeError, "AugMix: all_ops must be True or False, got 2"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
