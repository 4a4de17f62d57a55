"""The training loop, its callbacks and its record."""

from .callbacks import (
    BackupAndRestore,
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateMonitor,
    LearningRateScheduler,
    ModelCheckpoint,
    ModelSummary,
    ReduceLROnPlateau,
    StochasticWeightAveraging,
    SwapEMAWeights,
    TensorBoard,
    TerminateOnNaN,
    Timer,
)
from .history import History
from .loop import LoopState
from .predictor import Predictor
from .progress import ProgbarLogger, ProgressBar
from .trainer import Trainer
from .tuner import batch_size_find, lr_find

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateMonitor",
    "LearningRateScheduler",
    "LoopState",
    "ModelCheckpoint",
    "ModelSummary",
    "Predictor",
    "ProgbarLogger",
    "ProgressBar",
    "ReduceLROnPlateau",
    "StochasticWeightAveraging",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "Timer",
    "Trainer",
    "batch_size_find",
    "lr_find",
]
