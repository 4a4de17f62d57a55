"""Noise, blur and erased pieces: what they draw, and what they do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivetrain.augment import (
    BoxBlur,
    CoarseDropout,
    Cutout,
    GaussianBlur,
    GaussianNoise,
    RandomErasing,
    SaltAndPepper,
    SpeckleNoise,
)

Array = np.ndarray[Any, Any]


class TestNoise:
    def test_gaussian_has_its_mean_and_spread(self) -> None:
        x = np.full((2, 100, 100, 3), 100.0, np.float32)
        added = GaussianNoise(mean=0.1, sigma=0.05, clip=False, seed=0)(x) - x
        assert abs(added.mean() - 25.5) < 0.2
        assert abs(added.std() - 12.75) < 0.2
        assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.03
        assert abs(np.corrcoef(added[..., 0].ravel(), added[..., 1].ravel())[0, 1]) < 0.03

    def test_clip(self) -> None:
        x = np.full((50, 50), 0.9, np.float32)
        assert GaussianNoise(sigma=0.5, max_value=1.0)(x).max() == 1
        assert GaussianNoise(sigma=0.5, max_value=1.0, clip=False)(x).max() > 1

    def test_sigma_of_each_sample(self) -> None:
        x = np.full((200, 20, 20, 1), 128, np.float32)
        widths = (GaussianNoise(sigma=(0.01, 0.1), seed=1)(x) - x).std(axis=(1, 2, 3)) / 255
        assert widths.min() < 0.02
        assert widths.max() > 0.09

    def test_speckle_grows_with_the_value(self) -> None:
        x = np.broadcast_to(np.array([0.0, 20.0, 200.0], np.float32), (100, 100, 3))
        added = SpeckleNoise(sigma=0.1, clip=False, seed=0)(x) - x
        assert np.allclose(added.std(axis=(0, 1)), [0, 2, 20], rtol=0.05)

    def test_salt_and_pepper_by_pixel(self) -> None:
        x = np.full((200, 200, 3), 128, np.uint8)
        y = SaltAndPepper(0.2, 0.25, seed=0)(x)
        assert (y == y[..., :1]).all()
        assert abs((y[..., 0] == 255).mean() - 0.05) < 0.01
        assert abs((y[..., 0] == 0).mean() - 0.15) < 0.01

    def test_draws_go_on_from_call_to_call_and_repeat_with_the_seed(self) -> None:
        x = np.full((8, 8), 128, np.uint8)
        noise, again = GaussianNoise(seed=5), GaussianNoise(seed=5)
        first, second = noise(x), noise(x)
        assert not np.array_equal(first, second)
        assert np.array_equal(first, again(x))
        again.load_state_dict(noise.state_dict())
        assert np.array_equal(noise(x), again(x))


class TestBlur:
    def test_gaussian_is_torchvisions_formula(self) -> None:
        x = np.random.default_rng(0).uniform(0, 255, (12, 15, 3)).astype(np.float32)
        y = GaussianBlur((5, 7), sigma=1.3)(x)
        bells = []
        for size in (5, 7):
            bell = np.exp(-0.5 * (np.linspace(-(size - 1) / 2, (size - 1) / 2, size) / 1.3) ** 2)
            bells.append(bell / bell.sum())
        wide = np.pad(x, ((3, 3), (2, 2), (0, 0)), mode="reflect").astype(np.float64)
        rows = sum(w * wide[k : k + 12] for k, w in enumerate(bells[1]))
        expected = sum(w * rows[:, k : k + 15] for k, w in enumerate(bells[0]))
        assert np.allclose(y, expected, atol=1e-3)

    def test_sigma_of_each_sample(self) -> None:
        x = np.zeros((100, 19, 19, 1), np.float32)
        x[:, 9, 9] = 255
        y = GaussianBlur(9, (0.5, 3.0), seed=0)(x)
        assert y[:, 9, 9].max() / y[:, 9, 9].min() > 3
        assert np.allclose(y.sum(axis=(1, 2, 3)), 255, rtol=1e-4)

    def test_values_beyond_any_range_are_kept(self) -> None:
        x = np.array([[-5.0, 1000.0, -5.0]], np.float32)
        assert GaussianBlur(3, 0.01)(x).tolist() == x.tolist()

    def test_boxes_of_random_size(self) -> None:
        x = np.zeros((60, 15, 15, 1), np.float32)
        x[:, 7, 7] = 100
        y = BoxBlur((3, 7), seed=0)(x)
        sides = np.sqrt((y > 0).sum(axis=(1, 2, 3)))
        assert set(sides.tolist()) == {3, 5, 7}
        assert np.allclose(y[:, 7, 7, 0] * sides**2, 100, rtol=1e-5)

    def test_smaller_than_the_kernel(self) -> None:
        assert GaussianBlur(9, 2.0)(np.full((1, 1), 77, np.uint8)).tolist() == [[77]]
        assert (BoxBlur(7)(np.full((2, 3), 77, np.uint8)) == 77).all()


def erased_shapes(y: Array) -> list[tuple[int, int]]:
    found = []
    for image in y[..., 0]:
        rows, columns = np.flatnonzero((image == 0).any(axis=1)), np.flatnonzero((image == 0).any(axis=0))
        if not len(rows):
            found.append((0, 0))
            continue
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert (box == 0).all(), "not a rectangle"
        found.append(box.shape)
    return found


class TestErasing:
    def test_area_and_ratio_of_random_erasing(self) -> None:
        x = np.ones((300, 40, 60, 3), np.uint8)
        sides = np.array(erased_shapes(RandomErasing(p=1, scale=(0.05, 0.2), ratio=(0.5, 2.0), seed=0)(x)))
        share, ratio = sides.prod(axis=1) / 2400, sides[:, 0] / sides[:, 1]
        assert 0.04 < share.min() < 0.07
        assert 0.18 < share.max() < 0.22
        assert 0.4 < ratio.min() < 0.6
        assert 1.7 < ratio.max() < 2.3
        # As many high as wide ones.
        assert abs((ratio > 1).mean() - 0.5) < 0.1

    def test_what_fits_nowhere_erases_nothing(self) -> None:
        x = np.ones((20, 2, 2, 1), np.uint8)
        assert (RandomErasing(p=1, scale=(1, 1), ratio=(1, 1))(x) == 1).all()

    def test_values(self) -> None:
        x = np.full((50, 12, 12, 3), 7, np.uint8)
        y = RandomErasing(p=1, value=(1, 2, 3), seed=0)(x)
        assert (y[(y != 7).all(axis=-1)] == [1, 2, 3]).all()
        random = RandomErasing(p=1, scale=(0.5, 0.6), value="random", seed=0)(x)
        drawn = random[(random != x).any(axis=-1)]
        assert len(np.unique(drawn)) > 200
        small = RandomErasing(p=1, scale=(0.5, 0.6), value="random", max_value=1.0)(x.astype(np.float32))
        assert small[small != 7].max() <= 1

    def test_cutout_reaches_over_the_border(self) -> None:
        x = np.ones((400, 10, 10, 1), np.uint8)
        sides = np.array(erased_shapes(Cutout(4, seed=0)(x)))
        assert sides.max() == 4
        assert sides.min() == 2
        middle = (Cutout(4, seed=0)(x) == 0).mean(axis=0)[..., 0]
        assert middle.min() > 0

    def test_holes(self) -> None:
        x = np.ones((200, 30, 30, 1), np.uint8)
        one = np.array(erased_shapes(CoarseDropout((1, 1), (0.1, 0.2), (5, 9), p=1, seed=0)(x)))
        assert set(one[:, 0].tolist()) <= {3, 4, 5, 6}
        assert set(one[:, 1].tolist()) == {5, 6, 7, 8, 9}
        pixels = (CoarseDropout((1, 4), (2, 2), (2, 2), p=1, seed=0)(x) == 0).sum(axis=(1, 2, 3))
        assert {4, 8, 12, 16} <= set(pixels.tolist())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GaussianNoise(sigma=-1), ValueError, "GaussianNoise: sigma is"),
        (lambda: GaussianNoise(clip=1), TypeError, "GaussianNoise: clip must be True or False, got 1"),
        (lambda: SaltAndPepper(1.5), ValueError, "SaltAndPepper: amount is"),
        (lambda: SaltAndPepper(0.5, (0.2, 3)), ValueError, "SaltAndPepper: salt_vs_pepper is"),
        (
            lambda: GaussianBlur(4),
            ValueError,
            "GaussianBlur: kernel_size is 4, expected an odd integer from 1",
        ),
        (lambda: GaussianBlur(257), ValueError, "kernel_size is 257, expected an odd integer from 1 to 255"),
        (lambda: GaussianBlur(3, 0.0), ValueError, "GaussianBlur: sigma is .*expected a range within 1e-06"),
        (lambda: GaussianBlur(3.0), TypeError, "GaussianBlur: kernel_size is 3.0, expected an odd integer"),
        (lambda: BoxBlur((7, 3)), ValueError, "expected the lower number first"),
        (lambda: RandomErasing(scale=(0.5, 2)), ValueError, "RandomErasing: scale is"),
        (lambda: RandomErasing(ratio=(0, 1)), ValueError, "RandomErasing: ratio is"),
        (lambda: RandomErasing(value="noise"), ValueError, "value is 'noise', expected a number, numbers or"),
        (
            lambda: RandomErasing(p=1, value=(1, 2))(np.zeros((8, 8, 3), np.uint8)),
            ValueError,
            "RandomErasing: value has 2 numbers, but the images have 3 channels",
        ),
        (lambda: Cutout(0), ValueError, "Cutout: length must be an integer from 1 to 1048576, got 0"),
        (lambda: CoarseDropout((0, 2)), ValueError, "CoarseDropout: num_holes_range is"),
        (lambda: CoarseDropout(hole_width_range=(0.5, 3)), ValueError, "hole_width_range is"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
