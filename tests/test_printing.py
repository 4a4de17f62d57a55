"""repr, str and format of tensors."""

import numpy as np
import pytest

import drivetrain as dt


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (lambda: dt.tensor([1.0, 2.5]), "tensor([1. , 2.5])"),
        (lambda: dt.tensor([1, 2]), "tensor([1, 2])"),
        (lambda: dt.tensor(3), "tensor(3)"),
        (lambda: dt.tensor([True, False]), "tensor([ True, False])"),
        (lambda: dt.tensor([1.0], dtype="float64"), "tensor([1.], dtype=float64)"),
        (lambda: dt.tensor([1.5], dtype="float16"), "tensor([1.5], dtype=float16)"),
        (lambda: dt.tensor([1.5], dtype="bfloat16"), "tensor([1.5], dtype=bfloat16)"),
        (lambda: dt.tensor([1], dtype="uint8"), "tensor([1], dtype=uint8)"),
        (lambda: dt.tensor([]), "tensor([])"),
        (lambda: dt.tensor(np.zeros((0, 3), "f4")), "tensor([], shape=(0, 3))"),
        (lambda: dt.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: dt.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<multiply>)"),
        (lambda: dt.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lambda: dt.tensor([float("nan"), float("inf")]), "tensor([nan, inf])"),
    ],
)
def test_repr(tensor, expected):
    assert repr(tensor()) == expected


def test_large_tensors_are_summarised():
    text = repr(dt.tensor(np.arange(100_000)))
    assert "..." in text
    assert len(text) < 200


def test_the_notes_start_a_line_of_their_own_where_the_line_would_be_too_long():
    for line in repr(dt.tensor(np.arange(12.0), requires_grad=True)).split("\n"):
        assert len(line) <= 75


def test_str_is_that_of_numpy():
    assert str(dt.tensor([[1.0, 2.0]])) == "[[1. 2.]]"


def test_a_subclass_shows_its_name():
    class Weight(dt.Tensor):
        pass

    assert repr(Weight(dt.tensor([1.0]))) == "Weight([1.])"


def test_scalars_format_as_numbers():
    assert f"{dt.tensor(1.23456):.2f}" == "1.23"
    assert f"{dt.tensor(7):03d}" == "007"
    assert f"{dt.tensor(7)}" == "7"
    assert f"{dt.tensor(2.0, requires_grad=True):.1f}" == "2.0"


def test_other_tensors_take_no_format():
    with pytest.raises(TypeError, match=r"__format__: a tensor of shape \(2,\)"):
        f"{dt.tensor([1, 2]):.2f}"


def test_tolist():
    assert dt.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert dt.tensor(1.5, dtype="bfloat16").tolist() == 1.5
    assert dt.tensor([], dtype="int32").tolist() == []
    assert dt.tensor([True]).tolist() == [True]
