"""Saving and loading: one safetensors file with a JSON document in its metadata. Never a pickle."""

from .anything import load, save
from .model import load_model, load_weights, save_model, save_weights
from .state import read_state, write_state
from .tensorfile import read_document, read_tensors, write_tensors
from .torch_file import read_torch

__all__ = [
    "load",
    "load_model",
    "load_weights",
    "read_document",
    "read_state",
    "read_tensors",
    "read_torch",
    "save",
    "save_model",
    "save_weights",
    "write_state",
    "write_tensors",
]
