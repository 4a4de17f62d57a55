"""Averages of a model's weights: exponential moving (EMA) and stochastic weight averaging (SWA)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import _core
from .._checks import flag
from .._core import Tensor
from ..autograd import no_grad
from ..nn.module import Module
from ..nn.norm import _BatchNorm
from .checks import check_number
from .lr_scheduler import SWALR

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], int], None]
Average = Callable[[Tensor, Tensor, int], Any]


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """An exponential moving average: average = decay * average + (1 - decay) * weights.

    Args:
        decay: Share of the old average that is kept, from 0 to 1.

    Returns:
        A function of the averages, the weights and the number of models in the average, which changes the
        averages in place, all in one call; for `AveragedModel`.

    Raises:
        ValueError: decay is not from 0 to 1.

    Example:
        >>> import drivetrain as dt
        >>> average = dt.tensor([1.0])
        >>> dt.optim.swa_utils.get_ema_multi_avg_fn(0.75)([average], [dt.tensor([3.0])], 1)
        >>> average.tolist()
        [1.5]
    """
    return _Moving(_decay("get_ema_multi_avg_fn", decay))


def get_swa_multi_avg_fn() -> MultiAverage:
    """The plain mean of the weights of all updates: see `get_ema_multi_avg_fn`.

    Example:
        >>> import drivetrain as dt
        >>> average = dt.tensor([1.0])
        >>> dt.optim.swa_utils.get_swa_multi_avg_fn()([average], [dt.tensor([3.0])], 1)
        >>> average.tolist()
        [2.0]
    """
    return _Mean()


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """`get_ema_multi_avg_fn` for one tensor at a time: a function that returns the new average.

    Example:
        >>> import drivetrain as dt
        >>> dt.optim.swa_utils.get_ema_avg_fn(0.75)(dt.tensor([1.0]), dt.tensor([3.0]), 1)
        tensor([1.5])
    """
    return _One(_Moving(_decay("get_ema_avg_fn", decay)))


def get_swa_avg_fn() -> Average:
    """`get_swa_multi_avg_fn` for one tensor at a time: a function that returns the new average.

    Example:
        >>> import drivetrain as dt
        >>> dt.optim.swa_utils.get_swa_avg_fn()(dt.tensor([1.0]), dt.tensor([3.0]), 1)
        tensor([2.])
    """
    return _One(_Mean())


def _decay(function: str, decay: Any) -> float:
    check_number(function, "decay", decay, "a number from 0 to 1", lambda value: 0 <= value <= 1)
    return float(decay)


# Classes, not closures: models that hold them are pickled.
class _Moving:
    def __init__(self, decay: float) -> None:
        self.decay = decay

    def __call__(self, averages: Sequence[Tensor], current: Sequence[Tensor], num_averaged: int) -> None:
        _core._average(averages, current, 1 - self.decay)


class _Mean:
    def __call__(self, averages: Sequence[Tensor], current: Sequence[Tensor], num_averaged: int) -> None:
        _core._average(averages, current, 1 / (int(num_averaged) + 1))


class _One:
    def __init__(self, average: MultiAverage) -> None:
        self.average = average

    def __call__(self, average: Tensor, current: Tensor, num_averaged: int) -> Tensor:
        result = _core.tensor(average.detach())
        self.average([result], [current], num_averaged)
        return result


class AveragedModel(Module):
    """A copy of a model whose weights are an average of those the model has had.

    `update_parameters(model)` takes the model's present weights in: the first call copies them, later ones
    average. Two kinds come with drivetrain, both one pass over all weights: the plain mean, which is the
    default (SWA, Izmailov et al., 2018), and `get_ema_multi_avg_fn(decay)` (EMA, Polyak and Juditsky, 1992).

    Args:
        model: The model to copy.
        device: None or "cpu".
        avg_fn: A function of an averaged tensor, the model's and the number of models averaged so far, that
            returns the new average.
        multi_avg_fn: The same for lists of tensors, changing the first list in place.
        use_buffers: Whether running statistics are averaged like the weights; else they are copied from the
            model. Integer buffers are always copied.

    Attributes:
        module: The copy.
        n_averaged: A tensor without axes: the number of updates. Part of the state, unlike the functions.

    Raises:
        TypeError: model is not a Module, or a function cannot be called.
        ValueError: Both functions are given.

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization (2018); as
    torch.optim.swa_utils.AveragedModel.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
        >>> model = dt.nn.Linear(2, 1, bias=False)
        >>> ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.75))
        >>> for value in (1.0, 3.0):
        ...     _ = model.weight.detach().fill_(value)
        ...     ema.update_parameters(model)
        >>> ema.module.weight.tolist(), int(ema.n_averaged)
        ([[1.5, 1.5]], 2)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel: model must be a Module, got {type(model).__name__}")
        if device is not None and str(device) != "cpu":
            raise ValueError(f"AveragedModel: device must be None or 'cpu', got {device!r}")
        for name, function in (("avg_fn", avg_fn), ("multi_avg_fn", multi_avg_fn)):
            if function is not None and not callable(function):
                raise TypeError(f"AveragedModel: {name} must be a function, got {function!r}")
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: avg_fn and multi_avg_fn are given, expected one of them")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", _core.zeros((), dtype=_core.int64))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = flag("AveragedModel", "use_buffers", use_buffers)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the present weights of `model` into the average.

        Raises:
            ValueError: Parameters or buffers of the model differ in number, shape or dtype. Nothing has been
                changed then.
        """
        averages, current = self._pairs(model)
        number = int(self.n_averaged)
        with no_grad():
            if number == 0:
                _core._average(averages, current, 1.0)
            elif self.avg_fn is None:
                (self.multi_avg_fn or _Mean())(averages, current, number)
            else:
                for average, tensor in zip(averages, current, strict=True):
                    average.copy_(self.avg_fn(average, tensor, number))
            if not self.use_buffers:
                _core._average(list(self.module.buffers()), list(model.buffers()), 1.0)
            self.n_averaged += 1

    def _pairs(self, model: Module) -> tuple[list[Tensor], list[Tensor]]:
        """What is averaged, and the model's."""
        if not isinstance(model, Module):
            raise TypeError(
                f"AveragedModel.update_parameters: model must be a Module, got {type(model).__name__}"
            )
        ours: dict[str, Tensor] = dict(self.module.named_parameters())
        theirs: dict[str, Tensor] = dict(model.named_parameters())
        parameters = len(ours)
        ours |= self.module.named_buffers()
        theirs |= model.named_buffers()
        if ours.keys() != theirs.keys():
            missing, more = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
            raise ValueError(
                "AveragedModel.update_parameters: model is not what the average was made of: it lacks "
                f"{', '.join(missing) or 'nothing'}, and has besides {', '.join(more) or 'nothing'}"
            )
        for name, tensor in ours.items():
            other = theirs[name]
            if tensor.shape != other.shape or tensor.dtype != other.dtype:
                raise ValueError(
                    f"AveragedModel.update_parameters: '{name}' of model has shape {tuple(other.shape)} and "
                    f"dtype {other.dtype.name}, expected {tuple(tensor.shape)} and {tensor.dtype.name}"
                )
        names = list(ours) if self.use_buffers else list(ours)[:parameters]
        return [ours[name].detach() for name in names], [theirs[name].detach() for name in names]


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of batch norms anew, as the plain mean over the batches of `loader`.

    For averaged weights, whose activations no model has seen; not needed with `use_buffers`.

    Args:
        loader: Batches: an array or Tensor each, or a tuple or list that begins with one.
        model: The model. Nothing else of it changes, and without batch norms it is not called.
        device: None or "cpu".

    Source: Izmailov et al. (2018); as torch.optim.swa_utils.update_bn.

    Example:
        >>> import drivetrain as dt
        >>> model = dt.nn.Sequential(dt.nn.BatchNorm1d(1))
        >>> dt.optim.swa_utils.update_bn([dt.full((4, 1), 2.0), dt.full((4, 1), 4.0)], model)
        >>> model[0].running_mean.tolist()
        [3.0]
    """
    if device is not None and str(device) != "cpu":
        raise ValueError(f"update_bn: device must be None or 'cpu', got {device!r}")
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    try:
        for norm in norms:
            norm.reset_running_stats()
        model.train()
        with no_grad():
            for number, batch in enumerate(loader, 1):
                first = batch[0] if isinstance(batch, (tuple, list)) else batch
                for norm, momentum in zip(norms, momenta, strict=True):
                    if momentum is not None:  # None: it counts by itself
                        norm.momentum = 1 / number
                model(first if isinstance(first, Tensor) else _core.asarray(first))
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes:
            module.training = training
