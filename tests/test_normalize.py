"""Images as numbers: constants, statistics of data sets and samples, whitening."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivetrain.augment import Compose, MinMax, Normalize, ZCAWhitening, ZScore
from drivetrain.data import DataLoader, TensorDataset
from op_table.tools import on_threads

Array = np.ndarray[Any, Any]


def images(n: int = 20, dtype: Any = np.uint8, channels: int = 3) -> Array:
    rng = np.random.default_rng(n)
    return (rng.integers(0, 200, (n, 9, 7, channels)) + np.arange(channels) * 20).astype(dtype)


class TestNormalize:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_is_torchvisions_formula(self, dtype: Any) -> None:
        x = images(dtype=dtype)
        mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.3, 0.1])
        y = Normalize(mean, std)(x)
        assert y.dtype == np.float32
        assert np.allclose(y, (x / 255.0 - mean) / std, atol=1e-5)
        scaled = (x / 255.0).astype(np.float32)
        assert np.allclose(Normalize(mean, std, max_value=1.0)(scaled), y, atol=1e-5)

    def test_one_number_for_all_channels(self) -> None:
        x = images(channels=5)
        assert np.allclose(Normalize(0.5, 0.25)(x), (x / 255.0 - 0.5) / 0.25, atol=1e-5)

    def test_at_the_end_of_a_pipeline(self, level: str) -> None:
        x = images()
        on_threads(lambda: [Compose([Normalize.imagenet()])(x)])


class TestStatistics:
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("channels", [True, False])
    def test_z_score(self, dtype: Any, channels: bool) -> None:
        x = images(dtype=dtype)
        axes = (0, 1, 2) if channels else (0, 1, 2, 3)
        y = ZScore(channels=channels).fit(x)(x)
        assert np.allclose(y, (x - x.mean(axes)) / x.std(axes, dtype=np.float64), atol=1e-4)
        axes = axes[1:]
        mean, std = (getattr(x, f)(axes, keepdims=True, dtype=np.float64) for f in ("mean", "std"))
        assert np.allclose(ZScore("sample", channels)(x), (x - mean) / std, atol=1e-4)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("channels", [True, False])
    def test_min_max(self, dtype: Any, channels: bool) -> None:
        x = images(dtype=dtype)
        for over, axes in (("dataset", (0, 1, 2)), ("sample", (1, 2))):
            axes = axes if channels else (*axes, 3)
            transform = MinMax((-1, 2), over, channels)
            y = transform.fit(x)(x) if over == "dataset" else transform(x)
            low, high = x.min(axes, keepdims=True).astype(float), x.max(axes, keepdims=True).astype(float)
            assert np.allclose(y, -1 + 3 * (x - low) / (high - low), atol=1e-5)

    def test_fit_does_not_depend_on_the_batches(self) -> None:
        x = images(23)
        whole = ZScore().fit(x)
        loader = DataLoader(TensorDataset(x, np.arange(23)), batch_size=4)
        for other in (loader, [x[:3], x[3:]], list(x), (batch for batch in (x[:20], x[20:]))):
            fitted = ZScore().fit(other)
            assert np.allclose(fitted.scale_, whole.scale_, rtol=1e-12)
            assert np.allclose(fitted.shift_, whole.shift_, rtol=1e-12)

    def test_large_values_lose_nothing(self) -> None:
        x = np.random.default_rng(0).normal(1e4, 0.5, (4, 50, 50, 1)).astype(np.float32)
        y = ZScore().fit(x)(x)
        assert abs(y.std() - 1) < 0.01

    def test_flat_images(self) -> None:
        x = np.full((2, 3, 3, 1), 9, np.uint8)
        assert (ZScore("sample")(x) == 0).all()
        assert (MinMax((3, 4), "sample")(x) == 3).all()

    @pytest.mark.parametrize("make", [ZScore, MinMax])
    def test_state_goes_with_a_checkpoint(self, make: Callable[[], Any]) -> None:
        x = images()
        fitted, other = make().fit(x), make()
        other.load_state_dict(fitted.state_dict())
        assert np.array_equal(other(x), fitted(x))


class TestWhitening:
    def test_covariance_is_the_identity_and_images_change_little(self) -> None:
        rng = np.random.default_rng(0)
        x = (rng.normal(0, 20, (600, 4, 4, 2)) + rng.normal(128, 30, (600, 1, 1, 1))).clip(0, 255)
        x = x.astype(np.uint8)
        zca = ZCAWhitening().fit(x)
        y = zca(x).reshape(600, -1)
        assert np.allclose(np.cov(y.T, bias=True), np.eye(32), atol=0.01)
        assert np.allclose(y.mean(axis=0), 0, atol=1e-4)
        # Zero-phase: each value goes with its own pixel, not with a mixture.
        assert zca.matrix_ is not None
        assert np.array_equal(np.abs(zca.matrix_).argmax(axis=0), np.arange(32))

    def test_batches_make_no_difference(self) -> None:
        x = images(30)
        whole, parts = ZCAWhitening(0.1).fit(x), ZCAWhitening(0.1).fit([x[:7], x[7:]])
        assert np.allclose(whole(x), parts(x), atol=1e-4)


FITTED = ZScore().fit(images())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Normalize(0.5, 0), ValueError, "Normalize: std is 0, expected positive numbers"),
        (lambda: Normalize([0.1, 0.2], [1, 1, 1]), ValueError, "mean has 2 numbers, but std 3"),
        (lambda: Normalize("a", 1), TypeError, "Normalize: mean is 'a', expected a number or one for each"),
        (
            lambda: Normalize([0.1, 0.2], 1.0)(images()),
            ValueError,
            "mean has 2 numbers, but the images have 3 channels",
        ),
        (lambda: ZScore("all"), ValueError, "ZScore: over must be one of .*got 'all'"),
        (lambda: ZScore()(images()), RuntimeError, "ZScore: not fitted yet; call fit"),
        (lambda: ZScore("sample").fit(images()), RuntimeError, "takes the statistics of each image itself"),
        (lambda: ZScore().fit([]), ValueError, "ZScore.fit: got no images"),
        (lambda: ZScore().fit([images(), images(channels=1)]), ValueError, "have 1 channels, those before 3"),
        (lambda: ZScore().fit(3), TypeError, "ZScore.fit: images is int, expected images or batches"),
        (lambda: FITTED(images(channels=4)), ValueError, "ZScore: fitted to 3 channels, got 4"),
        (lambda: FITTED.load_state_dict({}), ValueError, "expected a dict with 'fitted'"),
        (lambda: MinMax((1, 0)), ValueError, "expected the lower number first"),
        (lambda: ZCAWhitening()(images()), RuntimeError, "ZCAWhitening: not fitted yet"),
        (
            lambda: ZCAWhitening().fit(np.zeros((1, 100, 100, 3), np.uint8)),
            ValueError,
            "images have 30000 values .* expected at most 12288",
        ),
        (
            lambda: ZCAWhitening().fit(images())(images()[:, :5]),
            ValueError,
            r"fitted to images of shape \(9, 7, 3\), got \(5, 7, 3\)",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
