"""Records what networks of PyTorch and torchvision give. Needs both.

python tools/record_networks.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import torch
import torchvision

from golden import networks


def main() -> None:
    found = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    for name in networks.LISTED:
        options = {"aux_logits": True, "init_weights": False} if name == "googlenet" else {}
        with torch.device("meta"):
            model = getattr(torchvision.models, name)(**options)
        shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
        found[f"names of {name}"] = networks.fingerprint(shapes)
    for name, (_, options, shape) in networks.CASES.items():
        if options is None:
            model = networks.REFERENCES[name]()
        else:
            model = getattr(torchvision.models, name)(num_classes=networks.CLASSES, **options)
        found[name] = networks.torch_outputs(model, shape)
        print(name, max(map(abs, found[name][0])))
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items()]
    networks.RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
