"""Callbacks by Keras's and Lightning's names: learning rates, functions, tables, TensorBoard."""

import math

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.train import (
    BackupAndRestore,
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    History,
    LambdaCallback,
    LearningRateMonitor,
    LearningRateScheduler,
    ModelCheckpoint,
    ModelSummary,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TensorBoard,
    TerminateOnNaN,
    Trainer,
)
from trainer_tools import R, X, Y, classifier, regression


def lr_of(trainer):
    return trainer.optimizer.param_groups[0]["lr"]


class Script(Callback):
    """Puts a metric with given values into the logs."""

    adds_to_logs = True

    def __init__(self, values, name="val_loss"):
        super().__init__()
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


def rates(values, **options):
    """The rate that every epoch was trained with, and the last, in units of the first."""
    callback = ReduceLROnPlateau(**options)
    trainer = regression(callbacks=[Script(values, options.get("monitor", "val_loss")), callback])
    trainer.fit(X, R, 90, epochs=len(values), verbose=0)
    return [round(rate / 0.1, 6) for rate in (*trainer.history.history["learning_rate"], lr_of(trainer))]


class TestKerasNames:
    def test_where_keras_has_them(self):
        for name in dt.callbacks.__all__:
            assert getattr(dt.callbacks, name) is getattr(dt.train, name)
        assert dt.callbacks.ProgbarLogger is dt.train.ProgressBar
        exported = [getattr(dt.train, name) for name in dt.train.__all__]
        found = {part for part in exported if isinstance(part, type) and issubclass(part, Callback)}
        assert found == {getattr(dt.callbacks, name) for name in dt.callbacks.__all__}

    def test_legacy_batch_hooks(self):
        calls = []

        class Old(Callback):
            def on_batch_begin(self, batch, logs=None):
                calls.append(("begin", batch))

            def on_batch_end(self, batch, logs=None):
                calls.append(("end", batch, "loss" in logs))

        regression().fit(X, R, 45, verbose=0, callbacks=[Old()])
        assert calls == [("begin", 0), ("end", 0, True), ("begin", 1), ("end", 1, True)]

    def test_those_that_save_come_last_and_those_that_log_first(self):
        class Saves(Callback):
            saves_state = True

        from drivetrain.train.callbacks import CallbackList

        given = [Saves(), Callback(), LearningRateMonitor(), History()]
        ordered = CallbackList(given, model=None, trainer=None, params={}).callbacks
        assert ordered == [given[2], given[1], given[3], given[0]]

    def test_a_callback_without_state(self):
        assert Callback().state_dict() == {}
        Callback().load_state_dict({})
        with pytest.raises(ValueError, match="it has none"):
            Callback().load_state_dict({"a": 1})


