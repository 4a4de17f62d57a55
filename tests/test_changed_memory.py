"""Memory shared with NumPy that is written to while an operation, or between a forward and its backward."""

import contextlib
import threading

import numpy as np
import pytest

import drivetrain as dt

FAR = 10**15  # as an index: far outside of everything


def gradient(compute, indices, meanwhile):
    x = dt.tensor(np.arange(12.0, dtype=np.float32).reshape(4, 3), requires_grad=True)
    loss = compute(x, dt.from_numpy(indices))
    meanwhile(indices)
    loss.backward()
    return x.grad.numpy().copy()


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, i: dt.cross_entropy(x, i),
        lambda x, i: dt.nll_loss(x, i),
        lambda x, i: (dt.embedding(i, x) * dt.tensor([1.0, 2.0, 3.0])).sum(),
    ],
    ids=["cross_entropy", "nll_loss", "embedding"],
)
@pytest.mark.parametrize("value", [0, FAR])
def test_labels_of_the_forward_count_in_the_backward(compute, value):
    def overwrite(indices):
        indices[:] = value

    labels = np.array([2, 1, 0, 2])
    expected = gradient(compute, labels.copy(), lambda indices: None)
    assert np.array_equal(gradient(compute, labels, overwrite), expected)
    assert (labels == value).all()


def test_indices_that_another_thread_changes_are_refused_or_valid():
    indices, mask = np.zeros(200_000, np.int64), np.zeros(200_000, bool)
    i, m = dt.from_numpy(indices), dt.from_numpy(mask)
    table, row = dt.ones((100, 4), requires_grad=True), dt.ones(200_000)
    done = threading.Event()

    def write():
        while not done.is_set():
            indices[::3], mask[::2] = FAR, True
            indices[:], mask[:] = 0, False

    calls = [
        lambda: table[i].sum().backward(),
        lambda: dt.take(table, i, axis=0),
        lambda: dt.embedding(i, table).sum().backward(),
        lambda: dt.cross_entropy(dt.zeros((200_000, 2)), i),
        lambda: dt.one_hot(i, 3),
        lambda: row[m],
    ]
    writer = threading.Thread(target=write)
    writer.start()
    valid = 0
    try:
        for call in calls * 15:
            with contextlib.suppress(IndexError, ValueError):
                call()
                valid += 1
    finally:
        done.set()
        writer.join()
    assert valid
    assert (table.detach()[i].numpy() == 1).all()
