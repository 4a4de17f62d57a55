"""Folders of checkpoints: which stay, what happens when they are damaged or not written."""

import contextlib
import errno
import math
import os
import re
import warnings

import pytest

from drivetrain import io
from drivetrain.train import BackupAndRestore, Callback, Checkpoint
from drivetrain.train.checkpoints import CheckpointFolder
from resume_tools import Average, KillAt, Killed, Record, X, Y, outcome, trainer


@pytest.fixture(autouse=True)
def _no_waiting_for_disks(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)


def names(folder):
    return sorted(os.listdir(folder))


def numbered(*numbers):
    return [f"checkpoint-{number:06d}.safetensors" for number in numbers]


def folder_with(path, count, **options):
    folder = CheckpointFolder(path, **options)
    for number in range(count):
        folder.save({"n": number})
    return folder


class TestFolder:
    def test_the_last_ones_stay(self, tmp_path):
        folder = folder_with(tmp_path, 5, keep_last=2)
        assert names(tmp_path) == numbered(4, 5)
        assert folder.read_newest()[1] == {"n": 4}

    @pytest.mark.parametrize(("sign", "best"), [(-1.0, 2), (1.0, 3)])
    def test_the_best_ones_stay(self, tmp_path, sign, best):
        values = [5.0, 1.0, 9.0, math.nan, 3.0, None, 4.0]
        for value in values:  # every time a new process
            CheckpointFolder(tmp_path, keep_last=1, keep_best=1, sign=sign).save({}, value)
        assert names(tmp_path) == numbered(best, 7)

    def test_damaged_ones_are_passed_over(self, tmp_path):
        folder = folder_with(tmp_path, 3)
        newest = folder.path(3)
        newest.write_bytes(newest.read_bytes()[:-1])
        folder.path(2).write_bytes(b"")
        with pytest.warns(RuntimeWarning, match=r"checkpoint-000001\S* is used.*000003\S*:.*000002\S*:"):
            assert folder.read_newest()[1] == {"n": 0}
        folder.save({"n": 9})
        assert names(tmp_path) == numbered(2, 3, 4)
        folder.path(4).write_bytes(b"")
        with pytest.raises(ValueError, match=r"no checkpoint can be read.*000004.*000003.*000002"):
            folder.read_newest()

    def test_other_files_are_left_alone(self, tmp_path):
        for name in ("checkpoint-1.safetensors", "checkpoint-000001.safetensors.bak", "best.safetensors"):
            (tmp_path / name).write_text("x")
        folder = folder_with(tmp_path, 3, keep_last=1)
        folder.clear()
        assert len(names(tmp_path)) == 3
        assert tmp_path.exists()

    def test_nothing_there(self, tmp_path):
        folder = CheckpointFolder(tmp_path / "none")
        assert folder.read_newest() is None
        assert folder.sweep() == []
        folder.clear()


class Breaks(Callback):
    """Lets something happen before a batch."""

    def __init__(self, batch, action):
        super().__init__()
        self.batch, self.action = batch, action

    def on_train_batch_begin(self, batch, logs=None):
        if self.trainer.loop.batches_seen == self.batch:
            self.action()


