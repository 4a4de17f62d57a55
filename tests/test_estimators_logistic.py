"""Logistic regression: scikit-learn's optimum."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from scipy import sparse
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from drivetrain.estimators import LogisticRegression

TWO_X, TWO_Y = load_breast_cancer(return_X_y=True)
TWO_X = scale(TWO_X)
THREE_X, THREE_Y = load_iris(return_X_y=True)
TABLES = {"two classes": (TWO_X, TWO_Y), "three classes": (THREE_X, np.array(["a", "b", "c"])[THREE_Y])}
SOLVERS = {"newton-cholesky": 1e-7, "lbfgs": 1e-3}


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("weights", ["equal", "balanced", "rows"])
def test_the_optimum_of_scikit_learn(kind, solver, intercept, weights):
    x, y = TABLES[kind]
    for c in (0.1, 1.0, 10.0):
        options = {"C": c, "fit_intercept": intercept}
        options["class_weight"] = "balanced" if weights == "balanced" else None
        given = {"sample_weight": np.random.default_rng(0).random(len(y))} if weights == "rows" else {}
        ours = LogisticRegression(solver=solver, max_iter=2000, **options).fit(x, y, **given)
        theirs = linear_model.LogisticRegression(
            solver="newton-cholesky", tol=1e-10, max_iter=200, **options
        ).fit(x, y, **given)
        coef, intercepts = theirs.coef_, theirs.intercept_
        if kind == "three classes":  # moving all classes alike changes nothing but the intercepts
            intercepts = intercepts - intercepts.mean()
        atol = SOLVERS[solver]
        np.testing.assert_allclose(ours.coef_, coef, atol=atol * np.abs(coef).max())
        np.testing.assert_allclose(ours.intercept_, intercepts, atol=atol * 10)
        np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=atol)
        np.testing.assert_allclose(ours.decision_function(x), theirs.decision_function(x), atol=atol * 100)


def test_sparse_rows_give_the_same():
    x = np.where(np.abs(TWO_X) < 0.7, 0, TWO_X)
    for solver in SOLVERS:
        dense = LogisticRegression(solver=solver, max_iter=1000).fit(x, TWO_Y)
        thin = LogisticRegression(solver=solver, max_iter=1000).fit(sparse.csc_matrix(x), TWO_Y)
        np.testing.assert_allclose(thin.coef_, dense.coef_, atol=1e-5)
        np.testing.assert_allclose(
            thin.predict_log_proba(sparse.csr_matrix(x)), dense.predict_log_proba(x), atol=1e-5
        )


def test_classes_that_a_plane_divides_have_no_optimum_without_penalty():
    x, y = np.arange(-5.0, 5).reshape(-1, 1), np.arange(10) >= 5
    with pytest.warns(ConvergenceWarning, match="max_iter=10 iterations were not enough"):
        model = LogisticRegression(C=np.inf, max_iter=10).fit(x, y)
    assert model.score(x, y) == 1
    assert np.isfinite(model.coef_).all()


def test_warm_start_goes_on():
    model = LogisticRegression(warm_start=True).fit(TWO_X, TWO_Y)
    assert model.n_iter_ > 2
    assert model.fit(TWO_X, TWO_Y).n_iter_ == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"C": 0.0}, ValueError, "C must be positive"),
        ({"solver": "saga"}, ValueError, "solver must be one of"),
        ({"max_iter": 0}, ValueError, "max_iter must be a positive integer"),
        ({"fit_intercept": None}, TypeError, "fit_intercept must be True or False"),
    ],
)
def test_wrong_arguments(options, error, message):
    with pytest.raises(error, match=f"LogisticRegression: {message}"):
        LogisticRegression(**options).fit(TWO_X, TWO_Y)
    with pytest.raises(ValueError, match="only one class"):
        LogisticRegression().fit(TWO_X, np.zeros(len(TWO_X)))
