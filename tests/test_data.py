"""Data sets, loader, prefetching thread, exact resume, division into parts."""

import gc
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivetrain as dt
from drivetrain.data import (
    ArrayDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    random_split,
    train_test_split,
)


class Numbers(Dataset):
    """Samples (i, i squared as an array), made one by one."""

    def __init__(self, n, fail_at=None, error=None, slow=0.0):
        self.n, self.fail_at, self.error, self.slow = n, fail_at, error, slow

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if self.slow:
            time.sleep(self.slow)
        if index == self.fail_at:
            raise self.error
        return index, np.full((2,), index**2, np.float32)


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name == "drivetrain-prefetch"]


def firsts(loader):
    """All samples of a pass, by their first part."""
    return [int(i) for batch in loader for i in np.asarray(batch[0] if isinstance(batch, tuple) else batch)]


class TestArrayDataset:
    def test_rows_and_batches(self):
        x, y = np.arange(12.0).reshape(6, 2), np.arange(6)
        data = ArrayDataset(x, y)
        assert len(data) == 6
        np.testing.assert_array_equal(data[-1][0], [10, 11])
        taken = data.take(np.array([4, 0]))
        np.testing.assert_array_equal(taken[0], x[[4, 0]])
        assert ArrayDataset(y)[2] == 2
        assert "float64[6, 2]" in repr(data)

    def test_shares_memory(self):
        x = np.zeros((3, 2), np.float32)
        data = ArrayDataset(x)
        x[1] = 5
        assert data[1].tolist() == [5, 5]

    def test_any_layout(self):
        x = np.arange(24).reshape(4, 6).T[::-2]
        x.flags.writeable = False
        np.testing.assert_array_equal(ArrayDataset(x).take(np.array([2, 1])), x[[2, 1]])

    def test_tensors(self):
        data = TensorDataset(dt.tensor([[1.0, 2.0], [3.0, 4.0]]), dt.tensor([7, 8]))
        features, label = data[1]
        assert isinstance(features, dt.Tensor)
        np.testing.assert_array_equal(features.numpy(), [3, 4])
        assert label.item() == 8

    def test_bad_input(self):
        with pytest.raises(ValueError, match="no arrays"):
            ArrayDataset()
        with pytest.raises(ValueError, match=r"lengths \[3, 2\]"):
            ArrayDataset(np.zeros(3), np.zeros(2))
        with pytest.raises(ValueError, match=r"array 1 has shape \(\)"):
            TensorDataset(np.zeros(3), 5)
        with pytest.raises(TypeError, match="array 0 holds Python objects"):
            ArrayDataset(np.array([None, 1]))
        with pytest.raises(NotImplementedError, match="Dataset has no __len__"):
            len(Dataset())


