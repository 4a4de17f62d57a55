"""Embeddings with gradients of single rows: beside PyTorch's, in optimizers, clipping, training, files."""

import copy
import pickle

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.nn.utils import clip_grad_norm_, clip_grad_value_
from drivetrain.train import Checkpoint, Trainer
from resume_tools import KillAt, Killed

ROWS, WIDTH = 23, 5
TABLE = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)


def table(padding_idx=None, sparse=True):
    return nn.Embedding.from_pretrained(TABLE.copy(), False, padding_idx, sparse=sparse)


def tokens(seed):
    return np.random.default_rng(seed).integers(0, ROWS, (3, 4))


def backward(embedding, seed, scale=1.0):
    given = np.random.default_rng(seed + 100).normal(size=(3, 4, WIDTH)).astype(np.float32)
    loss = (embedding(dt.tensor(tokens(seed))) * dt.tensor(given)).sum() * scale
    loss.backward()


@pytest.mark.parametrize("padding_idx", [None, 3])
def test_rows_have_the_gradient_of_the_whole_table(padding_idx, level):
    sparse, dense = table(padding_idx), table(padding_idx, sparse=False)
    for seed in (1, 2):  # the second adds up
        for embedding in (sparse, dense):
            backward(embedding, seed)
        rows, values = sparse.weight.sparse_grad
        whole = np.zeros((ROWS, WIDTH), np.float32)
        whole[rows.numpy()] = values.numpy()
        assert rows.tolist() == sorted(set(rows.tolist()) - {padding_idx})
        # Sums of sums: the order differs.
        assert np.allclose(whole, dense.weight.grad, rtol=0, atol=0 if seed == 1 else 1e-6)
    assert sparse.weight.grad is None
    sparse.zero_grad()
    assert sparse.weight.sparse_grad is None


