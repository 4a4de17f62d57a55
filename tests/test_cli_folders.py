"""`drivetrain train FOLDER`: any folder of class folders."""

import csv
import json
import os
import re
import shutil
import sys

import numpy as np
import pytest

from drivetrain.cli import main

Image = pytest.importorskip("PIL.Image")

COLORS = {"blue": (20, 30, 200), "green": (30, 180, 40), "red": (210, 40, 20)}
OPTIONS = ["--size", "12", "--epochs", "3", "--verbose", "0", "--lr", "0.01", "--augment", "none"]


def make_folder(root, counts=(14, 12, 10)):
    """Classes of one colour each, with noise."""
    rng = np.random.default_rng(0)
    for (name, color), count in zip(COLORS.items(), counts, strict=True):
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = np.clip(np.array(color) + rng.normal(0, 20, (15 + i % 3, 14, 3)), 0, 255).astype(
                np.uint8
            )
            Image.fromarray(pixels).save(root / name / f"{i}.{('png', 'jpg')[i % 2]}")
    return root


@pytest.fixture
def colors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # pictures take most of the time
    return make_folder(tmp_path / "colors")


def train(*arguments):
    return main(["train", *map(str, arguments)])


def read_parts(folder):
    with open(folder / "files.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {part: {row["file"] for row in rows if row["part"] == part} for part in ("train", "test")}


class TestFolders:
    def test_train_evaluate_predict(self, colors, monkeypatch, capsys):
        monkeypatch.delitem(sys.modules, "matplotlib.figure")
        assert train(colors, *OPTIONS, "--verbose", "2") == 0
        said = capsys.readouterr().out
        assert f"{colors}: 28 images to train on, 8 to test on" in said
        run = colors.parent / "runs" / "colors"
        results = json.loads((run / "results.json").read_text())
        assert results["test_accuracy"] == 1
        assert np.array(results["confusion_matrix"]).sum(axis=1).tolist() == [3, 3, 2]
        assert (run / "misclassified.png").exists() == ("matplotlib" in sys.modules)
        parts = read_parts(run)
        assert not parts["train"] & parts["test"]
        assert len(parts["train"] | parts["test"]) == 36
        assert main(["evaluate", str(run)]) == 0
        assert "Test accuracy: 100.00% (0 of 8 wrong)" in capsys.readouterr().out
        assert main(["evaluate", str(run), "--split", "train"]) == 0
        assert "of 28 wrong" in capsys.readouterr().out
        picture = colors.parent / "picture.jpg"
        Image.new("RGB", (40, 30), COLORS["green"]).save(picture)
        assert main(["predict", str(run), str(picture), "--top", "1"]) == 0
        assert re.fullmatch(r".*picture\.jpg: green \(\d+\.\d%\)\n", capsys.readouterr().out)
        assert main(["predict", str(run), str(run / "config.json"), str(colors / "none.png")]) == 1
        assert "is no image that Pillow can read\n" in (error := capsys.readouterr().err)
        assert "none.png does not exist" in error

    def test_the_test_part_stays_when_files_come(self, colors, capsys):
        assert train(colors, *OPTIONS) == 0
        shutil.copy(colors / "red" / "0.png", colors / "red" / "000.png")
        assert main(["evaluate", "runs/colors"]) == 0
        assert "(0 of 8 wrong)" in capsys.readouterr().out
        colors.rename(colors.parent / "moved")
        assert main(["evaluate", "runs/colors"]) == 1
        assert "does not exist" in capsys.readouterr().err
        assert main(["evaluate", "runs/colors", "--data", "moved"]) == 0

    def test_folders_train_and_test(self, tmp_path, capsys):
        make_folder(tmp_path / "data" / "Train")
        make_folder(tmp_path / "data" / "val", (2, 1, 3))
        assert train(tmp_path / "data", *OPTIONS, "--out", tmp_path / "run") == 0
        parts = read_parts(tmp_path / "run")
        assert (len(parts["train"]), len(parts["test"])) == (36, 6)
        assert all(name.startswith("val") for name in parts["test"])

    def test_grey_and_sizes(self, colors):
        assert train(colors, *OPTIONS, "--size", "10x16", "--color", "grayscale", "--test-share", "0.5") == 0
        config = json.loads((colors.parent / "runs" / "colors" / "config.json").read_text())
        assert (config["image_size"], config["color_mode"]) == ([10, 16], "grayscale")
        assert len(read_parts(colors.parent / "runs" / "colors")["test"]) == 18

    @pytest.mark.parametrize("model", ["resnet20", "mobilenet_v2"])
    def test_published_networks(self, colors, capsys, model):
        assert train(colors, *OPTIONS, "--model", model, "--epochs", "1") == 0
        assert main(["evaluate", "runs/colors"]) == 0
        assert "of 8 wrong" in capsys.readouterr().out

    def test_same_bits_for_any_threads(self, colors, capsys):
        models = []
        for threads in ("1", "2", "3"):
            assert train(colors, *OPTIONS, "--threads", threads, "--out", f"run{threads}") == 0
            models.append((colors.parent / f"run{threads}" / "model.safetensors").read_bytes())
        assert models[0] == models[1] == models[2]

    @pytest.mark.parametrize("augment", ["none", "photo"])
    def test_resume_ends_with_the_same_network(self, colors, monkeypatch, capsys, augment):
        if augment != "none":
            pytest.importorskip("drivetrain.augment")
        from drivetrain.cli import recipes

        options = [*OPTIONS, "--augment", augment, "--epochs", "4", "--batch", "8"]
        assert train(colors, *options, "--out", "whole") == 0
        with monkeypatch.context() as patch:
            real = recipes.WarmupAndDecay.on_train_batch_begin

            def interrupt(self, batch, logs=None):
                if self.trainer.loop.epoch == 2 and batch == 2:
                    raise KeyboardInterrupt
                real(self, batch, logs)

            patch.setattr(recipes.WarmupAndDecay, "on_train_batch_begin", interrupt)
            assert train(colors, *options) == 130
        assert train(colors, *options, "--resume", "--lr", "0.5") == 1
        assert "learning_rate is 0.01, not 0.5" in capsys.readouterr().err
        assert train(colors, *options, "--resume", "--size", "20") == 1
        assert "image_size is [12, 12], not [20, 20]" in capsys.readouterr().err
        # The folder may have moved, and new files play no part.
        colors.rename(colors.parent / "elsewhere")
        shutil.copy("elsewhere/red/0.png", "elsewhere/red/000.png")
        assert train("elsewhere", "--resume", "--out", "runs/colors", "--verbose", "0") == 0
        for name in ("model.safetensors", "history.csv"):
            first, second = ((colors.parent / run / name).read_bytes() for run in ("whole", "runs/colors"))
            assert first == second

    def test_damaged_images(self, colors, capsys):
        (colors / "red" / "3.jpg").write_bytes(b"broken")
        (colors / "red" / "5.jpg").write_bytes(b"")
        assert train(colors, *OPTIONS) == 1
        error = capsys.readouterr().err
        assert re.search(r"error: .*red.\d\.jpg is (empty|no image.*); --skip-damaged leaves out", error)
        assert not os.path.exists("runs") or not os.listdir("runs")  # nothing was trained
        assert train(colors, *OPTIONS, "--skip-damaged", "--out", "again") == 0

    def test_errors(self, colors, tmp_path, capsys):
        with pytest.raises(SystemExit):
            train("nothing")
        error = capsys.readouterr().err
        assert "'nothing' is none of digits, mnist5k, fashion_mnist, and no folder" in error
        (tmp_path / "empty").mkdir()
        assert train("empty") == 1
        assert "empty has no class folders" in capsys.readouterr().err
        shutil.copytree(colors / "red", tmp_path / "one" / "red")
        assert train("one") == 1
        assert "one has one class, red; expected a folder for each of several" in capsys.readouterr().err
        shutil.copytree(colors / "blue", tmp_path / "one" / "blue")
        for name in os.listdir(tmp_path / "one" / "blue")[1:]:
            (tmp_path / "one" / "blue" / name).unlink()
        assert train("one", *OPTIONS) == 1
        assert "1 sample, expected at least 2" in capsys.readouterr().err
        assert train("digits", "--size", "20") == 1
        assert "--size is for folders of images" in capsys.readouterr().err
        assert train(colors, "--data", "x") == 1
        assert "--data is for fashion_mnist" in capsys.readouterr().err
        for option, value in (
            ("--size", "4"),
            ("--size", "axb"),
            ("--test-share", "1"),
            ("--augment", "much"),
        ):
            with pytest.raises(SystemExit):
                train(colors, option, value)
            assert f"argument {option}" in capsys.readouterr().err
        assert not (tmp_path / "runs").exists()

    def test_damaged_run_folder(self, colors, capsys):
        assert train(colors, *OPTIONS, "--epochs", "1") == 0
        run = colors.parent / "runs" / "colors"
        config = json.loads((run / "config.json").read_text())
        for change in ({"classes": "red"}, {"image_size": [1]}, {"color_mode": "x"}, {"data_folder": None}):
            (run / "config.json").write_text(json.dumps({**config, **change}))
            assert main(["evaluate", str(run)]) == 1
            assert f"config.json is damaged: {next(iter(change))}" in capsys.readouterr().err
        (run / "config.json").write_text(json.dumps(config))
        (run / "files.csv").write_text("part,class,file\ntest,purple,1.png\n")
        assert main(["evaluate", str(run)]) == 1
        assert "files.csv is damaged" in capsys.readouterr().err
        (run / "files.csv").unlink()
        assert main(["evaluate", str(run)]) == 1
        assert "files.csv is missing" in capsys.readouterr().err

    def test_without_pillow(self, colors, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "PIL.Image", None)
        assert train(colors, *OPTIONS) == 1
        assert "pip install 'drivetrain[images]'" in capsys.readouterr().err
