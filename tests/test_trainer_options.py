"""Options of the trainer by Lightning's names: how long, on how much, with which looks at it."""

import datetime
import time

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset, DataLoader
from drivetrain.metrics import Accuracy
from drivetrain.train import Callback, CSVLogger, ModelCheckpoint, Timer, Trainer
from trainer_tools import R, X, Y, classifier, loader_of, regression, same, weights


class Count(Callback):
    """Counts batches of epochs and of validations, and remembers the logs."""

    def __init__(self):
        super().__init__()
        self.epochs, self.validations, self.logs = [], [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(0)

    def on_train_batch_end(self, batch, logs=None):
        self.epochs[-1] += 1
        self.logs.append(dict(logs))

    def on_test_begin(self, logs=None):
        self.validations.append([self.trainer.loop.batch, 0])

    def on_test_batch_end(self, batch, logs=None):
        self.validations[-1][1] += 1


def count(options, batch_size=15, **fit):
    """Six batches an epoch."""
    counter = Count()
    trainer = classifier(**options)
    trainer.fit(X, Y, batch_size, verbose=0, callbacks=[counter], **fit)
    return trainer, counter


class TestHowLong:
    def test_max_steps(self):
        trainer, counter = count({"max_steps": 8})
        assert counter.epochs == [6, 2]
        assert trainer.loop.global_step == 8
        assert len(trainer.history.epoch) == 2
        trainer.fit(X, Y, verbose=0)
        assert trainer.loop.global_step == 8

    def test_max_steps_are_steps_of_the_optimizer(self):
        trainer, counter = count({"max_steps": 3, "accumulate_grad_batches": 4})
        assert counter.epochs == [6, 4]
        assert trainer.loop.global_step == 3

    def test_epochs_may_end_it_before(self):
        assert count({"max_steps": 100}, epochs=2)[1].epochs == [6, 6]
        assert count({"max_steps": -1}, epochs=1)[1].epochs == [6]

    @pytest.mark.parametrize("given", ["00:00:00:00", 0, {"seconds": 0}, datetime.timedelta()])
    def test_no_time(self, given):
        assert count({"max_time": given})[1].epochs == []

    def test_max_time(self):
        class Slow(Callback):
            def on_train_batch_begin(self, batch, logs=None):
                time.sleep(0.02)

        trainer, counter = count({"max_time": 0.1, "callbacks": [Slow()]})
        assert 2 <= sum(counter.epochs) <= 5
        before = trainer.loop.batches_seen
        trainer.fit(X, Y, verbose=0)
        assert trainer.loop.batches_seen == before

    def test_unlimited_epochs_are_shown_without_their_number(self, capsys):
        classifier(max_steps=5).fit(X, Y, 30, verbose=2)
        assert capsys.readouterr().out.startswith("Epoch 1 - ")


class TestHowMuch:
    def test_limits(self):
        options = {"limit_train_batches": 4, "limit_val_batches": 2}
        trainer, counter = count(options, epochs=2, validation_data=(X, Y))
        assert counter.epochs == [4, 4]
        assert [batches for _, batches in counter.validations] == [2, 2]
        assert trainer.history.params["steps"] == 4

    def test_shares(self):
        options = {"limit_train_batches": 0.5, "limit_val_batches": 0.4}
        _, counter = count(options, epochs=2, validation_data=(X, Y))
        assert counter.epochs == [3, 3]
        assert [batches for _, batches in counter.validations] == [2, 2]

    def test_more_than_there_is(self):
        assert count({"limit_train_batches": 100}, epochs=2)[1].epochs == [6, 6]

    def test_no_validation(self):
        trainer, counter = count({"limit_val_batches": 0}, validation_data=(X, Y))
        assert counter.validations == []
        assert list(trainer.history.history) == ["loss"]

    def test_a_limited_epoch_ends_a_group(self):
        trainer, _ = count({"limit_train_batches": 4, "accumulate_grad_batches": 3}, epochs=2)
        assert trainer.loop.global_step == 4

    def test_epochs_of_a_limited_training_are_shuffled_anew(self):
        seen = []

        def spy(output, target):
            seen.append(target.numpy()[:, 0].tolist())
            return nn.functional.mse_loss(output, target)

        regression(loss=spy, limit_train_batches=1).fit(X, R, 15, epochs=2, verbose=0)
        assert seen[0] != seen[1]

    def test_shares_of_data_without_a_length(self):
        batches = loader_of([(X, Y)])
        with pytest.raises(ValueError, match="does not know how many batches"):
            classifier(limit_train_batches=0.5).fit(batches, verbose=0)
        with pytest.raises(ValueError, match=r"share 0.1 of 6 batches, which is none"):
            count({"limit_train_batches": 0.1})

    @pytest.mark.parametrize("data", [(X, Y), (DataLoader(ArrayDataset(X, Y), 15, shuffle=True), None)])
    def test_overfit_batches(self, data):
        seen = []

        def spy(output, target):
            seen.append(target.numpy().tolist())
            return nn.functional.cross_entropy(output, target)

        trainer = classifier(loss=spy, overfit_batches=2)
        trainer.fit(*data, 15, epochs=3, verbose=0)
        assert len(seen) == 6
        assert seen[:2] == seen[2:4] == seen[4:]
        assert seen[0] != seen[1]

    def test_fast_dev_run(self, tmp_path):
        files = [CSVLogger(tmp_path / "log.csv"), ModelCheckpoint(tmp_path / "model")]
        options = {"fast_dev_run": True, "callbacks": files, "val_check_interval": 1}
        trainer, counter = count(options, epochs=100, validation_data=(X, Y))
        assert counter.epochs == [1]
        assert counter.validations == [[1, 1]]
        assert list(tmp_path.iterdir()) == []
        assert trainer.history.epoch == [0]
        assert count({"fast_dev_run": 3}, epochs=100)[1].epochs == [3]


class TestValidation:
    @pytest.mark.parametrize(
        ("interval", "expected"),
        [(2, [2, 4, 6]), (4, [4, 6]), (0.5, [3, 6]), (1.0, [6]), (6, [6]), (10, [6]), (None, [6])],
    )
    def test_within_an_epoch(self, interval, expected):
        _, counter = count({"val_check_interval": interval}, epochs=2, validation_data=(X, Y))
        assert [batch for batch, _ in counter.validations] == expected * 2

    def test_it_does_not_disturb_the_training(self):
        trainer, counter = count({"val_check_interval": 2, "metrics": ["accuracy"]}, validation_data=(X, Y))
        plain, _ = count({"metrics": ["accuracy"]}, validation_data=(X, Y))
        assert trainer.history.history == plain.history.history
        assert same(weights(trainer), weights(plain))
        assert ["val_loss" in logs for logs in counter.logs] == [False, True, True, True, True, True]
        assert counter.logs[-1]["val_loss"] == trainer.history.history["val_loss"][0]

    def test_what_metrics_have_gathered_is_not_copied(self):
        class Gathers(Accuracy):
            copied = 0

            def __deepcopy__(self, memory):
                Gathers.copied += self.weight
                return Gathers()

        own = Gathers()
        count({"val_check_interval": 2, "metrics": [own]}, epochs=2, validation_data=(X, Y))
        assert own.weight == len(X)
        assert Gathers.copied == 0

    def test_validation_freq(self):
        trainer, counter = count({}, epochs=5, validation_data=(X, Y), validation_freq=2)
        assert len(counter.validations) == 2
        assert len(trainer.history.history["val_loss"]) == 2
        with pytest.raises(ValueError, match=r"validation_freq must be .*, got 0"):
            count({}, validation_data=(X, Y), validation_freq=0)

    def test_a_checkpoint_for_every_validation(self, tmp_path):
        save = ModelCheckpoint(tmp_path / "{val_loss:.6f}.safetensors", save_freq=3)
        count({"val_check_interval": 3, "callbacks": [save]}, epochs=1, validation_data=(X, Y))
        assert len(list(tmp_path.iterdir())) == 2


class TestLooks:
    def test_log_every_n_steps(self):
        _, every = count({}, epochs=1)
        _, third = count({"log_every_n_steps": 3}, epochs=1)
        assert [logs.get("loss") for logs in third.logs[2:5]] == [every.logs[2]["loss"]] * 3
        assert third.logs[5] == every.logs[5]

    def test_metrics_are_computed_only_for_those_who_look(self):
        class Costly(dt.metrics.Mean):
            results = 0

            def update(self, y_true, y_pred, sample_weight=None):
                super().update(0.0, len(y_pred))

            def result(self):
                Costly.results += 1
                return super().result()

        classifier(metrics=[Costly("costly")]).fit(X, Y, 15, epochs=2, verbose=0, validation_data=(X, Y))
        assert Costly.results == 4

    def test_detect_anomaly(self):
        class Hidden(nn.Module):
            """Infinity that reaches neither the loss nor a gradient."""

            def forward(self, x):
                return nn.functional.relu(x)

        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), Hidden())
        model[0].bias.detach()[1] = -np.inf
        options = {"loss": lambda output, target: (output * 0.1).sum(), "optimizer": "sgd"}
        Trainer(model, **options).fit(X, Y, verbose=0)
        with pytest.raises(
            FloatingPointError, match=r"epoch 1, step 1: In the forward, the output of layer '0' \(Linear\)"
        ):
            Trainer(model, **options, detect_anomaly=True).fit(X, Y, verbose=0)

    def test_detect_anomaly_finds_nothing(self):
        trainer, _ = count({"detect_anomaly": True}, epochs=2)
        assert same(weights(trainer), weights(count({}, epochs=2)[0]))