MAKERS = {
    "sgd": (optim.SGD, {"lr": 0.1}, "SGD"),
    "adagrad": (optim.Adagrad, {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.1}, "Adagrad"),
    "sparse adam": (optim.SparseAdam, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}, "SparseAdam"),
    "sparse adam up": (optim.SparseAdam, {"maximize": True}, "SparseAdam"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_steps_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    torch.sparse.check_sparse_tensor_invariants.disable()  # what it does anyway, but with a warning
    kind, options, theirs = MAKERS[name]
    ours, other = table(3), torch.nn.Embedding.from_pretrained(torch.tensor(TABLE), False, 3, sparse=True)
    optimizer = kind(ours.parameters(), **options)
    reference = getattr(torch.optim, theirs)(other.parameters(), **options)
    for seed in range(5):
        optimizer.zero_grad()
        reference.zero_grad()
        before = ours.weight.detach().numpy().copy()
        backward(ours, seed)
        given = np.random.default_rng(seed + 100).normal(size=(3, 4, WIDTH)).astype(np.float32)
        (other(torch.tensor(tokens(seed))) * torch.tensor(given)).sum().backward()
        optimizer.step()
        reference.step()
        assert np.allclose(ours.weight.detach(), other.weight.detach(), atol=2e-6)
        changed = np.flatnonzero((ours.weight.detach().numpy() != before).any(axis=1))
        assert set(changed) <= set(tokens(seed).ravel()) - {3}
    state = optimizer.state_dict()["state"]
    for key, value in reference.state_dict()["state"].get(0, {}).items():
        assert np.allclose(np.asarray(state[0][key]), np.asarray(value), atol=1e-6)


def test_one_optimizer_for_rows_and_all_else():
    """SparseAdam steps an ordinary parameter as PyTorch's would one all of whose rows were looked up."""
    torch = pytest.importorskip("torch")
    weight = dt.tensor(TABLE, requires_grad=True)
    embedding = table()
    other = torch.nn.Embedding.from_pretrained(torch.tensor(TABLE), False, sparse=True)
    optimizer = optim.SparseAdam([weight, embedding.weight], lr=0.1)
    reference = torch.optim.SparseAdam(other.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        reference.zero_grad()
        (weight * weight).sum().backward()
        (other(torch.arange(ROWS)) ** 2).sum().backward()
        optimizer.step()
        reference.step()
    assert np.allclose(weight.detach(), other.weight.detach(), atol=1e-6)
    assert np.array_equal(embedding.weight.detach(), TABLE)


def test_clipping_sees_rows():
    norms, values = [], []
    for sparse in (True, False):
        embedding = table(sparse=sparse)
        other = dt.tensor([3.0, 4.0], requires_grad=True)
        backward(embedding, 1, scale=10.0)
        (other * other).sum().backward()
        norms.append(clip_grad_norm_([embedding.weight, other], 1.0).item())
        gradient = embedding.weight.sparse_grad.values if sparse else embedding.weight.grad
        norms.append(float(np.sqrt((gradient.numpy() ** 2).sum() + (other.grad.numpy() ** 2).sum())))
        clip_grad_value_(embedding.weight, 0.01)
        values.append(np.abs(gradient.numpy()).max())
        optimizer = optim.SGD([embedding.weight, other], lr=1.0)
        optimizer.step(max_norm=0.001)
        norms.append(optimizer.grad_norm)
        values.append(float(np.abs(embedding.weight.detach().numpy() - TABLE).sum()))
    assert np.allclose(norms[:3], norms[3:], rtol=1e-5)
    assert np.allclose(values[:2], values[2:], rtol=1e-3)
    assert norms[1] == pytest.approx(1.0, rel=1e-4)
    assert values[0] == pytest.approx(0.01)


@pytest.mark.parametrize("unscale", [False, True])
def test_grad_scaler_sees_rows(unscale):
    plain, scaled = table(), table()
    backward(plain, 1)
    optim.SGD(plain.parameters(), lr=0.1).step()
    optimizer, scaler = optim.SGD(scaled.parameters(), lr=0.1), optim.GradScaler(init_scale=1024.0)
    for factor in (1e38, 1.0):  # the first overflows and is skipped
        optimizer.zero_grad()
        backward(scaled, 1, scale=1024.0 * factor)
        if unscale:
            scaler.unscale_(optimizer)
        scaler._scale = 1024.0
        scaler.step(optimizer)
        scaler.update()
        if factor > 1:
            assert np.array_equal(scaled.weight.detach(), TABLE)
            scaler._scale = 1024.0
    assert scaler.skipped_steps == 1
    assert np.allclose(plain.weight.detach(), scaled.weight.detach(), atol=1e-6)


def test_wrong_uses_are_named():
    with pytest.raises(TypeError, match=r"Adam: a parameter of shape .* gets gradients of single rows"):
        optim.Adam(table().parameters())
    with pytest.raises(TypeError, match="Embedding: sparse must be True or False"):
        nn.Embedding(3, 2, sparse="no")
    for options in ({"momentum": 0.9}, {"weight_decay": 0.1}):
        embedding = table()
        backward(embedding, 0)
        with pytest.raises(ValueError, match="SGD: momentum and weight_decay change all rows"):
            optim.SGD(embedding.parameters(), **options).step()
    embedding, head = table(), nn.Linear(WIDTH, ROWS, bias=False)
    head.weight = embedding.weight
    head(embedding(dt.tensor([1]))).sum().backward()
    with pytest.raises(ValueError, match="tied weights need sparse=False"):
        optim.SGD(head.parameters()).step()
    with pytest.raises(ValueError, match="eps must be positive"):
        optim.SparseAdam(table().parameters(), eps=0.0)


def test_rows_that_are_not_finite_are_not_stepped():
    embedding = table()
    trainer = Trainer(embedding, loss=lambda y, t: (y * 0.0).sqrt().sum(), optimizer="sgd", seed=0)
    with pytest.raises(FloatingPointError, match="not finite"):
        trainer.fit(tokens(0), tokens(0), verbose=0)
    assert np.array_equal(embedding.weight.detach(), TABLE)


def test_copies_and_conversions():
    embedding = table()
    backward(embedding, 0)
    copied = copy.deepcopy(embedding)
    assert np.array_equal(copied.weight.sparse_grad.values, embedding.weight.sparse_grad.values)
    loaded = pickle.loads(pickle.dumps(embedding))
    assert isinstance(loaded.weight, nn.SparseParameter)
    assert loaded.weight.sparse_grad is None
    assert np.array_equal(loaded.weight.detach(), TABLE)
    embedding.double()
    assert embedding.weight.sparse_grad.values.dtype == dt.float64
    assert "sparse=True" in repr(embedding)
    with dt.no_grad():
        assert not embedding(dt.tensor([1])).requires_grad
    embedding.requires_grad_(False)
    assert not embedding(dt.tensor([1])).requires_grad


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(ROWS, WIDTH, sparse=True)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        return self.head(self.table(x).mean(axis=1))


@pytest.mark.parametrize("optimizer", ["sparseadam", "adagrad"])
def test_training_resumes_exactly(optimizer, tmp_path):
    """Also within a group of batches, whose gradients are in the checkpoint."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, ROWS, (60, 4)), rng.integers(0, 3, 60)

    def train(folder=None, at=None, resume=None):
        dt.manual_seed(0)
        trainer = Trainer(
            Words(),
            loss="cross_entropy",
            optimizer=optimizer,
            accumulate_grad_batches=3,
            gradient_clip_val=0.5,
            seed=0,
        )
        callbacks = [Checkpoint(folder, save_freq=1), KillAt(batch=at)] if folder else []
        trainer.fit(x, y, batch_size=6, epochs=2, verbose=0, callbacks=callbacks, resume=resume)
        return trainer.model.state_dict()

    whole = train()
    for batch in (4, 12):
        with pytest.raises(Killed):
            train(tmp_path / str(batch), batch)
        resumed = train(resume=tmp_path / str(batch))
        for name, value in whole.items():
            assert np.array_equal(value, resumed[name]), name


def test_checkpoint_within_a_group_of_batches():
    def trainer():
        dt.manual_seed(0)
        return Trainer(Words(), loss="cross_entropy", optimizer="sgd", accumulate_grad_batches=2, seed=0)

    first, second = trainer(), trainer()
    first.loop.accumulated = 1
    first.model(dt.tensor(tokens(0))).sum().backward()
    state = copy.deepcopy(first.state_dict())
    second.load_state_dict(state)
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        if isinstance(one, nn.SparseParameter):
            one, other = one.sparse_grad.values, other.sparse_grad.values
        else:
            one, other = one.grad, other.grad
        assert np.array_equal(one, other)


def test_batches_of_nothing_but_padding_have_no_loss():
    x = dt.tensor(np.ones((2, 3), np.float32), requires_grad=True)
    loss = nn.functional.cross_entropy(x, dt.tensor([-100, -100]))
    loss.backward()
    assert loss.item() == 0.0
    assert not x.grad.numpy().any()
    zero = nn.functional.cross_entropy(x, dt.tensor([1, 2]), sample_weight=dt.zeros((2,)))
    assert zero.item() == 0.0
