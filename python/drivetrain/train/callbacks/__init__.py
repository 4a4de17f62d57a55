"""Callbacks: what happens around a training loop, with Keras's names for hooks and arguments."""

from .averaging import StochasticWeightAveraging, SwapEMAWeights
from .backup import BackupAndRestore, Checkpoint
from .base import Callback
from .base import CallbackList as CallbackList
from .base import Logs as Logs
from .base import as_callbacks as as_callbacks
from .checkpoint import ModelCheckpoint
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping
from .early_stopping import Monitor as Monitor
from .rates import LearningRateMonitor, LearningRateScheduler, ReduceLROnPlateau
from .small import LambdaCallback, ModelSummary, TerminateOnNaN
from .tensorboard import TensorBoard
from .timer import Timer

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateMonitor",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ModelSummary",
    "ReduceLROnPlateau",
    "StochasticWeightAveraging",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "Timer",
]
