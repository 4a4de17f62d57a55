"""A training that was ended at any moment goes on and ends with the bits of one that was not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import metrics, nn
from drivetrain.data import ArrayDataset, DataLoader, Sampler
from drivetrain.optim import lr_scheduler
from drivetrain.train import (
    BackupAndRestore,
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    ModelCheckpoint,
    StochasticWeightAveraging,
    SwapEMAWeights,
)
from resume_tools import SAMPLES, Average, KillAt, Killed, Record, X, Y, network, outcome, trainer

EPOCHS = 4
BATCHES = 13  # of 4 samples; the last has 2


def arrays():
    return X, Y


def whole_run(make_data=arrays, options=None, fit=None, extra=()):
    """The undisturbed run."""
    trained, callbacks = trainer(**(options or {})), [Average(), Record(), *extra]
    trained.fit(
        *make_data(), **{"batch_size": 4, "epochs": EPOCHS, "verbose": 0, **(fit or {})}, callbacks=callbacks
    )
    return outcome(trained, callbacks[:2]), trained


def killed_run(folder, kill, make_data=arrays, options=None, fit=None, extra=(), save_freq=1):
    """The run that is ended, and once more from its newest checkpoint."""
    settings = {"batch_size": 4, "epochs": EPOCHS, "verbose": 0, **(fit or {})}
    for last in (False, True):
        dt.manual_seed(99)  # a new process
        trained, callbacks = trainer(**(options or {})), [Average(), Record(), *extra]
        save = Checkpoint(folder, save_freq=save_freq)
        ends = [] if last else [kill]
        try:
            trained.fit(*make_data(), **settings, callbacks=[save, *callbacks, *ends], resume="auto")
            assert last
        except Killed:
            assert not last
    return outcome(trained, callbacks[:2]), trained


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch):
    """Thousands of files are written here, and no machine is switched off."""
    monkeypatch.setattr(os, "fsync", lambda file: None)


@pytest.fixture(scope="module")
def undisturbed():
    return whole_run()[0]


@pytest.mark.parametrize("batch", [0, 1, 2, 3, 5, 12, 13, 14, 26, 30, 38, 51])
def test_killed_behind_any_batch(tmp_path, undisturbed, batch):
    assert killed_run(tmp_path, KillAt(batch))[0] == undisturbed


@pytest.mark.parametrize("epoch", [1, 3])
def test_killed_between_epochs(tmp_path, undisturbed, epoch):
    assert killed_run(tmp_path, KillAt(epoch=epoch), save_freq="epoch")[0] == undisturbed


def test_killed_long_after_the_last_checkpoint(tmp_path, undisturbed):
    assert killed_run(tmp_path, KillAt(24), save_freq="epoch")[0] == undisturbed
    assert killed_run(tmp_path / "b", KillAt(24), save_freq=7)[0] == undisturbed


def test_killed_again_and_again(tmp_path, undisturbed):
    for batch in (2, 2, 9, 13, 20, 21, 40):
        trained, callbacks = trainer(), [Average(), Record()]
        ends = [Checkpoint(tmp_path, save_freq=2), *callbacks, KillAt(batch)]
        with pytest.raises(Killed):
            trained.fit(X, Y, 4, EPOCHS, 0, callbacks=ends, resume="auto")
    trained, callbacks = trainer(), [Average(), Record()]
    trained.fit(X, Y, 4, EPOCHS, 0, callbacks=[Checkpoint(tmp_path), *callbacks], resume="auto")
    assert outcome(trained, callbacks) == undisturbed


class Stateful(Sampler):
    """Draws its order from a generator of its own, which only its state knows."""

    def __init__(self):
        self.generator = np.random.default_rng(5)

    def __len__(self):
        return len(X)

    def indices(self):
        return self.generator.permutation(len(X))

    def state_dict(self):
        return {"text": json.dumps(self.generator.bit_generator.state)}

    def load_state_dict(self, state):
        self.generator.bit_generator.state = json.loads(state["text"])


class Iterable:
    """Batches without a length or a state."""

    def __iter__(self):
        return iter([(X[i : i + 4], Y[i : i + 4]) for i in range(0, 50, 4)])


class Sized(Iterable):
    """Batches whose number is known."""

    def __len__(self):
        return 13


def generator():
    while True:
        yield from Iterable()


DATA = {
    "array data set": lambda: (ArrayDataset(X, Y),),
    "list of samples": lambda: (SAMPLES,),
    "loader": lambda: (DataLoader(ArrayDataset(X, Y), 4, shuffle=True, seed=5),),
    "loader with a thread": lambda: (
        DataLoader(SAMPLES, 4, shuffle=True, seed=5, prefetch=2, drop_last=True),
    ),
    "sampler with a state": lambda: (DataLoader(ArrayDataset(X, Y), 4, sampler=Stateful()),),
    "batches with a length": lambda: (Sized(),),
    "iterable": lambda: (Iterable(),),
}


@pytest.mark.parametrize("batch", [1, 12, 13, 20])
@pytest.mark.parametrize("kind", DATA)
def test_kinds_of_data(tmp_path, kind, batch):
    make = DATA[kind]
    assert killed_run(tmp_path, KillAt(batch), make)[0] == whole_run(make)[0]


@pytest.mark.parametrize("batch", [1, 7, 10, 13, 17])
@pytest.mark.parametrize(
    "kind", ["loader", "batches with a length", "sampler with a state", "generator", "iterable"]
)
def test_steps_per_epoch(tmp_path, kind, batch):
    make = DATA.get(kind, lambda: (generator(),))
    fit = {"steps_per_epoch": 5}
    assert killed_run(tmp_path, KillAt(batch), make, fit=fit)[0] == whole_run(make, fit=fit)[0]


@pytest.mark.parametrize("batch", [1, 6, 7, 17])
@pytest.mark.parametrize("kind", ["loader", "batches with a length", "sampler with a state"])
def test_limited_epochs(tmp_path, kind, batch):
    make, options = DATA[kind], {"limit_train_batches": 6}
    assert killed_run(tmp_path, KillAt(batch), make, options)[0] == whole_run(make, options)[0]


@pytest.mark.parametrize("batch", [4, 6, 7, 12, 13, 18])
def test_validation_by_a_shuffled_loader_and_within_epochs(tmp_path, batch):
    def fit():
        return {"validation_data": DataLoader(ArrayDataset(X, Y), 8, shuffle=True, seed=1)}

    options = {"val_check_interval": 6, "log_every_n_steps": 4}
    assert (
        killed_run(tmp_path, KillAt(batch), options=options, fit=fit())[0]
        == whole_run(options=options, fit=fit())[0]
    )


@pytest.mark.parametrize("batch", [5, 13, 17])
def test_float16_with_a_scaler(tmp_path, batch):
    options = {"precision": "float16"}
    result, trained = killed_run(tmp_path, KillAt(batch), options=options)
    assert result == whole_run(options=options)[0]
    assert trained.scaler.get_scale() > 1


def test_several_groups_and_other_optimizers(tmp_path):
    def groups(parameters):
        parameters = list(parameters)
        return dt.optim.SGD(
            [{"params": parameters[:2], "lr": 0.1}, {"params": parameters[2:]}], lr=0.01, momentum=0.9
        )

    options = {"optimizer": groups, "lr_scheduler": None}
    assert killed_run(tmp_path, KillAt(17), options=options)[0] == whole_run(options=options)[0]


OPTIMIZERS = [name for name in dir(dt.optim) if isinstance(getattr(dt.optim, name), type)]
OPTIMIZERS = [
    name
    for name in OPTIMIZERS
    if issubclass(getattr(dt.optim, name), dt.optim.Optimizer) and name != "Optimizer"
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(tmp_path, name):
    def model():
        return nn.Sequential(nn.Linear(6, 12, bias=False), nn.ReLU(), nn.Linear(12, 3, bias=False))

    def options():  # Muon takes matrices alone
        made = {"optimizer": lambda p: getattr(dt.optim, name)(p, lr=0.01), "lr_scheduler": None}
        if name == "LBFGS":  # it computes the gradients of every batch several times
            made["accumulate_grad_batches"] = 1
        return {**made, "model": model()}

    dt.manual_seed(1)
    whole = whole_run(options=Fresh(options))[0]
    for batch in (2, 17):
        dt.manual_seed(1)
        assert killed_run(tmp_path / str(batch), KillAt(batch), options=Fresh(options))[0] == whole


class Fresh:
    """Options that are made anew, from the same seed, whenever they are taken."""

    def __init__(self, make):
        self.make = make

    def keys(self):
        dt.manual_seed(1)
        self.made = self.make()
        return self.made.keys()

    def __getitem__(self, name):
        return self.made[name]


SCHEDULES = {
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, max_lr=0.1, total_steps=20),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.001, 0.1, step_size_up=3, cycle_momentum=False),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 1, gamma=0.5),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=0.5),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o), lr_scheduler.ExponentialLR(o, 0.9)], milestones=[2]
    ),
    "WarmUp": lambda o: lr_scheduler.WarmUp(lr_scheduler.CosineAnnealingLR(o, 10), 2),
}


@pytest.mark.parametrize("batch", [3, 13, 20])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(tmp_path, name, batch):
    options = {"lr_scheduler": SCHEDULES[name]}
    assert killed_run(tmp_path, KillAt(batch), options=options)[0] == whole_run(options=options)[0]


def test_metrics_with_much_state(tmp_path):
    class Own(metrics.Metric):
        name = "own"

        def reset(self):
            self.seen = []

        def update(self, y_true, y_pred, sample_weight=None):
            self.seen.append(float(np.asarray(y_pred.detach()).sum()))

        def result(self):
            return sum(self.seen)

    def options():
        several = [
            "accuracy",
            "log_loss",
            metrics.ROCAUC(),
            metrics.F1(average="macro"),
            metrics.CohenKappa(),
            Own(),
        ]
        return {"metrics": several}

    whole = whole_run(options=Fresh(options))[0]
    for batch in (5, 13, 20):
        assert killed_run(tmp_path / str(batch), KillAt(batch), options=Fresh(options))[0] == whole


@pytest.mark.parametrize("batch", [3, 20, 35])
def test_averages_of_weights(tmp_path, batch):
    for make in (
        lambda: SwapEMAWeights(momentum=0.9),
        lambda: SwapEMAWeights(swap_on_epoch=True),
        lambda: StochasticWeightAveraging(0.01, swa_epoch_start=1),
    ):
        fit = {"validation_split": 0.2}
        whole = whole_run(fit=fit, extra=[make()])[0]
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        trials = iter([make(), make()])
        result = killed_run(folder, KillAt(batch), fit=fit, extra=Each(trials))[0]
        assert result == whole


class Each:
    """One callback per run."""

    def __init__(self, callbacks):
        self.callbacks = callbacks

    def __iter__(self):
        yield next(self.callbacks)


def test_random_numbers_that_callbacks_draw(tmp_path):
    class Noise(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            dt.rand((3,))

        def on_train_batch_end(self, batch, logs=None):
            with dt.no_grad():
                self.model[0].bias += dt.randn((12,)) * 0.01

    for batch in (13, 20):
        first = killed_run(tmp_path / str(batch), KillAt(batch), extra=[Noise()])[0]
        assert first == whole_run(extra=[Noise()])[0]


def test_rates_that_callbacks_change_at_the_start_of_an_epoch(tmp_path):
    class Decay(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            for group in self.trainer.optimizer.param_groups:
                group["lr"] *= 0.5

    options = {"lr_scheduler": None}
    for batch in (13, 20):
        first = killed_run(tmp_path / str(batch), KillAt(batch), options=options, extra=[Decay()])[0]
        assert first == whole_run(options=options, extra=[Decay()])[0]


@pytest.mark.parametrize("batch", [3, 15, 28])
def test_callbacks_of_ours(tmp_path, batch):
    """Early stopping with weights to put back, files of metrics and models: as if nothing had happened."""

    def extra(folder):
        folder.mkdir(exist_ok=True)
        return [
            EarlyStopping("val_loss", patience=1, restore_best_weights=True),
            CSVLogger(folder / "log.csv"),
            ModelCheckpoint(folder / "best.safetensors", save_best_only=True),
        ]

    fit = {"validation_split": 0.3, "epochs": 8}
    whole, _ = whole_run(fit=fit, extra=extra(tmp_path / "a"))
    result, _ = killed_run(tmp_path / "c", KillAt(batch), fit=fit, extra=extra(tmp_path / "b"))
    assert result == whole
    for name in ("log.csv", "best.safetensors"):
        assert (tmp_path / "b" / name).read_bytes() == (tmp_path / "a" / name).read_bytes()


def test_a_finished_run_stays_as_it_is(tmp_path, undisturbed):
    for _ in range(2):
        trained, callbacks = trainer(), [Average(), Record()]
        history = trained.fit(X, Y, 4, EPOCHS, 0, callbacks=[Checkpoint(tmp_path), *callbacks], resume="auto")
        assert outcome(trained, callbacks) == undisturbed
        assert history.epoch == [0, 1, 2, 3]


def test_longer_than_planned(tmp_path):
    """More epochs than the run that was saved had; no schedule, which would have been planned for them."""
    options = {"lr_scheduler": None}
    trained, callbacks = trainer(**options), [Average(), Record()]
    trained.fit(X, Y, 4, 2, 0, callbacks=[Checkpoint(tmp_path), *callbacks])
    trained, callbacks = trainer(**options), [Average(), Record()]
    trained.fit(X, Y, 4, EPOCHS, 0, callbacks=[Checkpoint(tmp_path), *callbacks], resume="auto")
    assert outcome(trained, callbacks) == whole_run(options=options)[0]


def test_save_checkpoint_by_hand(tmp_path):
    """Outside of fit a checkpoint has no data and no callbacks, but knows the epoch."""
    options = {"lr_scheduler": None}
    trained = trainer(**options)
    trained.fit(X, Y, 4, 2, 0)
    trained.save_checkpoint(tmp_path / "half.safetensors")
    again = trainer(**options)
    again.fit(X, Y, 4, EPOCHS, 0, resume=tmp_path / "half.safetensors")
    whole = trainer(**options)
    whole.fit(X, Y, 4, EPOCHS, 0)
    assert outcome(again, []) == outcome(whole, [])
    assert again.history.epoch == [0, 1, 2, 3]


def test_backup_and_restore(tmp_path, undisturbed):
    folder = tmp_path / "backup"
    for batch in (5, 30, None):
        trained, callbacks = trainer(), [Average(), Record()]
        backup = BackupAndRestore(folder, save_freq=2, double_checkpoint=True)
        ends = [] if batch is None else [KillAt(batch)]
        try:
            trained.fit(X, Y, 4, EPOCHS, 0, callbacks=[backup, *callbacks, *ends])
        except Killed:
            assert len(list(folder.iterdir())) == 2
    assert outcome(trained, callbacks) == undisturbed
    assert not folder.exists()


def test_backup_that_stays(tmp_path):
    trained = trainer()
    trained.fit(X, Y, 4, 1, 0, callbacks=BackupAndRestore(tmp_path / "b", delete_checkpoint=False))
    assert len(list((tmp_path / "b").iterdir())) == 1


@pytest.mark.parametrize("options", [[], ["--faults"], ["--augment"], ["--text"]])
def test_sigkill(options):
    """The real thing, a few times; ``python tools/kill_resume.py 200`` does it as often as wanted."""
    if "--augment" in options:
        pytest.importorskip("PIL")
        pytest.importorskip("drivetrain.augment")
    path = Path(__file__).parents[1] / "tools" / "kill_resume.py"
    command = [sys.executable, str(path), "4", "--seed", "3", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ended.stdout.startswith("4 of 4 ended with the same bits; 0 lost a checkpoint"), ended
    assert ended.returncode == 0


class TestWhatDoesNotFit:
    @pytest.fixture
    def saved(self, tmp_path):
        trained = trainer()
        with pytest.raises(Killed):
            trained.fit(X, Y, 4, 2, 0, callbacks=[Checkpoint(tmp_path, save_freq=5), KillAt(6)])
        return tmp_path

    def test_every_difference_is_listed(self, saved):
        model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
        other = trainer(
            model=model, optimizer=lambda p: dt.optim.SGD(p, lr=0.1), lr_scheduler=None, metrics=[]
        )
        before = outcome(other, [])
        with pytest.raises(ValueError, match="does not fit this Trainer") as caught:
            other.fit(X, Y, 4, 2, 0, resume=saved)
        for part in (
            "model: 3.weight is missing",
            "model: 4.weight is unexpected",
            "model: 0.weight has shape (12, 6), expected (8, 6)",
            "optimizer: it is AdamW, expected SGD",
            "lr_scheduler: it is optimizer_schedule, expected none",
            "metrics: in the middle of an epoch, they are loss, accuracy, expected loss",
        ):
            assert part in str(caught.value)
        assert outcome(other, []) == before

    def test_groups(self, saved):
        def groups(parameters):
            parameters = list(parameters)
            return dt.optim.AdamW([{"params": parameters[:2]}, {"params": parameters[2:]}])

        with pytest.raises(ValueError, match="optimizer: 1 parameter groups, expected 2"):
            trainer(optimizer=groups).fit(X, Y, 4, 2, 0, resume=saved)

    def test_another_isa_level_or_setting(self, saved):
        levels = dt.isa_levels()
        if len(levels) < 2:
            pytest.skip("this CPU has one level")
        before = dt.get_isa()
        try:
            dt.set_isa(next(level for level in levels if level != before))
            with pytest.warns(RuntimeWarning, match=f"isa {before} is now"):
                trainer().fit(X, Y, 4, 2, 0, resume=saved)
        finally:
            dt.set_isa(before)
        with pytest.warns(RuntimeWarning, match="accumulate_grad_batches 3 is now 2"):
            trainer(accumulate_grad_batches=2).fit(X, Y, 4, 2, 0, resume=saved)

    def test_other_batches_in_the_middle_of_an_epoch(self, saved):
        other = trainer()
        before = outcome(other, [])
        with pytest.raises(
            ValueError, match=r"middle of an epoch over other data .*batch_size 4, this loader 5"
        ):
            other.fit(X, Y, 5, 2, 0, resume=saved)
        assert outcome(other, []) == before
        with pytest.raises(ValueError, match="length 50, this loader 40"):
            trainer().fit(X[:40], Y[:40], 4, 2, 0, resume=saved)

    def test_other_batches_between_epochs(self, tmp_path):
        options = {"lr_scheduler": None}
        trainer(**options).fit(X, Y, 4, 1, 0, callbacks=Checkpoint(tmp_path))
        with pytest.warns(RuntimeWarning, match="resumed with other data or batches"):
            trainer(**options).fit(X, Y, 5, 2, 0, resume=tmp_path)

    def test_other_callbacks(self, tmp_path):
        trainer().fit(X, Y, 4, 1, 0, callbacks=[Checkpoint(tmp_path), Record()])
        with pytest.warns(RuntimeWarning, match=r"Average begins anew, the state of Record is not used"):
            trainer().fit(X, Y, 4, 2, 0, callbacks=Average(), resume=tmp_path)

    def test_where_there_is_nothing(self, tmp_path):
        with pytest.raises(ValueError, match="resume='auto' looks in the folder of a Checkpoint"):
            trainer().fit(X, Y, resume="auto", verbose=0)
        for path in (tmp_path, tmp_path / "none.safetensors"):
            with pytest.raises(FileNotFoundError):
                trainer().fit(X, Y, resume=path, verbose=0)
        dt.io.save_weights(network(), tmp_path / "w.safetensors")
        with pytest.raises(ValueError, match="holds a 'weights', expected a 'checkpoint'"):
            trainer().fit(X, Y, resume=tmp_path / "w.safetensors", verbose=0)

    def test_checkpoints_of_another_run_are_not_overwritten(self, tmp_path):
        save = Checkpoint(tmp_path)
        first = trainer(lr_scheduler=None)
        first.fit(X, Y, 4, 1, 0, callbacks=save)
        first.fit(X, Y, 4, 2, 0, callbacks=save, initial_epoch=1)  # the same run goes on
        with pytest.raises(ValueError, match="has checkpoints already, such as checkpoint-000002"):
            trainer().fit(X, Y, 4, 1, 0, callbacks=Checkpoint(tmp_path))

    def test_no_state_of_a_trainer(self):
        trained = trainer()
        before = outcome(trained, [])
        with pytest.raises(TypeError, match="state is a list"):
            trained.load_state_dict([])
        with pytest.raises(ValueError, match="loop is missing"):
            trained.load_state_dict({})
        state = trained.state_dict()
        for name in state:
            with pytest.raises(ValueError, match=f"{name} is of a wrong kind"):
                trained.load_state_dict({**state, name: "?"})
            with pytest.raises(ValueError, match=f"{name} is missing"):
                trained.load_state_dict({key: value for key, value in state.items() if key != name})
        for bad in ({"loop": {}}, {"random": ["a", 1]}, {"history": {}}, {"random": [1]}):
            with pytest.raises((ValueError, TypeError)):
                trained.load_state_dict({**state, **bad})
        assert outcome(trained, []) == before

    def test_states_that_no_file_can_hold(self, tmp_path):
        class Odd(Callback):
            def state_dict(self):
                return {"thing": {"it": object()}}

        with pytest.raises(TypeError, match=r"callbacks\.0\.state\.thing\.it, which is object"):
            trainer().fit(X, Y, 4, 1, 0, callbacks=[Odd(), Checkpoint(tmp_path)])
