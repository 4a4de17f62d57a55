"""Estimators on tables beside scikit-learn's: the same optimum, time, accuracy.

python -m benchmarks tables               # all, a few minutes; Adult needs `pip install drivetrain[adult]`
python -m benchmarks tables --case lasso --threads 1

Linear models: the largest difference of a coefficient from scikit-learn's at a tolerance of 1e-14, as a share
of the largest coefficient, and the time of a fit; scikit-learn's at its default tolerance and at one that
gives the digits of ours. Perceptrons train in processes of their own, in turns, with the same arguments and
seeds, as scikit-learn's threads would disturb ours and the other way round. Medians of the rounds. The status
is 1 where a bar is missed; that of the perceptron, four times the speed, is for tables of float32, in which
both then compute.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

SHARES = (0.5, 0.1, 0.01, 0.001)  # of the penalty that makes all coefficients zero
ACCURATE = {"tol": 1e-12, "max_iter": 100_000}
EXACT = {"tol": 1e-14, "max_iter": 100_000}
FASTER = 4.0  # the bar of the perceptron

# One training: seconds, accuracy of the test part.
PERCEPTRON = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
from drivetrain.datasets import adult
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
library, dtype, seed, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if library == "drivetrain":
    import drivetrain as dt
    from drivetrain.estimators import MLPClassifier
    dt.set_num_threads(int(sys.argv[5]))
else:
    from sklearn.neural_network import MLPClassifier
table, labels = adult("all")
numbers = table.select_dtypes("number").columns
words = [name for name in table.columns if name not in set(numbers)]
encode = make_column_transformer(
    (StandardScaler(), list(numbers)), (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), words))
rows = np.random.default_rng(0).permutation(len(labels))
test, train = rows[: len(rows) // 5], rows[len(rows) // 5 :]
x = encode.fit_transform(table.iloc[train]).astype(dtype)
x_test = encode.transform(table.iloc[test]).astype(dtype)
MLPClassifier(max_iter=1, random_state=0).fit(x[:2000], labels[train][:2000])
model = MLPClassifier((100,), max_iter=epochs, n_iter_no_change=epochs, random_state=seed)
start = time.perf_counter()
model.fit(x, labels[train])
seconds = time.perf_counter() - start
print(json.dumps([seconds, model.score(x_test, labels[test]), model.n_iter_, x.shape]))
"""


def large_table() -> tuple[Any, Any]:
    """20,000 rows of 500 correlated columns away from zero; 50 of them matter."""
    rng = np.random.default_rng(0)
    mixing = np.eye(500) + 0.15 * rng.normal(size=(500, 500))
    x = rng.normal(size=(20_000, 500)) @ mixing + 3
    return x, x[:, :50] @ rng.normal(size=50) * 10 + 20 * rng.normal(size=20_000)


def seconds_of(calls: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Median seconds of each call; they take turns."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for found, call in zip(times, calls, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def linear_cases(x: Any, y: Any) -> Any:
    """(name, our estimator, scikit-learn's, arguments)."""
    from sklearn import linear_model

    from drivetrain import estimators

    largest = float(np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max()) / len(y)
    yield "ridge", estimators.Ridge, linear_model.Ridge, {}
    for share in SHARES:
        yield "lasso", estimators.Lasso, linear_model.Lasso, {"alpha": share * largest}
    for share in SHARES:
        given = {"alpha": share * largest, "l1_ratio": 0.5}
        yield "elastic net", estimators.ElasticNet, linear_model.ElasticNet, given
    yield "lasso, default", estimators.Lasso, linear_model.Lasso, {}
    yield "elastic net, default", estimators.ElasticNet, linear_model.ElasticNet, {}


def linear(case: str, rounds: int, threads: int) -> bool:
    from sklearn.datasets import load_diabetes
    from threadpoolctl import threadpool_limits

    import drivetrain as dt

    dt.set_num_threads(threads)
    threadpool_limits(threads)
    good = True
    tables = {"diabetes": load_diabetes(return_X_y=True), "20,000 x 500": large_table()}
    print(f"{'table, model, alpha':42s} difference  ours ms  scikit-learn  as accurate  times as fast")
    for table, (x, y) in tables.items():
        for name, kind, peer, given in linear_cases(x, y):
            if case not in f"{table} {name}":
                continue
            ridge = name == "ridge"
            exact = peer(**given, **({"solver": "svd"} if ridge else EXACT)).fit(x, y)
            size = np.abs(exact.coef_).max()
            off = float(np.abs(kind(**given).fit(x, y).coef_ - exact.coef_).max() / (size or 1.0))
            calls = [lambda: kind(**given).fit(x, y), lambda: peer(**given).fit(x, y)]  # noqa: B023
            if not ridge:
                calls.append(lambda: peer(**given, **ACCURATE).fit(x, y))  # noqa: B023
            own, theirs, *accurate = seconds_of(calls, rounds if len(y) > 1000 else 20 * rounds)
            good &= off < 1e-6 and (ridge or theirs >= own)
            alpha = given.get("alpha", 1.0)
            slow = f"{accurate[0] * 1e3:11.2f}" if accurate else " " * 11
            title, times = f"{table}, {name}, {alpha:.4g}", f"{own * 1e3:8.2f} {theirs * 1e3:13.2f}"
            print(f"{title:42s} {off:10.1e} {times} {slow} {theirs / own:14.2f}", flush=True)
    return good


def perceptron(rounds: int, threads: int, epochs: int) -> bool:
    environment = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))

    def train(library: str, dtype: str, seed: int) -> Any:
        words = [library, dtype, str(seed), str(epochs), str(threads)]
        out = subprocess.run(
            [sys.executable, "-c", PERCEPTRON, *words], capture_output=True, text=True, env=environment
        )
        if out.returncode:
            raise SystemExit(out.stderr)
        return json.loads(out.stdout.splitlines()[-1])

    good = True
    for dtype in ("float32", "float64"):
        found: dict[str, list[Any]] = {"drivetrain": [], "scikit-learn": []}
        for seed in range(rounds):
            for library, results in found.items():
                results.append(train(library, dtype, seed))
        medians = {name: statistics.median(r[0] for r in results) for name, results in found.items()}
        accuracy = {name: statistics.mean(r[1] for r in results) for name, results in found.items()}
        ratio = medians["scikit-learn"] / medians["drivetrain"]
        shape = found["drivetrain"][0][3]
        print(
            f"Adult {shape[0]} x {shape[1]}, {dtype}, MLP (100,), {epochs} epochs, {threads} threads: "
            f"ours {medians['drivetrain']:.3f} s, scikit-learn {medians['scikit-learn']:.3f} s, {ratio:.2f} "
            f"times as fast; accuracy {accuracy['drivetrain']:.4f} and {accuracy['scikit-learn']:.4f}",
            flush=True,
        )
        good &= ratio >= FASTER or dtype == "float64"
        good &= accuracy["drivetrain"] >= accuracy["scikit-learn"] - 5e-4
    return good


def run(case: str, rounds: int, threads: int, epochs: int) -> None:
    warnings.simplefilter("ignore")
    good = True
    if case not in ("adult", "perceptron"):
        good &= linear(case, rounds, threads)
    if case in ("", "adult", "perceptron"):
        good &= perceptron(rounds, threads, epochs)
    raise SystemExit(0 if good else 1)
