"""Recurrent networks: PyTorch's numbers, ragged batches, carried states, half formats, wrong input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import drivetrain as dt
from drivetrain.nn.utils import (
    PackedSequence,
    pack_padded_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpad_sequence,
)
from op_table.tools import on_threads

Array = np.ndarray[Any, Any]
KINDS = ("RNN", "LSTM", "GRU")


def values_of(*shape: int) -> Array:
    """Values that need no generator, the same everywhere."""
    return np.sin(np.arange(int(np.prod(shape))) * 0.7 + len(shape)).reshape(shape) * 0.6


def filled(module: Any) -> Any:
    weights = {n: dt.tensor(values_of(*p.shape), dtype=p.dtype) for n, p in module.named_parameters()}
    module.load_state_dict(weights)
    return module


def first(states: Any) -> Any:
    """h, which an LSTM gives beside c."""
    return states[0] if isinstance(states, tuple) else states


# --- PyTorch ---

# What torch 2.13 computes in float64: of output, h_n and the gradients of the input and weight_hh_l0 the
# product with `values_of` their shapes; the loss is that of the output.
RECORDED: dict[str, tuple[float, ...]] = {
    "LSTM": (0.01123090180117689, 0.5515423221497673, -0.01954649628300051, -0.1107775754747143),
    "LSTM both": (-0.056688342404212666, 0.2036742644932386, -0.047099175581850804, 0.026686459447276295),
    "LSTM projected both": (
        -0.20358611921322017,
        0.07112031422834078,
        0.001775667825941425,
        3.944264354370931e-05,
    ),
    "GRU both": (-0.24194159021870032, -0.17139261605495146, -0.612371798302783, -0.10896567137363197),
    "RNN both": (0.3064686177141116, -1.1423906568021842, 0.003152135601029754, -0.15331928057333685),
    "RNN relu": (-0.35998041575267337, -0.20117902203781646, -0.5661389244818607, 0.25232356401379896),
}


def build(library: Any, name: str, **extra: Any) -> Any:
    kind, *flags = name.split()
    arguments: dict[str, Any] = {"num_layers": 2, "bidirectional": "both" in flags}
    if "projected" in flags:
        arguments["proj_size"] = 3
    if "relu" in flags:
        arguments["nonlinearity"] = "relu"
    return getattr(library, kind)(4, 5, **arguments, **extra)


def products(*found: Any) -> tuple[float, ...]:
    return tuple(float((t.detach().numpy() * values_of(*t.shape)).sum()) for t in found)


def figures_of_torch(name: str) -> tuple[float, ...]:
    torch = pytest.importorskip("torch")
    net = build(torch.nn, name, dtype=torch.float64, batch_first=True)
    net.load_state_dict({n: torch.tensor(values_of(*p.shape)) for n, p in net.named_parameters()})
    x = torch.tensor(values_of(3, 6, 4), requires_grad=True)
    output, states = net(x)
    (output * torch.tensor(values_of(*output.shape))).sum().backward()
    return products(output, first(states), x.grad, net.weight_hh_l0.grad)


@pytest.mark.parametrize("name", RECORDED)
def test_numbers_of_pytorch(name: str, level: str) -> None:
    net = filled(build(dt.nn, name, dtype="float64"))
    x = dt.tensor(values_of(3, 6, 4), requires_grad=True)
    output, states = net(x)
    (output * dt.tensor(values_of(*output.shape))).sum().backward()
    found = products(output, first(states), x.grad, net.weight_hh_l0.grad)
    np.testing.assert_allclose(found, RECORDED[name], rtol=1e-12)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_numbers_are_those_of_pytorch(name: str) -> None:
    np.testing.assert_allclose(figures_of_torch(name), RECORDED[name], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_initial_values(kind: str) -> None:
    dt.manual_seed(0)
    net = getattr(dt.nn, kind)(40, 25)
    assert list(net.state_dict()) == ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]
    for parameter in net.parameters():
        found = parameter.detach().numpy()
        assert np.abs(found).max() <= 1 / 5
        assert np.abs(found).max() > 0.9 / 5
        assert abs(found.mean()) < 0.05


# --- Ragged batches ---


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_equal_each_sequence_alone(kind: str) -> None:
    net = filled(getattr(dt.nn, kind)(4, 6, num_layers=2, bidirectional=True, dtype="float64"))
    lengths = [3, 7, 1, 0, 7, 2]
    x = values_of(6, 7, 4)
    start = values_of(4, 6, 6)
    hx = (dt.tensor(start), dt.tensor(start / 2)) if kind == "LSTM" else dt.tensor(start)
    output, states = net(dt.tensor(x), hx, lengths)
    for i, n in enumerate(lengths):
        one = dt.tensor(start[:, i : i + 1])
        alone, state = net(
            dt.tensor(x[i : i + 1, :n]), (one, dt.tensor(start[:, i : i + 1] / 2)) if kind == "LSTM" else one
        )
        np.testing.assert_allclose(output[i, :n].detach().numpy(), alone[0].detach().numpy(), rtol=1e-13)
        assert not output[i, n:].detach().numpy().any()
        np.testing.assert_allclose(
            first(states)[:, i].detach().numpy(), first(state)[:, 0].detach().numpy(), rtol=1e-13
        )
    # A sequence without steps keeps its initial state.
    assert (first(states)[:, 3].detach().numpy() == start[:, 3]).all()


def test_padding_has_no_effect_and_no_gradient() -> None:
    net = dt.nn.LSTM(3, 4, bidirectional=True)
    x = np.full((2, 5, 3), np.nan, np.float32)
    x[0, :2], x[1, :4] = 1, 2
    padded = dt.tensor(x, requires_grad=True)
    output, _ = net(padded, lengths=dt.tensor([2, 4]))
    output.sum().backward()
    assert np.isfinite(output.detach().numpy()).all()
    gradient = padded.grad.numpy()
    assert gradient[0, :2].all()
    assert gradient[1, :4].all()
    assert not gradient[0, 2:].any()
    assert not gradient[1, 4:].any()


def test_packed_sequences() -> None:
    net, lengths = dt.nn.GRU(3, 4, bidirectional=True), [2, 5, 3]
    x = dt.tensor(values_of(3, 5, 3), dtype="float32")
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 3, 2, 1, 1]
    output, h = net(packed)
    assert isinstance(output, PackedSequence)
    padded, counts = pad_packed_sequence(output)
    expected, last = net(x, lengths=lengths)
    assert counts.tolist() == lengths
    np.testing.assert_array_equal(padded.detach().numpy(), expected.detach().numpy())
    np.testing.assert_array_equal(h.detach().numpy(), last.detach().numpy())
    longer, _ = pad_packed_sequence(packed, padding_value=-1.0, total_length=7)
    assert longer.shape == (3, 7, 3)
    assert (longer[0, 2:] == -1).all().item()
    with pytest.raises(ValueError, match="a PackedSequence has lengths of its own"):
        net(packed, lengths=lengths)


def test_packing_agrees_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils import rnn

    x, lengths = values_of(4, 6, 2), [3, 6, 1, 6]
    ours = pack_padded_sequence(dt.tensor(x), lengths, enforce_sorted=False)
    theirs = rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    # PyTorch does not promise an order among equal lengths.
    assert ours.batch_sizes.tolist() == theirs.batch_sizes.tolist()
    if ours.sorted_indices.tolist() == theirs.sorted_indices.tolist():
        np.testing.assert_array_equal(ours.data.numpy(), theirs.data.numpy())


def test_padding_and_unpadding() -> None:
    sequences = [dt.tensor(values_of(n, 2)) for n in (3, 0, 5)]
    for side in ("right", "left"):
        padded = pad_sequence(sequences, padding_value=9.0, padding_side=side)
        assert padded.shape == (3, 5, 2)
        assert int((padded == 9).sum().item()) == 14
    back = unpad_sequence(pad_sequence(sequences), [3, 0, 5])
    for given, found in zip(sequences, back, strict=True):
        np.testing.assert_array_equal(given.numpy(), found.numpy())


# --- States ---


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_in_pieces_is_the_whole_text(kind: str) -> None:
    net = getattr(dt.nn, kind)(3, 5, num_layers=2)
    x = dt.tensor(values_of(2, 12, 3), dtype="float32")
    whole, last = net(x)
    state, pieces = None, []
    for at in range(0, 12, 4):
        output, state = net(x[:, at : at + 4], state)
        pieces.append(output.detach().numpy())
        state = tuple(s.detach() for s in state) if kind == "LSTM" else state.detach()
    np.testing.assert_allclose(np.concatenate(pieces, 1), whole.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first(state).numpy(), first(last).detach().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_steps_of_the_network(kind: str) -> None:
    net = filled(getattr(dt.nn, kind)(3, 4))
    cell = getattr(dt.nn, f"{kind}Cell")(3, 4)
    cell.load_state_dict({n.removesuffix("_l0"): p.detach() for n, p in net.named_parameters()})
    x = dt.tensor(values_of(2, 5, 3), dtype="float32")
    whole, _ = net(x)
    whole.sum().backward()
    state, total = None, 0.0
    for t in range(5):
        state = cell(x[:, t], state)
        np.testing.assert_allclose(
            first(state).detach().numpy(), whole[:, t].detach().numpy(), rtol=1e-6, atol=1e-7
        )
        total = total + first(state).sum()
    total.backward()  # type: ignore[attr-defined]
    np.testing.assert_allclose(cell.weight_hh.grad.numpy(), net.weight_hh_l0.grad.numpy(), rtol=1e-5)


def test_gradients_twice_and_after_a_change() -> None:
    net = dt.nn.LSTM(3, 4)
    x = dt.tensor(values_of(2, 5, 3), dtype="float32")
    loss = net(x)[0].sum()
    loss.backward(retain_graph=True)
    once = net.weight_ih_l0.grad.numpy().copy()
    loss.backward()
    np.testing.assert_array_equal(net.weight_ih_l0.grad.numpy(), 2 * once)
    loss = net(x)[0].sum()
    with dt.no_grad():
        net.weight_hh_l0[...] = 0
    with pytest.raises(RuntimeError, match="modified in place"):
        loss.backward()


def test_dropout_between_layers() -> None:
    net = filled(dt.nn.LSTM(3, 4, num_layers=2, dropout=0.5))
    x = dt.tensor(values_of(2, 5, 3), dtype="float32")
    runs = []
    for seed in (1, 1, 2):
        dt.manual_seed(seed)
        runs.append(net(x)[0].detach().numpy())
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()
    net.eval()
    plain = filled(dt.nn.LSTM(3, 4, num_layers=2))(x)[0]
    np.testing.assert_array_equal(net(x)[0].detach().numpy(), plain.detach().numpy())
    # All that goes up dropped: the second layer sees zeros, the gradient of the first one is zero.
    net.train()
    net.dropout = 1.0
    net(x)[0].sum().backward()
    assert not net.weight_ih_l0.grad.numpy().any()
    assert net.bias_ih_l1.grad.numpy().any()


def test_dropout_has_its_own_gradient() -> None:
    net = filled(dt.nn.GRU(3, 4, num_layers=2, dropout=0.3, dtype="float64"))
    x = dt.tensor(values_of(2, 5, 3), requires_grad=True)

    def loss() -> Any:
        dt.manual_seed(5)
        return (net(x)[0] * dt.tensor(values_of(2, 5, 4))).sum()

    loss().backward()
    memory, direction = x.detach().numpy(), values_of(2, 5, 3) + 0.1
    origin = memory.copy()
    values = []
    for step in (1e-6, -1e-6):
        memory[...] = origin + step * direction
        values.append(loss().item())
    np.testing.assert_allclose((values[0] - values[1]) / 2e-6, (x.grad.numpy() * direction).sum(), rtol=1e-6)


# --- Half formats, bits ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("hidden", [7, 32])
def test_autocast(kind: str, half: str, hidden: int, level: str) -> None:
    net = getattr(dt.nn, kind)(6, hidden, num_layers=2, bidirectional=True)
    x = dt.tensor(values_of(5, 9, 6), dtype="float32", requires_grad=True)
    found = []
    for on in (False, True):
        for t in (x, *net.parameters()):
            t.grad = None
        with dt.autocast(half, enabled=on):
            output, states = net(x, lengths=[9, 3, 5, 9, 1])
        assert output.dtype == (half if on else "float32")
        if kind == "LSTM":
            assert states[1].dtype == "float32"
        (output.astype("float32") * dt.tensor(values_of(*output.shape), dtype="float32")).sum().backward()
        assert all(p.grad.dtype == "float32" for p in net.parameters())
        found.append(
            [output.astype("float32").detach().numpy(), *(t.grad.numpy() for t in (x, *net.parameters()))]
        )
    bound = 0.03 if half == "bfloat16" else 0.004
    for exact, low in zip(*found, strict=True):
        assert np.abs(low - exact).max() <= bound * max(1.0, np.abs(exact).max())
        assert (low != exact).any()
    with dt.autocast(half):  # states go round as they came
        output, states = net(x)
        net(x, states)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("half", ["", "bfloat16"])
@pytest.mark.parametrize(("batch", "steps", "hidden"), [(3, 6, 288), (37, 6, 288), (16, 20, 32)])
def test_threads_and_bits(kind: str, half: str, batch: int, steps: int, hidden: int, level: str) -> None:
    """Sizes that are cut by sequences and by units; more rows than a tile holds; small ones."""
    net = getattr(dt.nn, kind)(20, hidden, bidirectional=True)
    x = dt.tensor(values_of(batch, steps, 20), dtype="float32", requires_grad=True)
    lengths = [1 + i % steps for i in range(batch)]

    def run() -> list[Any]:
        for t in (x, *net.parameters()):
            t.grad = None
        with dt.autocast(half or "bfloat16", enabled=bool(half)):
            output, states = net(x, lengths=lengths)
        output.astype("float32").square().sum().backward()
        found = [
            output,
            *(states if kind == "LSTM" else (states,)),
            x.grad,
            *(p.grad for p in net.parameters()),
        ]
        return [t.astype("float32").detach().numpy() for t in found]

    on_threads(run)


def test_rows_of_a_batch_do_not_depend_on_the_others() -> None:
    net = dt.nn.LSTM(8, 40)
    x = dt.tensor(values_of(30, 5, 8), dtype="float32")
    whole = net(x)[0].detach().numpy()
    np.testing.assert_allclose(net(x[7:9])[0].detach().numpy(), whole[7:9], rtol=1e-5, atol=1e-6)


# --- Wrong input ---


def test_bad_arguments() -> None:
    with pytest.raises(
        TypeError, match=r"LSTM: there is no argument 'batch_first'; sequences are always \(batch"
    ):
        dt.nn.LSTM(3, 4, batch_first=True)
    with pytest.raises(TypeError, match="GRU: there is no argument 'proj_size'"):
        dt.nn.GRU(3, 4, proj_size=2)
    with pytest.raises(ValueError, match="LSTM: proj_size must be less than hidden_size, got 4 and 4"):
        dt.nn.LSTM(3, 4, proj_size=4)
    with pytest.raises(ValueError, match="LSTM: hidden_size must be a positive integer, got 0"):
        dt.nn.LSTM(3, 0)
    with pytest.raises(ValueError, match="GRU: dropout must be a number from 0 to 1"):
        dt.nn.GRU(3, 4, dropout=1.5)
    with pytest.raises(ValueError, match="RNN: nonlinearity"):
        dt.nn.RNN(3, 4, nonlinearity="gelu")


def test_bad_input() -> None:
    lstm, x = dt.nn.LSTM(3, 4), dt.zeros((2, 5, 3))
    with pytest.raises(TypeError, match=r"LSTM: hx must be the two states \(h, c\), got Tensor"):
        lstm(x, dt.zeros((1, 2, 4)))
    with pytest.raises(TypeError, match="LSTM: lengths must be integers"):
        lstm(x, lengths=[1.5, 2])
    with pytest.raises(ValueError, match=r"lstm: lengths has 6 for sequence 1, expected 0 to 5"):
        lstm(x, lengths=[5, 6])
    with pytest.raises(
        ValueError, match=r"lstm: lengths has shape \(3,\), expected \(2,\) \(one per sequence\)"
    ):
        lstm(x, lengths=[5, 5, 5])
    with pytest.raises(ValueError, match=r"lstm: hx has shape \(2, 2, 4\), expected \(1, 2, 4\)"):
        lstm(x, (dt.zeros((2, 2, 4)), dt.zeros((1, 2, 4))))
    with pytest.raises(ValueError, match=r"input has 7 features .* but weight_ih_l0 \(16, 3\) expects 3"):
        lstm(dt.zeros((2, 5, 7)))
    with pytest.raises(TypeError, match="lstm: input has dtype float64, but weight_ih_l0 has dtype float32"):
        lstm(x.astype("float64"))
    with pytest.raises(ValueError, match=r"GRUCell: input has shape \(3,\), expected \(batch, features\)"):
        dt.nn.GRUCell(3, 4)(dt.zeros((3,)))


def test_bad_packing() -> None:
    x = dt.zeros((2, 5, 3))
    with pytest.raises(ValueError, match="lengths must descend; pass enforce_sorted=False"):
        pack_padded_sequence(x, [2, 3])
    with pytest.raises(ValueError, match="lengths has -1 for sequence 1, expected 0 to 5"):
        pack_padded_sequence(x, [2, -1])
    with pytest.raises(ValueError, match=r"unpad_sequence: lengths has shape \(1,\), expected \(2,\)"):
        unpad_sequence(x, [2])
    with pytest.raises(ValueError, match="pad_sequence: there are no sequences"):
        pad_sequence([])
    with pytest.raises(ValueError, match=r"pad_sequence: padding_value is 1.5, which int64 does not hold"):
        pad_sequence([dt.tensor([1, 2]), dt.tensor([3])], padding_value=1.5)
    packed = pack_padded_sequence(x, [3, 2])
    for parts in (
        {"batch_sizes": dt.tensor([2, 2, -1])},
        {"batch_sizes": dt.tensor([2.0, 2.0, 1.0])},
        {"batch_sizes": dt.tensor([1, 2, 2])},
        {"batch_sizes": dt.tensor([2, 2])},
        {"sorted_indices": dt.tensor([0]), "unsorted_indices": dt.tensor([0])},
    ):
        with pytest.raises(ValueError, match=r"pad_packed_sequence: batch_sizes .* are not those of 5 steps"):
            pad_packed_sequence(packed._replace(**parts))
    for parts in ({"sorted_indices": dt.tensor([0, 2])}, {"unsorted_indices": dt.tensor([1, 0])}):
        with pytest.raises(ValueError, match="no orders that undo each other"):
            dt.nn.GRU(3, 4)(packed._replace(**parts))
    with pytest.raises(TypeError, match="expected a PackedSequence, got tuple"):
        pad_packed_sequence(tuple(packed))
    for cell, hx in ((dt.nn.GRUCell(3, 4), (1, 2)), (dt.nn.LSTMCell(3, 4), "ab")):
        with pytest.raises(TypeError, match="Cell: hx must be a Tensor, got"):
            cell(dt.zeros((2, 3)), hx)
        with pytest.raises(TypeError, match="Cell: input must be a Tensor, got NoneType"):
            cell(None)
    with pytest.raises(ValueError, match=r"pad_sequence: sequence 1 has shape \(2, 4\)"):
        pad_sequence([dt.zeros((2, 3)), dt.zeros((2, 4))])
    with pytest.raises(ValueError, match="total_length must be at least 5, the longest length, got 3"):
        pad_packed_sequence(pack_padded_sequence(x, [5, 2]), total_length=3)


def test_repr() -> None:
    assert repr(dt.nn.LSTM(3, 4)) == "LSTM(3, 4)"
    assert (
        repr(dt.nn.LSTM(3, 4, 2, dropout=0.5, proj_size=2))
        == "LSTM(3, 4, proj_size=2, num_layers=2, dropout=0.5)"
    )
    assert repr(dt.nn.RNN(3, 4, nonlinearity="relu")) == "RNN(3, 4, nonlinearity=relu)"
    assert repr(dt.nn.GRUCell(3, 4, bias=False)) == "GRUCell(3, 4, bias=False)"


def test_they_have_pytorchs_names_too():
    from drivetrain.nn.utils import rnn

    for name in (
        "PackedSequence",
        "pack_padded_sequence",
        "pad_packed_sequence",
        "pad_sequence",
        "unpad_sequence",
    ):
        assert getattr(rnn, name) is getattr(dt.nn.utils, name)
