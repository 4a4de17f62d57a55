"""Vectors for words and other categories."""

from __future__ import annotations

from typing import Any

from .. import _core
from .._checks import flag
from . import init
from .checks import integer
from .convert import floating_dtype
from .module import Module
from .parameter import Parameter, SparseParameter


class Embedding(Module):
    """A table with one vector per category; the input picks rows. Drawn from the normal distribution.

    Args:
        num_embeddings: Number of categories.
        embedding_dim: Size of a vector.
        padding_idx: A category whose vector stays as it is, initially 0: it gets no gradient.
        dtype: Floating-point dtype of the table.
        sparse: Whether the gradient is kept, and the table stepped, for those rows alone that were looked up.
            For large tables; with `optim.SparseAdam`, `optim.Adagrad` or `optim.SGD`, not for tied weights.
            `weight` is a `SparseParameter` then, and `weight.sparse_grad` has rows and values.

    Shapes:
        input (...) of int64 or int32, output (..., embedding_dim), weight (num_embeddings, embedding_dim).

    Example:
        >>> import drivetrain as dt
        >>> dt.nn.Embedding(1000, 16)(dt.tensor([[1, 2, 3]])).shape
        (1, 3, 16)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        dtype: Any = "float32",
        *,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.num_embeddings = integer("Embedding", "num_embeddings", num_embeddings)
        self.embedding_dim = integer("Embedding", "embedding_dim", embedding_dim)
        if padding_idx is not None:
            padding_idx = integer("Embedding", "padding_idx", padding_idx, -self.num_embeddings)
            if padding_idx >= self.num_embeddings:
                raise ValueError(
                    f"Embedding: padding_idx must be less than num_embeddings, got {padding_idx} and "
                    f"{self.num_embeddings}"
                )
            padding_idx %= self.num_embeddings
        self.padding_idx = padding_idx
        dtype = floating_dtype("Embedding", dtype)
        kind = SparseParameter if flag("Embedding", "sparse", sparse) else Parameter
        self.weight = kind(_core.empty((self.num_embeddings, self.embedding_dim), dtype=dtype))
        self.reset_parameters()

    @classmethod
    def from_pretrained(
        cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None, *, sparse: bool = False
    ) -> Embedding:
        """Takes a table (categories, size) over; frozen, unless told otherwise."""
        kind = SparseParameter if flag("Embedding.from_pretrained", "sparse", sparse) else Parameter
        weight = kind(embeddings, requires_grad=not flag("Embedding.from_pretrained", "freeze", freeze))
        if weight.ndim != 2:
            raise ValueError(
                f"Embedding.from_pretrained: embeddings must have 2 axes, got shape {tuple(weight.shape)}"
            )
        made = cls(weight.shape[0], weight.shape[1], padding_idx, weight.dtype, sparse=sparse)
        made.weight = weight
        return made

    def reset_parameters(self) -> None:
        """Draws the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            init.zeros_(self.weight.detach()[self.padding_idx])

    def forward(self, input: _core.Tensor) -> _core.Tensor:
        if isinstance(self.weight, SparseParameter):
            return self.weight.lookup(input, self.padding_idx)
        return _core.embedding(input, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        sparse = ", sparse=True" if isinstance(self.weight, SparseParameter) else ""
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}{sparse}"
