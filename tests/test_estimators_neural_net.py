"""Any module as an estimator."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import drivetrain as dt
from drivetrain import nn, optim
from drivetrain.estimators import NeuralNetClassifier, NeuralNetRegressor
from drivetrain.train import Callback, Trainer

X, Y = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


def build(n_features, n_outputs, hidden=16, dropout=0.0):
    return nn.Sequential(
        nn.Linear(n_features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, n_outputs)
    )


def classifier(**options):
    return NeuralNetClassifier(build, **{"max_epochs": 20, "lr": 0.02, "random_state": 0, **options})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_training_is_the_trainers(dtype):
    model = classifier(module__dropout=0.2, batch_size=32, dtype=dtype).fit(X, Y)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    dt.manual_seed(seed)
    module = build(4, 3, dropout=0.2).to(dtype)
    trainer = Trainer(
        module, loss="cross_entropy", optimizer=optim.Adam(module.parameters(), lr=0.02), seed=seed
    )
    trainer.fit(X, Y, batch_size=32, epochs=20, verbose=0)
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(model.module_.state_dict()[name].numpy(), value.numpy())
    assert model.history_["loss"] == trainer.history.history["loss"]


def test_the_same_seed_gives_the_same_and_leaves_the_default_generator_alone():
    before = dt.default_generator.get_state()
    one, two, other = (classifier(random_state=seed).fit(X, Y).predict_proba(X) for seed in (0, 0, 1))
    assert dt.default_generator.get_state() == before
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 1e-3


def test_nested_arguments_are_arguments():
    model = classifier(module__hidden=7, optimizer__weight_decay=0.1)
    assert model.get_params()["module__hidden"] == 7
    twin = clone(model).set_params(module__hidden=9, max_epochs=1)
    assert (model.module__hidden, twin.module__hidden, twin.optimizer__weight_decay) == (7, 9, 0.1)
    twin.fit(X, Y)
    assert twin.module_[0].out_features == 9
    assert twin.optimizer_.param_groups[0]["weight_decay"] == 0.1
    assert "module__hidden=9" in repr(twin)
    with pytest.raises(ValueError, match="Invalid parameter 'epochs'"):
        model.set_params(epochs=3)
    with pytest.raises(TypeError, match="NeuralNetClassifier: unknown argument 'modul__hidden', expected"):
        classifier(modul__hidden=3).fit(X, Y)


def test_in_a_pipeline_and_a_grid_search():
    pipeline = make_pipeline(StandardScaler(), classifier())
    grid = {
        "neuralnetclassifier__module__hidden": [1, 16],
        "neuralnetclassifier__optimizer__betas": [(0.9, 0.99)],
    }
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, NAMES)
    assert search.best_params_["neuralnetclassifier__module__hidden"] == 16
    assert search.score(X, NAMES) > 0.9


@pytest.mark.parametrize(
    "criterion", ["cross_entropy", "binary_cross_entropy_with_logits", nn.BCEWithLogitsLoss]
)
def test_two_classes(criterion):
    x, y = load_breast_cancer(return_X_y=True)
    labels = np.where(y, "benign", "malignant")
    model = classifier(criterion=criterion).fit(scale(x), labels)
    assert model.score(scale(x), labels) > 0.95
    chances = model.predict_proba(scale(x))
    assert chances.shape == (len(y), 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
def test_weights_of_rows(dtype, tolerance):
    """A weight of 2 is the same row twice, and none is no row, up to rounding."""
    weights = np.arange(len(Y)) % 3
    options = {"batch_size": 400, "max_epochs": 30, "dtype": dtype}
    weighted = classifier(**options).fit(X, Y, sample_weight=weights)
    repeated = classifier(**options).fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=tolerance)


def test_weights_of_classes():
    by_class = classifier(class_weight={"setosa": 0.0, "versicolor": 1.0, "virginica": 3.0}).fit(X, NAMES)
    rows = np.array([0.0, 1.0, 3.0])[Y]
    by_row = classifier().fit(X, NAMES, sample_weight=rows)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    assert not (by_class.predict(X) == "setosa").any()


def test_what_it_computes_in():
    """Tables as they are, all else float32."""

    def dtype_of(x, **options):
        convolution = nn.Sequential(nn.Conv2d(1, 4, 2), nn.Flatten(), nn.Linear(4, 3))
        module = build if x.ndim == 2 else convolution
        model = NeuralNetClassifier(module, max_epochs=1, random_state=0, **options).fit(x, Y)
        assert {each.dtype.name for each in model.module_.parameters()} == {model.predict_proba(x).dtype.name}
        return model.predict_proba(x).dtype.name

    images = X.reshape(-1, 2, 2, 1)
    assert dtype_of(X) == dtype_of(X, dtype="float64") == dtype_of(images, dtype="float64") == "float64"
    assert dtype_of(X.astype(np.float32)) == dtype_of(X.astype(np.int64)) == dtype_of(images) == "float32"
    assert dtype_of(X, dtype="float32") == dtype_of(X, trainer__precision="bf16") == "float32"
    going_on = classifier().partial_fit(X.astype(np.float32), Y).partial_fit(X, Y)
    assert going_on.predict_proba(X).dtype == np.float32


def test_class_weights_beside_whole_numbers_are_not_rounded():
    def embed(n_outputs):
        return nn.Sequential(nn.Embedding(3, 4), nn.Flatten(), nn.Linear(4, n_outputs))

    tokens, labels = np.arange(30).reshape(-1, 1) % 3, np.arange(30) % 3 == 0
    options = {"dtype": "int64", "max_epochs": 1, "random_state": 0, "batch_size": 30}
    by_class = NeuralNetClassifier(embed, class_weight={True: 1.5, False: 0.5}, **options).fit(tokens, labels)
    by_row = NeuralNetClassifier(embed, **options).fit(tokens, labels, np.where(labels, 1.5, 0.5))
    plain = NeuralNetClassifier(embed, **options).fit(tokens, labels)
    assert by_class.history_["loss"] == by_row.history_["loss"] != plain.history_["loss"]


def test_early_stopping_keeps_the_best_weights():
    model = classifier(early_stopping=True, n_iter_no_change=3, max_epochs=300, lr=0.1).fit(X, Y)
    losses = model.history_["val_loss"]
    assert model.n_iter_ == len(losses) < 300
    assert int(np.argmin(losses)) < len(losses) - 1


def test_warm_start_and_partial_fit_go_on():
    model = classifier(warm_start=True, max_epochs=3).fit(X, Y)
    first = model.module_
    assert model.fit(X, Y).module_ is first
    assert len(model.history_["loss"]) == model.n_iter_ == 6
    steps = classifier()
    for part in range(4):
        steps.partial_fit(X[part::4], NAMES[part::4], classes=np.unique(NAMES))
        steps = pickle.loads(pickle.dumps(steps))
    assert steps.optimizer_.state_dict()["state"][0]["step"] == 4
    assert steps.predict(X).dtype == NAMES.dtype


def test_a_module_that_is_built_already_is_not_changed():
    module = nn.Linear(4, 3)
    before = module.weight.detach().numpy().copy()
    model = NeuralNetClassifier(module, max_epochs=5, lr=0.1).fit(X, Y)
    np.testing.assert_array_equal(module.weight.detach().numpy(), before)
    assert np.abs(model.module_.weight.detach().numpy() - before).max() > 0.1


def test_images_and_tokens():
    def embed(n_outputs):
        return nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, n_outputs))

    images = np.random.default_rng(0).random((40, 6, 6, 2))
    labels = np.arange(40) % 2
    convolution = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    assert NeuralNetClassifier(convolution, max_epochs=1).fit(images, labels).predict(images).shape == (40,)
    tokens = np.random.default_rng(0).integers(0, 10, (40, 3))
    model = NeuralNetClassifier(embed, max_epochs=1, dtype="int64").fit(tokens, labels)
    assert model.predict(tokens).shape == (40,)


def test_numbers_sparse_rows_and_several_targets():
    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x), scale(y)
    options = {"max_epochs": 30, "random_state": 0, "trainer__gradient_clip_val": 5.0}
    model = NeuralNetRegressor(build, **options).fit(x, y)
    assert model.score(x, y) > 0.4
    thin = NeuralNetRegressor(build, **options).fit(sparse.csr_matrix(x), y)
    np.testing.assert_array_equal(thin.predict(sparse.csr_matrix(x)), model.predict(x))
    two = NeuralNetRegressor(build, criterion=nn.HuberLoss, criterion__delta=2.0, **options)
    assert two.fit(x, np.column_stack([y, -y])).predict(x).shape == (442, 2)


def test_callbacks_are_copied_for_each_fit():
    class Count(Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

    counter = Count()
    classifier(callbacks=[counter]).fit(X, Y)
    assert counter.epochs == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"module": 3}, TypeError, "module is 3, expected a Module"),
        ({"module": lambda: 3}, TypeError, "module gave a int, expected a Module"),
        ({"module": nn.Linear(4, 3), "module__bias": False}, TypeError, "already built"),
        ({"optimizer": "adamm"}, ValueError, "there is no optimizer 'adamm', expected one of"),
        ({"criterion__delta": 1.0}, TypeError, "nothing to pass criterion__delta to"),
        ({"max_epochs": 0}, ValueError, "max_epochs must be a positive integer"),
        ({"criterion": "binary_cross_entropy_with_logits"}, ValueError, "y has 3 classes, but criterion"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=f"NeuralNetClassifier.*{message}"):
        NeuralNetClassifier(**{"module": build, **options}).fit(X, Y)
