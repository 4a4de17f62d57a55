"""A parameter that two modules share counts once, everywhere."""

import copy
import pickle

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import io, models, nn, optim
from drivetrain.data import SequenceWindows
from drivetrain.nn.utils import clip_grad_norm_
from drivetrain.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from drivetrain.train import Checkpoint, Trainer
from resume_tools import KillAt, Killed

STREAM = np.random.default_rng(0).integers(0, 11, 600)


class Tied(nn.Module):
    def __init__(self, tied=True):
        super().__init__()
        self.tokens, self.head = nn.Embedding(11, 6), nn.Linear(6, 11)
        if tied:
            self.head.weight = self.tokens.weight

    def forward(self, tokens):
        return self.head(self.tokens(tokens).tanh())


def is_tied(model):
    return model.head.weight is model.tokens.weight


def batch():
    return dt.tensor(STREAM[:24].reshape(4, 6)), dt.tensor(STREAM[1:25].reshape(4, 6))


def loss_of(model):
    x, y = batch()
    return nn.functional.cross_entropy(model(x), y)


def test_it_is_listed_once():
    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["tokens.weight", "head.bias"]
    assert len(list(model.named_parameters(remove_duplicate=False))) == 3
    assert sorted(model.state_dict()) == ["head.bias", "head.weight", "tokens.weight"]
    lines = []
    model.summary((6,), dtype="int64", print_fn=lines.append)
    assert "Parameters: 77 (77 trained" in lines[0]
    assert nn.utils.parameters_to_vector(model.parameters()).shape == (77,)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.AdamW, optim.LBFGS, optim.Muon])
def test_steps_are_pytorchs_or_those_of_the_sum(optimizer):
    """One step of the sum of both gradients."""
    model, apart = Tied(), Tied(tied=False)
    apart.load_state_dict(model.state_dict())
    loss_of(model).backward()
    loss_of(apart).backward()
    total = apart.tokens.weight.grad + apart.head.weight.grad
    assert np.allclose(model.tokens.weight.grad, total, atol=1e-6)
    if optimizer is optim.LBFGS:
        return
    tables = [[model.tokens.weight], [apart.tokens.weight]]
    apart.tokens.weight.grad = total
    for parameters in tables:
        optimizer(parameters, lr=0.1).step()
    assert np.allclose(model.head.weight.detach(), apart.tokens.weight.detach(), atol=1e-5)
    with pytest.raises(ValueError, match="is given twice"):
        optimizer([model.tokens.weight, model.head.weight], lr=0.1)
    assert clip_grad_norm_(model.parameters(), 1e9).item() == pytest.approx(
        float(np.sqrt(sum((p.grad.numpy() ** 2).sum() for p in model.parameters())))
    )


def test_training_is_pytorchs():
    torch = pytest.importorskip("torch")
    model = Tied()
    x, y = batch()

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.head = torch.nn.Embedding(11, 6), torch.nn.Linear(6, 11)
            self.head.weight = self.tokens.weight

        def forward(self, tokens):
            return self.head(self.tokens(tokens).tanh())

    theirs = Theirs()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    theirs.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    assert sorted(theirs.state_dict()) == sorted(model.state_dict())
    ours, other = optim.Adam(model.parameters(), lr=0.05), torch.optim.Adam(theirs.parameters(), lr=0.05)
    for _ in range(5):
        ours.zero_grad()
        other.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        logits = theirs(torch.tensor(x.numpy()))
        torch.nn.functional.cross_entropy(logits.transpose(1, 2), torch.tensor(y.numpy())).backward()
        ours.step()
        other.step()
    assert np.allclose(model.head.weight.detach(), theirs.head.weight.detach(), atol=1e-5)


