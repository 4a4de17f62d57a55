"""drivetrain: a compiled training core for neural networks, CPU first.

Arrays and functions of arrays live here, named as in the Array API standard (``drivetrain.add``, ``axis``,
``keepdims``); what networks are made of lives in ``drivetrain.nn``, ``drivetrain.optim`` and so on. Those
subpackages are imported when they are first used, so that ``import drivetrain`` stays cheap.

The functions come from the compiled ``drivetrain._core``, whose ``__all__`` lists what is public.
"""

import importlib as _importlib
import typing as _typing

# `bool` and `float`-like names of dtypes come with the star: this module must not use those built-ins.
from . import _core, _tensor
from . import autograd as autograd
from ._core import *  # noqa: F403
from ._core import __version__ as __version__
from .autograd import autocast as autocast
from .autograd import checkpoint as checkpoint
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled

_tensor.complete()

_LAZY = (
    "augment",
    "callbacks",
    "data",
    "datasets",
    "estimators",
    "io",
    "metrics",
    "models",
    "nn",
    "optim",
    "profiler",
    "text",
    "train",
    "word_vectors",
)
_GRADIENTS = ("checkpoint", "enable_grad", "inference_mode", "no_grad", "set_grad_enabled")
_PYTHON = ("autocast", "autograd", *_GRADIENTS)
_FILES = ("load", "save")

if _typing.TYPE_CHECKING:
    from . import augment as augment
    from . import callbacks as callbacks
    from . import data as data
    from . import datasets as datasets
    from . import estimators as estimators
    from . import io as io
    from . import metrics as metrics
    from . import models as models
    from . import nn as nn
    from . import optim as optim
    from . import profiler as profiler
    from . import text as text
    from . import train as train
    from . import word_vectors as word_vectors
    from .io import load as load
    from .io import save as save
else:

    def __getattr__(name: str) -> object:
        if name in _LAZY:
            return _importlib.import_module(f"{__name__}.{name}")
        if name in _FILES:
            return getattr(_importlib.import_module(f"{__name__}.io"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*_core.__all__, *_LAZY, *_PYTHON, *_FILES, "__version__"})