class TestLoader:
    @pytest.mark.parametrize("prefetch", [0, 1, 3])
    def test_batches(self, prefetch):
        loader = DataLoader(Numbers(7), batch_size=3, prefetch=prefetch)
        batches = list(loader)
        assert len(loader) == len(batches) == 3
        assert [batch[0].shape for batch in batches] == [(3,), (3,), (1,)]
        assert batches[0][0].dtype == dt.int64
        assert batches[0][1].dtype == dt.float32
        np.testing.assert_array_equal(batches[1][1].numpy(), [[9, 9], [16, 16], [25, 25]])

    def test_drop_last(self):
        loader = DataLoader(Numbers(7), batch_size=3, drop_last=True)
        assert len(loader) == len(list(loader)) == 2
        assert list(DataLoader(Numbers(2), batch_size=3, drop_last=True)) == []

    def test_empty_data_set(self):
        assert list(DataLoader(ArrayDataset(np.zeros((0, 3))))) == []

    def test_shuffle_is_a_new_permutation_each_epoch(self):
        loader = DataLoader(ArrayDataset(np.arange(50)), batch_size=8, shuffle=True, seed=5)
        first, second = firsts(loader), firsts(loader)
        assert sorted(first) == sorted(second) == list(range(50))
        assert first != second
        assert first != list(range(50))
        again = DataLoader(ArrayDataset(np.arange(50)), batch_size=8, shuffle=True, seed=5)
        assert [firsts(again), firsts(again)] == [first, second]
        assert firsts(DataLoader(ArrayDataset(np.arange(50)), shuffle=True, seed=6)) != first

    def test_order_does_not_depend_on_prefetch_or_fast_path(self):
        fast = firsts(DataLoader(ArrayDataset(np.arange(20)), 3, shuffle=True))
        slow = firsts(DataLoader(Numbers(20), 3, shuffle=True))
        assert fast == slow

    def test_seed_may_be_a_generator(self):
        by_number = firsts(DataLoader(ArrayDataset(np.arange(9)), shuffle=True, seed=4))
        assert firsts(DataLoader(ArrayDataset(np.arange(9)), shuffle=True, seed=dt.Generator(4))) == by_number

    def test_sampler(self):
        data = ArrayDataset(np.arange(10))
        loader = DataLoader(data, 2, sampler=[5, 5, 1])
        assert len(loader) == 2
        assert firsts(loader) == [5, 5, 1]
        assert firsts(DataLoader(data, 4, sampler=SequentialSampler(10))) == list(range(10))
        sampler = RandomSampler(10, seed=2)
        by_epoch = [firsts(DataLoader(data, 4, sampler=sampler)) for _ in range(2)]
        assert by_epoch[0] == by_epoch[1]
        sampler.set_epoch(1)
        assert list(sampler) != by_epoch[0]

    def test_collate_fn(self):
        loader = DataLoader(
            ArrayDataset(np.arange(4)), 2, collate_fn=lambda samples: [int(s) for s in samples]
        )
        assert list(loader) == [[0, 1], [2, 3]]

    def test_a_list_is_a_data_set(self):
        assert firsts(DataLoader([3, 1, 2], batch_size=2)) == [3, 1, 2]

    def test_batches_are_fresh_memory(self):
        x = np.arange(4.0)
        batch = next(iter(DataLoader(ArrayDataset(x), 4)))
        batch.numpy()[:] = -1
        np.testing.assert_array_equal(x, np.arange(4.0))

    def test_read_only_arrays(self):
        x = np.arange(4.0)
        x.flags.writeable = False
        assert next(iter(DataLoader(ArrayDataset(x), 4))).numpy().flags.writeable

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
            ({"batch_size": -2}, ValueError, "batch_size must be a positive integer, got -2"),
            ({"batch_size": True}, TypeError, "batch_size must be a positive integer, got True"),
            ({"batch_size": 2.5}, TypeError, "batch_size must be a positive integer, got 2.5"),
            ({"prefetch": -1}, ValueError, "prefetch must be an integer of at least 0, got -1"),
            ({"seed": -1}, ValueError, "seed must be .*got -1"),
            ({"seed": "x"}, TypeError, "seed must be .*got 'x'"),
            ({"shuffle": True, "sampler": [1]}, ValueError, "sampler and shuffle"),
        ],
    )
    def test_bad_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            DataLoader(Numbers(3), **arguments)

    def test_bad_data_set(self):
        with pytest.raises(TypeError, match="dataset is a generator"):
            DataLoader(i for i in range(3))

    @pytest.mark.parametrize("sampler", [[0, 7], [-1]])
    def test_sampler_out_of_range(self, sampler):
        with pytest.raises(ValueError, match="expected 0 to 2"):
            list(DataLoader(Numbers(3), sampler=sampler))

    def test_sampler_of_wrong_kind(self):
        with pytest.raises(TypeError, match="expected integers"):
            list(DataLoader(Numbers(3), sampler=[0.5]))

    def test_two_passes_at_once_are_refused(self):
        loader = DataLoader(Numbers(6), 2)
        outer = iter(loader)
        next(outer)
        next(iter(loader))
        with pytest.raises(RuntimeError, match="a new epoch was started"):
            next(outer)


