"""TensorFlow: graphs by `tf.function`, and graphs compiled by XLA."""

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf

from benchmarks.libraries import builders

from . import kernels, language, networks, sequences

BUILD = builders(kernels, networks) | sequences.BUILD | language.BUILD


def version() -> str:
    return tf.__version__


_threads = 0


def set_threads(threads: int) -> None:
    """TensorFlow takes the number once, before it computes."""
    global _threads
    if not _threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        _threads = threads
    if _threads != threads:
        raise ValueError(f"TensorFlow runs with {_threads} threads and cannot change to {threads}")


def wait(value: Any) -> None:
    pass
