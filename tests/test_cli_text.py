"""`drivetrain train text FILE` and `drivetrain generate RUN`: a language model of any file."""

import json
import os
import pickle

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.cli import main
from drivetrain.cli import text as text_module
from drivetrain.data import FileWindows
from drivetrain.train.callbacks import Callback

SMALL = ["--context", "16", "--width", "16", "--layers", "1", "--heads", "2", "--verbose", "0"]
SMALL += ["--epochs", "3", "--lr", "0.01"]


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "book.txt"
    path.write_text("the cat sat on the mat, naïve. " * 600, encoding="utf-8")
    return path


def call(*arguments):
    return main(list(map(str, arguments)))


def weights(folder):
    return {name: value.numpy() for name, value in dt.load(folder / "model.safetensors").state_dict().items()}


class TestTrainText:
    def test_train_evaluate_generate(self, book, capsys):
        assert call("train", "text", book, *SMALL, "--epochs", "8") == 0
        assert "bits per byte" in capsys.readouterr().out
        run = book.parent / "runs" / "book"
        results = json.loads((run / "results.json").read_text())
        assert results["test_bits_per_byte"] < 2.5  # of 8; the text repeats itself
        assert results["test_bytes"] == (len(book.read_bytes()) // 10 - 1) // 16 * 16
        rows = (run / "history.csv").read_text().splitlines()
        assert float(rows[-1].split(",")[-1]) < float(rows[1].split(",")[-1])

        assert call("evaluate", run) == 0
        assert f"{results['test_bits_per_byte']:.3f} bits per byte" in capsys.readouterr().out
        said = []
        for options in (["--seed", 3], ["--seed", 3], ["--seed", 4], ["--greedy"], []):
            assert call("generate", run, "--prompt", "the c", "--length", 40, *options) == 0
            said.append(capsys.readouterr().out)
        assert said[0] == said[1] != said[2]
        assert all(text.startswith("the c") for text in said)
        assert "at sat on" in said[3]

    def test_interrupted_and_resumed_has_the_bits_of_one_run(self, book, monkeypatch, capsys):
        class Stop(Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    raise KeyboardInterrupt

        assert call("train", "text", book, *SMALL, "--out", "whole") == 0
        made = text_module.new_trainer
        with monkeypatch.context() as patch:

            def stopping(*arguments):
                trainer = made(*arguments)
                trainer.callbacks.append(Stop())
                return trainer

            patch.setattr(text_module, "new_trainer", stopping)
            assert call("train", "text", book, *SMALL, "--out", "cut") == 130
        changed = ["--context", "8", *SMALL[2:]]
        assert call("train", "text", book, *changed, "--out", "cut", "--resume") == 1
        assert "goes on with its own settings: context is 16, not 8" in capsys.readouterr().err
        assert call("train", "text", book, *SMALL, "--out", "cut", "--resume") == 0
        whole, cut = weights(book.parent / "whole"), weights(book.parent / "cut")
        for name in whole:
            np.testing.assert_array_equal(whole[name], cut[name])
        assert call("train", "text", book, *SMALL, "--out", "cut", "--resume") == 1
        assert "has come to its end" in capsys.readouterr().err
        book.write_text("something else " * 100)
        assert call("train", "text", book, *SMALL, "--out", "cut", "--resume") == 1
        assert "learned from something else" in capsys.readouterr().err

    def test_bytes_that_are_no_text(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "noise"
        path.write_bytes(bytes(range(256)) * 4)
        assert call("train", "text", path, *SMALL, "--epochs", "1") == 0
        assert call("generate", "runs/noise", "--length", 30) == 0
        capsys.readouterr().out.encode("utf-8")

    @pytest.mark.parametrize(
        ("content", "options", "message"),
        [
            (b"", [], "has 0 bytes; with --context 128 it takes at least 1,290"),
            (b"x" * 2000, ["--heads", "3"], "--width 128 is not a multiple of --heads 3"),
            (None, [], "does not exist"),
        ],
    )
    def test_impossible(self, tmp_path, monkeypatch, capsys, content, options, message):
        monkeypatch.chdir(tmp_path)
        if content is not None:
            (tmp_path / "a").write_bytes(content)
        assert call("train", "text", "a", *options) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "runs").exists()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
    @pytest.mark.parametrize("what", ["pipe", "folder", "device"])
    def test_what_has_no_end(self, tmp_path, monkeypatch, capsys, what):
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe")
        os.mkdir("folder")
        path = os.devnull if what == "device" else what
        assert call("train", "text", path, *SMALL) == 1
        assert f"{path} is no regular file" in capsys.readouterr().err
        with pytest.raises(ValueError, match="is no regular file, but a folder, a pipe or a device"):
            FileWindows(path, 4)

    def test_wrong_runs(self, book, tmp_path, capsys):
        assert call("train", "text", book, *SMALL, "--epochs", "1") == 0
        assert call("predict", "runs/book", "a.png") == 1
        assert "has a language model; print text from it" in capsys.readouterr().err
        (tmp_path / "digits").mkdir()
        (tmp_path / "digits" / "config.json").write_text('{"dataset": "digits"}')
        assert call("generate", "digits") == 1
        assert "its network reads images" in capsys.readouterr().err
        assert call("generate", "runs/book", "--prompt", "") == 1
        assert "--prompt is empty" in capsys.readouterr().err

    def test_a_file_without_text_before_it(self, book, capsys):
        with pytest.raises(SystemExit, match="2"):
            call("train", "book.txt")
        assert "to learn from its text: drivetrain train text book.txt" in capsys.readouterr().err

    def test_a_folder_called_text_is_a_folder(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "text").mkdir()
        assert call("train", "./text") == 1
        assert "text" in capsys.readouterr().err


class TestFileWindows:
    def test_windows(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(bytes(range(20)))
        windows = FileWindows(path, 4, start=2, stop=19)
        assert len(windows) == 4
        x, y = windows.take(np.array([3, 0]))
        np.testing.assert_array_equal(x, [[14, 15, 16, 17], [2, 3, 4, 5]])
        np.testing.assert_array_equal(y, x + 1)
        assert x.dtype == y.dtype == np.int64
        np.testing.assert_array_equal(windows[-1][0], x[0])
        copy = pickle.loads(pickle.dumps(windows))
        np.testing.assert_array_equal(copy[1][1], windows[1][1])
        with pytest.raises(IndexError, match="index 4 is out of range for 4 windows"):
            windows[4]

    def test_a_file_that_shrinks(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes(bytes(100))
        windows = FileWindows(path, 9)
        path.write_bytes(bytes(50))
        with pytest.raises(ValueError, match="has become shorter"):
            windows[9]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"steps": 10}, "has 10 bytes from 0 to 10, expected at least 11"),
            ({"steps": 2, "start": 9}, "has 1 bytes from 9 to 10, expected at least 3"),
            ({"steps": 2, "stop": 11}, "stop is 11, but .* has 10 bytes"),
            ({"steps": 0}, "steps must be a positive integer"),
        ],
    )
    def test_impossible(self, tmp_path, options, message):
        path = tmp_path / "a"
        path.write_bytes(bytes(10))
        with pytest.raises(ValueError, match=message):
            FileWindows(path, **options)
