"""Sequences as batches: padding, buckets, windows of a stream, states carried from batch to batch."""

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn
from drivetrain.data import BucketBatchSampler, DataLoader, PadCollate, SequenceWindows, pad_collate
from drivetrain.train import Callback, Checkpoint, Trainer
from resume_tools import KillAt, Killed

LENGTHS = np.random.default_rng(0).integers(1, 40, 101)
SAMPLES = [(np.arange(length) + 1, int(length % 3)) for length in LENGTHS]


def test_padding():
    (tokens, lengths), labels = PadCollate(9)([([1, 2, 3], 0), ([4], 1), ([], 1)])
    assert tokens.tolist() == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert lengths.tolist() == [3, 1, 0]
    assert labels.tolist() == [0, 1, 1]
    assert tokens.dtype == lengths.dtype == labels.dtype == dt.int64
    # Targets that are sequences, several inputs, numbers of any kind, more axes, a maximum.
    series = [np.ones((n, 2), np.float64) for n in (3, 1)]
    (one, other, lengths), target, weight = PadCollate(maximum=2)(
        [((series[0], [1, 2, 3]), [5, 6, 7], 0.5), ((series[1], [4]), [8], 1.0)]
    )
    assert one.dtype == dt.float64
    assert one.tolist() == [[[1, 1], [1, 1]], [[1, 1], [0, 0]]]
    assert other.tolist() == [[1, 2], [4, 0]]
    assert lengths.tolist() == [2, 1]
    assert target.tolist() == [[5, 6], [8, -100]]
    assert weight.tolist() == [0.5, 1.0]
    assert PadCollate(lengths=False)([[0.5], [1.0, 2.0]]).dtype == dt.float32
    assert pad_collate([dt.tensor([1, 2]), dt.tensor([3])])[0].tolist() == [[1, 2], [3, 0]]


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], ValueError, "samples is empty"),
        ([["a"]], TypeError, "sample 0 is a list, expected a sequence of numbers"),
        ([3], TypeError, "sample 0 is a int"),
        ([np.ones((2, 3)), np.ones((3, 2))], ValueError, r"sample 0 is float64 of shape \(2, 3\)"),
        ([np.ones(2), np.ones(3, np.float32)], ValueError, "sample 0 is float64 .* expected float32"),
    ],
)
def test_padding_refuses(samples, error, message):
    with pytest.raises(error, match=message):
        pad_collate(samples)


@pytest.mark.parametrize("options", [{"batch_size": 8}, {"max_tokens": 100}, {"batch_size": 8, "buckets": 1}])
def test_buckets_hold_every_sample_once(options):
    sampler = BucketBatchSampler(LENGTHS, seed=3, **options)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        batches = [batch.tolist() for batch in sampler]
        assert len(batches) == len(sampler)
        assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
        for batch in batches:
            if "max_tokens" in options:
                assert len(batch) * LENGTHS[batch].max() <= 100
            else:
                assert len(batch) <= 8
        orders.append(batches)
    assert orders[0] == orders[2] != orders[1]
    other = BucketBatchSampler(LENGTHS, seed=4, **options)
    assert [batch.tolist() for batch in other] != orders[0]


@pytest.mark.parametrize(
    ("options", "samples", "message"),
    [
        ({"padding_value": 1.5}, [[1, 2], [3]], "padding_value is 1.5, which int64 does not hold"),
        ({"padding_value": float("nan")}, [[1, 2], [3]], "padding_value is nan, which int64 does not hold"),
        (
            {},
            [([1], np.ones(1, bool)), ([2], np.ones(2, bool))],
            "target_padding is -100, which",
        ),
        ({}, [([1], 1), ([1],)], "sample 1 has 1 parts, sample 0 has 2"),
        ({}, [([1], 1), [1]], "sample 1 has a list parts"),
    ],
)
def test_padding_that_does_not_fit(options, samples, message):
    with pytest.raises(ValueError, match=message):
        PadCollate(**options)(samples)
    with pytest.raises(TypeError, match="padding_value must be a number, got 'x'"):
        PadCollate("x")([[1, 2], [3]])


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"seed": 1}, ValueError),
        (None, ValueError),
        ({"seed": 1, "epoch": -1}, ValueError),
        ({"seed": 1, "epoch": 1.5}, TypeError),
    ],
)
def test_buckets_take_no_other_state(state, error):
    sampler = BucketBatchSampler([3, 1, 2], 2, buckets=10**12, seed=7)
    with pytest.raises(error, match="BucketBatchSampler"):
        sampler.load_state_dict(state)
    assert sampler.state_dict() == {"seed": 7, "epoch": 0}


def test_windows_take_no_other_state_or_numbers_beyond_int64():
    windows = SequenceWindows(range(10), 2, 3)
    for changes in ({"batches_done": 3}, {"batches_done": -1}):
        with pytest.raises(ValueError, match="batches_done must be an integer from 0 to 2"):
            windows.load_state_dict({**windows.state_dict(), **changes})
    with pytest.raises(TypeError, match="batches_done must be"):
        windows.load_state_dict({key: n for key, n in windows.state_dict().items() if key != "batches_done"})
    with pytest.raises(ValueError, match="beyond int64"):
        SequenceWindows(np.full(9, 2**63, np.uint64), 2, 3)


