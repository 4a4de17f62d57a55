"""The training loop, its callbacks and its record."""

from .callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint
from .history import History
from .progress import ProgressBar

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "ModelCheckpoint",
    "ProgressBar",
]
