"""One module per library. Each has `MODES` (how its users run it) and one builder per kind of case.

A builder takes (options, arrays, mode) and returns `step`, a function without arguments that does one unit
of work and returns what it computed: the loss of a training step, or the product.
"""