class TestRegularizer:
    def test_is_part_of_the_loss(self):
        def penalty(model):
            return (model.weight * model.weight).sum() * 0.1

        plain, penalized = regression(), regression(regularizer=penalty)
        plain.optimizer = optim.SGD(
            [{"params": [plain.model.weight], "weight_decay": 0.2}, {"params": [plain.model.bias]}], lr=0.1
        )
        for trainer in (plain, penalized):
            trainer.fit(X, R, 30, epochs=3, verbose=0, shuffle=False)
        for name, value in weights(plain).items():
            np.testing.assert_allclose(weights(penalized)[name], value, rtol=1e-5, atol=1e-6)
        difference = penalized.evaluate(X, R, verbose=0) - plain.evaluate(X, R, verbose=0)
        assert difference == pytest.approx(penalty(penalized.model).item(), rel=1e-4)

    def test_accumulation_does_not_change_it(self):
        options = {"regularizer": lambda model: (model[0].weight ** 2).sum()}
        first = count(options, batch_size=30, epochs=2, shuffle=False)[0]
        second = count(options | {"accumulate_grad_batches": 2}, epochs=2, shuffle=False)[0]
        for name, value in weights(first).items():
            np.testing.assert_allclose(weights(second)[name], value, rtol=1e-5, atol=1e-6)

    def test_wrong_kind(self):
        with pytest.raises(TypeError, match="regularizer is a float, expected a function of the model"):
            regression(regularizer=0.1)


