"""What a row of the op table is made of. `op_table/__init__.py` says how to add one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import drivetrain as dt

HALVES = ("float16", "bfloat16")
FLOATS = ("float32", "float64")
ALL_FLOATS = (*HALVES, *FLOATS)
INTEGERS = ("uint8", "int32", "int64")
NUMBERS = (*INTEGERS, *ALL_FLOATS)
ALL = ("bool", *NUMBERS)

# (relative, absolute) error allowed against the float64 reference; the absolute one is multiplied by the
# largest magnitude of the result, where that is above 1.
TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-10, 1e-12),
    "float32": (1e-5, 2e-6),
    "float16": (2e-3, 1e-3),
    "bfloat16": (1.6e-2, 8e-3),
}
# Of float32 gradients, and of float32 results at large sizes, against float64.
LARGE_TOLERANCE = (1e-4, 2e-5)
# Of float64 gradients against central differences.
GRADIENT_TOLERANCE = (1e-5, 1e-6)


@dataclass(frozen=True)
class Sample:
    """The arguments of one call.

    float64 arrays (also inside lists and tuples) are converted to the dtype under test; arrays of other
    dtypes (labels, indices, masks) and everything else go through as they are.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    gradient: bool = True  # False: forward only (NaN, infinities, points without a derivative)
    # Dtypes this sample makes sense for; None: every one of the row.
    dtypes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Error:
    """A wrong call, the exception it raises and a regular expression that its message matches."""

    call: Callable[[], Any]
    type: type[Exception]
    match: str


Samples = Callable[[np.random.Generator], Iterable[Sample]]


@dataclass(frozen=True)
class Op:
    name: str
    # (arguments of the sample as arrays: float64, or the very dtype for integers and bool) -> array or tuple
    reference: Callable[..., Any]
    samples: Samples
    errors: Sequence[Error]
    # Calls with zero-size arrays that give a result; where there are none, `no_empty` says why.
    empty_samples: Samples | None = None
    no_empty: str = ""
    # Round block boundaries and above the parallel grain: float32 against float64, and every thread count.
    large_samples: Samples | None = None
    function: Callable[..., Any] | None = None  # default: drivetrain.<name>
    dtypes: tuple[str, ...] = FLOATS  # any other dtype must raise TypeError
    # Positions of the arguments that get gradients (a list of tensors counts as one); keywords by name.
    differentiable: tuple[int | str, ...] = (0,)
    tolerance: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    large_tolerance: tuple[float, float] = LARGE_TOLERANCE
    gradient_tolerance: tuple[float, float] = GRADIENT_TOLERANCE
    # False: the reference is too slow, or does not fit, for large_samples.
    large_reference: bool = True
    # Further public names of the core that these samples exercise, e.g. "Tensor.__matmul__".
    covers: tuple[str, ...] = ()
    # Results of ops that only move elements do not depend on the dtype: compare bit for bit.
    exact: bool = False
    # False: the order of sums depends on the strides of the inputs; results agree within the tolerance.
    same_bits_for_strides: bool = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The op, after seeding the generator: random ops repeat themselves."""
        dt.manual_seed(1234)
        function = self.function if self.function is not None else getattr(dt, self.name)
        return function(*args, **kwargs)
