"""``make fuzz``: broken files by the thousand through the whole intake and engine; figures at the end."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).resolve().parents[1]),
    str(Path(__file__).resolve().parents[1] / "detector"),
]

from fuzz.mutations import Recipe, recipe  # noqa: E402
from fuzz.worker import examined, prepared  # noqa: E402


def main() -> int:
    """Run; returns 1 when anything happened that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--endings", default="", help="only bases with these, such as wav,ogg,mka")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    os.nice(5)
    prepared()
    started = time.perf_counter()
    numbers = [
        range(options.first + p, options.first + options.files, options.processes)
        for p in range(options.processes)
    ]
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [
        context.Process(target=_run, args=(options.seed, part, options.endings, queue)) for part in numbers
    ]
    for child in children:
        child.start()
    results = []
    ended = 0
    outcomes = (options.out / "outcomes.jsonl").open("w")
    while ended < len(children):
        if (outcome := queue.get()) is None:
            ended += 1
            continue
        results.append(outcome)
        outcomes.write(json.dumps(outcome) + "\n")
        outcomes.flush()
        if outcome["faults"]:
            print(json.dumps(outcome), flush=True)
        if len(results) % 100 == 0:
            print(f"{len(results)} files, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    for child in children:
        child.join()
    wall = time.perf_counter() - started
    outcomes.close()
    return _summed(results, options, wall, any(child.exitcode for child in children))


def _run(seed: int, numbers: range, endings: str, queue: multiprocessing.SimpleQueue) -> None:
    wanted = frozenset(filter(None, endings.split(",")))
    try:
        with tempfile.TemporaryDirectory(prefix="reelproof-fuzz-") as folder:
            for number, made, outcome in examined(
                Path(folder), ((n, recipe(seed, n, wanted)) for n in numbers)
            ):
                queue.put({"number": number, **_plain(made), **outcome._asdict()})
    finally:
        queue.put(None)


def _plain(made: Recipe) -> dict[str, object]:
    return {"base": made.base, "edits": made.edits}


def _summed(found: list[dict], options: argparse.Namespace, wall: float, crashed: bool) -> int:
    kinds: dict[str, Counter] = {}
    for outcome in found:
        kinds.setdefault(outcome["base"].partition("-")[0], Counter())[outcome["kind"]] += 1
    columns = sorted({outcome["kind"] for outcome in found})
    print("| | files | " + " | ".join(columns) + " |")
    print("|---|" + "---|" * (len(columns) + 1))
    for kind, counts in [*sorted(kinds.items()), ("all", sum(kinds.values(), Counter()))]:
        print(f"| {kind} | {counts.total()} | " + " | ".join(str(counts[c]) for c in columns) + " |")
    if not found:
        print("not one file was looked at")
        return 1
    seconds = [outcome["seconds"] for outcome in found]
    faults = [outcome for outcome in found if outcome["faults"]]
    peak = max(outcome["peak"] for outcome in found)
    print(
        f"seed {options.seed}, files {options.first} to {options.first + len(found) - 1}, "
        f"{options.processes} processes, {wall:.0f} s; a file {statistics.mean(seconds):.2f} s on average, "
        f"{max(seconds):.1f} s at most; memory at most {peak / 1e6:.0f} MB; "
        f"faults: {len(faults)}"
    )
    missing = options.files - len(found)
    if missing or crashed:
        print(f"a process of the fuzzer itself ended early; {missing} files were not looked at")
    return 1 if faults or missing or crashed else 0


if __name__ == "__main__":
    sys.exit(main())
