"""Draws: the numbers of augmentation belong to a sample's place, not to its batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.augment.draws import Draws
from reference import random as reference

N = 4000
METHODS: dict[str, Callable[[Draws], Any]] = {
    "uniform": lambda d: d.uniform(-1, 3, (2, 3)),
    "integers": lambda d: d.integers(-4, 9, 2),
    "normal": lambda d: d.normal(1, 2, 5),
    "chance": lambda d: d.chance(0.3),
    "choice": lambda d: d.choice(3, [1, 2, 3], 4),
    "permutation": lambda d: d.permutation(7),
    "gamma": lambda d: d.gamma(0.7, 2),
    "beta": lambda d: d.beta(0.4, 2.0),
    "dirichlet": lambda d: d.dirichlet(1.0, 3),
    "keys": lambda d: d.keys(),
}


def draws(seed: int = 3, epoch: int = 0, n: int = N) -> Draws:
    return Draws(seed, epoch, np.arange(n))


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
class TestPlace:
    def test_a_sample_gets_its_numbers_in_every_batch(self, method: Callable[[Draws], Any]) -> None:
        whole = method(draws().stage(2))
        for positions in ([7], [300, 7, 7, 0], list(range(100, 140))):
            part = method(Draws(3, 0, positions).stage(2))
            assert np.array_equal(part, whole[positions])
        taken = draws().stage(2).take([5, 1])
        assert np.array_equal(method(taken), whole[[5, 1]])

    def test_the_same_after_each_draw_for_some_of_the_samples(self, method: Callable[[Draws], Any]) -> None:
        d = draws(n=50)
        method(d)
        mask = np.arange(50) % 3 == 0
        some = d.take(mask)
        assert np.array_equal(method(some), method(d)[mask])
        assert np.array_equal(some.keys(), d.keys()[mask])  # whatever the number of tries was

    def test_seed_epoch_stage_and_draw_make_others(self, method: Callable[[Draws], Any]) -> None:
        first = draws().stage(0)
        results = [method(first), method(first)]
        results += [method(d) for d in (draws(4), draws(3, 1), draws().stage(1), draws().stage(0).stage(0))]
        results += [method(draws()), method(draws().stage(1).stage(0)), method(draws().stage(0).stage(1))]
        for i, a in enumerate(results):
            for b in results[:i]:
                # As often alike as chance has it: the coarsest is `chance`, alike in 58% of the cases.
                assert (a == b).mean() < 0.65

    def test_threads_and_what_was_drawn_before_play_no_part(self, method: Callable[[Draws], Any]) -> None:
        d = draws()
        d.uniform(size=3)
        dt.rand(5)
        assert np.array_equal(method(d.stage(2)), method(draws().stage(2)))


class TestNumbers:
    def test_uniform_is_philox_of_seed_stream_and_position(self) -> None:
        drawn = dt.draw_uniform(9, 5, dt.tensor([2, 2**40]), 2).numpy()
        w = reference.philox(9, 5, np.array([2, 2**40], np.uint64))
        assert np.array_equal(drawn[:, 1], ((w[2] | w[3] << np.uint64(32)) >> np.uint64(11)) * 2.0**-53)

    def test_moments(self) -> None:
        d = draws()
        checks = [
            (d.uniform(2, 4), 3, 1 / 3),
            (d.normal(5, 2), 5, 4),
            (d.gamma(0.5), 0.5, 0.5),
            (d.gamma(3.0), 3, 3),
            (d.beta(2, 3), 0.4, 0.04),
            (d.dirichlet(2.0, 4)[:, 1], 0.25, 0.1875 / 9),
            (d.integers(0, 10), 4.5, 8.25),
            (d.chance(0.25).astype(float), 0.25, 0.1875),
        ]
        for values, mean, variance in checks:
            assert abs(values.mean() - mean) < 5 * (variance / N) ** 0.5
            assert abs(values.var() - variance) < 0.2 * variance

    def test_normal_follows_the_normal_distribution(self) -> None:
        ordered = np.sort(draws().normal(size=10).reshape(-1))
        for share, at in ((0.001349898, -3), (0.158655, -1), (0.5, 0), (0.977250, 2)):
            assert abs((ordered < at).mean() - share) < 5 * (share * (1 - share) / ordered.size) ** 0.5

    def test_integers_reach_both_ends_and_no_further(self) -> None:
        values = draws().integers(-2, 3)
        assert sorted(set(values.tolist())) == [-2, -1, 0, 1, 2]
        each = draws().integers(np.zeros(N, int), np.arange(N) + 1)
        assert (each >= 0).all()
        assert (each <= np.arange(N)).all()

    def test_choice_follows_its_weights(self) -> None:
        values = draws().choice(4, [1, 0, 3, 0])
        assert set(values.tolist()) == {0, 2}
        assert abs((values == 2).mean() - 0.75) < 0.04

    def test_permutations_are_permutations_and_every_one_comes(self) -> None:
        orders = draws().permutation(3)
        assert (np.sort(orders, axis=1) == np.arange(3)).all()
        assert len({tuple(order) for order in orders.tolist()}) == 6

    def test_shares_sum_to_one_even_where_they_underflow(self) -> None:
        for alpha in (1e-4, 1.0, 50.0):
            shares = draws().dirichlet(alpha, 3)
            assert np.allclose(shares.sum(axis=1), 1)
            assert (shares >= 0).all()

    def test_bounds_for_each_sample(self) -> None:
        high = np.arange(N) + 1.0
        values = draws().uniform(0, high)
        assert (values < high).all()
        assert values.shape == (N,)

    def test_no_samples(self) -> None:
        nothing = Draws(0, 0, [])
        assert nothing.uniform(size=3).shape == (0, 3)
        assert nothing.permutation(4).shape == (0, 4)
        assert nothing.gamma(2.0).shape == (0,)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Draws(-1, 0, [0]), ValueError, "Draws: seed must be .*got -1"),
        (lambda: Draws(0, -1, [0]), ValueError, "Draws: epoch is -1, expected 0 or more"),
        (lambda: Draws(0, 0.5, [0]), TypeError, "Draws: epoch is 0.5, expected an integer"),
        (lambda: Draws(0, 0, [0.5]), TypeError, "Draws: positions are float64, expected integers"),
        (lambda: Draws(0, 0, [[1]]), ValueError, r"Draws: positions have shape \(1, 1\), expected \(n,\)"),
        (lambda: draws(n=1).integers(3, 3), ValueError, "Draws.integers: low is 3, expected less than high"),
        (lambda: draws(n=1).choice(2, [1, -1]), ValueError, "expected 2 weights, at least one above 0"),
        (lambda: draws(n=1).gamma(0), ValueError, "Draws.gamma: shape is 0, expected a positive number"),
    ],
)
def test_wrong_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
