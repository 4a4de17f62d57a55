"""Keys and values that attention has computed already, for generating one token after another."""

from __future__ import annotations

from .. import _core
from .._core import Tensor
from .checks import flag, integer, tensor


class KeyValueCache:
    """The keys and values of one attention layer, for all positions so far.

    A layer that is given one attends to what it holds, too: only the new positions are computed. It grows by
    blocks, so that most steps allocate nothing. It carries no gradients: use it under ``no_grad``.

    Args:
        capacity (int, default 0): Positions to make room for at once.
        block (int, default 64): It grows by a multiple of these, and by half of what it has at least.
        fixed (bool, default False): For attention to another sequence, whose keys and values stay the same:
            the first call fills it, later ones read it and compute neither.

    Example:
        >>> import drivetrain as dt
        >>> attention, cache = dt.nn.MultiheadAttention(8, 2), dt.nn.KeyValueCache()
        >>> with dt.no_grad():
        ...     for position in dt.rand((1, 3, 8)).split(3, axis=1):
        ...         output, _ = attention(position, cache=cache)
        >>> len(cache), output.shape
        (3, (1, 1, 8))
    """

    def __init__(self, capacity: int = 0, block: int = 64, fixed: bool = False) -> None:
        self.capacity = integer("KeyValueCache", "capacity", capacity, 0)
        self.block = integer("KeyValueCache", "block", block)
        self.fixed = flag("KeyValueCache", "fixed", fixed)
        self.length = 0
        self._key: Tensor | None = None
        self._value: Tensor | None = None

    def __len__(self) -> int:
        return self.length

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keeps the keys and values of new positions, (batch, heads, time, head_dim); returns all so far."""
        for name, given in (("key", key), ("value", value)):
            if tensor("KeyValueCache", name, given).ndim != 4 or given.shape[:3] != key.shape[:3]:
                raise ValueError(
                    f"KeyValueCache: {name} has shape {tuple(given.shape)}, expected (batch, heads, time, "
                    f"head_dim) like key, {tuple(key.shape)}"
                )
        if _core.is_grad_enabled() and (key.requires_grad or value.requires_grad):
            raise RuntimeError("KeyValueCache: it carries no gradients; use it under no_grad()")
        start = self.length
        stop = start + key.shape[2]
        keys, values = self._key, self._value
        fits = _alike(keys, key) and _alike(values, value)
        if start and keys is not None and not fits:
            raise ValueError(
                f"KeyValueCache: keys of {key.shape[0]} sequences were given ({key.dtype.name} of shape "
                f"{tuple(key.shape)}), but it holds {keys.shape[0]} ({keys.dtype.name} of shape "
                f"{(*keys.shape[:2], start, keys.shape[3])})"
            )
        if keys is None or values is None or stop > keys.shape[2] or not fits:
            keys, values = self._key, self._value = (
                self._grown(keys, key, stop),
                self._grown(values, value, stop),
            )
        keys[:, :, start:stop] = key
        values[:, :, start:stop] = value
        self.length = stop
        return keys[:, :, :stop], values[:, :, :stop]

    def all(self) -> tuple[Tensor, Tensor]:
        """The keys and values so far."""
        if self._key is None or self._value is None:
            raise RuntimeError("KeyValueCache: it is empty")
        return self._key[:, :, : self.length], self._value[:, :, : self.length]

    def pick(self, rows: Tensor) -> None:
        """Goes on with these sequences of the batch, in this order; one may come more than once."""
        if self._key is not None and self._value is not None:
            self._key, self._value = self._key.take(rows, axis=0), self._value.take(rows, axis=0)

    def clear(self) -> None:
        """Forgets all positions, and keeps the memory."""
        self.length = 0

    def _grown(self, old: Tensor | None, like: Tensor, needed: int) -> Tensor:
        """Room for `needed` positions, with what `old` holds so far."""
        room = self.capacity
        if needed > room:
            least = max(needed, 0 if old is None else old.shape[2] * 3 // 2)
            room = needed if self.fixed else -(-least // self.block) * self.block
        made = _core.empty((like.shape[0], like.shape[1], room, like.shape[3]), dtype=like.dtype)
        if old is not None and self.length:
            made[:, :, : self.length] = old[:, :, : self.length]
        return made


def _alike(kept: Tensor | None, given: Tensor) -> bool:
    """Whether both are of one batch, of one layer."""
    return (
        kept is not None
        and kept.dtype == given.dtype
        and (kept.shape[0], kept.shape[1], kept.shape[3]) == (given.shape[0], given.shape[1], given.shape[3])
    )
