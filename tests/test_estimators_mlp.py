"""The perceptrons: the steps of scikit-learn, and what they have beyond it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")  # whose perceptrons take sample_weight

from scipy import sparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import drivetrain as dt
from drivetrain.estimators import MLPClassifier, MLPRegressor
from interpreter_tools import run

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {
    "adam": {},
    "early stopping": {"early_stopping": True, "learning_rate_init": 0.01},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.05, "max_iter": 100},
    "invscaling, tanh": {"solver": "sgd", "learning_rate": "invscaling", "activation": "tanh"},
    "plain momentum, logistic, in order": {
        "solver": "sgd",
        "nesterovs_momentum": False,
        "activation": "logistic",
        "batch_size": 32,
        "shuffle": False,
    },
    "two layers, no activation": {"hidden_layer_sizes": (20, 10), "activation": "identity", "alpha": 0.1},
    "lbfgs": {"solver": "lbfgs", "max_iter": 12},
}


def tables(kind):
    if kind == "three classes":
        return load_iris(return_X_y=True)
    if kind == "two classes":
        x, y = load_breast_cancer(return_X_y=True)
        return scale(x), np.where(y, "benign", "malignant")
    if kind == "several labels":
        x, y = load_iris(return_X_y=True)
        return x, np.column_stack([y == 0, y > 0, x[:, 0] > 5]).astype(int)
    x, y = load_diabetes(return_X_y=True)
    x, y = scale(x), scale(y)
    targets = {"numbers": y, "two numbers": np.column_stack([y, x[:, 0]]), "counts": np.round(np.exp(y))}
    return x, targets[kind]


KINDS = ("three classes", "two classes", "several labels", "numbers", "two numbers", "counts")


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_of_scikit_learn(kind, weighted, setting):
    if kind == "counts" and "learning_rate" in SETTINGS[setting]:
        pytest.skip("diverges in both")
    if kind == "two numbers" and setting == "lbfgs":
        pytest.skip("scikit-learn's loss is not that of its gradient")
    x, y = tables(kind)
    options = {"max_iter": 10, "random_state": 0, **SETTINGS[setting]}
    name = "MLPClassifier" if "class" in kind or "label" in kind else "MLPRegressor"
    if kind == "counts":
        options["loss"] = "poisson"
    weight = np.random.default_rng(0).random(len(y)) if weighted else None
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](**options)
    theirs = getattr(neural_network, name)(**options)
    ours.fit(x, y, sample_weight=weight)
    theirs.fit(x, y, sample_weight=weight)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.out_activation_ == theirs.out_activation_
    for a, b in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
    if kind == "counts" and weighted:
        return  # the constant part of the loss is weighted batch by batch there
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    if options.get("solver") != "lbfgs":
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    if options.get("early_stopping"):
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-6)
    if name == "MLPClassifier":
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-8)
    else:
        np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-6)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_keeps_the_state_of_the_optimizer(solver):
    x, y = tables("three classes")
    ours, theirs = (
        kind(solver=solver, random_state=0) for kind in (MLPClassifier, neural_network.MLPClassifier)
    )
    for part in range(5):
        ours.partial_fit(x[part::5], y[part::5], classes=[0, 1, 2])
        theirs.partial_fit(x[part::5], y[part::5], classes=[0, 1, 2])
        ours = pickle.loads(pickle.dumps(ours))
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-9)
    assert ours.t_ == 150


def test_warm_start_goes_on():
    x, y = tables("two classes")
    model = MLPClassifier(max_iter=5, random_state=0, warm_start=True).fit(x, y)
    first = model.loss_
    model.fit(x, y)
    assert model.loss_ < first
    cold = clone(model).set_params(warm_start=False)
    assert cold.fit(x, y).loss_ == cold.fit(x, y).loss_


def test_class_weights_are_weights_of_rows():
    x, y = tables("two classes")
    weights = {"benign": 0.25, "malignant": 3.0}
    by_class = MLPClassifier(max_iter=5, random_state=0, class_weight=weights).fit(x, y)
    rows = np.array([weights[label] for label in y])
    by_row = MLPClassifier(max_iter=5, random_state=0).fit(x, y, sample_weight=rows)
    np.testing.assert_array_equal(by_class.coefs_[0], by_row.coefs_[0])
    balanced = MLPClassifier(max_iter=5, random_state=0, class_weight="balanced").fit(x, y)
    assert np.abs(balanced.coefs_[0] - by_class.coefs_[0]).max() > 1e-4
    with pytest.raises(ValueError, match=r"balanced.*pass a dict"):
        MLPClassifier(class_weight="balanced").partial_fit(x, y, classes=["benign", "malignant"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_computes_in_the_dtype_of_x(dtype):
    x, y = tables("two classes")
    model = MLPClassifier(max_iter=3, random_state=0).fit(x.astype(dtype), y)
    assert model.coefs_[0].dtype == dtype
    assert model.predict_proba(x.astype(dtype)).dtype == dtype


def test_sparse_rows_give_the_same():
    x, y = tables("two classes")
    x = np.where(np.abs(x) < 0.5, 0, x)
    dense = MLPClassifier(max_iter=3, random_state=0, batch_size=64).fit(x, y)
    for form in (sparse.csr_matrix, sparse.csc_array):
        model = clone(dense).fit(form(x), y)
        np.testing.assert_array_equal(model.coefs_[0], dense.coefs_[0])
        np.testing.assert_array_equal(model.predict_proba(form(x)), dense.predict_proba(x))


def test_frames_keep_the_names_of_their_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [20.0, 30, 40, 50], "income": [1.0, 2, 3, 4]})
    model = MLPClassifier(max_iter=2).fit(frame, ["no", "yes", "no", "yes"])
    assert model.feature_names_in_.tolist() == ["age", "income"]
    assert model.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"age": "years"}))


def test_in_a_pipeline_and_a_grid_search():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=40, learning_rate_init=0.01))
    grid = {"mlpclassifier__hidden_layer_sizes": [(2,), (40,)], "mlpclassifier__alpha": [1e-4]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(x, names[y])
    assert search.best_params_["mlpclassifier__hidden_layer_sizes"] == (40,)
    assert search.score(x, names[y]) > 0.9


def test_the_same_bits_with_any_number_of_threads():
    x, y = tables("two classes")
    before = dt.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            dt.set_num_threads(threads)
            found.append(MLPClassifier((128, 64), max_iter=3, random_state=0).fit(x, y).coefs_[0])
    finally:
        dt.set_num_threads(before)
    assert all(np.array_equal(found[0], other) for other in found)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"hidden_layer_sizes": (10, 0)}, ValueError, "hidden_layer_sizes is"),
        ({"activation": "relus"}, ValueError, "activation must be one of"),
        ({"solver": "rmsprop"}, ValueError, "solver must be one of"),
        ({"alpha": -1}, ValueError, "alpha must be positive or 0"),
        ({"learning_rate_init": 0.0}, ValueError, "learning_rate_init must be positive"),
        ({"batch_size": 0}, ValueError, "batch_size must be a positive integer"),
        ({"max_iter": 2.5}, TypeError, "max_iter must be a positive integer"),
        ({"early_stopping": "yes"}, TypeError, "early_stopping must be True or False"),
        ({"beta_1": 1.0}, ValueError, "beta_1 must be a number from 0 to below 1"),
        ({"early_stopping": True, "validation_fraction": 0.001}, ValueError, "expected at least 2"),
        ({"learning_rate_init": 1e200, "solver": "sgd"}, ValueError, "no longer finite"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_arguments(options, error, message):
    x, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=f"MLPClassifier.*{message}"):
        MLPClassifier(**options).fit(x, y)


def test_wrong_labels_and_weights():
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="only one class, 0"):
        MLPClassifier().fit(x, np.zeros(len(x), int))
    with pytest.raises(ValueError, match="first call needs classes="):
        MLPClassifier().partial_fit(x, y)
    with pytest.raises(ValueError, match="which classes_ lacks"):
        MLPClassifier().partial_fit(x, y, classes=[0, 1])
    with pytest.raises(ValueError, match="expected weights of at least 0"):
        MLPClassifier().fit(x, y, sample_weight=-np.ones(len(x)))
    with pytest.raises(AttributeError, match="partial_fit"):
        MLPClassifier(solver="lbfgs").partial_fit  # noqa: B018
    with pytest.raises(ValueError, match="expected counts"):
        MLPRegressor("poisson").fit(x, -y - 1.0)


def test_a_training_that_did_not_converge_says_so():
    x, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 is reached"):
        MLPClassifier(max_iter=2).fit(x, y)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_memory_does_not_grow():
    """In an interpreter of its own: what other tests leave to the collector would be counted otherwise."""
    grown = run("""
        import warnings
        from pathlib import Path
        from sklearn.datasets import load_iris
        from drivetrain.estimators import MLPClassifier

        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

        def cycles(count):
            for _ in range(count):
                model.fit(x, y).predict(x)

        warnings.simplefilter("ignore")
        x, y = load_iris(return_X_y=True)
        model = MLPClassifier((16,), max_iter=2, random_state=0)
        cycles(350)  # the allocator's and the collector's own stores are full
        before = resident()
        cycles(600)
        print(resident() - before)
    """)
    assert int(grown) < 1 << 19
