"""Word vectors beside gensim's: words per second, and the loss on pairs of words held out.

python -m benchmarks word_vectors TEXT...   # plain text or .gz: Debian's jargon-text and dict-gcide, say

A text is cut into sentences of lower-case words; one in twenty is held out. Each training runs in a process
of its own, in turns; the figures are medians. "whole" is the constructor: vocabulary and training;
without the vocabulary. The loss is that of negative sampling, on pairs drawn from the held-out sentences as
skip-gram draws them, with the same noise words for both libraries. The status is 1 where ours is less than
twice as fast, or its loss more than 2% above gensim's. Without gensim only ours is run.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

FASTER, LOSS = 2.0, 1.02  # the bars
PAIRS = 200_000

# One training: seconds of all and without the vocabulary; both tables of vectors in the order asked for.
TRAINING = """
import json, sys, time
import numpy as np
library, text, found = sys.argv[1:4]
threads, arguments = int(sys.argv[4]), json.loads(sys.argv[5])
sentences = [line.split() for line in open(text, encoding="utf-8")]
words = open(found + ".words", encoding="utf-8").read().split()
if library == "drivetrain":
    import drivetrain as dt
    from drivetrain.word_vectors import Word2Vec
    dt.set_num_threads(threads)
    model = Word2Vec(**arguments)
    start = time.perf_counter()
    model.build_vocab(sentences)
    middle = time.perf_counter()
    model.train(sentences)
    end = time.perf_counter()
    start_whole = time.perf_counter()
    Word2Vec(sentences, **arguments)
    whole = time.perf_counter() - start_whole
    output = model.output
else:
    from gensim.models import Word2Vec
    model = Word2Vec(workers=threads, **arguments)
    start = time.perf_counter()
    model.build_vocab(sentences)
    middle = time.perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    end = time.perf_counter()
    whole = end - start
    output = model.syn1neg
rows = [model.wv.key_to_index[word] for word in words]
np.savez(found, vectors=model.wv.vectors[rows], output=output[rows])
print(json.dumps([whole, end - middle]))
"""


def sentences_of(paths: list[str]) -> list[list[str]]:
    found = []
    for path in paths:
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        for part in re.split(r"[.;!?]\s|\n\s*\n", data.decode(errors="ignore").lower()):
            words = re.findall(r"[a-z]+(?:'[a-z]+)?", part)
            if len(words) > 1:
                found.append(words)
    return found


def held_out_pairs(
    sentences: list[list[str]], words: list[str], counts: Any, window: int, negative: int
) -> Any:
    """Inputs, outputs and noise words of pairs, as skip-gram with sub-sampling draws them."""
    rng = np.random.default_rng(0)
    places = {word: place for place, word in enumerate(words)}
    share = counts / counts.sum()
    keep = np.sqrt(1e-3 / share) + 1e-3 / share
    pairs = []
    for sentence in sentences:
        ids = [i for i in (places.get(word) for word in sentence) if i is not None and rng.random() < keep[i]]
        for at, word in enumerate(ids):
            reach = rng.integers(1, window + 1)
            pairs += [(word, other) for other in ids[max(0, at - reach) : at] + ids[at + 1 : at + reach + 1]]
        if len(pairs) >= PAIRS:
            break
    inputs, outputs = np.array(pairs).T
    noise = counts**0.75
    return inputs, outputs, rng.choice(len(words), (len(inputs), negative), p=noise / noise.sum())


def loss(tables: Any, pairs: Any) -> float:
    vectors, output, total = tables["vectors"], tables["output"], 0.0
    for a, b, noise in zip(*(np.array_split(x, len(pairs[0]) // 10_000 + 1) for x in pairs), strict=True):
        total += float(np.logaddexp(0, -np.einsum("nd,nd->n", vectors[a], output[b])).sum())
        scores = np.einsum("nd,nkd->nk", vectors[a], output[noise])
        total += float(np.logaddexp(0, np.where(noise == b[:, None], -np.inf, scores)).sum())
    return total / len(pairs[0])


def run(paths: list[str], rounds: int, threads: int, epochs: int, most: int, **changes: Any) -> None:
    sentences = sentences_of(paths)
    rng = np.random.default_rng(0)
    rng.shuffle(sentences)
    ends = np.cumsum([len(s) for s in sentences])
    sentences = sentences[: int((ends <= most).sum())]
    held, text = sentences[::20], [s for i, s in enumerate(sentences) if i % 20]
    arguments = {
        "vector_size": 100,
        "window": 5,
        "negative": 5,
        "sg": 1,
        "min_count": 5,
        "seed": 1,
        **changes,
    }
    arguments["epochs"] = epochs
    spelled, numbers = np.unique([word for s in text for word in s], return_counts=True)
    common = numbers >= arguments["min_count"]
    words, counts = spelled[common].tolist(), numbers[common]
    total = sum(map(len, text))
    pairs = held_out_pairs(held, words, counts, arguments["window"], arguments["negative"])
    print(f"{total:,} words, {len(words):,} of them different; {threads} threads, {arguments}", flush=True)
    libraries = ["drivetrain", *(["gensim"] if importlib.util.find_spec("gensim") else [])]
    times: dict[str, list[list[float]]] = {name: [] for name in libraries}
    losses = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "text")
        file.write_text("\n".join(map(" ".join, text)), encoding="utf-8")
        environment = os.environ | {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        for _, library in ((r, name) for r in range(rounds) for name in libraries):
            found = str(Path(folder, library))
            Path(found + ".words").write_text("\n".join(words), encoding="utf-8")
            command = [
                sys.executable,
                "-c",
                TRAINING,
                library,
                str(file),
                found,
                str(threads),
                json.dumps(arguments),
            ]
            out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
            times[library].append(json.loads(out.splitlines()[-1]))
            losses[library] = loss(np.load(found + ".npz"), pairs)
    whole, training = (
        {name: statistics.median(t[i] for t in times[name]) for name in libraries} for i in (0, 1)
    )
    for name in libraries:
        print(
            f"{name:10} training {training[name]:7.2f} s, {total * epochs / training[name]:11,.0f} words/s; "
            f"whole {whole[name]:7.2f} s; held-out loss {losses[name]:.4f}"
        )
    if "gensim" not in libraries:
        raise SystemExit(0)
    faster = [t["gensim"] / t["drivetrain"] for t in (training, whole)]
    more = losses["drivetrain"] / losses["gensim"]
    print(f"training {faster[0]:.2f} and whole {faster[1]:.2f} times as fast; loss {more:.4f} of gensim's")
    raise SystemExit(0 if min(faster) >= FASTER and more <= LOSS else 1)
