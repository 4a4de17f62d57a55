"""Gradients: switches for recording, walks of the tape, gradients written in Python, checkpointing."""

from .._core import get_autocast_dtype as get_autocast_dtype
from .._core import is_autocast_enabled as is_autocast_enabled
from .._core import is_grad_enabled as is_grad_enabled
from ._autocast import autocast as autocast
from ._checkpoint import checkpoint as checkpoint
from ._function import Function as Function
from ._gradcheck import gradcheck as gradcheck
from ._mode import enable_grad as enable_grad
from ._mode import inference_mode as inference_mode
from ._mode import no_grad as no_grad
from ._mode import set_grad_enabled as set_grad_enabled
from ._walk import backward as backward
from ._walk import grad as grad
