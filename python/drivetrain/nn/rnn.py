"""Recurrent networks: RNN, LSTM and GRU over whole sequences, and their cells for loops of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core
from .._arguments import suggest
from .._core import Tensor
from . import init
from .checks import choice, flag, integer, real, tensor
from .convert import floating_dtype
from .module import Module
from .packing import PackedSequence, pack_like, pad_packed_sequence
from .parameter import Parameter

_ARGUMENTS = ("input_size", "hidden_size", "num_layers", "bias", "dropout", "bidirectional", "dtype")
_GATES = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}


def _lengths(layer: str, lengths: Any) -> Tensor | None:
    if lengths is None or isinstance(lengths, Tensor):
        return lengths
    values = np.asarray(lengths)
    if values.size and values.dtype.kind not in "iu":
        raise TypeError(f"{layer}: lengths must be integers, got {lengths!r:.80}")
    return _core.tensor(values.astype(np.int64))


def _refuse(layer: str, arguments: dict[str, Any]) -> None:
    for name in arguments:
        raise TypeError(f"{layer}: there is no argument '{name}'{suggest(name, _ARGUMENTS)}")


class _Recurrent(Module):
    """What the networks share: their parameters, and the call of the compiled op."""

    mode: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        dtype: Any,
        unknown: dict[str, Any],
    ) -> None:
        super().__init__()
        name = type(self).__name__
        _refuse(name, unknown)
        self.input_size = integer(name, "input_size", input_size)
        self.hidden_size = integer(name, "hidden_size", hidden_size)
        self.num_layers = integer(name, "num_layers", num_layers)
        self.bias = flag(name, "bias", bias)
        self.dropout = real(name, "dropout", dropout, "a number from 0 to 1", lambda p: 0 <= p <= 1)
        self.bidirectional = flag(name, "bidirectional", bidirectional)
        self.proj_size = integer(name, "proj_size", proj_size, 0)
        if self.proj_size >= self.hidden_size:
            raise ValueError(
                f"{name}: proj_size must be less than hidden_size, got {proj_size} and {hidden_size}"
            )
        dtype = floating_dtype(name, dtype)
        self._names: list[str] = []
        directions = 2 if self.bidirectional else 1
        state, wide = self.proj_size or self.hidden_size, _GATES[self.mode] * self.hidden_size
        for layer in range(self.num_layers):
            inputs = directions * state if layer else self.input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (wide, inputs), "weight_hh": (wide, state)}
            if self.bias:
                shapes |= {"bias_ih": (wide,), "bias_hh": (wide,)}
            if self.proj_size:
                shapes["weight_hr"] = (self.proj_size, self.hidden_size)
            for direction in range(directions):
                for part, shape in shapes.items():
                    self._names.append(f"{part}_l{layer}{'_reverse' if direction else ''}")
                    setattr(self, self._names[-1], Parameter(_core.empty(shape, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters anew from U(-k, k) with k = 1 / sqrt(hidden_size), as in PyTorch."""
        bound = 1 / math.sqrt(self.hidden_size)
        for name in self._names:
            init.uniform_(getattr(self, name), -bound, bound)

    def _run(self, input: Any, hx: Tensor | None, cx: Tensor | None, lengths: Any) -> tuple[Any, ...]:
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError(f"{type(self).__name__}: a PackedSequence has lengths of its own")
            padded, lengths = pad_packed_sequence(input)
            output, *states = self._run(padded, hx, cx, lengths)
            return (pack_like(output, input), *states)
        return _core._rnn(
            self.mode,
            input,
            [getattr(self, name) for name in self._names],
            hx,
            cx,
            _lengths(type(self).__name__, lengths),
            self.num_layers,
            self.bidirectional,
            self.dropout,
            self.training,
        )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("dropout", 0.0),
            ("bidirectional", False),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class LSTM(_Recurrent):
    """Long short-term memory: layers of it, over whole sequences.

    With i, f, o = sigmoid(W x + b + U h + c), g = tanh(...) alike: c' = f c + i g, h' = o tanh(c').
    Gates, names and initial values of the parameters are PyTorch's, whose weights can be loaded.

    Args:
        input_size: Features of the input.
        hidden_size: Units of a layer.
        num_layers: Layers, each over the outputs of the one before.
        bias: Whether there are biases.
        dropout: Probability of an output of a layer being dropped on its way to the next, in training.
        bidirectional: Whether each layer also goes from the last step to the first; the outputs of both
            directions stand side by side.
        proj_size: Features to which h is projected at each step; 0: it is not.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, time, input_size), or a `PackedSequence`.
        hx: h_0 (layers * directions, batch, proj_size or hidden_size) and c_0 (..., hidden_size); None: 0.
        lengths: integers (batch,), the steps of each sequence, from 0 to time; None: all are `time` long.
        Result: output (batch, time, directions * (proj_size or hidden_size)), 0 behind the lengths, and
        (h_n, c_n) after the last step of each sequence, of the shapes of hx; a sequence of length 0 keeps its
        initial state. No time is spent on what lies behind the lengths.
        Within autocast the products are computed in the low type, gates and c in float32: c_n is float32.

    Source: Hochreiter and Schmidhuber, 1997; projections: Sak et al., 2014.

    Example:
        >>> import drivetrain as dt
        >>> lstm = dt.nn.LSTM(10, 20, num_layers=2)
        >>> output, (h, c) = lstm(dt.zeros((3, 5, 10)), lengths=[5, 2, 1])
        >>> output.shape, h.shape, c.shape
        ((3, 5, 20), (2, 3, 20), (2, 3, 20))
        >>> output, state = lstm(dt.zeros((3, 5, 10)), (h.detach(), c.detach()))  # the next piece of the text
    """

    mode = "lstm"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        dtype: Any = "float32",
        **unknown: Any,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, dropout, bidirectional, proj_size, dtype, unknown
        )

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None, lengths: Any = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        h, c = _pair("LSTM", hx)
        output, h, c = self._run(input, h, c, lengths)
        return output, (h, c)


