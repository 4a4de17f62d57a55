"""The benchmarks: every case agrees with NumPy at a small size; statistics, bars, comparison, tables."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import byte_models, driver, fits, half_ops, modes, networks, probe, report, results, suites  # noqa: E402
from benchmarks.cases import Bar, Case  # noqa: E402
from benchmarks.libraries.numpy import layers  # noqa: E402
from benchmarks.worker import Worker, summarise  # noqa: E402

CASES = {
    f"{suite}: {case.name}": case
    for suite in ("kernels", "gemm", "conv", "networks", "overhead")
    for case in suites.SUITES[suite]
    if "numpy" in case.only or not case.only
}


@pytest.fixture(scope="module")
def workers() -> Iterator[tuple[Worker, Worker]]:
    import drivetrain as dt

    before = dt.get_num_threads()
    yield Worker("drivetrain", "drivetrain", 2), Worker("numpy", "numpy", 2)
    dt.set_num_threads(before)


@pytest.mark.parametrize("name", CASES)
def test_case_agrees_with_numpy(name: str, workers: tuple[Worker, Worker]) -> None:
    case = CASES[name].scaled_down()
    ours, numpy = (worker.setup("", case.kind, case.options, case.first_steps) for worker in workers)
    assert len(ours["results"]) == case.first_steps
    assert bool(ours["changes"]) == (case.kind == "network")
    assert driver.difference(case, ours, numpy) is None
    turn = workers[0].turn("", 0.0, 2, 20.0, None, False)
    assert turn["seconds"] > 0
    assert turn["steps"] == 2


def test_a_wrong_gradient_of_one_layer_is_noticed(
    workers: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = suites.RESNET50.scaled_down()
    request = {"key": "", "kind": case.kind, "options": case.options, "first_steps": case.first_steps}
    right, backward = workers[0].setup(**request), layers.ColumnConv.backward

    def wrong(self: layers.ColumnConv, grad: np.ndarray, needed: bool = True) -> np.ndarray | None:
        found = backward(self, grad, needed)
        self.gradients[0][...] *= np.float32(1.2)
        return found

    monkeypatch.setattr(layers.ColumnConv, "backward", wrong)
    found = driver.difference(case, right, workers[1].setup(**request))
    assert found is not None
    assert found[0] == "change of weights 0 by step 1"


@pytest.mark.parametrize("library", ["torch", "tf", "jax"])
def test_frameworks_agree(library: str, workers: tuple[Worker, Worker]) -> None:
    """It takes a minute, and so runs only where BENCHMARKS_PYTHON=torch=PATH,... names an interpreter."""
    python = modes.interpreters([]).get(library)
    if python is None:
        pytest.skip(f"BENCHMARKS_PYTHON does not name an interpreter that has {library}")
    process = driver.Process(modes.modes_of(library, python)[0], 1)
    label = process.mode.label
    try:
        for name, case in CASES.items():
            if label in case.without or name.endswith("4096x1024"):  # differs from 64x64 in size only
                continue
            tiny = case.scaled_down()
            request = {"key": "", "kind": tiny.kind, "options": tiny.options, "first_steps": tiny.first_steps}
            answer = process.ask(do="setup", **request)
            assert "error" not in answer, f"{name}: {answer}"
            if "missing" not in answer:
                assert driver.difference(tiny, workers[0].setup(**request), answer) is None, name
    finally:
        process.close()


@pytest.mark.parametrize("case", [*fits.FIT, *fits.GUARD, *fits.HALF], ids=lambda case: case.name)
def test_ways_to_fit_agree(case: Case, workers: tuple[Worker, Worker]) -> None:
    case = case.scaled_down()
    found = [
        workers[0].setup(v.name, case.kind, {**case.options, **v.options}, 2)["results"]
        for v in case.variants
    ]
    for fit, loop in zip(*found, strict=True):
        assert driver.agree(fit, loop, case.tolerance if "bfloat16" in case.name else 1e-5)


@pytest.mark.parametrize("case", suites.SUITES["generation"], ids=lambda case: case.name)
def test_generation_agrees_with_pytorch(case: Case, workers: tuple[Worker, Worker]) -> None:
    pytest.importorskip("torch")
    case = case.scaled_down()
    theirs = Worker("torch", "eager", 1)
    found = [w.setup("", case.kind, case.options, 1) for w in (workers[0], theirs)]
    assert driver.difference(case, *found) is None


def test_what_a_library_lacks_is_said(workers: tuple[Worker, Worker]) -> None:
    assert "missing" in workers[1].setup("", "fit", {}, 1)


def test_a_missing_library_is_named() -> None:
    assert [mode.label for mode in modes.modes_of("drivetrain")] == ["drivetrain"]
    with pytest.raises(SystemExit, match="there is no library 'mxnet'"):
        modes.modes_of("mxnet")
    modes.PACKAGES["jax"] = "a_package_that_nobody_has"
    try:
        with pytest.raises(SystemExit, match="pip install a_package_that_nobody_has"):
            modes.modes_of("jax")
    finally:
        del modes.PACKAGES["jax"]


def test_names_are_unique_and_every_suite_is_reached() -> None:
    for suite, cases in suites.SUITES.items():
        names = [case.name for case in cases]
        assert len(set(names)) == len(names), suite
    assert set(suites.ALL) | {"core"} == set(suites.SUITES)
    assert len(command.chosen_cases("all", "")) == sum(len(suites.SUITES[name]) for name in suites.ALL)
    assert [case.name for _, case in command.chosen_cases("core", "LENET")] == [suites.LENET.name]
    with pytest.raises(SystemExit, match="no suite 'speed'"):
        command.chosen_cases("speed", "")


def test_resnets_have_the_known_sizes() -> None:
    def parameters(layers: list[networks.Layer]) -> int:
        weights = networks.weights(layers, np.random.default_rng(0))
        return sum(array.size for own in weights for array in own.values())

    assert parameters(networks.resnet50()) == 25_557_032  # as torchvision's
    assert parameters(networks.resnet18()) == 11_173_962  # with a 3x3 stem and 10 classes


def test_summary_notices_values_and_places() -> None:
    x = np.random.default_rng(0).standard_normal((4, 6))
    same, moved, wrong = summarise(x.astype(np.float32)), summarise(x.T), summarise(x * 1.01)
    assert driver.agree([summarise(x)], [same], 1e-5)
    assert not driver.agree([summarise(x)], [moved], 1e-3)
    assert not driver.agree([summarise(x)], [wrong], 2e-3)
    assert not driver.agree([summarise(x)], [same, same], 1e-3)


# --- Statistics ---


def turns(*pairs: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"value": value, "others": others, "steps": 1, "faults": 0} for value, others in pairs]


def test_disturbed_turns_do_not_count() -> None:
    row = results.Row("drivetrain", "drivetrain", turns=turns((1.0, 0.0), (9.0, 0.5), (3.0, 0.1)))
    assert row.value == 2.0
    assert row.spread == 1.0
    assert not row.as_json()["noisy"]
    noisy = results.Row("drivetrain", "drivetrain", turns=turns((4.0, 0.5), (6.0, 0.9)))
    assert noisy.value == 5.0
    assert noisy.as_json()["noisy"]


MACHINE = {
    "cpu": "a CPU",
    "isa": "v4",
    "threads": 2,
    "peak_flops": 400.0,
    "memory_bandwidth": 1000.0,
    "cache": 100,
}


def record(ours: float = 1.0, name: str = "case", spread: float = 0.02, **more: Any) -> dict[str, Any]:
    rows = [("drivetrain", "drivetrain", ours), ("numpy", "numpy", 6.0), ("torch", "torch eager", 3.0)]
    rows += [("torch", "torch compile", 2.0), ("jax", "jax jit", 4.0)]
    case = {
        "suite": "kernels",
        "name": name,
        "measure": "seconds",
        "readme": name,
        "flops": 300.0,
        "traffic": 0.0,
        "bars": [
            {"against": "peers", "least": 1.5, "goal": 2.0},
            {"against": "jax", "least": 5, "goal": None},
            {"against": "peak", "least": 0.7, "goal": 0.9},
            {"against": "tf", "least": 1, "goal": None},
        ],
        "rows": [
            {
                "library": library,
                "label": label,
                "variant": "",
                "version": "1",
                "value": value,
                "spread": spread,
                "turns": 5,
                "noisy": False,
                "faults": 0,
            }
            for library, label, value in rows
        ]
        + [{"library": "tf", "label": "tf graph", "variant": "", "note": "does not run"}],
        "failed": "",
        **more,
    }
    return {"machine": MACHINE, "commands": ["python -m benchmarks run"], "cases": [case]}


def test_ratios_and_verdicts() -> None:
    case = record()["cases"][0]
    ratios = [results.ratio(case, bar, MACHINE) for bar in case["bars"]]
    assert ratios == [2.0, 4.0, 0.75, None]
    verdicts = [results.verdict(r, bar) for r, bar in zip(ratios, case["bars"], strict=True)]
    assert verdicts == ["goal", "missed", "reached", "not measured"]
    assert results.ratio(case, Bar("numpy", 1.0), MACHINE) == 6.0
    assert results.ratio(case, Bar("torch+numpy", 1.0), MACHINE) == 2.0


def test_bars_about_variants_compare_with_the_first() -> None:
    rows = [results.Row("drivetrain", "drivetrain", variant=v) for v in ("busy", "quiet")]
    rows[0].turns, rows[1].turns = turns((4.0, 0.0)), turns((2.0, 0.0))
    case = results.as_json(Case("c", "gemm", bars=(Bar("quiet", 0.25),)), "busy", rows)
    assert results.ratio(case, case["bars"][0], MACHINE) == 0.5


def test_comparison_tells_what_is_beyond_the_noise() -> None:
    lines, slower = results.compare(record(1.0), record(1.04))
    assert slower == []
    assert "1.04" in lines[0]
    assert results.compare(record(1.0), record(1.2))[1] == ["case"]
    assert results.compare(record(1.0, spread=0.5), record(1.2, spread=0.5))[1] == []
    assert "faster" in results.compare(record(1.0), record(0.5))[0][0]
    assert results.compare(record(1.0), record(1.0, name="another")) == ([], [])


def test_compare_command_ends_with_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text(json.dumps(record(1.0)))
    (tmp_path / "b").write_text(json.dumps(record(2.0)))
    command.main(["compare", str(tmp_path / "b"), str(tmp_path / "a")])
    assert "faster" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="slower beyond the noise: case"):
        command.main(["compare", str(tmp_path / "a"), str(tmp_path / "b")])


# --- The driver ---


def test_run_report_and_resume(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    words = ["run", "--suite", "gemm", "--case", "32x64x20", "--rounds", "1", "--json", str(out)]
    command.main(words)
    found = json.loads(out.read_text())
    assert found["machine"]["peak_flops"] > 0
    assert {row["label"] for row in found["cases"][0]["rows"]} == {"drivetrain", "numpy"}
    assert "best" not in found["cases"][0]["failed"]
    command.main([*words, "--resume"])
    assert json.loads(out.read_text())["cases"] == found["cases"]  # nothing was measured again
    capsys.readouterr()

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "README.md").write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    command.main(["report", str(out), "--folder", str(tmp_path)])
    assert "32x64x20" in (tmp_path / "benchmarks/RESULTS.md").read_text()
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("before\n")
    assert "old" not in readme
    assert readme.endswith("after\n")
    command.main(["report", str(out), "--folder", str(tmp_path), "--machine", "other"])
    assert "`results-other.json`" in (tmp_path / "benchmarks/RESULTS-other.md").read_text()
    assert json.loads((tmp_path / "benchmarks/results-other.json").read_text())["cases"]
    assert (tmp_path / "README.md").read_text() == readme


def test_a_wrong_result_stops_the_case() -> None:
    runner = driver.Driver([], 1, 1, 1.0, lambda text: None)
    checked: dict[str, Any] = {}
    mode = modes.Mode("numpy", "numpy")
    weights = (1.0, [1e-4, 5e-5, 1e-5])
    right: dict[str, Any] = {"results": [[[1.0, 0.5, 0.1]]], "changes": [weights, weights]}
    runner._check(Case("c", "gemm"), mode, right, checked)
    for wrong, words in (
        ({**right, "results": [[[1.1, 0.5, 0.1]]]}, "result of step 1: torch eager computes"),
        ({**right, "changes": [weights, (1.0, [1e-4, 5e-5, 2e-5])]}, "change of weights 1 by step 1: torch"),
    ):
        with pytest.raises(driver.CaseFailed, match=words):
            runner._check(Case("c", "gemm"), modes.Mode("torch", "eager"), wrong, checked)


def test_waiting_processes_are_stopped() -> None:
    process = driver.Process(modes.Mode("numpy", "numpy"), 1)
    try:
        assert process.ask(do="nonsense")["error"].startswith("AttributeError")
        os.waitpid(process.process.pid, os.WUNTRACED)
        state = Path(f"/proc/{process.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        assert state == "T"
        process.process.send_signal(signal.SIGKILL)
        with pytest.raises(RuntimeError, match="the process of numpy ended"):
            process.ask(do="drop")
    finally:
        process.close()


def test_probe_figures_are_plausible() -> None:
    import drivetrain as dt

    before = dt.get_num_threads()
    try:
        assert probe.fma_peak(1) > 1e8
        assert probe.bf16_peak(1) > 1e8
        for way in probe.WAYS:
            assert 1e7 < probe.bandwidth(way, 1 << 14, 1) < 1e14
        assert 0 < probe.region_cost(2) < 1
        assert 0 < probe.fault_cost(huge=False) < 1e-2
    finally:
        dt.set_num_threads(before)
    with pytest.raises(ValueError, match="way is 'sideways'"):
        dt._core._bandwidth("sideways", 4096, 1)
    with pytest.raises(ValueError, match="bytes is 8"):
        dt._core._bandwidth("read", 8, 1)
    with pytest.raises(ValueError, match="threads is 0"):
        dt._core._fma_peak(0)
    with pytest.raises(ValueError, match="_bf16_peak: threads"):
        dt._core._bf16_peak(0)


# --- The tables ---


def test_tables() -> None:
    page = report.results_page(record())
    assert (
        "| case | 1000 ms ±1% | 0 GFLOP/s (75%) | torch compile 2000 ms | peers 2.00 | 1.5 (2) | goal |"
        in page
    )
    assert "|  |  |  |  | jax 4.00 | 5 | **no** |" in page
    assert "| case | tf graph | does not run |  |  |  |" in page
    assert "| kernels | 1 | 0 | 1 | 1 | 1 | 1 |" in page
    assert "| kernels | case | jax 4.00 | 5 |" in page
    failed = record(rows=[], failed="does not run")
    assert "| kernels | 1 | 1 | 0 | 0 | 0 | 4 |" in report.results_page(failed)
    assert "| kernels | 1 of 3 | 0 |" in report.results_page(record() | {"sizes": {"kernels": 3, "conv": 7}})
    assert "not run: conv.\n" in report.results_page(record() | {"sizes": {"kernels": 1, "conv": 7}})
    block = report.readme_block(record())
    assert "| milliseconds | drivetrain | NumPy | PyTorch | JAX | best peer over ours |" in block
    assert "| case | 1000 | 6000 | 2000 | 4000 | 2.0 |" in block


def test_readme_and_results_come_from_the_stored_results() -> None:
    stored = json.loads((ROOT / "benchmarks/results.json").read_text())
    assert report.readme_block(stored) in (ROOT / "README.md").read_text()
    for file in (ROOT / "benchmarks").glob("results*.json"):
        suffix = file.stem.removeprefix("results")
        page = (ROOT / f"benchmarks/RESULTS{suffix}.md").read_text()
        assert report.results_page(json.loads(file.read_text()), suffix) == page


def test_byte_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = bytes(np.random.default_rng(0).integers(0, 4, 3000, dtype=np.uint8)) + b"abcd" * 50
    tables = byte_models.tables_of(training, 3)
    for context in (b"ab", b"\x00\x01", b"zz"):  # seen, seen, never
        assert sum(byte_models.chance(tables, context, byte) for byte in range(256)) == pytest.approx(1)
    assert byte_models.chance(tables, b"ab", ord("c")) > 0.95
    drawn = bytes(np.random.default_rng(1).integers(0, 4, 500, dtype=np.uint8))
    assert 1.95 < byte_models.kneser_ney(training, drawn, 3) < 2.2  # two bits of noise
    assert byte_models.kneser_ney(training, b"abcd" * 50, 3) < 0.2

    (tmp_path / "text").write_bytes(b"one and the same line\n" * 200)
    command.main(["byte_models", str(tmp_path / "text"), "--order", "4"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "440 bytes to test on, 3,960 before them; bits per byte"
    assert all(float(line.split()[-1]) < 0.3 for line in lines[1:])
    assert len(lines) == 4


def test_half_ops(capsys: pytest.CaptureFixture[str]) -> None:
    found = half_ops.run("", 1, 1, ((3, 17),))
    assert len(found) == len({each.name for each in found}) == 90
    assert all(min(each.seconds) > 0 for each in found)
    lines = capsys.readouterr().out.splitlines()
    slow = sum(each.slowest < half_ops.ALLOWED for each in found)
    assert lines[-1].startswith(f"3x17: {len(found)} ops, {slow} below; bfloat16 median ")
    assert len(lines) == slow + 2
