"""Optimizers: what turns gradients into steps."""

from . import lr_scheduler, regularization, swa_utils
from .adafactor import Adafactor
from .adam import Adam, AdamW
from .adam_kin import Adamax, NAdam, RAdam
from .adaptive import Adadelta, Adagrad, RMSprop
from .lbfgs import LBFGS
from .muon import Muon
from .optimizer import Optimizer
from .scaler import GradScaler
from .sgd import SGD
from .signs import Lion, Rprop
from .sparse_adam import SparseAdam

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "GradScaler",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "regularization",
    "swa_utils",
]


def __dir__() -> list[str]:
    # Not the files that these are from.
    return [*__all__]