class TestTimer:
    def test_measures(self):
        timer = Timer(verbose=False)
        regression(callbacks=[timer]).fit(X, R, epochs=2, verbose=0, validation_data=(X, R))
        elapsed = timer.time_elapsed()
        assert 0 < timer.time_elapsed("validate") < elapsed == timer.time_elapsed()
        assert timer.time_remaining() is None
        other = Timer(100.0)
        other.load_state_dict(timer.state_dict())
        assert other.time_elapsed() == elapsed
        assert other.time_remaining() == 100 - elapsed

    def test_interval_of_epochs(self, capsys):
        _, counter = count({"callbacks": [Timer(1e-9, interval="epoch")]}, epochs=5)
        assert counter.epochs == []
        assert "time of 1e-09 seconds is over" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("duration", "error", "message"),
        [
            ("1:2:3", ValueError, "'1:2:3', expected 'DD:HH:MM:SS'"),
            (-1, ValueError, "duration is -1"),
            (float("nan"), ValueError, "duration is nan"),
            ([1], TypeError, "duration is a list"),
        ],
    )
    def test_wrong_durations(self, duration, error, message):
        with pytest.raises(error, match=message):
            Timer(duration)

    def test_damaged_state(self):
        timer = Timer(10)
        for state in ({}, {"elapsed": {"train": 1.0}}, {"elapsed": {"train": -1.0, "validate": 0.0}}):
            with pytest.raises(ValueError, match="expected the times elapsed"):
                timer.load_state_dict(state)
        assert timer.time_elapsed() == 0
        assert Timer("01:02:03:04").duration == 93784.0


