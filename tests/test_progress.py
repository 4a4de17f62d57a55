"""The progress bar: in a terminal, in a log file, in a notebook, and where writing fails."""

import io
import re
import sys
import types

import pytest

from drivetrain.train import progress
from drivetrain.train.progress import (
    ProgressBar,
    format_number,
    format_seconds,
    format_step_time,
    kind_of_output,
)


class Output(io.StringIO):
    def __init__(self, is_terminal=False, encoding="utf-8"):
        super().__init__()
        self._is_terminal, self._encoding = is_terminal, encoding
        self.writes = 0

    encoding = property(lambda self: self._encoding)

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.writes += 1
        text.encode(self._encoding)
        return super().write(text)


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Clock


def play(bar, clock, *, epochs=2, steps=4, seconds=0.5, known=True):
    bar.set_params({"epochs": epochs, "steps": steps if known else None})
    bar.on_train_begin()
    for epoch in range(epochs):
        bar.on_epoch_begin(epoch)
        for step in range(steps):
            clock.now += seconds
            bar.on_train_batch_end(step, {"loss": 1 / (step + 1)})
        bar.on_test_begin()
        bar.on_test_batch_end(0, {})
        bar.on_test_end({})
        bar.on_epoch_end(epoch, {"loss": 0.25, "val_loss": 0.5})
    bar.on_train_end()


def screen(text):
    """What a terminal shows after carriage returns have been obeyed."""
    lines = [[]]
    column = 0
    for character in text:
        if character == "\n":
            lines.append([])
            column = 0
        elif character == "\r":
            column = 0
        else:
            lines[-1][column : column + 1] = [character]
            column += 1
    return ["".join(line).rstrip() for line in lines]


class TestTerminal:
    def test_one_line_is_rewritten(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(), clock)
        assert "\r" in out.getvalue()
        assert screen(out.getvalue()) == [
            "Epoch 1/2",
            "4/4 ━━━━━━━━━━━━━━━━━━━━ 2.0s 500ms/step - loss: 0.2500 - val_loss: 0.5000",
            "Epoch 2/2",
            "4/4 ━━━━━━━━━━━━━━━━━━━━ 2.0s 500ms/step - loss: 0.2500 - val_loss: 0.5000",
            "",
        ]

    def test_middle_of_an_epoch(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        bar = ProgressBar(1)
        bar.set_params({"epochs": 1, "steps": 10})
        bar.on_train_begin()
        bar.on_epoch_begin(0)
        clock.now += 3
        bar.on_train_batch_end(2, {"loss": 2.0})
        assert screen(out.getvalue())[-1] == " 3/10 ━━━━━━────────────── 7.0s left 1.0s/step - loss: 2.0000"

    def test_lines_never_wrap(self, clock, monkeypatch):
        monkeypatch.setenv("COLUMNS", "40")
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(), clock)
        assert max(map(len, screen(out.getvalue()))) <= 39

    def test_drawing_is_rare(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(), clock, epochs=1, steps=1000, seconds=0.001)
        assert out.writes < 20

    def test_ascii_where_the_terminal_knows_no_more(self, clock, monkeypatch):
        out = Output(is_terminal=True, encoding="ascii")
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(), clock)
        assert "4/4 ==================== 2.0s" in out.getvalue()

    def test_unknown_number_of_steps(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(), clock, epochs=1, known=False)
        assert "2/? 1.0s 500ms/step" in out.getvalue()
        assert screen(out.getvalue())[1].startswith("4/4 ━━━")

    def test_dumb_terminal_is_a_log(self, clock, monkeypatch):
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr(sys, "stdout", Output(is_terminal=True))
        assert kind_of_output() == "log"

    def test_interrupted_line_is_ended(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        bar = ProgressBar(1)
        bar.set_params({"epochs": 1, "steps": 10})
        bar.on_train_begin()
        bar.on_epoch_begin(0)
        clock.now += 3
        bar.on_train_batch_end(2, {})
        bar.on_train_end()
        assert out.getvalue().endswith("\n")


class TestLog:
    def test_one_line_per_epoch(self, clock, monkeypatch):
        out = Output()
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar("auto"), clock)
        assert out.getvalue() == (
            "Epoch 1/2 - 2.0s - loss: 0.2500 - val_loss: 0.5000\n"
            "Epoch 2/2 - 2.0s - loss: 0.2500 - val_loss: 0.5000\n"
        )

    def test_long_epochs_with_verbose_1_say_something_at_intervals(self, clock, monkeypatch):
        out = Output()
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(1), clock, epochs=1, steps=100, seconds=1.0)
        lines = out.getvalue().splitlines()
        assert "\r" not in out.getvalue()
        assert lines[0] == "Epoch 1/1: step 30/100 (30%) - 30s - loss: 0.0333"
        assert len(lines) == 4
        assert lines[-1].startswith("Epoch 1/1 - 1m40s - loss")

    def test_verbose_0_is_silent(self, clock, monkeypatch):
        out = Output()
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(0), clock)
        assert out.getvalue() == ""

    def test_verbose_2_in_a_terminal(self, clock, monkeypatch):
        out = Output(is_terminal=True)
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(2), clock)
        assert "\r" not in out.getvalue()
        assert len(out.getvalue().splitlines()) == 2


