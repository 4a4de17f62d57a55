"""The threads behind parallel_for: by themselves, in C++, and as programs meet them."""

import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt

# Waits until the process has n workers; returns those that there are, by their names.
WORKERS = """
import time
from pathlib import Path

def workers(n):
    end = time.monotonic() + 10
    while True:
        found = {}
        for task in Path("/proc/self/task").iterdir():
            try:
                name, status = (task / "comm").read_text().strip(), (task / "status").read_text()
            except OSError:  # it has just ended
                continue
            if name.startswith("drivetrain-"):
                found[name] = status
        if len(found) == n or time.monotonic() > end:
            return found
        time.sleep(0.01)
"""
SOURCES = Path(__file__).parent.parent / "csrc"


def run(code: str, **environment: str) -> str:
    """The output of a fresh interpreter that runs `code`; `workers(n)` is there."""
    program = WORKERS + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "-c", program],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.fixture
def threads():
    before = dt.get_num_threads()
    yield dt.set_num_threads
    dt.set_num_threads(before)


@pytest.fixture(scope="module", params=["", "thread"], ids=["plain", "thread-sanitizer"])
def program(request, tmp_path_factory):
    if not shutil.which("g++") or not SOURCES.is_dir():
        pytest.skip("needs g++ and the sources")
    built = tmp_path_factory.mktemp("threads") / "threads"
    sources = [
        Path(__file__).parent / "threads.cpp",
        *(
            SOURCES / "core" / name
            for name in ("error.cpp", "parallel.cpp", "scratch.cpp", "thread_pool.cpp")
        ),
    ]
    sanitize = [f"-fsanitize={request.param}"] if request.param else []
    flags = ["-std=gnu++20", "-O1", "-g", "-pthread", *sanitize, "-I", SOURCES]
    subprocess.run(["g++", *flags, *sources, "-o", built], check=True)
    return built


@pytest.mark.parametrize("what", ["callers", "failures", "fork"])
def test_parallel_for_without_python(program, what):
    # The sanitizer refuses threads in a child of a process with threads unless told otherwise.
    environment = {**os.environ, "TSAN_OPTIONS": "die_after_fork=0"}
    done = subprocess.run(
        [program, what], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class TestWorkers:
    def test_names_and_signals(self):
        code = """
            import signal
            import drivetrain as dt
            dt.set_num_threads(3)
            x = dt.rand((300, 300))
            x @ x
            for name, status in sorted(workers(2).items()):
                blocked = int(dict(line.split(":") for line in status.splitlines())["SigBlk"], 16)
                print(name, *(blocked >> s - 1 & 1 for s in (signal.SIGINT, signal.SIGTERM, signal.SIGSEGV)))
        """
        assert run(code) == "drivetrain-1 1 1 0\ndrivetrain-2 1 1 0"

    def test_their_number_grows_and_shrinks(self):
        code = """
            import drivetrain as dt
            x = dt.rand((300, 300))
            dt.set_num_threads(1)
            expected = (x @ x).tobytes()
            for n in (5, 2, 7, 3):
                dt.set_num_threads(n)
                assert (x @ x).tobytes() == expected
                print(len(workers(n - 1)))
        """
        assert run(code).split() == ["4", "1", "6", "2"]

    @pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="with one core workers are always woken")
    def test_are_woken_for_much_work_only(self):
        code = """
            import drivetrain as dt
            dt.set_num_threads(2)

            def times_asleep():
                (status,) = workers(1).values()
                return int(dict(line.split(":") for line in status.splitlines())["voluntary_ctxt_switches"])

            def times_woken(function, x):
                function(x, x)
                time.sleep(0.01)
                before = times_asleep()
                for _ in range(20):  # each finds the worker asleep
                    function(x, x)
                    time.sleep(0.002)
                    while "S (sleeping)" not in next(iter(workers(1).values())):
                        time.sleep(0.001)
                return times_asleep() - before

            print(times_woken(dt.add, dt.ones(60_000)), times_woken(dt.matmul, dt.ones((600, 600))))
        """

        def as_expected():
            little, much = map(int, run(code).split())
            return little < 10 and much >= 15

        # What else happens on the machine may lengthen any call, and so what the next ones expect.
        assert any(as_expected() for _ in range(3))

    def test_no_memory_for_a_thread_means_fewer_threads(self):
        code = """
            import resource
            import drivetrain as dt
            dt.set_num_threads(1)
            x = dt.rand((300, 300))
            expected = (x @ x).tobytes()
            with open("/proc/self/status") as status:
                used = next(int(line.split()[1]) for line in status if line.startswith("VmSize")) * 1024
            resource.setrlimit(resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
            dt.set_num_threads(500)
            print((x @ x).tobytes() == expected)
        """
        assert run(code) == "True"

    def test_no_openmp_runtime_comes_along(self):
        code = """
            import drivetrain as dt
            x = dt.rand((300, 300))
            x @ x
            with open("/proc/self/maps") as maps:
                print("gomp" in maps.read())
        """
        assert run(code) == "False"


