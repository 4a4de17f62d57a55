"""Callbacks: what happens around a training loop, with Keras's names for hooks and arguments."""

from .averaging import StochasticWeightAveraging, SwapEMAWeights
from .backup import BackupAndRestore, Checkpoint
from .base import Callback, CallbackList, Logs, as_callbacks
from .checkpoint import ModelCheckpoint
from .csv_logger import CSVLogger
from .early_stopping import EarlyStopping, Monitor
from .rates import LearningRateMonitor, LearningRateScheduler, ReduceLROnPlateau
from .small import LambdaCallback, ModelSummary, TerminateOnNaN
from .tensorboard import TensorBoard
from .timer import Timer

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "Checkpoint",
    "EarlyStopping",
    "LambdaCallback",
    "LearningRateMonitor",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "ModelSummary",
    "Monitor",
    "ReduceLROnPlateau",
    "StochasticWeightAveraging",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
    "Timer",
    "as_callbacks",
]
