"""A convolutional network that classifies texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _core, nn
from .._arguments import checks_names
from .._core import Tensor
from ..nn.checks import integer
from ..nn.functional import sequence_mask
from .build import check_sizes
from .heads import Headed
from .padding import check_tokens, lengths_of


class TextCNN(Headed, nn.Module):
    """Convolutions of several widths over the words, the largest of each; `text_cnn` makes it.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import TextCNN
        >>> TextCNN(100, 3)(dt.ones((2, 7), dtype="int64")).shape
        (2, 3)
    """

    heads = ("head",)

    @checks_names
    def __init__(
        self,
        vocab_size: int,
        classes: int,
        width: int = 128,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        channels: int = 100,
        dropout: float = 0.5,
        *,
        padding_idx: int | None = 0,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        name = "text_cnn"
        check_sizes(name, vocab_size=vocab_size, classes=classes, width=width, channels=channels)
        if not np.iterable(kernel_sizes) or not len(kernel_sizes):
            raise ValueError(f"{name}: kernel_sizes is {kernel_sizes!r:.80}, expected at least one integer")
        sizes = [integer(name, "kernel_sizes", size) for size in kernel_sizes]
        self.tokens = nn.Embedding(vocab_size, width, padding_idx, sparse=sparse)
        self.padding_idx = self.tokens.padding_idx
        self.convolutions = nn.ModuleList(nn.Conv1d(width, channels, size) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels * len(sizes), classes)
        self._sizes = sizes
        nn.init.uniform_(self.tokens.weight, -0.25, 0.25)
        if padding_idx is not None:
            nn.init.zeros_(self.tokens.weight.detach()[padding_idx])

    def forward(self, tokens: Tensor, lengths: Any = None) -> Tensor:
        check_tokens("TextCNN", tokens)
        counts = lengths_of("TextCNN", tokens, self.padding_idx, lengths)
        vectors = self.tokens(tokens)
        inside = sequence_mask(counts, tokens.shape[1]).astype(vectors.dtype)
        vectors = vectors * inside[..., None]
        if (missing := max(self._sizes) - tokens.shape[1]) > 0:
            vectors = nn.functional.pad(vectors, ((0, 0), (0, missing), (0, 0)))
        found = []
        for size, convolution in zip(self._sizes, self.convolutions, strict=True):
            windows = nn.functional.relu(convolution(vectors))
            # Those that reach behind the end do not count, but for a text that is shorter than one.
            mask = sequence_mask(np.maximum(counts - size + 1, 1), windows.shape[1])
            found.append((windows * mask.astype(windows.dtype)[..., None]).max(axis=1))
        return self.head(self.dropout(_core.concat(found, axis=1)))  # type: ignore[no-any-return]


@checks_names
def text_cnn(
    vocab_size: int,
    classes: int,
    width: int = 128,
    kernel_sizes: Sequence[int] = (3, 4, 5),
    channels: int = 100,
    dropout: float = 0.5,
    *,
    padding_idx: int | None = 0,
    sparse: bool = False,
) -> TextCNN:
    """A convolutional network for texts: quick to train, and hard to beat on short ones.

    Args:
        vocab_size (int): Number of tokens.
        classes (int): Outputs.
        width (int, default 128): Features of a token; 300 in the paper.
        kernel_sizes (ints, default (3, 4, 5)): Tokens that a convolution sees at a time.
        channels (int, default 100): Features of each of them.
        dropout (float, default 0.5): Probability of being dropped in training, before the last layer.
        padding_idx (int or None, default 0): The token that fills short texts up.
        sparse (bool, default False): See `nn.Embedding`: for large vocabularies.

    Shapes: input (batch, time) of int64, and optionally lengths (batch,); output (batch, classes), which are
    logits. Padding behind the end of a text changes nothing.

    For vectors that were trained before, ``model.tokens = nn.Embedding.from_pretrained(vectors)`` keeps them
    as they are ("static" in the paper), with ``freeze=False`` they are trained on.

    Parameters: vocab_size width + channels (width sum(kernel_sizes) + number of sizes) + classes (channels
    number of sizes + 1).

    Source: Kim, Convolutional neural networks for sentence classification, 2014.

    Example:
        >>> import drivetrain as dt
        >>> from drivetrain.models import text_cnn
        >>> model = text_cnn(1000, 2)
        >>> model(dt.tensor([[5, 8, 2, 0, 0], [7, 1, 1, 9, 3]])).shape
        (2, 2)
    """
    return TextCNN(
        *(vocab_size, classes, width, kernel_sizes, channels, dropout), padding_idx=padding_idx, sparse=sparse
    )
