"""How much of the data and how many steps a trainer takes, and what `fit` refuses."""

from __future__ import annotations

import math
from typing import Any

from .._checks import integer
from ..optim.optimizer import parameters_of
from .precision import is_half


class Limits:
    """The options of `Trainer` that cut a run short or look at it more often, by Lightning's names.

    A whole number is a number of batches, a float a share of the batches of an epoch.
    """

    def __init__(
        self,
        *,
        max_steps: int | None,
        fast_dev_run: bool | int,
        overfit_batches: int | float,
        limit_train_batches: int | float | None,
        limit_val_batches: int | float | None,
        val_check_interval: int | float | None,
        log_every_n_steps: int,
    ) -> None:
        self.max_steps = (
            math.inf if max_steps in (None, -1) else integer("Trainer", "max_steps", max_steps, 0)
        )
        self.is_trial = fast_dev_run is not False and fast_dev_run != 0
        trial = (
            int(fast_dev_run)
            if isinstance(fast_dev_run, bool)
            else integer("Trainer", "fast_dev_run", fast_dev_run, 0)
        )
        self.overfit = amount("overfit_batches", overfit_batches, 0) or None
        chosen = trial if self.is_trial else self.overfit
        train, val = chosen or limit_train_batches, chosen or limit_val_batches
        self._train = None if train is None else amount("limit_train_batches", train, 1)
        self._val = None if val is None else amount("limit_val_batches", val, 0)
        interval = None if self.is_trial else val_check_interval
        self._interval = None if interval is None else amount("val_check_interval", interval, 1)
        self.log_every = integer("Trainer", "log_every_n_steps", log_every_n_steps)

    def train_batches(self, steps: int | None) -> int | None:
        """Batches after which an epoch of `steps` ends; None: where the data ends."""
        return batches("limit_train_batches", self._train, steps)

    def val_batches(self, steps: int | None) -> int | None:
        """The same for a validation."""
        return batches("limit_val_batches", self._val, steps)

    def val_interval(self, steps: int | None) -> int | None:
        """Batches after which a validation comes within an epoch; None: at its end alone."""
        every = batches("val_check_interval", self._interval, steps)
        return None if every == steps and isinstance(self._interval, float) else every


def batches(name: str, wanted: int | float | None, steps: int | None) -> int | None:
    if wanted is None or isinstance(wanted, int):
        return wanted
    if steps is None:
        if wanted == 1.0:
            return None
        raise ValueError(
            f"fit: {name} is the share {wanted}, but the data does not know how many batches it has; "
            "give a number of batches"
        )
    number = int(wanted * steps + 1e-9)
    if number == 0:
        raise ValueError(f"fit: {name} is the share {wanted} of {steps} batches, which is none")
    return number


def amount(name: str, value: Any, least: int) -> int | float:
    """Return a number of batches, or a share of them above 0 and up to 1."""
    if isinstance(value, float):
        if not (0 < value <= 1 or (least == 0 and value == 0)):
            raise ValueError(
                f"Trainer: {name} is the share {value}, expected more than 0 and at most 1.0, or a whole "
                "number of batches"
            )
        return value if value else 0
    return integer("Trainer", name, value, least)


def check_parameters(model: Any, optimizer: Any) -> None:
    """Raises where a fit would change nothing, or lose what it changes."""
    parameters = list(model.named_parameters())
    for name, parameter in parameters:
        if is_half(parameter) and parameter.requires_grad:
            half = parameter.dtype.name
            raise TypeError(
                f"fit: the parameter '{name}' is {half}, which has too few digits for small steps: go "
                "back with model.float(), and make the optimizer or compile() again with "
                f"precision={half!r}"
            )
    if not hasattr(optimizer, "param_groups"):  # somebody's own
        return
    held = {id(parameter) for parameter in parameters_of(optimizer)}
    own = [id(parameter) for _, parameter in parameters if parameter.requires_grad]
    if held and own and held.isdisjoint(own):
        raise ValueError(
            "fit: the optimizer holds none of the model's parameters, which half(), float() or to() have "
            "replaced since it was made; make it again, or compile() again"
        )
