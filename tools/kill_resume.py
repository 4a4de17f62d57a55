"""Ends trainings with SIGKILL at random moments and looks whether they go on with the same bits.

    python tools/kill_resume.py 200                      # killed at 200 moments, also during saving
    python tools/kill_resume.py 200 --faults             # writing fails now and then besides
    python tools/kill_resume.py 200 --folder /mnt/small  # on a small file system that is full now and then
    python tools/kill_resume.py 50 --augment             # on image files, augmented
    python tools/kill_resume.py 50 --text                # a language model, with states carried along

A small one: mount -t tmpfs -o size=200k tmpfs /mnt/small

The run has shuffling, dropout, AdamW, the one-cycle schedule, an average of the weights, accumulation of 3
batches, and a checkpoint after every other batch. Each is killed once, then resumed, and compared in every
bit of model, average, optimizer, schedule, random numbers and history with one that nothing happened to. The
moment is drawn from the whole length of a run, and for every other one from what follows its first
checkpoint, however late that comes. A checkpoint is lost where the newest whole file is older than the newest
that the run had said to be saved.

With --augment the run reads class folders of JPEGs on two threads and two batches ahead, draws them by
weights, keeps what it decoded in a file that is killed along, and rotates, shifts, zooms and flips.

With --text an LSTM reads a file of text window by window; each batch goes on with the states of the one
before.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import itertools
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

import drivetrain as dt
from drivetrain import models, nn
from drivetrain.data import SequenceWindows
from drivetrain.io.state import flatten
from drivetrain.optim.lr_scheduler import OneCycleLR
from drivetrain.train import Callback, Checkpoint, SwapEMAWeights, Trainer
from drivetrain.train.checkpoints import CheckpointFolder

EPOCHS, BATCH_SIZE, SAMPLES = 5, 16, 200
BATCHES = 10  # of the four fifths that are trained on
STEPS = EPOCHS * -(-BATCHES // 3)
ROWS, WINDOW = 8, 128  # of text: rows of a batch, and its bytes
SMALL = 4_000_000  # bytes; a file system with more is not filled


class Faults(Callback):
    """Lets every third or so attempt to save fail: in writing, syncing or renaming, or for want of room."""

    def __init__(self, folder: Path, seed: int, fills: bool) -> None:
        super().__init__()
        self.random, self.folder, self.fills = random.Random(seed), folder, fills
        self.real = os.fsync, os.replace

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.mend()
        if self.random.random() < 0.35:
            kind = "fill" if self.fills else self.random.choice(("fsync", "replace", "size", "move"))
            getattr(self, kind)()

    def on_train_end(self, logs: Any = None) -> None:
        self.mend()

    def mend(self) -> None:
        os.fsync, os.replace = self.real
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (self.folder / "filler").unlink()
        if self.aside.exists():
            self.folder.unlink(missing_ok=True)
            self.aside.rename(self.folder)

    @property
    def aside(self) -> Path:
        return self.folder.with_name(self.folder.name + "-aside")

    def fsync(self) -> None:
        os.fsync = fail(errno.EIO)  # type: ignore[assignment]

    def replace(self) -> None:
        os.replace = fail(errno.EACCES)  # type: ignore[assignment]

    def size(self) -> None:
        """Writes fail in the middle of a file."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.random.randrange(8192), resource.RLIM_INFINITY))

    def move(self) -> None:
        """The folder is gone, and a file stands in its place."""
        if self.folder.is_dir():
            self.folder.rename(self.aside)
            self.folder.touch()

    def fill(self) -> None:
        with contextlib.suppress(OSError), open(self.folder / "filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(512))


def fail(number: int) -> Any:
    def failing(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    return failing


def table() -> tuple[nn.Module, dict[str, Any]]:
    """A network and what it is trained on."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, 10)).astype(np.float32)
    y = (x[:, :3].sum(axis=1) > 0).astype(np.int64)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(32), nn.Linear(32, 2))
    return model, {"x": x, "y": y, "batch_size": BATCH_SIZE, "validation_split": 0.2}


def images(root: Path, folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The same with image files, augmented."""
    from drivetrain.augment import Compose, RandomAffine, RandomHorizontalFlip
    from drivetrain.data import DataLoader, ImageFolder, WeightedRandomSampler, balanced_sample_weights

    data = ImageFolder(root, size=16, threads=2, cache=folder.with_name(folder.name + "-cache") / "images")
    augment = Compose([RandomAffine(20, (0.1, 0.1), (0.8, 1.2)), RandomHorizontalFlip()], seed=3)
    sampler = WeightedRandomSampler(balanced_sample_weights(data), BATCHES * BATCH_SIZE, seed=4)
    loader = DataLoader(data, BATCH_SIZE, sampler=sampler, batch_transform=augment, prefetch=2)
    layers = [
        nn.Conv2d(3, 8, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(8),
        nn.Flatten(),
        nn.Dropout(0.3),
    ]
    validation = DataLoader(ImageFolder(root, size=16, threads=0), 32)
    return nn.Sequential(*layers, nn.Linear(7 * 7 * 8, 2)), {"x": loader, "validation_data": validation}


def write_images(root: Path) -> None:
    """Two classes, of which one is three times as large: stripes across and along."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, count, axis in (("across", 60, 0), ("along", 20, 1)):
        (root / name).mkdir(parents=True)
        for number in range(count):
            wave = 90 * np.sin(np.arange(24) * rng.uniform(0.5, 1.5) + rng.uniform(0, 6))
            pixels = 128 + np.expand_dims(wave, (1 - axis, 2)) + rng.normal(0, 40, (24, 24, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{number}.jpg")


def text(file: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A language model of a file, of which the last fifth or so is for validation."""
    content = np.memmap(file, np.uint8, "r")
    parts = content[: BATCHES * WINDOW + 1], content[BATCHES * WINDOW :]
    train_part, validation = (SequenceWindows(part, ROWS, WINDOW // ROWS) for part in parts)
    model = models.rnn_language_model(128, 16, dropout=0.3, carry=True)
    return model, {"x": train_part, "validation_data": validation}


def write_text(file: Path) -> None:
    words = np.random.default_rng(0).choice(["to", "be", "or", "not", "that", "is", "the", "question"], 500)
    file.write_text(" ".join(words)[: (BATCHES + 2) * WINDOW + 1])


def train(folder: Path, faults: Callback | None, resume: Any, source: Path | None = None) -> str:
    """The run, on a text or a folder of images where one is given; returns a hash of all it ends with."""
    dt.manual_seed(1)
    if source is None:
        model, data = table()
    else:
        model, data = images(source, folder) if source.is_dir() else text(source)
    trainer = Trainer(
        model,
        loss="cross_entropy",
        optimizer=dt.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01),
        lr_scheduler=lambda optimizer: OneCycleLR(optimizer, max_lr=0.01, total_steps=STEPS),
        accumulate_grad_batches=3,
        metrics=["accuracy"],
        seed=2,
    )
    average = SwapEMAWeights(momentum=0.9)
    save = Checkpoint(folder, save_freq=2, keep_last=3, monitor="val_loss", keep_best=1, verbose=1)
    callbacks = [average, save, *([] if faults is None else [faults])]
    trainer.fit(**data, epochs=EPOCHS, callbacks=callbacks, resume=resume, verbose=0)
    tree, tensors = flatten([trainer.state_dict(), average.state_dict()])
    digest = hashlib.blake2b(repr(tree).encode())
    for name in sorted(tensors):
        digest.update(np.asarray(tensors[name]).tobytes())
    return digest.hexdigest()


class Ended(NamedTuple):
    lines: list[str]  # of its output
    seconds: float


class Moment(NamedTuple):
    """When to kill."""

    part: float  # of the seconds that are left
    seconds: float  # that a whole run takes
    once_saved: bool = False  # not before the first checkpoint

    def wait(self, output: TextIO) -> list[str]:
        """Waits for it; returns the lines of the output that came before the first checkpoint."""
        lines: list[str] = []
        began = time.monotonic()
        while self.once_saved and (line := output.readline()):
            lines.append(line.rstrip())
            if "saved" in line:
                break
        time.sleep(self.part * max(0.0, self.seconds - (time.monotonic() - began)))
        return lines


def run(
    folder: Path, faults: Callback | None = None, moment: Moment | None = None, source: Path | None = None
) -> Ended:
    """Runs the training in a process of its own, which may be killed."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            os.dup2(writing, 1)
            sys.stdout = os.fdopen(1, "w", buffering=1)
            warnings.simplefilter("ignore")
            print(f"end {train(folder, faults, 'auto', source)}")
            code = 0
        except BaseException as error:
            print(f"error {type(error).__name__}: {error}")
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as output:
        lines = []
        if moment is not None:
            lines = moment.wait(output)
            os.kill(child, signal.SIGKILL)  # one that has ended waits for waitpid
        lines += output.read().splitlines()
    os.waitpid(child, 0)
    return Ended(lines, time.monotonic() - began)


class Count(NamedTuple):
    """What a trial found."""

    same: bool
    lost: bool
    was_saving: bool
    had_saved: bool
    had_ended: bool
    problem: str = ""


def trial(
    folder: Path, expected: str, moment: Moment, faults: Callback | None, source: Path | None = None
) -> Count:
    killed = run(folder, faults, moment, source)
    saved = [number_of(line) for line in killed.lines if "saved" in line]
    if isinstance(faults, Faults):
        faults.mend()
    was_saving = folder.exists() and any(name.endswith(".tmp") for name in os.listdir(folder))
    newest = -1
    with contextlib.suppress(ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = CheckpointFolder(folder).read_newest()
        newest = -1 if found is None else number_of(str(found[0]))
    lost = bool(saved) and newest < saved[-1]
    resumed = run(folder, faults, source=source)
    last = resumed.lines[-1] if resumed.lines else "nothing"
    left = [name for name in os.listdir(folder) if name.endswith(".tmp")]
    problem = last if not last.startswith("end") else f"leftovers: {left}" if left else ""
    had_ended = any(line.startswith("end") for line in killed.lines)
    return Count(last == expected, lost, was_saving, bool(saved), had_ended, problem)


def number_of(line: str) -> int:
    return int(line.rpartition("checkpoint-")[2].partition(".")[0])


def trials(base: Path, options: argparse.Namespace, source: Path | None = None) -> list[Count]:
    """Kills as many runs as wanted, each at a moment before its end."""

    def faults_of(folder: Path, number: int) -> Faults | None:
        if not options.faults and options.folder is None:
            return None
        return Faults(folder, number, fills=options.folder is not None)

    expected, seconds = "", 0.0
    for faulty in (False, False, True):  # the first also warms up
        ended = run(base / "whole", faults_of(base / "whole", 0) if faulty else None, source=source)
        expected, seconds = expected or ended.lines[-1], ended.seconds
        if not expected.startswith("end ") or ended.lines[-1] != expected:
            raise RuntimeError(f"{ended.lines[-1]}, expected {expected}")
        remove(base / "whole")
    chosen = random.Random(options.seed)
    counts: list[Count] = []
    for number in itertools.count():
        if len(counts) == options.kills:
            break
        folder = base / f"run-{number}"
        moment = Moment(chosen.random(), seconds, once_saved=number % 2 == 1)
        count = trial(folder, expected, moment, faults_of(folder, number), source)
        remove(folder)
        if not count.had_ended or not count.same or count.lost:
            counts.append(count)
        if not count.same or count.lost:
            print(f"kill {len(counts)}: {count}", flush=True)
    return counts


def remove(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_name(folder.name + "-cache"), ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true", help="saving fails now and then")
    parser.add_argument("--folder", type=Path, help="a small file system, full now and then")
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--augment", action="store_true", help="on image files, augmented")
    data.add_argument("--text", action="store_true", help="a language model, with states carried along")
    options = parser.parse_args(arguments)
    dt.set_num_threads(1)  # no threads yet: the children are forks
    if options.folder is not None and shutil.disk_usage(options.folder).total > SMALL:
        parser.error(f"{options.folder} has more than {SMALL} bytes: that is not filled")
    with tempfile.TemporaryDirectory() as other:
        source = Path(other) / "source" if options.augment or options.text else None
        if source is not None:
            (write_text if options.text else write_images)(source)
        counts = trials(options.folder or Path(other), options, source)
    same, lost = sum(count.same for count in counts), sum(count.lost for count in counts)
    saving, early = sum(count.was_saving for count in counts), sum(not count.had_saved for count in counts)
    print(f"{same} of {len(counts)} ended with the same bits; {lost} lost a checkpoint")
    print(f"{saving} were killed while saving, {early} before the first checkpoint")
    return 0 if same == len(counts) and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
