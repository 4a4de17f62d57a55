"""Threads that read a batch together."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Readers:
    """Runs a function for every number below n, on as many threads as are wanted.

    The threads take numbers from one counter and are kept for the next batch. Which thread did what is seen
    nowhere. The first error, by number, is raised after all have come to rest.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def run(self, function: Callable[[int], Any], n: int) -> None:
        helpers = min(self.threads, n) - 1
        if helpers < 1:
            for number in range(n):
                function(number)
            return
        counter, errors = itertools.count(), dict[int, BaseException]()

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

    def __getstate__(self) -> dict[str, Any]:
        return {"threads": self.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["threads"])  # type: ignore[misc]