def test_buckets_save_padding():
    def places(batches):
        return sum(len(batch) * LENGTHS[batch].max() for batch in batches)

    bucketed = places(BucketBatchSampler(LENGTHS, 8))
    plain = places(np.array_split(np.arange(101), 13))
    assert LENGTHS.sum() < bucketed < LENGTHS.sum() * 1.25 < plain


def test_buckets_in_order_and_whole_ones():
    sampler = BucketBatchSampler([5, 1, 4, 2, 3], 2, buckets=2, shuffle=False)
    assert [batch.tolist() for batch in sampler] == [[1, 3], [4], [2, 0]]
    whole = BucketBatchSampler([5, 1, 4, 2, 3], 2, buckets=2, drop_last=True)
    assert sorted(sorted(batch.tolist()) for batch in whole) in (
        [[0, 2], [1, 3]],
        [[0, 2], [1, 4]],
        [[0, 2], [3, 4]],
    )
    assert len(whole) == 2
    assert len(BucketBatchSampler([], 2)) == 0
    with pytest.raises(TypeError, match=r"lengths are float64 of shape \(1,\)"):
        BucketBatchSampler([1.5])
    with pytest.raises(ValueError, match="lengths reach down to -1"):
        BucketBatchSampler([1, -1])


def test_loader_of_batches_resumes():
    def loader():
        sampler = BucketBatchSampler(LENGTHS, max_tokens=90, seed=1)
        return DataLoader(SAMPLES, batch_sampler=sampler, collate_fn=pad_collate)

    whole, first = loader(), loader()
    assert len(whole) == len(BucketBatchSampler(LENGTHS, max_tokens=90))
    batches = [x[0].tolist() for _ in range(2) for x, _ in whole]
    assert len(batches) == 2 * len(whole)
    taken = []
    for x, _ in first:
        taken.append(x[0].tolist())
        if len(taken) == 7:
            state = first.state_dict()
            break
    second = loader()
    second.load_state_dict(state)
    taken += [x[0].tolist() for _ in range(2) for x, _ in second]
    assert taken == batches
    with pytest.raises(ValueError, match="got batch_sampler, which makes the batches"):
        DataLoader(SAMPLES, 4, batch_sampler=[[0]])
    with pytest.raises(TypeError, match="expected one with a length"):
        DataLoader(SAMPLES, batch_sampler=iter([[0]]))
    with pytest.raises(ValueError, match="batch_sampler: indices reach from 500"):
        next(iter(DataLoader(SAMPLES, batch_sampler=[[500]])))


def test_windows_go_through_the_stream():
    stream = np.arange(1000, dtype=np.uint16)
    windows = SequenceWindows(stream, batch_size=4, steps=30)
    rows = [[] for _ in range(4)]
    following = [[] for _ in range(4)]
    sizes = []
    for x, y in windows:
        sizes.append(x.shape[1])
        for row in range(4):
            rows[row] += x.tolist()[row]
            following[row] += y.tolist()[row]
    assert sizes == [30] * 8 + [9]
    assert len(windows) == 9
    assert rows[1] == list(range(249, 498))
    assert following == [[token + 1 for token in row] for row in rows]
    assert len(SequenceWindows(stream, 4, 30, drop_last=True)) == 8
    x, _ = next(iter(windows))
    assert x.dtype == dt.int64
    assert x.tolist()[0][0] == 0  # a pass that was left is over


def test_windows_resume():
    windows = SequenceWindows(range(100), 3, 5)
    batches = [x.tolist() for x, _ in windows]
    passing = iter(windows)
    taken = [next(passing)[0].tolist() for _ in range(3)]
    other = SequenceWindows(range(100), 3, 5)
    other.load_state_dict(windows.state_dict())
    assert taken + [x.tolist() for x, _ in other] == batches
    assert [x.tolist() for x, _ in other] == batches
    with pytest.raises(ValueError, match="state has steps 5, expected 6"):
        SequenceWindows(range(100), 3, 6).load_state_dict(windows.state_dict())
    with pytest.raises(ValueError, match="there are 3 tokens, expected at least 4 for 3 rows"):
        SequenceWindows([1, 2, 3], 3, 5)
    with pytest.raises(TypeError, match="expected integers"):
        SequenceWindows([0.5, 1.5], 1, 1)


class Recurrent(nn.Module):
    """A language model whose state is a running mean."""

    def __init__(self, carries=True):
        super().__init__()
        self.table, self.head = nn.Embedding(11, 6), nn.Linear(6, 11)
        self.mix = nn.Linear(12, 6)
        self.carried = nn.CarriedState()
        self.carries = carries
        self.seen = []

    def forward(self, tokens):
        before = self.carried.get()
        self.seen.append(None if before is None else float(before[0].sum()))
        vectors = self.table(tokens)
        state = dt.zeros((tokens.shape[0], 6)) if before is None else before[0]
        outputs = []
        for step in range(tokens.shape[1]):
            state = self.mix(dt.concat([vectors[:, step], state], axis=1)).tanh()
            outputs.append(state)
        if self.carries:
            self.carried((state, state * 2))
        return self.head(dt.stack(outputs, axis=1))


