"""Attention: masks that leave nothing, memory, dropout, views, autocast, and PyTorch where it is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from op_table.tools import on_threads
from reference.attention import attention as reference

attend = dt.scaled_dot_product_attention


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def leaves(*arrays: np.ndarray, dtype: str = "float32") -> list[dt.Tensor]:
    tensors = [dt.tensor(a, dtype=dtype) for a in arrays]
    for t in tensors:
        t.requires_grad = True
    return tensors


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("queries", [1, 5, 70])
def test_rows_that_may_attend_to_nothing_give_zeros_and_no_gradient(
    level: str, dtype: str, queries: int
) -> None:
    q, k, v = leaves(draw(1, 2, queries, 8), draw(1, 2, 150, 8), draw(1, 2, 150, 8), dtype=dtype)
    mask = np.ones((queries, 150), dtype=bool)
    mask[0] = False
    for given in (mask, np.where(mask, 0.0, -np.inf)):
        m = dt.tensor(given, dtype="bool" if given.dtype == bool else dtype)
        y = attend(q, k, v, m)
        y.sum().backward()
        for t in (y, q.grad, k.grad, v.grad):
            assert t is not None
            assert np.isfinite(t.detach().astype("float64").numpy()).all()
        assert q.grad is not None
        assert (y[:, :, 0] == 0).all().item()
        assert (q.grad[:, :, 0] == 0).all().item()
        assert queries == 1 or (y[:, :, 1:] != 0).any().item()
        for t in (q, k, v):
            t.grad = None


def test_everything_masked_gives_zero_gradients(level: str) -> None:
    q, k, v = leaves(*(draw(2, 3, 40, 8, seed=i) for i in range(3)))
    attend(q, k, v, dt.zeros((40, 40), dtype="bool")).sum().backward()
    for t in (q, k, v):
        assert t.grad is not None
        assert (t.grad == 0).all().item()


def test_a_padded_batch_gives_what_its_samples_give_alone(level: str) -> None:
    lengths = (9, 33, 1)
    q, k, v = (draw(3, 2, 33, 16, seed=i) for i in range(3))
    mask = dt.tensor(np.arange(33) < np.array(lengths)[:, None, None, None])
    y = attend(*(dt.tensor(a, dtype="float32") for a in (q, k, v)), mask).numpy()
    for i, n in enumerate(lengths):
        alone = reference(q[i], k[i, :, :n], v[i, :, :n])
        np.testing.assert_allclose(y[i], alone, rtol=1e-5, atol=1e-5)


def test_causal_attention_ends_with_the_last_key(level: str) -> None:
    q, k, v = (dt.tensor(draw(1, 2, 50, 16, seed=i), dtype="float32") for i in range(3))
    whole = attend(q, k, v, is_causal=True)
    for n in (1, 7, 33):  # the last queries alone, as with a cache of earlier keys
        last = attend(q[:, :, -n:], k, v, is_causal=True)
        np.testing.assert_allclose(last.numpy(), whole[:, :, -n:].numpy(), rtol=1e-5, atol=1e-6)


def test_views_of_one_projection_are_read_in_place_and_the_result_is_joined_without_a_copy() -> None:
    qkv = dt.tensor(draw(2, 40, 3, 4, 16), dtype="float32")
    q, k, v = (qkv[:, :, i].permute_dims((0, 2, 1, 3)) for i in range(3))
    before = dt.memory_stats()["in_use"]
    y = attend(q, k, v)
    # The result, and a number for each row.
    used = dt.memory_stats()["in_use"] - before
    assert used <= y.nbytes + 2 * 4 * 40 * 4 + 4096
    joined = y.permute_dims((0, 2, 1, 3))
    assert joined.is_contiguous()
    same = attend(*(dt.tensor(t.numpy().copy()) for t in (q, k, v)))
    np.testing.assert_array_equal(y.numpy(), same.numpy())


def test_memory_grows_linearly_with_the_length() -> None:
    def peak(n: int) -> int:
        q, k, v = leaves(*(draw(1, 1, n, 16, seed=i) for i in range(3)))
        dt.empty_cache()
        dt.reset_peak_memory()
        before = dt.memory_stats()["in_use"]
        attend(q, k, v, is_causal=True).sum().backward()
        return dt.memory_stats()["peak"] - before

    short, long = peak(1024), peak(8192)
    assert long < 16 * short
    assert long < 8192 * 8192 * 4 / 16


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_bits_do_not_depend_on_threads(level: str, dtype: str) -> None:
    q, k, v = leaves(draw(1, 2, 300, 16), draw(1, 1, 600, 16), draw(1, 1, 600, 16), dtype=dtype)

    def run() -> list[Any]:
        dt.manual_seed(3)
        for t in (q, k, v):
            t.grad = None
        y = attend(q, k, v, dropout_p=0.2, is_causal=True, enable_gqa=True)
        (y * y).sum().backward()
        return [t.detach().astype("float64") for t in (y, q.grad, k.grad, v.grad) if t is not None]

    on_threads(run)


def test_dropout_drops_the_share_asked_for_the_same_on_every_level(level: str) -> None:
    n, p = 200, 0.3
    q, k = dt.zeros((2, 3, n, 4)), dt.zeros((2, 3, n, 4))
    v = dt.tensor(np.eye(n)[None, None].repeat(2, 0).repeat(3, 1), dtype="float32")
    dt.manual_seed(5)
    weights = attend(q, k, v, dropout_p=p).numpy() * n  # the weights themselves: value is the identity
    kept = weights > 0
    assert abs(kept.mean() - (1 - p)) < 4 * (p * (1 - p) / kept.size) ** 0.5
    np.testing.assert_allclose(weights[kept], 1 / (1 - p), rtol=1e-5)
    assert abs(weights.mean() - 1) < 0.01
    assert len({a.tobytes() for a in kept.reshape(-1, n)}) == 6 * n  # no row twice
    dt.manual_seed(5)
    np.testing.assert_array_equal(attend(q, k, v, dropout_p=p).numpy() > 0, kept)
    assert ((attend(q, k, v, dropout_p=p).numpy() > 0) != kept).any()
    dt.manual_seed(5)
    double = attend(q.astype("float64"), k.astype("float64"), v.astype("float64"), dropout_p=p)
    np.testing.assert_array_equal(double.numpy() > 0, kept)


def test_autocast_casts_and_gradients_keep_the_dtype() -> None:
    q, k, v = leaves(*(draw(1, 2, 20, 8, seed=i) for i in range(3)))
    with dt.autocast("bfloat16"):
        y = attend(q, k, v)
    assert y.dtype == dt.bfloat16
    y.astype("float32").sum().backward()
    assert all(t.grad is not None and t.grad.dtype == dt.float32 for t in (q, k, v))
    np.testing.assert_allclose(
        y.detach().astype("float32").numpy(), reference(*(t.detach().numpy() for t in (q, k, v))), atol=0.03
    )


def test_infinite_scores_are_no_silent_zeros(level: str) -> None:
    q, k, v = (dt.tensor(draw(1, 1, 5, 4, seed=i), dtype="float32") for i in range(3))
    k[0, 0, 2, 1] = float("nan")
    assert np.isnan(attend(q, k, v).numpy()).all()


def test_changing_what_was_saved_is_noticed() -> None:
    q, k, v = leaves(*(draw(1, 1, 5, 4, seed=i) for i in range(3)))
    shared = k * 1.0
    y = attend(q, shared, v)
    shared += 1.0
    with pytest.raises(RuntimeError, match="modified in place"):
        y.sum().backward()


@pytest.mark.parametrize("variant", ["plain", "causal", "bool", "number", "grouped"])
def test_pytorch_agrees(variant: str) -> None:
    torch = pytest.importorskip("torch")
    heads = 2 if variant == "grouped" else 4
    arrays = draw(2, 4, 130, 32), draw(2, heads, 130, 32, seed=1), draw(2, heads, 130, 32, seed=2)
    ours = leaves(*arrays)
    theirs = [torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in arrays]
    arguments: dict[str, Any] = {"is_causal": variant == "causal", "enable_gqa": variant == "grouped"}
    mask = None
    if variant == "bool":
        mask = np.random.default_rng(4).random((130, 130)) < 0.5
    if variant == "number":
        mask = draw(2, 1, 130, 130, seed=5).astype(np.float32)
    y = attend(*ours, None if mask is None else dt.tensor(mask), **arguments)
    z = torch.nn.functional.scaled_dot_product_attention(
        *theirs, None if mask is None else torch.tensor(mask), **arguments
    )
    np.testing.assert_allclose(y.detach().numpy(), z.detach().numpy(), rtol=1e-4, atol=1e-5)
    (y * y).sum().backward()
    (z * z).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("heads", "shared"), [(4, 1), (4, 2), (1, 1)])
def test_a_projection_gives_what_its_parts_give(dtype: str, heads: int, shared: int) -> None:
    fewer = heads // shared
    array, given = draw(2, 40, (heads + 2 * fewer) * 8), draw(2, 40, heads * 8, seed=1)
    whole, parts = leaves(array, array, dtype=dtype)
    grad, mask = (
        dt.tensor(given, dtype=dtype),
        dt.tensor(np.random.default_rng(3).random((2, 1, 40, 40)) < 0.7),
    )
    every = parts.reshape(2, 40, -1, 8).swapaxes(1, 2)
    q, k, v = every[:, :heads], every[:, heads : heads + fewer], every[:, heads + fewer :]
    dt.manual_seed(2)
    y = dt._core._self_attention(whole, heads, fewer, mask, 0.2, True)
    dt.manual_seed(2)
    z = attend(q, k, v, mask, 0.2, True, enable_gqa=True).swapaxes(1, 2).reshape(2, 40, -1)
    y.backward(grad)
    z.backward(grad)
    assert whole.grad is not None
    assert parts.grad is not None
    for a, b in ((y, z), (whole.grad, parts.grad)):
        np.testing.assert_array_equal(
            a.detach().astype("float64").numpy(), b.detach().astype("float64").numpy()
        )


def test_a_projection_of_other_sizes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"self_attention: projected has 10 features .* expected 6 heads"):
        dt._core._self_attention(dt.zeros((2, 3, 10)), 2, 2)
    empty = dt.zeros((0, 3, 12), requires_grad=True)
    dt._core._self_attention(empty, 2, 2).sum().backward()
    assert empty.grad is not None
    assert empty.grad.shape == (0, 3, 12)
