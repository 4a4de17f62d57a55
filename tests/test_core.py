"""What everything stands on: memory, threads, ISA levels, the interpreter lock."""

import itertools
import os
import sys
import threading
import time

import numpy as np
import pytest

import drivetrain as dt
from interpreter_tools import installed, run


@pytest.mark.usefixtures("no_garbage")
class TestAllocator:
    def test_in_use_and_peak(self):
        dt.reset_peak_memory()
        before = dt.memory_stats()
        t = dt.tensor(np.zeros(1_000_000))
        during = dt.memory_stats()
        assert 8_000_000 <= during["in_use"] - before["in_use"] <= 10_000_000
        del t
        after = dt.memory_stats()
        assert after["in_use"] == before["in_use"]
        assert after["peak"] >= during["in_use"]
        dt.reset_peak_memory()
        assert dt.memory_stats()["peak"] == before["in_use"]

    def test_freed_memory_is_used_again(self):
        address = dt.rand(100_000).data_ptr()
        asked = dt.memory_stats()["from_system"]
        assert dt.rand(100_000).data_ptr() == address
        assert dt.memory_stats()["from_system"] == asked

    def test_empty_cache(self):
        code = """
            import drivetrain as dt
            import numpy as np
            t = dt.tensor(np.zeros(5_000_000))
            del t
            assert dt.memory_stats()["cached"] >= 40_000_000
            held = dt.memory_stats()["system"]
            dt.empty_cache()
            assert dt.memory_stats()["system"] <= held - 40_000_000
            assert dt.memory_stats()["cached"] < 40_000_000
        """
        run(code)  # small blocks that earlier tests gave back stay in the cache

    def test_large_blocks_are_split_and_joined(self):
        megabyte = 1 << 18  # float32
        dt.empty(96 * megabyte)
        asked = dt.memory_stats()["from_system"]
        for sizes in ([32, 32, 32], [48, 16, 32], [8] * 12, [96]):
            blocks = [dt.empty(size * megabyte) for size in sizes]
            del blocks
        assert dt.memory_stats()["from_system"] == asked

    def test_freed_neighbours_serve_a_larger_tensor(self):
        code = """
            import drivetrain as dt
            megabyte = 1 << 18
            blocks = [dt.empty(20 * megabyte) for _ in range(6)]
            asked = dt.memory_stats()
            for i in (1, 3, 2):
                blocks[i] = None
            whole = dt.empty(60 * megabyte)
            assert dt.memory_stats()["from_system"] == asked["from_system"]
            assert dt.memory_stats()["system"] == asked["system"]
            del whole, blocks
            assert dt.memory_stats()["cached"] >= 120 << 20
        """
        run(code)  # between the blocks of earlier tests the six would lie apart

    def test_blocks_of_any_size_keep_apart(self):
        rng = np.random.default_rng(0)
        live = {}
        before = dt.memory_stats()["in_use"]
        for i in range(600):
            if live and rng.random() < 0.5:
                key = list(live)[rng.integers(len(live))]
                t = live.pop(key)
                assert (t.numpy()[[0, -1]] == key).all()
                assert t.data_ptr() % 64 == 0
            else:
                live[i] = dt.full(int(rng.integers(1, 1 << int(rng.integers(4, 20)))), float(i))
            if i % 150 == 149:
                dt.empty_cache()
        stats = dt.memory_stats()
        assert stats["in_use"] - before >= sum(t.nbytes for t in live.values())
        assert stats["in_use"] <= stats["system"]
        places = sorted((t.data_ptr(), t.nbytes) for t in live.values())
        assert all(a + size <= b for (a, size), (b, _) in itertools.pairwise(places))
        assert all((t.numpy() == key).all() for key, t in live.items())

    def test_memory_given_back_is_taken_again(self):
        t = dt.ones(10_000_000)
        dt.empty_cache()
        del t
        dt.empty_cache()
        held = dt.memory_stats()["system"]
        t = dt.zeros(10_000_000)
        assert not t.numpy().any()
        assert dt.memory_stats()["system"] >= held + 40_000_000

    def test_limited_addresses(self):
        code = """
            import resource
            import drivetrain as dt
            import numpy as np
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
            tensors = [dt.ones(50_000_000) for _ in range(4)]
            try:
                dt.ones(500_000_000)
            except MemoryError:
                print(sum(int(t[-1]) for t in tensors))
        """
        assert run(code) == "4"

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
    def test_small_blocks_where_the_system_has_no_whole_chunk(self):
        code = """
            import resource
            import drivetrain as dt
            def block():
                tensors.append(dt.empty(256 << 10, dtype="uint8"))
            tensors, held = [], dt.memory_stats()["system"]
            while dt.memory_stats()["system"] == held:
                block()
            tensors.append(None)  # a chunk of 4 MB is new: it has 15 blocks left
            with open("/proc/self/status") as status:
                used = next(int(line.split()[1]) for line in status if line.startswith("VmData")) * 1024
            resource.setrlimit(resource.RLIMIT_DATA, (used + (3 << 20), resource.RLIM_INFINITY))
            before = len(tensors)
            try:
                while True:
                    block()
            except MemoryError as error:
                print(len(tensors) - before > 15 + 4, "out of memory" in str(error))
            print(len({t.data_ptr() for t in tensors if t is not None}) == len(tensors) - 1)
        """
        assert run(code) == "True True\nTrue"

    def test_alignment(self):
        assert all(dt.rand(n).data_ptr() % 64 == 0 for n in (0, 1, 17, 1000, 100_000))

    @pytest.mark.parametrize("shape", [(2**62, 4), (2**40, 2**40), (0, 2**62, 2**62), (2**31,) * 3])
    def test_sizes_that_overflow_are_refused(self, shape):
        with pytest.raises(ValueError, match="more elements than memory can hold"):
            dt.rand(shape)

    @pytest.mark.parametrize("shape", [(2**45,), (2**20, 2**22)])
    def test_sizes_beyond_the_machine_are_refused(self, shape):
        with pytest.raises(MemoryError, match="out of memory"):
            dt.rand(shape)
        assert dt.rand(10).shape == (10,)

    def test_threads_share_it(self):
        wrong = []

        def work(value):
            for size in range(1, 300):
                t = dt.tensor(np.full(size * 7, value))
                if not (t.numpy() == value).all():
                    wrong.append(value)

        before = dt.memory_stats()["in_use"]
        threads = [threading.Thread(target=work, args=(float(i),)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert dt.memory_stats()["in_use"] == before

    def test_the_steady_state_asks_for_nothing(self):
        x = dt.rand((256, 512))
        w = dt.rand((512, 512)).requires_grad_()

        def step():
            dt.linear(x, w).backward(dt.rand((256, 512)))
            w.grad = None

        for _ in range(5):
            step()
        import resource

        def faults_of_50_steps():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            for _ in range(50):
                step()
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        asked = dt.memory_stats()["from_system"]
        # The interpreter touches a page now and then, and the system may take some back for others; one
        # buffer of the step has 256.
        assert min(faults_of_50_steps() for _ in range(3)) < 50
        assert dt.memory_stats()["from_system"] == asked

    def test_the_system_s_allocator_can_take_its_place(self):
        code = """
            import drivetrain as dt
            t = dt.rand((100, 100))
            print(dt.memory_stats()["in_use"], dt.memory_stats()["cached"])
        """
        assert run(code, DRIVETRAIN_ALLOCATOR="system") == "40000 0"


class TestThreads:
    def test_results_do_not_depend_on_their_number(self):
        before = dt.get_num_threads()
        x, w = dt.randn((300, 257)), dt.randn((129, 257))
        results = []
        try:
            for n in (1, 2, 3, 7):
                dt.set_num_threads(n)
                assert dt.get_num_threads() == n
                results.append((dt.linear(x, w).tobytes(), dt.softmax(x).tobytes()))
        finally:
            dt.set_num_threads(before)
        assert results.count(results[0]) == len(results)

    @pytest.mark.parametrize("n", [0, -1])
    def test_wrong_numbers(self, n):
        with pytest.raises(ValueError, match="set_num_threads: n must be at least 1"):
            dt.set_num_threads(n)

    @pytest.mark.parametrize("n", [1.5, "2", None])
    def test_wrong_kinds(self, n):
        with pytest.raises(TypeError, match="set_num_threads: n must be an int"):
            dt.set_num_threads(n)

    def test_the_environment_limits_the_default(self):
        assert run("import drivetrain as dt; print(dt.get_num_threads())", OMP_NUM_THREADS="1") == "1"
        code = "import drivetrain as dt; dt.set_num_threads(3); print(dt.get_num_threads())"
        assert run(code, OMP_NUM_THREADS="1") == "3"

    def test_nonsense_in_the_environment_is_no_limit(self):
        code = "import drivetrain as dt; print(dt.get_num_threads() >= 1)"
        for value in ("", "0", "-3", "many", "99999999999999999999"):
            assert run(code, OMP_NUM_THREADS=value) == "True"

    @pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
    def test_the_affinity_limits_the_default(self):
        code = """
            import os
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            import drivetrain as dt
            print(dt.get_num_threads(), dt._core._thread_limits()["affinity"])
        """
        assert run(code) == "1 1"

    def test_the_default_obeys_every_limit(self):
        limits = {k: v for k, v in dt._core._thread_limits().items() if v}
        default = int(run("import drivetrain as dt; print(dt.get_num_threads())"))
        assert 1 <= default <= min(limits.values())

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
    def test_a_forked_child_works(self):
        code = """
            import os, warnings
            warnings.simplefilter("ignore")
            import drivetrain as dt
            x = dt.randn((300, 300))
            x.requires_grad_()
            before = dt.linear(x, x.detach()).detach().tobytes()
            child = os.fork()
            if child == 0:
                y = dt.linear(x, x.detach())
                y.backward(dt.rand((300, 300)))
                os._exit(0 if y.detach().tobytes() == before and x.grad is not None else 1)
            print(os.waitpid(child, 0)[1], dt.linear(x, x.detach()).detach().tobytes() == before)
        """
        assert run(code, OMP_NUM_THREADS="2") == "0 True"

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
    def test_a_child_forked_while_other_threads_work(self):
        code = """
            import os, threading, warnings
            warnings.simplefilter("ignore")
            import drivetrain as dt
            stop = False
            def work():
                w = dt.randn((64, 64)).requires_grad_()
                while not stop:
                    dt.linear(dt.randn((64, 64)), w).backward(dt.rand((64, 64)))
            threads = [threading.Thread(target=work) for _ in range(3)]
            for t in threads: t.start()
            results = []
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    w = dt.randn((64, 64)).requires_grad_()
                    dt.linear(dt.randn((64, 64)), w).backward(dt.rand((64, 64)))
                    os._exit(0)
                results.append(os.waitpid(child, 0)[1])
            stop = True
            for t in threads: t.join()
            print(set(results))
        """
        assert run(code) == "{0}"

    @pytest.mark.parametrize("module", ["torch", "sklearn", "lightgbm"])
    @pytest.mark.parametrize("order", ["before", "after"])
    def test_other_libraries_change_nothing(self, module, order):
        if not installed(module):
            pytest.skip(f"{module} is not installed")
        code = """
            {first}
            import hashlib, drivetrain as dt
            {then}
            dt.manual_seed(7)
            x = dt.randn((300, 257)).requires_grad_()
            y = dt.softmax(dt.linear(x, dt.randn((129, 257))))
            y.backward(dt.rand((300, 129)))
            print(dt.get_num_threads(), hashlib.sha256(y.detach().tobytes() + x.grad.tobytes()).hexdigest())
        """
        load = f"import warnings; warnings.simplefilter('ignore'); import {module}"
        first, then = (load, "") if order == "before" else ("", load)
        assert run(code.format(first=first, then=then)) == run(code.format(first="", then=""))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit is Linux's")
def test_kernels_out_of_memory_raise():
    code = """
        import resource
        import drivetrain as dt
        dt.set_num_threads(2)
        x = dt.rand(4, 250_000)
        y = (x + x).astype(dt.int64)  # the threads exist, and the block of the result is kept
        del y
        with open("/proc/self/status") as status:
            used = next(int(line.split()[1]) for line in status if line.startswith("VmSize")) * 1024
        resource.setrlimit(resource.RLIMIT_AS, (used, resource.RLIM_INFINITY))
        try:
            dt.argsort(x, axis=1)
        except MemoryError as error:
            print("a kernel needs" in str(error))
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(dt.argsort(x, axis=1).shape)
        """
    assert run(code) == "True\n(4, 250000)"


class TestIsa:
    def test_a_level_can_be_forced(self):
        before, levels = dt.get_isa(), dt.isa_levels()
        assert before in levels
        x = dt.randn((64, 64))
        try:
            results = []
            for level in levels:
                dt.set_isa(level)
                assert dt.get_isa() == level
                results.append(dt.softmax(x).numpy())
        finally:
            dt.set_isa(before)
        for result in results:
            np.testing.assert_allclose(result, results[0], rtol=1e-5)

    def test_the_environment_forces_it(self):
        lowest = dt.isa_levels()[0]
        assert run("import drivetrain as dt; print(dt.get_isa())", DRIVETRAIN_ISA=lowest) == lowest
        code = """
            import drivetrain as dt
            try:
                dt.ones(2)
            except ValueError as error:
                print(error)
            """
        assert run(code, DRIVETRAIN_ISA="v99").startswith("DRIVETRAIN_ISA: unknown level 'v99', expected")

    def test_levels_that_the_cpu_lacks(self):
        assert dt._core._isa_built()[: len(dt.isa_levels())] == dt.isa_levels()
        for level in set(dt._core._isa_built()) - set(dt.isa_levels()):
            with pytest.raises(ValueError, match=f"set_isa: this CPU does not support level '{level}'"):
                dt.set_isa(level)

    def test_the_levels_above_v4_come_with_it(self):
        built = dt._core._isa_built()
        assert ("v4" in built) == ("v4_bf16" in built) == ("amx" in built)

    def test_unknown_levels(self):
        with pytest.raises(ValueError, match="v99"):
            dt.set_isa("v99")
        with pytest.raises(TypeError, match="set_isa: level must be a str"):
            dt.set_isa(3)


class TestFloatMode:
    @pytest.mark.skipif(sys.platform != "linux", reason="reads the C library")
    def test_rounding_of_the_caller_does_not_matter_and_is_restored(self):
        code = """
            import ctypes, drivetrain as dt
            libm = ctypes.CDLL("libm.so.6")
            x = dt.randn((1000,))
            plain = dt.softmax(x).tobytes(), dt.multiply(x, x).tobytes()
            for mode in (0x400, 0x800, 0xC00):  # down, up, towards zero
                assert libm.fesetround(mode) == 0
                assert (dt.softmax(x).tobytes(), dt.multiply(x, x).tobytes()) == plain
                assert libm.fegetround() == mode
            libm.fesetround(0)
            print("same")
        """
        assert run(code) == "same"

    def test_denormals_are_kept(self):
        tiny = dt.tensor([1e-40])
        assert (tiny * 1.0).item() != 0


class TestInterpreterLock:
    def test_long_work_lets_others_run(self):
        x = dt.rand((2000, 2000))
        ticks = []
        done = threading.Event()

        def tick():
            while not done.is_set():
                ticks.append(time.perf_counter())
                time.sleep(0.001)

        def ticks_during_a_call():
            start = time.perf_counter()
            dt.linear(x, x)
            end = time.perf_counter()
            return sum(start < t < end for t in ticks)

        thread = threading.Thread(target=tick)
        thread.start()
        try:  # several calls, as other processes may hold up the thread
            assert max(ticks_during_a_call() for _ in range(10)) >= 3
        finally:
            done.set()
            thread.join()
