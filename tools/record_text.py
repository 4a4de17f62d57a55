"""Record what Keras's TextVectorization gives on the cases of the tests: run in an environment with Keras.

    python tools/record_text.py

renews tests/golden/text_vectorization.json, whose texts and arguments it keeps. Add a case there with
"arguments" alone.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parent.parent / "tests" / "golden" / "text_vectorization.json"


def main() -> None:
    np, keras = importlib.import_module("numpy"), importlib.import_module("keras")
    golden = json.loads(PATH.read_text())
    cases: list[str] = []
    for case in golden["cases"]:
        arguments: dict[str, Any] = case["arguments"]
        if isinstance(arguments.get("ngrams"), list):
            arguments["ngrams"] = tuple(arguments["ngrams"])
        layer = keras.layers.TextVectorization(**arguments)
        if "vocabulary" not in arguments:
            layer.adapt(golden["texts"])
        out = layer(np.array(golden["query"]))
        output = out.to_list() if hasattr(out, "to_list") else np.asarray(out).tolist()
        cases.append(
            json.dumps({"arguments": arguments, "vocabulary": layer.get_vocabulary(), "output": output})
        )
    source = f"keras.layers.TextVectorization of Keras {keras.__version__}, TensorFlow backend"
    head = {"source": source, "texts": golden["texts"], "query": golden["query"]}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    PATH.write_text("{" + ",\n".join(lines) + ',\n"cases": [\n' + ",\n".join(cases) + "\n]}\n")
    print(f"{PATH}: {len(cases)} cases of Keras {keras.__version__}")


if __name__ == "__main__":
    main()
