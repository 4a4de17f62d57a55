"""States that recurrent networks carry from batch to batch."""

from __future__ import annotations

from typing import Any

from .._core import Tensor
from .module import Module


class CarriedState(Module):
    """Keeps the states of a recurrent network for the next batch, which goes on where this one ends.

    For truncated back-propagation through time over `data.SequenceWindows`: the states are detached, so that
    gradients end at the border of a batch. `Trainer` forgets them where a pass over the data begins, gives a
    validation or prediction states of its own, and saves them in checkpoints; no state_dict has them.

    Call it with the states to keep: a tensor, a tuple of tensors, or None to forget them. `get()` returns
    what was kept last, None at first.

    Example:
        >>> import drivetrain as dt
        >>> carried = dt.nn.CarriedState()
        >>> carried.get()
        >>> carried(dt.ones((1, 4, 8)))
        >>> carried.get().shape
        (1, 4, 8)
    """

    is_one = False  # a tensor, and no tuple of them

    def forward(self, states: Any) -> None:
        self.set(states)

    def set(self, states: Any) -> None:
        """Keeps states, detached; None forgets them."""
        self.is_one = isinstance(states, Tensor)
        if states is not None and not isinstance(states, (Tensor, tuple, list)):
            raise TypeError(
                f"CarriedState: a state is a {type(states).__name__}, expected a Tensor or several"
            )
        tensors: list[Any] = [states] if self.is_one else list(states or ())
        for number, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"CarriedState: a state is a {type(tensor).__name__}, expected a Tensor or several"
                )
            name = f"state_{number}"
            if name not in self._buffers:
                self.register_buffer(name, None, persistent=False)
            setattr(self, name, tensor.detach())
        for name in list(self._buffers)[len(tensors) :]:
            setattr(self, name, None)

    def get(self) -> Any:
        """The states kept last, in the form they were given; None where there are none."""
        tensors = tuple(tensor for _, tensor in self._own_buffers())
        return (tensors[0] if self.is_one else tensors) if tensors else None


def carried_states(module: Module) -> dict[str, CarriedState]:
    """All of a network, by the names of their places."""
    return {name: part for name, part in module.named_modules() if isinstance(part, CarriedState)}
