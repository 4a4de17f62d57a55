"""Trials before a training: the learning rate and the batch size that suit it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import _core, default_generator
from .._arguments import checks_names
from .._checks import choice, integer, real
from .plots import new_figure
from .precision import floats_of
from .predictor import in_mode
from .resume import copied
from .sources import Source, make_source
from .trainer import Trainer


class RateTrial:
    """What `lr_find` found: a loss for each learning rate.

    Attributes:
        lrs (list of float): The learning rates, of the first parameter group.
        losses (list of float): The loss of the batch at each.
        smoothed (list of float): Their running average, which the suggestions are made from.
        diverged (bool): Whether the trial ended because the loss did.

    Example:
        >>> from drivetrain.train.tuner import RateTrial
        >>> lrs = [10.0**power for power in range(-5, 2)]
        >>> RateTrial(lrs, [2.0, 1.99, 1.9, 1.2, 0.6, 0.9, 4.0], 0.0, True).suggestion("steepest")
        0.01
    """

    def __init__(self, lrs: list[float], losses: list[float], smoothing: float, diverged: bool) -> None:
        self.lrs, self.losses, self.diverged = lrs, losses, diverged
        self.smoothed = running_average(losses, smoothing)

    def suggestion(self, method: str = "valley") -> float:
        """A learning rate to train with.

        Args:
            method: "valley", about two thirds down the longest way on which the loss falls, or "steepest",
                where it falls fastest (ten times less than where it is lowest is the old rule of thumb).

        Raises:
            RuntimeError: The loss does not fall anywhere: the range is too high or too low, or the trial too
                short.
        """
        choice("suggestion", "method", method, ("valley", "steepest"))
        smoothed = np.array(self.smoothed)
        if len(smoothed) < 5 or smoothed.min() >= smoothed[0]:
            raise RuntimeError(
                f"lr_find: the loss does not fall between the rates {self.lrs[0]:g} and {self.lrs[-1]:g}; "
                "try others, or more steps"
            )
        return self.lrs[valley(smoothed) if method == "valley" else steepest(smoothed, np.array(self.lrs))]

    def plot(self, ax: Any = None, *, suggest: str | None = "valley") -> Any:
        """Draws the losses over the rates, with the suggestion. Needs matplotlib.

        Args:
            ax: Axes of matplotlib; by default those of a new figure.
            suggest: The method of the suggestion, None for none.

        Returns:
            The axes; ``.figure.savefig(path)`` keeps the picture.
        """
        if ax is None:
            ax = new_figure(6, 3.6).add_subplot()
        ax.plot(self.lrs, self.losses, alpha=0.3, label="loss")
        ax.plot(self.lrs, self.smoothed, label="smoothed")
        if suggest is not None:
            with contextlib.suppress(RuntimeError):
                rate = self.suggestion(suggest)
                ax.plot(rate, self.smoothed[self.lrs.index(rate)], "o", label=f"{suggest}: {rate:.2g}")
        ax.set_xscale("log")
        # A loss that diverged would hide all others.
        ax.set_ylim(top=max(self.smoothed[0], min(self.smoothed)) * 2 or None)
        ax.set_xlabel("learning rate")
        ax.set_ylabel("loss")
        ax.legend()
        ax.grid(alpha=0.3)
        return ax

    def __repr__(self) -> str:
        end = "diverged" if self.diverged else "ended"
        try:
            found = f"suggestion {self.suggestion():.3g}"
        except RuntimeError:
            found = "no suggestion"
        return (
            f"RateTrial({len(self.lrs)} rates from {self.lrs[0]:.3g}, {end} at {self.lrs[-1]:.3g}; {found})"
        )


def running_average(values: list[float], smoothing: float) -> list[float]:
    """Exponential, corrected for its beginning with 0."""
    found, average = [], 0.0
    for count, value in enumerate(values, start=1):
        average = smoothing * average + (1 - smoothing) * value
        found.append(average / (1 - smoothing**count))
    return found


def valley(losses: np.ndarray[Any, Any]) -> int:
    """A place in the longest falling part: where two thirds of its steps are made, less half of a third."""
    best = length = 0
    end = start = 0
    lowest = losses[0]
    # A part may rise a little, as losses of batches do, but not above where it was a tenth of it ago.
    for place in range(1, len(losses)):
        if losses[place] < lowest:
            lowest = losses[place]
            length = place - start
        elif losses[place] > losses[max(start, place - max(3, len(losses) // 10))]:
            start, lowest, length = place, losses[place], 0
        if length > best:
            best, end = length, place
    return end - best + best // 2 + best // 6


def steepest(losses: np.ndarray[Any, Any], lrs: np.ndarray[Any, Any]) -> int:
    """Where the loss falls most by the logarithm of the rate."""
    slopes = np.gradient(losses, np.log(lrs))
    edge = len(losses) // 10  # the average has hardly begun there
    return edge + int(np.argmin(slopes[edge:]))


@checks_names
def lr_find(
    trainer: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int = 32,
    min_lr: float = 1e-7,
    max_lr: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
    early_stop_threshold: float | None = 4.0,
) -> RateTrial:
    """Try learning rates from small to large, one per batch, and see what the loss does (a range test).

    The trainer trains, with its optimizer, clipping and precision, while the rate grows by the same factor
    from batch to batch. Then weights, buffers, the optimizer's state and rates, the random state and the
    position of a loader are what they were, to the bit: it is as if it had not been called.

    Args:
        trainer: Trainer, or a model that was compiled.
        x, y, sample_weight, batch_size: The data, as for ``fit``. A generator is used up.
        min_lr: The first rate. Parameter groups keep the ratios of their rates; it is that of the first.
        max_lr: The last rate.
        steps: Number of rates, and batches: data that is shorter is begun again.
        smoothing: Of the running average of the losses, from 0 to below 1.
        early_stop_threshold: The trial ends when the average is so many times the lowest; None: never.

    Returns:
        RateTrial: with ``suggestion()`` and ``plot()``.

    Raises:
        ValueError: For numbers out of range, and what the data raises.

    Source: Smith, 2017; as in fastai and Lightning.

    Example:
        >>> import numpy as np
        >>> import drivetrain as dt
        >>> from drivetrain import nn, optim
        >>> from drivetrain.train import Trainer, lr_find
        >>> x = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
        >>> model = nn.Linear(4, 1)
        >>> trainer = Trainer(model, loss="mse", optimizer=optim.SGD(model.parameters()), seed=0)
        >>> trial = lr_find(trainer, x, x.sum(axis=1), max_lr=100.0)
        >>> trial.diverged, 1e-4 < trial.suggestion() < 1.0
        (True, True)
    """
    name = "lr_find"
    low = real(name, "min_lr", min_lr, "a positive number", lambda v: 0 < v < math.inf)
    high = real(name, "max_lr", max_lr, "a number above min_lr", lambda v: low < v < math.inf)
    steps = integer(name, "steps", steps, 5)
    real(name, "smoothing", smoothing, "a number from 0 to below 1", lambda v: 0 <= v < 1)
    limit = math.inf
    if early_stop_threshold is not None:
        limit = real(name, "early_stop_threshold", early_stop_threshold, "a number above 1", lambda v: v > 1)
    trainer = trainer_of(name, trainer)
    lrs = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    with unchanged(trainer, x):
        source = make_source(
            name,
            x,
            y,
            sample_weight,
            batch_size=batch_size,
            shuffle=True,
            seed=default_generator.seed if trainer.seed is None else trainer.seed,
            steps=steps,
            endless=True,
            floats=floats_of(trainer.model),
        )
        losses, diverged = try_rates(trainer, source, lrs, smoothing, limit)
    return RateTrial(lrs[: len(losses)], losses, smoothing, diverged)


def try_rates(
    trainer: Trainer, source: Source, lrs: list[float], smoothing: float, limit: float
) -> tuple[list[float], bool]:
    """The losses, and whether they diverged."""
    groups = trainer.optimizer.param_groups
    first = groups[0]["lr"]
    ratios = [group["lr"] / first if first else 1.0 for group in groups]
    losses: list[float] = []
    for lr, batch in zip(lrs, source.epoch(), strict=False):
        for group, ratio in zip(groups, ratios, strict=True):
            group["lr"] = lr * ratio
        loss = train_on(trainer, batch)
        if not math.isfinite(loss):
            return losses, True
        losses.append(loss)
        smoothed = running_average(losses, smoothing)
        if len(losses) > 1 and smoothed[-1] > limit * min(smoothed) > 0:
            return losses, True
    return losses, False


def train_on(trainer: Trainer, batch: Any) -> float:
    """The loss of a batch before the step that it makes; NaN where it or the gradients are not finite."""
    trainer._reset()
    trainer.loop.end_group()
    try:
        made = trainer._train_batch(batch, ends_epoch=True)
    except FloatingPointError:
        return math.nan
    return float(trainer._logs()["loss"]) if made else math.nan


def trainer_of(name: str, given: Any) -> Trainer:
    if not isinstance(given, Trainer) and hasattr(given, "compile"):
        given = given.trainer
    if not isinstance(given, Trainer):
        raise TypeError(
            f"{name}: trainer is a {type(given).__name__}, expected a Trainer or a compiled model"
        )
    return given


@contextlib.contextmanager
def unchanged(trainer: Trainer, x: Any) -> Iterator[None]:
    """Whatever happens within, trainer and loader are then what they were. The schedule makes no steps."""
    kept, loader = copied(trainer.state_dict()), None
    if hasattr(x, "state_dict") and hasattr(x, "load_state_dict"):
        loader = copied(x.state_dict())
    metrics, trainer.metrics = trainer.metrics, []
    try:
        trainer.pause_schedule()
        trainer.guard.begin_fit()
        with in_mode(trainer.model, training=True):
            yield
    finally:
        trainer._reset()
        trainer.metrics = metrics
        trainer.load_state_dict(kept)
        if loader is not None:
            x.load_state_dict(loader)


class Size(NamedTuple):
    """What a batch size costs."""

    batch_size: int
    samples_per_second: float
    peak_bytes: int


class SizeTrial:
    """What `batch_size_find` found.

    Attributes:
        sizes (list of Size): ``batch_size``, ``samples_per_second`` and ``peak_bytes`` of each trial.
        memory_limit (int): In bytes.
        suggestion (int): The smallest size whose throughput is within 5% of the best, or for the mode
            "largest" the largest that fits.

    Example:
        >>> from drivetrain.train.tuner import Size, SizeTrial
        >>> sizes = [Size(16, 900.0, 10_000), Size(32, 1600.0, 20_000), Size(64, 1650.0, 40_000)]
        >>> SizeTrial(sizes, 10**9).suggestion
        32
    """

    def __init__(self, sizes: list[Size], memory_limit: int, mode: str = "throughput") -> None:
        self.sizes, self.memory_limit, self.mode = sizes, memory_limit, mode

    @property
    def suggestion(self) -> int:
        if self.mode == "largest":
            return max(size.batch_size for size in self.sizes)
        best = max(size.samples_per_second for size in self.sizes)
        return min(size.batch_size for size in self.sizes if size.samples_per_second >= 0.95 * best)

    def plot(self, ax: Any = None) -> Any:
        """Draws the throughput over the batch sizes. Needs matplotlib.

        Args:
            ax: Axes of matplotlib; by default those of a new figure.

        Returns:
            The axes.
        """
        if ax is None:
            ax = new_figure(6, 3.6).add_subplot()
        ax.plot([s.batch_size for s in self.sizes], [s.samples_per_second for s in self.sizes], marker=".")
        ax.axvline(self.suggestion, linestyle="--", label=f"suggestion: {self.suggestion}")
        ax.set_xscale("log", base=2)
        ax.set_xlabel("batch size")
        ax.set_ylabel("samples per second")
        ax.legend()
        ax.grid(alpha=0.3)
        return ax

    def __repr__(self) -> str:
        lines = [f"batch size {'samples/s':>12} {'peak MB':>10}"]
        for size in self.sizes:
            mark = "  <- suggestion" if size.batch_size == self.suggestion else ""
            lines.append(
                f"{size.batch_size:10d} {size.samples_per_second:12.0f} {size.peak_bytes / 2**20:10.1f}{mark}"
            )
        return "\n".join(lines)


@checks_names
def batch_size_find(
    trainer: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    mode: str = "throughput",
    init_val: int = 8,
    max_val: int | None = None,
    steps_per_trial: int = 3,
    memory_limit: int | None = None,
) -> SizeTrial:
    """Try batch sizes, doubling, and measure samples per second and memory.

    On a CPU the largest batch that fits is rarely the one to train with: there is swap behind the memory, and
    the caches are full long before. So what is suggested is the smallest size with nearly the best
    throughput. Before a size is tried, its memory is estimated from those before, and it is left out when it
    goes beyond the limit. Afterwards the trainer is what it was, as after `lr_find`.

    Args:
        trainer: Trainer, or a model that was compiled.
        x, y, sample_weight: Arrays or a data set, as for ``fit``.
        mode: "throughput", which ends where two doublings bring nothing; or "largest", which doubles up to
            the limit and then halves the interval.
        init_val: The first size.
        max_val: The largest size; by default the number of samples.
        steps_per_trial: Batches that are measured, after one that is not; the median counts.
        memory_limit: In bytes; by default half of what the machine, or its control group, has available.

    Returns:
        SizeTrial: with ``suggestion`` and ``plot()``; printed, it is a table.

    Raises:
        ValueError: For numbers out of range.
        TypeError: For loaders and generators, which have a batch size.
        MemoryError: Where the first size goes beyond the limit.

    Source: Lightning's Tuner.scale_batch_size.

    Example:
        >>> import numpy as np
        >>> from drivetrain import nn, optim
        >>> from drivetrain.train import Trainer, batch_size_find
        >>> x = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
        >>> model = nn.Linear(4, 1)
        >>> trainer = Trainer(model, loss="mse", optimizer=optim.SGD(model.parameters()), seed=0)
        >>> trial = batch_size_find(trainer, x, x.sum(axis=1), init_val=64)
        >>> trial.sizes[0].batch_size, trial.suggestion in (64, 128, 256)
        (64, True)
    """
    name = "batch_size_find"
    choice(name, "mode", mode, ("throughput", "largest"))
    size, count = integer(name, "init_val", init_val), integer(name, "steps_per_trial", steps_per_trial)
    limit = available_memory() // 2 if memory_limit is None else integer(name, "memory_limit", memory_limit)
    trainer = trainer_of(name, trainer)
    samples = len(x) if hasattr(x, "__len__") and not hasattr(x, "batch_size") else None
    if samples is None:
        raise TypeError(f"{name}: x is a {type(x).__name__}, expected arrays or a data set, without batches")
    if isinstance(x, (list, tuple)) and samples and hasattr(x[0], "shape"):
        samples = len(x[0])
    largest = samples if max_val is None else min(integer(name, "max_val", max_val), samples)
    if size > largest:
        raise ValueError(f"{name}: init_val is {size}, expected at most the {largest} samples or max_val")
    found: list[Size] = []
    with unchanged(trainer, x):
        measure = Measure(trainer, (x, y, sample_weight), count)
        found.append(measure(size))
        if found[0].peak_bytes > limit:
            raise MemoryError(
                f"{name}: a batch of {size} takes {found[0].peak_bytes} bytes, more than the limit of {limit}"
            )
        while size * 2 <= largest and expected_bytes(found, size * 2) <= limit:
            size *= 2
            found.append(measure(size))
            if mode == "throughput" and has_stalled(found):
                break
        if mode == "largest":
            bisect(measure, found, size, min(size * 2, largest + 1), limit)
    return SizeTrial(sorted(found), limit, mode)


def bisect(measure: Any, found: list[Size], fits: int, too_large: int, limit: int) -> None:
    """Tries sizes between one that fits and one that does not, until they are within an eighth."""
    while too_large - fits > max(1, fits // 8):
        middle = (fits + too_large) // 2
        if expected_bytes(found, middle) > limit:
            too_large = middle
        else:
            found.append(measure(middle))
            fits = middle
    if too_large - 1 > fits and expected_bytes(found, too_large - 1) <= limit:
        found.append(measure(too_large - 1))


def has_stalled(found: list[Size]) -> bool:
    """Whether two doublings brought less than 5%."""
    rates = [size.samples_per_second for size in found]
    return len(rates) > 2 and max(rates[-2:]) < 1.05 * max(rates[:-2])


def expected_bytes(found: list[Size], batch_size: int) -> float:
    """What a batch will take: along the line through the two largest that were tried."""
    known = sorted(found)[-2:]
    if len(known) == 1:
        return known[0].peak_bytes * batch_size / known[0].batch_size
    (a, _, low), (b, _, high) = known
    return high + (high - low) / (b - a) * (batch_size - b)


class Measure:
    """Times batches of a size."""

    def __init__(self, trainer: Trainer, data: tuple[Any, Any, Any], count: int) -> None:
        self.trainer, self.data, self.count = trainer, data, count

    def __call__(self, batch_size: int) -> Size:
        source = make_source(
            "batch_size_find",
            *self.data,
            batch_size=batch_size,
            steps=self.count + 1,
            endless=True,
            floats=floats_of(self.trainer.model),
        )
        times = []
        _core.empty_cache()
        _core.reset_peak_memory()
        start = time.perf_counter()
        for batch in source.epoch():
            train_on(self.trainer, batch)
            now = time.perf_counter()
            # The last batch of the data may be smaller.
            times.append((now - start) / batch.size)
            start = now
        return Size(batch_size, 1 / float(np.median(times[1:])), int(_core.memory_stats()["peak"]))


def available_memory() -> int:
    """Bytes that can be had without swapping; a control group may allow fewer."""
    found = []
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]))
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        found.append(max(0, int((group / "memory.max").read_text()) - used))
    return min(found, default=2**32)
