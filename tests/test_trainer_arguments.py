"""What the trainer takes: losses, optimizers and metrics by name, and input that it refuses."""

import numpy as np
import pytest

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.data import ArrayDataset
from drivetrain.metrics import Accuracy, TopKAccuracy
from drivetrain.train import Trainer
from trainer_tools import R, X, Y, classifier, loader_of, regression


class TestNames:
    def test_keras_code_runs(self):
        dt.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(axis=-1))
        model.compile(
            optimizer=optim.Adam(model.parameters(), lr=0.01),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        history = model.fit(X, Y, batch_size=16, epochs=30, verbose=0, validation_split=0.1)
        assert history.history["accuracy"][-1] > 0.8
        loss, accuracy = model.evaluate(X, Y, verbose=0)
        probabilities = model.predict(X)
        assert loss == pytest.approx(-np.log(probabilities[np.arange(90), Y]).mean(), rel=1e-4)
        assert accuracy == pytest.approx((probabilities.argmax(axis=1) == Y).mean())
        one_hot = np.eye(3, dtype=np.float32)[Y]
        model.compile(optimizer="sgd", loss="categorical_crossentropy", metrics=["accuracy"])
        assert model.evaluate(X, one_hot, verbose=0) == pytest.approx([loss, accuracy], rel=1e-4)

    def test_not_compiled(self):
        with pytest.raises(RuntimeError, match="compile"):
            nn.Linear(4, 2).fit(X, Y)
        assert nn.Linear(4, 2).predict(X).shape == (90, 2)

    @pytest.mark.parametrize(
        "loss", ["mse", "mean_squared_error", "mae", "mean_absolute_error", "huber", "smooth_l1"]
    )
    def test_losses_of_numbers(self, loss):
        history = regression(loss=loss).fit(X, R, epochs=10, verbose=0)
        assert history.history["loss"][-1] < history.history["loss"][0]

    def test_binary_targets_of_any_dtype(self):
        target = (R > 0).astype(np.int64)
        results = [
            regression(loss="binary_cross_entropy_with_logits", metrics=["accuracy"])
            .fit(X, target.astype(dtype), epochs=20, verbose=0)
            .history["accuracy"][-1]
            for dtype in ("int64", "bool", "float32", "float64")
        ]
        assert min(results) > 0.9
        assert len(set(results)) == 1

    @pytest.mark.parametrize(
        "optimizer", ["sgd", "adam", "adamw", optim.Adam, lambda p: optim.SGD(p, lr=0.1)]
    )
    def test_optimizers(self, optimizer):
        history = regression(optimizer=optimizer).fit(X, R, epochs=3, verbose=0)
        assert history.history["loss"][-1] < history.history["loss"][0]

    def test_an_optimizer_as_it_is(self):
        model = nn.Linear(4, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        assert Trainer(model, loss="mse", optimizer=optimizer).optimizer is optimizer

    def test_metrics(self):
        def largest(y_true, y_pred):
            return np.asarray(y_pred.detach()).max(axis=1)

        trainer = classifier(metrics=["acc", Accuracy("mine"), TopKAccuracy, largest])
        results = trainer.evaluate(X, Y, verbose=0, return_dict=True)
        assert list(results) == ["loss", "acc", "mine", "top_5_accuracy", "largest"]
        assert results["largest"] == pytest.approx(trainer.predict(X).max(axis=1).mean(), rel=1e-5)

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"loss": "mes"}, ValueError, "no loss 'mes', expected one of binary_cross"),
            ({"loss": 5}, TypeError, "loss is a int"),
            ({"loss": None}, TypeError, "loss is a NoneType"),
            ({"loss": nn.MSELoss(reduction="none")}, ValueError, "reduction='none'"),
            ({"optimizer": "adamm"}, ValueError, "no optimizer 'adamm'"),
            ({"optimizer": 5}, TypeError, "optimizer is a int"),
            ({"metrics": ["acuracy"]}, ValueError, "no metric 'acuracy', .*; did you mean 'accuracy'?"),
            ({"metrics": ["F1_Makro"]}, ValueError, "no metric 'f1_makro', .*; did you mean 'f1_macro'?"),
            ({"metrics": [5]}, TypeError, "a metric is a int"),
            ({"metrics": ["accuracy", Accuracy()]}, ValueError, "two metrics are named 'accuracy'"),
            ({"precision": "int8"}, ValueError, "precision is 'int8'"),
            ({"seed": -1}, ValueError, "seed must be .*got -1"),
            ({"seed": "x"}, TypeError, "seed must be .*got 'x'"),
        ],
    )
    def test_bad_arguments(self, options, error, message):
        with pytest.raises(error, match=message):
            classifier(**{"seed": 0} | options) if "seed" not in options else Trainer(
                nn.Linear(1, 1), loss="mse", optimizer="sgd", **options
            )


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "options", "error", "message"),
        [
            ((X, Y[:-1]), {}, ValueError, r"y has shape \(89,\), expected 90 rows"),
            ((X,), {}, ValueError, "there are no targets"),
            ((X[:0], Y[:0]), {}, ValueError, "x has no samples"),
            ((np.float32(3), Y), {}, ValueError, r"x has shape \(\)"),
            (([X, X[:5]], Y), {}, ValueError, r"the inputs have \[90, 5\] samples"),
            ((5, None), {}, TypeError, "x is a int"),
            (({"a": X}, None), {}, TypeError, "x is a dict"),
            (("x", None), {}, TypeError, "x is a str"),
            ((np.array(["a"] * 90), Y), {}, TypeError, "x has dtype"),
            ((X, np.array([None] * 90)), {}, TypeError, "y has dtype object"),
            ((ArrayDataset(X, Y), Y), {}, ValueError, "brings its own targets"),
            ((X, Y), {"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
            ((X, Y), {"batch_size": 2.5}, TypeError, "batch_size must be a positive integer, got 2.5"),
            ((X, Y), {"epochs": -1}, ValueError, "epochs must be .*, got -1"),
            ((X, Y), {"epochs": 1.5}, TypeError, "epochs must be .*, got 1.5"),
            ((X, Y), {"initial_epoch": -1}, ValueError, "initial_epoch must be .*, got -1"),
            ((X, Y), {"verbose": 7}, ValueError, "verbose is 7"),
            ((X, Y), {"validation_split": 1.0}, ValueError, "validation_split is 1.0"),
            ((X, Y), {"validation_split": -0.5}, ValueError, "validation_split is -0.5"),
            ((ArrayDataset(X, Y),), {"validation_split": 0.5}, ValueError, "needs arrays"),
            ((X, Y), {"validation_data": (X, Y[:-1])}, ValueError, "validation_data: y has shape"),
            ((X, Y), {"validation_data": (X, Y, None, 5)}, ValueError, "validation_data has 4 parts"),
            ((X, Y), {"validation_steps": 3}, ValueError, "validation_steps without validation_data"),
            ((X, Y), {"steps_per_epoch": 0}, ValueError, "number of steps must be .*, got 0"),
            ((X, Y), {"sample_weight": np.ones(89)}, ValueError, r"sample_weight has shape \(89,\)"),
            ((X, Y), {"sample_weight": np.full(90, np.nan)}, ValueError, "sample_weight holds NaN"),
            ((X, Y), {"class_weight": [1, 2]}, TypeError, "class_weight is a list"),
            ((X, Y), {"class_weight": {0: np.nan}}, ValueError, "class_weight has 0: nan"),
            ((X, Y), {"class_weight": {"a": 1.0}}, ValueError, "class_weight has 'a'"),
            ((X, Y + 1), {}, ValueError, "3"),
            ((X, Y - 1), {}, ValueError, "-1"),
            ((X[:, :3], Y), {}, ValueError, r"Linear|linear"),
        ],
    )
    def test_fit(self, arguments, options, error, message):
        with pytest.raises(error, match=message):
            classifier().fit(*arguments, **{"verbose": 0} | options)

    def test_batches_of_wrong_form(self):
        with pytest.raises(ValueError, match="a batch has 4 parts"):
            classifier().fit(loader_of([(X, Y, Y, Y)]), verbose=0)
        with pytest.raises(ValueError, match="a batch has no samples"):
            classifier().fit(loader_of([(X[:0], Y[:0])]), verbose=0)

    def test_missing_y_in_evaluate(self):
        with pytest.raises(ValueError, match="no targets"):
            classifier().evaluate(X, verbose=0)


class TestWrongKinds:
    @pytest.mark.parametrize("model", [3, None, nn.Linear])
    def test_model(self, model):
        with pytest.raises(TypeError, match="Trainer: model is a"):
            Trainer(model, loss="mse", optimizer="sgd")

    def test_metrics_and_callbacks(self):
        with pytest.raises(TypeError, match="Trainer: metrics is a int"):
            Trainer(nn.Linear(2, 1), loss="mse", optimizer="sgd", metrics=3)
        with pytest.raises(TypeError, match="callbacks: got a int, expected a list"):
            Trainer(nn.Linear(2, 1), loss="mse", optimizer="sgd", callbacks=3)

    def test_validation_split(self):
        trainer = Trainer(nn.Linear(2, 1), loss="mse", optimizer="sgd")
        x, y = np.ones((4, 2), "f4"), np.ones((4, 1), "f4")
        with pytest.raises(TypeError, match="fit: validation_split is 'a'"):
            trainer.fit(x, y, validation_split="a", verbose=0)
