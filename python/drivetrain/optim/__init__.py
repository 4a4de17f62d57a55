"""Optimizers: what turns gradients into steps."""

from . import lr_scheduler as lr_scheduler
from . import swa_utils as swa_utils
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .optimizer import Optimizer as Optimizer
from .scaler import GradScaler as GradScaler
from .sgd import SGD as SGD
