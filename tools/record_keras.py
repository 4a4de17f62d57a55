"""Record what Keras's ImageDataGenerator gives on the cases of the tests: run in an environment with Keras.

    python tools/record_keras.py

writes tests/reference/keras_generator.npz.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    cases = importlib.import_module("keras_cases")
    keras = importlib.import_module("keras")
    image = importlib.import_module("keras.src.legacy.preprocessing.image")
    found = cases.compute(image.ImageDataGenerator)
    path = ROOT / "tests" / "reference" / "keras_generator.npz"
    np.savez_compressed(path, version=np.array(keras.__version__), **found)
    print(f"{path}: {len(found)} cases of Keras {keras.__version__}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
