"""cut_images against NumPy: windows inside and beside images, mirrored, on levels and threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads

MODES = {
    "constant": "constant",
    "nearest": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
    "grid-wrap": "wrap",
}


def cut(images: Any, corners: Any, size: Any, flips: Any = None, *rest: Any) -> Any:
    turned = None if flips is None else dt.from_numpy(np.asarray(flips, np.uint8))
    return dt.cut_images(dt.from_numpy(images), dt.from_numpy(corners), size, turned, *rest).numpy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_windows_are_those_of_a_padded_array(level: str, mode: str, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 3, 4, 5, 17):
        images = rng.integers(0, 256, (8, 40, 50, channels)).astype(dtype)
        given: Any = {"constant_values": 9} if mode == "constant" else {}
        padded = np.pad(images, ((0, 0), (30, 30), (30, 30), (0, 0)), mode=MODES[mode], **given)
        corners, flips = rng.integers(-20, 20, (8, 2)), np.arange(8) % 4
        for size in ((33, 41), (1, 1), (45, 7)):
            made = cut(images, corners, size, flips, mode, 9.0)
            for image, whole, (x, y), flip in zip(made, padded, corners, flips, strict=True):
                window = whole[30 + y : 30 + y + size[0], 30 + x : 30 + x + size[1]]
                window = window[:, ::-1] if flip & 1 else window
                np.testing.assert_array_equal(image, window[::-1] if flip & 2 else window)


def test_windows_far_away() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
    for x, y in ((2**40, 0), (-(2**40), 2**40), (4, 0), (0, -3), (-9, -9)):
        corners = np.array([[x, y]])
        assert (cut(images, corners, (3, 4), None, "constant", 300.0) == 255).all()
        nearest = cut(images, corners, (1, 2), [3], "nearest")
        row, columns = np.clip(y, 0, 2), np.clip([x + 1, x], 0, 3)
        assert nearest.ravel().tolist() == images[0, row, columns, 0].tolist()
        assert cut(images, corners, (2, 2), [1], "grid-wrap").shape == (1, 2, 2, 1)
    assert cut(images[:0], np.zeros((0, 2), np.int64), (5, 6)).shape == (0, 5, 6, 1)


def test_rows_choose_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 9, 8, 3)).astype(np.uint8)
    rows, corners, flips = np.array([5, 0, 5, 3, 5, 2, 1, 0]), rng.integers(-3, 5, (8, 2)), np.arange(8) % 4
    one = cut(images, corners, (5, 6), flips, "reflect", 0.0, dt.from_numpy(rows))
    np.testing.assert_array_equal(one, cut(images[rows], corners, (5, 6), flips, "reflect"))
    none = cut(images, corners[:0], (5, 6), None, "constant", 0.0, dt.from_numpy(rows[:0]))
    assert none.shape == (0, 5, 6, 3)


def test_threads_give_the_same_bits() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 60, 70, 3)).astype(np.uint8)
    corners = np.random.default_rng(1).integers(-9, 9, (40, 2))
    on_threads(lambda: [cut(images, corners, (64, 70), np.arange(40) % 4, "reflect")])


def test_wrong_input() -> None:
    image = dt.zeros((2, 4, 5, 3), dtype="uint8")
    corners = dt.zeros((2, 2), dtype="int64")
    wrong: list[tuple[tuple[Any, ...], type[Exception], str]] = [
        ((dt.zeros((2, 4, 5, 3), dtype="int64"), corners, 3), TypeError, "images has dtype"),
        ((dt.zeros((4, 5, 3)), corners, 3), ValueError, "images"),
        (
            (image, dt.zeros((2, 2)), 3),
            TypeError,
            "corners has dtype",
        ),
        ((image, dt.zeros((3, 2), dtype="int64"), 3), ValueError, "corners"),
        ((image, dt.full((2, 2), 2**41, dtype="int64"), 3), ValueError, "within 2.*40 pixels"),
        ((image, corners, 0), ValueError, "size"),
        ((image, corners, 3, dt.zeros(2)), TypeError, "flips has dtype"),
        ((image, corners, 3, dt.zeros(3, dtype="uint8")), ValueError, "flips"),
        ((image, corners, 3, None, "wrap"), ValueError, "unknown fill_mode 'wrap'"),
        ((image, corners, 3, None, "constant", 0.0, dt.zeros(2)), TypeError, "rows has dtype"),
        ((image, corners, 3, None, "constant", 0.0, dt.tensor([[0, 1]])), ValueError, "rows"),
        ((image, corners, 3, None, "constant", 0.0, dt.tensor([0])), ValueError, "corners"),
        ((image, corners, 3, None, "constant", 0.0, dt.tensor([0, 2])), ValueError, "rows contains 2"),
        ((image, corners, 3, None, "constant", 0.0, dt.tensor([-1, 0])), ValueError, "rows contains -1"),
    ]
    for arguments, kind, message in wrong:
        with pytest.raises(kind, match=f"cut_images: .*{message}|{message}"):
            dt.cut_images(*arguments)
