"""Estimators: scikit-learn's own checks, and what it has no check for."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from drivetrain import estimators, nn

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:sklearn"),
]


class Build:
    """A function with a name that is the same in every process, for the names of the tests."""

    def __call__(self, n_features, n_outputs, hidden=32):
        return nn.Sequential(nn.Linear(n_features, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs))

    def __repr__(self):
        return "build"


EVERY = [
    estimators.ElasticNet(),
    estimators.Lasso(),
    estimators.LinearRegression(),
    estimators.LinearRegression(solver="gradient"),
    estimators.LogisticRegression(),
    estimators.LogisticRegression(solver="lbfgs", max_iter=1000),
    estimators.MLPClassifier(),
    estimators.MLPRegressor(),
    estimators.NeuralNetClassifier(Build(), max_epochs=50),
    estimators.NeuralNetRegressor(Build(), max_epochs=50),
    estimators.Ridge(),
]
# What scikit-learn skips of its own accord: checks of array libraries that it was not told to use, and of
# methods that an estimator does not have.
OWN_REASONS = ("SCIPY_ARRAY_API is not set", "does not have a decision_function method")


@parametrize_with_checks(EVERY)
def test_scikit_learn_accepts(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        try:
            check(estimator)
        except Exception as error:
            if type(error).__name__ == "SkipTest" and any(reason in str(error) for reason in OWN_REASONS):
                pytest.skip(str(error))
            raise


def test_every_estimator_is_checked():
    assert {type(estimator).__name__ for estimator in EVERY} == set(estimators.__all__)


def test_a_missing_scikit_learn_names_the_extra():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import drivetrain\n"
        "try: drivetrain.estimators\n"
        "except ModuleNotFoundError as error: print(error)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "drivetrain.estimators needs scikit-learn" in out
    assert "pip install 'drivetrain[sklearn]'" in out


def test_the_package_itself_imports_no_scikit_learn():
    code = "import sys, drivetrain, drivetrain.train; print('sklearn' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