class TestReduceLROnPlateau:
    def test_after_patience(self):
        assert rates([1, 1, 1, 1, 1], patience=2, factor=0.5) == [1, 1, 1, 0.5, 0.5, 0.25]

    def test_an_improvement_begins_anew(self):
        assert rates([1, 1, 0.5, 0.5, 0.5], patience=2, factor=0.5) == [1, 1, 1, 1, 1, 0.5]
        assert rates([1, 0.95, 0.93], patience=1, factor=0.5, min_delta=0.1) == [1, 1, 0.5, 0.25]

    def test_cooldown(self):
        assert rates([1] * 7, patience=1, factor=0.5, cooldown=2) == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]

    def test_not_below_the_least(self):
        assert rates([1] * 4, patience=1, factor=0.5, min_lr=0.04) == [1, 1, 0.5, 0.4, 0.4]
        assert rates([1] * 3, patience=1, factor=0.5, min_lr=0.5) == [1, 1, 1, 1]  # is below already

    def test_larger_is_better(self):
        assert rates([1, 2, 2], monitor="val_accuracy", patience=1, factor=0.5) == [1, 1, 1, 0.5]

    def test_equals_a_direct_transcription_of_keras(self):
        def keras(values, factor, patience, min_delta, cooldown, min_lr):
            best, wait, counter, lr, used = math.inf, 0, 0, 1.0, []
            for value in values:
                used.append(lr)
                if counter > 0:
                    counter, wait = counter - 1, 0
                    cools = True
                else:
                    cools = False
                if value < best - min_delta:
                    best, wait = value, 0
                elif not cools:
                    wait += 1
                    if wait >= patience and lr > min_lr:
                        lr, counter, wait = max(lr * factor, min_lr), cooldown, 0
            return [round(rate, 6) for rate in (*used, lr)]

        rng = np.random.default_rng(0)
        for patience, cooldown in ((1, 0), (2, 1), (3, 4)):
            values = (1 - np.arange(25) / 50 + rng.normal(size=25) / 20).tolist()
            options = {"factor": 0.5, "patience": patience, "min_delta": 0.01, "cooldown": cooldown}
            assert rates(values, **options) == keras(values, **options, min_lr=0.0)

    def test_all_groups(self):
        model = nn.Linear(4, 1)
        optimizer = optim.SGD([{"params": [model.weight], "lr": 1.0}, {"params": [model.bias]}], lr=0.1)
        lower = ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=1e9)
        Trainer(model, loss="mse", optimizer=optimizer, callbacks=[lower]).fit(X, R, epochs=2, verbose=0)
        assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.05]

    def test_bad_arguments(self):
        for options in (
            {"factor": 1.0},
            {"factor": -0.1},
            {"patience": -1},
            {"cooldown": -1},
            {"min_lr": -1},
        ):
            with pytest.raises(ValueError, match=f"ReduceLROnPlateau: {next(iter(options))} (is|must be) "):
                ReduceLROnPlateau(**options)
        with pytest.raises(ValueError, match="no metric 'val_loss'"):
            regression(callbacks=[ReduceLROnPlateau()]).fit(X, R, verbose=0)


class TestLearningRates:
    @pytest.mark.parametrize("schedule", [lambda epoch, lr: lr / 2, lambda epoch: 0.1 / 2 ** (epoch + 1)])
    def test_scheduler(self, schedule):
        trainer = regression(callbacks=[LearningRateScheduler(schedule)])
        trainer.fit(X, R, epochs=3, verbose=0)
        assert trainer.history.history["learning_rate"] == [0.05, 0.025, 0.0125]

    @pytest.mark.parametrize(
        ("schedule", "error", "message"),
        [
            (0.1, TypeError, "schedule is a float, expected a function"),
            (lambda epoch, lr: None, TypeError, "schedule returned None"),
            (lambda epoch, lr: -1.0, ValueError, "schedule returned -1.0"),
            (lambda epoch, lr: math.nan, ValueError, "schedule returned nan"),
        ],
    )
    def test_scheduler_with_bad_functions(self, schedule, error, message):
        with pytest.raises(error, match=message):
            regression(callbacks=[LearningRateScheduler(schedule)]).fit(X, R, verbose=0)

    def test_monitor_of_epochs(self, tmp_path):
        log = CSVLogger(tmp_path / "log.csv")  # before: the monitor's values are there nevertheless
        monitor = LearningRateMonitor()
        lower = LearningRateScheduler(lambda epoch, lr: lr / 2 if epoch else lr)
        trainer = regression(callbacks=[log, lower, monitor])
        trainer.fit(X, R, epochs=2, verbose=0)
        # What an epoch begins with is seen before the callbacks that change it.
        assert monitor.lrs == {"lr-SGD": trainer.history.history["lr-SGD"]}
        assert "lr-SGD" in (tmp_path / "log.csv").read_text().splitlines()[0]

    def test_monitor_of_steps(self):
        class Halve:
            interval = "step"

            def __init__(self, optimizer):
                self.optimizer = optimizer

            def step(self):
                self.optimizer.param_groups[0]["lr"] /= 2

        monitor = LearningRateMonitor()
        trainer = regression(callbacks=[monitor], lr_scheduler=Halve)
        trainer.fit(X, R, 30, epochs=1, verbose=0)
        assert monitor.lrs == {"lr-SGD": [0.1, 0.05, 0.025]}
        every = regression(callbacks=[monitor], lr_scheduler=Halve, log_every_n_steps=3)
        every.fit(X, R, 30, epochs=2, verbose=0)
        assert monitor.lrs == {"lr-SGD": [0.025, 0.1 / 2**5]}

    def test_monitor_of_momentum_and_decay_in_groups(self):
        model = nn.Linear(4, 1)
        optimizer = optim.AdamW([{"params": [model.weight]}, {"params": [model.bias], "weight_decay": 0.5}])
        monitor = LearningRateMonitor("epoch", log_momentum=True, log_weight_decay=True)
        Trainer(model, loss="mse", optimizer=optimizer, callbacks=[monitor]).fit(X, R, verbose=0)
        assert monitor.lrs == {
            "lr-AdamW/pg1": [0.001], "lr-AdamW/pg1-momentum": [0.9], "lr-AdamW/pg1-weight_decay": [0.01],
            "lr-AdamW/pg2": [0.001], "lr-AdamW/pg2-momentum": [0.9], "lr-AdamW/pg2-weight_decay": [0.5],
        }  # fmt: skip
        with pytest.raises(ValueError, match="logging_interval is 'batch'"):
            LearningRateMonitor("batch")

    def test_an_optimizer_without_groups(self):
        class Own:
            def zero_grad(self): ...
            def step(self): ...

        with pytest.raises(TypeError, match="the optimizer Own has no param_groups"):
            regression(optimizer=Own(), callbacks=[LearningRateMonitor()]).fit(X, R, verbose=0)