class GRU(_Recurrent):
    """Gated recurrent units: layers of them, over whole sequences.

    With r, z = sigmoid(W x + b + U h + c) and n = tanh(W x + b + r (U h + c)): h' = (1 - z) n + z h.
    Gates, names and initial values of the parameters are PyTorch's, whose weights can be loaded.

    Args:
        input_size: Features of the input.
        hidden_size: Units of a layer.
        num_layers: Layers, each over the outputs of the one before.
        bias: Whether there are biases.
        dropout: Probability of an output of a layer being dropped on its way to the next, in training.
        bidirectional: Whether each layer also goes from the last step to the first.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        As of `LSTM`, with the state h alone: hx and h_n are (layers * directions, batch, hidden_size).

    Source: Cho et al., 2014.

    Example:
        >>> import drivetrain as dt
        >>> output, h = dt.nn.GRU(10, 20, bidirectional=True)(dt.zeros((3, 5, 10)))
        >>> output.shape, h.shape
        ((3, 5, 40), (2, 3, 20))
    """

    mode = "gru"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = "float32",
        **unknown: Any,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, dropout, bidirectional, 0, dtype, unknown)

    def forward(self, input: Any, hx: Tensor | None = None, lengths: Any = None) -> tuple[Any, Tensor]:
        output, h = self._run(input, hx, None, lengths)
        return output, h


