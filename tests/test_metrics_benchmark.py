"""The benchmark of the metrics: every row gives the peer's value, on few samples."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
pytest.importorskip("sklearn")
pytest.importorskip("scipy")

from benchmarks import metrics

DATA = metrics.make_data(4000)


@pytest.mark.parametrize("row", metrics.rows(), ids=lambda row: row.name)
def test_rows(row):
    own, peer = metrics.calls(row, DATA)
    assert metrics.agree(own(), peer(), row.tolerance)


def test_what_does_not_agree():
    assert not metrics.agree(2.0, 2.1, 1e-3)
    assert not metrics.agree("a", "b", 1e-3)
    assert not metrics.agree((1.0, 2.0), (1.0, 3.0), 1e-3)


def test_the_table(capsys, monkeypatch):
    rows = [row for row in metrics.rows() if "balanced" in row.name]
    monkeypatch.setattr(
        metrics, "rows", lambda: [*rows, rows[0]._replace(name="other", peer="accuracy_score")]
    )
    with pytest.raises(SystemExit, match=r"other: 0\.\d+ is not 0\."):
        metrics.run(2000, "", 1)
    assert "| balanced_accuracy_score, 10 classes |" in capsys.readouterr().out
