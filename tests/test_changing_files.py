"""Image files that go, change or may not be read while a loader is at work, and processes that fork."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivetrain.data import DataLoader, ImageFolder
from image_tools import batches, same, save, smooth
from interpreter_tools import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(12):
        save(tmp_path / "photos" / "ab"[number % 2] / f"{number:02}.png", smooth(9, 8, seed=number))
    return tmp_path / "photos"


class TestFilesThatGo:
    @pytest.mark.parametrize("threads", [0, 3])
    def test_the_error_names_the_file(self, folder: Path, threads: int) -> None:
        data = ImageFolder(folder, threads=threads)
        (folder / "b" / "05.png").unlink()
        with pytest.raises(ValueError, match=r"b/05\.png does not exist"):
            batches(DataLoader(data, 4, shuffle=True))

    def test_they_are_passed_over_and_counted(self, folder: Path) -> None:
        data = ImageFolder(folder, on_error="skip", threads=3)
        loader = DataLoader(data, 3)
        found = []
        for images, labels in loader:
            assert len(images) == len(labels)
            found.append(len(images))
            (folder / "b" / "11.png").unlink(missing_ok=True)
            shutil.rmtree(folder / "b", ignore_errors=True)
        assert sum(found) + len(data.skipped) == 12
        assert 1 <= len(data.skipped) <= 6  # some were read ahead
        assert set(data.skipped.values()) == {"does not exist"}
        assert sum(len(labels) for _, labels in loader) == 6

    def test_a_file_that_becomes_a_folder(self, folder: Path) -> None:
        data = ImageFolder(folder)
        (folder / "a" / "00.png").unlink()
        (folder / "a" / "00.png").mkdir()
        with pytest.raises(ValueError, match=r"a/00\.png is a folder, expected an image"):
            batches(DataLoader(data, 4))

    def test_a_file_of_another_size(self, folder: Path) -> None:
        """Images of one batch that no longer fit together are an error of the batch, not a crash."""
        data = ImageFolder(folder)
        first = batches(DataLoader(data, 6))
        save(folder / "a" / "00.png", smooth(30, 40))
        with pytest.raises((ValueError, TypeError), match=r"size|shape"):
            batches(DataLoader(data, 6))
        same_size = batches(DataLoader(ImageFolder(folder, size=(9, 8)), 6))
        assert np.array_equal(same_size[0][0][1:], first[0][0][1:])


class TestLinks:
    def test_circles_end(self, folder: Path) -> None:
        expected = ImageFolder(folder).paths
        os.symlink(folder, folder / "a" / "up", target_is_directory=True)
        os.symlink(folder / "b", folder / "b" / "myself", target_is_directory=True)
        data = ImageFolder(folder)
        assert [path for path in data.paths if "up" not in path] == expected
        # Through the link class a reaches the other one, once.
        assert len(data.paths) == len(expected) + 6
        assert len(ImageFolder(folder, follow_links=False).paths) == len(expected)

    def test_two_that_point_at_each_other(self, folder: Path) -> None:
        os.symlink(folder / "a" / "y.png", folder / "a" / "x.png")
        os.symlink(folder / "a" / "x.png", folder / "a" / "y.png")
        data = ImageFolder(folder, on_error="skip")
        assert sum(len(labels) for _, labels in DataLoader(data, 4)) == 12


AS_NOBODY = """
    import os, shutil, tempfile
    import numpy as np
    from PIL import Image
    from drivetrain.data import DataLoader, ImageFolder
    root = tempfile.mkdtemp()
    try:
        os.chmod(root, 0o755)
        for number in range(4):
            folder = os.path.join(root, "ab"[number % 2])
            os.makedirs(folder, exist_ok=True)
            Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(os.path.join(folder, f"{number}.png"))
        os.chmod(os.path.join(root, "b", "1.png"), 0)
        who = os.geteuid()
        if who == 0:
            Image.init(), __import__("drivetrain.data.decode")
            list(DataLoader(ImageFolder(os.path.join(root)), 2))  # everything is imported
            os.seteuid(65534)
        try:
            list(DataLoader(ImageFolder(root), 2))
        except ValueError as error:
            print(str(error).replace(root, ""))
        data = ImageFolder(root, on_error="skip")
        print(sum(len(labels) for _, labels in DataLoader(data, 2)), *data.skipped.values(), sep="; ")
        os.seteuid(who)
        os.chmod(os.path.join(root, "b"), 0)
        if who == 0:
            os.seteuid(65534)
        try:
            ImageFolder(root)
        except PermissionError as error:
            print(str(error).replace(root, ""))
    finally:
        os.seteuid(who)
        os.chmod(os.path.join(root, "b"), 0o755)
        shutil.rmtree(root)
"""


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="the system has no such users")
def test_files_and_folders_that_may_not_be_read() -> None:
    lines = run(AS_NOBODY).splitlines()
    assert lines[0] == "/b/1.png cannot be opened (Permission denied)"
    assert lines[1] == "3; cannot be opened (Permission denied)"
    assert "Permission denied" in lines[2]
    assert "/b" in lines[2]


def in_a_fork(function: Any) -> int:
    """Status of a forked process that calls the function; it must not hang."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if function() else 2
        finally:
            os._exit(status)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        __import__("time").sleep(0.05)
    os.kill(child, 9)
    os.waitpid(child, 0)
    raise AssertionError("the forked process hangs")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
@pytest.mark.parametrize("cache", [None, "memory", "file"])
def test_a_forked_process_reads_the_same_images(folder: Path, tmp_path: Path, cache: str | None) -> None:
    path: Any = tmp_path / "images.cache" if cache == "file" else cache

    def new_loader(data: ImageFolder) -> DataLoader:
        return DataLoader(data, 4, shuffle=True, seed=3, prefetch=2)

    data = ImageFolder(folder, threads=3, cache=path)
    expected = batches(new_loader(data))
    assert in_a_fork(lambda: same(batches(new_loader(data)), expected)) == 0
    assert same(batches(new_loader(data)), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_pass_that_was_begun_before_a_fork_says_so(folder: Path) -> None:
    rows = iter(DataLoader(ImageFolder(folder, threads=2), 1, prefetch=1))
    next(rows)

    def goes_on() -> bool:
        with pytest.raises(RuntimeError, match="its thread is gone"):
            list(rows)
        return True

    assert in_a_fork(goes_on) == 0
    assert len(list(rows)) == 11
