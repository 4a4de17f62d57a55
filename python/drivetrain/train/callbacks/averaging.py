"""Averages of the weights: exponential moving, and stochastic weight averaging."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ... import no_grad
from ..._checks import flag
from ..._core import Tensor, _clones
from ...optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn, update_bn
from .base import Callback, Logs, check_number, check_state
from .rates import groups_of


class SwapEMAWeights(Callback):
    """Keep an exponential moving average of the weights, and evaluate and predict with it.

    After every step of the optimizer: average = momentum * average + (1 - momentum) * weights. The average
    takes the place of the weights for every validation, evaluation and prediction, which then give them
    back. Buffers, such as running statistics, are those of the model.

    Args:
        swap_on_epoch (bool, default False): The average also takes their place at the end of an epoch, so
            that callbacks that come after it save it, until the next begins; and after the training.
        momentum (float, default 0.99): Share of the old average that is kept, from 0 to below 1.

    Attributes:
        averages (list of Tensor): The average of every parameter, None before the first ``fit``.

    Source: Keras's ``keras.callbacks.SwapEMAWeights`` and its optimizers' ``ema_momentum``; Polyak and
        Juditsky, Acceleration of Stochastic Approximation by Averaging (1992).

    Example:
        >>> from drivetrain.train import SwapEMAWeights
        >>> ema = SwapEMAWeights(momentum=0.999)
    """

    def __init__(self, swap_on_epoch: bool = False, momentum: float = 0.99) -> None:
        super().__init__()
        check_number("SwapEMAWeights", "momentum", momentum)
        if not 0 <= momentum < 1:
            raise ValueError(f"SwapEMAWeights: momentum is {momentum}, expected at least 0 and less than 1")
        self.swap_on_epoch = flag("SwapEMAWeights", "swap_on_epoch", swap_on_epoch)
        self.momentum = momentum
        self.averages: list[Tensor] | None = None
        self._average = get_ema_multi_avg_fn(momentum)
        self._steps_seen = 0
        self._swapped = False  # the average is in the model, its weights are in `averages`
        self._lent = False  # for an evaluation

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._give_back()
        self.averages = list(_clones(self._parameters()))
        self._steps_seen = self.trainer.loop.global_step

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        steps = self.trainer.loop.global_step
        if steps > self._steps_seen:
            self._steps_seen = steps
            assert self.averages is not None
            self._average(self.averages, self._parameters(), 0)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._give_back()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.swap_on_epoch and not self._swapped:
            self._swap()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.swap_on_epoch and self._swapped:  # for good
            self.averages, self._swapped = None, False

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._lend()

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._end_loan()

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._lend()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._end_loan()

    def _lend(self) -> None:
        if self.averages is not None and not self._swapped:
            self._swap()
            self._lent = True

    def _end_loan(self) -> None:
        if self._lent:
            self._give_back()

    def _give_back(self) -> None:
        if self._swapped:
            self._swap()
        self._lent = False

    def _swap(self) -> None:
        assert self.averages is not None
        parameters = self._parameters()
        copies = _clones(parameters)
        with no_grad():
            for parameter, average, copy in zip(parameters, self.averages, copies, strict=True):
                parameter.detach()[...] = average
                average[...] = copy
        self._swapped = not self._swapped

    def _parameters(self) -> list[Tensor]:
        return [parameter.detach() for parameter in self.model.parameters()]

    def state_dict(self) -> dict[str, Any]:
        """The averages by the parameters' names, and whether the model holds them at present."""
        names = [name for name, _ in self.model.named_parameters()]
        averages = dict(zip(names, self.averages, strict=True)) if self.averages is not None else None
        return {"averages": averages, "swapped": self._swapped}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there, with the model that was saved with it."""
        check_state(self, state, averages=(dict, None), swapped=(bool,))
        given = state["averages"]
        parameters = dict(self.model.named_parameters())
        if given is not None and list(given) != list(parameters):
            raise ValueError("SwapEMAWeights: the averages are those of another model")
        shapes = [tuple(parameter.shape) for parameter in parameters.values()]
        if given is not None and [tuple(value.shape) for value in given.values()] != shapes:
            raise ValueError("SwapEMAWeights: the averages have other shapes than the model's parameters")
        self.averages = None if given is None else as_tensors(given.values())
        self._swapped, self._lent = state["swapped"], False
        self._steps_seen = self.trainer.loop.global_step


def as_tensors(values: Any) -> list[Tensor]:
    """Copies of tensors or arrays."""
    from ..._core import tensor

    return [tensor(value.detach() if isinstance(value, Tensor) else value) for value in values]


class StochasticWeightAveraging(Callback):
    """Average the weights of the last epochs, and have the model keep the average.

    From an epoch on the learning rates go to constant ones, and the weights at the end of every epoch are
    averaged. When the training ends the average becomes the model's weights, and the running statistics of
    batch norms are computed anew by a pass over the data. The trainer's own schedule stands still meanwhile.

    Args:
        swa_lrs (float or list of float): The learning rate to go to, or one per parameter group.
        swa_epoch_start (int or float, default 0.8): The first epoch that counts, from 0; a float is a share
            of all epochs.
        annealing_epochs (int, default 10): Epochs in which the learning rate goes there.
        annealing_strategy ("cos" or "linear", default "cos"): How it does.

    Attributes:
        n_averaged (int): Epochs in the average.

    Source: PyTorch Lightning's ``StochasticWeightAveraging``; Izmailov et al., Averaging Weights Leads to
        Wider Optima and Better Generalization (2018).

    Example:
        >>> from drivetrain.train import StochasticWeightAveraging
        >>> swa = StochasticWeightAveraging(swa_lrs=1e-2)
    """

    def __init__(
        self,
        swa_lrs: float | list[float],
        swa_epoch_start: int | float = 0.8,
        annealing_epochs: int = 10,
        annealing_strategy: str = "cos",
    ) -> None:
        super().__init__()
        rates = swa_lrs if isinstance(swa_lrs, (list, tuple)) else [swa_lrs]
        if not rates or not all(isinstance(rate, (int, float)) and rate > 0 for rate in rates):
            raise ValueError(f"StochasticWeightAveraging: swa_lrs is {swa_lrs!r}, expected more than 0")
        is_share = isinstance(swa_epoch_start, float)
        if not (0 <= swa_epoch_start <= 1 if is_share else swa_epoch_start >= 0):
            raise ValueError(
                f"StochasticWeightAveraging: swa_epoch_start is {swa_epoch_start}, expected an epoch, or a "
                "share from 0.0 to 1.0"
            )
        if annealing_epochs < 0:
            raise ValueError(f"StochasticWeightAveraging: annealing_epochs is {annealing_epochs}")
        if annealing_strategy not in ("cos", "linear"):
            raise ValueError(
                f"StochasticWeightAveraging: annealing_strategy is {annealing_strategy!r}, expected 'cos' or "
                "'linear'"
            )
        self.swa_lrs, self.swa_epoch_start = list(rates), swa_epoch_start
        self.annealing_epochs, self.annealing_strategy = annealing_epochs, annealing_strategy
        self._reset()

    def _reset(self) -> None:
        self.n_averaged = 0
        self._averages: list[Tensor] | None = None
        self._first_lrs: list[float] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        groups = groups_of("StochasticWeightAveraging", self.trainer)
        if len(self.swa_lrs) not in (1, len(groups)):
            raise ValueError(
                f"StochasticWeightAveraging: swa_lrs has {len(self.swa_lrs)} rates, the optimizer "
                f"{len(groups)} parameter groups"
            )
        if isinstance(self.swa_epoch_start, float) and self.params.get("epochs") is None:
            raise ValueError(
                "StochasticWeightAveraging: swa_epoch_start is a share, but fit was given no epochs"
            )
        self._reset()

    @property
    def _start(self) -> int:
        if isinstance(self.swa_epoch_start, float):
            return int(self.swa_epoch_start * self.params["epochs"])
        return self.swa_epoch_start

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self._start:
            return
        self.trainer.pause_schedule()
        groups = self.trainer.optimizer.param_groups
        if self._first_lrs is None:
            self._first_lrs = [float(group["lr"]) for group in groups]
        done = min((epoch - self._start + 1) / self.annealing_epochs, 1.0) if self.annealing_epochs else 1.0
        share = annealed(done, self.annealing_strategy)
        last = self.swa_lrs * (len(groups) if len(self.swa_lrs) == 1 else 1)
        for group, first, end in zip(groups, self._first_lrs, last, strict=True):
            group["lr"] = first + (end - first) * share

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self._start:
            return
        parameters = [parameter.detach() for parameter in self.model.parameters()]
        if self._averages is None:
            self._averages = list(_clones(parameters))
        else:
            get_swa_multi_avg_fn()(self._averages, parameters, self.n_averaged)
        self.n_averaged += 1

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._averages is None or not self.trainer._is_complete:
            return
        with no_grad():
            for parameter, average in zip(self.model.parameters(), self._averages, strict=True):
                parameter.detach()[...] = average
        update_bn(self._inputs(), self.model)

    def _inputs(self) -> Iterator[Any]:
        for batch in self.trainer.training_data.epoch():
            yield batch.inputs

    def state_dict(self) -> dict[str, Any]:
        """The averages by the parameters' names, and the learning rates that it began with."""
        names = [name for name, _ in self.model.named_parameters()]
        averages = None if self._averages is None else dict(zip(names, self._averages, strict=True))
        return {"n_averaged": self.n_averaged, "averages": averages, "first_lrs": self._first_lrs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        check_state(self, state, n_averaged=(int,), averages=(dict, None), first_lrs=(list, None))
        names = [name for name, _ in self.model.named_parameters()]
        if state["averages"] is not None and list(state["averages"]) != names:
            raise ValueError("StochasticWeightAveraging: the averages are those of another model")
        self._averages = None if state["averages"] is None else as_tensors(state["averages"].values())
        self.n_averaged, self._first_lrs = state["n_averaged"], state["first_lrs"]


def annealed(done: float, strategy: str) -> float:
    """How far a rate has gone when a share of the time is over."""
    return done if strategy == "linear" else (1 - math.cos(math.pi * done)) / 2
