"""Sums of products over the rows of a table, centred and weighted: what least squares needs of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .. import _core

Array = NDArray[Any]
BLOCK = 1 << 19  # elements of a block of rows that is centred at once: 4 MB
PANEL = 128  # columns of a piece of a Gram matrix: those left of the diagonal are not computed


class Moments:
    """A table X (n, p) and targets Y (n, t), float64, with the means that are taken from their columns.

    X is never copied as a whole: products with it are corrected for the means, and Gram matrices are summed
    over blocks of centred rows. With weights w every sum is one over w times its terms.
    """

    def __init__(self, x: Any, y: Array, weight: Array | None, centred: bool) -> None:
        self.sparse = x if sparse.issparse(x) else None
        self.x = None if self.sparse is not None else x
        self.rows, self.columns = x.shape
        self.by_columns = self.x is not None and bool(self.x.flags.f_contiguous)
        self.weight = weight
        self.total = float(self.rows) if weight is None else float(weight.sum())
        self.root = None if weight is None else np.sqrt(weight)
        if centred:
            share = None if weight is None else weight / self.total
            self.x_mean = self._times(np.full(self.rows, 1 / self.rows) if share is None else share)
            self.y_mean = np.average(y, axis=0, weights=weight)
        else:
            self.x_mean, self.y_mean = np.zeros(self.columns), np.zeros(y.shape[1])
        self.y = y - self.y_mean

    def _times(self, rows: Array) -> Array:
        """X' rows, for (n,) or (n, t)."""
        if self.sparse is not None:
            return np.asarray(self.sparse.T @ rows)
        assert self.x is not None
        return product(self.x.T, rows)

    def pull(self, residual: Array) -> Array:
        """Return Xc' W r (p,) or (p, t), of the centred table."""
        if self.weight is not None:
            residual = (residual.T * self.weight).T
        sums = residual.sum(axis=0)
        return self._times(residual) - (np.multiply.outer(self.x_mean, sums) if sums.any() else 0.0)

    def predict(self, weights: Array) -> Array:
        """Return Xc w (n,) or (n, t), of the centred table."""
        if self.sparse is not None:
            return np.asarray(self.sparse @ weights - self.x_mean @ weights)
        assert self.x is not None
        out = product(self.x, weights)
        return np.asarray(out - self.x_mean @ weights)

    def blocks(self, columns: Array | None = None) -> Any:
        """Rows, not yet centred, block by block; or some columns of them, in ascending order."""
        table = self.x if self.sparse is None else self.sparse.tocsr()
        assert table is not None
        step = max(1, BLOCK // max(1, self.columns if columns is None else len(columns)))
        for begin in range(0, self.rows, step):
            rows = slice(begin, min(begin + step, self.rows))
            part = table[rows]
            if self.sparse is not None:
                part = part if columns is None else part[:, columns]
                yield rows, part.toarray()
            else:
                yield rows, part if columns is None else np.take(part, columns, axis=1)

    def _centre(self, rows: slice, part: Array, mean: Array, out: Array) -> Array:
        np.subtract(part, mean, out=out, casting="same_kind")  # in float64, and then rounded
        if self.root is not None:
            out *= self.root[rows, None]
        return out

    def gram(self, dtype: Any = np.float64) -> Array:
        """Return Xc' W Xc (p, p), summed in float64 over blocks of rows whose sums have this dtype."""
        if self.sparse is not None:
            weighted = self.sparse if self.weight is None else sparse.diags(self.weight) @ self.sparse
            found = (self.sparse.T @ weighted).toarray()
            return np.asarray(found - self.total * np.outer(self.x_mean, self.x_mean))
        out = np.zeros((self.columns, self.columns))
        buffer = None
        for rows, part in self.blocks():
            if buffer is None:  # the order of the columns as in X: a transpose costs more than the product
                buffer = np.empty(part.shape, dtype, "F" if self.by_columns else "C")
            centred = self._centre(rows, part, self.x_mean, buffer[: len(part)])
            out += gram_of(_core.from_numpy(centred))
        return out

    def centred(self, columns: Array | None = None, dtype: Any = np.float64) -> Array:
        """Return Xc, with rows times the root of their weights, as one array; or some columns of it."""
        mean = self.x_mean if columns is None else self.x_mean[columns]
        if self.by_columns:
            assert self.x is not None
            table = self.x.T if columns is None else np.take(self.x.T, columns, axis=0)
            out = np.empty(table.shape, dtype).T
            return self._centre(slice(None), table.T, mean, out)
        out = np.empty((self.rows, len(mean)), dtype)
        for rows, part in self.blocks(columns):
            self._centre(rows, part, mean, out[rows])
        return out

    def outer_gram(self) -> Array:
        """Return Xc Xc' (n, n), with rows and columns times the root of their weights."""
        table = _core.from_numpy(self.centred())
        return np.asarray(_core.matmul(table, table.T).numpy())

    def rooted(self, values: Array) -> Array:
        """Rows times the root of their weights."""
        return values if self.root is None else (values.T * self.root).T

    def intercept(self, coef: Array) -> Any:
        """Return the intercepts that belong to coefficients (t, p) or (p,)."""
        return (self.y_mean if coef.ndim == 2 else self.y_mean[0]) - coef @ self.x_mean


def product(a: Array, b: Array) -> Array:
    """a @ b, on the threads of drivetrain."""
    return np.asarray(_core.matmul(_core.from_numpy(a), _core.from_numpy(np.ascontiguousarray(b))).numpy())


def gram_of(part: _core.Tensor) -> Array:
    """Return part' part, computed in panels right of the diagonal, the rest by symmetry."""
    size = part.shape[1]
    out = np.empty((size, size), part.dtype.name)
    for begin in range(0, size, PANEL):
        end = begin + PANEL
        out[begin:end, begin:] = _core.matmul(part[:, begin:end].T, part[:, begin:]).numpy()
        out[end:, begin:end] = out[begin:end, end:].T
    return out


def norm(values: Array) -> float:
    return math.sqrt(float(np.vdot(values, values)))
