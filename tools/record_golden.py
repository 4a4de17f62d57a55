"""Records PyTorch's side of the golden runs, of the autograd programs and of the transformers. Needs PyTorch.

python tools/record_golden.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import torch

import golden
import test_autograd_programs as programs
from golden import transformers


def record_runs() -> None:
    recorded = {"torch": torch.__version__}
    for run in golden.RUNS:
        losses, final = golden.run_torch(run)
        weights = {name: golden.picked(w) for name, w in final.items()}
        recorded[run] = {"losses": losses, "weights": weights}
        print(f"{run}: loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    text = json.dumps(recorded, indent=1)
    golden.RECORDED.write_text(text + "\n")


def record_programs() -> None:
    lines = [
        f"{json.dumps(name)}: {json.dumps(programs.run(torch, program))}"
        for name, program in programs.PROGRAMS.items()
    ]
    programs.RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def record_transformers() -> None:
    lines = [
        f"{json.dumps(case)}: {json.dumps(transformers.torch_results(case))}" for case in transformers.CASES
    ]
    transformers.RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    record_runs()
    record_programs()
    record_transformers()


if __name__ == "__main__":
    main()