class TestSmall:
    def test_terminate_on_nan(self, capsys):
        def loss(output, target):
            return nn.functional.mse_loss(output, target) * (math.nan if target.shape[0] < 32 else 1)

        trainer = regression(loss=loss, callbacks=[TerminateOnNaN()], on_nonfinite="ignore")
        trainer.fit(X, R, epochs=5, verbose=0)
        assert trainer.history.epoch == [0]
        assert capsys.readouterr().out == "Batch 2: the loss is nan, the training ends\n"

    def test_lambda(self):
        calls = []
        callback = LambdaCallback(
            on_epoch_end=lambda epoch, logs: calls.append(epoch),
            on_train_end=lambda logs: calls.append("end"),
            on_test_begin=lambda logs: calls.append("test"),
        )
        regression(callbacks=[callback]).fit(X, R, epochs=2, verbose=0, validation_data=(X, R))
        assert calls == ["test", 0, "test", 1, "end"]
        with pytest.raises(TypeError, match="no hook 'on_epoch_ends'; did you mean 'on_epoch_end'"):
            LambdaCallback(on_epoch_ends=print)
        with pytest.raises(TypeError, match="on_epoch_end is a int, expected a function"):
            LambdaCallback(on_epoch_end=3)

    def test_summary(self, capsys):
        model = nn.Sequential(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 1))
        trainer = Trainer(model, loss="mse", optimizer="sgd", callbacks=[ModelSummary()])
        trainer.fit(X, R, verbose=0)
        shown = capsys.readouterr().out
        assert "0 (Sequential)" in shown
        assert "40" in shown  # of the layer within it
        assert "0.0" not in shown
        for depth, expected in ((-1, True), (2, True), (0, False)):
            trainer.fit(X, R, verbose=0, callbacks=[ModelSummary(depth)])
            assert ("0.0 (Linear)" in capsys.readouterr().out) == expected
        with pytest.raises(ValueError, match=r"max_depth must be .*, got -2"):
            ModelSummary(-2)


