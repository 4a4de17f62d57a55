"""Callbacks without a trainer: hooks, early stopping against Keras's rules, files."""

import csv

import numpy as np
import pytest

from drivetrain.train import Callback, CSVLogger, EarlyStopping, History, ModelCheckpoint
from drivetrain.train.callbacks import CallbackList


class FakeModel:
    """Weights that follow the epochs, so that a test sees which ones were put back."""

    def __init__(self):
        self.weights = np.zeros(2, np.float32)
        self.stop_training = False

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state):
        self.weights = np.array(state["weights"])


def run(callback, values, name="val_loss"):
    """Play a training; returns the number of epochs that it lasted, and the model."""
    model = FakeModel()
    callback.set_model(model)
    callback.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.weights += 1
        callback.on_epoch_end(epoch, {name: value})
        epochs += 1
        if model.stop_training:
            break
    callback.on_train_end()
    return epochs, model


class TestEarlyStopping:
    @pytest.mark.parametrize(
        ("arguments", "values", "epochs"),
        [
            ({"patience": 2}, [3, 2, 2.5, 2.4, 2.3, 1], 4),
            ({"patience": 0}, [3, 2, 2.5, 1], 3),
            ({"patience": 1}, [3, 2, 2, 1], 3),
            ({"patience": 1, "min_delta": 0.5}, [3, 2.7, 1], 2),
            ({"patience": 1, "min_delta": -0.5}, [3, 2.7, 2], 2),
            ({"patience": 1, "mode": "max"}, [3, 4, 5, 4, 9], 4),
            ({"patience": 1, "start_from_epoch": 3}, [1, 2, 3, 5, 4, 4.5, 4], 6),
            ({"patience": 2, "baseline": 1.0}, [3, 2, 2, 0.5], 3),
            ({"patience": 2, "baseline": 4.0}, [3, 2, 1.5, 0.5], 4),
            ({"patience": 2}, [3, float("nan"), float("nan"), 1], 3),
        ],
    )
    def test_epochs(self, arguments, values, epochs):
        assert run(EarlyStopping(**arguments), values)[0] == epochs

    def test_direction_by_name(self):
        stop = EarlyStopping("val_accuracy", patience=1)
        assert run(stop, [0.5, 0.6, 0.55, 0.9], "val_accuracy")[0] == 3
        assert (stop.best, stop.best_epoch, stop.stopped_epoch) == (0.6, 1, 2)

    def test_restores_the_best_weights(self):
        _, model = run(EarlyStopping(patience=2, restore_best_weights=True), [3, 1, 2, 2, 2])
        assert model.weights.tolist() == [2, 2]
        _, model = run(EarlyStopping(patience=9, restore_best_weights=True), [3, 1, 2])
        assert model.weights.tolist() == [2, 2]
        _, model = run(EarlyStopping(patience=2), [3, 1, 2, 2, 2])
        assert model.weights.tolist() == [4, 4]

    def test_starts_anew_with_each_training(self):
        stop = EarlyStopping(patience=1)
        assert run(stop, [1, 2])[0] == 2
        assert run(stop, [5, 4, 3])[0] == 3

    def test_says_so(self, capsys):
        run(EarlyStopping(verbose=1), [1, 2])
        assert capsys.readouterr().out == "Epoch 2: early stopping, val_loss has not improved in 1 epochs\n"

    def test_unknown_metric_is_an_error(self):
        with pytest.raises(ValueError, match=r"no metric 'val_loss' .*validation data.* has: loss"):
            run(EarlyStopping(), [1], "loss")

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="mode is 'up'"):
            EarlyStopping(mode="up")
        with pytest.raises(ValueError, match=r"patience must be .*, got -1"):
            EarlyStopping(patience=-1)