class RNN(_Recurrent):
    """Elman networks: layers of h' = tanh(W x + b + U h + c), over whole sequences.

    Args:
        input_size: Features of the input.
        hidden_size: Units of a layer.
        num_layers: Layers, each over the outputs of the one before.
        nonlinearity: "tanh" or "relu".
        bias: Whether there are biases.
        dropout: Probability of an output of a layer being dropped on its way to the next, in training.
        bidirectional: Whether each layer also goes from the last step to the first.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        As of `LSTM`, with the state h alone: hx and h_n are (layers * directions, batch, hidden_size).

    Source: Elman, 1990.

    Example:
        >>> import drivetrain as dt
        >>> output, h = dt.nn.RNN(10, 20)(dt.zeros((3, 5, 10)))
        >>> output.shape, h.shape
        ((3, 5, 20), (1, 3, 20))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: Any = "float32",
        **unknown: Any,
    ) -> None:
        self.nonlinearity = choice("RNN", "nonlinearity", nonlinearity, ("tanh", "relu"))
        self.mode = f"rnn_{nonlinearity}"
        super().__init__(input_size, hidden_size, num_layers, bias, dropout, bidirectional, 0, dtype, unknown)

    def forward(self, input: Any, hx: Tensor | None = None, lengths: Any = None) -> tuple[Any, Tensor]:
        output, h = self._run(input, hx, None, lengths)
        return output, h

    def extra_repr(self) -> str:
        relu = ", nonlinearity=relu" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu


def _pair(layer: str, hx: Any) -> tuple[Tensor | None, Tensor | None]:
    if hx is None:
        return None, None
    if not isinstance(hx, Sequence) or len(hx) != 2:
        raise TypeError(f"{layer}: hx must be the two states (h, c), got {type(hx).__name__}")
    return hx[0], hx[1]


class _Cell(Module):
    """One step of a network; parameters without a layer's number."""

    mode: str

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        name = type(self).__name__
        self.input_size = integer(name, "input_size", input_size)
        self.hidden_size = integer(name, "hidden_size", hidden_size)
        dtype = floating_dtype(name, dtype)
        wide = _GATES[self.mode] * self.hidden_size
        self.weight_ih = Parameter(_core.empty((wide, self.input_size), dtype=dtype))
        self.weight_hh = Parameter(_core.empty((wide, self.hidden_size), dtype=dtype))
        has_bias = flag(name, "bias", bias)
        self.bias_ih = Parameter(_core.empty((wide,), dtype=dtype)) if has_bias else None
        self.bias_hh = Parameter(_core.empty((wide,), dtype=dtype)) if has_bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters anew from U(-k, k) with k = 1 / sqrt(hidden_size), as in PyTorch."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, input: Tensor, h: Tensor | None, c: Tensor | None = None) -> tuple[Tensor, ...]:
        name = type(self).__name__
        if tensor(name, "input", input).ndim != 2:
            raise ValueError(f"{name}: input has shape {tuple(input.shape)}, expected (batch, features)")
        weights = [self.weight_ih, self.weight_hh]
        if self.bias_ih is not None and self.bias_hh is not None:
            weights += [self.bias_ih, self.bias_hh]
        h, c = (s if s is None else tensor(name, "hx", s)[None] for s in (h, c))
        _, *last = _core._rnn(self.mode, input[:, None], weights, h, c)
        return tuple(s[0] for s in last)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias_ih is not None else ", bias=False")


class LSTMCell(_Cell):
    """One step of an `LSTM`, for loops of one's own; whole sequences are faster through `LSTM`.

    Args:
        input_size: Features of the input.
        hidden_size: Units.
        bias: Whether there are biases.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, input_size), hx: h and c (batch, hidden_size) each, None: zeros; the result is the new
        (h, c).

    Source: Hochreiter and Schmidhuber, 1997.

    Example:
        >>> import drivetrain as dt
        >>> cell = dt.nn.LSTMCell(10, 20)
        >>> state = None
        >>> for step in range(3):
        ...     state = cell(dt.zeros((4, 10)), state)
        >>> state[0].shape
        (4, 20)
    """

    mode = "lstm"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32") -> None:
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        h, c = self._step(input, *_pair("LSTMCell", hx))
        return h, c


class GRUCell(_Cell):
    """One step of a `GRU`, for loops of one's own; whole sequences are faster through `GRU`.

    Args:
        input_size: Features of the input.
        hidden_size: Units.
        bias: Whether there are biases.
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, input_size), hx (batch, hidden_size), None: zeros; the result is the new state.

    Source: Cho et al., 2014.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.GRUCell(10, 20)(dt.zeros((4, 10))).shape
        (4, 20)
    """

    mode = "gru"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, dtype: Any = "float32") -> None:
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, hx)[0]


class RNNCell(_Cell):
    """One step of an `RNN`, for loops of one's own; whole sequences are faster through `RNN`.

    Args:
        input_size: Features of the input.
        hidden_size: Units.
        bias: Whether there are biases.
        nonlinearity: "tanh" or "relu".
        dtype: Floating-point dtype of the parameters.

    Shapes:
        input (batch, input_size), hx (batch, hidden_size), None: zeros; the result is the new state.

    Source: Elman, 1990.

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.RNNCell(10, 20)(dt.zeros((4, 10))).shape
        (4, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: Any = "float32",
    ) -> None:
        self.nonlinearity = choice("RNNCell", "nonlinearity", nonlinearity, ("tanh", "relu"))
        self.mode = f"rnn_{nonlinearity}"
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(input, hx)[0]

    def extra_repr(self) -> str:
        relu = ", nonlinearity=relu" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu
