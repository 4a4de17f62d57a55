"""Sequences of tokens out of models that say what comes next: drawn one by one, or searched for.

A model takes part by a method ``new_decoder(use_cache=True)``, or a `Decoder` is given in its place.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .. import _core, nn
from .._arguments import checks_names
from .._core import Tensor
from ..autograd import inference_mode
from ..nn.checks import flag, integer, real, tensor

LEAST = 1e-37  # of temperatures: what float32 can divide by
LARGEST = 2**63 - 1  # of tokens


@runtime_checkable
class Decoder(Protocol):
    """What remembers the tokens so far and says what may come next: anything with these two methods.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import generate
        >>> class Successor:
        ...     def advance(self, tokens):
        ...         return dt.one_hot(tokens[:, -1] + 1, 10)
        ...     def pick(self, rows):
        ...         pass
        >>> generate(Successor(), [3], 4, temperature=0).tolist()
        [3, 4, 5, 6, 7]
    """

    def advance(self, tokens: Tensor) -> Tensor:
        """Takes the next tokens, (rows, time), and gives the logits of the one behind, (rows, vocabulary)."""

    def pick(self, rows: Tensor) -> None:
        """Goes on with these rows, in this order; one may come more than once."""


class RecurrentDecoder:
    """The decoder of a network that is called with tokens and a state and returns logits and the next state.

    The logits are (rows, time, vocabulary); the state is None at first and later a tensor, or a tuple of
    them, whose second axis has the rows: what `nn.LSTM` and `nn.GRU` hand on.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import RecurrentDecoder, generate
        >>> def count(tokens, state):  # the next token is the number of tokens so far
        ...     seen = dt.zeros((1, len(tokens)), dtype="int64") if state is None else state
        ...     seen = seen + tokens.shape[1]
        ...     return dt.one_hot(seen[0], 10).reshape(-1, 1, 10), seen
        >>> generate(RecurrentDecoder(count), [7, 7], 3, temperature=0).tolist()
        [7, 7, 2, 3, 4]
    """

    def __init__(self, model: Any, state: Any = None) -> None:
        self.model, self.state = model, state

    def advance(self, tokens: Tensor) -> Tensor:
        logits, self.state = self.model(tokens, self.state)
        return logits[:, -1]  # type: ignore[no-any-return]

    def pick(self, rows: Tensor) -> None:
        self.state = _picked(self.state, rows)


def _picked(state: Any, rows: Tensor) -> Any:
    if isinstance(state, (tuple, list)):
        return tuple(_picked(one, rows) for one in state)
    return None if state is None else state.take(rows, axis=1)


class Generates:
    """For models with `new_decoder`: the functions of this module as methods."""

    def generate(self, prompt: Any, max_new_tokens: int, **options: Any) -> Tensor:
        """The prompt and what follows: see `drivetrain.models.generate`, whose options it takes."""
        return generate(self, prompt, max_new_tokens, **options)

    def beam_search(self, prompt: Any, max_new_tokens: int, **options: Any) -> Beams:
        """The likeliest sequences: see `drivetrain.models.beam_search`, whose options it takes."""
        return beam_search(self, prompt, max_new_tokens, **options)


@checks_names
def generate(
    model: Any,
    prompt: Any,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_tokens: int | Iterable[int] = (),
    pad_token: int | None = None,
    seed: int | None = None,
    use_cache: bool = True,
) -> Tensor:
    """Draw tokens one after another, each from what the model says about the next one.

    Args:
        model: A model with ``new_decoder``, or a `Decoder`. It runs in inference mode.
        prompt (ints): The tokens to begin with, (time,) or (batch, time), at least one.
        max_new_tokens (int): The most to be added.
        temperature (float, default 1.0): Logits are divided by it: below 1 likely tokens become likelier. 0
            takes the likeliest always (greedy).
        top_k (int, optional): Only the k likeliest tokens are drawn.
        top_p (float, optional): Only the likeliest tokens that together have this probability are drawn.
        stop_tokens (int or ints): A sequence ends behind one of these.
        pad_token (int, default: the first of the stop tokens): What follows a sequence that has ended while
            others of the batch go on.
        seed (int, optional): Draws repeat with it. Default: drivetrain's generator goes on.
        use_cache (bool, default True): Whether keys and values of attention are kept, or all tokens so far
            are computed anew for each new one.

    Returns:
        Tensor: int64, the prompt and the new tokens, with a batch axis where the prompt has one. It is
        shorter than asked for where all sequences have ended.

    Raises:
        ValueError: For an empty prompt, tokens that the model does not know, options out of range.
        FloatingPointError: When the logits are not finite.

    Source: Fan et al., 2018, for top_k; Holtzman et al., The curious case of neural text degeneration, 2019,
    for top_p.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import generate, gpt
        >>> model = gpt(5, context_length=8, width=8, layers=1, heads=2)
        >>> generate(model, [1, 2], 10, top_k=3, seed=0).shape
        (12,)
    """
    tokens = _prompt("generate", prompt)
    choose = _choice("generate", temperature, top_k, top_p, seed)
    new = _tokens("generate", model, tokens, max_new_tokens, choose, stop_tokens, pad_token, use_cache)
    result = _core.concat([tokens, *(one.reshape(-1, 1) for one in new)], axis=1)
    return result if np.ndim(prompt) > 1 else result[0]


@checks_names
def stream(
    model: Any,
    prompt: Any,
    max_new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_tokens: int | Iterable[int] = (),
    pad_token: int | None = None,
    seed: int | None = None,
    use_cache: bool = True,
) -> Iterator[Tensor]:
    """`generate`, giving each new token as it is drawn, (batch,): for printing while the model writes.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import gpt, stream
        >>> model = gpt(5, context_length=8, width=8, layers=1, heads=2)
        >>> len([token.item() for token in stream(model, [1, 2], 10)])
        10
    """
    tokens = _prompt("stream", prompt)
    choose = _choice("stream", temperature, top_k, top_p, seed)
    return _tokens("stream", model, tokens, max_new_tokens, choose, stop_tokens, pad_token, use_cache)


def _choice(
    function: str, temperature: float, top_k: int | None, top_p: float | None, seed: int | None
) -> Choice:
    real(function, "temperature", temperature, "a number of at least 0", lambda t: 0 <= t < float("inf"))
    if top_k is not None:
        integer(function, "top_k", top_k)
    if top_p is not None:
        real(function, "top_p", top_p, "a number above 0 and at most 1", lambda p: 0 < p <= 1)
    return Choice(float(temperature), top_k, top_p, None if seed is None else _core.Generator(seed))


def _tokens(
    function: str,
    model: Any,
    tokens: Tensor,
    count: int,
    choose: Choice,
    stop_tokens: int | Iterable[int],
    pad_token: int | None,
    use_cache: bool,
) -> Iterator[Tensor]:
    """The new tokens one after another; arguments are checked before the first is asked for."""
    flag(function, "use_cache", use_cache)
    integer(function, "max_new_tokens", count, 0)
    stops = _stops(function, stop_tokens)
    pad = _pad(function, pad_token, stops)
    return _drawn(function, model, tokens, count, choose, stops, pad, use_cache)


@inference_mode()
def _drawn(
    function: str,
    model: Any,
    tokens: Tensor,
    count: int,
    choose: Choice,
    stops: dict[int, None],
    pad: int,
    use_cache: bool,
) -> Iterator[Tensor]:
    ended: list[bool] = [False] * tokens.shape[0]
    with _evaluating(model):
        decoder = _decoder_of(function, model, use_cache)
        for _ in range(count):
            tokens = choose(_logits(function, decoder.advance(tokens), len(ended)))
            if stops:
                if any(ended):
                    tokens = _core.where(_core.tensor(ended).reshape(-1, 1), pad, tokens)
                ended = [was or token[0] in stops for was, token in zip(ended, tokens.tolist(), strict=True)]
            yield tokens.reshape(-1)
            if all(ended):
                return


class Choice(NamedTuple):
    """How a token is chosen by the logits, (rows, vocabulary)."""

    temperature: float
    top_k: int | None
    top_p: float | None
    generator: Any

    def __call__(self, logits: Tensor) -> Tensor:
        """One token per row, (rows, 1)."""
        if self.temperature == 0:
            return logits.argmax(axis=-1, keepdims=True)
        if self.temperature != 1:
            logits = (logits - logits.max(axis=-1, keepdims=True)) / max(self.temperature, LEAST)
        order = None
        if self.top_k is not None or self.top_p is not None:
            vocabulary = logits.shape[-1]
            logits, order = logits.topk(min(self.top_k or vocabulary, vocabulary))
        chances = _core.softmax(logits)
        running = chances.cumsum(axis=-1)
        last: Any = running.shape[-1] - 1
        total = running[:, -1:]
        if self.top_p is not None:
            last = (running - chances < self.top_p).sum(axis=-1, keepdims=True) - 1
            total = running.gather(last, axis=-1)
        drawn = _core.rand((running.shape[0], 1), generator=self.generator) * total
        place = _core.minimum((running <= drawn).sum(axis=-1, keepdims=True), last)
        return place if order is None else order.gather(place, axis=-1)


class Beams(NamedTuple):
    """What `beam_search` has found, the best first.

    Example:
        >>> from drivetrain.models import beam_search, gpt
        >>> found = beam_search(gpt(5, context_length=8, width=8, layers=1, heads=2), [1, 2], 4, beams=3)
        >>> found.scores.shape, found.lengths.tolist()
        ((1, 3), [[4, 4, 4]])
    """

    tokens: Tensor  # (batch, beams, time): the prompt, the new tokens, padding
    scores: Tensor  # (batch, beams), float64
    lengths: Tensor  # (batch, beams): new tokens, with the stop token


@checks_names
def beam_search(
    model: Any,
    prompt: Any,
    max_new_tokens: int,
    *,
    beams: int = 4,
    length_penalty: float = 1.0,
    stop_tokens: int | Iterable[int] = (),
    pad_token: int | None = None,
    use_cache: bool = True,
) -> Beams:
    """Look for the likeliest sequences, going on with several at a time.

    Args:
        model: A model with ``new_decoder``, or a `Decoder`. It runs in inference mode.
        prompt (ints): The tokens to begin with, (time,) or (batch, time), at least one.
        max_new_tokens (int): The most to be added.
        beams (int, default 4): Sequences to go on with, and to return, for each of the batch.
        length_penalty (float, default 1.0): A score is the logarithm of the probability over the number of
            new tokens to this power; 0 leaves it as it is, which favours short sequences.
        stop_tokens, pad_token, use_cache: As for `generate`.

    Returns:
        Beams: tokens (batch, beams, time), which begin with the prompt, scores and lengths (batch, beams),
        the best first. Where fewer sequences exist, the rest have the score minus infinity and length 0.

    The search for one of the batch ends where no sequence that has not ended can still be among the best.

    Source: Graves, 2012; Wu et al., Google's neural machine translation system, 2016, for the penalty's idea.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import beam_search, gpt
        >>> model = gpt(5, context_length=8, width=8, layers=1, heads=2)
        >>> beam_search(model, [1, 2], 4, beams=3).tokens.shape
        (1, 3, 6)
    """
    tokens = _prompt("beam_search", prompt)
    integer("beam_search", "max_new_tokens", max_new_tokens)
    beams = integer("beam_search", "beams", beams)
    flag("beam_search", "use_cache", use_cache)
    power = real(
        *("beam_search", "length_penalty", length_penalty),
        f"a finite number whose power of {max_new_tokens} is one too",
        lambda p: abs(p) * math.log(max_new_tokens + 1) < 700,
    )
    stops = _stops("beam_search", stop_tokens)
    pad = _pad("beam_search", pad_token, stops)
    searches = [_Search(beams, power, max_new_tokens, stops, pad) for _ in range(tokens.shape[0])]
    with _evaluating(model):
        _search(_decoder_of("beam_search", model, use_cache), tokens, searches, max_new_tokens)
    return _as_beams(tokens, searches, beams, pad)


@inference_mode()
def _search(decoder: Decoder, tokens: Tensor, searches: list[_Search], count: int) -> None:
    batch, beams = len(searches), searches[0].beams
    logits = _logits("beam_search", decoder.advance(tokens), batch)
    rows = _core.arange(batch).repeat(beams)
    decoder.pick(rows)
    logits = logits.take(rows, axis=0)
    unmoved = np.arange(batch * beams)
    for step in range(count):
        chances = _core.log_softmax(logits)
        vocabulary = chances.shape[-1]
        scores = np.stack([search.scores for search in searches]).reshape(-1, 1)
        every = (chances.astype("float64") + _core.from_numpy(scores)).reshape(batch, beams * vocabulary)
        wanted = min(beams * (1 + len(searches[0].stops)), beams * vocabulary)
        values, places = (found.numpy() for found in every.topk(wanted))
        for search, value, place in zip(searches, values, places, strict=True):
            if not search.done:
                search.go_on(value, place // vocabulary, place % vocabulary)
        if step + 1 == count or all(search.done for search in searches):
            return
        parents = np.concatenate([search.parents + i * beams for i, search in enumerate(searches)])
        if not np.array_equal(parents, unmoved):
            decoder.pick(_core.from_numpy(parents))
        last = np.concatenate([search.last for search in searches])
        logits = _logits("beam_search", decoder.advance(_core.from_numpy(last.reshape(-1, 1))), len(last))


class _Search:
    """The sequences of one of the batch: those that go on, and the best of those that have ended."""

    def __init__(self, beams: int, power: float, longest: int, stops: dict[int, None], pad: int) -> None:
        self.beams, self.power, self.longest, self.stops, self.pad = beams, power, longest, stops, pad
        self.scores = np.full(beams, -np.inf)
        self.scores[0] = 0.0
        self.alive: list[list[int]] = [[] for _ in range(beams)]
        self.ended: list[tuple[float, list[int]]] = []
        self.parents = np.arange(beams)
        self.last = np.full(beams, pad)
        self.done = False

    def go_on(self, scores: NDArray[Any], parents: NDArray[Any], tokens: NDArray[Any]) -> None:
        """Takes the best continuations, likeliest first."""
        length = len(self.alive[0]) + 1
        kept: list[tuple[float, int, int]] = []
        for score, parent, token in zip(scores.tolist(), parents.tolist(), tokens.tolist(), strict=True):
            if score == -np.inf:
                break
            if token in self.stops or length == self.longest:
                self.ended.append((score / length**self.power, [*self.alive[parent], token]))
            elif len(kept) < self.beams:
                kept.append((score, parent, token))
        self.ended = sorted(self.ended, key=lambda found: -found[0])[: self.beams]
        kept += [(-np.inf, 0, self.pad)] * (self.beams - len(kept))
        self.scores = np.array([score for score, _, _ in kept])
        self.parents = np.array([parent for _, parent, _ in kept])
        self.last = np.array([token for _, _, token in kept])
        self.alive = [[*self.alive[parent], token] for _, parent, token in kept]
        hope = max(self.scores[0] / (length + 1) ** self.power, self.scores[0] / self.longest**self.power)
        full = len(self.ended) == self.beams and self.ended[-1][0] >= hope
        if full or self.scores[0] == -np.inf:
            self.done, self.parents = True, np.arange(self.beams)


def _as_beams(prompt: Tensor, searches: list[_Search], beams: int, pad: int) -> Beams:
    longest = max(len(tokens) for search in searches for _, tokens in search.ended)
    start = prompt.shape[1]
    found = np.full((len(searches), beams, start + longest), pad)
    found[:, :, :start] = prompt.numpy()[:, None]
    scores = np.full((len(searches), beams), -np.inf)
    lengths = np.zeros((len(searches), beams), np.int64)
    for i, search in enumerate(searches):
        for j, (score, tokens) in enumerate(search.ended):
            found[i, j, start : start + len(tokens)] = tokens
            scores[i, j], lengths[i, j] = score, len(tokens)
    return Beams(*map(_core.from_numpy, (found, scores, lengths)))


def _prompt(function: str, prompt: Any, name: str = "prompt") -> Tensor:
    """The prompt as (batch, time)."""
    try:
        tokens = np.asarray(prompt.detach() if isinstance(prompt, Tensor) else prompt)
    except ValueError:  # rows of different lengths
        tokens = np.asarray(None)
    if tokens.dtype.kind not in "biuf":
        raise ValueError(
            f"{function}: {name} must be integers of shape (time,) or (batch, time), all of one length, got "
            f"{prompt!r:.60}"
        )
    if 0 in tokens.shape or tokens.ndim == 0:
        raise ValueError(
            f"{function}: {name} has shape {tokens.shape}, expected at least one token, such as one that "
            "stands for a beginning"
        )
    if tokens.ndim > 2:
        raise ValueError(f"{function}: {name} has shape {tokens.shape}, expected (time,) or (batch, time)")
    if tokens.dtype.kind not in "iu":
        raise TypeError(f"{function}: {name} is {tokens.dtype}, expected integers")
    if tokens.dtype.kind == "u" and tokens.max() > LARGEST:
        raise ValueError(f"{function}: {name} has the token {tokens.max()}, which is beyond int64")
    return _core.tensor(np.atleast_2d(tokens).astype(np.int64))


def _stops(function: str, tokens: int | Iterable[int]) -> dict[int, None]:
    """The stop tokens, in their order."""
    given: Any = tokens.tolist() if hasattr(tokens, "tolist") else tokens
    given = given if np.iterable(given) else [given]
    return {integer(function, "stop_tokens", token, 0): None for token in given}


def _pad(function: str, token: int | None, stops: dict[int, None]) -> int:
    """What stands behind sequences that have ended."""
    return next(iter(stops), 0) if token is None else integer(function, "pad_token", token, 0, LARGEST)


def _decoder_of(function: str, model: Any, use_cache: bool) -> Decoder:
    if hasattr(model, "translate"):
        raise TypeError(
            f"{function}: model is a {type(model).__name__}, which needs a source: call its "
            "translate(source), or pass model.new_decoder(source)"
        )
    if hasattr(model, "new_decoder"):
        return model.new_decoder(use_cache=use_cache)  # type: ignore[no-any-return]
    if isinstance(model, Decoder):
        return model
    raise TypeError(
        f"{function}: model is a {type(model).__name__}, expected one with a method new_decoder, or a Decoder"
    )


def _logits(function: str, logits: Any, rows: int) -> Tensor:
    """What a decoder gave, in float32 at least, where each row has a largest one."""
    given: Tensor = tensor(function, "what the decoder gives", logits)
    shape = tuple(given.shape)
    if len(shape) != 2 or shape[0] != rows or not shape[1]:
        raise ValueError(
            f"{function}: the decoder gives logits of shape {shape}, expected (rows, vocabulary) with {rows} "
            "rows"
        )
    if given.dtype.itemsize == 2:
        given = given.astype("float32")
    if not _core.isfinite(given.max(axis=-1)).all():
        raise FloatingPointError(f"{function}: the model's logits are not finite")
    return given


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """No dropout meanwhile."""
    network = model if isinstance(model, nn.Module) else getattr(model, "model", None)  # of a decoder
    trained = [m for m in network.modules() if m.training] if isinstance(network, nn.Module) else []
    for module in trained:
        module.training = False
    try:
        yield
    finally:
        for module in trained:
            module.training = True
