"""The callbacks of ``drivetrain.train`` where users of Keras look for them."""

from .train import History, ProgbarLogger, ProgressBar, callbacks
from .train.callbacks import *  # noqa: F403

__all__ = ["History", "ProgbarLogger", "ProgressBar"]
__all__ += callbacks.__all__
