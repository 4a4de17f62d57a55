"""Random numbers: Philox itself, streams, the generator's state, and what the draws look like."""

from __future__ import annotations

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads
from reference import random as reference


def test_philox_known_answers() -> None:
    """The test vectors of Random123 (Salmon et al.)."""
    zero = reference.philox(0, 0, np.zeros(1, np.uint64))[:, 0]
    assert [hex(int(w)) for w in zero] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    ones = reference.philox(2**64 - 1, 2**64 - 1, np.full(1, 2**64 - 1, np.uint64))[:, 0]
    assert [hex(int(w)) for w in ones] == ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]


def test_seed_and_stream_decide() -> None:
    g = dt.Generator(2**63 + 5)
    first, second = dt.rand(100, generator=g), dt.rand(100, generator=g)
    np.testing.assert_array_equal(first.numpy(), reference.uniform(2**63 + 5, 0, 100))
    np.testing.assert_array_equal(second.numpy(), reference.uniform(2**63 + 5, 1, 100))


def test_state_is_restored() -> None:
    g = dt.Generator(3)
    dt.randn(5, generator=g)
    state = g.get_state()
    expected = dt.randn(50, generator=g).numpy()
    g.set_state(state)
    np.testing.assert_array_equal(dt.randn(50, generator=g).numpy(), expected)
    assert state == (3, 1)


def test_a_long_draw_begins_like_a_short_one() -> None:
    for draw in (dt.rand, dt.randn):
        long, short = draw(10000, generator=dt.Generator(1)), draw(77, generator=dt.Generator(1))
        np.testing.assert_array_equal(long.numpy()[:77], short.numpy())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments(dtype: str) -> None:
    n, g = 400_000, dt.Generator(9)
    u = dt.rand(n, dtype=dtype, generator=g).numpy().astype(np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    for power in (1, 2, 3, 4):
        assert np.mean(u**power) == pytest.approx(1 / (power + 1), abs=2e-3)
    z = dt.randn(n, dtype=dtype, generator=g).numpy().astype(np.float64)
    for power, moment in ((1, 0), (2, 1), (3, 0), (4, 3), (6, 15)):
        assert np.mean(z**power) == pytest.approx(moment, abs=0.02 * max(1, moment) * power)
    assert np.mean(np.abs(z) > 3) == pytest.approx(0.0027, abs=4e-4)
    for lag in (1, 16, 32, 64):
        assert abs(np.corrcoef(z[:-lag], z[lag:])[0, 1]) < 0.01
        assert abs(np.corrcoef(z[:-lag] ** 2, z[lag:] ** 2)[0, 1]) < 0.01


def test_half_precision_draws() -> None:
    x = dt.normal((1000,), 5.0, 2.0, dtype="float16", generator=dt.Generator(0))
    assert x.dtype == dt.float16
    assert np.mean(x.numpy().astype(np.float64)) == pytest.approx(5, abs=0.3)


def test_integers_and_permutations() -> None:
    g = dt.Generator(11)
    counts = np.bincount(dt.randint(0, 10, 50_000, generator=g).numpy(), minlength=10)
    assert counts.shape == (10,)
    assert abs(counts - 5000).max() < 350
    p = dt.randperm(1000, generator=g).numpy()
    assert (np.sort(p) == np.arange(1000)).all()
    assert (p != np.arange(1000)).sum() > 950
    first = [int(dt.randperm(3, generator=g).numpy()[0]) for _ in range(3000)]
    assert abs(np.bincount(first) - 1000).max() < 120


def test_zero_sizes() -> None:
    assert dt.rand((0, 3)).shape == (0, 3)
    assert dt.randn(0).shape == (0,)
    assert dt.randint(0, 2, (2, 0)).shape == (2, 0)
    assert dt.rand(2, 3).shape == (2, 3)


def test_in_place_draws() -> None:
    memory = np.zeros((4, 6), dtype=np.float32)
    view = dt.from_numpy(memory[:, ::2])
    assert view.uniform_(2.0, 3.0, generator=dt.Generator(5)) is not None
    expected = 2 + reference.uniform(5, 0, 12).reshape(4, 3)
    np.testing.assert_allclose(memory[:, ::2], expected, rtol=1e-6)
    assert (memory[:, 1::2] == 0).all()
    view.normal_(1.0, 0.0)
    assert (memory[:, ::2] == 1).all()
    leaf = dt.tensor([1.0, 2.0])
    leaf.requires_grad = True
    with pytest.raises(RuntimeError, match="normal_: a leaf that requires a gradient"):
        leaf.normal_()


def test_dropout_draws_the_same_mask_backwards() -> None:
    x = dt.tensor(np.ones((100, 50)), dtype="float32")
    x.requires_grad = True
    y = dt.dropout(x, 0.3, generator=dt.Generator(2))
    y.backward(dt.tensor(np.ones((100, 50)), dtype="float32"))
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert np.mean(y.detach().numpy() != 0) == pytest.approx(0.7, abs=0.03)


def test_draws_beyond_the_caches(level: str) -> None:
    """Long draws are stored past the caches, on several threads: they are what pieces of them are."""
    n, piece = 6_300_007, 1000
    x = dt.tensor(np.arange(1, n + 1, dtype=np.float32))

    def draws() -> list[dt.Tensor]:
        return [
            dt.rand(n, generator=dt.Generator(5)),
            dt.randn(n, generator=dt.Generator(5)),
            dt.dropout(x, 0.3, True, generator=dt.Generator(5)),
        ]

    uniform, normal, dropped = on_threads(draws)
    for draw, whole in ((dt.rand, uniform), (dt.randn, normal)):
        np.testing.assert_array_equal(draw(piece, generator=dt.Generator(5)).numpy(), whole[:piece])
    first = 100_001
    kept = reference.dropout_numbers(5, 0, first) >= int(0.3 * 2**32)
    scaled = x.numpy()[:first] * np.float32(1 / 0.7)
    np.testing.assert_array_equal(dropped[:first], np.where(kept, scaled, np.float32(0)))
    assert np.count_nonzero(dropped) / n == pytest.approx(0.7, abs=0.001)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, np.inf, np.nan])
def test_bernoulli_takes_probabilities_only(wrong: float) -> None:
    p = dt.full((1000,), 0.5)
    p[700] = wrong
    with pytest.raises(ValueError, match=r"bernoulli: input has values from .*, expected probabilities"):
        dt.bernoulli(p)
