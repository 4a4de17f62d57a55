"""`python -m benchmarks promises`: import cost, memory, page faults and bits, measured and not asserted."""

import json
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any


def python(code: str, *arguments: str) -> Any:
    """What a fresh interpreter prints, as JSON."""
    out = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    ).stdout
    return json.loads(out.strip().splitlines()[-1])


IMPORT = """
import json, sys, time
import numpy
start = time.perf_counter()
import drivetrain
seconds = time.perf_counter() - start
resident = int(open('/proc/self/statm').read().split()[1]) * 4096
known = ('matplotlib', 'sklearn', 'PIL', 'tqdm', 'torch', 'pandas', 'h5py')
optional = [m for m in known if m in sys.modules]
print(json.dumps([seconds, resident, optional]))
"""

STEADY = """
import json, resource, sys
from benchmarks import data
from benchmarks.suites import LENET, MLP_SMALL
from benchmarks.libraries import drivetrain as library
steps = int(sys.argv[1])
def usage():
    pages = int(open('/proc/self/statm').read().split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt, pages * 4096
out = {}
for case in (MLP_SMALL, LENET):
    step = library.BUILD[case.kind](getattr(data, case.kind)(case.options), case.options, 'drivetrain').step
    for _ in range(200):
        step()
    before = usage()
    for _ in range(steps):
        step()
    after = usage()
    out[case.name] = {'page faults': after[0] - before[0], 'growth in bytes': after[1] - before[1]}
print(json.dumps(out))
"""

BITS = """
import json, hashlib, sys
import numpy as np
import drivetrain as dt
from drivetrain import nn
dt.set_num_threads(int(sys.argv[1]))
dt.manual_seed(7)
rng = np.random.default_rng(0)
x, y = dt.tensor(rng.random((512, 28, 28, 1), np.float32)), dt.tensor(rng.integers(0, 10, 512))
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3),
    nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 144, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = dt.optim.Adam(model.parameters(), lr=1e-3)
for step in range(30):
    at = step % 8 * 64
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[at:at + 64]), y[at:at + 64]).backward()
    optimizer.step()
digest = hashlib.sha256()
for name, value in model.state_dict().items():
    digest.update(name.encode() + value.detach().numpy().tobytes())
print(json.dumps(digest.hexdigest()))
"""

# What the forward of a narrow ResNet-18 keeps for backward, in bytes.
ACTIVATIONS = """
import json, sys
import numpy as np
import drivetrain as dt
from benchmarks import networks
from benchmarks.libraries.drivetrain.networks import build
from drivetrain.train.precision import region
layers = networks.resnet18(width=16)
model = build(layers, networks.weights(layers, np.random.default_rng(0)))
x = dt.tensor(np.random.default_rng(0).random((16, 32, 32, 3), np.float32))
found = {}
for precision in ('float32', 'bfloat16', 'float16'):
    before = dt.memory_stats()['in_use']
    with region(precision):
        loss = model(x).sum()
    found[precision] = dt.memory_stats()['in_use'] - before
    del loss
print(json.dumps(found))
"""


# Fits and predictions in one process: what stays behind. The first ones fill caches.
CYCLES = """
import gc, json, sys
import numpy as np
import drivetrain as dt
from drivetrain import nn
from drivetrain.train import EarlyStopping, History
cycles = int(sys.argv[1])
x = np.random.default_rng(0).random((256, 16)).astype(np.float32)
y = (x.sum(axis=1) > 8).astype(np.int64)
dt.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 2))
model.compile(
    optimizer=dt.optim.AdamW(model.parameters()), loss="cross_entropy", metrics=["accuracy"],
    accumulate_grad_batches=2, gradient_clip_val=1.0,
)
def cycle():
    model.fit(
        x, y, batch_size=64, epochs=1, verbose=0, validation_data=(x, y),
        callbacks=[EarlyStopping(patience=3, restore_best_weights=True)],
    )
    model.predict(x, verbose=0)
def look():
    gc.collect()
    resident = int(open('/proc/self/statm').read().split()[1]) * 4096
    return resident, dt.memory_stats()['in_use'], len(gc.get_objects())
for _ in range(300):
    cycle()
before = look()
for _ in range(cycles):
    cycle()
print(json.dumps([now - then for now, then in zip(look(), before)]))
"""


def cycles(count: int) -> None:
    resident, tensors, objects = python(CYCLES, str(count))
    print(
        f"{count:,} cycles of fit and predict: resident memory grew by {resident / 1e6:.3f} MB, memory of "
        f"tensors by {tensors} bytes, Python's objects by {objects}"
    )
    if resident >= 1_000_000:
        raise SystemExit(1)


def wheel_report(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    return f"{path.name}: {path.stat().st_size / 1e6:.2f} MB ({unpacked / 1e6:.1f} MB unpacked)"


def run(wheel: str, steps: int) -> None:
    imports = [python(IMPORT) for _ in range(7)]
    seconds = statistics.median(i[0] for i in imports)
    print(f"import drivetrain beyond numpy: {seconds * 1e3:.1f} ms (median of 7)")
    print(f"resident after import: {statistics.median(i[1] for i in imports) / 1e6:.1f} MB")
    print(f"optional modules imported: {imports[0][2] or 'none'}")
    if wheel:
        print(wheel_report(Path(wheel)))
    for name, figures in python(STEADY, str(steps)).items():
        print(f"{name}, {steps} steps: " + ", ".join(f"{k} {v}" for k, v in figures.items()))
    kept = python(ACTIVATIONS)
    shares = ", ".join(f"{name} {kept[name] / kept['float32']:.2f}" for name in ("bfloat16", "float16"))
    print(f"kept for backward: {kept['float32'] / 1e6:.1f} MB in float32; share of that: {shares}")
    digests = {python(BITS, str(threads)) for threads in (1, 2) for _ in range(3)}
    same = len(digests) == 1
    print(f"weights after 30 steps, 1 and 2 threads, 3 runs each: {'the same bits' if same else digests}")
    if not same:
        raise SystemExit(1)
