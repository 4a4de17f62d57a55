"""What the tests of shared memory have in common."""

import numpy as np
import pytest

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
NUMPY_DTYPES = ["bool", "uint8", "int32", "int64", "float16", "float32", "float64"]
DTYPES = [*NUMPY_DTYPES, "bfloat16"]


def sample(dtype):
    return (np.arange(6).reshape(2, 3) % 2 if dtype == "bool" else np.arange(6).reshape(2, 3)).astype(dtype)