class TestHooks:
    def test_only_overridden_hooks_are_called_in_order(self):
        calls = []

        class First(Callback):
            def on_epoch_end(self, epoch, logs=None):
                calls.append(("first", epoch, logs))

        class Second(First):
            def on_epoch_end(self, epoch, logs=None):
                calls.append(("second", epoch, logs))

        hooks = CallbackList([First(), Second(), Callback()], model="m", trainer="t", params={"epochs": 1})
        hooks.call("on_epoch_end", 0, {"loss": 1})
        hooks.call("on_train_begin")
        assert calls == [("first", 0, {"loss": 1}), ("second", 0, {"loss": 1})]
        assert hooks.wants("on_epoch_end")
        assert not hooks.wants("on_predict_end")
        assert hooks.callbacks[0].model == "m"
        assert hooks.callbacks[0].trainer == "t"
        assert hooks.callbacks[0].params == {"epochs": 1}

    def test_a_function_set_on_the_instance_counts(self):
        callback, calls = Callback(), []
        callback.on_train_end = lambda logs=None: calls.append(logs)
        CallbackList([callback], model=None, trainer=None, params={}).call("on_train_end", {})
        assert calls == [{}]

    def test_wrong_kind(self):
        with pytest.raises(TypeError, match="callbacks: got a function"):
            CallbackList([print and (lambda: 0)], model=None, trainer=None, params={})

    def test_every_keras_hook_exists(self):
        for what in ("train", "test", "predict"):
            for hook in (f"on_{what}_begin", f"on_{what}_end"):
                getattr(Callback(), hook)()
            for hook in (f"on_{what}_batch_begin", f"on_{what}_batch_end"):
                getattr(Callback(), hook)(0)