def test_copies_keep_it():
    model = Tied()
    assert is_tied(copy.deepcopy(model))
    assert is_tied(pickle.loads(pickle.dumps(model)))
    model.double()
    assert is_tied(model)
    assert model.head.weight.dtype == dt.float64
    ema = AveragedModel(Tied(), multi_avg_fn=get_ema_multi_avg_fn(0.5))
    assert is_tied(ema.module)
    trained = Tied()
    ema.update_parameters(trained)
    trained.tokens.weight.detach().fill_(3.0)
    before = ema.module.tokens.weight.detach().numpy().copy()
    ema.update_parameters(trained)  # once, and not twice
    assert np.allclose(ema.module.head.weight.detach(), before * 0.5 + 1.5)


def test_states_and_weight_files(tmp_path):
    model, other = Tied(), Tied()
    other.load_state_dict(model.state_dict())
    assert is_tied(other)
    assert np.array_equal(other.head.weight.detach(), model.tokens.weight.detach())
    path = tmp_path / "weights.safetensors"
    dt.save(model.state_dict(), path)
    fresh = Tied()
    fresh.load_state_dict(dt.load(path))
    assert is_tied(fresh)
    assert np.array_equal(fresh.head.weight.detach(), model.tokens.weight.detach())
    # A file of untied weights: both names are written, the second stays.
    untied = Tied(tied=False)
    fresh.load_state_dict(untied.state_dict())
    assert np.array_equal(fresh.tokens.weight.detach(), untied.head.weight.detach())


def test_whole_models(tmp_path):
    model = models.rnn_language_model(11, 8, layers=1)
    model.save(tmp_path / "model.safetensors")
    loaded = dt.load(tmp_path / "model.safetensors")
    assert loaded.head.weight is loaded.tokens.weight
    assert sum(p.size for p in loaded.parameters()) == sum(p.size for p in model.parameters())
    tokens = batch()[0]
    model.eval()
    loaded.eval()
    assert np.array_equal(model(tokens).detach(), loaded(tokens).detach())
    own = Tied()
    own.save(tmp_path / "own.safetensors")
    assert is_tied(io.load_model(tmp_path / "own.safetensors", custom_objects={"Tied": Tied}))


@pytest.mark.parametrize("batches", [2, 5])
def test_training_resumes_exactly(batches, tmp_path):
    def train(at=None, resume=None):
        dt.manual_seed(0)
        trainer = Trainer(
            Tied(),
            loss="cross_entropy",
            optimizer="adamw",
            accumulate_grad_batches=2,
            gradient_clip_val=0.5,
            seed=0,
        )
        callbacks = [] if at is None else [Checkpoint(tmp_path, save_freq=1), KillAt(batch=at)]
        windows = SequenceWindows(STREAM, 8, 20)
        trainer.fit(windows, epochs=2, callbacks=callbacks, resume=resume, verbose=0)
        return trainer

    whole = train()
    with pytest.raises(Killed):
        train(at=batches)
    resumed = train(resume=tmp_path)
    assert is_tied(resumed.model)
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value, resumed.model.state_dict()[name]), name
    assert len(whole.optimizer.state_dict()["state"]) == 2
    # A checkpoint has the values once.
    path = tmp_path / "one.safetensors"
    whole.save_checkpoint(path)
    names, _ = io.read_tensors(path)
    assert "model.tokens.weight" in names
    assert "model.head.weight" not in names
    state, _ = io.read_state(path)
    assert np.array_equal(state["model"]["tokens.weight"], state["model"]["head.weight"])
    assert state["model"]["tokens.weight"].data_ptr() != state["model"]["head.weight"].data_ptr()


def test_autocast_and_clipping_see_it_once():
    model = Tied()
    with dt.autocast("bfloat16"):
        loss_of(model).backward()
    assert np.isfinite(model.head.weight.grad.numpy()).all()
    # Regularisers, too.
    decay = optim.regularization.L2(0.5)(model).item()
    expected = sum(0.5 * (p.detach().numpy() ** 2).sum() for p in model.parameters() if p.ndim > 1)
    assert decay == pytest.approx(float(expected), rel=1e-5)