class TestThread:
    def test_no_thread_for_arrays_in_memory(self):
        passing = iter(DataLoader(ArrayDataset(np.arange(9)), 2))
        next(passing)
        assert not loader_threads()

    def test_exception_comes_with_its_traceback_after_the_good_batches(self):
        loader = DataLoader(Numbers(9, fail_at=7, error=LookupError("no such file")), 3)
        seen = []
        with pytest.raises(LookupError, match="no such file") as caught:
            seen.extend(len(batch[0]) for batch in loader)
        assert seen == [] or seen == [3, 3]
        assert any(entry.name == "__getitem__" for entry in caught.traceback)
        assert not loader_threads()

    def test_stray_stop_iteration_is_an_error(self):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(DataLoader(Numbers(9, fail_at=4, error=StopIteration()), 3))

    def test_system_exit_in_the_thread_arrives(self):
        with pytest.raises(SystemExit):
            list(DataLoader(Numbers(9, fail_at=4, error=SystemExit(3)), 3))

    @pytest.mark.parametrize("prefetch", [1, 4])
    def test_leaving_early_ends_the_thread(self, prefetch):
        for _ in DataLoader(Numbers(1000), 2, prefetch=prefetch):
            assert loader_threads()
            break
        gc.collect()
        assert not loader_threads()

    def test_forgotten_iterator_ends_its_thread(self):
        passing = iter(DataLoader(Numbers(1000), 2))
        next(passing)
        assert len(loader_threads()) == 1
        del passing
        gc.collect()
        assert not loader_threads()

    def test_runs_ahead_but_not_too_far(self):
        reached = []

        class Watched(Numbers):
            def __getitem__(self, index):
                reached.append(index)
                return index

        passing = iter(DataLoader(Watched(100), 1, prefetch=3))
        next(passing)
        deadline = time.monotonic() + 5
        while len(reached) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        # One handed out, three waiting, at most one in the making.
        assert 4 <= len(reached) <= 5
        passing.close()

    def test_prefetching_overlaps(self):
        made = [threading.Event() for _ in range(10)]

        class Watched(Numbers):
            def __getitem__(self, index):
                made[index].set()
                return index

        for i, _ in enumerate(DataLoader(Watched(10), 1, prefetch=1)):
            assert i == 9 or made[i + 1].wait(10)  # while this one is at work

    def test_interpreter_ends_with_a_thread_at_work(self, tmp_path):
        import subprocess
        import sys

        code = (
            "from drivetrain.data import DataLoader\n"
            "passing = iter(DataLoader(range(100), 1, prefetch=2))\n"
            "next(passing)\n"
            "print('end')\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


class TestResume:
    @pytest.mark.parametrize("prefetch", [0, 2])
    @pytest.mark.parametrize("stop", [1, 2, 3, 4, 5, 7, 8])
    @pytest.mark.parametrize("drop_last", [False, True])
    def test_goes_on_exactly(self, prefetch, stop, drop_last):
        def new(seed):
            return DataLoader(Numbers(10), 3, True, drop_last=drop_last, seed=seed, prefetch=prefetch)

        def endless(loader):
            while True:
                yield from loader

        loader, expected = new(3), []
        for count, batch in enumerate(endless(loader), start=1):
            expected.append(batch[0].numpy().tolist())
            if count == stop:
                state = loader.state_dict()
            if count == 12:
                break
        resumed = new(99)
        resumed.load_state_dict(state)
        rest = endless(resumed)
        assert [next(rest)[0].numpy().tolist() for _ in range(12 - stop)] == expected[stop:]
        rest.close()

    def test_state_is_json(self):
        import json

        loader = DataLoader(Numbers(10), 3, shuffle=True, seed=2**64 - 1)
        next(iter(loader))
        state = json.loads(json.dumps(loader.state_dict()))
        loader.load_state_dict(state)
        assert loader.state_dict() == state

    def test_a_pass_left_in_the_middle_is_over(self):
        loader = DataLoader(ArrayDataset(np.arange(10)), 3, shuffle=True)
        whole = DataLoader(ArrayDataset(np.arange(10)), 3, shuffle=True)
        firsts(whole)
        next(iter(loader))
        assert firsts(loader) == firsts(whole)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"length": 11}, "length 11, this loader 10"),
            ({"batch_size": 4}, "batch_size 4, this loader 3"),
            ({"shuffle": False}, "shuffle False"),
            ({"batches_done": 5}, "5 batches done, an epoch has 4"),
            ({"batches_done": -1}, "batches_done must be an integer of at least 0, got -1"),
            ({"epoch": -1}, "epoch must be an integer of at least 0, got -1"),
            ({"seed": -1}, "seed must be .*got -1"),
        ],
    )
    def test_foreign_state(self, change, message):
        loader = DataLoader(Numbers(10), 3, shuffle=True)
        with pytest.raises(ValueError, match=message):
            loader.load_state_dict(loader.state_dict() | change)

    def test_incomplete_state(self):
        with pytest.raises(ValueError, match="lacks seed, epoch"):
            DataLoader(Numbers(10)).load_state_dict({})