class TestNotebook:
    def test_rewrites_without_escape_codes(self, clock, monkeypatch):
        shell = type("ZMQInteractiveShell", (), {})()
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
        out = Output()
        monkeypatch.setattr(sys, "stdout", out)
        assert kind_of_output() == "notebook"
        play(ProgressBar(), clock)
        assert "\r" in out.getvalue()
        assert "\x1b" not in out.getvalue()
        assert screen(out.getvalue())[1].startswith("4/4 ━")

    def test_ipython_in_a_terminal_is_none(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
        monkeypatch.setattr(sys, "stdout", Output())
        assert kind_of_output() == "log"


class TestEvaluation:
    @pytest.mark.parametrize("what", ["test", "predict"])
    def test_own_bar(self, clock, monkeypatch, what):
        out = Output()
        monkeypatch.setattr(sys, "stdout", out)
        bar = ProgressBar(2)
        bar.set_params({"steps": 2})
        getattr(bar, f"on_{what}_begin")()
        clock.now += 1
        getattr(bar, f"on_{what}_batch_end")(0, {"loss": 1.0})
        getattr(bar, f"on_{what}_end")({"loss": 1.0})
        expected = "Evaluation - 1.0s - loss: 1.0000\n" if what == "test" else "Prediction - 1.0s\n"
        assert out.getvalue() == expected


class TestBrokenOutput:
    @pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("I/O operation on closed file")])
    def test_training_goes_on(self, clock, monkeypatch, error):
        class Broken(Output):
            def write(self, text):
                self.writes += 1
                raise error

        out = Broken()
        monkeypatch.setattr(sys, "stdout", out)
        play(ProgressBar(2), clock)
        assert out.writes == 1

    def test_no_standard_output(self, clock, monkeypatch):
        monkeypatch.setattr(sys, "stdout", None)
        play(ProgressBar(1), clock)


class TestFormats:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0, "0.0000"),
            (0.12345, "0.1235"),
            (2e-5, "2.000e-05"),
            (1e9, "1.000e+09"),
            (float("nan"), "nan"),
            ("x", "x"),
        ],
    )
    def test_numbers(self, value, text):
        assert format_number(value) == text

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.04, "0.0s"), (9.94, "9.9s"), (59.4, "59s"), (61, "1m01s"), (3600, "1h00m"), (7384, "2h03m")],
    )
    def test_seconds(self, seconds, text):
        assert format_seconds(seconds) == text

    def test_step_times(self):
        assert [format_step_time(t) for t in (2.5, 0.02, 60e-6)] == ["2.5s/step", "20ms/step", "60us/step"]

    @pytest.mark.parametrize("verbose", [3, -1, "yes", None, 1.5])
    def test_unknown_verbose(self, verbose):
        with pytest.raises(
            ValueError, match=re.escape(f"verbose is {verbose!r}, expected 0, 1, 2 or 'auto'")
        ):
            ProgressBar(verbose)

    def test_bools_are_numbers(self):
        assert ProgressBar(True).verbose == 1
        assert ProgressBar(False).verbose == 0