def fails(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


class TestWhatGoesWrong:
    """The training goes on, loudly, and the last good checkpoint is untouched."""

    def run(self, folder, breaks, monkeypatch=None):
        whole, callbacks = trainer(), [Average(), Record()]
        whole.fit(X, Y, 4, 3, 0, callbacks=callbacks)
        expected = outcome(whole, callbacks)
        trained, callbacks = trainer(), [Average(), Record()]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            trained.fit(X, Y, 4, 3, 0, callbacks=[Checkpoint(folder, save_freq=2), *callbacks, breaks])
        assert outcome(trained, callbacks) == expected
        if monkeypatch is not None:
            monkeypatch.undo()
        trained, callbacks = trainer(), [Average(), Record()]
        trained.fit(X, Y, 4, 3, 0, callbacks=[Checkpoint(folder), *callbacks], resume="auto")
        assert outcome(trained, callbacks) == expected
        return [str(warning.message) for warning in caught]

    @pytest.mark.parametrize(
        ("function", "number"),
        [("fsync", errno.EIO), ("fsync", errno.ENOSPC), ("replace", errno.EACCES), ("listdir", errno.EIO)],
    )
    def test_failing_calls(self, tmp_path, monkeypatch, function, number):
        breaks = Breaks(8, lambda: monkeypatch.setattr(os, function, fails(number)))
        told = self.run(tmp_path, breaks, monkeypatch)
        assert len(told) == 3, told  # of 16 attempts the first, the tenth, and the sum
        assert os.strerror(number) in told[0]
        assert "The training goes on" in told[0]
        assert "(10 times by now)" in told[1]
        message = r"the last 1\d checkpoints could not be written; the newest in .*"
        assert re.search(message + ("-000004" if function != "listdir" else "unknown"), told[2])
        assert not [name for name in names(tmp_path) if name.endswith(".tmp")]

    def test_writes_that_fail_half_way(self, tmp_path):
        resource = pytest.importorskip("resource")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        breaks = Breaks(8, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, before[1])))
        try:
            with contextlib.ExitStack() as stack:
                stack.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
                trained = trainer()
                with pytest.warns(RuntimeWarning, match="could (not )?be written"):
                    trained.fit(X, Y, 4, 2, 0, callbacks=[Checkpoint(tmp_path, save_freq=2), breaks])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert names(tmp_path) == numbered(2, 3, 4)
        assert CheckpointFolder(tmp_path).read_newest()[0].name == numbered(4)[0]

    def test_it_recovers(self, tmp_path, monkeypatch):
        real = os.replace

        def at(batch):
            return lambda: monkeypatch.setattr(os, "replace", real if batch == 12 else fails(errno.ENOSPC))

        with pytest.warns(RuntimeWarning, match="No space left") as caught:
            trainer().fit(
                X,
                Y,
                4,
                2,
                0,
                callbacks=[Checkpoint(tmp_path, save_freq=2), Breaks(8, at(8)), Breaks(12, at(12))],
            )
        assert len(caught) == 1
        assert names(tmp_path)[-1] > numbered(6)[0]

    def test_the_folder_is_gone(self, tmp_path):
        folder = tmp_path / "folder"

        def move():
            folder.rename(tmp_path / "moved")

        told = self.run(folder, Breaks(8, move))
        assert told == []  # it is made anew
        assert len(names(tmp_path / "moved")) == 3

    def test_a_file_stands_in_its_place(self, tmp_path):
        folder = tmp_path / "folder"

        def replace():
            folder.rename(tmp_path / "moved")
            folder.touch()

        trained = trainer()
        with pytest.warns(RuntimeWarning, match="could (not )?be written"):
            trained.fit(X, Y, 4, 2, 0, callbacks=[Checkpoint(folder, save_freq=2), Breaks(8, replace)])
        assert names(tmp_path / "moved") == numbered(2, 3, 4)

    @pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
    def test_permission_is_lost(self, tmp_path):
        folder = tmp_path / "folder"
        trained = trainer()
        try:
            with pytest.warns(RuntimeWarning, match="Permission denied|not be written"):
                trained.fit(
                    X,
                    Y,
                    4,
                    2,
                    0,
                    callbacks=[Checkpoint(folder, save_freq=2), Breaks(8, lambda: folder.chmod(0o500))],
                )
        finally:
            folder.chmod(0o700)
        assert names(folder) == numbered(2, 3, 4)

    def test_a_damaged_newest_one(self, tmp_path):
        whole, callbacks = trainer(), [Average(), Record()]
        whole.fit(X, Y, 4, 3, 0, callbacks=callbacks)
        expected = outcome(whole, callbacks)
        with pytest.raises(Killed):
            trainer().fit(
                X, Y, 4, 3, 0, callbacks=[Checkpoint(tmp_path, save_freq=2), Average(), Record(), KillAt(20)]
            )
        newest = tmp_path / names(tmp_path)[-1]
        newest.write_bytes(newest.read_bytes()[:-100])
        trained, callbacks = trainer(), [Average(), Record()]
        with pytest.warns(RuntimeWarning, match=f"since newer ones cannot be read .{newest.name}"):
            trained.fit(X, Y, 4, 3, 0, callbacks=[Checkpoint(tmp_path), *callbacks], resume="auto")
        assert outcome(trained, callbacks) == expected


class TestCallback:
    def test_the_best_and_the_last(self, tmp_path):
        class Losses(Callback):
            def on_epoch_end(self, epoch, logs=None):
                logs["score"] = [3.0, 1.0, 2.0, 4.0, 5.0][epoch]

        save = Checkpoint(tmp_path, keep_last=1, keep_best=2, monitor="score")
        trainer(lr_scheduler=None).fit(X, Y, 4, 5, 0, callbacks=[save, Losses()])
        assert names(tmp_path) == numbered(2, 3, 5)
        document = io.read_document(tmp_path / numbered(2)[0], kind="checkpoint")
        assert (document["value"], document["epoch"], document["batch"]) == (1.0, 2, 0)

    def test_a_metric_that_is_not_there(self, tmp_path):
        with pytest.raises(ValueError, match="there is no metric 'val_loss'"):
            trainer().fit(X, Y, 4, 2, 0, callbacks=Checkpoint(tmp_path, monitor="val_loss"))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"save_freq": 0}, "save_freq is 0, expected 'epoch' or a number of batches"),
            ({"save_freq": "batch"}, "save_freq is 'batch'"),
            ({"save_freq": True}, "save_freq is True"),
            ({"keep_last": 0}, "keep_last must be a positive integer, got 0"),
            ({"keep_best": -1}, "keep_best must be an integer of at least 0, got -1"),
            ({"mode": "least", "monitor": "loss"}, "mode is 'least'"),
        ],
    )
    def test_arguments(self, tmp_path, options, message):
        with pytest.raises(ValueError, match=message):
            Checkpoint(tmp_path, **options)

    def test_backup_has_the_arguments_of_keras(self, tmp_path):
        backup = BackupAndRestore(
            backup_dir=tmp_path, save_freq=3, double_checkpoint=True, delete_checkpoint=False
        )
        assert backup.backup_dir == str(tmp_path)
        with pytest.raises(TypeError, match="did you mean 'backup_dir'"):
            BackupAndRestore(backup_folder=tmp_path)

    def test_a_trial_run_writes_nothing(self, tmp_path):
        trainer(fast_dev_run=True, lr_scheduler=None).fit(X, Y, 4, 2, 0, callbacks=Checkpoint(tmp_path))
        assert names(tmp_path) == []

    def test_what_is_said(self, tmp_path, capsys):
        trainer().fit(X, Y, 4, 2, 0, callbacks=Checkpoint(tmp_path, save_freq=10, verbose=1))
        lines = capsys.readouterr().out.splitlines()
        assert lines == [f"Epoch {n}: saved {tmp_path}/{numbered(n)[0]}" for n in (1, 2)]
