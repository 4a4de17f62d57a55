"""Times drivetrain beside NumPy and the other frameworks.

python -m benchmarks run --suite core --peers torch          # the quick one
python -m benchmarks run --suite all --peers torch,tf,jax --json benchmarks/results.json
python -m benchmarks report benchmarks/results.json          # RESULTS.md and the README's table
python -m benchmarks compare old.json new.json
python -m benchmarks probe
python -m benchmarks tables                                  # estimators beside scikit-learn's
python -m benchmarks metrics                                 # beside scikit-learn's
python -m benchmarks word_vectors TEXT...                     # beside gensim
python -m benchmarks byte_models TEXT                         # what language models are up against
python -m benchmarks loading                                 # how long a training waits for its images
python -m benchmarks text                                    # tokens and vocabularies of 100 MB
python -m benchmarks half_ops                                # single ops on halves beside float32
python -m benchmarks augmentation                            # beside Pillow, albumentations and Keras
"""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import probe, promises, report
from benchmarks.cases import Case
from benchmarks.driver import ROOT, CaseFailed, Driver
from benchmarks.modes import Mode, interpreters, modes_of
from benchmarks.results import amount, as_json, best, compare, ours, ratio, verdict
from benchmarks.suites import ALL, SUITES


def chosen_cases(suites: str, substring: str) -> list[tuple[str, Case]]:
    names = [name for part in suites.split(",") for name in (ALL if part == "all" else [part])]
    for name in names:
        if name not in SUITES:
            raise SystemExit(f"there is no suite {name!r}: choose from {', '.join(SUITES)}, all")
    return [(name, case) for name in names for case in SUITES[name] if substring.lower() in case.name.lower()]


