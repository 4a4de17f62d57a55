"""Threads that read a batch together."""

from __future__ import annotations

import itertools
import os
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

LEAST = 120e-6  # seconds


class Readers:
    """Runs a function for every number below n, on as many threads as are wanted.

    The threads take numbers from one counter and are kept for the next batch. Which thread did what is seen
    nowhere. The first error, by number, is raised after all have come to rest.

    Work that takes less than ``LEAST`` stays on one thread: two would spend their time on handing the
    interpreter lock to each other.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._times: deque[float] = deque(maxlen=8)
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, function: Callable[[int], Any], n: int) -> None:
        if n == 0:
            return
        begun = time.perf_counter()
        function(0)
        self._times.append(time.perf_counter() - begun)
        helpers = min(self.threads, n - 1) - 1
        # The least of the last ones: waiting for the lock says nothing.
        if helpers < 1 or min(self._times) < LEAST:
            for number in range(1, n):
                function(number)
            return
        counter, errors = itertools.count(1), dict[int, BaseException]()

        def work() -> None:
            for number in counter:
                if number >= n or errors:
                    return
                try:
                    function(number)
                except BaseException as error:  # handed to the caller, whatever it is
                    errors[number] = error

        pending = [self._executor().submit(work) for _ in range(helpers)]
        work()  # this thread is one of them
        for future in pending:
            future.result()
        if errors:
            raise errors[min(errors)]

    def _executor(self) -> ThreadPoolExecutor:
        # The threads of a parent do not exist in a forked process.
        if self._pool is None or self._process != os.getpid():
            self._process = os.getpid()
            self._pool = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="drivetrain-read")
            weakref.finalize(self, self._pool.shutdown, wait=False)
        return self._pool
