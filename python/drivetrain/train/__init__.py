"""The training loop, its callbacks and its record."""

from . import callbacks
from .callbacks import *  # noqa: F403
from .history import History
from .loop import LoopState
from .predictor import Predictor
from .progress import ProgbarLogger, ProgressBar
from .trainer import Trainer
from .tuner import batch_size_find, lr_find

__all__ = [
    "History",
    "LoopState",
    "Predictor",
    "ProgbarLogger",
    "ProgressBar",
    "Trainer",
    "batch_size_find",
    "lr_find",
]
__all__ += callbacks.__all__
