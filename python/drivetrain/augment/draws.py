"""Random numbers of augmentation: each belongs to a sample's place in an epoch, a transform and a draw."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _core
from ..data.shuffle import check_seed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Size = int | Sequence[int]

_WORD = 2**64 - 1


def _mix(state: int, number: int) -> int:
    """The next state of a path: splitmix64 (Steele et al., 2014) of the state and one more number."""
    z = (state + 0x9E3779B97F4A7C15 * (2 * number + 1)) & _WORD
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _WORD
    return z ^ z >> 31


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


class Draws:
    """The random numbers of a batch, sample by sample.

    A number depends on the seed, the epoch, the sample's position among all that the epoch draws, the
    transform (`stage`) and how many draws the transform has made before; never on the rest of the batch, on
    threads or on time. A sample drawn twice in an epoch has two positions and gets other numbers each time.

    Args:
        seed: 0 to 2**64 - 1.
        epoch: 0 or more.
        positions: (n,) integers, one for each sample of the batch.

    Every method returns arrays whose first axis are the n samples; ``size`` are the axes that follow.
    Bounds and probabilities are numbers, or arrays that broadcast to the result.

    Source: Salmon et al., 2011 (Philox 4x32-10).

    Example:
        >>> import numpy as np
        >>> from drivetrain.augment.draws import Draws
        >>> whole = Draws(seed=1, epoch=0, positions=np.arange(8)).stage(0).uniform(-10, 10)
        >>> part = Draws(seed=1, epoch=0, positions=np.arange(4, 8)).stage(0).uniform(-10, 10)
        >>> bool((whole[4:] == part).all())
        True
    """

    __slots__ = ("_calls", "_path", "positions", "seed")
    seed: int
    positions: Integers
    _path: int
    _calls: int

    def __init__(self, seed: int, epoch: int, positions: ArrayLike) -> None:
        self.seed = check_seed("Draws", seed)
        if isinstance(epoch, bool) or not isinstance(epoch, numbers.Integral):
            raise TypeError(f"Draws: epoch is {epoch!r}, expected an integer")
        if epoch < 0:
            raise ValueError(f"Draws: epoch is {epoch}, expected 0 or more")
        rows = np.asarray(positions)
        if rows.dtype.kind not in "iu" and rows.size:
            raise TypeError(f"Draws: positions are {rows.dtype}, expected integers")
        if rows.ndim != 1:
            raise ValueError(f"Draws: positions have shape {rows.shape}, expected (n,)")
        self.positions = np.array(rows, np.int64)
        self._path = _mix(0, int(epoch))
        self._calls = 0

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Draws(seed={self.seed}, {len(self)} samples)"

    def _with(self, path: int, calls: int, positions: Integers) -> Draws:
        other = object.__new__(Draws)
        other.seed = self.seed
        other.positions = positions
        other._path = path
        other._calls = calls
        return other

    def stage(self, number: int) -> Draws:
        """The draws of transform ``number`` of a pipeline; those of a nested pipeline are stages of stages.
        It does not matter what was drawn before."""
        # Draws of this stage itself have even numbers.
        return self._with(_mix(self._path, 2 * number + 1), 0, self.positions)

    def take(self, samples: ArrayLike) -> Draws:
        """The same for some of the samples, by index or as a mask: they get the numbers they would have got
        among all."""
        return self._with(self._path, self._calls, self.positions[np.asarray(samples)])

    def _numbers(self, size: Size) -> tuple[Floats, tuple[int, ...]]:
        axes = (size,) if isinstance(size, int) else tuple(size)
        stream = _mix(self._path, 2 * self._calls)
        self._calls += 1
        drawn = _core.draw_uniform(
            _signed(self.seed), _signed(stream), _core.from_numpy(self.positions), math.prod(axes)
        )
        return drawn.numpy(), (len(self), *axes)

    def uniform(self, low: ArrayLike = 0.0, high: ArrayLike = 1.0, size: Size = ()) -> Floats:
        """Numbers from [low, high)."""
        drawn, shape = self._numbers(size)
        low = np.asarray(low, np.float64)
        scaled: Floats = low + (np.asarray(high, np.float64) - low) * drawn.reshape(shape)
        return scaled

    def integers(self, low: ArrayLike, high: ArrayLike, size: Size = ()) -> Integers:
        """Integers from low to high - 1, which are at most 2**53 apart."""
        drawn, shape = self._numbers(size)
        if isinstance(low, int) and isinstance(high, int) and high > low:
            steps = (drawn.reshape(shape) * (high - low)).astype(np.int64)
            return np.asarray(np.minimum(steps, high - low - 1, out=steps) + low)
        first, span = np.asarray(low, np.int64), np.asarray(high, np.int64) - np.asarray(low, np.int64)
        if span.size and (span < 1).any():
            raise ValueError(f"Draws.integers: low is {low!r}, expected less than high, {high!r}")
        below: Integers = np.minimum((drawn.reshape(shape) * span).astype(np.int64), span - 1)
        return first + below

    def normal(self, mean: ArrayLike = 0.0, std: ArrayLike = 1.0, size: Size = ()) -> Floats:
        """Normal numbers (Box and Muller, 1958)."""
        axes = (size,) if isinstance(size, int) else tuple(size)
        drawn, shape = self._numbers((*axes, 2))
        radius, angle = drawn.reshape(*shape[:-1], 2)[..., 0], drawn.reshape(*shape[:-1], 2)[..., 1]
        standard = np.sqrt(-2 * np.log1p(-radius)) * np.cos(2 * math.pi * angle)
        scaled: Floats = np.asarray(mean, np.float64) + np.asarray(std, np.float64) * standard
        return scaled

    def chance(self, p: ArrayLike = 0.5, size: Size = ()) -> NDArray[np.bool_]:
        """True with probability p."""
        drawn, shape = self._numbers(size)
        hit: NDArray[np.bool_] = drawn.reshape(shape) < np.asarray(p)
        return hit

    def choice(self, count: int, p: Sequence[float] | None = None, size: Size = ()) -> Integers:
        """One of 0 to count - 1, with the probabilities or weights p; all alike if None."""
        if p is None:
            return self.integers(0, count, size)
        weights = np.asarray(p, np.float64)
        if weights.shape != (count,) or not (weights >= 0).all() or not 0 < weights.sum() < math.inf:
            raise ValueError(f"Draws.choice: p is {p!r}, expected {count} weights, at least one above 0")
        drawn, shape = self._numbers(size)
        steps = np.cumsum(weights)
        last = int(np.flatnonzero(weights)[-1])  # rounding may end above the last step
        found = np.searchsorted(steps, drawn.reshape(shape) * steps[-1], side="right")
        chosen: Integers = np.minimum(found, last).astype(np.int64)
        return chosen

    def permutation(self, count: int) -> Integers:
        """(n, count): 0 to count - 1 in an order for each sample."""
        order: Integers = np.argsort(self.uniform(size=count), axis=1, kind="stable").astype(np.int64)
        return order

    def gamma(self, shape: float, size: Size = ()) -> Floats:
        """Gamma numbers of scale 1 (Marsaglia and Tsang, 2000)."""
        if not 0 < shape < math.inf:
            raise ValueError(f"Draws.gamma: shape is {shape}, expected a positive number")
        tries = self._with(_mix(self._path, 2 * self._calls), 0, self.positions)
        self._calls += 1
        # A shape below 1 is drawn with 1 more and brought down by a power of a uniform number.
        power = np.exp(np.log1p(-tries.uniform(size=size)) / shape) if shape < 1 else 1.0
        d = (shape if shape >= 1 else shape + 1) - 1 / 3
        axes = (size,) if isinstance(size, int) else tuple(size)
        found = np.zeros((len(self), *axes))
        missing = np.ones(found.shape, bool)
        while missing.any():
            # Every try belongs to its sample alone: who has been accepted ignores those that follow.
            x, u = tries.normal(size=size), tries.uniform(size=size)
            v = (1 + x / math.sqrt(9 * d)) ** 3
            with np.errstate(invalid="ignore", divide="ignore"):
                good = (v > 0) & (np.log1p(-u) < 0.5 * x * x + d * (1 - v + np.log(v)))
            found = np.where(missing & good, d * v, found)
            missing &= ~good
        result: Floats = found * power
        return result

    def beta(self, a: float, b: float, size: Size = ()) -> Floats:
        """Beta numbers."""
        x, y = self.gamma(a, size), self.gamma(b, size)
        # Both are 0 only where tiny shapes underflow.
        whole: Floats = np.where(x + y > 0, x, 0.5) / np.where(x + y > 0, x + y, 1.0)
        return whole

    def dirichlet(self, alpha: float, count: int) -> Floats:
        """(n, count): shares that sum to 1, from the symmetric Dirichlet distribution."""
        parts = self.gamma(alpha, count)
        total = parts.sum(axis=1, keepdims=True)
        shares: Floats = np.where(total > 0, parts, 1.0) / np.where(total > 0, total, float(count))
        return shares

    def keys(self) -> Integers:
        """(n,) numbers of 53 bits: the streams from which kernels draw a number for every pixel."""
        drawn, shape = self._numbers(())
        return (drawn.reshape(shape) * 2.0**53).astype(np.int64)
