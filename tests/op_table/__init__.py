"""The op table: one row per op, from which `test_ops.py` derives its tests.

To add an op, add an `Op` to the list `ROWS` of its family's module here (a new family: a new module, found by
itself). A row gives

- `name`: the public name; `function` where it is not `drivetrain.<name>`;
- `reference`: the op in NumPy; it gets float64 arrays (integers and bool as they are) and the
  sample's keywords;
- `samples(rng)`: yields a few small `Sample(args, kwargs)`, all values away from points without a derivative;
- `empty_samples(rng)`: the same with sizes of 0 (or `no_empty="why there are none"`);
- `large_samples(rng)`: sizes one less, equal and one more than the kernel's blocks, and one above the
  parallel grain;
- `dtypes`: those that it takes; every other one must raise TypeError;
- `differentiable`: positions (or keywords) of the arguments that get gradients;
- `errors`: wrong calls, with exception type and message.

The row alone buys: the forward pass against the reference in every dtype, with its tolerance, on every ISA
level of the machine; gradients against central differences in float64, for all inputs together and one by
one; strided, reversed, transposed and broadcast inputs; zero sizes; inputs that stay unchanged; the same
bits on 1, 2, 3 and 7 threads; float32 against float64 at large sizes, forward and backward; the method of
the same name and the operators; the error messages.
"""

from importlib import import_module
from pkgutil import iter_modules

from .row import Op

ROWS: list[Op] = []
for _module in sorted(m.name for m in iter_modules(__path__)):
    ROWS += getattr(import_module(f"{__name__}.{_module}"), "ROWS", [])