class TestConcurrency:
    def test_python_threads_share_the_pool(self, threads):
        threads(3)
        x = dt.rand((400, 400)).requires_grad_()
        weight = dt.rand((400, 400))
        dt.linear(x, weight).backward(weight)
        assert x.grad is not None
        expected = x.grad.tobytes()
        wrong = []

        def work():
            for _ in range(15):
                mine = x.detach().requires_grad_()
                dt.linear(mine, weight).backward(weight)
                if mine.grad is None or mine.grad.tobytes() != expected:
                    wrong.append(1)

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            for n in (1, 2, 3, 5):
                threads(n)
                time.sleep(0.001)
        for worker in workers:
            worker.join()
        assert not wrong

    def test_more_threads_than_cores_cost_little(self, threads):
        x = dt.rand((500, 500))

        def seconds(n):
            threads(n)
            x @ x
            start = time.perf_counter()
            for _ in range(10):
                x @ x
            return time.perf_counter() - start

        # Interleaved, so that what else happens on the machine meets both.
        times = np.array([(seconds(1), seconds(7)) for _ in range(10)])
        one, seven = times.min(0)
        assert seven < 3 * one


class TestEnds:
    """The end of a process, and of a child of it."""

    @pytest.mark.parametrize(
        "end", ["pass", "sys.exit()", "os._exit(0)", "time.sleep(0.01)", "del x; dt.empty_cache()"]
    )
    def test_exit_while_idle(self, end):
        code = f"""
            import os, sys, time
            import drivetrain as dt
            dt.set_num_threads(4)
            x = dt.rand((300, 300))
            x @ x
            sys.stdout.write("done")
            sys.stdout.flush()
            {end}
        """
        assert run(code) == "done"

    def test_exit_while_another_thread_computes(self):
        code = """
            import threading, time
            import drivetrain as dt
            dt.set_num_threads(3)
            x = dt.rand((1000, 1000))
            def work():
                while True:
                    x @ x
            threading.Thread(target=work, daemon=True).start()
            time.sleep(0.1)
            print("done")
        """
        for _ in range(5):
            assert run(code) == "done"

    def test_a_forked_child_has_threads(self):
        code = """
            import os, sys
            import drivetrain as dt
            dt.set_num_threads(3)
            x = dt.rand((300, 300))
            expected = (x @ x).tobytes()
            child = os.fork()
            if child == 0:
                assert len(list(Path("/proc/self/task").iterdir())) == 1
                assert (x @ x).tobytes() == expected
                assert len(workers(2)) == 2
                sys.exit(7)  # through the interpreter's end
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (x @ x).tobytes() == expected)
        """
        assert run(code) == "7 True"

    def test_multiprocessing_by_fork(self):
        code = """
            import multiprocessing
            import drivetrain as dt
            x = dt.rand((300, 300))
            def work(i):
                return (x @ x).tobytes()
            expected = work(0)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(all(r == expected for r in pool.map(work, range(8))))
        """
        assert run(code, OMP_NUM_THREADS="2") == "True"