class TestHistory:
    def test_record(self):
        history = History()
        run(history, [3.0, 2.0], "loss")
        assert history.history == {"loss": [3.0, 2.0]}
        assert history.epoch == [0, 1]
        assert repr(history) == "History(2 epochs: loss 2)"

    def test_plot(self, tmp_path):
        pytest.importorskip("matplotlib")
        history = History()
        history.on_train_begin()
        for epoch in range(3):
            history.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "val_loss": 1.0, "accuracy": 0.5})
        figure = history.plot(tmp_path / "curves.png")
        assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
        assert len(figure.axes[0].lines) == 2
        assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]
        assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
        with pytest.raises(ValueError, match="no epochs"):
            History().plot()

    def test_missing_matplotlib_names_the_extra(self, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        history = History()
        history.on_epoch_end(0, {"loss": 1.0})
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[plot\]'"):
            history.plot()


class TestMisclassified:
    def test_grid(self, tmp_path):
        pytest.importorskip("matplotlib")
        from drivetrain.train.plots import plot_misclassified

        images = np.random.default_rng(0).random((50, 8, 8, 1))
        truth = np.arange(50) % 3
        guess = truth.copy()
        guess[10:20] = (guess[10:20] + 1) % 3
        figure = plot_misclassified(
            images, truth, guess, tmp_path / "wrong.png", class_names=["a", "b", "c"], max_images=4
        )
        assert [axes.get_title() for axes in figure.axes[:2]] == ["b, predicted c", "c, predicted a"]
        assert figure.get_suptitle() == "10 of 50 misclassified, the first 4"
        assert (tmp_path / "wrong.png").stat().st_size > 1000
        assert plot_misclassified(images, truth, truth).get_suptitle() == "0 of 50 misclassified"

    def test_bad_input(self):
        pytest.importorskip("matplotlib")
        from drivetrain.train.plots import plot_misclassified

        with pytest.raises(ValueError, match=r"images has shape \(3, 8, 8\)"):
            plot_misclassified(np.zeros((3, 8, 8)), [0] * 3, [0] * 3)
        with pytest.raises(ValueError, match=r"y_true has shape \(2,\)"):
            plot_misclassified(np.zeros((3, 8, 8, 1)), [0] * 2, [0] * 3)


class TestCSVLogger:
    def rows(self, path, separator=","):
        with open(path, newline="") as file:
            return list(csv.reader(file, delimiter=separator))

    def test_writes_as_it_goes(self, tmp_path):
        path = tmp_path / "log.csv"
        log = CSVLogger(path)
        log.on_train_begin()
        log.on_epoch_end(0, {"loss": 0.5, "accuracy": 0.25})
        assert self.rows(path) == [["epoch", "accuracy", "loss"], ["0", "0.25", "0.5"]]
        log.on_epoch_end(1, {"loss": 0.1})
        log.on_train_end()
        log.on_train_end()
        assert self.rows(path)[2] == ["1", "NA", "0.1"]

    def test_append_keeps_the_header(self, tmp_path):
        path = tmp_path / "log.csv"
        for epoch in range(2):
            log = CSVLogger(path, separator=";", append=True)
            log.on_train_begin()
            log.on_epoch_end(epoch, {"loss": epoch, "a": 1})
            log.on_train_end()
        assert self.rows(path, ";") == [["epoch", "a", "loss"], ["0", "1", "0"], ["1", "1", "1"]]
        log = CSVLogger(path)
        log.on_train_begin()
        log.on_train_end()
        assert self.rows(path) == []

    def test_out_of_order(self, tmp_path):
        with pytest.raises(RuntimeError, match="before on_train_begin"):
            CSVLogger(tmp_path / "log.csv").on_epoch_end(0, {})


class TestModelCheckpoint:
    def saved(self, monkeypatch):
        import drivetrain.io

        calls = []
        monkeypatch.setattr(drivetrain.io, "save_model", lambda model, path: calls.append(path))
        monkeypatch.setattr(
            drivetrain.io, "save_weights", lambda model, path: calls.append(path + " weights")
        )
        return calls

    def test_every_epoch(self, monkeypatch, tmp_path, capsys):
        calls = self.saved(monkeypatch)
        checkpoint = ModelCheckpoint(tmp_path / "runs" / "{epoch:02d}-{loss:.1f}", verbose=1)
        checkpoint.on_epoch_begin(0)
        checkpoint.on_train_batch_end(0, {"loss": 2})
        checkpoint.on_epoch_end(0, {"loss": 0.5})
        assert calls == [str(tmp_path / "runs" / "01-0.5")]
        assert (tmp_path / "runs").is_dir()
        assert capsys.readouterr().out == f"Epoch 1: saved {calls[0]}\n"

    def test_best_only(self, monkeypatch, tmp_path):
        calls = self.saved(monkeypatch)
        checkpoint = ModelCheckpoint(
            tmp_path / "{epoch}",
            "val_accuracy",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=0.3,
        )
        for epoch, value in enumerate([0.2, 0.5, 0.4, 0.6]):
            checkpoint.on_epoch_begin(epoch)
            checkpoint.on_epoch_end(epoch, {"val_accuracy": value})
        assert calls == [f"{tmp_path / '2'} weights", f"{tmp_path / '4'} weights"]

    def test_by_batches(self, monkeypatch, tmp_path):
        calls = self.saved(monkeypatch)
        checkpoint = ModelCheckpoint(tmp_path / "m", save_freq=3)
        for epoch in range(2):
            checkpoint.on_epoch_begin(epoch)
            for batch in range(4):
                checkpoint.on_train_batch_end(batch, {})
            checkpoint.on_epoch_end(epoch, {})
        assert len(calls) == 2

    def test_bad_arguments(self, tmp_path):
        for value in (0, -1, "batch", True):
            with pytest.raises(ValueError, match="save_freq is"):
                ModelCheckpoint("m", save_freq=value)
        with pytest.raises(ValueError, match="names the unknown metric 'val_los'"):
            ModelCheckpoint(tmp_path / "{val_los}").on_epoch_end(0, {"loss": 1})
        with pytest.raises(ValueError, match="no metric 'val_loss'"):
            ModelCheckpoint(tmp_path / "m", save_best_only=True).on_epoch_end(0, {"loss": 1})
