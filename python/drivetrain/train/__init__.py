"""The training loop, its callbacks and its record."""

from .callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint, Timer
from .history import History
from .loop import LoopState
from .predictor import Predictor
from .progress import ProgressBar
from .trainer import Trainer

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LoopState",
    "ModelCheckpoint",
    "Predictor",
    "ProgressBar",
    "Timer",
    "Trainer",
]