STREAM = np.random.default_rng(1).integers(0, 11, 400)


def make(**options):
    dt.manual_seed(0)
    return Trainer(Recurrent(), loss="cross_entropy", optimizer="adam", seed=0, **options)


def test_states_are_carried_within_a_pass():
    trainer = make()
    windows = SequenceWindows(STREAM, 4, 25)
    trainer.fit(windows, epochs=2, validation_data=SequenceWindows(STREAM[:100], 2, 10), verbose=0)
    seen = trainer.model.seen
    validation = seen[4:9]
    assert [value is None for value in seen] == [True, *[False] * 3, True, *[False] * 4] * 2
    assert len(set(seen[1:4])) == 3
    # Not shared with training, which ends with the states of its own last batch.
    kept = trainer.model.carried.get()
    assert len(kept) == 2
    assert kept[0].shape == (4, 6)
    assert not kept[0].requires_grad
    trainer.evaluate(SequenceWindows(STREAM[:100], 2, 10), verbose=0)
    trainer.predict(SequenceWindows(STREAM[:100], 2, 10, drop_last=True))
    assert trainer.model.carried.get()[0] is not None
    assert np.array_equal(trainer.model.carried.get()[0], kept[0])
    assert validation[0] is None
    assert not any("carried" in name for name in trainer.model.state_dict())


def test_states_go_on_over_short_epochs():
    """With steps_per_epoch the next epoch goes on in the stream."""
    trainer = make()
    trainer.fit(SequenceWindows(STREAM, 4, 25), epochs=3, steps_per_epoch=2, verbose=0)
    assert [value is None for value in trainer.model.seen] == [True, *[False] * 3, True, False]


@pytest.mark.parametrize("options", [{}, {"steps_per_epoch": 3}])
@pytest.mark.parametrize("batch", [2, 4, 6, 7])
def test_training_on_a_stream_resumes_exactly(options, batch, tmp_path):
    def train(at=None, resume=None, folder=None):
        trainer = make()
        callbacks = [] if at is None else [Checkpoint(folder, save_freq=1), KillAt(batch=at)]
        trainer.fit(
            SequenceWindows(STREAM, 4, 25), epochs=3, callbacks=callbacks, resume=resume, verbose=0, **options
        )
        return trainer.model.state_dict(), trainer.model.seen

    whole, seen = train()
    with pytest.raises(Killed):
        train(batch, folder=tmp_path)
    resumed, rest = train(resume=tmp_path)
    assert rest == seen[-len(rest) :]
    for name, value in whole.items():
        assert np.array_equal(value, resumed[name]), name


def test_a_skipped_step_leaves_the_states():
    trainer, before = make(on_nonfinite="skip"), []

    class Look(Callback):
        def on_train_batch_begin(self, batch, logs=None):
            states = self.model.carried.get()
            before.append(None if states is None else [tensor.numpy().copy() for tensor in states])

    loss = trainer.loss
    trainer.loss = lambda y, t: loss(y, t) * (float("nan") if trainer.loop.batch in (0, 2) else 1.0)
    with pytest.warns(RuntimeWarning, match="step is skipped"):
        trainer.fit(SequenceWindows(STREAM, 4, 25), callbacks=[Look()], verbose=0)
    assert trainer.skipped_steps == 2
    assert before[1] is None  # as before the first, skipped step
    assert not np.array_equal(before[1] or [], before[2])
    assert np.array_equal(before[2], before[3])


def test_carried_states():
    carried = nn.CarriedState()
    assert carried.get() is None
    x = dt.ones((2, 3), requires_grad=True)
    carried(x * 2)
    assert carried.get().shape == (2, 3)
    assert not carried.get().requires_grad
    carried([x, x])
    assert len(carried.get()) == 2
    carried((x,))
    assert len(carried.get()) == 1
    carried.double()
    assert carried.get()[0].dtype == dt.float64
    carried(None)
    assert carried.get() is None
    assert carried.state_dict() == {}
    with pytest.raises(TypeError, match="a state is a int"):
        carried((3,))


def test_states_that_do_not_fit_are_named():
    trainer = make()
    trainer.fit(SequenceWindows(STREAM, 4, 25), verbose=0)
    state = trainer.state_dict()
    assert len(state["carried"]["carried"]["tensors"]) == 2
    with pytest.raises(ValueError, match="it carries the states none, expected carried"):
        trainer.load_state_dict({key: value for key, value in state.items() if key != "carried"})
    for wrong in (3, {"is_one": True, "tensors": []}, {"is_one": False, "tensors": [1]}):
        with pytest.raises(ValueError, match="the states it carries are of a wrong kind"):
            trainer.load_state_dict({**state, "carried": {"carried": wrong}})
    trainer.load_state_dict(state)
