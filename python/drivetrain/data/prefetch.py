"""Batches prepared ahead on a thread."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")


class Exchange:
    """What the two threads share: at most ``capacity`` items, an end, an exception."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.items: deque[Any] = deque()
        self.changed = threading.Condition()
        self.is_finished = False
        self.is_cancelled = False
        self.error: BaseException | None = None


def work(exchange: Exchange, make_items: Callable[[], Iterator[Any]]) -> None:
    """Body of the thread. It knows the exchange only, so that it keeps no forgotten Prefetcher alive."""
    error: BaseException | None = None
    try:
        for item in make_items():
            with exchange.changed:
                while len(exchange.items) >= exchange.capacity and not exchange.is_cancelled:
                    exchange.changed.wait()
                if exchange.is_cancelled:
                    return
                exchange.items.append(item)
                exchange.changed.notify_all()
    except BaseException as caught:  # handed to the thread that waits, whatever it is
        error = caught
    finally:
        with exchange.changed:
            exchange.error = error
            exchange.is_finished = True
            exchange.changed.notify_all()


def cancel(exchange: Exchange, thread: threading.Thread) -> None:
    with exchange.changed:
        exchange.is_cancelled = True
        exchange.items.clear()
        exchange.changed.notify_all()
    if thread is not threading.current_thread():
        thread.join()


class Prefetcher(Generic[Item]):
    """Iterator over ``make_items()``, which runs on a thread and stays at most ``capacity`` items ahead.

    An exception there is raised here, with its traceback, after the items that came before it. ``close()``
    ends the thread and waits for it; so do the end of the items, garbage collection and the end of the
    interpreter.
    """

    def __init__(self, make_items: Callable[[], Iterator[Item]], capacity: int) -> None:
        self._exchange = Exchange(capacity)
        self._thread = threading.Thread(
            target=work, args=(self._exchange, make_items), name="drivetrain-prefetch", daemon=True
        )
        self._close = weakref.finalize(self, cancel, self._exchange, self._thread)
        self._thread.start()

    def __iter__(self) -> Prefetcher[Item]:
        return self

    def __next__(self) -> Item:
        exchange = self._exchange
        with exchange.changed:
            while not exchange.items and not exchange.is_finished:
                # In a forked child the thread does not exist: waiting for it would never end.
                if exchange.is_cancelled or not self._thread.is_alive():
                    raise RuntimeError("DataLoader: its thread is gone (closed, or this is a forked process)")
                exchange.changed.wait(timeout=1.0)
            if exchange.items:
                item: Item = exchange.items.popleft()
                exchange.changed.notify_all()
                return item
            error, exchange.error = exchange.error, None
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread and wait for it. Harmless when called twice."""
        self._close()
