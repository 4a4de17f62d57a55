"""The learning rate finder and the batch size finder: what they find, and that they leave nothing behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.optim import lr_scheduler
from drivetrain.train import Trainer, batch_size_find, lr_find, tuner

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 1)) + 0.1 * RNG.normal(size=(300, 1))).astype(np.float32)


def make(kind: Any = optim.SGD, **options: Any) -> Trainer:
    dt.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
    return Trainer(model, loss="mse", optimizer=kind(model.parameters(), lr=0.01), seed=1, **options)


def bits(trainer: Trainer) -> list[bytes]:
    return [np.asarray(t.detach()).tobytes() for t in trainer.model.state_dict().values()]


# Learning rate


def test_rates_rise_by_the_same_factor_and_the_loss_diverges() -> None:
    trial = lr_find(make(), X, Y, min_lr=1e-5, max_lr=1e3, steps=81)
    assert trial.lrs[0] == 1e-5
    np.testing.assert_allclose(np.array(trial.lrs[1:]) / trial.lrs[:-1], 10**0.1)
    assert trial.diverged
    assert len(trial.lrs) == len(trial.losses) == len(trial.smoothed) < 81
    assert trial.smoothed[-1] > 4 * min(trial.smoothed)
    for method in ("valley", "steepest"):
        assert 1e-4 < trial.suggestion(method) < 1.0
    assert "diverged" in repr(trial)


def test_the_suggestion_trains_well() -> None:
    """Ten times better than a hundredth of it, and where a hundred times as much does not."""
    rate = lr_find(make(), X, Y, max_lr=1e2).suggestion()
    losses = []
    for factor in (1.0, 0.01):
        trainer = make()
        trainer.optimizer.param_groups[0]["lr"] = rate * factor
        losses.append(trainer.fit(X, Y, epochs=3, verbose=0).history["loss"][-1])
    assert losses[0] < 0.5 * losses[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9)},
        {"kind": optim.AdamW, "accumulate_grad_batches": 3},
        {"kind": optim.AdamW, "precision": "float16"},
        {"metrics": ["mae"], "on_nonfinite": "skip", "gradient_clip_val": 1.0},
    ],
)
def test_a_training_after_it_has_the_bits_of_one_without(options: dict[str, Any]) -> None:
    """Before the first fit and between two; with a schedule, of which no step is made."""
    found = []
    for finds in (False, True):
        trainer = make(**options)
        schedule = lr_scheduler.OneCycleLR(trainer.optimizer, 0.05, total_steps=10**4)
        trainer._schedule.__init__(schedule, trainer.optimizer, None, None)  # type: ignore[misc]
        for epochs in (1, 2):
            if finds:
                lr_find(trainer, X, Y, max_lr=1e4)
                batch_size_find(trainer, X, Y, init_val=64)
            trainer.fit(X, Y, epochs=epochs, verbose=0)
        found.append(
            (bits(trainer), schedule.state_dict(), trainer.history.history, trainer.loop.state_dict())
        )
    assert found[0] == found[1]


def test_nothing_is_left_behind_when_it_fails() -> None:
    trainer = make(optim.Adam)
    trainer.fit(X, Y, verbose=0)
    before, random = bits(trainer), dt.default_generator.get_state()
    calls = []

    def breaks(output: Any, target: Any) -> Any:
        calls.append(1)
        if len(calls) == 5:
            raise RuntimeError("broken")
        return (output - target).square().mean()

    trainer.loss = breaks
    with pytest.raises(RuntimeError, match="broken"):
        lr_find(trainer, X, Y)
    assert bits(trainer) == before
    assert dt.default_generator.get_state() == random
    assert trainer.optimizer.param_groups[0]["lr"] == 0.01
    assert not trainer._schedule.is_paused


def test_a_loader_is_where_it_was() -> None:
    loader = DataLoader(ArrayDataset(X, Y), 16, shuffle=True)
    next(iter(loader))
    state = loader.state_dict()
    lr_find(make(), loader, steps=40)
    assert loader.state_dict() == state


def test_groups_keep_their_ratios() -> None:
    dt.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 1))
    groups = [{"params": layer.parameters(), "lr": lr} for layer, lr in zip(model, (0.1, 0.02), strict=True)]
    seen: list[tuple[float, float]] = []

    class Watched(optim.SGD):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            seen.append((self.param_groups[0]["lr"], self.param_groups[1]["lr"]))
            return super().step(*args, **kwargs)

    trial = lr_find(Trainer(model, loss="mse", optimizer=Watched(groups)), X, Y, steps=10, max_lr=1e-3)
    assert [first for first, _ in seen] == trial.lrs
    np.testing.assert_allclose([a / b for a, b in seen], 5)
    assert [group["lr"] for group in groups] == [0.1, 0.02]


def test_infinite_losses_end_the_trial() -> None:
    trial = lr_find(make(), X, Y, min_lr=1e20, max_lr=1e30, early_stop_threshold=None)
    assert trial.diverged
    assert all(map(math.isfinite, trial.losses))
    with pytest.raises(RuntimeError, match="the loss does not fall between the rates"):
        trial.suggestion()
    assert "no suggestion" in repr(trial)


def test_compiled_models() -> None:
    model = nn.Linear(6, 1)
    model.compile(optimizer="sgd", loss="mse")
    assert lr_find(model, X, Y, steps=20).lrs[0] == 1e-7


def test_suggestions_of_known_curves() -> None:
    lrs = [10.0 ** (place / 10) for place in range(-50, 10)]
    # Falls from 1e-3 on along a sigmoid around 1e-2, and rises from 1 on.
    curve = [1 - 1 / (1 + math.exp(-4 * (math.log10(lr) + 2))) + 10 * max(0.0, lr - 1) for lr in lrs]
    trial = tuner.RateTrial(lrs, curve, 0.0, True)
    assert trial.suggestion("steepest") == pytest.approx(1e-2, rel=0.2)
    assert 1e-3 < trial.suggestion("valley") < 1e-1
    assert min(zip(curve, lrs, strict=True))[1] > trial.suggestion("valley")
    noisy = [value + 0.002 * (-1) ** place for place, value in enumerate(curve)]
    assert 1e-3 < tuner.RateTrial(lrs, noisy, 0.5, True).suggestion("valley") < 2e-1


def test_running_average_has_no_bias() -> None:
    np.testing.assert_allclose(tuner.running_average([3.0] * 5, 0.9), 3.0)
    np.testing.assert_allclose(tuner.running_average([1.0, 2.0], 0.5), [1.0, (0.25 + 1.0) / 0.75])


def test_pictures() -> None:
    pytest.importorskip("matplotlib")
    trial = lr_find(make(), X, Y, steps=60)
    axes = trial.plot()
    assert axes.get_xscale() == "log"
    assert list(axes.lines[0].get_ydata()) == trial.losses
    assert axes.lines[2].get_xdata()[0] == trial.suggestion()
    assert trial.plot(axes, suggest=None) is axes
    sizes = tuner.SizeTrial([tuner.Size(8, 100.0, 10), tuner.Size(16, 200.0, 20)], 100)
    assert list(sizes.plot().lines[0].get_ydata()) == [100.0, 200.0]


# Batch size


def stub(
    monkeypatch: pytest.MonkeyPatch, speed: Callable[[int], float], memory: Callable[[int], int]
) -> None:
    """Sizes that cost what is said here."""

    class Measured(tuner.Measure):
        def __call__(self, batch_size: int) -> tuner.Size:
            real = super().__call__(batch_size)
            assert real.samples_per_second > 0
            assert real.peak_bytes > 0
            return tuner.Size(batch_size, speed(batch_size), memory(batch_size))

    monkeypatch.setattr(tuner, "Measure", Measured)


def test_ends_where_doubling_brings_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, lambda n: min(n, 30) * 10.0, lambda n: n)
    trial = batch_size_find(make(), X, Y, init_val=4, memory_limit=10**6)
    assert [size.batch_size for size in trial.sizes] == [4, 8, 16, 32, 64, 128]
    assert trial.suggestion == 32
    assert "32          300        0.0  <- suggestion" in repr(trial)


def test_no_size_beyond_the_limit_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, lambda n: n * 1.0, lambda n: 500 + 10 * n)
    trial = batch_size_find(make(), X, Y, init_val=4, memory_limit=2000)
    assert [size.batch_size for size in trial.sizes] == [4, 8, 16, 32, 64, 128]
    trial = batch_size_find(make(), X, Y, init_val=4, memory_limit=2000, mode="largest")
    assert trial.sizes[-1].peak_bytes <= 2000
    assert trial.suggestion == trial.sizes[-1].batch_size >= 134
    with pytest.raises(MemoryError, match="a batch of 4 takes 540 bytes, more than the limit of 539"):
        batch_size_find(make(), X, Y, init_val=4, memory_limit=539)


def test_the_largest_is_all_samples_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, lambda n: 1.0, lambda n: n)
    assert batch_size_find(make(), X, Y, mode="largest", memory_limit=10**6).suggestion == 300
    found = batch_size_find(make(), X, Y, mode="largest", memory_limit=10**6, max_val=100)
    assert found.suggestion == 100


def test_memory_is_measured() -> None:
    trial = batch_size_find(make(), X, Y, init_val=16, max_val=256, mode="largest")
    by_size = {size.batch_size: size.peak_bytes for size in trial.sizes}
    assert by_size[256] > by_size[16]
    assert tuner.available_memory() > 2**20


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "trainer is a int, expected a Trainer or a compiled model", lambda: lr_find(3, X, Y)),
        (ValueError, "min_lr must be a positive number, got 0", lambda: lr_find(make(), X, Y, min_lr=0)),
        (ValueError, "max_lr must be a number above", lambda: lr_find(make(), X, Y, max_lr=1e-9)),
        (ValueError, "steps must be an integer of at least 5", lambda: lr_find(make(), X, Y, steps=2)),
        (ValueError, "smoothing must be", lambda: lr_find(make(), X, Y, smoothing=1.0)),
        (TypeError, "no argument 'num_it'", lambda: lr_find(make(), X, Y, num_it=10)),
        (TypeError, "did you mean 'max_lr'", lambda: lr_find(make(), X, Y, maxlr=10)),
        (ValueError, "mode must be one of", lambda: batch_size_find(make(), X, Y, mode="power")),
        (
            ValueError,
            "init_val is 512, expected at most",
            lambda: batch_size_find(make(), X, Y, init_val=512),
        ),
        (
            TypeError,
            "x is a DataLoader, expected arrays or a data set",
            lambda: batch_size_find(make(), DataLoader(ArrayDataset(X, Y))),
        ),
        (
            ValueError,
            "method must be one of 'valley', 'steepest'",
            lambda: tuner.RateTrial([1.0], [1.0], 0.0, False).suggestion("x"),
        ),
    ],
)
def test_wrong_arguments(error: type[Exception], message: str, call: Callable[[], Any]) -> None:
    with pytest.raises(error, match=message):
        call()
