"""The linear regressors: scikit-learn's coefficients, to 1e-6 and mostly far better."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

import drivetrain as dt
from drivetrain.estimators import ElasticNet, Lasso, LinearRegression, Ridge

TIGHT = {"tol": 1e-14, "max_iter": 100_000}
X, Y = load_diabetes(return_X_y=True)
RNG = np.random.default_rng(0)
WEIGHTS = RNG.random(len(Y)) * (np.arange(len(Y)) % 7 > 0)
TWO = np.column_stack([Y, Y[::-1] * 2 + 5])


def table(rows, columns, seed=0):
    """Correlated columns away from zero, and y of some of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) @ (rng.normal(size=(columns, columns)) * 0.1 + np.eye(columns)) + 3
    return x, x[:, :10] @ rng.normal(size=10) * 5 + rng.normal(size=rows) * 3


def same(ours, theirs, x, y, atol=1e-8, **given):
    ours, theirs = ours.fit(x, y, **given), theirs.fit(x, y, **given)
    assert ours.coef_.shape == theirs.coef_.shape
    size = np.abs(theirs.coef_).max()
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=atol * size)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-6, atol=1e-6)
    return ours


@pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "none"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
class TestLeastSquares:
    def given(self, weighted, rows=442):
        return {"sample_weight": WEIGHTS[:rows]} if weighted else {}

    def test_linear(self, weighted, intercept):
        options = {"fit_intercept": intercept}
        for y in (Y, TWO):
            theirs = linear_model.LinearRegression(**options)
            same(LinearRegression(**options), theirs, X, y, **self.given(weighted))

    def test_linear_by_gradient_descent(self, weighted, intercept):
        options = {"fit_intercept": intercept}
        ours = LinearRegression(solver="gradient", tol=1e-12, **options)
        theirs = linear_model.LinearRegression(**options)
        assert same(ours, theirs, X, TWO, atol=1e-6, **self.given(weighted)).n_iter_ > 1

    def test_ridge(self, weighted, intercept):
        for alpha in (1.0, 1e-3, [0.1, 10.0]):
            options = {"alpha": alpha, "fit_intercept": intercept}
            theirs = linear_model.Ridge(solver="svd", **options)
            same(Ridge(**options), theirs, X, TWO, **self.given(weighted))

    def test_more_features_than_rows(self, weighted, intercept):
        x, y = table(40, 90)
        options = {"fit_intercept": intercept}
        given = self.given(weighted, 40)
        same(Ridge(**options), linear_model.Ridge(**options), x, y, **given)
        same(LinearRegression(**options), linear_model.LinearRegression(**options), x, y, **given)

    def test_sparse(self, weighted, intercept):
        for x in (sparse.random(80, 20, 0.3, "csc", random_state=0), sparse.random(20, 80, 0.3, "csr")):
            rows = x.shape[0]
            options, given = {"fit_intercept": intercept}, self.given(weighted, rows)
            dense = Ridge(**options).fit(x.toarray(), Y[:rows], **given)
            thin = Ridge(**options).fit(x, Y[:rows], **given)
            np.testing.assert_allclose(thin.coef_, dense.coef_, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(thin.predict(x), dense.predict(x.toarray()), rtol=1e-9)

    @pytest.mark.parametrize("alpha", [2.0, 0.1, 1e-3])
    def test_lasso(self, weighted, intercept, alpha):
        for positive in (False, True):
            options = {"alpha": alpha, "fit_intercept": intercept, "positive": positive}
            theirs = linear_model.Lasso(**options, **TIGHT)
            ours = same(Lasso(**options), theirs, X, Y, **self.given(weighted))
            np.testing.assert_array_equal(ours.coef_ == 0, theirs.coef_ == 0)

    @pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
    def test_elastic_net(self, weighted, intercept, ratio):
        options = {"alpha": 0.01, "l1_ratio": ratio, "fit_intercept": intercept}
        same(ElasticNet(**options), linear_model.ElasticNet(**options, **TIGHT), X, Y, **self.given(weighted))


def test_nearly_equal_columns_take_the_way_by_singular_values():
    x = np.column_stack([X, X[:, 0] + 1e-7 * RNG.normal(size=len(X))])
    ours = LinearRegression().fit(x, Y)
    theirs = linear_model.LinearRegression(tol=1e-15).fit(x, Y)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-6)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("share", [0.5, 0.05, 0.01])
@pytest.mark.parametrize(("rows", "columns"), [(220, 300), (700, 120)], ids=["wide", "tall"])
def test_lasso_on_tables_that_take_several_rounds(rows, columns, share, order):
    x, y = table(rows, columns)
    alpha = share * np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max() / rows
    ours = Lasso(alpha).fit(np.asarray(x, order=order), y)
    theirs = linear_model.Lasso(alpha, **TIGHT).fit(x, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-6 * np.abs(theirs.coef_).max())
    assert abs(ours.dual_gap_) < 1e-8 * np.var(y)
    enet = ElasticNet(alpha, l1_ratio=0.3).fit(np.asarray(x, order=order), y)
    theirs = linear_model.ElasticNet(alpha, l1_ratio=0.3, **TIGHT).fit(x, y)
    np.testing.assert_allclose(enet.coef_, theirs.coef_, rtol=0, atol=1e-6 * np.abs(theirs.coef_).max())