class Teller:
    """Tells on standard error what is going on: in a terminal on one line that changes."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        if self.live:
            print(f"\r\033[K{text[:150]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        self("")


def summary(case: dict[str, Any], machine: dict[str, Any]) -> str:
    own, peer = ours(case), best(case, "peers")
    if own is None:
        return f"FAILED: {case['failed']}"
    parts = [amount(own["value"], case) + (" noisy" if own["noisy"] else "")]
    rate = report.rate(case, machine)
    parts += [rate] if rate else []
    parts += [f"best peer {peer['label']} {amount(peer['value'], case)}"] if peer else []
    for bar in case["bars"]:
        value = ratio(case, bar, machine)
        if value is not None:
            parts.append(f"{bar['against']} {value:.2f} of {bar['least']:.3g}: {verdict(value, bar)}")
    return "; ".join(parts)


def place_of(case: dict[str, Any]) -> int:
    """Where a case stands in the suites, whenever it was run."""
    names = [(suite, case.name) for suite, cases in SUITES.items() for case in cases]
    here = (case["suite"], case["name"])
    return names.index(here) if here in names else len(names)


def without_paths(words: list[str]) -> list[str]:
    """The command as others can repeat it: where things lie on this machine says nothing."""
    kept, words = [], list(words)
    while words:
        word = words.pop(0)
        if word in ("--python", "--json"):
            words.pop(0)
        elif not word.startswith(("--python=", "--json=")) and word not in ("--resume", "--quiet-table"):
            kept.append(word)
    return kept


def run(arguments: argparse.Namespace) -> None:
    cases = chosen_cases(arguments.suite, arguments.case)
    pythons = interpreters(arguments.python)
    modes: list[Mode] = []
    for library in ["drivetrain", "numpy", *filter(None, arguments.peers.split(","))]:
        if any(not case.only or library in case.only for _, case in cases):
            modes += modes_of(library, pythons.get(library, sys.executable))
    path = Path(arguments.json) if arguments.json else None
    record: dict[str, Any] = {"machine": {}, "commands": [], "cases": []}
    if path and arguments.resume and path.exists():
        record = json.loads(path.read_text())
    done = {(case["suite"], case["name"]) for case in record["cases"] if not case["failed"]}
    machine = probe.machine(arguments.threads)
    machine["peak_flops"] = max(machine["peak_flops"], record["machine"].get("peak_flops", 0.0))
    record["machine"] = machine
    command = "python -m benchmarks " + shlex.join(without_paths(arguments.words))
    record["commands"] += [command] if command not in record["commands"] else []
    print(
        f"{machine['cpu']}, {arguments.threads} threads, {len(cases)} cases, modes: "
        f"{', '.join(mode.label for mode in modes)}"
    )
    print(*machine["probe"], sep="\n", flush=True)
    tell = Teller()
    driver = Driver(modes, arguments.threads, arguments.rounds, arguments.budget, tell)
    start, failed = time.monotonic(), 0
    try:
        for number, (suite, case) in enumerate(cases, 1):
            if (suite, case.name) in done:
                continue
            try:
                found = as_json(case, suite, driver.run(case))
            except (CaseFailed, RuntimeError) as error:
                driver.close()
                found = as_json(case, suite, [], failed=str(error))
                failed += 1
            tell.clear()
            others = [c for c in record["cases"] if (c["suite"], c["name"]) != (suite, case.name)]
            record["cases"] = sorted([*others, found], key=place_of)
            minutes = (time.monotonic() - start) / 60
            place = f"[{number}/{len(cases)}, {minutes:.1f} min]"
            print(f"{place} {suite}: {case.name}: {summary(found, machine)}", flush=True)
            if path:
                path.write_text(json.dumps(record, indent=1) + "\n")
    finally:
        driver.close()
    lines = report.suite_table(record["cases"], machine) if not arguments.quiet_table else []
    print("\n" + "\n".join(lines))
    if failed:
        raise SystemExit(f"{failed} cases failed")


def compare_files(arguments: argparse.Namespace) -> None:
    lines, slower = compare(*(json.loads(Path(p).read_text()) for p in (arguments.a, arguments.b)))
    print(*lines, sep="\n")
    if slower:
        raise SystemExit(f"slower beyond the noise: {', '.join(slower)}")


def write_report(arguments: argparse.Namespace) -> None:
    records = [json.loads(Path(path).read_text()) for path in arguments.files]
    record = records[0]
    for more in records[1:]:  # a later file has the last word on a case
        names = {(case["suite"], case["name"]) for case in more["cases"]}
        record["cases"] = [c for c in record["cases"] if (c["suite"], c["name"]) not in names] + more["cases"]
        record["commands"] += [c for c in more["commands"] if c not in record["commands"]]
    record["sizes"] = {name: len(SUITES[name]) for name in ALL}
    folder = Path(arguments.folder)
    suffix = f"-{arguments.machine}" if arguments.machine else ""
    (folder / f"benchmarks/RESULTS{suffix}.md").write_text(report.results_page(record, suffix))
    (folder / f"benchmarks/results{suffix}.json").write_text(json.dumps(record, indent=1) + "\n")
    if suffix:
        print(f"benchmarks/RESULTS{suffix}.md and benchmarks/results{suffix}.json are new")
        return
    readme = folder / "README.md"
    readme.write_text(report.with_block(readme.read_text(), report.readme_block(record)))
    print("benchmarks/RESULTS.md, benchmarks/results.json and the README's table are new")


def measure_accuracy(arguments: argparse.Namespace) -> None:
    from benchmarks import accuracy  # imports drivetrain, which the others leave to processes of their own

    accuracy.run(
        arguments.task, arguments.seeds, arguments.samples, arguments.epochs, arguments.precisions.split(",")
    )


def measure_tables(arguments: argparse.Namespace) -> None:
    from benchmarks import tables

    tables.run(arguments.case, arguments.rounds, arguments.threads, arguments.epochs)


def measure_byte_models(arguments: argparse.Namespace) -> None:
    from benchmarks import byte_models

    byte_models.run(arguments.file, arguments.order)


def measure_word_vectors(arguments: argparse.Namespace) -> None:
    from benchmarks import word_vectors

    changes = {name: getattr(arguments, name) for name in ("window", "negative", "sg", "vector_size")}
    word_vectors.run(
        arguments.texts,
        arguments.rounds,
        arguments.threads,
        arguments.epochs,
        arguments.most_words,
        **changes,
    )


def measure_metrics(arguments: argparse.Namespace) -> None:
    from benchmarks import metrics

    metrics.run(arguments.samples, arguments.case, arguments.rounds)


def measure_loading(arguments: argparse.Namespace) -> None:
    from benchmarks import loading

    loading.run(arguments.case, arguments.rounds, arguments.threads)


def measure_half_ops(arguments: argparse.Namespace) -> None:
    from benchmarks import half_ops

    half_ops.run(arguments.case, arguments.rounds, arguments.threads)


def measure_augmentation(arguments: argparse.Namespace) -> None:
    from benchmarks import augmentation

    augmentation.run(arguments.case, arguments.rounds, arguments.seconds, arguments.threads)


def measure_text(arguments: argparse.Namespace) -> None:
    from benchmarks import text

    text.run(arguments.file, arguments.megabytes, arguments.rounds, arguments.threads)


def list_cases(arguments: argparse.Namespace) -> None:
    for name, cases in SUITES.items():
        print(f"{name} ({len(cases)} cases)")
        for case in cases:
            print(f"    {case.name}")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    runner = commands.add_parser("run", help="time the cases of a suite")
    runner.add_argument("--suite", default="core", help=f"{', '.join(SUITES)}, all; several by commas")
    runner.add_argument("--peers", default="", help="installed frameworks to run beside: torch,tf,jax")
    runner.add_argument("--case", default="", help="only cases whose name contains this")
    runner.add_argument("--threads", type=int, default=2)
    runner.add_argument("--rounds", type=int, default=5, help="turns of each mode; the median counts")
    runner.add_argument("--budget", type=float, default=15, help="seconds after which a case begins no round")
    runner.add_argument("--json", default="", help="file for the results, written after every case")
    runner.add_argument("--resume", action="store_true", help="leave out what the file has already")
    runner.add_argument("--quiet-table", action="store_true", help="no table at the end")
    runner.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="LIBRARY=PATH",
        help="the interpreter that has a library, where it is not this one; may be repeated, or stand in the "
        "environment: BENCHMARKS_PYTHON=tf=PATH,jax=PATH",
    )
    runner.set_defaults(function=run)
    comparer = commands.add_parser("compare", help="our times in two files; status 1 where B is slower")
    comparer.add_argument("a")
    comparer.add_argument("b")
    comparer.set_defaults(function=compare_files)
    reporter = commands.add_parser("report", help="write RESULTS.md and the README's table")
    reporter.add_argument("files", nargs="+", metavar="JSON")
    reporter.add_argument("--folder", default=str(ROOT), help="where README.md and benchmarks/ lie")
    reporter.add_argument("--machine", metavar="NAME", help="of another machine: write RESULTS-NAME.md")
    reporter.set_defaults(function=write_report)
    prober = commands.add_parser("probe", help="what the machine gives at most")
    prober.add_argument("--threads", type=int, default=2)
    prober.set_defaults(function=lambda a: print(*probe.everything(a.threads), sep="\n"))
    lister = commands.add_parser("list", help="the suites and their cases")
    lister.set_defaults(function=list_cases)
    promiser = commands.add_parser("promises", help="import cost, memory, page faults, bits")
    promiser.add_argument("--wheel", default="", help="a wheel to weigh")
    promiser.add_argument("--steps", type=int, default=10_000)
    promiser.set_defaults(function=lambda a: promises.run(a.wheel, a.steps))
    cycler = commands.add_parser("cycles", help="what fit and predict leave behind; below 1 MB")
    cycler.add_argument("--count", type=int, default=10_000)
    cycler.set_defaults(function=lambda a: promises.cycles(a.count))
    measurer = commands.add_parser("accuracy", help="what half precision costs in test accuracy")
    measurer.add_argument("task", choices=("fashion", "resnet18"))
    measurer.add_argument("--seeds", type=int, default=3, help="runs of each precision; default: 3")
    measurer.add_argument("--samples", type=int, default=10_000, help="of the ResNet; default: 10000")
    measurer.add_argument("--epochs", type=int, default=0, help="default: 10 and 5")
    measurer.add_argument(
        "--precisions",
        default="float32,bfloat16,float16",
        help="each is compared with the first; default: all",
    )
    measurer.set_defaults(function=measure_accuracy)
    tabler = commands.add_parser("tables", help="estimators on tables beside scikit-learn's")
    tabler.add_argument("--case", default="", help="adult, or linear models whose name contains this")
    tabler.add_argument("--rounds", type=int, default=5)
    tabler.add_argument("--threads", type=int, default=2)
    tabler.add_argument("--epochs", type=int, default=20, help="of the perceptron on Adult; default: 20")
    tabler.set_defaults(function=measure_tables)
    speller = commands.add_parser("word_vectors", help="word vectors beside gensim's")
    speller.add_argument("texts", nargs="+", help="text files, .gz and .dz too")
    speller.add_argument("--most-words", type=int, default=10**9, help="of the text, at most")
    for option, value in (
        ("rounds", 3),
        ("threads", 2),
        ("epochs", 5),
        ("window", 5),
        ("negative", 5),
        ("sg", 1),
    ):
        speller.add_argument(f"--{option}", type=int, default=value)
    speller.add_argument("--vector-size", type=int, default=100)
    speller.set_defaults(function=measure_word_vectors)
    scorer = commands.add_parser("metrics", help="metrics over many predictions beside scikit-learn's")
    scorer.add_argument("--samples", type=int, default=10_000_000)
    scorer.add_argument("--case", default="", help="only metrics whose name contains this; several by ;")
    scorer.add_argument("--rounds", type=int, default=3)
    scorer.set_defaults(function=measure_metrics)
    waiter = commands.add_parser("loading", help="how long a training waits for its images")
    waiter.add_argument("--case", default="", help="only those whose name contains this, 128 say")
    waiter.add_argument("--rounds", type=int, default=5)
    waiter.add_argument("--threads", type=int, default=2)
    waiter.set_defaults(function=measure_loading)
    halver = commands.add_parser("half_ops", help="single ops on halves beside float32")
    halver.add_argument("--case", default="", help="only ops whose name contains this")
    halver.add_argument("--rounds", type=int, default=7)
    halver.add_argument("--threads", type=int, default=2)
    halver.set_defaults(function=measure_half_ops)
    imager = commands.add_parser("augmentation", help="images beside Pillow, albumentations and Keras")
    imager.add_argument("--case", default="", help="only cases whose name contains this; several by ;")
    imager.add_argument("--rounds", type=int, default=5)
    imager.add_argument("--seconds", type=float, default=0.5, help="of a turn; default: 0.5")
    imager.add_argument("--threads", type=int, default=2)
    imager.set_defaults(function=measure_augmentation)
    counter = commands.add_parser("byte_models", help="bits per byte that compressors and counts reach")
    counter.add_argument("file", metavar="FILE")
    counter.add_argument(
        "--order", type=int, nargs="+", default=[5, 6, 7], help="bytes of a sequence counted"
    )
    counter.set_defaults(function=measure_byte_models)
    reader = commands.add_parser("text", help="tokens and vocabularies beside Python and scikit-learn")
    reader.add_argument("--file", default="", help="a text in UTF-8; by default one is drawn")
    reader.add_argument("--megabytes", type=int, default=100)
    reader.add_argument("--rounds", type=int, default=3)
    reader.add_argument("--threads", type=int, default=2)
    reader.set_defaults(function=measure_text)
    return top


def main(words: list[str] | None = None) -> None:
    words = sys.argv[1:] if words is None else words
    arguments = parser().parse_args(words)
    arguments.words = words
    arguments.function(arguments)


if __name__ == "__main__":
    main()