class TestParts:
    def test_train_test_split(self):
        x, y = np.arange(20).reshape(10, 2), list("abcdefghij")
        x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, seed=1)
        assert x_train.shape == (7, 2)
        assert len(y_test) == 3
        assert [y[row[0] // 2] for row in x_test] == y_test
        assert sorted(y_train + y_test) == y

    def test_without_shuffling(self):
        train, test = train_test_split(np.arange(5), test_size=2, shuffle=False)
        assert train.tolist() == [0, 1, 2]
        assert test.tolist() == [3, 4]

    def test_tensors(self):
        train, test = train_test_split(np.arange(4.0), test_size=1)
        assert train.shape == (3,)
        assert test.shape == (1,)

    @settings(max_examples=60, deadline=None)
    @given(
        counts=st.lists(st.integers(2, 40), min_size=2, max_size=6),
        share=st.floats(0.2, 0.8),
        seed=st.integers(0, 9),
    )
    def test_stratified(self, counts, share, seed):
        labels = np.repeat(np.arange(len(counts)) * 3 - 1, counts)
        n = len(labels)
        n_test = int(np.ceil(share * n))
        if min(n_test, n - n_test) < len(counts):
            with pytest.raises(ValueError, match=r"cannot hold all|expected both > 0"):
                train_test_split(labels, test_size=share, seed=seed, stratify=labels)
            return
        indices = np.arange(n)
        train, test = train_test_split(indices, test_size=share, seed=seed, stratify=labels)
        np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), indices)
        assert len(test) == n_test
        for label, count in zip(np.unique(labels), counts, strict=True):
            assert abs((labels[test] == label).sum() - count * n_test / n) < 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"stratify": [0] * 9 + [1]}, "class 1 has 1 sample"),
            ({"stratify": [0, 1]}, r"stratify has shape \(2,\), expected \(10,\)"),
            ({"stratify": [0, 1] * 5, "shuffle": False}, "stratify needs shuffle=True"),
            ({"stratify": [0, 1] * 5, "test_size": 1}, "cannot hold all 2 classes"),
            ({"test_size": 10}, "expected both > 0"),
            ({"test_size": 1.5}, "test_size is 1.5"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            train_test_split(np.arange(10), **arguments)

    def test_bad_arrays(self):
        with pytest.raises(ValueError, match="no arrays"):
            train_test_split()
        with pytest.raises(ValueError, match="array 1 has length 3, expected 4"):
            train_test_split(np.zeros(4), np.zeros(3))

    @pytest.mark.parametrize(
        ("n", "lengths", "sizes"),
        [
            (10, [7, 3], [7, 3]),
            (10, [0.7, 0.3], [7, 3]),
            (5, [0.5, 0.5], [3, 2]),
            (3, [3, 0], [3, 0]),
            (10, [0.3, 0.3, 0.4], [3, 3, 4]),
        ],
    )
    def test_random_split(self, n, lengths, sizes):
        parts = random_split(ArrayDataset(np.arange(n)), lengths, seed=1)
        assert [len(part) for part in parts] == sizes
        assert sorted(int(part[i]) for part in parts for i in range(len(part))) == list(range(n))
        for part, size in zip(parts, sizes, strict=True):
            assert len(firsts(DataLoader(part, 2))) == size

    @pytest.mark.parametrize("lengths", [[], [5, 6], [-1, 11], [0.5, 0.6], [-0.5, 1.5], [float("nan"), 0.5]])
    def test_random_split_bad_lengths(self, lengths):
        with pytest.raises(ValueError, match="random_split: "):
            random_split(ArrayDataset(np.arange(10)), lengths)

    def test_subset(self):
        data = ArrayDataset(np.arange(5) * 10)
        part = Subset(Subset(data, [4, 2, 0]), [1, 0])
        assert [int(part[i]) for i in range(2)] == [20, 40]
        assert firsts(DataLoader(part, 2)) == [20, 40]
        assert firsts(DataLoader(Subset(Numbers(5), [3, 1]), 2)) == [3, 1]
        with pytest.raises(ValueError, match="reach from 0 to 5, expected 0 to 4"):
            Subset(data, [0, 5])
        with pytest.raises(TypeError, match="expected integers"):
            Subset(data, [0.5])
        with pytest.raises(ValueError, match="one axis"):
            Subset(data, [[1]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dt.data.DataLoader([], transform=abs), "did you mean 'batch_transform'"),
        (lambda: dt.models.resnet18(10, pretrained=True), "model.load_pytorch reads weights"),
        (lambda: dt.nn.LSTM(3, 4, hiden_size=3), "did you mean 'hidden_size'"),
        (lambda: dt.word_vectors.Word2Vec(workers=2), "dt.set_num_threads says how many threads work"),
    ],
)
def test_wrong_names_are_answered(call, message):
    with pytest.raises(TypeError, match=f"there is no argument '.*'; {message}"):
        call()