class TestWrongNames:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: regression(optimiser="sgd"), r"Trainer: .*'optimiser'; did you mean 'optimizer'"),
            (lambda: nn.Linear(4, 1).compile(loss="mse", metric=[]), "'metric'; did you mean 'metrics'"),
            (lambda: regression().fit(X, R, epoch=3), r"fit: .*'epoch'; did you mean 'epochs'"),
            (lambda: regression().evaluate(X, R, batchsize=3), r"evaluate: .*did you mean 'batch_size'"),
            (lambda: regression().predict(X, batchsize=3), r"predict: .*did you mean 'batch_size'"),
            (
                lambda: ModelCheckpoint("x", save_best=True),
                r"ModelCheckpoint: .*did you mean 'save_best_only'",
            ),
        ],
    )
    def test_suggest_the_right_one(self, call, message):
        with pytest.raises(TypeError, match=message):
            call()

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"max_steps": 1.5}, TypeError, "max_steps must be .*, got 1.5"),
            ({"max_steps": -2}, ValueError, "max_steps must be .*, got -2"),
            ({"limit_train_batches": 0}, ValueError, "limit_train_batches must be a positive integer, got 0"),
            ({"limit_train_batches": 1.5}, ValueError, "limit_train_batches is the share 1.5"),
            ({"limit_val_batches": "all"}, TypeError, "limit_val_batches must be .*, got 'all'"),
            ({"val_check_interval": 0.0}, ValueError, "val_check_interval is the share 0.0"),
            ({"log_every_n_steps": 0}, ValueError, "log_every_n_steps must be .*, got 0"),
            ({"overfit_batches": -1}, ValueError, "overfit_batches must be .*, got -1"),
            ({"fast_dev_run": -1}, ValueError, "fast_dev_run must be .*, got -1"),
        ],
    )
    def test_wrong_values(self, options, error, message):
        with pytest.raises(error, match=message):
            regression(**options)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"fast_dev_run": 0.5}, "Trainer: fast_dev_run must be an integer of at least 0, got 0.5"),
        ({"fast_dev_run": "x"}, "Trainer: fast_dev_run must be an integer of at least 0, got 'x'"),
        ({"fast_dev_run": None}, "Trainer: fast_dev_run must be an integer of at least 0, got None"),
        ({"detect_anomaly": "no"}, "Trainer: detect_anomaly must be True or False, got 'no'"),
        ({"max_time": {"second": 1}}, "Timer: duration is {'second': 1}, which timedelta refuses"),
    ],
)
def test_options_are_not_converted_without_a_word(option, message):
    with pytest.raises((TypeError, ValueError), match=message):
        regression(**option)


@pytest.mark.parametrize("resume", [5, "", b"x"])
def test_resume_from_what_is_no_path_is_refused(resume):
    with pytest.raises((TypeError, ValueError), match=r"fit: resume is .*, expected a path"):
        regression().fit(X, R, verbose=0, resume=resume)
