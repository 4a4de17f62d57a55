"""Where a training is."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class EpochLogs:
    """What the epoch under way has brought so far.

    Attributes:
        logs (dict): What the callbacks were told last.
        results (dict): What the last validation within the epoch gave.
        validated (int): After which batch that was; 0: there was none.
        any_trained (bool): Whether any step was not left out.
    """

    logs: dict[str, Any] = dataclasses.field(default_factory=lambda: {"loss": math.nan})
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    validated: int = 0
    any_trained: bool = False


@dataclass
class LoopState:
    """What says where a run is: with it and the states of what takes part, the run can go on from there.

    (``epoch``, ``batch``) is the batch that comes next. In ``on_epoch_end`` the epoch is over: ``epoch`` is
    the number of the next one there, and ``batch`` is 0.

    Attributes:
        epoch (int): Number of the epoch, from 0.
        batch (int): Batches of that epoch that are done.
        epochs_done (int): Epochs of all fits together; the order of shuffled data belongs to it.
        global_step (int): Steps of the optimizer in all.
        batches_seen (int): Batches in all.
        accumulated (int): Batches since the last step, whose gradients wait for the next.
        first_weight (int): What the first of these counts for; see `Update`.
        weight (int): What all of them count for.

    Example:
        >>> from drivetrain.train import LoopState
        >>> LoopState(epoch=2).state_dict()["epoch"]
        2
    """

    epoch: int = 0
    batch: int = 0
    epochs_done: int = 0
    global_step: int = 0
    batches_seen: int = 0
    accumulated: int = 0
    first_weight: int = 0
    weight: int = 0

    def end_group(self) -> None:
        """No gradients wait any more."""
        self.accumulated = self.first_weight = self.weight = 0

    def state_dict(self) -> dict[str, int]:
        """All of it, as a dict of whole numbers."""
        return dataclasses.asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned.

        Raises:
            ValueError: For names that are missing or unknown and for what is no count. Nothing has been
                changed then.
        """
        names = {field.name for field in dataclasses.fields(self)}
        if set(state) != names:
            raise ValueError(
                f"LoopState.load_state_dict: got {', '.join(sorted(map(str, state))) or 'nothing'}, expected "
                f"{', '.join(sorted(names))}"
            )
        for name, value in state.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"LoopState.load_state_dict: {name} is {value!r}, expected a count")
        for name, value in state.items():
            setattr(self, name, value)
