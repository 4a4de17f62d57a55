"""The command line: what it leaves behind, what it says, and its exit codes."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from drivetrain import datasets
from drivetrain.cli import main
from drivetrain.cli.info import why_threads
from drivetrain.cli.report import format_matrix
from drivetrain.io import load_model

FILES = ["config.json", "curves.png", "history.csv", "misclassified.png", "model.safetensors", "results.json"]


@pytest.fixture(autouse=True)
def same_threads():
    """A command sets the threads of its process, which here goes on with other tests."""
    import drivetrain as dt

    before = dt.get_num_threads()
    yield
    dt.set_num_threads(before)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "drivetrain", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The run folder of the command that the README begins with, and what it printed."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("work")
    done = subprocess.run(
        [sys.executable, "-m", "drivetrain", "train", "digits"],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == 0
    return folder / "runs" / "digits", done.stdout


class TestTrain:
    def test_accuracy(self, trained):
        folder, output = trained
        results = json.loads((folder / "results.json").read_text())
        assert results["test_accuracy"] >= 0.985
        assert f"Test accuracy: {100 * results['test_accuracy']:.2f}%" in output
        matrix = np.array(results["confusion_matrix"])
        assert matrix.sum() == results["test_images"] == 360
        assert matrix.trace() / 360 == pytest.approx(results["test_accuracy"])

    def test_output(self, trained):
        _, output = trained
        assert "digits: 1,437 images to train on, 360 to test on" in output
        assert len(re.findall(r"^Epoch \d+/20 - .* - val_accuracy: ", output, re.MULTILINE)) == 20
        assert "\r" not in output
        assert "true \\ predicted" in output
        assert "Everything is in runs/digits" in output

    def test_run_folder(self, trained):
        folder, _ = trained
        assert sorted(os.listdir(folder)) == FILES
        lines = (folder / "history.csv").read_text().splitlines()
        assert lines[0] == "epoch,accuracy,loss,val_accuracy,val_loss"
        assert len(lines) == 21
        config = json.loads((folder / "config.json").read_text())
        assert (config["dataset"], config["epochs"], config["seed"]) == ("digits", 20, 0)
        for name in ("curves.png", "misclassified.png"):
            assert (folder / name).read_bytes()[:4] == b"\x89PNG"
        images, labels = datasets.digits("test")
        scores = load_model(folder / "model.safetensors").predict(images)
        results = json.loads((folder / "results.json").read_text())
        assert (scores.argmax(axis=1) == labels).mean() == pytest.approx(results["test_accuracy"])

    def test_options(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        options = ["--epochs", "2", "--batch", "64", "--lr", "0.01", "--optimizer", "sgd", "--model", "mlp"]
        assert main(["train", "digits", *options, "--seed", "7", "--out", "mine/run", "--verbose", "0"]) == 0
        config = json.loads((tmp_path / "mine" / "run" / "config.json").read_text())
        wanted = {
            "epochs": 2,
            "batch_size": 64,
            "learning_rate": 0.01,
            "optimizer": "sgd",
            "model": "mlp",
            "seed": 7,
        }
        assert wanted.items() <= config.items()
        assert "Epoch" not in capsys.readouterr().out

    @pytest.mark.parametrize(("option", "name"), [("bfloat16", "bfloat16"), ("fp16", "float16")])
    def test_precision(self, tmp_path, capsys, option, name):
        options = ["--precision", option, "--epochs", "6", "--verbose", "2", "--out", str(tmp_path / "run")]
        assert main(["train", "digits", *options]) == 0
        assert json.loads((tmp_path / "run" / "config.json").read_text())["precision"] == name
        assert json.loads((tmp_path / "run" / "results.json").read_text())["test_accuracy"] > 0.95
        assert f"batches of 32, {name}, seed 0" in capsys.readouterr().out

    def test_a_training_that_diverges_says_where(self, tmp_path, capsys):
        options = ["--model", "mlp", "--optimizer", "sgd", "--lr", "1e30", "--verbose", "0"]
        assert main(["train", "digits", *options, "--out", str(tmp_path / "run")]) == 1
        error = capsys.readouterr().err
        assert re.match(r"drivetrain: error: fit: epoch 1, step \d+: .* layer '\S+' \(\w+\)", error)

    def test_same_seed_same_bytes_for_any_threads(self, tmp_path):
        def model(name, *options):
            out = str(tmp_path / name)
            assert run("train", "digits", "--epochs", "2", "--out", out, *options).returncode == 0
            return (tmp_path / name / "model.safetensors").read_bytes()

        first = model("a", "--threads", "1")
        assert model("b", "--threads", "2") == first
        assert model("c", "--seed", "1") != first

    def test_folders_are_never_overwritten(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        for _ in range(2):
            assert main(["train", "digits", "--epochs", "1", "--model", "mlp", "--verbose", "0"]) == 0
        assert sorted(os.listdir("runs")) == ["digits", "digits-2"]
        assert main(["train", "digits", "--epochs", "1", "--out", "runs/digits"]) == 1
        assert (
            capsys.readouterr().err
            == "drivetrain: error: runs/digits exists already; name another folder with --out\n"
        )

    def test_without_matplotlib(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        out = tmp_path / "run"
        assert main(["train", "digits", "--epochs", "1", "--model", "mlp", "--out", str(out)]) == 0
        assert "pip install 'drivetrain[plot]'" in capsys.readouterr().out
        assert sorted(os.listdir(out)) == [name for name in FILES if not name.endswith("png")]

    def test_fashion_mnist_of_a_folder(self, tmp_path, monkeypatch):
        from drivetrain.datasets import fashion
        from test_datasets import idx_bytes

        monkeypatch.setattr(fashion, "FILES", {"train": ("train", 40), "test": ("t10k", 20)})
        rng = np.random.default_rng(0)
        for prefix, n in (("train", 40), ("t10k", 20)):
            images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
            (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx_bytes(images))
            (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(
                idx_bytes((np.arange(n) % 10).astype(np.uint8))
            )
        out = tmp_path / "run"
        arguments = ["--data", str(tmp_path), "--epochs", "1", "--model", "mlp", "--out", str(out)]
        assert main(["train", "fashion_mnist", *arguments]) == 0
        assert main(["evaluate", str(out)]) == 0

    @pytest.mark.skipif(sys.platform == "win32", reason="signals")
    @pytest.mark.parametrize("after", [0, 2])
    def test_ctrl_c_saves_what_was_trained(self, tmp_path, after):
        out = tmp_path / "run"
        command = [
            sys.executable,
            "-u",
            "-m",
            "drivetrain",
            "train",
            "digits",
            "--epochs",
            "100000",
            "--out",
            str(out),
        ]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A test run in the background is started with the signal ignored, and so would be its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            for line in process.stdout:
                if line.startswith(f"Epoch {after}/" if after else "small_cnn"):
                    break
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            try:
                output, errors = process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 130
        assert errors == ""
        assert "What was trained is saved in" in output
        assert load_model(out / "model.safetensors") is not None
        results = json.loads((out / "results.json").read_text())
        assert results["interrupted"] is True
        rows = (out / "history.csv").read_text().splitlines()[1:]
        assert len(rows) == results["epochs_done"]
        assert results["epochs_done"] >= after
        assert main(["evaluate", str(out)]) == 0


class TestResume:
    def files(self, folder):
        return {name: (folder / name).read_bytes() for name in ("model.safetensors", "history.csv")}

    def interrupted(self, monkeypatch, out, *options):
        """A run that ends within its third epoch."""
        from drivetrain.cli import recipes

        with monkeypatch.context() as patch:
            real = recipes.WarmupAndDecay.on_train_batch_begin

            def interrupt(self, batch, logs=None):
                if self.trainer.loop.epoch == 2 and batch == 3:
                    raise KeyboardInterrupt
                real(self, batch, logs)

            patch.setattr(recipes.WarmupAndDecay, "on_train_batch_begin", interrupt)
            return main(["train", "digits", "--epochs", "4", "--verbose", "0", "--out", str(out), *options])

    def test_the_same_network(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        options = ["--epochs", "4", "--model", "mlp", "--seed", "5", "--verbose", "0"]
        assert main(["train", "digits", *options, "--out", "whole"]) == 0
        assert not (tmp_path / "whole" / "checkpoints").exists()
        assert self.interrupted(monkeypatch, "runs/digits", "--model", "mlp", "--seed", "5") == 130
        assert len(os.listdir("runs/digits/checkpoints")) == 2
        assert main(["train", "digits", "--resume", "--verbose", "0"]) == 0
        assert self.files(tmp_path / "runs" / "digits") == self.files(tmp_path / "whole")
        assert not (tmp_path / "runs" / "digits" / "checkpoints").exists()
        capsys.readouterr()
        assert main(["train", "digits", "--resume"]) == 1
        assert "runs/digits has come to its end" in capsys.readouterr().err

    def test_the_last_run_of_the_data_set(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert main(["train", "digits", "--resume"]) == 1
        assert "runs has no run of digits to resume" in capsys.readouterr().err
        for name in ("digits", "digits-2", "digits-10", "digits-x", "mnist5k-11"):
            os.makedirs(tmp_path / "runs" / name)
        assert main(["train", "digits", "--resume"]) == 1
        assert "runs/digits-10 is no run folder" in capsys.readouterr().err

    def test_settings_stay(self, tmp_path, monkeypatch, capsys):
        out = tmp_path / "run"
        assert self.interrupted(monkeypatch, out, "--model", "mlp") == 130
        again = ["train", "digits", "--resume", "--out", str(out)]
        assert main([*again, "--lr", "0.5", "--optimizer", "sgd"]) == 1
        message = (
            "goes on with its own settings: learning_rate is 0.003, not 0.5; optimizer is adamw, not sgd"
        )
        assert message in capsys.readouterr().err
        assert main(["train", "mnist5k", "--resume", "--out", str(out)]) == 1
        assert "dataset is digits, not mnist5k" in capsys.readouterr().err
        config = json.loads((out / "config.json").read_text())
        for change in ({"model": "Module"}, {"epochs": "4"}, {"seed": None}, {"data_folder": 5}):
            (out / "config.json").write_text(json.dumps({**config, **change}))
            assert main(again) == 1
            assert "config.json is damaged" in capsys.readouterr().err


class TestEvaluate:
    def test_same_numbers_as_the_training(self, trained, capsys):
        folder, output = trained
        assert main(["evaluate", str(folder)]) == 0
        said = capsys.readouterr().out
        assert said.strip() in output
        assert main(["evaluate", str(folder), "--split", "train"]) == 0
        assert "of 1437 wrong" in capsys.readouterr().out

    def test_no_run_folder(self, tmp_path, capsys):
        assert main(["evaluate", str(tmp_path)]) == 1
        assert re.fullmatch(
            r"drivetrain: error: .* is no run folder: .*config.json is missing\n", capsys.readouterr().err
        )

    @pytest.mark.parametrize(
        "content", ["", "[", "[]", "{}", '{"dataset": "cats"}', '{"dataset": ["digits"]}']
    )
    def test_damaged_config(self, tmp_path, capsys, content):
        (tmp_path / "config.json").write_text(content)
        assert main(["evaluate", str(tmp_path)]) == 1
        assert "config.json" in capsys.readouterr().err

    def test_damaged_model(self, tmp_path, capsys):
        (tmp_path / "config.json").write_text('{"dataset": "digits"}')
        assert main(["evaluate", str(tmp_path)]) == 1
        assert "has no model.safetensors" in capsys.readouterr().err
        (tmp_path / "model.safetensors").write_bytes(b"12345")
        assert main(["evaluate", str(tmp_path)]) == 1
        assert "truncated, damaged or no safetensors file" in capsys.readouterr().err


@pytest.fixture(scope="module")
def image_of(tmp_path_factory):
    """A function that saves a digit of the test part as an image file."""
    image = pytest.importorskip("PIL.Image")
    images, labels = datasets.digits("test")
    folder = tmp_path_factory.mktemp("images")

    def save(label, *, factor=1, paper=False, mode="L", pad=(0, 0)):
        pixels = images[np.flatnonzero(labels == label)[0], ..., 0] * 15.9375
        pixels = np.kron(pixels, np.ones((factor, factor))).round().astype(np.uint8)
        pixels = np.pad(pixels, ((pad[0], pad[0]), (pad[1], pad[1])))
        path = folder / f"{label}-{factor}-{paper}-{mode}-{pad[0]}-{pad[1]}.png"
        image.fromarray(255 - pixels if paper else pixels).convert(mode).save(path)
        return str(path)

    return save


class TestPredict:
    @pytest.mark.parametrize("label", [0, 3, 7])
    @pytest.mark.parametrize(
        "form",
        [{}, {"factor": 5}, {"paper": True}, {"paper": True, "factor": 12, "mode": "RGB"}, {"pad": (0, 6)}],
    )
    def test_finds_the_digit(self, trained, image_of, capsys, label, form):
        path = image_of(label, **form)
        assert main(["predict", str(trained[0]), path]) == 0
        said = capsys.readouterr().out
        if not form.get("pad"):
            assert re.match(rf"{re.escape(path)}: {label} \(\d+\.\d%\), ", said)
        assert len(said.split(",")) == 3

    def test_one_bad_file_does_not_stop_the_others(self, trained, image_of, tmp_path, capsys):
        text = tmp_path / "a.png"
        text.write_text("no image")
        good = image_of(3)
        assert main(["predict", str(trained[0]), str(text), good, str(tmp_path / "b.png"), "--top", "1"]) == 1
        said = capsys.readouterr()
        assert re.fullmatch(r".*: 3 \(.*%\)\n", said.out)
        assert said.err.splitlines() == [
            f"drivetrain: error: {text} is no image that Pillow can read",
            f"drivetrain: error: {tmp_path / 'b.png'} does not exist",
        ]

    @pytest.mark.parametrize("top", ["0", "-1", "many"])
    def test_top_must_be_a_number_of_classes(self, trained, image_of, capsys, top):
        with pytest.raises(SystemExit):
            main(["predict", str(trained[0]), image_of(3), "--top", top])
        assert "argument --top: " in capsys.readouterr().err


class TestReadImage:
    @pytest.fixture(autouse=True)
    def pillow(self):
        self.image = pytest.importorskip("PIL.Image")

    def read(self, tmp_path, array, size=(8, 8, 1), invert="auto", mode=None):
        from drivetrain.cli.images import read_image

        picture = self.image.fromarray(array) if mode is None else self.image.fromarray(array).convert(mode)
        path = tmp_path / "image.png"
        picture.save(path)
        return read_image(str(path), size, 16, invert)

    def test_values(self, tmp_path):
        array = np.zeros((8, 8), np.uint8)
        array[3, 4] = 255
        result = self.read(tmp_path, array)
        assert result.shape == (8, 8, 1)
        assert result.dtype == np.float32
        assert result[3, 4, 0] == 16
        assert result.sum() == 16

    def test_inversion(self, tmp_path):
        ink = np.zeros((8, 8), np.uint8)
        ink[2:6, 3:5] = 255
        expected = self.read(tmp_path, ink)
        np.testing.assert_array_equal(self.read(tmp_path, 255 - ink), expected)
        np.testing.assert_array_equal(self.read(tmp_path, 255 - ink, invert="yes"), expected)
        np.testing.assert_array_equal(self.read(tmp_path, 255 - ink, invert="no"), 16 - expected)
        np.testing.assert_array_equal(self.read(tmp_path, ink, invert="yes"), 16 - expected)

    def test_transparent_is_paper(self, tmp_path):
        array = np.zeros((8, 8, 4), np.uint8)  # transparent black
        array[2:6, 3:5, 3] = 255  # opaque black ink
        result = self.read(tmp_path, array)
        assert result[3, 3, 0] == 16
        assert result[0, 0, 0] == 0

    def test_sixteen_bits(self, tmp_path):
        array = np.zeros((8, 8), np.uint16)
        array[3, 3] = 65535
        array[4, 4] = 32768
        result = self.read(tmp_path, array)
        assert result[3, 3, 0] == 16
        assert result[4, 4, 0] == pytest.approx(8, abs=0.01)

    def test_aspect_ratio_is_kept(self, tmp_path):
        array = np.zeros((16, 64), np.uint8)
        array[:, 28:36] = 255
        result = self.read(tmp_path, array)[..., 0]
        # 16 of 64 rows are the image: 2 of 8 after scaling, in the middle.
        assert np.flatnonzero(result.any(axis=1)).tolist() == [3, 4]
        np.testing.assert_allclose(result[3], [0, 0, 0, 8, 8, 0, 0, 0], atol=0.1)

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 9), (500, 3)])
    def test_any_size(self, tmp_path, shape):
        assert self.read(tmp_path, np.full(shape, 100, np.uint8)).shape == (8, 8, 1)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
    def test_modes(self, tmp_path, mode):
        if mode == "CMYK":
            from drivetrain.cli.images import to_grey

            assert to_grey(self.image.new("CMYK", (4, 4))).shape == (4, 4)
            return
        assert np.isfinite(self.read(tmp_path, np.eye(9, dtype=np.uint8) * 255, mode=mode)).all()

    def test_truncated(self, tmp_path):
        from drivetrain.cli.images import read_image

        self.read(tmp_path, np.random.default_rng(0).integers(0, 255, (50, 50)).astype(np.uint8))
        path = tmp_path / "image.png"
        path.write_bytes(path.read_bytes()[:-600])
        with pytest.raises(ValueError, match="truncated or damaged"):
            read_image(str(path), (8, 8, 1), 16)

    def test_bomb(self, tmp_path, monkeypatch):
        monkeypatch.setattr(self.image, "MAX_IMAGE_PIXELS", 60)
        with pytest.raises(ValueError, match="is too large"):
            self.read(tmp_path, np.zeros((8, 8), np.uint8))

    def test_folder_and_missing_pillow(self, tmp_path, monkeypatch):
        from drivetrain.cli.images import read_image

        with pytest.raises(ValueError, match="is a folder"):
            read_image(str(tmp_path), (8, 8, 1), 16)
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'drivetrain\[images\]'"):
            read_image("a.png", (8, 8, 1), 16)


class TestInfo:
    def test_lines(self, capsys):
        assert main(["info"]) == 0
        said = capsys.readouterr().out
        for word in ("drivetrain:", "Python:", "CPU:", "ISA:", "threads:", "memory:", "extras:"):
            assert word in said

    def test_json(self, capsys):
        import drivetrain as dt

        assert main(["info", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["version"] == dt.__version__
        assert found["isa"] in found["isa_levels"]
        assert found["threads"] == dt.get_num_threads()

    def test_forced_level_is_said(self):
        import drivetrain as dt

        lowest = dt.isa_levels()[0]
        environment = {**os.environ, "DRIVETRAIN_ISA": lowest, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "drivetrain", "info"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"{lowest} (forced by DRIVETRAIN_ISA={lowest})" in done.stdout
        assert "1, set by OMP_NUM_THREADS" in done.stdout

    def test_reasons_for_threads(self):
        limits = {"OMP_NUM_THREADS": None, "affinity": 4, "cgroup": 2, "hardware": 8}
        assert why_threads(2, limits).startswith("set by the container's quota (")
        assert why_threads(3, limits).startswith("set by hand")


class TestArguments:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["fly"],
            ["train"],
            ["train", "cats"],
            ["train", "digits", "--epochs", "0"],
            ["train", "digits", "--epochs", "x"],
            ["train", "digits", "--lr", "nan"],
            ["train", "digits", "--lr", "-1"],
            ["train", "digits", "--seed", "-1"],
            ["train", "digits", "--seed", str(2**64)],
            ["train", "digits", "--threads", "0"],
            ["train", "digits", "--optimizer", "magic"],
            ["train", "digits", "--batch", "-5"],
            ["evaluate"],
            ["predict", "run"],
            ["info", "extra"],
        ],
    )
    def test_wrong_ones_exit_with_2(self, arguments, capsys):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert "usage: drivetrain" in capsys.readouterr().err

    @pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["predict"], ["info"]])
    def test_help(self, command, capsys):
        with pytest.raises(SystemExit) as caught:
            main([*command, "--help"])
        assert caught.value.code == 0
        said = capsys.readouterr().out
        assert len(said) > 250
        assert max(map(len, said.splitlines())) <= 120

    def test_version(self, capsys):
        import drivetrain as dt

        with pytest.raises(SystemExit):
            main(["--version"])
        assert capsys.readouterr().out == f"drivetrain {dt.__version__}\n"

    def test_missing_data_says_the_command(self, tmp_path, capsys):
        assert main(["train", "fashion_mnist", "--data", str(tmp_path)]) == 1
        assert "apt install dataset-fashion-mnist" in capsys.readouterr().err
        assert main(["train", "digits", "--data", str(tmp_path)]) == 1
        assert "leave out --data" in capsys.readouterr().err

    def test_traceback_on_demand(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            main(["--traceback", "evaluate", str(tmp_path)])
        done = run("evaluate", str(tmp_path))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr

    def test_reader_that_goes_away(self):
        command = f"{sys.executable} -m drivetrain info | true"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.stderr == ""


class TestMatrix:
    def test_short_names(self):
        text = format_matrix(np.array([[10, 0], [1, 5]]), ("0", "1"))
        assert text.splitlines() == ["true \\ predicted", "    0   1", "0  10   .", "1   1   5"]

    def test_long_names(self):
        text = format_matrix(np.array([[10, 0], [1, 5]]), ("Trouser", "Ankle boot"))
        assert text.splitlines()[2] == "0 Trouser     10   ."
