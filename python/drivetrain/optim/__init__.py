"""Optimizers: what turns gradients into steps."""

from . import lr_scheduler as lr_scheduler
from . import swa_utils as swa_utils
from .adam import Adam as Adam
from .adam import AdamW as AdamW
from .adam_kin import Adamax as Adamax
from .adam_kin import NAdam as NAdam
from .adam_kin import RAdam as RAdam
from .adaptive import Adadelta as Adadelta
from .adaptive import Adagrad as Adagrad
from .adaptive import RMSprop as RMSprop
from .optimizer import Optimizer as Optimizer
from .scaler import GradScaler as GradScaler
from .sgd import SGD as SGD
from .signs import Lion as Lion
from .signs import Rprop as Rprop