class TestState:
    """Interrupted and gone on with: as if there had been no interruption."""

    def make(self, folder):
        return [
            EarlyStopping("loss", patience=3, restore_best_weights=True),
            ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.05),
            ModelCheckpoint(folder / "m", "loss", save_best_only=True, initial_value_threshold=100),
            LearningRateMonitor(),
            CSVLogger(folder / "log.csv"),
        ]

    def test_round_trip(self, tmp_path):
        class Stop(Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.model.stop_training = self.model.stop_training or epoch == 3

        class GoOn(Callback):
            """What a resumed training does, after on_train_begin of the others."""

            saves_state = True

            def __init__(self, callbacks, states):
                super().__init__()
                self.callbacks, self.states = callbacks, states

            def on_train_begin(self, logs=None):
                for callback, state in zip(self.callbacks, self.states, strict=True):
                    callback.load_state_dict(state)

        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        whole = self.make(tmp_path / "a")
        regression().fit(X, R, epochs=8, verbose=0, callbacks=whole)
        trainer, first = regression(), self.make(tmp_path / "b")
        trainer.fit(X, R, epochs=8, verbose=0, callbacks=[*first[:4], Stop(), first[4]])
        states = [callback.state_dict() for callback in first]
        with open(tmp_path / "b/log.csv", "a") as file:
            file.write("4,0.1,0.2,0.3\n5,torn")  # what the run wrote after its last checkpoint
        second = self.make(tmp_path / "b")
        trainer.fit(X, R, epochs=8, initial_epoch=4, verbose=0, callbacks=[*second, GoOn(second, states)])
        assert (tmp_path / "a/log.csv").read_text() == (tmp_path / "b/log.csv").read_text()
        for one, other in zip(whole, second, strict=True):
            mine, theirs = one.state_dict(), other.state_dict()
            for weights in (mine, theirs):
                best = weights.pop("best_weights", None) or {}
                weights |= {name: value.tolist() for name, value in best.items()}
            assert mine == theirs

    @pytest.mark.parametrize("number", range(5))
    def test_damaged(self, tmp_path, number):
        callback = self.make(tmp_path)[number]
        callback.trainer = regression()
        before = callback.state_dict()
        wrong = [{}, {"x": 1}, {**before, "x": 1}]
        wrong += [{**before, name: value} for name in before for value in ("no", -1)]
        for state in wrong:
            with pytest.raises(ValueError, match="load_state_dict"):
                callback.load_state_dict(state)
        assert callback.state_dict() == before

    def test_a_log_that_is_too_short(self, tmp_path):
        log = CSVLogger(tmp_path / "log.csv")
        log.on_train_begin()
        with pytest.raises(ValueError, match="has 0 epochs, but 3 were done"):
            log.load_state_dict({"keys": ["loss"], "rows": 3})


class TestTensorBoard:
    def read(self, folder):
        """All entries of a run: (kind, name, step) and value."""
        pytest.importorskip("tensorboardX")
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import RecordWriter  # noqa: F401

        entries = []
        for path in sorted(folder.rglob("events*")):
            data = path.read_bytes()
            while data:
                length = int.from_bytes(data[:8], "little")
                event = Event.FromString(data[12 : 12 + length])
                data = data[16 + length :]
                for value in event.summary.value:
                    entries.append((value.WhichOneof("value"), value.tag, event.step, value.simple_value))
        return entries

    def test_scalars(self, tmp_path):
        pytest.importorskip("tensorboardX")
        trainer = classifier(metrics=["accuracy"], callbacks=[TensorBoard(tmp_path)])
        trainer.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y))
        train = self.read(tmp_path / "train")
        assert [entry[:3] for entry in train] == [
            ("simple_value", "epoch_loss", 0), ("simple_value", "epoch_accuracy", 0),
            ("simple_value", "epoch_loss", 1), ("simple_value", "epoch_accuracy", 1),
        ]  # fmt: skip
        assert train[2][3] == pytest.approx(trainer.history.history["loss"][1])
        assert [entry[1] for entry in self.read(tmp_path / "validation")] == [
            "epoch_loss",
            "epoch_accuracy",
        ] * 2

    def test_batches(self, tmp_path):
        pytest.importorskip("tensorboardX")
        board = TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True)
        classifier(callbacks=[board]).fit(X, Y, 15, epochs=2, verbose=0)
        entries = self.read(tmp_path)
        assert [step for _, name, step, _ in entries if name == "batch_loss"] == [2, 4, 6, 8, 10, 12]
        assert sum(name == "epoch_steps_per_second" for _, name, _, _ in entries) == 2

    def test_weights_and_hyper_parameters(self, tmp_path):
        pytest.importorskip("tensorboardX")
        model = nn.Sequential(nn.Unflatten(1, (2, 2, 1)), nn.Conv2d(1, 3, 2), nn.Flatten(), nn.Linear(3, 3))
        board = TensorBoard(tmp_path, histogram_freq=2, write_images=True, hparams={"lr": 0.1, "layers": [3]})
        trainer = Trainer(model, loss="cross_entropy", optimizer="sgd", callbacks=[board])
        trainer.fit(X, Y, epochs=3, verbose=0)
        entries = self.read(tmp_path)
        assert {name for kind, name, step, _ in entries if kind == "histo" and step == 1} == {
            "1.weight", "1.bias", "3.weight", "3.bias",
        }  # fmt: skip
        assert {name for kind, name, _, _ in entries if kind == "image"} == {"1.weight", "3.weight"}
        assert any("hparam/loss" in name for _, name, _, _ in entries)

    def test_without_the_library(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "tensorboardX", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[tensorboard\]'"):
            TensorBoard()

    def test_bad_arguments(self):
        for options in ({"histogram_freq": -1}, {"update_freq": 0}, {"update_freq": "step"}):
            with pytest.raises(ValueError, match=f"TensorBoard: {next(iter(options))} (is|must be) "):
                TensorBoard(**options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: EarlyStopping(patience=1.5),
            "EarlyStopping: patience must be an integer of at least 0, got 1.5",
        ),
        (
            lambda: EarlyStopping(patience="x"),
            "EarlyStopping: patience must be an integer of at least 0, got 'x'",
        ),
        (
            lambda: EarlyStopping(start_from_epoch=-1),
            "start_from_epoch must be an integer of at least 0, got -1",
        ),
        (lambda: EarlyStopping(min_delta=math.nan), "EarlyStopping: min_delta must be a number, got nan"),
        (lambda: EarlyStopping(baseline="x"), "EarlyStopping: baseline must be a number, got 'x'"),
        (lambda: EarlyStopping(baseline=math.nan), "EarlyStopping: baseline must be a number, got nan"),
        (lambda: EarlyStopping(monitor=5), "EarlyStopping: monitor is 5, expected the name of a metric"),
        (lambda: ReduceLROnPlateau(factor="x"), "ReduceLROnPlateau: factor must be a number, got 'x'"),
        (
            lambda: ReduceLROnPlateau(min_lr=None),
            "ReduceLROnPlateau: min_lr must be a number of at least 0, got None",
        ),
        (lambda: SwapEMAWeights(momentum="x"), "SwapEMAWeights: momentum must be a number, got 'x'"),
        (
            lambda: ModelCheckpoint("a", initial_value_threshold="x"),
            "initial_value_threshold must be .*, got 'x'",
        ),
        (lambda: ModelCheckpoint(None), "ModelCheckpoint: filepath is None, expected a path"),
        (lambda: ModelCheckpoint("a\0b"), "ModelCheckpoint: filepath is .*, expected a path"),
        (lambda: CSVLogger(5), "CSVLogger: filename is 5, expected a path"),
        (lambda: CSVLogger("a.csv", separator=", "), "CSVLogger: separator is ', ', expected one character"),
        (lambda: Checkpoint(""), "Checkpoint: directory is '', expected a path"),
        (lambda: BackupAndRestore(None), "BackupAndRestore: directory is None, expected a path"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_a_name_of_files_that_is_no_format_says_so(tmp_path):
    trainer = regression()
    with pytest.raises(
        ValueError, match=r"ModelCheckpoint: filepath .* is no format: Unknown format code 'z'"
    ):
        trainer.fit(X, R, verbose=0, callbacks=[ModelCheckpoint(tmp_path / "{epoch:zz}.safetensors")])


def test_a_csv_log_replaces_whatever_was_there_and_appends_to_text_only(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"\xd8\xff\0")
    with pytest.raises(ValueError, match=f"CSVLogger: {path} is no text in UTF-8"):
        regression().fit(X, R, verbose=0, callbacks=[CSVLogger(path, append=True)])
    assert path.read_bytes() == b"\xd8\xff\0"
    regression().fit(X, R, verbose=0, callbacks=[CSVLogger(path)])
    assert path.read_text().splitlines()[0] == "epoch,loss"