@pytest.mark.parametrize("size", [1e-30, 1e-8, 1e8, 1e30])
def test_lasso_of_columns_beyond_float32(size):
    x, y = table(600, 150)
    x = (x - 3) * size
    ours = Lasso(0.05 * size).fit(x, y)
    usual = Lasso(0.05).fit(x / size, y)
    np.testing.assert_allclose(ours.coef_ * size, usual.coef_, rtol=1e-6, atol=1e-9)


def test_lasso_far_from_zero():
    """The means are a million times as large as what varies."""
    x, y = table(1500, 60)
    ours = Lasso(0.1).fit(x + 1e6, y)
    usual = Lasso(0.1).fit(x, y)
    np.testing.assert_allclose(ours.coef_, usual.coef_, atol=1e-6)


def test_lasso_sparse_several_targets_random_order_and_warm_start():
    x = sparse.random(300, 40, 0.3, "csc", random_state=0)
    y = x.toarray() @ RNG.normal(size=(40, 2)) + RNG.normal(size=(300, 2))
    dense = Lasso(0.01).fit(x.toarray(), y)
    for model in (Lasso(0.01), Lasso(0.01, selection="random", random_state=3)):
        np.testing.assert_allclose(model.fit(x, y).coef_, dense.coef_, atol=1e-9)
    assert sparse.issparse(dense.sparse_coef_)
    assert len(dense.n_iter_) == len(dense.dual_gap_) == 2
    warm = clone(dense).set_params(warm_start=True).fit(x, y)
    first = list(warm.n_iter_)
    warm.fit(x, y)
    assert sum(warm.n_iter_) < sum(first)
    np.testing.assert_allclose(warm.coef_, dense.coef_, atol=1e-9)


def test_two_columns_that_are_equal():
    x = np.column_stack([X, X[:, 2]])
    ours, theirs = Lasso(0.1).fit(x, Y), linear_model.Lasso(0.1, **TIGHT).fit(x, Y)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), rtol=1e-6)
    assert np.abs(ours.coef_).sum() == pytest.approx(np.abs(theirs.coef_).sum(), rel=1e-6)


def test_nothing_but_zeros_left():
    model = Lasso(1e6).fit(X, Y)
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(Y.mean())
    constant = Lasso(0.1).fit(np.ones((5, 2)), np.arange(5.0))
    assert constant.coef_.tolist() == [0, 0]


def test_a_search_cut_short_says_so():
    with pytest.warns(ConvergenceWarning, match="max_iter=1 sweeps were not enough"):
        Lasso(0.001, max_iter=1).fit(X, Y)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 is reached"):
        LinearRegression(solver="gradient", max_iter=2).fit(X, Y)


def test_the_same_bits_with_any_number_of_threads():
    x, y = table(1500, 300)
    before = dt.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            dt.set_num_threads(threads)
            models = (Lasso(0.05), ElasticNet(0.01), Ridge(), LinearRegression())
            found.append([model.fit(x, y).coef_ for model in models])
    finally:
        dt.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Lasso(-1), ValueError, "Lasso: alpha must be positive or 0"),
        (ElasticNet(l1_ratio=1.5), ValueError, "ElasticNet: l1_ratio must be a number from 0 to 1"),
        (Lasso(max_iter=0), ValueError, "Lasso: max_iter must be a positive integer"),
        (Lasso(selection="none"), ValueError, "Lasso: selection must be one of"),
        (Lasso(positive=1), TypeError, "Lasso: positive must be True or False"),
        (Ridge([1.0, 2.0, 3.0]), ValueError, r"Ridge: alpha is \[1.0, 2.0, 3.0\], expected one number"),
        (Ridge(-1.0), ValueError, "Ridge: alpha must be positive or 0"),
        (LinearRegression(solver="svd"), ValueError, "LinearRegression: solver must be one of"),
    ],
)
def test_wrong_arguments(model, error, message):
    with pytest.raises(error, match=message):
        model.fit(X, Y)


class TestKernel:
    """The native coordinate descent; tests/native checks it on every ISA level."""

    def problem(self, n=40):
        a = RNG.normal(size=(3 * n, n))
        return a.T @ a, a.T @ RNG.normal(size=3 * n) * 10

    def test_every_level_finds_the_minimum(self, level):
        gram, pull = self.problem()
        weights = np.zeros(len(pull))
        sweeps = dt._core._coordinate_descent(*map(dt.from_numpy, (gram, pull, weights)), 5.0, 1.0)
        slope = pull - gram @ weights - weights
        np.testing.assert_allclose(slope[weights != 0], 5 * np.sign(weights[weights != 0]), atol=1e-6)
        assert (np.abs(slope[weights == 0]) <= 5).all()
        assert 1 < sweeps < 1000

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"gram": np.zeros((2, 3))}, ValueError, "gram"),
            ({"gram": np.zeros((3, 3), np.float32)}, TypeError, "gram has dtype float32, expected float64"),
            ({"weights": np.zeros(2)}, ValueError, "weights"),
            ({"target": np.zeros((3, 1))}, ValueError, "target"),
            ({"l1": -1.0}, ValueError, "l1"),
            ({"max_sweeps": 0}, ValueError, "max_sweeps"),
            ({"weights": np.zeros(6)[::2]}, ValueError, "weights must be contiguous"),
        ],
    )
    def test_wrong_arguments(self, change, error, message):
        given = {"gram": np.eye(3), "target": np.zeros(3), "weights": np.zeros(3), "l1": 1.0, **change}
        given = {k: dt.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
        with pytest.raises(error, match=f"coordinate_descent: {message}"):
            dt._core._coordinate_descent(**given)
