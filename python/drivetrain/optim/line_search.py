"""A line search that ends where the strong Wolfe conditions hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .._core import Tensor


@dataclass(frozen=True)
class Point:
    """What is known of the function a step of length `t` along the direction."""

    t: float
    loss: float
    gradient: Tensor
    slope: float  # of the loss along the direction


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two points and their slopes is least, within [low, high]; else the middle.

    Nocedal and Wright, Numerical Optimization (2006), equation 3.59.
    """
    if a.t > b.t:
        a, b = b, a
    middle = (low + high) / 2
    if a.t == b.t:
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.sqrt(square)
    below = b.slope - a.slope + 2 * d2
    if below == 0 or math.isnan(below):
        return middle
    return min(max(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / below), low), high)


class StrongWolfe:
    """A step that lowers the loss enough, `decrease`, and the slope, `curvature`.

    First the interval grows until a good point lies within, then it shrinks around it; Nocedal and Wright,
    algorithms 3.5 and 3.6, with PyTorch's choices of the trial steps.
    """

    decrease = 1e-4
    curvature = 0.9

    def __init__(
        self, evaluate: Callable[[float], Point], start: Point, size: float, tolerance: float, most: int
    ) -> None:
        self.evaluate, self.start = evaluate, start
        self.size = size  # the largest element of the direction
        self.tolerance, self.most = tolerance, most  # evaluations after the first

    def _too_high(self, point: Point) -> bool:
        return point.loss > self.start.loss + self.decrease * point.t * self.start.slope

    def _flat(self, point: Point) -> bool:
        return abs(point.slope) <= -self.curvature * self.start.slope

    def search(self, t: float) -> tuple[Point, int]:
        """The step, with `t` as the first trial, and how often the function was evaluated."""
        before, point = self.start, self.evaluate(t)
        tries = 0
        while tries < self.most:
            if self._too_high(point) or (tries > 1 and point.loss >= before.loss):
                return self._zoom([before, point], tries)
            if self._flat(point):
                return point, tries + 1
            if point.slope >= 0:
                return self._zoom([before, point], tries)
            t = cubic_minimum(before, point, point.t + 0.01 * (point.t - before.t), 10 * point.t)
            before, point = point, self.evaluate(t)
            tries += 1
        return (self.start if self.start.loss <= point.loss else point), tries + 1

    def _zoom(self, ends: list[Point], tries: int) -> tuple[Point, int]:
        stuck = False
        low = 0 if ends[0].loss <= ends[1].loss else 1
        while tries < self.most and abs(ends[1].t - ends[0].t) * self.size >= self.tolerance:
            t, stuck = self._trial(ends, stuck)
            point = self.evaluate(t)
            tries += 1
            if self._too_high(point) or point.loss >= ends[low].loss:
                ends[1 - low] = point
                low = 0 if ends[0].loss <= ends[1].loss else 1
                continue
            if self._flat(point):
                return point, tries + 1
            if point.slope * (ends[1 - low].t - ends[low].t) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = point
        return ends[low], tries + 1

    def _trial(self, ends: list[Point], stuck: bool) -> tuple[float, bool]:
        """The next step, and whether it lies near an end; the second time in a row it is moved inwards."""
        least, most = sorted(point.t for point in ends)
        t = cubic_minimum(ends[0], ends[1], least, most)
        margin = 0.1 * (most - least)
        if min(most - t, t - least) >= margin:
            return t, False
        if not (stuck or t >= most or t <= least):
            return t, True
        return (most - margin if most - t < t - least else least + margin), False
