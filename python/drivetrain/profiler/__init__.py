"""Where the time and the memory of a training go: by op, by layer and by phase."""

from .profile import profile

__all__ = ["profile"]
